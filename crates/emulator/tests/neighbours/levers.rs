use std::time::Duration;

use axon_emulator::session::first_error;
use axon_emulator::{Credentials, LoginRequest};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::stage::*;

#[tokio::test]
async fn requests_are_kept_for_comparison_without_secrets() {
    let stage = Stage::start().await;
    stage.call(SYNAPSE, "GET", "/roleAssignments?api-version=2020-12-01&principalId=p", None).await.is(200);
    let kept = stage.lever("GET", "/cloud/requests", None).await;
    let [token, list] = &kept["requests"].as_array().unwrap()[..] else { panic!("{kept}") };
    assert_eq!((&token["service"], &token["status"]), (&json!("authority"), &json!(200)));
    assert!(token["body"].as_str().unwrap().contains("client_secret=<secret>"), "{token}");
    assert_eq!(
        (&list["method"], &list["path"], &list["query"]),
        (&json!("GET"), &json!("/roleAssignments"), &json!("api-version=2020-12-01&principalId=p"))
    );
    assert!(
        list["headers"]
            .as_array()
            .unwrap()
            .contains(&json!(["authorization", format!("Bearer <token for {SYNAPSE}>")]))
    );
    stage.lever("DELETE", "/cloud/requests", None).await;
    assert_eq!(stage.lever("GET", "/cloud/requests", None).await["requests"], json!([]));
}

#[tokio::test]
async fn the_state_goes_out_and_comes_back() {
    let stage = Stage::start().await;
    let before = stage.lever("GET", "/state", None).await;
    stage.lever("DELETE", &format!("/directory/{ANN}"), None).await;
    stage.lever("PUT", "/pool", Some(json!({"power": "paused"}))).await;
    stage.lever("PATCH", "/cloud", Some(json!({"workspaces": []}))).await;
    let changed = stage.lever("GET", "/state", None).await;
    assert_ne!(changed, before);
    stage.lever("PUT", "/state", Some(before.clone())).await;
    assert_eq!(stage.lever("GET", "/state", None).await, before);
    let mut odd = before;
    odd["form"] = 2.into();
    let request = stage.client.put(format!("{}/state", stage.control)).json(&odd);
    assert_eq!(stage.send(request).await.is(400).code(), "BadState");
}

#[tokio::test]
async fn the_same_address_takes_lines_and_refuses_web_pages() {
    let stage = Stage::start().await;
    let mut stream =
        tokio::net::TcpStream::connect(stage.control.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"power paused\nnonsense\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("ok\nnot a command"), "{answer}");
    assert_eq!(stage.lever("GET", "/pool", None).await["power"], "paused");
    let page = stage
        .client
        .put(format!("{}/pool", stage.control))
        .header("origin", "https://evil.example")
        .json(&json!({"power": "online"}));
    stage.send(page).await.is(403);
    assert_eq!(stage.lever("GET", "/pool", None).await["power"], "paused");
}

#[tokio::test]
async fn sql_faults_are_armed_and_unknown_words_refused() {
    let stage = Stage::start().await;
    for what in [
        json!({"login": {"number": 40613}}),
        json!({"hangup": {"applied": true}}),
        json!({"latency": {"millis": 5}}),
        json!("directoryDown"),
    ] {
        stage.lever("POST", "/pool/faults", Some(json!({"what": what, "times": 2}))).await;
    }
    assert_eq!(stage.lever("GET", "/pool", None).await["faultsWaiting"], 4);
    for (method, path, body) in [
        ("POST", "/pool/faults", json!({"what": "nonsense"})),
        ("POST", "/cloud/faults", json!({"what": "nonsense"})),
        ("PATCH", "/cloud", json!({"nonsense": 1})),
        ("PUT", "/pool", json!({"power": "off"})),
        ("POST", "/clock", json!({"advanceSeconds": -5})),
    ] {
        let request =
            stage.client.request(method.parse().unwrap(), format!("{}{path}", stage.control)).json(&body);
        assert_eq!(stage.send(request).await.status, 400, "{method} {path}");
    }
    let listed: Value = stage.lever("GET", "/", None).await;
    assert!(listed["levers"].as_array().unwrap().len() > 5);
}

fn sa() -> LoginRequest {
    LoginRequest {
        credentials: Credentials::Sql { user: "sa".into(), password: "secret".into() },
        database: Some("dw".into()),
        app_name: "test".into(),
        host_name: "host".into(),
        client_addr: "127.0.0.1:9".into(),
        language: None,
    }
}

#[tokio::test]
async fn a_late_statement_goes_on_when_all_faults_are_forgotten() {
    let stage = Stage::start().await;
    let mut session = stage.pool.login(sa()).unwrap();
    let late = json!({"what": {"latency": {"millis": 600_000}}, "times": 1});
    stage.lever("POST", "/pool/faults", Some(late)).await;
    let runs = tokio::task::spawn_blocking(move || session.batch("CREATE ROLE late"));
    while stage.lever("GET", "/pool", None).await["faultsWaiting"] != 0 {
        tokio::task::yield_now().await;
    }
    assert!(stage.pool.snapshot().principal_named("late").is_none(), "it waits");
    stage.lever("DELETE", "/pool/faults", None).await;
    let answers = tokio::time::timeout(Duration::from_mins(1), runs).await.unwrap().unwrap();
    assert_eq!(first_error(&answers), None);
    assert!(stage.pool.snapshot().principal_named("late").is_some());
}

#[tokio::test]
async fn a_statement_takes_as_long_as_latency_says() {
    let stage = Stage::start().await;
    let mut session = stage.pool.login(sa()).unwrap();
    let late = json!({"what": {"latency": {"millis": 80}}, "times": 1});
    stage.lever("POST", "/pool/faults", Some(late)).await;
    assert_eq!(stage.lever("GET", "/pool", None).await["faultsWaiting"], 1);
    let begun = std::time::Instant::now();
    let answers = session.batch("CREATE ROLE late");
    assert!(begun.elapsed() >= Duration::from_millis(80), "{:?}", begun.elapsed());
    assert_eq!(first_error(&answers), None);
    assert!(stage.pool.snapshot().principal_named("late").is_some(), "late, and done all the same");
    assert_eq!(stage.lever("GET", "/pool", None).await["faultsWaiting"], 0);
}
