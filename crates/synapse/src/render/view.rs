//! The text of a secure view: explicit columns, each of its type in the table, and one predicate.
//!
//! Nothing here can fail on a row: what a reader could learn from an error in the view itself is nothing. Texts compare by code
//! point, since a collation that takes two values for one would show the rows of one to people of the other. Comparisons of
//! texts stand in conditions only: a collation in a value would change the column's.

use std::fmt::{self, Write as _};

use axon_model::SqlName;
use axon_reconcile::ColumnType;
use axon_reconcile::ObjectName;
use axon_reconcile::secure::{Delimiters, ManagedTable};
use axon_reconcile::view_body::{
    Cell, Literal as Plain, Order, RowRule, Rows, ShownColumn, Test, TypedMask, ViewBody, Who,
};

use sha2::{Digest as _, Sha256};

use super::quote::{Bracketed, Value};
use super::{Sql, acting, metadata};

/// Where people's profiles and the keys of masks are.
#[derive(Debug, Clone, Copy)]
pub struct Managed {
    /// The schema, owned as the views are.
    pub schema: SqlName,
    /// How a view asks for membership of a role.
    pub roles: RoleTest,
    /// What parts a profile that is one string.
    pub delimiters: Option<Delimiters>,
    /// The role whose members may read as another person, where anybody may.
    pub impersonation: Option<SqlName>,
    /// Whether the session says by its id alone as whom it reads, since it has no context.
    pub by_session: bool,
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
pub fn managed_schema(schema: SqlName, owner: SqlName) -> Vec<Sql> {
    let tables = ManagedTable::ALL.iter().map(|table| metadata::create_table(schema, *table));
    std::iter::once(metadata::create_schema(schema, owner)).chain(tables).collect()
}

/// By code point: a pool's collation takes many texts for one.
pub(super) const EXACTLY: &str = "COLLATE Latin1_General_100_BIN2";

/// What a view's text says of who wrote it. The digest of all the rest stands behind it.
pub(super) const MARK: &str = "/* secure view of Axon, do not edit: ";

/// The statement that makes or changes a view.
pub fn secure_view(body: &ViewBody, verb: ViewVerb, managed: Managed) -> Sql {
    let mut head = String::new();
    list(&mut head, &body.columns, ", ", |column| Bracketed(column.name).to_string());
    let mut text = "SELECT\n    ".to_owned();
    list(&mut text, &body.columns, ",\n    ", |column| {
        format!("{} AS {}", value(column, managed), Bracketed(column.name))
    });
    // Writing to a String cannot fail.
    let _ = write!(text, "\nFROM {}.{} AS t", Bracketed(body.from.schema), Bracketed(body.from.name));
    match &body.rows {
        Rows::All => {}
        Rows::Any(rules) if !rules.is_empty() => {
            text.push_str("\nWHERE ");
            list(&mut text, rules, "\n    OR ", |rule| row(rule, managed, in_row));
        }
        Rows::Any(_) | Rows::Nothing => text.push_str("\nWHERE 1 = 0"),
    }
    statement(body.name, &head, &text, verb)
}

/// The statement that makes a view show nothing, whatever became of its table.
pub fn closed_view(name: ObjectName, verb: ViewVerb) -> Sql {
    let column = "[closed_by_axon]";
    let text = format!("SELECT\n    CAST(NULL AS nvarchar(1)) AS {column}\nWHERE 1 = 0");
    statement(name, column, &text, verb)
}

fn statement(name: ObjectName, head: &str, select: &str, verb: ViewVerb) -> Sql {
    let verb = match verb {
        ViewVerb::Create => "CREATE",
        ViewVerb::Alter => "ALTER",
    };
    let view = format!("VIEW {}.{} ({head}) AS\n", Bracketed(name.schema), Bracketed(name.name));
    let digest = sha256(&format!("{view}{select}"));
    Sql(format!("{verb} {view}{MARK}{digest} */\n{select}"))
}

pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A view's text as a catalog shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownText {
    /// The digest of it, whatever verb it begins with.
    pub digest: String,
    /// Whether it says that Axon wrote it.
    pub made: bool,
    /// Whether it still is what Axon wrote.
    pub intact: bool,
}

