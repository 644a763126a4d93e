//! Secure views against an independent reading of the policy: what a person gets from the emulator's SQL engine is exactly what the
//! interpreter says, for random policies, tables and people.

#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod page;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod wide;

use std::collections::{BTreeMap, BTreeSet};

use axon_mapping::secure_view::{Shown, ViewColumn};
use axon_mapping::views::{BaseTable, Needs, Surroundings, compile, in_one_line, profile_of};
use axon_reconcile::ViewBody;
use axon_reconcile::secure::{PolicyWork, TableFilter};
use axon_reconcile::view_body::Rows;
use axon_synapse::render::{Managed, RoleTest, ViewVerb, secure_view, set_filter};
use proptest::prelude::*;

use policy::{ACTING, Case, OWNER, Reader, name};
use pool::Running;

fn check(case: &Case) -> Result<(), TestCaseError> {
    let table = BaseTable { owner: Some(name(OWNER)), columns: policy::columns() };
    let tables = BTreeMap::from([(case.view.from, table)]);
    let schemas = BTreeMap::from([(case.view.name.schema, Some(name(OWNER)))]);
    // The third role of the map has no role in the pool: views find it in the profile.
    let roles = policy::pool_roles();
    let tags = BTreeMap::from([("pii".to_owned(), BTreeSet::from([(case.view.from, name("email"))]))]);
    let within = Surroundings { tables: &tables, schemas: &schemas, roles: &roles, tags: &tags };
    let body = match compile(&case.view, &within) {
        Ok(body) => body,
        Err(faults) => {
            let nothing = case.view.columns.iter().all(|c| c.shown == Shown::Hidden);
            prop_assert!(nothing, "{faults:?}");
            return Ok(());
        }
    };
    let managed = Managed {
        schema: name("axon"),
        roles: RoleTest::IsRoleMember,
        delimiters: case.delimiters,
        impersonation: case.acting.then(|| name(ACTING)),
        by_session: false,
    };
    let mut pool = Running::start(&case.rows, &case.people);
    let needs = Needs::of([&body]);
    let mut known: Vec<Reader> = case.people.clone();
    for reader in &mut known {
        let rows = profile_of(&reader.person, &needs).rows;
        match case.delimiters.map(|by| in_one_line(&rows, by)) {
            None => pool.write_profile(&rows),
            Some(Ok(line)) => pool.write_profile(&line.into_iter().collect()),
            // Nothing is known of whoever has a value that cannot be written.
            Some(Err(_)) => reader.forget(),
        }
    }
    // Closed first, then altered: readers keep what they were granted.
    pool.run(secure_view(&body.clone().closed(), ViewVerb::Create, managed).as_str());
    for person in &case.people {
        pool.run(&format!("GRANT SELECT ON OBJECT::secure.orders TO [{}]", person.person.principal));
        prop_assert!(pool.read(person).is_empty());
    }
    let text = secure_view(&body, ViewVerb::Alter, managed);
    pool.run(text.as_str());
    for person in &known {
        let mut found = pool.read(person);
        let mut expected = interpreter::seen(&case.view, &case.rows, person);
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected, "{:?}\n{}", person, text.as_str());
    }
    if case.acting {
        as_others(case, &known, &mut pool)?;
        // Whose profile is read has nothing to do with how it is laid out.
        if case.delimiters.is_none() {
            in_a_session(case, &body, managed, &known, &mut pool)?;
            pool.run(text.as_str());
        }
    }
    if body.rows != Rows::All {
        natively(case, &body, managed, &known, &mut pool)?;
    }
    Ok(())
}

