//! The controller's records: a decision when it changes, an intent before each step, an outcome after it.

use axon_audit::payload::{
    Cause, PlanClear, PlanMade, ReadBack, StepClear, StepIntent, StepOutcome, StepRef, StepResult,
    StepWithheld, TargetTrouble, TroubleClear,
};
use axon_audit::{NewRecord, PayloadError};
use axon_model::{Actor, IdSource, MapVersion, PlanId, RecordSeq, RequestId, RunId};
use axon_reconcile::admit::{Reason, Withheld};
use axon_reconcile::{Outcome, Seen, Step, TargetError};
use axon_store::Removal;
use time::OffsetDateTime;

/// Makes the records of one run.
pub struct Recorder<'a> {
    /// Where ids come from.
    pub ids: &'a IdSource,
    /// Who acts.
    pub actor: Actor,
    /// The target.
    pub target: &'a str,
    /// The run.
    pub run: RunId,
    /// The plan.
    pub plan: PlanId,
}

/// What led to a plan.
pub struct Decision<'a> {
    /// The directory's position.
    pub directory: RecordSeq,
    /// The map.
    pub map: &'a MapVersion,
    /// The admitted steps as people read them.
    pub steps: &'a [&'a Step],
    /// What is withheld.
    pub withheld: &'a [Withheld],
    /// The findings as people read them.
    pub findings: Vec<String>,
}

/// A step in its place, with its causes.
pub struct Placed<'a> {
    /// The step.
    pub step: &'a Step,
    /// Its place in the plan.
    pub index: u64,
    /// Why.
    pub causes: Vec<Cause>,
    /// The request that set it off.
    pub request: Option<RequestId>,
    /// What a budget counts of it.
    pub counts: Option<Removal>,
    /// Marks of what goes by it.
    pub unmakes: Vec<i64>,
}

impl Recorder<'_> {
    fn record<P: axon_audit::Payload>(
        &self,
        at: OffsetDateTime,
        payload: P,
    ) -> Result<NewRecord, PayloadError> {
        NewRecord::of(self.ids, at, self.actor.clone(), payload).map(|record| record.with_run(self.run))
    }

    fn reference(&self, step: &Step, index: u64) -> StepRef {
        StepRef {
            target: self.target.to_owned(),
            plan: self.plan,
            index,
            action: step.kind().name().replace(' ', "-"),
        }
    }

    /// The plan and what is withheld of it.
    pub fn decision(
        &self,
        decision: Decision<'_>,
        at: OffsetDateTime,
    ) -> Result<Vec<NewRecord>, PayloadError> {
        let all = decision.steps.iter().copied().chain(decision.withheld.iter().map(|w| &w.planned.step));
        let gives = all.clone().filter(|step| step.gives()).count() as u64;
        let takes = all.clone().count() as u64 - gives;
        let mut records = vec![self.record(
            at,
            PlanMade {
                target: self.target.to_owned(),
                plan: self.plan,
                directory: decision.directory,
                map: decision.map.clone(),
                gives,
                takes,
                withheld: decision.withheld.len() as u64,
                findings: decision.findings.len() as u64,
                clear: PlanClear {
                    steps: all.map(ToString::to_string).collect(),
                    findings: cut(decision.findings),
                },
            },
        )?];
        for (n, withheld) in decision.withheld.iter().enumerate() {
            let index = decision.steps.len() as u64 + n as u64;
            records.push(self.record(
                at,
                StepWithheld {
                    step: self.reference(&withheld.planned.step, index),
                    guards: withheld.reasons.iter().map(guard_name).collect(),
                    clear: StepClear {
                        text: withheld.planned.to_string(),
                        statements: Vec::new(),
                        words: withheld.reasons.iter().map(ToString::to_string).collect(),
                    },
                },
            )?);
        }
        Ok(records)
    }

    /// A step is about to be sent.
    pub fn intent(
        &self,
        placed: &Placed<'_>,
        generation: u64,
        at: OffsetDateTime,
    ) -> Result<NewRecord, PayloadError> {
        let intent = StepIntent {
            step: self.reference(placed.step, placed.index),
            gives: placed.step.gives(),
            generation,
            causes: placed.causes.clone(),
            clear: StepClear { text: placed.step.to_string(), ..StepClear::default() },
        };
        Ok(self.record(at, intent)?.with_request(placed.request.clone()))
    }

    /// What came of a step.
    pub fn outcome(
        &self,
        placed: &Placed<'_>,
        outcome: &Outcome,
        at: OffsetDateTime,
    ) -> Result<NewRecord, PayloadError> {
        let (result, number, micros, statements, words) = match outcome {
            Outcome::Done { statements, micros } => {
                (StepResult::Done, None, Some(*micros), statements.clone(), None)
            }
            Outcome::Refused { statements, refusal } => (
                StepResult::Refused,
                Some(refusal.number),
                None,
                statements.clone(),
                Some(refusal.to_string()),
            ),
            Outcome::Unknown { statements, reason } => {
                (StepResult::Unknown, None, None, statements.clone(), Some(reason.clone()))
            }
            Outcome::NotTried => (StepResult::NotTried, None, None, Vec::new(), None),
        };
        let outcome = StepOutcome {
            step: self.reference(placed.step, placed.index),
            result,
            number,
            micros,
            clear: StepClear {
                text: placed.step.to_string(),
                statements,
                words: words.into_iter().collect(),
            },
        };
        Ok(self.record(at, outcome)?.with_request(placed.request.clone()))
    }

    /// What the catalog showed afterwards.
    pub fn read_back(
        &self,
        placed: &Placed<'_>,
        seen: Seen,
        at: OffsetDateTime,
    ) -> Result<NewRecord, PayloadError> {
        let read = ReadBack {
            step: self.reference(placed.step, placed.index),
            in_force: seen == Seen::InForce,
            clear: StepClear { text: placed.step.to_string(), ..StepClear::default() },
        };
        Ok(self.record(at, read)?.with_request(placed.request.clone()))
    }
}

/// The most findings that a record spells out: it stays for ever, and is made anew with each decision.
const MOST_FINDINGS: usize = 1_000;

/// The first of many sentences, and how many more there were.
fn cut(mut findings: Vec<String>) -> Vec<String> {
    let more = findings.len().saturating_sub(MOST_FINDINGS);
    findings.truncate(MOST_FINDINGS);
    if more > 0 {
        findings.push(format!("and {more} more"));
    }
    findings
}

/// The reason's word, as its JSON spells it.
fn guard_name(reason: &Reason) -> String {
    serde_json::to_value(reason)
        .ok()
        .and_then(|value| value.get("reason").and_then(|word| word.as_str().map(str::to_owned)))
        .unwrap_or_else(|| "unnamed".to_owned())
}

/// A target could not be read or reached.
pub fn trouble(
    ids: &IdSource,
    target: &str,
    code: &str,
    error: &TargetError,
    at: OffsetDateTime,
) -> Result<NewRecord, PayloadError> {
    let number = match error {
        TargetError::Refused { refusal, .. } => Some(refusal.number),
        TargetError::Unreachable { .. } | TargetError::Unreadable { .. } | TargetError::NoToken { .. } => {
            None
        }
    };
    NewRecord::of(
        ids,
        at,
        Actor::Axon,
        TargetTrouble {
            target: target.to_owned(),
            code: code.to_owned(),
            number,
            clear: TroubleClear { words: error.to_string() },
        },
    )
}
