//! Users and groups, one at a time.

use axon_audit::payload::DirectoryChange;
use axon_scim::ResourceKind;
use serde_json::json;

use super::kit::{
    entra, filtered, group, group_body, journal, members, minute, okta, patch_user, source, status, user,
    user_body,
};
use crate::{Store, Unless, WriteContext};

/// What was written is read, with its instants and version.
pub async fn a_user_reads_back(store: &dyn Store) {
    let body = user_body(json!({"userName": "Kim@Acme.com", "displayName": "Kim", "externalId": "k1",
        "emails": [{"type": "work", "value": "kim@acme.com"}]}));
    let written = store.create_user(entra(1), body.clone()).await.expect("written");
    assert!(written.changed && !written.restored);
    let id = written.stored.id;
    let read = store.user(&source("entra"), id, true).await.expect("read").expect("there");
    assert_eq!(read, written.stored);
    assert_eq!((read.created, read.modified, read.version), (minute(1), minute(1), 1));
    assert_eq!((read.resource, read.groups), (body, Some(vec![])));
    let changed =
        patch_user(store, id, 2, json!([{"op": "Replace", "path": "active", "value": "False"}])).await;
    let changed = changed.expect("patched").stored;
    assert_eq!((changed.created, changed.modified, changed.version), (minute(1), minute(2), 2));
    assert!(!changed.resource.is_active());
    let without =
        store.user(&source("entra"), id, false).await.expect("read").expect("an inactive user stays visible");
    assert_eq!(without.groups, None);
    assert_eq!(without.resource, changed.resource);
}

/// V31.
pub async fn a_name_that_differs_in_case_is_taken(store: &dyn Store) {
    let kim = user(store, "straße@acme.com").await;
    let again = store.create_user(entra(1), user_body(json!({"userName": "STRASSE@ACME.COM"}))).await;
    assert_eq!(status(again), 409);
    let lee = user(store, "lee@acme.com").await;
    let renamed = patch_user(
        store,
        lee,
        1,
        json!([{"op": "replace", "path": "userName", "value": "Strasse@acme.com"}]),
    )
    .await;
    assert_eq!(status(renamed), 409);
    store.delete_user(entra(2), kim).await.expect("deleted");
    user(store, "STRASSE@ACME.COM").await;
}

/// V33.
pub async fn a_put_of_the_same_changes_nothing(store: &dyn Store) {
    let body = user_body(json!({"userName": "kim@acme.com", "title": "Boss"}));
    let first = store.create_user(entra(1), body.clone()).await.expect("written");
    let again = store.replace_user(entra(2), first.stored.id, body).await.expect("put");
    assert!(!again.changed);
    assert_eq!((again.stored.modified, again.stored.version, again.position), (minute(1), 1, first.position));
    let other =
        store.replace_user(entra(3), first.stored.id, user_body(json!({"userName": "kim@acme.com"}))).await;
    let other = other.expect("put");
    assert!(other.changed && other.stored.resource.as_map().get("title").is_none());
    assert_eq!(
        status(store.replace_user(okta(3), first.stored.id, user_body(json!({"userName": "x"}))).await),
        404
    );
}

/// V17: the first operation is undone with the second.
pub async fn a_patch_that_fails_changes_nothing(store: &dyn Store) {
    let kim = user(store, "kim@acme.com").await;
    user(store, "lee@acme.com").await;
    let before = store.user(&source("entra"), kim, true).await.expect("read");
    let taken = json!([{"op": "replace", "path": "title", "value": "Boss"},
        {"op": "replace", "path": "userName", "value": "lee@acme.com"}]);
    assert_eq!(status(patch_user(store, kim, 1, taken).await), 409);
    assert_eq!(store.user(&source("entra"), kim, true).await.expect("read"), before);
    let gone =
        json!([{"op": "replace", "path": "title", "value": "Boss"}, {"op": "remove", "path": "userName"}]);
    assert_eq!(status(patch_user(store, kim, 1, gone).await), 400);
    assert_eq!(store.user(&source("entra"), kim, true).await.expect("read"), before);
}

