//! Logins over real TDS with tiberius: SQL and token, bare and under TLS.
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]

#[path = "wire/stand_in.rs"]
mod stand_in;

use axon_emulator::{Encryption, Identity, WireConfig};
use stand_in::{PASSWORD, TestServer, token_of};
use tiberius::{AuthMethod, EncryptionLevel, error::Error};

fn offered() -> Identity {
    Identity::self_signed(vec!["localhost".into()]).unwrap()
}

#[tokio::test]
async fn sql_login_reaches_the_engine_with_everything_the_client_said() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut config = server.tiberius();
    config.application_name("the app");
    config.database("dw");
    let mut client = server.connect(config).await.unwrap();
    let row = client.simple_query("facts").await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<&str, _>("login"), Some("sa"));
    assert_eq!(row.get::<&str, _>("app"), Some("the app"));
    assert_eq!(row.get::<&str, _>("database"), Some("dw"));
}

#[tokio::test]
async fn a_refused_login_says_18456() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut config = server.tiberius();
    config.authentication(AuthMethod::sql_server("sa", "wrong"));
    match server.connect(config).await {
        Err(Error::Server(error)) => assert_eq!((error.code(), error.class()), (18_456, 14)),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[tokio::test]
async fn every_level_of_encryption_logs_in() {
    for (encryption, level) in [
        (Encryption::Unsupported, EncryptionLevel::NotSupported),
        (Encryption::Optional(offered()), EncryptionLevel::NotSupported),
        (Encryption::Optional(offered()), EncryptionLevel::Off),
        (Encryption::Optional(offered()), EncryptionLevel::On),
        (Encryption::Optional(offered()), EncryptionLevel::Required),
        (Encryption::Required(offered()), EncryptionLevel::Off),
        (Encryption::Required(offered()), EncryptionLevel::On),
        (Encryption::Required(offered()), EncryptionLevel::Required),
    ] {
        let server = TestServer::start(WireConfig { encryption, ..WireConfig::default() }).await;
        let mut config = server.tiberius();
        config.encryption(level);
        let mut client = server.connect(config).await.unwrap_or_else(|error| panic!("{level:?}: {error}"));
        let row = client.simple_query("one").await.unwrap().into_row().await.unwrap().unwrap();
        assert_eq!(row.get::<i32, _>(0), Some(1), "{level:?}");
    }
}

#[tokio::test]
async fn clients_and_servers_that_cannot_agree_part() {
    let server = TestServer::start(WireConfig::default()).await;
    let mut config = server.tiberius();
    config.encryption(EncryptionLevel::Required);
    assert!(server.connect(config).await.is_err());

    let server = TestServer::start(WireConfig {
        encryption: Encryption::Required(offered()),
        ..WireConfig::default()
    })
    .await;
    let mut config = server.tiberius();
    config.encryption(EncryptionLevel::NotSupported);
    assert!(server.connect(config).await.is_err());
}

#[tokio::test]
async fn a_certificate_is_checked_by_the_client_and_passes_when_trusted() {
    let identity = offered();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, &identity.certificate_pem).unwrap();
    let server =
        TestServer::start(WireConfig { encryption: Encryption::Required(identity), ..WireConfig::default() })
            .await;

    let mut trusting = server.config_without_trust();
    trusting.trust_cert_ca(path.to_str().unwrap());
    server.connect(trusting).await.unwrap();
    assert!(server.connect(server.config_without_trust()).await.is_err());
}

#[tokio::test]
async fn a_security_token_arrives_whole() {
    let identity = offered();
    let server =
        TestServer::start(WireConfig { encryption: Encryption::Optional(identity), ..WireConfig::default() })
            .await;
    let jwt = token_of("ana@example.com", 3000);
    let mut config = server.tiberius();
    config.authentication(AuthMethod::aad_token(&jwt));
    let mut client = server.connect(config).await.unwrap();
    let row = client.simple_query("facts").await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<&str, _>("login"), Some(jwt.as_str()));

    let mut config = server.tiberius();
    config.authentication(AuthMethod::aad_token("refused"));
    assert!(matches!(server.connect(config).await, Err(Error::Server(error)) if error.code() == 18_456));
}

#[tokio::test]
async fn the_password_is_no_part_of_the_debug_text_of_credentials() {
    let credentials = axon_emulator::Credentials::Sql { user: "sa".into(), password: PASSWORD.into() };
    assert!(!format!("{credentials:?}").contains(PASSWORD));
}
