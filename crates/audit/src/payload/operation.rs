//! Tokens of sources, operators' acts, trouble with a target, erasures.

use axon_model::{RecordSeq, SourceId};
use serde::{Deserialize, Serialize};

use super::Payload;
use crate::record::RecordKind;

/// What happened to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum TokenVerb {
    Created,
    Revoked,
}

/// A bearer token was made or revoked. The token itself, its hash and its label are not said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenChange {
    /// What happened.
    pub verb: TokenVerb,
    /// The token's id.
    pub token: String,
    /// Whose token.
    pub source: SourceId,
}

/// A target could not be read or reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetTrouble {
    /// The target, as the role map names it.
    pub target: String,
    /// What kind of trouble.
    pub code: String,
    /// The target's error number.
    pub number: Option<i64>,
    /// The clear part.
    #[serde(skip)]
    pub clear: TroubleClear,
}

/// The target's own words, which may name people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleClear {
    /// The words.
    pub words: String,
}

/// An operator did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorAct {
    /// What, as a short code.
    pub act: String,
    /// The clear part.
    #[serde(skip)]
    pub clear: ActClear,
}

/// What an operator said or named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActClear {
    /// The words.
    pub words: String,
}

/// The clear part of a record was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Whose clear part.
    pub record: RecordSeq,
}

macro_rules! facts_only {
    ($($payload:ident, $kind:ident;)*) => {$(
        impl Payload for $payload {
            const KIND: RecordKind = RecordKind::$kind;
            type Facts = Self;
            type Clear = ();

            fn split(self) -> (Self, Option<()>) {
                (self, None)
            }
        }
    )*};
}

facts_only! {
    TokenChange, TokenChange;
    Erasure, Erasure;
}

impl Payload for TargetTrouble {
    const KIND: RecordKind = RecordKind::TargetTrouble;
    type Facts = Self;
    type Clear = TroubleClear;

    fn split(mut self) -> (Self, Option<TroubleClear>) {
        let clear = std::mem::take(&mut self.clear);
        (self, Some(clear))
    }
}

impl Payload for OperatorAct {
    const KIND: RecordKind = RecordKind::OperatorAct;
    type Facts = Self;
    type Clear = ActClear;

    fn split(mut self) -> (Self, Option<ActClear>) {
        let clear = std::mem::take(&mut self.clear);
        (self, Some(clear))
    }
}

#[cfg(test)]
mod tests {
    use axon_model::{Actor, IdSource};
    use time::OffsetDateTime;

    use super::*;
    use crate::record::NewRecord;

    #[test]
    fn what_names_nobody_has_no_clear_part() {
        let erasure = Erasure { record: RecordSeq(7) };
        let new =
            NewRecord::of(&IdSource::counting(), OffsetDateTime::UNIX_EPOCH, Actor::Axon, erasure).unwrap();
        assert_eq!((new.clear, new.facts), (None, serde_json::json!({"record": 7})));
    }
}
