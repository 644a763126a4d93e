//! The user of somebody who left is dropped when the directory has confirmed it for long enough, and never where anything reopens by it.

use axon_audit::RecordKind;
use axon_audit::payload::StepIntent;
use axon_controller::{State, Summary};
use axon_mapping::TargetName;
use axon_model::{Clock as _, SourceHealth, UserId};
use axon_reconcile::{Connect, Principal, PrincipalKind, Role, StepKind};
use axon_store::{DirectoryStore as _, HealthStore as _, HoldEnd, HoldStore as _};
use serde_json::json;
use time::Duration;

use crate::stage::{MAP, Mischief, Stage, name};

const DROP: &str = "drop user kim";

impl Stage {
    /// So long later a tick looks at all of it; meanwhile the source was heard from.
    pub async fn later(&mut self, by: Duration) -> Summary {
        self.clock.advance(by);
        self.heard().await;
        // Whom something kept until this look is in the next plan.
        self.settle().await;
        self.settle().await
    }

    async fn heard(&self) {
        let health = SourceHealth { last_push: Some(self.clock.now()), ..SourceHealth::default() };
        self.store.add_health(vec![("entra".parse().unwrap(), health)], self.clock.now()).await.unwrap();
    }

    pub fn has_user(&self, who: &str) -> bool {
        self.pool.graph.lock().unwrap().principals.contains_key(&name(who))
    }

    pub async fn activate(&self, who: UserId, on: bool) {
        self.patch_person(who, "entra", json!([{ "op": "Replace", "path": "active", "value": on }])).await;
    }
}

pub const DAY: Duration = Duration::days(1);
pub const LOOK: Duration = Duration::minutes(6);

/// Kim and ana read; kim left, and a full look has seen that.
pub async fn kim_left(map: &str) -> (Stage, UserId) {
    let mut stage = Stage::set_with(map).await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    stage.activate(kim, false).await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    assert_eq!(stage.later(LOOK).await.state, State::Converged);
    (stage, kim)
}

fn stays(summary: &Summary, why: &str) -> bool {
    summary
        .notes
        .iter()
        .any(|note| note.starts_with("kim, who left, is shut out and not dropped") && note.contains(why))
}

#[tokio::test]
async fn who_left_is_dropped_after_a_month_by_the_process_that_is_there_then() {
    let (mut stage, _) = kim_left(MAP).await;
    let kills = stage.pool.did("kill the sessions of kim");
    assert_eq!(stage.later(DAY * 29).await.state, State::Converged);
    assert!(stage.has_user("kim"), "a deleted person can be restored for a month");
    stage.restart("two");
    assert_eq!(stage.later(DAY).await.state, State::Converged);
    assert!(!stage.has_user("kim"), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(stage.pool.did("kill the sessions of kim"), kills + 1, "looked for once more, before");
    assert_eq!(stage.pool.did(DROP), 1);
    assert!(stage.pool.in_role("axon_reader", "ana") && stage.has_user("ana"));
    stage.restart("three");
    assert_eq!(stage.later(DAY).await.state, State::Converged);
    assert_eq!(stage.pool.did(DROP), 1, "once is enough");
    stage.proved().await;
}

#[tokio::test]
async fn the_record_of_the_drop_says_who_said_so_and_since_when() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.settle().await;
    stage.later(LOOK).await;
    stage.later(DAY * 31).await;
    assert!(!stage.has_user("kim"));
    let journal = stage.journal().await;
    let intents = journal.iter().filter(|entry| entry.record.kind == RecordKind::StepIntent);
    let intents = intents.map(|entry| (entry, entry.record.facts_of::<StepIntent>().unwrap()));
    let mut drops = intents.filter(|(_, intent)| intent.step.action == "drop-user");
    let (entry, drop) = drops.next().unwrap();
    assert_eq!(entry.record.request.as_ref().unwrap().as_str(), "delete-kim");
    let line = drop.causes.iter().find_map(|cause| cause.line.as_deref()).unwrap();
    assert!(line.starts_with("shut out, and nobody's in the directory, since 2026-11-22T00:06"), "{line}");
    stage.proved().await;
}

