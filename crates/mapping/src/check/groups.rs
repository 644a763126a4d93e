//! Groups: names that nobody knows or several hold, patterns that fit nothing or everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_model::{Directory, SourceId};
use axon_scim::compare::fold;

use super::{Findings, Lint};
use crate::identity::GroupDoubt;
use crate::map::RoleMap;
use crate::map_test::Subject;
use crate::nearest::nearest;
use crate::pending::Pending;
use crate::place::Place;
use crate::rule::{Gives, GroupName, Mapping, Who};
use crate::selection::{RowFound, Selection};

/// Names that no two schemes of naming share: a pattern that fits all of them fits anything.
const PROBES: [&str; 5] = ["a", "Z9 all staff", "syn-sales-reader", "_0", "Ünïcode, Ltd."];

/// Patterns that fit any name, as can be seen without a directory.
pub(super) fn patterns(map: &RoleMap, findings: &mut Findings) {
    for mapping in &map.mappings {
        let Who::Groups { groups, .. } = &mapping.who else { continue };
        let Some(pattern) = &groups.matching else { continue };
        if PROBES.iter().all(|name| pattern.captures(name).is_some()) {
            let shown = axon_model::name::shown(pattern.as_str());
            findings.add(Lint::MatchEverything, &mapping.place, format!("{shown} fits any group"), None);
        }
    }
}

/// Groups of tests that no mapping of their source could know.
pub(super) fn of_tests(map: &RoleMap, findings: &mut Findings) {
    for test in &map.tests {
        let Subject::Person { groups, source, .. } = &test.who else { continue };
        let of_source = || {
            map.mappings.iter().filter_map(|mapping| match &mapping.who {
                Who::Groups { groups, source: of } if of == source => Some(groups),
                Who::Groups { .. } | Who::Service(_) => None,
            })
        };
        let named =
            || of_source().flat_map(|groups| groups.any.iter().chain(&groups.all).chain(&groups.none));
        for name in groups {
            let fits = |text: &str| {
                of_source().any(|g| g.matching.as_ref().is_some_and(|p| p.captures(text).is_some()))
            };
            let known = named().any(|other| other.key() == name.key())
                || matches!(name, GroupName::Display(text) if fits(text));
            if known {
                continue;
            }
            let texts = named().filter_map(|name| match name {
                GroupName::Display(text) => Some(text.as_str()),
                GroupName::External(_) => None,
            });
            let near = match name {
                GroupName::Display(text) => nearest(text, texts),
                GroupName::External(_) => None,
            };
            let help = near.map(|near| format!("did you mean {}?", axon_model::name::shown(near)));
            let message = format!("no mapping of source {source} is about group {name}");
            findings.add(Lint::TestOfUnknownGroup, &test.place, message, help);
        }
    }
}

/// What is known of the groups of a source.
struct Known<'d> {
    names: Vec<&'d str>,
    folded: BTreeSet<String>,
    external: BTreeSet<&'d str>,
}

/// All that a directory shows.
pub(super) fn all(map: &RoleMap, selection: &Selection, directory: &Directory, findings: &mut Findings) {
    let mut sources: BTreeMap<&SourceId, Known<'_>> = BTreeMap::new();
    for group in directory.groups() {
        let known = sources.entry(&group.source).or_insert_with(|| Known {
            names: Vec::new(),
            folded: BTreeSet::new(),
            external: BTreeSet::new(),
        });
        known.names.push(&group.display_name);
        known.folded.insert(fold(&group.display_name));
        known.external.extend(group.external_id.as_deref());
    }
    let mut ambiguous: HashMap<usize, Vec<&GroupName>> = HashMap::new();
    for problem in &selection.ambiguous {
        ambiguous.entry(problem.mapping).or_default().push(&problem.name);
    }
    for row in &selection.rows {
        of_rows(row, &sources, findings);
    }
    for (number, mapping) in map.mappings.iter().enumerate() {
        let several = ambiguous.get(&number).map_or(&[][..], Vec::as_slice);
        of_mapping(mapping, number, selection, directory, &sources, several, findings);
    }
}

/// A group that a view names: unknown, it lets nobody see more, and whoever makes it later does.
fn of_rows(row: &RowFound, sources: &BTreeMap<&SourceId, Known<'_>>, findings: &mut Findings) {
    let (source, name) = (&row.source, &row.name);
    let Some(known) = sources.get(source) else {
        no_groups_yet(source, &row.place, sources, findings);
        return;
    };
    if !row.several.is_empty() {
        let message = format!("several groups of {source} are named {name}: none of them counts");
        findings.add(Lint::AmbiguousGroup, &row.place, message, None);
    } else if !known.folded.contains(&name.key()) {
        unknown_group(source, name, known, &row.place, findings);
    }
}

