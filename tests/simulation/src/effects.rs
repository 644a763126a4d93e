//! Every effect has its record, and every record its effect: each statement that Axon sent to the pool belongs to the one intent that
//! was open then, and is told by that one's outcome.
//!
//! ```text
//!  journal ── intent 41 ── intent 42 ─────────────────── outcome of 41 ── outcome of 42
//!  pool                              GRANT …  KILL 'SID7'
//!                                    (the head was 42)
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axon_audit::RecordKind;
use axon_audit::payload::{StepIntent, StepOutcome, StepRef, StepResult};
use axon_emulator::Answer;
use axon_model::{PlanId, RecordSeq, RunId};
use axon_store::{JournalEntry, Store};

use crate::checks::Broken;

/// What the pool said to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// It took it.
    Taken,
    /// It refused it.
    Refused,
    /// Nobody heard what.
    Cut,
}

impl Answered {
    /// What these answers say.
    pub fn of(answers: &[Answer]) -> Self {
        if answers.contains(&Answer::Hangup) {
            Self::Cut
        } else if answers.iter().any(|answer| matches!(answer, Answer::Error(_))) {
            Self::Refused
        } else {
            Self::Taken
        }
    }
}

/// To which step a statement belongs.
#[derive(Debug, Clone)]
pub enum Belongs {
    /// To the one with this text.
    To(String),
    /// It came over a connection, where nobody says so; a KILL ends a session of whom these call.
    Unsaid(Vec<String>),
}

/// What was written before a statement was sent.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The journal's head.
    pub head: RecordSeq,
    /// The ids of records in the spool, where the store takes no writes.
    pub spooled: BTreeSet<String>,
}

/// A statement that was sent to the pool and may change something.
#[derive(Debug, Clone)]
pub struct Effect {
    /// Its text.
    pub sql: String,
    /// To which step it belongs.
    pub belongs: Belongs,
    /// What the pool said.
    pub answered: Answered,
    /// What was written before.
    pub written: Written,
}

impl Effect {
    /// Whether it may be of a step of which no outcome says the statements: by the kind of both, by each name in it and by what is
    /// given or taken.
    fn suits(&self, intent: &Intent) -> bool {
        let kill = intent.is_kill();
        if !kill && !intent.carried.is_empty() {
            return false;
        }
        match &self.belongs {
            Belongs::To(text) => *text == intent.text,
            Belongs::Unsaid(whose) if self.sql.starts_with("KILL") => {
                kill && whose.iter().any(|name| intent.text.contains(name.as_str()))
            }
            Belongs::Unsaid(_) => {
                let verbs = VERBS.iter().find(|(action, _)| *action == intent.action);
                verbs.is_some_and(|(_, verb)| self.sql.contains(verb))
                    && names(&self.sql).iter().all(|name| intent.text.contains(name))
                    && intent.text.split_once(" on ").is_none_or(|(said, _)| {
                        let sent = self.sql.split_once(" ON ").map(|(sent, _)| sent);
                        sent.is_some_and(|sent| sent.eq_ignore_ascii_case(said))
                    })
            }
        }
    }
}

/// How statements of each kind of step begin.
const VERBS: [(&str, &str); 9] = [
    ("create-user", "CREATE USER "),
    ("create-role", "CREATE ROLE "),
    ("add-member", "EXEC sp_addrolemember "),
    ("drop-member", "EXEC sp_droprolemember "),
    ("grant", "GRANT "),
    ("revoke", "REVOKE "),
    ("deny-connect", "DENY CONNECT "),
    ("grant-connect", "GRANT CONNECT "),
    ("drop-user", "DROP USER "),
];

/// The names in a statement, but that of the database, of whom a role belongs to, and ids. No story's name has a bracket or a quote.
fn names(sql: &str) -> Vec<&str> {
    let without_id = sql.split(" WITH OBJECT_ID").next().unwrap_or_default();
    let mut names: Vec<&str> = without_id.split(['[', ']', '\'']).skip(1).step_by(2).collect();
    names.retain(|name| !["dw", "dbo"].contains(name));
    names
}

/// Whether a statement may change something.
pub fn is_effect(sql: &str) -> bool {
    !sql.starts_with("SELECT")
}

/// The statements that were sent, in order.
pub struct Effects {
    store: Arc<dyn Store>,
    sent: Mutex<Vec<Effect>>,
}

impl Effects {
    /// None, beside this journal.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, sent: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Effect>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is written now.
    pub async fn written(&self, spool: Option<&Path>) -> Written {
        let head = self.store.head().await.map(|head| head.seq).unwrap_or_default();
        Written { head, spooled: spool.map(in_spool).unwrap_or_default() }
    }

