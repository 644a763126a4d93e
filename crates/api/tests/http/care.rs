//! Care for the connectors: turns, retries, the health of a source, recording.

use std::sync::Arc;
use std::time::Duration;

use axon_api::care::{CareSettings, RecordSettings, Recorder, TurnLimits, read_recording};
use axon_scim::Registry;
use axon_store::HealthStore as _;
use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::json;
use tokio::sync::oneshot;

use crate::kit::{Answer, LIMITS, Server};

fn turns(assured_per_second: u32, at_once: usize, queue: usize) -> CareSettings {
    let wait = Duration::from_hours(1);
    CareSettings { turns: TurnLimits { assured_per_second, at_once, queue, wait }, recorder: None }
}

/// A POST whose body comes when the test says so: it has its turn when this returns, and keeps it until then.
async fn held(
    server: &Arc<Server>,
    source: &'static str,
    name: &str,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<Answer>) {
    let (tell, turn_taken) = oneshot::channel();
    let (go, gone) = oneshot::channel();
    let body = json!({"userName": name}).to_string();
    let body = Body::from_stream(stream::once(async move {
        // A body is read when its request has a turn.
        let _ = tell.send(());
        let _ = gone.await;
        Ok::<_, std::io::Error>(Bytes::from(body))
    }));
    let server = server.clone();
    let task = tokio::spawn(async move {
        server.bearer(&format!("secret-of-{source}")).send("POST", "/Users", body).await
    });
    turn_taken.await.expect("it is let in");
    (go, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_sends_too_much_waits_for_itself_and_is_told_when_to_come_again() {
    let server = Arc::new(Server::with(LIMITS, |parts| parts.care = turns(0, 2, 0)).await);
    let (go_a, a) = held(&server, "entra", "a").await;
    let (go_b, b) = held(&server, "entra", "b").await;
    let crowded = server.entra().get("/Users").await;
    crowded.refused(429, "");
    let seconds: u64 = crowded.header("retry-after").parse().expect("a whole number of seconds");
    assert!((1..=30).contains(&seconds));
    // The noise of one is nothing to another.
    for n in 0..20 {
        server.okta().user(&format!("okta{n}")).await;
    }
    let _ = (go_a.send(()), go_b.send(()));
    assert_eq!((a.await.unwrap().status, b.await.unwrap().status), (201, 201), "what had a turn was done");
    assert_eq!(server.entra().get("/Users").await.total(), 2, "and there is room again");
}

/// All of the source's turns are taken, and more requests than may wait are sent: within the rate they wait and are done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_fifty_a_second_nothing_is_refused() {
    let care =
        CareSettings { turns: TurnLimits { at_once: 1, queue: 0, ..TurnLimits::default() }, recorder: None };
    assert_eq!(care.turns.assured_per_second, 50);
    let server = Arc::new(Server::with(LIMITS, |parts| parts.care = care).await);
    let (go, first) = held(&server, "entra", "first").await;
    let work: Vec<_> = (0..49)
        .map(|n| {
            let server = server.clone();
            tokio::spawn(async move {
                server.entra().post("/Users", json!({"userName": format!("u{n}")})).await.status
            })
        })
        .collect();
    // Whichever came first has the turn; the others wait behind it.
    let _ = go.send(());
    assert_eq!(first.await.unwrap().status, 201);
    for task in work {
        assert_eq!(task.await.unwrap(), 201);
    }
}

/// Those that wait for their source's turn keep no place from others, even where one request alone is worked on at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_keeps_no_place_from_others() {
    let limits = axon_api::Limits { concurrent_requests: 2, ..LIMITS };
    let server = Arc::new(Server::with(limits, |parts| parts.care = turns(0, 1, 8)).await);
    let (go, first) = held(&server, "entra", "first").await;
    let waiting: Vec<_> = (0..9)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.entra().get("/Users").await.status })
        })
        .collect();
    assert_eq!(server.okta().get("/Users").await.status, 200);
    let _ = go.send(());
    assert_eq!(first.await.unwrap().status, 201);
    for task in waiting {
        let status = task.await.unwrap();
        assert!(status == 200 || status == 429, "{status}");
    }
}

