//! What guards withhold waits for a person, stands in nobody's way, and goes on when it is released.

use axon_controller::{State, announcement};
use axon_model::{AccessState, Actor, Asked, Clock as _, MeantRecord, RecordSeq, SourceHealth, UserId, Whom};
use axon_reconcile::{Connect, Membership};
use axon_store::{
    AccessStore as _, Act, Answered, HealthStore as _, Hold, HoldEnd, HoldKind, HoldState, HoldStore as _,
    HoldTerms, NewAccessRequest, NewHold, RemovalStore as _,
};
use serde_json::json;
use time::Duration;

use crate::stage::{MAP, Stage, name};

fn guarded(guards: &str) -> String {
    format!("{MAP}guards: {guards}\n")
}

fn leave(members: &[UserId]) -> serde_json::Value {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": "Remove", "path": "members", "value": members }])
}

fn set(path: &str, value: impl Into<serde_json::Value>) -> serde_json::Value {
    json!([{ "op": "replace", "path": path, "value": value.into() }])
}

impl Stage {
    pub fn by(&self, who: &str) -> Act {
        let actor = Actor::Operator { name: who.to_owned() };
        Act { actor, request: None, now: self.clock.now(), ids: self.ids.clone() }
    }

    async fn steps_held(&self, state: HoldState) -> Vec<Hold> {
        let mut holds = self.store.holds(RecordSeq(0)).await.unwrap();
        holds.retain(|hold| hold.held.kind == HoldKind::Step && hold.state == state);
        holds
    }

    async fn say(&self, hold: &Hold, end: HoldEnd, who: &str) -> Answered {
        self.store.answer_hold(hold.id, end, "looked at it".into(), self.by(who)).await.unwrap()
    }

    /// The one hold of steps that is open.
    async fn waits(&self) -> Hold {
        let mut open = self.steps_held(HoldState::Open).await;
        assert_eq!(open.len(), 1, "{open:#?}");
        open.remove(0)
    }

    /// People in the group of readers, all of whom read.
    async fn people(&mut self, names: &[&str]) -> (axon_model::GroupId, Vec<UserId>) {
        let mut people = Vec::new();
        for name in names {
            people.push(self.user(name).await);
        }
        let readers = self.readers(&people).await;
        assert_eq!(self.settle().await.state, State::Converged);
        (readers, people)
    }

    async fn say_of(&self, user: UserId, operations: serde_json::Value) {
        self.patch_person(user, "entra", operations).await;
    }

    fn is_reader(&self, who: &str) -> bool {
        self.pool.in_role("axon_reader", who)
    }
}

#[tokio::test]
async fn what_axon_never_made_waits_for_a_release_and_keeps_nobody_else_waiting() {
    let mut stage = Stage::set().await;
    let (readers, people) = stage.people(&["kim", "ana"]).await;
    // Ana leaves the group, and somebody puts her back by hand.
    stage.patch(readers, "out", leave(&people[1..])).await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("ana"), Connect::Denied, "what the map gave goes by itself");
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.principals.get_mut(&name("kim")).unwrap();
        let by_hand = Membership { role: name("db_datareader"), member: name("kim") };
        graph.roles.entry(name("db_datareader")).or_default();
        graph.members.insert(by_hand);
        graph.roles.entry(name("axon_old")).or_default();
        graph.members.insert(Membership { role: name("axon_old"), member: name("kim") });
    }
    stage.clock.advance(Duration::minutes(6));
    let bob = stage.user("bob").await;
    stage
        .patch(readers, "in", json!([{ "op": "Add", "path": "members", "value": [{ "value": bob }] }]))
        .await;
    assert_eq!(stage.settle().await.state, State::Pending);
    assert!(stage.pool.in_role("axon_old", "kim"), "it is not taken away unasked");
    assert!(stage.is_reader("bob"), "nobody else waits for it");
    let holds = stage.steps_held(HoldState::Open).await;
    assert!(holds.iter().all(|hold| hold.held.why.contains("never made")), "{holds:#?}");
    assert!(
        !holds.iter().any(|hold| hold.held.what.contains("db_datareader")),
        "outside the scope nothing is wanted"
    );
    stage.restart("another");
    stage.settle().await;
    assert_eq!(stage.steps_held(HoldState::Open).await.len(), holds.len(), "a restart asks no second time");
    for hold in &holds {
        assert!(matches!(stage.say(hold, HoldEnd::Release, "ana").await, Answered::Ended(_)));
    }
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(!stage.pool.in_role("axon_old", "kim"));
    stage.settle().await;
    assert_eq!(stage.steps_held(HoldState::Done).await.len(), holds.len(), "a release is used up");
    stage.proved().await;
}

