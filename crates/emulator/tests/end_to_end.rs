//! The whole emulator with tiberius: log in, change the catalog, read it back.
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]

use axon_emulator::{Emulator, EmulatorConfig, Encryption, Identity, Running};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

type Connection = Client<Compat<TcpStream>>;

const PASSWORD: &str = "Str0ng!Password";

async fn emulator() -> Running {
    Emulator::bind("127.0.0.1:0", EmulatorConfig::new("sa", PASSWORD)).await.unwrap().spawn()
}

async fn log_in(server: &Running, user: &str, password: &str) -> Result<Connection, Error> {
    let mut config = Config::new();
    config.authentication(AuthMethod::sql_server(user, password));
    config.encryption(EncryptionLevel::NotSupported);
    config.database("dw");
    let stream = TcpStream::connect(server.address()).await.unwrap();
    Box::pin(Client::connect(config, stream.compat_write())).await
}

async fn run(client: &mut Connection, sql: &str) {
    if let Err(error) = try_run(client, sql).await {
        panic!("{sql}: {error}");
    }
}

async fn try_run(client: &mut Connection, sql: &str) -> Result<(), Error> {
    client.simple_query(sql).await?.into_results().await.map(|_| ())
}

async fn rows(client: &mut Connection, sql: &str) -> Vec<Row> {
    match client.simple_query(sql).await {
        Ok(stream) => stream.into_first_result().await.unwrap_or_else(|error| panic!("{sql}: {error}")),
        Err(error) => panic!("{sql}: {error}"),
    }
}

fn code(result: Result<(), Error>) -> Option<u32> {
    match result {
        Err(Error::Server(error)) => Some(error.code()),
        Ok(()) => None,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn the_administrator_creates_roles_grants_and_reads_the_catalog() {
    let server = emulator().await;
    let mut client = log_in(&server, "sa", PASSWORD).await.unwrap();
    for sql in [
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders (id int NOT NULL, customer nvarchar(100))",
        "CREATE ROLE readers",
        "CREATE USER ana WITHOUT LOGIN",
        "EXEC sp_addrolemember 'readers', 'ana'",
        "GRANT SELECT ON SCHEMA::sales TO readers",
        "GRANT SELECT ON sales.orders (id) TO ana WITH GRANT OPTION",
        "DENY INSERT ON OBJECT::sales.orders TO readers",
    ] {
        run(&mut client, sql).await;
    }

    let found = rows(
        &mut client,
        "SELECT pr.name, pe.class_desc, pe.permission_name, pe.state_desc, pe.minor_id \
         FROM sys.database_permissions pe \
         JOIN sys.database_principals pr ON pr.principal_id = pe.grantee_principal_id \
         WHERE pr.name IN ('readers', 'ana') \
         ORDER BY pr.name, pe.class_desc, pe.permission_name",
    )
    .await;
    let lines: Vec<String> = found
        .iter()
        .map(|row| {
            let text = |name| row.get::<&str, _>(name).unwrap_or("NULL").trim().to_owned();
            format!(
                "{} {} {} {} {}",
                text("name"),
                text("class_desc"),
                text("permission_name"),
                text("state_desc"),
                row.get::<i32, _>("minor_id").unwrap_or(-1)
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "ana DATABASE CONNECT GRANT 0",
            "ana OBJECT_OR_COLUMN SELECT GRANT_WITH_GRANT_OPTION 1",
            "readers OBJECT_OR_COLUMN INSERT DENY 0",
            "readers SCHEMA SELECT GRANT 0",
        ]
    );

    let members = rows(
        &mut client,
        "SELECT r.name AS role, m.name AS member FROM sys.database_role_members rm \
         JOIN sys.database_principals r ON r.principal_id = rm.role_principal_id \
         JOIN sys.database_principals m ON m.principal_id = rm.member_principal_id \
         WHERE r.name = 'readers'",
    )
    .await;
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].get::<&str, _>("member"), Some("ana"));
}

#[tokio::test]
async fn parameters_reach_a_query() {
    let server = emulator().await;
    let mut client = log_in(&server, "sa", PASSWORD).await.unwrap();
    run(&mut client, "CREATE ROLE readers").await;
    let row = client
        .query(
            "SELECT name, principal_id, type_desc FROM sys.database_principals WHERE name = @P1",
            &[&"READERS"],
        )
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<&str, _>("name"), Some("readers"));
    assert_eq!(row.get::<&str, _>("type_desc"), Some("DATABASE_ROLE"));
}

