//! A story: what happens, in what order, with what trouble; and what was true after each step of it.

use axon_controller::{State, Summary, Tick};
use time::Duration;

use crate::chance::Chance;
use crate::checks::finished;
use crate::people::{GROUPS, Map, Powers, ROLES, Roles};
use crate::place::Dropped;
use crate::trouble::Struck;
use crate::world::{Ground, World};

mod act;
mod strikes;

/// How many rounds a story may take to come to rest once nothing troubles it any more.
const ROUNDS: usize = 80;

/// What a story came to.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// What struck.
    pub struck: Struck,
    /// How many ticks there were.
    pub ticks: u64,
    /// How many statements ran.
    pub statements: u64,
    /// Statements that ran while the disk under the store was full.
    pub spooled: u64,
    /// Users of people who left that were dropped.
    pub buried: u64,
    /// The journal's last hash: two runs of a seed have the same.
    pub head: String,
}

/// What a story broke.
#[derive(Debug, Clone, thiserror::Error)]
#[error("seed {seed}, step {step}: {what}\n{}", log.join("\n"))]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The step.
    pub step: usize,
    /// What was broken.
    pub what: String,
    /// What happened until then.
    pub log: Vec<String>,
}

/// A random map.
fn map(chance: &mut Chance) -> Map {
    let mut draw = |bits: usize, of: usize| -> u16 {
        (0..bits).map(|_| 1_u16 << chance.below(of)).fold(0, |all, bit| all | bit)
    };
    let grants: [Powers; ROLES] = std::array::from_fn(|_| draw(3, 9));
    let gives: [Roles; GROUPS] =
        std::array::from_fn(|_| Roles::try_from(draw(2, ROLES)).unwrap_or(World::every_role()));
    let budget = chance.percent(25).then_some(4);
    // Of what was drawn, so that a seed draws what it always drew.
    let tombstones =
        grants.iter().fold(0, |all, bits| all ^ bits).count_ones().is_multiple_of(2).then_some(10);
    Map { grants, gives, budget, tombstones }
}

/// A story that is told.
pub struct Story {
    /// Its stage.
    pub world: World,
    /// What decides.
    pub chance: Chance,
    /// What happened.
    pub log: Vec<String>,
    /// How many things happened.
    acts: u64,
    ticks: u64,
    buried: u64,
    /// How many statements the log tells of.
    told: usize,
    /// Some process may still owe records.
    owing: bool,
    /// Nothing troubles it any more.
    resting: bool,
}

/// Tells the story of a seed in memory, or on other ground.
pub async fn tell(seed: u64, steps: usize, ground: Ground) -> Result<Told, Failure> {
    let mut story = Story::begin(seed, ground).await;
    let mut number = 0;
    let end = loop {
        if number == steps {
            break Box::pin(story.rest()).await;
        }
        if let Err(what) = Box::pin(story.step(number)).await {
            break Err(what);
        }
        number += 1;
    };
    match end {
        Ok(()) => {
            let head = story.world.store.head().await.map(|head| head.hash.to_string()).unwrap_or_default();
            let statements = story.world.ledger.lock().map_or(0, |ledger| ledger.len() as u64);
            Ok(Told {
                struck: story.world.troubles.struck(),
                ticks: story.ticks,
                statements,
                spooled: story.world.spooled(),
                buried: story.buried,
                head,
            })
        }
        Err(what) => {
            let from = story.log.len().saturating_sub(400);
            Err(Failure { seed, step: number, what, log: story.log.split_off(from) })
        }
    }
}

impl Story {
    /// The stage is set, and nothing happened.
    pub async fn begin(seed: u64, ground: Ground) -> Self {
        let mut chance = Chance::of(seed);
        let first = map(&mut chance);
        let world = World::set(first, ground).await;
        Self {
            world,
            chance,
            log: Vec::new(),
            acts: 0,
            ticks: 0,
            buried: 0,
            told: 0,
            owing: false,
            resting: false,
        }
    }

    /// How many things happened in the directory, in the map and in the pool.
    pub const fn acts(&self) -> u64 {
        self.acts
    }

    fn say(&mut self, line: String) {
        self.log.push(line);
    }

    /// Whose users were dropped since the last time.
    fn dropped(&self) -> Vec<Dropped> {
        let ledger = self.world.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ledger.iter().skip(self.told).filter_map(|ran| ran.dropped.clone()).collect()
    }

    /// Adds what ran in the pool since the last time.
    fn say_what_ran(&mut self) {
        let ledger = self.world.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ran = ledger.iter().skip(self.told);
        let people = &self.world.people;
        let gone = |upn: &str| !people.iter().any(|human| human.is_active() && human.upn == upn);
        let buried = ran
            .clone()
            .filter(|ran| ran.changed && ran.step.strip_prefix("drop user ").is_some_and(gone))
            .count();
        self.buried += buried as u64;
        self.log.extend(ran.map(|ran| {
            let word = if ran.changed { "ran" } else { "ran without effect" };
            format!("      {word}: {}", ran.step)
        }));
        self.told = ledger.len();
    }

