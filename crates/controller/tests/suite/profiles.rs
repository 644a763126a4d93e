//! What people lose of their profiles goes while the journal takes no records, and while a probe's difference freezes the target. What
//! comes waits. What no profile holds is told.

use axon_controller::{ProbeSettings, probe_key};
use axon_model::UserId;
use axon_reconcile::secure::{BaseTable, FoundView, ManagedTable};
use axon_reconcile::{ColumnType, ObjectName, ProfileRow, ViewsThere};
use axon_store::StateStore as _;
use serde_json::json;

use crate::full_disk::Disk;
use crate::stage::{MAP, Stage, name};

const VIEWS: &str = r"
views:
  secure.orders:
    targets: warehouse
    from: sales.orders
    readers: [reader]
    columns: { id: show }
    rows:
      - where: id in user.title
";
const WRITE: &str = "write the profile of ann in schema axon";

pub(crate) fn object(schema: &str, text: &str) -> ObjectName {
    ObjectName { schema: name(schema), name: name(text) }
}

/// The map with a view of the orders, which readers read; a target may have more.
pub(crate) fn with_a_view(metadata: &str) -> String {
    let map = MAP
        .replace("schemas: []", "schemas: [secure]")
        .replace("[\"select on sales.orders\"]", "[]")
        .replace("principals: mapped }\n", &format!("principals: mapped }}\n{metadata}"));
    map + VIEWS
}

/// The pool has the table, and the view with a text that it does not show.
pub(crate) async fn stands(map: &str) -> Stage {
    let stage = Stage::set_with(map).await;
    let owner = name("axon_owner");
    let owners = ["sales", "secure", "axon"].map(|schema| (name(schema), owner));
    stage.pool.owners.lock().unwrap().extend(owners);
    let table = BaseTable { owner: Some(owner), columns: vec![(name("id"), ColumnType::Int)] };
    let found = FoundView { digest: None, made: true, intact: true, owner: None };
    *stage.pool.views.lock().unwrap() = Some(ViewsThere {
        tables: [(object("sales", "orders"), table)].into(),
        views: [(object("secure", "orders"), found)].into(),
        owner: Some(true),
        managed: ManagedTable::ALL.into(),
        ..ViewsThere::default()
    });
    stage
}

/// Ann reads the rows of the north; the text of the view is nobody's question here.
async fn ann_of_the_north(metadata: &str) -> (Stage, UserId) {
    let mut stage = stands(&with_a_view(metadata)).await;
    let ann = stage.user("ann").await;
    stage.move_to(ann, "north").await;
    stage.readers(&[ann]).await;
    stage.settle().await;
    let applied = stage.pool.applied.lock().unwrap().clone();
    assert!(applied.iter().any(|step| step.starts_with(WRITE)), "{applied:#?}");
    (stage, ann)
}

impl Stage {
    pub(crate) async fn move_to(&self, who: UserId, title: &str) {
        let title = json!([{ "op": "replace", "path": "title", "value": title }]);
        self.patch_person(who, "entra", title).await;
    }

    /// What was written of Ann's profile since so many steps.
    fn written(&self, since: usize) -> Vec<String> {
        let applied = self.pool.applied.lock().unwrap();
        applied[since..].iter().filter_map(|step| step.strip_prefix(WRITE)).map(str::to_owned).collect()
    }

    fn steps_done(&self) -> usize {
        self.pool.applied.lock().unwrap().len()
    }
}

#[tokio::test]
async fn a_journal_that_is_full_keeps_nobody_in_a_row_that_they_lost() {
    let line = "    metadata: { delimiters: { hash: \"|\", hash_key: \":\", array: \",\" } }\n";
    for (metadata, of) in [("", "title"), (line, "@line")] {
        let (mut stage, ann) = ann_of_the_north(metadata).await;
        let before = stage.steps_done();
        // A string that is longer by letters holds no value of the other.
        stage.move_to(ann, "northwest").await;
        let disk = Disk::under(&stage);
        disk.fill();
        for _ in 0..3 {
            stage.ticker.tick(&stage.map).await;
        }
        assert_eq!(stage.written(before), [format!(", without 1 of {of}")]);
        disk.empty();
        stage.settle().await;
        assert_eq!(stage.written(before)[1..], [format!(", with 1 of {of}")]);
        stage.proved().await;
    }
}

