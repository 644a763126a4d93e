//! `/Bulk` over the whole router.

use serde_json::{Value, json};

use crate::kit::{Answer, Client, ENTERPRISE, GROUP, Server, USER};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

async fn bulk(client: &Client<'_>, operations: Value) -> Value {
    let answer = client.post("/Bulk", json!({"schemas": [BULK], "Operations": operations})).await;
    let body = answer.ok(200);
    assert_eq!(body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    body["Operations"].clone()
}

#[expect(clippy::needless_pass_by_value, reason = "a table reads better so")]
fn post(path: &str, name: &str, data: Value) -> Value {
    json!({"method": "POST", "path": path, "bulkId": name, "data": data})
}

fn user(name: &str) -> Value {
    post("/Users", name, json!({"schemas": [USER], "userName": name}))
}

fn statuses(entries: &Value) -> Vec<&str> {
    entries.as_array().unwrap().iter().map(|entry| entry["status"].as_str().expect("a text")).collect()
}

async fn at(client: &Client<'_>, entry: &Value) -> Answer {
    let location = entry["location"].as_str().expect("a location");
    client.get(location.strip_prefix("https://axon.test/scim/v2").expect("our address")).await
}

/// V41.
#[tokio::test]
async fn a_group_may_name_a_user_that_comes_after_it() {
    let server = Server::start().await;
    let client = server.generic();
    let group =
        json!({"schemas": [GROUP], "displayName": "G", "members": [{"type": "User", "value": "bulkId:u1"}]});
    let entries = bulk(&client, json!([post("/Groups", "g", group), user("u1")])).await;
    assert_eq!(statuses(&entries), ["201", "201"]);
    let (group, person) = (at(&client, &entries[0]).await, at(&client, &entries[1]).await);
    assert_eq!(group.members(), [person.body["id"].as_str().unwrap()]);
    for (entry, resource) in [(&entries[0], &group), (&entries[1], &person)] {
        assert_eq!(entry["version"], resource.body["meta"]["version"]);
        assert_eq!(entry["method"], "POST");
        assert!(entry.get("response").is_none());
    }
    assert_eq!((&entries[0]["bulkId"], &entries[1]["bulkId"]), (&json!("g"), &json!("u1")));
}

#[tokio::test]
async fn resources_may_name_each_other_in_a_circle() {
    let server = Server::start().await;
    let client = server.generic();
    let boss = |name: &str, of: &str| {
        let manager = json!({"manager": {"value": format!("bulkId:{of}")}, "department": "D"});
        post("/Users", name, json!({"schemas": [USER, ENTERPRISE], "userName": name, ENTERPRISE: manager}))
    };
    let group = |name: &str, members: &[&str]| {
        let members: Vec<_> = members.iter().map(|m| json!({"value": format!("bulkId:{m}")})).collect();
        post("/Groups", name, json!({"schemas": [GROUP], "displayName": name, "members": members}))
    };
    let entries = bulk(
        &client,
        json!([
            boss("a", "b"),
            boss("b", "a"),
            boss("self", "self"),
            group("g", &["h", "a"]),
            group("h", &["g", "b"])
        ]),
    )
    .await;
    assert_eq!(statuses(&entries), ["201"; 5], "{entries}");
    let mut found = Vec::new();
    for entry in entries.as_array().unwrap() {
        found.push(at(&client, entry).await);
        assert_eq!(entry["version"], found.last().unwrap().body["meta"]["version"], "also after joining");
    }
    let id = |n: usize| found[n].body["id"].as_str().unwrap().to_owned();
    for (person, manager) in [(0, 1), (1, 0), (2, 2)] {
        assert_eq!(found[person].body[ENTERPRISE]["manager"]["value"], id(manager));
        assert_eq!(found[person].body[ENTERPRISE]["department"], "D");
    }
    let sorted = |n: usize| {
        let mut members = found[n].members();
        members.sort();
        members
    };
    let both = |a: String, b: String| if a < b { vec![a, b] } else { vec![b, a] };
    assert_eq!(sorted(3), both(id(4), id(0)));
    assert_eq!(sorted(4), both(id(3), id(1)));
}

#[tokio::test]
async fn every_method_goes_its_usual_way() {
    let server = Server::start().await;
    let client = server.generic();
    let (kim, lee) = (client.user("kim").await, client.user("lee").await);
    let group = client.group("G", &[&kim]).await;
    let entries = bulk(
        &client,
        json!([
            {"method": "put", "path": kim.path, "data": {"schemas": [USER], "userName": "kim", "title": "T"}},
            {"method": "PATCH", "path": format!("https://axon.test/scim/v2{}", group.path), "data": {"Operations": [
                {"op": "add", "path": "members", "value": [{"value": "bulkId:new"}]},
                {"op": "remove", "path": format!("members[value eq \"{}\"]", kim.id)}]}},
            user("new"),
            {"method": "PATCH", "path": "/Users/bulkId:new", "data": {"Operations": [
                {"op": "replace", "path": "title", "value": "X"}]}},
            {"method": "DELETE", "path": lee.path},
            {"method": "DELETE", "path": lee.path},
        ]),
    )
    .await;
    assert_eq!(statuses(&entries), ["200", "200", "201", "200", "204", "404"], "{entries}");
    assert_eq!(client.get(&kim.path).await.body["title"], "T");
    let new = at(&client, &entries[2]).await;
    assert_eq!(new.body["title"], "X");
    assert_eq!(client.get(&group.path).await.members(), [new.body["id"].as_str().unwrap()]);
    client.get(&lee.path).await.refused(404, "");
    assert_eq!(entries[5]["response"]["status"], "404");
    assert_eq!(entries[0]["method"], "PUT");
}

#[tokio::test]
async fn what_fails_says_why_and_leaves_the_rest_alone() {
    let server = Server::start().await;
    let client = server.generic();
    let kim = client.user("kim").await;
    let stale = client.get(&kim.path).await.body["meta"]["version"].clone();
    client.patch(&kim.path, json!([{"op": "replace", "path": "title", "value": "T"}])).await.ok(200);
    let put = |version: &Value| json!({"method": "PUT", "path": kim.path, "version": version, "data": {"schemas": [USER], "userName": "kim"}});
    let entries = bulk(
        &client,
        json!([
            user("KIM"),
            put(&stale),
            user("fine"),
            post("/Groups", "g", json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": "bulkId:KIM"}]})),
            post("/Groups", "h", json!({"schemas": [GROUP], "displayName": "H", "members": [{"value": "bulkId:nobody"}]})),
            {"method": "POST", "path": "/Users", "data": {"userName": "x"}},
            {"method": "GET", "path": kim.path},
            {"method": "POST", "path": "/Bulk", "bulkId": "b", "data": {}},
            {"method": "POST", "path": "/Me", "bulkId": "m", "data": {}},
            {"method": "PATCH", "path": "/Users/7", "data": {"Operations": [{"op": "remove", "path": "title"}]}},
        ]),
    )
    .await;
    assert_eq!(
        statuses(&entries),
        ["409", "412", "201", "409", "400", "400", "405", "404", "404", "404"],
        "{entries}"
    );
    assert_eq!(entries[0]["response"]["scimType"], "uniqueness");
    assert!(entries[0].get("location").is_none());
    assert_eq!(entries[1]["location"], format!("https://axon.test/scim/v2{}", kim.path));
    assert_eq!(client.get(&kim.path).await.body["title"], "T", "the stale PUT changed nothing");
    assert_eq!(client.get("/Groups").await.total(), 0);
    assert_eq!(client.get("/Users").await.total(), 2);
}

/// V42.
#[tokio::test]
async fn after_the_errors_that_were_allowed_no_more_is_done() {
    let server = Server::start().await;
    let client = server.generic();
    client.user("taken").await;
    let same = |name: &str| post("/Users", name, json!({"userName": "taken"}));
    let send = |limit: Value| {
        let operations = json!([same("a"), same("b"), same("c"), user("fine")]);
        client.post("/Bulk", json!({"schemas": [BULK], "failOnErrors": limit, "Operations": operations}))
    };
    assert_eq!(statuses(&send(json!(1)).await.ok(200)["Operations"]), ["409"]);
    assert_eq!(statuses(&send(json!(2)).await.ok(200)["Operations"]), ["409", "409"]);
    assert_eq!(client.get("/Users").await.total(), 1);
    assert_eq!(statuses(&send(Value::Null).await.ok(200)["Operations"]), ["409", "409", "409", "201"]);
    send(json!(0)).await.refused(400, "invalidValue");
}

#[tokio::test]
async fn limits_are_told_and_held() {
    let server = Server::start().await;
    let client = server.generic();
    let config = client.get("/ServiceProviderConfig").await.ok(200);
    let most = config["bulk"]["maxOperations"].as_u64().unwrap();
    let many: Vec<_> = (0..=most).map(|_| json!({"method": "DELETE", "path": "/Users/7"})).collect();
    let head = server.head().await;
    let refused = client.post("/Bulk", json!({"Operations": many})).await;
    assert!(refused.refused(413, "").contains(&most.to_string()));
    let payload = usize::try_from(config["bulk"]["maxPayloadSize"].as_u64().unwrap()).unwrap();
    let large = format!("{{\"Operations\": [], \"x\": \"{}\"}}", "x".repeat(payload));
    let refused = client.send("POST", "/Bulk", large).await;
    assert!(refused.refused(413, "").contains(&payload.to_string()));
    for body in
        [json!([]), json!({}), json!({"Operations": [7]}), json!({"Operations": [{"path": "/Users"}]})]
    {
        client.post("/Bulk", body).await.refused(400, "invalidSyntax");
    }
    assert_eq!(server.head().await, head);
    assert_eq!(bulk(&client, json!([])).await, json!([]));
}

#[tokio::test]
async fn nobody_reaches_another_source_by_bulk() {
    let server = Server::start().await;
    let theirs = server.okta().user("kim").await;
    let client = server.entra();
    let entries = bulk(
        &client,
        json!([
            {"method": "DELETE", "path": theirs.path},
            {"method": "PATCH", "path": theirs.path, "data": {"Operations": [{"op": "replace", "path": "active", "value": false}]}},
            {"method": "PUT", "path": theirs.path, "data": {"userName": "kim"}},
        ]),
    )
    .await;
    assert_eq!(statuses(&entries), ["404"; 3]);
    assert_eq!(server.okta().get(&theirs.path).await.ok(200)["active"], true);
    server.nobody().post("/Bulk", json!({"Operations": []})).await.refused(401, "");
}