/// The map with another role beside the one that people may lose, under guards.
fn with_keepers(guards: &str) -> String {
    let keepers = MAP
        .replace("mappings:", "  keeper: { grants: { warehouse: [\"update on sales.orders\"] } }\nmappings:")
        + "  - { groups: { any: [Keepers] }, source: entra, roles: [keeper] }\n";
    format!("{keepers}guards: {{ {guards} }}\n")
}

/// Gives these people that role.
async fn keep(stage: &mut Stage, people: &[UserId], guards: &str) {
    stage.read(&with_keepers(guards));
    stage.group("Keepers", people).await;
    assert_eq!(stage.settle().await.state, State::Converged);
}

#[tokio::test]
async fn a_kind_of_step_that_always_waits_is_released_rejected_or_takes_two() {
    let mut stage = Stage::set_with(&guarded("{ steps: { hold: [drop member] } }")).await;
    let (readers, people) = stage.people(&["kim", "ana", "bob"]).await;
    keep(&mut stage, &people, "steps: { hold: [drop member] }").await;
    stage.patch(readers, "kim-and-ana-go", leave(&people[..2])).await;
    assert_eq!(stage.settle().await.state, State::Pending);
    assert!(stage.is_reader("kim") && stage.is_reader("ana"));
    let holds = stage.steps_held(HoldState::Open).await;
    assert_eq!(holds.len(), 2, "{holds:#?}");
    let of = |who: &str| holds.iter().find(|hold| hold.held.what.contains(who)).unwrap();
    stage.say(of("kim"), HoldEnd::Release, "op").await;
    stage.say(of("ana"), HoldEnd::Reject, "op").await;
    assert_eq!(stage.settle().await.state, State::Pending);
    assert!(!stage.is_reader("kim") && stage.is_reader("ana"), "no means no");
    stage.settle().await;
    assert!(stage.steps_held(HoldState::Open).await.is_empty(), "and is not asked again");
    // Whoever comes back needs no answer any more.
    stage
        .patch(
            readers,
            "ana-comes-back",
            json!([{ "op": "Add", "path": "members", "value": [{ "value": people[1] }] }]),
        )
        .await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.steps_held(HoldState::Rejected).await.is_empty());
    // From now on two persons are needed.
    stage.read(&with_keepers("steps: { hold: [drop member], second_person: true }"));
    stage.patch(readers, "bob-goes", leave(&people[2..])).await;
    stage.settle().await;
    let hold = stage.waits().await;
    assert!(matches!(stage.say(&hold, HoldEnd::Release, "op").await, Answered::Seconded(_)));
    stage.settle().await;
    assert!(stage.is_reader("bob"), "one alone releases nothing");
    assert!(matches!(stage.say(&hold, HoldEnd::Release, "Op").await, Answered::SamePerson(_)));
    assert!(matches!(stage.say(&hold, HoldEnd::Release, "other").await, Answered::Ended(_)));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(!stage.is_reader("bob"));
}

