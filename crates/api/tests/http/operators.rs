//! No push of an identity provider makes or raises an operator of Axon: operators are whoever runs the command line or
//! holds a token of their own, and nothing of the directory is asked for them.

use axon_model::Actor;
use axon_store::{JournalStore as _, OperatorStore as _, TokenStore as _};
use serde_json::json;

use crate::kit::{ENTERPRISE, Server, USER};

#[tokio::test]
async fn whatever_is_pushed_makes_no_operator_and_no_token() {
    let server = Server::start().await;
    let before = server.store.tokens().await.unwrap();
    for client in [server.entra(), server.okta(), server.generic()] {
        let root = client
            .post(
                "/Users",
                json!({
                    "schemas": [USER, ENTERPRISE],
                    "userName": "root",
                    "userType": "operator",
                    "roles": [{"value": "admin", "primary": true}, {"value": "operator"}],
                    "entitlements": [{"value": "axon:admin"}],
                    "password": "secret-of-entra",
                    ENTERPRISE: {"department": "operators", "organization": "axon"},
                }),
            )
            .await
            .ok(201);
        for name in ["operators", "axon-operators", "Axon Administrators", "administrators", "admin", "dbo"] {
            let group = client
                .post("/Groups", json!({"displayName": name, "members": [{"value": root["id"]}]}))
                .await;
            assert_eq!(group.status, 201, "{}", group.body);
        }
    }
    assert_eq!(server.store.tokens().await.unwrap(), before);
    assert!(server.store.operator_tokens().await.unwrap().is_empty());
    let records = server.store.records(axon_model::RecordSeq(1), 1000).await.unwrap();
    assert!(records.len() >= 21);
    for entry in records {
        assert!(!matches!(entry.record.actor, Actor::Operator { .. }), "{:?}", entry.record.actor);
    }
    // Nor is there a way to act as one with what was pushed, or with a source's token.
    for token in ["root", "admin", "secret-of-entra"] {
        for path in ["//operators", "//admin", "//api/v1/operators", "//oauth2/token"] {
            let answer = server.bearer(token).get(path).await;
            assert!([401, 404, 405].contains(&answer.status), "{path}: {}", answer.status);
        }
    }
}
