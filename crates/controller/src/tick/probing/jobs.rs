//! Who reads which view for a probe: one person of each class, whose roles and profile are in the target as the map has them.

use std::collections::{BTreeMap, BTreeSet};

use axon_mapping::target::TargetSpec;
use axon_mapping::views::Compiled;
use axon_model::SqlName;
use axon_reconcile::secure::{Memberships, ProbeCase, Standing, classes, readers};
use axon_reconcile::view_body::ViewBody;
use axon_reconcile::{Connect, Graph, ObjectName, PrincipalKind, ProfileRow, ViewText, ViewsThere};

use crate::tick::Ticker;

/// One view to be read as one reader.
#[derive(Debug, Clone)]
pub(in crate::tick) struct Job {
    pub(in crate::tick) view: ObjectName,
    /// The digest of its text.
    pub(in crate::tick) digest: String,
    pub(in crate::tick) reader: SqlName,
    /// How many readers are of the class.
    pub(in crate::tick) readers: usize,
    pub(in crate::tick) case: ProbeCase,
}

/// A view that is not asked, and why.
pub(super) type Waits = Vec<(ObjectName, &'static str)>;

/// Views whose text is in force, each with the digest of it.
#[derive(Default)]
struct InForce {
    bodies: Vec<ViewBody>,
    digests: Vec<String>,
    waits: Waits,
}

/// Who reads each view by the map, and what those are who can be read as.
#[derive(Default)]
struct People {
    readers: BTreeMap<ObjectName, BTreeSet<SqlName>>,
    standings: BTreeMap<SqlName, Standing>,
}

/// Whether somebody can be read as: a user of the directory who may enter and holds no fixed role.
fn plain(name: SqlName, graph: &Graph, roles: &BTreeSet<SqlName>) -> bool {
    let enters = graph
        .principals
        .get(&name)
        .is_some_and(|there| there.kind == PrincipalKind::External && there.connect != Connect::Denied);
    let fixed = |role: &SqlName| graph.roles.get(role).is_some_and(|role| role.fixed);
    enters && !roles.iter().any(fixed)
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
        let acts = |name: SqlName| there.acting.keys().any(|(actor, _)| *actor == name);
        let mut jobs = Vec::new();
        for class in classes(&bodies, &|view| of_view(view).clone(), &people.standings) {
            let (Some(body), Some(digest)) = (bodies.get(class.view), digests.get(class.view)) else {
                continue;
            };
            let mut others = of_view(body.name).iter().copied().filter(|name| *name != class.reader);
            let other = others.next().filter(|_| !acts(class.reader));
            let standing = Some(class.standing);
            let case = ProbeCase { body: body.clone(), standing, hidden: hidden(body, there), other };
            jobs.push(Job {
                view: body.name,
                digest: digest.clone(),
                reader: class.reader,
                readers: class.readers,
                case,
            });
        }
        let asked: BTreeSet<ObjectName> = jobs.iter().map(|job| job.view).collect();
        let unread = bodies.iter().map(|body| body.name).filter(|view| !asked.contains(view));
        waits.extend(unread.map(|view| (view, "nobody reads it who can be read as")));
        let memberships = Memberships::of(graph);
        jobs.extend(bodies.iter().zip(&digests).filter_map(|(body, digest)| {
            let reader = stranger(body, graph, &memberships, of_view(body.name))?;
            let case = ProbeCase { body: body.clone(), standing: None, hidden: None, other: None };
            Some(Job { view: body.name, digest: digest.clone(), reader, readers: 0, case })
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

    /// People of whom the target does not yet hold what the map asks for stand for nobody.
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
        let one = |body: &ViewBody| (body.name, readers(wanted, &BTreeSet::from([body.name])));
        let mut people = People { readers: bodies.iter().map(one).collect(), ..People::default() };
        let (by_map, in_fact) = (Memberships::of(wanted), Memberships::of(graph));
        let asked = |roles: &BTreeSet<SqlName>| -> BTreeSet<SqlName> {
            roles.intersection(&compiled.needs.roles).copied().collect()
        };
        let needs = spec.metadata.delimiters.map(|_| evaluator.profile_needs(&compiled.needs, directory));
        let all: BTreeSet<SqlName> = people.readers.values().flatten().copied().collect();
        for name in all {
            let roles = in_fact.roles_of(name);
            let wanted = asked(&by_map.roles_of(name));
            let Some(written) = self.views.written_profile(name) else { continue };
            if wanted != asked(&roles) || !plain(name, graph, &roles) {
                continue;
            }
            let rows: BTreeSet<ProfileRow> = match &needs {
                // One string: what it was made of. Whoever has none is known to nobody.
                Some(needs) if !written.is_empty() => evaluator.profile(directory, name, needs),
                _ => written.clone(),
            };
            let mut standing = Standing::of(name, &Memberships::default(), &rows);
            standing.roles = wanted;
            people.standings.insert(name, standing);
        }
        people
    }
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
        !by_map.contains(name) && !in_fact.contains(name) && plain(*name, graph, &memberships.roles_of(*name))
    })
}
