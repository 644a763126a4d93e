//! What goes wrong while a process works, and the end of processes.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axon_controller::{State, Tick};
use axon_mapping::RoleMap;
use time::Duration;

use super::{Story, map};
use crate::place::breathe;
use crate::trouble::Kind;

/// Runs `work` until it is done, or until this is so where it waits. None: it died there.
async fn alive_until<T>(mut over: impl FnMut() -> bool, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if over() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

impl Story {
    /// A run, with what may go wrong in it.
    pub(super) async fn trouble(&mut self, number: usize) -> Result<(), String> {
        if self.world.leaves_a_session() && self.chance.percent(60) {
            return Box::pin(self.around_a_kill(number)).await;
        }
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
                self.world.forget_since_when();
                if by.is_negative() {
                    self.world.note_set_back().await;
                }
                self.world.troubles.note(Kind::ClockJump);
                self.all_run().await
            }
            _ => self.full_disk().await,
        }
    }

    /// Somebody left who has a session: the process dies on the way to its KILL, at times where nothing can be kept of who is
    /// leaving, or the KILL itself meets trouble.
    async fn around_a_kill(&mut self, number: usize) -> Result<(), String> {
        let dies = self.chance.below(100);
        if dies < 45 {
            let after = 1 + self.chance.below(4);
            return if dies < 20 {
                self.forgotten_leaver(after).await
            } else {
                self.crash_after(after).await
            };
        }
        let kind = Kind::AT_KILL[self.chance.below(Kind::AT_KILL.len())];
        self.world.troubles.arm_at_kill(kind);
        self.say(format!("{number}: armed for a KILL: {}", kind.word()));
        self.all_run().await?;
        if self.chance.percent(70) {
            self.world.troubles.clear();
        }
        Ok(())
    }

    /// The disk under the store is full, and the process dies between DENY CONNECT and KILL: the store has no word of who is leaving.
    async fn forgotten_leaver(&mut self, statements: usize) -> Result<(), String> {
        self.world.troubles.clear();
        self.world.levers.set_full(true);
        self.owing = true;
        let refused = self.world.levers.refused();
        self.say(format!("    with a full disk a process lives for {statements} statements"));
        let over = self.ran_more(statements);
        let died = Box::pin(self.die_when(over)).await?;
        if died && self.world.levers.refused() > refused && self.world.is_shut_out_with_a_session() {
            self.world.troubles.note(Kind::ForgottenLeaver);
        }
        // The next one begins with a full disk, or finds room.
        if self.chance.percent(50) {
            self.run_while_full(self.world.processes.len() - 1).await?;
        }
        self.world.levers.set_full(false);
        self.all_run().await
    }

    /// A process dies somewhere in its tick, and another one comes.
    async fn crash(&mut self) -> Result<(), String> {
        if self.chance.percent(30) {
            let after = 1 + self.chance.below(8);
            return self.crash_after(after).await;
        }
        let mut left = 1 + self.chance.below(160);
        self.say(format!("    a process lives for {left} looks"));
        let over = move || {
            left -= 1;
            left == 0
        };
        Box::pin(self.crash_when(over)).await
    }

    /// It dies once so many statements ran in its tick.
    async fn crash_after(&mut self, statements: usize) -> Result<(), String> {
        self.say(format!("    a process lives for {statements} statements"));
        let over = self.ran_more(statements);
        Box::pin(self.crash_when(over)).await
    }

    /// Whether so many statements ran since.
    fn ran_more(&self, statements: usize) -> impl FnMut() -> bool + use<> {
        let ledger = self.world.ledger.clone();
        let ran = move || ledger.lock().map_or(0, |ledger| ledger.len());
        let before = ran();
        move || ran() >= before + statements
    }

    async fn crash_when(&mut self, over: impl FnMut() -> bool) -> Result<(), String> {
        if self.die_when(over).await? {
            self.world.troubles.note(Kind::Crash);
        }
        // A process that died may hold the lease: another one waits for its end.
        if self.chance.percent(50) {
            self.world.clock.advance(Duration::seconds(11));
        }
        self.all_run().await
    }

    /// A tick of a process. At times another object comes under the name of somebody who left, after Axon looked and right before
    /// the user is dropped.
    pub(super) async fn tick(&mut self, process: usize, map: &Arc<RoleMap>) -> Tick {
        let mut ticking = self.world.processes.remove(process);
        self.world.troubles.take_drop();
        let tick = {
            let mut work = pin!(ticking.ticker.tick(map));
            std::future::poll_fn(|context| {
                let polled = work.as_mut().poll(context);
                if polled.is_pending()
                    && let Some(upn) = self.world.troubles.take_drop()
                {
                    self.take_name(&upn);
                }
                polled
            })
            .await
        };
        self.world.processes.insert(process, ticking);
        tick
    }

    /// Whether this happens is drawn from nothing: a seed draws what it always drew.
    fn take_name(&mut self, upn: &str) {
        let ran = self.world.ledger.lock().map_or(0, |ledger| ledger.len());
        let borne = self.world.people.iter().any(|human| human.is_active() && human.upn == upn);
        if self.resting || borne || !ran.is_multiple_of(4) {
            return;
        }
        if self.world.impostor(upn) {
            self.world.note_by_hand();
            self.world.note_wanted();
            self.world.troubles.note(Kind::NameTaken);
            let person = self.world.people.len() - 1;
            self.say(format!(
                "    right before the DROP: another object under the name {upn}, person {person}"
            ));
        }
    }

    /// A process ends in its tick or behind it, and another one begins in its place. True: in its tick.
    async fn die_when(&mut self, over: impl FnMut() -> bool) -> Result<bool, String> {
        let mut process = self.world.processes.swap_remove(0);
        let map = self.world.map.1.clone();
        let died = alive_until(over, Box::pin(process.ticker.tick(&map))).await.is_none();
        self.world.deaths += u64::from(died);
        let dropped = self.dropped();
        self.say_what_ran();
        let wanted = self.world.borne();
        dropped.iter().try_for_each(|dropped| self.world.check_drop(dropped, &wanted))?;
        self.say(format!("    a process dies in its tick: {died}"));
        let slot = process.end();
        self.world.drained().await;
        self.world.check_powers()?;
        self.world.check_scope()?;
        self.world.check_new_clocks(false).await?;
        self.world.start_in(slot);
        Ok(died)
    }

    /// Something is pushed, or the map is edited, while a run is under way.
    async fn meanwhile(&mut self, kind: Kind) -> Result<(), String> {
        let mut process = self.world.processes.swap_remove(0);
        let old = self.world.map.1.clone();
        let wanted = self.world.borne();
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
        let dropped = self.dropped();
        self.say_what_ran();
        dropped.iter().try_for_each(|dropped| self.world.check_drop(dropped, &wanted))?;
        self.say(format!("    process {last}: {} again {}", tick.summary.state.as_str(), tick.again));
        self.world.check_powers()?;
        self.world.check_scope()?;
        self.world.check_new_clocks(false).await?;
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
        self.world.check_new_clocks(false).await?;
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
            self.run_while_full(process).await?;
        }
        if self.world.levers.refused() > before {
            self.world.troubles.note(Kind::DiskFull);
        }
        // It dies before there is room again: the spool has what it owes.
        if self.chance.percent(40) {
            let slot = self.world.processes.swap_remove(0).end();
            self.world.start_in(slot);
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

    /// One process runs while no record can be written.
    async fn run_while_full(&mut self, process: usize) -> Result<(), String> {
        let before = self.world.levers.refused();
        let gave = self.given();
        // Nobody works beside the lease of a process that died, until it ends.
        let anothers = self.world.is_anothers(process).await;
        let summary = self.run(process).await?;
        // A store that is given has a disk of its own, which is never full.
        if self.world.levers.refused() > before && self.given() > gave {
            return Err("something was given while no record of it could be written".to_owned());
        }
        let acts = !anothers && !self.world.troubles.waits();
        if summary.state == State::StoreFailed && self.world.knows_all(process) && acts {
            let waits: Vec<String> = summary.waiting.iter().map(|w| w.what.clone()).collect();
            self.world.check_leavers(&waits)?;
        }
        Ok(())
    }

    fn given(&self) -> usize {
        self.world.ledger.lock().map_or(0, |ledger| ledger.iter().filter(|r| r.gives && r.changed).count())
    }
}
