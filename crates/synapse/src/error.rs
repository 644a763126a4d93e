//! What can go wrong between us and a pool.

use axon_reconcile::{Refusal, Retry, TargetError};

/// Why a connection as configured is refused before it is tried. `Display` names the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Plain text over a network.
    #[error(
        "tls is off, which is allowed for this machine only (127.0.0.0/8, ::1, localhost), not for {host}; \
         leave tls out, or name the authority that signed the server's certificate with tls: {{ca: FILE}}"
    )]
    TlsOff {
        /// The host that was given.
        host: String,
    },
    /// No host.
    #[error("the host is empty or holds characters that no host name has")]
    Host,
    /// Nothing that could be a certificate.
    #[error("the certificate authority is not a PEM certificate (no -----BEGIN CERTIFICATE----- in it)")]
    NotPem,
    /// A time-out of nothing.
    #[error("{0} must be longer than nothing")]
    Zero(&'static str),
}

/// Why a call did not give what it was made for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No connection; nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// There is no token to show; nothing was sent.
    #[error("{0}")]
    NoToken(String),
    /// The server answered no.
    #[error("{refusal}")]
    Refused {
        /// In its words.
        refusal: Refusal,
        /// When to try again.
        retry: Retry,
    },
    /// The connection broke after something was sent.
    #[error("{0}")]
    Broken(String),
    /// The same, on a connection that was kept from before and had not shown since that it lives.
    #[error("{0}")]
    Stale(String),
    /// The answer makes no sense.
    #[error("{0}")]
    Unreadable(String),
}

impl CallError {
    /// The same as the port knows it.
    pub(crate) fn at(self, target: &str, attempt: &'static str) -> TargetError {
        let target = target.to_owned();
        match self {
            Self::Unreachable(reason) => TargetError::Unreachable { target, reason },
            Self::Broken(reason) | Self::Stale(reason) => {
                TargetError::Unreachable { target, reason: format!("{attempt}: {reason}") }
            }
            Self::NoToken(reason) => TargetError::NoToken { target, reason },
            Self::Refused { refusal, retry } => TargetError::Refused { target, attempt, refusal, retry },
            Self::Unreadable(reason) => TargetError::Unreadable { target, attempt, reason },
        }
    }
}
