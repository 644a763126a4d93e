//! A request that was let in: what is known of it before its handler runs, and what its handler leaves behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axon_model::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::{Origin, Slowed};
use crate::care::{Cared, Sent, Turn};

use super::RouteName;

/// A request that was let in.
#[derive(Debug, Clone)]
pub struct Admitted(Arc<Admission>);

/// What is known of it.
#[derive(Debug)]
pub struct Admission {
    /// Its id.
    pub id: RequestId,
    /// Its method, from a closed set.
    pub method: &'static str,
    /// Where it goes, as soon as that is known.
    pub route: OnceLock<RouteName>,
    /// What its body asks for, without values; written where debug logs are on.
    pub outline: OnceLock<String>,
    /// The largest body, bytes; for what grows as it is read.
    pub body_bytes: usize,
    /// The source whose token it showed.
    pub cared: OnceLock<Arc<Cared>>,
    /// Its body.
    pub sent: OnceLock<Sent>,
    /// Where it comes from.
    pub origin: OnceLock<Origin>,
    /// Set where it showed a token that was refused.
    pub was_refused: OnceLock<()>,
    /// Set where its token is not for what it wants.
    pub lacks_scope: OnceLock<()>,
    /// When it is to come again, seconds.
    pub retry_after: OnceLock<u64>,
    /// Whether its body is still arriving.
    reading: AtomicBool,
    /// Its turn among those of its source.
    turn: OnceLock<Turn>,
    /// Its place among all that are worked on.
    place: Mutex<Option<OwnedSemaphorePermit>>,
    places: Arc<Semaphore>,
}

impl std::ops::Deref for Admitted {
    type Target = Admission;

    fn deref(&self) -> &Admission {
        &self.0
    }
}

impl Admitted {
    /// Lets a request in; it has no place yet.
    pub fn new(id: RequestId, method: &'static str, body_bytes: usize, places: Arc<Semaphore>) -> Self {
        Self(Arc::new(Admission {
            id,
            method,
            route: OnceLock::new(),
            outline: OnceLock::new(),
            body_bytes,
            cared: OnceLock::new(),
            sent: OnceLock::new(),
            origin: OnceLock::new(),
            was_refused: OnceLock::new(),
            lacks_scope: OnceLock::new(),
            retry_after: OnceLock::new(),
            reading: AtomicBool::new(false),
            turn: OnceLock::new(),
            place: Mutex::new(None),
            places,
        }))
    }
}

impl Admission {
    /// Where it goes; nowhere, until that is known.
    pub fn route(&self) -> &RouteName {
        self.route.get().unwrap_or(&RouteName::Nowhere)
    }

    /// Waits for a place among all that are worked on. It is kept until the request ends.
    pub async fn step_forward(&self) {
        // Closed by nobody; were it closed, the request would run without waiting.
        let place = self.places.clone().acquire_owned().await.ok();
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// Gives the place to others while this request waits.
    pub fn step_back(&self) {
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Waits as long as an answer is slowed, in no place among those that are worked on.
    pub async fn slow_down(&self, slowed: Slowed) {
        match slowed {
            Slowed::No => {}
            Slowed::Wait(time, _place) => {
                self.step_back();
                tokio::time::sleep(time).await;
            }
            Slowed::ComeBack => {
                let _ = self.retry_after.set(crate::auth::COME_BACK_SECONDS);
            }
        }
    }

    /// Keeps a turn until the request ends.
    pub fn keep(&self, turn: Turn) {
        // It is taken once; a second one would be given back here.
        let _ = self.turn.set(turn);
    }

    /// Says that the body begins to be waited for, or is there.
    pub fn set_reading(&self, reading: bool) {
        self.reading.store(reading, Ordering::Relaxed);
    }

    /// Whether the body is still arriving.
    pub fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed)
    }
}
