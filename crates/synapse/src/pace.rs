//! How long changes take, from what a round trip takes: the count of statements and looks, as a model.
//!
//! Each change is one statement and one round trip, since the first that is refused ends its wave. After each wave the catalog is
//! asked once for every 400 names that it was about. So a run is as long as its statements, plus one look a wave; nothing else
//! crosses the network. What a server needs for a change beyond answering at all is not in it: changes take at least so long.

use std::time::Duration;

use crate::probe::Latency;
use crate::render::MOST_NAMES;

/// What one server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// A statement that does nothing, with its round trip.
    pub round_trip: Duration,
    /// A look at the catalog by name, with its round trip.
    pub look: Duration,
}

impl Pace {
    /// The pace in what was measured; none where one of its parts was not.
    pub fn of(measured: &[Latency]) -> Option<Self> {
        let median = |what| measured.iter().find(|latency| latency.what == what).map(Latency::median);
        Some(Self { round_trip: median("a round trip")?, look: median("a read of one name")? })
    }

    /// How many looks so many changes need in waves of this length, each change naming one person, and all of them one role.
    pub fn looks(changes: u32, wave: u32) -> u32 {
        let wave = wave.max(1);
        let names = u32::try_from(MOST_NAMES).unwrap_or(u32::MAX).saturating_sub(1);
        let of_one = |length: u32| length.div_ceil(names);
        (changes / wave) * of_one(wave) + of_one(changes % wave)
    }

    /// How many round trips they are.
    pub fn round_trips(changes: u32, wave: u32) -> u32 {
        changes + Self::looks(changes, wave)
    }

    /// How long they take at least.
    pub fn takes(self, changes: u32, wave: u32) -> Duration {
        self.round_trip * changes + self.look * Self::looks(changes, wave)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_cost_a_round_trip_each_and_waves_a_look() {
        assert_eq!(Pace::round_trips(10_000, 16), 10_625);
        assert_eq!(Pace::round_trips(10_000, 1), 20_000);
        assert_eq!(Pace::round_trips(17, 16), 19);
        assert_eq!(Pace::round_trips(0, 16), 0);
        assert_eq!(Pace::looks(1_000, 1_000), 3, "no query binds more than 400 names");
        let pace = Pace { round_trip: Duration::from_millis(5), look: Duration::from_millis(7) };
        assert_eq!(pace.takes(32, 16), Duration::from_millis(32 * 5 + 2 * 7));
    }

    #[test]
    fn what_was_not_measured_gives_no_pace() {
        let latency = |what| Latency { what, took: vec![Duration::from_millis(3)] };
        assert_eq!(Pace::of(&[latency("a round trip")]), None);
        let both = [latency("a round trip"), latency("a read of one name")];
        assert_eq!(Pace::of(&both).map(|pace| pace.takes(1, 16)), Some(Duration::from_millis(6)));
    }
}
