//! What was assigned and has no effect yet, and when it is worth asking about it again.

use std::time::Duration as Wait;

use time::{Duration, OffsetDateTime};

use super::place::Row;

/// So many assignments are asked about in one go.
const AT_ONCE: usize = 20;
/// The least time between two goes, and before the first question about an assignment.
const LEAST: Duration = Duration::seconds(2);
/// The longest pause between two questions about an assignment.
const MOST: Duration = Duration::minutes(1);
/// How long it is waited for an effect before somebody is told that it is late. It is asked about seldom then.
const LATE: Duration = Duration::minutes(15);
const SELDOM: Duration = Duration::minutes(5);

struct One {
    row: Row,
    what: String,
    since: OffsetDateTime,
    next: OffsetDateTime,
}

/// All that has no effect yet.
#[derive(Default)]
pub(super) struct Settling {
    all: Vec<One>,
    asked: Option<OffsetDateTime>,
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
    /// Takes in what was assigned a moment ago.
    pub(super) fn add(&mut self, row: Row, what: String, now: OffsetDateTime) {
        self.all.retain(|one| one.row.id != row.id);
        self.all.push(One { row, what, since: now, next: now + LEAST });
    }

    /// The rows to ask about now: those that wait longest.
    pub(super) fn due(&mut self, now: OffsetDateTime) -> Vec<Row> {
        if self.wait(now) != Some(Wait::ZERO) {
            return Vec::new();
        }
        self.asked = Some(now);
        self.all.sort_by_key(|one| one.next);
        let due = self.all.iter().filter(|one| one.time(now) <= now).take(AT_ONCE);
        due.map(|one| one.row.clone()).collect()
    }

    /// In how long somebody should ask; none where nothing settles.
    pub(super) fn wait(&self, now: OffsetDateTime) -> Option<Wait> {
        let next = self.all.iter().map(|one| one.time(now)).min()?;
        let asked = self.asked.filter(|asked| *asked <= now).map(|asked| asked + LEAST);
        let next = asked.map_or(next, |asked| next.max(asked));
        Some(Wait::try_from(next - now).unwrap_or_default())
    }

    /// A row has no effect yet, or nobody could say.
    pub(super) fn not_yet(&mut self, row: &Row, now: OffsetDateTime) {
        if let Some(one) = self.all.iter_mut().find(|one| one.row.id == row.id) {
            one.next = now + pause(now - one.since);
        }
    }

    /// Only rows that are there settle.
    pub(super) fn retain(&mut self, is_there: impl Fn(&Row) -> bool) {
        self.all.retain(|one| is_there(&one.row));
    }

    /// All of it in sentences.
    pub(super) fn told(&self, now: OffsetDateTime) -> Vec<String> {
        let told = |one: &One| {
            let age = now - one.since;
            let late = if age >= LATE { ": later than Azure says it takes" } else { "" };
            format!("{} is configured and has no effect yet, for {} min{late}", one.what, age.whole_minutes())
        };
        self.all.iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guid::Guid;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);

    fn row(n: u128) -> Row {
        let id = format!("row-{n}");
        let (role, principal) = (Guid::from_u128(1), Guid::from_u128(n));
        Row { id, role, principal, kind: None, scope: "workspaces/acme".into(), conditional: false }
    }

    #[test]
    fn it_is_asked_soon_at_first_and_ever_more_seldom() {
        let mut settling = Settling::default();
        assert_eq!(settling.wait(NOW), None);
        settling.add(row(1), "it".into(), NOW);
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
        (0..50).for_each(|n| settling.add(row(n), n.to_string(), NOW));
        let (mut now, mut asked) = (NOW, std::collections::BTreeSet::new());
        for _ in 0..3 {
            now += settling.wait(now).unwrap();
            let due = settling.due(now);
            assert!(due.len() <= AT_ONCE, "{}", due.len());
            assert_eq!(settling.due(now), [], "twice at one time");
            for row in due {
                settling.not_yet(&row, now);
                asked.insert(row.id);
            }
        }
        assert_eq!((asked.len(), now - NOW), (50, LEAST * 3));
        settling.retain(|row| row.principal == Guid::from_u128(3));
        assert_eq!(settling.told(now).len(), 1);
        settling.retain(|_| false);
        assert_eq!(settling.wait(now), None);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let mut settling = Settling::default();
        settling.add(row(1), "it".into(), NOW);
        let before = NOW - Duration::hours(3);
        assert_eq!(settling.wait(before), Some(Wait::ZERO));
        assert_eq!(settling.due(before), [row(1)]);
    }
}
