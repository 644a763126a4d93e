//! A pool, a workspace and a factory that Axon enters with tokens of the neighbours: by each way in which a platform lets it prove who it
//! is, with the real server.

use anyhow::ensure;
use axon_model::{Clock as _, SystemClock};
use axon_tests::{Catalog, ENTRA_ADMIN, SOON, until};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use crate::stage::{CLIENT, SECRET, Script, TENANT, federated};

/// What App Service puts before Axon in `IDENTITY_HEADER`.
const HEADER: &str = "h3ader-of-the-app";
/// What each kind of target asks tokens for.
const SCOPES: [&str; 3] = ["database.windows.net", "dev.azuresynapse.net", "management.azure.com"];

/// A way to prove who one is.
struct Way {
    auth: String,
    /// What the tenant knows of the application.
    app: Value,
    file: Option<(&'static str, String)>,
    /// Whether the platform sets its two variables.
    app_service: bool,
    /// The only service that may be asked for tokens.
    asked: &'static str,
    /// What nobody else may see.
    secret: String,
}

/// A group gets its role in a pool, in a workspace and at a factory.
async fn all_kinds_are_reached(way: Way) -> anyhow::Result<()> {
    let warehouse = "targets:\n  warehouse: { kind: synapse-dedicated, host: 127.0.0.1, port: PORT, database: dw, auth: AUTH, \
        tls: off, mode: authoritative, via: group, role_name: \"axon_{role}\", manage: { roles: [\"axon_*\"], schemas: [], principals: mapped } }\n";
    let mut script = Script::default()
        .map("targets:\n", warehouse)
        .map("factory: [Reader]", "factory: [Reader], warehouse: [select on sales.orders]");
    script.config = script.config.replace("graph: \"CLOUD\"", "graph: \"CLOUD\", metadata: \"CLOUD\"");
    (script.auth, script.app) = (Some(way.auth), way.app);
    script.files.extend(way.file);
    let scene = script.set().await?;
    let platform = json!({"managedIdentities": [CLIENT], "identityHeader": HEADER});
    scene.pool.ask("PATCH", "/cloud", Some(platform)).await?;
    let port = scene.pool.port()?.to_string();
    let map = scene.place.read("role-map.yaml")?;
    scene.place.write("role-map.yaml", &map.replace("PORT", &port))?;
    let administrator =
        json!({"users": [{"upn": ENTRA_ADMIN, "objectId": "bbbbbbbb-0000-0000-0000-000000000099"}]});
    scene.pool.ask("POST", "/directory", Some(administrator)).await?;
    let mut sa = scene.pool.admin().await?;
    sa.run("CREATE SCHEMA sales").await?;
    sa.run("CREATE TABLE sales.orders (order_id int NOT NULL)").await?;
    // The application is a user of the pool, made by a person.
    let mut person = scene.pool.person(ENTRA_ADMIN).await?;
    person.run("CREATE USER [axon] FROM EXTERNAL PROVIDER").await?;
    person.run("EXEC sp_addrolemember 'db_owner', 'axon'").await?;
    let endpoint = format!("{}/msi/token", scene.pool.rest()?);
    let variables = [("IDENTITY_ENDPOINT", endpoint.as_str()), ("IDENTITY_HEADER", HEADER)];
    let stage = scene.serve_in(if way.app_service { &variables } else { &[] }).await?;
    stage.push().await?;
    until("the group is in the pool", SOON, async || {
        let catalog = Catalog::read(&mut sa).await?;
        Ok(catalog.members.contains("axon_reader <- SG-Data").then_some(()))
    })
    .await?;
    stage.given().await?;
    // One identity serves all three kinds of target: a token for each, asked for once, in one place.
    let asked = stage.requests().await?;
    let is_token = |r: &&Value| ["authority", "imds", "app-service"].iter().any(|own| r["service"] == *own);
    let tokens: Vec<&Value> = asked.iter().filter(is_token).collect();
    ensure!(tokens.iter().all(|r| r["service"] == way.asked && r["status"] == 200), "{tokens:#?}");
    for scope in SCOPES {
        let count = tokens.iter().filter(|r| format!("{}{}", r["query"], r["body"]).contains(scope)).count();
        ensure!(count == 1, "{scope}: {count} tokens were asked for");
    }
    ensure!(!json!(asked).to_string().contains(&way.secret), "the secret is shown to nobody else");
    let log = stage.place.read("serve.log")?;
    let status = stage.place.status().await?.to_string();
    ensure!(!log.contains(&way.secret) && !status.contains(&way.secret), "the secret is not told");
    Ok(())
}

#[tokio::test]
async fn a_client_secret_reaches_pool_workspace_and_factory() -> anyhow::Result<()> {
    let auth = format!(
        r#"{{ client-secret: {{ tenant_id: {TENANT}, client_id: {CLIENT}, secret: "${{file:secret}}" }} }}"#
    );
    let app = json!({"secrets": [{"value": SECRET}]});
    let secret = SECRET.to_owned();
    all_kinds_are_reached(Way { auth, app, file: None, app_service: false, asked: "authority", secret }).await
}

#[tokio::test]
async fn a_client_certificate_reaches_pool_workspace_and_factory() -> anyhow::Result<()> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let certificate = CertificateParams::new(vec!["axon.example".into()])?.self_signed(&key)?.pem();
    let secret = key.serialize_pem();
    let auth = format!(
        r#"{{ client-certificate: {{ tenant_id: {TENANT}, client_id: {CLIENT}, certificate: "${{file:axon.pem}}" }} }}"#
    );
    let app = json!({"certificates": [certificate]});
    let file = Some(("axon.pem", format!("{certificate}{secret}")));
    // A line of the key is enough to find it.
    let secret = secret.lines().nth(3).unwrap_or_default().to_owned();
    all_kinds_are_reached(Way { auth, app, file, app_service: false, asked: "authority", secret }).await
}

