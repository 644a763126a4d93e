//! Whole policies: maps with several tables of any types, every mask, patterns, tags and comparisons. What the map comes to in the
//! emulator's SQL engine is exactly what the policy means to an interpreter that knows neither SQL nor the compiler.

mod choose;
mod dice;
mod judge;
mod kind;
mod meaning;
mod policy;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use axon_emulator::Value;
use axon_mapping::RoleMap;
use axon_mapping::views::{Person, in_one_line, of_target, profile_of};
use axon_reconcile::secure::BaseTable;
use axon_reconcile::{ColumnType, ObjectName, ViewBody, ViewsThere};
use axon_synapse::render::{ViewVerb, managed_schema, secure_view};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::policy::{OWNER, name};
use crate::pool::Running;
use kind::TYPES;
use meaning::{Counts, Reader, count, seen, views};
use policy::Policy;

fn bracketed(text: &str) -> String {
    format!("[{}]", text.replace(']', "]]"))
}

fn quoted(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// A pool with the tables and the people.
fn started(policy: &Policy) -> Running {
    let mut pool = Running::empty();
    pool.run(&format!("CREATE USER {OWNER} WITHOUT LOGIN"));
    for schema in ["sales", "hr", "secure", "open"] {
        pool.run(&format!("CREATE SCHEMA [{schema}] AUTHORIZATION {OWNER}"));
    }
    for statement in managed_schema(name("axon"), name(OWNER)) {
        pool.run(statement.as_str());
    }
    for table in &policy.tables {
        let at = format!("{}.{}", table.schema, table.name);
        let columns: Vec<String> =
            table.columns.iter().map(|c| format!("{} {}", bracketed(&c.name), c.ty)).collect();
        pool.run(&format!("CREATE TABLE {at} ({})", columns.join(", ")));
        for row in &table.rows {
            let values: Vec<String> =
                row.iter().zip(&table.columns).map(|(value, c)| kind::literal(value, c.ty)).collect();
            pool.run(&format!("INSERT INTO {at} VALUES ({})", values.join(", ")));
        }
        for column in table.columns.iter().filter(|c| matches!(c.ty, ColumnType::Text { .. })) {
            let id = format!("{at}.{}", column.name);
            let key = meaning::key(table, &column.name);
            pool.run(&format!("INSERT INTO axon.mask_keys VALUES ({}, N'{key}')", quoted(&id)));
        }
    }
    pool
}

/// A column's type as the catalog shows it: name, length in bytes, precision, scale.
type CatalogType = (String, i64, i64, i64);

/// Each column of each table and view with its type, and its name, in order.
fn cataloged(pool: &mut Running) -> BTreeMap<ObjectName, Vec<(String, CatalogType)>> {
    let rows = pool.run(
        "SELECT s.name, o.name, c.name, y.name, c.max_length, c.precision, c.scale FROM sys.columns c \
         JOIN sys.objects o ON o.object_id = c.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id \
         JOIN sys.types y ON y.user_type_id = c.user_type_id ORDER BY c.object_id, c.column_id",
    );
    let mut found: BTreeMap<ObjectName, Vec<(String, CatalogType)>> = BTreeMap::new();
    for row in rows {
        let [
            Value::Text(schema),
            Value::Text(object),
            Value::Text(column),
            Value::Text(ty),
            Value::Int(length),
            Value::Int(precision),
            Value::Int(scale),
        ] = row.as_slice()
        else {
            panic!("{row:?}")
        };
        let object = ObjectName { schema: name(schema), name: name(object) };
        let of = found.entry(object).or_default();
        of.push((column.clone(), (ty.clone(), *length, *precision, *scale)));
    }
    found
}

/// The tables with their columns as the catalog shows them.
fn found(pool: &mut Running) -> BTreeMap<ObjectName, BaseTable> {
    let column = |(column, (ty, length, precision, scale)): (String, CatalogType)| {
        let byte = |n| u8::try_from(n).unwrap();
        let length = i16::try_from(length).unwrap();
        (name(&column), ColumnType::from_catalog(&ty, length, byte(precision), byte(scale)))
    };
    let table = |columns: Vec<(String, CatalogType)>| BaseTable {
        owner: Some(name(OWNER)),
        columns: columns.into_iter().map(column).collect(),
    };
    cataloged(pool).into_iter().map(|(object, columns)| (object, table(columns))).collect()
}

/// Columns of a view whose type is not that of the table's column of the same name. No mask and no exception may change one.
fn retyped(
    cataloged: &BTreeMap<ObjectName, Vec<(String, CatalogType)>>,
    body: &ViewBody,
    counts: &mut Counts,
) -> Vec<String> {
    let (of_table, of_view) = (&cataloged[&body.from], &cataloged[&body.name]);
    let mut found = Vec::new();
    for (column, ty) in of_view {
        let own = of_table.iter().find(|(own, _)| own == column).map(|(_, ty)| ty);
        if own != Some(ty) {
            found.push(format!("{column} is {ty:?} in the view, and in the table {own:?}"));
        }
        let masked = body.columns.iter().any(|shown| {
            shown.name.as_str() == column && !matches!(shown.cell, axon_reconcile::view_body::Cell::Clear)
        });
        count(counts, format!("the type {} of a column, {}", ty.0, if masked { "masked" } else { "clear" }));
    }
    found
}

fn read_back(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => kind::hex(bytes),
        Value::Guid(id) => uuid::Uuid::from_bytes(*id).hyphenated().to_string(),
        Value::DateTime(moment) => moment.to_string(),
    })
}

