//! A pool that Axon changes nothing in: the steps are written into a file, and a person runs it.
//!
//! ```text
//!  out/20261122T130000Z-RUN.sql    what is reviewed and run; only ASCII, safe to run again
//!  out/20261122T130000Z-RUN.json   the same steps for Axon, the text's SHA-256, and how it ended
//! ```
//!
//! What is in force is read from the pool itself, or from an exported catalog; where neither can be had it is what people
//! confirmed, from an empty database on.

mod fold;
mod folder;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use axon_model::SqlName;
use axon_reconcile::{
    Graph, InspectScope, Inspection, LeaseProof, Outcome, Refusal, RefusalKind, Script, ScriptEnd,
    ScriptFile, ScriptRun, Seen, Shape, Sid, Step, StepKind, Target, TargetError, TargetFacts, Wave,
};
use time::OffsetDateTime;

use crate::catalog;
use crate::narrow::narrowed;
use crate::read_back::holds;
use crate::render::{can_be_written, script_batch};
use crate::statement::Dialect;
use crate::target::SynapseTarget;
pub use folder::{Folder, NotFound, OpenScript};

/// Where the catalog of the place is seen.
pub enum ScriptSource {
    /// Nowhere: what people confirmed is in force.
    Confirmed,
    /// In a file that [`ScriptTarget::export`] made.
    Catalog(PathBuf),
    /// In the pool, which is only read.
    Pool(Box<SynapseTarget>),
}

/// A pool whose steps are written into files.
pub struct ScriptTarget {
    name: String,
    dialect: Dialect,
    database: SqlName,
    folder: Folder,
    source: ScriptSource,
    /// Of the last look.
    looked: Mutex<Looked>,
}

/// What files are written by, beside the steps.
#[derive(Debug, Clone, Default)]
struct Looked {
    /// Names that are roles.
    roles: BTreeSet<SqlName>,
    /// Whose names they were.
    ids: BTreeMap<SqlName, Sid>,
}

impl ScriptTarget {
    /// A target by this name whose files go into this folder. Nothing is read or made before it is needed.
    pub fn new(
        name: &str,
        dialect: Dialect,
        database: SqlName,
        folder: PathBuf,
        source: ScriptSource,
    ) -> Self {
        let folder = Folder::new(name, folder);
        Self { name: name.to_owned(), dialect, database, folder, source, looked: Mutex::default() }
    }

    /// Its files.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    fn unreadable(&self, attempt: &'static str) -> impl FnOnce(String) -> TargetError {
        let target = self.name.clone();
        move |reason| TargetError::Unreadable { target, attempt, reason }
    }

    /// The catalog that is seen now, as a file that a target whose `catalog` it is reads.
    pub async fn export(pool: &SynapseTarget, at: OffsetDateTime) -> Result<String, TargetError> {
        let seen = pool.inspect(InspectScope::Full).await?;
        catalog::exported::write(seen, pool.connection().database, at).map_err(|reason| {
            TargetError::Unreadable { target: pool.name().to_owned(), attempt: "the catalog", reason }
        })
    }

    /// What people confirmed, from nothing on.
    fn confirmed(&self) -> Result<Inspection, TargetError> {
        let mut graph = fold::beginning();
        let ended = self.folder.ended(None)?;
        fold::fold(&mut graph, &ended).map_err(self.unreadable("the files of the folder"))?;
        let dbo = SqlName::parse("dbo").map_err(|e| self.unreadable("a name")(e.to_string()))?;
        let engine_edition = match self.dialect {
            Dialect::Dedicated => 6,
            Dialect::Serverless | Dialect::Server => 11,
        };
        let facts = TargetFacts {
            version: "not seen: statements are written into files".to_owned(),
            engine_edition,
            own_principal: dbo,
            administrators: vec![dbo],
        };
        let shape = Shape { unread: true, ..Shape::default() };
        Ok(Inspection { graph, shape, facts, unseen: Vec::new() })
    }

    fn exported(&self, file: &std::path::Path) -> Result<Inspection, TargetError> {
        let unreachable = |reason| TargetError::Unreachable { target: self.name.clone(), reason };
        let text = folder::read_limited(file).map_err(unreachable)?;
        let (mut inspection, at) = catalog::exported::read(&text, self.database, self.dialect)
            .map_err(self.unreadable("the exported catalog"))?;
        // What was confirmed since is on top of it.
        let since = self.folder.ended(Some(at))?;
        fold::fold(&mut inspection.graph, &since).map_err(self.unreadable("the files of the folder"))?;
        Ok(inspection)
    }

    async fn look(&self) -> Result<Inspection, TargetError> {
        let inspection = match &self.source {
            ScriptSource::Confirmed => self.confirmed()?,
            ScriptSource::Catalog(file) => self.exported(file)?,
            ScriptSource::Pool(pool) => pool.inspect(InspectScope::Full).await?,
        };
        let graph = &inspection.graph;
        let roles = graph.roles.keys().copied().collect();
        let ids = graph.principals.iter().filter_map(|(name, there)| Some((*name, there.sid.clone()?)));
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Looked { roles, ids: ids.collect() };
        Ok(inspection)
    }
}