fn no_groups_yet(
    source: &SourceId,
    place: &Place,
    sources: &BTreeMap<&SourceId, Known<'_>>,
    findings: &mut Findings,
) {
    let near = nearest(source.as_str(), sources.keys().map(|s| s.as_str()));
    let help = near.map(|near| format!("did you mean {near}?"));
    findings.add(Lint::NoGroupsYet, place, format!("source {source} has pushed no group yet"), help);
}

fn unknown_group(
    source: &SourceId,
    name: &GroupName,
    known: &Known<'_>,
    place: &Place,
    findings: &mut Findings,
) {
    let near = match name {
        GroupName::Display(text) => nearest(text, known.names.iter().copied()),
        GroupName::External(_) => None,
    };
    let help = near.map(|near| format!("did you mean {}?", axon_model::name::shown(near)));
    findings.add(Lint::UnknownGroup, place, format!("source {source} knows no group {name}"), help);
}

fn of_mapping(
    mapping: &Mapping,
    number: usize,
    selection: &Selection,
    directory: &Directory,
    sources: &BTreeMap<&SourceId, Known<'_>>,
    ambiguous: &[&GroupName],
    findings: &mut Findings,
) {
    let Who::Groups { groups, source } = &mapping.who else { return };
    let Some(known) = sources.get(source) else {
        no_groups_yet(source, &mapping.place, sources, findings);
        return;
    };
    let found = &selection.found[number];
    for name in groups.any.iter().chain(&groups.all).chain(&groups.none) {
        let is_known = match name {
            GroupName::Display(_) => known.folded.contains(&name.key()),
            GroupName::External(id) => known.external.contains(id.as_str()),
        };
        if ambiguous.contains(&name) {
            let message = format!("several groups of {source} are named {name}: none of them counts");
            findings.add(Lint::AmbiguousGroup, &mapping.place, message, None);
        } else if !is_known {
            unknown_group(source, name, known, &mapping.place, findings);
        }
    }
    let Some(pattern) = &groups.matching else { return };
    let shown = axon_model::name::shown(pattern.as_str());
    // Not by those that are found: a group may fit and wait to be released.
    if !known.names.iter().any(|name| pattern.captures(name).is_some()) {
        let message = format!("no group of {source} fits {shown}");
        findings.add(Lint::MatchNothing, &mapping.place, message, None);
    } else if known.names.len() > 2 && known.names.iter().all(|name| pattern.captures(name).is_some()) {
        let message = format!("every group of {source} fits {shown}");
        findings.add(Lint::MatchEverything, &mapping.place, message, None);
    }
    if let Gives::Captured { .. } = &mapping.gives {
        let open = found.open.iter().filter(|(_, role)| role.is_none());
        for group in open.filter_map(|(id, _)| directory.group(*id)) {
            let name = axon_model::name::shown(&group.display_name);
            let message = format!("group {name} fits, but names no role that `only` allows");
            findings.add(Lint::CaptureNamesNothing, &mapping.place, message, None);
        }
    }
}

/// What keeps mappings, and lines of views, from knowing their groups.
pub(crate) fn group_problems(map: &RoleMap, selection: &Selection) -> Vec<Pending> {
    let mut pending = Vec::new();
    for problem in &selection.ambiguous {
        pending.push(Pending::GroupAmbiguous {
            mapping: map.mappings[problem.mapping].place.clone(),
            name: problem.name.to_string(),
            groups: problem.groups.clone(),
        });
    }
    // Several without a pin are told above.
    for (number, held) in selection.held.iter().filter(|(_, held)| held.doubt != GroupDoubt::Several) {
        pending.push(Pending::GroupHeld {
            mapping: map.mappings[*number].place.clone(),
            source: held.name.source.clone(),
            name: held.name.name.clone(),
            group: held.group,
            doubt: held.doubt,
        });
    }
    for row in &selection.rows {
        if !row.several.is_empty() {
            pending.push(Pending::GroupAmbiguous {
                mapping: row.place.clone(),
                name: row.name.to_string(),
                groups: row.several.clone(),
            });
        }
        for held in row.held.iter().filter(|held| held.doubt != GroupDoubt::Several) {
            pending.push(Pending::GroupHeld {
                mapping: row.place.clone(),
                source: held.name.source.clone(),
                name: held.name.name.clone(),
                group: held.group,
                doubt: held.doubt,
            });
        }
    }
    for (mapping, found) in map.mappings.iter().zip(&selection.found) {
        let Who::Groups { groups, .. } = &mapping.who else { continue };
        for (name, _) in groups.none.iter().zip(&found.none).filter(|(_, found)| found.is_none()) {
            pending
                .push(Pending::ExclusionUnknown { mapping: mapping.place.clone(), name: name.to_string() });
        }
    }
    pending
}
