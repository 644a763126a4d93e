//! What the contract's tests share: contexts, bodies, and the checks that follow each of them.

use std::sync::{Arc, LazyLock};

use axon_audit::payload::DirectoryChange;
use axon_audit::{Chain, RecordKind, Verifier};
use axon_model::{Actor, Directory, GroupId, IdSource, RecordSeq, SourceId, UserId};
use axon_scim::{
    Filter, MemberRef, Parsed, PatchRequest, Profile, Registry, Resource, ResourceKind, parse_new,
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    Act, JournalEntry, Query, Store, StoredGroup, StoredUser, Unless, WriteContext, WriteError, Written,
};

/// The standard schemas.
pub static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(Registry::standard()));
static IDS: LazyLock<Arc<IdSource>> = LazyLock::new(|| Arc::new(IdSource::Random));

/// The instant of minute `n`.
pub fn minute(n: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::minutes(n)
}

/// An act of Axon at minute `n`.
pub fn act(n: i64) -> Act {
    Act {
        actor: Actor::Axon,
        request: Some("contract".parse().expect("a plain request id")),
        now: minute(n),
        ids: IDS.clone(),
    }
}

/// A source by name.
pub fn source(name: &str) -> SourceId {
    name.parse().expect("a plain source name")
}

/// A write of `entra` at minute `n`.
pub fn entra(n: i64) -> WriteContext {
    of(Profile::entra(), "entra", n)
}

/// A write of `okta` at minute `n`.
pub fn okta(n: i64) -> WriteContext {
    of(Profile::okta(), "okta", n)
}

/// A write of a source at minute `n`.
pub fn of(profile: Profile, name: &str, n: i64) -> WriteContext {
    let source = source(name);
    let act = Act { actor: Actor::Source { source: source.clone() }, ..act(n) };
    WriteContext { source, profile, registry: REGISTRY.clone(), act, if_match: None, unless: Unless::Never }
}

/// A POST body, read.
pub fn parsed(kind: ResourceKind, body: Value) -> Parsed {
    parse_new(&REGISTRY, kind, body, &Profile::entra()).expect("a good body")
}

/// A user's body, read.
pub fn user_body(body: Value) -> Resource {
    parsed(ResourceKind::User, body).resource
}

/// A group's body, read.
pub fn group_body(body: Value) -> Resource {
    parsed(ResourceKind::Group, body).resource
}

/// A PATCH of operations, read.
#[expect(clippy::needless_pass_by_value, reason = "the tests write their operations at the call")]
pub fn patch(kind: ResourceKind, operations: Value) -> PatchRequest {
    let body =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    PatchRequest::parse(body, &REGISTRY, kind, &Profile::entra()).expect("a good PATCH")
}

/// A list by a filter.
pub fn filtered(kind: ResourceKind, filter: &str) -> Query {
    Query::all(Some(Filter::parse(filter, &REGISTRY, kind, &Profile::entra()).expect("a good filter")))
}

/// A new user of `entra`.
pub async fn user(store: &dyn Store, name: &str) -> UserId {
    let body = user_body(json!({"userName": name}));
    store.create_user(entra(0), body).await.expect("a free name").stored.id
}

/// A new group of `entra` with these members.
pub async fn group(store: &dyn Store, name: &str, members: &[UserId]) -> GroupId {
    let body = group_body(json!({"displayName": name}));
    let members = members.iter().map(|id| MemberRef::new(id.to_string())).collect();
    store.create_group(entra(0), body, members).await.expect("a group").stored.id
}

/// A PATCH of a user of `entra` at minute `n`.
pub async fn patch_user(
    store: &dyn Store,
    id: UserId,
    n: i64,
    operations: Value,
) -> Result<Written<StoredUser>, WriteError> {
    store.patch_user(entra(n), id, patch(ResourceKind::User, operations)).await
}

/// A PATCH of a group of `entra` at minute `n`.
pub async fn patch_group(
    store: &dyn Store,
    id: GroupId,
    n: i64,
    operations: Value,
) -> Result<Written<StoredGroup>, WriteError> {
    store.patch_group(entra(n), id, patch(ResourceKind::Group, operations)).await
}

/// The members of a group of `entra`, by id.
pub async fn members(store: &dyn Store, id: GroupId) -> Vec<String> {
    let group = store.group(&source("entra"), id, true).await.expect("a read").expect("the group");
    let members = group.members.expect("members were asked for");
    assert_eq!(members.len() as u64, group.member_count, "the count follows the rows");
    members.iter().map(crate::Member::id).collect()
}

/// The status that a write was refused with.
pub fn status<T: std::fmt::Debug>(result: Result<T, WriteError>) -> u16 {
    result.expect_err("a refusal").to_scim().status
}

/// The whole journal.
pub async fn journal(store: &dyn Store) -> Vec<JournalEntry> {
    let mut all: Vec<JournalEntry> = Vec::new();
    loop {
        let next = all.last().map_or(RecordSeq(1), |e| e.record.seq.next());
        let piece = store.records(next, 100).await.expect("a read");
        if piece.is_empty() {
            return all;
        }
        all.extend(piece);
    }
}

/// Proves the journal, and that its records rebuild the directory that is loaded. Leaves the rebuilding out where a clear
/// part was erased.
pub async fn check_whole(store: &dyn Store) {
    let journal = journal(store).await;
    let mut verifier = Verifier::after(Chain::EMPTY);
    let mut rebuilt = Directory::default();
    let mut erased = false;
    for entry in &journal {
        verifier.take(&entry.record, entry.clear.as_ref()).expect("the chain holds");
        if entry.record.kind == RecordKind::DirectoryChange {
            match DirectoryChange::deltas_of(&entry.record, entry.clear.as_ref()) {
                Ok(deltas) => deltas.iter().for_each(|delta| rebuilt.apply(delta, entry.record.seq)),
                Err(_) => erased = true,
            }
        }
        rebuilt.advance(entry.record.seq);
    }
    let head = store.head().await.expect("a read");
    verifier.finish(Some(head)).expect("the journal ends at its head");
    let loaded = store.load_directory().await.expect("a read");
    assert_eq!(loaded.position(), head.seq);
    if !erased {
        assert!(
            same(&loaded, &rebuilt),
            "the records do not rebuild the directory: {loaded:#?} {rebuilt:#?}"
        );
    }
}

/// Whether two directories hold the same, down to the record that brought each entry and membership.
fn same(a: &Directory, b: &Directory) -> bool {
    let users = |d: &Directory| d.users().map(|u| (u.clone(), d.user_changed(u.id))).collect::<Vec<_>>();
    let groups = |d: &Directory| {
        d.groups()
            .map(|g| (g.clone(), d.group_changed(g.id), d.members(g.id).collect::<Vec<_>>()))
            .collect::<Vec<_>>()
    };
    users(a) == users(b) && groups(a) == groups(b)
}
