//! Memberships: rows that come and go alone.

use axon_model::UserId;
use axon_scim::MemberRef;
use axon_scim::ResourceKind;
use serde_json::{Value, json};

use super::kit::{
    entra, group, group_body, journal, members, minute, okta, patch, patch_group, source, status, user,
    user_body,
};
use crate::Store;
use crate::directory::MAX_PARKED;

fn ids(users: &[UserId]) -> Vec<String> {
    users.iter().map(ToString::to_string).collect()
}

/// V13.
pub async fn a_present_member_changes_nothing(store: &dyn Store) {
    let (kim, lee) = (user(store, "kim").await, user(store, "lee").await);
    let sales = group(store, "Sales", &[kim, lee]).await;
    let records = journal(store).await.len();
    let again = json!([{"op": "add", "path": "members", "value": [{"value": kim}, {"value": kim}]}]);
    let written = patch_group(store, sales, 9, again).await.expect("patched");
    assert!(!written.changed);
    assert_eq!((written.stored.modified, written.stored.version), (minute(0), 1));
    assert_eq!(members(store, sales).await, ids(&[kim, lee]));
    assert_eq!(journal(store).await.len(), records);
}

/// V16, and the other way round.
pub async fn one_request_that_adds_and_removes_changes_nothing(store: &dyn Store) {
    let (kim, dan) = (user(store, "kim").await, user(store, "dan").await);
    let sales = group(store, "Sales", &[kim]).await;
    let records = journal(store).await.len();
    let there_and_back = json!([{"op": "add", "path": "members", "value": [{"value": dan}]},
        {"op": "remove", "path": format!("members[value eq \"{dan}\"]")}]);
    assert!(!patch_group(store, sales, 1, there_and_back).await.expect("patched").changed);
    let back_and_there = json!([{"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": [{"value": kim}]}]);
    assert!(!patch_group(store, sales, 1, back_and_there).await.expect("patched").changed);
    assert_eq!(members(store, sales).await, ids(&[kim]));
    assert_eq!(journal(store).await.len(), records);
}

/// V10 and V11: never wipe.
pub async fn named_members_alone_are_removed(store: &dyn Store) {
    let (a, b, c) = (user(store, "a").await, user(store, "b").await, user(store, "c").await);
    let sales = group(store, "Sales", &[a, b, c]).await;
    let listed = json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": b}]}]);
    let written = patch_group(store, sales, 3, listed).await.expect("patched");
    assert!(written.changed);
    assert_eq!(
        (written.stored.modified, written.stored.version, written.stored.member_count),
        (minute(3), 2, 2)
    );
    assert_eq!(members(store, sales).await, ids(&[a, c]));
    let by_filter =
        json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", a.to_string().to_uppercase())}]);
    patch_group(store, sales, 4, by_filter).await.expect("patched");
    assert_eq!(members(store, sales).await, ids(&[c]));
    let absent = json!([{"op": "remove", "path": "members", "value": [{"value": b}]}]);
    assert!(!patch_group(store, sales, 5, absent).await.expect("patched").changed);
}

/// V12.
pub async fn all_members_go_with_a_bare_remove(store: &dyn Store) {
    let (a, b) = (user(store, "a").await, user(store, "b").await);
    let sales = group(store, "Sales", &[a, b]).await;
    patch_group(store, sales, 1, json!([{"op": "remove", "path": "members"}])).await.expect("patched");
    assert_eq!(members(store, sales).await, Vec::<String>::new());
}

/// Okta's PUT and its full resync.
pub async fn a_put_makes_its_members_the_only_ones(store: &dyn Store) {
    let (a, b, c) = (user(store, "a").await, user(store, "b").await, user(store, "c").await);
    let sales = group(store, "Sales", &[a, b]).await;
    let body = group_body(json!({"displayName": "Sales"}));
    let wanted = vec![MemberRef::new(b.to_string()), MemberRef::new(c.to_string()), MemberRef::new("ghost")];
    let written =
        store.replace_group(entra(1), sales, body.clone(), Some(wanted.clone())).await.expect("put");
    assert_eq!((written.changed, written.parked, written.stored.member_count), (true, 1, 2));
    assert_eq!(members(store, sales).await, ids(&[b, c]));
    let again = store.replace_group(entra(2), sales, body.clone(), Some(wanted)).await.expect("put");
    assert!(!again.changed);
    let resync = json!([{"op": "replace", "path": "members", "value": [{"value": a}]}]);
    patch_group(store, sales, 3, resync).await.expect("patched");
    assert_eq!(members(store, sales).await, ids(&[a]));
    assert_eq!(store.counts().await.expect("counted")[0].parked, 0, "the ghost was not in the new list");
    let silent = store.replace_group(entra(4), sales, body.clone(), None).await.expect("put");
    assert!(!silent.changed, "a PUT that does not speak of members keeps them");
    assert_eq!(members(store, sales).await, ids(&[a]));
    store.replace_group(entra(5), sales, body, Some(Vec::new())).await.expect("put");
    assert_eq!(members(store, sales).await, Vec::<String>::new(), "an empty list empties the group");
}

