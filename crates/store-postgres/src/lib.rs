//! The store for several replicas: one schema of a PostgreSQL database, in which one replica writes at a time.
//!
//! ```text
//!  replica A ── BEGIN; lock of the store; writes …; records; NOTIFY; COMMIT ──┐
//!  replica B ── waits for the lock, gathering writes ──────────────────────── then its own group, from the true head
//!  both      ── LISTEN: the position moves by everybody's commits; reads go on all the time
//! ```
//!
//! What a store says and decides is in `axon_store_sql`; here is how the server is reached ([`PostgresServer`]) and how
//! statements go there. The lock is taken before anything is read, so positions follow commits and nothing that a write has
//! looked at changes under it (docs/adr/0011).

mod address;
#[cfg(feature = "cluster")]
pub mod cluster;
mod connect;
mod follow;
mod schema;
mod server;
mod session;

pub use address::{Address, without_password};
pub use server::{LeaseClock, Options, PostgresServer};

/// A store in a PostgreSQL database.
pub type PostgresStore = axon_store_sql::SqlStore<PostgresServer>;
