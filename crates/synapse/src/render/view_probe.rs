//! The questions that a probe of secure views asks: as the reader through the view, and as ourselves of the table, with the reader's
//! standing put in where the view's text asks for it.
//!
//! Both sides come to counts and sums of digests. The one text for a view is the same for every class of readers, so a pool that gave
//! one reader's result to another would be found out by it.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::secure::{ManagedTable, Sees, Standing};
use axon_reconcile::view_body::{
    Cell, Literal as Plain, RowRule, Rows, ShownColumn, Test, TypedMask, ViewBody,
};
use axon_reconcile::{ColumnType, ObjectName};

use super::acting::role_test;
use super::query::{Query, batch};
use super::quote::{Bracketed, Literal, Value};
use super::view::{EXACTLY, Managed, Own, RoleTest, compared, in_row, list, literal, number, test, typed};
use super::{ACT_AS, Sql};

/// Aggregates of one column as the reader sees it: the sum of its digests, how many values its mask cannot give, how many are not NULL.
pub(crate) const PER_COLUMN: usize = 3;

/// Goes on as this user. The connection is not used again for anything else.
pub(crate) fn put_on(reader: SqlName) -> Sql {
    Sql(format!("EXECUTE AS USER = {}", Literal(reader)))
}

/// As whom the session goes on.
pub(crate) fn who_am_i() -> Query {
    one("SELECT USER_NAME() AS name".to_owned())
}

/// Whether there is a user of this name, if so 1 for one without a login, and for how many seconds it has been there.
pub(crate) fn canary_there(canary: SqlName) -> Query {
    one(format!(
        "SELECT CAST(CASE WHEN p.type = 'S' AND p.authentication_type = 0 THEN 1 ELSE 0 END AS bigint), \
         CAST(DATEDIFF(second, p.create_date, GETDATE()) AS bigint) FROM sys.database_principals p WHERE p.name = {}",
        Literal(canary)
    ))
}

/// Makes somebody as whom nobody can enter.
pub(crate) fn make_canary(canary: SqlName) -> Sql {
    Sql(format!("CREATE USER {} WITHOUT LOGIN", Bracketed(canary)))
}

/// Puts that one into a role.
pub(crate) fn canary_joins(canary: SqlName, role: SqlName) -> Sql {
    Sql(format!("EXEC sp_addrolemember {}, {}", Literal(role), Literal(canary)))
}

/// In how many roles that one is.
pub(crate) fn canary_roles(canary: SqlName) -> Query {
    one(format!(
        "SELECT COUNT_BIG(*) FROM sys.database_role_members m \
         JOIN sys.database_principals p ON p.principal_id = m.member_principal_id WHERE p.name = {}",
        Literal(canary)
    ))
}

/// Takes that one away, out of all roles.
pub(crate) fn drop_canary(canary: SqlName) -> Sql {
    Sql(format!("DROP USER {}", Bracketed(canary)))
}

fn one(text: String) -> Query {
    batch(&[text], Vec::new())
}

fn at(name: ObjectName) -> String {
    format!("{}.{}", Bracketed(name.schema), Bracketed(name.name))
}

/// How many rows there are, and [`PER_COLUMN`] aggregates of each column.
pub(crate) fn seen(body: &ViewBody) -> Query {
    let mut text = "SELECT COUNT_BIG(*)".to_owned();
    for column in &body.columns {
        text.push_str(", ");
        let all = [digest(column), impossible(column), format!("COUNT_BIG({})", Own(column.name))];
        list(&mut text, all, ", ", |aggregate| aggregate);
    }
    one(format!("{text} FROM {} AS t", at(body.name)))
}

/// How many rows of the table the policy shows somebody, and the sum of the digests of each column that is clear to that one.
pub(crate) fn expected(body: &ViewBody, standing: &Standing) -> Query {
    let mut text = "SELECT COUNT_BIG(*)".to_owned();
    for column in &body.columns {
        text.push_str(", ");
        match standing.sees(&column.cell) {
            Sees::Clear => text.push_str(&digest(column)),
            Sees::Mask | Sees::Nothing => text.push_str("CAST(NULL AS bigint)"),
        }
    }
    one(format!("{text} FROM {} AS t WHERE {}", at(body.from), lets(body, standing)))
}

/// How many rows a view shows.
pub(crate) fn count(view: ObjectName) -> Query {
    one(format!("SELECT COUNT_BIG(*) FROM {} AS t", at(view)))
}

/// The same of a table of the managed schema.
pub(crate) fn count_managed(schema: SqlName, table: ManagedTable) -> Query {
    one(format!("SELECT COUNT_BIG(*) FROM {}.[{table}] AS t", Bracketed(schema)))
}

/// A column that the view does not have.
pub(crate) fn hidden(view: ObjectName, column: SqlName) -> Query {
    one(format!("SELECT COUNT_BIG({}) FROM {} AS t", Own(column), at(view)))
}

