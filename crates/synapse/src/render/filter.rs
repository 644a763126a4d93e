//! The filter of a table: a function that holds the same predicate as the views of the table, and the policy that calls it.
//!
//! A function cannot be altered while a policy calls it, so its name holds a digest: another rule is another function.

use axon_model::SqlName;
use axon_model::name::MAX_UNITS;
use axon_reconcile::ObjectName;
use axon_reconcile::secure::{FilterShown, FoundFunction, PolicyWork, TableFilter, comparable_call};
use axon_reconcile::view_body::{RowRule, Rows, Test};

use super::Sql;
use super::acting::role_test;
use super::query::{Query, batch};
use super::quote::Bracketed;
use super::view::{Managed, list, row, sha256};

/// What a function's text says of who wrote it, for which table and how it is called. The digest of all the rest stands behind it.
const MARK: &str = "/* row filter of Axon for ";
const BY: &str = " by ";
const KEPT: &str = ", do not edit: ";
/// How often a schema and a function may themselves be called what [`MARK`] says, and the mark is found all the same.
const MARKS: usize = 16;
/// Digits of a digest in a name.
const DIGITS: usize = 16;

/// Everything that a filter is called, and its text without the verb.
struct Text {
    policy: SqlName,
    function: SqlName,
    /// The call, as a statement has it.
    call: String,
    /// Behind `CREATE `.
    body: String,
    /// Of the body without itself.
    digest: String,
}

/// What is written by its number in the comment, the sign of numbers first: nothing in a name ends the comment, begins another one, or is
/// taken for what stands between two names. Names hold no ends of lines.
const NUMBERED: [(&str, &str); 3] = [("%", "%25"), (" ", "%20"), ("*", "%2a")];

fn written(name: &str) -> String {
    NUMBERED.iter().fold(name.to_owned(), |text, (sign, number)| text.replace(sign, number))
}

fn unwritten(text: &str) -> String {
    NUMBERED.iter().rev().fold(text.to_owned(), |text, (sign, number)| text.replace(number, sign))
}

/// The parameter that stands for the column of this name: columns are numbered before.
fn parameter(column: SqlName) -> String {
    format!("@{}", column.as_str())
}

/// A name that can be read, and a digest that tells it from all others.
fn named(table: ObjectName, digest: &str) -> Option<SqlName> {
    let mut name = format!("filter_{}_{}", table.schema.as_str(), table.name.as_str());
    while name.encode_utf16().count() > MAX_UNITS - DIGITS - 1 {
        name.pop();
    }
    SqlName::parse(&format!("{name}_{}", &digest[..DIGITS])).ok()
}

fn text(filter: &TableFilter, managed: Managed) -> Option<Text> {
    let number = |column: SqlName| {
        let at = filter.columns.iter().position(|(name, _)| *name == column)?;
        SqlName::parse(&format!("c{}", at + 1)).ok()
    };
    let mut parameters = String::new();
    let mut columns = String::new();
    list(&mut columns, &filter.columns, ", ", |(column, _)| Bracketed(*column).to_string());
    list(&mut parameters, filter.columns.iter().enumerate(), ", ", |(at, (_, ty))| {
        format!("@c{} {ty}", at + 1)
    });
    let mut rules: Vec<String> =
        filter.unfiltered.iter().map(|role| role_test(*role, managed.roles)).collect();
    if let Rows::Any(all) = &filter.rows {
        for rule in all {
            rules.push(row(&numbered(rule, &number)?, managed, parameter));
        }
    }
    let rules = if rules.is_empty() { "1 = 0".to_owned() } else { rules.join("\n    OR ") };
    let rest = format!("\nRETURN SELECT 1 AS [seen]\nWHERE {rules}");
    let schema = Bracketed(managed.schema);
    let table = comparable_call(&filter.table.to_string());
    let function = named(filter.table, &sha256(&format!("{table} {columns} {parameters}{rest}")))?;
    let call = format!("{schema}.{}({columns})", Bracketed(function));
    let head = format!(
        "FUNCTION {schema}.{} ({parameters})\nRETURNS TABLE\nWITH SCHEMABINDING\nAS\n",
        Bracketed(function)
    );
    let said = format!("{}{BY}{}", written(&table), written(&comparable_call(&call)));
    let mark = format!("{MARK}{said}{KEPT}");
    let digest = sha256(&format!("{head}{mark}{rest}"));
    let body = format!("{head}{mark}{digest} */{rest}");
    let policy = named(
        filter.table,
        &sha256(&format!("{}\0{}", filter.table.schema.folded(), filter.table.name.folded())),
    )?;
    Some(Text { policy, function, call, body, digest })
}

/// The same rule with each column's name as its parameter's.
fn numbered(rule: &RowRule, number: &impl Fn(SqlName) -> Option<SqlName>) -> Option<RowRule> {
    let RowRule::All(tests) = rule else { return Some(rule.clone()) };
    let tests = tests.iter().cloned().map(|mut test| {
        match &mut test {
            Test::Compare { column, .. }
            | Test::In { column, .. }
            | Test::Attribute { column, .. }
            | Test::LastDays { column, .. } => *column = number(*column)?,
            Test::Is(_) => {}
        }
        Some(test)
    });
    Some(RowRule::All(tests.collect::<Option<_>>()?))
}

