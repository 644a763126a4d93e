//! Entity tags (V43), request ids, HEAD and OPTIONS.

use axon_model::{RecordSeq, RequestId};
use axon_store::JournalStore as _;
use axum::body::Body;
use serde_json::json;

use crate::kit::{Answer, Client, NOBODY, Server};

async fn with(
    server: &Server,
    client: &Client<'_>,
    method: &str,
    path: &str,
    header: (&str, &str),
) -> Answer {
    let body = match method {
        "PUT" => json!({"userName": "kim", "displayName": "P"}).to_string(),
        "PATCH" => {
            json!({"Operations": [{"op": "replace", "path": "displayName", "value": "Q"}]}).to_string()
        }
        _ => String::new(),
    };
    let request = client.request(method, path).header(header.0, header.1).body(Body::from(body)).unwrap();
    server.send(request).await
}

#[tokio::test]
async fn a_known_version_is_304_and_a_stale_one_is_412() {
    let server = Server::start().await;
    let client = server.generic();
    for made in [client.user("kim").await, client.group("G", &[]).await] {
        let path = made.path.as_str();
        for tag in ["W/\"1\"", "\"1\"", "\"7\", W/\"1\"", "*"] {
            let known = with(&server, &client, "GET", path, ("if-none-match", tag)).await;
            assert_eq!((known.status, known.text.len(), known.header("etag")), (304, 0, "W/\"1\""), "{tag}");
        }
        assert_eq!(with(&server, &client, "GET", path, ("if-none-match", "W/\"2\"")).await.status, 200);
        let head = server.head().await;
        for method in ["PUT", "PATCH", "DELETE"] {
            for stale in ["W/\"2\"", "\"nonsense\"", "\"\""] {
                with(&server, &client, method, path, ("if-match", stale)).await.refused(412, "");
            }
        }
        assert_eq!(server.head().await, head, "nothing was written");
        assert_eq!(
            with(&server, &client, "PUT", path, ("if-match", "W/\"1\"")).await.header("etag"),
            "W/\"2\""
        );
        assert_eq!(with(&server, &client, "PATCH", path, ("if-match", "*")).await.header("etag"), "W/\"3\"");
        assert_eq!(
            with(&server, &client, "DELETE", path, ("if-match", "W/\"1\", W/\"3\"")).await.status,
            204
        );
        assert_eq!(with(&server, &client, "PUT", path, ("if-match", "*")).await.status, 404);
    }
}

#[tokio::test]
async fn a_request_id_is_answered_and_stands_in_the_journal() {
    let server = Server::start().await;
    let client = server.entra();
    let body = json!({"userName": "kim"}).to_string();
    let send = |id: &'static [u8], body: String| {
        let request = client.request("POST", "/Users").header("x-request-id", id);
        server.send(request.body(Body::from(body)).unwrap())
    };
    let made = send(b"trace-42/A", body.clone()).await;
    assert_eq!((made.status, made.header("x-request-id")), (201, "trace-42/A"));
    let records = server.store.records(RecordSeq(server.head().await), 1).await.unwrap();
    assert_eq!(records[0].record.request.as_ref().map(RequestId::as_str), Some("trace-42/A"));
    send(b"trace-43", body.clone()).await.refused(409, "uniqueness");
    // What could begin a new line of a log, or fill it, is not taken over.
    let long: &'static [u8] = Box::leak(vec![b'x'; 129].into_boxed_slice());
    for bad in [&b"two words"[..], b"\xff\xfe", b"", long, b"tab\there"] {
        let answer = send(bad, body.clone()).await;
        assert_eq!(answer.status, 409);
        assert_eq!(answer.header("x-request-id").len(), 36, "one of our own");
    }
    let made = client.post("/Users", json!({"userName": "lee"})).await;
    let records = server.store.records(RecordSeq(server.head().await), 1).await.unwrap();
    let id = records[0].record.request.as_ref().map(|id| id.as_str().to_owned());
    assert_eq!(id.as_deref(), Some(made.header("x-request-id")));
}

#[tokio::test]
async fn head_is_get_without_a_body_and_options_names_the_verbs() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    for (path, status) in
        [(kim.path.clone(), 200), ("/Users".to_owned(), 200), (format!("/Users/{NOBODY}"), 404)]
    {
        let (get, head) = (client.get(&path).await, client.send("HEAD", &path, "").await);
        assert_eq!((get.status, head.status), (status, status), "{path}");
        assert!(head.text.is_empty());
        assert_eq!(head.header("etag"), get.header("etag"));
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
    for (path, allowed) in [
        ("/Users", "GET,HEAD,POST"),
        (kim.path.as_str(), "GET,HEAD,PUT,PATCH,DELETE"),
        ("/Schemas", "GET,HEAD"),
    ] {
        let options = client.send("OPTIONS", path, "").await;
        assert_eq!((options.status, options.text.len()), (204, 0));
        assert_eq!(options.header("allow"), allowed, "{path}");
    }
}
