//! Access requests: a second person, an end by itself, and one transaction with the hold.

use axon_audit::RecordKind;
use axon_audit::payload::AccessChange;
use axon_model::{AccessState, Actor, Asked, MeantRecord, RecordSeq, UserId, Whom};
use time::Duration;

use super::kit::{act, journal, minute, source};
use crate::{AccessEnd, Act, Answered, HoldEnd, HoldState, NewAccessRequest, Store};

const START: RecordSeq = RecordSeq(0);

fn by(name: &str, n: i64) -> Act {
    Act { actor: Actor::Operator { name: name.to_owned() }, ..act(n) }
}

fn whom(n: i64) -> Whom {
    let id = UserId::from_uuid(act(n).ids.uuid(minute(n)));
    let record = MeantRecord { source: source("entra"), id, external_id: Some("k".to_owned()) };
    Whom { user_name: "Kim@acme.com".to_owned(), source: None, records: vec![record] }
}

fn grant(second_person: bool) -> NewAccessRequest {
    NewAccessRequest {
        asked: Asked::Grant { role: "reader".to_owned(), target: None, seconds: 7_200 },
        whom: whom(1),
        reason: "an incident".to_owned(),
        second_person,
        waits_until: Some(minute(60)),
        refused: None,
    }
}

/// It has both persons in its record and ends by itself; one that is refused never counts, and is told all the same.
pub async fn acting_as_another_has_both_persons_and_an_end(store: &dyn Store) {
    let asked = Asked::Impersonate {
        person: whom(2),
        target: "warehouse".to_owned(),
        seconds: 60,
        session: Some("SID7".to_owned()),
    };
    let new = NewAccessRequest { asked, second_person: false, waits_until: None, ..grant(false) };
    let begun = store.ask_access(new.clone(), by("ana", 1)).await.expect("a request");
    assert_eq!((begun.state, begun.until), (AccessState::InForce, Some(minute(2))));
    let refused = NewAccessRequest { refused: Some("not as an administrator".to_owned()), ..new };
    let refused = store.ask_access(refused, by("ana", 2)).await.expect("a request");
    assert_eq!((refused.state, refused.until, refused.hold), (AccessState::Rejected, None, None));
    assert!(refused.ended.as_ref().is_some_and(|said| said.reason == "not as an administrator"));
    let over =
        store.end_access(begun.id, AccessEnd::Elapse, "over".into(), by("ana", 3)).await.expect("an end");
    assert_eq!(over.map(|over| over.state), Some(AccessState::Over));
    let again =
        store.end_access(refused.id, AccessEnd::Lift, String::new(), by("ana", 4)).await.expect("an end");
    assert!(again.is_none(), "it never stood");
    let all = store.access_requests(START).await.expect("requests");
    assert_eq!(all.iter().map(|one| one.asked.as_str()).collect::<Vec<_>>(), ["impersonate"; 2]);
    let told: Vec<(usize, usize)> = journal(store)
        .await
        .iter()
        .filter(|e| e.record.kind == RecordKind::AccessRequest)
        .map(|e| e.record.facts_of::<AccessChange>().expect("facts"))
        .map(|change| (change.users.len(), change.persons.len()))
        .collect();
    assert_eq!(told, [(1, 1); 3], "a begin, a refusal, an end");
}

