use std::sync::Mutex;
use std::time::Duration as Wait;

use axon_audit::NewRecord;
use axon_audit::payload::{ActClear, OperatorAct};
use axon_azure::{Base, Bearer, LogParts, Wire};
use axon_emulator::cloud::Cloud;
use axon_emulator::http::Neighbours;
use axon_emulator::{Pool, PoolConfig};
use axon_model::{Actor, ManualClock, SystemClock};
use axon_reconcile::TokenSource;
use axon_reconcile::target::TokenError;
use axon_store_sqlite::{Address, Options, SqliteStore};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const OWN: &str = "33333333-3333-3333-3333-333333333333";
const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";
const PLACE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/dataCollectionRules/axon";
const PUBLISHER: &str = "3913510d-42f4-4e42-8a64-420c390055eb";

/// A token that the emulator takes; what is behind the second point is the secret of it.
struct Token;

fn token() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let now = SystemClock.now().unix_timestamp();
    let claims = json!({ "aud": "https://monitor.azure.com", "oid": OWN, "tid": "11111111-1111-1111-1111-111111111111",
        "iat": now, "nbf": now, "exp": now + 3600, "appid": "22222222-2222-2222-2222-222222222222" });
    format!("{}.{}.c2VjcmV0", part(json!({ "alg": "none", "typ": "JWT" })), part(claims))
}

#[async_trait::async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<secrecy::SecretString, TokenError> {
        Ok(token().into())
    }
}

struct Story {
    store: Arc<dyn Store>,
    cloud: Arc<Cloud>,
    neighbours: Neighbours,
    clock: Arc<ManualClock>,
    appended: Mutex<i64>,
    counted: Arc<Mutex<String>>,
    _folder: tempfile::TempDir,
}

impl Story {
    async fn begin() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let address = Address::parse("sqlite:axon.db", folder.path()).unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(Options::new(address)).await.unwrap());
        let state = json!({
            "assignments": [{ "name": "55555555-5555-5555-5555-555555555555", "scope": PLACE, "role": PUBLISHER,
                "principalId": OWN, "principalType": "ServicePrincipal" }],
            "rules": [{ "immutableId": RULE, "resourceId": PLACE, "streams": ["Custom-Axon_CL"] }],
        });
        let cloud =
            Cloud::new(Pool::new(PoolConfig::new("sa", "secret")), serde_json::from_value(state).unwrap());
        let neighbours = Neighbours::start("127.0.0.1:0".parse().unwrap(), cloud.clone()).await.unwrap();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        Self {
            store,
            cloud,
            neighbours,
            clock,
            appended: Mutex::default(),
            counted: Arc::default(),
            _folder: folder,
        }
    }

    fn shipper(&self, holder: &str, names: bool) -> Shipper {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let sink = Ingestion::new(LogParts {
            endpoint: Base::parse(&format!("http://{}", self.neighbours.address())).unwrap(),
            rule: RULE.into(),
            stream: "Custom-Axon_CL".into(),
            bearer: Bearer::from_source(Arc::new(Token)),
            wire: Wire::new().unwrap(),
            clock: clock.clone(),
        });
        Shipper::new(ShipperParts {
            store: self.store.clone(),
            clock,
            ids: Arc::new(IdSource::Random),
            sink: sink.unwrap(),
            names,
            holder: holder.into(),
            targets: Arc::new(|| vec!["warehouse".into()]),
            metrics: {
                let counted = self.counted.clone();
                Arc::new(move || counted.lock().unwrap().clone())
            },
        })
    }

    /// Writes so many records, each with a text.
    async fn write(&self, n: usize, text: &str) {
        let record = |_| {
            let mut appended = self.appended.lock().unwrap();
            *appended += 1;
            let act =
                OperatorAct { act: format!("act {appended}"), clear: ActClear { words: text.to_owned() } };
            let actor = Actor::Operator { name: "ana".into() };
            NewRecord::of(&IdSource::Random, self.clock.now(), actor, act).unwrap()
        };
        self.store.append((0..n).map(record).collect(), None).await.unwrap();
    }

    fn arm(&self, what: &Value, times: u32) {
        let fault = json!({ "service": "ingest", "times": times, "what": what });
        assert!(self.cloud.arm(serde_json::from_value(fault).unwrap()));
    }

    /// The rows of one kind.
    fn of_kind(&self, kind: &str) -> Vec<Value> {
        let rows = self.cloud.state().logs;
        rows.into_iter().map(|row| row.record).filter(|record| record["Kind"] == kind).collect()
    }

    /// What arrived: the positions, in order.
    fn arrived(&self) -> Vec<u64> {
        let rows = self.cloud.state().logs;
        rows.iter().filter_map(|row| row.record["Position"].as_u64()).collect()
    }

    fn calls(&self) -> usize {
        self.cloud.records().len()
    }

    async fn standing(&self) -> axon_store::Shipped {
        self.store.shipped(SINK).await.unwrap()
    }
}

