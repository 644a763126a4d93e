//! What needs no token, and says nothing of anybody.

use std::sync::Arc;

use axon_store::Store as _;
use serde_json::json;

use crate::kit::{LIMITS, Server};

#[tokio::test]
async fn health_and_metrics_need_no_token_and_name_nobody() {
    let server =
        Server::with(LIMITS, |parts| parts.render_metrics = Arc::new(|| "axon_x 1\n".to_owned())).await;
    server.entra().user("kim@secret.test").await;
    let nobody = server.nobody();
    let live = nobody.get("//healthz").await;
    assert_eq!((live.status, live.text.as_slice()), (200, &b"ok\n"[..]));
    let ready = nobody.get("//readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!((&ready.body["store"], &ready.body["targets"]), (&json!("ok"), &json!({})));
    assert_eq!(ready.body["durability"], json!({"journal_mode": "wal", "synchronous": "full"}));
    let metrics = nobody.get("//metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    assert_eq!(metrics.text, b"axon_x 1\n");
    for answer in [live, ready, metrics] {
        assert!(!String::from_utf8_lossy(&answer.text).contains("secret"));
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_makes_it_unready_and_scim_503() {
    let server = Server::start().await;
    assert_eq!(server.entra().get("/Users").await.status, 200);
    server.store.close().await;
    let ready = server.nobody().get("//readyz").await;
    assert_eq!((ready.status, &ready.body["store"]), (503, &json!("unavailable")));
    assert_eq!(server.nobody().get("//healthz").await.status, 200, "the process lives");
    // The token is still believed; what follows it fails, and says nothing of the inside.
    for answer in [
        server.entra().get("/Users").await,
        server.entra().post("/Users", json!({"userName": "kim"})).await,
        server.entra().get(&format!("/Groups/{}", crate::kit::NOBODY)).await,
        server.okta().get("/Users").await,
    ] {
        assert!(!answer.refused(503, "").to_lowercase().contains("sql"));
        assert_eq!(answer.header("retry-after"), "1");
    }
}
