//! T-SQL for Synapse: statements, rendering, catalog queries, inspect, apply, server errors.

mod apply;
mod catalog;
pub mod connect;
pub mod error;
mod kill;
mod narrow;
mod read_back;
pub mod render;
pub mod server_error;
pub mod statement;
mod target;
pub mod token;

pub use connect::{Auth, Connection, Tls};
pub use error::ConfigError;
pub use render::{Sql, render};
pub use statement::{Dialect, Statement, Wording, Work};
pub use target::SynapseTarget;
pub use token::{TokenCommand, TokenFile};
