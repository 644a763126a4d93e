//! What of it outlives the process: a list in the store, which other replicas read and change, too.
//!
//! The store replaces the whole list, so two replicas that write at once may lose each other's lines. So the absence of a line says
//! nothing of an assignment that is young or this process's own: it is written again. That something is over stands in the list.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::{Ended, InStore, Key, One, Settling, key};
use crate::assigned::place::Row;
use crate::guid::Guid;

/// The most that are kept, the youngest: the list is written anew with each wave.
const MOST_KEPT: usize = 2_000;
/// How long it is told that something is over. Whoever reads the list more seldom finds out anew.
const TOLD: Duration = Duration::hours(1);

#[derive(Serialize, Deserialize)]
struct Kept {
    role: Guid,
    scope: String,
    principal: Guid,
    what: String,
    /// Seconds since 1970, and more where there was another one in the same second.
    since: i64,
}

#[derive(Serialize, Deserialize)]
struct Over {
    role: Guid,
    scope: String,
    principal: Guid,
    /// Of the last one that is over.
    since: i64,
    /// When it was found out, in seconds since 1970.
    at: i64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct List {
    settling: Vec<Kept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ended: Vec<Over>,
}

impl Settling {
    /// The youngest, as many as are kept.
    fn young(&self) -> impl Iterator<Item = (&Key, &One)> {
        let mut young: Vec<_> = self.all.iter().collect();
        if young.len() > MOST_KEPT {
            young.sort_by_key(|(key, one)| (Reverse(one.since), *key));
            young.truncate(MOST_KEPT);
        }
        young.into_iter()
    }

    /// Whether the store should know something.
    pub(in crate::assigned) fn is_unkept(&self) -> bool {
        self.ended.values().any(|ended| !ended.kept)
            || self.young().any(|(_, one)| one.in_store != InStore::Now)
    }

    /// Takes in what the store has. What is over there is over here; what is missing there was lost, or is long over.
    pub(in crate::assigned) fn recall(&mut self, stored: Option<Value>, now: OffsetDateTime) {
        let list: List = stored.and_then(|stored| serde_json::from_value(stored).ok()).unwrap_or_default();
        self.take_ended(list.ended, now);
        let stored: BTreeMap<Key, One> = list.settling.into_iter().map(|kept| kept.one(now)).collect();
        let ended = &self.ended;
        self.all.retain(|key, one| {
            let there = stored.get(key).map(|stored| stored.stamp);
            one.note(there == Some(one.stamp));
            if let Some(over) = ended.get(key).filter(|over| over.stamp >= one.stamp) {
                // Nobody could speak of one that the store never had: that was an earlier one.
                one.stamp = over.stamp.saturating_add(1);
                return one.in_store == InStore::Never;
            }
            let may_be_lost = one.own || one.in_store == InStore::Never || now - one.since < TOLD;
            there.is_some() || may_be_lost
        });
        for (key, one) in stored {
            let is_over = self.ended.get(&key).is_some_and(|over| over.stamp >= one.stamp);
            let is_newer = self.all.get(&key).is_none_or(|known| known.stamp < one.stamp);
            if !is_over && is_newer {
                self.all.insert(key, one);
            }
        }
    }

    fn take_ended(&mut self, stored: Vec<Over>, now: OffsetDateTime) {
        for ended in self.ended.values_mut() {
            ended.kept = false;
        }
        for (key, over) in stored.into_iter().map(|over| over.ended(now)) {
            if self.ended.get(&key).is_none_or(|known| known.stamp <= over.stamp) {
                self.ended.insert(key, over);
            }
        }
        // What lies ahead was written by a clock that was set back since.
        self.ended.retain(|_, ended| (now - ended.at).abs() < TOLD);
        if self.ended.len() > MOST_KEPT {
            let mut young: Vec<_> = std::mem::take(&mut self.ended).into_iter().collect();
            young.sort_by(|(one, a), (other, b)| b.at.cmp(&a.at).then_with(|| one.cmp(other)));
            young.truncate(MOST_KEPT);
            self.ended = young.into_iter().collect();
        }
    }

