//! Holds and pins: opened once, ended once, bound to the first; and what SCIM writes say about whose a name is.

use axon_audit::RecordKind;
use axon_audit::payload::{HoldChange, HoldVerb};
use axon_model::{Actor, RecordSeq};
use serde_json::json;

use super::kit::{act, entra, group, journal, members, patch_group, patch_user, source, user_body};
use crate::{Act, Answered, HoldEnd, HoldKind, HoldState, HoldTerms, NewHold, NewPin, PinKind, Store};

const START: RecordSeq = RecordSeq(0);

fn pin(kind: PinKind, name: &str, external_id: Option<&str>, holder: Option<&str>) -> NewPin {
    NewPin {
        kind,
        source: source("entra"),
        name: name.to_owned(),
        external_id: external_id.map(str::to_owned),
        holder: holder.map(str::to_owned),
        cleared: false,
    }
}

fn held(key: &str) -> NewHold {
    NewHold {
        kind: HoldKind::GroupName,
        key: key.to_owned(),
        source: Some(source("entra")),
        target: None,
        what: "group Readers".to_owned(),
        why: "another group has this name already".to_owned(),
        binds: Some(NewPin { cleared: true, ..pin(PinKind::Group, "readers", Some("new"), Some("2")) }),
        expires: None,
        terms: HoldTerms::default(),
    }
}

/// What stands is not opened again; what ended is, if it comes again.
pub async fn a_hold_is_opened_once_and_ends_once(store: &dyn Store) {
    let opened = store.open_holds(vec![held("a"), held("b"), held("a")], act(1)).await.expect("holds");
    assert_eq!(opened.len(), 2);
    assert!(store.open_holds(vec![held("a")], act(2)).await.expect("holds").is_empty());
    let id = opened[0].id;
    let ended = store.end_hold(id, HoldEnd::Reject, "no".into(), act(3)).await.expect("an end");
    let ended = ended.expect("it stood");
    assert_eq!((ended.state, ended.held.clone()), (HoldState::Rejected, held("a")));
    let words = ended.ended.clone().expect("an end");
    assert_eq!((words.by.as_str(), words.reason.as_str()), ("axon", "no"));
    assert!(store.open_holds(vec![held("a")], act(4)).await.expect("holds").is_empty(), "no means no");
    assert!(store.end_hold(id, HoldEnd::Reject, String::new(), act(5)).await.expect("an end").is_none());
    assert!(store.end_hold(id, HoldEnd::Release, "yes".into(), act(6)).await.expect("an end").is_some());
    assert!(store.end_hold(id, HoldEnd::Release, "yes".into(), act(7)).await.expect("an end").is_none());
    assert_eq!(store.open_holds(vec![held("a")], act(8)).await.expect("holds").len(), 1);

    let all = store.holds(START).await.expect("holds");
    let states: Vec<HoldState> = all.iter().map(|hold| hold.state).collect();
    assert_eq!(states, [HoldState::Open, HoldState::Released, HoldState::Open]);
    let later = store.holds(ended.record).await.expect("holds");
    assert_eq!(later, all[1..], "what changed since");
    let verbs: Vec<HoldVerb> = journal(store)
        .await
        .iter()
        .filter(|e| e.record.kind == RecordKind::Hold)
        .map(|e| e.record.facts_of::<HoldChange>().expect("facts").verb)
        .collect();
    assert_eq!(
        verbs,
        [HoldVerb::Opened, HoldVerb::Opened, HoldVerb::Rejected, HoldVerb::Released, HoldVerb::Opened]
    );
}

/// The first has the name until a release says otherwise.
pub async fn a_name_is_bound_to_its_first_holder(store: &dyn Store) {
    let nobody = pin(PinKind::Group, "readers", None, None);
    let first = pin(PinKind::Group, "readers", Some("old"), Some("1"));
    let second = pin(PinKind::Group, "readers", Some("new"), Some("2"));
    store.bind_names(vec![nobody.clone()], act(1)).await.expect("pins");
    assert_eq!(store.pins(START).await.expect("pins")[0].pin, nobody);
    store.bind_names(vec![first.clone()], act(2)).await.expect("pins");
    let before = store.head().await.expect("a head");
    store.bind_names(vec![second, nobody], act(3)).await.expect("pins");
    assert_eq!(store.head().await.expect("a head"), before, "nothing was bound, so there is no record");
    let pins = store.pins(START).await.expect("pins");
    assert_eq!(pins.iter().map(|p| &p.pin).collect::<Vec<_>>(), [&first]);

    let opened = store.open_holds(vec![held("readers")], act(4)).await.expect("holds");
    let ended = store.end_hold(opened[0].id, HoldEnd::Release, "seen".into(), act(5)).await.expect("an end");
    let later = store.pins(pins[0].record).await.expect("pins");
    assert_eq!(Some(&later[0].pin), held("readers").binds.as_ref());
    assert_eq!(later[0].record, ended.expect("it stood").record, "one record says both");
}

