//! Removals that only the identity provider knows, as holds: one for a group's members, one for a person, one for a group.

use std::collections::{BTreeMap, BTreeSet};

use axon_azure::parity::{Removal, Subject};
use axon_model::name::shown;
use axon_model::{Directory, RecordSeq, SourceId};
use axon_store::{Act, Hold, HoldEnd, HoldKind, HoldState, HoldTerms, NewHold, Store, StoreError};
use sha2::{Digest as _, Sha256};
use time::Duration;

use super::Kept;
use super::kept::Known;

/// The most holds that one look opens.
const MOST: usize = 200;

/// Removals that wait together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Together {
    Members(axon_model::GroupId),
    Person(axon_model::UserId),
    Group(axon_model::GroupId),
}

/// The holds of a source that what is kept asks for, by their keys.
pub(super) fn wanted(
    source: &SourceId,
    kept: &Kept,
    directory: &Directory,
    (grace, hold_for): (Duration, Option<Duration>),
    act: &Act,
) -> BTreeMap<String, NewHold> {
    let mut together: BTreeMap<Together, Vec<&Known>> = BTreeMap::new();
    for (removal, known) in kept.ripe_removals(grace) {
        let place = match removal {
            Removal::Member { group, .. } => Together::Members(group),
            Removal::Person(id) => Together::Person(id),
            Removal::Group(id) => Together::Group(id),
        };
        together.entry(place).or_default().push(known);
    }
    let group_name =
        |id| directory.group(id).map_or_else(|| "(gone)".to_owned(), |group| shown(&group.display_name));
    let holds = together.into_iter().map(|(place, all)| {
        let what = match place {
            Together::Members(group) => {
                let had = directory.members(group).count();
                format!(
                    "{} of {had} members of group {} of source {source} leave",
                    all.len(),
                    group_name(group)
                )
            }
            Together::Person(id) => {
                let name = directory.user(id).map_or_else(|| id.to_string(), |user| shown(&user.user_name));
                format!("{name} of source {source} becomes inactive")
            }
            Together::Group(id) => {
                let had = directory.members(id).count();
                format!("group {} of source {source}, with {had} members, goes", group_name(id))
            }
        };
        let first = all.first().map(|known| &known.difference);
        let why = first.map_or_else(String::new, |difference| {
            format!("{}; likely lost: {}", difference.what, difference.lost)
        });
        let parts: Vec<String> = all.iter().map(|known| part(known)).collect();
        let key = format!("{} {source} {}", HoldKind::Parity.as_str(), digest(&all));
        let hold = NewHold {
            kind: HoldKind::Parity,
            key: key.clone(),
            source: Some(source.clone()),
            target: None,
            what,
            why: format!("only the identity provider knows of it: {why}"),
            binds: None,
            expires: hold_for.map(|wait| act.now + wait),
            terms: HoldTerms { parts, ..HoldTerms::default() },
        };
        (key, hold)
    });
    holds.take(MOST).collect()
}

/// One removal as a line of its hold: the key first, by which it is found again.
fn part(known: &Known) -> String {
    format!("{}: {}", known.difference.key, known.difference.what)
}

/// The key of a line.
pub(super) fn key_of(part: &str) -> &str {
    part.split(": ").next().unwrap_or(part)
}

/// What tells one set of removals from others.
fn digest(all: &[&Known]) -> String {
    let mut hash = Sha256::new();
    for known in all {
        hash.update(known.difference.key.as_bytes());
        hash.update([0]);
    }
    let bytes = hash.finalize();
    bytes.iter().take(12).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The parity holds of a source in one of these states.
pub(super) async fn held(
    store: &dyn Store,
    source: &SourceId,
    states: &[HoldState],
) -> Result<Vec<Hold>, StoreError> {
    let mut holds = store.holds(RecordSeq(0)).await?;
    holds.retain(|hold| {
        hold.held.kind == HoldKind::Parity
            && hold.held.source.as_ref() == Some(source)
            && states.contains(&hold.state)
    });
    Ok(holds)
}

/// Opens what waits anew, and ends what is no more. What was not read at this look stays as it is.
pub(super) async fn settle(
    store: &dyn Store,
    source: &SourceId,
    wanted: BTreeMap<String, NewHold>,
    kept: &Kept,
    act: &Act,
) -> Result<(), StoreError> {
    let standing = [HoldState::Open, HoldState::Rejected, HoldState::Expired];
    let holds = held(store, source, &standing).await?;
    for hold in &holds {
        if wanted.contains_key(&hold.held.key) {
            continue;
        }
        // A rejected removal that is still there stays rejected; one that is over is over.
        let parts = store.hold_parts(hold.id).await?;
        let still = |part: &String| kept.found.contains_key(key_of(part));
        if hold.state == HoldState::Open || !parts.iter().any(still) {
            let words = "both sides agree again, or others have come to it".to_owned();
            store.end_hold(hold.id, HoldEnd::Lapse, words, act.clone()).await?;
        }
    }
    // One that was released and not carried out yet still stands for its removals.
    let released = held(store, source, &[HoldState::Released]).await?;
    let known: BTreeSet<&str> = holds.iter().chain(&released).map(|hold| hold.held.key.as_str()).collect();
    let fresh: Vec<NewHold> =
        wanted.into_values().filter(|hold| !known.contains(hold.key.as_str())).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    for hold in store.open_holds(fresh, act.clone()).await? {
        tracing::warn!(hold.id = %hold.id, source = %source, "a removal that only the identity provider knows waits for a person");
        metrics::counter!("axon_holds_opened_total", "kind" => HoldKind::Parity.as_str()).increment(1);
    }
    Ok(())
}

/// Whom released holds are about, so that they are read again before anything is done.
pub(super) async fn released(
    store: &dyn Store,
    source: &SourceId,
    kept: &Kept,
) -> Result<(Vec<(Hold, Vec<String>)>, BTreeSet<Subject>), StoreError> {
    let (mut all, mut about) = (Vec::new(), BTreeSet::new());
    for hold in held(store, source, &[HoldState::Released]).await? {
        let parts = store.hold_parts(hold.id).await?;
        let known = parts.iter().filter_map(|part| kept.found.get(key_of(part)));
        about.extend(known.map(|known| known.difference.subject));
        all.push((hold, parts));
    }
    Ok((all, about))
}
