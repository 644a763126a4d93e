//! The port over the one connection that writes: statements run on the thread that calls, with no thread between. The writer
//! has a thread of its own, so nobody else waits for them; and a write of ten statements costs no twenty changes of threads.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axon_store_sql::{Arg, Dialect, Row, Session, Sql, SqlError, Tally, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::checkpoint::Checkpointer;
use crate::open::Options;

/// How many prepared statements are kept.
const STATEMENTS: usize = 256;

/// What all that writes must never be weaker than. The log is folded back beside the writer; past 16,000 pages of 4 KiB, which
/// it comes to where that does not keep up, a commit does it.
const PRAGMAS: &str = "PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA wal_autocheckpoint = 16000; PRAGMA cache_size = -32768";

/// The connection that writes.
pub(crate) struct InlineSession {
    connection: Connection,
    tally: Arc<Tally>,
    checkpointer: Option<Checkpointer>,
}

/// A parameter or a value that the port does not know.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("a statement asks for parameter {0}, which is not given")]
    Parameter(usize),
    #[error("column {0} holds a fraction")]
    Fraction(usize),
    #[error("column {0} holds text that is not UTF-8")]
    Text(usize),
}

impl From<Unfit> for SqlError {
    fn from(unfit: Unfit) -> Self {
        Self::Other(unfit.into())
    }
}

fn failed(error: rusqlite::Error) -> SqlError {
    let taken = |code| matches!(code, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY);
    match &error {
        rusqlite::Error::SqliteFailure(failure, _) if taken(failure.extended_code) => {
            SqlError::Taken(error.into())
        }
        _ => SqlError::Other(error.into()),
    }
}

impl InlineSession {
    /// Opens a file that is there and whose schema is up to date.
    pub fn open(options: &Options, tally: Arc<Tally>) -> Result<Self, SqlError> {
        let file: &Path = options.address.file();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
        connection.busy_timeout(options.busy_timeout).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.execute_batch(PRAGMAS).map_err(failed)?;
        let checkpointer = Checkpointer::start(file);
        Ok(Self { connection, tally, checkpointer })
    }

    /// Runs what is parted by `;`, each with the parameters that it names. Our statements have no `;` inside a text.
    fn run(&self, sql: &str, args: &[Arg<'_>], mut each: impl FnMut(Row)) -> Result<u64, SqlError> {
        self.tally.note(sql);
        let mut changed = 0;
        for statement in sql.split(';').filter(|part| !part.trim().is_empty()) {
            let mut statement = self.connection.prepare_cached(statement).map_err(failed)?;
            let mut next: usize = 0;
            for index in 1..=statement.parameter_count() {
                // `$7` is the seventh, wherever it stands; `?` is the next one.
                let number = statement.parameter_name(index).and_then(|name| name.get(1..)?.parse().ok());
                next = number.unwrap_or(next + 1);
                let arg = next.checked_sub(1).and_then(|at| args.get(at)).ok_or(Unfit::Parameter(next))?;
                match arg {
                    Arg::Int(n) => statement.raw_bind_parameter(index, n),
                    Arg::Text(text) => statement.raw_bind_parameter(index, text.as_deref()),
                    Arg::Blob(bytes) => statement.raw_bind_parameter(index, bytes.as_deref()),
                }
                .map_err(failed)?;
            }
            let (columns, writes) = (statement.column_count(), !statement.readonly());
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().map_err(failed)? {
                each(decoded(row, columns)?);
            }
            if writes {
                changed += self.connection.changes();
            }
        }
        Ok(changed)
    }
}

fn decoded(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, SqlError> {
    let mut values = Vec::with_capacity(columns);
    for column in 0..columns {
        values.push(match row.get_ref(column).map_err(failed)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(n) => Value::Int(n),
            ValueRef::Real(_) => return Err(Unfit::Fraction(column).into()),
            ValueRef::Text(text) => {
                Value::Text(std::str::from_utf8(text).map_err(|_| Unfit::Text(column))?.to_owned())
            }
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_owned()),
        });
    }
    Ok(Row(values))
}

#[async_trait]
impl Session for InlineSession {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<Vec<Row>, SqlError> {
        let mut rows = Vec::new();
        self.run(&sql, args, |row| rows.push(row))?;
        Ok(rows)
    }

    async fn execute(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<u64, SqlError> {
        self.run(&sql, args, drop)
    }

    async fn script(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<(), SqlError> {
        self.run(sql, args, drop).map(|_| ())
    }

    async fn control(&mut self, sql: Sql) -> Result<(), SqlError> {
        self.run(&sql, &[], drop)?;
        if sql == "COMMIT"
            && let Some(checkpointer) = &self.checkpointer
        {
            checkpointer.committed();
        }
        Ok(())
    }

    async fn close(self: Box<Self>) {
        drop(self.checkpointer);
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the connection that writes did not close cleanly");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::open::open_writer;

    #[tokio::test]
    async fn parameters_go_by_their_numbers_and_every_statement_is_run() {
        let folder = tempfile::TempDir::new().unwrap();
        let options = Options::new(Address::of_file(folder.path().join("axon.db")));
        drop(open_writer(&options).await.unwrap());
        let mut session = InlineSession::open(&options, Arc::default()).unwrap();
        let insert = "INSERT INTO summaries (target, summary, at) VALUES ($2, $1, $3); \
                      INSERT INTO summaries (target, summary, at) VALUES ($1, $2, $3)";
        let args = [Arg::from("one"), Arg::from("two"), Arg::from(7_i64)];
        assert_eq!(session.execute(insert.into(), &args).await.unwrap(), 2);
        let rows = session
            .query("SELECT target, summary, at, NULL FROM summaries ORDER BY target".into(), &[])
            .await;
        let text = |t: &str| Value::Text(t.into());
        let wanted = [[text("one"), text("two")], [text("two"), text("one")]]
            .map(|[target, summary]| Row(vec![target, summary, Value::Int(7), Value::Null]));
        assert_eq!(rows.unwrap(), wanted);
        let again = session
            .execute("INSERT INTO summaries (target, summary, at) VALUES (?, ?, ?)".into(), &args)
            .await;
        assert!(matches!(again, Err(SqlError::Taken(_))));
        let missing = session.query("SELECT $4".into(), &args).await.unwrap_err().to_string();
        assert!(missing.contains("parameter 4"), "{missing}");
        let settings = session.query("SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous), \
            (SELECT foreign_keys FROM pragma_foreign_keys)".into(), &[]).await.unwrap();
        assert_eq!(settings, [Row(vec![text("wal"), Value::Int(2), Value::Int(1)])]);
        Box::new(session).close().await;
    }
}