/// V32.
pub async fn a_deleted_user_leaves_its_groups(store: &dyn Store) {
    let (kim, lee) = (user(store, "kim").await, user(store, "lee").await);
    let sales = group(store, "Sales", &[kim, lee]).await;
    let read = store.user(&source("entra"), kim, true).await.expect("read").expect("there");
    assert_eq!(read.groups.expect("asked for")[0].id, sales);
    store.delete_user(entra(5), kim).await.expect("deleted");
    assert_eq!(members(store, sales).await, [lee.to_string()]);
    let after = store.group(&source("entra"), sales, false).await.expect("read").expect("there");
    assert_eq!((after.modified, after.version, after.members), (minute(5), 2, None));
    assert_eq!(status(store.delete_user(entra(6), kim).await), 404);
    assert_eq!(store.user(&source("entra"), kim, true).await.expect("read"), None);
    user(store, "kim").await;
    store.delete_group(entra(7), sales).await.expect("deleted");
    assert_eq!(status(store.delete_group(entra(7), sales).await), 404);
}

/// V36: another source's token finds nothing, by id, by name, by list.
pub async fn sources_do_not_see_each_other(store: &dyn Store) {
    let kim = user(store, "kim").await;
    let sales = group(store, "Sales", &[kim]).await;
    assert_eq!(store.user(&source("okta"), kim, true).await.expect("read"), None);
    assert_eq!(store.group(&source("okta"), sales, true).await.expect("read"), None);
    let twin =
        store.create_user(okta(1), user_body(json!({"userName": "KIM"}))).await.expect("a name of its own");
    assert_eq!(status(store.delete_user(okta(1), kim).await), 404);
    assert_eq!(status(store.delete_group(okta(1), sales).await), 404);
    let found = store.list_users(&source("okta"), filtered(ResourceKind::User, "userName eq \"kim\"")).await;
    assert_eq!(found.expect("listed").items.iter().map(|u| u.id).collect::<Vec<_>>(), [twin.stored.id]);
    let by_id = filtered(ResourceKind::User, &format!("id eq \"{kim}\""));
    assert_eq!(store.list_users(&source("okta"), by_id).await.expect("listed").total, 0);
    let counts = store.counts().await.expect("counted");
    let told: Vec<_> = counts.iter().map(|c| (c.source.as_str(), c.users, c.groups, c.memberships)).collect();
    assert_eq!(told, [("entra", 1, 1, 1), ("okta", 1, 0, 0)]);
}

/// The switch `restore_on_post`.
pub async fn an_inactive_user_comes_back_where_the_source_wants_it(store: &dyn Store) {
    let kim = user(store, "kim").await;
    let body = || user_body(json!({"userName": "Kim", "title": "Back"}));
    let mut restoring = entra(2);
    restoring.profile.restore_on_post = true;
    assert_eq!(
        status(store.create_user(restoring.clone(), body()).await),
        409,
        "an active one is not taken over"
    );
    patch_user(store, kim, 1, json!([{"op": "replace", "value": {"active": false}}])).await.expect("patched");
    assert_eq!(status(store.create_user(entra(2), body()).await), 409, "off by default");
    let back = store.create_user(restoring, body()).await.expect("restored");
    assert!(back.restored && back.stored.resource.is_active());
    assert_eq!(back.stored.id, kim);
}

/// `If-Match` and `If-None-Match`.
pub async fn a_stale_version_is_refused(store: &dyn Store) {
    let kim = user(store, "kim").await;
    let mut context = entra(1);
    context.if_match = Some(vec![7]);
    let body = user_body(json!({"userName": "kim", "title": "x"}));
    assert_eq!(status(store.replace_user(context.clone(), kim, body.clone()).await), 412);
    assert_eq!(status(store.delete_user(context.clone(), kim).await), 412);
    context.if_match = Some(vec![7, 1]);
    assert_eq!(store.replace_user(context, kim, body).await.expect("put").stored.version, 2);
    let body = || user_body(json!({"userName": "kim", "title": "y"}));
    for unless in [Unless::OneOf(vec![1, 2]), Unless::Exists] {
        let context = WriteContext { unless, ..entra(1) };
        assert_eq!(status(store.replace_user(context.clone(), kim, body()).await), 412);
        assert_eq!(status(store.delete_user(context, kim).await), 412);
    }
    let context = WriteContext { unless: Unless::OneOf(vec![1]), ..entra(1) };
    assert_eq!(store.replace_user(context, kim, body()).await.expect("put").stored.version, 3);
}

