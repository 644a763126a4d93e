//! Parity over HTTP: what Graph holds beside what was pushed.

use anyhow::{Context, ensure};
use axon_identity_token::testing::{FakeIssuer, SigningKey};
use axon_model::{Clock as _, SystemClock};
use axon_tests::{SOON, until};
use serde_json::{Value, json};

use crate::stage::{DATA, Script, Stage};

const ANN: &str = "bbbbbbbb-0000-0000-0000-000000000001";
const BOB: &str = "bbbbbbbb-0000-0000-0000-000000000002";
const CAT: &str = "bbbbbbbb-0000-0000-0000-000000000003";

/// Fast enough for a test.
const FAST: &str = "parity: { every_seconds: 1, grace_seconds: 0, requests_per_minute: 60000 }\n";
/// By hand only.
const BY_HAND: &str = "parity: { every_seconds: 0, requests_per_minute: 60000 }\n";

async fn people(stage: &Stage, in_group: &[&str]) -> anyhow::Result<()> {
    let tenant = json!({"users": [
        {"upn": "ann@acme.example", "objectId": ANN}, {"upn": "bob@acme.example", "objectId": BOB},
        {"upn": "cat@acme.example", "objectId": CAT}]});
    stage.pool.ask("POST", "/directory", Some(tenant)).await?;
    members(stage, in_group).await
}

async fn members(stage: &Stage, in_group: &[&str]) -> anyhow::Result<()> {
    let mut directory = stage.pool.ask("GET", "/directory", None).await?;
    let groups = directory["groups"].as_array_mut().context("groups")?;
    let group = groups.iter_mut().find(|group| group["objectId"] == DATA).context("the group")?;
    group["members"] = json!(in_group);
    stage.pool.ask("PUT", "/directory", Some(directory)).await.map(drop)
}

async fn enable(stage: &Stage, upn: &str, enabled: bool) -> anyhow::Result<()> {
    let mut directory = stage.pool.ask("GET", "/directory", None).await?;
    let users = directory["users"].as_array_mut().context("users")?;
    let user = users.iter_mut().find(|user| user["upn"] == upn).context("the user")?;
    user["accountEnabled"] = json!(enabled);
    stage.pool.ask("PUT", "/directory", Some(directory)).await.map(drop)
}

async fn pushed(stage: &Stage, name: &str, id: &str) -> anyhow::Result<String> {
    let user = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "externalId": id,
        "active": true});
    stage.scim.post("/Users", &user).await?.is(201)?.id()
}

fn kinds(report: &Value) -> Vec<String> {
    let all = report["sources"]["entra"]["differences"].as_array().into_iter().flatten();
    all.map(|one| format!("{} {}", one["kind"].as_str().unwrap_or("?"), one["what"].as_str().unwrap_or("?")))
        .collect()
}