    /// What the store is to have.
    pub(in crate::assigned) fn to_keep(&self) -> Value {
        let settling = self.young().map(|(_, one)| Kept {
            role: one.row.role,
            scope: one.row.scope.clone(),
            principal: one.row.principal,
            what: one.what.clone(),
            since: one.stamp,
        });
        let ended = self.ended.iter().map(|((role, scope, principal), ended)| Over {
            role: *role,
            scope: scope.clone(),
            principal: *principal,
            since: ended.stamp,
            at: ended.at.unix_timestamp(),
        });
        let list = List { settling: settling.collect(), ended: ended.collect() };
        serde_json::to_value(list).unwrap_or_default()
    }

    /// The store has what it was given.
    pub(in crate::assigned) fn was_kept(&mut self) {
        for ended in self.ended.values_mut() {
            ended.kept = true;
        }
        let kept: BTreeSet<Key> = self.young().map(|(key, _)| key.clone()).collect();
        for (key, one) in &mut self.all {
            one.note(kept.contains(key));
        }
    }
}

impl One {
    /// The store has it, or not.
    fn note(&mut self, there: bool) {
        self.in_store = match self.in_store {
            _ if there => InStore::Now,
            InStore::Now => InStore::Once,
            before => before,
        };
    }
}

impl Kept {
    fn one(self, now: OffsetDateTime) -> (Key, One) {
        let Self { role, scope, principal, what, since: stamp } = self;
        let since = OffsetDateTime::from_unix_timestamp(stamp).unwrap_or(now).min(now);
        let row = Row { id: String::new(), role, principal, kind: None, scope, conditional: false };
        let (in_store, own) = (InStore::Now, false);
        (key(&row), One { row, what, since, stamp, next: now, seen: false, in_store, own })
    }
}

impl Over {
    fn ended(self, now: OffsetDateTime) -> (Key, Ended) {
        let at = OffsetDateTime::from_unix_timestamp(self.at).unwrap_or(now);
        ((self.role, self.scope, self.principal), Ended { stamp: self.since, at, kept: true })
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);

    fn row(n: u128) -> Row {
        let (role, principal) = (Guid::from_u128(1), Guid::from_u128(n));
        Row {
            id: n.to_string(),
            role,
            principal,
            kind: None,
            scope: "workspaces/acme".into(),
            conditional: false,
        }
    }

    /// One that the store knows, and what the store has then.
    fn kept(n: u128) -> (Settling, Value) {
        let mut settling = Settling::default();
        settling.expect(row(n), format!("step {n}"), NOW);
        assert!(settling.is_unkept());
        let stored = settling.to_keep();
        settling.was_kept();
        assert!(!settling.is_unkept());
        (settling, stored)
    }

    #[test]
    fn what_one_process_expected_the_next_one_asks_about() {
        let (_, stored) = kept(1);
        let (mut next, later) = (Settling::default(), NOW + Duration::minutes(4));
        next.recall(Some(stored), later);
        assert_eq!(next.told(later), Vec::<String>::new(), "no list showed it yet");
        next.only(&[row(1), row(2)], later);
        assert_eq!(next.told(later), ["step 1 is configured and has no effect yet, for 4 min"]);
        assert_eq!(next.due(later).len(), 1);
        assert!(!next.is_unkept(), "nothing is new");
        next.end(&row(1), later);
        assert!(next.is_unkept());
        let over = serde_json::json!({"role": Guid::from_u128(1), "scope": "workspaces/acme",
            "principal": Guid::from_u128(1), "since": NOW.unix_timestamp(), "at": later.unix_timestamp()});
        assert_eq!(next.to_keep(), serde_json::json!({"settling": [], "ended": [over]}));
        next.was_kept();
        assert!(!next.is_unkept());
        let stored = next.to_keep();
        next.recall(Some(stored), later + TOLD);
        assert_eq!(next.to_keep(), serde_json::json!({"settling": []}), "it is not told for ever");
    }

