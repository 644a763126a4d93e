//! A story: what happens, in what order, with what trouble; and what was true after each step of it.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use axon_controller::{State, Summary, Tick};
use time::Duration;

use crate::chance::Chance;
use crate::checks::finished;
use crate::people::{GROUPS, Map, Powers, ROLES, Roles, power};
use crate::place::{breathe, login, token_of};
use crate::trouble::{Kind, Struck};
use crate::world::{Ground, World};

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

/// Runs `work` until it is done or was looked at so often. None: it died there.
async fn for_a_while<T>(looks: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = looks;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
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
    Map { grants, gives, budget }
}

/// A story that is told.
pub struct Story {
    /// Its stage.
    pub world: World,
    /// What decides.
    pub chance: Chance,
    /// What happened.
    pub log: Vec<String>,
    ticks: u64,
    /// Some process may still owe records.
    owing: bool,
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
                head,
            })
        }
        Err(what) => {
            let from = story.log.len().saturating_sub(60);
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
        Self { world, chance, log: Vec::new(), ticks: 0, owing: false }
    }

    fn say(&mut self, line: String) {
        self.log.push(line);
    }

    async fn step(&mut self, number: usize) -> Result<(), String> {
        let times = 1 + self.chance.below(3);
        for _ in 0..times {
            let what = self.act().await;
            self.say(format!("{number}: {what}"));
            self.world.note_wanted();
        }
        let wait = match self.chance.below(4) {
            0 => Duration::milliseconds(200),
            1 => Duration::seconds(2),
            2 => Duration::seconds(40),
            _ => Duration::minutes(6),
        };
        self.world.clock.advance(wait);
        Box::pin(self.trouble(number)).await
    }

    /// Something happens in the directory, in the map or in the pool.
    pub async fn act(&mut self) -> String {
        let people = self.world.people.len();
        let who = self.chance.below(people);
        let somebody = people > 0 && self.world.people[who].scim.is_some();
        let kind = self.chance.below(100);
        let done = match kind {
            _ if people < 3 => return self.hire().await,
            0..10 => return self.hire().await,
            10..20 if somebody => {
                let active = !self.world.people[who].active;
                (format!("person {who} active: {active}"), self.world.set_active(who, active).await)
            }
            20..26 if somebody => (format!("person {who} is deleted"), self.world.delete(who).await),
            26..30 if somebody => {
                let free = self.world.free_names();
                let Some(upn) = self.chance.pick(&free).cloned() else { return "no name is free".to_owned() };
                (format!("person {who} becomes {upn}"), self.world.rename(who, &upn).await)
            }
            30..62 if somebody => {
                let group = self.chance.below(GROUPS);
                (format!("person {who} joins or leaves G{group}"), self.world.turn_member(group, who).await)
            }
            62..66 => {
                let group = self.chance.below(GROUPS);
                (format!("G{group} is renamed"), self.world.turn_name(group).await)
            }
            66..74 => {
                let map = map(&mut self.chance);
                self.world.edit(map);
                return format!("another map: {map:?}");
            }
            74..86 => return self.drift(),
            86..92 => {
                let answered = self.world.release(1).await;
                return format!("a hold is answered: {answered}");
            }
            _ => return self.visit(who),
        };
        let (what, came) = done;
        match came {
            Ok(()) => what,
            Err(error) => format!("{what}: {error}"),
        }
    }

    async fn hire(&mut self) -> String {
        let free = self.world.free_names();
        let Some(upn) = self.chance.pick(&free).cloned() else { return "no name is free".to_owned() };
        match self.world.hire(&upn).await {
            Ok(()) => format!("person {} arrives as {upn}", self.world.people.len() - 1),
            Err(error) => format!("{upn} cannot arrive: {error}"),
        }
    }

    fn visit(&mut self, who: usize) -> String {
        let upn = self.world.people[who].upn.clone();
        if self.world.people[who].scim.is_none() || !self.world.people[who].active {
            return "nobody visits".to_owned();
        }
        match self.world.pool.login(login(token_of(&upn))) {
            Ok(session) => {
                self.world.people[who].session = Some(session);
                format!("person {who} opens a session")
            }
            Err(error) => format!("person {who} is not let in: {}", error.number),
        }
    }

    /// Somebody changes the pool by hand.
    fn drift(&mut self) -> String {
        let role = self.chance.below(ROLES);
        let bit = self.chance.below(9);
        let what = power(bit);
        let upn = format!("p{}@acme.com", self.chance.below(crate::people::NAMES));
        let looks = self.world.looks();
        let bearer = self.world.bearer(&upn);
        let sql = match self.chance.below(10) {
            0 => format!("GRANT {what} TO axon_r{role}"),
            1 => format!("REVOKE {what} FROM axon_r{role}"),
            2 | 3 => format!("EXEC sp_addrolemember 'axon_r{role}', '{upn}'"),
            4 => format!("EXEC sp_droprolemember 'axon_r{role}', '{upn}'"),
            5 => format!("GRANT {what} TO [{upn}]"),
            6 => format!("DENY {what} TO axon_r{role}"),
            7 => "GRANT SELECT ON hr.people TO reports".to_owned(),
            8 => "EXEC sp_addrolemember 'reports', 'guest9@acme.com'".to_owned(),
            _ => format!("DROP USER [{upn}]"),
        };
        let taken = self.world.hand(&sql);
        if taken {
            self.world.books.drift(looks);
            if sql.starts_with("GRANT") && sql.contains("axon_r") {
                self.world.books.drift_grant(role, bit);
            }
            if let Some(who) = bearer {
                if sql.contains("addrolemember 'axon") {
                    self.world.books.drift_member(who, role);
                }
                if sql.starts_with("GRANT") && sql.contains(&upn) {
                    self.world.books.drift_direct(who, bit);
                }
            }
            self.world.books.unmanaged = crate::checks::unmanaged(&self.world.pool.snapshot());
        }
        format!("by hand: {sql}: {taken}")
    }

    /// A run, with what may go wrong in it.
    async fn trouble(&mut self, number: usize) -> Result<(), String> {
        match self.chance.below(100) {
            0..30 => self.all_run().await,
            30..72 => {
                for _ in 0..=self.chance.below(2) {
                    let kind = Kind::ARMED[self.chance.below(Kind::ARMED.len())];
                    let times = 1 + u32::try_from(self.chance.below(2)).unwrap_or(0);
                    self.world.troubles.arm(kind, times);
                    self.say(format!("{number}: armed: {}", kind.word()));
                }
                self.all_run().await?;
                if self.chance.percent(70) {
                    self.world.troubles.clear();
                }
                Ok(())
            }
            72..81 => Box::pin(self.crash()).await,
            81..88 => self.meanwhile(Kind::PushMidRun).await,
            88..91 => self.meanwhile(Kind::MapMidRun).await,
            91..94 => Box::pin(self.together()).await,
            94..97 => {
                let by = match self.chance.below(3) {
                    0 => Duration::hours(3),
                    1 => Duration::seconds(-90),
                    _ => Duration::hours(-2),
                };
                self.say(format!("the clock jumps by {by}"));
                self.world.clock.advance(by);
                self.world.troubles.note(Kind::ClockJump);
                self.all_run().await
            }
            _ => self.full_disk().await,
        }
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
        self.world.check_records().await
    }

    /// Ticks of one process until nothing is to be done at once.
    async fn run(&mut self, process: usize) -> Result<Summary, String> {
        let mut last = Summary::starting();
        for _ in 0..12 {
            let map = self.world.map.1.clone();
            let tick = self.world.processes[process].ticker.tick(&map).await;
            self.after(process, &tick)?;
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
        if finished(summary.state) && !tick.again && self.seen() {
            let waits: Vec<String> = summary.waiting.iter().map(|w| w.what.clone()).collect();
            self.world.check_leavers(&waits)?;
            if summary.state == State::Converged {
                self.world.check_wanted()?;
                self.world.settle_books();
            }
        }
        Ok(())
    }

    /// Whether the pool was read since somebody changed it by hand, by the one process that there is.
    fn seen(&self) -> bool {
        let looks = self.world.looks();
        self.world.processes.len() == 1 && self.world.books.fresh(looks)
    }

    /// A process dies somewhere in its tick, and another one comes.
    async fn crash(&mut self) -> Result<(), String> {
        let looks = 1 + self.chance.below(160);
        let mut process = self.world.processes.swap_remove(0);
        let map = self.world.map.1.clone();
        let died = for_a_while(looks, Box::pin(process.ticker.tick(&map))).await.is_none();
        drop(process);
        if died {
            self.world.troubles.note(Kind::Crash);
        }
        self.say(format!("    a process dies after {looks} looks, in its tick: {died}"));
        self.world.drained().await;
        self.world.check_powers()?;
        self.world.check_scope()?;
        self.world.start();
        // A process that died may hold the lease: another one waits for its end.
        if self.chance.percent(50) {
            self.world.clock.advance(Duration::seconds(11));
        }
        self.all_run().await
    }

    /// Something is pushed, or the map is edited, while a run is under way.
    async fn meanwhile(&mut self, kind: Kind) -> Result<(), String> {
        let mut process = self.world.processes.swap_remove(0);
        let old = self.world.map.1.clone();
        let turns = 1 + self.chance.below(40);
        let running = std::cell::Cell::new(true);
        let (tick, between) = {
            let work = async {
                let tick = process.ticker.tick(&old).await;
                running.set(false);
                tick
            };
            let event = async {
                for _ in 0..turns {
                    breathe().await;
                }
                let between = running.get();
                let what = if kind == Kind::MapMidRun {
                    let map = map(&mut self.chance);
                    self.world.edit(map);
                    format!("another map: {map:?}")
                } else {
                    self.act().await
                };
                self.world.note_wanted();
                self.log.push(format!("    meanwhile: {what}"));
                between
            };
            tokio::join!(work, event)
        };
        if between {
            self.world.troubles.note(kind);
        }
        self.world.processes.push(process);
        let last = self.world.processes.len() - 1;
        // What the tick says of itself is about the time before.
        self.ticks += 1;
        self.say(format!("    process {last}: {} again {}", tick.summary.state.as_str(), tick.again));
        self.world.check_powers()?;
        self.world.check_scope()?;
        self.all_run().await
    }

    /// Two processes tick at once.
    async fn together(&mut self) -> Result<(), String> {
        while self.world.processes.len() < 2 {
            self.world.start();
        }
        let map = self.world.map.1.clone();
        {
            let (first, rest) = self.world.processes.split_at_mut(1);
            let (one, two) = tokio::join!(first[0].ticker.tick(&map), rest[0].ticker.tick(&map));
            self.log.push(format!(
                "    together: {} and {}",
                one.summary.state.as_str(),
                two.summary.state.as_str()
            ));
        }
        self.world.troubles.note(Kind::TwoReplicas);
        self.world.check_powers()?;
        self.world.check_scope()?;
        self.all_run().await?;
        // Who owes records is not sent away: nobody would come for its spool.
        if self.chance.percent(60) && !self.owing {
            self.world.processes.truncate(1);
        }
        Ok(())
    }

    /// The disk under the store is full for a while: what gives stops, what takes away goes on.
    async fn full_disk(&mut self) -> Result<(), String> {
        self.world.troubles.clear();
        self.world.levers.set_full(true);
        self.owing = true;
        let before = self.world.levers.refused();
        for process in 0..self.world.processes.len() {
            let gave = self.given();
            let summary = self.run(process).await?;
            // A store that is given has a disk of its own, which is never full.
            if self.world.levers.refused() > before && self.given() > gave {
                return Err("something was given while no record of it could be written".to_owned());
            }
            if summary.state == State::StoreFailed && self.seen() && !self.world.troubles.waits() {
                let waits: Vec<String> = summary.waiting.iter().map(|w| w.what.clone()).collect();
                self.world.check_leavers(&waits)?;
            }
        }
        if self.world.levers.refused() > before {
            self.world.troubles.note(Kind::DiskFull);
        }
        // It dies before there is room again: the spool has what it owes.
        if self.chance.percent(40) {
            drop(self.world.processes.swap_remove(0));
            self.world.start();
            self.say("    a process dies while the disk is full".to_owned());
            if self.chance.percent(40) {
                self.run(self.world.processes.len() - 1).await?;
            }
        }
        if self.chance.percent(20) {
            let what = self.act().await;
            self.say(format!("    with a full disk: {what}"));
            self.world.note_wanted();
        }
        self.world.levers.set_full(false);
        self.all_run().await
    }

    fn given(&self) -> usize {
        self.world.ledger.lock().map_or(0, |ledger| ledger.iter().filter(|r| r.gives && r.changed).count())
    }

    /// Nothing troubles it any more, and whoever is asked says yes: it comes to rest.
    async fn rest(&mut self) -> Result<(), String> {
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
            if last.state == State::Converged && self.seen() {
                self.records().await?;
                return self.world.check_wanted();
            }
            self.world.release(usize::MAX).await;
        }
        Err(format!(
            "after {ROUNDS} rounds without trouble it is {}: {:?} {:?}",
            last.state.as_str(),
            last.waiting,
            last.trouble
        ))
    }
}