#[tokio::test]
async fn who_comes_back_before_is_let_in_again_and_begins_anew_when_leaving_again() {
    let (mut stage, kim) = kim_left(MAP).await;
    stage.later(DAY * 29).await;
    stage.activate(kim, true).await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    assert!(stage.pool.in_role("axon_reader", "kim"));
    // Gone again before any look at all of it has seen kim in.
    stage.activate(kim, false).await;
    stage.settle().await;
    stage.later(DAY * 2).await;
    assert!(stage.has_user("kim"), "a month begins with the second leaving");
    stage.later(DAY * 31).await;
    assert_eq!((stage.has_user("kim"), stage.pool.did(DROP)), (false, 1));
}

#[tokio::test]
async fn who_comes_back_after_it_gets_a_user_anew() {
    let (mut stage, kim) = kim_left(MAP).await;
    stage.later(DAY * 31).await;
    assert!(!stage.has_user("kim"));
    stage.activate(kim, true).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.connect("kim"), Connect::Granted);
    assert!(stage.pool.in_role("axon_reader", "kim"));
    assert!(stage.store.holds(axon_model::RecordSeq(0)).await.unwrap().is_empty(), "nothing waits for it");
    stage.proved().await;
}

/// Kim was a reader beside Ana, and goes from the group.
async fn kim_loses_the_role() -> (Stage, UserId) {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim, ana]).await;
    stage.settle().await;
    let leave = json!([{ "op": "Remove", "path": "members", "value": [{ "value": kim }] }]);
    stage.patch(readers, "kim-goes", leave).await;
    (stage, kim)
}

#[tokio::test]
async fn a_person_without_a_role_who_is_active_keeps_the_user() {
    let (mut stage, kim) = kim_loses_the_role().await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    stage.later(LOOK).await;
    assert_eq!(stage.later(DAY * 100).await.state, State::Converged);
    assert!(stage.has_user("kim"));
    stage.activate(kim, false).await;
    stage.later(LOOK).await;
    stage.later(DAY * 31).await;
    assert!(!stage.has_user("kim"));
}

#[tokio::test]
async fn who_was_active_between_two_full_looks_without_a_role_begins_anew_when_leaving_again() {
    let (mut stage, kim) = kim_loses_the_role().await;
    stage.activate(kim, false).await;
    stage.settle().await;
    stage.later(LOOK).await;
    stage.later(DAY * 29).await;
    // Back for a minute, with nothing to be given.
    stage.activate(kim, true).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    stage.clock.advance(Duration::minutes(1));
    // Another process knows of it only what was kept.
    stage.restart("two");
    stage.activate(kim, false).await;
    stage.settle().await;
    stage.later(DAY * 2).await;
    assert!(stage.has_user("kim"), "a month begins with the second leaving");
    stage.later(DAY * 31).await;
    assert_eq!((stage.has_user("kim"), stage.pool.did(DROP)), (false, 1));
}

#[tokio::test]
async fn a_group_that_may_let_them_in_keeps_the_shut_out_user_for_ever_and_is_named() {
    let (mut stage, _) = kim_left(MAP).await;
    let principal =
        Principal { kind: PrincipalKind::ExternalGroup, sid: None, connect: Connect::Granted, created: None };
    stage.pool.graph.lock().unwrap().principals.insert(name("SG-All"), principal);
    let summary = stage.later(DAY * 100).await;
    assert!(stage.has_user("kim"));
    assert_eq!(summary.state, State::Converged, "nothing waits: {summary:?}");
    assert!(stays(&summary, "group SG-All may let them in again"), "{summary:?}");
    let preview = stage.ticker.preview(&stage.map.clone()).await.unwrap();
    assert!(preview.plan.is_empty() && preview.notes.len() == 1, "{:?}", preview.notes);
    // The group is shut out: then its members are.
    stage.pool.graph.lock().unwrap().principals.get_mut(&name("SG-All")).unwrap().connect = Connect::Denied;
    let summary = stage.later(LOOK).await;
    assert!(!stage.has_user("kim") && summary.notes.is_empty(), "{summary:?}");
    assert!(stage.has_user("SG-All"));
}

