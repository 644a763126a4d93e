//! The product's own target over TDS: `axon-synapse` with its catalog reader, its read-back and its search for sessions, against
//! the emulator's server. Troubles are made by the emulator where it can make them, else between the two.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axon_emulator::faults::{Armed, Fault, transient};
use axon_emulator::server::Server;
use axon_emulator::{Credentials, Pool, ServerError, WireConfig};
use axon_model::{Clock as _, ManualClock};
use axon_reconcile::target::TokenError;
use axon_reconcile::{
    InspectScope, Inspection, Outcome, Refusal, RefusalKind, Seen, Step, StepKind, Target, TargetError,
    TokenSource, Visitor, Wave,
};
use axon_synapse::{Auth, Connection, Dialect, SynapseTarget, Tls, server_error};
use secrecy::SecretString;
use tokio::task::JoinHandle;

use crate::ear::Ear;
use crate::effects::{Answered, Belongs, Effect, Effects};
use crate::picture::name;
use crate::place::{Ran, Shared, Sight, breathe, still_there, token_of};
use crate::trouble::{Kind, Troubles};

/// The pool's server on a port of this machine. It stops when this is dropped.
#[derive(Debug)]
pub struct Line {
    port: u16,
    serving: JoinHandle<()>,
}

impl Line {
    /// Serves a pool.
    pub async fn open(pool: &Arc<Pool>, effects: &Arc<Effects>) -> Self {
        let engine = Arc::new(Ear::new(pool, effects));
        let server = Server::bind("127.0.0.1:0", engine, WireConfig::default()).await.expect("a free port");
        let port = server.local_addr().port();
        Self { port, serving: tokio::spawn(server.run(std::future::pending())) }
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Debug)]
struct Token;

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<SecretString, TokenError> {
        match token_of("axon@acme.com") {
            Credentials::Token { jwt } => Ok(SecretString::from(jwt)),
            Credentials::Sql { .. } => Err(TokenError("no token".to_owned())),
        }
    }
}

/// The pool as a target, over TDS.
pub struct Wire {
    inner: SynapseTarget,
    pool: Arc<Pool>,
    clock: Arc<ManualClock>,
    troubles: Arc<Troubles>,
    ledger: Arc<Mutex<Vec<Ran>>>,
    effects: Arc<Effects>,
    seen: Arc<Sight>,
}

impl Wire {
    /// The pool at this port.
    pub fn new(port: u16, shared: Shared) -> Self {
        let connection = Connection {
            host: "127.0.0.1".to_owned(),
            port,
            database: name("dw"),
            tls: Tls::Off,
            auth: Auth::Token(Arc::new(Token)),
            login_timeout: Duration::from_secs(20),
            command_timeout: Duration::from_secs(20),
        };
        let inner = SynapseTarget::new("warehouse", Dialect::Dedicated, connection).expect("a connection");
        let Shared { pool, clock, troubles, ledger, effects, seen } = shared;
        Self { inner, pool, clock, troubles, ledger, effects, seen }
    }

    /// What stands between this process and the pool's door.
    fn door(&self) -> Result<(), TargetError> {
        let target = "warehouse".to_owned();
        let Some(kind) = self.troubles.strike(Kind::at_login) else { return Ok(()) };
        Err(match kind.number() {
            Some(number) => {
                let refusal = server_error::refusal(number, kind.word());
                let retry = server_error::meaning(number).1;
                TargetError::Refused { target, attempt: "the login", refusal, retry }
            }
            None => TargetError::NoToken { target, reason: "the token has expired".to_owned() },
        })
    }

    /// The next catalog query breaks off, where that is armed.
    fn may_break(&self, kind: Kind) {
        if self.troubles.strike(|armed| armed == kind).is_some() {
            let fault = Fault::Hangup { applied: false };
            // Twice: reading is tried again at once where a connection died unseen.
            self.pool.arm_for(Armed { fault, times: 2, matching: Some("sys.".to_owned()) });
        }
    }

    fn count(&self) -> usize {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The step of a wave that meets something, and what.
    fn met<'w>(&self, wave: &'w Wave) -> Option<(&'w Step, Kind)> {
        let kill = wave.steps().iter().find(|step| step.kind() == StepKind::KillSessions);
        if let Some(met) = kill.and_then(|kill| Some((kill, self.troubles.strike_kill()?))) {
            return Some(met);
        }
        let step = wave.steps().get(self.count() % wave.steps().len().max(1))?;
        let creates = matches!(step, Step::CreatePrincipal { .. });
        Some((step, self.troubles.strike(|kind| kind.at_statement(creates))?))
    }