    async fn step(&mut self, number: usize) -> Result<(), String> {
        let times = 1 + self.chance.below(3);
        for _ in 0..times {
            let what = self.act().await;
            self.say(format!("{number}: {what}"));
            self.world.note_wanted();
        }
        self.world.heard().await;
        let wait = match self.chance.below(4) {
            0 => Duration::milliseconds(200),
            1 => Duration::seconds(2),
            2 => Duration::seconds(40),
            _ => Duration::minutes(6),
        };
        self.world.clock.advance(wait);
        Box::pin(self.trouble(number)).await
    }

    async fn all_run(&mut self) -> Result<(), String> {
        let mut owes = false;
        for process in 0..self.world.processes.len() {
            let summary = self.run(process).await?;
            owes |= !finished(summary.state);
        }
        if !self.world.levers.is_full() && !owes {
            self.owing = false;
        }
        self.records().await
    }

    async fn records(&mut self) -> Result<(), String> {
        if self.owing || self.world.levers.is_full() {
            return Ok(());
        }
        self.world.check_records(0).await
    }

    /// Ticks of one process until nothing is to be done at once.
    async fn run(&mut self, process: usize) -> Result<Summary, String> {
        let mut last = Summary::starting();
        for _ in 0..12 {
            let map = self.world.map.1.clone();
            let tick = self.tick(process, &map).await;
            self.after(process, &tick)?;
            let still = self.world.knows_all(process);
            self.world.check_new_clocks(still).await?;
            let again = tick.again;
            last = tick.summary;
            if !again {
                break;
            }
        }
        Ok(last)
    }

    fn after(&mut self, process: usize, tick: &Tick) -> Result<(), String> {
        self.ticks += 1;
        let dropped = self.dropped();
        self.say_what_ran();
        let wanted = self.world.borne();
        dropped.iter().try_for_each(|dropped| self.world.check_drop(dropped, &wanted))?;
        let summary = &tick.summary;
        self.say(format!(
            "    process {process}: {} applied {} waits {} again {} {}",
            summary.state.as_str(),
            summary.applied,
            summary.waiting.iter().map(|w| format!("[{}: {}]", w.what, w.why)).collect::<Vec<_>>().concat(),
            tick.again,
            summary.trouble.as_deref().unwrap_or("")
        ));
        self.world.check_powers()?;
        self.world.check_scope()?;
        if finished(summary.state) && !tick.again && self.world.knows_all(process) {
            let waits: Vec<String> = summary.waiting.iter().map(|w| w.what.clone()).collect();
            self.world.check_leavers(&waits)?;
            self.world.note_who_is_back();
            if summary.state == State::Converged {
                self.world.check_wanted()?;
                self.world.settle_books();
            }
        }
        Ok(())
    }

    /// A person reads what waits, and drops whom it says to drop.
    fn heed(&mut self, summary: &Summary) {
        for waiting in &summary.waiting {
            let Some((_, behind)) = waiting.what.split_once(" is there already under the name ") else {
                continue;
            };
            let Some((holder, _)) = behind.split_once(", which is kept: drop or rename that one") else {
                continue;
            };
            let done = self.world.hand(&format!("DROP USER [{holder}]"));
            self.world.note_by_hand();
            self.say(format!("by hand, as Axon says: DROP USER [{holder}]: {done}"));
        }
    }

    /// Nothing troubles it any more, and whoever is asked says yes: it comes to rest.
    async fn rest(&mut self) -> Result<(), String> {
        self.resting = true;
        self.world.troubles.clear();
        self.world.levers.set_full(false);
        self.say("rest".to_owned());
        for _ in 0..ROUNDS {
            if !self.owing {
                break;
            }
            self.world.clock.advance(Duration::minutes(1));
            self.all_run().await?;
        }
        self.world.processes.truncate(1);
        let mut last = Summary::starting();
        for round in 0..ROUNDS {
            let wait = if round < 10 { Duration::seconds(30) } else { Duration::minutes(10) };
            self.world.clock.advance(wait);
            last = self.run(0).await?;
            self.owing = false;
            if last.state == State::Converged && self.world.knows_all(0) {
                self.records().await?;
                self.world.check_wanted()?;
                return self.world.check_clocks().await;
            }
            self.world.release(usize::MAX).await;
            self.heed(&last);
        }
        Err(format!(
            "after {ROUNDS} rounds without trouble it is {}: {:?} {:?}",
            last.state.as_str(),
            last.waiting,
            last.trouble
        ))
    }
}
