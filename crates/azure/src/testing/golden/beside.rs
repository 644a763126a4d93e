//! The requests beside roles: the log on its way to Azure Monitor, and what the report of ways asks about a workspace.

use std::collections::{BTreeMap, BTreeSet};

use super::{NOW, compare};
use crate::logs::{Batch, Ingestion, LogParts, MOST_CALL};
use crate::testing::{Reply, Request, Server, Static, clock};
use crate::wire::Wire;
use crate::{ArmParts, around};

const WORKSPACE: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/data/providers/Microsoft.Synapse/workspaces/acme";

#[tokio::test]
async fn golden_log() {
    let server = Server::start(|_| Reply::status(204, "")).await;
    let parts = LogParts {
        endpoint: server.base().clone(),
        rule: "dcr-0123456789abcdef0123456789abcdef".into(),
        stream: "Custom-Axon_CL".into(),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        clock: clock(NOW),
    };
    let ingestion = Ingestion::new(parts).unwrap();
    let mut batch = Batch::of(MOST_CALL);
    for n in 1..=2 {
        assert!(batch.takes(&format!(r#"{{"TimeGenerated":"2026-11-22T10:00:00Z","RecordId":"r{n}"}}"#)));
    }
    ingestion.send(&batch, "r1").await.unwrap();
    ingestion.check("probe").await.unwrap();
    compare("log", &server);
}

#[tokio::test]
async fn golden_ways() {
    let answers = |request: &Request| {
        let path = request.path();
        Reply::ok(match path {
            _ if path.ends_with("/roleDefinitions") => {
                r#"{"value":[{"name":"8e3af657-a8ff-443c-a75c-2fe8c4bcb635","properties":{"roleName":"Owner","type":"BuiltInRole","permissions":[{"actions":["*"]}]}}]}"#
            }
            _ if path.ends_with("/roleAssignments") => r#"{"value":[]}"#,
            _ => r#"{"properties":{}}"#,
        })
    };
    let server = Server::start(answers).await;
    let parts = ArmParts {
        arm: server.base().clone(),
        scope: WORKSPACE.into(),
        custom: BTreeMap::new(),
        elsewhere: BTreeSet::new(),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        clock: clock(NOW),
        entra: None,
    };
    assert!(around(parts).await.unwrap().workspace.is_some());
    assert!(server.seen().iter().all(|request| request.method == "GET"), "it only looks");
    compare("ways", &server);
}
