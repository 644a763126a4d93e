//! Who reads views, and the steps that bring people's profiles from what they are to what they ought to be.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use super::{Delimiters, ProfileRow, SecureStep};
use crate::graph::{Grant, GrantKey, GrantState, Graph, PrincipalKind};
use crate::permission::Permission;
use crate::shape::{ObjectName, Securable};

/// Under which attribute a whole profile stands that is one string.
pub const LINE: &str = "@line";
/// From so many people on, rows are written for many at once.
const MANY: usize = 50;
/// Rows of one step for many people, which is sent and read back before anything that overtakes it goes on.
const ROWS: usize = 10_000;
/// Bytes of text in one such step, but for a single person's.
const BYTES: usize = 4 * 1024 * 1024;
/// People of one step that takes whole profiles away.
const PEOPLE: usize = 400;

/// Profiles by whose they are.
pub type Profiles = BTreeMap<SqlName, BTreeSet<ProfileRow>>;

/// People who may read one of these views by what a graph gives them.
pub fn readers(graph: &Graph, views: &BTreeSet<ObjectName>) -> BTreeSet<SqlName> {
    reading(graph, views, PrincipalKind::External)
}

/// Roles whose members may read one of these views, by whatever role in a role.
pub fn reading_roles(graph: &Graph, views: &BTreeSet<ObjectName>) -> BTreeSet<SqlName> {
    reached(graph, views, PrincipalKind::External).0
}

/// Groups that are principals and may read one of these views. Their people have no profile.
pub fn reading_groups(graph: &Graph, views: &BTreeSet<ObjectName>) -> BTreeSet<SqlName> {
    reading(graph, views, PrincipalKind::ExternalGroup)
}

fn reading(graph: &Graph, views: &BTreeSet<ObjectName>, kind: PrincipalKind) -> BTreeSet<SqlName> {
    reached(graph, views, kind).1
}

/// Whether a permission lets its grantee read one of these views.
pub fn lets_read(views: &BTreeSet<ObjectName>, key: &GrantKey, grant: &Grant) -> bool {
    let about = match &key.securable {
        Securable::Object(object) | Securable::Column(object, _) => views.contains(object),
        Securable::Schema(schema) => views.iter().any(|view| view.schema == *schema),
        Securable::Database => !views.is_empty(),
        Securable::Principal(_) | Securable::Server | Securable::Credential(_) | Securable::Other(_) => false,
    };
    let reads = matches!(key.permission, Permission::Select | Permission::Control);
    about && reads && grant.state != GrantState::Deny
}

/// The roles by which these views may be read, and who reads them.
fn reached(
    graph: &Graph,
    views: &BTreeSet<ObjectName>,
    kind: PrincipalKind,
) -> (BTreeSet<SqlName>, BTreeSet<SqlName>) {
    let grants = graph.grants.iter().filter(|(key, grant)| lets_read(views, key, grant));
    let mut open: Vec<SqlName> = grants.map(|(key, _)| key.grantee).collect();
    open.dedup();
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if graph.roles.contains_key(&name) {
            if seen.insert(name) {
                open.extend(graph.members_of(name));
            }
        } else if graph.principals.get(&name).is_some_and(|p| p.kind == kind) {
            found.insert(name);
        }
    }
    (seen, found)
}

fn text_bytes(row: &ProfileRow) -> usize {
    row.principal.as_str().len() + row.attribute.len() + row.value.len()
}

/// Whether somebody sees less by the second rows. Of a profile that is one string it is so unless the second says all that the first
/// does, value by value: letters of one value may stand in another.
fn loses(there: &BTreeSet<ProfileRow>, wanted: &BTreeSet<ProfileRow>, by: Option<Delimiters>) -> bool {
    let lines = |rows: &BTreeSet<ProfileRow>| -> Vec<ProfileRow> {
        rows.iter().filter(|row| row.attribute == LINE).cloned().collect()
    };
    let mut lost = there.difference(wanted);
    match by {
        Some(by) => lost.any(|row| row.attribute != LINE) || !stays(&lines(there), &lines(wanted), by),
        // Where nobody says how a string is cut, only the same one says the same.
        None => lost.next().is_some(),
    }
}

