//! Whom names belong to: what a source may say, who comes under a name that another one had, which group a name is bound to.

use std::sync::Arc;

use axon_controller::State;
use axon_model::{GroupId, RecordSeq, UserId};
use axon_reconcile::Connect;
use axon_scim::{PatchRequest, Profile, Registry, ResourceKind, parse_new};
use axon_store::{DirectoryStore as _, Hold, HoldEnd, HoldKind, HoldState, HoldStore as _};
use serde_json::{Value, json};

use crate::stage::{MAP, Stage, name};

const EMPLOYEE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";

impl Stage {
    pub async fn person(&self, source: &str, body: Value) -> UserId {
        let parsed = parse_new(&Registry::standard(), ResourceKind::User, body, &Profile::entra()).unwrap();
        self.store.create_user(self.context_of(source, "create"), parsed.resource).await.unwrap().stored.id
    }

    async fn known_as(&self, user_name: &str, external_id: &str) -> UserId {
        self.person("entra", json!({ "userName": user_name, "externalId": external_id })).await
    }

    pub async fn group_of(
        &self,
        source: &str,
        called: &str,
        external_id: &str,
        members: &[UserId],
    ) -> GroupId {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "displayName": called, "externalId": external_id, "members": members });
        let parsed = parse_new(&Registry::standard(), ResourceKind::Group, body, &Profile::entra()).unwrap();
        let context = self.context_of(source, "create-group");
        let members = parsed.members.unwrap_or_default();
        self.store.create_group(context, parsed.resource, members).await.unwrap().stored.id
    }

    pub async fn patch_person(&self, id: UserId, source: &str, operations: Value) {
        let body = json!({ "Operations": operations });
        let patch =
            PatchRequest::parse(body, &Registry::standard(), ResourceKind::User, &Profile::entra()).unwrap();
        self.store.patch_user(self.context_of(source, "patch"), id, patch).await.unwrap();
    }

    async fn open(&self) -> Vec<Hold> {
        let all = self.store.holds(RecordSeq(0)).await.unwrap();
        all.into_iter().filter(|hold| hold.state == HoldState::Open).collect()
    }

    async fn only_hold(&self, kind: HoldKind) -> Hold {
        let open = self.open().await;
        assert_eq!(open.len(), 1, "{open:#?}");
        assert_eq!(open[0].held.kind, kind);
        open[0].clone()
    }

    async fn end(&self, hold: &Hold, end: HoldEnd) {
        let act = axon_store::Act {
            actor: axon_model::Actor::Operator { name: "ana".into() },
            ..self.context("end").act
        };
        assert!(self.store.end_hold(hold.id, end, "looked at it".into(), act).await.unwrap().is_some());
    }

    fn reads(&self, who: &str) -> bool {
        self.pool.in_role("axon_reader", who) && self.pool.connect(who) == Connect::Granted
    }

    fn is_there(&self, who: &str) -> bool {
        self.pool.graph.lock().unwrap().principals.contains_key(&name(who))
    }
}

fn set(path: &str, value: &str) -> Value {
    json!([{ "op": "replace", "path": path, "value": value }])
}

fn add(members: &[UserId]) -> Value {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    json!([{ "op": "add", "path": "members", "value": members }])
}

fn told(summary: &axon_controller::Summary, words: &str) -> bool {
    summary.waiting.iter().any(|w| w.what.contains(words))
}

