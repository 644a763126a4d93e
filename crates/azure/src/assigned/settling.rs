//! What was assigned and has no effect yet, and when it is worth asking about it again.
//!
//! An assignment is expected before its request is sent, so that neither a lost answer nor the end of the process makes it pass for
//! effective; it is asked about as soon as an answer or a list shows it. What another process expects may be too young for a list that
//! was read a moment ago: what nobody saw yet is given time.

mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration as Wait;

use time::{Duration, OffsetDateTime};

use super::place::Row;
use crate::guid::Guid;

/// How many assignments are asked about in one go.
const AT_ONCE: usize = 20;
/// The least time between two goes, and before the first question about an assignment.
const LEAST: Duration = Duration::seconds(2);
/// The longest pause between two questions about an assignment.
const MOST: Duration = Duration::minutes(1);
/// How long it is waited for an effect before somebody is told that it is late. It is asked about seldom then.
const LATE: Duration = Duration::minutes(15);
const SELDOM: Duration = Duration::minutes(5);
/// How old an assignment is that no list shows and that was never made, therefore. A younger one may be on its way: the list may have
/// been read before its request was sent, or be behind.
const NEVER_MADE: Duration = Duration::minutes(10);

/// What an assignment is, whatever the name of its row: role, scope, principal.
type Key = (Guid, String, Guid);

fn key(row: &Row) -> Key {
    (row.role, row.scope.clone(), row.principal)
}

/// Whether the store has an assignment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InStore {
    Never,
    /// It had it, or another one of the same role, scope and principal.
    Once,
    Now,
}

struct One {
    row: Row,
    what: String,
    since: OffsetDateTime,
    /// Tells it from earlier ones of the same role, scope and principal: greater than theirs.
    stamp: i64,
    next: OffsetDateTime,
    /// An answer or a list showed it.
    seen: bool,
    in_store: InStore,
    /// This process expects it, and did not learn of it from another one.
    own: bool,
}

/// That all of an assignment up to this stamp are over.
struct Ended {
    stamp: i64,
    at: OffsetDateTime,
    /// The store has it.
    kept: bool,
}

/// All that has no effect yet.
#[derive(Default)]
pub(super) struct Settling {
    all: BTreeMap<Key, One>,
    asked: Option<OffsetDateTime>,
    /// What settles no more, for those who read of it in the store.
    ended: BTreeMap<Key, Ended>,
}

/// How long it is waited after a question that was answered with no: half as long as the assignment is old.
fn pause(age: Duration) -> Duration {
    let half: Duration = age / 2;
    if age >= LATE { SELDOM } else { half.clamp(LEAST, MOST) }
}

impl One {
    /// Its time. What lies further ahead than any pause was set by a clock that was set back since.
    fn time(&self, now: OffsetDateTime) -> OffsetDateTime {
        if self.next - now > SELDOM { now } else { self.next }
    }
}

impl Settling {
    /// What is about to be assigned.
    pub(super) fn expect(&mut self, row: Row, what: String, now: OffsetDateTime) {
        let key = key(&row);
        let before = self.all.get(&key);
        let last = before.map(|one| one.stamp).max(self.ended.get(&key).map(|ended| ended.stamp));
        let stamp = last.map_or(i64::MIN, |last| last.saturating_add(1)).max(now.unix_timestamp());
        let was_there = before.is_some_and(|one| one.in_store != InStore::Never);
        let in_store = if was_there { InStore::Once } else { InStore::Never };
        let next = now + LEAST;
        self.all.insert(key, One { row, what, since: now, stamp, next, seen: false, in_store, own: true });
    }