/// The switch `unique_group_names`.
pub async fn group_names_are_unique_where_the_source_says_so(store: &dyn Store) {
    let body = |name: &str| group_body(json!({"displayName": name}));
    let first = store.create_group(okta(1), body("Sales"), vec![]).await.expect("made").stored.id;
    assert_eq!(status(store.create_group(okta(1), body("SALES"), vec![]).await), 409);
    let other = store.create_group(okta(1), body("Leads"), vec![]).await.expect("made").stored.id;
    assert_eq!(status(store.replace_group(okta(2), other, body("sales"), None).await), 409);
    let respelled = store.replace_group(okta(2), first, body("SALES"), None).await.expect("its own name");
    assert!(respelled.changed);
    store.create_group(entra(1), body("Sales"), vec![]).await.expect("made");
    store.create_group(entra(1), body("Sales"), vec![]).await.expect("Entra's names are not unique");
}

/// The seam of decision 15: perhaps another person under the same id.
pub async fn a_changed_external_id_is_said_in_the_record(store: &dyn Store) {
    let kim = user(store, "kim").await;
    for (id, said) in [("a", false), ("b", true)] {
        let ops = json!([{"op": "replace", "path": "externalId", "value": id}]);
        patch_user(store, kim, 1, ops).await.expect("patched");
        let last = journal(store).await.pop().expect("a record");
        let facts = last.record.facts_of::<DirectoryChange>().expect("its shape");
        assert_eq!(facts.external_id_changed, said, "{id}");
    }
}

/// Names that would mean something elsewhere mean nothing here.
pub async fn hostile_texts_come_back_as_they_were(store: &dyn Store) {
    let emoji = "😀".repeat(128);
    for (n, text) in
        ["x]; DROP USER [dbo]--", "O'Brien", "\u{202e}kim", "a%b_c", "\"quoted\\\"", emoji.as_str()]
            .into_iter()
            .enumerate()
    {
        let body = user_body(json!({"userName": text, "externalId": text, "displayName": text}));
        let id = store.create_user(entra(1), body.clone()).await.expect("written").stored.id;
        let read = store.user(&source("entra"), id, false).await.expect("read").expect("there");
        assert_eq!(read.resource, body);
        let literal = serde_json::Value::from(text);
        let query = filtered(ResourceKind::User, &format!("userName eq {literal}"));
        let found = store.list_users(&source("entra"), query).await.expect("listed");
        assert_eq!(found.items.iter().map(|u| u.id).collect::<Vec<_>>(), [id], "{text}");
        assert_eq!(journal(store).await.len(), n + 1);
    }
}

/// What resources are found by has a length that both databases index.
pub async fn keys_have_a_length(store: &dyn Store) {
    let (fits, long) = ("x".repeat(1024), "x".repeat(1025));
    for attribute in ["userName", "externalId"] {
        let body = |text: &str| {
            let mut body = json!({"userName": "kim"});
            body[attribute] = text.into();
            user_body(body)
        };
        assert_eq!(status(store.create_user(entra(1), body(&long)).await), 400, "{attribute}");
        let kept = store.create_user(entra(1), body(&fits)).await.expect("it fits").stored.id;
        assert_eq!(status(store.replace_user(entra(1), kept, body(&long)).await), 400, "{attribute}");
        store.delete_user(entra(1), kept).await.expect("deleted");
    }
    let body = group_body(json!({"displayName": long}));
    assert_eq!(status(store.create_group(entra(1), body, vec![]).await), 400);
    let long = vec![axon_scim::MemberRef::new(long)];
    let body = |name: &str| group_body(json!({"displayName": name}));
    assert_eq!(status(store.create_group(entra(1), body("Sales"), long).await), 400);
    let fits = vec![axon_scim::MemberRef::new(fits)];
    assert_eq!(store.create_group(entra(1), body("Sales"), fits).await.expect("it waits").parked, 1);
}
