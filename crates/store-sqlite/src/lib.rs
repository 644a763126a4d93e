//! The embedded store: one SQLite file in WAL mode with `synchronous=FULL`.
//!
//! ```text
//!  create, patch, append … ──> queue (bounded) ──> one writer task ──> BEGIN IMMEDIATE
//!                                                    for each: SAVEPOINT, run, RELEASE (or ROLLBACK TO)
//!                                                    records of all, COMMIT (one wait for the disk), answer all
//!  user, list, records …  ──> pool of read-only connections
//! ```
//!
//! Writes that arrive while the disk is being waited for share the next commit, so durability is never traded for speed.
//! Positions and hashes of records are given inside the transaction: a second process on the same file waits for the lock
//! and goes on from the true head.
//!
//! To add a command: an async function over [`Txn`](writer::Txn), a line in the trait's implementation, its contract test in
//! `axon_store::contract`. To change the schema: a new file under `migrations/` and a line in `schema.rs`.

mod address;
mod codec;
mod directory;
mod groups;
mod journal;
mod leases;
mod list;
mod load;
mod maps;
mod members;
mod open;
mod parked;
mod reader;
mod schema;
mod state;
mod store;
mod tokens;
mod users;
mod writer;

pub use address::Address;
pub use open::Options;
pub use store::SqliteStore;