#[async_trait]
impl Target for ScriptTarget {
    fn script(&self) -> Option<&dyn Script> {
        Some(self)
    }

    async fn inspect(&self, scope: InspectScope) -> Result<Inspection, TargetError> {
        let mut inspection = self.look().await?;
        if let InspectScope::Principals(names) = scope {
            narrowed(&mut inspection.graph, &names.into_iter().collect());
            inspection.shape = Shape::default();
        }
        Ok(inspection)
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        let message = "steps of this target are written into files, and sent by nobody but people".to_owned();
        let refusal = Refusal { kind: RefusalKind::Unsupported, number: 0, message };
        let mut outcomes = vec![Outcome::NotTried; wave.steps().len()];
        if let Some(first) = outcomes.first_mut() {
            *first = Outcome::Refused { statements: Vec::new(), refusal };
        }
        outcomes
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError> {
        let graph = self.look().await?.graph;
        let seen = |step| if holds(&graph, step) { Seen::InForce } else { Seen::NotInForce };
        Ok(wave.steps().iter().map(seen).collect())
    }
}

/// The names that a step writes.
pub(crate) fn names(step: &Step) -> Vec<SqlName> {
    use axon_reconcile::Securable;
    let mut names = vec![step.subject()];
    let on = match step {
        Step::AddMember { role, .. } | Step::DropMember { role, .. } => {
            names.push(*role);
            return names;
        }
        Step::Grant { on, columns, .. }
        | Step::Deny { on, columns, .. }
        | Step::Revoke { on, columns, .. } => {
            names.extend(columns);
            on
        }
        _ => return names,
    };
    match on {
        Securable::Database | Securable::Server | Securable::Other(_) => {}
        Securable::Schema(name) | Securable::Principal(name) | Securable::Credential(name) => {
            names.push(*name);
        }
        Securable::Object(object) => names.extend([object.schema, object.name]),
        Securable::Column(object, column) => names.extend([object.schema, object.name, *column]),
    }
    names
}

impl Script for ScriptTarget {
    fn open(&self) -> Result<Vec<ScriptFile>, TargetError> {
        self.folder.open()
    }

    fn unwritable(&self, step: &Step) -> Option<String> {
        if let Some(name) = names(step).into_iter().find(|name| !can_be_written(*name)) {
            return Some(format!(
                "{name} has a character beyond the basic plane, which no file of T-SQL says safely"
            ));
        }
        let roles = BTreeSet::new();
        script_batch(step, &text::wording(self.dialect, self.database, &roles), None, None).err()
    }

    fn draft(&self, run: &ScriptRun<'_>) -> (ScriptFile, String) {
        let Looked { mut roles, ids } = self.looked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        roles.extend(run.steps.iter().filter_map(|s| match &s.planned.step {
            Step::CreateRole { name } => Some(*name),
            _ => None,
        }));
        let wording = text::wording(self.dialect, self.database, &roles);
        let name = Folder::file_name(run.run, run.at);
        let text = text::write(&self.name, &name, run, &wording, &ids);
        let file = ScriptFile {
            run: run.run,
            plan: run.plan,
            at: run.at,
            name,
            digest: folder::digest(&text),
            steps: run.steps.clone(),
        };
        (file, text)
    }

    fn write(&self, file: &ScriptFile, text: &str, lease: &LeaseProof) -> Result<(), TargetError> {
        if lease.target() != self.name {
            let reason = format!("the lease is for {}", lease.target());
            return Err(TargetError::Unreachable { target: self.name.clone(), reason });
        }
        self.folder.write(file, text)
    }

    fn close(&self, file: &ScriptFile, end: ScriptEnd, at: OffsetDateTime) -> Result<(), TargetError> {
        self.folder.close(file.run, end, at)
    }

    fn is_seen(&self) -> bool {
        !matches!(self.source, ScriptSource::Confirmed)
    }

    fn shows(&self, graph: &Graph, step: &Step) -> bool {
        // Which sessions there are is in no catalog.
        step.kind() == StepKind::KillSessions || matches!(step, Step::Classify(_)) || holds(graph, step)
    }
}