/// What the text of a view tells. A catalog may end its lines otherwise, and shows an altered view as if it was created so.
pub fn shown_text(definition: &str) -> ShownText {
    let text = definition.replace("\r\n", "\n");
    let text = text.trim();
    let rest = text.find(char::is_whitespace).map_or("", |at| text[at..].trim_start());
    let marked = rest.split_once(MARK).and_then(|(head, tail)| {
        let (digest, select) = tail.split_once(" */\n")?;
        Some(digest == sha256(&format!("{head}{select}")))
    });
    ShownText { digest: sha256(rest), made: marked.is_some(), intact: marked == Some(true) }
}

pub(super) fn list<T>(
    text: &mut String,
    items: impl IntoIterator<Item = T>,
    between: &str,
    of: impl Fn(T) -> String,
) {
    for (i, item) in items.into_iter().enumerate() {
        text.push_str(if i == 0 { "" } else { between });
        text.push_str(&of(item));
    }
}

/// A column of the table.
pub(super) struct Own(pub(super) SqlName);

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t.{}", Bracketed(self.0))
    }
}

fn value(column: &ShownColumn, managed: Managed) -> String {
    let own = Own(column.name);
    match &column.cell {
        Cell::Clear => own.to_string(),
        Cell::Masked { mask, unless, to } => {
            let masked = format!("CAST({} AS {})", masked(mask, &own, column.ty, managed), column.ty);
            if unless.is_empty() && to.is_empty() {
                return masked;
            }
            let mut text = "CASE".to_owned();
            for (whom, sees) in [(unless, own.to_string()), (to, masked.clone())] {
                if !whom.is_empty() {
                    text.push_str(" WHEN ");
                    list(&mut text, whom, " OR ", |is| who(is, managed));
                    let _ = write!(text, " THEN {sees}");
                }
            }
            if to.is_empty() {
                let _ = write!(text, " ELSE {masked}");
            }
            text.push_str(" END");
            text
        }
    }
}

pub(super) fn literal(value: &Plain) -> String {
    match value {
        Plain::Text(text) => Value(text).to_string(),
        Plain::Number(digits) => digits.clone(),
        Plain::Bytes => "0x00".to_owned(),
    }
}

/// A number as it is reckoned with.
pub(super) fn number(own: &Own, ty: ColumnType) -> String {
    match ty {
        ColumnType::Money => format!("CAST({own} AS decimal(19, 4))"),
        ColumnType::SmallMoney => format!("CAST({own} AS decimal(10, 4))"),
        _ => own.to_string(),
    }
}

fn masked(mask: &TypedMask, own: &Own, ty: ColumnType, managed: Managed) -> String {
    // Remainders are for exact numbers other than money.
    let number = number(own, ty);
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
        Who::Role(name) => acting::is_member(*name, managed),
        Who::Has { attribute, value } => {
            if let Some(by) = managed.delimiters {
                return in_line(attribute, &Value(value).to_string(), "", by, managed);
            }
            // Comparisons ignore blanks at the end; the length tells them apart.
            let bytes = value.encode_utf16().count() * 2;
            let is = format!("p.[value] {EXACTLY} = {} AND DATALENGTH(p.[value]) = {bytes}", Value(value));
            profile(attribute, &is, managed)
        }
    }
}

/// Under this attribute stands the whole profile of a person, where it is one string.
pub const LINE: &str = "@line";

