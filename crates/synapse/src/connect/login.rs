//! Dialling, the handshake, and the redirections that a gateway may order.

use std::net::SocketAddr;

use secrecy::ExposeSecret as _;
use tiberius::error::Error as TdsError;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use super::{Auth, Connection, Tls, is_loopback_name};
use crate::error::CallError;
use crate::server_error;

pub(super) type Tds = Client<Compat<TcpStream>>;

/// How often a login may be sent elsewhere. One is the rule inside Azure.
const MOST_REDIRECTIONS: usize = 3;

/// Connects and logs in.
pub(super) async fn open(to: &Connection) -> Result<Tds, CallError> {
    let auth = match &to.auth {
        Auth::Sql { user, password } => AuthMethod::sql_server(user, password.expose_secret()),
        Auth::SqlFrom { user, password: source } => {
            let password = source.token().await.map_err(|e| CallError::NoToken(e.to_string()))?;
            AuthMethod::sql_server(user, password.expose_secret())
        }
        Auth::Token(source) => {
            let token = source.token().await.map_err(|e| CallError::NoToken(e.to_string()))?;
            AuthMethod::aad_token(token.expose_secret())
        }
    };
    tokio::time::timeout(to.login_timeout, follow(to, auth)).await.unwrap_or_else(|_| {
        let waited = to.login_timeout.as_secs_f32();
        Err(CallError::Unreachable(format!("no login on {}:{} within {waited} s", to.host, to.port)))
    })
}

async fn follow(to: &Connection, auth: AuthMethod) -> Result<Tds, CallError> {
    let (mut host, mut port) = (to.host.clone(), to.port);
    for _ in 0..=MOST_REDIRECTIONS {
        // A redirection is an order of the server: the rule for plain text holds for where it leads, too.
        if matches!(to.tls, Tls::Off) && !is_loopback_name(&host) {
            return Err(CallError::Unreachable(format!(
                "the server sends us on to {host}, where plain text is not allowed"
            )));
        }
        let stream = dial(&host, port, &to.tls).await?;
        let config = config(to, &host, port, auth.clone());
        // The driver's handshake is a future of many kilobytes.
        match Box::pin(Client::connect(config, stream.compat_write())).await {
            Ok(client) => return Ok(client),
            Err(TdsError::Routing { host: next, port: next_port }) => {
                tracing::debug!(host = %next, port = next_port, "the gateway sends us on");
                (host, port) = (next, next_port);
            }
            Err(error) => return Err(refused_login(&error, &host, port)),
        }
    }
    Err(CallError::Unreachable(format!("{} sends us on and on ({MOST_REDIRECTIONS} times)", to.host)))
}

async fn dial(host: &str, port: u16, tls: &Tls) -> Result<TcpStream, CallError> {
    let failed = |e: std::io::Error| CallError::Unreachable(format!("{host}:{port}: {e}"));
    let mut addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((host, port)).await.map_err(failed)?.collect();
    if matches!(tls, Tls::Off) {
        addresses.retain(|a| a.ip().is_loopback());
    }
    let stream = TcpStream::connect(addresses.as_slice()).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

fn config(to: &Connection, host: &str, port: u16, auth: AuthMethod) -> Config {
    let mut config = Config::new();
    config.host(host);
    config.port(port);
    config.database(to.database.as_str());
    config.application_name("axon");
    config.authentication(auth);
    config.handshake_timeout(Some(to.login_timeout));
    // Watched by the session, which can then tell the server to stop; the driver's own ends the connection without a word.
    config.command_timeout(None);
    // Names with lone surrogates are possible in a catalog; one of them must not make the whole of it unreadable.
    config.lossy_utf16_decoding(true);
    match &to.tls {
        Tls::Verify => config.encryption(EncryptionLevel::Required),
        Tls::Ca(pem) => {
            config.encryption(EncryptionLevel::Required);
            config.trust_cert_ca_bundle(pem.clone());
        }
        Tls::Off => config.encryption(EncryptionLevel::NotSupported),
    }
    config
}

fn refused_login(error: &TdsError, host: &str, port: u16) -> CallError {
    match error {
        TdsError::Server(token) => {
            let number = i64::from(token.code());
            CallError::Refused {
                refusal: server_error::refusal(number, token.message()),
                retry: server_error::retry(number, token.message()),
            }
        }
        TdsError::Tls(text) => {
            // The driver adds advice on its own API.
            let text = text.split(" To connect anyway").next().unwrap_or(text);
            CallError::Unreachable(format!("{host}:{port}: TLS: {text}"))
        }
        other => CallError::Unreachable(format!("{host}:{port}: {other}")),
    }
}
