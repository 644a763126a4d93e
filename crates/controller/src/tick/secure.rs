//! Secure views of a target: what the map says they are, what people's profiles must hold, and the steps to both.

mod after;
mod keys;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::acting::{ActingBy, ActingThere, named_sessions};
use axon_mapping::evaluator::ProfileNeeds;
use axon_mapping::target::{Endpoint, TargetSpec};
use axon_mapping::views::{Compiled, LeftOut, Profile, asked, of_target};
use axon_mapping::{Evaluator, RoleMap};
use axon_model::{Directory, RecordSeq, SqlName, UserId};
use axon_reconcile::secure::{
    Around, Metadata, TableFilter, ViewsWanted, Ways, acting_steps, apart, diff, lets_read, opened,
    profile_steps, put_into, puts_on, readers, reading_roles,
};
use axon_reconcile::{
    Connect, Finding, Grant, GrantKey, Graph, Membership, ObjectName, Plan, ProfileRow, SecureStep, Shape,
    Step, ViewBody, ViewsAsked, ViewsThere,
};
use axon_store::Store;
use axon_store::integrations::{IntegrationBody, IntegrationStatus};
use time::{Duration, OffsetDateTime};

use super::Ticker;
use super::decide::May;
use crate::error::ControllerError;
use crate::stirred::{Looked, Stirred};
use after::after;
use keys::Keys;
pub use keys::{accept_key, known_keys};

/// Ids of sessions begin anew after a pause: so often it is asked whether one that somebody may read in still is the one that was meant.
const SESSIONS_EVERY: Duration = Duration::seconds(30);

/// What a ticker keeps of views and profiles.
#[derive(Default)]
pub(super) struct Views {
    /// What was asked when the target was read.
    asked: Option<ViewsAsked>,
    compiled: Option<(Arc<RoleMap>, Arc<Compiled>)>,
    /// Accounts as which Axon works there: its own, and the one that an integration made for it.
    keepers: BTreeSet<SqlName>,
    /// What of those that stand is Axon's own by the map.
    ours: BTreeSet<ObjectName>,
    /// Keys of hashes.
    keys: Keys,
    /// Up to where the directory was asked who is in groups that reach tables of views, where there are such groups.
    groups: Option<RecordSeq>,
    /// Whether views were as they ought to be when they were compared last.
    settled: bool,
    /// Whether nothing was to be done about them then, whatever else was found.
    done: bool,
    profiles: Profiles,
}

/// Both sides of people's profiles.
#[derive(Default)]
struct Profiles {
    needs: Option<ProfileNeeds>,
    looked: Option<Looked>,
    wanted: BTreeMap<SqlName, BTreeSet<ProfileRow>>,
    there: BTreeMap<SqlName, BTreeSet<ProfileRow>>,
    /// Whose sides may differ.
    open: BTreeSet<SqlName>,
    /// Whose profile cannot be written, and why.
    unwritable: BTreeMap<SqlName, String>,
    /// What is left out of profiles that are written.
    left_out: BTreeMap<SqlName, BTreeSet<LeftOut>>,
    /// Readers whose name several active people claim.
    contested: BTreeSet<SqlName>,
}

/// What is to be known of people now.
#[derive(Clone, Copy)]
struct Look<'a> {
    graph: &'a Graph,
    actual: &'a Graph,
    evaluator: &'a Evaluator,
    directory: &'a Directory,
    stirred: &'a Stirred,
}

impl Profiles {
    /// The target was read: everything is compared anew.
    fn read(&mut self, rows: BTreeSet<ProfileRow>) {
        self.there.clear();
        for row in rows {
            self.there.entry(row.principal).or_default().insert(row);
        }
        self.needs = None;
        self.open = self.there.keys().chain(self.wanted.keys()).copied().collect();
    }