/// A client that goes away at any moment, and comes again: one user, and it is told so.
#[tokio::test]
async fn a_post_that_was_cut_off_never_makes_a_second_user() {
    let server = Server::start().await;
    let entra = server.entra();
    let (mut made, mut again) = (0, 0);
    for polls in 0..60 {
        let body = json!({"userName": format!("kim{polls}@acme.com"), "externalId": format!("kim{polls}")});
        {
            let mut sending = std::pin::pin!(entra.post("/Users", body.clone()));
            let mut left = polls;
            // Looked at so many times, then dropped as a broken connection drops it.
            std::future::poll_fn(|context| {
                if left == 0 || sending.as_mut().poll(context).is_ready() {
                    return std::task::Poll::Ready(());
                }
                left -= 1;
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
        }
        // The retry stands behind the first one in the writer's queue, where that came so far.
        let retried = entra.post("/Users", body).await;
        if retried.status == 201 {
            made += 1;
        } else {
            retried.refused(409, "uniqueness");
            again += 1;
        }
        let found = entra.find("/Users", &format!("userName eq \"kim{polls}@acme.com\"")).await;
        assert_eq!(found.total(), 1, "Entra matches by the filter, and finds one");
    }
    assert!(made > 0 && again > 0, "{made} were cut off before the write and {again} after it");
    assert_eq!(entra.get("/Users?count=0").await.total(), 60);
    server.api.store_ledgers().await;
    let health = server.store.health().await.unwrap().remove(0).1;
    let failed = health.counts(axon_model::Clock::now(server.clock.as_ref())).failed;
    assert!(failed > again, "{failed}: also those that nobody waited for are counted, as their sender does");
}

/// Names of groups are not unique in Entra: its `externalId` tells a retried POST.
#[tokio::test]
async fn a_group_that_is_posted_again_is_409_by_its_external_id() {
    let server = Server::start().await;
    let entra = server.entra();
    let group = json!({"displayName": "Sales", "externalId": "0b1f"});
    entra.post("/Groups", group.clone()).await.ok(201);
    assert!(entra.post("/Groups", group).await.refused(409, "uniqueness").contains("externalId"));
    entra.post("/Groups", json!({"displayName": "Sales", "externalId": "0b20"})).await.ok(201);
    let found = entra.find("/Groups", "externalId eq \"0b1f\"").await;
    assert_eq!(found.total(), 1, "Entra links it");
}

async fn fail(server: &Server, times: usize) {
    for _ in 0..times {
        let odd = json!([{"op": "Replace", "path": "emails[value eq \"kim@secret.test\"].nope", "value": "s3cret@secret.test"}]);
        server
            .entra()
            .patch(&format!("/Users/{}", crate::kit::NOBODY), odd)
            .await
            .refused(400, "invalidPath");
    }
}

#[tokio::test]
async fn the_health_of_a_source_is_counted_kept_and_told_without_values() {
    let server = Server::start().await;
    server.entra().user("kim@acme.com").await;
    server.entra().get(&format!("/Users/{}", crate::kit::NOBODY)).await.refused(404, "");
    server.entra().get("/Users?filter=userName+eq+%22secret").await.refused(400, "invalidFilter");
    fail(&server, 18).await;
    let ready = server.nobody().get("//readyz").await;
    assert_eq!((ready.status, &ready.body["sources"]["entra"]), (200, &json!("healthy")), "{}", ready.body);
    fail(&server, 1).await;
    let ready = server.nobody().get("//readyz").await;
    assert_eq!(
        (ready.status, &ready.body["sources"]["entra"]),
        (200, &json!("failing")),
        "still ready: {}",
        ready.body
    );
    assert_eq!(ready.body["sources"]["okta"], "quiet");

    server.api.store_ledgers().await;
    let stored = server.store.health().await.unwrap();
    let (source, health) = &stored[0];
    let counts = health.counts(axon_model::Clock::now(server.clock.as_ref()));
    assert_eq!((source.as_str(), counts.calls, counts.failed), ("entra", 22, 20));
    let failure = health.last_failure.as_ref().unwrap();
    assert_eq!(
        (failure.method.as_str(), failure.route.as_str(), failure.status),
        ("PATCH", "/scim/v2/Users/{id}", 400)
    );
    assert_eq!(failure.scim_type.as_deref(), Some("invalidPath"));
    assert!(failure.shape.contains("path: emails[..].nope, value: text"), "{}", failure.shape);
    let told = serde_json::to_string(failure).unwrap();
    assert!(!told.contains("secret"), "{told}");

    // Another process on the same store goes on counting where this one ended.
    let next = Server::with(LIMITS, |parts| {
        parts.store = server.store.clone();
        parts.clock = server.clock.clone();
    })
    .await;
    next.api.store_ledgers().await;
    let ready = next.nobody().get("//readyz").await;
    assert_eq!(ready.body["sources"]["entra"], "failing", "{}", ready.body);
}

#[tokio::test]
async fn operations_of_a_bulk_request_count_as_the_calls_that_they_stand_for() {
    let server = Server::start().await;
    let kim = json!({"schemas": [crate::kit::USER], "userName": "kim@secret.test"});
    let join = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": crate::kit::NOBODY}]}]});
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": kim},
        {"method": "PATCH", "path": format!("/Groups/{}", crate::kit::NOBODY), "data": join},
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": kim},
    ]});
    server.entra().post("/Bulk", bulk).await.ok(200);
    server.api.store_ledgers().await;
    let (_, health) = server.store.health().await.unwrap().remove(0);
    let counts = health.counts(axon_model::Clock::now(server.clock.as_ref()));
    assert_eq!((counts.calls, counts.failed, counts.reference_failed), (4, 1, 1), "with the request itself");
    let failure = health.last_failure.unwrap();
    assert_eq!((failure.route.as_str(), failure.status), ("/scim/v2/Users", 409));
    assert!(
        failure.shape.contains("userName: text") && !failure.shape.contains("secret"),
        "{}",
        failure.shape
    );
}

