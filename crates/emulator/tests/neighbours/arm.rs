use serde_json::{Value, json};

use super::stage::*;

const FACTORY: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/acme";
const V: &str = "api-version=2022-04-01";

fn name(n: usize) -> String {
    format!("77777777-0000-0000-0000-{n:012x}")
}

fn assignments(scope: &str) -> String {
    format!("{scope}/providers/Microsoft.Authorization/roleAssignments")
}

async fn put(stage: &Stage, n: usize, scope: &str, role: &str, principal: &str, kind: Option<&str>) -> Got {
    let role = format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}");
    let mut properties = json!({"roleDefinitionId": role, "principalId": principal});
    if let Some(kind) = kind {
        properties["principalType"] = kind.into();
    }
    let target = format!("{}/{}?{V}", assignments(scope), name(n));
    stage.call(ARM, "PUT", &target, Some(json!({"properties": properties}))).await
}

#[tokio::test]
async fn an_assignment_has_one_name_and_one_content() {
    let stage = Stage::start().await;
    let made = put(&stage, 1, FACTORY, READER, DATA, Some("Group")).await.is(201);
    assert!(made.header("x-ms-ratelimit-remaining-subscription-writes").is_some());
    let properties = &made.body["properties"];
    assert_eq!((&properties["scope"], &properties["createdBy"]), (&json!(FACTORY), &json!(AXON_OBJECT)));
    assert_eq!(made.body["id"], format!("{}/{}", assignments(FACTORY), name(1)));
    put(&stage, 1, FACTORY, READER, DATA, Some("Group")).await.is(200);
    assert_eq!(
        put(&stage, 1, FACTORY, OWNER, DATA, None).await.is(400).code(),
        "RoleAssignmentUpdateNotPermitted"
    );
    assert_eq!(put(&stage, 2, FACTORY, READER, DATA, None).await.is(409).code(), "RoleAssignmentExists");
    assert_eq!(
        put(&stage, 3, FACTORY, READER, DATA, Some("User")).await.is(400).code(),
        "UnmatchedPrincipalType"
    );
    assert_eq!(
        put(&stage, 3, FACTORY, &name(9), DATA, None).await.is(400).code(),
        "RoleDefinitionDoesNotExist"
    );
    let target = format!("{}/{}?{V}", assignments(FACTORY), name(1));
    stage.call(ARM, "DELETE", &target, None).await.is(200);
    stage.call(ARM, "DELETE", &target, None).await.is(204);
    stage.call(ARM, "GET", &target, None).await.is(404);
}

#[tokio::test]
async fn a_new_principal_is_waited_for_unless_its_kind_is_told() {
    let stage = Stage::start().await;
    let (group, person) = ("bbbbbbbb-0000-0000-0000-00000000000a", "aaaaaaaa-0000-0000-0000-00000000000a");
    let new = json!({"groups": [{"displayName": "New", "objectId": group}], "users": [{"upn": "new@x.org", "objectId": person}], "knownAfterSeconds": 300});
    stage.lever("POST", "/directory", Some(new)).await;
    stage.call(GRAPH, "GET", &format!("/v1.0/groups/{group}"), None).await.is(200);
    assert_eq!(
        put(&stage, 1, FACTORY, READER, group, Some("Group")).await.is(400).code(),
        "PrincipalNotFound"
    );
    assert_eq!(put(&stage, 2, FACTORY, READER, person, None).await.is(400).code(), "PrincipalNotFound");
    put(&stage, 2, FACTORY, READER, person, Some("User")).await.is(201);
    stage.lever("POST", "/clock", Some(json!({"advanceSeconds": 301}))).await;
    put(&stage, 1, FACTORY, READER, group, Some("Group")).await.is(201);
}

#[tokio::test]
async fn lists_show_what_is_inherited_and_go_on_by_links() {
    let stage = Stage::start().await;
    for n in 1..=3 {
        put(&stage, n, FACTORY, READER, &name(n), Some("User")).await.is(201);
    }
    put(&stage, 4, &format!("{FACTORY}/pipelines/p"), READER, DATA, None).await.is(201);
    stage.lever("PATCH", "/cloud", Some(json!({"settings": {"armPage": 2}}))).await;
    let all = async |filter: &str| {
        let mut target = format!("{}?{V}{filter}", assignments(FACTORY));
        let mut scopes = Vec::new();
        loop {
            let page = stage.call(ARM, "GET", &target, None).await.is(200).body;
            scopes.extend(
                page["value"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["properties"]["scope"].as_str().unwrap().len()),
            );
            let Some(next) = page["nextLink"].as_str() else { break scopes };
            target = next.to_owned();
        }
    };
    let (above, here, below) =
        ("/subscriptions/s".len(), FACTORY.len(), FACTORY.len() + "/pipelines/p".len());
    assert_eq!(all("&$filter=atScope()").await, [above, here, here, here]);
    assert_eq!(all("").await, [above, here, here, here, below]);
    assert_eq!(all(&format!("&$filter=principalId%20eq%20'{}'", name(2))).await, [here]);
    assert_eq!(all(&format!("&$filter=assignedTo('{ANN}')")).await, [below], "by her group");
    let bad = format!("{}?{V}&$filter=roleName%20eq%20'x'", assignments(FACTORY));
    stage.call(ARM, "GET", &bad, None).await.is(400);
}

