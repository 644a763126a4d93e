//! Connections to the server, and what to do when there is none.

use std::time::Duration;

use axon_store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection};

use crate::address::Address;
use crate::schema;
use crate::server::Options;

/// The oldest server that is taken.
const OLDEST: i64 = 140_000;

/// What all connections have in common.
fn connection(options: &Options) -> PgConnectOptions {
    options
        .address
        .connect
        .clone()
        .options([
            ("search_path", options.address.schema.as_str()),
            ("statement_timeout", "60s"),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ])
        .statement_cache_capacity(256)
        .disable_statement_logging()
}

/// Connects with patience.
async fn connect(options: &Options, how: PgConnectOptions) -> Result<PgConnection, StoreError> {
    match tokio::time::timeout(options.patience, how.connect()).await {
        Ok(connected) => connected.map_err(|error| refused(&options.address, error)),
        Err(_) => Err(opening(&options.address, "it does not answer; is a firewall in between?", None)),
    }
}

/// Opens the connection that writes, and brings the schema up to date.
pub(crate) async fn open_writer(options: &Options) -> Result<PgConnection, StoreError> {
    // A migration may take its time.
    let how = connection(options).options([("statement_timeout", "0")]);
    let mut writer = connect(options, how).await?;
    check_server(options, &mut writer).await?;
    schema::prepare(&mut writer, &options.address).await?;
    // Others wait for this one's lock: it must not sleep on it. An acknowledged write is on the disk, at least there.
    let settings = format!(
        "SET statement_timeout = '60s'; SET lock_timeout = '{}ms'; SET idle_in_transaction_session_timeout = '15s'; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        options.lock_timeout.as_millis()
    );
    writer
        .execute(sqlx::raw_sql(AssertSqlSafe(settings)))
        .await
        .map_err(|error| refused(&options.address, error))?;
    Ok(writer)
}

/// A plain connection, to look with.
pub(crate) async fn open_look(options: &Options) -> Result<PgConnection, StoreError> {
    connect(options, connection(options)).await
}

/// Opens connections that read.
pub(crate) fn open_pool(options: &Options, count: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(count.max(1))
        .acquire_timeout(options.acquire)
        .idle_timeout(Duration::from_mins(10))
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(connection(options))
}

async fn check_server(options: &Options, writer: &mut PgConnection) -> Result<(), StoreError> {
    let address = &options.address;
    let (version, encoding, standby): (i64, String, bool) = sqlx::query_as(
        "SELECT CAST(current_setting('server_version_num') AS BIGINT), \
                (SELECT pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = current_database()), \
                pg_is_in_recovery()",
    )
    .fetch_one(writer)
    .await
    .map_err(|error| refused(address, error))?;
    if standby {
        return Err(opening(address, "it is a standby, which cannot be written; name the primary", None));
    }
    if version < OLDEST {
        return Err(opening(address, "the server is older than PostgreSQL 14; update it", None));
    }
    if encoding != "UTF8" {
        let reason = "the database is not in UTF-8; make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0";
        return Err(opening(address, reason, None));
    }
    Ok(())
}

fn opening(address: &Address, remedy: &'static str, source: Option<sqlx::Error>) -> StoreError {
    StoreError::Unopened { store: address.shown().to_owned(), remedy, source: source.map(Into::into) }
}

/// What to do when the schema cannot be made.
pub(crate) fn forbidden(address: &Address, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|e| e.code().map(std::borrow::Cow::into_owned));
    if code.as_deref() == Some("42501") {
        let remedy = "the user may not make tables there: GRANT CREATE ON DATABASE … TO …, or make it the schema's owner";
        return opening(address, remedy, Some(error));
    }
    StoreError::unavailable("bring its schema up to date", error)
}

/// What to do when the server cannot be reached or refuses.
pub(crate) fn refused(address: &Address, error: sqlx::Error) -> StoreError {
    let remedy = match &error {
        sqlx::Error::Io(_) => "nothing answers there; look at the host, the port and whether PostgreSQL runs",
        sqlx::Error::Tls(_) => {
            "TLS failed; give the server's authority as sslrootcert=FILE, or see sslmode in docs/OPERATIONS.md"
        }
        sqlx::Error::Database(database) => match database.code().as_deref() {
            Some("28P01") => "the password or the user is wrong",
            Some("28000") => "the server lets this user not in; look at its pg_hba.conf and at sslmode",
            Some("3D000") => "there is no such database; make it with CREATE DATABASE",
            Some("53300") => "the server has no connection left; raise max_connections or lower readers=",
            Some("57P03") => "the server is starting or stopping; try again",
            Some("42501") => "the user lacks a right; make it the owner of the schema",
            _ => "the server refused",
        },
        _ => "the connection failed",
    };
    opening(address, remedy, Some(error))
}