/// The same semi-join where a profile is one string, `attribute:value,value|attribute:value`: the values of the attribute are cut out,
/// and the value is looked for between two marks. `also` has more to ask of the value.
fn in_line(attribute: &str, value: &str, also: &str, by: Delimiters, managed: Managed) -> String {
    let Delimiters { hash, hash_key, array } = by;
    let quoted = |text: String| Value(&text).to_string();
    let (hash, array, key) =
        (quoted(hash.to_string()), quoted(array.to_string()), format!("{hash}{attribute}{hash_key}"));
    let units = key.encode_utf16().count();
    let key = quoted(key);
    let line = format!("({hash} + p.[value] + {hash}) {EXACTLY}");
    let from = format!("CHARINDEX({key}, {line})");
    // Without the CASE a person who lacks the attribute would make the length negative, which is an error.
    let values = format!(
        "CASE WHEN {from} > 0 THEN SUBSTRING({line}, {from} + {units}, \
         CHARINDEX({hash}, {line}, {from} + {units}) - {from} - {units}) ELSE N'' END"
    );
    let is =
        format!("CHARINDEX({array} + {value} + {array}, ({array} + {values} + {array}) {EXACTLY}) > 0{also}");
    profile(LINE, &is, managed)
}

/// A semi-join with the rows that the reader's profile has of an attribute.
fn profile(attribute: &str, is: &str, managed: Managed) -> String {
    format!(
        "EXISTS (SELECT 1 FROM {}.[profile] AS p WHERE p.[principal] = {} \
         AND p.[attribute] {EXACTLY} = {} AND {is})",
        Bracketed(managed.schema),
        acting::whose(managed),
        Value(attribute)
    )
}

/// How a text names a column of the row that it is asked about.
pub(super) type Naming = fn(SqlName) -> String;

/// In a view: the table's column.
pub(super) fn in_row(column: SqlName) -> String {
    Own(column).to_string()
}

pub(super) fn row(rule: &RowRule, managed: Managed, naming: Naming) -> String {
    match rule {
        RowRule::To(is) => who(is, managed),
        RowRule::All(tests) if tests.is_empty() => "1 = 0".to_owned(),
        RowRule::All(tests) => {
            let mut text = "(".to_owned();
            list(&mut text, tests, " AND ", |one| test(one, managed, naming));
            text.push(')');
            text
        }
    }
}

pub(super) fn test(one: &Test, managed: Managed, naming: Naming) -> String {
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
            format!("{} {order} {}", compared(&naming(*column), *ty), typed(value, *ty))
        }
        Test::In { values, .. } if values.is_empty() => "1 = 0".to_owned(),
        Test::In { column, ty, values } => {
            let mut text = format!("{} IN (", compared(&naming(*column), *ty));
            list(&mut text, values, ", ", |value| typed(value, *ty));
            text.push(')');
            text
        }
        Test::Attribute { column, ty, attribute } => {
            let text = match ty {
                ColumnType::Text { .. } => naming(*column),
                _ => format!("CAST({} AS nvarchar(40))", naming(*column)),
            };
            let Some(by) = managed.delimiters else {
                return profile(attribute, &format!("p.[value] {EXACTLY} = {text} {EXACTLY}"), managed);
            };
            // A value that holds the mark between values would be found across two of them; an empty one between any two.
            let array = by.array.to_string();
            let also = format!(" AND LEN({text}) > 0 AND CHARINDEX({}, {text} {EXACTLY}) = 0", Value(&array));
            in_line(attribute, &format!("RTRIM({text})"), &also, by, managed)
        }
        Test::Is(whom) if whom.is_empty() => "1 = 0".to_owned(),
        Test::Is(whom) => {
            let mut text = "(".to_owned();
            list(&mut text, whom, " OR ", |is| who(is, managed));
            text.push(')');
            text
        }
        Test::LastDays { column, days } => {
            // A date before 1753 is no `datetime`: as `datetime2` it is only old.
            format!("{} >= CAST(DATEADD(day, -{days}, GETUTCDATE()) AS datetime2(7))", naming(*column))
        }
    }
}

pub(super) fn compared(column: &str, ty: ColumnType) -> String {
    match ty {
        ColumnType::Text { .. } => format!("{column} {EXACTLY}"),
        _ => column.to_owned(),
    }
}

pub(super) fn typed(value: &Plain, ty: ColumnType) -> String {
    match (value, ty) {
        (Plain::Text(_), ColumnType::Text { .. }) | (Plain::Number(_) | Plain::Bytes, _) => literal(value),
        (Plain::Text(_), _) => format!("CAST({} AS {ty})", literal(value)),
    }
}