#[tokio::test]
async fn a_refused_token_of_a_source_is_seen_at_once_and_forgotten_when_another_is_accepted() {
    let server = Server::start().await;
    let token = server.give_token("entra", "old", None).await;
    assert_eq!(server.bearer("old").get("/Users").await.status, 200);
    axon_store::TokenStore::revoke_token(server.store.as_ref(), token.id, server.act()).await.unwrap();
    server.later();
    // Tokens are believed for a moment.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while server.bearer("old").get("/Users").await.status != 401 {
        assert!(tokio::time::Instant::now() < deadline, "the revoked token is still accepted");
    }
    server.later();
    server.bearer("old").get("/Users").await.refused(401, "");
    let state = async || server.nobody().get("//readyz").await.body["sources"]["entra"].clone();
    assert_eq!(state().await, "refused");
    server.later();
    server.entra().get("/Users").await;
    assert_eq!(state().await, "healthy");
}

#[tokio::test]
async fn a_recording_has_what_a_replay_needs_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.jsonl");
    let settings =
        RecordSettings { file: file.clone(), max_bytes: 100_000, sources: ["entra".parse().unwrap()].into() };
    let recorder = Recorder::start(settings, &Registry::standard()).unwrap();
    let server = Server::with(LIMITS, |parts| {
        parts.care = CareSettings { turns: TurnLimits::default(), recorder: Some(recorder) }
    })
    .await;
    let entra = server.entra();
    let body = json!({"userName": "kim@acme.com", "password": "s3cret", "urn:x:y:Z": {"apiToken": "s3cret"}});
    let made = entra.post("/Users", body).await.ok(201);
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    entra.patch(&path, json!([{"op": "Replace", "path": "password", "value": "s3cret"}])).await.ok(200);
    entra.get("/Users?filter=password+eq+%22s3cret%22").await;
    entra.send("POST", "/Users", "{\"password\": \"s3cret\", broken").await.refused(400, "invalidSyntax");
    server.okta().user("lee@acme.com").await;
    server.bearer("s3cret").get("/Users").await.refused(401, "");
    let large = entra.get("/Users").await;
    assert_eq!(large.total(), 1, "what is recorded is answered all the same");
    drop(server);

    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let exchanges = loop {
        let exchanges = read_recording(&file).unwrap_or_default();
        if exchanges.len() >= 5 {
            break exchanges;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} lines", exchanges.len());
        tokio::task::yield_now().await;
    };
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("s3cret") && !text.to_lowercase().contains("authorization"), "{text}");
    assert!(!text.contains("lee@acme.com"), "another source is not recorded");
    let told: Vec<_> = exchanges.iter().map(|e| (e.method.as_str(), e.status)).collect();
    assert_eq!(told, [("POST", 201), ("PATCH", 200), ("GET", 403), ("POST", 400), ("GET", 200)]);
    assert_eq!(exchanges[0].request.body.as_ref().unwrap()["password"], "masked");
    assert_eq!(exchanges[0].response.body.as_ref().unwrap()["id"], made["id"]);
    assert_eq!(exchanges[1].path, path);
    assert_eq!(exchanges[2].path, "/Users?filter=masked");
    assert!(exchanges[3].request.left_out.as_deref().unwrap().contains("not JSON"));
    assert!(exchanges[3].response.headers["content-type"].starts_with("application/scim+json"));
    let rights = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(rights & 0o777, 0o600);
}

#[tokio::test]
async fn a_recording_ends_before_it_is_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.jsonl");
    let settings = RecordSettings { file: file.clone(), max_bytes: 10_000, sources: [].into() };
    let recorder = Recorder::start(settings, &Registry::standard()).unwrap();
    let server = Server::with(LIMITS, |parts| {
        parts.care = CareSettings { turns: TurnLimits::default(), recorder: Some(recorder) }
    })
    .await;
    for n in 0..50 {
        server.entra().user(&format!("u{n}")).await;
    }
    drop(server);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let size = || std::fs::metadata(&file).unwrap().len();
    while size() < 8_000 {
        assert!(tokio::time::Instant::now() < deadline, "{}", size());
        tokio::task::yield_now().await;
    }
    assert!(size() <= 10_000, "{}", size());
    assert!(read_recording(&file).unwrap().len() < 50, "whole lines alone");
}
