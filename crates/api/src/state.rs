//! What handlers share.

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_model::{Clock, IdSource, SourceId};
use axon_scim::{Profile, Registry};
use axon_store::Store;

use crate::auth::{Failures, TokenBook, Trusts};
use crate::call::Dropped;
use crate::care::{Care, CareSettings};
use crate::integrations::Integrations;
use crate::operators::Operators;
use crate::reads::Reads;
use crate::scim::Defaults;

/// Whether the service can do its work, asked at each `/readyz`.
pub trait Readiness: Send + Sync {
    /// The targets' states by name: a word each, from a closed set.
    fn targets(&self) -> BTreeMap<String, &'static str>;

    /// The targets' circuit breakers by name: `closed`, `open` or `half-open`.
    fn breakers(&self) -> BTreeMap<String, &'static str> {
        BTreeMap::new()
    }

    /// The role map: its version, and how it stands.
    fn map(&self) -> Option<MapStanding> {
        None
    }
}

/// How the role map stands in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapStanding {
    /// The version in force here.
    pub version: String,
    /// `in-force`; `refused` where the newest file or version could not be taken up.
    pub state: &'static str,
    /// By which way the newest was brought that could not be taken up: `file` or `store`.
    pub refused: Option<&'static str>,
}

/// What an [`Api`] is made of.
pub struct ApiParts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The schemas that are served.
    pub registry: Arc<Registry>,
    /// The sources that may push, and how each speaks SCIM.
    pub sources: BTreeMap<SourceId, Profile>,
    /// Who is trusted, beside the bearers of the store's tokens.
    pub trusts: Trusts,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<IdSource>,
    /// The address that clients reach this server by; the request's Host else.
    pub public_url: Option<String>,
    /// The reconciler's state.
    pub readiness: Arc<dyn Readiness>,
    /// The operators' API, where there is one.
    pub operators: Option<Arc<Operators>>,
    /// The integrations API, where there is one.
    pub integrations: Option<Arc<Integrations>>,
    /// What connectors are given.
    pub care: CareSettings,
    /// Renders the metrics in Prometheus' text format.
    pub render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// How much memory the users that were read lately may take, bytes: about a hundred thousand of them.
const KEPT_BYTES: usize = 112 * 1024 * 1024;

/// What handlers share; cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

/// The parts, and what is built from them.
pub struct Inner {
    parts: ApiParts,
    /// The tokens seen lately.
    pub(crate) tokens: TokenBook,
    /// Who was refused lately.
    pub(crate) failures: Failures,
    /// The sources' turns and ledgers.
    pub(crate) care: Care,
    /// What answers show when nobody chooses.
    pub(crate) defaults: Defaults,
    /// The users that were read lately.
    pub(crate) reads: Arc<Reads>,
    /// What operators were told that sources send in vain.
    pub(crate) dropped: Dropped,
}

impl Api {
    /// Puts the parts together.
    pub fn new(mut parts: ApiParts) -> Self {
        let care = Care::new(std::mem::take(&mut parts.care), parts.sources.keys());
        let defaults = Defaults::of(&parts.registry);
        let reads = Arc::new(Reads::new(KEPT_BYTES));
        reads.begin_with(parts.store.keep(reads.clone()));
        Self(Arc::new(Inner {
            parts,
            care,
            tokens: TokenBook::default(),
            failures: Failures::default(),
            defaults,
            reads,
            dropped: Dropped::default(),
        }))
    }
}

impl std::ops::Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::ops::Deref for Inner {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.parts
    }
}