#[expect(clippy::too_many_lines, reason = "one policy from its map to what each person reads")]
fn check(policy: &Policy, counts: &mut Counts) -> Result<(), String> {
    let text = policy::map(policy);
    let map = RoleMap::parse(&[("map.yaml", &text)]).map_err(|faults| faults.to_string())?;
    let target = map.targets.values().next().unwrap();
    let mut pool = started(policy);
    let there = ViewsThere { tables: found(&mut pool), ..ViewsThere::default() };
    let catalog: usize = policy.tables.iter().map(|t| t.columns.len()).sum();
    let shown: usize =
        there.tables.iter().filter(|(t, _)| t.schema != name("axon")).map(|(_, t)| t.columns.len()).sum();
    if catalog != shown {
        return Err(format!("{shown} columns of {catalog} are in the catalog"));
    }
    let owner = Some(name(OWNER));
    let schemas = ["sales", "hr", "secure", "open"].map(|schema| (name(schema), owner)).into();
    let compiled = of_target(&map, target, &there, &schemas);
    let managed = axon_synapse::managed(&target.metadata);

    let roles: BTreeMap<&str, String> = policy::ROLES
        .iter()
        .map(|role| (*role, target.role(&role.parse().unwrap()).unwrap().as_str().to_owned()))
        .collect();
    for role in roles.values() {
        pool.run(&format!("CREATE ROLE {}", bracketed(role)));
    }
    let mut readers = Vec::new();
    for person in &policy.people {
        pool.run(&format!("CREATE USER {} WITHOUT LOGIN", person.name));
        for role in &person.roles {
            pool.run(&format!("EXEC sp_addrolemember {}, N'{}'", quoted(&roles[role]), person.name));
        }
        let groups = person.groups.iter().map(|(source, group)| format!("{source} {group}")).collect();
        let rows = profile_of(
            &Person {
                principal: name(&person.name),
                attributes: person.attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
                groups,
                roles: person.roles.iter().map(|role| (*role).to_owned()).collect(),
            },
            &compiled.needs,
        )
        .rows;
        let rows = match target.metadata.delimiters.map(|by| in_one_line(&rows, by)) {
            None => Some(rows),
            Some(Ok(line)) => Some(line.into_iter().collect::<BTreeSet<_>>()),
            Some(Err(_)) => None,
        };
        if let Some(rows) = &rows {
            pool.write_profile(rows);
        }
        count(counts, if rows.is_some() { "a profile" } else { "a profile that cannot be written" });
        readers.push(Reader::new(person, rows.is_some()));
    }

    let meant = views(policy);
    let mut bodies: BTreeMap<ObjectName, _> = compiled.bodies.iter().map(|body| (body.name, body)).collect();
    for view in &meant {
        let at = ObjectName { schema: name(view.schema), name: name(&view.name) };
        let Some(shown) = &view.columns else {
            count(counts, "a view that cannot be");
            if bodies.contains_key(&at) || !compiled.closed.contains_key(&at) {
                return Err(format!("{at} cannot be carried out, and was compiled: {:?}", bodies.get(&at)));
            }
            continue;
        };
        let Some(body) = bodies.remove(&at) else {
            return Err(format!("{at} was not compiled: {:?}", compiled.closed.get(&at)));
        };
        count(counts, if view.entry.name.is_some() { "a view of a table" } else { "a view of a pattern" });
        if matches!(view.entry.from, policy::Source::Tag(_)) {
            count(counts, "a view of a tag");
        }
        for (key, _) in &view.entry.columns {
            match key {
                policy::Key::Name(_) => {}
                policy::Key::Pattern(_) => count(counts, "columns by a pattern"),
                policy::Key::Tag(_) => count(counts, "columns by a tag"),
            }
        }
        pool.run(secure_view(body, ViewVerb::Create, managed).as_str());
        let retyped = retyped(&cataloged(&mut pool), body, counts);
        if !retyped.is_empty() {
            let sql = secure_view(body, ViewVerb::Create, managed);
            return Err(format!("{at} changes types: {retyped:#?}\n{}", sql.as_str()));
        }
        let names: Vec<String> =
            shown.iter().map(|(at, _)| bracketed(&view.table.columns[*at].name)).collect();
        // Nothing else is in the view.
        if body.columns.len() != names.len() {
            return Err(format!("{at} has columns {:?}, and not {names:?}", body.columns));
        }
        let question =
            format!("SELECT {} FROM [{}].{}", names.join(", "), view.schema, bracketed(&view.name));
        for (person, reader) in policy.people.iter().zip(&readers) {
            let on = format!("[{}].{}", view.schema, bracketed(&view.name));
            pool.run(&format!("GRANT SELECT ON OBJECT::{on} TO {}", person.name));
            pool.run(&format!("EXECUTE AS USER = '{}'", person.name));
            let rows = pool.run(&question);
            pool.run("REVERT");
            let mut found: Vec<Vec<Option<String>>> =
                rows.iter().map(|row| row.iter().map(read_back).collect()).collect();
            let mut expected = seen(view, shown, reader, counts);
            found.sort();
            expected.sort();
            if found != expected {
                let sql = secure_view(body, ViewVerb::Create, managed);
                return Err(format!(
                    "{person:?} reads\n{found:?}\nand ought to\n{expected:?}\n{}",
                    sql.as_str()
                ));
            }
        }
    }
    if !bodies.is_empty() {
        return Err(format!("nobody spoke of {:?}", bodies.keys()));
    }
    Ok(())
}