#[tokio::test]
async fn another_external_id_under_a_name_inherits_nothing_and_is_made_anew_when_released() {
    let mut stage = Stage::set().await;
    let kim = stage.known_as("kim", "old").await;
    let readers = stage.readers(&[kim]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.reads("kim"));

    stage.patch_person(kim, "entra", set("externalId", "new")).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"));
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);
    let hold = stage.only_hold(HoldKind::NewPerson).await;
    assert!(hold.held.what.contains("kim") && hold.held.why.contains("old"), "{hold:?}");

    // What the source says of the new person counts, and waits as well. Others go on.
    let ana = stage.known_as("ana", "a").await;
    stage.patch(readers, "both-join", add(&[kim, ana])).await;
    let summary = stage.settle().await;
    assert!(told(&summary, "somebody else was known as kim"), "{summary:?}");
    assert!(stage.reads("ana") && !stage.pool.in_role("axon_reader", "kim"));
    stage.restart("two");
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"), "also after a restart");
    assert_eq!(stage.open().await.len(), 1, "and it is asked once");

    stage.end(&hold, HoldEnd::Release).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.reads("kim"));
    assert_eq!(stage.pool.did("drop user kim"), 1, "{:?}", stage.pool.applied.lock().unwrap());
    stage.restart("three");
    stage.settle().await;
    assert_eq!(stage.pool.did("drop user kim"), 1, "once is enough");
    assert!(stage.reads("kim") && stage.open().await.is_empty());
    stage.proved().await;
}

#[tokio::test]
async fn a_recycled_user_name_inherits_nothing() {
    for (before, after) in
        [(Some("old"), Some("new")), (Some("old"), None), (None, Some("new")), (None, None)]
    {
        let body = |external: Option<&str>| match external {
            Some(id) => json!({ "userName": "kim", "externalId": id }),
            None => json!({ "userName": "kim" }),
        };
        let mut stage = Stage::set().await;
        let first = stage.person("entra", body(before)).await;
        let readers = stage.readers(&[first]).await;
        stage.settle().await;
        stage.store.delete_user(stage.context("delete"), first).await.unwrap();
        // Nobody looked in between.
        let second = stage.person("entra", body(after)).await;
        stage.patch(readers, "join", add(&[second])).await;
        stage.restart("two");
        stage.settle().await;
        assert!(!stage.pool.in_role("axon_reader", "kim"), "{before:?} {after:?}");
        assert_eq!(stage.pool.connect("kim"), Connect::Denied);
        let hold = stage.only_hold(HoldKind::NewPerson).await;
        stage.end(&hold, HoldEnd::Reject).await;
        stage.restart("three");
        let summary = stage.settle().await;
        assert!(!stage.pool.in_role("axon_reader", "kim"), "no means no: {summary:?}");
        assert!(stage.open().await.is_empty(), "and is not asked again");
        stage.end(&hold, HoldEnd::Release).await;
        stage.settle().await;
        assert!(stage.reads("kim"), "unless somebody thinks better of it");
        assert_eq!(stage.pool.did("drop user kim"), 1);
    }
}

#[tokio::test]
async fn the_same_person_made_again_waits_for_nobody() {
    let mut stage = Stage::set().await;
    let first = stage.known_as("kim", "k").await;
    let readers = stage.readers(&[first]).await;
    stage.settle().await;
    stage.store.delete_user(stage.context("delete"), first).await.unwrap();
    stage.settle().await;
    let second = stage.known_as("kim", "k").await;
    stage.patch(readers, "join", add(&[second])).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.reads("kim") && stage.open().await.is_empty());
}

#[tokio::test]
async fn a_name_that_somebody_left_by_a_new_one_is_nobody_elses_either() {
    let mut stage = Stage::set().await;
    let kim = stage.known_as("kim", "k").await;
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    stage.patch_person(kim, "entra", set("userName", "kim2")).await;
    stage.settle().await;
    assert!(stage.reads("kim2"), "the same person under a new name goes on");
    let other = stage.known_as("kim", "other").await;
    stage.patch(readers, "join", add(&[other])).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"));
    stage.only_hold(HoldKind::NewPerson).await;
    // The newcomer goes; so does what waited for a person.
    stage.store.delete_user(stage.context("delete"), other).await.unwrap();
    stage.settle().await;
    assert!(stage.open().await.is_empty());
}

