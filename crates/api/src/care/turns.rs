//! Turns: how many requests of one source are worked on at once, which of the others wait, and when one is told to come later.
//!
//! Each source has turns of its own, so that a source that sends too much waits for itself and not before the others. What it
//! sends within the assured rate goes first and is never told to come later; the rest waits in a queue with an end, for a time
//! with an end, and is answered 429 only then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// How much of one source is worked on, and how much of it waits.
#[derive(Debug, Clone, Copy)]
pub struct TurnLimits {
    /// So many requests a second are never told to come later.
    pub assured_per_second: u32,
    /// How many are worked on at once.
    pub at_once: usize,
    /// How many of those over the assured rate wait.
    pub queue: usize,
    /// How long each of those waits.
    pub wait: Duration,
}

impl Default for TurnLimits {
    fn default() -> Self {
        Self { assured_per_second: 50, at_once: 256, queue: 1024, wait: Duration::from_secs(10) }
    }
}

/// The longest time that a client is told to stay away, seconds.
const LONGEST: u64 = 30;

/// The turns of one source.
#[derive(Debug)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: TurnLimits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    running: usize,
    /// Requests of the assured rate that wait: before all others.
    assured: VecDeque<oneshot::Sender<Turn>>,
    /// The others that wait. One that gave up stays until it is met.
    others: VecDeque<oneshot::Sender<Turn>>,
    /// How many more requests are within the assured rate now.
    left: f64,
    /// When that was counted.
    counted: Instant,
    done: Done,
}

/// Turns that ended: in the second before this one, and in this one so far.
#[derive(Debug)]
struct Done {
    began: Instant,
    before: u64,
    now: u64,
}

/// A turn; given back when it is dropped.
#[derive(Debug)]
pub struct Turn(Option<Arc<Shared>>);

/// Too much of this source waits already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowded {
    /// When to come again, seconds.
    pub retry_after: u64,
}

impl Turns {
    /// No turn is taken yet.
    pub fn new(limits: TurnLimits) -> Self {
        let now = Instant::now();
        let state = State {
            running: 0,
            assured: VecDeque::new(),
            others: VecDeque::new(),
            left: f64::from(limits.assured_per_second),
            counted: now,
            done: Done { began: now, before: 0, now: 0 },
        };
        Self(Arc::new(Shared { limits, state: Mutex::new(state) }))
    }

    /// A turn without waiting, or nothing: then it is as if nobody had come.
    pub fn enter_at_once(&self) -> Option<Turn> {
        let limits = &self.0.limits;
        let mut state = self.0.state();
        if state.running >= limits.at_once.max(1) {
            return None;
        }
        state.is_assured(limits, Instant::now());
        state.running += 1;
        Some(Turn(Some(self.0.clone())))
    }

    /// A turn without waiting, or the ticket of a place in the queue.
    pub fn enter(&self) -> Result<Entry, Crowded> {
        let limits = &self.0.limits;
        let mut state = self.0.state();
        let is_assured = state.is_assured(limits, Instant::now());
        if state.running < limits.at_once.max(1) {
            state.running += 1;
            return Ok(Entry::Now(Turn(Some(self.0.clone()))));
        }
        let (turn, place) = oneshot::channel();
        if is_assured {
            state.assured.push_back(turn);
            return Ok(Entry::Later(Place { turn: place, wait: None, shared: self.0.clone() }));
        }
        if state.others.len() >= limits.queue {
            state.others.retain(|waiting| !waiting.is_closed());
        }
        if state.others.len() >= limits.queue {
            return Err(state.crowded());
        }
        state.others.push_back(turn);
        Ok(Entry::Later(Place { turn: place, wait: Some(limits.wait), shared: self.0.clone() }))
    }
}

/// What [`Turns::enter`] gives.
#[derive(Debug)]
pub enum Entry {
    /// A turn.
    Now(Turn),
    /// A place in the queue.
    Later(Place),
}

/// A place in the queue.
#[derive(Debug)]
pub struct Place {
    turn: oneshot::Receiver<Turn>,
    wait: Option<Duration>,
    shared: Arc<Shared>,
}

