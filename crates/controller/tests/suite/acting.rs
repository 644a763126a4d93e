//! Who acts as another, or is acted as, and leaves: that ends it by the record, whatever became of the target and of who came back.

use axon_controller::State;
use axon_model::{AccessRequest, AccessRequestId, AccessState, Asked, MeantRecord, RecordSeq, UserId, Whom};
use axon_store::{AccessEnd, AccessStore as _, DirectoryStore as _, NewAccessRequest};
use serde_json::{Value, json};

use crate::stage::{Mischief, Stage};
use crate::waiting::offboard;

fn whom(user: UserId, who: &str) -> Whom {
    let record = MeantRecord { source: "entra".parse().unwrap(), id: user, external_id: None };
    Whom { user_name: who.into(), source: Some("entra".parse().unwrap()), records: vec![record] }
}

fn active(yes: bool) -> Value {
    json!([{ "op": "replace", "path": "active", "value": yes }])
}

impl Stage {
    /// Cara reads as Ann, for eight hours.
    async fn acting(&self, cara: UserId, ann: UserId) -> AccessRequestId {
        let asked = Asked::Impersonate {
            person: whom(ann, "ann"),
            target: "warehouse".into(),
            seconds: 8 * 60 * 60,
            session: None,
        };
        let new = NewAccessRequest {
            asked,
            whom: whom(cara, "cara"),
            reason: "ticket 7".into(),
            second_person: false,
            waits_until: None,
            refused: None,
        };
        let request = self.store.ask_access(new, self.by("op")).await.unwrap();
        assert_eq!(request.state, AccessState::InForce);
        request.id
    }

    async fn request(&self, id: AccessRequestId) -> AccessRequest {
        let all = self.store.access_requests(RecordSeq(0)).await.unwrap();
        all.into_iter().find(|request| request.id == id).unwrap()
    }

    async fn ended(&self, id: AccessRequestId, words: &str) {
        let request = self.request(id).await;
        assert_eq!(request.state, AccessState::Lifted, "{request:?}");
        assert_eq!(request.ended.map(|said| said.reason).as_deref(), Some(words));
        self.proved().await;
    }

    async fn out_and_in(&self, who: UserId) {
        self.patch_person(who, "entra", active(false)).await;
        self.patch_person(who, "entra", active(true)).await;
    }

    async fn two() -> (Self, UserId, UserId) {
        let mut stage = Self::set().await;
        let (cara, ann) = (stage.user("cara").await, stage.user("ann").await);
        stage.readers(&[cara, ann]).await;
        assert_eq!(stage.settle().await.state, State::Converged);
        (stage, cara, ann)
    }
}

#[tokio::test]
async fn who_is_off_and_on_again_before_anybody_looks_has_left() {
    for acts in [true, false] {
        let (mut stage, cara, ann) = Stage::two().await;
        let id = stage.acting(cara, ann).await;
        stage.settle().await;
        assert_eq!(stage.request(id).await.state, AccessState::InForce);
        let (leaver, words) = if acts { (cara, "cara left") } else { (ann, "ann left") };
        stage.out_and_in(leaver).await;
        stage.settle().await;
        stage.ended(id, words).await;
        // Asked for anew it counts.
        let id = stage.acting(cara, ann).await;
        stage.settle().await;
        assert_eq!(stage.request(id).await.state, AccessState::InForce);
    }
}

#[tokio::test]
async fn it_ends_while_the_target_is_away() {
    let (mut stage, cara, ann) = Stage::two().await;
    let id = stage.acting(cara, ann).await;
    stage.settle().await;
    // So that the target has to be read.
    stage.restart("two");
    stage.pool.plot(Mischief::Away);
    stage.ticker.tick(&stage.map).await;
    assert_eq!(stage.request(id).await.state, AccessState::InForce);
    stage.patch_person(ann, "entra", active(false)).await;
    let tick = stage.ticker.tick(&stage.map).await;
    assert_eq!(tick.summary.state, State::Unreachable);
    stage.ended(id, "ann left").await;
    stage.patch_person(ann, "entra", active(true)).await;
    stage.pool.forgive();
    stage.settle().await;
    stage.ended(id, "ann left").await;
}

#[tokio::test]
async fn who_left_while_no_process_ran_has_left() {
    let (mut stage, cara, ann) = Stage::two().await;
    let id = stage.acting(cara, ann).await;
    stage.settle().await;
    stage.out_and_in(cara).await;
    stage.restart("two");
    stage.settle().await;
    stage.ended(id, "cara left").await;
    // Neither known nor looked at before somebody is deleted.
    let id = stage.acting(cara, ann).await;
    stage.store.delete_user(stage.context("delete"), ann).await.unwrap();
    stage.settle().await;
    stage.ended(id, "ann left").await;
}

#[tokio::test]
async fn an_offboarding_ends_it_though_it_was_lifted_since() {
    let (mut stage, cara, ann) = Stage::two().await;
    let before = stage.store.ask_access(offboard(ann, "ann"), stage.by("op")).await.unwrap();
    let words = || "a mistake".to_owned();
    stage.store.end_access(before.id, AccessEnd::Lift, words(), stage.by("op")).await.unwrap().unwrap();
    let id = stage.acting(cara, ann).await;
    stage.settle().await;
    assert_eq!(stage.request(id).await.state, AccessState::InForce, "that was before");
    let request = stage.store.ask_access(offboard(ann, "ann"), stage.by("op")).await.unwrap();
    stage.store.end_access(request.id, AccessEnd::Lift, words(), stage.by("op")).await.unwrap().unwrap();
    stage.settle().await;
    stage.ended(id, "ann left").await;
}

#[tokio::test]
async fn whoever_stays_reads_on_whatever_else_changes() {
    let (mut stage, cara, ann) = Stage::two().await;
    let other = stage.user("bob").await;
    let id = stage.acting(cara, ann).await;
    stage.settle().await;
    stage.out_and_in(other).await;
    let title = json!([{ "op": "replace", "path": "title", "value": "boss" }]);
    stage.patch_person(ann, "entra", title).await;
    stage.settle().await;
    stage.restart("two");
    stage.settle().await;
    assert_eq!(stage.request(id).await.state, AccessState::InForce);
}