#[tokio::test]
async fn a_pool_that_slept_from_the_change_until_after_the_release_gives_the_old_principal_to_nobody() {
    let mut stage = Stage::set().await;
    let kim = stage.known_as("kim", "old").await;
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    stage.patch_person(kim, "entra", set("externalId", "new")).await;
    stage.patch(readers, "join", add(&[kim])).await;
    // Another target's process opens the hold; this pool sleeps.
    let mut elsewhere = Stage::ticker(&stage.store, &stage.clock, &stage.ids, &Arc::default(), "other");
    elsewhere.tick(&stage.map).await;
    let hold = stage.only_hold(HoldKind::NewPerson).await;
    stage.end(&hold, HoldEnd::Release).await;
    stage.restart("two");
    stage.pool.applied.lock().unwrap().clear();
    assert_eq!(stage.settle().await.state, State::Converged);
    assert_eq!(stage.pool.did("drop user kim"), 1, "{:?}", stage.pool.applied.lock().unwrap());
    assert!(stage.reads("kim"));
}

#[tokio::test]
async fn a_second_group_of_a_mapped_name_gives_nothing_and_the_first_goes_on() {
    let mut stage = Stage::set().await;
    let (kim, eve) = (stage.user("kim").await, stage.user("eve").await);
    let first = stage.group_of("entra", "Readers", "one", &[kim]).await;
    stage.settle().await;
    let second = stage.group_of("entra", "READERS", "two", &[eve]).await;
    let summary = stage.settle().await;
    assert!(stage.reads("kim") && !stage.is_there("eve"), "{summary:?}");
    assert!(told(&summary, "another group has this name already"), "{summary:?}");
    let hold = stage.only_hold(HoldKind::GroupName).await;
    // Somebody joins the first one, through a restart.
    stage.restart("two");
    let ana = stage.user("ana").await;
    stage.patch(first, "ana-joins", add(&[ana])).await;
    stage.settle().await;
    assert!(stage.reads("ana") && !stage.is_there("eve"));

    // A release binds the name anew; then the one that had it waits.
    stage.end(&hold, HoldEnd::Release).await;
    stage.settle().await;
    assert!(stage.reads("eve") && !stage.pool.in_role("axon_reader", "kim"));
    let waits = stage.only_hold(HoldKind::GroupName).await;
    assert!(waits.held.what.contains("(one)"), "{waits:?}");
    stage.store.delete_group(stage.context("delete"), second).await.unwrap();
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "eve"), "what it gave goes");
    assert!(!stage.pool.in_role("axon_reader", "kim"), "and a new holder waits");
}

#[tokio::test]
async fn a_group_that_takes_a_mapped_name_gives_nothing() {
    for mapped_is_there in [true, false] {
        let mut stage = Stage::set().await;
        let (kim, eve) = (stage.user("kim").await, stage.user("eve").await);
        let first = if mapped_is_there { Some(stage.readers(&[kim]).await) } else { None };
        let other = stage.group_of("entra", "Guests", "g", &[eve]).await;
        stage.settle().await;
        // Nobody looks while it is renamed, and another process looks first.
        if let Some(first) = first {
            stage.patch(first, "away", set("displayName", "Former readers")).await;
        }
        stage.patch(other, "takes", set("displayName", "readers")).await;
        stage.restart("two");
        stage.settle().await;
        assert!(!stage.is_there("eve"), "{mapped_is_there}");
        if mapped_is_there {
            assert!(!stage.pool.in_role("axon_reader", "kim"), "what the first one gave goes with its name");
        }
        let hold = stage.only_hold(HoldKind::GroupName).await;
        if let Some(first) = first {
            // It comes back under its name: it is still the one.
            stage.patch(other, "away", set("displayName", "Guests")).await;
            stage.patch(first, "back", set("displayName", "Readers")).await;
            stage.settle().await;
            assert!(stage.reads("kim") && !stage.is_there("eve"));
            assert!(stage.open().await.is_empty(), "nothing waits any more");
        } else {
            stage.end(&hold, HoldEnd::Release).await;
            stage.settle().await;
            assert!(stage.reads("eve"));
        }
        stage.proved().await;
    }
}

#[tokio::test]
async fn a_group_that_was_renamed_before_a_mapping_spoke_of_its_name_is_like_any_other() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    let group = stage.group_of("entra", "Interns", "i", &[kim]).await;
    stage.patch(group, "renamed", set("displayName", "Keepers")).await;
    stage.settle().await;
    stage.read(&MAP.replace("any: [Readers]", "any: [Keepers]"));
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.reads("kim") && stage.open().await.is_empty());
}

