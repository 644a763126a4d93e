//! Tombstones: users of people who left, stripped and shut out. At last they are dropped, where nothing reopens by it.
//!
//! DENY CONNECT on a user is all that keeps a person out whom a group lets in: without a user of their own they come in as members of
//! the group, and what the user was denied is denied no more. So nobody is dropped where a group may enter. What a server refuses a
//! drop for (a schema, a role, permissions granted to others) is not taken from anybody by the way: it is named, with its remedy.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_model::name::{NameMap, NameSet};

use crate::classifier::Classifier;
use crate::diff::names::Names;
use crate::diff::obstacles::Obstacles;
use crate::finding::{Finding, Obstacle};
use crate::graph::{Connect, Graph, Principal, PrincipalKind};
use crate::plan::{Plan, Planned};
use crate::scope::{Scope, Sides};
use crate::shape::Shape;
use crate::step::Step;

/// Users of people who are wanted no more, are managed and are shut out. A group that is shut out is none: its DENY keeps its members
/// out, whoever they are by now.
pub fn tombstones<'a>(
    desired: &'a Graph,
    actual: &'a Graph,
    scope: &'a Scope,
) -> impl Iterator<Item = (SqlName, &'a Principal)> {
    let shut = |p: &Principal| p.kind == PrincipalKind::External && p.connect == Connect::Denied;
    actual.principals.iter().map(|(name, principal)| (*name, principal)).filter(move |(name, principal)| {
        shut(principal) && !desired.principals.contains_key(name) && scope.manages_principal(*name, actual)
    })
}

/// Groups that may let in somebody who has no user: all that are not shut out themselves, since who is in them is not known here.
pub fn doors(actual: &Graph) -> impl Iterator<Item = SqlName> {
    let open = |p: &Principal| p.kind == PrincipalKind::ExternalGroup && p.connect != Connect::Denied;
    actual.principals.iter().filter(move |(_, principal)| open(principal)).map(|(name, _)| *name)
}

/// Whom it is time to drop, and what is known beside the sides.
#[derive(Debug, Clone, Copy)]
pub struct Burial<'a> {
    /// Whom the directory confirms to be gone for long enough.
    pub due: &'a BTreeSet<SqlName>,
    /// Whether a group lets its members in: then nobody is dropped. The sides may be a part that does not show it.
    pub reopens: bool,
    /// Schemas and objects, with their owners.
    pub shape: &'a Shape,
    /// Classifiers, as far as they were read.
    pub classifiers: &'a [Classifier],
    /// Whose drop a guard withheld lately: they take nobody else's place in the plan.
    pub held: &'a BTreeSet<SqlName>,
    /// How many others at most in one plan.
    pub most: usize,
}

