//! What a new map's text widens or narrows besides what shows in somebody's row today: where a target is, what a view reads, which
//! tokens are a service's, how long a mapping holds, what guards withhold.
//!
//! Every difference of the two texts is judged. One that cannot be judged counts as a widening: a reviewer should look.

mod allows;
mod judge;
mod mapping;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use self::judge::Judge;
use super::{Both, TargetPreview};
use crate::diff::{Difference, IN_OLD, Said, diff};
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::place::Place;

/// What a change of the text does to what somebody may come to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It may be more, or it cannot be told.
    Widened,
    /// It is less.
    Narrowed,
    /// Neither.
    Same,
}

/// One thing that two maps say differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextChange {
    /// What it belongs to, such as `target dw`.
    pub of: String,
    /// What the old map says; none where it says nothing of the kind.
    pub before: Option<String>,
    /// What the new map says.
    pub after: Option<String>,
    /// Where it stands: in the new map, or in the old one if only that says it.
    pub place: Option<Place>,
    /// What it does.
    pub reach: Reach,
}

impl fmt::Display for TextChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, before, after, place, reach: _ } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "{of}: {before} -> {after}")?,
            (Some(before), None) => write!(f, "{of}: no longer: {before}")?,
            (None, after) => write!(f, "{of}: new: {}", after.as_deref().unwrap_or_default())?,
        }
        let of = if after.is_none() { IN_OLD } else { "" };
        place.as_ref().map_or(Ok(()), |place| write!(f, "  ({of}{place})"))
    }
}

/// The most lines of a thing that only one map has which are told.
const MOST_LINES: usize = 8;

/// What the text changes besides what the rows of people tell, widenings first.
pub(super) fn besides(
    old: Option<&Arc<RoleMap>>,
    new: &RoleMap,
    sides: &BTreeMap<TargetName, Both>,
    targets: &[TargetPreview],
) -> Vec<TextChange> {
    let Some(old) = old else {
        let after = "there was no role map before: all that it says is new".to_owned();
        let first = TextChange {
            of: "map".to_owned(),
            before: None,
            after: Some(after),
            place: None,
            reach: Reach::Widened,
        };
        return vec![first];
    };
    if old.version() == new.version() {
        return Vec::new();
    }
    let judge = Judge::new(old, new, sides, targets);
    let mut changes: Vec<TextChange> =
        paired(diff(old, new), &judge).into_iter().filter_map(|change| change.told(&judge)).collect();
    changes.sort_by_key(|change| change.reach);
    changes
}

/// What only the old map says, and what only the new one says, of one thing.
#[derive(Default)]
struct Pair {
    of: String,
    before: Vec<Difference>,
    after: Vec<Difference>,
}

/// Differences put together: a thing that only one map has is one, and what is said otherwise is one where that is clear.
fn paired(differences: Vec<Difference>, judge: &Judge<'_>) -> Vec<Pair> {
    let mut by_key: BTreeMap<(String, String), Pair> = BTreeMap::new();
    for difference in differences {
        let key = if judge.only_one_has(&difference.of) {
            String::new()
        } else {
            judge::subject(&difference.of, &difference.what)
        };
        let pair = by_key.entry((difference.of.clone(), key)).or_default();
        pair.of.clone_from(&difference.of);
        match difference.said {
            Said::Removed => pair.before.push(difference),
            Said::Added => pair.after.push(difference),
        }
    }
    let mut pairs = Vec::new();
    for pair in by_key.into_values() {
        let clear = pair.before.len() <= 1 && pair.after.len() <= 1;
        if clear || judge.only_one_has(&pair.of) {
            pairs.push(pair);
            continue;
        }
        let Pair { of, before, after } = pair;
        pairs.extend(before.into_iter().map(|one| Pair {
            of: of.clone(),
            before: vec![one],
            after: Vec::new(),
        }));
        pairs.extend(after.into_iter().map(|one| Pair {
            of: of.clone(),
            before: Vec::new(),
            after: vec![one],
        }));
    }
    pairs
}

impl Pair {
    /// What it comes to; none if rows of people tell it already.
    fn told(self, judge: &Judge<'_>) -> Option<TextChange> {
        let Self { of, before, after } = self;
        let reach = if let ([was], [is]) = (before.as_slice(), after.as_slice()) {
            judge.changed(&of, &was.what, &is.what)
        } else {
            let removed = before.iter().map(|one| judge.removed(&of, &one.what));
            let added = after.iter().map(|one| judge.added(&of, &one.what));
            removed.chain(added).min().unwrap_or(Reach::Widened)
        };
        let wider = |one: &&Difference| judge.added(&of, &one.what) == Reach::Widened;
        if reach == Reach::Widened
            && before.is_empty()
            && after.iter().filter(wider).all(|one| judge.shown(&of, &one.what))
        {
            return None;
        }
        let place = after.iter().chain(&before).find_map(|one| one.place.clone());
        Some(TextChange { of, before: words(&before), after: words(&after), place, reach })
    }
}

fn words(said: &[Difference]) -> Option<String> {
    let all: BTreeSet<&str> = said.iter().map(|one| one.what.as_str()).collect();
    if all.is_empty() {
        return None;
    }
    let told: Vec<&str> = all.iter().take(MOST_LINES).copied().collect();
    let more =
        if all.len() > told.len() { format!("; and {} more", all.len() - told.len()) } else { String::new() };
    Some(format!("{}{more}", told.join("; ")))
}