/// A body that does not speak of members takes none away: never wipe.
pub async fn a_put_without_members_keeps_them(store: &dyn Store) {
    let kim = user(store, "kim").await;
    let sales = group(store, "Sales", &[kim]).await;
    let renamed = group_body(json!({"displayName": "SG-Sales"}));
    let written = store.replace_group(entra(1), sales, renamed.clone(), None).await.expect("put");
    assert_eq!((written.changed, written.stored.member_count), (true, 1));
    assert_eq!(members(store, sales).await, ids(&[kim]));
    store.replace_group(entra(2), sales, renamed, Some(vec![])).await.expect("put");
    assert_eq!(members(store, sales).await, Vec::<String>::new(), "an empty list is a list");
}

/// Accepted, kept, not shown, joined: by `externalId` of a user that comes later, and of one that gets it later.
pub async fn an_unknown_member_waits_and_joins(store: &dyn Store) {
    let sales = group(store, "Sales", &[]).await;
    let ops =
        json!([{"op": "add", "path": "members", "value": [{"value": "ext-kim"}, {"value": "ext-lee"}]}]);
    let written = patch_group(store, sales, 1, ops.clone()).await.expect("accepted");
    assert_eq!((written.parked, written.changed, written.stored.modified), (2, false, minute(0)));
    assert_eq!(members(store, sales).await, Vec::<String>::new());
    assert_eq!(store.counts().await.expect("counted")[0].parked, 2);
    let records = journal(store).await.len();
    assert_eq!(patch_group(store, sales, 1, ops).await.expect("accepted").parked, 0, "parked once");
    assert_eq!(journal(store).await.len(), records);

    let okta_kim = user_body(json!({"userName": "kim", "externalId": "ext-kim"}));
    store.create_user(okta(2), okta_kim.clone()).await.expect("written");
    assert_eq!(members(store, sales).await, Vec::<String>::new(), "another source's person is somebody else");
    let kim = store.create_user(entra(3), okta_kim).await.expect("written").stored;
    assert_eq!(kim.groups.expect("told").len(), 1);
    assert_eq!(members(store, sales).await, ids(&[kim.id]));
    let after = store.group(&source("entra"), sales, false).await.expect("read").expect("there");
    assert_eq!(after.modified, minute(3));

    let lee = user(store, "lee").await;
    let named = json!([{"op": "replace", "path": "externalId", "value": "ext-lee"}]);
    super::kit::patch_user(store, lee, 4, named).await.expect("patched");
    assert_eq!(members(store, sales).await, ids(&[kim.id, lee]));
    assert_eq!(store.counts().await.expect("counted")[0].parked, 0);
}

/// A parked member is not there for ever.
pub async fn a_parked_member_can_be_removed(store: &dyn Store) {
    let sales = group(store, "Sales", &[]).await;
    let add =
        json!([{"op": "add", "path": "members", "value": [{"value": "x"}, {"value": "y"}, {"value": "z"}]}]);
    patch_group(store, sales, 1, add).await.expect("accepted");
    let remove = |path: &str| json!([{"op": "remove", "path": path}]);
    patch_group(store, sales, 2, remove("members[value eq \"x\"]")).await.expect("patched");
    patch_group(store, sales, 2, remove("members[value sw \"y\"]")).await.expect("patched");
    assert_eq!(store.counts().await.expect("counted")[0].parked, 1);
    store
        .create_user(entra(3), user_body(json!({"userName": "x", "externalId": "x"})))
        .await
        .expect("written");
    assert_eq!(members(store, sales).await, Vec::<String>::new());
    store.delete_group(entra(4), sales).await.expect("deleted with what waits in it");
    store
        .create_user(entra(5), user_body(json!({"userName": "z", "externalId": "z"})))
        .await
        .expect("written");
}

