//! The texts that ask for views, for the tables that they show, and for what they read.

use std::fmt::Write as _;

use axon_model::SqlName;
use axon_reconcile::ObjectName;
use axon_reconcile::secure::ManagedTable;

use super::Sql;
use super::filter::FILTERS;
use super::query::{Query, batch};
use super::quote::{Bracketed, Value};

/// ` AND s.name IN (…)`; nothing, where all schemas are meant. Names are bound from the given number on.
fn among(schemas: Option<&[SqlName]>, binds: &mut Vec<SqlName>) -> String {
    let Some(schemas) = schemas else { return String::new() };
    if schemas.is_empty() {
        return " AND 1 = 0".to_owned();
    }
    let mut text = " AND s.name IN (".to_owned();
    for (i, name) in schemas.iter().enumerate() {
        binds.push(*name);
        // Writing to a String cannot fail.
        let _ = write!(text, "{}@P{}", if i == 0 { "" } else { ", " }, binds.len());
    }
    text.push(')');
    text
}

/// What a digest of a key begins with.
pub(crate) const KEY_MARK: &str = "axon.mask-key";
/// How many digits of it are read.
pub(crate) const KEY_MARK_DIGITS: usize = 32;

/// Columns of tables with their types, and their owners.
const TABLE_COLUMNS: &str = "SELECT s.name, o.name, p.name, c.name, y.name, c.max_length, c.precision, c.scale, e.object_id \
    FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id JOIN sys.columns c ON c.object_id = o.object_id \
    JOIN sys.types y ON y.user_type_id = c.user_type_id \
    LEFT JOIN sys.database_principals p ON p.principal_id = COALESCE(o.principal_id, s.principal_id) \
    LEFT JOIN sys.external_tables e ON e.object_id = o.object_id";

/// Tables, views, the owner, and the tables of the managed schema.
pub(crate) fn views(
    bases: Option<&[SqlName]>,
    schemas: Option<&[SqlName]>,
    owner: SqlName,
    managed: SqlName,
) -> Query {
    let mut binds = vec![owner, managed];
    let tables = format!(
        "{TABLE_COLUMNS} WHERE o.type = 'U'{} ORDER BY o.object_id, c.column_id",
        among(bases, &mut binds)
    );
    let views = format!(
        "SELECT s.name, o.name, m.definition, p.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
         LEFT JOIN sys.sql_modules m ON m.object_id = o.object_id \
         LEFT JOIN sys.database_principals p ON p.principal_id = o.principal_id WHERE o.type = 'V'{}",
        among(schemas, &mut binds)
    );
    batch(
        &[
            tables,
            views,
            "SELECT u.type, u.authentication_type FROM sys.database_principals u WHERE u.name = @P1".into(),
            "SELECT o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
             WHERE s.name = @P2 AND o.type = 'U'"
                .into(),
        ],
        binds,
    )
}

const RESULT_SET_CACHING: &str =
    "SELECT d.is_result_set_caching_on FROM sys.databases d WHERE d.name = DB_NAME()";

/// Whether the pool keeps results to give them out again.
pub(crate) fn result_set_caching() -> Query {
    batch(&[RESULT_SET_CACHING.into()], Vec::new())
}

/// The same, and the filters of tables.
pub(crate) fn beside_views(schema: SqlName) -> Query {
    let all = std::iter::once(RESULT_SET_CACHING).chain(FILTERS);
    batch(&all.map(str::to_owned).collect::<Vec<_>>(), vec![schema])
}

/// Ids of keys with a digest of each, by which a change is seen and no key; all profiles, and who reads as whom, if there is a table of that: whether that is the one with sessions.
pub(crate) fn metadata(schema: SqlName, acting: Option<bool>) -> Query {
    let name = Bracketed(schema);
    let mut all = vec![
        format!(
            "SELECT k.[id], LEFT(CONVERT(nvarchar(64), HASHBYTES('SHA2_256', N'{KEY_MARK}' + k.[id] + k.[mask_key]), 2), {KEY_MARK_DIGITS}) FROM {name}.[mask_keys] AS k"
        ),
        format!("SELECT p.[principal], p.[attribute], p.[value] FROM {name}.[profile] AS p"),
    ];
    all.extend(acting.map(|in_session| acting_rows(schema, in_session)));
    batch(&all, Vec::new())
}

