//! The numbers of the proposals, from what was measured and what is remembered. Pure.

use std::time::Duration;

use axon_store::Removal;
use axon_synapse::Latency;
use axon_synapse::pace::Pace;
use time::OffsetDateTime;

/// How many changes the time is told of.
pub const CHANGES: u32 = 10_000;
/// Fewer statements say nothing of the next ones.
const ENOUGH: usize = 20;
/// A leaver waits for the wave that runs: no longer than this, as far as the proposal has it.
const WAITS: Duration = Duration::from_secs(1);
/// Shorter waves are mostly looks, longer ones save little.
const WAVES: (u32, u32) = (4, 128);
/// Shut out, ten roles less, killed.
const OF_A_LEAVER: u32 = 12;
/// A budget under this would hold a day's usual work.
const LEAST_FLOOR: u64 = 20;

/// How long changes take in a pool, and what should be set there.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposed {
    /// How many statements of the journal it is told by; none where it is told by statements that do nothing.
    pub known: Option<usize>,
    /// What a statement takes.
    pub statement: Duration,
    /// What many changes take, as waves are now.
    pub changes: Duration,
    /// How many round trips they are.
    pub round_trips: u32,
    /// What somebody with ten roles waits until the last session was looked for.
    pub leaver: Duration,
    /// The wave to set.
    pub wave: u32,
    /// The longest that a leaver waits for a wave of that length, and for one as it is now.
    pub waits: [Duration; 2],
    /// How much of the time goes to looks with that wave, in hundredths.
    pub looking: f64,
    /// The least pause between two reads of everything, in seconds.
    pub inspect_every: u64,
}

impl Proposed {
    /// What follows from what was measured, the times of the last statements (shortest first) and the wave as it is now; nothing
    /// where not all was measured.
    pub fn of(measured: &[Latency], taken: &[Duration], wave: u32) -> Option<Self> {
        let whole = measured.iter().find(|latency| latency.what == "a read of everything")?.median();
        let bare = Pace::of(measured)?;
        let known = (taken.len() >= ENOUGH).then_some(taken.len());
        // A statement's own time holds its round trip.
        let statement = match known {
            Some(_) => Latency { what: "", took: taken.to_vec() }.median(),
            None => bare.round_trip,
        };
        let model = Pace { round_trip: statement, ..bare };
        let proposed = fitting(statement);
        let waits = [proposed, wave].map(|wave| statement * wave + model.look);
        Some(Self {
            known,
            statement,
            changes: model.takes(CHANGES, wave),
            round_trips: Pace::round_trips(CHANGES, wave),
            leaver: model.takes(OF_A_LEAVER, wave) + model.look,
            wave: proposed,
            waits,
            looking: model.look.as_secs_f64() * 100.0 / waits[0].as_secs_f64().max(f64::EPSILON),
            // A hundredth of the time at most is spent on looking.
            inspect_every: (whole.as_secs() + 1) * 100,
        })
    }
}

/// As many statements as go into the time that a leaver may wait.
fn fitting(of_one: Duration) -> u32 {
    let fit = WAITS.as_micros() / of_one.as_micros().max(1);
    u32::try_from(fit).unwrap_or(u32::MAX).clamp(WAVES.0, WAVES.1)
}

/// What was taken from people who stayed, as far as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lately {
    /// Since the first of it, begun days counted.
    pub days: i64,
    /// The most within one window.
    pub busiest: u64,
    /// The floor to set: twice that passes, what is more is looked at by a person.
    pub floor: u64,
}

impl Lately {
    /// None where nothing was taken from anybody but leavers.
    pub fn of(past: &[Removal], window: time::Duration, now: OffsetDateTime) -> Option<Self> {
        let mut taken: Vec<(OffsetDateTime, u64)> = past
            .iter()
            .filter(|removal| !removal.leaver)
            .map(|removal| (removal.at, removal.count))
            .collect();
        taken.sort_unstable();
        let first = taken.first()?.0;
        let busiest = busiest(&taken, window);
        let floor = busiest.saturating_mul(2).max(LEAST_FLOOR);
        Some(Self { days: (now - first).whole_days().max(0) + 1, busiest, floor })
    }
}