    /// Brings what is wanted up to date: of those whom something changed of, and of those who came or went.
    fn follow(&mut self, compiled: &Compiled, metadata: &Metadata, look: Look<'_>) {
        let Look { graph, evaluator, directory, stirred, .. } = look;
        let views = compiled.bodies.iter().map(|body| body.name).collect();
        let readers = readers(graph, &views);
        let stir = stirred.since(self.looked.as_ref());
        // A release binds a name to another group, and stirs nobody.
        let needs = evaluator.profile_needs(&compiled.needs);
        let contested = contested(look, &views);
        let reads = |name: &SqlName| readers.contains(name) || contested.contains(name);
        let gone: Vec<SqlName> = self.wanted.keys().filter(|name| !reads(name)).copied().collect();
        for name in gone {
            self.wanted.remove(&name);
            self.unwritable.remove(&name);
            self.left_out.remove(&name);
            self.open.insert(name);
        }
        let stirred_names: Option<BTreeSet<SqlName>> = match stir {
            // Names of groups may stand for others now.
            Some(users) if self.needs.as_ref() == Some(&needs) => {
                Some(users.iter().filter_map(|user| evaluator.principal_of(*user)).collect())
            }
            _ => None,
        };
        let there = |name: &SqlName| self.there.get(name).cloned().unwrap_or_default();
        let kept: Vec<_> = contested
            .iter()
            .map(|name| {
                let asked = (&needs, metadata.delimiters);
                (*name, evaluator.kept_profile(directory, *name, asked, &there(name)))
            })
            .collect();
        let mut found = Vec::new();
        for name in readers {
            let same = stirred_names.as_ref().is_some_and(|names| !names.contains(&name));
            // Whose name is not contested any more is looked at anew, whoever let go of it.
            if same && self.wanted.contains_key(&name) && !self.contested.contains(&name) {
                continue;
            }
            found.push((name, evaluator.profile(directory, name, &needs).kept_by(metadata.delimiters)));
        }
        for (name, profile) in found.into_iter().chain(kept) {
            self.unwritable.remove(&name);
            self.left_out.remove(&name);
            let Profile { rows, left_out } = profile.unwrap_or_else(|refused| {
                self.unwritable.insert(name, refused.to_string());
                Profile::default()
            });
            if !left_out.is_empty() {
                self.left_out.insert(name, left_out);
            }
            if self.wanted.get(&name) != Some(&rows) {
                self.wanted.insert(name, rows);
                self.open.insert(name);
            }
        }
        self.contested = contested;
        self.needs = Some(needs);
        self.looked = Some(stirred.look());
    }

    /// By what of people views show nothing, though they ask for it.
    fn findings(&self) -> impl Iterator<Item = Finding> {
        let refused = self.unwritable.iter().map(|(principal, because)| Finding::ProfileRefused {
            principal: *principal,
            because: because.clone(),
        });
        let left_out = self.left_out.iter();
        refused.chain(left_out.flat_map(|(name, all)| all.iter().map(|one| one.of(*name))))
    }

    /// The steps from one side to the other.
    fn steps(&mut self, Metadata { schema, delimiters: by, .. }: Metadata) -> Vec<SecureStep> {
        let nothing = BTreeSet::new();
        self.open.retain(|name| {
            self.wanted.get(name).unwrap_or(&nothing) != self.there.get(name).unwrap_or(&nothing)
        });
        profile_steps(schema, by, &self.open, &self.there, &self.wanted)
    }

    /// Moves what is there by a step that the target shows.
    fn take_in(&mut self, step: &SecureStep) {
        match step {
            SecureStep::WriteProfile { principal, remove, add, .. } => {
                let rows = self.there.entry(*principal).or_default();
                rows.retain(|row| !remove.contains(row));
                rows.extend(add.iter().cloned());
            }
            SecureStep::FillProfiles { rows, .. } => {
                for row in rows {
                    self.there.entry(row.principal).or_default().insert(row.clone());
                }
            }
            SecureStep::DropProfiles { people, .. } => {
                for name in people {
                    self.there.remove(name);
                }
            }
            _ => {}
        }
    }
}