/// Another `externalId` under one resource is another person: out of all groups, in the same transaction.
pub async fn another_external_id_takes_no_memberships_along(store: &dyn Store) {
    let body = user_body(json!({"userName": "Kim@acme.com", "externalId": "old"}));
    let kim = store.create_user(entra(0), body).await.expect("a user").stored.id;
    let (one, two) = (group(store, "One", &[kim]).await, group(store, "Two", &[kim]).await);
    let external = |id: &str| json!([{"op": "replace", "path": "externalId", "value": id}]);
    let written = patch_user(store, kim, 1, external("new")).await.expect("a PATCH");
    assert_eq!(written.stored.groups, Some(Vec::new()));
    assert!(members(store, one).await.is_empty() && members(store, two).await.is_empty());
    let known = pin(PinKind::Person, "kim@acme.com", Some("old"), Some(&kim.to_string()));
    let pins = store.pins(START).await.expect("pins");
    assert_eq!(pins.iter().map(|p| &p.pin).collect::<Vec<_>>(), [&known]);

    // What is said of the new one counts, and a further change finds the first one still bound.
    let join = json!([{"op": "add", "path": "members", "value": [{"value": kim.to_string()}]}]);
    patch_group(store, one, 2, join).await.expect("a PATCH");
    assert_eq!(members(store, one).await.len(), 1);
    patch_user(store, kim, 3, json!([{"op": "remove", "path": "externalId"}])).await.expect("a PATCH");
    assert_eq!(members(store, one).await.len(), 1, "to leave it out says nothing");
    patch_user(store, kim, 4, external("third")).await.expect("a PATCH");
    assert!(members(store, one).await.is_empty(), "but it is no way to another person");
    assert_eq!(store.pins(START).await.expect("pins")[0].pin, known);
}

/// Neither a new name nor a while without an `externalId` makes another person the same one.
pub async fn another_person_does_not_come_by_a_new_name(store: &dyn Store) {
    let set = |path: &str, value: &str| json!({"op": "replace", "path": path, "value": value});
    let bare = || json!({"op": "remove", "path": "externalId"});
    let ways: [(&str, Vec<serde_json::Value>); 4] = [
        ("a", vec![json!([bare()]), json!([set("userName", "a2")]), json!([set("externalId", "new")])]),
        ("b", vec![json!([bare(), set("userName", "b2")]), json!([set("externalId", "new")])]),
        ("c", vec![json!([bare()]), json!([set("userName", "c2"), set("externalId", "new")])]),
        ("d", vec![json!([set("userName", "d2"), set("externalId", "new")])]),
    ];
    for (name, steps) in ways {
        let body = user_body(json!({"userName": name, "externalId": format!("old {name}")}));
        let user = store.create_user(entra(0), body).await.expect("a user").stored.id;
        let readers = group(store, &format!("of {name}"), &[user]).await;
        let last = steps.len();
        for (n, step) in steps.into_iter().enumerate() {
            assert_eq!(members(store, readers).await.len(), 1, "{name}: step {n}");
            let step = step.to_string().replace("new", &format!("new {name}"));
            patch_user(store, user, 1, serde_json::from_str(&step).expect("JSON")).await.expect("a PATCH");
        }
        assert!(members(store, readers).await.is_empty(), "{name}: {last} steps");
        let bound =
            pin(PinKind::Person, &format!("{name}2"), Some(&format!("old {name}")), Some(&user.to_string()));
        let pins = store.pins(START).await.expect("pins");
        assert!(
            pins.iter().any(|p| p.pin == bound),
            "{name}: the new one is a stranger under the new name: {pins:#?}"
        );
    }
}

