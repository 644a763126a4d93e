//! From accept to a session: PRELOGIN, TLS, LOGIN7.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::answer::ServerError;
use crate::session_port::{Credentials, Engine, LoginRequest, SessionPort};
use crate::tds::login7::{self, Login7, Proof};
use crate::tds::packet::{DEFAULT_PACKET_SIZE, PACKET_SIZES, PacketType};
use crate::tds::prelogin::{self, Cover, EncryptionFlag, Offer, Prelogin};
use crate::tds::tokens::{self, Done};
use crate::tds::version::TdsVersion;

use super::config::{Encryption, Identity, WireConfig};
use super::link::{Ended, Link};

/// Longest login record (2.2.6.4).
pub const MAX_LOGIN: usize = 128 * 1024;

/// What a login gives.
pub struct LoggedIn {
    /// The session.
    pub session: Box<dyn SessionPort>,
    /// The version spoken.
    pub version: TdsVersion,
}

/// Lead a new connection to a session. `None`: the client went away.
pub async fn run(
    link: &mut Link,
    peer: SocketAddr,
    engine: &Arc<dyn Engine>,
    config: &WireConfig,
) -> Result<Option<LoggedIn>, Ended> {
    let Some(mut message) = link.receive().await? else { return Ok(None) };
    let mut cover = Cover::Nothing;
    if message.kind == PacketType::Prelogin {
        cover = before_login(link, prelogin::parse(&message.body)?, config).await?;
        let Some(next) = link.receive().await? else { return Ok(None) };
        message = next;
    } else if matches!(config.encryption, Encryption::Required(_)) {
        return Err(Ended::Encryption);
    }
    if message.kind != PacketType::Login7 {
        return Err(Ended::Unexpected(message.kind));
    }
    let login = login7::parse(&message.body)?;
    if cover == Cover::Login {
        link.stop_tls();
    }
    log_in(link, login, peer, engine, config).await.map(Some)
}

async fn before_login(link: &mut Link, client: Prelogin, config: &WireConfig) -> Result<Cover, Ended> {
    let (offer, identity): (Offer, Option<&Identity>) = match &config.encryption {
        Encryption::Unsupported => (Offer::Unsupported, None),
        Encryption::Optional(identity) => (Offer::Optional, Some(identity)),
        Encryption::Required(identity) => (Offer::Required, Some(identity)),
    };
    let (flag, cover): (EncryptionFlag, Option<Cover>) = prelogin::agree(offer, client.encryption);
    let [major, minor, build_high, build_low] = config.version;
    let reply = prelogin::reply([major, minor, build_high, build_low, 0, 0], flag, client.fedauth);
    link.send(PacketType::Tabular, &reply, true).await?;
    let cover = cover.ok_or(Ended::Encryption)?;
    if let (Cover::Login | Cover::Everything, Some(identity)) = (cover, identity) {
        link.start_tls(identity).await?;
    }
    Ok(cover)
}

async fn log_in(
    link: &mut Link,
    login: Login7,
    peer: SocketAddr,
    engine: &Arc<dyn Engine>,
    config: &WireConfig,
) -> Result<LoggedIn, Ended> {
    let Some(version) = TdsVersion::negotiate(login.version) else {
        let error =
            ServerError::new(17_836, "The TDS version of the client is not supported.").with_class(20);
        return refuse(link, error, TdsVersion::V7_1, config).await;
    };
    let credentials = match login.proof {
        Proof::Given(credentials) => credentials,
        Proof::Integrated => {
            let message = "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.";
            return refuse(link, ServerError::new(18_452, message).with_class(14), version, config).await;
        }
        Proof::OtherLibrary(library) => {
            let message = format!(
                "Federated authentication library {library} is not supported; send a security token."
            );
            return refuse(link, ServerError::new(18_456, message).with_class(14), version, config).await;
        }
    };
    let with_token = matches!(credentials, Credentials::Token { .. });
    let request = LoginRequest {
        credentials,
        database: non_empty(login.database),
        app_name: login.app_name,
        host_name: login.host_name,
        client_addr: peer.ip().to_string(),
        language: non_empty(login.language),
    };
    let engine = Arc::clone(engine);
    let session = match super::work::blocking(move || engine.login(request)).await? {
        Ok(session) => session,
        Err(error) => return refuse(link, error, version, config).await,
    };

    let asked = usize::try_from(login.packet_size).unwrap_or(0);
    let granted = if asked == 0 { config.packet_size } else { asked.min(config.packet_size) };
    let granted = granted.clamp(*PACKET_SIZES.start(), *PACKET_SIZES.end());
    let mut answer = welcome(session.database().as_str(), version, config);
    if with_token {
        tokens::put_fedauth_ack(&mut answer, login.nonce);
    }
    tokens::put_env_text(&mut answer, 4, &granted.to_string(), &DEFAULT_PACKET_SIZE.to_string());
    tokens::put_done(&mut answer, Done::Statement, 0, 0, version);
    link.spid = session.spid();
    // The answer to a login still has the old size.
    link.send(PacketType::Tabular, &answer, true).await?;
    link.packet_size = granted;
    Ok(LoggedIn { session, version })
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// What precedes the end of a login's answer.
fn welcome(database: &str, version: TdsVersion, config: &WireConfig) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let info = |out: &mut Vec<u8>, number, text: String| {
        let message = ServerError::new(number, text).with_class(0).with_state(2);
        tokens::put_message(out, false, &message, &config.server_name, version);
    };
    tokens::put_env_text(&mut out, 1, database, "master");
    info(&mut out, 5701, format!("Changed database context to '{database}'."));
    tokens::put_env_collation(&mut out);
    tokens::put_env_text(&mut out, 2, "us_english", "");
    info(&mut out, 5703, "Changed language setting to us_english.".into());
    tokens::put_loginack(&mut out, version, &config.program, config.version);
    out
}

async fn refuse<T>(
    link: &mut Link,
    error: ServerError,
    version: TdsVersion,
    config: &WireConfig,
) -> Result<T, Ended> {
    let mut out = Vec::new();
    tokens::put_message(&mut out, true, &error, &config.server_name, version);
    tokens::put_done(&mut out, Done::Statement, tokens::DONE_ERROR, 0, version);
    link.send(PacketType::Tabular, &out, true).await?;
    link.close().await;
    Err(Ended::Refused(error))
}