/// Readers whose name several active people claim: of what they have there they keep what one of the claimants would get, and so
/// with the rows of their profiles.
fn contested(look: Look<'_>, views: &BTreeSet<ObjectName>) -> BTreeSet<SqlName> {
    let Look { graph, actual, evaluator, .. } = look;
    // Inactive in one source is inactive: nothing is kept for such.
    let mut names = evaluator.shared_names().filter(|name| !evaluator.says_inactive(*name)).peekable();
    if names.peek().is_none() {
        return BTreeSet::new();
    }
    let reading = reading_roles(graph, views);
    let reads = |name: &SqlName| {
        let member = *name;
        let there = actual.principals.get(name).is_some_and(|there| there.connect == Connect::Granted);
        let keeps =
            |role: SqlName| reading.contains(&role) && actual.members.contains(&Membership { role, member });
        let stands = |(key, grant): (&GrantKey, &Grant)| {
            actual.grants.get(key).is_some_and(|there| there.state == grant.state)
                && lets_read(views, key, grant)
        };
        there
            && (evaluator.would_give(member).into_iter().any(keeps)
                || evaluator.would_stand(member).iter().any(stands))
    };
    names.filter(reads).collect()
}

/// Whether a step changes profiles only: then what the target shows of views stays what it was.
fn of_profiles(step: &SecureStep) -> bool {
    matches!(
        step,
        SecureStep::WriteProfile { .. } | SecureStep::FillProfiles { .. } | SecureStep::DropProfiles { .. }
    )
}

/// The integration that made a target ready, unless it was given up.
async fn integration_of(
    store: &dyn Store,
    spec: &TargetSpec,
) -> Result<Option<IntegrationBody>, ControllerError> {
    let Endpoint::Sql(server) = &spec.endpoint else { return Ok(None) };
    let place = IntegrationBody {
        host: server.host.clone(),
        port: server.port,
        database: server.database.clone(),
        ..IntegrationBody::default()
    }
    .place();
    let all = store.integrations().await.map_err(ControllerError::Store)?;
    let in_use = all.into_iter().filter(|one| one.status != IntegrationStatus::Disabled);
    Ok(in_use.map(|one| one.body).find(|body| body.place() == place))
}

/// Views that are Axon's own: those of the map, and those that left it and still are as Axon wrote them.
fn ours(compiled: &Compiled, there: &ViewsThere) -> BTreeSet<ObjectName> {
    let of_map = compiled.bodies.iter().map(|body| body.name).chain(compiled.closed.keys().copied());
    let left = there.views.iter().filter(|(_, found)| found.made && found.intact);
    of_map.chain(left.map(|(name, _)| *name)).collect()
}

/// The filter of a view's table.
fn filter_of<'c>(compiled: &'c Compiled, body: &ViewBody) -> Option<&'c TableFilter> {
    compiled.filters.iter().find(|filter| filter.table == body.from)
}

/// Who stands behind a principal that is there, as far as the directory tells.
fn who<'w>(
    graph: &'w Graph,
    people: Option<(&'w Evaluator, &'w Directory)>,
) -> impl Fn(SqlName) -> Option<BTreeSet<UserId>> + 'w {
    move |name| {
        let (evaluator, directory) = people?;
        evaluator.who(directory, name, graph.principals.get(&name)?)
    }
}

impl Views {
    /// What stands around the views of the target.
    fn around<'a>(&'a self, spec: &'a TargetSpec, shape: &'a Shape) -> Around<'a> {
        Around {
            metadata: &spec.metadata,
            schemas: &shape.schemas,
            objects: &shape.objects,
            ours: &self.ours,
            own: &self.keepers,
        }
    }

    /// Somebody's rows, where the target holds what it ought to hold of them.
    pub(super) fn written_profile(&self, name: SqlName) -> Option<&BTreeSet<ProfileRow>> {
        static NOTHING: BTreeSet<ProfileRow> = BTreeSet::new();
        let there = self.profiles.there.get(&name).unwrap_or(&NOTHING);
        (self.profiles.wanted.get(&name).unwrap_or(&NOTHING) == there).then_some(there)
    }

    /// The rows that somebody ought to have.
    pub(super) fn wanted_profile(&self, name: SqlName) -> &BTreeSet<ProfileRow> {
        static NOTHING: BTreeSet<ProfileRow> = BTreeSet::new();
        self.profiles.wanted.get(&name).unwrap_or(&NOTHING)
    }
}

impl Ticker {
    /// Whether nothing was to be done about views when they were compared last.
    pub(super) fn views_done(&self) -> bool {
        self.views.done
    }

