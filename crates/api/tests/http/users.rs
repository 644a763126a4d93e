//! `/Users`, verb by verb.

use serde_json::json;

use crate::kit::{ENTERPRISE, NOBODY, Server, USER};

#[tokio::test]
async fn a_created_user_is_answered_as_it_is_read() {
    let server = Server::start().await;
    let body = json!({"schemas": [USER, ENTERPRISE], "userName": "Kim@Ex.test", "externalId": "e1",
        "name": {"givenName": "Kim"}, "emails": [{"type": "work", "value": "kim@ex.test", "primary": true}],
        ENTERPRISE: {"department": "R&D", "manager": {"value": "m"}}});
    let made = server.entra().post("/Users", body).await;
    assert_eq!(made.status, 201);
    let id = made.body["id"].as_str().unwrap();
    let location = format!("https://axon.test/scim/v2/Users/{id}");
    assert_eq!(made.header("location"), location);
    assert_eq!(made.header("etag"), "W/\"1\"");
    assert_eq!(made.header("cache-control"), "private, no-cache");
    assert_eq!(
        made.body["meta"],
        json!({"resourceType": "User", "created": "2026-11-22T08:00:00.000Z",
            "lastModified": "2026-11-22T08:00:00.000Z", "location": location, "version": "W/\"1\""})
    );
    assert_eq!(made.body["userName"], "Kim@Ex.test", "kept as it was spelled");
    assert_eq!(made.body["active"], true);
    let read = server.entra().get(&format!("/Users/{id}")).await;
    assert_eq!(read.body, made.body);
    assert_eq!(read.header("etag"), "W/\"1\"");
    assert_eq!(server.entra().find("/Users", "externalId eq \"e1\"").await.body["Resources"][0], made.body);
}

/// V31.
#[tokio::test]
async fn a_user_name_in_use_is_409_in_whatever_case_and_changes_nothing() {
    let server = Server::start().await;
    let kim = server.entra().user("kim@ex.test").await;
    let (before, head) = (server.entra().get(&kim.path).await, server.head().await);
    let body = json!({"userName": "KIM@EX.TEST", "displayName": "Another"});
    server.entra().post("/Users", body.clone()).await.refused(409, "uniqueness");
    let lee = server.entra().user("lee@ex.test").await;
    let after_lee = server.head().await;
    assert_eq!(after_lee, head + 1);
    server.entra().put(&lee.path, body).await.refused(409, "uniqueness");
    let rename = json!([{"op": "replace", "path": "userName", "value": "Kim@ex.test"}]);
    server.entra().patch(&lee.path, rename).await.refused(409, "uniqueness");
    assert_eq!(server.entra().get(&kim.path).await.body, before.body);
    assert_eq!(server.head().await, after_lee);
}

/// V32.
#[tokio::test]
async fn a_deleted_user_is_gone_from_everywhere_and_its_name_is_free() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let group = client.group("G", &[&kim]).await;
    let answer = client.delete(&kim.path).await;
    assert_eq!((answer.status, answer.text.len()), (204, 0));
    client.delete(&kim.path).await.refused(404, "");
    client.get(&kim.path).await.refused(404, "");
    client.put(&kim.path, json!({"userName": "kim"})).await.refused(404, "");
    client.patch(&kim.path, json!([{"op": "add", "path": "title", "value": "T"}])).await.refused(404, "");
    assert_eq!(client.get(&group.path).await.members(), Vec::<String>::new());
    assert_eq!(client.find("/Users", "userName eq \"kim\"").await.total(), 0);
    assert_ne!(client.user("kim").await.id, kim.id);
}

/// V33, with everything that Okta echoes.
#[tokio::test]
async fn a_put_of_what_was_read_changes_nothing() {
    let server = Server::start().await;
    let client = server.okta();
    let kim = client.user("kim").await;
    client.group("G", &[&kim]).await;
    let read = client.get(&kim.path).await;
    assert_eq!(read.body["groups"][0]["display"], "G");
    server.later();
    let head = server.head().await;
    let put = client.put(&kim.path, read.body.clone()).await;
    assert_eq!((put.status, &put.body), (200, &read.body));
    assert_eq!(put.header("etag"), read.header("etag"));
    assert_eq!(server.head().await, head, "no record of nothing");
}

/// V34.
#[tokio::test]
async fn nulls_groups_passwords_and_unknown_schemas_are_dropped() {
    let server = Server::start().await;
    let body = json!({"schemas": [USER, "urn:example:2.0:Unknown"], "userName": "kim", "title": null, "groups": [],
        "password": "correct horse", "urn:example:2.0:Unknown": {"a": 1}, "name": {"givenName": null},
        "id": NOBODY, "meta": {"resourceType": "User", "version": "W/\"99\""}});
    let made = server.okta().post("/Users", body).await;
    assert_eq!(made.status, 201);
    for gone in ["title", "groups", "password", "urn:example:2.0:Unknown", "name"] {
        assert!(made.body.get(gone).is_none(), "{gone}");
    }
    assert_ne!(made.body["id"], NOBODY);
    assert_eq!(made.body["schemas"], json!([USER]));
    assert_eq!(made.header("etag"), "W/\"1\"");
    let path = format!("/Users/{}", made.body["id"].as_str().unwrap());
    let password = json!([{"op": "replace", "value": {"password": "another"}}]);
    let patched = server.okta().patch(&path, password).await;
    assert_eq!((patched.status, patched.body.get("password")), (200, None));
    assert_eq!(server.okta().get(&format!("{path}?attributes=password")).await.body.get("password"), None);
    server.okta().find("/Users", "password eq \"another\"").await.refused(403, "sensitive");
}