#[tokio::test]
async fn another_external_id_under_a_mapped_name_gives_nothing() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    let group = stage.group_of("entra", "Readers", "one", &[kim]).await;
    stage.settle().await;
    stage.patch(group, "other", set("externalId", "two")).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"));
    let hold = stage.only_hold(HoldKind::GroupName).await;
    stage.end(&hold, HoldEnd::Release).await;
    stage.settle().await;
    assert!(stage.reads("kim"));
    // Deleted and made again: the same externalId is the same group, another one is not.
    stage.store.delete_group(stage.context("delete"), group).await.unwrap();
    stage.settle().await;
    let again = stage.group_of("entra", "Readers", "two", &[kim]).await;
    stage.settle().await;
    assert!(stage.reads("kim") && stage.open().await.is_empty());
    stage.store.delete_group(stage.context("delete"), again).await.unwrap();
    stage.group_of("entra", "Readers", "three", &[kim]).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"));
    stage.only_hold(HoldKind::GroupName).await;
}

#[tokio::test]
async fn what_a_pattern_finds_for_the_first_time_waits_unless_the_map_trusts() {
    let untrusting = MAP.replace("any: [Readers]", "match: '^sg-.*$'");
    let mut stage = Stage::set_with(&untrusting).await;
    let (kim, eve) = (stage.user("kim").await, stage.user("eve").await);
    stage.group_of("entra", "sg-one", "one", &[kim]).await;
    let summary = stage.settle().await;
    assert!(!stage.is_there("kim") && told(&summary, "for the first time"), "{summary:?}");
    let hold = stage.only_hold(HoldKind::GroupMatch).await;
    stage.end(&hold, HoldEnd::Release).await;
    stage.settle().await;
    assert!(stage.reads("kim"));
    stage.restart("two");
    let second = stage.group_of("entra", "sg-two", "two", &[eve]).await;
    stage.settle().await;
    assert!(stage.reads("kim") && !stage.is_there("eve"), "each group by itself");
    stage.only_hold(HoldKind::GroupMatch).await;
    // A released group that another one impersonates goes on.
    stage.patch(second, "takes", set("displayName", "SG-ONE")).await;
    stage.settle().await;
    assert!(stage.reads("kim") && !stage.is_there("eve"));
    stage.only_hold(HoldKind::GroupName).await;

    let mut stage =
        Stage::set_with(&untrusting.replace("roles: [reader] }", "roles: [reader], trust: true }")).await;
    let kim = stage.user("kim").await;
    stage.group_of("entra", "sg-one", "one", &[kim]).await;
    stage.settle().await;
    assert!(stage.reads("kim") && stage.open().await.is_empty());
}

#[tokio::test]
async fn a_token_of_another_source_that_mints_a_mapped_group_gains_nothing() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    let eve = stage.user_of("okta", "eve").await;
    stage.group_of("okta", "Readers", "id of Readers", &[eve]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.reads("kim") && !stage.is_there("eve"));
    // Nor by naming a person of the other source, in whatever spelling a pool takes for the same.
    stage.claim(&[("entra", &["*@acme.com", "kim", "ana*"], None), ("okta", &["*@okta.example"], None)]);
    for spelled in ["kim", "KIM", "k\u{200b}im", "\u{212a}im"] {
        let impostor = stage.person("okta", json!({ "userName": spelled })).await;
        stage
            .patch_person(impostor, "okta", json!([{ "op": "replace", "path": "active", "value": false }]))
            .await;
        stage.settle().await;
        assert!(stage.reads("kim"), "who may not name kim cannot shut kim out either: {spelled:?}");
        stage.store.delete_user(stage.context_of("okta", "delete"), impostor).await.unwrap();
    }
}

fn both(map: &str) -> String {
    map.replace("mappings:", "  writer: { grants: { warehouse: [\"update on sales.orders\"] } }\nmappings:")
        + "  - { groups: { any: [Writers] }, source: okta, roles: [writer] }\n"
}

