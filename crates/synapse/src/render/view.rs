//! The text of a secure view: explicit columns, each of its type in the table, and one predicate.
//!
//! Nothing here can fail on a row: what a reader could learn from an error in the view itself is nothing. Texts compare by code
//! point, since a collation that takes two values for one would show the rows of one to people of the other. Comparisons of
//! texts stand in conditions only: a collation in a value would change the column's.

use std::fmt::{self, Write as _};

use axon_model::SqlName;
use axon_reconcile::ColumnType;
use axon_reconcile::view_body::{
    Cell, Literal as Plain, Order, RowRule, Rows, ShownColumn, Test, TypedMask, ViewBody, Who,
};

use super::Sql;
use super::quote::{Bracketed, Literal, Value};

/// Where people's profiles and the keys of masks are.
#[derive(Debug, Clone, Copy)]
pub struct Managed {
    /// The schema, owned as the views are.
    pub schema: SqlName,
    /// How a view asks for membership of a role.
    pub roles: RoleTest,
}

/// The function by which a view asks for membership of a role: which one a pool has, a probe tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleTest {
    /// `IS_ROLEMEMBER`
    IsRoleMember,
    /// `IS_MEMBER`
    IsMember,
}

/// Whether the view is there. It is never dropped to be made again: its grants would go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is its word")]
pub enum ViewVerb {
    Create,
    Alter,
}

/// What makes the managed schema and its tables, one statement a batch, in order. The owner has no login and owns the views' schemas too.
pub fn managed_schema(schema: SqlName, owner: SqlName) -> [Sql; 3] {
    let (schema, owner) = (Bracketed(schema), Bracketed(owner));
    [
        format!("CREATE SCHEMA {schema} AUTHORIZATION {owner}"),
        format!(
            "CREATE TABLE {schema}.[profile] ([principal] nvarchar(128) NOT NULL, \
             [attribute] nvarchar(256) NOT NULL, [value] nvarchar(1024) NOT NULL) \
             WITH (DISTRIBUTION = REPLICATE, HEAP)"
        ),
        format!(
            "CREATE TABLE {schema}.[mask_keys] ([id] nvarchar(450) NOT NULL, [mask_key] nvarchar(64) NOT NULL) \
             WITH (DISTRIBUTION = REPLICATE, HEAP)"
        ),
    ]
    .map(Sql)
}

const EXACTLY: &str = "COLLATE Latin1_General_100_BIN2";

/// The statement that makes or changes a view.
pub fn secure_view(body: &ViewBody, verb: ViewVerb, managed: Managed) -> Sql {
    let verb = match verb {
        ViewVerb::Create => "CREATE",
        ViewVerb::Alter => "ALTER",
    };
    let mut text = format!("{verb} VIEW {}.{} (", Bracketed(body.name.schema), Bracketed(body.name.name));
    list(&mut text, &body.columns, ", ", |column| Bracketed(column.name).to_string());
    text.push_str(") AS\nSELECT\n    ");
    list(&mut text, &body.columns, ",\n    ", |column| {
        format!("{} AS {}", value(column, managed), Bracketed(column.name))
    });
    // Writing to a String cannot fail.
    let _ = write!(text, "\nFROM {}.{} AS t", Bracketed(body.from.schema), Bracketed(body.from.name));
    match &body.rows {
        Rows::All => {}
        Rows::Any(rules) if !rules.is_empty() => {
            text.push_str("\nWHERE ");
            list(&mut text, rules, "\n    OR ", |rule| row(rule, managed));
        }
        Rows::Any(_) | Rows::Nothing => text.push_str("\nWHERE 1 = 0"),
    }
    Sql(text)
}

fn list<T>(text: &mut String, items: impl IntoIterator<Item = T>, between: &str, of: impl Fn(T) -> String) {
    for (i, item) in items.into_iter().enumerate() {
        text.push_str(if i == 0 { "" } else { between });
        text.push_str(&of(item));
    }
}

/// A column of the table.
struct Own(SqlName);

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t.{}", Bracketed(self.0))
    }
}

fn value(column: &ShownColumn, managed: Managed) -> String {
    let own = Own(column.name);
    match &column.cell {
        Cell::Clear => own.to_string(),
        Cell::Masked { mask, unless } => {
            let masked = format!("CAST({} AS {})", masked(mask, &own, column.ty, managed), column.ty);
            if unless.is_empty() {
                return masked;
            }
            let mut text = "CASE WHEN ".to_owned();
            list(&mut text, unless, " OR ", |is| who(is, managed));
            let _ = write!(text, " THEN {own} ELSE {masked} END");
            text
        }
    }
}

fn literal(value: &Plain) -> String {
    match value {
        Plain::Text(text) => Value(text).to_string(),
        Plain::Number(digits) => digits.clone(),
        Plain::Bytes => "0x00".to_owned(),
    }
}

