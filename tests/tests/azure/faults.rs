//! Every trouble of the issue's list against the product, over HTTP: one test each. `docs/AZURE.md` has them as a table.

use anyhow::ensure;
use axon_model::{Clock as _, SystemClock};
use axon_tests::{SOON, until};
use serde_json::{Value, json};

use crate::stage::{CLIENT, DATA, FACTORY, OPERATORS, OWN, READER, SECRET, Script, Stage, TENANT, federated};

/// Nothing was given anywhere, and SCIM goes on.
async fn harmless(stage: &Stage) -> anyhow::Result<()> {
    let (workspace, factory) = stage.rows().await?;
    ensure!(workspace.is_empty() && factory.is_empty(), "{workspace:?} {factory:?}");
    stage.scim.person("kim@acme.example").await?;
    Ok(())
}

#[tokio::test]
async fn a_wrong_tenant_is_named() -> anyhow::Result<()> {
    let script = Script { tenant: "99999999-9999-9999-9999-999999999999".into(), ..Script::default() };
    let stage = script.play().await?;
    stage.push().await?;
    for target in ["workspace", "factory"] {
        stage.says(target, &["AADSTS90002", "check tenant_id"]).await?;
    }
    harmless(&stage).await
}

#[tokio::test]
async fn an_expired_secret_is_told_with_its_remedy() -> anyhow::Result<()> {
    let app = json!({"secrets": [{"value": SECRET, "expires": 1_600_000_000}]});
    let stage = Script { app, ..Script::default() }.play().await?;
    stage.push().await?;
    let said =
        stage.says("workspace", &["AADSTS7000222", "the secret has expired", "managed identity"]).await?;
    ensure!(!said.contains(SECRET), "{said}");
    harmless(&stage).await?;
    // A new secret, and nothing is started anew.
    let directory = stage.pool.ask("GET", "/directory", None).await?;
    let mut directory = directory;
    directory["apps"][0]["secrets"][0]["expires"] = Value::Null;
    stage.pool.ask("PUT", "/directory", Some(directory)).await?;
    stage.given().await
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_stands_in_no_file_but_its_own() -> anyhow::Result<()> {
    let stage =
        Script { files: vec![("secret", "not-the-secret".into())], ..Script::default() }.play().await?;
    stage.push().await?;
    stage.says("workspace", &["AADSTS7000215", "the secret is wrong"]).await?;
    let ready = stage.serve.ready().await?;
    ensure!(
        ready["targets"]["workspace"] == "login_refused" || ready["targets"]["workspace"] == "login-refused",
        "{ready}"
    );
    harmless(&stage).await?;
    let files = std::fs::read_dir(stage.place.path())?.filter_map(|e| std::fs::read(e.ok()?.path()).ok());
    let holds = |file: &Vec<u8>| file.windows(14).any(|w| w == b"not-the-secret");
    let leaks = files.filter(holds).count();
    ensure!(leaks == 1, "the secret is in its own file only: {leaks}");
    Ok(())
}

#[tokio::test]
async fn clocks_that_are_apart_are_said_to_be() -> anyhow::Result<()> {
    let auth = format!(
        "{{ workload-identity: {{ tenant_id: {TENANT}, client_id: {CLIENT}, token_file: job.jwt }} }}"
    );
    let credential = json!({"name": "ci", "issuer": "https://ci.example", "subject": "job-1",
        "audiences": ["api://AzureADTokenExchange"]});
    let now = SystemClock.now().unix_timestamp();
    let script = Script {
        auth: Some(auth),
        app: json!({"registrationId": "66666666-6666-6666-6666-666666666666", "federated": [credential]}),
        files: vec![("job.jwt", federated(now + 3600))],
        ..Script::default()
    };
    let scene = script.set().await?;
    // The other side's clock is two hours ahead.
    scene.pool.ask("POST", "/clock", Some(json!({"advanceSeconds": 7200}))).await?;
    let stage = scene.serve().await?;
    stage.push().await?;
    stage.says("workspace", &["AADSTS700024", "set this machine's clock right"]).await?;
    harmless(&stage).await?;
    // The file is read again each time: a fresh one is enough.
    stage.place.write("job.jwt", &federated(now + 3600 + 7200))?;
    stage.given().await
}

#[tokio::test]
async fn a_certificate_of_the_wrong_form_is_refused_before_anything_is_served() -> anyhow::Result<()> {
    let curve = rcgen::generate_simple_self_signed(vec!["axon.example".into()])?;
    let (certificate, key) = (curve.cert.pem(), curve.signing_key.serialize_pem());
    for (pem, word) in [
        (String::new(), "certificate"),
        (certificate.clone(), "key"),
        (
            format!(
                "{certificate}-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
            ),
            "key",
        ),
        (format!("{certificate}{key}"), "RSA"),
    ] {
        let auth = format!(
            r#"{{ client-certificate: {{ tenant_id: {TENANT}, client_id: {CLIENT}, certificate: "${{file:axon.pem}}" }} }}"#
        );
        let files = vec![("axon.pem", pem.clone())];
        let scene = Script { auth: Some(auth), files, ..Script::default() }.set().await?;
        let said = scene.place.axon(&["plan"]).await?.exits(1)?;
        let text = format!("{said:?}");
        ensure!(text.contains("auth.client-certificate") && text.contains(word), "{word}: {text}");
        ensure!(!text.contains("BEGIN "), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn role_names_of_the_other_system_are_told_with_the_right_kind_of_target() -> anyhow::Result<()> {
    let stage = Script::default()
        .map(
            "workspace: [Synapse User], factory: [Reader]",
            "workspace: [Contributor], factory: [Synapse User]",
        )
        .play()
        .await?;
    stage.push().await?;
    stage.says("workspace", &["Contributor", "azure-rbac"]).await?;
    stage.says("factory", &["Synapse User", "synapse-workspace"]).await?;
    harmless(&stage).await
}

#[tokio::test]
async fn a_system_s_word_before_a_role_is_told_with_the_place_where_the_role_belongs() -> anyhow::Result<()> {
    let scene = Script::default()
        .map(
            "workspace: [Synapse User], factory: [Reader]",
            "workspace: ['azure:Contributor'], factory: ['azure:Reader', 'synapse:Synapse User']",
        )
        .set()
        .await?;
    let said = scene.place.axon(&["plan"]).await?.exits(1)?;
    for (bare, kind) in
        [("Contributor", "azure-rbac"), ("Reader", "azure-rbac"), ("Synapse User", "synapse-workspace")]
    {
        let told = format!("write `{bare}` under a target of kind {kind}");
        ensure!(said.err.contains(&told), "{told}: {said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_scope_of_another_subscription_is_named_and_the_other_target_goes_on() -> anyhow::Result<()> {
    let stage = Script::default()
        .map("FACTORY", &FACTORY.replace("/subscriptions/s/", "/subscriptions/other/"))
        .play()
        .await?;
    stage.push().await?;
    stage.says("factory", &["SubscriptionNotFound"]).await?;
    until("the workspace has the group", SOON, async || {
        let (workspace, factory) = stage.rows().await?;
        ensure!(factory.is_empty(), "{factory:?}");
        Ok((workspace.len() == 1).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_role_that_is_renamed_upstream_is_told_and_takes_nothing_away() -> anyhow::Result<()> {
    const TEAM: &str = "77777777-7777-7777-7777-777777777777";
    let definition = |name: &str| {
        json!({"definitions": [{"name": TEAM, "roleName": name, "description": "", "assignableScopes": ["/subscriptions/s"],
            "permissions": [{"actions": ["Microsoft.DataFactory/factories/read"]}]}]})
    };
    let scene = Script::default().map("factory: [Reader]", "factory: [Team Reader]").set().await?;
    scene.pool.ask("PATCH", "/cloud", Some(definition("Team Reader"))).await?;
    let stage = scene.serve().await?;
    stage.push().await?;
    stage.given().await?;
    stage.serve.stop().await?;
    stage.pool.ask("PATCH", "/cloud", Some(definition("Team Viewer"))).await?;
    let said = stage.place.axon(&["plan", "--target", "factory"]).await?;
    let text = format!("{said:?}");
    ensure!(text.contains("Azure has no role Team Reader"), "{text}");
    ensure!(!text.contains("remove SG-Data"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_principal_that_is_made_anew_under_its_name_inherits_nothing() -> anyhow::Result<()> {
    const ANEW: &str = "aaaaaaaa-0000-0000-0000-000000000009";
    let stage = Script::default().play().await?;
    stage.push().await?;
    stage.given().await?;
    stage.settled().await?;
    stage.pool.ask("DELETE", &format!("/directory/{DATA}"), None).await?;
    let group = json!({"groups": [{"displayName": "SG-Data", "objectId": ANEW}]});
    stage.pool.ask("POST", "/directory", Some(group)).await?;
    let Stage { pool, place, serve, .. } = stage;
    serve.stop().await?;
    // The factory knows the group by the id that was pushed: that one is gone, and nobody else is meant by it.
    let said = place.axon(&["plan", "--target", "factory"]).await?;
    let text = format!("{said:?}");
    ensure!(text.contains(DATA) && text.contains("which was deleted"), "{text}");
    ensure!(!text.contains(ANEW), "{text}");
    // The workspace knows it by name: the new one is another principal, the old one's row a leftover that is told.
    let said = format!("{:?}", place.axon(&["plan", "--target", "workspace"]).await?);
    ensure!(
        said.contains("add SG-Data to role Synapse User") && said.contains("does not have any more"),
        "{said}"
    );
    let rows = pool.ask("GET", "/cloud", None).await?;
    ensure!(!rows.to_string().contains(&format!("\"principalId\":\"{ANEW}\"")), "{rows}");
    Ok(())
}

#[tokio::test]
async fn ten_minutes_of_429_are_waited_out_without_a_request() -> anyhow::Result<()> {
    let scene = Script::default().set().await?;
    let stage = scene.serve().await?;
    stage.settled().await?;
    let fault = json!({"service": "arm", "times": 1000, "what": {"status": {"status": 429, "code": "TooManyRequests",
        "headers": [["Retry-After", "600"]]}}});
    stage.fault(fault).await?;
    stage.push().await?;
    stage.says("factory", &["429", "left alone for"]).await?;
    let of_arm = async || {
        let asked = stage.requests().await?;
        anyhow::Ok(asked.iter().filter(|r| r["service"] == "arm").count())
    };
    let before = of_arm().await?;
    let ticks = stage.serve.metric("axon_azure_throttled_total").await?;
    ensure!(ticks >= 1.0, "{ticks}");
    // Others are not held up, and many looks later nothing more was sent.
    until("the workspace has the group", SOON, async || Ok((stage.rows().await?.0.len() == 1).then_some(())))
        .await?;
    for n in 0..3 {
        stage.push_group(&format!("SG-More-{n}"), &format!("aaaaaaaa-0000-0000-0000-00000000010{n}")).await?;
        stage.place.status().await?;
    }
    ensure!(of_arm().await? == before, "asked again within its time");
    Ok(())
}

/// A trouble of the list of rows: it is told, nothing is taken for gone, and when it is over all is as before.
async fn unreadable(fault: Value, words: &[&str]) -> anyhow::Result<()> {
    let stage = Script::default().play().await?;
    stage.push().await?;
    stage.given().await?;
    stage.settled().await?;
    stage.fault(json!({"service": "arm", "method": "GET", "target": "roleAssignments", "times": 500, "what": fault})).await?;
    stage.says("factory", words).await?;
    let (_, factory) = stage.rows().await?;
    ensure!(factory.len() == 1 && factory[0]["principalId"] == DATA, "{factory:?}");
    let asked = stage.requests().await?;
    ensure!(asked.iter().all(|r| r["method"] != "DELETE"), "something was taken away");
    stage.pool.ask("DELETE", "/cloud/faults", None).await?;
    stage.settled().await
}

#[tokio::test]
async fn half_a_page_is_nothing_to_conclude_from() -> anyhow::Result<()> {
    unreadable(json!("halfPage"), &["something else than was asked for"]).await
}

#[tokio::test]
async fn an_error_inside_a_200_is_an_error() -> anyhow::Result<()> {
    let body =
        json!({"error": {"code": "GatewayTimeout", "message": "The gateway did not receive a response"}});
    unreadable(json!({"body": {"status": 200, "body": body}}), &["GatewayTimeout"]).await
}

#[tokio::test]
async fn an_answer_of_fifty_megabytes_is_cut() -> anyhow::Result<()> {
    unreadable(json!({"big": 52_428_800}), &["answered more than 8388608 bytes"]).await
}

#[tokio::test]
async fn a_group_gets_its_roles_through_every_fault_and_loses_them() -> anyhow::Result<()> {
    let scene = Script::default().set().await?;
    let stage = scene.serve().await?;
    // The group is new to Resource Manager, the first write to the workspace is applied and its answer lost, a page is cut in half.
    for fault in [
        json!({"service": "arm", "method": "PUT", "times": 2, "what": {"status": {"status": 400, "code": "PrincipalNotFound"}}}),
        json!({"service": "synapse", "method": "PUT", "what": {"drop": true}}),
        json!({"service": "arm", "method": "GET", "what": "halfPage"}),
    ] {
        stage.fault(fault).await?;
    }
    let id = stage.push().await?;
    stage.given().await?;
    let (workspace, factory) = stage.rows().await?;
    ensure!(
        workspace[0]["roleDefinitionId"] == crate::stage::USER && workspace[0]["principalId"] == DATA,
        "{workspace:?}"
    );
    ensure!(factory[0]["scope"] == FACTORY && factory[0]["role"] == READER, "{factory:?}");
    ensure!(factory[0]["principalType"] == "Group", "{factory:?}");
    stage.settled().await?;
    let asked = stage.requests().await?;
    let bodies: Vec<&str> =
        asked.iter().filter(|r| r["method"] == "PUT").filter_map(|r| r["body"].as_str()).collect();
    ensure!(bodies.len() >= 3 && bodies.iter().all(|body| body.contains("Group")), "{bodies:?}");
    let tokens = asked.iter().filter(|r| r["service"] == "authority").count();
    ensure!(tokens <= 3, "one token a resource, whoever wants it: {tokens}");
    ensure!(!json!(asked).to_string().contains(SECRET), "the emulator keeps no secret");

    stage.scim.delete(&format!("/Groups/{id}")).await?.is(204)?;
    until("the group has nothing", SOON, async || {
        let (workspace, factory) = stage.rows().await?;
        Ok((workspace.is_empty() && factory.is_empty()).then_some(()))
    })
    .await?;
    let cloud = stage.pool.ask("GET", "/cloud", None).await?;
    ensure!(cloud["workspaces"][0]["assignments"][0]["principalId"] == OWN, "Axon's own role stays");
    stage.place.axon(&["plan", "--check"]).await?.exits(0)?;
    stage.serve.stop().await?;
    Ok(())
}

#[tokio::test]
async fn two_groups_two_scopes_and_a_role_of_the_map_s_own() -> anyhow::Result<()> {
    let stage = Script::default()
        .map("workspace: [Synapse User]", "workspace: [Synapse User, Synapse User on spark-pool::small]")
        .map("mappings:\n", "  operator:\n    define:\n      factory: { name: Factory Operator, actions: [Microsoft.DataFactory/factories/read, Microsoft.DataFactory/factories/pipelines/createRun/action] }\n    grants: { factory: [Factory Operator] }\nmappings:\n  - groups: { any: [SG-Operators] }\n    source: entra\n    roles: [operator]\n")
        .play()
        .await?;
    stage.push().await?;
    stage.push_group("SG-Operators", OPERATORS).await?;
    until("all of it is there", SOON, async || {
        let (workspace, factory) = stage.rows().await?;
        let cloud = stage.pool.ask("GET", "/cloud", None).await?;
        let made = cloud["definitions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|d| d["roleName"] == "Factory Operator");
        let Some(made) = made else { return Ok(None) };
        let operates =
            factory.iter().any(|row| row["role"] == made["name"] && row["principalId"] == OPERATORS);
        let small = workspace.iter().any(|row| row["scope"] == "workspaces/acme/bigDataPools/small");
        Ok((operates && small && workspace.len() == 2 && factory.len() == 2).then_some(()))
    })
    .await?;
    stage.settled().await
}
