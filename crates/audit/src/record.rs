//! What a record is, and the bytes that its hash covers.

use std::fmt;

use axon_model::{Actor, RecordId, RecordSeq, RequestId, RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, UtcOffset};

use crate::canonical::{CanonicalError, canonical};
use crate::clear::ClearPart;
use crate::digest::Digest;

pub(crate) const DOMAIN: &str = "axon.record.v1";

/// What a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// A SCIM write changed the directory.
    DirectoryChange,
    /// A bearer token was made or revoked.
    TokenChange,
    /// A version of the role map came into force.
    MapVersion,
    /// A version of the role map waits for a second person, or does no longer.
    MapProposal,
    /// An operator's token was made or revoked, or a job's token was exchanged.
    OperatorToken,
    /// A tick made a plan for a target.
    PlanMade,
    /// A guard withheld a step.
    StepWithheld,
    /// Something waits for a person, or waits no longer.
    Hold,
    /// Names were bound to the groups that had them.
    NamesBound,
    /// Something was asked for beside the role map, came into force or ended.
    AccessRequest,
    /// A step is about to be sent.
    StepIntent,
    /// What came of a step.
    StepOutcome,
    /// What the catalog showed afterwards.
    ReadBack,
    /// A file of statements was written for people, or waits no longer.
    ScriptChange,
    /// A target could not be read or reached.
    TargetTrouble,
    /// A look showed what somebody else did in a target, or that it is over.
    DriftSeen,
    /// A secure view was read as one of its readers, and compared with the policy.
    ViewProbe,
    /// Somebody who left is out of a target, or came back before.
    LeaverClock,
    /// An operator did something.
    OperatorAct,
    /// The chain was signed up to a record.
    Checkpoint,
    /// A clear part was erased.
    Erasure,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::DirectoryChange,
        Self::TokenChange,
        Self::MapVersion,
        Self::MapProposal,
        Self::OperatorToken,
        Self::PlanMade,
        Self::StepWithheld,
        Self::Hold,
        Self::NamesBound,
        Self::AccessRequest,
        Self::StepIntent,
        Self::StepOutcome,
        Self::ReadBack,
        Self::ScriptChange,
        Self::TargetTrouble,
        Self::DriftSeen,
        Self::ViewProbe,
        Self::LeaverClock,
        Self::OperatorAct,
        Self::Checkpoint,
        Self::Erasure,
    ];

    /// The word in exports and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DirectoryChange => "directory-change",
            Self::TokenChange => "token-change",
            Self::MapVersion => "map-version",
            Self::MapProposal => "map-proposal",
            Self::OperatorToken => "operator-token",
            Self::PlanMade => "plan-made",
            Self::StepWithheld => "step-withheld",
            Self::Hold => "hold",
            Self::NamesBound => "names-bound",
            Self::AccessRequest => "access-request",
            Self::StepIntent => "step-intent",
            Self::StepOutcome => "step-outcome",
            Self::ReadBack => "read-back",
            Self::ScriptChange => "script-change",
            Self::TargetTrouble => "target-trouble",
            Self::DriftSeen => "drift-seen",
            Self::ViewProbe => "view-probe",
            Self::LeaverClock => "leaver-clock",
            Self::OperatorAct => "operator-act",
            Self::Checkpoint => "checkpoint",
            Self::Erasure => "erasure",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A record before it has a position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    /// Its id, known to the writer before the position is.
    pub id: RecordId,
    /// When it happened.
    #[serde(with = "instant")]
    pub at: OffsetDateTime,
    /// Who caused it.
    pub actor: Actor,
    /// The HTTP request that caused it.
    pub request: Option<RequestId>,
    /// The run that it belongs to.
    pub run: Option<RunId>,
    /// What it tells of.
    pub kind: RecordKind,
    /// Ids, counts, codes: nothing that names a person.
    pub facts: Value,
    /// What names a person.
    pub clear: Option<ClearPart>,
}

