//! From a push to a role assignment: a workspace and a factory beside each other, with one identity, over HTTP.

#[path = "azure/cloud.rs"]
mod cloud;

use anyhow::ensure;
use axon_tests::{Place, SOON, Scim, Serve, until};
use cloud::{CLIENT, Cloud, OWN, SECRET, TENANT};
use serde_json::json;

const DATA: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const OPERATORS: &str = "aaaaaaaa-0000-0000-0000-000000000002";

const MAP: &str = r#"
axon: 1
targets:
  workspace: { kind: synapse-workspace, endpoint: "CLOUD", workspace: acme, auth: AUTH, mode: authoritative, via: group }
  factory:   { kind: azure-rbac, scope: /subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/acme, auth: AUTH, mode: authoritative, object_id: "{externalId}" }
roles:
  reader:
    grants:
      workspace: [Synapse User, Synapse User on spark-pool::small]
      factory: [Reader]
  operator:
    define:
      factory: { name: Factory Operator, actions: [Microsoft.DataFactory/factories/read, Microsoft.DataFactory/factories/pipelines/createRun/action] }
    grants: { factory: [Factory Operator] }
mappings:
  - groups: { any: [SG-Data] }
    source: entra
    roles: [reader]
  - groups: { any: [SG-Operators] }
    source: entra
    roles: [operator]
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
    cloud: Cloud,
    place: Place,
    serve: Serve,
    scim: Scim,
}

async fn begin(secret: &str) -> anyhow::Result<Story> {
    let cloud = Cloud::start().await?;
    for (id, name) in [(DATA, "SG-Data"), (OPERATORS, "SG-Operators")] {
        cloud.state().groups.push((id.into(), name.into()));
    }
    let place = Place::new(Vec::<String>::new())?;
    let auth = format!(
        r#"{{ client-secret: {{ tenant_id: {TENANT}, client_id: {CLIENT}, secret: "${{file:secret}}" }} }}"#
    );
    place.write("role-map.yaml", &MAP.replace("CLOUD", &cloud.address).replace("AUTH", &auth))?;
    place.write("axon.yaml", &CONFIG.replace("CLOUD", &cloud.address))?;
    place.write("secret", secret)?;
    let token = place.token("entra").await?;
    let serve = Serve::start(&place).await?;
    let scim = serve.scim(&token);
    Ok(Story { cloud, place, serve, scim })
}

async fn push(scim: &Scim, name: &str, id: &str) -> anyhow::Result<String> {
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "externalId": id});
    scim.post("/Groups", &group).await?.is(201)?.id()
}

#[tokio::test]
async fn a_group_that_is_pushed_has_its_roles_and_one_that_goes_loses_them() -> anyhow::Result<()> {
    let Story { cloud, place, serve, scim } = begin(SECRET).await?;
    let data = push(&scim, "SG-Data", DATA).await?;
    push(&scim, "SG-Operators", OPERATORS).await?;
    until("the workspace has the group, found by its name", SOON, async || {
        let wanted = [
            ("workspaces/acme".to_owned(), DATA.to_owned()),
            ("workspaces/acme/bigDataPools/small".to_owned(), DATA.to_owned()),
        ];
        let mut users = cloud.users();
        users.sort();
        Ok((users == wanted).then_some(()))
    })
    .await?;
    until("the factory has both groups, found by their ids", SOON, async || {
        let assigned = cloud.assigned();
        let operator =
            cloud.state().definitions.first().map(|d| d["name"].as_str().unwrap_or_default().to_owned());
        let wanted = |id: &str, role: &str| assigned.iter().any(|(r, p)| r == role && p == id);
        let all = wanted(DATA, "acdd72a7-3385-48ef-bd42-f606fba81ae7")
            && operator.is_some_and(|operator| wanted(OPERATORS, &operator));
        Ok((all && assigned.len() == 2).then_some(()))
    })
    .await?;
    until("all is settled", SOON, async || {
        let ready = serve.ready().await?;
        let all = ["workspace", "factory"].iter().all(|t| ready["targets"][t] == "converged");
        Ok(all.then_some(()))
    })
    .await?;
    ensure!(cloud.state().tokens <= 3, "one token a resource, whoever wants it: {}", cloud.state().tokens);
    place.axon(&["plan", "--check"]).await?.exits(0)?;

    scim.delete(&format!("/Groups/{data}")).await?.is(204)?;
    until("the group lost what it had, and nobody else did", SOON, async || {
        let left = cloud.assigned();
        Ok((cloud.users().is_empty() && left.len() == 1 && left[0].1 == OPERATORS).then_some(()))
    })
    .await?;
    let administrators = cloud.state().workspace.iter().filter(|r| r["principalId"] == OWN).count();
    ensure!(administrators == 1, "Axon's own role stays");
    let logs = std::fs::read_dir(place.path())?.filter_map(|e| std::fs::read(e.ok()?.path()).ok());
    let leaks = logs.filter(|file| file.windows(SECRET.len()).any(|w| w == SECRET.as_bytes())).count();
    ensure!(leaks == 1, "the secret is in its own file only: {leaks}");
    serve.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_is_told_with_its_remedy_and_scim_goes_on() -> anyhow::Result<()> {
    let Story { cloud, place, serve, scim } = begin("not-the-secret").await?;
    push(&scim, "SG-Data", DATA).await?;
    until("the status says why", SOON, async || {
        let status = place.status().await?;
        let trouble =
            status["targets"]["workspace"]["summary"]["trouble"].as_str().unwrap_or_default().to_owned();
        Ok((trouble.contains("AADSTS7000215") && trouble.contains("the secret is wrong")).then_some(()))
    })
    .await?;
    ensure!(cloud.users().is_empty(), "{:?}", cloud.users());
    let ready = serve.ready().await?;
    ensure!(
        ready["targets"]["workspace"] == "login_refused" || ready["targets"]["workspace"] == "login-refused",
        "{ready}"
    );
    serve.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_principal_that_azure_does_not_know_yet_is_waited_out() -> anyhow::Result<()> {
    let Story { cloud, place: _place, serve, scim } = begin(SECRET).await?;
    cloud.state().refuses = Some((400, "PrincipalNotFound".into()));
    push(&scim, "SG-Data", DATA).await?;
    until("it was tried", SOON, async || {
        let (_, text) = serve.page("/metrics").await?;
        Ok(text.contains("result=\"refused\"").then_some(()))
    })
    .await?;
    cloud.state().refuses = None;
    until("it is there after all", SOON, async || Ok((cloud.assigned().len() == 1).then_some(()))).await?;
    serve.stop().await?;
    Ok(())
}
