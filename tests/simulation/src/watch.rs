//! Stories of the product's own loop, with its breaker, in virtual time: a target that fails for minutes, and is left alone meanwhile.
//!
//! The runtime's clock is paused, so that a timer is over as soon as nobody has anything to do; the stories' clock is moved along.

use std::sync::Arc;
use std::time::Duration;

use axon_controller::{Controller, Standing, State};
use axon_mapping::RoleMap;
use axon_reconcile::Target;
use tokio::sync::watch;

use crate::people::Human;
use crate::story::{Failure, Story, Told};
use crate::trouble::Kind;
use crate::world::Ground;

/// How many times at least the target fails in one story, and how many things happen at least.
const STRETCHES: usize = 6;
const ACTS: u64 = 40;
/// The stories' clock moves so much at once.
const BEAT: Duration = Duration::from_millis(250);
/// Whoever waits for a target that answers again waits no longer: a minute between two tries, and the tries themselves.
const BACK: u64 = 75;
/// The same for who left, where the target did not ask to be left alone.
const BACK_FOR_LEAVERS: u64 = 9;
/// So many tries until it waits its longest, and those that are under way.
const TO_OPEN: u64 = 14;
/// The longest wait is a minute, of which chance takes a half at most.
const LEAST_WAIT: u64 = 30;
/// While somebody waits who left, or people answered holds, it is tried no oftener than that.
const LEAST_WAIT_FOR_LEAVERS: u64 = 5;
/// What makes a whole target fail.
const FAILING: [Kind; 5] =
    [Kind::Paused42108, Kind::Warming42109, Kind::Login18456, Kind::TokenExpired, Kind::InspectLost];

/// A process that runs by itself.
struct Running {
    controller: Arc<Controller>,
    map: watch::Sender<Arc<RoleMap>>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(story: &mut Story) -> Self {
        let (controller, target): (_, Arc<dyn Target>) = story.world.controller(0, Duration::from_secs(2));
        let controller = Arc::new(controller);
        let (map, maps) = watch::channel(story.world.map.1.clone());
        let (stop, stopped) = watch::channel(false);
        let targets = [("warehouse".parse().expect("a target's name"), target)].into();
        let runs = controller.clone();
        let task = tokio::spawn(async move { runs.run(targets, maps, stopped).await });
        Self { controller, map, stop, task }
    }

    async fn end(self) -> Result<(), String> {
        self.stop.send_replace(true);
        self.task.await.map_err(|error| format!("the loop panicked: {error}"))
    }

    fn state(&self) -> State {
        self.controller.states().get("warehouse").copied().unwrap_or(State::Starting)
    }

    fn standing(&self) -> Standing {
        self.controller.breakers().get("warehouse").copied().unwrap_or(Standing::Closed)
    }

    fn answers(&self) -> bool {
        matches!(self.state(), State::Converged | State::Pending)
    }
}

/// Tells the story of a seed under the product's own loop. To be run on a runtime whose time is paused.
pub async fn tell(seed: u64) -> Result<Told, Failure> {
    let mut story = Story::begin(seed, Ground::default()).await;
    story.world.processes.clear();
    let mut told = Told::default();
    let mut stretches = 0;
    while stretches < STRETCHES || story.acts() < ACTS {
        if let Err(what) = one(&mut story, &mut told).await {
            return Err(Failure { seed, step: stretches, what, log: story.log });
        }
        stretches += 1;
    }
    told.struck = story.world.troubles.struck();
    Ok(told)
}