#[tokio::test]
async fn a_group_that_the_map_is_about_to_let_in_keeps_them_too() {
    let (mut stage, _) = kim_left(MAP).await;
    stage.group("Everybody", &[]).await;
    let by_group = "  - { groups: { any: [Everybody] }, source: entra, via: group, roles: [reader] }\n";
    stage.read(&format!("{MAP}{by_group}"));
    let summary = stage.later(DAY * 31).await;
    assert!(stage.has_user("Everybody") && stage.has_user("kim"), "{summary:?}");
    assert_eq!(stage.pool.did(DROP), 0);
    assert!(stays(&summary, "group Everybody may let them in again"), "{summary:?}");
}

#[tokio::test]
async fn replicas_drop_once_and_the_one_that_goes_on_alone_knows_since_when() {
    let (mut stage, _) = kim_left(MAP).await;
    let mut beside = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "beside");
    let map = stage.map.clone();
    while beside.tick(&map).await.again {}
    stage.clock.advance(DAY * 30);
    stage.heard().await;
    for _ in 0..2 {
        while beside.tick(&map).await.again {}
    }
    assert!(!stage.has_user("kim"), "the other one saw kim leave a month ago");
    stage.later(LOOK).await;
    assert_eq!(stage.pool.did(DROP), 1);
    stage.proved().await;
}

#[tokio::test]
async fn a_drop_costs_no_look_that_nobody_needs() {
    let (mut stage, _) = kim_left(MAP).await;
    stage.later(DAY * 31).await;
    assert!(!stage.has_user("kim"));
    let (now, looks) = (stage.clock.now(), stage.pool.looks.load(std::sync::atomic::Ordering::SeqCst));
    let tick = stage.ticker.tick(&stage.map.clone()).await;
    assert!(!tick.again && tick.next.unwrap() >= now + Duration::minutes(4), "{tick:?}");
    assert_eq!(stage.pool.looks.load(std::sync::atomic::Ordering::SeqCst), looks);
}

#[tokio::test]
async fn what_the_person_owns_keeps_the_user_by_name_and_stops_nobody_else() {
    let (mut stage, _) = kim_left(MAP).await;
    stage.pool.owners.lock().unwrap().insert(name("sales"), name("kim"));
    let summary = stage.later(DAY * 31).await;
    let told = "it owns schema sales (ALTER AUTHORIZATION ON SCHEMA::sales TO dbo)";
    assert!(stays(&summary, told), "{summary:?}");
    assert_eq!((summary.state, summary.waiting_total), (State::Converged, 0), "who left has nothing");
    let bob = stage.user("bob").await;
    stage.group("Readers too", &[bob]).await;
    stage.pool.owners.lock().unwrap().clear();
    let owner = Role { fixed: false, owner: Some(name("kim")) };
    stage.pool.graph.lock().unwrap().roles.insert(name("lab"), owner);
    let summary = stage.later(LOOK).await;
    assert!(stays(&summary, "it owns role lab: give that to dbo"), "{summary:?}");
    assert_eq!((summary.state, stage.pool.did(DROP)), (State::Converged, 0));
    stage.pool.graph.lock().unwrap().roles.get_mut(&name("lab")).unwrap().owner = Some(name("dbo"));
    assert_eq!(stage.later(LOOK).await.state, State::Converged);
    assert!(!stage.has_user("kim"));
}

#[tokio::test]
async fn a_source_that_is_silent_refused_or_empty_confirms_nothing() {
    let (mut stage, _) = kim_left(MAP).await;
    stage.clock.advance(DAY * 31);
    let summary = stage.settle().await;
    assert!(stage.has_user("kim"));
    assert!(stays(&summary, "source entra was not heard from lately"), "{summary:?}");
    // It calls with a token that is refused.
    let now = stage.clock.now();
    let refused = SourceHealth { last_push: Some(now), refused: Some(now), ..SourceHealth::default() };
    stage.store.add_health(vec![("entra".parse().unwrap(), refused)], now).await.unwrap();
    stage.clock.advance(LOOK);
    assert!(stays(&stage.settle().await, "was not heard from lately"));
    // Nobody is in it any more.
    let now = stage.clock.now();
    let accepted = SourceHealth { last_push: Some(now), accepted: Some(now), ..SourceHealth::default() };
    stage.store.add_health(vec![("entra".parse().unwrap(), accepted)], now).await.unwrap();
    let groups: Vec<_> = stage.store.load_directory().await.unwrap().groups().map(|group| group.id).collect();
    stage.store.delete_group(stage.context("delete-readers"), groups[0]).await.unwrap();
    let summary = stage.later(LOOK).await;
    assert!(stage.has_user("kim"));
    assert!(
        summary.notes.iter().any(|note| note.contains("source entra has nobody who is active")),
        "{summary:?}"
    );
    let ana = stage.user("bob").await;
    stage.readers(&[ana]).await;
    stage.later(LOOK).await;
    assert!(!stage.has_user("kim"), "{:?}", stage.pool.applied.lock().unwrap());
}

