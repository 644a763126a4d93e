//! Who may call, and what each one sees (V36).

use axon_store::TokenStore as _;
use axum::body::Body;
use serde_json::json;

use crate::kit::{NOBODY, Server};

const ENDPOINTS: [(&str, &str); 16] = [
    ("GET", "/Users"),
    ("POST", "/Users"),
    ("POST", "/Users/.search"),
    ("GET", "/Users/x"),
    ("PUT", "/Users/x"),
    ("PATCH", "/Users/x"),
    ("DELETE", "/Users/x"),
    ("GET", "/Groups"),
    ("POST", "/Groups"),
    ("GET", "/Groups/x"),
    ("PUT", "/Groups/x"),
    ("PATCH", "/Groups/x"),
    ("DELETE", "/Groups/x"),
    ("GET", "/Schemas"),
    ("GET", "/ResourceTypes"),
    ("GET", "/ServiceProviderConfig"),
];

#[tokio::test]
async fn without_a_known_token_every_endpoint_is_401_and_says_the_same() {
    let server = Server::start().await;
    let head = server.head().await;
    let mut bodies = std::collections::BTreeSet::new();
    for (method, path) in ENDPOINTS {
        for client in
            [server.nobody(), server.bearer("wrong"), server.bearer("secret-of-entra2"), server.bearer("")]
        {
            let answer = client.send(method, path, "{ this is not read }").await;
            if method != "HEAD" {
                answer.refused(401, "");
            }
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Bearer realm=\"axon\""), "{challenge}");
            bodies.insert(answer.body.to_string());
        }
    }
    assert_eq!(bodies.len(), 1, "nothing tells a missing token from a wrong one: {bodies:?}");
    assert_eq!(server.head().await, head);
}

#[tokio::test]
async fn a_token_counts_in_its_header_alone() {
    let server = Server::start().await;
    let token = "secret-of-entra";
    for path in
        [format!("/Users?access_token={token}"), format!("/Users?token={token}&Authorization=Bearer+{token}")]
    {
        server.nobody().get(&path).await.refused(401, "");
    }
    let send = |name: &'static str, value: String| {
        server.send(server.nobody().request("GET", "/Users").header(name, value).body(Body::empty()).unwrap())
    };
    for (name, value) in [
        ("cookie", format!("token={token}")),
        ("x-api-key", token.to_owned()),
        ("authorization", token.to_owned()),
        ("authorization", format!("Basic {token}")),
        ("authorization", format!("Bearer{token}")),
        ("authorization", format!("Bearer {token} x")),
    ] {
        send(name, value).await.refused(401, "");
    }
    assert_eq!(send("authorization", format!("bEARER {token}")).await.status, 200);
    let twice = server.entra().request("GET", "/Users").header("authorization", format!("Bearer {token}"));
    server.send(twice.body(Body::empty()).unwrap()).await.refused(401, "");
    let body = json!({"userName": "kim", "access_token": token}).to_string();
    server.nobody().send("POST", "/Users", body).await.refused(401, "");
}

#[tokio::test]
async fn a_source_never_sees_or_touches_what_another_pushed() {
    let server = Server::start().await;
    let (entra, okta) = (server.entra(), server.okta());
    let kim = entra.user("kim").await;
    let group = entra.group("G", &[&kim]).await;
    let before = (entra.get(&kim.path).await.body, entra.get(&group.path).await.body);
    let head = server.head().await;
    for path in [&kim.path, &group.path] {
        okta.get(path).await.refused(404, "");
        okta.put(path, json!({"userName": "mine", "displayName": "mine"})).await.refused(404, "");
        okta.patch(path, json!([{"op": "replace", "path": "displayName", "value": "mine"}]))
            .await
            .refused(404, "");
        okta.delete(path).await.refused(404, "");
    }
    for filter in
        [format!("id eq \"{}\"", kim.id), "userName pr".to_owned(), "userName eq \"kim\"".to_owned()]
    {
        assert_eq!(okta.find("/Users", &filter).await.total(), 0, "{filter}");
    }
    assert_eq!(okta.find("/Groups", &format!("members eq \"{}\"", kim.id)).await.total(), 0);
    assert_eq!(server.head().await, head);
    // The same name is another person there, and the other's id is not a member here.
    let own = okta.user("kim").await;
    assert_ne!(own.id, kim.id);
    let mixed = okta.group("G", &[&own, &kim]).await;
    assert_eq!(okta.get(&mixed.path).await.members(), [own.id]);
    assert_eq!((entra.get(&kim.path).await.body, entra.get(&group.path).await.body), before);
}

#[tokio::test]
async fn a_token_that_expired_or_was_revoked_or_whose_source_is_gone_opens_nothing() {
    let server = Server::start().await;
    let soon = server.clock.as_ref();
    let until = axon_model::Clock::now(soon) + time::Duration::seconds(30);
    server.give_token("entra", "short", Some(until)).await;
    assert_eq!(server.bearer("short").get("/Users").await.status, 200);
    server.later();
    server.bearer("short").get("/Users").await.refused(401, "");

    let token = server.give_token("entra", "to-be-revoked", None).await;
    server.store.revoke_token(token.id, server.act()).await.unwrap();
    server.bearer("to-be-revoked").get("/Users").await.refused(401, "");

    server.give_token("elsewhere", "not-configured", None).await;
    server.bearer("not-configured").get("/Users").await.refused(401, "");
}

/// Rotation: the old and the new one open the door until the old one is revoked; the book of tokens forgets within a second.
#[tokio::test]
async fn two_tokens_of_a_source_live_side_by_side() {
    let server = Server::start().await;
    let new = server.give_token("entra", "new", None).await;
    let kim = server.entra().user("kim").await;
    assert_eq!(server.bearer("new").get(&kim.path).await.status, 200);
    server.store.revoke_token(new.id, server.act()).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while server.bearer("new").get(&kim.path).await.status == 200 {
        assert!(std::time::Instant::now() < deadline, "a revoked token is still accepted");
        tokio::task::yield_now().await;
    }
    assert_eq!(server.entra().get(&kim.path).await.status, 200);
    assert_eq!(server.entra().get(&format!("/Users/{NOBODY}")).await.status, 404);
}