/// It counts at once, stands until it is lifted, and says so in the journal.
pub async fn an_offboarding_counts_until_it_is_lifted(store: &dyn Store) {
    let new =
        NewAccessRequest { asked: Asked::Offboard, second_person: false, waits_until: None, ..grant(false) };
    let asked = store.ask_access(new.clone(), by("ana", 1)).await.expect("a request");
    assert_eq!((asked.state, &asked.whom), (AccessState::InForce, &new.whom));
    assert!(asked.in_force_at(minute(1_000_000)));
    assert_eq!(store.access_requests(START).await.expect("requests"), std::slice::from_ref(&asked));
    assert!(store.access_requests(asked.record).await.expect("requests").is_empty());
    assert!(
        store.end_access(asked.id, AccessEnd::Elapse, String::new(), act(2)).await.expect("an end").is_none(),
        "it has no end of its own"
    );
    let lifted =
        store.end_access(asked.id, AccessEnd::Lift, "back".into(), by("ana", 3)).await.expect("an end");
    let lifted = lifted.expect("it stood");
    assert_eq!((lifted.state, lifted.record > asked.record), (AccessState::Lifted, true));
    assert_eq!(store.access_requests(asked.record).await.expect("requests"), [lifted]);
    assert!(
        store
            .end_access(asked.id, AccessEnd::Lift, String::new(), by("ana", 4))
            .await
            .expect("an end")
            .is_none()
    );
    let states: Vec<AccessState> = journal(store)
        .await
        .iter()
        .filter(|e| e.record.kind == RecordKind::AccessRequest)
        .map(|e| e.record.facts_of::<AccessChange>().expect("facts").state)
        .collect();
    assert_eq!(states, [AccessState::InForce, AccessState::Lifted]);
}

/// Its time begins with the release of somebody else than whoever asked.
pub async fn a_grant_waits_for_a_second_person(store: &dyn Store) {
    let asked = store.ask_access(grant(true), by("Ana", 1)).await.expect("a request");
    assert_eq!((asked.state, asked.until), (AccessState::Proposed, None));
    let hold = asked.hold.expect("it waits by a hold");
    for name in ["ana", "kim (login Ana)"] {
        let same =
            store.answer_hold(hold, HoldEnd::Release, "yes".into(), by(name, 2)).await.expect("an answer");
        assert!(matches!(same, Answered::SamePerson(_)), "{name}: {same:?}");
    }
    assert_eq!(
        store.access_requests(START).await.expect("requests"),
        std::slice::from_ref(&asked),
        "nothing changed"
    );
    let ended =
        store.answer_hold(hold, HoldEnd::Release, "seen".into(), by("bo", 5)).await.expect("an answer");
    assert!(matches!(ended, Answered::Ended(_)), "{ended:?}");
    let now = store.access_requests(START).await.expect("requests").remove(0);
    assert_eq!((now.state, now.until), (AccessState::InForce, Some(minute(5) + Duration::hours(2))));
    assert_eq!(now.released.as_ref().map(|said| said.by.as_str()), Some("operator bo"));
    assert!(now.in_force_at(minute(124)) && !now.in_force_at(minute(125)), "its last instant is not one");
    let early = store.end_access(now.id, AccessEnd::Elapse, "over".into(), act(124)).await.expect("an end");
    assert!(early.is_none(), "it is not over");
    let over = store.end_access(now.id, AccessEnd::Elapse, "over".into(), act(125)).await.expect("an end");
    assert_eq!(over.map(|over| over.state), Some(AccessState::Over));
}

/// A no ends it, and what is taken back waits no more.
pub async fn a_grant_that_is_refused_or_taken_back_gives_nothing(store: &dyn Store) {
    let refused = store.ask_access(grant(true), by("ana", 1)).await.expect("a request");
    let back = store.ask_access(grant(true), by("ana", 1)).await.expect("a request");
    let no = store
        .answer_hold(refused.hold.expect("a hold"), HoldEnd::Reject, "no".into(), by("ana", 2))
        .await
        .expect("an answer");
    assert!(matches!(no, Answered::Ended(_)), "to say no takes no second person: {no:?}");
    store.end_access(back.id, AccessEnd::Lift, "a mistake".into(), by("ana", 3)).await.expect("an end");
    let states: Vec<AccessState> =
        store.access_requests(START).await.expect("requests").iter().map(|r| r.state).collect();
    assert_eq!(states, [AccessState::Rejected, AccessState::Lifted]);
    let holds: Vec<HoldState> =
        store.holds(START).await.expect("holds").iter().map(|hold| hold.state).collect();
    assert_eq!(holds, [HoldState::Rejected, HoldState::Lapsed]);
}