fn masked(mask: &TypedMask, own: &Own, ty: ColumnType, managed: Managed) -> String {
    // Remainders are for exact numbers other than money.
    let number =
        if ty == ColumnType::Money { format!("CAST({own} AS decimal(19, 4))") } else { own.to_string() };
    match mask {
        TypedMask::Null => "NULL".to_owned(),
        TypedMask::Fixed(value) => literal(value),
        TypedMask::Hash { key, digits } => {
            let key = format!(
                "(SELECT k.[mask_key] FROM {}.[mask_keys] AS k WHERE k.[id] {EXACTLY} = {})",
                Bracketed(managed.schema),
                Value(key)
            );
            // Twice, so that nobody who knows one hash can go on to that of a longer value.
            let hash = |of: String| format!("CONVERT(nvarchar(64), HASHBYTES('SHA2_256', {of}), 2)");
            let twice = hash(format!("{key} + {}", hash(format!("{key} + {own}"))));
            format!("LEFT({twice}, {digits})")
        }
        TypedMask::Email => format!(
            "CASE WHEN {own} IS NULL THEN NULL \
             WHEN CHARINDEX(N'@', {own}) > 1 AND CHARINDEX(N'.', {own}, CHARINDEX(N'@', {own})) > 0 \
             AND CHARINDEX(N'.', REVERSE(RTRIM({own}))) <= 12 \
             THEN LEFT({own}, 1) + N'***@***' + RIGHT(RTRIM({own}), CHARINDEX(N'.', REVERSE(RTRIM({own})))) \
             ELSE N'***' END"
        ),
        TypedMask::Last(n) => format!(
            "CASE WHEN {own} IS NULL THEN NULL WHEN LEN({own}) > {n} \
             THEN N'***' + RIGHT(RTRIM({own}), {n}) ELSE N'***' END"
        ),
        TypedMask::First(n) => format!(
            "CASE WHEN {own} IS NULL THEN NULL WHEN LEN({own}) > {n} THEN LEFT({own}, {n}) + N'***' \
             ELSE N'***' END"
        ),
        TypedMask::Digits => {
            let zeros = (1..=9).fold(own.to_string(), |of, digit| format!("REPLACE({of}, N'{digit}', N'0')"));
            // Digits of other scripts are no digits to REPLACE.
            format!("CASE WHEN {own} {EXACTLY} LIKE N'%[^ -~]%' THEN N'***' ELSE {zeros} END")
        }
        TypedMask::Round(n) => format!("{number} - {number} % {n}"),
        TypedMask::Bucket { width, lowest, safe } => format!(
            "CASE WHEN {number} >= 0 THEN {number} - {number} % {width} WHEN {number} < {safe} THEN {lowest} \
             WHEN {number} % {width} = 0 THEN {number} ELSE {number} - {number} % {width} - {width} END"
        ),
        TypedMask::Year => format!("DATEFROMPARTS(YEAR({own}), 1, 1)"),
        TypedMask::Month => format!("DATEFROMPARTS(YEAR({own}), MONTH({own}), 1)"),
    }
}

fn who(who: &Who, managed: Managed) -> String {
    match who {
        Who::Role(name) => {
            let function = match managed.roles {
                RoleTest::IsRoleMember => "IS_ROLEMEMBER",
                RoleTest::IsMember => "IS_MEMBER",
            };
            format!("{function}({}) = 1", Literal(*name))
        }
        Who::Has { attribute, value } => {
            // Comparisons ignore blanks at the end; the length tells them apart.
            let bytes = value.encode_utf16().count() * 2;
            let is = format!("p.[value] {EXACTLY} = {} AND DATALENGTH(p.[value]) = {bytes}", Value(value));
            profile(attribute, &is, managed)
        }
    }
}

/// A semi-join with the rows that the reader's profile has of an attribute.
fn profile(attribute: &str, is: &str, managed: Managed) -> String {
    format!(
        "EXISTS (SELECT 1 FROM {}.[profile] AS p WHERE p.[principal] = USER_NAME() \
         AND p.[attribute] {EXACTLY} = {} AND {is})",
        Bracketed(managed.schema),
        Value(attribute)
    )
}

fn row(rule: &RowRule, managed: Managed) -> String {
    match rule {
        RowRule::To(is) => who(is, managed),
        RowRule::All(tests) if tests.is_empty() => "1 = 0".to_owned(),
        RowRule::All(tests) => {
            let mut text = "(".to_owned();
            list(&mut text, tests, " AND ", |one| test(one, managed));
            text.push(')');
            text
        }
    }
}

fn test(one: &Test, managed: Managed) -> String {
    match one {
        Test::Compare { column, ty, order, value } => {
            let order = match order {
                Order::Eq => "=",
                Order::Ne => "<>",
                Order::Gt => ">",
                Order::Ge => ">=",
                Order::Lt => "<",
                Order::Le => "<=",
            };
            format!("{} {order} {}", compared(*column, *ty), typed(value, *ty))
        }
        Test::In { values, .. } if values.is_empty() => "1 = 0".to_owned(),
        Test::In { column, ty, values } => {
            let mut text = format!("{} IN (", compared(*column, *ty));
            list(&mut text, values, ", ", |value| typed(value, *ty));
            text.push(')');
            text
        }
        Test::Attribute { column, ty, attribute } => {
            let text = match ty {
                ColumnType::Text { .. } => Own(*column).to_string(),
                _ => format!("CAST({} AS nvarchar(40))", Own(*column)),
            };
            profile(attribute, &format!("p.[value] {EXACTLY} = {text} {EXACTLY}"), managed)
        }
        Test::LastDays { column, days } => {
            // A date before 1753 is no `datetime`: as `datetime2` it is only old.
            format!("{} >= CAST(DATEADD(day, -{days}, GETUTCDATE()) AS datetime2(7))", Own(*column))
        }
    }
}

fn compared(column: SqlName, ty: ColumnType) -> String {
    match ty {
        ColumnType::Text { .. } => format!("{} {EXACTLY}", Own(column)),
        _ => Own(column).to_string(),
    }
}

fn typed(value: &Plain, ty: ColumnType) -> String {
    match (value, ty) {
        (Plain::Text(_), ColumnType::Text { .. }) | (Plain::Number(_) | Plain::Bytes, _) => literal(value),
        (Plain::Text(_), _) => format!("CAST({} AS {ty})", literal(value)),
    }
}
