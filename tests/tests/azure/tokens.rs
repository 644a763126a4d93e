//! A pool that Axon enters with a token of the neighbours' token endpoint.

use anyhow::ensure;
use axon_tests::{Catalog, ENTRA_ADMIN, SOON, until};
use serde_json::json;

use crate::stage::{SECRET, Script};

#[tokio::test]
async fn a_pool_is_entered_with_a_token_that_entra_gave_for_databases() -> anyhow::Result<()> {
    let warehouse = "targets:\n  warehouse: { kind: synapse-dedicated, host: 127.0.0.1, port: PORT, database: dw, auth: AUTH, \
        tls: off, mode: authoritative, via: group, role_name: \"axon_{role}\", manage: { roles: [\"axon_*\"], schemas: [], principals: mapped } }\n";
    let script = Script::default()
        .map("targets:\n", warehouse)
        .map("factory: [Reader]", "factory: [Reader], warehouse: [select on sales.orders]");
    let scene = script.set().await?;
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
    let stage = scene.serve().await?;
    stage.push().await?;
    until("the group is in the pool", SOON, async || {
        let catalog = Catalog::read(&mut sa).await?;
        Ok(catalog.members.contains("axon_reader <- SG-Data").then_some(()))
    })
    .await?;
    // The same identity serves all three kinds of target, each with a token of its own.
    stage.given().await?;
    let asked = stage.requests().await?;
    let scopes = ["database.windows.net", "dev.azuresynapse.net", "management.azure.com"];
    for scope in scopes {
        let of = |r: &&serde_json::Value| {
            r["service"] == "authority" && r["body"].as_str().is_some_and(|body| body.contains(scope))
        };
        let count = asked.iter().filter(of).count();
        ensure!(count == 1, "{scope}: {count} tokens were asked for");
    }
    ensure!(
        !asked.iter().any(|r| r.to_string().contains(SECRET)),
        "the secret is shown to the authority alone"
    );
    Ok(())
}