#[tokio::test]
async fn a_difference_is_named_with_the_lost_request_and_the_provider_is_only_read() -> anyhow::Result<()> {
    let stage = Script::default().config(BY_HAND).play().await?;
    people(&stage, &["ann@acme.example", "cat@acme.example"]).await?;
    let group = stage.push().await?;
    let (ann, bob) =
        (pushed(&stage, "ann@acme.example", ANN).await?, pushed(&stage, "bob@acme.example", BOB).await?);
    // Here: Ann and Bob. There: Ann and Cat, who was never pushed; Bob's removal and Cat's creation were lost.
    for user in [&ann, &bob] {
        stage.scim.join(&group, user).await?;
    }
    stage.given().await?;
    stage.pool.ask("DELETE", "/cloud/requests", None).await?;
    let said = stage.place.axon(&["parity", "--full", "--json"]).await?.exits(3)?;
    let report: Value = serde_json::from_str(&said.out).context("JSON")?;
    let found = kinds(&report).join("\n");
    ensure!(
        found.contains("member-gone bob@acme.example is in group SG-Data here and not in Microsoft Graph"),
        "{found}"
    );
    ensure!(
        found.contains("person-missing cat@acme.example is in group SG-Data in Microsoft Graph"),
        "{found}"
    );
    ensure!(kinds(&report).len() == 2, "{found}");
    let text = report.to_string();
    ensure!(
        text.contains(&format!("PATCH /Groups/{group} remove members[value eq \\\"{bob}\\\"]")),
        "{text}"
    );
    let asked = stage.requests().await?;
    let of_graph: Vec<&Value> = asked.iter().filter(|r| r["service"] == "graph").collect();
    let look: Vec<&&Value> =
        of_graph.iter().filter(|r| r["path"].as_str().is_some_and(|p| p.contains("members"))).collect();
    ensure!(!look.is_empty(), "{asked:?}");
    let writes = asked.iter().filter(|r| r["service"] == "graph" && r["method"] != "GET");
    let writes: Vec<&Value> = writes.filter(|r| r["path"] != "/v1.0/directoryObjects/getByIds").collect();
    ensure!(writes.is_empty(), "{writes:?}");
    // The command asks and changes nothing.
    let holds = stage.place.axon(&["holds", "list"]).await?.exits(0)?;
    ensure!(holds.out.contains("nothing waits"), "{holds:?}");
    // Half of an answer is nothing.
    stage.fault(json!({"service": "graph", "target": "members", "times": 5, "what": "halfPage"})).await?;
    let said = stage.place.axon(&["parity", "--json"]).await?.exits(1)?;
    let report: Value = serde_json::from_str(&said.out).context("JSON")?;
    ensure!(
        kinds(&report).is_empty() && report.to_string().contains("something else than was asked for"),
        "{report}"
    );
    Ok(())
}

#[tokio::test]
async fn a_removal_that_only_the_provider_knows_waits_and_is_done_when_it_is_released() -> anyhow::Result<()>
{
    let stage = Script::default().config(FAST).play().await?;
    people(&stage, &["ann@acme.example", "bob@acme.example"]).await?;
    let group = stage.push().await?;
    let (ann, bob) =
        (pushed(&stage, "ann@acme.example", ANN).await?, pushed(&stage, "bob@acme.example", BOB).await?);
    for user in [&ann, &bob] {
        stage.scim.join(&group, user).await?;
    }
    members(&stage, &["ann@acme.example"]).await?;
    let waiting = async || {
        let said = stage.place.axon(&["holds", "list", "--json"]).await?.exits(0)?;
        let holds: Value = serde_json::from_str(&said.out)?;
        let own = holds.as_array().into_iter().flatten().filter(|hold| hold["kind"] == "parity");
        anyhow::Ok(own.cloned().collect::<Vec<Value>>())
    };
    let hold = until("the removal waits", SOON, async || Ok(waiting().await?.into_iter().next())).await?;
    let text = hold.to_string();
    ensure!(
        text.contains("1 of 2 members of group SG-Data") && text.contains("likely lost: PATCH /Groups/"),
        "{text}"
    );
    let in_group = async || {
        let answer = stage.scim.get(&format!("/Groups/{group}")).await?.is(200)?;
        anyhow::Ok(answer.body["members"].as_array().map_or(0, Vec::len))
    };
    ensure!(in_group().await? == 2, "held, and not done");
    let status = stage.place.axon(&["status"]).await?.exits(0)?;
    ensure!(status.out.contains("parity of entra") && status.out.contains("1 differ"), "{status:?}");
    let id = hold["id"].as_str().context("an id")?;
    stage.place.axon(&["holds", "release", id, "--reason", "left the team, says HR"]).await?.exits(0)?;
    until("it is done", SOON, async || Ok((in_group().await? == 1).then_some(()))).await?;
    until("nothing waits any more", SOON, async || Ok(waiting().await?.is_empty().then_some(()))).await?;
    let (_, metrics) = stage.serve.page("/metrics").await?;
    ensure!(
        metrics.contains("axon_parity_differences") && metrics.contains("axon_parity_requests_total"),
        "{metrics}"
    );

    // Disabled there, then deleted there: the same person waits as one who becomes inactive; when they are enabled again nothing does.
    enable(&stage, "ann@acme.example", false).await?;
    let hold = until("the person waits", SOON, async || Ok(waiting().await?.into_iter().next())).await?;
    ensure!(hold.to_string().contains("ann@acme.example may not sign in"), "{hold}");
    enable(&stage, "ann@acme.example", true).await?;
    until("both sides agree again", SOON, async || Ok(waiting().await?.is_empty().then_some(()))).await?;
    ensure!(in_group().await? == 1, "nothing was done");
    stage.pool.ask("DELETE", &format!("/directory/{DATA}"), None).await?;
    let hold = until("the group waits", SOON, async || Ok(waiting().await?.into_iter().next())).await?;
    ensure!(hold.to_string().contains("DELETE /Groups/"), "{hold}");
    Ok(())
}