    /// Arms what meets one step of the wave. True: the wave is not sent, and nothing comes of it.
    fn may_meet(&self, wave: &Wave) -> bool {
        let Some((step, kind)) = self.met(wave) else { return false };
        let refused = |number: i32| {
            let refusal = ServerError {
                number,
                state: 1,
                class: 16,
                message: kind.word().to_owned(),
                line: 1,
                procedure: None,
            };
            Fault::Statement { error: transient(number).unwrap_or(refusal), applied: false }
        };
        let applied = self.count().is_multiple_of(2);
        let fault = match kind {
            Kind::NeverShown => return true,
            Kind::LostBefore => Fault::Hangup { applied: false },
            Kind::LostAfter => Fault::Hangup { applied: true },
            Kind::LostDuring => Fault::Hangup { applied },
            Kind::Hang => {
                self.clock.advance(time::Duration::seconds(61));
                Fault::Hangup { applied }
            }
            Kind::Directory33134 => Fault::DirectoryDown,
            other => refused(other.number().and_then(|n| i32::try_from(n).ok()).unwrap_or(40613)),
        };
        let matching = match step {
            Step::CreatePrincipal { .. } => "CREATE USER",
            Step::CreateRole { .. } => "CREATE ROLE",
            Step::AddMember { .. } => "sp_addrolemember",
            Step::DropMember { .. } => "sp_droprolemember",
            Step::KillSessions { .. } | Step::KillFormer { .. } => "KILL",
            Step::DropPrincipal { .. } => "DROP USER",
            Step::Revoke { .. } => "REVOKE",
            Step::Deny { .. } | Step::DenyConnect { .. } => "DENY",
            Step::Grant { .. } | Step::GrantConnect { .. } => "GRANT",
            _ => "",
        };
        // A look-up in the directory is matched by whom it asks for.
        let matching = (fault != Fault::DirectoryDown).then(|| matching.to_owned());
        self.pool.arm_for(Armed { fault, times: 1, matching });
        false
    }

    /// The pool takes the steps, and nothing comes of them. Whether sessions are gone is looked at before it is said that they are.
    async fn without_effect(&self, wave: &Wave) -> Vec<Outcome> {
        let written = self.effects.written(None).await;
        let mut outcomes = Vec::with_capacity(wave.steps().len());
        for step in wave.steps() {
            self.write_down(step, false);
            let statements = vec![step.to_string()];
            self.effects.push(Effect {
                sql: step.to_string(),
                belongs: Belongs::To(step.to_string()),
                answered: Answered::Taken,
                written: written.clone(),
            });
            if step.kind() == StepKind::KillSessions {
                outcomes.push(Outcome::Refused { statements, refusal: still_there() });
                break;
            }
            outcomes.push(Outcome::Done { statements, micros: 0 });
        }
        outcomes.resize(wave.steps().len(), Outcome::NotTried);
        outcomes
    }

    fn write_down(&self, step: &Step, changed: bool) {
        self.seen.sent();
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).push(Ran {
            step: step.to_string(),
            gives: step.gives(),
            changed,
            at: self.clock.now(),
            dropped: None,
            unrecorded: false,
        });
    }
}

#[async_trait]
impl Target for Wire {
    fn asks_for(&self, refusal: &Refusal) -> Option<Duration> {
        self.inner.asks_for(refusal)
    }

    async fn inspect(&self, scope: InspectScope) -> Result<Inspection, TargetError> {
        breathe().await;
        self.door()?;
        self.may_break(Kind::InspectLost);
        let whole = scope == InspectScope::Full;
        let seen = self.inner.inspect(scope).await;
        self.pool.clear_faults();
        let seen = seen?;
        // Of a part nobody can say what else was done by hand.
        if whole {
            self.seen.look(self.count());
        }
        Ok(seen)
    }

    async fn acquaint(
        &self,
        kept: Option<serde_json::Value>,
    ) -> Result<Option<serde_json::Value>, TargetError> {
        self.inner.acquaint(kept).await
    }

    async fn visitors(&self) -> Result<Option<Vec<Visitor>>, TargetError> {
        self.door()?;
        self.may_break(Kind::InspectLost);
        let found = self.inner.visitors().await;
        self.pool.clear_faults();
        found
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        if self.door().is_err() {
            let refusal = server_error::refusal(18456, Kind::Login18456.word());
            let mut outcomes = vec![Outcome::Refused { statements: Vec::new(), refusal }];
            outcomes.resize(wave.steps().len(), Outcome::NotTried);
            return outcomes;
        }
        if self.may_meet(wave) {
            return self.without_effect(wave).await;
        }
        let outcomes = self.inner.apply(wave).await;
        self.pool.clear_faults();
        for (step, outcome) in wave.steps().iter().zip(&outcomes) {
            if !matches!(outcome, Outcome::NotTried) {
                self.write_down(step, is_done(outcome));
            }
        }
        outcomes
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError> {
        breathe().await;
        self.door()?;
        self.may_break(Kind::ReadBackLost);
        let seen = self.inner.read_back(wave).await;
        self.pool.clear_faults();
        seen
    }
}

fn is_done(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done { .. } => true,
        Outcome::Refused { refusal, .. } => refusal.kind == RefusalKind::AlreadyThere,
        Outcome::Unknown { .. } | Outcome::NotTried => false,
    }
}
