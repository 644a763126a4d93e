//! Who reads which view for a probe: one person of each class, whose roles and profile are in the target as the map has them.

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::Digest;
use axon_mapping::target::TargetSpec;
use axon_mapping::views::Compiled;
use axon_model::SqlName;
use axon_reconcile::admit::Mode;
use axon_reconcile::secure::{
    Footing, KnownReader, Memberships, NativeCase, ProbeCase, ProbeReader, Standing, classes, readers,
    reading_groups,
};
use axon_reconcile::view_body::ViewBody;
use axon_reconcile::{
    Connect, GrantState, Graph, ObjectName, Permission, PrincipalKind, ProfileRow, Securable, Shape,
    ViewText, ViewsThere,
};

use super::CANARY;
use crate::tick::Ticker;

/// One view to be read as one reader.
#[derive(Debug, Clone)]
pub(in crate::tick) struct Job {
    pub(in crate::tick) view: ObjectName,
    /// The digest of its text.
    pub(in crate::tick) digest: String,
    /// One of the class.
    pub(in crate::tick) reader: SqlName,
    /// How that one is tried.
    pub(in crate::tick) by: By,
    /// How many readers are of the class.
    pub(in crate::tick) readers: usize,
    pub(in crate::tick) case: ProbeCase,
}

/// How a class of readers is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tick) enum By {
    /// By reading as this one.
    Reading(ProbeReader),
    /// Not at all: a person has to know.
    Not(&'static str),
    /// Not at all: the map says that it is seen to elsewhere.
    Beside(&'static str),
    /// Not before the target holds what the map gives.
    Later,
}

impl By {
    /// Why nobody of the class is asked, if nobody is.
    pub(super) fn why_not(&self) -> Option<&'static str> {
        match self {
            Self::Reading(_) => None,
            Self::Not(why) | Self::Beside(why) => Some(why),
            Self::Later => Some(NOT_YET),
        }
    }

    /// Whether these words say why nobody of a class was asked.
    pub(super) fn is_a_reason(words: &str) -> bool {
        [BY_GROUPS, BY_OWN_GRANT, BESIDE, ADMINISTER, NOT_YET].contains(&words)
    }
}

impl Job {
    /// The class of readers that is asked, as it is kept.
    pub(super) fn class(&self) -> String {
        let Some(standing) = &self.case.standing else { return "strangers".into() };
        let class = Digest::of("probe-class", &[standing.class_of(&self.case.body).as_bytes()]);
        class.to_string()[..16].to_owned()
    }
}

const NOT_YET: &str = "nobody of this class has yet in the target what the map gives them";
const BY_GROUPS: &str = "readers of this class enter by groups alone: nobody can be put on by a group's name, and no canary stands in \
                         (reconcile.probe_canaries, and a mode that gives)";
const BY_OWN_GRANT: &str = "readers of this class enter by groups alone, which read it by a permission of their own: a canary has roles only";
const BESIDE: &str = "the group reaches the table past the view and the map accepts that (metadata.accept_groups): nobody can be put on \
                      by a group's name, so that of its people none is tried who reads the view, too";
const ADMINISTER: &str =
    "only members of db_owner are of this class: they read the table itself, and no view is kept from them";

