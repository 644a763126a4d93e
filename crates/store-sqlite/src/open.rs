//! Opening the file: created for its owner alone, checked, migrated.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use axon_store::StoreError;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, SqliteConnection};

use crate::address::Address;
use crate::schema;
use crate::session::error;

/// How long until a file that somebody else turns to its log is tried again.
const AGAIN: Duration = Duration::from_millis(5);

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file.
    pub address: Address,
    /// How many connections read at once.
    pub readers: u32,
    /// How many writes may wait; beyond it they are turned away.
    pub queue: usize,
    /// How many writes share one commit at most.
    pub group: usize,
    /// How long a statement waits for another process's lock.
    pub busy_timeout: Duration,
}

impl Options {
    /// The usual ones for a file.
    pub fn new(address: Address) -> Self {
        Self { address, readers: 4, queue: 4096, group: 256, busy_timeout: Duration::from_secs(10) }
    }
}

/// What all connections to the file have in common.
fn connection(options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(options.address.file())
        .busy_timeout(options.busy_timeout)
        .statement_cache_capacity(256)
        .row_buffer_size(512)
        .disable_statement_logging()
}

/// The options of the one connection that writes. Its settings are never weaker than this.
pub(crate) fn writer_options(options: &Options) -> SqliteConnectOptions {
    connection(options)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("cache_size", "-32768")
}

/// Opens the connection that writes, and brings the schema up to date.
pub(crate) async fn open_writer(options: &Options) -> Result<SqliteConnection, StoreError> {
    let file = options.address.file();
    create(file)?;
    let mut writer = connected(options).await.map_err(|error| unreadable(file, "open its file", error))?;
    check_owner(file, &mut writer).await?;
    let mut migrated = schema::migrator().run_direct(None, &mut writer, false).await;
    for _ in 0..schema::steps() {
        if !matches!(migrated, Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))) {
            break;
        }
        // Another process opened the new file in the same moment and was first with a step: look again at what there is.
        migrated = schema::migrator().run_direct(None, &mut writer, false).await;
    }
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(found) => {
            StoreError::NewerSchema { file: shown(file), found, known: schema::latest() }
        }
        MigrateError::VersionMismatch(version) => StoreError::NotAStore {
            file: shown(file),
            reason: format!("its schema {version} is not the one that this version made"),
        },
        other => StoreError::unavailable("bring its schema up to date", other),
    })?;
    Ok(writer)
}

/// A connection of the writer's kind. Of several processes that turn one new file to its log (WAL) in the same moment, SQLite
/// tells all but one SQLITE_BUSY at once and does not wait, as waiting while holding the read lock could be a deadlock: they try again.
async fn connected(options: &Options) -> Result<SqliteConnection, sqlx::Error> {
    let until = Instant::now() + options.busy_timeout;
    loop {
        match writer_options(options).connect().await {
            Err(error) if is_busy(&error) && Instant::now() < until => tokio::time::sleep(AGAIN).await,
            done => return done,
        }
    }
}

/// `SQLITE_BUSY` in any of its extended forms.
fn is_busy(failure: &sqlx::Error) -> bool {
    let code = failure.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

/// Opens the connections that read.
pub(crate) fn open_readers(options: &Options, count: u32) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(count.max(1))
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(connection(options).read_only(true).pragma("cache_size", "-8192"))
}

/// Creates the file for its owner alone; SQLite gives its companions the same mode.
fn create(file: &Path) -> Result<(), StoreError> {
    let mut create = fs::OpenOptions::new();
    create.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut create, 0o600);
    match create.open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::unavailable("create its file", FileError { file: shown(file), error }))
        }
        _ => Ok(()),
    }
}

#[derive(Debug)]
struct FileError {
    file: String,
    error: std::io::Error,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.error)
    }
}

impl std::error::Error for FileError {}

/// A file that holds somebody else's tables is left alone.
async fn check_owner(file: &Path, writer: &mut SqliteConnection) -> Result<(), StoreError> {
    let (id, tables): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_master WHERE tbl_name <> '_sqlx_migrations')",
    )
    .fetch_one(writer)
    .await
    .map_err(|error| unreadable(file, "read its file", error))?;
    if tables > 0 && id != schema::APPLICATION_ID {
        let reason = "it is an SQLite database that another program made".to_owned();
        return Err(StoreError::NotAStore { file: shown(file), reason });
    }
    Ok(())
}

fn unreadable(file: &Path, attempt: &'static str, failure: sqlx::Error) -> StoreError {
    // SQLITE_NOTADB and SQLITE_CORRUPT.
    let code = failure.as_database_error().and_then(|e| e.code().map(std::borrow::Cow::into_owned));
    match code.as_deref() {
        Some("26") => {
            StoreError::NotAStore { file: shown(file), reason: "it is not an SQLite database".to_owned() }
        }
        Some("11") => {
            StoreError::NotAStore { file: shown(file), reason: "it is damaged; restore a backup".to_owned() }
        }
        _ => error(failure).during(attempt),
    }
}

fn shown(file: &Path) -> String {
    file.display().to_string()
}

/// The versions of the schema that a file has, oldest first. Changes nothing.
pub async fn applied(address: &Address) -> Result<Vec<i64>, StoreError> {
    let file = address.file();
    let read = SqliteConnectOptions::new().filename(file).read_only(true).disable_statement_logging();
    let mut connection = read.connect().await.map_err(|error| unreadable(file, "open its file", error))?;
    check_owner(file, &mut connection).await?;
    let rows: Result<Vec<(i64,)>, _> =
        sqlx::query_as("SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut connection)
            .await;
    let _ = sqlx::Connection::close(connection).await;
    match rows {
        Ok(rows) => Ok(rows.into_iter().map(|(version,)| version).collect()),
        // An empty file has no table of migrations yet.
        Err(sqlx::Error::Database(error)) if error.message().contains("no such table") => Ok(Vec::new()),
        Err(failure) => Err(error(failure).during("read its schema's version")),
    }
}
