//! Lists in an order, and pages by cursor.

use std::collections::BTreeSet;

use axon_model::UserId;
use axon_scim::{ResourceKind, Sort};
use serde_json::json;

use super::kit::{REGISTRY, entra, filtered, group, okta, patch_user, source, status, user, user_body};
use crate::query::cursor;
use crate::query::{Place, PlaceKey};
use crate::{Cursor, Page, Query, Store, StoredUser};

fn sort(by: &str, descending: bool) -> Sort {
    Sort::parse(by, descending, &REGISTRY, ResourceKind::User).expect("an attribute")
}

async fn list(store: &dyn Store, query: &Query) -> Page<StoredUser> {
    store.list_users(&source("entra"), query.clone()).await.expect("listed")
}

async fn names(store: &dyn Store, query: &Query) -> Vec<String> {
    let page = list(store, query).await;
    page.items.iter().filter_map(|u| u.resource.user_name()).map(str::to_owned).collect()
}

/// Five people; two share a title, one has none.
async fn people(store: &dyn Store) {
    for (name, title) in
        [("Dora", Some("b")), ("anna", Some("A")), ("Bert", None), ("emil", Some("B")), ("Carl", Some("c"))]
    {
        let mut body = json!({"userName": name});
        if let Some(title) = title {
            body["title"] = title.into();
        }
        store.create_user(entra(1), user_body(body)).await.expect("written");
    }
}

/// RFC 7644 section 3.4.2.3: by a key column or by any other attribute, case aside, the absent last, equal keys by creation.
pub async fn a_list_is_sorted_by_any_attribute(store: &dyn Store) {
    people(store).await;
    patch_user(store, first(store).await, 2, json!([{"op": "add", "path": "active", "value": false}]))
        .await
        .expect("patched");
    for (by, descending, wanted) in [
        ("userName", false, ["anna", "Bert", "Carl", "Dora", "emil"]),
        ("userName", true, ["emil", "Dora", "Carl", "Bert", "anna"]),
        ("title", false, ["anna", "Dora", "emil", "Carl", "Bert"]),
        ("title", true, ["Bert", "Carl", "Dora", "emil", "anna"]),
        ("meta.created", true, ["Dora", "anna", "Bert", "emil", "Carl"]),
        ("meta.lastModified", true, ["Dora", "anna", "Bert", "emil", "Carl"]),
        ("meta.lastModified", false, ["anna", "Bert", "emil", "Carl", "Dora"]),
        ("active", false, ["Dora", "anna", "Bert", "emil", "Carl"]),
        ("externalId", false, ["Dora", "anna", "Bert", "emil", "Carl"]),
    ] {
        let all = Query { sort: Some(sort(by, descending)), ..Query::all(None) };
        assert_eq!(names(store, &all).await, wanted, "{by} {descending}");
        let part = Query { start: 2, count: 3, ..all.clone() };
        assert_eq!(names(store, &part).await, wanted[1..4], "{by} {descending}");
        let filter = filtered(ResourceKind::User, "title pr or userName eq \"bert\"").filter;
        let evaluated = Query { filter, ..all };
        assert_eq!(names(store, &evaluated).await, wanted, "{by} {descending}, evaluated");
    }
}

async fn first(store: &dyn Store) -> UserId {
    list(store, &Query::all(None)).await.items[0].id
}

/// All pages from the first to the last; `between` runs before each page but the first.
async fn walk(store: &dyn Store, query: &Query, mut between: impl AsyncFnMut(usize)) -> Vec<UserId> {
    let mut query = Query { cursor: Some(Cursor::First), ..query.clone() };
    let mut seen = Vec::new();
    for page_number in 0.. {
        let page = list(store, &query).await;
        assert_eq!(page.start, 1);
        seen.extend(page.items.iter().map(|user| user.id));
        let Some(next) = page.next else { break };
        assert_eq!(page.items.len() as u64, query.count, "only the last page is short");
        between(page_number).await;
        query.cursor = Some(Cursor::After(next));
    }
    seen
}

/// RFC 9865: pages neither repeat nor skip what stays, whatever comes and goes meanwhile, in every order.
pub async fn cursors_survive_writes(store: &dyn Store) {
    for n in 0..23 {
        let body = json!({"userName": format!("u{:02}", (n * 7) % 23), "title": format!("t{}", n % 3)});
        store.create_user(entra(n), user_body(body)).await.expect("written");
    }
    let before: BTreeSet<UserId> = list(store, &Query::all(None)).await.items.iter().map(|u| u.id).collect();
    for (round, (by, filter)) in [
        (None, None),
        (Some(("userName", false)), None),
        (Some(("userName", true)), None),
        (Some(("title", false)), None),
        (Some(("title", true)), None),
        (Some(("meta.created", true)), None),
        (Some(("id", false)), None),
        (None, Some("title sw \"t\"")),
        (Some(("userName", false)), Some("title sw \"t\"")),
    ]
    .into_iter()
    .enumerate()
    {
        let filter = filter.and_then(|text| filtered(ResourceKind::User, text).filter);
        let by = by.map(|(by, descending)| sort(by, descending));
        let query = Query { filter, sort: by, count: 5, ..Query::default() };
        let still = walk(store, &query, async |_| {}).await;
        assert_eq!(still.len() as u64, list(store, &query).await.total, "round {round}");
        let mut come = Vec::new();
        let seen = walk(store, &query, async |page| {
            let body = json!({"userName": format!("u{page:02}x{round}"), "title": "t1"});
            come.push(store.create_user(entra(50), user_body(body)).await.expect("written").stored.id);
            if page > 0 {
                store.delete_user(entra(51), come[page - 1]).await.expect("deleted");
            }
        })
        .await;
        let unique: BTreeSet<UserId> = seen.iter().copied().collect();
        assert_eq!(unique.len(), seen.len(), "round {round}: nobody twice");
        assert!(unique.is_superset(&before), "round {round}: nobody left out");
        if let Some(last) = come.last() {
            store.delete_user(entra(52), *last).await.expect("deleted");
        }
    }
}