/// A view that is not asked, and why.
pub(super) type Waits = Vec<(ObjectName, &'static str)>;

/// Views whose text is in force, each with the digest of it.
#[derive(Default)]
struct InForce {
    bodies: Vec<ViewBody>,
    digests: Vec<String>,
    waits: Waits,
}

/// Who reads each view by the map, and what those are.
#[derive(Default)]
struct People {
    readers: BTreeMap<ObjectName, BTreeSet<SqlName>>,
    known: BTreeMap<SqlName, KnownReader>,
}

/// How somebody can be tried who is in these roles.
fn footing(name: SqlName, graph: &Graph, roles: &BTreeSet<SqlName>) -> Footing {
    let Some(there) = graph.principals.get(&name).filter(|there| there.connect != Connect::Denied) else {
        return Footing::NotYet;
    };
    let fixed = || roles.iter().filter(|role| graph.roles.get(role).is_some_and(|role| role.fixed));
    match there.kind {
        _ if fixed().any(|role| role.as_str() == "db_owner") => Footing::Administers,
        PrincipalKind::ExternalGroup => Footing::Group,
        PrincipalKind::External if fixed().next().is_some() => Footing::FixedRole,
        PrincipalKind::External => Footing::Person,
        PrincipalKind::Sql => Footing::NotYet,
    }
}

/// What somebody with these roles may read of a view's table itself.
fn native(
    body: &ViewBody,
    compiled: &Compiled,
    shape: &Shape,
    roles: &BTreeSet<SqlName>,
) -> Option<NativeCase> {
    let filter = compiled.filters.iter().find(|filter| filter.table == body.from)?;
    shape.filtered.contains(&filter.table).then_some(())?;
    let open = roles.iter().filter_map(|role| filter.open.get(role)).flatten().copied().collect();
    Some(NativeCase { open, unfiltered: filter.unfiltered.clone() })
}

impl Ticker {
    /// What is to be asked of views, ordered by reader; and which views are not asked, with why.
    pub(super) async fn jobs(
        &self,
        spec: &TargetSpec,
        compiled: &Compiled,
        only: Option<&str>,
    ) -> (Vec<Job>, Waits) {
        let Some(known) = &self.actual else { return Default::default() };
        let Some(there) = &known.views else { return Default::default() };
        let graph = &known.inspection.graph;
        let InForce { bodies, digests, mut waits } = self.in_force(spec, compiled, there, only);
        let people = self.people(spec, compiled, &bodies, graph).await;
        let nobody = BTreeSet::new();
        let of_view = |view: ObjectName| people.readers.get(&view).unwrap_or(&nobody);
        // Somebody as whom nobody may read by name alone: where all others are acted as, or there are none, one who is not there.
        let nobodys = |reader: SqlName, view: ObjectName| {
            let mut others = of_view(view).iter().copied();
            let one = others.find(|name| *name != reader && !there.acting.contains_key(&(reader, *name)));
            one.or_else(|| SqlName::parse(CANARY).ok())
        };
        let memberships = Memberships::of(graph);
        let canaries = self.probing.settings.canaries && spec.mode != Mode::Observe;
        let mut jobs = Vec::new();
        for class in classes(&bodies, &|view| of_view(view).clone(), &people.known) {
            let (Some(body), Some(digest)) = (bodies.get(class.view), digests.get(class.view)) else {
                continue;
            };
            let other = nobodys(class.reader, body.name);
            let by = match class.footing {
                Footing::Person | Footing::FixedRole => By::Reading(ProbeReader::User(class.reader)),
                Footing::Group if !canaries => By::Not(BY_GROUPS),
                Footing::Group => stands_in(body.name, class.reader, graph, &memberships),
                Footing::Administers => By::Not(ADMINISTER),
                Footing::NotYet => By::Later,
            };
            let standing = Some(class.standing);
            let native = native(body, compiled, &known.shape, &memberships.roles_of(class.reader));
            let case = ProbeCase { body: body.clone(), standing, hidden: hidden(body, there), other, native };
            jobs.push(Job {
                view: body.name,
                digest: digest.clone(),
                reader: class.reader,
                by,
                readers: class.readers,
                case,
            });
        }
        let asked: BTreeSet<ObjectName> = jobs.iter().map(|job| job.view).collect();
        let unread = bodies.iter().map(|body| body.name).filter(|view| !asked.contains(view));
        waits.extend(unread.map(|view| (view, "nobody reads it by the map")));
        // Where everybody enters by a group nobody is there to be a stranger: somebody without any role is.
        let by_groups = !people.known.values().any(|known| known.footing == Footing::Person);
        jobs.extend(bodies.iter().zip(&digests).filter_map(|(body, digest)| {
            let person = stranger(body, graph, &memberships, of_view(body.name));
            let (reader, by) = match person {
                Some(person) => (person, ProbeReader::User(person)),
                None if canaries && by_groups => {
                    (SqlName::parse(CANARY).ok()?, ProbeReader::Canary(BTreeSet::new()))
                }
                None => return None,
            };
            let case = ProbeCase {
                body: body.clone(),
                standing: None,
                hidden: None,
                other: None,
                native: native(body, compiled, &known.shape, &BTreeSet::new()),
            };
            let by = By::Reading(by);
            Some(Job { view: body.name, digest: digest.clone(), reader, by, readers: 0, case })
        }));
        jobs.extend(self.accepted_past(spec, compiled, &bodies).into_iter().filter_map(|(number, group)| {
            let (body, digest) = (bodies.get(number)?, digests.get(number)?);
            let standing = Some(Standing::default());
            let case = ProbeCase { body: body.clone(), standing, hidden: None, other: None, native: None };
            let by = By::Beside(BESIDE);
            Some(Job { view: body.name, digest: digest.clone(), reader: group, by, readers: 1, case })
        }));
        jobs.sort_by_key(|job| (job.reader, job.view));
        (jobs, waits)
    }

    fn in_force(
        &self,
        spec: &TargetSpec,
        compiled: &Compiled,
        there: &ViewsThere,
        only: Option<&str>,
    ) -> InForce {
        let mut found = InForce::default();
        let meant = |view: &ObjectName| only.is_none_or(|only| view.to_string().eq_ignore_ascii_case(only));
        for body in compiled.bodies.iter().filter(|body| meant(&body.name)) {
            let wanted = self.target.view_digest(ViewText::Body(body), &spec.metadata);
            let digest = there.views.get(&body.name).and_then(|view| view.digest.clone());
            match digest.filter(|digest| wanted.as_ref() == Some(digest)) {
                Some(digest) => {
                    found.bodies.push(body.clone());
                    found.digests.push(digest);
                }
                None => found.waits.push((body.name, "its text is not yet what the map asks for")),
            }
        }
        let closed = compiled.closed.keys().filter(|view| meant(view));
        found.waits.extend(closed.map(|view| (*view, "it is closed")));
        found
    }

    /// Who reads views by the map, and what those are to see. Of whom the target does not hold that yet is known, and not tried.
    async fn people(
        &self,
        spec: &TargetSpec,
        compiled: &Compiled,
        bodies: &[ViewBody],
        graph: &Graph,
    ) -> People {
        let world = self.world.lock().await;
        let Some((evaluator, directory, _)) = world.people(&self.name) else { return People::default() };
        let wanted = evaluator.graph();
        let one = |body: &ViewBody| {
            let view = BTreeSet::from([body.name]);
            let all = readers(wanted, &view).into_iter().chain(reading_groups(wanted, &view));
            (body.name, all.collect())
        };
        let mut people = People { readers: bodies.iter().map(one).collect(), ..People::default() };
        let (by_map, in_fact) = (Memberships::of(wanted), Memberships::of(graph));
        let asked = |roles: &BTreeSet<SqlName>| -> BTreeSet<SqlName> {
            roles.intersection(&compiled.needs.roles).copied().collect()
        };
        let needs = spec.metadata.delimiters.map(|_| evaluator.profile_needs(&compiled.needs));
        let all: BTreeSet<SqlName> = people.readers.values().flatten().copied().collect();
        for name in all {
            let roles = in_fact.roles_of(name);
            let wanted = asked(&by_map.roles_of(name));
            let written = self.views.written_profile(name);
            let ready = written.is_some() && wanted == asked(&roles);
            let footing = if ready { footing(name, graph, &roles) } else { Footing::NotYet };
            let rows: BTreeSet<ProfileRow> = match (&needs, written) {
                // One string: what it was made of. Whoever has none is known to nobody.
                (Some(needs), Some(written)) if !written.is_empty() => {
                    evaluator.profile(directory, name, needs).rows
                }
                (_, written) => written.unwrap_or_else(|| self.views.wanted_profile(name)).clone(),
            };
            let mut standing = Standing::of(name, &Memberships::default(), &rows);
            standing.roles = wanted;
            people.known.insert(name, KnownReader { standing, footing });
        }
        people
    }
}

/// Whether somebody with a group's roles, and no more, reads what the group's people read.
fn stands_in(view: ObjectName, group: SqlName, graph: &Graph, memberships: &Memberships) -> By {
    let roles = memberships.roles_of(group);
    let of_view = |on: &Securable| match on {
        Securable::Object(object) | Securable::Column(object, _) => *object == view,
        Securable::Schema(schema) => *schema == view.schema,
        Securable::Database => true,
        _ => false,
    };
    let reads = |permission| matches!(permission, Permission::Select | Permission::Control);
    let by_role = graph.grants.iter().any(|(key, grant)| {
        let everybody = key.grantee.as_str() == "public";
        grant.state != GrantState::Deny
            && reads(key.permission)
            && of_view(&key.securable)
            && (everybody || roles.contains(&key.grantee))
    });
    if !by_role {
        return By::Not(BY_OWN_GRANT);
    }
    let of_group = graph.members.iter().filter(|membership| membership.member == group);
    let own = of_group.map(|membership| membership.role);
    let plain = |role: &SqlName| graph.roles.get(role).is_none_or(|role| !role.fixed);
    By::Reading(ProbeReader::Canary(own.filter(plain).collect()))
}

/// A column of the table that the view does not have.
fn hidden(body: &ViewBody, there: &ViewsThere) -> Option<SqlName> {
    let shown = |name: &SqlName| body.columns.iter().any(|column| column.name == *name);
    there.tables.get(&body.from)?.columns.iter().map(|(name, _)| *name).find(|name| !shown(name))
}

/// Somebody who may read nothing of it, by the map and by the catalog.
fn stranger(
    body: &ViewBody,
    graph: &Graph,
    memberships: &Memberships,
    by_map: &BTreeSet<SqlName>,
) -> Option<SqlName> {
    let in_fact = readers(graph, &BTreeSet::from([body.name]));
    let mut names = graph.principals.keys().copied();
    names.find(|name| {
        let plain = || footing(*name, graph, &memberships.roles_of(*name)) == Footing::Person;
        !by_map.contains(name) && !in_fact.contains(name) && plain()
    })
}

#[cfg(test)]
mod tests {
    use axon_reconcile::graph::{Grant, GrantKey, Membership, Principal, Role};

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn view() -> ObjectName {
        ObjectName { schema: name("secure"), name: name("orders") }
    }

    /// Ann, a group in a role and a fixed role, and who reads the view.
    fn graph(reader: &str) -> Graph {
        let mut graph = Graph::default();
        for (who, kind) in [("ann", PrincipalKind::External), ("sales", PrincipalKind::ExternalGroup)] {
            let there = Principal { kind, sid: None, connect: Connect::Granted, created: None };
            graph.principals.insert(name(who), there);
        }
        for (role, fixed) in [("reader", false), ("all", false), ("db_datawriter", true), ("db_owner", true)]
        {
            graph.roles.insert(name(role), Role { fixed, ..Role::default() });
        }
        for (role, member) in [("reader", "sales"), ("db_datawriter", "sales"), ("all", "reader")] {
            graph.members.insert(Membership { role: name(role), member: name(member) });
        }
        let securable = Securable::Object(view());
        let key = GrantKey { grantee: name(reader), securable, permission: Permission::Select };
        graph.grants.insert(key, Grant::wanted(GrantState::Grant));
        graph
    }

    #[test]
    fn how_somebody_can_be_tried_is_known_by_kind_and_fixed_roles() {
        let graph = graph("all");
        let of =
            |who: &str, roles: &[&str]| footing(name(who), &graph, &roles.iter().map(|r| name(r)).collect());
        assert_eq!(of("ann", &["reader"]), Footing::Person);
        assert_eq!(of("ann", &["reader", "db_datawriter"]), Footing::FixedRole);
        assert_eq!(of("ann", &["db_datawriter", "db_owner"]), Footing::Administers);
        assert_eq!(of("sales", &["db_datawriter"]), Footing::Group);
        assert_eq!(of("nobody", &[]), Footing::NotYet);
    }

    #[test]
    fn a_canary_has_the_roles_of_a_group_that_reads_by_a_role_and_no_fixed_one() {
        let by = |reader: &str| {
            let graph = graph(reader);
            stands_in(view(), name("sales"), &graph, &Memberships::of(&graph))
        };
        let reader = ProbeReader::Canary(BTreeSet::from([name("reader")]));
        // Also by a role of its role.
        assert_eq!((by("reader"), by("all")), (By::Reading(reader.clone()), By::Reading(reader)));
        assert_eq!(by("sales"), By::Not(BY_OWN_GRANT));
    }
}