impl Burial<'_> {
    /// What comes behind a plan: the end of their sessions and the drop, for each of them who is a tombstone and of whom the plan says
    /// nothing else; a finding for each who cannot be dropped. And who is dropped.
    pub fn behind(&self, plan: &Plan, sides: &Sides) -> (Plan, BTreeSet<SqlName>) {
        let (mut behind, mut dropped) = (Plan::default(), BTreeSet::new());
        if self.due.is_empty() || self.reopens {
            return (behind, dropped);
        }
        let Sides { desired, actual, scope } = sides;
        let there = tombstones(desired, actual, scope).map(|(name, _)| name);
        let there: Vec<SqlName> = there.filter(|name| self.due.contains(name)).collect();
        if there.is_empty() {
            return (behind, dropped);
        }
        let (mut busy, mut killed) = (NameSet::default(), NameSet::default());
        for planned in &plan.steps {
            let of = if matches!(planned.step, Step::KillSessions { .. }) { &mut killed } else { &mut busy };
            of.insert(planned.step.subject());
        }
        let names = Names::new(sides);
        let obstacles = Obstacles::new(sides, &names);
        let owned = self.owned(&there);
        let mut others = 0;
        for name in there.into_iter().filter(|name| !busy.contains(name)) {
            if let Some(because) = owned.get(&name).cloned().or_else(|| obstacles.of(name)) {
                behind.findings.push(Finding::TombstoneStays { principal: name, because });
                continue;
            }
            if !self.held.contains(&name) {
                if others >= self.most {
                    continue;
                }
                others += 1;
            }
            // Sessions are found by the user, so they are looked for once more before it goes.
            if !killed.contains(&name) {
                behind.steps.push(Planned::from(Step::KillSessions { principal: name }));
            }
            behind.steps.push(Planned::from(Step::drop_of(name, actual)));
            dropped.insert(name);
        }
        (behind, dropped)
    }

    /// What these own beside roles, and what is about them by name.
    fn owned(&self, there: &[SqlName]) -> NameMap<Obstacle> {
        let there: NameSet = there.iter().copied().collect();
        let mut owned = NameMap::default();
        let mut note = |owner: Option<SqlName>, obstacle: Obstacle| {
            if let Some(owner) = owner.filter(|owner| there.contains(owner)) {
                owned.entry(owner).or_insert(obstacle);
            }
        };
        for (schema, owner) in &self.shape.schemas {
            note(*owner, Obstacle::OwnsSchema { schema: *schema });
        }
        for (object, facts) in &self.shape.objects {
            note(facts.owner, Obstacle::OwnsObject { object: *object });
        }
        for classifier in self.classifiers {
            note(Some(classifier.member), Obstacle::Classified { classifier: classifier.name });
        }
        owned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Grant, GrantKey, GrantState, Membership, Role};
    use crate::permission::Permission;
    use crate::scope::ManagedPrincipals;
    use crate::shape::{ObjectFacts, ObjectKind, ObjectName, Securable};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn person(connect: Connect) -> Principal {
        Principal { kind: PrincipalKind::External, sid: None, connect, created: None }
    }

    /// Kim left; ana is there; zoe was shut out by somebody else.
    fn sides() -> Sides {
        let mut sides = Sides {
            desired: Graph::default(),
            actual: Graph::default(),
            scope: Scope {
                roles: vec![],
                named_roles: BTreeSet::new(),
                given: BTreeSet::new(),
                schemas: vec![],
                principals: ManagedPrincipals::Mapped([name("kim"), name("ana")].into()),
                untouchable: BTreeSet::from([name("dbo")]),
            },
        };
        sides.actual.principals.insert(name("kim"), person(Connect::Denied));
        sides.actual.principals.insert(name("zoe"), person(Connect::Denied));
        sides.actual.principals.insert(name("ana"), person(Connect::Granted));
        sides.desired.principals.insert(name("ana"), person(Connect::Granted));
        sides
    }

    fn buried(sides: &Sides, shape: &Shape, classifiers: &[Classifier]) -> Vec<String> {
        let due = [name("kim"), name("zoe"), name("ana")].into();
        let reopens = doors(&sides.actual).next().is_some();
        let burial = Burial { due: &due, reopens, shape, classifiers, held: &BTreeSet::new(), most: 10 };
        let (plan, _) = burial.behind(&Plan::default(), sides);
        let steps = plan.steps.iter().map(ToString::to_string);
        steps.chain(plan.findings.iter().map(ToString::to_string)).collect()
    }

    const DROPPED: [&str; 2] = ["kill the sessions of kim", "drop user kim"];

    #[test]
    fn only_who_left_and_is_managed_is_dropped_behind_the_end_of_all_sessions() {
        assert_eq!(buried(&sides(), &Shape::default(), &[]), DROPPED);
    }

    #[test]
    fn a_group_that_may_enter_keeps_all_and_one_that_is_shut_out_is_a_tombstone_for_ever() {
        let mut sides = sides();
        for (connect, stays) in [(Connect::Granted, true), (Connect::Absent, true), (Connect::Denied, false)]
        {
            let group = Principal { kind: PrincipalKind::ExternalGroup, ..person(connect) };
            sides.actual.principals.insert(name("SG-All"), group);
            let told = buried(&sides, &Shape::default(), &[]);
            if stays {
                assert_eq!(told, Vec::<String>::new());
            } else {
                assert_eq!(told, DROPPED);
            }
        }
        let due = BTreeSet::from([name("SG-All")]);
        sides.scope.principals = ManagedPrincipals::External;
        let (shape, held) = (Shape::default(), BTreeSet::new());
        let burial =
            Burial { due: &due, reopens: false, shape: &shape, classifiers: &[], held: &held, most: 10 };
        assert!(burial.behind(&Plan::default(), &sides).1.is_empty());
    }

    #[test]
    fn what_a_drop_would_be_refused_for_is_named_with_its_remedy() {
        let kim = || Some(name("kim"));
        let mut shape = Shape { schemas: [(name("lab"), kim())].into(), ..Shape::default() };
        let stays = "kim left and is not dropped: ";
        let told = |text: &str| vec![format!("{stays}{text}")];
        let schema = told("it owns schema lab (ALTER AUTHORIZATION ON SCHEMA::lab TO dbo)");
        assert_eq!(buried(&sides(), &shape, &[]), schema);

        shape.schemas.clear();
        let object = ObjectName { schema: name("sales"), name: name("t") };
        let facts = ObjectFacts { kind: ObjectKind::Table, owner: kim(), columns: vec![] };
        shape.objects.insert(object, facts);
        let owns = told("it owns sales.t (ALTER AUTHORIZATION ON OBJECT::sales.t TO SCHEMA OWNER)");
        assert_eq!(buried(&sides(), &shape, &[]), owns);

        let nothing = Shape::default();
        let classifier = Classifier { name: name("nightly"), member: name("KIM"), does: None, unread: false };
        let words = told("classifier nightly is for it: drop that first");
        assert_eq!(buried(&sides(), &nothing, &[classifier]), words);

        let mut owner = sides();
        owner.actual.roles.insert(name("by hand"), Role { fixed: false, owner: kim() });
        assert_eq!(buried(&owner, &nothing, &[]), told("it owns role by hand: give that to dbo"));

        let mut member = sides();
        member.actual.roles.insert(name("others"), Role::default());
        member.actual.members.insert(Membership { role: name("others"), member: name("kim") });
        let words = "it is a member of others, which is not managed: remove it there";
        assert_eq!(buried(&member, &nothing, &[]), told(words));

        let mut grantor = sides();
        let on = Securable::Database;
        let key = GrantKey { grantee: name("ana"), securable: on, permission: Permission::Select };
        let row = Grant { foreign_grantors: vec![name("kim")], ..Grant::wanted(GrantState::Grant) };
        grantor.actual.grants.insert(key, row);
        let words = told("it granted permissions to ana: revoke those first");
        assert_eq!(buried(&grantor, &nothing, &[]), words);
    }

    #[test]
    fn whoever_the_plan_still_strips_is_dropped_by_a_later_one_and_a_plan_drops_so_many_at_most() {
        let mut sides = sides();
        let (shape, due) = (Shape::default(), BTreeSet::from([name("kim"), name("ana")]));
        let held = BTreeSet::new();
        let burial =
            Burial { due: &due, reopens: false, shape: &shape, classifiers: &[], held: &held, most: 1 };
        let strip = Step::DropMember { role: name("r"), member: name("kim") };
        let plan = Plan { steps: vec![Planned::from(strip)], findings: vec![] };
        assert_eq!(burial.behind(&plan, &sides), (Plan::default(), BTreeSet::new()));
        sides.desired = Graph::default();
        sides.actual.principals.insert(name("ana"), person(Connect::Denied));
        let (plan, dropped) = burial.behind(&Plan::default(), &sides);
        assert_eq!((plan.steps.len(), dropped), (2, BTreeSet::from([name("ana")])));
        // Whose drop waits for a person takes nobody's place.
        let held = BTreeSet::from([name("ana")]);
        let (_, dropped) = Burial { held: &held, ..burial }.behind(&Plan::default(), &sides);
        assert_eq!(dropped, due);
    }
}