async fn one(story: &mut Story, told: &mut Told) -> Result<(), String> {
    let running = Running::start(story);
    for _ in 0..4 {
        happens(story, &running).await;
    }
    let rests = comes_to_rest(story, &running).await?;

    let kind = FAILING[story.chance.below(FAILING.len())];
    story.world.troubles.arm(kind, u32::MAX);
    story.log.push(format!("from now on: {}", kind.word()));
    let before = story.world.troubles.struck().times(kind);
    let seconds = 60 + story.chance.below(600) as u64;
    // Where nobody does anything, nobody is a reason to ask it sooner.
    let quiet = story.chance.percent(40);
    let leaves = story.chance.below(usize::try_from(seconds).unwrap_or_default()) as u64;
    let mut left = None;
    for second in 0..seconds {
        if !quiet && (second == 20 || story.chance.percent(2)) {
            happens(story, &running).await;
        }
        if !quiet && second == leaves {
            left = leave(story).await;
        }
        pass(story, 1).await?;
    }
    let tried = story.world.troubles.struck().times(kind) - before;
    told.ticks += tried;
    let standing = running.standing();
    story.log.push(format!("    {tried} tries in {seconds} s, the breaker is {}", standing.as_str()));
    let most = if quiet && rests { seconds / LEAST_WAIT } else { seconds / LEAST_WAIT_FOR_LEAVERS } + TO_OPEN;
    if tried > most {
        return Err(format!(
            "a target that fails was asked {tried} times in {seconds} s, not {most} at most"
        ));
    }
    if tried >= 3 && !running.answers() && standing == Standing::Closed {
        return Err(format!("it failed {tried} times, and the breaker is closed"));
    }

    story.world.troubles.clear();
    let waits = left.is_some_and(|who| story.world.is_in(who)) && kind != Kind::Paused42108;
    comes_back(story, &running, waits).await?;
    if !comes_to_rest(story, &running).await? {
        return Err(format!("after 20 minutes without trouble it is {}", running.state().as_str()));
    }
    running.end().await?;
    story.world.check_records(0).await
}

/// Something happens, and the loop is told of a map.
async fn happens(story: &mut Story, running: &Running) {
    let map = story.world.map.0;
    let what = story.act().await;
    story.log.push(what);
    story.world.note_wanted();
    if story.world.map.0 != map {
        running.map.send_replace(story.world.map.1.clone());
    }
}

/// Somebody leaves who can do something in the pool.
async fn leave(story: &mut Story) -> Option<usize> {
    let here = |human: &Human| human.scim.is_some() && human.active;
    let mut people = 0..story.world.people.len();
    let who = people.find(|who| here(&story.world.people[*who]) && story.world.is_in(*who))?;
    let done = story.world.set_active(who, false).await.is_ok();
    story.world.note_wanted();
    story.log.push(format!("person {who} leaves meanwhile: {done}"));
    done.then_some(who)
}

/// Time passes, and what must never be true is looked for.
async fn pass(story: &mut Story, seconds: u64) -> Result<(), String> {
    for _ in 0..seconds * 4 {
        tokio::time::sleep(BEAT).await;
        story.world.clock.advance(time::Duration::milliseconds(250));
    }
    story.world.check_powers()?;
    story.world.check_scope()
}

/// A target that answers again is met again soon.
async fn comes_back(story: &mut Story, running: &Running, somebody_left: bool) -> Result<(), String> {
    let most = if somebody_left { BACK_FOR_LEAVERS } else { BACK };
    for _ in 0..most {
        pass(story, 1).await?;
        if running.answers() {
            return if running.standing() == Standing::Closed {
                Ok(())
            } else {
                Err("the target answers, and its breaker is not closed".to_owned())
            };
        }
    }
    Err(format!("{most} s after the trouble the target is {}", running.state().as_str()))
}

/// All is as wanted, once whoever is asked says yes. False: it did not come to rest within twenty minutes.
async fn comes_to_rest(story: &mut Story, running: &Running) -> Result<bool, String> {
    for _ in 0..60 {
        pass(story, 20).await?;
        if running.state() == State::Converged && story.world.books.fresh(story.world.looks()) {
            story.world.check_wanted()?;
            story.world.check_leavers(&[])?;
            story.world.check_new_clocks(true).await?;
            story.world.check_clocks().await?;
            story.world.settle_books();
            return Ok(true);
        }
        story.world.release(usize::MAX).await;
    }
    Ok(false)
}
