//! The server of a serverless pool as a target: a person gets a login with what the map says, reads without a user, and is out.

use anyhow::ensure;
use axon_tests::{Place, Pool, SOON, Serve, until};

const KIM: &str = "kim@acme.example";
const MAP: &str = "axon: 1
targets:
  warehouse:
    kind: synapse-serverless
    host: 127.0.0.1
    port: PORT
    database: master
    tls: off
    auth: { token-file: pool.token }
    mode: authoritative
roles:
  lake-reader:
    direct: true
    grants:
      warehouse:
        - connect any database, select all user securables on server
        - references on credential::[https://acme.dfs.core.windows.net/raw]
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [lake-reader] }
";

/// What the server's catalog gives a login.
async fn held(pool: &Pool) -> anyhow::Result<Vec<String>> {
    let mut admin = pool.admin().await?;
    admin
        .column(&format!(
            "SELECT p.state_desc + ' ' + p.permission_name FROM sys.server_permissions p \
             JOIN sys.server_principals u ON u.principal_id = p.grantee_principal_id \
             WHERE u.name = '{KIM}' ORDER BY 1"
        ))
        .await
}

#[tokio::test]
async fn a_login_comes_with_its_permissions_and_goes_with_its_sessions() -> anyhow::Result<()> {
    let place = Place::new([KIM])?;
    let pool = Pool::start_empty(&place, 0, &["--kind", "serverless"]).await?;
    let mut admin = pool.admin().await?;
    for batch in [
        "CREATE SCHEMA sales",
        "CREATE VIEW sales.orders AS SELECT 1 AS order_id",
        "CREATE CREDENTIAL [https://acme.dfs.core.windows.net/raw] WITH IDENTITY = 'Managed Identity'",
    ] {
        admin.run(batch).await?;
    }
    place.furnish(MAP, pool.port()?)?;
    let token = place.token("entra").await?;
    place.token("okta").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let kim = scim.person(KIM).await?;
    scim.group("Readers", &[&kim]).await?;
    let wanted = [
        "GRANT CONNECT ANY DATABASE",
        "GRANT CONNECT SQL",
        "GRANT REFERENCES",
        "GRANT SELECT ALL USER SECURABLES",
    ];
    until("kim has a login", SOON, async || Ok((held(&pool).await? == wanted).then_some(()))).await?;
    place.axon(&["plan", "--check"]).await?.exits(0)?;
    let why = place.axon(&["explain", KIM]).await?.exits(0)?.out;
    ensure!(why.contains("select all user securables on server"), "{why}");
    // No user was made in any database, and kim reads.
    let mut session = pool.person(KIM).await?;
    session.run("SELECT order_id FROM sales.orders").await?;

    // What somebody gave by hand is drift.
    admin.run("USE master").await?;
    admin.run(&format!("GRANT VIEW SERVER STATE TO [{KIM}]")).await?;
    let drift = place.axon(&["drift", "list"]).await?.exits(3)?.out;
    ensure!(drift.to_lowercase().contains("view server state on server"), "{drift}");

    scim.activate(&kim, "False").await?;
    until("kim is shut out", SOON, async || {
        // What somebody gave by hand goes with all else, though the service never saw it before.
        Ok((held(&pool).await? == ["DENY CONNECT SQL"]).then_some(()))
    })
    .await?;
    until("the session is gone", SOON, async || Ok(session.run("SELECT 1 AS one").await.err().map(drop)))
        .await?;
    ensure!(pool.person(KIM).await.is_err(), "and no other comes");
    let sent = place.statements().await?;
    let revoked = format!("REVOKE VIEW SERVER STATE FROM [{KIM}]");
    ensure!(sent.iter().any(|statement| statement.contains(&revoked)), "it is on record: {sent:#?}");
    place.axon(&["holds", "list"]).await?.exits(0)?;
    place.axon(&["drift", "list"]).await?.exits(0)?;
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    pool.stop().await
}
