//! Lists: filters, pages, totals.

use axon_model::UserId;
use axon_scim::ResourceKind;
use serde_json::json;

use super::kit::{entra, filtered, group, group_body, source, user, user_body};
use crate::{Query, Store};

async fn users(store: &dyn Store, filter: &str) -> Vec<UserId> {
    let page =
        store.list_users(&source("entra"), filtered(ResourceKind::User, filter)).await.expect("listed");
    assert_eq!(page.total, page.items.len() as u64, "{filter}");
    page.items.iter().map(|u| u.id).collect()
}

/// V30: no duplicate, none of the first ones missing.
pub async fn pages_are_stable_while_others_write(store: &dyn Store) {
    let mut first = Vec::new();
    for n in 0..25 {
        first.push(user(store, &format!("u{n}")).await);
    }
    let mut seen = Vec::new();
    for page in 0..3 {
        let query = Query { start: page * 10 + 1, count: 10, ..Query::default() };
        let page = store.list_users(&source("entra"), query).await.expect("listed");
        seen.extend(page.items.iter().map(|u| u.id));
        user(store, &format!("late{}", page.start)).await;
    }
    assert_eq!(seen[..25], first[..]);
    let behind = Query { start: 1_000, count: 10, ..Query::default() };
    let page = store.list_users(&source("entra"), behind).await.expect("listed");
    assert_eq!((page.total, page.items.len()), (28, 0));
}

/// V18, V20, V21, V26: what key columns answer.
pub async fn keys_answer_filters(store: &dyn Store) {
    let body = user_body(json!({"userName": "kim@ex.test", "externalId": "E1",
        "emails": [{"type": "work", "value": "Kim@Work.test"}, {"type": "home", "value": "kim@home.test"}]}));
    let kim = store.create_user(entra(0), body).await.expect("written").stored.id;
    user(store, "lee@ex.test").await;
    for filter in [
        "userName eq \"KIM@EX.TEST\"",
        "externalId eq \"E1\"",
        "emails[type eq \"work\"].value eq \"kim@work.test\"",
        "emails[type eq \"work\" and value eq \"kim@work.test\"]",
        "emails.value eq \"kim@home.test\"",
        "emails.type eq \"work\" and emails.value eq \"kim@home.test\"",
        "userName eq \"kim@ex.test\" and active eq true",
    ] {
        assert_eq!(users(store, filter).await, [kim], "{filter}");
    }
    assert_eq!(users(store, &format!("id eq \"{kim}\"")).await, [kim]);
    for filter in [
        "externalId eq \"e1\"",
        "emails[type eq \"home\"].value eq \"kim@work.test\"",
        "userName eq \"0f5cbb3e-4f3c-4a54-8b57-3b2f7a9a3c55\"",
        "id eq \"0f5cbb3e-4f3c-4a54-8b57-3b2f7a9a3c55\"",
        "id eq \"no id at all\"",
        "userName eq \"kim@ex.test\" and active eq false",
    ] {
        assert_eq!(users(store, filter).await, [], "{filter}");
    }
}

/// An address that is the userName, too, is found as others are, through every change of either.
pub async fn a_name_that_is_an_address_is_found_as_one(store: &dyn Store) {
    let found = async |address: &str| users(store, &format!("emails.value eq \"{address}\"")).await;
    let emails = |list: &[&str]| -> serde_json::Value { list.iter().map(|a| json!({"value": a})).collect() };
    let body =
        user_body(json!({"userName": "Kim@ex.test", "emails": emails(&["kim@EX.test", "kim@home.test"])}));
    let kim = store.create_user(entra(0), body).await.expect("written").stored.id;
    user(store, "lee@ex.test").await;
    assert_eq!([found("kim@ex.test").await, found("kim@home.test").await], [[kim], [kim]]);
    assert_eq!(found("lee@ex.test").await, [], "a name alone is no address");
    let put = async |name: &str, addresses: &[&str]| {
        let body = user_body(json!({"userName": name, "emails": emails(addresses)}));
        store.replace_user(entra(1), kim, body).await.expect("written");
    };
    put("kim.new@ex.test", &["kim@ex.test", "kim@home.test"]).await;
    assert_eq!([found("kim@ex.test").await, found("kim@home.test").await], [[kim], [kim]]);
    put("kim@home.test", &["kim@ex.test", "kim@home.test"]).await;
    assert_eq!([found("kim@ex.test").await, found("kim@home.test").await], [[kim], [kim]]);
    put("kim@home.test", &["kim@ex.test"]).await;
    assert_eq!((found("kim@ex.test").await, found("kim@home.test").await), (vec![kim], vec![]));
    let other = Query {
        filter: filtered(ResourceKind::User, "emails.value eq \"kim@ex.test\"").filter,
        ..Query::all(None)
    };
    let page = store.list_users(&source("okta"), other).await.expect("listed");
    assert_eq!(page.total, 0, "another source's");
}