/// V5 and V6.
#[tokio::test]
async fn an_inactive_user_stays_visible_to_get_list_and_filter() {
    let server = Server::start().await;
    let client = server.entra();
    for (name, operation) in [
        ("a@x", json!([{"op": "Replace", "path": "active", "value": "False"}])),
        ("b@x", json!([{"op": "replace", "value": {"active": false}}])),
    ] {
        let user = client.user(name).await;
        assert_eq!(client.patch(&user.path, operation).await.ok(200)["active"], false);
        assert_eq!(client.get(&user.path).await.body["active"], false);
        let found = client.find("/Users", &format!("userName eq \"{name}\"")).await;
        assert_eq!((found.total(), &found.body["Resources"][0]["active"]), (1, &json!(false)));
    }
    assert_eq!(client.get("/Users").await.total(), 2);
}

/// V17.
#[tokio::test]
async fn a_patch_whose_second_operation_is_bad_changes_nothing() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let (before, head) = (client.get(&kim.path).await.body, server.head().await);
    server.later();
    for (bad, scim_type) in [
        (json!({"op": "replace", "path": "active", "value": "maybe"}), "invalidValue"),
        (json!({"op": "replace", "path": "nonsense", "value": "x"}), "invalidPath"),
        (json!({"op": "remove", "path": "userName"}), "mutability"),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "explode", "path": "title"}), "invalidSyntax"),
    ] {
        let operations = json!([{"op": "add", "path": "title", "value": "Boss"}, bad]);
        client.patch(&kim.path, operations).await.refused(400, scim_type);
    }
    assert_eq!(client.get(&kim.path).await.body, before);
    assert_eq!(server.head().await, head);
}

/// V46.
#[tokio::test]
async fn a_value_wrapped_in_a_list_is_unwrapped() {
    let server = Server::start().await;
    let kim = server.entra().user("kim").await;
    let wrapped = json!([{"op": "Add", "path": "displayName", "value": [{"$ref": null, "value": "New"}]}]);
    assert_eq!(server.entra().patch(&kim.path, wrapped).await.ok(200)["displayName"], "New");
}

#[tokio::test]
async fn last_modified_moves_with_a_change_only() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let title = json!([{"op": "replace", "path": "title", "value": "Boss"}]);
    server.later();
    let changed = client.patch(&kim.path, title.clone()).await;
    assert_eq!(changed.body["meta"]["lastModified"], "2026-11-22T08:01:00.000Z");
    assert_eq!(changed.body["meta"]["created"], "2026-11-22T08:00:00.000Z");
    assert_eq!(changed.header("etag"), "W/\"2\"");
    server.later();
    let same = client.patch(&kim.path, title).await;
    assert_eq!((same.status, &same.body), (200, &changed.body));
}

#[tokio::test]
async fn every_answer_shows_the_groups_of_a_user() {
    let server = Server::start().await;
    let client = server.okta();
    let kim = client.user("kim").await;
    let group = client.group("Eng", &[&kim]).await;
    let groups = json!([{"value": group.id, "display": "Eng", "type": "direct",
        "$ref": format!("https://axon.test/scim/v2/Groups/{}", group.id)}]);
    let put = client.put(&kim.path, json!({"userName": "kim", "title": "T"})).await;
    let patched = client.patch(&kim.path, json!([{"op": "replace", "path": "title", "value": "U"}])).await;
    let read = client.get(&kim.path).await;
    let listed = client.get("/Users").await;
    for shown in [&put.body, &patched.body, &read.body, &listed.body["Resources"][0]] {
        assert_eq!(shown["groups"], groups, "{shown}");
    }
    for query in ["excludedAttributes=groups", "attributes=userName"] {
        let path = format!("{}?{query}", kim.path);
        let put = client.put(&path, json!({"userName": "kim", "title": "V"})).await;
        assert_eq!((put.status, put.body.get("groups")), (200, None), "{query}");
        assert_eq!(client.get(&path).await.body.get("groups"), None, "{query}");
    }
    client.delete(&group.path).await.ok(204);
    assert_eq!(client.get(&kim.path).await.body.get("groups"), None);
}

/// coder#15828 and RFC 7644 section 3.5.1.
#[tokio::test]
async fn a_put_clears_what_it_leaves_out_but_keeps_active() {
    let server = Server::start().await;
    let client = server.okta();
    let kim = client.user("kim").await;
    client.put(&kim.path, json!({"userName": "kim", "title": "T", "active": false})).await.ok(200);
    let put = client.put(&kim.path, json!({"userName": "kim", "nickName": "K"})).await.ok(200);
    assert_eq!((put.get("title"), &put["active"], &put["nickName"]), (None, &json!(false), &json!("K")));
    client.put(&kim.path, json!({"title": "T"})).await.refused(400, "invalidValue");
    assert_eq!(client.get(&kim.path).await.body["nickName"], "K");
}

#[tokio::test]
async fn attributes_choose_what_an_answer_shows() {
    let server = Server::start().await;
    let client = server.generic();
    let body = json!({"userName": "kim", "title": "T", "name": {"givenName": "K", "familyName": "L"},
        ENTERPRISE: {"department": "D", "division": "V"}});
    let query = format!("?attributes=name.givenName,{ENTERPRISE}:department,unknown");
    let made = client.post(&format!("/Users{query}"), body).await.ok(201);
    assert_eq!(
        made,
        json!({"schemas": [USER, ENTERPRISE], "id": made["id"], "name": {"givenName": "K"},
            ENTERPRISE: {"department": "D"}})
    );
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    assert_eq!(client.get(&format!("{path}{query}")).await.body, made);
    let without = client.get(&format!("{path}?excludedAttributes=name,id,schemas,meta")).await.ok(200);
    assert!(without.get("name").is_none() && without["id"].is_string() && without["schemas"].is_array());
    assert_eq!(without["title"], "T");
}