fn acting_rows(schema: SqlName, in_session: bool) -> String {
    let (more, table) = if in_session {
        (", a.[session_id], a.[login_time]", ManagedTable::ActingSessions)
    } else {
        ("", ManagedTable::Acting)
    };
    let schema = Bracketed(schema);
    format!(
        "SELECT a.[actor], a.[actor_sid], a.[person], a.[role], a.[until]{more} FROM {schema}.[{table}] AS a"
    )
}

/// Those of these sessions that live, with whose they are and since when.
pub(crate) fn live_sessions(ids: &[String]) -> Query {
    let ids: Vec<String> = ids.iter().map(|id| Value(id).to_string()).collect();
    batch(
        &[format!(
            "SELECT s.session_id, s.security_id, s.login_time FROM sys.dm_pdw_exec_sessions s \
             WHERE s.status IN ('ACTIVE', 'IDLE') AND s.session_id IN ({})",
            ids.join(", ")
        )],
        Vec::new(),
    )
}

/// The permission of one person to read as another.
pub(crate) fn acting(schema: SqlName, actor: SqlName, person: SqlName, in_session: bool) -> Query {
    let rows = acting_rows(schema, in_session);
    batch(
        &[format!(
            "{rows} WHERE a.[actor] = {} AND a.[person] = {}",
            Value(actor.as_str()),
            Value(person.as_str())
        )],
        Vec::new(),
    )
}

/// Columns of one table with their types.
pub(crate) fn table(name: ObjectName) -> Query {
    batch(
        &[format!(
            "{TABLE_COLUMNS} WHERE o.type = 'U' AND s.name = @P1 AND o.name = @P2 ORDER BY c.column_id"
        )],
        vec![name.schema, name.name],
    )
}

/// The text of one view.
pub(crate) fn view_text(name: ObjectName) -> Query {
    batch(
        &["SELECT m.definition FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id \
           LEFT JOIN sys.sql_modules m ON m.object_id = o.object_id \
           WHERE o.type = 'V' AND s.name = @P1 AND o.name = @P2"
            .into()],
        vec![name.schema, name.name],
    )
}

/// Whether a user without a login is there, by this name.
pub(crate) fn owner(name: SqlName) -> Query {
    batch(&["SELECT u.type FROM sys.database_principals u WHERE u.name = @P1".into()], vec![name])
}

/// The owner of a schema.
pub(crate) fn schema_owner(name: SqlName) -> Query {
    batch(
        &["SELECT p.name FROM sys.schemas s LEFT JOIN sys.database_principals p ON p.principal_id = s.principal_id \
           WHERE s.name = @P1"
            .into()],
        vec![name],
    )
}

/// Whether a key is there.
pub(crate) fn key(schema: SqlName, id: &str) -> Query {
    batch(
        &[format!(
            "SELECT k.[id] FROM {}.[mask_keys] AS k WHERE k.[id] {} = {}",
            Bracketed(schema),
            super::view::EXACTLY,
            Value(id)
        )],
        Vec::new(),
    )
}

/// The profiles of some people.
pub(crate) fn profiles(schema: SqlName, people: &[SqlName]) -> Query {
    let mut text = format!(
        "SELECT p.[principal], p.[attribute], p.[value] FROM {}.[profile] AS p WHERE p.[principal] IN (",
        Bracketed(schema)
    );
    for (i, name) in people.iter().enumerate() {
        let _ = write!(text, "{}{}", if i == 0 { "" } else { ", " }, Value(name.as_str()));
    }
    text.push(')');
    batch(&[text], Vec::new())
}

/// The profiles of many people, and of whoever stands between them: two comparisons for each row, where a list of names has one for each
/// name. Only of names whose order by code point is everywhere the same.
pub(crate) fn profiles_between(schema: SqlName, people: &[SqlName]) -> Query {
    let names = || people.iter().map(|name| name.as_str());
    let (Some(first), Some(last)) = (names().min(), names().max()) else { return profiles(schema, people) };
    if names().any(|name| name.chars().any(|c| c >= '\u{e000}')) {
        return profiles(schema, people);
    }
    let exactly = super::view::EXACTLY;
    batch(
        &[format!(
            "SELECT p.[principal], p.[attribute], p.[value] FROM {}.[profile] AS p \
             WHERE p.[principal] {exactly} >= {} AND p.[principal] {exactly} <= {}",
            Bracketed(schema),
            Value(first),
            Value(last)
        )],
        Vec::new(),
    )
}

/// A batch that gives no rows.
pub(crate) fn drop_view(name: ObjectName) -> Sql {
    Sql(format!("DROP VIEW {}.{}", Bracketed(name.schema), Bracketed(name.name)))
}