/// What the target shows of a filter that is as it ought to be.
pub(crate) fn filter_shown(filter: &TableFilter, managed: Managed) -> Option<FilterShown> {
    let Text { policy, function, call, digest, body: _ } = text(filter, managed)?;
    Some(FilterShown { policy, function, call: comparable_call(&call), digest })
}

/// What the text of a function tells.
pub(crate) fn function_shown(definition: &str) -> FoundFunction {
    let text = definition.replace("\r\n", "\n");
    let text = text.trim();
    let rest = text.find(char::is_whitespace).map_or("", |at| text[at..].trim_start());
    // A name before it may hold the words of the mark: the digest tells which is the one.
    let found = rest.match_indices(MARK).take(MARKS).find_map(|(at, _)| marked(rest, at));
    let (of, digest) = found.unzip();
    FoundFunction { made: rest.contains(MARK), of, digest }
}

/// For which table the mark at this place says a function is, how it is called, and the digest of its text; none where the digest is not
/// that of the text.
fn marked(text: &str, at: usize) -> Option<((String, String), String)> {
    let (head, tail) = (&text[..at], &text[at + MARK.len()..]);
    let (comment, rest) = tail.split_once(" */")?;
    let (said, digest) = comment.split_once(KEPT)?;
    let (table, call) = said.split_once(BY)?;
    let whole = sha256(&format!("{head}{MARK}{said}{KEPT}{rest}"));
    (digest == whole).then(|| ((unwritten(table), unwritten(call)), whole))
}

/// The statements that bring a filter about.
pub fn set_filter(filter: &TableFilter, managed: Managed, make: bool, work: PolicyWork) -> Vec<Sql> {
    let Some(Text { policy, function, call, body, digest: _ }) = text(filter, managed) else {
        return Vec::new();
    };
    let schema = Bracketed(managed.schema);
    let policy = format!("{schema}.{}", Bracketed(policy));
    let table = format!("{}.{}", Bracketed(filter.table.schema), Bracketed(filter.table.name));
    let create = || {
        format!("CREATE SECURITY POLICY {policy} ADD FILTER PREDICATE {call} ON {table} WITH (STATE = ON)")
    };
    let alter = |what: &str| format!("ALTER SECURITY POLICY {policy} {what}");
    let on = || alter("WITH (STATE = ON)");
    let predicate = |verb: &str| alter(&format!("{verb} FILTER PREDICATE {call} ON {table}"));
    let mut all = Vec::new();
    if work == PolicyWork::Renew {
        all.push(format!("DROP SECURITY POLICY IF EXISTS {policy}"));
        all.push(format!("DROP FUNCTION {schema}.{}", Bracketed(function)));
    }
    if make {
        all.push(format!("CREATE {body}"));
    }
    match work {
        PolicyWork::Create | PolicyWork::Renew => all.push(create()),
        PolicyWork::Add => all.extend([predicate("ADD"), on()]),
        PolicyWork::Alter => all.extend([predicate("ALTER"), on()]),
        PolicyWork::TurnOn => all.push(on()),
    }
    all.into_iter().map(Sql).collect()
}

pub(crate) fn drop_filter(policy: ObjectName) -> Sql {
    Sql(format!("DROP SECURITY POLICY {}.{}", Bracketed(policy.schema), Bracketed(policy.name)))
}

pub(crate) fn drop_function(name: ObjectName) -> Sql {
    Sql(format!("DROP FUNCTION {}.{}", Bracketed(name.schema), Bracketed(name.name)))
}

/// Every predicate of every policy, and the functions of the managed schema.
pub(crate) const FILTERS: [&str; 2] = [
    "SELECT s.name, p.name, p.is_enabled, ts.name, t.name, q.predicate_definition, q.predicate_type_desc \
     FROM sys.security_policies p JOIN sys.schemas s ON s.schema_id = p.schema_id \
     LEFT JOIN sys.security_predicates q ON q.object_id = p.object_id \
     LEFT JOIN sys.objects t ON t.object_id = q.target_object_id LEFT JOIN sys.schemas ts ON ts.schema_id = t.schema_id",
    "SELECT o.name, m.definition FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
     LEFT JOIN sys.sql_modules m ON m.object_id = o.object_id WHERE s.name = @P1 AND o.type = 'IF'",
];

/// What is there of filters.
pub(crate) fn filters(schema: SqlName) -> Query {
    batch(&FILTERS.map(str::to_owned), vec![schema])
}

#[cfg(test)]
mod tests {
    use axon_reconcile::ColumnType;
    use axon_reconcile::view_body::{Literal, Order, Who};

    use super::super::view::RoleTest;
    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn managed() -> Managed {
        let (schema, roles) = (name("ax]on"), RoleTest::IsRoleMember);
        Managed { schema, roles, delimiters: None, impersonation: None, by_session: false }
    }

