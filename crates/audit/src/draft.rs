//! A record but for its place: what many threads make ready, so that the one that writes only links it to the chain.

use std::fmt::Write as _;

use axon_model::RecordSeq;
use serde_json::json;

use crate::canonical::{CanonicalError, canonical, write_text};
use crate::chain::{Chain, Sealed};
use crate::clear::{ClearPart, Salt};
use crate::digest::Digest;
use crate::record::{DOMAIN, NewRecord, Record, instant, normal_instant};

/// A record with its canonical texts and its commitment made, without a position.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its position, `prev` and `hash` are not told yet.
    record: Record,
    actor: String,
    facts: String,
    clear: Option<(Salt, String)>,
    /// The canonical text of its fields up to the value of `prev`.
    before: String,
    /// From there up to the value of `seq`.
    behind: String,
}

impl Draft {
    /// Makes all that does not depend on the place.
    pub fn of(new: NewRecord) -> Result<Self, CanonicalError> {
        let facts = canonical(&new.facts)?;
        let clear = match &new.clear {
            Some(part) => Some((part.salt, canonical(&part.body)?)),
            None => None,
        };
        let commitment = clear.as_ref().map(|(salt, body)| ClearPart::commit(salt, body));
        let actor = canonical(&json!(new.actor))?;
        // The names stand in the order of their bytes, as `Record::digest` sorts them. All but the actor and the request are
        // texts of digits and letters, which need no escape.
        let (at, kind) = (instant::text(new.at), new.kind.as_str());
        let mut before = String::with_capacity(320 + actor.len());
        let _ = write!(before, "{{\"actor\":{actor},\"at\":\"{at}\",\"commitment\":");
        let _ = match &commitment {
            Some(commitment) => write!(before, "\"{commitment}\""),
            None => write!(before, "null"),
        };
        let _ = write!(before, ",\"id\":\"{}\",\"kind\":\"{kind}\",\"prev\":\"", new.id);
        let mut behind = String::with_capacity(96);
        behind.push_str("\",\"request\":");
        match &new.request {
            Some(request) => write_text(request.as_str(), &mut behind),
            None => behind.push_str("null"),
        }
        let _ = match &new.run {
            Some(run) => write!(behind, ",\"run\":\"{run}\",\"seq\":"),
            None => write!(behind, ",\"run\":null,\"seq\":"),
        };
        let record = Record {
            id: new.id,
            seq: RecordSeq(0),
            at: normal_instant(new.at),
            actor: new.actor,
            request: new.request,
            run: new.run,
            kind: new.kind,
            facts: new.facts,
            commitment,
            prev: Digest::GENESIS,
            hash: Digest::GENESIS,
        };
        Ok(Self { record, actor, facts, clear, before, behind })
    }

    /// The same with its facts as text alone, for a store that writes texts: a value is many small pieces, and they are best
    /// given back by the thread that made them.
    #[must_use]
    pub fn as_text(mut self) -> Self {
        self.record.facts = serde_json::Value::Null;
        self
    }

    /// Puts it behind `last`.
    pub fn seal(self, last: Chain) -> Sealed {
        let Self { mut record, actor, facts, clear, before: mut head, behind } = self;
        record.seq = last.seq.next();
        record.prev = last.hash;
        head.reserve(64 + behind.len() + 21);
        let _ = write!(head, "{}{behind}{}}}", record.prev, record.seq);
        record.hash = Digest::of(DOMAIN, &[head.as_bytes(), facts.as_bytes()]);
        Sealed { record, actor, facts, clear }
    }
}

#[cfg(test)]
mod tests {
    use axon_model::{Actor, RunId};
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;
    use crate::record::RecordKind;

    #[test]
    fn a_draft_gets_the_hash_that_its_record_is_proved_by() {
        let id = "018f3a00-0000-7000-8000-000000000001";
        let mut last = Chain::EMPTY;
        for n in 0..8_u64 {
            let actor =
                if n & 1 == 0 { Actor::Axon } else { Actor::Operator { name: "kim \"\n\u{1}é".into() } };
            let clear = (n & 2 == 0)
                .then(|| ClearPart { salt: Salt::from_bytes([7; 16]), body: json!({"b": n, "a": "é\n"}) });
            let new = NewRecord {
                id: id.parse().unwrap(),
                at: datetime!(2026-11-22 03:04:05.123_456_789 +2),
                actor: actor.clone(),
                request: (n & 4 == 0).then(|| r#"r-"1\"#.parse().unwrap()),
                run: (n & 1 == 0).then(|| id.parse::<RunId>().unwrap()),
                kind: RecordKind::DirectoryChange,
                facts: json!({"z": n, "a": [null, true]}),
                clear,
            };
            let sealed = Draft::of(new).unwrap().seal(last);
            assert_eq!(sealed.record.digest().unwrap(), sealed.record.hash, "{n}");
            assert_eq!((sealed.record.seq.0, sealed.record.prev), (n + 1, last.hash));
            assert_eq!(serde_json::from_str::<Actor>(&sealed.actor).unwrap(), actor);
            assert_eq!(serde_json::from_str::<Value>(&sealed.facts).unwrap(), sealed.record.facts);
            last = Chain::after(&sealed.record);
        }
    }
}