/// The switch `park_unknown_members`.
pub async fn parking_can_be_forbidden(store: &dyn Store) {
    let kim = user(store, "kim").await;
    let sales = group(store, "Sales", &[]).await;
    let mut strict = entra(1);
    strict.profile.park_unknown_members = false;
    let ops = json!([{"op": "add", "path": "members", "value": [{"value": kim}, {"value": "ghost"}]}]);
    let refused = store.patch_group(strict, sales, patch(ResourceKind::Group, ops)).await;
    assert_eq!(status(refused), 400);
    assert_eq!(members(store, sales).await, Vec::<String>::new(), "the known one is undone too");
}

/// A client that names members that never come cannot fill the store.
pub async fn parked_members_are_counted_and_capped(store: &dyn Store) {
    let sales = group(store, "Sales", &[]).await;
    let ghosts = |from: u64, upto: u64| {
        let list: Vec<Value> = (from..upto).map(|n| json!({"value": format!("ghost-{n}")})).collect();
        json!([{"op": "add", "path": "members", "value": list}])
    };
    for from in (0..MAX_PARKED).step_by(1000) {
        patch_group(store, sales, 1, ghosts(from, (from + 1000).min(MAX_PARKED))).await.expect("accepted");
    }
    let refused = patch_group(store, sales, 1, ghosts(MAX_PARKED, MAX_PARKED + 1)).await;
    assert_eq!(status(refused), 400);
    assert_eq!(store.counts().await.expect("counted")[0].parked, MAX_PARKED);
}

/// An id of another source names nobody here, now and later.
pub async fn members_of_another_source_stay_unknown(store: &dyn Store) {
    let foreign =
        store.create_user(okta(1), user_body(json!({"userName": "kim"}))).await.expect("written").stored.id;
    let sales = group(store, "Sales", &[]).await;
    let ops = json!([{"op": "add", "path": "members", "value": [{"value": foreign}]}]);
    assert_eq!(patch_group(store, sales, 1, ops).await.expect("accepted").parked, 1);
    assert_eq!(members(store, sales).await, Vec::<String>::new());
}

/// Groups in groups, whichever goes first.
pub async fn groups_nest(store: &dyn Store) {
    let kim = user(store, "kim").await;
    let inner = group(store, "Inner", &[kim]).await;
    let outer = group(store, "Outer", &[kim]).await;
    let ops = |id: &str| json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
    patch_group(store, outer, 1, ops(&inner.to_string())).await.expect("patched");
    patch_group(store, inner, 1, ops(&outer.to_string())).await.expect("a cycle is harmless");
    assert_eq!(members(store, outer).await, [kim.to_string(), inner.to_string()]);
    let read = store.group(&source("entra"), outer, true).await.expect("read").expect("there");
    let names: Vec<_> = read.members.expect("asked for").iter().map(|m| m.display.to_string()).collect();
    assert_eq!(names, ["kim", "Inner"]);
    store.delete_group(entra(2), inner).await.expect("deleted");
    assert_eq!(members(store, outer).await, [kim.to_string()]);
}

/// A filter that names nobody by id is looked at over all members.
pub async fn members_that_match_a_filter_are_removed(store: &dyn Store) {
    let (a, b) = (user(store, "anna").await, user(store, "bert").await);
    let inner = group(store, "Inner", &[]).await;
    let sales = group(store, "Sales", &[a, b]).await;
    let nest = json!([{"op": "add", "path": "members", "value": [{"value": inner}]}]);
    patch_group(store, sales, 1, nest).await.expect("patched");
    let groups = json!([{"op": "remove", "path": "members[type eq \"Group\"]"}]);
    patch_group(store, sales, 1, groups).await.expect("patched");
    assert_eq!(members(store, sales).await, ids(&[a, b]));
    let either = json!([{"op": "remove", "path": format!("members[value eq \"{a}\" or value eq \"{b}\"]")}]);
    patch_group(store, sales, 1, either).await.expect("patched");
    assert_eq!(members(store, sales).await, Vec::<String>::new());
}

/// More than one statement takes.
pub async fn many_members_go_in_and_out(store: &dyn Store) {
    let mut all = Vec::new();
    for n in 0..2_100 {
        all.push(user(store, &format!("u{n}")).await);
    }
    let sales = group(store, "Sales", &all).await;
    assert_eq!(members(store, sales).await, ids(&all));
    let gone: Vec<Value> = all[..1_050].iter().map(|id| json!({"value": id})).collect();
    patch_group(store, sales, 1, json!([{"op": "remove", "path": "members", "value": gone}]))
        .await
        .expect("patched");
    assert_eq!(members(store, sales).await, ids(&all[1_050..]));
}
