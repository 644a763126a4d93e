//! The port over the one connection that writes: statements run on the thread that calls, with no thread between. The writer
//! has a thread of its own, so nobody else waits for them; and a write of ten statements costs no twenty changes of threads.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axon_store_sql::{Arg, Dialect, Row, Session, Sql, SqlError, Tally};
use rusqlite::{Connection, OpenFlags};

use crate::checkpoint::{Checkpointer, Marks};
use crate::open::Options;
use crate::statements::{failed, run};

/// How many prepared statements are kept.
const STATEMENTS: usize = 256;

/// What all that writes must never be weaker than. The log is folded back beside the writer; past the log's end, which
/// it comes to where that does not keep up, a commit does it. Memberships of all groups lie on some 8,000 pages where a million are.
const PRAGMAS: &str = "PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA cache_size = -40960";

/// The connection that writes.
pub(crate) struct InlineSession {
    connection: Connection,
    tally: Arc<Tally>,
    checkpointer: Option<Checkpointer>,
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
        let marks = Marks::default();
        connection.pragma_update(None, "wal_autocheckpoint", marks.end).map_err(failed)?;
        let checkpointer = Checkpointer::start(file, marks);
        Ok(Self { connection, tally, checkpointer })
    }

    fn run(&self, sql: &str, args: &[Arg<'_>], each: impl FnMut(Row)) -> Result<u64, SqlError> {
        self.tally.note(sql);
        run(&self.connection, sql, args, each)
    }
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
    use axon_store_sql::Value;

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
