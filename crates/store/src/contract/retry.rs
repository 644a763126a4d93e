//! Writes that are sent again because their answer was lost.

use serde_json::json;

use super::kit::{entra, group_body, journal, okta, status, user_body};
use crate::Store;

/// A user is told by its name; a group by its name, or by its `externalId` where several may have one name.
pub async fn a_post_that_is_sent_again_makes_nothing(store: &dyn Store) {
    let kim = || user_body(json!({"userName": "kim@acme.com", "externalId": "7"}));
    store.create_user(entra(1), kim()).await.expect("made");
    assert_eq!(status(store.create_user(entra(2), kim()).await), 409);
    let group = |external_id: &str| group_body(json!({"displayName": "Sales", "externalId": external_id}));
    let no_members: Vec<axon_scim::MemberRef> = Vec::new();
    store.create_group(entra(3), group("g1"), no_members.clone()).await.expect("made");
    let records = journal(store).await.len();
    assert_eq!(status(store.create_group(entra(4), group("g1"), no_members.clone()).await), 409);
    assert_eq!(journal(store).await.len(), records, "nothing is written");
    store.create_group(entra(5), group("g2"), no_members.clone()).await.expect("another group of that name");
    store
        .create_group(okta(6), group("g1"), no_members.clone())
        .await
        .expect("another source's ids are its own");
    assert_eq!(
        status(store.create_group(okta(7), group("g3"), no_members).await),
        409,
        "its names are unique"
    );
    let counts = store.counts().await.expect("counted");
    let made: Vec<_> = counts.iter().map(|c| (c.source.as_str(), c.users, c.groups)).collect();
    assert_eq!(made, [("entra", 1, 2), ("okta", 0, 1)]);
}