/// What no key answers is evaluated, row by row and page by page.
pub async fn the_rest_is_evaluated(store: &dyn Store) {
    let mut odd = Vec::new();
    for n in 0..1_100 {
        let title = if n % 2 == 1 { "odd" } else { "even" };
        let body = user_body(json!({"userName": format!("u{n}"), "title": title}));
        let id = store.create_user(entra(0), body).await.expect("written").stored.id;
        if n % 2 == 1 {
            odd.push(id);
        }
    }
    assert_eq!(users(store, "title eq \"ODD\"").await, odd);
    assert_eq!(users(store, "not (title eq \"even\")").await, odd);
    assert_eq!(users(store, "meta.lastModified lt \"1999-01-01T00:00:00Z\"").await, []);
    let mut query = filtered(ResourceKind::User, "title sw \"od\"");
    (query.start, query.count) = (541, 100);
    let page = store.list_users(&source("entra"), query).await.expect("listed");
    assert_eq!((page.total, page.start), (550, 541));
    assert_eq!(page.items.iter().map(|u| u.id).collect::<Vec<_>>(), odd[540..]);
}

/// Entra's member check, and members in other filters.
pub async fn members_answer_filters(store: &dyn Store) {
    let (kim, lee) = (user(store, "kim").await, user(store, "lee").await);
    let sales = group(store, "Sales", &[kim]).await;
    let leads = group(store, "Leads", &[kim, lee]).await;
    let found = async |filter: String| {
        let page = store
            .list_groups(&source("entra"), filtered(ResourceKind::Group, &filter))
            .await
            .expect("listed");
        assert_eq!(page.total, page.items.len() as u64);
        page.items.iter().map(|g| g.id).collect::<Vec<_>>()
    };
    assert_eq!(found(format!("id eq \"{sales}\" and members eq \"{kim}\"")).await, [sales]);
    assert_eq!(found(format!("id eq \"{sales}\" and members eq \"{lee}\"")).await, []);
    assert_eq!(found(format!("members.value eq \"{kim}\"")).await, [sales, leads]);
    assert_eq!(found("displayName eq \"LEADS\"".into()).await, [leads]);
    assert_eq!(found("members.display eq \"lee\"".into()).await, [leads]);
    let empty = store.create_group(entra(1), group_body(json!({"displayName": "Empty"})), vec![]).await;
    assert_eq!(found("not (members pr)".into()).await, [empty.expect("made").stored.id]);
    let mut bare = filtered(ResourceKind::Group, "displayName eq \"Leads\"");
    bare.links = false;
    let page = store.list_groups(&source("entra"), bare).await.expect("listed");
    assert_eq!((page.items[0].members.as_ref(), page.items[0].member_count), (None, 2));
}

/// V29.
pub async fn a_count_of_zero_asks_for_the_total(store: &dyn Store) {
    for n in 0..3 {
        user(store, &format!("u{n}")).await;
    }
    for filter in [None, filtered(ResourceKind::User, "userName sw \"u\"").filter] {
        let query = Query { filter, links: true, ..Query::default() };
        let page = store.list_users(&source("entra"), query).await.expect("listed");
        assert_eq!((page.total, page.items.len()), (3, 0));
    }
}
