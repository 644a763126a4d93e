//! Every `scimType` of RFC 7644 table 9 and RFC 9865, where it belongs. `expiredCursor` has no line: cursors do not run out.

use serde_json::json;

use crate::kit::{ENTERPRISE, Server};

#[tokio::test]
async fn every_keyword_is_given_where_it_belongs() {
    let server = Server::start().await;
    let client = server.generic();
    let kim = client.user("kim").await;
    let patch = |operation: serde_json::Value| client.patch(&kim.path, json!([operation]));
    let manager = format!("{ENTERPRISE}:manager");
    client.get("/Users?filter=active+gt+true").await.refused(400, "invalidFilter");
    client.post("/.search", json!({"sortBy": "id", "startIndex": 10_001})).await.refused(400, "tooMany");
    client.post("/Users", json!({"userName": "KIM"})).await.refused(409, "uniqueness");
    patch(json!({"op": "replace", "path": "meta.created", "value": "2020-01-01T00:00:00Z"}))
        .await
        .refused(400, "mutability");
    client.post("/Users", json!([])).await.refused(400, "invalidSyntax");
    patch(json!({"op": "add", "path": "name.shoe", "value": 1})).await.refused(400, "invalidPath");
    patch(json!({"op": "remove"})).await.refused(400, "noTarget");
    patch(json!({"op": "add", "path": manager, "value": 7})).await.refused(400, "invalidValue");
    client.get("//scim/v1/Users").await.refused(400, "invalidVers");
    client.get("/Users?filter=password+pr").await.refused(403, "sensitive");
    client.get("/Users?cursor=abc").await.refused(400, "invalidCursor");
    client.user("lee").await;
    let page = client.get("/Users?cursor=&count=1").await;
    let next = page.body["nextCursor"].as_str().unwrap();
    client.get(&format!("/Users?cursor={next}&count=2")).await.refused(400, "invalidCount");
}

#[tokio::test]
async fn head_and_options_work_wherever_clients_ask() {
    let server = Server::start().await;
    let client = server.okta();
    let kim = client.user("kim").await;
    let group = client.group("G", &[&kim]).await;
    for (path, allowed) in [
        ("/Users", &["GET", "HEAD", "POST"][..]),
        (&kim.path, &["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        (&group.path, &["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        ("/Schemas", &["GET", "HEAD"]),
        ("/ServiceProviderConfig", &["GET", "HEAD"]),
        ("/", &["GET", "HEAD"]),
        ("/Bulk", &["POST"]),
        ("/.search", &["POST"]),
        ("/Users/.search", &["POST"]),
    ] {
        let options = client.send("OPTIONS", path, "").await;
        assert_eq!(options.status, 204, "{path}");
        for method in allowed {
            assert!(options.header("allow").contains(method), "{path}: {:?}", options.headers);
        }
        if allowed.contains(&"HEAD") {
            let (head, get) = (client.send("HEAD", path, "").await, client.get(path).await);
            assert_eq!((head.status, head.text.len()), (200, 0), "{path}");
            assert_eq!(head.header("etag"), get.header("etag"), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        }
    }
}
