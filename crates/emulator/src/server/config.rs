//! Settings of the wire layer.

use std::time::Duration;

pub use crate::tds::tls::{Identity, TlsError};

/// Whether connections are encrypted.
#[derive(Debug, Clone)]
pub enum Encryption {
    /// There is no TLS; clients that insist on it are turned away.
    Unsupported,
    /// As the client likes: nothing, the login record, or everything.
    Optional(Identity),
    /// Everything; clients without TLS are turned away.
    Required(Identity),
}

/// Settings of the wire layer.
#[derive(Debug, Clone)]
pub struct WireConfig {
    /// TLS.
    pub encryption: Encryption,
    /// Name of the server in messages.
    pub server_name: String,
    /// Program name shown at login.
    pub program: String,
    /// Major, minor, build (two bytes), shown before and at login.
    pub version: [u8; 4],
    /// Time from accept to the end of login.
    pub login_timeout: Duration,
    /// Longest request in bytes; longer ones end the connection.
    pub max_message: usize,
    /// Connections at one time; more are closed when they come.
    pub max_connections: usize,
    /// Packet size for clients that leave it open, and the largest that is granted.
    pub packet_size: usize,
}

impl Default for WireConfig {
    fn default() -> Self {
        Self {
            encryption: Encryption::Unsupported,
            server_name: "axon-emulator".into(),
            program: "Microsoft SQL Server".into(),
            version: [12, 0, 0x07, 0xD0],
            login_timeout: Duration::from_secs(15),
            max_message: 16 * 1024 * 1024,
            max_connections: 256,
            packet_size: 8000,
        }
    }
}