/// How many rows of a table somebody sees who may read this column of it.
pub(crate) fn rows_by(table: ObjectName, column: SqlName) -> Query {
    one(format!(
        "SELECT COUNT_BIG(CASE WHEN {0} IS NULL THEN 1 ELSE 1 END) FROM {1} AS t",
        Own(column),
        at(table)
    ))
}

/// Whether the session is one of a member of these roles: 1, or 0.
pub(crate) fn is_one_of(roles: &BTreeSet<SqlName>) -> Query {
    let mut text = "1 = 0".to_owned();
    for role in roles {
        text.push_str(" OR ");
        text.push_str(&role_test(*role, RoleTest::IsRoleMember));
    }
    one(format!("SELECT CAST(CASE WHEN {text} THEN 1 ELSE 0 END AS bigint)"))
}

/// Says as whom the session reads; nobody else, if there is no name.
pub(crate) fn act_as(other: Option<SqlName>) -> Sql {
    let whom = other.map_or_else(|| "NULL".to_owned(), |name| Literal(name).to_string());
    Sql(format!("EXEC sys.sp_set_session_context @key = {}, @value = {whom}", Value(ACT_AS)))
}

/// A column by whose values a hostile reader could look for rows that are hidden.
pub(crate) fn bait<'b>(body: &'b ViewBody, standing: &Standing) -> Option<&'b ShownColumn> {
    let fits = |ty| {
        matches!(
            ty,
            ColumnType::Text { length: Some(_), .. }
                | ColumnType::TinyInt
                | ColumnType::SmallInt
                | ColumnType::Int
                | ColumnType::BigInt
                | ColumnType::Decimal(..)
                | ColumnType::Date
        )
    };
    let some_are_hidden = matches!(body.rows, Rows::Any(_));
    let mut clear = body.columns.iter().filter(|column| standing.sees(&column.cell) == Sees::Clear);
    some_are_hidden.then(|| clear.find(|column| fits(column.ty))).flatten()
}

/// The digest of a value of that column in a row that the policy hides from somebody. The value itself would stand in what is asked
/// next, and a pool shows what was asked to whoever may see its requests.
pub(crate) fn of_a_hidden_row(body: &ViewBody, column: &ShownColumn, standing: &Standing) -> Query {
    one(format!(
        "SELECT MIN({}) FROM {} AS t WHERE CASE WHEN {} THEN 1 ELSE 0 END = 0",
        value_digest(column),
        at(body.from),
        lets(body, standing)
    ))
}

/// What a hostile reader asks who looks for a row with a value of this digest: whether there is one, and the same by an error of a division and of
/// a conversion, which a server may come to before it has left out the rows that the view hides.
pub(crate) fn guesses(body: &ViewBody, column: &ShownColumn, value: &str) -> [Query; 3] {
    let same = format!("{} = {}", value_digest(column), Value(value));
    let count =
        |condition: String| one(format!("SELECT COUNT_BIG(*) FROM {} AS t WHERE {condition}", at(body.name)));
    [
        count(same.clone()),
        count(format!("1 / CASE WHEN {same} THEN 0 ELSE 1 END = 1")),
        count(format!("CAST(CASE WHEN {same} THEN N'x' ELSE N'1' END AS int) = 1")),
    ]
}

/// How many rows of the table the policy does not show somebody.
pub(crate) fn hidden_rows(body: &ViewBody, standing: &Standing) -> Query {
    let lets = lets(body, standing);
    one(format!(
        "SELECT COUNT_BIG(*) FROM {} AS t WHERE CASE WHEN {lets} THEN 1 ELSE 0 END = 0",
        at(body.from)
    ))
}

/// Where a pool tells how many rows tables have.
pub(crate) const PARTITIONS: &str = "sys.dm_pdw_nodes_db_partition_stats";

/// Of how many parts of tables a pool tells the rows.
pub(crate) fn partitions() -> Query {
    one(format!("SELECT COUNT_BIG(*) FROM {PARTITIONS}"))
}

/// How many rows the table has, by the space that they take.
pub(crate) fn space_used(body: &ViewBody) -> Sql {
    Sql(format!("DBCC PDW_SHOWSPACEUSED ({})", told_table(body)))
}

/// Names of statistics on the table. A pool shows them by their names, not by a column's.
pub(crate) fn statistics(body: &ViewBody) -> Query {
    one(format!(
        "SELECT TOP 5 st.name FROM sys.stats st JOIN sys.tables t ON t.object_id = st.object_id \
         JOIN sys.schemas s ON s.schema_id = t.schema_id \
         WHERE s.name = {} AND t.name = {} ORDER BY st.stats_id DESC",
        Literal(body.from.schema),
        Literal(body.from.name)
    ))
}

