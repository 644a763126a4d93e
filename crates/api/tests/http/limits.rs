//! Limits on size, time and concurrency, and what a panic does.

use std::sync::Arc;
use std::time::Duration;

use axon_api::Limits;
use axon_model::{Clock, ManualClock};
use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::json;

use crate::kit::{LIMITS, Server};

/// V47.
#[tokio::test]
async fn a_body_over_the_limit_is_413_whether_or_not_it_says_so() {
    let server = Server::start().await;
    let client = server.entra();
    let head = server.head().await;
    let large = vec![b'x'; 20 * 1024 * 1024];
    client.send("POST", "/Users", large.clone()).await.refused(413, "");
    // One that says so in its head is not read at all.
    let declared =
        client.request("POST", "/Users").header("content-length", "20971520").body(Body::empty()).unwrap();
    server.send(declared).await.refused(413, "");
    // In pieces, without a length.
    let pieces = stream::iter(
        large
            .chunks(64 * 1024)
            .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
            .collect::<Vec<_>>(),
    );
    client.send("PATCH", "/Users/x", Body::from_stream(pieces)).await.refused(413, "");
    // What is not read is not waited for.
    server.nobody().send("POST", "/Users", large).await.refused(401, "");
    assert_eq!(server.head().await, head);
}

#[tokio::test]
async fn several_megabytes_of_members_pass() {
    let server = Server::start().await;
    let client = server.entra();
    let group = client.group("G", &[]).await;
    let members: Vec<_> = (0..10_000).map(|n| json!({"$ref": null, "value": format!("{n:0>200}")})).collect();
    let answer = client.patch(&group.path, json!([{"op": "Add", "path": "members", "value": members}])).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let server = Server::start().await;
    let broken =
        stream::iter([Ok(Bytes::from_static(b"{\"userName\":")), Err(std::io::Error::other("gone"))]);
    let answer = server.entra().send("POST", "/Users", Body::from_stream(broken)).await;
    assert!(answer.refused(400, "invalidSyntax").contains("ended early"));
}

#[tokio::test]
async fn headers_or_an_address_over_the_limit_are_431() {
    let server = Server::with(Limits { header_bytes: 4096, ..LIMITS }, |_| {}).await;
    let client = server.entra();
    let request = client.request("GET", "/Users").header("x-filler", "x".repeat(4096));
    server.send(request.body(Body::empty()).unwrap()).await.refused(431, "");
    client.get(&format!("/Users?x={}", "x".repeat(4096))).await.refused(431, "");
    assert_eq!(client.get("/Users").await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_408_and_changes_nothing() {
    let server = Server::with(Limits { request_time: Duration::from_millis(200), ..LIMITS }, |_| {}).await;
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let head = server.head().await;
    let answer = server.entra().send("POST", "/Users", never).await;
    assert!(answer.refused(408, "").contains("in time"));
    assert_eq!(server.head().await, head);
    assert_eq!(server.entra().get("/Users").await.status, 200);
}

/// Waiting for a turn counts as time: did it not, the second would take its whole time after the first one's.
#[tokio::test]
async fn requests_over_the_concurrency_wait_within_their_time() {
    let limits = Limits { concurrent_requests: 1, request_time: Duration::from_secs(1), ..LIMITS };
    let server = Server::with(limits, |_| {}).await;
    let hold = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let (entra, okta) = (server.entra(), server.okta());
    let began = std::time::Instant::now();
    let (first, second) =
        tokio::join!(entra.send("POST", "/Users", hold()), okta.send("POST", "/Users", hold()));
    let took = began.elapsed();
    // 408 where the body did not come, 503 where there was no turn: the second may get one in its last moment.
    for answer in [&first, &second] {
        answer.refused(if answer.status == 408 { 408 } else { 503 }, "");
    }
    assert!(took < Duration::from_millis(1900), "{took:?}");
    assert_eq!(okta.get("/Users").await.status, 200, "the turn was given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_all_succeed() {
    let server = Arc::new(Server::with(Limits { concurrent_requests: 4, ..LIMITS }, |_| {}).await);
    let group = server.entra().group("G", &[]).await;
    let work = (0..64).map(|n| {
        let (server, path) = (server.clone(), group.path.clone());
        tokio::spawn(async move {
            let user = server.entra().user(&format!("u{n}")).await;
            let add = json!([{"op": "Add", "path": "members", "value": [{"value": user.id}]}]);
            assert_eq!(server.entra().patch(&path, add).await.status, 204);
        })
    });
    for task in work.collect::<Vec<_>>() {
        task.await.expect("no task fails");
    }
    assert_eq!(server.entra().get(&group.path).await.members().len(), 64, "no member lost");
}

#[derive(Debug)]
struct Broken(ManualClock, std::sync::atomic::AtomicBool);

impl Clock for Broken {
    fn now(&self) -> time::OffsetDateTime {
        assert!(!self.1.load(std::sync::atomic::Ordering::SeqCst), "kim@secret.test broke it");
        self.0.now()
    }
}

#[tokio::test]
async fn a_panic_is_500_tells_nothing_and_ends_one_request_alone() {
    let broken = Arc::new(Broken(ManualClock::at(time::OffsetDateTime::UNIX_EPOCH), false.into()));
    let clock = broken.clone();
    let server = Server::with(Limits { concurrent_requests: 1, ..LIMITS }, |parts| parts.clock = clock).await;
    broken.1.store(true, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..3 {
        let request = server.entra().request("GET", "/Users").header("x-request-id", "r1");
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        assert!(!answer.refused(500, "").contains("secret"));
        assert_eq!(answer.header("x-request-id"), "r1");
    }
    broken.1.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(server.entra().get("/Users").await.status, 200);
}
