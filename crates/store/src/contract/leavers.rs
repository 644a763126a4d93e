//! The clocks of people who left: they end once.

use axon_audit::NewRecord;
use axon_audit::payload::{ActClear, LeftBy, OperatorAct};
use axon_model::{Actor, RecordSeq, SqlName};

use super::kit::{act, minute};
use crate::{Leaver, LeaverChanges, NextLeaver, Store};

fn name(text: &str) -> SqlName {
    SqlName::parse(text).expect("a name")
}

fn leaver(who: &str, n: i64) -> Leaver {
    Leaver {
        name: name(who),
        cause: RecordSeq(7),
        way: LeftBy::Deactivated,
        arrived: minute(n),
        shut: None,
        why: None,
        former: None,
    }
}

fn next(who: &str, cause: u64) -> NextLeaver {
    NextLeaver {
        name: name(who),
        cause: RecordSeq(cause),
        way: LeftBy::Deleted,
        arrived: minute(5),
        behind: format!("who left by {cause}"),
    }
}

/// What is kept is there, whatever the case of a name, and of one target only.
pub async fn clocks_of_leavers_come_back(store: &dyn Store) {
    let kept = store.leavers("pool").await.expect("leavers");
    assert_eq!((kept.version, kept.open.len()), (0, 0));
    let open = vec![leaver("Kim", 1), leaver("ana", 2)];
    let changes = LeaverChanges { upto: RecordSeq(9), open, ..LeaverChanges::default() };
    assert_eq!(store.leavers_targets().await.expect("targets"), [""; 0]);
    assert_eq!(store.change_leavers("pool", changes, Vec::new()).await.expect("changed"), Some(1));
    assert_eq!(store.leavers_targets().await.expect("targets"), ["pool"]);
    let shut = Leaver {
        shut: Some(minute(3)),
        why: Some("a hold".to_owned()),
        former: Some("who left".to_owned()),
        ..leaver("KIM", 1)
    };
    let changes = LeaverChanges {
        version: 1,
        upto: RecordSeq(12),
        open: vec![shut.clone()],
        out: vec![name("ana"), name("bob")],
        wait: vec![next("kim", 12), next("kim", 8), next("ana", 8)],
        ..LeaverChanges::default()
    };
    assert_eq!(store.change_leavers("pool", changes, Vec::new()).await.expect("changed"), Some(2));
    let kept = store.leavers("pool").await.expect("leavers");
    assert_eq!((kept.version, kept.upto), (2, RecordSeq(12)));
    assert_eq!(kept.open.values().collect::<Vec<_>>(), [&shut]);
    assert_eq!(kept.out, [name("ana"), name("bob")].into());
    assert_eq!(kept.next.values().collect::<Vec<_>>(), [&next("ana", 8), &next("kim", 8), &next("kim", 12)]);
    let (forget, begun) = (vec![name("bob"), name("kim")], vec![next("KIM", 8).key(), next("ana", 8).key()]);
    let changes =
        LeaverChanges { version: 2, upto: RecordSeq(12), forget, begun, ..LeaverChanges::default() };
    store.change_leavers("pool", changes, Vec::new()).await.expect("changed");
    let kept = store.leavers("pool").await.expect("leavers");
    assert_eq!((kept.open.len(), kept.out), (0, [name("ana")].into()));
    assert_eq!(kept.next.into_values().collect::<Vec<_>>(), [next("kim", 12)]);
    assert_eq!(store.leavers("other").await.expect("leavers").version, 0);
}

/// Whoever comes second changes nothing, and records nothing.
pub async fn of_two_who_end_a_clock_one_does(store: &dyn Store) {
    let changes = LeaverChanges { open: vec![leaver("kim", 1)], ..LeaverChanges::default() };
    store.change_leavers("pool", changes, Vec::new()).await.expect("changed");
    let before = store.head().await.expect("a head").seq;
    let ends = || {
        let payload = OperatorAct { act: "contract".to_owned(), clear: ActClear::default() };
        let record = NewRecord::of(&act(1).ids, minute(1), Actor::Axon, payload).expect("a record");
        let changes = LeaverChanges { version: 1, out: vec![name("kim")], ..LeaverChanges::default() };
        store.change_leavers("pool", changes, vec![record])
    };
    let (one, other) = tokio::join!(ends(), ends());
    let mut versions = [one.expect("changed"), other.expect("changed")];
    versions.sort_unstable();
    assert_eq!(versions, [None, Some(2)]);
    assert_eq!(store.head().await.expect("a head").seq, before.next());
}
