//! A Synapse pool as a target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axon_model::SqlName;
use axon_reconcile::secure::{FilterShown, LiveSession, ProbeAnswer, ProbeCase, ProbeReader, TableFilter};
use axon_reconcile::{
    InspectScope, Inspection, Outcome, Refusal, Retry, Seen, Shape, Step, StepKind, Target, TargetError,
    TargetFacts, Visitor, Wave,
};
use axon_reconcile::{Metadata, ViewText, ViewsAsked, ViewsThere};
use tracing::Instrument as _;

use crate::apply;
use crate::capabilities::{BULK_LOAD, BY_OBJECT_ID, Capabilities, SESSION_CONTEXT};
use crate::catalog::{self, Known, Picture, Untold};
use crate::connect::{Connection, Link, Session};
use crate::error::{CallError, ConfigError};
use crate::kill;
use crate::lacks::lacks;
use crate::narrow::narrowed;
use crate::probe::Probes;
use crate::read_back;
use crate::render::{MOST_NAMES, NamedMembers};
use crate::secure;
use crate::server_error;
use crate::sight;
use crate::statement::{Dialect, Wording};

/// One pool. Keeps one connection; calls that come at the same time wait for one another, as DDL in a pool is serial anyway.
pub struct SynapseTarget {
    name: String,
    dialect: Dialect,
    link: Link,
    memory: Mutex<Memory>,
    capabilities: Mutex<Capabilities>,
    bulk: secure::BulkLoads,
    keys: secure::DrawnKeys,
}

#[derive(Default)]
struct Memory {
    /// What the last read of everything told.
    known: Option<Known>,
    /// Names that are roles.
    roles: BTreeSet<SqlName>,
    /// Whether a serverless database showed us the session of somebody else, by a permission that we still have.
    shown: bool,
    /// What the catalog alone tells of seeing sessions, and who we are: a serverless database is asked besides.
    sight: Option<(SqlName, Option<String>)>,
    /// Whether something waits for seeing sessions.
    wanted: bool,
}

impl SynapseTarget {
    /// A target by this name. Nothing is dialled before the first call; what can be checked without a network is.
    pub fn new(name: &str, dialect: Dialect, connection: Connection) -> Result<Self, ConfigError> {
        connection.check()?;
        Ok(Self {
            name: name.to_owned(),
            dialect: dialect.in_database(connection.database.as_str()),
            link: Link::new(connection),
            memory: Mutex::default(),
            capabilities: Mutex::default(),
            bulk: secure::BulkLoads::default(),
            keys: secure::DrawnKeys::default(),
        })
    }

