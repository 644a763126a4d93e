//! A place of assigned roles behind the port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axon_model::SqlName;
use axon_reconcile::{
    Graph, InspectScope, Inspection, Outcome, Refusal, RefusalKind, Seen as Shown, Shape, Step, Target,
    TargetError, TargetFacts, Wave,
};
use time::{Duration, OffsetDateTime};
use tracing::Instrument as _;

use super::Notes;
use super::picture::{Picture, Seen};
use super::place::{Definitions, Listing, Place, RoleAt, Row, Sent};
use super::roster::{Roster, Who, look_up};
use crate::entra::{Entra, Entry, ServiceIds};
use crate::guid::Guid;
use crate::service::{Kind, ServiceFault};
use crate::wire::WireError;

/// How long a list of definitions is believed.
const DEFINED: Duration = Duration::minutes(10);
/// So many principals are read back one by one; more are read with all rows.
const ONE_BY_ONE: usize = 4;
/// So many assignments are asked about at a look, whether they have effect.
const ASKED: usize = 20;
/// How long it is waited for an effect before somebody is told that it is late.
const LATE: Duration = Duration::minutes(15);

/// A place of assigned roles as a target.
pub struct AssignedTarget {
    name: String,
    place: Box<dyn Place>,
    entra: Option<Arc<Entra>>,
    /// What the role map says of service identities, by their names.
    services: BTreeMap<SqlName, ServiceIds>,
    memory: Mutex<Memory>,
    /// One call at a time: what a look learns is what the next step needs.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Memory {
    roster: Roster,
    definitions: Option<(Definitions, Notes, OffsetDateTime)>,
    listing: Option<Listing>,
    /// The rows were read a moment ago, and only the names for them are new.
    renamed: bool,
    roles: BTreeMap<SqlName, RoleAt>,
    principals: BTreeMap<SqlName, Guid>,
    /// What was assigned and had no effect yet at the last look.
    settling: Vec<(Row, String, OffsetDateTime)>,
}