#[tokio::test]
async fn a_job_whose_subject_no_credential_has_is_named() -> anyhow::Result<()> {
    const LOADER: &str = "cccccccc-0000-0000-0000-000000000001";
    const OBJECT: &str = "cccccccc-0000-0000-0000-000000000002";
    let script = Script::default().config(BY_HAND).map(
        "mappings:\n",
        &format!(
            "services:\n  loader: {{ principal: loader, client_id: {LOADER}, object_id: {OBJECT}, token: {{ issuer: \"https://ci.example\", \
             audience: axon, subject: \"repo:acme/warehouse:ref:refs/heads/main\" }} }}\n  swapped: {{ principal: other, client_id: {OBJECT} }}\n\
             mappings:\n  - {{ service: loader, roles: [reader] }}\n"
        ),
    );
    // The directory knows it before Axon asks: one that was not found is not asked for again at once.
    let scene = script.set().await?;
    let credential = json!({"name": "ci", "issuer": "https://ci.example", "subject": "repo:Acme/warehouse:ref:refs/heads/main",
        "audiences": ["api://AzureADTokenExchange"]});
    let app = json!({"apps": [{"displayName": "loader", "appId": LOADER, "objectId": OBJECT,
        "registrationId": "cccccccc-0000-0000-0000-000000000003", "federated": [credential]}]});
    scene.pool.ask("POST", "/directory", Some(app)).await?;
    let stage = scene.serve().await?;
    // The service is a principal of both kinds of target, by its object id.
    stage.given().await?;
    let (workspace, factory) = stage.rows().await?;
    for row in [&workspace[0], &factory[0]] {
        ensure!(row["principalId"] == OBJECT && row["principalType"] == "ServicePrincipal", "{row}");
    }
    let said = stage.place.axon(&["parity"]).await?.exits(3)?;
    ensure!(said.out.contains("in other letter case") && said.out.contains("AADSTS7002138"), "{said:?}");
    ensure!(
        said.out.contains(&format!("`client_id` of other is {OBJECT}, which is its object id")),
        "{said:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_managed_identity_s_credentials_are_compared_too() -> anyhow::Result<()> {
    const LOADER: &str = "cccccccc-0000-0000-0000-000000000001";
    let script = Script::default().config(BY_HAND).map(
        "mappings:\n",
        &format!(
            "services:\n  loader: {{ principal: loader, client_id: {LOADER}, token: {{ issuer: \"https://ci.example\", \
             audience: axon, subject: \"repo:acme/warehouse\" }} }}\nmappings:\n  - {{ service: loader, roles: [reader] }}\n"
        ),
    );
    let scene = script.set().await?;
    let credential = |subject: &str| {
        json!({"name": "ci", "issuer": "https://ci.example", "subject": subject,
            "audiences": ["api://AzureADTokenExchange"]})
    };
    let app = json!({"apps": [{"displayName": "loader", "appId": LOADER, "objectId": "cccccccc-0000-0000-0000-000000000002",
        "managedIdentity": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/loader",
        "federated": [credential("repo:acme/other")]}]});
    scene.pool.ask("POST", "/directory", Some(app)).await?;
    let stage = scene.serve().await?;
    let said = stage.place.axon(&["parity"]).await?.exits(3)?;
    ensure!(
        said.out.contains("no credential has that subject") && said.out.contains("repo:acme/other"),
        "{said:?}"
    );
    // The tenant has the group that the map names, and nobody pushed it.
    ensure!(said.out.contains("group-missing: group SG-Data is in Microsoft Graph"), "{said:?}");
    stage.push().await?;
    let mut directory = stage.pool.ask("GET", "/directory", None).await?;
    let apps = directory["apps"].as_array_mut().context("apps")?;
    let loader = apps.iter_mut().find(|app| app["appId"] == LOADER).context("the identity")?;
    loader["federated"] = json!([credential("repo:acme/warehouse")]);
    stage.pool.ask("PUT", "/directory", Some(directory)).await?;
    stage.place.axon(&["parity"]).await?.exits(0)?;
    let writes = stage.requests().await?;
    ensure!(!writes.iter().any(|r| r["service"] == "arm"
        && r["path"].to_string().contains("federated")
        && r["method"] != "GET"));
    Ok(())
}

#[tokio::test]
async fn what_a_job_really_presents_is_compared_when_it_exchanges_its_token() -> anyhow::Result<()> {
    const LOADER: &str = "cccccccc-0000-0000-0000-000000000001";
    let (issuer, key) = (FakeIssuer::start().await, SigningKey::rsa("k1"));
    let name = format!("{}/ci", issuer.base());
    issuer.issue("/ci", &name, &[&key]);
    // The map asks for the project alone: which subject a job has is known when it comes.
    let service = format!(
        "services:\n  loader: {{ principal: loader, token: {{ issuer: \"{name}\", audience: axon, claims: {{ repository: acme/w }} }} }}\nmappings:\n"
    );
    let operators = format!("operators: {{ exchange: [{{ issuer: \"{name}\", audience: axon }}] }}\n");
    let stage =
        Script::default().config(BY_HAND).config(&operators).map("mappings:\n", &service).play().await?;
    let credential = json!({"name": "main", "issuer": name, "subject": "repo:acme/w:ref:refs/heads/main",
        "audiences": ["api://AzureADTokenExchange"]});
    let app = json!({"apps": [{"displayName": "loader", "appId": LOADER, "objectId": "cccccccc-0000-0000-0000-000000000002",
        "registrationId": "cccccccc-0000-0000-0000-000000000003", "federated": [credential]}]});
    stage.pool.ask("POST", "/directory", Some(app)).await?;
    stage.push().await?;
    stage.place.axon(&["parity"]).await?.exits(0)?;
    let now = SystemClock.now().unix_timestamp();
    let token = key
        .sign(&json!({"iss": name, "aud": "axon", "sub": "repo:acme/w:ref:refs/heads/next", "iat": now,
        "exp": now + 3600, "repository": "acme/w"}));
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type=urn:ietf:params:oauth:token-type:jwt&subject_token={token}"
    );
    let address = format!("{}/api/v1/token", stage.serve.address());
    let request = reqwest::Client::new().post(address).body(form);
    let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await?;
    ensure!(
        answer.status() == 200,
        "{}: a mismatch in Entra is no reason to refuse it here",
        answer.status()
    );
    until("it was compared", SOON, async || {
        let (_, metrics) = stage.serve.page("/metrics").await?;
        Ok(metrics.contains("axon_federation_compared_total{outcome=\"differs\"} 1").then_some(()))
    })
    .await?;
    let said = stage.place.axon(&["parity"]).await?.exits(3)?;
    ensure!(
        said.out.contains("subject repo:acme/w:ref:refs/heads/next") && said.out.contains("AADSTS700213"),
        "{said:?}"
    );
    ensure!(said.out.contains("the nearest is main"), "{said:?}");
    Ok(())
}
