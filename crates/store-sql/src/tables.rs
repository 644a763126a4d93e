//! The tables of a store as the database itself lists them: what a later migration adds is copied without being named here.

use std::collections::BTreeSet;

use axon_store::StoreError;

use crate::args;
use crate::session::Session;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Blob,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub name: String,
    pub kind: Kind,
    /// Its place in the primary key, from 1; 0 for others.
    pub key: i64,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// The tables whose rows it points at.
    needs: BTreeSet<String>,
}

impl Table {
    /// The columns of the primary key, in its order, with their places among the columns.
    pub fn key(&self) -> Vec<(usize, &Column)> {
        let mut key: Vec<_> = self.columns.iter().enumerate().filter(|(_, c)| c.key > 0).collect();
        key.sort_by_key(|(_, column)| column.key);
        key
    }

    /// The names of the columns, to be put into SQL.
    pub fn names(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        names.join(", ")
    }
}

/// A name of the database's own catalogue as SQL writes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const ATTEMPT: &str = "list its tables";

/// All tables, each behind those that it points at.
pub(crate) async fn tables(session: &mut dyn Session) -> Result<Vec<Table>, StoreError> {
    let sql = session.dialect().pick(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name <> '_sqlx_migrations' ORDER BY name",
        "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() \
         AND tablename <> '_sqlx_migrations' ORDER BY 1",
    );
    let names: Vec<(String,)> = session.all(ATTEMPT, sql, args![]).await?;
    let mut waiting = Vec::with_capacity(names.len());
    for (name,) in names {
        waiting.push(table(session, name).await?);
    }
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |table: &Table| {
            table.needs.iter().all(|need| *need == table.name || ordered.iter().any(|t| t.name == *need))
        };
        let (mut now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
        if now.is_empty() {
            return Err(StoreError::unavailable(ATTEMPT, "they point at each other"));
        }
        ordered.append(&mut now);
        waiting = later;
    }
    Ok(ordered)
}

async fn table(session: &mut dyn Session, name: String) -> Result<Table, StoreError> {
    let sql = session.dialect().pick(
        "SELECT name, upper(type), pk FROM pragma_table_info($1) ORDER BY cid",
        "SELECT a.attname::text, upper(format_type(a.atttypid, NULL)), \
                CAST(coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0) AS BIGINT) \
         FROM pg_attribute a \
         LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
         WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    );
    let columns: Vec<(String, String, i64)> = session.all(ATTEMPT, sql, args![&name]).await?;
    let column = |(column, kind, key): (String, String, i64)| {
        let kind = match kind.as_str() {
            "INTEGER" | "BIGINT" => Kind::Int,
            "TEXT" => Kind::Text,
            "BLOB" | "BYTEA" => Kind::Blob,
            other => {
                let text = format!("{name}.{column} is of the unknown type {other}");
                return Err(StoreError::unavailable(ATTEMPT, text));
            }
        };
        Ok(Column { name: column, kind, key })
    };
    let columns = columns.into_iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let sql = session.dialect().pick(
        "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)",
        "SELECT DISTINCT t.relname::text FROM pg_constraint c JOIN pg_class t ON t.oid = c.confrelid \
         WHERE c.contype = 'f' AND c.conrelid = to_regclass($1)",
    );
    let needs: Vec<(String,)> = session.all(ATTEMPT, sql, args![&name]).await?;
    let needs = needs.into_iter().map(|(need,)| need).collect();
    let table = Table { name, columns, needs };
    if table.key().is_empty() {
        let text = format!("{} has no primary key", table.name);
        return Err(StoreError::unavailable(ATTEMPT, text));
    }
    Ok(table)
}

/// How many rows a table has.
pub(crate) async fn count(session: &mut dyn Session, table: &Table) -> Result<u64, StoreError> {
    let sql = format!("SELECT count(*) FROM {}", quoted(&table.name));
    let rows: Option<i64> = session.value("count rows", sql, args![]).await?;
    Ok(rows.and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}