#[tokio::test]
async fn a_name_outside_a_sources_claims_gives_nothing_and_is_told() {
    let mut stage = Stage::set_with(&both(MAP)).await;
    stage.claim(&[("entra", &["*@acme.com"], None), ("okta", &["*@okta.example"], None)]);
    let lee = stage.user_of("okta", "lee@okta.example").await;
    let outside = ["kim@acme.com", "x@okta.example.evil.example", "x@okt\u{430}.example"];
    let mut members = vec![lee];
    for name in outside {
        members.push(stage.person("okta", json!({ "userName": name })).await);
    }
    stage.group_of("okta", "Writers", "w", &members).await;
    let summary = stage.settle().await;
    assert!(stage.pool.in_role("axon_writer", "lee@okta.example"));
    for name in outside {
        assert!(!stage.is_there(name));
    }
    let told = summary.waiting.iter().filter(|w| w.what.contains("may_name")).count();
    assert_eq!(told, outside.len(), "{summary:?}");
    // Claims that grow narrower take what they no longer cover.
    stage.claim(&[("entra", &["*@acme.com"], None), ("okta", &["nobody"], None)]);
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_writer", "lee@okta.example"));
}

#[tokio::test]
async fn one_person_in_two_sources_gets_what_both_give_and_is_inactive_if_one_says_so() {
    let mut stage = Stage::set_with(&both(MAP)).await;
    let everybody: &[&str] = &["*"];
    stage.claim(&[("entra", everybody, Some(EMPLOYEE)), ("okta", everybody, Some(EMPLOYEE))]);
    let body = |name: &str, number: &str| {
        json!({ "userName": name,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "employeeNumber": number } })
    };
    let (in_entra, in_okta) =
        (stage.person("entra", body("kim", "7")).await, stage.person("okta", body("KIM", "7")).await);
    stage.group_of("entra", "Readers", "r", &[in_entra]).await;
    stage.group_of("okta", "Writers", "w", &[in_okta]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.reads("kim") && stage.pool.in_role("axon_writer", "kim"));

    stage.patch_person(in_okta, "okta", json!([{ "op": "replace", "path": "active", "value": false }])).await;
    let summary = stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied, "{summary:?}");
    assert!(!stage.pool.in_role("axon_reader", "kim") && told(&summary, "not active"));
    stage.patch_person(in_okta, "okta", json!([{ "op": "replace", "path": "active", "value": true }])).await;
    stage.settle().await;
    assert!(stage.reads("kim"));

    // Joined under another name: it says whether the person is there, and is given nothing by the other's name.
    stage.patch_person(in_okta, "okta", set("userName", "kim.k")).await;
    stage.settle().await;
    assert!(stage.reads("kim") && !stage.pool.in_role("axon_writer", "kim"));
    stage.store.delete_user(stage.context_of("okta", "delete"), in_okta).await.unwrap();
    stage.settle().await;
    let gone = stage
        .person(
            "okta",
            json!({ "userName": "kk", "active": false,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "employeeNumber": "7" } }),
        )
        .await;
    stage.settle().await;
    assert_eq!(stage.pool.connect("kim"), Connect::Denied);

    // A record that says another number is another person, who claims the name.
    stage.store.delete_user(stage.context_of("okta", "delete"), gone).await.unwrap();
    stage.settle().await;
    assert!(stage.reads("kim"));
    let stranger = stage.person("okta", body("kim", "8")).await;
    stage.group_of("okta", "Writers too", "w2", &[stranger]).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_writer", "kim"), "neither gains");
}

