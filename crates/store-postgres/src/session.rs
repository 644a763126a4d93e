//! The port over PostgreSQL's connections.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon_store_sql::{Arg, Dialect, Row, Session, Sql, SqlError, Tally, Value};
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Executor as _, PgConnection, Postgres, Row as _,
    Transaction, TypeInfo as _, ValueRef as _,
};

/// Where a session's connection comes from, and so what ending it means.
pub(crate) enum Held {
    /// The writer's own.
    Own(PgConnection),
    /// One of the readers', with their pool.
    Pooled(sqlx::pool::PoolConnection<Postgres>, PgPool),
    /// One of the readers', inside a transaction.
    Snapshot(Transaction<'static, Postgres>),
}

/// One connection to the server.
pub(crate) struct PostgresSession {
    held: Held,
    tally: Arc<Tally>,
    patience: Duration,
    /// An answer is still to come that nobody waits for, so the connection is of no more use.
    broken: bool,
}

/// A server that does not answer.
#[derive(Debug)]
struct Silent(Duration);

impl std::fmt::Display for Silent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server did not answer within {} s", self.0.as_secs())
    }
}

impl std::error::Error for Silent {}

impl PostgresSession {
    pub fn new(held: Held, tally: Arc<Tally>, patience: Duration) -> Self {
        Self { held, tally, patience, broken: false }
    }

    /// Runs something on the connection, for as long as patience lasts.
    async fn with<T>(
        &mut self,
        run: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, SqlError> {
        if self.broken {
            return Err(SqlError::Other(Box::new(Silent(self.patience))));
        }
        let connection = match &mut self.held {
            Held::Own(connection) => connection,
            Held::Pooled(connection, _) => &mut **connection,
            Held::Snapshot(transaction) => &mut **transaction,
        };
        match tokio::time::timeout(self.patience, run(connection)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => {
                if is_lost(&failure) {
                    self.give_up();
                }
                Err(error(failure))
            }
            Err(_) => {
                self.give_up();
                Err(SqlError::Other(Box::new(Silent(self.patience))))
            }
        }
    }

    /// How many connections there are to try a read on; none where the session is not one of a pool's.
    fn spare_connections(&self) -> u32 {
        match &self.held {
            Held::Pooled(_, pool) => pool.options().get_max_connections(),
            Held::Own(_) | Held::Snapshot(_) => 0,
        }
    }

    /// Takes another connection of the pool.
    async fn renew(&mut self) -> Result<(), SqlError> {
        if let Held::Pooled(connection, pool) = &mut self.held {
            let other = pool.acquire().await.map_err(error)?;
            *connection = other;
            self.broken = false;
        }
        Ok(())
    }

    fn give_up(&mut self) {
        self.broken = true;
        if let Held::Pooled(connection, _) = &mut self.held {
            connection.close_on_drop();
        }
    }
}

/// Whether the connection itself is gone, and not merely a statement refused.
pub(crate) fn is_lost(failure: &sqlx::Error) -> bool {
    match failure {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => {
            true
        }
        // Class 57: the server stops, crashed or is starting. 25P03: it waited too long inside a transaction.
        sqlx::Error::Database(database) => {
            database.code().is_some_and(|code| code.starts_with("57P0") || code == "25P03")
        }
        _ => false,
    }
}

/// PostgreSQL's error in the port's words.
pub(crate) fn error(failure: sqlx::Error) -> SqlError {
    match &failure {
        sqlx::Error::Database(database) if database.is_unique_violation() => SqlError::Taken(failure.into()),
        sqlx::Error::PoolClosed => SqlError::Closed,
        _ => SqlError::Other(failure.into()),
    }
}

type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

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

fn decoded(row: &PgRow) -> Result<Row, sqlx::Error> {
    let mut values = Vec::with_capacity(row.len());
    for (at, column) in row.columns().iter().enumerate() {
        if row.try_get_raw(at)?.is_null() {
            values.push(Value::Null);
            continue;
        }
        values.push(match column.type_info().name() {
            "INT8" => Value::Int(row.try_get(at)?),
            "INT4" => Value::Int(row.try_get::<i32, _>(at)?.into()),
            "BOOL" => Value::Int(row.try_get::<bool, _>(at)?.into()),
            "BYTEA" => Value::Blob(row.try_get(at)?),
            _ => Value::Text(row.try_get(at)?),
        });
    }
    Ok(Row(values))
}

#[async_trait]
impl Session for PostgresSession {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn query(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<Vec<Row>, SqlError> {
        self.tally.note(&sql);
        let mut rows = self.with(async |c| bound(sql.clone(), args).fetch_all(c).await).await;
        let mut tries = self.spare_connections();
        while rows.is_err() && self.broken && tries > 0 {
            // A read of one statement may be asked again: a server that was restarted leaves dead connections in the pool.
            tries -= 1;
            self.renew().await?;
            rows = self.with(async |c| bound(sql.clone(), args).fetch_all(c).await).await;
        }
        rows?.iter().map(|row| decoded(row).map_err(error)).collect()
    }

    async fn execute(&mut self, sql: Sql, args: &[Arg<'_>]) -> Result<u64, SqlError> {
        self.tally.note(&sql);
        let done = self.with(async |connection| bound(sql, args).execute(connection).await).await?;
        Ok(done.rows_affected())
    }

    async fn script(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<(), SqlError> {
        for statement in sql.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
            self.execute(statement.into(), args).await?;
        }
        Ok(())
    }

    async fn control(&mut self, sql: Sql) -> Result<(), SqlError> {
        self.tally.note(&sql);
        self.with(async |connection| connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await).await?;
        Ok(())
    }

    async fn close(self: Box<Self>) {
        let patience = self.patience;
        let broken = self.broken;
        let ended = async {
            match self.held {
                Held::Own(connection) if broken => {
                    drop(connection);
                    Ok(())
                }
                Held::Own(connection) => connection.close().await,
                Held::Pooled(..) => Ok(()),
                Held::Snapshot(transaction) => transaction.rollback().await,
            }
        };
        match tokio::time::timeout(patience, ended).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection to the store did not close cleanly"),
            Err(_) => tracing::debug!("a connection to the store did not close in time"),
        }
    }
}
