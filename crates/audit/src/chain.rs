//! The chain: each record's hash covers the hash before it.

use std::collections::VecDeque;
use std::fmt;

use axon_model::RecordSeq;

use crate::canonical::CanonicalError;
use crate::checkpoint::{Checkpoint, PublicKey};
use crate::clear::ClearPart;
use crate::digest::Digest;
use crate::draft::Draft;
use crate::record::{NewRecord, Record, RecordKind};

/// A position in the chain: the last record's seq and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The last record's position, 0 where there is none.
    pub seq: RecordSeq,
    /// The last record's hash.
    pub hash: Digest,
}

impl Chain {
    /// Before the first record.
    pub const EMPTY: Self = Self { seq: RecordSeq(0), hash: Digest::GENESIS };

    /// Where the chain stands after `record`.
    pub const fn after(record: &Record) -> Self {
        Self { seq: record.seq, hash: record.hash }
    }
}

/// A record in its place, with the canonical texts that a store keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    /// The record.
    pub record: Record,
    /// Its actor as canonical text.
    pub actor: String,
    /// Its facts as canonical text.
    pub facts: String,
    /// The clear part's salt and canonical text.
    pub clear: Option<(crate::clear::Salt, String)>,
}

/// Puts a record behind `last`.
pub fn seal(last: Chain, new: NewRecord) -> Result<Sealed, CanonicalError> {
    Ok(Draft::of(new)?.seal(last))
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Records before it are missing, or it stands twice or in another order.
    Position {
        /// The position that should have come.
        expected: RecordSeq,
    },
    /// It does not follow from the record before it.
    Link,
    /// A field is not what was hashed.
    Altered,
    /// The clear part is not what was committed to.
    ClearAltered,
    /// There is a clear part that the record never had.
    ClearUnasked,
    /// It cannot be read.
    Unreadable(String),
    /// The records end before the known head.
    Truncated {
        /// The known head's position.
        head: RecordSeq,
    },
    /// The last record is another than the known head.
    OtherHead,
    /// It says of a record what the key did not sign, or what the record is not.
    Unsigned,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position { expected } => write!(f, "out of place: record {expected} should stand here"),
            Self::Link => f.write_str("does not follow from the record before it"),
            Self::Altered => f.write_str("a field was altered"),
            Self::ClearAltered => f.write_str("its clear part was altered"),
            Self::ClearUnasked => f.write_str("has a clear part that it was not sealed with"),
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Self::Truncated { head } => write!(f, "is missing: the journal goes on to record {head}"),
            Self::Unsigned => f.write_str("is a checkpoint that the key did not sign, or not of this chain"),
            Self::OtherHead => f.write_str("is not the record that the head names"),
        }
    }
}

/// The first record that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq}: {what}")]
pub struct Broken {
    /// Its position.
    pub seq: RecordSeq,
    /// What is wrong with it.
    pub what: What,
}

/// A chain that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many records were looked at.
    pub records: u64,
    /// How many of them have lost their clear part to an erasure.
    pub erased: u64,
    /// Where the chain stands.
    pub head: Chain,
    /// What a key signed of it, where one was asked for.
    pub signed: Option<Signed>,
}

/// What a key signed of a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signed {
    /// By how many checkpoints.
    pub checkpoints: u64,
    /// The last record that is.
    pub upto: RecordSeq,
}

/// How far before it a checkpoint's record may stand.
const NEAR: usize = 10_000;

/// Looks at records one by one; for journals that are read in pieces.
#[derive(Debug)]
pub struct Verifier {
    last: Chain,
    records: u64,
    erased: u64,
    key: Option<PublicKey>,
    signed: Signed,
    /// The last records.
    near: VecDeque<Chain>,
}

impl Verifier {
    /// Begins behind `last`, which is trusted: [`Chain::EMPTY`] for a whole journal.
    pub const fn after(last: Chain) -> Self {
        let signed = Signed { checkpoints: 0, upto: RecordSeq(0) };
        Self { last, records: 0, erased: 0, key: None, signed, near: VecDeque::new() }
    }

    /// Also verifies checkpoints of this key. Those of other keys are records like others.
    #[must_use]
    pub fn by(self, key: Option<PublicKey>) -> Self {
        Self { key, ..self }
    }

    fn checkpoint(&mut self, record: &Record) -> Result<(), What> {
        let Some(key) = self.key else { return Ok(()) };
        let found = (record.kind == RecordKind::Checkpoint)
            .then(|| serde_json::from_value::<Checkpoint>(record.facts.clone()).ok())
            .flatten();
        if let Some(found) = found.filter(|found| found.key == key.to_string()) {
            let at = Chain { seq: found.upto, hash: found.head };
            if !key.signed(&found) || !self.near.contains(&at) {
                return Err(What::Unsigned);
            }
            self.signed.checkpoints += 1;
            self.signed.upto = self.signed.upto.max(at.seq);
        }
        if self.near.len() == NEAR {
            self.near.pop_front();
        }
        self.near.push_back(Chain::after(record));
        Ok(())
    }