/// The steps from one side to the other for these people, whose profiles are one string each where there are delimiters.
pub fn profile_steps(
    schema: SqlName,
    by: Option<Delimiters>,
    whose: &BTreeSet<SqlName>,
    there: &Profiles,
    wanted: &Profiles,
) -> Vec<SecureStep> {
    let side = |side: &Profiles, name| side.get(name).filter(|rows| !rows.is_empty()).cloned();
    let (mut new, mut gone, mut blind, mut steps) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in whose {
        match (side(there, name), side(wanted, name)) {
            (None, Some(rows)) => new.push((*name, rows)),
            // Who reads on and has nothing any more is another matter than who goes: a budget counts it.
            (Some(rows), None) if wanted.contains_key(name) => blind.push((*name, rows)),
            (Some(rows), None) => gone.push((*name, rows)),
            (Some(there), Some(wanted)) if there != wanted => steps.push(SecureStep::WriteProfile {
                schema,
                principal: *name,
                remove: there.difference(&wanted).cloned().collect(),
                add: wanted.difference(&there).cloned().collect(),
                loses: loses(&there, &wanted, by),
            }),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    for (gone, loses) in [(gone, false), (blind, true)] {
        if gone.len() > MANY {
            let people: Vec<SqlName> = gone.into_iter().map(|(name, _)| name).collect();
            let drop =
                |people: &[SqlName]| SecureStep::DropProfiles { schema, people: people.to_vec(), loses };
            steps.extend(people.chunks(PEOPLE).map(drop));
        } else {
            steps.extend(gone.into_iter().map(|(principal, rows)| SecureStep::WriteProfile {
                schema,
                principal,
                remove: rows.into_iter().collect(),
                add: Vec::new(),
                loses,
            }));
        }
    }
    if new.len() > MANY {
        let (mut people, mut rows, mut bytes) = (0, Vec::new(), 0);
        for (_, of_one) in new {
            let more: usize = of_one.iter().map(text_bytes).sum();
            let full = rows.len() + of_one.len() > ROWS || bytes + more > BYTES;
            if full && !rows.is_empty() {
                steps.push(SecureStep::FillProfiles { schema, people, rows: std::mem::take(&mut rows) });
                (people, bytes) = (0, 0);
            }
            people += 1;
            bytes += more;
            rows.extend(of_one);
        }
        steps.push(SecureStep::FillProfiles { schema, people, rows });
    } else {
        steps.extend(new.into_iter().map(|(principal, rows)| SecureStep::WriteProfile {
            schema,
            principal,
            remove: Vec::new(),
            add: rows.into_iter().collect(),
            loses: false,
        }));
    }
    steps
}

/// Where what gives waits: what somebody loses is a step of its own, so that it does not wait with what comes. Of a profile that is one
/// string nothing can be written meanwhile: whoever loses some of it has none of it until then.
pub fn apart(steps: Vec<SecureStep>) -> Vec<SecureStep> {
    let halves = |step| match step {
        SecureStep::WriteProfile { schema, principal, remove, add, loses: true } if !add.is_empty() => {
            let half =
                |remove, add, loses| SecureStep::WriteProfile { schema, principal, remove, add, loses };
            vec![half(remove, Vec::new(), true), half(Vec::new(), add, false)]
        }
        other => vec![other],
    };
    steps.into_iter().flat_map(halves).collect()
}

/// Whether the second strings say all that the first ones do.
fn stays(there: &[ProfileRow], wanted: &[ProfileRow], by: Delimiters) -> bool {
    let parts = |rows: &[ProfileRow]| -> BTreeSet<(String, String)> {
        let values = |part: &str| {
            let (attribute, values) = part.split_once(by.hash_key).unwrap_or((part, ""));
            values.split(by.array).map(|value| (attribute.to_owned(), value.to_owned())).collect::<Vec<_>>()
        };
        rows.iter().flat_map(|row| row.value.split(by.hash).flat_map(values).collect::<Vec<_>>()).collect()
    };
    parts(there).is_subset(&parts(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(people: usize, value: &str) -> Profiles {
        let one = |n: usize| {
            let principal = SqlName::parse(&format!("u{n}")).unwrap();
            let row = ProfileRow { principal, attribute: "region".into(), value: value.into() };
            (principal, BTreeSet::from([row]))
        };
        (0..people).map(one).collect()
    }

    #[test]
    fn a_fill_is_in_steps_of_some_thousand_rows_and_of_some_megabytes() {
        let schema = SqlName::parse("axon").unwrap();
        let sizes = |people: usize, value: &str| -> Vec<usize> {
            let side = profiles(people, value);
            let whose = side.keys().copied().collect();
            let steps = profile_steps(schema, None, &whose, &Profiles::new(), &side);
            let rows = |step: &SecureStep| match step {
                SecureStep::FillProfiles { people, rows, .. } if *people == rows.len() => rows.len(),
                other => panic!("{other}"),
            };
            steps.iter().map(rows).collect()
        };
        assert_eq!(sizes(25_000, "EU"), [10_000, 10_000, 5_000]);
        let long = sizes(2_000, &"x".repeat(4_000));
        assert_eq!(long.iter().sum::<usize>(), 2_000);
        assert!(long.len() == 2 && long.iter().all(|rows| rows * 4_000 <= BYTES), "{long:?}");
    }

    #[test]
    fn many_people_are_written_at_once_and_few_one_by_one() {
        let schema = SqlName::parse("axon").unwrap();
        let nothing = Profiles::new();
        for (people, many) in [(3, false), (51, true)] {
            let side = profiles(people, "EU");
            let whose: BTreeSet<SqlName> = side.keys().copied().collect();
            let (fill, drop) = (
                profile_steps(schema, None, &whose, &nothing, &side),
                profile_steps(schema, None, &whose, &side, &nothing),
            );
            let steps = if many { 1 } else { people };
            assert_eq!((fill.len(), drop.len()), (steps, steps));
            assert_eq!(matches!(fill[0], SecureStep::FillProfiles { .. }), many);
            assert_eq!(matches!(drop[0], SecureStep::DropProfiles { .. }), many);
            assert!(profile_steps(schema, None, &whose, &side, &side).is_empty());
            let moved = profile_steps(schema, None, &whose, &side, &profiles(people, "US"));
            assert_eq!(moved.len(), people, "what is there is changed person by person");
        }
    }
}
