//! A map over past days: what it would have changed on each of them, and every difference with the days on which it was one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use axon_model::{Directory, MapVersion, SqlName};
use serde::{Serialize, Serializer};
use time::{Date, OffsetDateTime};

use super::change::Item;
use super::report::{MOST, gain, lose, plural, tell_besides};
use super::sides::{Both, sides};
use super::{Compared, Reach, Stay, TextChange, besides, rows_of};
use crate::evaluator::Touched;
use crate::identity::Identity;
use crate::map::RoleMap;
use crate::names::TargetName;

/// What came of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day, UTC.
    #[serde(serialize_with = "plain")]
    pub date: Date,
    /// The instant whose directory was looked at: the day's end, or now.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How many people the directory had.
    pub people: usize,
    /// People who would have gained something anywhere.
    pub people_gaining: usize,
    /// People who would have lost something anywhere.
    pub people_losing: usize,
    /// What would have waited for a person, or been withheld.
    pub waits: usize,
}

/// One thing that one principal would have gained or lost, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where.
    pub target: TargetName,
    /// Who.
    pub principal: SqlName,
    /// Whether it is gained, or lost.
    pub gained: bool,
    /// What.
    pub item: Item,
    /// The days, in order.
    #[serde(serialize_with = "plain_dates")]
    pub days: Vec<Date>,
}

fn plain<S: Serializer, T: fmt::Display>(date: &T, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(date)
}

fn plain_dates<S: Serializer>(dates: &[Date], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(dates.iter().map(ToString::to_string))
}

/// What a map would have changed on past days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backtest {
    /// The map in force.
    pub old: Option<MapVersion>,
    /// The map that would follow it.
    pub new: MapVersion,
    /// Each day that was looked at, the oldest first.
    pub days: Vec<Day>,
    /// Every difference: those of most days first, the widest first.
    pub differences: Vec<Difference>,
    /// Roles that people keep though the new map says nothing of them any more, as of the last day.
    pub stays: Vec<Stay>,
    /// What the text changes besides, which no day tells: widenings first.
    pub besides: Vec<TextChange>,
}

/// Whether, by target, principal, direction and thing.
type Key = (TargetName, SqlName, bool, Item);

/// Looks at one day after the other. Only what changed since the day before is evaluated anew.
#[derive(Debug)]
pub struct Backtester<'a> {
    old: Option<&'a Arc<RoleMap>>,
    new: &'a Arc<RoleMap>,
    sides: Option<BTreeMap<TargetName, Both>>,
    days: Vec<Day>,
    stays: Vec<Stay>,
    found: BTreeMap<Key, Vec<Date>>,
}

impl<'a> Backtester<'a> {
    /// A look at these maps that has seen no day yet.
    pub fn new(old: Option<&'a Arc<RoleMap>>, new: &'a Arc<RoleMap>) -> Self {
        Self { old, new, sides: None, days: Vec::new(), stays: Vec::new(), found: BTreeMap::new() }
    }

    /// Looks at the directory as it was at an instant of this day. `touched` is what changed in it since the day before.
    pub fn day(
        &mut self,
        date: Date,
        directory: &Directory,
        touched: &Touched,
        identity: &Arc<Identity>,
        at: OffsetDateTime,
    ) {
        // What stood beside the map on past days is not asked: it is no part of either map.
        let beside = Arc::default();
        let compared =
            Compared { old: self.old, new: self.new, directory, identity, beside: &beside, now: at };
        if let Some(sides) = &mut self.sides {
            for both in sides.values_mut() {
                both.follow(directory, touched, identity, at);
            }
        }
        let found = rows_of(compared, self.sides.get_or_insert_with(|| sides(compared)));
        self.days.push(Day {
            date,
            at,
            people: directory.users().count(),
            people_gaining: found.people_gaining,
            people_losing: found.people_losing,
            waits: found.targets.iter().map(|target| target.waits.len()).sum(),
        });
        self.stays = found.stays().cloned().collect();
        for target in found.targets {
            for principal in target.principals {
                let gained = principal.gained.into_iter().map(|item| (item, true));
                for (item, gained) in gained.chain(principal.lost.into_iter().map(|item| (item, false))) {
                    let key = (target.target.clone(), principal.principal, gained, item);
                    self.found.entry(key).or_default().push(date);
                }
            }
        }
    }

