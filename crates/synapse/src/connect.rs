//! Where a pool is, how it is reached, and as whom.

mod login;
mod session;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axon_model::SqlName;
use axon_reconcile::TokenSource;
use secrecy::SecretString;

use crate::error::ConfigError;

pub(crate) use session::{Link, Session};

/// How the server proves who it is.
#[derive(Clone)]
pub enum Tls {
    /// By a certificate that this machine trusts, in the host's name.
    Verify,
    /// By a certificate that this machine or one of these PEM certificates vouches for, in the host's name.
    Ca(Vec<u8>),
    /// Not at all, and nothing is encrypted: for this machine only.
    Off,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verify => "Verify",
            Self::Ca(_) => "Ca",
            Self::Off => "Off",
        })
    }
}

/// As whom we log in.
#[derive(Clone)]
pub enum Auth {
    /// A SQL login. It cannot create principals of the directory (33159).
    Sql {
        /// The login's name.
        user: String,
        /// Its password.
        password: SecretString,
    },
    /// A SQL login whose password may change: it is fetched anew for each login.
    SqlFrom {
        /// The login's name.
        user: String,
        /// Where its password is from.
        password: Arc<dyn TokenSource>,
    },
    /// Whoever the token names. It is fetched anew for each login, since a token is checked at login only.
    Token(Arc<dyn TokenSource>),
}

impl Auth {
    /// Whether a session of it may create principals of the directory.
    pub fn is_entra(&self) -> bool {
        matches!(self, Self::Token(_))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql { user, password: _ } | Self::SqlFrom { user, password: _ } => {
                f.debug_struct("Sql").field("user", user).finish_non_exhaustive()
            }
            Self::Token(_) => f.write_str("Token"),
        }
    }
}

/// Where a pool is and how it is reached.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Host name or address.
    pub host: String,
    /// 1433 as a rule.
    pub port: u16,
    /// The database: Entra principals are not in `master`, so it is always named.
    pub database: SqlName,
    /// How the server proves who it is.
    pub tls: Tls,
    /// As whom we log in.
    pub auth: Auth,
    /// How long connecting may take, redirections included; a pool that warms up wants up to 300 s.
    pub login_timeout: Duration,
    /// How long the server may be silent while it owes an answer.
    pub command_timeout: Duration,
}

impl Connection {
    /// Checks what can be checked without a network.
    pub fn check(&self) -> Result<(), ConfigError> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == '@';
        if self.host.is_empty() || self.host.len() > 255 || self.host.contains(odd) {
            return Err(ConfigError::Host);
        }
        match &self.tls {
            Tls::Off if !is_loopback_name(&self.host) => {
                return Err(ConfigError::TlsOff { host: self.host.clone() });
            }
            Tls::Ca(pem) if !pem.windows(27).any(|w| w == b"-----BEGIN CERTIFICATE-----") => {
                return Err(ConfigError::NotPem);
            }
            Tls::Ca(_) | Tls::Verify | Tls::Off => {}
        }
        if self.login_timeout.is_zero() {
            return Err(ConfigError::Zero("the login time-out"));
        }
        if self.command_timeout.is_zero() {
            return Err(ConfigError::Zero("the command time-out"));
        }
        Ok(())
    }
}

/// Whether the name can only mean this machine. What it resolves to is checked again when it is dialled.
fn is_loopback_name(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(host: &str, tls: Tls) -> Connection {
        Connection {
            host: host.into(),
            port: 1433,
            database: SqlName::parse("dw").unwrap(),
            tls,
            auth: Auth::Sql { user: "sa".into(), password: SecretString::from("Tr0ub4dor") },
            login_timeout: Duration::from_secs(1),
            command_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn plain_text_is_for_this_machine_only() {
        for host in ["127.0.0.1", "127.8.8.8", "::1", "LocalHost"] {
            assert_eq!(connection(host, Tls::Off).check(), Ok(()), "{host}");
        }
        for host in
            ["10.0.0.1", "acme.sql.azuresynapse.net", "localhost.evil.example", "127.0.0.1.nip.io", "0.0.0.0"]
        {
            assert_eq!(connection(host, Tls::Off).check(), Err(ConfigError::TlsOff { host: host.into() }));
            assert_eq!(connection(host, Tls::Verify).check(), Ok(()));
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for host in ["", "a b", "a/b", "user@host", "a\nb"] {
            assert_eq!(connection(host, Tls::Verify).check(), Err(ConfigError::Host), "{host:?}");
        }
        assert_eq!(connection("h", Tls::Ca(b"junk".to_vec())).check(), Err(ConfigError::NotPem));
        let mut c = connection("h", Tls::Verify);
        c.command_timeout = Duration::ZERO;
        assert_eq!(c.check(), Err(ConfigError::Zero("the command time-out")));
    }

    #[test]
    fn debug_holds_no_secret() {
        let text = format!("{:?}", connection("h", Tls::Verify));
        assert!(text.contains("sa") && !text.contains("Tr0ub4dor"), "{text}");
    }
}