/// The same policy as a filter of the table: whoever may read columns of it reads the rows that the view shows, and the view shows
/// what it showed. Nobody else sees a row, the administrator neither.
fn natively(
    case: &Case,
    body: &ViewBody,
    managed: Managed,
    known: &[Reader],
    pool: &mut Running,
) -> Result<(), TestCaseError> {
    let filter = TableFilter {
        table: body.from,
        columns: policy::columns(),
        rows: body.rows.clone(),
        unfiltered: BTreeSet::new(),
        open: BTreeMap::new(),
    };
    for statement in set_filter(&filter, managed, true, PolicyWork::Create) {
        pool.run(statement.as_str());
    }
    let columns: Vec<String> = policy::columns()
        .iter()
        .map(|(column, _)| format!("[{}]", column.as_str().replace(']', "]]")))
        .collect();
    let columns = columns.join(", ");
    let mut clear = case.view.clone();
    clear.columns = policy::columns()
        .into_iter()
        .map(|(name, _)| ViewColumn { name, shown: Shown::Clear, place: case.view.place.clone() })
        .collect();
    let sorted = |mut rows: Vec<Vec<Option<String>>>| {
        rows.sort();
        rows
    };
    for person in known {
        let principal = person.person.principal;
        pool.run(&format!("GRANT SELECT ON OBJECT::sales.orders ({columns}) TO [{principal}]"));
        let found = sorted(pool.read_from(person, &format!("{columns} FROM sales.orders")));
        let expected = sorted(interpreter::seen(&clear, &case.rows, person));
        prop_assert_eq!(found, expected, "the table itself: {:?}\n{:?}", person, filter);
        let found = sorted(pool.read(person));
        let expected = sorted(interpreter::seen(&case.view, &case.rows, person));
        prop_assert_eq!(found, expected, "the view over it: {:?}", person);
    }
    let left = pool.run("SELECT qty FROM sales.orders").len();
    let mut nobody = known[0].clone();
    nobody.forget();
    nobody.roles.clear();
    prop_assert_eq!(left, interpreter::seen(&clear, &case.rows, &nobody).len());
    Ok(())
}

/// The first person may act as the second: then the view shows what it shows to that one, and with any other key nothing that hangs on
/// a person.
fn as_others(case: &Case, known: &[Reader], pool: &mut Running) -> Result<(), TestCaseError> {
    let [actor, person, other] = known else { return Ok(()) };
    pool.let_act(actor, person);
    let sorted = |mut rows: Vec<Vec<Option<String>>>| {
        rows.sort();
        rows
    };
    let seen = sorted(pool.read_as(actor, person));
    let expected = sorted(interpreter::seen(&case.view, &case.rows, person));
    prop_assert_eq!(seen, expected, "{:?} as {:?}", actor, person);
    // Nobody: no role, no group, no attribute.
    let mut nobody = other.clone();
    nobody.forget();
    nobody.roles.clear();
    let nothing = sorted(interpreter::seen(&case.view, &case.rows, &nobody));
    for (who, whom) in [(actor, other), (other, person), (person, actor)] {
        prop_assert_eq!(&sorted(pool.read_as(who, whom)), &nothing, "{:?} as {:?}", who, whom);
    }
    Ok(())
}

/// The same in a pool without a context of sessions: the permission names the session, and everybody else in it is nobody else.
fn in_a_session(
    case: &Case,
    body: &ViewBody,
    managed: Managed,
    known: &[Reader],
    pool: &mut Running,
) -> Result<(), TestCaseError> {
    let [actor, person, other] = known else { return Ok(()) };
    pool.run(secure_view(body, ViewVerb::Alter, Managed { by_session: true, ..managed }).as_str());
    let sorted = |mut rows: Vec<Vec<Option<String>>>| {
        rows.sort();
        rows
    };
    let of = |reader: &Reader| sorted(interpreter::seen(&case.view, &case.rows, reader));
    // Whoever acts is a member of the role for it since the permission by key; without one for this session that changes nothing.
    prop_assert_eq!(sorted(pool.read(actor)), of(actor), "{:?} as herself", actor);
    pool.let_act_here(actor, person, "SID999");
    prop_assert_eq!(sorted(pool.read(actor)), of(actor), "{:?} in another session", actor);
    let session = pool.session_id();
    pool.let_act_here(actor, person, &session);
    prop_assert_eq!(sorted(pool.read(actor)), of(person), "{:?} as {:?} in a session", actor, person);
    for reader in [person, other] {
        prop_assert_eq!(sorted(pool.read(reader)), of(reader), "{:?} in the same session", reader);
    }
    let mut nobody = other.clone();
    nobody.forget();
    nobody.roles.clear();
    pool.run("UPDATE axon.acting_sessions SET until = CAST('2020-01-01' AS datetime2(0))");
    prop_assert_eq!(sorted(pool.read(actor)), of(&nobody), "{:?} when it is over", actor);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_view_shows_exactly_what_its_policy_says(case in policy::case()) {
        check(&case)?;
    }
}