#[tokio::test]
async fn errors_carry_the_servers_numbers_and_leave_the_connection_usable() {
    let server = emulator().await;
    let mut client = log_in(&server, "sa", PASSWORD).await.unwrap();
    run(&mut client, "CREATE ROLE readers").await;
    for (sql, number) in [
        ("CREATE ROLE readers", 15_023),
        ("GRANT SELECT ON SCHEMA::dbo TO nobody", 15_151),
        ("ALTER ROLE readers ADD MEMBER dbo", 103_010),
        ("SELECT * FROM dbo.missing", 208),
    ] {
        assert_eq!(code(try_run(&mut client, sql).await), Some(number), "{sql}");
    }
    run(&mut client, "DROP ROLE readers").await;
    assert!(
        matches!(log_in(&server, "sa", "wrong").await, Err(Error::Server(error)) if error.code() == 18_456)
    );
}

#[tokio::test]
async fn kill_cuts_the_other_session() {
    let server = emulator().await;
    let mut admin = log_in(&server, "sa", PASSWORD).await.unwrap();
    let mut victim = log_in(&server, "sa", PASSWORD).await.unwrap();
    let own = rows(&mut victim, "SELECT SESSION_ID()").await;
    let own = own[0].get::<&str, _>(0).unwrap().to_owned();
    run(&mut admin, &format!("KILL '{own}'")).await;
    assert!(try_run(&mut victim, "SELECT 1").await.is_err());
    run(&mut admin, "SELECT 1").await;
}

#[tokio::test]
async fn ddl_inside_a_transaction_is_refused_with_111212() {
    let server = emulator().await;
    let mut client = log_in(&server, "sa", PASSWORD).await.unwrap();
    run(&mut client, "BEGIN TRAN").await;
    assert_eq!(code(try_run(&mut client, "CREATE ROLE inside").await), Some(111_212));
    run(&mut client, "ROLLBACK").await;
    run(&mut client, "CREATE ROLE outside").await;
}

/// A token whose signature nobody checks, valid until 2100 unless told otherwise.
fn token(upn: &str, expires: u64) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"upn":"{upn}","exp":{expires},"aud":"https://database.windows.net/"}}"#);
    format!("{}.{}.signature", part(r#"{"alg":"none"}"#), part(&claims))
}

#[tokio::test]
async fn the_entra_administrator_enters_as_dbo_by_token_under_tls() {
    let identity = Identity::self_signed(vec!["localhost".into()]).unwrap();
    let mut settings = EmulatorConfig::new("sa", PASSWORD);
    settings.pool.entra_admin = Some("admin@example.com".into());
    settings.wire.encryption = Encryption::Required(identity);
    let server = Emulator::bind("127.0.0.1:0", settings).await.unwrap().spawn();
    for (upn, expires, admitted) in [
        ("admin@example.com", 4_102_444_800, true),
        ("admin@example.com", 1_000_000_000, false),
        ("stranger@example.com", 4_102_444_800, false),
    ] {
        let mut config = Config::new();
        config.authentication(AuthMethod::aad_token(token(upn, expires)));
        config.trust_cert();
        config.database("dw");
        let stream = TcpStream::connect(server.address()).await.unwrap();
        match Box::pin(Client::connect(config, stream.compat_write())).await {
            Ok(mut client) => {
                assert!(admitted, "{upn} {expires}");
                let user = rows(&mut client, "SELECT USER_NAME() AS u").await;
                assert_eq!(user[0].get::<&str, _>("u"), Some("dbo"));
            }
            Err(Error::Server(error)) => {
                assert_eq!((error.code(), admitted), (18_456, false), "{upn} {expires}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    server.stop().await;
}
