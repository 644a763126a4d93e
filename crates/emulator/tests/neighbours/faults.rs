use serde_json::{Value, json};

use super::stage::*;

const LIST: &str = "/v1.0/groups";

async fn armed(what: Value) -> Stage {
    let stage = Stage::start().await;
    stage.lever("POST", "/cloud/faults", Some(json!({"service": "graph", "what": what}))).await;
    stage
}

#[tokio::test]
async fn an_error_comes_once_with_its_headers() {
    let stage = armed(
        json!({"status": {"status": 429, "code": "TooManyRequests", "headers": [["Retry-After", "11"]]}}),
    )
    .await;
    let got = stage.call(GRAPH, "GET", LIST, None).await.is(429);
    assert_eq!((got.code(), got.header("retry-after")), ("TooManyRequests", Some("11")));
    stage.call(GRAPH, "GET", LIST, None).await.is(200);
}

#[tokio::test]
async fn half_a_page_an_error_inside_and_a_flood() {
    let stage = armed(json!("halfPage")).await;
    let got = stage.call(GRAPH, "GET", LIST, None).await.is(200);
    assert!(got.body.is_string(), "half of JSON is no JSON: {}", got.body);
    let inside = json!({"service": "graph", "what": {"body": {"status": 200, "body": {"error": {"code": "Oops", "message": ""}}}}});
    stage.lever("POST", "/cloud/faults", Some(inside)).await;
    assert_eq!(stage.call(GRAPH, "GET", LIST, None).await.is(200).code(), "Oops");
    stage
        .lever("POST", "/cloud/faults", Some(json!({"service": "graph", "what": {"big": 52_428_800}})))
        .await;
    let token = stage.token_of(AXON, GRAPH).await;
    let flood = stage.client.get(format!("{}{LIST}", stage.base)).bearer_auth(token).send().await.unwrap();
    assert_eq!(flood.content_length(), Some(52_428_800));
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_effect() {
    for (what, applied, begun) in [
        (json!({"drop": false}), false, false),
        (json!({"drop": true}), true, false),
        (json!("cut"), true, true),
    ] {
        let stage = Stage::start().await;
        let fault = json!({"service": "synapse", "method": "PUT", "what": what});
        stage.lever("POST", "/cloud/faults", Some(fault)).await;
        let token = stage.token_of(AXON, SYNAPSE).await;
        let id = "66666666-0000-0000-0000-000000000001";
        let url = format!("{}/roleAssignments/{id}?api-version=2020-12-01", stage.base);
        let body = json!({"roleId": SYNAPSE_USER, "principalId": DATA, "scope": "workspaces/acme", "principalType": "Group"});
        match stage.client.put(&url).bearer_auth(token).json(&body).send().await {
            Ok(answer) => assert!(begun && answer.bytes().await.is_err(), "{what}"),
            Err(_) => assert!(!begun, "{what}"),
        }
        let there = stage
            .call(SYNAPSE, "GET", &format!("/roleAssignments/{id}?api-version=2020-12-01"), None)
            .await
            .status
            == 200;
        assert_eq!(there, applied, "{what}");
    }
}

#[tokio::test]
async fn a_late_answer_is_late_and_right() {
    let stage = armed(json!({"delay": 80})).await;
    let token = stage.token_of(AXON, GRAPH).await;
    let begun = std::time::Instant::now();
    let got = stage.send(stage.client.get(format!("{}{LIST}", stage.base)).bearer_auth(token)).await.is(200);
    assert!(begun.elapsed() >= std::time::Duration::from_millis(80));
    assert_eq!(got.body["value"].as_array().unwrap().len(), 4);
}
