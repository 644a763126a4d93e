//! Stories with real processes: `axon serve` on an SQLite file, the emulator over TDS, and SIGKILL at any moment.
//!
//! A few seeds; `AXON_SIMULATION_PROCESSES=50` tells so many, `AXON_SIMULATION_SEED=17` that one alone. The moments of a process are
//! its own: a seed repeats what happens to it, not when.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use axon_model::{Clock as _, RecordSeq, SystemClock};
use axon_simulation::people::Map;
use axon_simulation::place::token_of;
use axon_simulation::story::Story;
use axon_simulation::world::Ground;
use axon_store::{Since, Store};
use axon_store_sqlite::{Address, Options, SqliteStore};
use axon_tests::{Place, Serve};

/// So many things happen at least in each story.
const ACTS: u64 = 40;
/// A process that was killed may hold the lease for ten seconds.
const REST: Duration = Duration::from_secs(90);
/// So many stories at once: each waits most of the time.
const AT_ONCE: usize = 6;

const CONFIG: &str = "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\n\
    reconcile: { retry_seconds: 1, inspect_every_seconds: 1 }\nlog: { format: json, level: info }\n\
    sources:\n  entra: { kind: entra }\n";

struct Told {
    story: Story,
    place: Place,
    serve: Option<Serve>,
    kills: usize,
    /// Maps of before: until a process has read the file anew, what is pushed counts by one of these.
    earlier: Vec<Map>,
}

impl Told {
    async fn set(seed: u64) -> anyhow::Result<Self> {
        let place = Place::with_store([""; 0], None)?;
        place.write("axon.yaml", CONFIG)?;
        let options = Options::new(Address::of_file(place.file("axon.db")));
        let file: Arc<dyn Store> = Arc::new(SqliteStore::open(options).await?);
        let ground = Ground { store: Some(file), wire: true, begins: Some(SystemClock.now()) };
        let mut story = Story::begin(seed, ground).await;
        // Others than those of the stage do the work.
        story.world.processes.clear();
        let axon_emulator::Credentials::Token { jwt } = token_of("axon@acme.com") else {
            bail!("the administrator has a token")
        };
        place.write("t", &jwt)?;
        let mut told = Self { story, place, serve: None, kills: 0, earlier: Vec::new() };
        told.write_map()?;
        Ok(told)
    }

    fn write_map(&mut self) -> anyhow::Result<()> {
        let port = self.story.world.port().context("the pool listens")?;
        let text = self.story.world.map.0.text();
        let there = format!("host: 127.0.0.1\n    port: {port}\n");
        self.place.write("role-map.yaml", &text.replace("host: 127.0.0.1\n", &there))
    }

    /// Something happens, at this moment of the world.
    async fn act(&mut self) -> anyhow::Result<()> {
        let clock = &self.story.world.clock;
        clock.advance(SystemClock.now() - clock.now());
        let map = self.story.world.map.0;
        let what = self.story.act().await;
        self.story.log.push(what);
        let world = &mut self.story.world;
        let now = world.map.0;
        if now != map {
            self.earlier.push(map);
        }
        for earlier in self.earlier.iter().chain([&now]) {
            world.map.0 = *earlier;
            world.note_wanted();
        }
        if now != map {
            self.write_map()?;
        }
        Ok(())
    }

    async fn look(&self) -> anyhow::Result<()> {
        let world = &self.story.world;
        world.check_powers().and_then(|()| world.check_scope()).map_err(anyhow::Error::msg)?;
        let done = match &self.serve {
            Some(serve) => self.has_done_all(serve).await?,
            None => Err(String::new()),
        };
        // What was done by hand is known to be read at a rest only.
        if done.is_ok() && !world.books.by_hand() {
            world.check_leavers(&[]).map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    /// Whether the process says converged of all that is in the directory.
    async fn has_done_all(&self, serve: &Serve) -> anyhow::Result<Result<(), String>> {
        // The position first: what is said afterwards is said of it, or of a later one.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a position in a small journal"
        )]
        let position = RecordSeq(serve.metric("axon_target_settled_position").await? as u64);
        let state = serve.state().await?;
        if state != "converged" {
            return Ok(Err(state));
        }
        Ok(match self.story.world.store.deltas_since(position, 1_000).await? {
            Since::Deltas { deltas, .. } if deltas.is_empty() => Ok(()),
            _ => Err("not all was looked at".to_owned()),
        })
    }

