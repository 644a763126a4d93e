//! Okta's SPEC test and its life of a person and a group, in the order in which Okta sends it.

use serde_json::json;

use crate::kit::{ERROR, NOBODY, Server, USER};

fn person(name: &str) -> serde_json::Value {
    json!({"schemas": [USER], "userName": name, "name": {"givenName": "Kim", "familyName": "Lee"},
        "emails": [{"primary": true, "value": name, "type": "work"}], "displayName": "Kim Lee", "locale": "en-US",
        "externalId": "00uabc", "groups": [], "password": "1mz050nq", "active": true})
}

/// The twelve requests of the SPEC test.
#[tokio::test]
async fn the_spec_test() {
    let server = Server::start().await;
    let okta = server.okta();
    okta.post("/Users", person("first@ex.test")).await.ok(201);
    let list = okta.get("/Users?count=1&startIndex=1").await;
    assert_eq!(list.total(), 1);
    for number in ["itemsPerPage", "startIndex", "totalResults"] {
        assert!(list.body[number].is_u64(), "{number}");
    }
    let first = &list.body["Resources"][0];
    for text in [
        &first["id"],
        &first["name"]["familyName"],
        &first["name"]["givenName"],
        &first["userName"],
        &first["emails"][0]["value"],
    ] {
        assert!(text.as_str().is_some_and(|text| !text.is_empty()), "{first}");
    }
    assert!(first["active"].is_boolean());
    assert_eq!(&okta.get(&format!("/Users/{}", first["id"].as_str().unwrap())).await.body, first);
    assert_eq!(okta.find("/Users", &format!("userName eq \"{NOBODY}\"")).await.total(), 0);
    okta.get(&format!("/Users/{NOBODY}")).await.refused(404, "");
    let made = okta.post("/Users", person("kim@ex.test")).await;
    assert_eq!(made.status, 201);
    assert!(!made.text.is_empty(), "an empty answer is 'Create new user returned empty user'");
    assert_eq!((&made.body["active"], &made.body["schemas"]), (&json!(true), &json!([USER])));
    assert!(made.body.get("password").is_none());
    okta.post("/Users", person("kim@ex.test")).await.refused(409, "uniqueness");
    let upper = okta.get("/Users?filter=userName%20eq%20%22KIM%40EX.TEST%22&startIndex=1&count=100").await;
    assert_eq!(upper.total(), 1);
    assert_eq!(okta.get("/Groups?startIndex=1&count=100").await.total(), 0);
    let refused = server.bearer("bad").get("/Users").await;
    assert_eq!((&refused.body["schemas"], &refused.body["status"]), (&json!([ERROR]), &json!("401")));
    assert_eq!(okta.get("/Users/00919288221112222").await.body["status"], "404");
}

#[tokio::test]
async fn the_life_of_a_person() {
    let server = Server::start().await;
    let okta = server.okta();
    let find = || okta.get("/Users?filter=userName%20eq%20%22kim%40ex.test%22&startIndex=1&count=100");
    assert_eq!(find().await.total(), 0);
    let made = okta.post("/Users", person("kim@ex.test")).await.ok(201);
    let path = format!("/Users/{}", made["id"].as_str().unwrap());

    // A profile update: what was read, edited, and sent back whole.
    let mut read = okta.get(&path).await.ok(200);
    read["name"]["familyName"] = json!("Lee-Berg");
    let put = okta.put(&path, read.clone()).await.ok(200);
    assert_eq!(
        (&put["name"]["familyName"], &put["externalId"], &put["active"]),
        (&json!("Lee-Berg"), &json!("00uabc"), &json!(true))
    );

    // Deactivation, without a path; the password of a sync is neither kept nor shown.
    let off = json!([{"op": "replace", "value": {"active": false}}]);
    assert_eq!(okta.patch(&path, off).await.ok(200)["active"], false);
    let password = okta.patch(&path, json!([{"op": "replace", "value": {"password": "s3cret"}}])).await;
    assert!(password.status == 200 && !String::from_utf8_lossy(&password.text).contains("s3cret"));

    // An update of somebody inactive, by a client that leaves `active` out, gives nothing back.
    let mut silent = okta.get(&path).await.ok(200);
    silent.as_object_mut().unwrap().remove("active");
    assert_eq!(okta.put(&path, silent).await.ok(200)["active"], false);

    // Assigned again: found although inactive, and switched on.
    let found = find().await;
    assert_eq!((found.total(), &found.body["Resources"][0]["active"]), (1, &json!(false)));
    let on = json!([{"op": "replace", "value": {"active": true}}]);
    assert_eq!(okta.patch(&path, on).await.ok(200)["active"], true);
}

#[tokio::test]
async fn the_life_of_a_pushed_group() {
    let server = Server::start().await;
    let okta = server.okta();
    let (a, b, c) = (okta.user("a").await, okta.user("b").await, okta.user("c").await);
    assert_eq!(okta.find("/Groups", "displayName eq \"Eng\"").await.total(), 0);
    let made = okta.post("/Groups", json!({"displayName": "Eng", "members": []})).await.ok(201);
    let id = made["id"].as_str().unwrap();
    let path = format!("/Groups/{id}");
    let member = |m: &crate::kit::Made| json!({"value": m.id, "display": "somebody"});

    let push = json!([{"op": "replace", "value": {"id": id, "displayName": "Eng"}}]);
    assert_eq!(okta.patch(&path, push).await.status, 200);
    let add = json!([{"op": "add", "path": "members", "value": [member(&a), member(&b)]}]);
    let added = okta.patch(&path, add).await;
    assert_eq!((added.status, added.members()), (200, vec![a.id.clone(), b.id.clone()]));

    // Removals and additions share a request.
    let both = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", a.id)},
        {"op": "add", "path": "members", "value": [member(&c)]}]);
    assert_eq!(okta.patch(&path, both).await.members(), [b.id.clone(), c.id.clone()]);
    assert_eq!(okta.get(&path).await.members(), [b.id.clone(), c.id.clone()]);

    // A full resync, then the form of apps that push by PUT.
    let resync = json!([{"op": "replace", "path": "members", "value": [member(&a)]}]);
    assert_eq!(okta.patch(&path, resync).await.members(), std::slice::from_ref(&a.id));
    let put =
        okta.put(&path, json!({"id": id, "displayName": "Eng", "members": [member(&b), member(&c)]})).await;
    assert_eq!((put.status, put.members()), (200, vec![b.id.clone(), c.id]));

    // The echo of what was read keeps everybody.
    let read = okta.get(&path).await;
    let echo = okta.put(&path, read.body.clone()).await;
    assert_eq!((echo.status, &echo.body), (200, &read.body));
    assert_eq!(okta.get(&b.path).await.body["groups"][0]["value"], id);
    assert_eq!(okta.delete(&path).await.status, 204);
}

/// Okta's header mode without the word Bearer is a switch of the profile, which is off.
#[tokio::test]
async fn a_plain_token_needs_its_switch() {
    let server = Server::with(crate::kit::LIMITS, |parts| {
        let okta = parts.sources.get_mut(&"okta".parse().unwrap()).unwrap();
        okta.plain_token = true;
    })
    .await;
    let plain = |token: &'static str| {
        let request = server.nobody().request("GET", "/Users").header("authorization", token);
        server.send(request.body(axum::body::Body::empty()).unwrap())
    };
    assert_eq!(plain("secret-of-okta").await.status, 200);
    plain("secret-of-entra").await.refused(401, "");
    assert_eq!(server.okta().get("/Users").await.status, 200);
}
