//! `axon report ways`: who reaches data around Axon, read from a pool, a workspace and scopes of Azure.

use anyhow::{Context, ensure};
use axon_tests::{ENTRA_ADMIN, Place, Pool, entra_token};
use serde_json::{Value, json};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const OWN: &str = "33333333-3333-3333-3333-333333333333";
const OPS: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const LAKE: &str = "aaaaaaaa-0000-0000-0000-000000000002";
const PIPELINES: &str = "aaaaaaaa-0000-0000-0000-000000000003";
const IDENTITY: &str = "bbbbbbbb-0000-0000-0000-000000000001";
const GROUP: &str = "/subscriptions/s/resourceGroups/g";
const WORKSPACE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Synapse/workspaces/acme";
const STORAGE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/lake";

const MAP: &str = r#"
axon: 1
targets:
  warehouse: { kind: synapse-dedicated, host: 127.0.0.1, port: PORT, database: dw, auth: { token-file: pool.token }, tls: off, mode: observe }
  workspace: { kind: synapse-workspace, endpoint: "CLOUD", workspace: acme, auth: AUTH, mode: observe, via: group }
  resource:  { kind: azure-rbac, scope: WORKSPACE, auth: AUTH, mode: observe }
  files:     { kind: azure-rbac, scope: STORAGE, auth: AUTH, mode: observe }
roles:
  reader: { grants: { warehouse: [select on sales.orders] } }
mappings:
  - groups: { any: [SG-Data] }
    source: entra
    roles: [reader]
"#;

const CONFIG: &str = "\
listen: 127.0.0.1:0
store: sqlite:axon.db
role_map: role-map.yaml
sources:
  entra: { kind: entra }
