//! A place of assigned roles behind the port.

mod remember;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axon_model::SqlName;
use axon_reconcile::{
    Graph, InspectScope, Inspection, Membership, Outcome, RefusalKind, Seen as Shown, Shape, Target,
    TargetError, TargetFacts, Wave,
};
use time::{Duration, OffsetDateTime};
use tracing::Instrument as _;

use super::Notes;
use super::memo::Memo;
use super::pages::Pages;
use super::picture::{Picture, Seen};
use super::place::{Definitions, Listing, Place, RoleAt, Sent};
use super::roster::{Roster, look_up};
use super::settling::Settling;
use crate::entra::{Entra, Entry, ServiceIds};
use crate::guid::Guid;
use crate::service::{Kind, ServiceFault};
use steps::outcome;

/// How long a list of definitions is believed.
const DEFINED: Duration = Duration::minutes(10);
/// How long a list that was read is good for other names of the same rows.
const FRESH: Duration = Duration::minutes(1);

/// A place of assigned roles as a target.
pub struct AssignedTarget {
    name: String,
    place: Box<dyn Place>,
    entra: Option<Arc<Entra>>,
    /// What the role map says of service identities, by their names.
    services: BTreeMap<SqlName, ServiceIds>,
    memory: Mutex<Memory>,
    /// Where it is written down what another process has to know.
    memo: Option<Arc<dyn Memo>>,
    /// One call at a time: what a look learns is what the next step needs.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Memory {
    roster: Roster,
    definitions: Option<(Definitions, Notes, OffsetDateTime)>,
    listing: Option<Listing>,
    /// The pages of that list, where all that belongs to it was read and nothing was changed since.
    pages: Option<Pages>,
    read: Option<OffsetDateTime>,
    /// The rows were read a moment ago, and only the names for them are new.
    renamed: bool,
    roles: BTreeMap<SqlName, RoleAt>,
    principals: BTreeMap<SqlName, Guid>,
    /// Names that rows of deleted principals have in the last picture.
    orphans: BTreeSet<SqlName>,
    settling: Settling,
    /// Who is who, as it was written down last, and when.
    noted: Option<(u64, OffsetDateTime)>,
}