/// A record in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Its position.
    pub seq: RecordSeq,
    /// When it happened, UTC, whole microseconds.
    #[serde(with = "instant")]
    pub at: OffsetDateTime,
    /// Who caused it.
    pub actor: Actor,
    /// The HTTP request that caused it.
    pub request: Option<RequestId>,
    /// The run that it belongs to.
    pub run: Option<RunId>,
    /// What it tells of.
    pub kind: RecordKind,
    /// Ids, counts, codes: nothing that names a person.
    pub facts: Value,
    /// The digest of the clear part, if there was one.
    pub commitment: Option<Digest>,
    /// The hash of the record before, [`Digest::GENESIS`] for the first.
    pub prev: Digest,
    /// The hash of this record.
    pub hash: Digest,
}

impl Record {
    /// The hash that these fields give. Every field but `hash` is covered.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        let Self { id, seq, at, actor, request, run, kind, facts, commitment, prev, hash: _ } = self;
        let facts = canonical(facts)?;
        let head = canonical(&json!({
            "id": id,
            "seq": seq,
            "at": instant::text(*at),
            "actor": actor,
            "request": request,
            "run": run,
            "kind": kind,
            "commitment": commitment,
            "prev": prev,
        }))?;
        Ok(Digest::of(DOMAIN, &[head.as_bytes(), facts.as_bytes()]))
    }
}

/// An instant as the journal keeps it: UTC, microseconds, between the years 0 and 9999.
pub fn normal_instant(at: OffsetDateTime) -> OffsetDateTime {
    let utc = at.to_offset(UtcOffset::UTC);
    let micros = utc.nanosecond() / 1_000 * 1_000;
    utc.replace_nanosecond(micros).unwrap_or(utc)
}

/// Instants as RFC 3339 text with six digits after the second.
pub mod instant {
    use std::fmt::Write as _;

    use serde::Deserialize as _;
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    use super::normal_instant;

    /// The text of an instant.
    pub fn text(at: OffsetDateTime) -> String {
        let at = normal_instant(at);
        let mut out = String::with_capacity(27);
        let _ = write!(
            out,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.microsecond()
        );
        out
    }

    /// The instant of a text that [`text`] wrote; any other spelling of it is refused.
    pub fn parse(written: &str) -> Option<OffsetDateTime> {
        let at = OffsetDateTime::parse(written, &Rfc3339).ok()?;
        (text(at) == written).then_some(at)
    }

    /// Writes an instant.
    pub fn serialize<S: serde::Serializer>(at: &OffsetDateTime, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&text(*at))
    }

    /// Reads an instant.
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<OffsetDateTime, D::Error> {
        let written = String::deserialize(d)?;
        parse(&written).ok_or_else(|| serde::de::Error::custom("not an instant of the journal"))
    }

    /// The same where there may be none.
    pub mod option {
        use serde::{Deserialize as _, Serialize as _};
        use time::OffsetDateTime;

        /// Writes an instant or null.
        pub fn serialize<S: serde::Serializer>(at: &Option<OffsetDateTime>, s: S) -> Result<S::Ok, S::Error> {
            at.map(super::text).serialize(s)
        }

        /// Reads an instant or null.
        pub fn deserialize<'de, D: serde::Deserializer<'de>>(
            d: D,
        ) -> Result<Option<OffsetDateTime>, D::Error> {
            let written = Option::<String>::deserialize(d)?;
            let bad = || serde::de::Error::custom("not an instant of the journal");
            written.map(|written| super::parse(&written).ok_or_else(bad)).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_kind_has_one_word_in_serde_and_in_tables() {
        for kind in RecordKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(RecordKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn an_instant_has_one_spelling() {
        let at = datetime!(2026-11-22 03:04:05.000_006_789 +2);
        assert_eq!(instant::text(at), "2026-11-22T01:04:05.000006Z");
        assert_eq!(instant::parse("2026-11-22T01:04:05.000006Z"), Some(normal_instant(at)));
        for bad in ["2026-11-22T01:04:05Z", "2026-11-22T01:04:05.000006+00:00", "now"] {
            assert_eq!(instant::parse(bad), None, "{bad}");
        }
    }
}
