//! Views that show one another in a circle: a pool would make none of them, and each alone would name the other as what to mend.

use std::collections::{BTreeMap, BTreeSet};

use axon_reconcile::ObjectName;

use super::SecureView;
use crate::diagnostic::Fault;
use crate::read::Reader;
use crate::yaml::{Node, Scalar};

/// Refuses each circle once, at the view of it that stands first.
pub(crate) fn check(reader: &Reader<'_>, section: &[(&Scalar, &Node)], views: &[SecureView]) {
    // A pattern shows tables, and no views.
    let mut shows: BTreeMap<ObjectName, &SecureView> = BTreeMap::new();
    for view in views.iter().filter(|view| view.pattern.is_none()) {
        // Of two with one name the second is refused by that.
        shows.entry(view.name).or_insert(view);
    }
    let mut told: BTreeSet<ObjectName> = BTreeSet::new();
    for view in views.iter().filter(|view| view.pattern.is_none()) {
        let Some(round) = round(view, &shows).filter(|round| !told.contains(&round[0])) else { continue };
        told.extend(&round);
        let names: Vec<String> = round.iter().chain([&view.name]).map(ToString::to_string).collect();
        let is_it = |text: &str| super::name_of(text) == Some(view.name);
        let Some((name, _)) = section.iter().find(|(name, _)| is_it(&name.text)) else { continue };
        let message = format!("views show one another in a circle: {}", names.join(" -> "));
        reader.fault_help(Fault::Invalid, name.span, message, "name a table under `from`");
    }
}

/// The views from one back to itself, each shown by the one before. A view that shows itself is refused where it is read.
fn round(first: &SecureView, shows: &BTreeMap<ObjectName, &SecureView>) -> Option<Vec<ObjectName>> {
    let mut round = vec![first.name];
    let mut last = first;
    // Views of different pools do not meet.
    let mut within: Vec<_> = first.targets.iter().collect();
    loop {
        let next = *shows.get(&last.from)?;
        within.retain(|target| next.targets.contains(target));
        if within.is_empty() {
            return None;
        }
        if next.name == first.name {
            return (round.len() > 1).then_some(round);
        }
        // A circle further on is told of its own views.
        if round.contains(&next.name) {
            return None;
        }
        round.push(next.name);
        last = next;
    }
}
