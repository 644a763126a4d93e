//! What of it outlives the process: a list in the store, which other replicas read and change, too.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::{Key, One, Settling, key};
use crate::assigned::place::Row;
use crate::guid::Guid;

/// The most that are kept, the youngest: the list is written anew with each wave.
const MOST_KEPT: usize = 2_000;

#[derive(Serialize, Deserialize)]
struct Kept {
    role: Guid,
    scope: String,
    principal: Guid,
    what: String,
    /// Seconds since 1970.
    since: i64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct List {
    settling: Vec<Kept>,
}

impl Settling {
    /// The youngest, as many as are kept.
    fn young(&self) -> impl Iterator<Item = (&Key, &One)> {
        let mut young: Vec<_> = self.all.iter().collect();
        if young.len() > MOST_KEPT {
            young.sort_by_key(|(key, one)| (std::cmp::Reverse(one.since), *key));
            young.truncate(MOST_KEPT);
        }
        young.into_iter()
    }

    /// Whether the store should know something.
    pub(in crate::assigned) fn is_unkept(&self) -> bool {
        !self.ended.is_empty() || self.young().any(|(_, one)| !one.kept)
    }

    /// Takes in what the store has. What it had and has no more has effect, or is gone: another replica found out.
    pub(in crate::assigned) fn recall(&mut self, stored: Option<Value>, now: OffsetDateTime) {
        let list: List = stored.and_then(|stored| serde_json::from_value(stored).ok()).unwrap_or_default();
        let stored: BTreeMap<Key, One> = list.settling.into_iter().map(|kept| kept.one(now)).collect();
        self.all.retain(|key, one| !one.kept || stored.contains_key(key));
        for (key, one) in stored {
            if !self.ended.contains(&key) {
                self.all.entry(key).or_insert(one);
            }
        }
    }

    /// What the store is to have.
    pub(in crate::assigned) fn to_keep(&self) -> Value {
        let settling = self.young().map(|(_, one)| Kept {
            role: one.row.role,
            scope: one.row.scope.clone(),
            principal: one.row.principal,
            what: one.what.clone(),
            since: one.since.unix_timestamp(),
        });
        serde_json::to_value(List { settling: settling.collect() }).unwrap_or_default()
    }

    /// The store has what it was given.
    pub(in crate::assigned) fn was_kept(&mut self) {
        self.ended.clear();
        let kept: BTreeSet<Key> = self.young().map(|(key, _)| key.clone()).collect();
        for (key, one) in &mut self.all {
            one.kept = kept.contains(key);
        }
    }
}

impl Kept {
    fn one(self, now: OffsetDateTime) -> (Key, One) {
        let since = OffsetDateTime::from_unix_timestamp(self.since).unwrap_or(now).min(now);
        let Self { role, scope, principal, what, .. } = self;
        let row = Row { id: String::new(), role, principal, kind: None, scope, conditional: false };
        (key(&row), One { row, what, since, next: now, seen: false, kept: true })
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
        next.only(&[row(1), row(2)]);
        assert_eq!(next.told(later), ["step 1 is configured and has no effect yet, for 4 min"]);
        assert_eq!(next.due(later).len(), 1);
        assert!(!next.is_unkept(), "nothing is new");
        next.end(&row(1));
        assert!(next.is_unkept());
        assert_eq!(next.to_keep(), serde_json::json!({"settling": []}));
    }

    #[test]
    fn replicas_do_not_bring_back_what_another_one_proved() {
        let (mut first, stored) = kept(1);
        let mut second = Settling::default();
        second.recall(Some(stored.clone()), NOW);
        second.end(&row(1));
        // It reads the list once more before it writes.
        second.recall(Some(stored), NOW);
        let proved = second.to_keep();
        first.expect(row(2), "step 2".into(), NOW);
        first.recall(Some(proved), NOW);
        assert_eq!(first.to_keep()["settling"].as_array().map(Vec::len), Some(1), "the new one stays");
        first.only(&[row(1), row(2)]);
        assert_eq!(first.told(NOW).len(), 1);
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
        settling.only(&[row(9)]);
        assert!(settling.told(NOW)[0].ends_with("for 0 min"), "an instant ahead is now");
        for n in 0..2_100 {
            settling.expect(row(n), n.to_string(), NOW);
        }
        assert_eq!(settling.to_keep()["settling"].as_array().map(Vec::len), Some(MOST_KEPT));
    }
}
