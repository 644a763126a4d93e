//! Plans and steps: what was decided, what was about to happen, what came of it.

use axon_model::{GroupId, MapVersion, PlanId, RecordSeq};
use serde::{Deserialize, Serialize};

use super::Payload;
use crate::record::RecordKind;

/// A tick made a plan for a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanMade {
    /// The target, as the role map names it.
    pub target: String,
    /// The plan.
    pub plan: PlanId,
    /// The directory's position that it was made from.
    pub directory: RecordSeq,
    /// The map that it was made from.
    pub map: MapVersion,
    /// How many steps give.
    pub gives: u64,
    /// How many take away.
    pub takes: u64,
    /// How many of all these are withheld.
    pub withheld: u64,
    /// What the plan found that no step can mend: how many findings.
    pub findings: u64,
    /// The clear part.
    #[serde(skip)]
    pub clear: PlanClear,
}

/// The texts of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanClear {
    /// The steps as people read them.
    pub steps: Vec<String>,
    /// The findings as people read them.
    pub findings: Vec<String>,
}

/// Which step a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRef {
    /// The target, as the role map names it.
    pub target: String,
    /// The plan.
    pub plan: PlanId,
    /// The step's place in the plan, from 0.
    pub index: u64,
    /// The kind of step, as `create-principal`.
    pub action: String,
}

/// One chain from a step back to its cause.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The line of the role map, as `role-map.yaml:31`.
    pub line: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// The group through which somebody has it.
    pub group: Option<GroupId>,
    /// The record that brought the membership.
    pub membership: Option<RecordSeq>,
}

/// What a step is in words: kept in the clear part, since principals are people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepClear {
    /// The step as people read it.
    pub text: String,
    /// The statements as they were sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
    /// Reasons, or the target's own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

/// A step is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepIntent {
    /// Which.
    #[serde(flatten)]
    pub step: StepRef,
    /// Whether it gives.
    pub gives: bool,
    /// The lease generation that it runs under.
    pub generation: u64,
    /// Why.
    pub causes: Vec<Cause>,
    /// The clear part.
    #[serde(skip)]
    pub clear: StepClear,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of the port's outcomes")]
pub enum StepResult {
    Done,
    Refused,
    Unknown,
    NotTried,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// Which.
    #[serde(flatten)]
    pub step: StepRef,
    /// What it came to.
    pub result: StepResult,
    /// The target's error number.
    pub number: Option<i64>,
    /// How long the target took, microseconds.
    pub micros: Option<u64>,
    /// The clear part.
    #[serde(skip)]
    pub clear: StepClear,
}

/// What the catalog showed of a step afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadBack {
    /// Which.
    #[serde(flatten)]
    pub step: StepRef,
    /// Whether the catalog shows its effect.
    pub in_force: bool,
    /// The clear part.
    #[serde(skip)]
    pub clear: StepClear,
}

/// A guard withheld a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepWithheld {
    /// Which.
    #[serde(flatten)]
    pub step: StepRef,
    /// The guards' names.
    pub guards: Vec<String>,
    /// The clear part.
    #[serde(skip)]
    pub clear: StepClear,
}

macro_rules! clear_apart {
    ($($payload:ty, $kind:ident, $clear:ty;)*) => {$(
        impl Payload for $payload {
            const KIND: RecordKind = RecordKind::$kind;
            type Facts = Self;
            type Clear = $clear;

            fn split(mut self) -> (Self, Option<$clear>) {
                let clear = std::mem::take(&mut self.clear);
                (self, Some(clear))
            }
        }
    )*};
}

clear_apart! {
    PlanMade, PlanMade, PlanClear;
    StepIntent, StepIntent, StepClear;
    StepOutcome, StepOutcome, StepClear;
    ReadBack, ReadBack, StepClear;
    StepWithheld, StepWithheld, StepClear;
}

#[cfg(test)]
mod tests {
    use axon_model::{Actor, IdSource};
    use time::OffsetDateTime;

    use super::*;
    use crate::chain::{Chain, seal};
    use crate::record::NewRecord;

    #[test]
    fn a_statement_is_in_the_clear_part_only_and_the_facts_read_back() {
        let ids = IdSource::counting();
        let now = OffsetDateTime::UNIX_EPOCH;
        let intent = StepIntent {
            step: StepRef {
                target: "warehouse".into(),
                plan: PlanId::from_uuid(ids.uuid(now)),
                index: 3,
                action: "create-principal".into(),
            },
            gives: true,
            generation: 1,
            causes: vec![Cause { line: Some("role-map.yaml:31".into()), ..Cause::default() }],
            clear: StepClear { text: "create external user kim@acme.com".into(), ..StepClear::default() },
        };
        let new = NewRecord::of(&ids, now, Actor::Axon, intent.clone()).unwrap();
        let sealed = seal(Chain::EMPTY, new.clone()).unwrap();
        assert!(!sealed.facts.contains("kim"));
        let facts = sealed.record.facts_of::<StepIntent>().unwrap();
        assert_eq!(facts, StepIntent { clear: StepClear::default(), ..intent.clone() });
        assert_eq!(new.clear.unwrap().body_of::<StepIntent>().unwrap(), intent.clear);
        assert!(sealed.record.facts_of::<PlanMade>().is_err(), "another kind");
    }
}
