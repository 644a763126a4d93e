//! A stand-in for one Synapse SQL pool: a TDS server, a catalog, a T-SQL front end, faults.
//!
//! ```text
//!  client ── TDS ── server + tds ──► session_port ──► pool ── session
//!                                                       │        │
//!                                        directory, faults    sql (lexer, parser)
//!                                                              │        │
//!                                                          execute    query (SQLite)
//!                                                              │        │
//!                                                           catalog ◄── permissions, visibility
//! ```
//!
//! - [`emulator`] joins a pool and a server: start here.
//! - [`server`] and `tds` know TDS and no SQL; [`session_port`] and [`answer`] are all that they see of the rest.
//! - [`pool`] holds the state behind one lock and is changed by `execute`; `query` answers every `SELECT` with an
//!   embedded SQLite over a snapshot of the catalog.
//! - [`permissions`] is the one place that says what a caller may do, [`visibility`] what it may see.
//!
//! A new statement gets a node in `sql/ast.rs`, a parser under `sql/parser/` and a function under `execute/`. A new
//! system view gets a file under `query/system/`. A new fault is a variant of [`faults::Fault`].

pub mod answer;
pub mod catalog;
pub mod clock;
pub mod cloud;
pub mod control;
pub mod directory;
pub mod emulator;
pub mod errors;
mod execute;
pub mod faults;
pub mod http;
pub mod identity;
pub mod permissions;
pub mod pool;
mod query;
pub mod saved;
pub mod server;
pub mod session;
pub mod session_port;
mod sql;
mod tds;
#[cfg(test)]
mod testing;
pub mod visibility;

pub use answer::{Answer, Column, ServerError, SqlType, Value};
pub use directory::Directory;
pub use emulator::{Emulator, EmulatorConfig, Running};
pub use pool::Pool;
pub use pool::config::{PoolConfig, PoolKind};
pub use server::Server;
pub use server::config::{Encryption, Identity, TlsError, WireConfig};
pub use session_port::{BulkRows, Cancel, Credentials, Engine, LoginRequest, Param, SessionPort};