#[tokio::test]
async fn a_federated_token_reaches_pool_workspace_and_factory() -> anyhow::Result<()> {
    let auth = format!(
        "{{ workload-identity: {{ tenant_id: {TENANT}, client_id: {CLIENT}, token_file: job.jwt }} }}"
    );
    let credential = json!({"name": "ci", "issuer": "https://ci.example", "subject": "job-1",
        "audiences": ["api://AzureADTokenExchange"]});
    let app = json!({"registrationId": "66666666-6666-6666-6666-666666666666", "federated": [credential]});
    let secret = federated(SystemClock.now().unix_timestamp() + 3600);
    let file = Some(("job.jwt", secret.clone()));
    all_kinds_are_reached(Way { auth, app, file, app_service: false, asked: "authority", secret }).await
}

#[tokio::test]
async fn the_identity_of_a_virtual_machine_reaches_pool_workspace_and_factory() -> anyhow::Result<()> {
    let (auth, app, secret) = ("managed-identity".to_owned(), json!({}), HEADER.to_owned());
    // The neighbours' metadata answers only where the header `Metadata` says true.
    all_kinds_are_reached(Way { auth, app, file: None, app_service: false, asked: "imds", secret }).await
}

#[tokio::test]
async fn the_identity_of_app_service_reaches_pool_workspace_and_factory() -> anyhow::Result<()> {
    // Container Apps have the same two variables and the same endpoint. It answers only who shows the header.
    let auth = format!("{{ managed-identity: {{ client_id: {CLIENT} }} }}");
    let (app, secret) = (json!({}), HEADER.to_owned());
    all_kinds_are_reached(Way { auth, app, file: None, app_service: true, asked: "app-service", secret })
        .await
}

#[tokio::test]
async fn a_header_of_before_the_restart_is_told_with_its_remedy() -> anyhow::Result<()> {
    let scene = Script { auth: Some("managed-identity".into()), ..Script::default() }.set().await?;
    let platform = json!({"managedIdentities": [CLIENT], "identityHeader": "another-one"});
    scene.pool.ask("PATCH", "/cloud", Some(platform)).await?;
    let endpoint = format!("{}/msi/token", scene.pool.rest()?);
    let stage = scene.serve_in(&[("IDENTITY_ENDPOINT", &endpoint), ("IDENTITY_HEADER", HEADER)]).await?;
    stage.push().await?;
    let said = stage.says("workspace", &["identity endpoint does not accept", "restart Axon"]).await?;
    ensure!(!said.contains(HEADER), "{said}");
    Ok(())
}
