//! The store in SQL, written once: what it says to a database, over a port that each database's crate fills.
//!
//! ```text
//!  create, patch, append … ──> queue (bounded) ──> one writer task ──> begin; nobody else writes from here on
//!                                                    for each: savepoint, run, release (or roll back to it)
//!                                                    records of all, commit (one wait for the disk), answer all
//!  user, list, records …  ──> Database::reader, Database::snapshot
//!                                     │
//!                                  Session ── store-sqlite: a connection to the file
//!                                          └─ store-postgres: a connection to the server
//! ```
//!
//! Writes that arrive while the disk is being waited for share the next commit, so durability is never traded for speed.
//! Positions and hashes of records are given inside the transaction, behind a lock that only one writer of all processes
//! has: the order of positions is the order of commits.
//!
//! To add a command: an async function over [`Txn`](writer::Txn) or [`Session`] with `$1` parameters that both databases
//! read alike, a line in the trait's implementation under `store/`, its contract test in `axon_store::contract`. Lists go as
//! one JSON text through `json_each($1)`, which PostgreSQL has from our migration. Quote `"user"`. To change the schema: a
//! new file under `migrations/` and a line in [`schema`].

mod access;
mod check;
mod codec;
mod copy;
mod database;
mod directory;
mod groups;
mod health;
mod holds;
mod integrations;
mod journal;
mod kept;
mod leases;
mod leavers;
mod list;
mod load;
mod maps;
mod members;
mod operators;
mod parked;
mod pieces;
mod raw;
mod reader;
mod removals;
pub mod schema;
mod session;
mod shipping;
mod state;
mod store;
mod tables;
mod tokens;
mod users;
mod value;
mod writer;

pub use check::{Finding, check_store};
pub use copy::{Copied, CopyError, copy};
pub use database::{Database, Terms};
pub use kept::Stamp;
pub use raw::{Progress, Raw};
pub use session::{Dialect, Session, Sql, SqlError, Tally};
pub use store::SqlStore;
pub use value::{Arg, FromRow, FromValue, Mismatch, Row, Value};