#[tokio::test]
async fn a_store_that_keeps_no_pins_lets_nothing_be_given_and_nothing_be_taken_for_it() {
    let mut stage = Stage::set().await;
    let (kim, ana) = (stage.user("kim").await, stage.user("ana").await);
    let readers = stage.readers(&[kim]).await;
    let breaker = rusqlite::Connection::open(&stage.file).unwrap();
    breaker
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON pins BEGIN SELECT RAISE(ABORT, 'full'); END")
        .unwrap();
    stage.settle().await;
    assert!(!stage.is_there("kim"), "the name is bound nowhere");
    breaker.execute_batch("DROP TRIGGER full").unwrap();
    stage.settle().await;
    assert!(stage.reads("kim"));
    // As after an upgrade: people have their roles, and nothing is bound yet.
    breaker.execute_batch("DELETE FROM pins").unwrap();
    breaker
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON pins BEGIN SELECT RAISE(ABORT, 'full'); END")
        .unwrap();
    stage.restart("two");
    stage.patch(readers, "ana-joins", add(&[ana])).await;
    stage.settle().await;
    assert!(stage.reads("kim") && !stage.is_there("ana"));
    let leaves = json!([{ "op": "remove", "path": "members", "value": [{ "value": kim }] }]);
    stage.patch(readers, "kim-goes", leaves).await;
    stage.settle().await;
    assert!(!stage.pool.in_role("axon_reader", "kim"), "what takes away is in nobody's way");
}