impl Place {
    /// Waits for the turn. One that goes away leaves its place to those behind it.
    pub async fn turn(self) -> Result<Turn, Crowded> {
        let turn = match self.wait {
            Some(wait) => timeout(wait, self.turn).await.ok(),
            None => Some(self.turn.await),
        };
        match turn {
            Some(Ok(turn)) => Ok(turn),
            // A turn that comes as the time runs out goes back by itself.
            Some(Err(_)) | None => Err(self.shared.state().crowded()),
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_assured(&mut self, limits: &TurnLimits, now: Instant) -> bool {
        let rate = f64::from(limits.assured_per_second);
        let passed = now.duration_since(self.counted).as_secs_f64();
        self.left = (self.left + passed * rate).min(rate);
        self.counted = now;
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }

    /// When the queue, as it is and at the speed that it has, will have gone by.
    fn crowded(&mut self) -> Crowded {
        self.done.roll(Instant::now());
        let speed = self.done.before.max(self.done.now).max(1);
        let waiting = (self.assured.len() + self.others.len()) as u64 + 1;
        Crowded { retry_after: waiting.div_ceil(speed).clamp(1, LONGEST) }
    }
}

impl Done {
    fn roll(&mut self, now: Instant) {
        let passed = now.duration_since(self.began).as_secs();
        if passed > 0 {
            self.before = if passed == 1 { self.now } else { 0 };
            self.now = 0;
            self.began = now;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        let mut state = shared.state();
        state.done.roll(Instant::now());
        state.done.now += 1;
        while let Some(next) = state.assured.pop_front().or_else(|| state.others.pop_front()) {
            match next.send(Turn(Some(shared.clone()))) {
                Ok(()) => return,
                // Gone away: the turn is still ours to give, and must not come back here.
                Err(mut turn) => turn.0 = None,
            }
        }
        state.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(assured_per_second: u32, at_once: usize, queue: usize) -> Turns {
        Turns::new(TurnLimits { assured_per_second, at_once, queue, wait: Duration::from_secs(10) })
    }

    fn now(turns: &Turns) -> Turn {
        match turns.enter() {
            Ok(Entry::Now(turn)) => turn,
            other => panic!("no turn at once: {other:?}"),
        }
    }

    fn later(turns: &Turns) -> Place {
        match turns.enter() {
            Ok(Entry::Later(place)) => place,
            other => panic!("no place in the queue: {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_wait_takes_a_turn_that_is_free_and_leaves_no_mark_else() {
        let turns = turns(1, 1, 1);
        let held = turns.enter_at_once().unwrap();
        assert!(turns.enter_at_once().is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(turns.enter_at_once().is_none());
        let place = later(&turns);
        assert!(place.wait.is_none(), "nobody has used the assured one of this second");
        drop(held);
        assert!(turns.enter_at_once().is_none(), "it went to the one that waited");
        drop(place.turn().await.unwrap());
        assert!(turns.enter_at_once().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_within_the_assured_rate_waits_and_is_never_refused() {
        let turns = turns(50, 1, 0);
        let held = now(&turns);
        let places: Vec<_> = (0..49).map(|_| later(&turns)).collect();
        assert!(turns.enter().is_err(), "the 51st in this second is over the rate, and no queue is allowed");
        tokio::time::advance(Duration::from_secs(1)).await;
        let next = later(&turns);
        // Far over the longest wait of the others.
        tokio::time::advance(Duration::from_mins(1)).await;
        drop(held);
        for place in places {
            place.turn().await.unwrap();
        }
        next.turn().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_it_waits_before_it_is_refused() {
        let turns = turns(0, 1, 2);
        let held = now(&turns);
        let (first, second) = (later(&turns), later(&turns));
        assert!(matches!(turns.enter(), Err(Crowded { retry_after: 1..=LONGEST })), "the queue has an end");
        drop(held);
        let held = first.turn().await.unwrap();
        let began = Instant::now();
        assert!(second.turn().await.is_err(), "and so has the wait");
        assert_eq!(began.elapsed(), Duration::from_secs(10));
        drop(held);
        now(&turns);
    }

    #[tokio::test(start_paused = true)]
    async fn those_of_the_assured_rate_go_before_the_others() {
        let turns = turns(2, 1, 9);
        let held = now(&turns);
        let assured = later(&turns);
        let other = later(&turns);
        tokio::time::advance(Duration::from_millis(600)).await;
        let assured_later = later(&turns);
        drop(held);
        let turn = assured.turn().await.unwrap();
        drop(turn);
        let turn = assured_later.turn().await.unwrap();
        drop(turn);
        other.turn().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_leaves_no_hole() {
        let turns = turns(0, 1, 2);
        let held = now(&turns);
        let (gone, stays) = (later(&turns), later(&turns));
        drop(gone);
        let takes_its_place = later(&turns);
        drop(held);
        drop(stays.turn().await.unwrap());
        // A turn that was given and never looked at goes on as well.
        drop(takes_its_place);
        now(&turns);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_told_when_the_queue_will_have_gone_by() {
        let turns = turns(0, 10, 40);
        for _ in 0..2 {
            let held: Vec<_> = (0..10).map(|_| now(&turns)).collect();
            drop(held);
        }
        tokio::time::advance(Duration::from_millis(900)).await;
        let _held: Vec<_> = (0..10).map(|_| now(&turns)).collect();
        let _places: Vec<_> = (0..40).map(|_| later(&turns)).collect();
        assert_eq!(turns.enter().unwrap_err().retry_after, 3, "41 requests at 20 a second");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(turns.enter().unwrap_err().retry_after, LONGEST, "nothing moves");
    }

    /// Many tasks that come, wait, give up and are cut off at random: none is worked on beyond the limit, all turns come back.
    #[tokio::test(start_paused = true)]
    async fn all_turns_come_back_whatever_clients_do() {
        let turns = Arc::new(turns(5, 3, 20));
        let running = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let tasks = (0..500_u64).map(|n| {
            let (turns, running) = (turns.clone(), running.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(n * 7919 % 3000)).await;
                let work = async {
                    let turn = match turns.enter() {
                        Ok(Entry::Now(turn)) => turn,
                        Ok(Entry::Later(place)) => match place.turn().await {
                            Ok(turn) => turn,
                            Err(_) => return,
                        },
                        Err(_) => return,
                    };
                    let at_once = running.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                    assert!(at_once <= 3, "{at_once}");
                    tokio::time::sleep(Duration::from_millis(n * 31 % 97)).await;
                    running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(turn);
                };
                if n % 3 == 0 {
                    // Cut off while it waits; one that is worked on is let finish, so that the count above stays true.
                    let _ = tokio::time::timeout(Duration::from_millis(n % 50), async {
                        if let Ok(Entry::Later(place)) = turns.enter() {
                            let _ = place.turn().await;
                        }
                    })
                    .await;
                } else {
                    work.await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let held: Vec<_> = (0..3).map(|_| now(&turns)).collect();
        assert!(!matches!(turns.enter(), Ok(Entry::Now(_))));
        drop(held);
    }
}