    /// Writes one down.
    pub fn push(&self, effect: Effect) {
        self.lock().push(effect);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Nobody heard what the pool said to those that came since there were so many.
    pub fn unheard(&self, since: usize) {
        for effect in self.lock().iter_mut().skip(since) {
            effect.answered = Answered::Cut;
        }
    }

    fn take(&self) -> Vec<Effect> {
        std::mem::take(&mut *self.lock())
    }
}

/// The ids of the records in a spool, read as its format says.
fn in_spool(place: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(place).unwrap_or_default();
    let mut rest = bytes.as_slice();
    let mut ids = BTreeSet::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(body) = behind.get(32..32 + length).filter(|_| length > 0) else { break };
        let Ok(frame) = serde_json::from_slice::<serde_json::Value>(body) else { break };
        let records = frame["records"].as_array().into_iter().flatten();
        ids.extend(records.filter_map(|record| record["id"].as_str().map(str::to_owned)));
        rest = &behind[32 + length..];
    }
    ids
}

/// What a step came to, as its record says.
#[derive(Debug)]
struct Outcome {
    seq: RecordSeq,
    result: StepResult,
    statements: Vec<String>,
}

/// A step that was about to be sent.
#[derive(Debug)]
struct Intent {
    id: String,
    seq: RecordSeq,
    run: Option<RunId>,
    plan: PlanId,
    index: u64,
    action: String,
    text: String,
    carried: Vec<(String, Answered)>,
    outcome: Option<Outcome>,
}

impl Intent {
    fn is_kill(&self) -> bool {
        self.action == "kill-sessions"
    }

    fn is_of(&self, run: Option<RunId>, step: &StepRef) -> bool {
        (self.run, self.plan, self.index) == (run, step.plan, step.index)
    }

    fn was_written(&self, written: &Written) -> bool {
        self.seq <= written.head || written.spooled.contains(&self.id)
    }

    /// Whether a statement is the next that its outcome tells.
    fn tells(&self, effect: &Effect) -> bool {
        let told = self.outcome.as_ref().filter(|outcome| outcome.seq > effect.written.head);
        told.is_some_and(|outcome| outcome.statements.get(self.carried.len()) == Some(&effect.sql))
    }

    /// Whether the outcome tells what the pool was sent and what it said to it.
    fn judge(&self, outcome: &Outcome) -> Result<(), Broken> {
        let (told, sent) = (&outcome.statements, &self.carried);
        let all = told.len() == sent.len() && told.iter().zip(sent).all(|(told, (sql, _))| told == sql);
        // Of the last one nobody may know.
        let all_but_one =
            told.len() == sent.len() + 1 && told.iter().zip(sent).all(|(told, (sql, _))| told == sql);
        let last = sent.last().map(|(_, answered)| *answered);
        let kill = self.is_kill();
        let right = match outcome.result {
            StepResult::Done => all && sent.iter().all(|(_, answered)| *answered == Answered::Taken),
            // Sessions may be there still after each KILL was taken.
            StepResult::Refused => all && (kill || last.is_none_or(|last| last == Answered::Refused)),
            StepResult::Unknown => {
                all_but_one || (all && (kill || last.is_none_or(|last| last == Answered::Cut)))
            }
            StepResult::NotTried => told.is_empty() && sent.is_empty(),
        };
        if right {
            return Ok(());
        }
        Err(format!(
            "{}: recorded as {:?} by {told:?}, and the pool was sent {sent:?}",
            self.text, outcome.result
        ))
    }
}

/// Intents whose outcome was not read yet, or never comes.
#[derive(Debug, Default)]
pub struct Register {
    read: RecordSeq,
    open: Vec<Intent>,
    /// Statements that were sent when the journal had more than was read of it.
    later: Vec<Effect>,
}

impl Register {
    fn take_in(&mut self, entry: &JournalEntry) -> Result<(), Broken> {
        let (seq, run) = (entry.record.seq, entry.record.run);
        self.read = seq;
        let unread = |error: &dyn std::fmt::Display| format!("record {seq}: {error}");
        let clear = || entry.clear.as_ref().ok_or_else(|| format!("record {seq} names nothing"));
        match entry.record.kind {
            RecordKind::StepIntent => {
                let step = entry.record.facts_of::<StepIntent>().map_err(|e| unread(&e))?.step;
                let text = clear()?.body_of::<StepIntent>().map_err(|e| unread(&e))?.text;
                // What was not tried is tried by the next wave.
                let twice = self.open.iter().any(|open| open.is_of(run, &step) && open.outcome.is_none());
                if twice {
                    return Err(format!("{text}: record {seq} is a second intent of one step"));
                }
                self.open.push(Intent {
                    id: entry.record.id.to_string(),
                    seq,
                    run,
                    plan: step.plan,
                    index: step.index,
                    action: step.action,
                    text,
                    carried: Vec::new(),
                    outcome: None,
                });
            }
            RecordKind::StepOutcome => {
                let facts = entry.record.facts_of::<StepOutcome>().map_err(|e| unread(&e))?;
                let step = facts.step;
                let clear = clear()?.body_of::<StepOutcome>().map_err(|e| unread(&e))?;
                let of = |open: &&mut Intent| {
                    open.is_of(run, &step) && open.text == clear.text && open.outcome.is_none()
                };
                let Some(open) = self.open.iter_mut().find(of) else {
                    return Err(format!("{}: outcome {seq} has no intent before it", clear.text));
                };
                let statements = clear.statements.into_iter().filter(|sql| is_effect(sql)).collect();
                open.outcome = Some(Outcome { seq, result: facts.result, statements });
            }
            _ => {}
        }
        Ok(())
    }