    /// Takes in the next record.
    pub fn take(&mut self, record: &Record, clear: Option<&ClearPart>) -> Result<(), Broken> {
        let broken = |what| Broken { seq: record.seq, what };
        let expected = self.last.seq.next();
        if record.seq != expected {
            // What is missing or moved is named, not what stands in its place.
            return Err(Broken { seq: expected.min(record.seq), what: What::Position { expected } });
        }
        if record.prev != self.last.hash {
            return Err(broken(What::Link));
        }
        match record.digest() {
            Ok(digest) if digest == record.hash => {}
            _ => return Err(broken(What::Altered)),
        }
        match (&record.commitment, clear) {
            (Some(commitment), Some(clear)) if clear.commitment().as_ref() == Ok(commitment) => {}
            (Some(_), Some(_)) => return Err(broken(What::ClearAltered)),
            (None, Some(_)) => return Err(broken(What::ClearUnasked)),
            (Some(_), None) => self.erased += 1,
            (None, None) => {}
        }
        self.checkpoint(record).map_err(broken)?;
        self.last = Chain::after(record);
        self.records += 1;
        Ok(())
    }

    /// Ends. With a known head, a journal that stops before it or ends in another record is broken.
    pub fn finish(self, head: Option<Chain>) -> Result<Verified, Broken> {
        match head {
            Some(head) if self.last.seq < head.seq => {
                Err(Broken { seq: self.last.seq.next(), what: What::Truncated { head: head.seq } })
            }
            Some(head) if head != self.last && head.seq == self.last.seq => {
                Err(Broken { seq: head.seq, what: What::OtherHead })
            }
            _ => Ok(Verified {
                records: self.records,
                erased: self.erased,
                head: self.last,
                signed: self.key.map(|_| self.signed),
            }),
        }
    }
}

/// Proves a chain of records, or names the first that does not hold.
pub fn verify<'a>(
    after: Chain,
    records: impl IntoIterator<Item = (&'a Record, Option<&'a ClearPart>)>,
    head: Option<Chain>,
) -> Result<Verified, Broken> {
    let mut verifier = Verifier::after(after);
    for (record, clear) in records {
        verifier.take(record, clear)?;
    }
    verifier.finish(head)
}

#[cfg(test)]
pub(crate) mod tests {
    use axon_model::{Actor, IdSource, RecordId};
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::checkpoint::SigningKey;
    use crate::clear::Salt;
    use crate::record::RecordKind;

    pub(crate) fn journal(n: u64) -> Vec<(Record, Option<ClearPart>)> {
        let ids = IdSource::counting();
        let now = datetime!(2026-11-22 03:00 UTC);
        let mut last = Chain::EMPTY;
        (0..n)
            .map(|i| {
                let clear = (i % 2 == 0).then(|| ClearPart {
                    salt: Salt::draw(&ids, now),
                    body: json!({"userName": format!("kim{i}@acme.com")}),
                });
                let new = NewRecord {
                    id: RecordId::from_uuid(ids.uuid(now)),
                    at: now + time::Duration::seconds(i.cast_signed()),
                    actor: Actor::Axon,
                    request: Some("r-1".parse().unwrap()),
                    run: None,
                    kind: RecordKind::DirectoryChange,
                    facts: json!({"n": i}),
                    clear: clear.clone(),
                };
                let sealed = seal(last, new).unwrap();
                last = Chain::after(&sealed.record);
                (sealed.record, clear)
            })
            .collect()
    }

    fn check(journal: &[(Record, Option<ClearPart>)], head: Option<Chain>) -> Result<Verified, Broken> {
        verify(Chain::EMPTY, journal.iter().map(|(r, c)| (r, c.as_ref())), head)
    }

    fn broken_at(result: Result<Verified, Broken>) -> (u64, What) {
        let broken = result.unwrap_err();
        (broken.seq.0, broken.what)
    }

    #[test]
    fn a_whole_journal_holds() {
        let all = journal(5);
        let verified = check(&all, None).unwrap();
        assert_eq!((verified.records, verified.erased, verified.head.seq.0), (5, 0, 5));
        assert!(check(&all, Some(verified.head)).is_ok());
    }

    #[test]
    fn erasing_a_clear_part_leaves_the_chain_whole() {
        let mut all = journal(5);
        all[2].1 = None;
        assert_eq!(check(&all, None).unwrap().erased, 1);
    }