    async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(serve) = self.serve.take() {
            serve.kill().await?;
            self.kills += 1;
            self.story.world.deaths += 1;
            self.story.log.push("    SIGKILL".to_owned());
        }
        Ok(())
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        if self.serve.is_none() {
            self.serve = Some(Serve::start(&self.place).await?);
        }
        Ok(())
    }

    /// Whether the process has nothing to do, and nobody lacks or has too much.
    async fn rests(&mut self) -> anyhow::Result<Result<(), String>> {
        let serve = self.serve.as_ref().context("a process runs")?;
        if let Err(why) = self.has_done_all(serve).await? {
            return Ok(Err(why));
        }
        let world = &mut self.story.world;
        if let Err(why) = world.check_wanted().and_then(|()| world.check_leavers(&[])) {
            return Ok(Err(why));
        }
        world.check_new_clocks(true).await.map_err(anyhow::Error::msg)?;
        world.check_records(1).await.map_err(anyhow::Error::msg)?;
        Ok(world.check_clocks().await)
    }

    /// Nothing troubles it any more, and whoever is asked says yes.
    async fn rest(&mut self) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + REST;
        loop {
            self.look().await?;
            let why = match self.rests().await? {
                Ok(()) => break,
                Err(why) => why,
            };
            let status = self.place.status().await?;
            ensure!(tokio::time::Instant::now() < deadline, "it comes to no rest: {why}: {status}");
            let clock = &self.story.world.clock;
            clock.advance(SystemClock.now() - clock.now());
            self.story.world.release(usize::MAX).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if !self.story.world.books.by_hand() {
            self.story.world.settle_books();
            self.earlier.clear();
        }
        Ok(())
    }

    async fn tell(&mut self) -> anyhow::Result<()> {
        while self.story.acts() < ACTS {
            self.start().await?;
            for _ in 0..=self.story.chance.below(4) {
                self.act().await?;
                self.look().await?;
            }
            match self.story.chance.below(10) {
                0..6 => {
                    // Any moment: of a start, of a run, or behind it.
                    let moment = self.story.chance.below(400);
                    tokio::time::sleep(Duration::from_millis(moment as u64)).await;
                    self.kill().await?;
                    if self.story.chance.percent(40) {
                        self.act().await?;
                    }
                }
                6..8 => self.rest().await?,
                _ => {}
            }
            self.look().await?;
        }
        self.start().await?;
        self.rest().await?;
        self.place.axon(&["audit", "verify"]).await?.exits(0)?;
        Ok(())
    }
}

async fn one(seed: u64) -> anyhow::Result<usize> {
    let mut told = Told::set(seed).await?;
    let done = told.tell().await;
    let again = "AXON_SIMULATION_SEED={seed} cargo test -p axon-simulation --test processes";
    let again = again.replace("{seed}", &seed.to_string());
    done.with_context(|| format!("seed {seed}\n{}\nagain: {again}", told.story.log.join("\n")))?;
    told.story.world.store.close().await;
    Ok(told.kills)
}

fn asked(variable: &str) -> anyhow::Result<Option<u64>> {
    std::env::var(variable).ok().map(|text| text.parse().context("a number")).transpose()
}

#[test]
fn stories_with_real_processes_that_are_killed_break_nothing() -> anyhow::Result<()> {
    let seeds: Vec<u64> = match asked("AXON_SIMULATION_SEED")? {
        Some(seed) => vec![seed],
        None => (1..=asked("AXON_SIMULATION_PROCESSES")?.unwrap_or(2)).collect(),
    };
    let next = std::sync::atomic::AtomicUsize::new(0);
    let kills = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(seeds.len()) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    match runtime.expect("a runtime").block_on(one(*seed)) {
                        Ok(times) => {
                            kills.fetch_add(times, std::sync::atomic::Ordering::Relaxed);
                        }
                        Err(failure) => {
                            failures.lock().expect("nobody panics with it").push(format!("{failure:#}"));
                        }
                    }
                }
            });
        }
    });
    println!("{} stories, {} times SIGKILL", seeds.len(), kills.into_inner());
    let failures = failures.into_inner().expect("nobody panics with it");
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    Ok(())
}