/// Who merges lists goes on behind any item of a page, not behind its last alone: each place leads to what stands behind it.
pub async fn each_place_leads_on(store: &dyn Store) {
    people(store).await;
    for (by, filter) in [
        (None, None),
        (Some(("userName", false)), None),
        (Some(("userName", true)), None),
        (Some(("id", true)), None),
        (Some(("meta.lastModified", true)), None),
        (Some(("title", false)), None),
        (Some(("title", true)), None),
        (None, Some("userName pr and active eq true")),
        (Some(("userName", true)), Some("title pr or active eq true")),
    ] {
        let filter = filter.and_then(|text| filtered(ResourceKind::User, text).filter);
        let by = by.map(|(by, descending)| sort(by, descending));
        let query = Query { filter, sort: by, count: 9, places: true, ..Query::default() };
        let page = list(store, &query).await;
        let ids: Vec<UserId> = page.items.iter().map(|user| user.id).collect();
        assert_eq!((ids.len(), page.places.len()), (5, 5));
        for (n, place) in page.places.iter().enumerate() {
            let text = cursor::write(&SOURCE, ResourceKind::User, &query, place);
            let after = Query { cursor: Some(Cursor::After(text)), ..query.clone() };
            let rest = list(store, &after).await;
            assert_eq!(rest.items.iter().map(|user| user.id).collect::<Vec<_>>(), ids[n + 1..], "{query:?}");
            assert_eq!(rest.places, page.places[n + 1..], "{query:?}");
        }
        assert!(list(store, &Query { places: false, ..query }).await.places.is_empty());
    }
}

/// A cursor is for its own list: another filter, order, kind or source is 400.
pub async fn a_cursor_opens_its_own_list_only(store: &dyn Store) {
    people(store).await;
    let query = Query { count: 2, cursor: Some(Cursor::First), ..Query::default() };
    let next = list(store, &query).await.next.expect("more");
    let after = Query { cursor: Some(Cursor::After(next.clone())), ..query };
    assert_eq!(names(store, &after).await, ["Bert", "emil"]);
    let other = |change: fn(&mut Query)| {
        let mut query = after.clone();
        change(&mut query);
        store.list_users(&SOURCE, query)
    };
    let filter = |q: &mut Query| q.filter = filtered(ResourceKind::User, "active eq true").filter;
    assert_eq!(status(other(filter).await), 400);
    assert_eq!(status(other(|q| q.sort = Some(sort("userName", false))).await), 400);
    assert_eq!(status(other(|q| q.cursor = Some(Cursor::After("x".into()))).await), 400);
    assert_eq!(status(store.list_users(&source("okta"), after.clone()).await), 400);
    assert_eq!(status(store.list_groups(&SOURCE, after.clone()).await), 400);
    assert!(other(|q| q.count = 3).await.is_ok(), "the size of pages may change");
    store.create_user(okta(1), user_body(json!({"userName": "x"}))).await.expect("written");
}

/// A cursor is no secret: whoever makes one whose place cannot be in the order is told so, and the database is not asked.
pub async fn a_place_that_cannot_be_is_refused(store: &dyn Store) {
    people(store).await;
    let keys = [
        PlaceKey::None,
        PlaceKey::Int(1),
        PlaceKey::Text("x".into()),
        PlaceKey::Text("x\0".into()),
        PlaceKey::Bytes(vec![1]),
    ];
    for (by, right) in [("meta.created", 1), ("meta.lastModified", 1), ("userName", 2), ("id", 4)] {
        let query = Query { sort: Some(sort(by, false)), ..Query::default() };
        for (n, key) in keys.iter().enumerate() {
            let place = Place { seq: i64::MAX, key: key.clone() };
            let text = cursor::write(&SOURCE, ResourceKind::User, &query, &place);
            let forged = Query { count: 2, cursor: Some(Cursor::After(text)), ..query.clone() };
            let listed = store.list_users(&SOURCE, forged).await;
            if n == right {
                assert!(listed.is_ok(), "{by} {key:?}");
            } else {
                assert_eq!(listed.expect_err("forged").to_scim().status, 400, "{by} {key:?}");
            }
        }
    }
}

static SOURCE: std::sync::LazyLock<axon_model::SourceId> = std::sync::LazyLock::new(|| source("entra"));

/// Groups sort by their name, and say so page by page.
pub async fn groups_are_sorted_and_paged(store: &dyn Store) {
    let kim = user(store, "kim").await;
    for name in ["delta", "Alpha", "charlie", "Bravo"] {
        group(store, name, &[kim]).await;
    }
    let by = Sort::parse("displayName", false, &REGISTRY, ResourceKind::Group).expect("an attribute");
    let mut query =
        Query { sort: Some(by), count: 3, cursor: Some(Cursor::First), links: true, ..Query::default() };
    let mut told = Vec::new();
    loop {
        let page = store.list_groups(&SOURCE, query.clone()).await.expect("listed");
        for group in &page.items {
            assert_eq!(group.members.as_ref().map(Vec::len), Some(1));
            told.push(group.resource.display_name().unwrap_or_default().to_owned());
        }
        let Some(next) = page.next else { break };
        query.cursor = Some(Cursor::After(next));
    }
    assert_eq!(told, ["Alpha", "Bravo", "charlie", "delta"]);
}