#[tokio::test]
async fn who_is_known_under_another_name_by_now_is_not_gone() {
    let mut stage = Stage::set().await;
    let kim = stage.person("entra", json!({ "userName": "kim", "externalId": "k" })).await;
    let ana = stage.user("ana").await;
    let readers = stage.readers(&[kim, ana]).await;
    stage.settle().await;
    // Deleted, and back as a new record of the same person, under another name.
    stage.store.delete_user(stage.context("delete-kim"), kim).await.unwrap();
    stage.settle().await;
    let back = stage.person("entra", json!({ "userName": "kim.new", "externalId": "k" })).await;
    stage
        .patch(readers, "back", json!([{ "op": "Add", "path": "members", "value": [{ "value": back }] }]))
        .await;
    stage.settle().await;
    stage.later(LOOK).await;
    let summary = stage.later(DAY * 31).await;
    assert!(stage.has_user("kim"));
    assert!(stays(&summary, "they are active in the directory"), "{summary:?}");
    stage.activate(back, false).await;
    stage.later(LOOK).await;
    assert!(!stage.has_user("kim"), "{:?}", stage.pool.applied.lock().unwrap());
}

#[tokio::test]
async fn only_whom_axon_shut_out_is_axons_to_drop() {
    let observe = MAP.replace("mode: authoritative", "mode: observe");
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    // While Axon only looks on, somebody shuts kim out, who leaves later.
    stage.read(&observe);
    stage.pool.graph.lock().unwrap().principals.get_mut(&name("kim")).unwrap().connect = Connect::Denied;
    stage.later(LOOK).await;
    stage.activate(kim, false).await;
    stage.later(LOOK).await;
    stage.read(MAP);
    stage.later(LOOK).await;
    assert!(!stage.pool.in_role("axon_reader", "kim"), "stripped");
    stage.later(DAY * 100).await;
    assert!(stage.has_user("kim"), "who shut kim out may have meant it");
}

#[tokio::test]
async fn nothing_is_dropped_in_mode_observe_nor_where_the_map_says_never() {
    let (mut stage, _) = kim_left(MAP).await;
    stage.read(&MAP.replace("mode: authoritative", "mode: observe"));
    let summary = stage.later(DAY * 31).await;
    assert_eq!(summary.state, State::Observed);
    assert!(summary.waiting.iter().any(|waiting| waiting.what == DROP), "it is shown: {summary:?}");
    assert!(stage.has_user("kim"));
    stage.read(&format!("{MAP}guards: {{ tombstones: never }}\n"));
    assert_eq!(stage.later(DAY * 100).await.state, State::Converged);
    assert!(stage.has_user("kim"));
    // From then on the time runs anew.
    stage.read(&format!("{MAP}guards: {{ tombstones: 2h }}\n"));
    stage.later(LOOK).await;
    assert!(stage.has_user("kim"));
    stage.later(Duration::hours(2)).await;
    assert!(!stage.has_user("kim"));
}