    /// All that was found.
    pub fn finish(self) -> Backtest {
        // What days show is told by them, and what the text does besides is the same on each: nothing of it is left out.
        let besides = match self.old {
            Some(_) => besides::besides(self.old, self.new, &BTreeMap::new(), &[]),
            None => Vec::new(),
        };
        let mut differences: Vec<Difference> = self
            .found
            .into_iter()
            .map(|((target, principal, gained, item), days)| Difference {
                target,
                principal,
                gained,
                item,
                days,
            })
            .collect();
        differences.sort_by_key(|one| {
            (!one.gained, one.item.breadth(), std::cmp::Reverse(one.days.len()), one.target.clone())
        });
        Backtest {
            old: self.old.map(|map| map.version().clone()),
            new: self.new.version().clone(),
            days: self.days,
            differences,
            stays: self.stays,
            besides,
        }
    }
}

impl Backtest {
    /// Whether anybody would have gained anything on any day, or keeps what the new map leaves to people.
    pub fn gives(&self) -> bool {
        self.differences.iter().any(|one| one.gained) || self.widens() || !self.stays.is_empty()
    }

    /// Whether people may come to hold more by what the text widens.
    pub fn widens(&self) -> bool {
        self.besides.iter().any(|one| one.reach == Reach::Widened)
    }

    /// The days of a difference as people say them.
    fn when(&self, days: &[Date]) -> String {
        if days.len() == self.days.len() {
            return "every day".to_owned();
        }
        let mut runs: Vec<(Date, Date)> = Vec::new();
        for day in days {
            match runs.last_mut() {
                Some((_, last)) if last.next_day() == Some(*day) => *last = *day,
                _ => runs.push((*day, *day)),
            }
        }
        let told: Vec<String> = runs
            .iter()
            .map(|(first, last)| if first == last { first.to_string() } else { format!("{first} to {last}") })
            .collect();
        told.join(", ")
    }

    /// The text, with all differences or with the first ones.
    pub fn text(&self, every: bool) -> String {
        Told { backtest: self, every }.to_string()
    }
}

struct Told<'a> {
    backtest: &'a Backtest,
    every: bool,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backtest, every } = self;
        let (days, all) = (&backtest.days, &backtest.differences);
        writeln!(f, "the directory as it stood at the end of {}, UTC", plural(days.len(), "day", "days"))?;
        for Day { date, at: _, people, people_gaining, people_losing, waits } in days {
            let waits = if *waits == 0 { String::new() } else { format!(", {waits} would wait") };
            let (gain, lose) = (gain(*people_gaining), lose(*people_losing));
            writeln!(f, "  {date}: {gain} and {lose}, of {people} in the directory{waits}")?;
        }
        writeln!(f, "statements are told by a preview without --days")?;
        backtest.stays.iter().try_for_each(|stay| writeln!(f, "! {stay}"))?;
        if all.is_empty() {
            writeln!(f, "\nnothing would have been different for anybody")?;
            return tell_besides(f, &backtest.besides, 2 * MOST);
        }
        let names: BTreeSet<(&TargetName, SqlName)> =
            all.iter().map(|one| (&one.target, one.principal)).collect();
        writeln!(
            f,
            "\n{} of {}:",
            plural(all.len(), "difference", "differences"),
            plural(names.len(), "principal", "principals")
        )?;
        let most = if *every { usize::MAX } else { 2 * MOST };
        for Difference { target, principal, gained, item, days } in all.iter().take(most) {
            let sign = if *gained { '+' } else { '-' };
            writeln!(f, "  {sign} {principal} in {target}: {item}  ({})", backtest.when(days))?;
        }
        if all.len() > most {
            writeln!(f, "  and {} more (--steps tells all)", all.len() - most)?;
        }
        tell_besides(f, &backtest.besides, most)
    }
}
