//! A stand-in for Synapse: TDS server, catalog, T-SQL front end, faults.

pub mod answer;
pub mod catalog;
pub mod clock;
pub mod errors;
pub mod identity;
pub mod permissions;
pub mod server;
pub mod session_port;
pub mod sql;
mod tds;
pub mod visibility;

pub use answer::{Answer, Column, ServerError, SqlType, Value};
pub use server::Server;
pub use server::config::{Encryption, Identity, TlsError, WireConfig};
pub use session_port::{Cancel, Credentials, Engine, LoginRequest, Param, SessionPort};