#[tokio::test]
async fn a_look_ahead_keeps_nothing() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    let preview = stage.ticker.preview(&stage.map).await.unwrap();
    assert!(!preview.admitted.steps().is_empty());
    assert!(stage.store.pins(RecordSeq(0)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_look_alike_of_a_name_that_somebody_left_inherits_nothing_of_the_principal() {
    for alike in ["k\u{200b}im", "\u{ff4b}im"] {
        let mut stage = Stage::set().await;
        let kim = stage.known_as("kim", "k").await;
        let readers = stage.readers(&[kim]).await;
        stage.settle().await;
        stage.store.delete_user(stage.context("delete"), kim).await.unwrap();
        // To the directory it is another name, to the pool it is the same one. Nobody looked in between.
        let other = stage.known_as(alike, "other").await;
        stage.patch(readers, "join", add(&[other])).await;
        stage.restart("two");
        stage.pool.applied.lock().unwrap().clear();
        let summary = stage.settle().await;
        assert_eq!(summary.state, State::Converged, "{summary:#?}");
        let did = stage.pool.applied.lock().unwrap().clone();
        let at = |step: &str| did.iter().position(|done| done.starts_with(step));
        assert!(
            at("drop user kim").is_some() && at("drop user kim") < at("create external user"),
            "{alike:?}: {did:?}"
        );
        assert!(at("create external user") < at("add "), "{did:?}");
        stage.restart("three");
        stage.settle().await;
        assert_eq!(stage.pool.applied.lock().unwrap().len(), did.len(), "once is enough");
    }
}

#[tokio::test]
async fn a_principal_goes_on_when_its_person_is_known_by_one_source_more_or_less() {
    let mut stage = Stage::set().await;
    let everybody: &[&str] = &["*"];
    stage.claim(&[("entra", everybody, Some("nickName")), ("okta", everybody, Some("nickName"))]);
    let body = json!({ "userName": "kim", "nickName": "7" });
    let in_entra = stage.person("entra", body.clone()).await;
    stage.readers(&[in_entra]).await;
    stage.settle().await;
    let in_okta = stage.person("okta", body).await;
    stage.settle().await;
    stage.restart("two");
    stage.settle().await;
    stage.store.delete_user(stage.context_of("okta", "delete"), in_okta).await.unwrap();
    assert_eq!(stage.settle().await.state, State::Converged);
    assert!(stage.reads("kim"));
    assert_eq!(stage.pool.did("drop user kim"), 0);
}

#[tokio::test]
async fn a_flood_of_things_that_wait_fills_the_list_piece_by_piece_and_empties_it_so() {
    let untrusting = MAP.replace("any: [Readers]", "match: '^sg-.*$'");
    let mut stage = Stage::set_with(&untrusting).await;
    for n in 0..1_010 {
        stage.group_of("entra", &format!("sg-{n}"), &format!("{n}"), &[]).await;
    }
    let tick = stage.ticker.tick(&stage.map).await;
    assert_eq!(stage.open().await.len(), 1_000);
    let next = tick.next.unwrap() - axon_model::Clock::now(&*stage.clock);
    assert!(next <= time::Duration::seconds(1), "the rest is due soon: {next}");
    stage.settle().await;
    assert_eq!(stage.open().await.len(), 1_010);
    stage.read(MAP);
    stage.settle().await;
    stage.settle().await;
    assert!(stage.open().await.is_empty(), "what no map asks for waits no longer");
}

#[tokio::test]
async fn a_hold_that_nobody_answers_is_a_no_and_can_be_released_all_the_same() {
    let mut stage = Stage::set().await;
    let kim = stage.known_as("kim", "old").await;
    let readers = stage.readers(&[kim]).await;
    stage.settle().await;
    stage.patch_person(kim, "entra", set("externalId", "new")).await;
    stage.patch(readers, "join", add(&[kim])).await;
    stage.settle().await;
    let hold = stage.only_hold(HoldKind::NewPerson).await;
    stage.clock.advance(time::Duration::days(30) - time::Duration::seconds(1));
    let tick = stage.ticker.tick(&stage.map).await;
    assert_eq!(tick.next, hold.held.expires, "the next tick is due when it expires");
    stage.only_hold(HoldKind::NewPerson).await;
    stage.clock.advance(time::Duration::seconds(1));
    stage.settle().await;
    let all = stage.store.holds(RecordSeq(0)).await.unwrap();
    assert_eq!(all.iter().map(|hold| hold.state).collect::<Vec<_>>(), [HoldState::Expired]);
    assert!(!stage.pool.in_role("axon_reader", "kim"));
    stage.end(&hold, HoldEnd::Release).await;
    stage.settle().await;
    assert!(stage.reads("kim"));
}

#[tokio::test]
async fn roles_that_a_rule_separates_wait_for_a_release_that_ends_with_them() {
    let separate = MAP.replace(
        "mappings:\n",
        "  approver: { grants: { warehouse: [update on sales.orders] } }\nrules: { separate: [[reader, approver]] }\nmappings:\n  - { groups: { any: [Approvers] }, source: entra, roles: [approver] }\n",
    );
    let mut stage = Stage::set_with(&separate).await;
    let (kim, eve) = (stage.user("kim").await, stage.user("eve").await);
    stage.group("Readers", &[kim, eve]).await;
    let approvers = stage.group("Approvers", &[kim]).await;
    let summary = stage.settle().await;
    assert!(!stage.is_there("kim") && stage.reads("eve"), "both are withheld, from nobody else");
    assert!(told(&summary, "would hold several of"), "{summary:?}");
    let hold = stage.only_hold(HoldKind::Separation).await;
    assert!(hold.held.what.contains("kim in warehouse with roles approver, reader"), "{}", hold.held.what);
    stage.settle().await;
    stage.only_hold(HoldKind::Separation).await;

    stage.end(&hold, HoldEnd::Release).await;
    stage.settle().await;
    assert!(stage.reads("kim") && stage.pool.in_role("axon_approver", "kim"));
    assert!(stage.open().await.is_empty());
    stage.restart("two");
    stage.settle().await;
    assert!(
        stage.reads("kim") && stage.pool.in_role("axon_approver", "kim"),
        "the release outlives a restart"
    );

    // What was released is used up when the roles come together no more: the next time somebody looks again.
    let leaves = json!([{ "op": "remove", "path": "members", "value": [{ "value": kim }] }]);
    stage.patch(approvers, "leaves", leaves).await;
    stage.settle().await;
    assert!(stage.reads("kim") && !stage.pool.in_role("axon_approver", "kim"));
    let all = stage.store.holds(RecordSeq(0)).await.unwrap();
    assert!(all.iter().any(|one| one.id == hold.id && one.state == HoldState::Done), "{all:#?}");
    stage.patch(approvers, "comes", add(&[kim])).await;
    stage.settle().await;
    assert!(!stage.reads("kim") && !stage.pool.in_role("axon_approver", "kim"));
    let again = stage.only_hold(HoldKind::Separation).await;
    assert_ne!(again.id, hold.id);

    // What nobody answers lapses with the breach.
    stage
        .patch(
            approvers,
            "leaves-again",
            json!([{ "op": "remove", "path": "members", "value": [{ "value": kim }] }]),
        )
        .await;
    stage.settle().await;
    assert!(stage.reads("kim") && stage.open().await.is_empty());
}