#[tokio::test]
async fn the_budget_of_removals_outlives_the_process_and_a_release_does_not_spend_it() {
    let mut stage = Stage::set_with(MAP).await;
    let (readers, people) = stage.people(&["kim", "ana", "bob", "cid", "dan"]).await;
    keep(&mut stage, &people, "removals: { window: 24h, most: 0%, floor: 2 }").await;
    for n in 0..2 {
        stage.patch(readers, "one-goes", leave(&people[n..=n])).await;
        assert_eq!(stage.settle().await.state, State::Converged);
    }
    assert_eq!(stage.store.removals("warehouse").await.unwrap().iter().map(|r| r.count).sum::<u64>(), 2);
    stage.restart("another");
    stage.patch(readers, "a-third-goes", leave(&people[2..3])).await;
    assert_eq!(stage.settle().await.state, State::Pending);
    assert!(stage.is_reader("bob"), "the two before the restart count");
    let hold = stage.waits().await;
    assert!(hold.held.what.contains("bob") && hold.held.why.contains("guards.removals"), "{hold:#?}");
    stage.say(&hold, HoldEnd::Release, "op").await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(!stage.is_reader("bob"));
    assert_eq!(stage.store.removals("warehouse").await.unwrap().len(), 2, "a release spends nothing");
    // The window passes.
    stage.clock.advance(Duration::hours(25));
    stage.patch(readers, "a-fourth-goes", leave(&people[3..4])).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(!stage.is_reader("cid"));
}

#[tokio::test]
async fn two_replicas_that_both_live_spend_one_budget_of_removals() {
    let mut stage = Stage::set_with(MAP).await;
    let (readers, people) = stage.people(&["kim", "ana", "bob", "cid"]).await;
    keep(&mut stage, &people, "removals: { window: 24h, most: 0%, floor: 2 }").await;
    // The second one lives, and has looked, before the first one takes anything.
    let mut other = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "other");
    while other.tick(&stage.map).await.again {}
    for n in 0..2 {
        stage.patch(readers, "one-goes", leave(&people[n..=n])).await;
        assert_eq!(stage.settle().await.state, State::Converged);
    }
    assert!(!stage.is_reader("kim") && !stage.is_reader("ana"));
    stage.patch(readers, "a-third-goes", leave(&people[2..3])).await;
    // From here on the second one alone works: the first is not asked.
    std::mem::swap(&mut stage.ticker, &mut other);
    assert_eq!(stage.settle().await.state, State::Pending);
    assert!(stage.is_reader("bob"), "what the other replica took counts");
    let hold = stage.waits().await;
    assert!(hold.held.what.contains("bob") && hold.held.why.contains("guards.removals"), "{hold:#?}");
    // And back: the first one sees the same hold, and opens none of its own.
    std::mem::swap(&mut stage.ticker, &mut other);
    assert_eq!(stage.settle().await.state, State::Pending);
    assert_eq!((stage.waits().await.id, stage.is_reader("bob")), (hold.id, true));
    assert_eq!(stage.store.removals("warehouse").await.unwrap().iter().map(|r| r.count).sum::<u64>(), 2);
}

#[tokio::test]
async fn a_wave_of_leavers_is_held_and_named_and_a_single_one_flows() {
    let mut stage = Stage::set_with(&guarded("{ leavers: { window: 24h, most: 0%, floor: 0 } }")).await;
    let names = ["kim", "ana", "bob", "cid", "dan", "eve", "flo"];
    let (_, people) = stage.people(&names).await;
    stage.say_of(people[0], set("active", false)).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.connect("kim"), Connect::Denied, "a single one goes");
    for person in &people[1..4] {
        stage.say_of(*person, set("active", false)).await;
    }
    assert_eq!(stage.settle().await.state, State::Pending);
    assert_eq!(stage.pool.connect("ana"), Connect::Granted);
    let hold = stage.waits().await;
    assert!(hold.held.what.starts_with("3 people are shut out: ana; bob; cid"), "{}", hold.held.what);
    let parts = stage.store.hold_parts(hold.id).await.unwrap();
    assert_eq!(parts, ["leaver ana", "leaver bob", "leaver cid"]);
    // What comes to the wave after somebody looked at it is not released with it.
    stage.say_of(people[4], set("active", false)).await;
    stage.say(&hold, HoldEnd::Release, "op").await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("bob"), Connect::Denied);
    assert!(!stage.is_reader("bob"));
    stage.proved().await;
}

