//! Versions of the role map, proposals, operators' tokens.

use axon_audit::RecordKind;
use axon_audit::payload::{JobRun, MapAuthor, MapVersionAdopted, MapWay};
use axon_model::MapVersion;
use serde_json::json;
use time::Duration;

use super::kit::{act, journal, minute};
use crate::Store;
use crate::maps::{Adopted, Answer, Answered, Expected, MapFiles, NewMap, OPEN_PROPOSALS, Proposed};
use crate::operators::{LIVE_SERVICE_TOKENS, NewOperatorToken, OperatorTokenKind, Permission};
use crate::tokens::TokenHash;

fn version(n: &str) -> MapVersion {
    MapVersion(n.into())
}

fn files(text: &str) -> MapFiles {
    vec![("role-map.yaml".to_owned(), text.to_owned())]
}

fn operator(name: &str) -> MapAuthor {
    MapAuthor { way: MapWay::Operator, name: name.into(), job: None }
}

fn new(n: &str, author: MapAuthor, expected: Expected) -> NewMap {
    let text = format!("axon: 1 # {n}");
    NewMap { version: version(n), files: files(&text), author, comment: format!("about {n}"), expected }
}

fn after(n: &str) -> Expected {
    Expected::Parent(Some(version(n)))
}

async fn take(store: &dyn Store, n: &str, expected: Expected, at: i64) -> Adopted {
    store.adopt_map(new(n, operator("kim"), expected), act(at)).await.expect("asked")
}

/// The last one put is in force; an old one can still be read, and be put again; a stale parent changes nothing.
pub async fn maps_follow_each_other(store: &dyn Store) {
    assert_eq!(store.current_map().await.expect("asked"), None);
    assert_eq!(store.map_number().await.expect("asked"), None);
    let first = Expected::Parent(None);
    let Adopted::Taken(a) = take(store, "a", first.clone(), 1).await else { panic!("taken") };
    assert_eq!((a.parent, a.record.0, a.at), (None, 1, minute(1)));
    assert!(matches!(take(store, "a", first.clone(), 2).await, Adopted::Same(_)), "the same is no news");
    assert!(
        matches!(take(store, "b", first, 3).await, Adopted::Moved(Some(head)) if head.version == version("a"))
    );
    let Adopted::Taken(b) = take(store, "b", after("a"), 3).await else { panic!("taken") };
    assert_eq!(
        (b.parent.clone(), b.author.clone(), b.comment.as_str()),
        (Some(version("a")), Some(operator("kim")), "about b")
    );
    let current = store.current_map().await.expect("asked").expect("one");
    assert_eq!((&current.head, &current.files), (&b, &files("axon: 1 # b")));
    assert_eq!(store.map_head().await.expect("asked"), Some(b.clone()));
    assert_eq!(store.map_number().await.expect("asked"), Some((b.number, version("b"))));
    let old = store.map(&version("a")).await.expect("asked").expect("kept");
    assert_eq!((old.files, old.head.record.0), (files("axon: 1 # a"), 1));
    assert_eq!(store.map(&version("c")).await.expect("asked"), None);
    assert!(matches!(take(store, "a", Expected::Anything, 4).await, Adopted::Taken(_)), "back again");
    let heads = store.map_heads(None, 10).await.expect("asked");
    let shown: Vec<&str> = heads.iter().map(|head| &*head.version.0).collect();
    assert_eq!(shown, ["a", "b", "a"]);
    let older = store.map_heads(Some(heads[0].number), 1).await.expect("asked");
    assert_eq!(older[0].version, version("b"));
    let last = journal(store).await.pop().expect("recorded");
    assert_eq!(
        (last.record.kind, last.record.seq.0, &last.record.facts["before"]),
        (RecordKind::MapVersion, 3, &json!("b"))
    );
    let clear = last.clear.expect("a clear part").body_of::<MapVersionAdopted>().expect("its shape");
    assert_eq!((clear.author, clear.comment.as_str()), (operator("kim"), "about a"));
}

/// What the file said when it was last taken is old, also when another version stands or when it only was proposed.
pub async fn the_file_s_last_version_is_known(store: &dyn Store) {
    let is_old = async |n: &str| store.is_old_file_map(&version(n)).await.expect("asked");
    assert!(!is_old("a").await);
    store.adopt_map(new("a", MapAuthor::file(), Expected::Anything), act(1)).await.expect("taken");
    take(store, "b", after("a"), 2).await;
    assert!(is_old("a").await);
    store.propose_map(new("c", MapAuthor::file(), after("b")), minute(99), act(3)).await.expect("proposed");
    assert!(is_old("c").await && !is_old("a").await && !is_old("b").await, "the file may go back");
}

