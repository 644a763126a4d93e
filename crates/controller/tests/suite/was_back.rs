//! Whoever was back for less time than lies between two ticks left anew: the month before the drop begins with the last leaving.

use axon_store::DirectoryStore as _;
use serde_json::json;
use time::Duration;

use crate::stage::{MAP, Stage};
use crate::tombstones::{DAY, LOOK, kim_left};

/// Kim is back for a moment that no tick sees, and has left again.
async fn back_for_a_moment(stage: &Stage, kim: axon_model::UserId) {
    stage.activate(kim, true).await;
    stage.activate(kim, false).await;
}

#[tokio::test]
async fn a_month_begins_with_the_last_leaving_though_no_tick_saw_the_return() {
    for restarts in [false, true] {
        let (mut stage, kim) = kim_left(MAP).await;
        stage.later(DAY * 29).await;
        back_for_a_moment(&stage, kim).await;
        if restarts {
            stage.restart("two");
        }
        stage.later(DAY * 2).await;
        assert!(stage.has_user("kim"), "{restarts}");
        stage.later(DAY * 27).await;
        assert!(stage.has_user("kim"), "{restarts}: not thirty days after it");
        stage.later(DAY * 2).await;
        assert!(!stage.has_user("kim"), "{restarts}");
        stage.proved().await;
    }
}

#[tokio::test]
async fn whose_time_is_over_between_two_full_looks_is_not_dropped_when_back_since_the_last() {
    let (mut stage, kim) = kim_left(MAP).await;
    // A look that is just before the end of the time.
    stage.later(DAY * 30 - Duration::minutes(2)).await;
    assert!(stage.has_user("kim"));
    back_for_a_moment(&stage, kim).await;
    stage.clock.advance(Duration::minutes(3));
    stage.settle().await;
    assert!(stage.has_user("kim"), "the time was over, and no full look was due");
    stage.later(LOOK).await;
    assert!(stage.has_user("kim"));
    stage.later(DAY * 31).await;
    assert!(!stage.has_user("kim"));
}

#[tokio::test]
async fn who_is_active_under_another_name_does_not_begin_anew_under_the_old_one() {
    let (mut stage, kim) = kim_left(MAP).await;
    stage.later(DAY * 29).await;
    let renamed = json!([{ "op": "Replace", "path": "userName", "value": "kim.lee" }]);
    stage.patch_person(kim, "entra", renamed).await;
    stage.activate(kim, true).await;
    stage.settle().await;
    stage.activate(kim, false).await;
    stage.settle().await;
    stage.later(DAY * 2).await;
    assert!(!stage.has_user("kim"), "nobody had that name for a month");
    stage.store.delete_user(stage.context("delete"), kim).await.unwrap();
    stage.settle().await;
}

#[tokio::test]
async fn a_record_of_a_source_that_may_not_speak_for_the_name_does_not_begin_the_month_anew() {
    let (mut stage, _) = kim_left(MAP).await;
    stage.claim(&[("entra", &["*"], None), ("okta", &["guest*"], None)]);
    stage.settle().await;
    let outside = stage.user_of("okta", "kim").await;
    for _ in 0..3 {
        stage.later(DAY * 9).await;
        for active in [false, true] {
            let said = json!([{ "op": "Replace", "path": "active", "value": active }]);
            stage.patch_person(outside, "okta", said).await;
        }
    }
    assert!(stage.has_user("kim"));
    stage.later(DAY * 4).await;
    assert!(!stage.has_user("kim"), "a month and a day after kim left");
}