    fn filter(hostile: &str, days: u32) -> TableFilter {
        let ty = ColumnType::Text { national: true, fixed: false, length: Some(20) };
        let column = name(hostile);
        TableFilter {
            table: ObjectName { schema: name("sales"), name: name(hostile) },
            columns: vec![(column, ty), (name("placed"), ColumnType::Date), (name("qty"), ColumnType::Int)],
            rows: Rows::Any(vec![
                RowRule::To(Who::Role(name("axon_finance"))),
                RowRule::All(vec![
                    Test::Attribute { column, ty, attribute: "a'".into() },
                    Test::In { column, ty, values: vec![Literal::Text("it's".into())] },
                    Test::LastDays { column: name("placed"), days },
                ]),
                RowRule::All(vec![Test::Compare {
                    column: name("qty"),
                    ty: ColumnType::Int,
                    order: Order::Ge,
                    value: Literal::Number("10".into()),
                }]),
            ]),
            unfiltered: [name("db_owner"), name("e'tl")].into(),
            open: [].into(),
        }
    }

    #[test]
    fn a_filter_is_a_function_and_a_policy_with_every_name_and_value_quoted() {
        let mut told = String::new();
        for work in
            [PolicyWork::Create, PolicyWork::Add, PolicyWork::Alter, PolicyWork::TurnOn, PolicyWork::Renew]
        {
            let make = matches!(work, PolicyWork::Create | PolicyWork::Renew);
            let all = set_filter(&filter("x]; DROP '--", 90), managed(), make, work);
            let all: Vec<&str> = all.iter().map(Sql::as_str).collect();
            told += &["## ", &format!("{work:?}"), "\n", &all.join(";\n"), "\n\n"].concat();
        }
        insta::assert_snapshot!("filter", told);
        let nobody = TableFilter { rows: Rows::Nothing, unfiltered: [].into(), ..filter("orders", 1) };
        let text = set_filter(&nobody, managed(), true, PolicyWork::Create);
        assert!(text[0].as_str().ends_with("\nWHERE 1 = 0"), "{text:?}");
    }

    #[test]
    fn a_function_says_for_which_table_it_is_and_a_hand_in_it_is_seen() {
        for table in ["orders", "x]; DROP '--", &"long ".repeat(25)] {
            let filter = filter(table.trim_end(), 90);
            let shown = filter_shown(&filter, managed()).unwrap();
            let text = set_filter(&filter, managed(), true, PolicyWork::Create)[0].as_str().to_owned();
            let table = comparable_call(&filter.table.to_string());
            let digest = Some(shown.digest);
            let made = FoundFunction { made: true, of: Some((table, shown.call)), digest };
            assert_eq!(function_shown(&text), made);
            assert_eq!(function_shown(&text.replace('\n', "\r\n")), made);
            for (was, is) in [(">= 10", ">= 0"), ("RETURN SELECT", "return select"), (" by [", " by [ ")] {
                assert_eq!(
                    function_shown(&text.replace(was, is)),
                    FoundFunction { made: true, of: None, digest: None },
                    "{was}"
                );
            }
        }
        assert!(!function_shown("CREATE FUNCTION f () RETURNS TABLE AS RETURN SELECT 1 AS x").made);
    }

    #[test]
    fn names_that_hold_words_of_the_mark_are_told_apart_from_them() {
        for odd in [
            "orders by day",
            ", do not edit: x",
            "a by b, do not edit: c by d",
            "a*/b",
            "**//",
            "/*/*",
            "100%20*%2a%25",
            "/* row filter of Axon for x by y, do not edit: z */",
        ] {
            let filter =
                TableFilter { table: ObjectName { schema: name(odd), name: name(odd) }, ..filter(odd, 90) };
            let managed = Managed { schema: name(odd), ..managed() };
            let shown = filter_shown(&filter, managed).unwrap();
            let text = set_filter(&filter, managed, true, PolicyWork::Create)[0].as_str().to_owned();
            let comment = text.split_once("\nAS\n").unwrap().1.split_once("*/").unwrap().0;
            assert_eq!(
                comment.matches("/*").count(),
                1,
                "no comment in the comment, and no end of it: {text}"
            );
            let found = function_shown(&text);
            assert_eq!(found.digest.as_ref(), Some(&shown.digest), "{odd}: {text}");
            let (table, call) = found.of.unwrap();
            assert_eq!(table, comparable_call(&filter.table.to_string()), "{odd}");
            assert_eq!(call, shown.call, "{odd}");
            // The catalog ends lines as it likes.
            assert_eq!(function_shown(&text.replace('\n', "\r\n")).digest, Some(shown.digest));
            let by_hand = text.replace(">= 10", ">= 0");
            assert_eq!(function_shown(&by_hand), FoundFunction { made: true, of: None, digest: None });
        }
    }

    #[test]
    fn another_rule_is_another_function_under_the_same_policy() {
        let (one, other) = (filter("orders", 90), filter("orders", 30));
        let (one, other) = (filter_shown(&one, managed()).unwrap(), filter_shown(&other, managed()).unwrap());
        assert_eq!(one.policy, other.policy);
        assert_ne!(one.function, other.function);
    }
}
