use serde_json::{Value, json};

use super::stage::*;

const V: &str = "api-version=2020-12-01";

fn row(n: usize) -> String {
    format!("66666666-0000-0000-0000-{n:012x}")
}

async fn put(stage: &Stage, n: usize, role: &str, principal: &str, scope: &str) -> Got {
    let body = json!({"roleId": role, "principalId": principal, "scope": scope, "principalType": "Group"});
    stage.call(SYNAPSE, "PUT", &format!("/roleAssignments/{}?{V}", row(n)), Some(body)).await
}

#[tokio::test]
async fn roles_are_a_bare_list_and_scopes_are_templates() {
    let stage = Stage::start().await;
    let roles =
        stage.call(SYNAPSE, "GET", &format!("/synapse/acme/roleDefinitions?{V}"), None).await.is(200).body;
    assert!(each(&roles, "name").contains(&"Apache Spark Administrator"));
    assert_eq!(roles[0]["permissions"][0]["dataActions"][0], "Microsoft.Synapse/workspaces/read");
    let on_pool = stage
        .call(SYNAPSE, "GET", &format!("/roleDefinitions?{V}&scope=workspaces/acme/bigDataPools/p"), None)
        .await
        .is(200)
        .body;
    assert_eq!(on_pool.as_array().unwrap().len(), 4);
    stage.call(SYNAPSE, "GET", &format!("/synapse/other/roleDefinitions?{V}"), None).await.is(404);
    stage.call(SYNAPSE, "GET", "/roleDefinitions", None).await.is(400);
}

#[tokio::test]
async fn an_assignment_is_made_once_found_and_removed() {
    let stage = Stage::start().await;
    let made = put(&stage, 1, SYNAPSE_USER, DATA, "workspaces/acme").await.is(200).body;
    assert_eq!((&made["roleDefinitionId"], &made["roleId"]), (&json!(SYNAPSE_USER), &Value::Null));
    let again = put(&stage, 2, SYNAPSE_USER, DATA, "workspaces/acme").await.is(409);
    assert_eq!(again.code(), "RoleAssignmentAlreadyExists");
    assert_eq!(
        again.body["error"]["message"],
        format!(
            "Role Assignment with roleId '{SYNAPSE_USER}', principalId '{DATA}' and scope 'workspaces/acme' within workspace 'acme' already exists."
        )
    );
    let path = format!("/roleAssignments/{}?{V}", row(1));
    stage.call(SYNAPSE, "GET", &path, None).await.is(200);
    stage.call(SYNAPSE, "DELETE", &path, None).await.is(200);
    stage.call(SYNAPSE, "DELETE", &path, None).await.is(204);
    stage.call(SYNAPSE, "GET", &path, None).await.is(404);
}

#[tokio::test]
async fn what_cannot_be_assigned_is_refused() {
    let stage = Stage::start().await;
    for (role, principal, scope) in [
        ("00000000-0000-0000-0000-000000000000", DATA, "workspaces/acme"),
        (SYNAPSE_USER, "nobody", "workspaces/acme"),
        (SYNAPSE_USER, DATA, "workspaces/other"),
        (SYNAPSE_USER, DATA, "workspaces/acme/sqlPools/dw"),
        ("7af0c69a-a548-47d6-aea3-d00e69bd83aa", DATA, "workspaces/acme/credentials/c"),
    ] {
        put(&stage, 1, role, principal, scope).await.is(400);
    }
    stage.call(SYNAPSE, "PUT", &format!("/roleAssignments/{}?{V}", row(1)), Some(json!([]))).await.is(400);
}

#[tokio::test]
async fn a_list_goes_on_by_a_header() {
    let stage = Stage::start().await;
    for n in 1..=4 {
        put(&stage, n, SYNAPSE_USER, &row(n), "workspaces/acme").await.is(200);
    }
    stage.lever("PATCH", "/cloud", Some(json!({"settings": {"synapsePage": 2}}))).await;
    let (mut ids, mut mark, mut pages): (Vec<String>, Option<String>, usize) = (Vec::new(), None, 0);
    loop {
        let token = stage.token_of(AXON, SYNAPSE).await;
        let mut request = stage.client.get(format!("{}/roleAssignments?{V}", stage.base)).bearer_auth(token);
        if let Some(mark) = &mark {
            request = request.header("x-ms-continuation", mark);
        }
        let page = stage.send(request).await.is(200);
        ids.extend(each(&page.body["value"], "id").into_iter().map(str::to_owned));
        pages += 1;
        // A row that goes between pages moves no other one.
        if pages == 1 {
            stage.call(SYNAPSE, "DELETE", &format!("/roleAssignments/{}?{V}", row(1)), None).await.is(200);
        }
        mark = page.header("x-ms-continuation").map(str::to_owned);
        if mark.is_none() {
            break;
        }
    }
    assert_eq!((ids.len(), pages), (5, 3));
}

#[tokio::test]
async fn what_is_assigned_has_effect_later() {
    let stage = Stage::start().await;
    stage.lever("PATCH", "/cloud", Some(json!({"settings": {"synapseEffectSeconds": 180}}))).await;
    put(&stage, 1, SYNAPSE_USER, DATA, "workspaces/acme").await.is(200);
    // Ann has it by her group.
    let body = json!({"subject": {"principalId": ANN}, "scope": "workspaces/acme/bigDataPools/p",
        "actions": [{"id": "Microsoft.Synapse/workspaces/read", "isDataAction": true}, {"id": "Microsoft.Synapse/workspaces/roleAssignments/write", "isDataAction": true}]});
    let ask = async || {
        stage
            .call(SYNAPSE, "POST", &format!("/checkAccessSynapseRbac?{V}"), Some(body.clone()))
            .await
            .is(200)
            .body
    };
    assert_eq!(each(&ask().await["AccessDecisions"], "accessDecision"), ["NotAllowed", "NotAllowed"]);
    stage.lever("POST", "/clock", Some(json!({"advanceSeconds": 181}))).await;
    let decided = ask().await;
    assert_eq!(each(&decided["AccessDecisions"], "accessDecision"), ["Allowed", "NotAllowed"]);
    assert_eq!(decided["AccessDecisions"][0]["roleAssignment"]["id"], row(1));
}

#[tokio::test]
async fn who_has_no_right_is_told_which_one() {
    let stage = Stage::start().await;
    let path = format!("/roleAssignments/{}?{V}", row(1));
    let got = stage.call_as(JOB, SYNAPSE, "GET", &format!("/roleAssignments?{V}"), None).await.is(403);
    assert_eq!(
        (
            got.code(),
            got.body["error"]["message"].as_str().unwrap().contains(
                "Required permission: Action: Microsoft.Synapse/workspaces/read, Scope: workspaces/acme/*."
            )
        ),
        ("Unauthorized", true)
    );
    put(&stage, 1, SYNAPSE_USER, "33333333-3333-3333-3333-333333333334", "workspaces/acme").await.is(200);
    stage.call_as(JOB, SYNAPSE, "GET", &path, None).await.is(200);
    stage.call_as(JOB, SYNAPSE, "DELETE", &path, None).await.is(403);
    let closed = json!({"workspaces": [{"name": "acme", "closed": true}]});
    stage.lever("PATCH", "/cloud", Some(closed)).await;
    let got = stage.call(SYNAPSE, "GET", &path, None).await.is(403);
    assert_eq!(got.code(), "ClientIpAddressNotAuthorized");
}
