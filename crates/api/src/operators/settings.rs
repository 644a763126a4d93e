//! What the operators' API is set up with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_controller::versions::Gate;
use axon_identity_token::verifier::NoClient;
use axon_identity_token::{Rule, Verifier};
use axon_mapping::identity::SourceClaims;
use axon_mapping::{RoleMap, ServiceName, TargetSpec};
use axon_model::{Clock, SourceId, SqlName};
use axon_reconcile::Step;
use axon_store::operators::Permissions;
use time::Duration;
use tokio::sync::Semaphore;

use super::rates::Rates;

/// What a rule makes of a job whose token meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRule {
    /// The rule's name: the identity that all its jobs share.
    pub name: String,
    /// What they may do.
    pub may: Permissions,
    /// Whether what they push needs a second person.
    pub second_person: bool,
}

/// Gives the map that is in force in this process.
pub type MapInForce = dyn Fn() -> Arc<RoleMap> + Send + Sync;

/// Told of what a job presents when it exchanges its token: the service identity, `iss` and `sub`. It must not wait for anything.
pub type Presented = dyn Fn(&ServiceName, &str, &str) + Send + Sync;

/// Puts a step of a preview into the words of its target.
pub type StepWords = dyn Fn(&TargetSpec, &BTreeSet<SqlName>, &Step) -> Vec<String> + Send + Sync;

/// What the operators' API is set up with.
pub struct OperatorSettings {
    /// What every version goes through.
    pub gate: Gate,
    /// Whose signed tokens are taken as an operator's.
    pub jobs: Vec<(Rule, JobRule)>,
    /// Whose signed tokens may be exchanged for what the map's service identities hold.
    pub exchange: Vec<Rule>,
    /// How long an exchanged token is accepted at most.
    pub exchanged_for: Duration,
    /// What sources may say of people, for previews.
    pub claims: BTreeMap<SourceId, SourceClaims>,
    /// The map in force.
    pub map: Arc<MapInForce>,
    /// Who is told of what jobs present.
    pub presented: Arc<Presented>,
    /// The words of steps in previews.
    pub words: Arc<StepWords>,
    /// How many requests of one identity are answered a second.
    pub requests_per_second: u32,
}

/// The settings, ready for use.
pub struct Operators {
    pub(super) gate: Gate,
    pub(super) jobs: Verifier<JobRule>,
    pub(super) exchange: Verifier<()>,
    pub(super) exchanged_for: Duration,
    pub(super) claims: BTreeMap<SourceId, SourceClaims>,
    pub(super) map: Arc<MapInForce>,
    pub(super) presented: Arc<Presented>,
    pub(super) words: Arc<StepWords>,
    pub(super) rates: Rates,
    /// A preview loads the directory: one at a time.
    pub(super) previews: Semaphore,
}

impl Operators {
    /// Makes the settings ready. No issuer is asked for anything before its first token.
    pub fn new(settings: OperatorSettings, clock: Arc<dyn Clock>) -> Result<Self, NoClient> {
        let OperatorSettings {
            gate,
            jobs,
            exchange,
            exchanged_for,
            claims,
            map,
            presented,
            words,
            requests_per_second,
        } = settings;
        Ok(Self {
            gate,
            jobs: Verifier::new(jobs, clock.clone())?,
            exchange: Verifier::new(exchange.into_iter().map(|rule| (rule, ())).collect(), clock)?,
            exchanged_for,
            claims,
            map,
            presented,
            words,
            rates: Rates::new(requests_per_second),
            previews: Semaphore::new(1),
        })
    }
}
