//! What things cost, in statements: the price does not grow with the size of what is not touched.

use axon_model::UserId;
use axon_scim::{MemberRef, ResourceKind};
use serde_json::{Value, json};

use super::kit::{entra, filtered, group, group_body, patch_group, patch_user, source, user, user_body};
use crate::{Query, StatementCounts, Store};

/// What an act sends: statements in all, and those that name the table of memberships.
async fn price<T>(store: &dyn Store, act: impl Future<Output = T>) -> (StatementCounts, T) {
    let before = store.statement_counts();
    let done = act.await;
    let after = store.statement_counts();
    let all = after.all - before.all;
    (StatementCounts { all, members: after.members - before.members }, done)
}

/// Begin, head, the row with its addresses and who waits for it, record, clear part, commit.
pub async fn a_create_is_a_few_statements(store: &dyn Store) {
    let body = |n: u64| user_body(json!({"userName": format!("u{n}"), "emails": [{"value": "a@b.c"}]}));
    store.create_user(entra(1), body(0)).await.expect("written");
    let (price, _) = price(store, store.create_user(entra(1), body(1))).await;
    assert!(price.all <= 7 && price.members == 0, "{price:?}");
}

/// `excludedAttributes=members`: no read of a group or of a list of groups looks at the table of memberships.
pub async fn without_members_their_table_is_not_read(store: &dyn Store) {
    let kim = user(store, "kim").await;
    let sales = group(store, "Sales", &[kim]).await;
    let entra = source("entra");
    let (one, found) = price(store, store.group(&entra, sales, false)).await;
    assert_eq!(found.expect("read").expect("there").member_count, 1);
    let bare = Query { count: 10, ..Query::default() };
    let (list, page) = price(store, store.list_groups(&entra, bare)).await;
    assert_eq!(page.expect("listed").items[0].members, None);
    let by_name = Query { links: false, ..filtered(ResourceKind::Group, "displayName eq \"Sales\"") };
    let (named, _) = price(store, store.list_groups(&entra, by_name)).await;
    let odd = Query { links: false, ..filtered(ResourceKind::Group, "displayName sw \"Sal\"") };
    let (evaluated, _) = price(store, store.list_groups(&entra, odd)).await;
    assert_eq!([one, list, named, evaluated].map(|price| price.members), [0; 4]);
    let (with, _) = price(store, store.group(&entra, sales, true)).await;
    assert_eq!(with.members, 1, "the count would tell");
}

/// A list of groups with their members asks for all of them at once.
pub async fn a_list_of_groups_is_no_statement_for_each(store: &dyn Store) {
    let kim = user(store, "kim").await;
    for n in 0..30 {
        group(store, &format!("g{n}"), &[kim]).await;
    }
    let (price, page) = price(store, store.list_groups(&source("entra"), Query::all(None))).await;
    let page = page.expect("listed");
    assert!(page.items.iter().all(|g| g.members.as_ref().is_some_and(|m| m.len() == 1)));
    assert!(price.all <= 4 && price.members == 1, "{price:?}");
}

/// A PATCH and a PUT with a thousand members are as many statements as with ten.
pub async fn a_thousand_members_are_a_few_statements(store: &dyn Store) {
    let mut all: Vec<UserId> = Vec::new();
    for n in 0..1_000 {
        all.push(user(store, &format!("u{n}")).await);
    }
    let (small, large) = (group(store, "Small", &[]).await, group(store, "Large", &[]).await);
    let add = |ids: &[UserId]| {
        let list: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
        json!([{"op": "add", "path": "members", "value": list}])
    };
    let (ten, written) = price(store, patch_group(store, small, 1, add(&all[..10]))).await;
    assert_eq!(written.expect("patched").stored.member_count, 10);
    let (thousand, written) = price(store, patch_group(store, large, 1, add(&all))).await;
    assert_eq!(written.expect("patched").stored.member_count, 1_000);
    assert_eq!(ten, thousand);
    assert!(ten.all <= 10, "{ten:?}");

    let put = |ids: &[UserId]| {
        let members = ids.iter().map(|id| MemberRef::new(id.to_string())).collect();
        store.replace_group(entra(2), large, group_body(json!({"displayName": "Large"})), Some(members))
    };
    let (price, written) = price(store, put(&all[1..])).await;
    assert_eq!(written.expect("put").stored.member_count, 999);
    assert!(price.all <= 12, "{price:?}");
    let last = super::kit::journal(store).await.pop().expect("a record");
    let deltas = axon_audit::payload::DirectoryChange::deltas_of(&last.record, last.clear.as_ref());
    assert_eq!(deltas.expect("its shape").len(), 1, "a PUT writes what differs");
}

/// One member of a group is one row, whatever the size of the group.
pub async fn one_member_costs_the_same_in_any_group(store: &dyn Store) {
    let mut all: Vec<UserId> = Vec::new();
    for n in 0..600 {
        all.push(user(store, &format!("u{n}")).await);
    }
    let (small, large) = (group(store, "Small", &all[..1]).await, group(store, "Large", &all[..599]).await);
    let one = json!([{"op": "add", "path": "members", "value": [{"value": all[599]}]}]);
    let (in_small, _) = price(store, patch_group(store, small, 1, one.clone())).await;
    let (in_large, _) = price(store, patch_group(store, large, 1, one)).await;
    assert_eq!(in_small, in_large);
}

/// The members of a large group come piece by piece, all as they were when the first came.
pub async fn members_come_piece_by_piece(store: &dyn Store) {
    let mut all: Vec<UserId> = Vec::new();
    for n in 0..2_300 {
        all.push(user(store, &format!("u{n}")).await);
    }
    let sales = group(store, "Sales", &all).await;
    let inner = group(store, "Inner", &[]).await;
    let nest = json!([{"op": "add", "path": "members", "value": [{"value": inner}]}]);
    patch_group(store, sales, 1, nest).await.expect("patched");
    let (head, mut reader) =
        store.group_members(&source("entra"), sales).await.expect("read").expect("there");
    assert_eq!((head.member_count, head.members), (2_301, None));
    let (mut seen, mut largest) = (Vec::new(), 0);
    loop {
        let piece = reader.next().await.expect("read");
        if piece.is_empty() {
            break;
        }
        if seen.is_empty() {
            store.delete_user(entra(2), all[2_000]).await.expect("deleted meanwhile");
            let rename = json!([{"op": "replace", "path": "displayName", "value": "New"}]);
            patch_user(store, all[2_100], 2, rename).await.expect("patched meanwhile");
        }
        largest = largest.max(piece.len());
        seen.extend(piece);
    }
    assert!(largest <= 1_000, "{largest}");
    let mut wanted: Vec<String> = all.iter().map(ToString::to_string).collect();
    wanted.push(inner.to_string());
    assert_eq!(seen.iter().map(crate::Member::id).collect::<Vec<_>>(), wanted);
    assert_eq!(&*seen[2_100].display, "u2100", "as it was at the first piece");
    assert!(reader.next().await.expect("read").is_empty(), "and it stays at its end");
    let none = store.group_members(&source("okta"), sales).await.expect("read");
    assert!(none.is_none());
}
