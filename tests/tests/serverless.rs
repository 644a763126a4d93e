//! A serverless pool: its server as a target, where a person gets a login with what the map says, reads without a user, and is out; two
//! databases of it beside each other; and sessions that nobody proved to be seen.

use anyhow::ensure;
use axon_tests::{CONFIG, ENTRA_ADMIN, Place, Pool, SOON, Serve, entra_token, until};

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

const ANA: &str = "ana@acme.example";
const ROBOT: &str = "robot@acme.example";

/// One database, and Axon is no more than `db_owner` there.
const ALONE: &str = "axon: 1
targets:
  warehouse:
    kind: synapse-serverless
    host: 127.0.0.1
    port: PORT
    database: dw
    tls: off
    auth: { token-file: pool.token }
    mode: authoritative
    role_name: \"axon_{role}\"
    manage: { roles: [\"axon_*\"], schemas: [], principals: mapped }
roles:
  reader: { grants: { warehouse: [select on sales.orders] } }
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
guards: { tombstones: 1s }
";

fn looks_often(place: &Place) -> anyhow::Result<()> {
    let often = CONFIG.replace("retry_seconds: 1", "retry_seconds: 1, inspect_every_seconds: 1");
    place.write("axon.yaml", &often)
}

/// What a database's catalog has of these people: their users, with `-` before those who may not connect.
async fn users(pool: &Pool, database: &str) -> anyhow::Result<Vec<String>> {
    let mut admin = pool.person_in(database, ENTRA_ADMIN).await?;
    admin
        .column(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM sys.database_permissions p WHERE p.grantee_principal_id = u.principal_id \
             AND p.type = 'CO' AND p.state = 'D') THEN N'-' ELSE N'' END + u.name \
             FROM sys.database_principals u WHERE u.type = 'E' ORDER BY u.name",
        )
        .await
}

#[tokio::test]
async fn sessions_that_nobody_proved_to_be_seen_are_unknown_until_the_server_shows_them() -> anyhow::Result<()>
{
    let place = Place::new([KIM, ROBOT])?;
    let pool = Pool::start_empty(&place, 0, &["--kind", "serverless", "--sessions-at-server"]).await?;
    let mut admin = pool.person(ENTRA_ADMIN).await?;
    for batch in [
        "CREATE SCHEMA sales".to_owned(),
        "CREATE VIEW sales.orders AS SELECT 1 AS order_id".to_owned(),
        format!("CREATE USER [{ROBOT}] FROM EXTERNAL PROVIDER"),
        format!("ALTER ROLE db_owner ADD MEMBER [{ROBOT}]"),
    ] {
        admin.run(&batch).await?;
    }
    place.furnish(ALONE, pool.port()?)?;
    looks_often(&place)?;
    place.write("pool.token", &entra_token(ROBOT))?;
    let token = place.token("entra").await?;
    place.token("okta").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let kim = scim.person(KIM).await?;
    scim.group("Readers", &[&kim]).await?;
    until("kim has a user", SOON, async || {
        Ok(users(&pool, "dw").await?.iter().any(|user| user == KIM).then_some(()))
    })
    .await?;
    let mut session = pool.person(KIM).await?;
    scim.activate(&kim, "False").await?;
    until("kim is shut out, and the session is told as unknown", SOON, async || {
        let summary = place.summary().await?;
        let told = summary["waiting"].to_string();
        let shut = users(&pool, "dw").await?.contains(&format!("-{KIM}"));
        let named = told.contains("is not proven") && told.contains("GRANT VIEW SERVER STATE TO");
        Ok((shut && named && summary["state"] == "pending").then_some(()))
    })
    .await?;
    session.run("SELECT 1 AS one").await?;
    ensure!(pool.person(KIM).await.is_err(), "no other comes in");
    // Nor is anybody dropped, though the time of tombstones is over.
    let plan = place.axon(&["plan"]).await?.out;
    ensure!(!plan.contains("drop user"), "{plan}");
    ensure!(users(&pool, "dw").await?.contains(&format!("-{KIM}")));

    let mut master = pool.person_in("master", ENTRA_ADMIN).await?;
    master.run(&format!("CREATE LOGIN [{ROBOT}] FROM EXTERNAL PROVIDER")).await?;
    master.run(&format!("GRANT VIEW SERVER STATE TO [{ROBOT}]")).await?;
    // A login is read when one enters: Axon's connection is of before.
    serve.stop().await?;
    let serve = Serve::start(&place).await?;
    until("the session is gone", SOON, async || Ok(session.run("SELECT 1 AS one").await.err().map(drop)))
        .await?;
    until("nothing waits", SOON, async || Ok((serve.state().await? == "converged").then_some(()))).await?;
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    pool.stop().await
}

/// Two databases of one endpoint, and its server.
const BOTH: &str = "axon: 1
targets:
  logins:    { kind: synapse-serverless, host: 127.0.0.1, port: PORT, database: master, tls: off, auth: { token-file: pool.token }, mode: authoritative }
  warehouse: { kind: synapse-serverless, host: 127.0.0.1, port: PORT, database: dw, tls: off, auth: { token-file: pool.token }, mode: authoritative, role_name: \"axon_{role}\", manage: { roles: [\"axon_*\"], schemas: [], principals: mapped } }
  people:    { kind: synapse-serverless, host: 127.0.0.1, port: PORT, database: hr, tls: off, auth: { token-file: pool.token }, mode: authoritative, role_name: \"axon_{role}\", manage: { roles: [\"axon_*\"], schemas: [], principals: mapped } }
roles:
  enters: { direct: true, grants: { logins: [view any database on server] } }
  reader: { grants: { warehouse: [select on sales.orders], people: [select on staff.names] } }
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [enters, reader] }
guards: { tombstones: 1s }
";

async fn logins(pool: &Pool) -> anyhow::Result<Vec<String>> {
    let mut admin = pool.person_in("master", ENTRA_ADMIN).await?;
    admin.column("SELECT p.name FROM sys.server_principals p WHERE p.type = 'E' ORDER BY p.name").await
}

#[tokio::test]
async fn two_databases_of_one_endpoint_are_two_targets_and_share_their_logins() -> anyhow::Result<()> {
    let place = Place::new([KIM, ANA])?;
    let pool = Pool::start_empty(&place, 0, &["--kind", "serverless", "--beside", "hr"]).await?;
    let (mut dw, mut hr) = (pool.person(ENTRA_ADMIN).await?, pool.person_in("hr", ENTRA_ADMIN).await?);
    dw.run("CREATE SCHEMA sales").await?;
    dw.run("CREATE VIEW sales.orders AS SELECT 1 AS order_id").await?;
    hr.run("CREATE SCHEMA staff").await?;
    hr.run("CREATE VIEW staff.names AS SELECT N'kim' AS name").await?;
    place.furnish(BOTH, pool.port()?)?;
    looks_often(&place)?;
    let token = place.token("entra").await?;
    place.token("okta").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    let (kim, ana) = (scim.person(KIM).await?, scim.person(ANA).await?);
    scim.group("Readers", &[&kim, &ana]).await?;
    until("both are in both, with a login each", SOON, async || {
        let both = [ANA.to_owned(), KIM.to_owned()];
        let there = users(&pool, "dw").await? == both && users(&pool, "hr").await? == both;
        Ok((there && logins(&pool).await? == both).then_some(()))
    })
    .await?;
    place.axon(&["plan", "--check"]).await?.exits(0)?;
    let mut in_dw = pool.person(KIM).await?;
    let mut in_hr = pool.person_in("hr", KIM).await?;
    in_dw.run("SELECT order_id FROM sales.orders").await?;
    in_hr.run("SELECT name FROM staff.names").await?;
    ensure!(in_hr.run("SELECT order_id FROM sales.orders").await.is_err(), "that is in the other one");

    // Somebody takes a role away in one of them: it comes back there, and nothing is done in the other.
    let head = place.head().await?;
    hr.run(&format!("ALTER ROLE axon_reader DROP MEMBER [{ANA}]")).await?;
    let members = "SELECT u.name FROM sys.database_role_members m \
                   JOIN sys.database_principals u ON u.principal_id = m.member_principal_id \
                   JOIN sys.database_principals r ON r.principal_id = m.role_principal_id WHERE r.name = 'axon_reader' ORDER BY u.name";
    until("ana is back in the role", SOON, async || {
        Ok((hr.column(members).await? == [ANA, KIM]).then_some(()))
    })
    .await?;
    ensure!(place.head().await? > head, "it is on record");
    ensure!(dw.column(members).await? == [ANA, KIM]);
    let again: Vec<String> = place
        .statements()
        .await?
        .into_iter()
        .filter(|sent| sent.contains("ADD MEMBER") && sent.contains(ANA))
        .collect();
    ensure!(again.len() == 3, "once in each, and once more in one: {again:#?}");

    // Kim leaves, who owns a schema in one of them.
    hr.run(&format!("CREATE SCHEMA lab AUTHORIZATION [{KIM}]")).await?;
    scim.activate(&kim, "False").await?;
    for (session, what) in [(&mut in_dw, "the session in dw"), (&mut in_hr, "the session in hr")] {
        until(what, SOON, async || Ok(session.run("SELECT 1 AS one").await.err().map(drop))).await?;
    }
    ensure!(pool.person(KIM).await.is_err() && pool.person_in("hr", KIM).await.is_err());
    until("the user in dw is dropped", SOON, async || Ok((users(&pool, "dw").await? == [ANA]).then_some(())))
        .await?;
    until("the login waits for the user in hr", SOON, async || {
        let status = place.status().await?;
        let notes = status["targets"]["logins"]["summary"]["notes"].to_string();
        Ok(notes.contains("their user in target people goes first").then_some(()))
    })
    .await?;
    ensure!(users(&pool, "hr").await? == [ANA.to_owned(), format!("-{KIM}")]);
    ensure!(logins(&pool).await? == [ANA, KIM], "the other database has a user of it");
    hr.run("ALTER AUTHORIZATION ON SCHEMA::lab TO dbo").await?;
    until("user and login are gone", SOON, async || {
        Ok((users(&pool, "hr").await? == [ANA] && logins(&pool).await? == [ANA]).then_some(()))
    })
    .await?;
    pool.person(ANA).await?.run("SELECT order_id FROM sales.orders").await?;
    pool.person_in("hr", ANA).await?.run("SELECT name FROM staff.names").await?;
    place.axon(&["audit", "verify"]).await?.exits(0)?;
    pool.stop().await
}