    /// These rows are there: what was expected of them settles from now on.
    pub(super) fn saw<'r>(&mut self, rows: impl IntoIterator<Item = &'r Row>) {
        if self.all.values().all(|one| one.seen) {
            return;
        }
        for row in rows {
            if let Some(one) = self.all.get_mut(&key(row)) {
                one.seen = true;
            }
        }
    }

    /// The rows to ask about now: those that wait longest.
    pub(super) fn due(&mut self, now: OffsetDateTime) -> Vec<Row> {
        if self.wait(now) != Some(Wait::ZERO) {
            return Vec::new();
        }
        self.asked = Some(now);
        let mut due: Vec<&One> = self.all.values().filter(|one| one.seen && one.time(now) <= now).collect();
        due.sort_by_key(|one| one.next);
        due.into_iter().take(AT_ONCE).map(|one| one.row.clone()).collect()
    }

    /// In how long somebody should ask; none where nothing settles.
    pub(super) fn wait(&self, now: OffsetDateTime) -> Option<Wait> {
        let next = self.all.values().filter(|one| one.seen).map(|one| one.time(now)).min()?;
        let asked = self.asked.filter(|asked| *asked <= now).map(|asked| asked + LEAST);
        let next = asked.map_or(next, |asked| next.max(asked));
        Some(Wait::try_from(next - now).unwrap_or_default())
    }

    /// A row has no effect yet, or nobody could say.
    pub(super) fn not_yet(&mut self, row: &Row, now: OffsetDateTime) {
        if let Some(one) = self.all.get_mut(&key(row)) {
            one.next = now + pause(now - one.since);
        }
    }

    /// A row has effect, is gone, or was never made.
    pub(super) fn end(&mut self, row: &Row, now: OffsetDateTime) {
        let key = key(row);
        if let Some(one) = self.all.remove(&key)
            && one.in_store != InStore::Never
        {
            self.ended.insert(key, Ended { stamp: one.stamp, at: now, kept: false });
        }
    }

    /// Only rows that are there settle: these are all that a list showed, which may be older than what was expected since.
    pub(super) fn only(&mut self, rows: &[Row], now: OffsetDateTime) {
        if self.all.is_empty() {
            return;
        }
        let there: BTreeSet<Key> = rows.iter().map(key).collect();
        let is_over = |one: &One| one.seen || now - one.since >= NEVER_MADE;
        let gone = self.all.iter().filter(|(key, one)| !there.contains(key) && is_over(one));
        let gone: Vec<Row> = gone.map(|(_, one)| one.row.clone()).collect();
        for row in &gone {
            self.end(row, now);
        }
        self.saw(rows);
    }

    /// All of it in sentences, the oldest first.
    pub(super) fn told(&self, now: OffsetDateTime) -> Vec<String> {
        let told = |one: &One| {
            let age = now - one.since;
            let late = if age >= LATE { ": later than Azure says it takes" } else { "" };
            format!("{} is configured and has no effect yet, for {} min{late}", one.what, age.whole_minutes())
        };
        let mut seen: Vec<&One> = self.all.values().filter(|one| one.seen).collect();
        seen.sort_by_key(|one| one.since);
        seen.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);

    fn row(n: u128) -> Row {
        let id = format!("row-{n}");
        let (role, principal) = (Guid::from_u128(1), Guid::from_u128(n));
        Row { id, role, principal, kind: None, scope: "workspaces/acme".into(), conditional: false }
    }

    fn add(settling: &mut Settling, row: &Row, what: &str) {
        settling.expect(row.clone(), what.to_owned(), NOW);
        settling.saw([row]);
    }

    #[test]
    fn it_is_asked_soon_at_first_and_ever_more_seldom() {
        let mut settling = Settling::default();
        assert_eq!(settling.wait(NOW), None);
        add(&mut settling, &row(1), "it");
        let (mut now, mut waits) = (NOW, Vec::new());
        while now - NOW < Duration::minutes(30) {
            let wait = settling.wait(now).unwrap();
            assert_eq!(settling.due(now), [], "not before its time");
            now += wait;
            waits.push(wait.as_secs());
            assert_eq!(settling.due(now), [row(1)]);
            settling.not_yet(&row(1), now);
        }
        assert_eq!(waits[..8], [2, 2, 2, 3, 4, 6, 10, 15]);
        assert!(waits.len() < 32 && waits.iter().all(|wait| *wait <= 300), "{waits:?}");
        assert_eq!(waits.last(), Some(&300), "what is late is asked about seldom");
        assert!(settling.told(now)[0].ends_with("later than Azure says it takes"));
    }

    #[test]
    fn many_are_asked_about_a_few_at_a_time_and_each_comes_to_its_turn() {
        let mut settling = Settling::default();
        (0..50).for_each(|n| add(&mut settling, &row(n), &n.to_string()));
        let (mut now, mut asked) = (NOW, std::collections::BTreeSet::new());
        for _ in 0..3 {
            now += settling.wait(now).unwrap();
            let due = settling.due(now);
            assert!(due.len() <= AT_ONCE, "{}", due.len());
            assert_eq!(settling.due(now), [], "twice at one time");
            for row in due {
                settling.not_yet(&row, now);
                asked.insert(row.principal);
            }
        }
        assert_eq!((asked.len(), now - NOW), (50, LEAST * 3));
        settling.only(&[row(3)], now);
        assert_eq!(settling.told(now).len(), 1);
        settling.end(&row(3), now);
        assert_eq!(settling.wait(now), None);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let mut settling = Settling::default();
        add(&mut settling, &row(1), "it");
        let before = NOW - Duration::hours(3);
        assert_eq!(settling.wait(before), Some(Wait::ZERO));
        assert_eq!(settling.due(before), [row(1)]);
    }

    #[test]
    fn what_nobody_saw_is_given_time_and_what_was_seen_is_gone_with_its_row() {
        let mut settling = Settling::default();
        settling.expect(row(1), "it".into(), NOW);
        add(&mut settling, &row(2), "another");
        settling.only(&[], NOW + NEVER_MADE - Duration::seconds(1));
        settling.saw([&row(1), &row(2)]);
        assert_eq!(settling.due(NOW + NEVER_MADE), [row(1)], "a list without it may be older than it");
        let mut settling = Settling::default();
        settling.expect(row(1), "it".into(), NOW);
        settling.only(&[], NOW + NEVER_MADE);
        settling.saw([&row(1)]);
        assert_eq!(settling.due(NOW + NEVER_MADE), [], "its request was never sent");
    }

    #[test]
    fn what_is_expected_settles_when_it_is_seen_and_not_before() {
        let mut settling = Settling::default();
        settling.expect(Row { id: String::new(), ..row(1) }, "it".into(), NOW);
        let later = NOW + Duration::minutes(1);
        assert_eq!((settling.wait(later), settling.told(later).len()), (None, 0), "nobody saw it");
        settling.saw([&row(2), &Row { scope: "workspaces/other".into(), ..row(1) }]);
        assert_eq!(settling.wait(later), None, "another row");
        settling.saw([&row(1)]);
        assert_eq!((settling.due(later).len(), settling.told(later).len()), (1, 1));
    }
}