#[tokio::test]
async fn while_a_wave_waits_and_after_it_was_refused_a_single_leaver_flows() {
    let mut stage = Stage::set_with(&guarded("{ leavers: { window: 24h, most: 0%, floor: 0 } }")).await;
    let names = ["kim", "ana", "bob", "cid", "dan", "eve", "flo"];
    let (_, people) = stage.people(&names).await;
    for person in &people[..3] {
        stage.say_of(*person, set("active", false)).await;
    }
    assert_eq!(stage.settle().await.state, State::Pending);
    let hold = stage.waits().await;
    // What comes within a minute is of the same wave.
    stage.say_of(people[3], set("active", false)).await;
    assert_eq!(stage.settle().await.state, State::Pending);
    assert_eq!(stage.pool.connect("cid"), Connect::Granted);
    stage.clock.advance(Duration::seconds(61));
    assert_eq!(stage.settle().await.state, State::Pending);
    assert_eq!(stage.pool.connect("cid"), Connect::Denied, "it is one, and nobody was asked about it");
    stage.say(&hold, HoldEnd::Reject, "op").await;
    stage.say_of(people[4], set("active", false)).await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("dan"), Connect::Denied);
    for waits in &names[..3] {
        assert_eq!(stage.pool.connect(waits), Connect::Granted, "{waits}");
    }
    // Two at once are a wave again, and a person is asked.
    for person in &people[5..] {
        stage.say_of(*person, set("active", false)).await;
    }
    assert_eq!(stage.settle().await.state, State::Pending);
    assert_eq!(stage.pool.connect("eve"), Connect::Granted);
    assert!(stage.waits().await.held.what.starts_with("2 people are shut out: eve; flo"));
    stage.proved().await;
}

#[tokio::test]
async fn an_announced_wave_flows_as_far_as_it_was_announced() {
    let mut stage = Stage::set_with(&guarded("{ leavers: { window: 24h, most: 0%, floor: 0 } }")).await;
    let (_, people) = stage.people(&["kim", "ana", "bob", "cid", "dan", "eve", "flo"]).await;
    let announced = NewHold {
        kind: HoldKind::Step,
        key: "announced warehouse 1".into(),
        source: None,
        target: Some("warehouse".into()),
        what: "three leave".into(),
        why: "a team ends".into(),
        binds: None,
        expires: Some(stage.clock.now() + Duration::hours(1)),
        terms: HoldTerms { parts: vec![announcement(3)], ..HoldTerms::default() },
    };
    let hold = stage.store.open_holds(vec![announced], stage.by("op")).await.unwrap().remove(0);
    stage.say(&hold, HoldEnd::Release, "op").await;
    for person in &people[..3] {
        stage.say_of(*person, set("active", false)).await;
    }
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.connect("bob"), Connect::Denied);
    for person in &people[3..5] {
        stage.say_of(*person, set("active", false)).await;
    }
    assert_eq!(stage.settle().await.state, State::Pending, "two more were not announced");
    assert_eq!(stage.pool.connect("cid"), Connect::Granted);
}

#[tokio::test]
async fn a_source_in_which_nobody_is_active_any_more_is_no_mass_removal() {
    let mut stage = Stage::set().await;
    let (_, people) = stage.people(&["kim", "ana"]).await;
    for person in &people {
        stage.say_of(*person, set("active", false)).await;
    }
    assert_eq!(stage.settle().await.state, State::Pending);
    assert_eq!(stage.pool.connect("kim"), Connect::Granted, "no budget is set, and all are there");
    let hold = stage.waits().await;
    assert!(hold.held.why.contains("source entra"), "{hold:#?}");
    stage.say(&hold, HoldEnd::Release, "op").await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!((stage.pool.connect("kim"), stage.pool.connect("ana")), (Connect::Denied, Connect::Denied));
}

#[tokio::test]
async fn an_attribute_that_vanishes_across_a_source_is_a_hold() {
    let mut stage = Stage::set_with(
        &MAP.replace("roles: [reader] }\n", "when: department eq \"Data\", roles: [reader] }\n"),
    )
    .await;
    let path = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    let mut people = Vec::new();
    for name in ["kim", "ana", "bob"] {
        let user = stage.user(name).await;
        stage.say_of(user, set(path, "Data")).await;
        people.push(user);
    }
    stage.readers(&people).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.is_reader("kim"));
    stage.say_of(people[0], set(path, "Sales")).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(!stage.is_reader("kim"), "another value is news");
    stage.restart("another");
    for person in &people {
        stage.say_of(*person, json!([{ "op": "remove", "path": path }])).await;
    }
    assert_eq!(stage.settle().await.state, State::Pending);
    assert!(
        stage.is_reader("ana") && stage.is_reader("bob"),
        "nobody says that they are not of that department"
    );
    let hold = stage.waits().await;
    assert!(hold.held.why.contains("department"), "{hold:#?}");
    stage.say(&hold, HoldEnd::Release, "op").await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(!stage.is_reader("ana") && !stage.is_reader("bob"));
}

