//! The law of a preview's steps: they are those that the planner finds where the target holds just what the old map gave, for every
//! kind of target and of line. The target is brought there by the planner's own steps, and not by the preview's assumptions.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use axon_mapping::preview::{TablesOf, TargetSteps, assumed_shape, sides, steps};
use axon_mapping::target::{TargetSpec, Words};
use axon_mapping::{Compared, RoleMap, Surroundings, TargetKind, TargetName, classifiers, desired};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::{
    Classifier, ClassifierStep, Graph, Membership, Plan, Role, Sides, Step, classifier, plan, plan_assigned,
    simulate, unmanaged_assignments, unmanaged_members,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const GROUPS: [&str; 3] = ["One", "Two", "Three"];
const PEOPLE: [(&str, &[usize]); 4] = [("ann", &[0]), ("bob", &[0, 1]), ("cem", &[1, 2]), ("dee", &[2])];

/// For each target the lines that a role may have there.
const LINES: [(&str, &[&str]); 5] = [
    (
        "dw",
        &[
            "select on a.b",
            "insert on a.b",
            "deny select on a.c",
            "select on a.c",
            "select on a.b (x)",
            "per person: member of db_owner",
            "per person: member of mediumrc",
            "per person: member of team_blue",
            "classifier in largerc importance high",
            "classifier in largerc",
            "classifier in smallrc",
        ],
    ),
    ("sl", &["select on a.b", "references on credential::c", "per person: member of db_datareader"]),
    ("by", &["select on a.b", "view definition on database", "per person: member of db_ddladmin"]),
    ("ws", &["Synapse User", "Synapse Artifact User", "Synapse User on spark-pool::small"]),
    ("rg", &["Contributor", "Reader"]),
];

/// What the catalogs of databases have by themselves.
const FIXED: [&str; 4] = ["db_owner", "db_datareader", "db_ddladmin", "mediumrc"];

/// A role of the pool that somebody made.
const BY_HAND: &str = "team_blue";

#[derive(Debug, Clone)]
struct RoleDraft {
    lines: Vec<(usize, Vec<&'static str>)>,
    direct: bool,
}

#[derive(Debug, Clone)]
struct Draft {
    roles: Vec<RoleDraft>,
    /// Roles of each group.
    given: Vec<Vec<usize>>,
    /// Which globs of `manage.roles` the pool has, and whether people keep db_owner.
    manages: (bool, bool),
    /// What the role of Azure allows that the map makes, and who has it.
    defines: Option<(&'static str, bool)>,
}

fn role() -> impl Strategy<Value = RoleDraft> {
    let lines = |target: usize| {
        let all = LINES[target].1;
        subsequence(all.to_vec(), 0..=all.len().min(3)).prop_map(move |lines| (target, lines))
    };
    let all = (lines(0), lines(1), lines(2), lines(3), lines(4));
    (all, prop::bool::weighted(0.15))
        .prop_map(|((a, b, c, d, e), direct)| RoleDraft { lines: vec![a, b, c, d, e], direct })
}

fn draft() -> impl Strategy<Value = Draft> {
    (
        prop::collection::vec(role(), 3),
        prop::collection::vec(subsequence(vec![0, 1, 2], 0..=2), GROUPS.len()),
        (prop::bool::weighted(0.3), prop::bool::weighted(0.2)),
        prop::option::weighted(
            0.6,
            (
                select(vec!["Microsoft.DataFactory/factories/read", "Microsoft.DataFactory/*/read"]),
                any::<bool>(),
            ),
        ),
    )
        .prop_map(|(roles, given, manages, defines)| Draft { roles, given, manages, defines })
}

/// The map in words; none where it would be refused: what one line gives another may forbid.
fn map_of(draft: &Draft) -> Option<Arc<RoleMap>> {
    let (wide, left) = draft.manages;
    let globs = if wide { "\"axon_*\", \"team_*\"" } else { "\"axon_*\"" };
    let except = if left { ", except: [db_owner]" } else { "" };
    let mut text = format!(
        "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: h, database: d, auth: {{ token-file: t }}, mode: authoritative, \
         manage: {{ roles: [{globs}]{except} }} }}\n  \
         sl: {{ kind: synapse-serverless, host: h, database: d, auth: {{ token-file: t }}, mode: authoritative }}\n  \
         by: {{ kind: script, dialect: dedicated, database: d, out: o, mode: authoritative }}\n  \
         ws: {{ kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\", auth: managed-identity, mode: authoritative }}\n  \
         rg: {{ kind: azure-rbac, scope: /subscriptions/0/resourceGroups/data, auth: managed-identity, mode: authoritative }}\nroles:\n"
    );
    for (n, role) in draft.roles.iter().enumerate() {
        let direct = if role.direct { "direct: true, " } else { "" };
        let grants: Vec<String> = role
            .lines
            .iter()
            .filter(|(_, lines)| !lines.is_empty())
            .map(|(target, lines)| {
                format!(
                    "{}: [{}]",
                    LINES[*target].0,
                    lines.iter().map(|l| format!("\"{l}\"")).collect::<Vec<_>>().join(", ")
                )
            })
            .collect();
        writeln!(text, "  r{n}: {{ {direct}grants: {{ {} }} }}", grants.join(", ")).unwrap();
    }
    if let Some((action, _)) = draft.defines {
        let defined = format!("define: {{ rg: {{ name: Odd, actions: [{action}] }} }}");
        writeln!(text, "  odd: {{ {defined}, grants: {{ rg: [Odd] }} }}").unwrap();
    }
    text.push_str("mappings:\n");
    for (group, roles) in GROUPS.iter().zip(&draft.given) {
        let mut roles: Vec<String> = roles.iter().map(|n| format!("r{n}")).collect();
        if *group == "Two" && draft.defines.is_some_and(|(_, given)| given) {
            roles.push("odd".to_owned());
        }
        if !roles.is_empty() {
            let roles = roles.join(", ");
            writeln!(text, "  - {{ groups: {{ any: [{group}] }}, source: entra, roles: [{roles}] }}")
                .unwrap();
        }
    }
    if text.ends_with("mappings:\n") {
        text.truncate(text.len() - "mappings:\n".len());
    }
    RoleMap::parse(&[("m.yaml", text.as_str())]).ok().map(Arc::new)
}

fn people() -> Directory {
    let mut directory = Directory::default();
    let group_id = |n: usize| GroupId::from_uuid(uuid::Uuid::from_u128(100 + n as u128));
    for (n, called) in GROUPS.iter().enumerate() {
        let group = GroupEntry {
            id: group_id(n),
            source: "entra".parse().unwrap(),
            display_name: (*called).into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    }
    for (n, (called, groups)) in PEOPLE.iter().enumerate() {
        let id = UserId::from_uuid(uuid::Uuid::from_u128(n as u128));
        let user = UserEntry {
            id,
            source: "entra".parse().unwrap(),
            user_name: (*called).into(),
            external_id: None,
            active: true,
            document: "{}".into(),
        };
        directory.apply(&Delta::UserPut { user }, RecordSeq(2));
        for group in *groups {
            let added = Delta::MemberAdded { group: group_id(*group), member: MemberKind::User(id) };
            directory.apply(&added, RecordSeq(3));
        }
    }
    directory
}

/// A target, and what Axon knows of it.
struct Place {
    graph: Graph,
    classifiers: Vec<Classifier>,
    /// What Axon gave there.
    given: BTreeSet<Membership>,
    /// Whom it gave anything.
    known: BTreeSet<SqlName>,
}

impl Place {
    /// The steps to a map, as the service plans them.
    fn plan(
        &self,
        map: &Arc<RoleMap>,
        maps: &[&Arc<RoleMap>],
        target: &TargetName,
        directory: &Directory,
    ) -> (Plan, Graph) {
        let spec = &map.targets[target];
        let around = Surroundings {
            shape: Arc::new(assumed_shape(maps, target)),
            known: self.known.clone(),
            ..Surroundings::default()
        };
        let wanted = desired(map, target, directory, &around, NOW).unwrap();
        let mut sides = Sides { desired: wanted.graph, actual: self.graph.clone(), scope: wanted.scope };
        let assigned = spec.kind.words() == Words::Roles;
        let outside = if assigned { unmanaged_assignments(&sides) } else { unmanaged_members(&sides) };
        sides.scope.given = outside.into_iter().filter(|m| self.given.contains(m)).collect();
        let mut found = if assigned { plan_assigned(&sides) } else { plan(&sides) };
        let mut done = found.clone();
        // What Axon never made waits for a person.
        done.steps
            .retain(|planned| !matches!(planned.step, Step::DropRole { name } if name.as_str() == BY_HAND));
        let after = simulate(&sides.actual, &done).unwrap();
        if spec.kind == TargetKind::SynapseDedicated {
            classifier::put_into(&mut found, &classifiers(map, spec), &self.classifiers, &sides.scope);
        }
        (found, after)
    }

    /// The steps are done.
    fn take(&mut self, plan: &Plan, after: Graph) {
        self.graph = after;
        for planned in &plan.steps {
            match &planned.step {
                Step::AddMember { role, member } => {
                    self.given.insert(Membership { role: *role, member: *member });
                }
                Step::Classify(ClassifierStep::Create { name, member, does }) => {
                    self.classifiers.push(Classifier {
                        name: *name,
                        member: *member,
                        does: Some(*does),
                        unread: false,
                    });
                }
                Step::Classify(ClassifierStep::Drop { name, .. }) => {
                    self.classifiers.retain(|c| c.name != *name);
                }
                _ => {}
            }
        }
        self.known.extend(self.graph.principals.keys());
    }
}

/// A target in which nobody has anything yet. Where roles are only assigned everybody and every role is there already.
fn empty(spec: &TargetSpec, maps: &[&Arc<RoleMap>], directory: &Directory) -> Place {
    let mut graph = Graph::default();
    let mut fixed = |name: SqlName, fixed| {
        graph.roles.entry(name).or_insert(Role { fixed, owner: None });
    };
    if spec.kind.words() == Words::Sql {
        for name in FIXED {
            fixed(SqlName::parse(name).unwrap(), true);
        }
    }
    for map in maps {
        let wanted = desired(map, &spec.name, directory, &Surroundings::default(), NOW).unwrap();
        for name in &wanted.scope.named_roles {
            if !wanted.graph.roles.contains_key(name) && name.as_str() != "Odd" {
                let by_hand = spec.kind.words() == Words::Sql && !FIXED.contains(&name.as_str());
                graph.roles.entry(*name).or_insert(Role { fixed: !by_hand, owner: None });
            }
        }
        if spec.kind.words() == Words::Roles {
            graph.principals.extend(wanted.graph.principals);
        }
    }
    Place { graph, classifiers: Vec::new(), given: BTreeSet::new(), known: BTreeSet::new() }
}

fn in_words(words: Words, step: &Step, planned: &str) -> String {
    match (words, step) {
        (Words::Roles, Step::AddMember { role, member }) => format!("assign {role} to {member}"),
        (Words::Roles, Step::DropMember { role, member }) => format!("take {role} from {member}"),
        _ => planned.to_owned(),
    }
}

/// The preview's steps of one target are the plan's: all of them, and those that would go by themselves in its order.
fn same(told: Option<&TargetSteps>, found: &Plan, words: Words) -> Result<(), TestCaseError> {
    let planned: Vec<String> =
        found.steps.iter().map(|planned| in_words(words, &planned.step, &planned.to_string())).collect();
    let Some(told) = told else {
        prop_assert!(
            planned.is_empty() && found.findings.is_empty(),
            "the preview tells nothing, the plan {found}"
        );
        return Ok(());
    };
    let goes: Vec<&String> = told.steps.iter().map(|told| &told.step).collect();
    let waits: Vec<&String> = told.withheld.iter().map(|told| &told.step).collect();
    let mut all: Vec<&String> = goes.iter().chain(&waits).copied().collect();
    let mut wanted: Vec<&String> = planned.iter().collect();
    all.sort();
    wanted.sort();
    prop_assert_eq!(&all, &wanted, "{:?}\n{}", told.target, found);
    let in_order: Vec<&String> = planned.iter().filter(|step| goes.contains(step)).collect();
    prop_assert_eq!(&goes, &in_order, "{:?}", told.target);
    let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
    prop_assert_eq!(&told.findings, &findings);
    Ok(())
}

fn holds(old: Option<&Arc<RoleMap>>, new: &Arc<RoleMap>) -> Result<usize, TestCaseError> {
    let directory = people();
    let (identity, beside) = (Arc::default(), Arc::default());
    let compared =
        Compared { old, new, directory: &directory, identity: &identity, beside: &beside, now: NOW };
    let both = sides(compared);
    let told = steps(compared, &both, &TablesOf::new(), &|_, _, _| Vec::new(), usize::MAX);
    let told: BTreeMap<&TargetName, &TargetSteps> = told.iter().map(|of| (&of.target, of)).collect();
    let maps: Vec<&Arc<RoleMap>> = old.into_iter().chain([new]).collect();
    let mut count = 0;
    for (target, spec) in &new.targets {
        let mut place = empty(spec, &maps, &directory);
        if let Some(old) = old {
            let (first, after) = place.plan(old, &maps, target, &directory);
            place.take(&first, after);
            let (again, _) = place.plan(old, &maps, target, &directory);
            let waits = |step: &Step| matches!(step, Step::DropRole { name } if name.as_str() == BY_HAND);
            let settled = again.steps.iter().all(|planned| waits(&planned.step));
            prop_assert!(settled, "{target} is not as the old map says:\n{again}");
            // A role that the new map defines otherwise is not the one that is there.
            let of = |map: &RoleMap| {
                let defined = map.roles.values().find_map(|role| role.define.get(target));
                defined.map(|defined| (defined.name, defined.actions.clone()))
            };
            if let (Some(was), Some(is)) = (of(old), of(new))
                && was != is
            {
                place.graph.roles.remove(&was.0);
            }
        }
        let (found, _) = place.plan(new, &maps, target, &directory);
        count += found.steps.len();
        same(told.get(target).copied(), &found, spec.kind.words())?;
    }
    Ok(count)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_preview_s_steps_are_the_plan_s_steps(old in draft(), new in draft(), first in prop::bool::weighted(0.15)) {
        let (Some(old), Some(new)) = (map_of(&old), map_of(&new)) else { return Err(TestCaseError::reject("a map that is refused")) };
        holds((!first).then_some(&old), &new)?;
    }
}

/// The law is about something: each kind of line of the drafts, given and taken, comes to steps.
#[test]
fn every_line_of_the_law_comes_to_steps() {
    let nothing = RoleDraft { lines: Vec::new(), direct: false };
    let empty = Draft {
        roles: vec![nothing.clone(); 3],
        given: vec![Vec::new(); 3],
        manages: (false, false),
        defines: None,
    };
    for (target, (name, lines)) in LINES.iter().enumerate() {
        for line in *lines {
            let mut with = empty.clone();
            with.roles[0].lines = vec![(target, vec![*line])];
            with.given[0] = vec![0];
            let (with, without) = (map_of(&with).expect(line), map_of(&empty).unwrap());
            for (old, new) in [(&without, &with), (&with, &without)] {
                let steps = holds(Some(old), new).unwrap_or_else(|e| panic!("{name}: {line}: {e}"));
                assert!(steps > 0, "{name}: {line}");
            }
        }
    }
}