    #[test]
    fn every_altered_field_is_found_and_its_record_named() {
        type Alter = fn(&mut Record);
        let alterations: [(&str, Alter); 8] = [
            ("id", |r| r.id = "018f3a00-0000-7000-8000-000000000001".parse().unwrap()),
            ("at", |r| r.at += time::Duration::microseconds(1)),
            ("actor", |r| r.actor = Actor::Operator { name: "eve".into() }),
            ("request", |r| r.request = None),
            ("run", |r| r.run = Some("018f3a00-0000-7000-8000-000000000001".parse().unwrap())),
            ("kind", |r| r.kind = RecordKind::Hold),
            ("facts", |r| r.facts = json!({"n": 99})),
            ("commitment", |r| r.commitment = Some(Digest::of("x", &[]))),
        ];
        for (field, alter) in alterations {
            let mut all = journal(5);
            alter(&mut all[2].0);
            assert_eq!(broken_at(check(&all, None)), (3, What::Altered), "{field}");
        }
    }

    #[test]
    fn a_record_that_was_altered_and_hashed_anew_breaks_the_next_link() {
        let mut all = journal(5);
        all[2].0.facts = json!({"n": 99});
        all[2].0.hash = all[2].0.digest().unwrap();
        assert_eq!(broken_at(check(&all, None)), (4, What::Link));
    }

    #[test]
    fn an_altered_clear_part_is_found() {
        let mut all = journal(5);
        all[2].1.as_mut().unwrap().body = json!({"userName": "eve@acme.com"});
        assert_eq!(broken_at(check(&all, None)), (3, What::ClearAltered));
        let mut all = journal(5);
        all[1].1 = all[2].1.clone();
        assert_eq!(broken_at(check(&all, None)), (2, What::ClearUnasked));
    }

    #[test]
    fn a_gap_and_another_order_are_found() {
        let mut all = journal(5);
        all.remove(2);
        assert_eq!(broken_at(check(&all, None)), (3, What::Position { expected: RecordSeq(3) }));
        let mut all = journal(5);
        all.swap(1, 2);
        assert_eq!(broken_at(check(&all, None)).0, 2);
        let mut all = journal(5);
        let twice = all[1].clone();
        all.insert(2, twice);
        assert_eq!(broken_at(check(&all, None)), (2, What::Position { expected: RecordSeq(3) }));
    }

    #[test]
    fn a_chain_that_was_written_anew_is_not_what_a_key_signed() {
        let (ids, now) = (IdSource::counting(), datetime!(2026-11-22 03:00 UTC));
        let key = SigningKey::from_pkcs8(&SigningKey::draw().unwrap()).unwrap();
        let placed = |mut all: Vec<(Record, Option<ClearPart>)>, signed: Chain, by: &SigningKey| {
            let last = Chain::after(&all[all.len() - 1].0);
            let new = NewRecord::of(&ids, now, Actor::Axon, by.sign(signed)).unwrap();
            all.push((seal(last, new).unwrap().record, None));
            all
        };
        let check = |all: &[(Record, Option<ClearPart>)]| {
            let mut verifier = Verifier::after(Chain::EMPTY).by(Some(key.public()));
            for (record, clear) in all {
                verifier.take(record, clear.as_ref())?;
            }
            verifier.finish(None)
        };
        let at = |all: &[(Record, Option<ClearPart>)], n: usize| Chain::after(&all[n].0);
        let all = journal(5);
        // The signed record may be some before the last one.
        let whole = placed(all.clone(), at(&all, 3), &key);
        let signed = check(&whole).unwrap().signed;
        assert_eq!(signed, Some(Signed { checkpoints: 1, upto: RecordSeq(4) }));
        // Another chain, whoever hashed it whole.
        let other = journal(6);
        let mut anew = other[..5].to_vec();
        anew[4].0.facts = json!({"n": 99});
        anew[4].0.hash = anew[4].0.digest().unwrap();
        let anew = placed(anew, at(&all, 4), &key);
        assert_eq!(broken_at(check(&anew)), (6, What::Unsigned));
        // By another key it is one record more, and nothing is signed.
        let stranger = SigningKey::from_pkcs8(&SigningKey::draw().unwrap()).unwrap();
        let foreign = placed(all.clone(), at(&all, 4), &stranger);
        assert_eq!(check(&foreign).unwrap().signed, Some(Signed { checkpoints: 0, upto: RecordSeq(0) }));
        // One that names the key, and that it did not sign.
        let mut forged = stranger.sign(at(&all, 4));
        forged.key = key.public().to_string();
        let new = NewRecord::of(&ids, now, Actor::Axon, forged).unwrap();
        let mut forged = all.clone();
        forged.push((seal(at(&all, 4), new).unwrap().record, None));
        assert_eq!(broken_at(check(&forged)), (6, What::Unsigned));
    }

    #[test]
    fn a_truncated_tail_is_found_where_the_head_is_known() {
        let mut all = journal(5);
        let head = check(&all, None).unwrap().head;
        all.truncate(3);
        assert!(check(&all, None).is_ok(), "nothing tells without the head");
        assert_eq!(broken_at(check(&all, Some(head))), (4, What::Truncated { head: RecordSeq(5) }));
        let other = Chain { seq: RecordSeq(3), hash: Digest::GENESIS };
        assert_eq!(broken_at(check(&all, Some(other))), (3, What::OtherHead));
    }
}
