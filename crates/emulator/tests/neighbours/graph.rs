use serde_json::json;

use super::stage::*;

#[tokio::test]
async fn people_groups_and_services_are_found_by_name_and_id() {
    let stage = Stage::start().await;
    let get = async |target: &str| stage.call(GRAPH, "GET", target, None).await;
    let ann = get("/v1.0/users/ann%40x.org?$select=id,userPrincipalName,accountEnabled").await.is(200).body;
    assert_eq!(
        (&ann["id"], &ann["accountEnabled"], &ann["displayName"]),
        (&json!(ANN), &json!(true), &json!(null))
    );
    assert_eq!(get("/v1.0/users('ann%40x.org')").await.is(200).body["displayName"], "Ann O'Neil");
    let guest = get("/v1.0/users/guest_y.org%23EXT%23%40x.org").await.is(200).body;
    assert_eq!((&guest["userType"], &guest["accountEnabled"]), (&json!("Guest"), &json!(false)));
    let twins = get("/v1.0/groups?$filter=displayName%20eq%20'TWIN'").await.is(200).body;
    assert_eq!(twins["value"].as_array().unwrap().len(), 2);
    let app = get(&format!("/v1.0/servicePrincipals(appId='{AXON}')")).await.is(200).body;
    assert_eq!(app["id"], AXON_OBJECT);
    let missing = get("/v1.0/users/nobody@x.org").await.is(404);
    assert_eq!(missing.code(), "Request_ResourceNotFound");
    assert!(missing.body["error"]["innerError"]["request-id"].is_string());
    assert_eq!(
        get("/v1.0/groups?$filter=displayName%20gt%20'a'").await.is(400).code(),
        "Request_UnsupportedQuery"
    );
    assert_eq!(get("/v1.0/nonsense").await.is(400).code(), "BadRequest");
}

#[tokio::test]
async fn members_are_direct_or_at_any_depth() {
    let stage = Stage::start().await;
    let direct = stage.call(GRAPH, "GET", &format!("/v1.0/groups/{DATA}/members"), None).await.is(200).body;
    assert_eq!(each(&direct["value"], "@odata.type"), ["#microsoft.graph.user", "#microsoft.graph.group"]);
    let deep = stage
        .call(GRAPH, "GET", &format!("/v1.0/groups/{DATA}/transitiveMembers?$count=true"), None)
        .await
        .is(200)
        .body;
    assert_eq!(deep["@odata.count"], 4);
    let of = stage
        .call(
            GRAPH,
            "GET",
            "/v1.0/servicePrincipals/33333333-3333-3333-3333-333333333334/transitiveMemberOf",
            None,
        )
        .await
        .is(200)
        .body;
    assert_eq!(each(&of["value"], "displayName"), ["Data", "Inner"]);
}

#[tokio::test]
async fn a_list_goes_on_by_its_link() {
    let stage = Stage::start().await;
    stage.lever("PATCH", "/cloud", Some(json!({"settings": {"graphPage": 3}}))).await;
    let (mut target, mut names, mut pages) = ("/v1.0/groups?$select=displayName".to_owned(), Vec::new(), 0);
    loop {
        let page = stage.call(GRAPH, "GET", &target, None).await.is(200).body;
        names.extend(each(&page["value"], "displayName").into_iter().map(str::to_owned));
        pages += 1;
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        assert!(next.starts_with(&stage.base) && next.contains("skiptoken"), "{next}");
        target = next.to_owned();
    }
    assert_eq!((names, pages), (["Data", "Inner", "twin", "twin"].map(str::to_owned).to_vec(), 2));
    let bad = stage.call(GRAPH, "GET", "/v1.0/groups?$skiptoken=x", None).await.is(400);
    assert_eq!(bad.code(), "Directory_ExpiredPageToken");
}

#[tokio::test]
async fn many_ids_are_asked_for_at_once() {
    let stage = Stage::start().await;
    let body = json!({"ids": [ANN, DATA, AXON_OBJECT, "00000000-0000-0000-0000-000000000000"], "types": ["user", "servicePrincipal"]});
    let found = stage.call(GRAPH, "POST", "/v1.0/directoryObjects/getByIds", Some(body)).await.is(200).body;
    assert_eq!(each(&found["value"], "id"), [ANN, AXON_OBJECT]);
    let many = json!({"ids": vec![ANN; 1_001]});
    stage.call(GRAPH, "POST", "/v1.0/directoryObjects/getByIds", Some(many)).await.is(400);
}

#[tokio::test]
async fn who_may_not_read_the_directory_is_told_so() {
    let stage = Stage::start().await;
    let got = stage.call_as(JOB, GRAPH, "GET", "/v1.0/users", None).await.is(403);
    assert_eq!(got.code(), "Authorization_RequestDenied");
}

#[tokio::test]
async fn deleted_people_are_among_the_deleted_items_and_newcomers_are_late() {
    let stage = Stage::start().await;
    stage.lever("DELETE", &format!("/directory/{ANN}"), None).await;
    stage.call(GRAPH, "GET", "/v1.0/users/ann@x.org", None).await.is(404);
    let deleted = stage
        .call(GRAPH, "GET", "/v1.0/directory/deletedItems/microsoft.graph.user", None)
        .await
        .is(200)
        .body;
    let mangled = format!("{}ann@x.org", ANN.replace('-', ""));
    assert_eq!(each(&deleted["value"], "userPrincipalName"), [mangled], "the name is free for somebody else");
    let one =
        stage.call(GRAPH, "GET", &format!("/v1.0/directory/deletedItems/{ANN}"), None).await.is(200).body;
    assert_eq!(one["id"], ANN);
    stage
        .call(GRAPH, "GET", "/v1.0/directory/deletedItems/aaaaaaaa-0000-0000-0000-0000000000ff", None)
        .await
        .is(404);

    let new = json!({"users": [{"upn": "new@x.org", "objectId": "aaaaaaaa-0000-0000-0000-000000000009"}], "visibleAfterSeconds": 60});
    stage.lever("POST", "/directory", Some(new)).await;
    stage.call(GRAPH, "GET", "/v1.0/users/new@x.org", None).await.is(404);
    stage.lever("POST", "/clock", Some(json!({"advanceSeconds": 61}))).await;
    stage.call(GRAPH, "GET", "/v1.0/users/new@x.org", None).await.is(200);
}

#[tokio::test]
async fn federated_credentials_are_few_and_work_later() {
    let stage = Stage::start().await;
    stage.lever("PATCH", "/cloud", Some(json!({"settings": {"federationSeconds": 120}}))).await;
    let path = format!("/v1.0/applications/{REGISTRATION}/federatedIdentityCredentials");
    let credential = |n: usize| json!({"name": format!("c{n}"), "issuer": "https://ci.example", "subject": format!("s{n}"), "audiences": ["api://AzureADTokenExchange"]});
    for n in 1..20 {
        stage.call(GRAPH, "POST", &path, Some(credential(n))).await.is(201);
    }
    stage.call(GRAPH, "POST", &path, Some(credential(20))).await.is(400);
    let all = stage.call(GRAPH, "GET", &path, None).await.is(200).body;
    let id = all["value"][1]["id"].as_str().unwrap();
    stage.call(GRAPH, "DELETE", &format!("{path}/{id}"), None).await.is(204);
    let twice = stage.call(GRAPH, "POST", &path, Some(credential(2))).await.is(400);
    assert_eq!(twice.code(), "Request_MultipleObjectsWithSameKeyValue");
}