#[tokio::test]
async fn a_kind_of_step_that_always_waits_waits_here_too_and_a_wave_is_no_wave_of_removals() {
    let guards = "guards: { removals: { window: 24h, most: 1%, floor: 1 }, leavers: { window: 24h, most: 1%, floor: 1 }, \
                  steps: { hold: [drop user] } }\n";
    let (mut stage, _) = kim_left(&format!("{MAP}{guards}")).await;
    let summary = stage.later(DAY * 31).await;
    assert_eq!((summary.state, stage.has_user("kim")), (State::Converged, true), "kim is out all the same");
    assert!(
        summary.waiting.iter().any(|waiting| waiting.what == DROP),
        "and waits for a person: {summary:?}"
    );
    let holds = stage.store.holds(axon_model::RecordSeq(0)).await.unwrap();
    assert_eq!(holds.len(), 1, "{holds:#?}");
    let act = stage.context("release").act;
    stage.store.answer_hold(holds[0].id, HoldEnd::Release, "seen".to_owned(), act).await.unwrap();
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(!stage.has_user("kim"));
    stage.proved().await;
}

#[tokio::test]
async fn whose_sessions_cannot_be_ended_is_not_dropped() {
    let (mut stage, _) = kim_left(MAP).await;
    let refusal = axon_reconcile::Refusal {
        kind: axon_reconcile::RefusalKind::Forbidden,
        number: 6102,
        message: "no".to_owned(),
    };
    stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, refusal));
    let refused = stage.later(DAY * 31).await;
    assert!(stage.has_user("kim"), "{:?}", stage.pool.applied.lock().unwrap());
    assert_eq!(refused.state, State::Converged, "{refused:?}");
    assert!(stays(&stage.later(LOOK).await, "the target refused it lately (error 6102: no)"));
    stage.pool.forgive();
    stage.later(Duration::hours(1)).await;
    stage.later(LOOK).await;
    assert!(!stage.has_user("kim"), "{:?}", stage.pool.applied.lock().unwrap());
}

async fn intents(stage: &Stage, of: &str) -> usize {
    let journal = stage.journal().await;
    let intents = journal.iter().filter(|entry| entry.record.kind == RecordKind::StepIntent);
    let facts = intents.map(|entry| entry.record.facts_of::<StepIntent>().unwrap());
    facts.filter(|intent| intent.step.action == of).count()
}

/// More than a minute's worth of refusals: who leaves meanwhile, and who comes, do not wait for any of them.
#[tokio::test]
async fn refused_drops_of_many_are_in_nobodys_way() {
    const MANY: usize = 60;
    let mut stage = Stage::set_with(MAP).await;
    let mut people = Vec::new();
    for n in 0..MANY {
        people.push(stage.user(&format!("p{n}")).await);
    }
    let (ana, zoe) = (stage.user("ana").await, stage.user("zoe").await);
    let group = stage.readers(&[&people[..], &[ana, zoe]].concat()).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    for person in people {
        stage.activate(person, false).await;
    }
    stage.settle().await;
    stage.later(LOOK).await;
    let refusal = |number| axon_reconcile::Refusal {
        kind: axon_reconcile::RefusalKind::Forbidden,
        number,
        message: "no".to_owned(),
    };
    stage.pool.plot(Mischief::RefuseStep(StepKind::KillSessions, refusal(229)));
    let kills = intents(&stage, "kill-sessions").await;
    stage.later(DAY * 31).await;
    // Among the very first ticks that know of it, by a tick of its own at most.
    stage.activate(ana, false).await;
    let bob = stage.user("bob").await;
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": bob.to_string() }] }]);
    stage.patch(group, "add-bob", add).await;
    stage.ticker.tick(&stage.map).await;
    stage.ticker.tick(&stage.map).await;
    assert_eq!(stage.pool.connect("ana"), Connect::Denied);
    assert!(stage.pool.in_role("axon_reader", "bob"));
    stage.settle().await;
    let tried = intents(&stage, "kill-sessions").await - kills;
    // A wave of sixteen steps, of which the first one is refused; and ana's.
    assert_eq!(tried, 9);
    stage.pool.forgive();
    let mut last = None;
    for _ in 0..3 {
        last = Some(stage.later(Duration::hours(1)).await);
    }
    let left: Vec<usize> = (0..MANY).filter(|n| stage.has_user(&format!("p{n}"))).collect();
    assert!(left.is_empty(), "{left:?} {last:#?}");
    assert!(stage.has_user("zoe") && stage.has_user("ana"));
    stage.proved().await;
}