/// Turns until there is nothing to send, or a pause; gives it.
async fn until_rest(shipper: &mut Shipper) -> Next {
    loop {
        match shipper.turn().await.unwrap() {
            Next::Now => {}
            rest => return rest,
        }
    }
}

#[tokio::test]
async fn every_record_arrives_once_in_order_and_what_is_there_is_not_sent_again() {
    let story = Story::begin().await;
    let mut shipper = story.shipper("a", false);
    assert_eq!(until_rest(&mut shipper).await, Next::News, "nothing to say of an empty journal");
    story.write(3, "x").await;
    assert_eq!(until_rest(&mut shipper).await, Next::News);
    story.write(2, "x").await;
    assert_eq!(until_rest(&mut shipper).await, Next::News);
    assert_eq!((story.arrived(), story.calls()), (vec![1, 2, 3, 4, 5], 2));
    assert_eq!(until_rest(&mut story.shipper("a", false)).await, Next::News, "after a restart, too");
    assert_eq!(story.calls(), 2);
    assert_eq!(story.standing().await.position, RecordSeq(5));
    let entry = &story.store.records(RecordSeq(4), 1).await.unwrap()[0];
    let row = &story.cloud.state().logs[3].record;
    assert_eq!(row["RecordId"], entry.record.id.to_string());
    assert_eq!(row["Hash"], entry.record.hash.to_string());
    assert_eq!(
        (&row["Action"], &row["Actor"], &row["Clear"]),
        (&json!("act 4"), &json!("ana"), &Value::Null)
    );
    let first = &story.store.records(RecordSeq(1), 1).await.unwrap()[0];
    assert!(first.record.hash.to_string().starts_with(row["Log"].as_str().unwrap()));
}

#[tokio::test]
async fn no_fault_loses_a_record_and_none_is_passed_over() {
    let status = |status: u16, code: &str| json!({ "status": { "status": status, "code": code } });
    for (what, word, twice) in [
        (status(503, "ServiceUnavailable"), "503", false),
        (status(403, "OperationFailed"), "Monitoring Metrics Publisher", false),
        (status(404, "NotFound"), "rule_id", false),
        (status(400, "InvalidPayload"), "deploy/azure", false),
        (status(401, "InvalidToken"), "token", false),
        (
            json!({ "body": { "status": 200, "body": { "error": { "code": "Throttled", "message": "x" } } } }),
            "Throttled",
            false,
        ),
        (json!({ "body": { "status": 200, "body": "Welcome to this hotel" } }), "204", false),
        (json!({ "drop": false }), "did not finish", false),
        (json!({ "drop": true }), "did not finish", true),
        (json!({ "big": 50 * 1024 * 1024 }), "more than", false),
        (json!({ "status": { "status": 500, "code": "Late", "applied": true } }), "500", true),
    ] {
        let story = Story::begin().await;
        let mut shipper = story.shipper("a", false);
        story.write(3, "x").await;
        story.arm(&what, 2);
        let first = until_rest(&mut shipper).await;
        assert_eq!(first, Next::After(FIRST), "{what}");
        assert_eq!(until_rest(&mut shipper).await, Next::After(FIRST * 2), "{what}");
        let Some((said, _)) = story.standing().await.trouble else { panic!("{what}: no trouble") };
        assert!(said.contains(word) && !said.contains(&token()), "{what}: {said}");
        assert_eq!(story.standing().await.position, RecordSeq(0), "{what}");
        story.write(1, "x").await;
        assert_eq!(until_rest(&mut shipper).await, Next::News, "{what}");
        assert_eq!(story.standing().await.trouble, None, "{what}");
        let mut arrived = story.arrived();
        assert_eq!(arrived.len(), if twice { 10 } else { 4 }, "{what}");
        arrived.sort_unstable();
        arrived.dedup();
        assert_eq!(arrived, [1, 2, 3, 4], "{what}");
        // What came twice is the same to the last byte, so that counting each RecordId once is right.
        let rows = story.cloud.state().logs;
        let of = |id: &Value| rows.iter().filter(|row| row.record["RecordId"] == *id).collect::<Vec<_>>();
        assert!(rows.iter().all(|row| of(&row.record["RecordId"]).iter().all(|same| *same == row)), "{what}");
    }
}