#[tokio::test]
async fn a_single_one_goes_although_somebody_who_left_before_is_dropped_at_the_same_time() {
    let by_department =
        MAP.replace("roles: [reader] }\n", "when: department eq \"Data\", roles: [reader] }\n");
    let mut stage = Stage::set_with(&format!("{by_department}guards: {{ tombstones: 2h }}\n")).await;
    let path = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    for person in [kim, ana] {
        stage.say_of(person, set(path, "Data")).await;
    }
    stage.readers(&[kim, ana]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    stage.say_of(kim, set("active", false)).await;
    stage.settle().await;
    stage.clock.advance(Duration::minutes(6));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    // Kim's time has come when the last one loses what the condition asks for.
    stage.clock.advance(Duration::hours(3));
    let health = SourceHealth { last_push: Some(stage.clock.now()), ..SourceHealth::default() };
    stage.store.add_health(vec![("entra".parse().unwrap(), health)], stage.clock.now()).await.unwrap();
    stage.say_of(ana, json!([{ "op": "remove", "path": path }])).await;
    let tick = stage.ticker.tick(&stage.map).await;
    assert!(!stage.is_reader("ana"), "{tick:?}");
    assert_eq!(stage.pool.did("drop user kim"), 1, "both in one plan");
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.steps_held(HoldState::Open).await.is_empty());
    stage.proved().await;
}

/// That this user is shut out.
pub fn offboard(user: UserId, who: &str) -> NewAccessRequest {
    let record = MeantRecord { source: "entra".parse().unwrap(), id: user, external_id: None };
    NewAccessRequest {
        asked: Asked::Offboard,
        whom: Whom { user_name: who.into(), source: None, records: vec![record] },
        reason: "stolen".into(),
        second_person: false,
        waits_until: None,
        refused: None,
    }
}

#[tokio::test]
async fn who_is_offboarded_waits_for_no_budget_and_no_hold() {
    let guards = "{ leavers: { window: 24h, most: 0%, floor: 0 }, removals: { window: 24h, most: 0%, floor: 0 }, steps: { hold: [deny connect, drop member] } }";
    let mut stage = Stage::set_with(&guarded(guards)).await;
    let (_, people) = stage.people(&["kim", "ana", "bob"]).await;
    for (user, who) in [(people[0], "kim"), (people[1], "ana")] {
        let asked = stage.store.ask_access(offboard(user, who), stage.by("op")).await.unwrap();
        assert_eq!(asked.state, AccessState::InForce);
    }
    assert_eq!(stage.settle().await.state, State::Pending, "that they are offboarded is told");
    for who in ["kim", "ana"] {
        assert_eq!(stage.pool.connect(who), Connect::Denied);
        assert!(!stage.is_reader(who));
    }
    assert!(stage.is_reader("bob"));
    assert!(stage.steps_held(HoldState::Open).await.is_empty());
    stage.proved().await;
}

#[tokio::test]
async fn a_process_that_looked_earlier_ends_no_hold_of_one_that_looked_later() {
    let mut stage = Stage::set().await;
    stage.people(&["kim", "ana"]).await;
    let mut early = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &stage.pool, "early");
    assert_eq!(early.tick(&stage.map).await.summary.state, State::Converged);
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        graph.roles.entry(name("axon_old")).or_default();
        graph.members.insert(Membership { role: name("axon_old"), member: name("kim") });
    }
    stage.clock.advance(Duration::minutes(6));
    stage.restart("late");
    assert_eq!(stage.settle().await.state, State::Pending);
    let open = stage.steps_held(HoldState::Open).await.len();
    assert!(open > 0);
    assert_eq!(early.tick(&stage.map).await.summary.state, State::Pending, "it looks again");
    assert_eq!(stage.steps_held(HoldState::Open).await.len(), open);
}