azure: { authority: \"CLOUD\", resource_manager: \"CLOUD\", graph: \"CLOUD\" }
";

/// Roles of Azure and of the workspace, by id.
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const BLOB_READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
const SYNAPSE_ADMINISTRATOR: &str = "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78";
const CREDENTIAL_USER: &str = "5eb298b4-692c-4241-9cf0-f58a3b42bb25";

fn cloud() -> Value {
    let mut n = 0;
    let mut row = |scope: &str, role: &str, who: &str| {
        n += 1;
        json!({"name": format!("55555555-5555-5555-5555-{n:012}"), "scope": scope, "role": role, "principalId": who, "principalType": "Group"})
    };
    let assignments = [
        row(GROUP, READER, OWN),
        row("/subscriptions/s", OWNER, OPS),
        row(GROUP, CONTRIBUTOR, PIPELINES),
        row(STORAGE, BLOB_READER, LAKE),
        row(STORAGE, READER, PIPELINES),
        row("/subscriptions/s/resourceGroups/other", OWNER, LAKE),
    ];
    let synapse = |id: &str, role: &str, who: &str, scope: &str| json!({"id": id, "roleDefinitionId": role, "principalId": who, "scope": scope});
    let credential = "workspaces/acme/credentials/WorkspaceSystemIdentity";
    json!({
        "tenantId": TENANT, "subscriptions": ["s"], "assignments": assignments,
        "workspaces": [{
            "name": "acme", "identity": IDENTITY, "identityControlsSql": true, "sqlAdmin": "sqladminuser",
            "entraAdmin": {"login": "dba@acme.com", "sid": OPS},
            "assignments": [
                synapse("44444444-4444-4444-4444-444444444444", SYNAPSE_ADMINISTRATOR, OWN, "workspaces/acme"),
                synapse("44444444-4444-4444-4444-444444444445", SYNAPSE_ADMINISTRATOR, OPS, "workspaces/acme"),
                synapse("44444444-4444-4444-4444-444444444446", CREDENTIAL_USER, PIPELINES, credential),
            ],
        }],
    })
}

async fn stage() -> anyhow::Result<(Place, Pool)> {
    let place = Place::new(["kim@acme.com", "ben@acme.com"])?;
    place.write("cloud.json", &cloud().to_string())?;
    let file = place.file("cloud.json").display().to_string();
    let pool = Pool::start_with(&place, 0, &["--rest-listen", "127.0.0.1:0", "--cloud", &file]).await?;
    let tenant = json!({
        "groups": [{"displayName": "SG-Ops", "objectId": OPS}, {"displayName": "SG-Lake", "objectId": LAKE},
                   {"displayName": "SG-Pipelines", "objectId": PIPELINES}],
        "apps": [{"displayName": "axon", "appId": CLIENT, "objectId": OWN, "secrets": [{"value": "right-secret"}]}],
    });
    pool.ask("POST", "/directory", Some(tenant)).await?;
    let mut admin = pool.admin().await?;
    for statement in [
        "CREATE USER [ben@acme.com] FROM EXTERNAL PROVIDER",
        "EXEC sp_addrolemember N'db_owner', N'ben@acme.com'",
        "CREATE USER [kim@acme.com] FROM EXTERNAL PROVIDER",
        "GRANT ALTER ANY USER TO [kim@acme.com]",
    ] {
        // Only an Entra session makes users.
        let mut session = pool.person(ENTRA_ADMIN).await?;
        session.run(statement).await.with_context(|| statement.to_owned())?;
    }
    admin.run("SELECT 1").await?;
    let base = pool.rest()?;
    let auth = format!(
        r#"{{ client-secret: {{ tenant_id: {TENANT}, client_id: {CLIENT}, secret: "${{file:secret}}" }} }}"#
    );
    let map = MAP.replace("PORT", &pool.port()?.to_string()).replace("CLOUD", &base).replace("AUTH", &auth);
    place.write("role-map.yaml", &map.replace("WORKSPACE", WORKSPACE).replace("STORAGE", STORAGE))?;
    place.write("axon.yaml", &CONFIG.replace("CLOUD", &base))?;
    place.write("pool.token", &entra_token(ENTRA_ADMIN))?;
    place.write("secret", "right-secret")?;
    place.token("entra").await?;
    Ok((place, pool))
}

fn told(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ways = report["ways"].as_array().into_iter().flatten();
    ways.map(|way| format!("{} {} {}", text(&way["target"]), text(&way["kind"]), text(&way["who"]))).collect()
}

#[tokio::test]
async fn each_way_is_told_with_who_by_what_and_the_remedy() -> anyhow::Result<()> {
    let (place, pool) = stage().await?;
    let report = place.axon(&["report", "ways", "--json"]).await?.exits(0)?.json()?;
    let expected = [
        "files azure-role-giver SG-Ops",
        "files storage-reader SG-Lake",
        "files storage-reader SG-Ops",
        "files storage-reader SG-Pipelines",
        "resource azure-contributor SG-Ops",
        "resource azure-contributor SG-Pipelines",
        "resource azure-role-giver SG-Ops",
        "resource entra-administrator dba@acme.com",
        "resource sql-administrator sqladminuser",
        "warehouse database-control kim@acme.com",
        "warehouse database-owner ben@acme.com",
        "workspace synapse-administrator SG-Ops",
        "workspace workspace-identity SG-Pipelines",
    ];
    let told = told(&report);
    for line in expected {
        ensure!(told.contains(&line.to_owned()), "{line} is missing: {report:#}");
    }
    let identity = format!("resource workspace-identity the workspace's own identity ({IDENTITY})");
    ensure!(told.contains(&identity), "{report:#}");
    ensure!(
        !report.to_string().contains("\"axon\"") && !report.to_string().contains(OWN),
        "Axon is no way: {report:#}"
    );
    let ways = report["ways"].as_array().context("ways")?;
    let whole = |way: &Value| {
        ["by", "opens", "remedy"].iter().all(|key| way[*key].as_str().is_some_and(|t| !t.is_empty()))
    };
    ensure!(ways.iter().all(whole), "{report:#}");
    let owner = ways.iter().find(|way| way["kind"] == "azure-role-giver").context("an owner")?;
    ensure!(owner["by"] == "Owner at /subscriptions/s", "{owner}");

    let text = place.axon(&["report", "ways"]).await?.exits(0)?.out;
    ensure!(text.contains("ways around Axon, which it cannot close"), "{text}");
    ensure!(
        text.contains("what helps: ") && text.contains("SG-Ops") && text.contains("(resource)"),
        "{text}"
    );

    let one = place.axon(&["report", "ways", "--target", "files", "--json"]).await?.exits(0)?.json()?;
    ensure!(told_of(&one) == 4, "{one:#}");

    // What cannot be looked at is said, and nothing is concluded from it.
    pool.stop().await?;
    let dark = place.axon(&["report", "ways", "--json"]).await?.exits(3)?.json()?;
    ensure!(told_of(&dark) == 0 && dark["unseen"].as_array().is_some_and(|all| all.len() >= 4), "{dark:#}");
    Ok(())
}

fn told_of(report: &Value) -> usize {
    told(report).len()
}