impl AssignedTarget {
    pub(crate) fn new(name: &str, place: Box<dyn Place>, entra: Option<Arc<Entra>>) -> Self {
        Self {
            name: name.to_owned(),
            place,
            entra,
            services: BTreeMap::new(),
            memory: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The same, with what the role map says of service identities: their names, client ids and object ids.
    #[must_use]
    pub fn with_services(mut self, services: impl IntoIterator<Item = (SqlName, ServiceIds)>) -> Self {
        self.services = services.into_iter().collect();
        self
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> OffsetDateTime {
        self.place.service().clock.now()
    }

    async fn definitions(&self) -> Result<(Definitions, Notes), ServiceFault> {
        let now = self.now();
        if let Some((definitions, notes, at)) = &self.memory().definitions
            && now - *at < DEFINED
        {
            return Ok((definitions.clone(), notes.clone()));
        }
        let (definitions, notes) = self.place.definitions().await?;
        self.memory().definitions = Some((definitions.clone(), notes.clone(), now));
        Ok((definitions, notes))
    }

    async fn listing(&self) -> Result<Listing, ServiceFault> {
        let kept = {
            let mut memory = self.memory();
            if std::mem::take(&mut memory.renamed) { memory.listing.clone() } else { None }
        };
        match kept {
            Some(listing) => Ok(listing),
            None => self.place.rows(None).await,
        }
    }

    /// Who the rows' principals are, of whom the role map does not speak.
    async fn entries(&self, listing: &Listing) -> (Option<BTreeMap<Guid, Option<Entry>>>, Option<String>) {
        let Some(entra) = &self.entra else { return (None, None) };
        let ids: BTreeSet<Guid> = {
            let memory = self.memory();
            let rows = listing.rows.iter().map(|row| row.principal);
            let all = rows
                .chain(listing.inherited_administrators.iter().copied())
                .chain(self.place.service().own());
            all.filter(|id| memory.roster.name_of(*id).is_none()).collect()
        };
        if ids.is_empty() {
            return (Some(BTreeMap::new()), None);
        }
        match entra.by_ids(&ids).await {
            Ok(entries) => (Some(entries), None),
            Err(fault) => (None, Some(format!("who holds roles here is known by object id only: {fault}"))),
        }
    }

    async fn look(&self) -> Result<Inspection, ServiceFault> {
        let (definitions, notes) = self.definitions().await?;
        let listing = self.listing().await?;
        let (entries, unknown) = self.entries(&listing).await;
        self.settle(&definitions).await;
        let mut memory = self.memory();
        let picture = Picture::of(&Seen {
            place: self.place.as_ref(),
            definitions: &definitions,
            listing: &listing,
            roster: &memory.roster,
            entries: entries.as_ref(),
            own: self.place.service().own(),
        });
        memory.roles = picture.roles;
        memory.principals = picture.principals;
        memory.listing = Some(listing);
        drop(memory);
        let mut told = notes;
        if let Some(why) = unknown {
            told.add(why);
        }
        if picture.own.is_none() {
            told.add(
                "the token does not say who Axon is here: its own roles are not told from others'".into(),
            );
        }
        told.extend(picture.notes);
        let nobody = || SqlName::parse("(Axon)").map_err(|e| ServiceFault::Unreadable(e.to_string()));
        Ok(Inspection {
            graph: picture.graph,
            shape: Shape::default(),
            facts: TargetFacts {
                version: self.place.title(),
                engine_edition: 0,
                own_principal: picture.own.map_or_else(nobody, Ok)?,
                administrators: picture.administrators,
            },
            unseen: told.into_lines(),
        })
    }

    /// Asks of what was assigned whether it has effect by now.
    async fn settle(&self, definitions: &Definitions) {
        let waiting: Vec<Row> =
            self.memory().settling.iter().take(ASKED).map(|(row, ..)| row.clone()).collect();
        for row in waiting {
            match self.place.in_effect(&row, definitions).await {
                Ok(Some(false)) => {}
                Ok(Some(true) | None) => self.memory().settling.retain(|(other, ..)| *other != row),
                Err(fault) => {
                    tracing::debug!(target.name = %self.name, error = %fault, "whether a role has effect is not known");
                    return;
                }
            }
        }
    }

    /// One step: what was sent, and what came of it.
    async fn step(&self, step: &Step, definitions: &Definitions) -> Outcome {
        let began = std::time::Instant::now();
        let sent = match step {
            Step::AddMember { role, member } => match self.to_add(*role, *member) {
                Ok((at, who)) => {
                    let sent = self.place.put(&at, &who).await;
                    self.added(&sent, step, definitions);
                    vec![sent]
                }
                Err(refusal) => return Outcome::Refused { statements: Vec::new(), refusal },
            },
            Step::DropMember { role, member } => {
                let mut sent = Vec::new();
                for row in self.to_drop(*role, *member) {
                    let one = self.place.delete(&row).await;
                    if one.result.is_ok()
                        && let Some(listing) = &mut self.memory().listing
                    {
                        listing.rows.retain(|other| other.id != row.id);
                    }
                    let failed = one.result.is_err();
                    sent.push(one);
                    if failed {
                        break;
                    }
                }
                sent
            }
            Step::CreateRole { name } => {
                let sent = self.place.define(*name).await;
                self.memory().definitions = None;
                vec![sent]
            }
            Step::DropRole { name } => {
                let at = self.memory().roles.get(name).cloned();
                let Some(at) = at else {
                    let message = format!("there is no role {name} here");
                    let refusal = Refusal { kind: RefusalKind::Missing, number: 0, message };
                    return Outcome::Refused { statements: Vec::new(), refusal };
                };
                let sent = self.place.undefine(&at).await;
                self.memory().definitions = None;
                vec![sent]
            }
            other => {
                let text = format!("\"{}\" is nothing that a place of assigned roles can do", other.kind());
                let refusal = Refusal { kind: RefusalKind::Unsupported, number: 0, message: text };
                return Outcome::Refused { statements: Vec::new(), refusal };
            }
        };
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        outcome(sent, micros)
    }

    fn to_add(&self, role: SqlName, member: SqlName) -> Result<(RoleAt, Who), Refusal> {
        let memory = self.memory();
        let missing = |kind, message: String| Refusal { kind, number: 0, message };
        let at = memory
            .roles
            .get(&role)
            .ok_or_else(|| missing(RefusalKind::Missing, format!("there is no role {role} here")))?;
        let who =
            memory.roster.who(member).cloned().unwrap_or_else(|| Err(format!("{member} is not known here")));
        Ok((at.clone(), who.map_err(|why| missing(RefusalKind::DirectoryUnknown, why))?))
    }

    /// Rows of exactly this role, scope and principal: a filter of the service may give more.
    fn to_drop(&self, role: SqlName, member: SqlName) -> Vec<Row> {
        let memory = self.memory();
        let (Some(at), Some(id)) = (memory.roles.get(&role), memory.principals.get(&member)) else {
            return Vec::new();
        };
        let rows = memory.listing.iter().flat_map(|listing| &listing.rows);
        rows.filter(|row| row.role == at.role && row.scope == at.scope && row.principal == *id)
            .cloned()
            .collect()
    }

    fn added(&self, sent: &Sent, step: &Step, definitions: &Definitions) {
        let now = self.now();
        let mut memory = self.memory();
        match &sent.result {
            Ok(Some(row)) => {
                let listing = memory.listing.get_or_insert_default();
                listing.rows.retain(|other| other.id != row.id);
                listing.rows.push(row.clone());
                if definitions.of(row.role).is_some() {
                    memory.settling.push((row.clone(), step.to_string(), now));
                }
            }
            Err(fault) if fault.kind() == Some(Kind::NoPrincipal) => {
                if let (Step::AddMember { member, .. }, Some(entra)) = (step, &self.entra) {
                    if let Some(Ok(who)) = memory.roster.who(*member) {
                        entra.forget(who.id);
                    }
                    memory.roster.doubt(*member);
                }
            }
            Ok(None) | Err(_) => {}
        }
    }

    /// The rows of everybody whom these steps concern, read anew.
    async fn read_again(&self, steps: &[Step]) -> Result<(), ServiceFault> {
        let ids: BTreeSet<Guid> = {
            let memory = self.memory();
            let members = steps.iter().filter_map(|step| match step {
                Step::AddMember { member, .. } | Step::DropMember { member, .. } => Some(member),
                _ => None,
            });
            members.filter_map(|name| memory.principals.get(name).copied()).collect()
        };
        if ids.len() > ONE_BY_ONE {
            let listing = self.place.rows(None).await?;
            self.memory().listing = Some(listing);
            return Ok(());
        }
        for id in ids {
            let found = self.place.rows(Some(id)).await?;
            let mut memory = self.memory();
            let listing = memory.listing.get_or_insert_default();
            listing.rows.retain(|row| row.principal != id);
            listing.rows.extend(found.rows.into_iter().filter(|row| row.principal == id));
        }
        Ok(())
    }

    async fn see(&self, steps: &[Step]) -> Result<Vec<Shown>, ServiceFault> {
        self.read_again(steps).await?;
        let (definitions, _) = self.definitions().await?;
        let there = |role: SqlName, member: SqlName| !self.to_drop(role, member).is_empty();
        let seen = steps.iter().map(|step| {
            let so = match step {
                Step::AddMember { role, member } => there(*role, *member),
                Step::DropMember { role, member } => !there(*role, *member),
                Step::CreateRole { name } => self.place.is_as_defined(*name, &definitions) == Some(true),
                Step::DropRole { name } => {
                    let at = self.memory().roles.get(name).cloned();
                    at.is_none_or(|at| definitions.of(at.role).is_none())
                }
                _ => false,
            };
            if so { Shown::InForce } else { Shown::NotInForce }
        });
        Ok(seen.collect())
    }
}

/// What came of the requests of one step.
fn outcome(sent: Vec<Sent>, micros: u64) -> Outcome {
    let statements: Vec<String> = sent.iter().map(|one| one.statement.clone()).collect();
    match sent.into_iter().find_map(|one| one.result.err()) {
        None => Outcome::Done { statements, micros },
        Some(ServiceFault::Wire(WireError::Unreachable { host, reason })) => {
            Outcome::Unknown { statements: Vec::new(), reason: format!("{host} cannot be reached: {reason}") }
        }
        // It may have been done: the rows tell.
        Some(fault @ (ServiceFault::Wire(_) | ServiceFault::Unreadable(_))) => {
            Outcome::Unknown { statements, reason: fault.to_string() }
        }
        Some(fault) => Outcome::Refused { statements, refusal: fault.refusal() },
    }
}

#[async_trait]
impl Target for AssignedTarget {
    /// All is read whatever is asked for: lists have no filter by name.
    async fn inspect(&self, _scope: InspectScope) -> Result<Inspection, TargetError> {
        let _turn = self.turn.lock().await;
        let span = tracing::info_span!("azure.inspect", target.name = %self.name);
        self.look()
            .instrument(span)
            .await
            .map_err(|fault| fault.at(&self.name, "the list of role assignments"))
    }

    async fn introduce(&self, desired: &Graph) -> Result<bool, TargetError> {
        let _turn = self.turn.lock().await;
        let now = self.now();
        let Some(wanted) = self.memory().roster.lacks(desired, now) else { return Ok(false) };
        let found = look_up(self.entra.as_ref(), &self.services, &wanted, now).await;
        let mut memory = self.memory();
        let changed = memory.roster.take(desired, wanted, found);
        memory.renamed = changed && memory.listing.is_some();
        Ok(changed)
    }

    fn settling(&self) -> Vec<String> {
        let now = self.now();
        let told = |(_, what, since): &(Row, String, OffsetDateTime)| {
            let minutes = (now - *since).whole_minutes();
            let late = if now - *since >= LATE { ": later than Azure says it takes" } else { "" };
            format!("{what} is configured and has no effect yet, for {minutes} min{late}")
        };
        self.memory().settling.iter().map(told).collect()
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        let _turn = self.turn.lock().await;
        let steps = wave.steps();
        let span = tracing::info_span!("azure.apply", target.name = %self.name, steps = steps.len());
        let mut outcomes = Vec::with_capacity(steps.len());
        let work = async {
            let definitions = match self.definitions().await {
                Ok((definitions, _)) => definitions,
                Err(fault) => {
                    let unsent = Sent { statement: String::new(), result: Err(fault) };
                    outcomes.push(outcome(vec![unsent], 0));
                    return;
                }
            };
            for step in steps {
                let outcome = self.step(step, &definitions).await;
                let goes_on = match &outcome {
                    Outcome::Done { .. } => true,
                    Outcome::Refused { refusal, .. } => refusal.kind == RefusalKind::AlreadyThere,
                    Outcome::Unknown { .. } | Outcome::NotTried => false,
                };
                outcomes.push(outcome);
                if !goes_on {
                    break;
                }
            }
        };
        work.instrument(span).await;
        outcomes.resize(steps.len(), Outcome::NotTried);
        outcomes
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Shown>, TargetError> {
        let _turn = self.turn.lock().await;
        let span =
            tracing::info_span!("azure.read_back", target.name = %self.name, steps = wave.steps().len());
        self.see(wave.steps()).instrument(span).await.map_err(|fault| fault.at(&self.name, "the read-back"))
    }
}
