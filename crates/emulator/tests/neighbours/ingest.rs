use std::io::Write as _;

use serde_json::{Value, json};

use super::stage::*;

const TARGET: &str = "/dataCollectionRules/dcr-0123/streams/Custom-Axon_CL?api-version=2023-01-01";
const PUBLISHER: &str = "3913510d-42f4-4e42-8a64-420c390055eb";

async fn publishing() -> Stage {
    let stage = Stage::start().await;
    let mut rows = seed()["assignments"].clone();
    let rule = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/axon";
    rows.as_array_mut().unwrap().push(json!({"name": "55555555-5555-5555-5555-555555555556", "scope": rule, "role": PUBLISHER, "principalId": AXON_OBJECT}));
    stage.lever("PATCH", "/cloud", Some(json!({"assignments": rows}))).await;
    stage
}

async fn post(stage: &Stage, target: &str, body: Vec<u8>, packed: bool) -> Got {
    let token = stage.token_of(AXON, MONITOR).await;
    let mut request = stage
        .client
        .post(format!("{}{target}", stage.base))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body);
    if packed {
        request = request.header("content-encoding", "gzip");
    }
    stage.send(request).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn records_are_taken_long_fields_cut_and_old_times_made_new() {
    let stage = publishing().await;
    let records =
        json!([{"TimeGenerated": "1999-01-01T00:00:00Z", "Id": 1, "Text": "x".repeat(70_000)}]).to_string();
    post(&stage, TARGET, gzip(records.as_bytes()), true).await.is(204);
    let logs = stage.lever("GET", "/cloud/logs", None).await;
    let record = &logs["logs"][0]["record"];
    assert_eq!(
        (logs["logs"][0]["stream"].as_str(), record["Text"].as_str().unwrap().len()),
        (Some("Custom-Axon_CL"), 65_536)
    );
    assert!(!record["TimeGenerated"].as_str().unwrap().starts_with("1999"));
}

#[tokio::test]
async fn what_is_too_large_unknown_or_misformed_is_refused() {
    let stage = publishing().await;
    for (target, body, packed, status) in [
        (TARGET, vec![b' '; 1_048_577], false, 413),
        (TARGET, gzip(&vec![b' '; 2_000_000]), true, 413),
        (TARGET, b"not gzip".to_vec(), true, 400),
        (TARGET, b"{}".to_vec(), false, 400),
        (TARGET, b"[1]".to_vec(), false, 400),
        (TARGET, br#"[{"TenantId":1}]"#.to_vec(), false, 400),
        (TARGET, br#"[{"1a":1}]"#.to_vec(), false, 400),
        (TARGET, br#"[{"TimeGenerated":"yesterday"}]"#.to_vec(), false, 400),
        (
            "/dataCollectionRules/dcr-9/streams/Custom-Axon_CL?api-version=2023-01-01",
            b"[]".to_vec(),
            false,
            404,
        ),
        (
            "/dataCollectionRules/dcr-0123/streams/Custom-Other_CL?api-version=2023-01-01",
            b"[]".to_vec(),
            false,
            404,
        ),
    ] {
        let length = body.len();
        assert_eq!(post(&stage, target, body, packed).await.status, status, "{target} {length}");
    }
    assert_eq!(stage.lever("GET", "/cloud/logs", None).await["logs"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn without_the_role_on_the_rule_nothing_is_taken() {
    let stage = Stage::start().await;
    post(&stage, TARGET, b"[]".to_vec(), false).await.is(403);
}

#[tokio::test]
async fn over_the_limit_it_says_when_to_come_again() {
    let stage = publishing().await;
    stage.lever("PATCH", "/cloud", Some(json!({"limits": {"ingest": {"requests": 1, "seconds": 60}}}))).await;
    post(&stage, TARGET, b"[]".to_vec(), false).await.is(204);
    let late = post(&stage, TARGET, b"[]".to_vec(), false).await.is(429);
    assert!(late.header("retry-after").unwrap().parse::<u32>().unwrap() <= 60);
    stage.lever("POST", "/clock", Some(json!({"advanceSeconds": 61}))).await;
    post(&stage, TARGET, b"[]".to_vec(), false).await.is(204);
}

#[tokio::test]
async fn what_a_stream_does_not_declare_is_dropped_without_a_word() {
    let stage = publishing().await;
    let mut rules = seed()["rules"].clone();
    rules[0]["columns"] = json!({"Id": "long", "Text": "string", "More": "dynamic"});
    stage.lever("PATCH", "/cloud", Some(json!({"rules": rules}))).await;
    let records = json!([{"Id": 1, "Text": 7, "More": {"a": 1}, "Other": 1}]).to_string();
    post(&stage, TARGET, records.into_bytes(), false).await.is(204);
    let logs = stage.lever("GET", "/cloud/logs", None).await;
    assert_eq!(logs["logs"][0]["record"], json!({"Id": 1, "Text": null, "More": {"a": 1}}));
}
