use std::sync::Mutex;

use time::macros::datetime;

use super::*;
use crate::testing::{Reply, Request, Server, Static, clock};

const RULE: &str = "dcr-0123456789abcdef0123456789abcdef";
const NOW: time::OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

fn ingestion(server: &Server) -> Ingestion {
    Ingestion::new(LogParts {
        endpoint: server.base().clone(),
        rule: RULE.into(),
        stream: "Custom-Axon_CL".into(),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        clock: clock(NOW),
    })
    .unwrap()
}

fn rows(n: usize) -> Batch {
    let mut batch = Batch::of(MOST_CALL);
    (1..=n).for_each(|n| assert!(batch.takes(&format!(r#"{{"RecordId":"r{n}"}}"#))));
    batch
}

async fn against(answers: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> LogFault {
    let server = Server::start(answers).await;
    let fault = ingestion(&server).send(&rows(1), "r1").await.unwrap_err();
    assert!(!fault.to_string().contains("TOKEN"), "{fault}");
    fault
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::status(status, &format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#))
}

#[tokio::test]
async fn a_call_is_packed_and_says_which_it_is() {
    let server = Server::start(|_| Reply::status(204, "")).await;
    let bytes = ingestion(&server).send(&rows(2), "r1").await.unwrap();
    assert!(bytes > 10);
    let sent = &server.seen()[0];
    assert_eq!(sent.header("content-encoding"), Some("gzip"));
    assert_eq!(sent.header("x-ms-client-request-id"), Some("r1"));
    assert_eq!(sent.body, r#"[{"RecordId":"r1"},{"RecordId":"r2"}]"#);
}

#[tokio::test]
async fn a_stream_is_tried_with_a_call_that_has_no_rows() {
    for (status, code, kind) in [
        (204, "", None),
        (400, "InvalidPayload", None),
        (403, "OperationFailed", Some(LogFaultKind::Forbidden)),
        (404, "InvalidStream", Some(LogFaultKind::NotFound)),
        (401, "", Some(LogFaultKind::Login)),
        (200, "", Some(LogFaultKind::Refused)),
    ] {
        let server = Server::start(move |_| match status {
            204 => Reply::status(204, ""),
            status => refusal(status, code, "no"),
        })
        .await;
        let found = ingestion(&server).check("probe").await;
        assert_eq!(found.map_err(|fault| fault.kind), kind.map_or(Ok(()), Err), "{status}");
        let sent = &server.seen()[0];
        assert!(sent.golden().ends_with("[]"), "{}", sent.golden());
    }
}

#[tokio::test]
async fn refusals_are_told_apart_each_with_its_remedy() {
    for (status, code, message, kind, remedy) in [
        (403, "OperationFailed", "no access", LogFaultKind::Forbidden, "Monitoring Metrics Publisher"),
        (403, "Forbidden", "public network access is off", LogFaultKind::Forbidden, "private link"),
        (403, "Forbidden", "wrong tenant", LogFaultKind::Forbidden, "another tenant"),
        (401, "", "", LogFaultKind::Login, "tenant and cloud"),
        (404, "NotFound", "rule not found", LogFaultKind::NotFound, "audit.ship.rule_id"),
        (404, "InvalidStream", "", LogFaultKind::NotFound, "streamDeclarations"),
        (413, "ContentLengthLimitExceeded", "", LogFaultKind::TooLarge, "smaller"),
        (400, "InvalidPayload", "", LogFaultKind::Malformed, "deploy/azure"),
        (200, "Throttled", "an error inside", LogFaultKind::Refused, "an error inside"),
        (500, "", "", LogFaultKind::Busy, "500"),
        (302, "", "", LogFaultKind::Refused, "302"),
    ] {
        let fault = against(move |_| refusal(status, code, message)).await;
        assert!(fault.kind == kind && fault.to_string().contains(remedy), "{status} {code}: {fault:?}");
        assert_eq!(fault.wait, None);
    }
}

#[tokio::test]
async fn what_is_no_answer_of_azure_monitor_s_takes_nothing() {
    for reply in [Reply::ok("<html>Welcome to this hotel's network</html>"), Reply::status(202, "{}")] {
        let fault = against(move |_| reply.clone()).await;
        assert!(fault.kind == LogFaultKind::Unknown && fault.to_string().contains("204"), "{fault}");
    }
    let half = against(|_| Reply::ok(r#"{"err"#).promising(1_000)).await;
    assert_eq!(half.kind, LogFaultKind::Unknown, "it may have arrived: {half}");
    let large = against(|_| Reply::ok(&"x".repeat(50 * 1024 * 1024))).await;
    assert!(large.kind == LogFaultKind::Unknown && large.to_string().contains("more than"), "{large}");
}

#[tokio::test]
async fn a_service_that_says_too_many_is_asked_again_when_it_said() {
    let counted = std::sync::Arc::new(Mutex::new(0));
    let counts = counted.clone();
    let server = Server::start(move |_| {
        *counts.lock().unwrap() += 1;
        refusal(429, "TooManyRequests", "").header("retry-after", "600")
    })
    .await;
    let ingestion = ingestion(&server);
    for _ in 0..3 {
        let fault = ingestion.send(&rows(1), "r1").await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.wait),
            (LogFaultKind::Throttled, Some(std::time::Duration::from_mins(10)))
        );
    }
    assert_eq!(*counted.lock().unwrap(), 1, "it is not asked while it wants to be left alone");
}

#[tokio::test]
async fn a_closed_port_is_nothing_sent() {
    let endpoint = Base::parse("http://127.0.0.1:1").unwrap();
    let parts = LogParts {
        endpoint,
        rule: RULE.into(),
        stream: "Custom-Axon_CL".into(),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        clock: clock(NOW),
    };
    let fault = Ingestion::new(parts).unwrap().send(&rows(1), "r1").await.unwrap_err();
    assert_eq!(fault.kind, LogFaultKind::Unreachable);
}

#[test]
fn a_rule_and_a_stream_mean_nothing_in_a_path() {
    assert!(check_stream(RULE, "Custom-Axon_CL").is_ok());
    for rule in ["", "axon", "dcr-1/streams/x", "dcr-..", "dcr-1?x=1", &format!("dcr-{}", "0".repeat(200))] {
        assert!(matches!(check_stream(rule, "Custom-Axon_CL"), Err(BadStream::Rule(_))), "{rule}");
    }
    for stream in ["", "Axon_CL", "Microsoft-Event", "Custom-Axon CL", "Custom-%2e"] {
        assert!(matches!(check_stream(RULE, stream), Err(BadStream::Stream(_))), "{stream}");
    }
}
