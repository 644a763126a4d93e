//! What a token may do: `read`, `write`, `users-only`.

use axon_store::{NewToken, TokenHash, TokenStore as _};
use serde_json::json;

use crate::kit::{Client, Server};

async fn scoped<'s>(server: &'s Server, scopes: &str) -> Client<'s> {
    let bearer = NewToken::bearer("entra".parse().unwrap(), TokenHash::of(scopes), "scoped");
    let token = NewToken { scopes: scopes.parse().unwrap(), ..bearer };
    server.store.add_token(token, server.act()).await.unwrap();
    server.bearer(scopes)
}

#[tokio::test]
async fn read_reads_everything_and_writes_nothing() {
    let server = Server::start().await;
    let kim = server.entra().user("kim").await;
    let group = server.entra().group("G", &[&kim]).await;
    let reader = scoped(&server, "read").await;
    let head = server.head().await;
    for path in [&*kim.path, &*group.path, "/Users", "/Groups", "/Schemas", "/ServiceProviderConfig"] {
        assert_eq!(reader.get(path).await.status, 200, "{path}");
    }
    let search =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "userName pr"});
    assert_eq!(reader.post("/Users/.search", search.clone()).await.total(), 1);
    assert_eq!(reader.post("/.search", search).await.status, 200);
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": []});
    for (method, path, body) in [
        ("POST", "/Users", json!({"userName": "new"})),
        ("PUT", &kim.path, json!({"userName": "new"})),
        ("PATCH", &kim.path, json!({"Operations": [{"op": "replace", "path": "active", "value": false}]})),
        ("DELETE", &kim.path, json!(null)),
        ("POST", "/Groups", json!({"displayName": "new"})),
        ("DELETE", &group.path, json!(null)),
        ("POST", "/Bulk", bulk),
    ] {
        let answer = reader.send(method, path, body.to_string()).await;
        answer.refused(403, "");
        assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{method} {path}");
    }
    assert_eq!(server.head().await, head);
}

#[tokio::test]
async fn users_only_neither_sees_nor_touches_groups() {
    let server = Server::start().await;
    let entra = server.entra();
    let kim = entra.user("kim").await;
    let group = entra.group("Payroll", &[&kim]).await;
    let limited = scoped(&server, "users-only").await;
    let lee = limited.user("lee").await;
    assert_eq!(limited.get(&lee.path).await.status, 200);
    let head = server.head().await;
    for (method, path, body) in [
        ("GET", "/Groups", ""),
        ("GET", &*group.path, ""),
        ("POST", "/Groups", r#"{"displayName":"mine"}"#),
        ("POST", "/Groups/.search", "{}"),
        ("PATCH", &group.path, r#"{"Operations":[{"op":"remove","path":"members"}]}"#),
        ("PUT", &group.path, r#"{"displayName":"mine"}"#),
        ("DELETE", &group.path, ""),
        ("GET", "/?filter=displayName+eq+%22Payroll%22", ""),
        ("POST", "/.search", r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}"#),
    ] {
        limited.send(method, path, body).await.refused(403, "");
    }
    // What a user is in is not told either: not shown, not by a filter, not by asking for it.
    assert!(entra.get(&kim.path).await.text.windows(7).any(|seven| seven == b"Payroll"));
    for path in [kim.path.clone(), format!("{}?attributes=groups", kim.path), "/Users".to_owned()] {
        let answer = limited.get(&path).await;
        assert!(answer.status == 200 && !answer.text.windows(7).any(|seven| seven == b"Payroll"), "{path}");
    }
    limited.find("/Users", "groups.display eq \"Payroll\"").await.refused(403, "");
    limited.find("/Users", "userName pr and not (groups pr)").await.refused(403, "");
    limited.get("/Users?sortBy=groups.display").await.refused(403, "");
    let patch =
        limited.patch(&kim.path, json!([{"op": "replace", "path": "displayName", "value": "K"}])).await;
    assert!(patch.status == 200 && patch.body.get("groups").is_none(), "{}", patch.body);
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "DELETE", "path": group.path},
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "mine"}},
            {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": "mo"}},
        ],
    });
    let done = limited.post("/Bulk", bulk).await.ok(200);
    let statuses: Vec<&str> =
        done["Operations"].as_array().unwrap().iter().map(|o| o["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["403", "403", "201"]);
    assert_eq!(server.head().await, head + 2, "the display name and mo");
    assert_eq!(entra.get(&group.path).await.members(), [kim.id]);
}
