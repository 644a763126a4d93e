//! A view whose text the catalog does not show gets the map's once in a while, and nobody new reads it until it is seen.

use std::sync::atomic::Ordering;

use axon_reconcile::secure::{BaseTable, FoundView, ManagedTable};
use axon_reconcile::{ColumnType, ObjectName, ViewsThere};
use time::Duration;

use crate::dangers::join;
use crate::stage::{MAP, Stage, name};

const VIEWS: &str = r"
views:
  secure.orders:
    targets: warehouse
    from: sales.orders
    readers: [reader]
    columns: { id: show }
";

fn object(schema: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name("orders") }
}

#[tokio::test]
async fn a_text_that_is_not_shown_is_sent_once_and_who_would_newly_read_the_view_waits() {
    let map =
        MAP.replace("schemas: []", "schemas: [secure]").replace("[\"select on sales.orders\"]", "[]") + VIEWS;
    let mut stage = Stage::set_with(&map).await;
    let owner = name("axon_owner");
    stage.pool.owners.lock().unwrap().extend(["sales", "secure", "axon"].map(|of| (name(of), owner)));
    let table = BaseTable { owner: Some(owner), columns: vec![(name("id"), ColumnType::Int)] };
    let found = FoundView { digest: None, made: false, intact: false, owner: None };
    *stage.pool.views.lock().unwrap() = Some(ViewsThere {
        tables: [(object("sales"), table)].into(),
        views: [(object("secure"), found)].into(),
        owner: Some(true),
        managed: ManagedTable::ALL.into(),
        ..ViewsThere::default()
    });
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    stage.pool.hides_texts.store(true, Ordering::SeqCst);
    stage.restart("two");
    let sent = |stage: &Stage| {
        let applied = stage.pool.applied.lock().unwrap();
        applied.iter().filter(|step| step.starts_with("alter view secure.orders")).count()
    };
    let reads = |stage: &Stage, who: &str| {
        let graph = stage.pool.graph.lock().unwrap();
        graph.members.iter().any(|one| one.member == name(who))
    };
    stage.patch(readers, "join", join(&[ana])).await;
    for _ in 0..10 {
        stage.clock.advance(Duration::minutes(5));
        stage.ticker.tick(&stage.map).await;
    }
    let summary = stage.ticker.tick(&stage.map).await.summary;
    assert_eq!(sent(&stage), 1, "in fifty minutes");
    assert!(summary.waiting.iter().any(|waiting| waiting.what.contains("VIEW DEFINITION")), "{summary:#?}");
    assert!(reads(&stage, "kim") && !reads(&stage, "ana"), "{summary:#?}");
    stage.pool.hides_texts.store(false, Ordering::SeqCst);
    stage.clock.advance(Duration::hours(1));
    stage.settle().await;
    assert!(reads(&stage, "ana"));
}