#[tokio::test]
async fn a_target_that_is_frozen_keeps_nobody_in_a_row_that_they_lost() {
    let (mut stage, ann) = ann_of_the_north("").await;
    let differs = |views: serde_json::Value| {
        let (store, now) = (stage.store.clone(), time::OffsetDateTime::UNIX_EPOCH);
        async move { store.save_summary(&probe_key("warehouse"), json!({ "differs": views }), now).await.unwrap() }
    };
    differs(json!({ "secure.other": ["it shows 2 rows"] })).await;
    let written = stage.pool.views.lock().unwrap().clone();
    let row =
        |value: &str| ProfileRow { principal: name("ann"), attribute: "title".into(), value: value.into() };
    *stage.pool.views.lock().unwrap() =
        written.map(|there| ViewsThere { profile: [row("north")].into(), ..there });
    let settings = ProbeSettings { freeze: true, ..ProbeSettings::default() };
    let controller = Stage::controller(&stage.store, &stage.clock, &stage.ids, "two", stage.claims.clone());
    let name = stage.map.targets.keys().next().unwrap().clone();
    stage.ticker = controller.probing(settings).ticker(name, stage.pool.clone());
    let before = stage.steps_done();
    stage.move_to(ann, "south").await;
    stage.clock.advance(time::Duration::minutes(1));
    for _ in 0..3 {
        stage.ticker.tick(&stage.map).await;
    }
    assert_eq!(stage.written(before), [", without 1 of title"]);
    let summary = stage.ticker.tick(&stage.map).await.summary;
    let waits = |words: &str| summary.waiting.iter().any(|one| one.what.contains(words));
    assert!(waits(", with 1 of title"), "{summary:?}");
    differs(json!({})).await;
    stage.settle().await;
    assert_eq!(stage.written(before)[1..], [", with 1 of title"]);
}

#[tokio::test]
async fn what_many_profiles_do_not_hold_hides_nothing_else_and_is_counted() {
    let mut stage = stands(&with_a_view("")).await;
    let mut readers = vec![stage.user("ann").await];
    for n in 0..110 {
        readers.push(stage.user(&format!("u{n}")).await);
    }
    stage.readers(&readers).await;
    stage.move_to(readers[0], "north").await;
    for who in &readers[1..] {
        stage.move_to(*who, &"x".repeat(1_025)).await;
    }
    // Somebody's view in a schema of Axon's own.
    let found = FoundView { digest: None, made: false, intact: true, owner: None };
    stage.pool.views.lock().unwrap().as_mut().unwrap().views.insert(object("secure", "theirs"), found);
    let summary = stage.settle().await;
    let of_profiles = |what: &str| what.contains("does not hold all of attribute `title`");
    let told = summary.waiting.iter().filter(|one| of_profiles(&one.what)).count();
    assert_eq!((summary.waiting.len(), told, summary.waiting_total), (100, 99, 111), "{summary:#?}");
    assert!(summary.waiting.iter().any(|one| one.what.contains("view secure.theirs stands in a schema")));
    assert!(!format!("{summary:?}").contains("xxx"));
    let preview = stage.ticker.preview(&stage.map).await.unwrap();
    let all = preview.plan.findings.iter().filter(|finding| of_profiles(&finding.to_string())).count();
    assert_eq!(all, 110, "a plan names each of them");
    let written = |who: &str| {
        let steps = stage.pool.applied.lock().unwrap();
        steps.iter().any(|step| step.starts_with(&format!("write the profile of {who} ")))
    };
    assert!(written("ann") && !written("u1"));
    // Whoever has a value that fits is told of no more, and so is who reads no view.
    stage.move_to(readers[1], &"x".repeat(1_024)).await;
    let gone = json!([{ "op": "replace", "path": "active", "value": false }]);
    stage.patch_person(readers[2], "entra", gone).await;
    assert_eq!(stage.settle().await.waiting_total, 109);
}
