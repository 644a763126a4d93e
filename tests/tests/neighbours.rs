//! Axon against the emulator's neighbours: a workspace and a factory with their rights, delays and faults, and what was sent to them.

use anyhow::{Context, ensure};
use axon_tests::{Place, Pool, SOON, Scim, Serve, until};
use serde_json::{Value, json};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const OWN: &str = "33333333-3333-3333-3333-333333333333";
const DATA: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const USER: &str = "2a385764-43e8-416c-9825-7b18d05a2c4b";
const FACTORY: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/acme";

const MAP: &str = r#"
axon: 1
targets:
  workspace: { kind: synapse-workspace, endpoint: "CLOUD", workspace: acme, auth: AUTH, mode: authoritative, via: group }
  factory:   { kind: azure-rbac, scope: FACTORY, auth: AUTH, mode: authoritative, object_id: "{externalId}" }
roles:
  reader:
    grants: { workspace: [Synapse User], factory: [Reader] }
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
reconcile: { inspect_every_seconds: 2, retry_seconds: 1 }
azure: { authority: \"CLOUD\", resource_manager: \"CLOUD\", graph: \"CLOUD\" }
";

struct Story {
    pool: Pool,
    place: Place,
    serve: Serve,
    scim: Scim,
}

impl Story {
    async fn begin() -> anyhow::Result<Self> {
        let place = Place::new(Vec::<String>::new())?;
        let cloud = json!({
            "tenantId": TENANT, "subscriptions": ["s"],
            "workspaces": [{"name": "acme", "assignments": [{"id": "44444444-4444-4444-4444-444444444444",
                "roleDefinitionId": "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78", "principalId": OWN, "scope": "workspaces/acme"}]}],
            "assignments": [{"name": "55555555-5555-5555-5555-555555555555", "scope": "/subscriptions/s",
                "role": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "principalId": OWN, "principalType": "ServicePrincipal"}],
        });
        place.write("cloud.json", &cloud.to_string())?;
        let file = place.file("cloud.json").display().to_string();
        let pool = Pool::start_empty(&place, 0, &["--rest-listen", "127.0.0.1:0", "--cloud", &file]).await?;
        let base = pool.rest()?;
        let tenant = json!({
            "groups": [{"displayName": "SG-Data", "objectId": DATA}],
            "apps": [{"displayName": "axon", "appId": CLIENT, "objectId": OWN, "secrets": [{"value": "right-secret"}]}],
        });
        lever(&pool, "POST", "/directory", Some(tenant)).await?;
        let auth = format!(
            r#"{{ client-secret: {{ tenant_id: {TENANT}, client_id: {CLIENT}, secret: "${{file:secret}}" }} }}"#
        );
        let map = MAP.replace("CLOUD", &base).replace("AUTH", &auth).replace("FACTORY", FACTORY);
        place.write("role-map.yaml", &map)?;
        place.write("axon.yaml", &CONFIG.replace("CLOUD", &base))?;
        place.write("secret", "right-secret")?;
        let token = place.token("entra").await?;
        let serve = Serve::start(&place).await?;
        let scim = serve.scim(&token);
        Ok(Self { pool, place, serve, scim })
    }

    async fn push(&self) -> anyhow::Result<String> {
        let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "SG-Data", "externalId": DATA});
        self.scim.post("/Groups", &group).await?.is(201)?.id()
    }

    /// The rows that are not Axon's own: of the workspace and of Resource Manager.
    async fn rows(&self) -> anyhow::Result<(Vec<Value>, Vec<Value>)> {
        let cloud = lever(&self.pool, "GET", "/cloud", None).await?;
        let others = |rows: &Value| -> Vec<Value> {
            rows.as_array().into_iter().flatten().filter(|row| row["principalId"] != OWN).cloned().collect()
        };
        Ok((others(&cloud["workspaces"][0]["assignments"]), others(&cloud["assignments"])))
    }

    async fn settled(&self) -> anyhow::Result<()> {
        until("both are converged", SOON, async || {
            let ready = self.serve.ready().await?;
            let all = ["workspace", "factory"].iter().all(|target| ready["targets"][*target] == "converged");
            Ok(all.then_some(()))
        })
        .await
    }
}

async fn lever(pool: &Pool, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut request = client.request(method.parse()?, format!("{}{path}", pool.control()));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "{method} {path}: {status} {text}");
    serde_json::from_str(&text).context("a lever answers JSON")
}

#[tokio::test]
async fn a_group_gets_its_roles_through_every_fault_and_loses_them() -> anyhow::Result<()> {
    let story = Story::begin().await?;
    // The group is new to Resource Manager, the first write to the workspace is applied and its answer lost, a page is cut in half.
    let faults = [
        json!({"service": "arm", "method": "PUT", "times": 2, "what": {"status": {"status": 400, "code": "PrincipalNotFound"}}}),
        json!({"service": "synapse", "method": "PUT", "what": {"drop": true}}),
        json!({"service": "arm", "method": "GET", "what": "halfPage"}),
    ];
    for fault in faults {
        lever(&story.pool, "POST", "/cloud/faults", Some(fault)).await?;
    }
    let id = story.push().await?;
    let given = until("the group has both roles", SOON, async || {
        let (workspace, factory) = story.rows().await?;
        Ok((workspace.len() == 1 && factory.len() == 1).then_some(()))
    })
    .await;
    if let Err(late) = given {
        let asked = lever(&story.pool, "GET", "/cloud/requests", None).await?;
        let line = |r: &Value| format!("{} {} {} {}", r["service"], r["method"], r["path"], r["status"]);
        let lines: Vec<String> = asked["requests"].as_array().into_iter().flatten().map(line).collect();
        return Err(late.context(format!("{lines:#?} {}", story.place.status().await?["targets"])));
    }
    let (workspace, factory) = story.rows().await?;
    ensure!(workspace[0]["roleDefinitionId"] == USER && workspace[0]["principalId"] == DATA, "{workspace:?}");
    ensure!(factory[0]["scope"] == FACTORY && factory[0]["principalType"] == "Group", "{factory:?}");
    story.settled().await?;
    let kept = lever(&story.pool, "GET", "/cloud/requests", None).await?;
    let puts = kept["requests"].as_array().into_iter().flatten().filter(|r| r["method"] == "PUT");
    let bodies: Vec<&str> = puts.filter_map(|request| request["body"].as_str()).collect();
    ensure!(bodies.len() >= 3 && bodies.iter().all(|body| body.contains("Group")), "{bodies:?}");
    ensure!(!kept.to_string().contains("right-secret"), "the emulator keeps no secret");

    story.scim.delete(&format!("/Groups/{id}")).await?.is(204)?;
    until("the group has nothing", SOON, async || {
        let (workspace, factory) = story.rows().await?;
        Ok((workspace.is_empty() && factory.is_empty()).then_some(()))
    })
    .await?;
    story.place.axon(&["plan", "--check"]).await?.exits(0)?;
    story.serve.stop().await?;
    Ok(())
}
