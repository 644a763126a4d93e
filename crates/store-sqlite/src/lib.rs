//! The embedded store: one SQLite file in WAL mode with `synchronous=FULL`.
//!
//! What a store says and decides is in `axon_store_sql`; here is how the file is opened and kept ([`SqliteFile`]) and how
//! statements reach it. Positions and hashes of records are given inside `BEGIN IMMEDIATE`: a second process on the same
//! file waits for the lock and goes on from the true head.

mod address;
mod checkpoint;
mod file;
mod inline;
mod open;
mod schema;
mod session;
mod stamp;
pub mod statements;

pub use address::Address;
pub use file::SqliteFile;
pub use open::{Options, applied};

/// A store in one SQLite file.
pub type SqliteStore = axon_store_sql::SqlStore<SqliteFile>;