    /// Groups of the target that reach the tables of these views and that the map accepts, each with the number of the view.
    pub(super) fn accepted_past(
        &self,
        spec: &TargetSpec,
        compiled: &Compiled,
        bodies: &[ViewBody],
    ) -> Vec<(usize, SqlName)> {
        let Some(known) = self.actual.as_ref().filter(|_| !spec.accept_groups.is_empty()) else {
            return Vec::new();
        };
        let ways = Ways::of(&known.inspection.graph, self.views.around(spec, &known.shape));
        let filtered = |filter: &&TableFilter| known.shape.filtered.contains(&filter.table);
        let past = |body: &ViewBody| ways.groups_past(body, filter_of(compiled, body).filter(filtered));
        let accepted = |(number, body)| {
            past(body)
                .into_iter()
                .filter(|group| spec.accept_groups.contains(group))
                .map(move |g| (number, g))
        };
        bodies.iter().enumerate().flat_map(accepted).collect()
    }

    /// What the views of the target are to be, once they were compiled.
    pub(super) fn compiled_views(&self) -> Option<Arc<Compiled>> {
        self.views.compiled.as_ref().map(|(_, compiled)| compiled.clone())
    }

    /// Reads what there is of views, where that is not known, and with it which tables are filtered: what may be given on a table
    /// hangs on that.
    pub(super) async fn read_views(
        &mut self,
        map: &Arc<RoleMap>,
        spec: &TargetSpec,
    ) -> Result<Option<Arc<Compiled>>, ControllerError> {
        let spec = &*self.as_it_is_there(spec);
        let Some(asked) = asked(map, spec) else {
            self.views = Views::default();
            self.take_in_views(BTreeSet::new(), BTreeMap::new());
            return Ok(None);
        };
        let Some(known) = &mut self.actual else { return Ok(None) };
        if known.views.is_none() || self.views.asked.as_ref() != Some(&asked) {
            let Some(mut there) = self.target.inspect_views(&asked).await? else { return Ok(None) };
            let now = self.clock.now();
            self.views.keys.look(self.store.as_ref(), self.name.as_str(), &there, now).await?;
            self.views.profiles.read(std::mem::take(&mut there.profile));
            self.views.compiled = None;
            self.views.settled = false;
            self.views.done = false;
            self.views.asked = Some(asked);
            known.views = Some(there);
        }
        let Some(there) = &known.views else { return Ok(None) };
        let compiled = match &self.views.compiled {
            Some((of, compiled)) if Arc::ptr_eq(of, map) => compiled.clone(),
            _ => {
                self.views.settled = false;
                let compiled = of_target(map, spec, there, &known.shape.schemas);
                let integration = integration_of(self.store.as_ref(), spec).await?;
                // A name that somebody wrote into an integration is nobody's proof: only as whom Axon was seen to enter.
                let account = integration.as_ref().and_then(|body| body.entered_as.as_deref());
                self.views.keepers = account.and_then(|name| SqlName::parse(name).ok()).into_iter().collect();
                self.views.keepers.insert(known.inspection.facts.own_principal);
                Arc::new(if integration.is_some() { compiled.of_integration() } else { compiled })
            }
        };
        self.views.compiled = Some((map.clone(), compiled.clone()));
        self.views.ours = ours(&compiled, there);
        let filtered = self.filtered(spec, &compiled).await;
        self.take_in_views(filtered, compiled.standing.clone());
        Ok(Some(compiled))
    }

    /// Tables on whose columns may be given: the filter is the map's, and nobody who reads them is let past it.
    async fn filtered(&self, spec: &TargetSpec, compiled: &Compiled) -> BTreeSet<ObjectName> {
        let Some((known, there)) =
            self.actual.as_ref().and_then(|known| Some((known, known.views.as_ref()?)))
        else {
            return BTreeSet::new();
        };
        if compiled.filters.is_empty() {
            return BTreeSet::new();
        }
        let graph = &known.inspection.graph;
        let ways = Ways::of(graph, self.views.around(spec, &known.shape));
        let world = self.world.lock().await;
        let people = world.people(&self.name).map(|(evaluator, directory, _)| (evaluator, directory));
        let (bodies, accepted) = (&compiled.bodies, &spec.accept_groups);
        let doubt = |filter: &TableFilter| {
            if people.is_some() {
                return ways.through_by_group(filter, bodies, accepted, &who(graph, people));
            }
            // Before anybody was looked at each may be anybody: where columns are closed none is given, and what stands is not taken
            // away for want of a look.
            let anybody = |_| Some(BTreeSet::from([()]));
            !opened(graph, filter.table) && ways.through_by_group(filter, bodies, accepted, &anybody)
        };
        let holds = |filter: &&TableFilter| {
            let shown = self.target.filter_shown(filter, &spec.metadata);
            let by = |shown| there.filtered(&spec.metadata, &known.shape.schemas, filter.table, &shown);
            shown.is_some_and(by) && !ways.through(filter, &compiled.bodies) && !doubt(filter)
        };
        compiled.filters.iter().filter(holds).map(|filter| filter.table).collect()
    }