/// What was pushed since the file was taken is old when the file says it late; what it says while that is in force is taken.
pub async fn a_pushed_version_does_not_come_back_by_the_file(store: &dyn Store) {
    let is_old = async |n: &str| store.is_old_file_map(&version(n)).await.expect("asked");
    store.adopt_map(new("a", MapAuthor::file(), Expected::Anything), act(1)).await.expect("taken");
    take(store, "b", after("a"), 2).await;
    take(store, "c", after("b"), 3).await;
    assert!(is_old("b").await && is_old("a").await && !is_old("d").await);
    let said = store.adopt_map(new("c", MapAuthor::file(), after("c")), act(4)).await.expect("asked");
    assert!(matches!(said, Adopted::Same(head) if head.author == Some(operator("kim"))));
    take(store, "d", after("c"), 5).await;
    assert!(is_old("c").await && is_old("d").await);
    assert!(!is_old("a").await && !is_old("b").await, "after it said c the file may go back");
    let said = store.adopt_map(new("d", operator("lee"), after("d")), act(6)).await.expect("asked");
    assert!(matches!(said, Adopted::Same(_)) && is_old("c").await, "a push is not the file");
    let said = store.adopt_map(new("e", MapAuthor::file(), after("c")), act(7)).await.expect("asked");
    assert!(matches!(said, Adopted::Moved(_)) && !is_old("e").await, "nor is what was refused");
}

/// Of many that push onto one parent at once one is in force, and the others are told whose.
pub async fn of_many_pushes_onto_one_parent_one_is_taken(store: &dyn Store) {
    take(store, "a", Expected::Anything, 1).await;
    let push = async |n: usize| {
        let name = format!("v{n}");
        store.adopt_map(new(&name, operator(&format!("p{n}")), after("a")), act(2)).await.expect("asked")
    };
    let (a, b, c, d) = tokio::join!(push(0), push(1), push(2), push(3));
    let all = [a, b, c, d];
    assert_eq!(all.iter().filter(|one| matches!(one, Adopted::Taken(_))).count(), 1, "{all:?}");
    let head = store.map_head().await.expect("asked").expect("one");
    for other in all.iter().filter(|one| !matches!(one, Adopted::Taken(_))) {
        assert_eq!(*other, Adopted::Moved(Some(head.clone())));
    }
}

/// A proposal changes nothing until another person releases it, in time and while its parent is in force.
pub async fn a_proposal_needs_another_person(store: &dyn Store) {
    take(store, "a", Expected::Anything, 1).await;
    let propose = async |n: &str, at: i64| {
        let wanted = new(n, operator("kim"), after("a"));
        store.propose_map(wanted, minute(at) + Duration::hours(1), act(at)).await.expect("asked")
    };
    let answer = async |n: &str, who: &str, release: bool, at: i64| {
        let answer = Answer { by: operator(who), release, reason: "looked at".into() };
        store.answer_map_proposal(&version(n), answer, act(at)).await.expect("asked")
    };
    let Proposed::Waits(waits) = propose("b", 2).await else { panic!("it waits") };
    assert!(matches!(propose("b", 3).await, Proposed::Already(again) if again == waits));
    assert!(matches!(propose("a", 3).await, Proposed::Same(_)));
    assert_eq!(store.map_head().await.expect("asked").expect("one").version, version("a"));
    assert_eq!(store.proposed_files(&version("b")).await.expect("asked"), Some(files("axon: 1 # b")));
    assert!(matches!(answer("b", "KIM", true, 4).await, Answered::SamePerson(_)));
    assert!(matches!(answer("x", "lee", true, 4).await, Answered::Gone));
    assert!(matches!(answer("b", "lee", true, 90).await, Answered::Expired(_)));
    let records = journal(store).await.len();
    let Answered::Released(head) = answer("b", "lee", true, 5).await else { panic!("released") };
    assert_eq!(
        (head.parent.clone(), head.author.clone(), head.released_by.clone()),
        (Some(version("a")), Some(operator("kim")), Some(operator("lee")))
    );
    assert_eq!(store.map_head().await.expect("asked"), Some(head));
    let kinds: Vec<RecordKind> = journal(store).await[records..].iter().map(|e| e.record.kind).collect();
    assert_eq!(kinds, [RecordKind::MapProposal, RecordKind::MapVersion]);
    assert!(matches!(answer("b", "lee", true, 6).await, Answered::Gone), "once");
    let listed = store.map_proposals(10).await.expect("asked");
    assert_eq!((listed.len(), listed[0].state(minute(6))), (1, "released"));
}