/// One KILL for each drop that is done, and none for one that waits: a tick with steps takes a lease, and leaves probes for later.
#[tokio::test]
async fn whose_drop_waits_has_no_session_looked_for_by_each_tick() {
    let (mut stage, _) = kim_left(&format!("{MAP}guards: {{ steps: {{ hold: [drop user] }} }}\n")).await;
    let kills = intents(&stage, "kill-sessions").await;
    let due = stage.later(DAY * 31).await;
    assert_eq!(due.state, State::Converged);
    assert!(due.waiting_total > 0, "{due:?}");
    for _ in 0..3 {
        let ana = stage.user_of("entra", &format!("new{}", stage.clock.now().unix_timestamp())).await;
        stage.activate(ana, false).await;
        stage.later(LOOK).await;
    }
    assert_eq!(intents(&stage, "kill-sessions").await, kills);
    let holds = stage.store.holds(axon_model::RecordSeq(0)).await.unwrap();
    assert_eq!(holds.len(), 1, "the drop's alone: {holds:#?}");
    let act = stage.context("release").act;
    stage.store.answer_hold(holds[0].id, HoldEnd::Release, "seen".to_owned(), act).await.unwrap();
    stage.settle().await;
    assert!(!stage.has_user("kim"));
    assert_eq!(intents(&stage, "kill-sessions").await, kills + 1);
}

/// Who waits for a person takes nobody's place: more of them than one plan drops, and all of them first by name.
#[tokio::test]
async fn many_drops_that_wait_for_a_person_are_in_nobodys_way() {
    const MANY: usize = 620;
    let held = format!("{MAP}guards: {{ steps: {{ hold: [drop user] }} }}\n");
    let mut stage = Stage::set_with(MAP).await;
    let mut people = Vec::new();
    for n in 0..MANY {
        people.push(stage.user(&format!("a{n:03}")).await);
    }
    let (kim, zoe) = (stage.user("kim").await, stage.user("zoe").await);
    stage.readers(&[&people[..], &[kim, zoe]].concat()).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    for person in people {
        stage.activate(person, false).await;
    }
    stage.settle().await;
    stage.later(LOOK).await;
    // Kim, the last of them by name, leaves a day later.
    stage.clock.advance(DAY);
    stage.activate(kim, false).await;
    stage.settle().await;
    stage.later(LOOK).await;
    stage.read(&held);
    let summary = stage.later(DAY * 30 - Duration::hours(12)).await;
    assert_eq!(summary.state, State::Converged, "{:?}", summary.waiting.first());
    let before = stage.store.holds(axon_model::RecordSeq(0)).await.unwrap();
    let before: Vec<_> = before.into_iter().map(|hold| hold.id).collect();
    let summary = stage.later(DAY).await;
    let waits = usize::try_from(summary.waiting_total).unwrap();
    assert!(waits > MANY, "all of them are in the plan: {waits}");
    let holds = stage.store.holds(axon_model::RecordSeq(0)).await.unwrap();
    let kims: Vec<_> = holds.into_iter().filter(|hold| !before.contains(&hold.id)).collect();
    assert_eq!(kims.len(), 1, "{kims:#?}");
    let act = stage.context("release").act;
    stage.store.answer_hold(kims[0].id, HoldEnd::Release, "seen".to_owned(), act).await.unwrap();
    stage.settle().await;
    assert!(!stage.has_user("kim"), "{:?}", stage.settle().await.notes);
    assert!(stage.has_user("a000") && stage.has_user("a619") && stage.has_user("zoe"));
    stage.read(MAP);
    let mut last = None;
    for _ in 0..3 {
        last = Some(stage.later(LOOK).await);
    }
    let left: Vec<usize> = (0..MANY).filter(|n| stage.has_user(&format!("a{n:03}"))).collect();
    assert!(left.is_empty() && stage.has_user("zoe"), "{} {left:?} {last:#?}", left.len());
}

