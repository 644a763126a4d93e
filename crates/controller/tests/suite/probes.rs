//! Views are probed after each change of a text and from time to time, by the controller's own clock; and what a view shows by its text
//! of now is known where somebody may leave a role that keeps them from it.

use std::sync::atomic::Ordering;

use axon_audit::RecordKind;
use axon_controller::ProbeSettings;
use axon_model::RecordSeq;
use axon_reconcile::secure::{FoundView, ProbeAnswer, ViewText};
use axon_store::JournalStore as _;
use time::Duration;

use crate::profiles::{object, stands, with_a_view};
use crate::stage::{Stage, name};

/// A process that probes once a day.
fn daily(stage: &mut Stage, holder: &str) {
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, holder, stage.claims.clone());
    let settings = ProbeSettings { every: Some(Duration::days(1)), ..ProbeSettings::default() };
    let warehouse = stage.map.targets.keys().next().unwrap().clone();
    stage.ticker = controller.probing(settings).ticker(warehouse, stage.pool.clone());
}

/// Ann and Bob read the view, each as another class: who has the title sees rows by it.
async fn two_classes() -> Stage {
    let mut stage = stands(&with_a_view("")).await;
    stage.pool.shows_texts.store(true, Ordering::SeqCst);
    daily(&mut stage, "one");
    let (ann, bob) = (stage.user("ann").await, stage.user("bob").await);
    stage.move_to(ann, "7").await;
    stage.readers(&[ann, bob]).await;
    stage.settle().await;
    stage
}

/// How many probes are on record, and how many of them found something.
async fn probes(stage: &Stage) -> (usize, usize) {
    let all = stage.store.records_of(RecordKind::ViewProbe, RecordSeq(1), 1_000).await.unwrap();
    let differ = all.iter().filter(|entry| entry.record.facts["differs"] != 0).count();
    (all.len(), differ)
}

#[tokio::test]
async fn views_are_probed_again_when_the_time_has_come_and_not_before() {
    let mut stage = two_classes().await;
    let began = axon_model::Clock::now(&*stage.clock);
    assert_eq!(probes(&stage).await, (2, 0), "one of each class: {:?}", stage.pool.applied.lock().unwrap());
    for _ in 0..3 {
        stage.clock.advance(Duration::hours(7));
        stage.settle().await;
    }
    assert_eq!(probes(&stage).await, (2, 0), "after 21 hours");
    // Nor does another process do what this one did.
    daily(&mut stage, "two");
    stage.clock.advance(Duration::hours(3) - Duration::minutes(1));
    let tick = stage.ticker.tick(&stage.map).await;
    assert!(!tick.again);
    assert_eq!(probes(&stage).await, (2, 0), "a minute before");
    assert_eq!(tick.next, Some(began + Duration::days(1)), "before the next look at the target is due");
    *stage.pool.answer.lock().unwrap() =
        ProbeAnswer { differs: vec!["it shows 2 rows".into()], ..ProbeAnswer::default() };
    stage.clock.advance(Duration::minutes(1));
    stage.settle().await;
    assert_eq!(probes(&stage).await, (4, 2));
    let waits = |summary: axon_controller::Summary| {
        summary.waiting.iter().any(|one| one.what.contains("secure.orders shows a probe something else"))
    };
    assert!(waits(stage.settle().await));
    // The time begins anew with that.
    *stage.pool.answer.lock().unwrap() = ProbeAnswer::default();
    stage.clock.advance(Duration::days(1) - Duration::seconds(1));
    assert!(waits(stage.settle().await));
    assert_eq!(probes(&stage).await, (4, 2));
    stage.clock.advance(Duration::seconds(1));
    stage.settle().await;
    assert_eq!(probes(&stage).await, (6, 2));
    assert!(!waits(stage.settle().await), "nothing is found any more");
    stage.proved().await;
}

#[tokio::test]
async fn a_class_that_comes_later_is_asked_with_the_next_look_and_no_other_again() {
    let mut stage = stands(&with_a_view("")).await;
    stage.pool.shows_texts.store(true, Ordering::SeqCst);
    daily(&mut stage, "one");
    let (ann, bob, cy) = (stage.user("ann").await, stage.user("bob").await, stage.user("cy").await);
    stage.move_to(ann, "7").await;
    let readers = stage.readers(&[ann]).await;
    stage.settle().await;
    assert_eq!(probes(&stage).await, (1, 0), "of the only class");
    // Bob is of another one, and Cy of Bob's.
    stage.patch(readers, "come", crate::dangers::join(&[bob, cy])).await;
    stage.settle().await;
    assert_eq!(probes(&stage).await, (1, 0), "before the next look");
    stage.clock.advance(Duration::hours(1));
    stage.settle().await;
    assert_eq!(probes(&stage).await, (2, 0), "of the new class alone");
    // Another process knows that.
    daily(&mut stage, "two");
    stage.clock.advance(Duration::hours(1));
    stage.settle().await;
    assert_eq!(probes(&stage).await, (2, 0));
    stage.proved().await;
}

const HELD: &str = "guards:\n  steps: { hold: [alter view] }\n";

/// Kim reads the view and is in a role that keeps its people from it, and leaves that one while the view's own step is held. Whether
/// the membership went, and what waits. The view says this now.
async fn leaves_while_the_text_is(now: Option<String>) -> (bool, Vec<(String, String)>) {
    let map = with_a_view("")
        .replace(
            "roles:\n",
            "roles:\n  kept_out: { grants: { warehouse: [\"deny select on secure.orders\"] } }\n",
        )
        .replace(
            "mappings:\n",
            "mappings:\n  - { groups: { any: [KeptOut] }, source: entra, roles: [kept_out] }\n",
        );
    let mut stage = stands(&map).await;
    stage.pool.shows_texts.store(true, Ordering::SeqCst);
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    let kept_out = stage.group("KeptOut", &[kim]).await;
    stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "kim") && stage.pool.in_role("axon_kept_out", "kim"));
    let found = FoundView { digest: now, made: true, intact: true, owner: None };
    stage.pool.views.lock().unwrap().as_mut().unwrap().views.insert(object("secure", "orders"), found);
    stage.read(&(map + HELD));
    stage.restart("two");
    stage.patch(kept_out, "leave", crate::dangers::leave(&[kim])).await;
    let summary = stage.settle().await;
    let waits: Vec<_> = summary.waiting.into_iter().map(|one| (one.what, one.why)).collect();
    assert!(waits.iter().any(|(what, _)| what.starts_with("alter view secure.orders")), "{waits:#?}");
    (!stage.pool.in_role("axon_kept_out", "kim"), waits)
}

#[tokio::test]
async fn nobody_stays_in_a_role_for_the_text_of_a_view_that_is_closed() {
    let closed = format!("{:?}", ViewText::Closed(object("secure", "orders")));
    let (left, waits) = leaves_while_the_text_is(Some(closed)).await;
    assert!(left, "{waits:#?}");
    // Where the text is another one, or the closed one of another view, it may show more than the map's.
    let other = format!("{:?}", ViewText::Closed(object("secure", "refunds")));
    for now in [Some("SELECT * FROM sales.orders".to_owned()), Some(other), None] {
        let (left, waits) = leaves_while_the_text_is(now.clone()).await;
        assert!(!left, "{now:?}: {waits:#?}");
        let leave = format!("remove kim from role {}", name("axon_kept_out"));
        let why = waits.iter().find(|(what, _)| *what == leave).map(|(_, why)| why.as_str());
        assert!(why.is_some_and(|why| why.contains("alter view secure.orders")), "{now:?}: {waits:#?}");
    }
}
