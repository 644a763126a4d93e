//! A record but for its place: what many threads make ready, so that the one that writes only links it to the chain.

use std::fmt::Write as _;

use axon_model::{Actor, IdSource, RecordId, RecordSeq, RequestId, RunId};
use serde_json::json;
use time::OffsetDateTime;

use crate::canonical::{CanonicalError, canonical, write_text};
use crate::chain::{Chain, Sealed};
use crate::clear::{ClearPart, Salt};
use crate::digest::Digest;
use crate::payload::{DirectoryChange, Payload as _};
use crate::record::{DOMAIN, NewRecord, Record, RecordKind, instant, normal_instant};

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
        let actor = canonical(&json!(new.actor))?;
        let mut draft = Self::of_texts(
            new.id,
            new.at,
            new.kind,
            (new.actor, actor),
            (new.request, new.run),
            (facts, clear),
        );
        draft.record.facts = new.facts;
        Ok(draft)
    }

    /// The record of a directory change, with its facts as text alone: the same draft as that of [`NewRecord::of`], without the
    /// values in between.
    pub fn of_directory(
        ids: &IdSource,
        at: OffsetDateTime,
        actor: Actor,
        request: Option<RequestId>,
        change: &DirectoryChange,
    ) -> Self {
        let clear = change.clear_text().map(|text| (Salt::draw(ids, at), text));
        let id = RecordId::from_uuid(ids.uuid(at));
        let mut text = String::with_capacity(64);
        match &actor {
            Actor::Source { source } => {
                let _ = write!(text, "{{\"kind\":\"source\",\"source\":\"{source}\"}}");
            }
            // An actor has texts alone.
            other => text = canonical(&json!(other)).unwrap_or_default(),
        }
        let texts = (change.facts_text(), clear);
        Self::of_texts(id, at, DirectoryChange::KIND, (actor, text), (request, None), texts)
    }

    fn of_texts(
        id: RecordId,
        at: OffsetDateTime,
        kind: RecordKind,
        (actor, actor_text): (Actor, String),
        (request, run): (Option<RequestId>, Option<RunId>),
        (facts, clear): (String, Option<(Salt, String)>),
    ) -> Self {
        let commitment = clear.as_ref().map(|(salt, body)| ClearPart::commit(salt, body));
        // The names stand in the order of their bytes, as `Record::digest` sorts them. All but the actor and the request are
        // texts of digits and letters, which need no escape.
        let mut before = String::with_capacity(320 + actor_text.len());
        let _ = write!(before, "{{\"actor\":{actor_text},\"at\":\"{}\",\"commitment\":", instant::text(at));
        let _ = match &commitment {
            Some(commitment) => write!(before, "\"{commitment}\""),
            None => write!(before, "null"),
        };
        let _ = write!(before, ",\"id\":\"{id}\",\"kind\":\"{}\",\"prev\":\"", kind.as_str());
        let mut behind = String::with_capacity(96);
        behind.push_str("\",\"request\":");
        match &request {
            Some(request) => write_text(request.as_str(), &mut behind),
            None => behind.push_str("null"),
        }
        let _ = match &run {
            Some(run) => write!(behind, ",\"run\":\"{run}\",\"seq\":"),
            None => write!(behind, ",\"run\":null,\"seq\":"),
        };
        let record = Record {
            id,
            seq: RecordSeq(0),
            at: normal_instant(at),
            actor,
            request,
            run,
            kind,
            facts: serde_json::Value::Null,
            commitment,
            prev: Digest::GENESIS,
            hash: Digest::GENESIS,
        };
        Self { record, actor: actor_text, facts, clear, before, behind }
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
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_directory_change_s_draft_is_that_of_its_record() {
        let now = datetime!(2026-11-22 03:04:05.123_456 UTC);
        let user = axon_model::UserEntry {
            id: "018f3a00-0000-7000-8000-000000000001".parse().unwrap(),
            source: "entra".parse().unwrap(),
            user_name: "kim".into(),
            external_id: None,
            active: true,
            document: "{\"a\":1.5}".into(),
        };
        let removed = axon_model::Delta::UserRemoved { id: user.id };
        for (deltas, actor) in [
            (vec![axon_model::Delta::UserPut { user }], Actor::Source { source: "entra".parse().unwrap() }),
            (vec![removed], Actor::Operator { name: "kim \"é\n".into() }),
        ] {
            let change = DirectoryChange {
                verb: crate::payload::WriteVerb::CreateUser,
                source: "entra".parse().unwrap(),
                deltas,
                external_id_changed: false,
                parked: 0,
                joined: 0,
            };
            let request: Option<RequestId> = "r-1".parse().ok();
            let (ids, again) = (IdSource::counting(), IdSource::counting());
            let straight = Draft::of_directory(&ids, now, actor.clone(), request.clone(), &change);
            let new = NewRecord::of(&again, now, actor, change).unwrap().with_request(request);
            let mut around = Draft::of(new).unwrap();
            around.record.facts = Value::Null;
            assert_eq!(straight, around);
        }
    }

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
