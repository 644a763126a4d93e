//! Copies a whole store into an empty one, of the same or of the other database, row by row and byte by byte.

use std::fmt::Write as _;

use axon_audit::Chain;
use axon_store::StoreError;

use crate::args;
use crate::check::{self, Finding};
use crate::journal;
use crate::raw::{Progress, Raw};
use crate::session::{Dialect, Session};
use crate::tables::{Kind, Table, count, quoted, tables};
use crate::value::{Arg, Row, Value};
use crate::writer::records::tuples;

/// How many rows are read and written at a time.
const PIECE: usize = 200;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Tables and their rows, in the order of copying.
    pub tables: Vec<(String, u64)>,
    /// Where the journal stands in the copy.
    pub head: Chain,
    /// Where it stands in the source by now: further, if somebody wrote meanwhile.
    pub source_head: Chain,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The destination holds something.
    #[error("the destination is not empty: {table} has {rows} rows; name an empty one")]
    NotEmpty {
        /// A table with rows.
        table: String,
        /// How many.
        rows: u64,
    },
    /// The copy is not what the source is.
    #[error("the copy was undone: {0}")]
    Different(String),
    /// One of the databases did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies all rows in one transaction, and commits when the copy was checked whole: hashes, counts, links.
pub async fn copy(from: &dyn Raw, to: &dyn Raw, progress: Progress<'_>) -> Result<Copied, CopyError> {
    let mut source = from.snapshot().await?;
    let (mut destination, begin) = to.writer().await?;
    destination.control(begin).await.map_err(|e| e.during("begin a copy"))?;
    let copied = rows(&mut *source, &mut *destination, progress).await;
    let end = if copied.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = destination.control(end.into()).await.map_err(|e| e.during("end a copy"));
    destination.close().await;
    source.close().await;
    let (tables, head) = copied?;
    ended?;
    let mut now = from.snapshot().await?;
    let source_head = journal::head(&mut *now).await;
    now.close().await;
    Ok(Copied { tables, head, source_head: source_head? })
}

async fn rows(
    source: &mut dyn Session,
    destination: &mut dyn Session,
    progress: Progress<'_>,
) -> Result<(Vec<(String, u64)>, Chain), CopyError> {
    let (ours, theirs) = (tables(source).await?, tables(destination).await?);
    for table in &theirs {
        let rows = count(destination, table).await?;
        if rows > 0 {
            return Err(CopyError::NotEmpty { table: table.name.clone(), rows });
        }
    }
    let mut copied = Vec::with_capacity(ours.len());
    for table in &ours {
        let Some(other) = theirs.iter().find(|other| other.name == table.name) else {
            return Err(CopyError::Different(format!("the destination has no table {}", table.name)));
        };
        let missing = table.columns.iter().find(|c| !other.columns.iter().any(|o| o.name == c.name));
        if let Some(column) = missing {
            let text = format!("the destination has no column {}.{}", table.name, column.name);
            return Err(CopyError::Different(text));
        }
        let all = count(source, table).await?;
        let done = one(source, destination, table, all, progress).await?;
        let there = count(destination, table).await?;
        if (done, there) != (all, all) {
            let text = format!("{} has {all} rows, {done} were read and {there} are in the copy", table.name);
            return Err(CopyError::Different(text));
        }
        copied.push((table.name.clone(), done));
    }
    if destination.dialect() == Dialect::Postgres {
        continue_numbers(destination, &ours).await?;
    }
    let findings = check::check(destination, progress).await?;
    if let Some(finding) = findings.first() {
        // What is wrong in the source would be wrong in the copy; only what is wrong in the copy alone is the copy's fault.
        let before = check::check(source, progress).await?;
        if before != findings {
            return Err(CopyError::Different(Finding::to_string(finding)));
        }
    }
    let head = journal::head(destination).await?;
    if head != journal::head(source).await? {
        return Err(CopyError::Different("the journals end differently".to_owned()));
    }
    Ok((copied, head))
}

async fn one(
    source: &mut dyn Session,
    destination: &mut dyn Session,
    table: &Table,
    all: u64,
    progress: Progress<'_>,
) -> Result<u64, StoreError> {
    let insert = format!("INSERT INTO {} ({}) VALUES ", quoted(&table.name), table.names());
    let mut done = 0;
    let mut after: Option<Row> = None;
    progress(&table.name, 0, all);
    loop {
        let rows = piece(source, table, after.as_ref()).await?;
        let Some(last) = rows.last() else { return Ok(done) };
        after = Some(last.clone());
        let mut args = Vec::with_capacity(rows.len() * table.columns.len());
        for row in &rows {
            args.extend(row.0.iter().zip(&table.columns).map(|(value, column)| arg(value, column.kind)));
        }
        let sql = tuples(destination.dialect(), &insert, rows.len(), table.columns.len());
        destination.run("write rows", sql, &args).await?;
        done += rows.len() as u64;
        progress(&table.name, done, all);
    }
}

/// The rows behind one, in the order of the primary key.
async fn piece(source: &mut dyn Session, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, StoreError> {
    let key = table.key();
    let order: Vec<String> = key.iter().map(|(_, column)| quoted(&column.name)).collect();
    let order = order.join(", ");
    let mut sql = format!("SELECT {} FROM {}", table.names(), quoted(&table.name));
    let mut args = Vec::new();
    if let Some(after) = after {
        args.extend(key.iter().map(|(at, column)| arg(&after.0[*at], column.kind)));
        let marks: Vec<String> = (1..=key.len()).map(|n| format!("${n}")).collect();
        let _ = write!(sql, " WHERE ({order}) > ({})", marks.join(", "));
    }
    let _ = write!(sql, " ORDER BY {order} LIMIT {PIECE}");
    source.all("read rows", sql, &args).await
}

fn arg(value: &Value, kind: Kind) -> Arg<'_> {
    match value {
        Value::Int(n) => (*n).into(),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => bytes.as_slice().into(),
        Value::Null => match kind {
            Kind::Int => Arg::Int(None),
            Kind::Text => Arg::Text(None),
            Kind::Blob => Arg::Blob(None),
        },
    }
}

/// Lets PostgreSQL number new rows behind those that were copied with their numbers.
async fn continue_numbers(session: &mut dyn Session, tables: &[Table]) -> Result<(), StoreError> {
    for table in tables {
        let [(_, key)] = table.key()[..] else { continue };
        if key.kind != Kind::Int {
            continue;
        }
        let (name, key) = (quoted(&table.name), quoted(&key.name));
        let sql = format!(
            "SELECT setval(s, (SELECT coalesce(max({key}), 0) + 1 FROM {name}), false) \
             FROM (SELECT pg_get_serial_sequence($1, $2) AS s) AS sequence WHERE s IS NOT NULL"
        );
        let plain = table.key()[0].1.name.clone();
        session.run("continue the numbers of rows", sql, args![&name, &plain]).await?;
    }
    Ok(())
}
