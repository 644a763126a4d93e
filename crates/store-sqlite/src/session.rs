//! The port over SQLite's connections.

use std::sync::Arc;

use async_trait::async_trait;
use axon_store_sql::{Arg, Dialect, Row, Session, Sql, SqlError, Tally, Value};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection, Transaction, ValueRef as _};

/// Where a session's connection comes from, and so what ending it means.
pub(crate) enum Held {
    /// One of the readers'.
    Pooled(sqlx::pool::PoolConnection<Sqlite>),
    /// One of the readers', inside a transaction.
    Snapshot(Transaction<'static, Sqlite>),
}

/// One connection to the file.
pub(crate) struct SqliteSession {
    held: Held,
    tally: Arc<Tally>,
}

impl SqliteSession {
    pub fn new(held: Held, tally: Arc<Tally>) -> Self {
        Self { held, tally }
    }

    fn connection(&mut self) -> &mut SqliteConnection {
        match &mut self.held {
            Held::Pooled(connection) => connection,
            Held::Snapshot(transaction) => transaction,
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

fn bound<'q>(sql: Sql, args: &'q [Arg<'q>]) -> Query<'q> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for arg in args {
        query = match arg {
            Arg::Int(n) => query.bind(*n),
            Arg::Text(text) => query.bind(text.as_deref()),
            Arg::Blob(bytes) => query.bind(bytes.as_deref()),
        };
    }
    query
}

/// SQLite's error in the port's words.
pub(crate) fn error(error: sqlx::Error) -> SqlError {
    match &error {
        sqlx::Error::Database(database) if database.is_unique_violation() => SqlError::Taken(error.into()),
        sqlx::Error::PoolClosed => SqlError::Closed,
        _ => SqlError::Other(error.into()),
    }
}

fn decoded(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let mut values = Vec::with_capacity(row.len());
    for column in 0..row.len() {
        let value = row.try_get_raw(column)?;
        values.push(if value.is_null() {
            Value::Null
        } else {
            match sqlx::TypeInfo::name(&*value.type_info()) {
                "TEXT" => Value::Text(row.try_get_unchecked(column)?),
                "BLOB" => Value::Blob(row.try_get_unchecked(column)?),
                _ => Value::Int(row.try_get_unchecked(column)?),
            }
        });
    }
    Ok(Row(values))
}

#[async_trait]
impl Session for SqliteSession {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn query(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<Vec<Row>, SqlError> {
        self.tally.note(&sql);
        let rows = bound(sql, args).fetch_all(self.connection()).await.map_err(error)?;
        rows.iter().map(|row| decoded(row).map_err(error)).collect()
    }

    async fn execute(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<u64, SqlError> {
        self.tally.note(&sql);
        let done = bound(sql, args).execute(self.connection()).await.map_err(error)?;
        Ok(done.rows_affected())
    }

    async fn script(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<(), SqlError> {
        self.execute(sql.into(), args).await.map(|_| ())
    }

    async fn control(&mut self, sql: Sql) -> Result<(), SqlError> {
        self.execute(sql, &[]).await.map(|_| ())
    }

    async fn close(self: Box<Self>) {
        let ended = match self.held {
            Held::Pooled(_) => Ok(()),
            Held::Snapshot(transaction) => transaction.rollback().await,
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "a connection to the store did not close cleanly");
        }
    }
}