/// How often each pair of a type with a mask has its turn.
const ROUNDS: usize = 8;
/// Cases that failed once: turn and seed.
const AGAIN: &[(usize, u64)] = &[];

/// What has to come to pass at least so often, so that nothing of this goes empty.
fn least(counts: &Counts) -> Vec<String> {
    let mut floors: Vec<(String, usize)> = [
        ("a view of a table", 1_000),
        ("a view of a pattern", 300),
        ("a view of a tag", 80),
        ("a view that cannot be", 1_000),
        ("columns by a pattern", 500),
        ("columns by a tag", 500),
        ("a profile", 1_000),
        ("a profile that cannot be written", 3),
        ("a row that is seen", 3_000),
        ("a row that is not", 3_000),
    ]
    .map(|(what, times)| (what.to_owned(), times))
    .into();
    for what in
        ["last days", "an attribute of one value", "an attribute of many values", "a list", "a literal"]
    {
        floors.push((format!("{what}, true"), 20));
        floors.push((format!("{what}, false"), 500));
    }
    for (what, one, other) in [
        ("a line for a role", "had", "not had"),
        ("a line for a group", "in it", "not in it"),
        ("for beside where", "had", "not had"),
    ] {
        floors.push((format!("{what}, {one}"), 300));
        floors.push((format!("{what}, {other}"), 300));
    }
    for types in TYPES {
        let (ty, word) = (types[0], kind::word(types[0]));
        for what in ["clear", "clear by unless", "NULL by for", "masked by null"] {
            floors.push((format!("{word} {what}"), 30));
        }
        floors.push((format!("{word} clear, NULL"), 3));
        for how in ["clear", "masked"] {
            floors.push((format!("the type {word} of a column, {how}"), 3));
        }
        for number in 0..choose::MASKS {
            // A mask that some length of the type allows.
            let mask = choose::a_mask(&mut dice::Dice::new(7), number, ty);
            if types.iter().any(|ty| judge::mask_fits(&mask, *ty)) {
                floors.push((format!("{word} masked by {}", mask.word()), 3));
            }
        }
        let text = matches!(ty, ColumnType::Text { .. });
        if kind::is_dated(ty) {
            floors.push((format!("last days compared in {word}"), 100));
        }
        if kind::is_whole(ty) || text {
            floors.push((format!("an attribute compared in {word}"), 100));
        }
        let written = matches!(ty, ColumnType::Bit | ColumnType::UniqueIdentifier);
        if kind::ends(ty).is_some() || kind::is_dated(ty) || text || written {
            floors.push((format!("a literal compared in {word}"), 20));
            floors.push((format!("a list compared in {word}"), 50));
        }
    }
    let times = |what: &str| counts.get(what).copied().unwrap_or(0);
    let few = floors.into_iter().filter(|(what, least)| times(what) < *least);
    few.map(|(what, least)| format!("{what}: {} and not {least}", times(&what))).collect()
}

