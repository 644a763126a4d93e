//! Integrations.

use serde_json::json;

use super::kit::{act, journal, minute};
use crate::Store;
use crate::integrations::{AddedIntegration, Integration, IntegrationBody, IntegrationStatus};

fn body(host: &str, database: &str) -> IntegrationBody {
    IntegrationBody {
        host: host.into(),
        port: 1433,
        database: database.into(),
        automatic: true,
        config: json!({ "schema": "secure" }),
        validation: json!({ "status": "passed" }),
        layout: 1,
        ..IntegrationBody::default()
    }
}

async fn add(store: &dyn Store, body: IntegrationBody, at: i64) -> Integration {
    match store.add_integration(body, act(at)).await.expect("kept") {
        AddedIntegration::New(new) => new,
        other => panic!("a free place: {other:?}"),
    }
}

/// One database has one, however its names are written; what ended leaves its place.
pub async fn a_place_has_one_integration(store: &dyn Store) {
    let one = add(store, body("Acme.example", "dw"), 0).await;
    assert_eq!((one.status, one.version, one.created), (IntegrationStatus::Creating, 1, minute(0)));
    let again = store.add_integration(body("acme.EXAMPLE", "DW"), act(1)).await.expect("asked");
    assert_eq!(again, AddedIntegration::Taken(one.id));
    let two = add(store, body("acme.example", "dw2"), 1).await;
    let ids: Vec<u64> = store.integrations().await.expect("read").iter().map(|found| found.id).collect();
    assert_eq!(ids, [one.id, two.id]);
    for status in [IntegrationStatus::Deleted, IntegrationStatus::Disabled] {
        let old = store.integrations().await.expect("read")[0].clone();
        let ended = store.change_integration(old.id, old.version, status, old.body.clone(), act(2)).await;
        assert_eq!(ended.expect("kept").expect("of this version").status, status);
        let new = add(store, old.body, 3).await;
        assert!(new.id > two.id, "no number comes twice");
        let ended = store.integration(old.id).await.expect("read").expect("remembered");
        assert_eq!(ended.status, status);
        let gone = store.change_integration(new.id, 1, IntegrationStatus::Deleted, new.body, act(4)).await;
        assert!(gone.expect("kept").is_some());
        // The first that is left is the next to end.
        add(store, body("a.example", status.as_str()), 5).await;
    }
}

/// Of two who change one, the second is told; what changed is read back, and each status is in the journal.
pub async fn a_stale_change_of_an_integration_is_none(store: &dyn Store) {
    let one = add(store, body("acme.example", "dw"), 0).await;
    let mut next = one.body.clone();
    next.before = Some(next.config.clone());
    next.config = json!({ "schema": "other" });
    next.login = Some(json!({ "kind": "sql", "user": "axon_system" }));
    next.trouble = Some("why".into());
    let status = IntegrationStatus::Enabled;
    let changed = store.change_integration(one.id, 1, status, next.clone(), act(1)).await.expect("kept");
    let changed = changed.expect("of this version");
    assert_eq!((changed.status, changed.version, changed.changed), (status, 2, minute(1)));
    assert_eq!(store.integration(one.id).await.expect("read"), Some(changed.clone()));
    assert_eq!(changed.body, next);
    let stale = store.change_integration(one.id, 1, IntegrationStatus::Deleting, next.clone(), act(2)).await;
    assert_eq!(stale.expect("asked"), None);
    let none = store.change_integration(99, 1, IntegrationStatus::Deleting, next.clone(), act(2)).await;
    assert_eq!(none.expect("asked"), None);
    let before = journal(store).await.len();
    // The same status again is a note, and no event.
    let same = store.change_integration(one.id, 2, status, next, act(3)).await.expect("kept");
    assert_eq!(same.expect("of this version").version, 3);
    let records = journal(store).await;
    assert_eq!(records.len(), before);
    let acts: Vec<String> = records.iter().map(|entry| entry.record.facts["act"].to_string()).collect();
    assert_eq!(acts, ["\"integration-creating\"", "\"integration-enabled\""]);
}
