//! Who reads views, and the steps that bring people's profiles from what they are to what they ought to be.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;

use super::{ProfileRow, SecureStep};
use crate::graph::{GrantState, Graph, PrincipalKind};
use crate::permission::Permission;
use crate::shape::{ObjectName, Securable};

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

/// Groups that are principals and may read one of these views. Their people have no profile.
pub fn reading_groups(graph: &Graph, views: &BTreeSet<ObjectName>) -> BTreeSet<SqlName> {
    reading(graph, views, PrincipalKind::ExternalGroup)
}

fn reading(graph: &Graph, views: &BTreeSet<ObjectName>, kind: PrincipalKind) -> BTreeSet<SqlName> {
    let schemas: BTreeSet<SqlName> = views.iter().map(|view| view.schema).collect();
    let about = |on: &Securable| match on {
        Securable::Object(object) | Securable::Column(object, _) => views.contains(object),
        Securable::Schema(schema) => schemas.contains(schema),
        Securable::Database => !views.is_empty(),
        Securable::Principal(_) | Securable::Server | Securable::Credential(_) | Securable::Other(_) => false,
    };
    let reads = |permission| matches!(permission, Permission::Select | Permission::Control);
    let grants = graph.grants.iter().filter(|(key, grant)| {
        grant.state != GrantState::Deny && reads(key.permission) && about(&key.securable)
    });
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
    found
}

fn text_bytes(row: &ProfileRow) -> usize {
    row.principal.as_str().len() + row.attribute.len() + row.value.len()
}

/// The steps from one side to the other for these people.
pub fn profile_steps(
    schema: SqlName,
    whose: &BTreeSet<SqlName>,
    there: &Profiles,
    wanted: &Profiles,
) -> Vec<SecureStep> {
    let side = |side: &Profiles, name| side.get(name).filter(|rows| !rows.is_empty()).cloned();
    let (mut new, mut gone, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for name in whose {
        match (side(there, name), side(wanted, name)) {
            (None, Some(rows)) => new.push((*name, rows)),
            (Some(rows), None) => gone.push((*name, rows)),
            (Some(there), Some(wanted)) if there != wanted => steps.push(SecureStep::WriteProfile {
                schema,
                principal: *name,
                remove: there.difference(&wanted).cloned().collect(),
                add: wanted.difference(&there).cloned().collect(),
            }),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    if gone.len() > MANY {
        let people: Vec<SqlName> = gone.into_iter().map(|(name, _)| name).collect();
        steps.extend(
            people.chunks(PEOPLE).map(|people| SecureStep::DropProfiles { schema, people: people.to_vec() }),
        );
    } else {
        steps.extend(gone.into_iter().map(|(principal, rows)| SecureStep::WriteProfile {
            schema,
            principal,
            remove: rows.into_iter().collect(),
            add: Vec::new(),
        }));
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
        }));
    }
    steps
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
            let steps = profile_steps(schema, &whose, &Profiles::new(), &side);
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
                profile_steps(schema, &whose, &nothing, &side),
                profile_steps(schema, &whose, &side, &nothing),
            );
            let steps = if many { 1 } else { people };
            assert_eq!((fill.len(), drop.len()), (steps, steps));
            assert_eq!(matches!(fill[0], SecureStep::FillProfiles { .. }), many);
            assert_eq!(matches!(drop[0], SecureStep::DropProfiles { .. }), many);
            assert!(profile_steps(schema, &whose, &side, &side).is_empty());
            let moved = profile_steps(schema, &whose, &side, &profiles(people, "US"));
            assert_eq!(moved.len(), people, "what is there is changed person by person");
        }
    }
}