    fn take_in_views(
        &mut self,
        filtered: BTreeSet<ObjectName>,
        standing: BTreeMap<ObjectName, Option<ObjectName>>,
    ) {
        let same = |shape: &Shape| shape.filtered == filtered && shape.standing == standing;
        let Some(known) = self.actual.as_mut().filter(|known| !same(&known.shape)) else {
            return;
        };
        known.shape = Arc::new(Shape { filtered, standing, ..(*known.shape).clone() });
        // Everybody's side may be another one now.
        known.near = None;
        self.views.settled = false;
    }

    /// When sessions are looked at again, while a permission holds in one of them. A tick asks for those alone, unless the target is to be
    /// read whole.
    pub(super) fn next_look_at_sessions(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let there = self.actual.as_ref()?.views.as_ref()?;
        there.acting.values().any(|window| window.session.is_some()).then(|| now + SESSIONS_EVERY)
    }

    /// The target of the map, with what the pool itself decides of how people read as others in it.
    pub(super) fn as_it_is_there<'s>(&self, spec: &'s TargetSpec) -> Cow<'s, TargetSpec> {
        if spec.metadata.impersonation.is_none() || !self.target.acts_by_session() {
            return Cow::Borrowed(spec);
        }
        let mut spec = spec.clone();
        spec.metadata.by_session = true;
        Cow::Owned(spec)
    }

    /// The steps from the views that stand to those of the map with what none of them brings about, and whether a group reaches a
    /// table of theirs.
    fn compare(
        &self,
        spec: &TargetSpec,
        compiled: &Compiled,
        plan: &Plan,
        people: Option<(&Evaluator, &Directory)>,
        now: OffsetDateTime,
    ) -> ((Vec<SecureStep>, Vec<Finding>), bool) {
        let Some((known, there)) =
            self.actual.as_ref().and_then(|known| Some((known, known.views.as_ref()?)))
        else {
            return Default::default();
        };
        let (target, blocked) = (&self.target, &self.blocked);
        let refused = |step: &SecureStep| blocked.words(&Step::Secure(step.clone()), now);
        let graph = &known.inspection.graph;
        let taken = |name| graph.principals.contains_key(&name) || graph.roles.contains_key(&name);
        let mut filtered = there.filtered_somehow(&spec.metadata, &known.shape.schemas);
        filtered.extend(&known.shape.filtered);
        let ways = Ways::of(graph, self.views.around(spec, &known.shape));
        let filter_of =
            |body: &ViewBody| filter_of(compiled, body).filter(|filter| filtered.contains(&filter.table));
        // Whoever would read a view and reach past it counts as one who does.
        let planned = after(graph, plan);
        let then = planned.as_ref().map(|planned| {
            let ways = |graph| (graph, Ways::of(graph, self.views.around(spec, &known.shape)));
            planned.as_ref().map(ways)
        });
        let past_in = |graph: &Graph, ways: &Ways<'_>, body: &ViewBody| {
            let by_group =
                || ways.past_by_group(body, filter_of(body), &spec.accept_groups, &who(graph, people));
            ways.past(body, filter_of(body)).or_else(by_group)
        };
        let wanted = ViewsWanted {
            metadata: spec.metadata,
            bodies: &compiled.bodies,
            closed: &compiled.closed,
            schemas: &known.shape.schemas,
            taken: &taken,
            digest: &|text| target.view_digest(text, &spec.metadata),
            past: &|body| {
                let would = || match &then {
                    None => None,
                    Some(Ok((graph, ways))) => past_in(graph, ways, body),
                    Some(Err(because)) => Some((*because).clone()),
                };
                past_in(graph, &ways, body).or_else(would)
            },
            refused: &refused,
            keys: &self.views.keys.faults,
            filters: &compiled.filters,
            kept: &compiled.kept,
            shown: &|filter| target.filter_shown(filter, &spec.metadata),
            opened: &|table| opened(graph, table),
        };
        let reached = compiled.bodies.iter().any(|body| ways.asks_who(body, filter_of(body)));
        (diff(&wanted, there), reached)
    }

    /// Puts the steps that views need into a plan about permissions.
    pub(super) async fn add_views(
        &mut self,
        map: &Arc<RoleMap>,
        spec: &TargetSpec,
        plan: &mut Plan,
        may: May,
        now: OffsetDateTime,
    ) -> Result<(), ControllerError> {
        let spec = &*self.as_it_is_there(spec);
        // Read already, but where the target was inspected anew meanwhile.
        let Some(compiled) = self.read_views(map, spec).await? else { return Ok(()) };
        let Some(known) = &self.actual else { return Ok(()) };
        let Some(there) = &known.views else { return Ok(()) };
        let mut findings: Vec<Finding> = Vec::new();
        let mut steps = Vec::new();
        let world = self.world.lock().await;
        let people = world.people(&self.name).map(|(evaluator, directory, _)| (evaluator, directory));
        let position = people.map(|(_, directory)| directory.position());
        // Somebody may have joined or left a group that reaches a table, and whom the plan lets in is looked at before it does.
        if self.views.groups.is_some() && self.views.groups != position || !plan.steps.is_empty() {
            self.views.settled = false;
        }
        if !self.views.settled {
            let (compared, reached) = self.compare(spec, &compiled, plan, people, now);
            (steps, findings) = compared;
            self.views.groups = position.filter(|_| reached);
            self.views.done = steps.is_empty();
            self.views.settled = steps.is_empty() && findings.is_empty();
        }
        drop(world);
        let unread = there.managed.is_empty() && compiled.bodies.is_empty();
        let live = if spec.metadata.by_session {
            let named = named_sessions(self.world.lock().await.beside().requests(), spec.name.as_str(), now);
            Some(self.target.live_sessions(&named).await?)
        } else {
            None
        };
        let world = self.world.lock().await;
        if let Some((evaluator, directory, stirred)) = world.people(&self.name).filter(|_| !unread) {
            let actual = &known.inspection.graph;
            let look = Look { graph: evaluator.graph(), actual, evaluator, directory, stirred };
            self.views.profiles.follow(&compiled, &spec.metadata, look);
            let mut written = self.views.profiles.steps(spec.metadata);
            if may == May::Take || self.probing.freezes() {
                written = apart(written);
            }
            steps.extend(written);
        }
        let acting = world.people(&self.name).filter(|_| spec.metadata.impersonation.is_some());
        let acting = acting.map(|(evaluator, directory, _)| {
            let by = match &live {
                None => ActingBy::Context,
                Some(None) => ActingBy::Blind,
                Some(Some(live)) => ActingBy::Session(live),
            };
            let graph = &known.inspection.graph;
            let place = ActingThere { graph, roles: &compiled.needs.roles, by, standing: &there.acting };
            evaluator.acting(directory, world.beside().requests(), &place, now)
        });
        drop(world);
        let acting = acting.unwrap_or_default();
        steps.extend(acting_steps(spec.metadata.schema, &there.acting, &acting.windows));
        findings.extend(
            acting
                .waiting
                .into_iter()
                .map(|(request, because)| Finding::ActsAsNobody { request: request.to_string(), because }),
        );
        if spec.metadata.impersonation.is_some() {
            findings.extend(puts_on(&known.inspection.graph, &self.views.keepers));
        }
        findings.extend(self.views.profiles.findings());
        put_into(plan, steps, findings, &known.inspection.graph);
        Ok(())
    }

    /// Moves what is known by a step about views that the target shows.
    pub(super) fn take_in_secure(&mut self, step: &SecureStep) {
        if of_profiles(step) {
            self.views.profiles.take_in(step);
        } else {
            if let SecureStep::CreateKey { id, .. } = step {
                self.views.keys.made(id);
            }
            // Permissions may be given on it now: the target is read anew.
            self.actual = None;
        }
    }
}