    /// The intent that a statement belongs to: the one whose outcome tells of it, else the last one that has none and suits.
    fn place(&mut self, effect: Effect) -> Result<(), Broken> {
        let told =
            self.open.iter().rposition(|open| open.was_written(&effect.written) && open.tells(&effect));
        let place = told.or_else(|| {
            self.open.iter().rposition(|open| {
                open.outcome.is_none() && open.was_written(&effect.written) && effect.suits(open)
            })
        });
        let Some(place) = place else {
            return Err(format!(
                "{} was sent behind record {}, and no intent that was open then says so",
                effect.sql, effect.written.head
            ));
        };
        self.open[place].carried.push((effect.sql, effect.answered));
        Ok(())
    }

    /// Reads on, and judges each step whose outcome is written. `may_lack` processes died, or are at work: of each, the steps of the
    /// last run may lack it.
    pub async fn check(&mut self, effects: &Effects, may_lack: u64) -> Result<(), Broken> {
        loop {
            let from = RecordSeq(self.read.0 + 1);
            let entries = effects.store.records(from, 500).await.map_err(|e| format!("the journal: {e}"))?;
            if entries.is_empty() {
                break;
            }
            entries.iter().try_for_each(|entry| self.take_in(entry))?;
        }
        let mut sent = std::mem::take(&mut self.later);
        sent.extend(effects.take());
        for effect in sent {
            if effect.written.head > self.read {
                self.later.push(effect);
            } else {
                self.place(effect)?;
            }
        }
        for open in &self.open {
            if let Some(outcome) = &open.outcome {
                open.judge(outcome)?;
            }
        }
        self.open.retain(|open| open.outcome.is_none());
        let runs: BTreeSet<_> = self.open.iter().map(|open| open.run).collect();
        if runs.len() as u64 > may_lack {
            let texts: Vec<_> = self.open.iter().map(|open| (open.seq, &open.text)).collect();
            return Err(format!(
                "steps of {} runs have no outcome, and {may_lack} processes died: {texts:?}",
                runs.len()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(result: StepResult, told: &[&str], sent: &[(&str, Answered)]) -> bool {
        let intent = Intent {
            id: String::new(),
            seq: RecordSeq(1),
            run: None,
            plan: PlanId::from_uuid(uuid::Uuid::nil()),
            index: 0,
            action: "grant".to_owned(),
            text: "grant SELECT on hr.people to axon_r0".to_owned(),
            carried: sent.iter().map(|(sql, answered)| ((*sql).to_owned(), *answered)).collect(),
            outcome: None,
        };
        let statements = told.iter().map(|sql| (*sql).to_owned()).collect();
        intent.judge(&Outcome { seq: RecordSeq(2), result, statements }).is_ok()
    }

    #[test]
    fn an_outcome_tells_exactly_what_was_sent_and_what_was_said_to_it() {
        use Answered::{Cut, Refused, Taken};
        assert!(judged(StepResult::Done, &["GRANT"], &[("GRANT", Taken)]));
        assert!(!judged(StepResult::Done, &["GRANT"], &[]), "nothing was sent");
        assert!(!judged(StepResult::Done, &["GRANT"], &[("REVOKE", Taken)]), "another one was");
        assert!(!judged(StepResult::Done, &["GRANT"], &[("GRANT", Taken), ("GRANT", Taken)]), "twice");
        assert!(!judged(StepResult::Done, &["GRANT"], &[("GRANT", Refused)]), "it was refused");
        assert!(judged(StepResult::Refused, &["GRANT"], &[("GRANT", Refused)]));
        assert!(!judged(StepResult::Refused, &["GRANT"], &[("GRANT", Taken)]), "it was taken");
        assert!(
            judged(StepResult::Unknown, &["GRANT"], &[])
                && judged(StepResult::Unknown, &["GRANT"], &[("GRANT", Cut)])
        );
        assert!(!judged(StepResult::Unknown, &["GRANT"], &[("GRANT", Taken)]), "it was heard");
        assert!(!judged(StepResult::NotTried, &[], &[("GRANT", Taken)]), "it was tried");
    }

    #[test]
    fn names_of_a_statement_are_those_that_its_step_says() {
        let drop = "IF EXISTS (SELECT 1 FROM sys.database_principals u WHERE u.name = N'p1@acme.com' AND \
                    SUBSTRING(u.sid, 1, 16) = 0xAA) DROP USER [p1@acme.com]";
        assert_eq!(names(drop), ["p1@acme.com", "p1@acme.com"]);
        assert_eq!(names("GRANT SELECT ON OBJECT::[hr].[people] TO [axon_r0]"), ["hr", "people", "axon_r0"]);
        assert_eq!(names("DENY CONNECT ON DATABASE::[dw] TO [p1@acme.com]"), ["p1@acme.com"]);
    }
}
