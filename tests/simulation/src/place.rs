//! The emulator's engine as a target, in process: steps are worded and rendered by `axon-synapse` and run in a session of the
//! pool, without TDS between. Every statement is written down beside what it did.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axon_emulator::session::{Session, first_error};
use axon_emulator::{Answer, Credentials, LoginRequest, Pool, Value};
use axon_model::{Clock as _, ManualClock, SqlName};
use axon_reconcile::{
    InspectScope, Inspection, Outcome, Refusal, RefusalKind, Seen, Sid, Step, StepKind, Target, TargetError,
    Visitor, Wave,
};
use axon_synapse::{Dialect, Wording, Work, holds, render, server_error, supersedes};
use time::OffsetDateTime;

use crate::effects::{Answered, Belongs, Effect, Effects, Written};
use crate::picture::{inspection, name};
use crate::trouble::{Kind, Troubles};

/// A statement that the pool ran.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The step as people read it.
    pub step: String,
    /// Whether it gives.
    pub gives: bool,
    /// Whether the catalog was changed by it.
    pub changed: bool,
    /// When it ran.
    pub at: OffsetDateTime,
    /// Whether the store took no writes then.
    pub unrecorded: bool,
    /// Whose user was dropped by it, and when.
    pub dropped: Option<Dropped>,
}

/// A user that was dropped.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// Its name in the pool.
    pub name: String,
    /// Of which object it was.
    pub sid: Vec<u8>,
    /// When.
    pub at: OffsetDateTime,
}

/// How often it is looked for sessions that are to end.
const MOST_LOOKS: usize = 20;

pub(crate) fn still_there() -> Refusal {
    let message = format!("sessions are still there after {MOST_LOOKS} looks");
    Refusal { kind: RefusalKind::Busy, number: 0, message }
}

pub(crate) fn texts(answers: Vec<Answer>) -> impl Iterator<Item = String> {
    let rows = answers.into_iter().filter_map(|answer| match answer {
        Answer::Row(values) => values.into_iter().next(),
        _ => None,
    });
    rows.filter_map(|value| if let Value::Text(text) = value { Some(text) } else { None })
}

/// What targets share.
#[derive(Clone)]
pub struct Shared {
    /// The pool.
    pub pool: Arc<Pool>,
    /// The clock.
    pub clock: Arc<ManualClock>,
    /// The troubles.
    pub troubles: Arc<Troubles>,
    /// Every step that ran.
    pub ledger: Arc<Mutex<Vec<Ran>>>,
    /// Every statement that was sent.
    pub effects: Arc<Effects>,
    /// What this process has seen.
    pub seen: Arc<Sight>,
}

/// What one process has seen of the pool.
#[derive(Debug, Default)]
pub struct Sight {
    /// How often it read all of it.
    pub looks: AtomicU64,
    /// How many steps it sent.
    own: AtomicU64,
    /// How many the others had sent when it last read all.
    others: AtomicU64,
}

impl Sight {
    /// It reads all, where so many steps ran by now.
    pub fn look(&self, ran: usize) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.others.store(self.of_others(ran), Ordering::Relaxed);
    }

    /// It sent a step.
    pub fn sent(&self) {
        self.own.fetch_add(1, Ordering::Relaxed);
    }

    fn of_others(&self, ran: usize) -> u64 {
        (ran as u64).saturating_sub(self.own.load(Ordering::Relaxed))
    }

    /// Whether no other process sent a step since it read all.
    pub fn is_fresh(&self, ran: usize) -> bool {
        self.of_others(ran) == self.others.load(Ordering::Relaxed)
    }
}

/// The pool as a target.
pub struct Place {
    pool: Arc<Pool>,
    clock: Arc<ManualClock>,
    troubles: Arc<Troubles>,
    session: Mutex<Option<Session>>,
    ledger: Arc<Mutex<Vec<Ran>>>,
    effects: Arc<Effects>,
    seen: Arc<Sight>,
    full: crate::memory::Levers,
    /// Where the spool of this process is.
    spool: PathBuf,
    /// What was written before the wave that runs.
    written: Mutex<Written>,
}

/// How a session of somebody begins.
pub fn login(credentials: Credentials) -> LoginRequest {
    LoginRequest {
        credentials,
        database: Some("dw".to_owned()),
        app_name: "axon".to_owned(),
        host_name: "simulation".to_owned(),
        client_addr: "127.0.0.1:1".to_owned(),
        language: None,
    }
}