/// A server that refuses the drop is not asked again and again.
#[tokio::test]
async fn a_refused_drop_waits_for_an_hour_with_the_look_for_sessions_before_it() {
    let (mut stage, _) = kim_left(MAP).await;
    let refusal = axon_reconcile::Refusal {
        kind: axon_reconcile::RefusalKind::Forbidden,
        number: 15138,
        message: "it owns something".to_owned(),
    };
    stage.pool.plot(Mischief::RefuseStep(StepKind::DropPrincipal, refusal));
    stage.later(DAY * 31).await;
    let (kills, drops) = (intents(&stage, "kill-sessions").await, intents(&stage, "drop-user").await);
    assert_eq!(drops, 1);
    for _ in 0..5 {
        assert!(stays(&stage.later(LOOK).await, "the target refused it lately"));
    }
    assert_eq!(intents(&stage, "kill-sessions").await, kills);
    assert_eq!(intents(&stage, "drop-user").await, drops);
    stage.pool.forgive();
    stage.later(Duration::hours(1)).await;
    stage.later(LOOK).await;
    assert!(!stage.has_user("kim"));
}

/// A serverless pool: its server, where people have logins, and a database.
const SERVER: &str = r#"
axon: 1
targets:
  logins: { kind: synapse-serverless, host: h, database: master, auth: { token-file: t }, mode: authoritative }
  lake: { kind: synapse-serverless, host: H, database: lake, auth: { token-file: t }, mode: authoritative, role_name: "axon_{role}", manage: { roles: ["axon_*"], schemas: [] } }
roles:
  enters: { direct: true, grants: { logins: [connect any database on server] } }
  reader: { grants: { lake: ["select on sales.orders"] } }
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [enters, reader] }
"#;

#[tokio::test]
async fn on_a_serverless_pool_the_user_goes_first_and_the_login_after_it() {
    let stage = Stage::set_with(SERVER).await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    stage.readers(&[kim, ana]).await;
    let pools: [std::sync::Arc<crate::stage::FakePool>; 2] = Default::default();
    let ticker = |target: &str, at: usize| {
        let target: TargetName = target.parse().unwrap();
        let controller =
            Stage::controller(&stage.store, &stage.clock, &stage.ids, target.as_str(), [].into());
        controller.ticker(target, pools[at].clone())
    };
    let (mut logins, mut lake) = (ticker("logins", 0), ticker("lake", 1));
    let map = stage.map.clone();
    let there = |at: usize| pools[at].graph.lock().unwrap().principals.contains_key(&name("kim"));
    for _ in 0..3 {
        while logins.tick(&map).await.again {}
        while lake.tick(&map).await.again {}
    }
    assert!(there(0) && there(1));
    stage.activate(kim, false).await;
    for wait in [Duration::ZERO, LOOK] {
        stage.clock.advance(wait);
        while logins.tick(&map).await.again {}
        while lake.tick(&map).await.again {}
    }
    assert_eq!((pools[0].connect("kim"), pools[1].connect("kim")), (Connect::Denied, Connect::Denied));
    stage.clock.advance(DAY * 31);
    stage.heard().await;
    // The server is looked at first: what the database told is a month old, and kim's user is there.
    while logins.tick(&map).await.again {}
    assert!(there(0));
    let told = logins.tick(&map).await.summary.notes;
    assert!(
        told.iter().any(|note| note.contains("target lake of the same server was not looked at for a day")),
        "{told:?}"
    );
    while lake.tick(&map).await.again {}
    assert!(!there(1), "{:?}", pools[1].applied.lock().unwrap());
    assert!(there(0));
    stage.clock.advance(LOOK);
    while lake.tick(&map).await.again {}
    for _ in 0..2 {
        while logins.tick(&map).await.again {}
    }
    assert!(!there(0), "{:?}", pools[0].applied.lock().unwrap());
    assert_eq!((pools[0].did(DROP), pools[1].did(DROP)), (1, 1));
}

#[tokio::test]
async fn a_database_whose_server_nobody_sees_keeps_its_users() {
    let alone = MAP.replace("synapse-dedicated", "synapse-serverless");
    let (mut stage, _) = kim_left(&alone).await;
    let summary = stage.later(DAY * 31).await;
    assert!(stage.has_user("kim"));
    assert!(stays(&summary, "who is let in at the server is not seen"), "{summary:?}");
}