#[tokio::test]
async fn a_subscription_is_full_at_its_limit() {
    let stage = Stage::start().await;
    stage.lever("PATCH", "/cloud", Some(json!({"settings": {"armLimit": 2}}))).await;
    put(&stage, 1, FACTORY, READER, DATA, None).await.is(201);
    assert_eq!(
        put(&stage, 2, FACTORY, READER, ANN, None).await.is(400).code(),
        "RoleAssignmentLimitExceeded"
    );
}

#[tokio::test]
async fn custom_roles_are_defined_assigned_and_kept_while_they_are_used() {
    let stage = Stage::start().await;
    let definitions = format!("{FACTORY}/providers/Microsoft.Authorization/roleDefinitions");
    let define = async |n: usize, called: &str| {
        let properties = json!({"roleName": called, "type": "CustomRole", "permissions": [{"actions": ["Microsoft.DataFactory/factories/read"]}], "assignableScopes": [FACTORY]});
        stage
            .call(
                ARM,
                "PUT",
                &format!("{definitions}/{}?{V}", name(n)),
                Some(json!({"properties": properties})),
            )
            .await
    };
    define(1, "Factory Operator").await.is(201);
    assert_eq!(define(2, "factory operator").await.is(409).code(), "RoleDefinitionWithSameNameExists");
    assert_eq!(define(2, "Reader").await.is(409).code(), "RoleDefinitionWithSameNameExists");
    let listed = stage
        .call(ARM, "GET", &format!("{definitions}?{V}&$filter=roleName%20eq%20'Factory%20Operator'"), None)
        .await
        .is(200)
        .body;
    assert_eq!(listed["value"][0]["properties"]["type"], "CustomRole");
    put(&stage, 1, FACTORY, &name(1), DATA, None).await.is(201);
    put(&stage, 2, "/subscriptions/s", &name(1), DATA, None).await.is(400);
    let target = format!("{definitions}/{}?{V}", name(1));
    assert_eq!(stage.call(ARM, "DELETE", &target, None).await.is(400).code(), "RoleDefinitionHasAssignments");
    stage.call(ARM, "DELETE", &format!("{}/{}?{V}", assignments(FACTORY), name(1)), None).await.is(200);
    stage.call(ARM, "DELETE", &target, None).await.is(200);
}

#[tokio::test]
async fn rights_subscriptions_and_the_last_owner() {
    let stage = Stage::start().await;
    let list = format!("{}?{V}", assignments(FACTORY));
    let got = stage.call_as(JOB, ARM, "GET", &list, None).await.is(403);
    assert_eq!(got.code(), "AuthorizationFailed");
    assert_eq!(
        stage
            .call(ARM, "GET", &format!("{}?{V}", assignments("/subscriptions/t")), None)
            .await
            .is(404)
            .code(),
        "SubscriptionNotFound"
    );
    assert_eq!(
        stage.call(ARM, "GET", &assignments(FACTORY), None).await.is(400).code(),
        "MissingApiVersionParameter"
    );
    let owner = format!("{}/55555555-5555-5555-5555-555555555555?{V}", assignments("/subscriptions/s"));
    let kept = stage.call(ARM, "DELETE", &owner, None).await.is(400);
    assert_eq!(kept.body["error"]["message"], "Cannot delete the last RBAC admin assignment.");
    // A principal that is gone leaves its row, which counts and can be removed.
    put(&stage, 1, FACTORY, READER, ANN, None).await.is(201);
    stage.lever("DELETE", &format!("/directory/{ANN}"), None).await;
    let rows: Value = stage.call(ARM, "GET", &list, None).await.is(200).body;
    assert_eq!(rows["value"].as_array().unwrap().len(), 2);
    stage.call(ARM, "DELETE", &format!("{}/{}?{V}", assignments(FACTORY), name(1)), None).await.is(200);
}

#[tokio::test]
async fn the_state_of_a_pool_is_told() {
    let stage = Stage::start().await;
    let target = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Synapse/workspaces/acme/sqlPools/dw?api-version=2021-06-01";
    stage.lever("PUT", "/pool", Some(json!({"power": "paused"}))).await;
    assert_eq!(stage.call(ARM, "GET", target, None).await.is(200).body["properties"]["status"], "Paused");
}

#[tokio::test]
async fn a_workspace_says_who_administers_its_sql() {
    let stage = Stage::start().await;
    let token = stage.token_of(AXON, ARM).await;
    let mut workspaces = seed()["workspaces"].clone();
    workspaces[0]["entraAdmin"] = json!({"login": "dba@x.org", "sid": ANN});
    workspaces[0]["sqlAdmin"] = json!("sqladminuser");
    workspaces[0]["identity"] = json!(DATA);
    workspaces[0]["identityControlsSql"] = json!(true);
    stage.lever("PATCH", "/cloud", Some(json!({"workspaces": workspaces}))).await;
    let place = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Synapse/workspaces/acme";
    let get = async |below: &str| {
        let request = stage.client.get(format!("{}{place}{below}?api-version=2021-06-01", stage.base));
        stage.send(request.bearer_auth(&token)).await
    };
    let own = get("").await.is(200).body;
    assert_eq!(own["identity"]["principalId"], DATA);
    assert_eq!(own["properties"]["sqlAdministratorLogin"], "sqladminuser");
    let administrator = get("/administrators/activeDirectory").await.is(200).body;
    assert_eq!(administrator["properties"]["login"], "dba@x.org");
    get("/sqlAdministrators/activeDirectory").await.is(404);
    let control = get("/managedIdentitySqlControlSettings/default").await.is(200).body;
    let control_state = &control["properties"]["grantSqlControlToManagedIdentity"]["actualState"];
    assert_eq!(control_state, "Enabled");
    get("/keys").await.is(404);
}