/// How the values of what these statistics are on are spread.
pub(crate) fn show_statistics(body: &ViewBody, statistics: SqlName) -> Sql {
    Sql(format!("DBCC SHOW_STATISTICS ({}, {})", told_table(body), Bracketed(statistics)))
}

/// A table as DBCC takes it: both parts of its name in one pair of quotation marks.
fn told_table(body: &ViewBody) -> String {
    format!("\"{}.{}\"", quoted(body.from.schema), quoted(body.from.name))
}

fn quoted(name: SqlName) -> String {
    name.as_str().replace('"', "\"\"")
}

/// The rows of the table that a policy shows somebody.
fn lets(body: &ViewBody, standing: &Standing) -> String {
    let Rows::Any(rules) = &body.rows else {
        return if body.rows == Rows::All { "1 = 1" } else { "1 = 0" }.to_owned();
    };
    let mut text = "(1 = 0".to_owned();
    for rule in rules.iter().filter(|rule| standing.counts(rule)) {
        text.push_str(" OR ");
        match rule {
            RowRule::To(_) => text.push_str("1 = 1"),
            RowRule::All(tests) => {
                text.push('(');
                list(&mut text, tests, " AND ", |test| of_row(test, standing));
                text.push(')');
            }
        }
    }
    text.push(')');
    text
}

/// A test with what is known of the person put in.
fn of_row(one: &Test, standing: &Standing) -> String {
    match one {
        Test::Is(_) => "1 = 1".to_owned(),
        Test::Attribute { column, ty, attribute } => {
            let text = match ty {
                ColumnType::Text { .. } => Own(*column).to_string(),
                _ => format!("CAST({} AS nvarchar(40))", Own(*column)),
            };
            let mut all = format!("{text} {EXACTLY} IN (");
            let values = standing.has.get(attribute).into_iter().flatten();
            list(&mut all, values, ", ", |value| Value(value).to_string());
            all.push(')');
            all
        }
        // These ask nothing of the reader, so nothing managed is read.
        Test::Compare { .. } | Test::In { .. } | Test::LastDays { .. } => test(one, nobody(), in_row),
    }
}

fn nobody() -> Managed {
    Managed {
        schema: SqlName::lowest(),
        roles: RoleTest::IsRoleMember,
        delimiters: None,
        impersonation: None,
        by_session: false,
    }
}

/// A digest of the row's value, as text.
fn value_digest(column: &ShownColumn) -> String {
    format!("CONVERT(nvarchar(64), HASHBYTES('SHA2_256', {}), 2)", as_text(column))
}

fn as_text(column: &ShownColumn) -> String {
    let own = Own(column.name);
    match column.ty {
        ColumnType::Text { .. } => format!("CAST({own} AS nvarchar(4000))"),
        ColumnType::Date
        | ColumnType::SmallDateTime
        | ColumnType::DateTime
        | ColumnType::DateTime2(_)
        | ColumnType::DateTimeOffset(_)
        | ColumnType::Time(_) => format!("CONVERT(nvarchar(64), {own}, 121)"),
        _ => format!("CAST({own} AS nvarchar(64))"),
    }
}

/// A sum by which two sets of values that are not the same are told apart; of what has no digest, how many there are.
fn digest(column: &ShownColumn) -> String {
    let own = Own(column.name);
    let of = match column.ty {
        ColumnType::Other | ColumnType::Binary { length: None, .. } => return format!("COUNT_BIG({own})"),
        ColumnType::Binary { .. } => own.to_string(),
        _ => as_text(column),
    };
    format!("SUM(CAST(SUBSTRING(HASHBYTES('SHA2_256', {of}), 1, 4) AS bigint))")
}