/// So often all turns are taken, where something was hit too seldom.
const AT_MOST: u32 = 5;

#[test]
fn the_views_of_a_map_show_exactly_what_it_means_for_tables_of_every_type() {
    let counts = RefCell::new(Counts::new());
    for (turn, seed) in AGAIN {
        check(&choose::policy(*turn, *seed), &mut counts.borrow_mut()).unwrap();
    }
    let turn = Cell::new(0);
    let cases = u32::try_from(ROUNDS * choose::all_turns()).unwrap();
    let config = Config { cases, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    // What was hit too seldom by chance is hit by some more of them.
    for again in 0..AT_MOST {
        let outcome = TestRunner::new(config.clone()).run(&proptest::num::u64::ANY, |seed| {
            let policy = choose::policy(turn.get(), seed);
            let outcome = check(&policy, &mut counts.borrow_mut());
            turn.set(turn.get() + 1);
            outcome.map_err(|why| {
                let tables: Vec<String> = policy.tables.iter().map(|table| format!("{table:?}")).collect();
                TestCaseError::fail(format!(
                    "({}, {seed}): {why}\n{}\n{}",
                    turn.get() - 1,
                    policy::map(&policy),
                    tables.join("\n")
                ))
            })
        });
        if let Err(why) = outcome {
            panic!("{why}");
        }
        let few = least(&counts.borrow());
        if few.is_empty() {
            break;
        }
        assert!(again + 1 < AT_MOST, "{few:#?}\n{:#?}", counts.borrow());
    }
}