/// The token of a person.
pub fn token_of(upn: &str) -> Credentials {
    use base64::Engine as _;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!(r#"{{"upn":"{upn}"}}"#));
    Credentials::Token { jwt: format!("e30.{payload}.x") }
}

/// Gives others a turn: here a process can die, or something else can happen.
pub async fn breathe() {
    tokio::task::yield_now().await;
}

enum Entered {
    Broken(String),
    Refused(Refusal),
}

impl Place {
    /// The pool, reached by this process.
    pub fn new(shared: Shared, full: crate::memory::Levers, spool: PathBuf) -> Self {
        let Shared { pool, clock, troubles, ledger, effects, seen } = shared;
        let (session, written) = (Mutex::default(), Mutex::default());
        Self { pool, clock, troubles, session, ledger, effects, seen, full, spool, written }
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection ends.
    pub fn cut(&self) {
        *self.session() = None;
    }

    fn enter(&self) -> Result<(), Entered> {
        if let Some(kind) = self.troubles.strike(Kind::at_login) {
            self.cut();
            return Err(match kind.number() {
                Some(number) => Entered::Refused(server_error::refusal(number, kind.word())),
                None => Entered::Broken("the token has expired".to_owned()),
            });
        }
        let mut held = self.session();
        if held.as_ref().is_none_or(Session::closed) {
            match self.pool.login(login(token_of("axon@acme.com"))) {
                Ok(session) => *held = Some(session),
                Err(error) => {
                    return Err(Entered::Refused(server_error::refusal(error.number.into(), &error.message)));
                }
            }
        }
        Ok(())
    }

    /// Runs a batch, and writes it down.
    fn run(&self, step: &Step, sql: &str) -> Result<(), Refusal> {
        let mut held = self.session();
        let Some(session) = held.as_mut() else {
            return Err(Refusal { kind: RefusalKind::Other, number: 0, message: "no session".to_owned() });
        };
        let (before, drops) = {
            let catalog = self.pool.snapshot();
            let drops = match step {
                Step::DropPrincipal { name, .. } => catalog.principal_named(name.as_str()).cloned(),
                _ => None,
            };
            (catalog.revision(), drops.and_then(|user| Some((user.name, user.sid?))))
        };
        let answers = session.batch(sql);
        let changed = self.pool.snapshot().revision() != before;
        self.write_down(step, changed, drops.filter(|_| changed));
        self.was_sent(step, sql, Answered::of(&answers));
        match first_error(&answers) {
            None => Ok(()),
            Some(error) => Err(server_error::refusal(error.number.into(), &error.message)),
        }
    }

    fn write_down(&self, step: &Step, changed: bool, dropped: Option<(String, Vec<u8>)>) {
        self.seen.sent();
        let at = self.clock.now();
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).push(Ran {
            step: step.to_string(),
            gives: step.gives(),
            changed,
            at,
            unrecorded: self.full.is_full(),
            dropped: dropped.map(|(name, sid)| Dropped { name, sid, at }),
        });
    }

    fn was_sent(&self, step: &Step, sql: &str, answered: Answered) {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let belongs = Belongs::To(step.to_string());
        self.effects.push(Effect { sql: sql.to_owned(), belongs, answered, written });
    }

    /// Performs a step, of which nobody hears what came.
    fn unheard(&self, step: &Step, wording: &Wording<'_>, reason: &str) -> Outcome {
        let sent = self.effects.count();
        let (statements, _) = self.perform(step, wording);
        self.effects.unheard(sent);
        self.cut();
        Outcome::Unknown { statements, reason: reason.to_owned() }
    }

    fn perform(&self, step: &Step, wording: &Wording<'_>) -> (Vec<String>, Result<(), Refusal>) {
        match wording.work(step) {
            Err(reason) => {
                let refusal =
                    Refusal { kind: RefusalKind::Unsupported, number: 0, message: reason.to_string() };
                (Vec::new(), Err(refusal))
            }
            Ok(Work::One(statement)) => {
                let sql = render(&statement, wording.dialect).into_string();
                let done = self.run(step, &sql);
                (vec![sql], done)
            }
            Ok(Work::KillSessions { .. } | Work::KillFormer { .. }) => self.kill(step),
            // The maps of stories have no secure views.
            Ok(Work::Secure(_) | Work::Key { .. }) => {
                let message = "no story has secure views".to_owned();
                (Vec::new(), Err(Refusal { kind: RefusalKind::Unsupported, number: 0, message }))
            }
        }
    }

    /// The sessions that a step ends.
    fn sessions_of(&self, step: &Step) -> Vec<String> {
        // Axon's own session is one.
        if self.pool.live_sessions() <= 1 {
            return Vec::new();
        }
        let mut held = self.session();
        let Some(session) = held.as_mut() else { return Vec::new() };
        let catalog = self.pool.snapshot();
        let principal = step.subject();
        let own = catalog.principal_named(principal.as_str()).and_then(|p| p.sid.as_deref());
        let sid = match step {
            Step::KillFormer { sid, .. } => Some(sid.clone()),
            _ => own.map(Sid::from_bytes),
        };
        let whose = match sid {
            // Of another object of the same name it is not.
            Some(sid) => format!("security_id = {sid}"),
            None => format!("login_name = N'{}'", principal.as_str().replace('\'', "''")),
        };
        let answers = session.batch(&format!(
            "SELECT session_id FROM sys.dm_pdw_exec_sessions WHERE {whose} AND status IN ('ACTIVE', 'IDLE')"
        ));
        texts(answers).collect()
    }

    /// Looks and kills until none is left.
    fn kill(&self, step: &Step) -> (Vec<String>, Result<(), Refusal>) {
        let mut sent = vec!["SELECT session_id FROM sys.dm_pdw_exec_sessions".to_owned()];
        for _ in 0..MOST_LOOKS {
            let left = self.sessions_of(step);
            if left.is_empty() {
                return (sent, Ok(()));
            }
            for id in left {
                let sql = format!("KILL '{id}'");
                let done = self.run(step, &sql);
                sent.push(sql);
                if done.is_err() {
                    return (sent, done);
                }
            }
        }
        (sent, Err(still_there()))
    }

    /// What comes of a step that the pool takes and that has no effect. Whether sessions are gone is looked at before it is said
    /// that they are.
    fn without_effect(&self, step: &Step, said: Vec<String>) -> Outcome {
        self.write_down(step, false, None);
        for sql in &said {
            self.was_sent(step, sql, Answered::Taken);
        }
        if step.kind() == StepKind::KillSessions && !self.sessions_of(step).is_empty() {
            Outcome::Refused { statements: said, refusal: still_there() }
        } else {
            Outcome::Done { statements: said, micros: 0 }
        }
    }

    fn see(&self, steps: &[Step]) -> Vec<Seen> {
        let graph = inspection(&self.pool.snapshot()).graph;
        let mut seen: Vec<Seen> = steps
            .iter()
            .map(|step| {
                let there = match step.kind() {
                    StepKind::KillSessions => self.sessions_of(step).is_empty(),
                    _ => holds(&graph, step),
                };
                if there { Seen::InForce } else { Seen::NotInForce }
            })
            .collect();
        for i in (0..steps.len()).rev() {
            if let Some(later) = (i + 1..steps.len()).find(|j| supersedes(&steps[*j], &steps[i])) {
                seen[i] = seen[later];
            }
        }
        seen
    }

    async fn one(&self, step: &Step, wording: &Wording<'_>) -> Outcome {
        if let Step::DropPrincipal { name, .. } = step {
            self.troubles.tell_drop(name.as_str());
        }
        breathe().await;
        match self.enter() {
            Ok(()) => {}
            Err(Entered::Refused(refusal)) => return Outcome::Refused { statements: Vec::new(), refusal },
            Err(Entered::Broken(reason)) => {
                return Outcome::Unknown {
                    statements: Vec::new(),
                    reason: format!("nothing was sent: {reason}"),
                };
            }
        }
        let creates = matches!(step, Step::CreatePrincipal { .. });
        let kill = step.kind() == StepKind::KillSessions;
        let met = kill.then(|| self.troubles.strike_kill()).flatten();
        let met = met.or_else(|| self.troubles.strike(|kind| kind.at_statement(creates)));
        let said = vec![step.to_string()];
        let lost = |reason: &str| {
            self.cut();
            Outcome::Unknown { statements: said.clone(), reason: reason.to_owned() }
        };
        let outcome = match met {
            Some(Kind::LostBefore) => lost("the connection was lost before the statement"),
            Some(kind @ (Kind::LostDuring | Kind::Hang)) => {
                // Half of them took effect: whether the journal's clock is even decides, which a seed replays.
                let even = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).len().is_multiple_of(2);
                let reason = "the connection was lost during the statement";
                let outcome = if even { self.unheard(step, wording, reason) } else { lost(reason) };
                if kind == Kind::Hang {
                    self.clock.advance(time::Duration::seconds(61));
                }
                outcome
            }
            Some(Kind::LostAfter) => {
                self.unheard(step, wording, "the connection was lost after the statement")
            }
            // It is taken, and nothing comes of it.
            Some(Kind::NeverShown) => self.without_effect(step, said),
            Some(kind) => {
                let number = kind.number().unwrap_or(0);
                self.was_sent(step, &said[0], Answered::Refused);
                Outcome::Refused { statements: said, refusal: server_error::refusal(number, kind.word()) }
            }
            None => match self.perform(step, wording) {
                (statements, Ok(())) => Outcome::Done { statements, micros: 0 },
                (statements, Err(refusal)) => {
                    let kind = match (self.see(std::slice::from_ref(step)).first(), refusal.kind) {
                        (Some(Seen::InForce), RefusalKind::AlreadyThere | RefusalKind::Missing) => {
                            RefusalKind::AlreadyThere
                        }
                        (_, RefusalKind::AlreadyThere) => RefusalKind::Blocked,
                        (_, other) => other,
                    };
                    Outcome::Refused { statements, refusal: Refusal { kind, ..refusal } }
                }
            },
        };
        breathe().await;
        outcome
    }

    fn reach(&self, attempt: &'static str, lost: Kind) -> Result<(), TargetError> {
        let target = "warehouse".to_owned();
        match self.enter() {
            Ok(()) => {}
            Err(Entered::Broken(reason)) => return Err(TargetError::NoToken { target, reason }),
            Err(Entered::Refused(refusal)) => {
                let retry = server_error::meaning(refusal.number).1;
                return Err(TargetError::Refused { target, attempt, refusal, retry });
            }
        }
        if self.troubles.strike(|kind| kind == lost).is_some() {
            self.cut();
            return Err(TargetError::Unreachable { target, reason: "the connection was lost".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl Target for Place {
    async fn inspect(&self, scope: InspectScope) -> Result<Inspection, TargetError> {
        breathe().await;
        self.reach("the catalog query", Kind::InspectLost)?;
        // Of a part nobody can say what else was done by hand.
        if scope == InspectScope::Full {
            self.seen.look(self.ledger.lock().map_or(0, |ledger| ledger.len()));
        }
        let seen = inspection(&self.pool.snapshot());
        breathe().await;
        Ok(seen)
    }

    async fn visitors(&self) -> Result<Option<Vec<Visitor>>, TargetError> {
        breathe().await;
        self.reach("the query for sessions", Kind::InspectLost)?;
        if self.pool.live_sessions() <= 1 {
            return Ok(Some(Vec::new()));
        }
        let mut held = self.session();
        let Some(session) = held.as_mut() else { return Ok(Some(Vec::new())) };
        let answers = session.batch(
            "SELECT login_name, security_id FROM sys.dm_pdw_exec_sessions \
             WHERE status IN ('ACTIVE', 'IDLE') AND session_id <> SESSION_ID()",
        );
        let visitors = answers.into_iter().filter_map(|answer| {
            let Answer::Row(values) = answer else { return None };
            let [Value::Text(login), Value::Bytes(sid)] = values.as_slice() else { return None };
            Some(Visitor { login: name(login), sid: Some(Sid::from_bytes(sid)) })
        });
        Ok(Some(visitors.collect()))
    }

    async fn apply(&self, wave: &Wave) -> Vec<Outcome> {
        let catalog = self.pool.snapshot();
        let roles: BTreeSet<SqlName> =
            catalog.principals().filter(|p| p.is_role()).map(|p| name(&p.name)).collect();
        drop(catalog);
        let wording = Wording { dialect: Dialect::Dedicated, database: name("dw"), roles: &roles };
        let spool = self.full.is_full().then_some(self.spool.as_path());
        let written = self.effects.written(spool).await;
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = written;
        let mut outcomes = Vec::with_capacity(wave.steps().len());
        for step in wave.steps() {
            let outcome = self.one(step, &wording).await;
            let go_on = match &outcome {
                Outcome::Done { .. } => true,
                Outcome::Refused { refusal, .. } => refusal.kind == RefusalKind::AlreadyThere,
                Outcome::Unknown { .. } | Outcome::NotTried => false,
            };
            outcomes.push(outcome);
            if !go_on {
                break;
            }
        }
        outcomes.resize(wave.steps().len(), Outcome::NotTried);
        outcomes
    }

    async fn read_back(&self, wave: &Wave) -> Result<Vec<Seen>, TargetError> {
        breathe().await;
        self.reach("the read-back", Kind::ReadBackLost)?;
        Ok(self.see(wave.steps()))
    }
}