/// What another version overtook cannot be released; what was rejected can be proposed again.
pub async fn a_stale_proposal_is_not_released(store: &dyn Store) {
    take(store, "a", Expected::Anything, 1).await;
    let propose = async |n: &str, on: &str| {
        store.propose_map(new(n, operator("kim"), after(on)), minute(500), act(2)).await.expect("asked")
    };
    let answer = async |n: &str, release: bool| {
        let answer = Answer { by: operator("lee"), release, reason: String::new() };
        store.answer_map_proposal(&version(n), answer, act(4)).await.expect("asked")
    };
    assert!(matches!(propose("b", "a").await, Proposed::Waits(_)));
    take(store, "c", after("a"), 3).await;
    let Answered::Stale(stale) = answer("b", true).await else { panic!("stale") };
    assert_eq!(stale.1.map(|head| head.version), Some(version("c")));
    assert!(matches!(answer("b", false).await, Answered::Rejected(_)));
    assert!(matches!(propose("b", "a").await, Proposed::Moved(Some(_))));
    assert!(matches!(propose("b", "c").await, Proposed::Waits(_)));
    assert!(matches!(answer("b", true).await, Answered::Released(_)));
}

/// Proposals that nobody answers do not fill the store.
pub async fn proposals_are_bounded(store: &dyn Store) {
    take(store, "a", Expected::Anything, 1).await;
    let propose = async |n: i64, at: i64| {
        let wanted = new(&format!("v{n}"), operator("kim"), after("a"));
        store.propose_map(wanted, minute(60), act(at)).await.expect("asked")
    };
    for n in 0..OPEN_PROPOSALS {
        assert!(matches!(propose(n, 2).await, Proposed::Waits(_)));
    }
    assert_eq!(propose(OPEN_PROPOSALS, 3).await, Proposed::Crowded);
    assert!(matches!(propose(OPEN_PROPOSALS, 60).await, Proposed::Waits(_)), "the others have expired");
}

fn token(name: &str, secret: &str) -> NewOperatorToken {
    NewOperatorToken {
        name: name.into(),
        hash: TokenHash::of(secret),
        kind: OperatorTokenKind::Operator { may: "map.read,map.push".parse().expect("permissions") },
        expires: Some(minute(100)),
    }
}

/// Operators' tokens are found by their hash, among themselves only.
pub async fn operators_have_tokens_of_their_own(store: &dyn Store) {
    let kept = store.add_operator_token(token("kim", "secret"), act(1)).await.expect("kept");
    let found = store.find_operator_token(&TokenHash::of("secret")).await.expect("asked").expect("found");
    assert_eq!(found, kept);
    let OperatorTokenKind::Operator { may } = &found.kind else { panic!("an operator's") };
    assert!(may.has(Permission::MapPush) && !may.has(Permission::HoldsRelease));
    assert!(found.accepted_at(minute(99)) && !found.accepted_at(minute(100)));
    assert!(store.find_token(&TokenHash::of("secret")).await.expect("asked").is_none(), "no source's");
    assert!(store.tokens().await.expect("asked").is_empty());
    store.touch_operator_token(kept.id, minute(5)).await.expect("noted");
    store.touch_operator_token(kept.id, minute(4)).await.expect("noted");
    assert_eq!(store.operator_tokens().await.expect("asked")[0].last_used, Some(minute(5)));
    assert!(store.revoke_operator_token(kept.id, act(6)).await.expect("asked"));
    assert!(!store.revoke_operator_token(kept.id, act(7)).await.expect("asked"), "once");
    let found = store.find_operator_token(&TokenHash::of("secret")).await.expect("asked").expect("found");
    assert!(!found.accepted_at(minute(6)));
    let verbs: Vec<_> = journal(store).await.iter().map(|e| e.record.facts["verb"].clone()).collect();
    assert_eq!(verbs, [json!("created"), json!("revoked")]);
}

/// What jobs' tokens were exchanged for is bounded, goes when it ends, and is no operator's.
pub async fn exchanged_tokens_are_bounded(store: &dyn Store) {
    let job = |n: usize| NewOperatorToken {
        name: "ci-deploy".into(),
        hash: TokenHash::of(&format!("job-{n}")),
        kind: OperatorTokenKind::Service {
            job: JobRun { issuer: "https://ci".into(), subject: format!("job-{n}"), ..JobRun::default() },
        },
        expires: Some(minute(15)),
    };
    let known = async |n: usize| {
        store.find_operator_token(&TokenHash::of(&format!("job-{n}"))).await.expect("asked").is_some()
    };
    for n in 0..=LIVE_SERVICE_TOKENS {
        store.add_operator_token(job(n), act(0)).await.expect("kept");
    }
    assert!(!known(0).await && known(1).await && known(LIVE_SERVICE_TOKENS).await);
    assert!(store.operator_tokens().await.expect("asked").is_empty());
    store.add_operator_token(job(9_999), act(15)).await.expect("kept");
    assert!(!known(LIVE_SERVICE_TOKENS).await && known(9_999).await);
}
