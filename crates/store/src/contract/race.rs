//! Many at once.

use axon_scim::ResourceKind;
use serde_json::json;

use super::kit::{entra, group, members, patch, user, user_body};
use crate::{Store, WriteContext};

/// Polls all of them to the end, interleaved.
async fn all<T>(mut running: Vec<std::pin::Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in running.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// Sixteen writers add and remove on one group at once; every one's last word stands.
pub async fn many_writers_on_one_group_lose_nothing(store: &dyn Store) {
    let mut ids = Vec::new();
    for n in 0..64 {
        ids.push(user(store, &format!("u{n}")).await);
    }
    let sales = group(store, "Sales", &[]).await;
    let writers = ids
        .chunks(4)
        .map(|own| {
            let writer: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
                for id in own {
                    let add = json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
                    store.patch_group(entra(1), sales, patch(ResourceKind::Group, add)).await.expect("added");
                }
                let gone = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", own[0])}]);
                store.patch_group(entra(1), sales, patch(ResourceKind::Group, gone)).await.expect("removed");
            });
            writer
        })
        .collect();
    all(writers).await;
    let wanted: Vec<String> = ids.chunks(4).flat_map(|own| &own[1..]).map(ToString::to_string).collect();
    assert_eq!(members(store, sales).await, wanted);
    let counts = store.writer_counts();
    assert!(counts.groups < counts.writes, "waiting writes share a commit: {counts:?}");
}

/// Of many POSTs of one name, one makes a user and the others are told.
pub async fn one_of_many_equal_creates_wins(store: &dyn Store) {
    let creates = (0..32)
        .map(|n| {
            let create: std::pin::Pin<Box<dyn Future<Output = u16> + Send>> = Box::pin(async move {
                let name = if n % 2 == 0 { "kim" } else { "KIM" };
                match store.create_user(entra(1), user_body(json!({"userName": name}))).await {
                    Ok(_) => 201,
                    Err(error) => error.to_scim().status,
                }
            });
            create
        })
        .collect();
    let answers = all(creates).await;
    assert_eq!(answers.iter().filter(|s| **s == 201).count(), 1);
    assert_eq!(answers.iter().filter(|s| **s == 409).count(), 31);
}

/// `If-Match` is checked in the transaction of the write: of many that name one version, one is done.
pub async fn of_many_writes_of_one_version_one_is_done(store: &dyn Store) {
    let kim = user(store, "kim").await;
    for version in 1..=3 {
        let writes = (0..16)
            .map(|n| {
                let write: std::pin::Pin<Box<dyn Future<Output = u16> + Send>> = Box::pin(async move {
                    let context = WriteContext { if_match: Some(vec![version]), ..entra(1) };
                    let title =
                        json!([{"op": "replace", "path": "title", "value": format!("{version}-{n}")}]);
                    match store.patch_user(context, kim, patch(ResourceKind::User, title)).await {
                        Ok(_) => 200,
                        Err(error) => error.to_scim().status,
                    }
                });
                write
            })
            .collect();
        let mut answers = all(writes).await;
        answers.sort_unstable();
        assert_eq!((answers[0], &answers[1..]), (200, &[412; 15][..]), "of version {version}");
    }
}