impl AssignedTarget {
    pub(crate) fn new(name: &str, place: Box<dyn Place>, entra: Option<Arc<Entra>>) -> Self {
        Self {
            name: name.to_owned(),
            place,
            entra,
            services: BTreeMap::new(),
            memory: Mutex::default(),
            memo: None,
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The same, with what the role map says of service identities: their names, client ids and object ids.
    #[must_use]
    pub fn with_services(mut self, services: impl IntoIterator<Item = (SqlName, ServiceIds)>) -> Self {
        self.services = services.into_iter().collect();
        self
    }

    /// The same, with a place where it writes down what another process has to know.
    #[must_use]
    pub fn with_memo(mut self, memo: Arc<dyn Memo>) -> Self {
        self.memo = Some(memo);
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

    /// The rows, and whether they were read for this.
    async fn listing(&self) -> Result<(Listing, bool), ServiceFault> {
        let kept = {
            let mut memory = self.memory();
            if std::mem::take(&mut memory.renamed) { memory.listing.clone() } else { None }
        };
        if let Some(listing) = kept {
            return Ok((listing, false));
        }
        self.memory().pages = None;
        Ok((self.place.rows(None).await?, true))
    }

    /// Who the rows' principals are, of whom the role map does not speak.
    async fn entries(
        &self,
        listing: &Listing,
    ) -> Result<Option<BTreeMap<Guid, Option<Entry>>>, ServiceFault> {
        let Some(entra) = &self.entra else { return Ok(None) };
        let ids: BTreeSet<Guid> = {
            let memory = self.memory();
            let rows = listing.rows.iter().map(|row| row.principal);
            let all = rows
                .chain(listing.inherited_administrators.iter().copied())
                .chain(self.place.service().own());
            all.filter(|id| memory.roster.name_of(*id).is_none()).collect()
        };
        if ids.is_empty() {
            return Ok(Some(BTreeMap::new()));
        }
        entra.by_ids(&ids).await.map(Some)
    }

    async fn look(&self) -> Result<Inspection, ServiceFault> {
        let (definitions, notes) = self.definitions().await?;
        let (mut listing, read) = self.listing().await?;
        let pages = std::mem::take(&mut listing.pages);
        let (entries, unknown) = match self.entries(&listing).await {
            Ok(entries) => (entries, None),
            Err(fault) => (None, Some(fault)),
        };
        self.recall().await;
        self.try_to_settle().await;
        let now = self.now();
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
        memory.orphans = picture.orphans;
        if read {
            // Graph is asked again soon where it gave no answer, and not where it never does.
            let answered = unknown.as_ref().is_none_or(|fault| fault.kind() == Some(Kind::Forbidden));
            memory.pages = answered.then(|| Pages::new(pages, now));
            memory.read = Some(now);
            memory.settling.only(&listing.rows, now);
        } else {
            memory.settling.saw(&listing.rows);
        }
        memory.listing = Some(listing);
        drop(memory);
        let mut told = notes;
        if let Some(fault) = unknown {
            told.add(format!("who holds roles here is known by object id only: {fault}"));
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

    /// Reads one page and compares it with what stood there.
    async fn reads_as_before(&self) -> Result<bool, ServiceFault> {
        let now = self.now();
        let from = match &self.memory().pages {
            Some(pages) if pages.are_believed(now) => pages.from().map(str::to_owned),
            _ => return Ok(false),
        };
        let seen = self.place.page(from.as_deref()).await;
        let mut memory = self.memory();
        let same = match seen {
            Ok(seen) => memory.pages.as_mut().is_some_and(|pages| pages.reads_as_before(seen)),
            // What led there may be too old: the whole list tells.
            Err(ServiceFault::Refused { .. } | ServiceFault::Unreadable(_)) if from.is_some() => false,
            Err(fault) => {
                memory.pages = None;
                return Err(fault);
            }
        };
        if !same {
            memory.pages = None;
        }
        Ok(same)
    }

    /// Asks of what was assigned whether it has effect by now, where it is time for that.
    async fn ask_for_effect(&self) -> Result<(), ServiceFault> {
        let now = self.now();
        let due = self.memory().settling.due(now);
        if due.is_empty() {
            return Ok(());
        }
        let known = self.memory().definitions.as_ref().map(|(definitions, ..)| definitions.clone());
        let definitions = match known {
            Some(definitions) => definitions,
            None => self.definitions().await?.0,
        };
        for row in &due {
            self.memory().settling.not_yet(row, now);
        }
        for row in &due {
            match self.place.in_effect(row, &definitions).await? {
                Some(false) => {}
                Some(true) | None => self.memory().settling.end(row, now),
            }
        }
        Ok(())
    }

    /// The same, where a service that gives no answer is asked again later.
    async fn try_to_settle(&self) {
        if let Err(fault) = self.ask_for_effect().await {
            tracing::debug!(target.name = %self.name, error = %fault, "whether a role has effect is not known");
        }
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
            .map_err(|fault| fault.at(&self.name, "the lists of roles and role assignments"))
    }

    async fn introduce(&self, desired: &Graph) -> Result<bool, TargetError> {
        let _turn = self.turn.lock().await;
        let now = self.now();
        let Some(wanted) = self.memory().roster.lacks(desired, now) else { return Ok(false) };
        let found = look_up(self.entra.as_ref(), &self.services, &wanted, now).await;
        let mut memory = self.memory();
        let changed = memory.roster.take(desired, wanted, found);
        let fresh = memory.read.is_some_and(|read| read <= now && now - read < FRESH);
        memory.renamed = changed && fresh && memory.listing.is_some();
        Ok(changed)
    }

    /// Role, scope and object, each by its id: the role map may call each of them by several names, and by none at last.
    fn row_of(&self, membership: Membership) -> Option<String> {
        let memory = self.memory();
        if memory.is_sought(membership) {
            return None;
        }
        let (at, principal) =
            (memory.roles.get(&membership.role)?, memory.principals.get(&membership.member)?);
        Some(format!("{} {} {principal}", at.role, at.scope))
    }

    fn is_unsure_of(&self, membership: Membership) -> bool {
        self.memory().is_sought(membership)
    }

    fn settling(&self) -> Vec<String> {
        self.memory().settling.told(self.now())
    }

    fn advice(&self) -> Vec<String> {
        let advice = self.memory().listing.as_ref().map(|listing| listing.advice.clone());
        advice.map(Notes::into_lines).unwrap_or_default()
    }

    fn look_again(&self) -> Option<std::time::Duration> {
        self.memory().settling.wait(self.now())
    }

    async fn settle(&self) {
        let _turn = self.turn.lock().await;
        let span = tracing::info_span!("azure.settle", target.name = %self.name);
        async {
            self.try_to_settle().await;
            self.remember().await;
        }
        .instrument(span)
        .await;
    }

    async fn is_unchanged(&self) -> Result<bool, TargetError> {
        let _turn = self.turn.lock().await;
        let span = tracing::info_span!("azure.check", target.name = %self.name);
        self.reads_as_before()
            .instrument(span)
            .await
            .map_err(|fault| fault.at(&self.name, "a page of the list of role assignments"))
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        let _turn = self.turn.lock().await;
        let steps = wave.steps();
        let span = tracing::info_span!("azure.apply", target.name = %self.name, steps = steps.len());
        // Its own changes are no surprise, and the pages are others after them.
        self.memory().pages = None;
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
            self.expect(steps, &definitions).await;
            for step in steps {
                let outcome = self.step(step).await;
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
        self.never_made(&steps[outcomes.len().min(steps.len())..]);
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

#[cfg(test)]
mod tests;