    /// The same, where the configuration says of some [`capabilities`](crate::capabilities()) whether the pool has them.
    #[must_use]
    pub fn saying(self, said: BTreeMap<String, bool>) -> Self {
        Self { capabilities: Mutex::new(Capabilities::saying(said)), ..self }
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When each role of the database was made: no inspection carries it, since only a place that is taken down asks.
    pub async fn roles_made(&self) -> Result<BTreeMap<SqlName, time::OffsetDateTime>, TargetError> {
        let look = async || catalog::read_roles_made(&mut self.link.session().await?).await;
        let read = match look().await {
            // Reading twice does no harm.
            Err(CallError::Stale(_)) => look().await,
            other => other,
        };
        read.map_err(|e| e.at(&self.name, "the query for when roles were made"))
    }

    /// What the pool holds that no inspection tells of, and Axon neither keeps nor changes.
    pub async fn untold(&self) -> Result<Vec<Untold>, TargetError> {
        let look = async || {
            let mut session = self.link.session().await?;
            catalog::read_untold(&mut session, self.dialect).await
        };
        let read = match look().await {
            // Reading twice does no harm.
            Err(CallError::Stale(_)) => look().await,
            other => other,
        };
        read.map_err(|e| e.at(&self.name, "the query for what else it holds"))
    }

    /// Which T-SQL it is spoken to in.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Where it is and how it is reached.
    pub fn connection(&self) -> &Connection {
        self.link.connection()
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn picture(&self, raw: catalog::RawCatalog, known: Option<Known>) -> Result<Picture, CallError> {
        let database = self.link.connection().database;
        catalog::assemble(raw, database, self.dialect, known).map_err(CallError::Unreadable)
    }

    async fn look(&self, scope: &InspectScope) -> Result<Inspection, CallError> {
        let known = self.memory().known.clone();
        let picture = match (scope, known) {
            (InspectScope::Full, _) => self.everything().await?,
            (InspectScope::Principals(names), None) => {
                // Who administers and what is hidden can only be told from everything.
                let mut picture = self.everything().await?;
                narrowed(&mut picture.graph, &names.iter().copied().collect());
                picture.shape = Shape::default();
                picture
            }
            (InspectScope::Principals(names), Some(known)) => self.some(names, &known).await?,
        };
        Ok(Inspection {
            graph: picture.graph,
            shape: picture.shape,
            facts: picture.facts,
            unseen: picture.unseen,
        })
    }

    /// Reads everything, and whether the sessions of others are seen.
    async fn read_all(&self, session: &mut Session<'_>) -> Result<Picture, CallError> {
        let raw = catalog::read_everything(session, self.dialect).await?;
        let asked = if self.dialect == Dialect::Serverless { Some(sight::ask(session).await?) } else { None };
        let mut picture = self.picture(raw, None)?;
        if let Some(asked) = asked {
            let own = picture.facts.own_principal;
            let catalog = picture.known.blind_to_sessions.take();
            let mut memory = self.memory();
            picture.known.blind_to_sessions = asked.blind(&mut memory.shown, own, catalog.clone());
            memory.sight = Some((own, catalog));
        }
        Ok(picture)
    }

    /// Asks once more whether the sessions of others are seen: somebody else may be in by now.
    async fn look_for_sight(&self) -> Result<(), CallError> {
        let asked = sight::ask(&mut self.link.session().await?).await?;
        let mut memory = self.memory();
        let Memory { known: Some(known), sight: Some((own, catalog)), shown, .. } = &mut *memory else {
            return Ok(());
        };
        known.blind_to_sessions = asked.blind(shown, *own, catalog.clone());
        Ok(())
    }

    async fn everything(&self) -> Result<Picture, CallError> {
        let picture = self.read_all(&mut self.link.session().await?).await?;
        let mut memory = self.memory();
        memory.known = Some(picture.known.clone());
        memory.roles = picture.graph.roles.keys().copied().collect();
        Ok(picture)
    }

    async fn some(&self, names: &[SqlName], known: &Known) -> Result<Picture, CallError> {
        let names: BTreeSet<SqlName> = names.iter().copied().collect();
        let order: Vec<SqlName> = names.iter().copied().collect();
        let mut session = self.link.session().await?;
        let mut whole: Option<Picture> = None;
        // No names is a question, too: who are we there?
        let mut chunks: Vec<&[SqlName]> = order.chunks(MOST_NAMES).collect();
        let nobody = [self.link.connection().database];
        if chunks.is_empty() {
            chunks.push(&nobody);
        }
        for chunk in chunks {
            let raw = catalog::read_named(&mut session, chunk, NamedMembers::Either, self.dialect).await?;
            let part = self.picture(raw, Some(known.clone()))?;
            match &mut whole {
                None => whole = Some(part),
                Some(whole) => {
                    whole.graph.principals.extend(part.graph.principals);
                    whole.graph.roles.extend(part.graph.roles);
                    whole.graph.members.extend(part.graph.members);
                    whole.graph.grants.extend(part.graph.grants);
                    whole.unseen.extend(part.unseen);
                }
            }
        }
        let mut picture = whole.ok_or_else(|| CallError::Unreadable("nothing was asked for".into()))?;
        narrowed(&mut picture.graph, &names);
        picture.shape = Shape::default();
        picture.unseen.dedup();
        Ok(picture)
    }

    fn place(&self, known: Known) -> read_back::Place {
        let capabilities = self.capabilities.lock().unwrap_or_else(PoisonError::into_inner);
        read_back::Place {
            database: self.link.connection().database,
            dialect: self.dialect,
            known,
            // The option is one of users; of logins no page has it.
            by_object_id: self.dialect != Dialect::Server && capabilities.can(BY_OBJECT_ID),
            bulk: if capabilities.cannot(BULK_LOAD) { secure::BulkLoads::none() } else { self.bulk.clone() },
            keys: self.keys.clone(),
        }
    }

    async fn see(&self, steps: &[Step]) -> Result<Vec<Seen>, CallError> {
        let mut session = self.link.session().await?;
        // Who administers decides which rows are our own; without it, ask once.
        let known = self.memory().known.clone();
        let known = if let Some(known) = known {
            known
        } else {
            let known = self.read_all(&mut session).await?.known;
            self.memory().known = Some(known.clone());
            known
        };
        let place = self.place(known);
        read_back::read_back(&mut session, &place, steps).await
    }
}

#[async_trait]
impl Target for SynapseTarget {
    fn asks_for(&self, refusal: &Refusal) -> Option<Duration> {
        match server_error::retry(refusal.number, &refusal.message) {
            Retry::After(wait) => Some(wait),
            Retry::Now | Retry::Never => None,
        }
    }

    /// With names: the principals and roles of these names, the memberships of which one side is named, and the
    /// permissions of which the grantee is. Administrators are those of the last read of everything.
    async fn inspect(&self, scope: InspectScope) -> Result<Inspection, TargetError> {
        let span = tracing::info_span!("synapse.inspect", target.name = %self.name);
        let look = async {
            match self.look(&scope).await {
                // Reading twice does no harm, so a connection that died unseen costs nobody anything.
                Err(CallError::Stale(_)) => self.look(&scope).await,
                other => other,
            }
        };
        look.instrument(span).await.map_err(|e| e.at(&self.name, "the catalog query"))
    }

    async fn inspect_views(&self, asked: &ViewsAsked) -> Result<Option<ViewsThere>, TargetError> {
        if self.dialect != Dialect::Dedicated {
            return Ok(None);
        }
        let look = async || {
            let mut session = self.link.session().await?;
            secure::inspect(&mut session, asked).await
        };
        let read = match look().await {
            // Reading twice does no harm.
            Err(CallError::Stale(_)) => look().await,
            other => other,
        };
        read.map(Some).map_err(|e| e.at(&self.name, "the query for views"))
    }

    async fn probe_views(
        &self,
        metadata: &Metadata,
        reader: &ProbeReader,
        cases: &[ProbeCase],
    ) -> Result<Option<Vec<ProbeAnswer>>, TargetError> {
        if self.dialect != Dialect::Dedicated {
            return Ok(None);
        }
        let probe = async || secure::probe(&self.link, metadata, reader, cases).await;
        let answers = match probe().await {
            // Reading twice does no harm.
            Err(CallError::Stale(_)) => probe().await,
            other => other,
        };
        answers.map(Some).map_err(|e| e.at(&self.name, "a probe of views"))
    }

    async fn clear_probes(&self) -> Result<Option<String>, TargetError> {
        if self.dialect != Dialect::Dedicated {
            return Ok(None);
        }
        let cleared = match secure::clear_canary(&self.link).await {
            Err(CallError::Stale(_)) => secure::clear_canary(&self.link).await,
            other => other,
        };
        cleared.map_err(|e| e.at(&self.name, "a canary that was left behind"))
    }

    fn draw_key(&self, id: &str) -> Option<String> {
        if self.dialect == Dialect::Dedicated { self.keys.draw(id) } else { None }
    }

    fn acts_by_session(&self) -> bool {
        let capabilities = self.capabilities.lock().unwrap_or_else(PoisonError::into_inner);
        self.dialect == Dialect::Dedicated && capabilities.cannot(SESSION_CONTEXT)
    }

    async fn live_sessions(&self, ids: &[String]) -> Result<Option<Vec<LiveSession>>, TargetError> {
        if ids.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let look = async || {
            let mut session = self.link.session().await?;
            secure::live_sessions(&mut session, ids).await
        };
        let found = match look().await {
            // Reading twice does no harm.
            Err(CallError::Stale(_)) => look().await,
            other => other,
        };
        found.map_err(|e| e.at(&self.name, "the query for sessions in which people read as others"))
    }

    fn view_digest(&self, text: ViewText<'_>, metadata: &Metadata) -> Option<String> {
        Some(secure::digest(text, metadata))
    }

    fn filter_shown(&self, filter: &TableFilter, metadata: &Metadata) -> Option<FilterShown> {
        secure::filter_shown(filter, metadata)
    }

    async fn acquaint(
        &self,
        kept: Option<serde_json::Value>,
    ) -> Result<Option<serde_json::Value>, TargetError> {
        let greeting = self.greet().await?;
        let kept = kept.and_then(|kept| serde_json::from_value::<Probes>(kept).ok());
        let (probes, new) = match kept {
            Some(kept) if kept.is_of(&greeting) => (kept, false),
            _ => (self.probe().await?, true),
        };
        let lasts = new && probes.last();
        let value = if lasts { serde_json::to_value(&probes).ok() } else { None };
        self.capabilities.lock().unwrap_or_else(PoisonError::into_inner).probed(probes);
        Ok(value)
    }

    fn recall(&self, kept: serde_json::Value, facts: &TargetFacts) {
        if let Ok(probes) = serde_json::from_value::<Probes>(kept)
            && probes.is_of_version(&facts.version, facts.engine_edition)
        {
            self.capabilities.lock().unwrap_or_else(PoisonError::into_inner).probed(probes);
        }
    }

    fn lacks(&self, step: &Step) -> Option<String> {
        let mut memory = self.memory();
        if step.kind() == StepKind::KillSessions
            && let Some(reason) = memory.known.as_ref().and_then(|known| known.blind_to_sessions.clone())
        {
            memory.wanted = true;
            return Some(reason);
        }
        let database = self.link.connection().database;
        let wording = Wording { dialect: self.dialect, database, roles: &memory.roles };
        let capabilities = self.capabilities.lock().unwrap_or_else(PoisonError::into_inner);
        lacks(&wording, &capabilities, step)
    }

    /// Where a serverless database showed nobody else's session and something waits for it, it is asked again: whoever leaves is not
    /// left to the next full look. What cannot be asked stays unknown.
    async fn settle(&self) {
        let due = {
            let mut memory = self.memory();
            let blind = memory.known.as_ref().is_some_and(|known| known.blind_to_sessions.is_some());
            // What was refused is not asked for while it waits, and waits for this all the same.
            memory.wanted &= blind;
            memory.wanted && self.dialect == Dialect::Serverless
        };
        if due && let Err(error) = self.look_for_sight().await {
            let error = error.at(&self.name, "the question whose sessions are seen");
            tracing::warn!(error = &error as &dyn std::error::Error, "it stays unknown who is in");
        }
    }

    async fn visitors(&self) -> Result<Option<Vec<Visitor>>, TargetError> {
        let blind = self.memory().known.as_ref().is_none_or(|known| known.blind_to_sessions.is_some());
        if blind {
            return Ok(None);
        }
        let look = async || {
            let mut session = self.link.session().await?;
            kill::visitors(&mut session, self.dialect).await
        };
        let found = match look().await {
            Err(CallError::Stale(_)) => look().await,
            other => other,
        };
        found.map(Some).map_err(|e| e.at(&self.name, "the query for sessions"))
    }

    async fn inspect_classifiers(&self) -> Result<Option<Vec<axon_reconcile::Classifier>>, TargetError> {
        if self.dialect != Dialect::Dedicated {
            return Ok(None);
        }
        let look = async || {
            let mut session = self.link.session().await?;
            catalog::read_classifiers(&mut session).await
        };
        let read = match look().await {
            // Reading twice does no harm.
            Err(CallError::Stale(_)) => look().await,
            other => other,
        };
        read.map(Some).map_err(|e| e.at(&self.name, "the query for classifiers"))
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        let span = tracing::info_span!("synapse.apply", target.name = %self.name, steps = wave.steps().len());
        let database = self.link.connection().database;
        let (roles, known) = {
            let memory = self.memory();
            (memory.roles.clone(), memory.known.clone())
        };
        let wording = Wording { dialect: self.dialect, database, roles: &roles };
        // Whether the sessions of others can be seen is told by the catalog.
        let known = match known {
            None if wave.steps().iter().any(|step| step.kind() == StepKind::KillSessions) => {
                self.everything().await.ok().map(|picture| picture.known)
            }
            known => known,
        };
        let known = known.unwrap_or_else(Known::nothing);
        let place = self.place(known);
        apply::apply(&self.link, &wording, &place, wave.steps()).instrument(span).await
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError> {
        let span =
            tracing::info_span!("synapse.read_back", target.name = %self.name, steps = wave.steps().len());
        let see = async {
            match self.see(wave.steps()).await {
                Err(CallError::Stale(_)) => self.see(wave.steps()).await,
                other => other,
            }
        };
        see.instrument(span).await.map_err(|e| e.at(&self.name, "the read-back"))
    }
}
