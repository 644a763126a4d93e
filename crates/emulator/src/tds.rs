//! The wire layer: TDS 7.1 to 7.4, server side.
//!
//! ```text
//!  socket -> packet (reassembly) -> prelogin / login7 / request -> session port
//!  socket <- packet (splitting)  <- token stream                <- answers
//! ```
//!
//! Everything here works on byte slices and is pure; sockets and tasks are in
//! [`crate::server`]. Section numbers in comments are those of MS-TDS.

pub mod bulk;
pub mod charset;
pub mod coerce;
pub mod decimal;
pub mod login7;
pub mod moment;
pub mod packet;
pub mod param;
pub mod param_definition;
pub mod prelogin;
pub mod reader;
pub mod request;
pub mod response;
pub mod rpc;
pub mod tls;
pub mod tokens;
pub mod type_info;
pub mod value;
pub mod version;

#[cfg(test)]
mod any_bytes;