/// How many values a mask cannot have given. Said apart from the mask's own text, so that an error in that is seen.
fn impossible(column: &ShownColumn) -> String {
    let Cell::Masked { mask, .. } = &column.cell else { return "CAST(NULL AS bigint)".to_owned() };
    let own = Own(column.name);
    let text = format!("RTRIM({own}) {EXACTLY}");
    let number = number(&own, column.ty);
    let is = match mask {
        TypedMask::Null => format!("{own} IS NOT NULL"),
        TypedMask::Fixed(value) => {
            let other = match value {
                Plain::Bytes => format!("{own} <> CAST(0x00 AS {})", column.ty),
                _ => format!("{} <> {}", compared(&in_row(column.name), column.ty), typed(value, column.ty)),
            };
            format!("{own} IS NULL OR {other}")
        }
        TypedMask::Hash { digits, .. } => format!("LEN({own}) <> {digits} OR {text} LIKE N'%[^0-9A-F]%'"),
        TypedMask::Email => format!("{text} NOT LIKE N'***' AND {text} NOT LIKE N'_***@***.%'"),
        TypedMask::Last(n) => format!("{text} NOT LIKE N'***%' OR LEN({own}) > {n} + 3"),
        TypedMask::First(n) => format!("{text} NOT LIKE N'%***' OR LEN({own}) > {n} + 3"),
        TypedMask::Round(n) => format!("{number} % {n} <> 0"),
        TypedMask::Bucket { width, lowest, .. } => {
            let lowest = literal(&Plain::Number(lowest.clone()));
            format!("{number} % {width} <> 0 AND {number} <> {lowest}")
        }
        TypedMask::Year => format!("MONTH({own}) <> 1 OR DAY({own}) <> 1"),
        TypedMask::Month => format!("DAY({own}) <> 1"),
        TypedMask::Digits => format!("{text} LIKE N'%[1-9]%'"),
    };
    format!("SUM(CAST(CASE WHEN {is} THEN 1 ELSE 0 END AS bigint))")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use axon_reconcile::view_body::Who;

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    #[test]
    fn the_table_is_asked_with_the_reader_put_in_and_the_view_is_asked_alike_by_all() {
        let ty = ColumnType::Text { national: true, fixed: false, length: Some(20) };
        let cell = Cell::Masked {
            mask: TypedMask::First(1),
            unless: BTreeSet::from([Who::Role(name("boss"))]),
            to: BTreeSet::new(),
        };
        let attribute = Test::Attribute { column: name("region"), ty, attribute: "region".into() };
        let body = ViewBody {
            name: ObjectName { schema: name("s"), name: name("v]") },
            from: ObjectName { schema: name("b"), name: name("t") },
            columns: vec![ShownColumn { name: name("region"), ty, cell }],
            rows: Rows::Any(vec![RowRule::To(Who::Role(name("boss"))), RowRule::All(vec![attribute])]),
        };
        let values = BTreeSet::from(["it's".to_owned(), "EU".to_owned()]);
        let clerk = Standing { roles: BTreeSet::new(), has: BTreeMap::from([("region".into(), values)]) };
        let boss = Standing { roles: BTreeSet::from([name("boss")]), has: BTreeMap::new() };
        let digest =
            "SUM(CAST(SUBSTRING(HASHBYTES('SHA2_256', CAST(t.[region] AS nvarchar(4000))), 1, 4) AS bigint))";
        assert_eq!(
            expected(&body, &clerk).text().as_str(),
            "SELECT COUNT_BIG(*), CAST(NULL AS bigint) FROM [b].[t] AS t WHERE (1 = 0 OR \
             (t.[region] COLLATE Latin1_General_100_BIN2 IN (N'EU', N'it''s')))"
        );
        assert_eq!(
            expected(&body, &boss).text().as_str(),
            format!("SELECT COUNT_BIG(*), {digest} FROM [b].[t] AS t WHERE (1 = 0 OR 1 = 1)")
        );
        assert_eq!(
            expected(&body, &Standing::default()).text().as_str(),
            "SELECT COUNT_BIG(*), CAST(NULL AS bigint) FROM [b].[t] AS t WHERE (1 = 0)"
        );
        let asked = seen(&body).text().as_str().to_owned();
        assert!(
            asked
                .starts_with(&format!("SELECT COUNT_BIG(*), {digest}, SUM(CAST(CASE WHEN RTRIM(t.[region])"))
        );
        assert!(asked.ends_with("COUNT_BIG(t.[region]) FROM [s].[v]]] AS t"), "{asked}");
        let bait = bait(&body, &boss).unwrap();
        let [guess, ..] = guesses(&body, bait, "a0b1");
        let digest_of_value = value_digest(bait);
        assert!(digest_of_value.contains("HASHBYTES('SHA2_256'") && digest_of_value.contains("t.[region]"));
        assert!(
            guess.text().as_str().ends_with(&format!(" WHERE {digest_of_value} = N'a0b1'")),
            "{}",
            guess.text().as_str()
        );
    }

    /// The names hold what no test over TDS has: a quotation mark and a bracket.
    #[test]
    fn statistics_are_asked_of_the_table_by_its_quoted_name() {
        let body = ViewBody {
            name: ObjectName { schema: name("s"), name: name("v") },
            from: ObjectName { schema: name("b\"x"), name: name("t]'") },
            columns: Vec::new(),
            rows: Rows::All,
        };
        assert_eq!(space_used(&body).as_str(), "DBCC PDW_SHOWSPACEUSED (\"b\"\"x.t]'\")");
        let shown = show_statistics(&body, name("on]id"));
        assert_eq!(shown.as_str(), "DBCC SHOW_STATISTICS (\"b\"\"x.t]'\", [on]]id])");
        let named = statistics(&body).text().as_str().to_owned();
        assert!(named.contains("WHERE s.name = N'b\"x' AND t.name = N't]''' ORDER BY"), "{named}");
    }
}