    #[test]
    fn replicas_do_not_bring_back_what_another_one_proved() {
        let (mut first, stored) = kept(1);
        let mut second = Settling::default();
        second.recall(Some(stored.clone()), NOW);
        second.end(&row(1), NOW);
        // It reads the list once more before it writes.
        second.recall(Some(stored), NOW);
        let proved = second.to_keep();
        first.expect(row(2), "step 2".into(), NOW);
        first.recall(Some(proved), NOW);
        assert_eq!(first.to_keep()["settling"].as_array().map(Vec::len), Some(1), "the new one stays");
        first.only(&[row(1), row(2)], NOW);
        assert_eq!(first.told(NOW).len(), 1);
    }

    #[test]
    fn a_line_that_another_write_lost_is_written_again_and_one_that_is_over_stays_so() {
        let (mut first, with_one) = kept(1);
        let (mut second, with_two) = kept(2);
        // The second one wrote last, and had read before the first one wrote.
        first.recall(Some(with_two), NOW);
        assert!(first.is_unkept());
        assert_eq!(first.to_keep()["settling"].as_array().map(Vec::len), Some(2));
        // The same with the word that something is over.
        second.recall(Some(with_one.clone()), NOW);
        second.end(&row(1), NOW);
        second.was_kept();
        second.recall(Some(with_one), NOW);
        assert!(second.is_unkept());
        let stored = second.to_keep();
        assert_eq!(
            (stored["settling"].as_array().map(Vec::len), stored["ended"].as_array().map(Vec::len)),
            (Some(1), Some(1))
        );
        // What a process learned from another one long ago, and what is in the list no more.
        let (_, old) = kept(3);
        let mut other = Settling::default();
        other.recall(Some(old), NOW);
        other.recall(None, NOW + TOLD);
        assert_eq!(other.to_keep(), serde_json::json!({"settling": []}));
    }

    #[test]
    fn what_is_given_again_is_another_one() {
        let (mut first, stored) = kept(1);
        let mut second = Settling::default();
        second.recall(Some(stored), NOW);
        second.end(&row(1), NOW);
        let over = second.to_keep();
        // In the same second, by the one process and by the other.
        second.expect(row(1), "again".into(), NOW);
        let again = second.to_keep();
        first.recall(Some(over.clone()), NOW);
        assert_eq!(first.to_keep(), over);
        first.recall(Some(again.clone()), NOW);
        assert_eq!(first.to_keep(), again);
        let mut third = Settling::default();
        third.expect(row(1), "again".into(), NOW);
        third.recall(Some(over), NOW);
        assert_eq!(third.to_keep(), again, "nobody could know of it yet");
    }

    #[test]
    fn what_makes_no_sense_is_nothing_and_the_list_has_an_end() {
        let mut settling = Settling::default();
        settling.recall(Some(serde_json::json!({"settling": 7})), NOW);
        settling.recall(Some(serde_json::json!([])), NOW);
        assert!(!settling.is_unkept());
        let far = serde_json::json!({"settling": [{"role": Guid::from_u128(1), "scope": "workspaces/acme",
            "principal": Guid::from_u128(9), "what": "it", "since": i64::MAX}]});
        settling.recall(Some(far), NOW);
        settling.only(&[row(9)], NOW);
        assert!(settling.told(NOW)[0].ends_with("for 0 min"), "an instant ahead is now");
        for n in 0..2_100 {
            settling.expect(row(n), n.to_string(), NOW);
        }
        assert_eq!(settling.to_keep()["settling"].as_array().map(Vec::len), Some(MOST_KEPT));
        settling.was_kept();
        settling.recall(Some(settling.to_keep()), NOW);
        (0..2_100).for_each(|n| settling.end(&row(n), NOW));
        settling.recall(Some(settling.to_keep()), NOW);
        assert!(settling.to_keep()["ended"].as_array().map(Vec::len) <= Some(MOST_KEPT));
    }
}
