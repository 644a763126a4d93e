//! A stand-in for Synapse: TDS server, catalog, T-SQL front end, faults.

pub mod answer;
pub mod session_port;

pub use answer::{Answer, Column, ServerError, SqlType, Value};
pub use session_port::{Cancel, Credentials, Engine, LoginRequest, Param, SessionPort};