/// Whoever gives a name up is remembered by it.
pub async fn a_name_that_was_given_up_is_bound_to_who_had_it(store: &dyn Store) {
    let make = async |name: &str, external: Option<&str>| {
        let body = match external {
            Some(id) => json!({"userName": name, "externalId": id}),
            None => json!({"userName": name}),
        };
        store.create_user(entra(0), user_body(body)).await.expect("a user").stored.id
    };
    let kim = make("kim", Some("k")).await;
    patch_user(store, kim, 1, json!([{"op": "replace", "path": "userName", "value": "KIM"}]))
        .await
        .expect("a PATCH");
    assert!(store.pins(START).await.expect("pins").is_empty(), "another spelling is the same name");
    patch_user(store, kim, 2, json!([{"op": "replace", "path": "userName", "value": "kim2"}]))
        .await
        .expect("a PATCH");
    let ana = make("ana", None).await;
    store.delete_user(entra(3), ana).await.expect("a DELETE");
    let (kim, ana) = (kim.to_string(), ana.to_string());
    let pins: Vec<NewPin> = store.pins(START).await.expect("pins").into_iter().map(|p| p.pin).collect();
    let (old_kim, old_ana) =
        (pin(PinKind::Person, "kim", Some("k"), Some(&kim)), pin(PinKind::Person, "ana", None, Some(&ana)));
    assert_eq!(pins, [old_kim.clone(), old_ana.clone()]);

    // Others who had the names since and give them up change nothing; the same person made again does.
    for (name, external) in [("kim", None), ("ana", Some("a"))] {
        let other = make(name, external).await;
        store.delete_user(entra(4), other).await.expect("a DELETE");
    }
    let again = make("kim", Some("k")).await;
    store.delete_user(entra(5), again).await.expect("a DELETE");
    let pins: Vec<NewPin> = store.pins(START).await.expect("pins").into_iter().map(|p| p.pin).collect();
    assert_eq!(pins, [old_ana, NewPin { holder: Some(again.to_string()), ..old_kim }]);
}

/// A group that takes another name is marked; one that is only spelled otherwise is not.
pub async fn a_renamed_group_is_marked(store: &dyn Store) {
    let id = group(store, "Readers", &[]).await;
    let rename = |name: &str| json!([{"op": "replace", "path": "displayName", "value": name}]);
    patch_group(store, id, 1, rename("READERS")).await.expect("a PATCH");
    assert!(store.pins(START).await.expect("pins").is_empty());
    let written = patch_group(store, id, 2, rename("Owners")).await.expect("a PATCH");
    let pins = store.pins(START).await.expect("pins");
    assert_eq!(pins.len(), 1);
    assert_eq!((pins[0].pin.kind, pins[0].pin.name.as_str()), (PinKind::Renamed, id.to_string().as_str()));
    assert_eq!(pins[0].record, written.position);
}

/// Where two persons are needed one alone releases nothing, under whatever name.
pub async fn a_hold_may_take_two_persons(store: &dyn Store) {
    let by = |name: &str, n: i64| Act { actor: Actor::Operator { name: name.to_owned() }, ..act(n) };
    let terms = HoldTerms { people: 2, parts: vec!["b".to_owned(), "a".to_owned()], ..HoldTerms::default() };
    let steps = NewHold { kind: HoldKind::Step, binds: None, terms, ..held("steps") };
    let id = store.open_holds(vec![steps], act(1)).await.expect("holds")[0].id;
    assert_eq!(store.hold_parts(id).await.expect("parts"), ["a", "b"]);
    let release = async |who: Act| {
        store.answer_hold(id, HoldEnd::Release, "seen".into(), who).await.expect("an answer")
    };
    let first = release(by("ana", 2)).await;
    assert!(matches!(&first, Answered::Seconded(hold) if hold.state == HoldState::Open), "{first:?}");
    let same = release(by("bo (login ana)", 3)).await;
    assert!(matches!(same, Answered::SamePerson(_)), "{same:?}");
    let all = store.holds(START).await.expect("holds");
    assert_eq!(all[0].first.as_ref().map(|first| first.by.as_str()), Some("operator ana"));
    assert_eq!(all[0].held.terms.people, 2);
    let second = release(by("bo", 4)).await;
    assert!(matches!(&second, Answered::Ended(hold) if hold.state == HoldState::Released), "{second:?}");
    let done = store.answer_hold(id, HoldEnd::Finish, "done".into(), act(5)).await.expect("an answer");
    assert!(matches!(&done, Answered::Ended(hold) if hold.state == HoldState::Done), "{done:?}");
    assert!(store.hold_parts(id).await.expect("parts").is_empty());
    let gone = store.answer_hold(id, HoldEnd::Reject, "no".into(), act(6)).await.expect("an answer");
    assert!(matches!(gone, Answered::Stands(_)), "{gone:?}");
}
