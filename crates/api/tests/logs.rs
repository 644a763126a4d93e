//! What is logged. In a process of its own: a subscriber of one test and the threads of others do not go together.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they share a function")]

#[path = "http/kit.rs"]
#[expect(dead_code, reason = "the other suite uses the rest")]
mod kit;

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::kit::Server;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Runs requests that fail and succeed with names and secrets in every place, and gives what was logged.
async fn logged(level: tracing::Level) -> String {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(written.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    let client = server.entra();
    let body = json!({"userName": "sensitive@kim.test", "displayName": "sensitive Kim", "password": "sensitive",
        "emails": [{"type": "work", "value": "sensitive@kim.test"}]});
    let made = client.post("/Users?sensitive=1", body.clone()).await.ok(201);
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    client.post("/Users", body.clone()).await.refused(409, "uniqueness");
    client.put(&path, body).await.ok(200);
    let operations = json!([{"op": "Replace", "path": "emails[value eq \"sensitive@kim.test\"].nope", "value": "sensitive"}]);
    client.patch(&path, operations).await.refused(400, "invalidPath");
    client.find("/Users", "userName eq \"sensitive@kim.test\"").await.ok(200);
    client.find("/Users", "sensitive eq \"sensitive\"").await.refused(400, "invalidFilter");
    client.get("/Users/sensitive%0d%0aforged").await.refused(404, "");
    client.get("/sensitive").await.refused(404, "");
    client.send("SENSITIVE", "/Users", "").await.refused(405, "");
    server.bearer("sensitive-token").get("/Users").await.refused(401, "");
    client.send("POST", "/Users", "{\"sensitive\": ").await.refused(400, "invalidSyntax");
    client
        .send(
            "PATCH",
            &path,
            json!({"Operations": [{"op": "x", "value": {"sensitive@kim.test": Value::Null}}]}).to_string(),
        )
        .await;
    String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn logs_name_nobody_and_hold_no_secret() {
    let debug = logged(tracing::Level::DEBUG).await;
    // Somebody who turns debug on to understand a connector gets shapes, still without values.
    assert!(debug.contains("{Operations: [{op: Replace, path: emails[..].nope, value: text}]"), "{debug}");
    assert!(debug.contains("http.status=409") && debug.contains("userName: text"), "{debug}");
    for line in debug.lines().filter(|line| line.contains("axon_api")) {
        let keys_of_patch = line.contains("op: x");
        assert!(keys_of_patch || !line.to_lowercase().contains("sensitive"), "{line}");
        assert!(!line.contains("secret-of"), "{line}");
    }
    let info = logged(tracing::Level::INFO).await;
    assert!(!info.to_lowercase().contains("sensitive") && !info.contains("secret-of"), "{info}");
}