/// The largest sum within one window. Sorted by time.
fn busiest(taken: &[(OffsetDateTime, u64)], window: time::Duration) -> u64 {
    let (mut from, mut sum, mut most) = (0, 0_u64, 0);
    for (at, count) in taken {
        sum = sum.saturating_add(*count);
        while taken.get(from).is_some_and(|(first, _)| *at - *first >= window) {
            sum = sum.saturating_sub(taken.get(from).map_or(0, |(_, count)| *count));
            from += 1;
        }
        most = most.max(sum);
    }
    most
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A round trip, a look by name and a read of everything that take so many milliseconds.
    fn measured(trip: u64, look: u64, whole: u64) -> [Latency; 3] {
        let of = |what, millis| Latency { what, took: vec![ms(millis)] };
        [of("a round trip", trip), of("a read of one name", look), of("a read of everything", whole)]
    }

    #[test]
    fn a_wave_is_as_long_as_a_leaver_may_wait() {
        let of = |millis| fitting(ms(millis));
        assert_eq!([of(0), of(5), of(20), of(80), of(2_000)], [128, 128, 50, 12, 4]);
    }

    #[test]
    fn every_number_is_the_model_s() {
        let proposed = Proposed::of(&measured(20, 30, 2_500), &[], 16).unwrap();
        // 10,000 statements, and a look for each of 625 waves.
        assert_eq!(proposed.round_trips, 10_625);
        assert_eq!(proposed.changes, ms(10_000 * 20 + 625 * 30));
        // Twelve statements are one wave with its look, and sessions are looked for once more.
        assert_eq!(proposed.leaver, ms(12 * 20 + 30 + 30));
        assert_eq!((proposed.wave, proposed.known), (50, None));
        assert_eq!(proposed.waits, [ms(50 * 20 + 30), ms(16 * 20 + 30)]);
        assert!((proposed.looking - 100.0 * 30.0 / 1_030.0).abs() < 1e-9, "{}", proposed.looking);
        assert_eq!(proposed.inspect_every, 300, "a read of 2.5 s counts as 3 s");
        // A wave of one is a look a change.
        let alone = Proposed::of(&measured(20, 30, 2_500), &[], 1).unwrap();
        assert_eq!((alone.round_trips, alone.changes), (20_000, ms(10_000 * 50)));
    }

    #[test]
    fn the_journal_s_statements_count_where_there_are_enough_of_them() {
        let of = |count: u64| {
            let taken: Vec<Duration> = (1..=count).map(|n| ms(100 * n)).collect();
            Proposed::of(&measured(20, 30, 10), &taken, 16).unwrap()
        };
        let few = of(19);
        assert_eq!((few.known, few.statement), (None, ms(20)));
        let enough = of(20);
        assert_eq!(
            (enough.known, enough.statement),
            (Some(20), ms(1_000)),
            "their median, not a bare round trip"
        );
        assert_eq!(enough.wave, 4, "no shorter, however slow the pool is");
        assert_eq!(enough.waits[0], ms(4_030));
    }

    #[test]
    fn a_pool_that_answers_at_once_gives_numbers_and_one_that_was_not_measured_none() {
        let at_once = Proposed::of(&measured(0, 0, 0), &[], 16).unwrap();
        assert_eq!((at_once.wave, at_once.changes, at_once.inspect_every), (128, Duration::ZERO, 100));
        assert!(at_once.looking.abs() < f64::EPSILON, "nothing of nothing");
        for missing in 0..3 {
            let mut some = measured(1, 1, 1).to_vec();
            some.remove(missing);
            assert_eq!(Proposed::of(&some, &[], 16), None, "without {missing}");
        }
        let never = Duration::from_micros(u64::MAX);
        let slow = [("a round trip", never), ("a read of one name", never), ("a read of everything", never)]
            .map(|(what, took)| Latency { what, took: vec![took] });
        assert_eq!(Proposed::of(&slow, &[], 256).unwrap().wave, 4, "absurd times break nothing");
    }

    #[test]
    fn the_busiest_window_may_begin_at_any_time() {
        let first = datetime!(2026-11-22 00:00 UTC);
        let at = |hours: i64, count| (first + time::Duration::hours(hours), count);
        let day = time::Duration::hours(24);
        assert_eq!(busiest(&[], day), 0);
        assert_eq!(busiest(&[at(0, 5), at(23, 7), at(24, 6), at(60, 12)], day), 13);
        assert_eq!(busiest(&[at(0, 5), at(30, 5)], day), 5);
        assert_eq!(busiest(&[at(0, u64::MAX), at(1, 5)], day), u64::MAX);
    }

    #[test]
    fn a_budget_lets_twice_the_busiest_window_through_and_never_less_than_a_day_s_usual_work() {
        let now = datetime!(2026-11-22 12:00 UTC);
        let day = time::Duration::hours(24);
        let removal = |hours_ago: i64, count, leaver| Removal {
            key: format!("{hours_ago}-{count}"),
            at: now - time::Duration::hours(hours_ago),
            leaver,
            count,
        };
        assert_eq!(Lately::of(&[], day, now), None);
        assert_eq!(
            Lately::of(&[removal(1, 500, true)], day, now),
            None,
            "leavers need no budget of this kind"
        );
        let quiet = Lately::of(&[removal(1, 3, false), removal(1, 500, true)], day, now);
        assert_eq!(quiet, Some(Lately { days: 1, busiest: 3, floor: 20 }));
        // Not in the order of time, over three begun days.
        let past = [removal(2, 30, false), removal(60, 7, false), removal(20, 15, false)];
        assert_eq!(Lately::of(&past, day, now), Some(Lately { days: 3, busiest: 45, floor: 90 }));
        let hour = time::Duration::hours(1);
        assert_eq!(Lately::of(&past, hour, now), Some(Lately { days: 3, busiest: 30, floor: 60 }));
        // A clock that went back.
        assert_eq!(Lately::of(&[removal(-30, 1, false)], day, now).map(|lately| lately.days), Some(1));
    }
}