#[tokio::test]
async fn a_429_for_ten_minutes_is_obeyed_and_then_all_arrives() {
    let story = Story::begin().await;
    let mut shipper = story.shipper("a", false);
    story.write(3, "x").await;
    let hasty = json!({ "status": { "status": 429, "code": "TooManyRequests", "headers": [["Retry-After", "600"]] } });
    story.arm(&hasty, 1);
    assert_eq!(until_rest(&mut shipper).await, Next::After(Wait::from_mins(10)));
    story.clock.advance(time::Duration::minutes(9));
    story.write(1, "x").await;
    assert_eq!(
        until_rest(&mut shipper).await,
        Next::After(Wait::from_mins(1)),
        "what is new changes nothing"
    );
    assert_eq!(story.calls(), 1, "it is left alone");
    story.clock.advance(time::Duration::minutes(1));
    assert_eq!(until_rest(&mut shipper).await, Next::News);
    assert_eq!(story.arrived(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn calls_stay_within_a_megabyte_and_one_that_azure_finds_too_large_is_halved() {
    let story = Story::begin().await;
    let mut shipper = story.shipper("a", true);
    story.write(60, &"y".repeat(50_000)).await;
    assert_eq!(until_rest(&mut shipper).await, Next::News);
    assert_eq!((story.arrived(), story.calls()), ((1..=60).collect(), 4), "three megabytes");
    assert!(story.cloud.records().iter().all(|call| call.status == 204));
    let story = Story::begin().await;
    let mut shipper = story.shipper("a", true);
    story.write(18, &"y".repeat(50_000)).await;
    story.arm(&json!({ "status": { "status": 413, "code": "ContentLengthLimitExceeded" } }), 2);
    assert_eq!(until_rest(&mut shipper).await, Next::News);
    assert_eq!(story.arrived(), (1..=18).collect::<Vec<_>>());
    assert_eq!(story.standing().await.trouble, None);
    story.write(1, "x").await;
    story.arm(&json!({ "status": { "status": 413, "code": "ContentLengthLimitExceeded" } }), 1);
    assert_eq!(until_rest(&mut shipper).await, Next::After(FIRST), "one record is not halved");
}

#[tokio::test]
async fn of_two_replicas_one_sends_and_the_other_takes_over_when_it_is_gone() {
    let story = Story::begin().await;
    let (mut first, mut second) = (story.shipper("a", false), story.shipper("b", false));
    story.write(2, "x").await;
    assert_eq!(until_rest(&mut first).await, Next::News);
    story.write(2, "x").await;
    assert_eq!(until_rest(&mut second).await, Next::After(LOOK), "another one sends");
    assert_eq!(story.arrived(), [1, 2]);
    story.clock.advance(LEASE_TIME);
    assert_eq!(until_rest(&mut second).await, Next::News);
    assert_eq!(story.arrived(), [1, 2, 3, 4]);
    story.write(1, "x").await;
    assert_eq!(until_rest(&mut first).await, Next::After(LOOK), "it lost its turn");
    assert_eq!(until_rest(&mut second).await, Next::News);
    assert_eq!((story.arrived(), story.calls()), (vec![1, 2, 3, 4, 5], 3));
}

#[tokio::test]
async fn names_go_only_where_that_is_said() {
    for names in [false, true] {
        let story = Story::begin().await;
        story.write(1, "kim@acme.com").await;
        until_rest(&mut story.shipper("a", names)).await;
        let row = &story.cloud.state().logs[0].record;
        assert_eq!(row.to_string().contains("kim@acme.com"), names, "{row}");
    }
}

#[tokio::test]
async fn how_a_target_stands_is_said_now_and_then_and_when_it_changes() {
    let story = Story::begin().await;
    let mut shipper = story.shipper("a", false);
    story.write(1, "x").await;
    let summary = |state| {
        let trouble = Some("cannot reach kim@acme.com".to_owned());
        serde_json::to_value(axon_controller::Summary {
            state,
            trouble,
            ..axon_controller::Summary::starting()
        })
        .unwrap()
    };
    let said = |story: &Story| -> Vec<String> {
        let health = story.of_kind("target-health");
        health.iter().map(|row| row["Result"].as_str().unwrap().to_owned()).collect()
    };
    let now = story.clock.now();
    story.store.save_summary("warehouse", summary(axon_controller::State::Converged), now).await.unwrap();
    *story.counted.lock().unwrap() = "axon_http_unauthorized_total{why=\"unknown\"} 2\n".to_owned();
    until_rest(&mut shipper).await;
    until_rest(&mut shipper).await;
    assert_eq!(said(&story), ["converged"]);
    story.store.save_summary("warehouse", summary(axon_controller::State::LoginRefused), now).await.unwrap();
    until_rest(&mut shipper).await;
    assert_eq!(said(&story), ["converged", "login-refused"]);
    story.clock.advance(time::Duration::minutes(5));
    until_rest(&mut shipper).await;
    assert_eq!(said(&story).len(), 3);
    assert!(!format!("{:?}", story.cloud.state().logs).contains("kim@acme.com"));
    let refused = story.of_kind("refusals");
    assert_eq!(refused.len(), 1, "it grew once");
    assert_eq!(refused[0]["Facts"]["counts"], json!({ "requests": { "unknown": 2 } }));
}
