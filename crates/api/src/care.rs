//! Care for the connectors: each source has its turns and its ledger, and a session can be recorded.
//!
//! ```text
//!  request ── token -> source ── a turn (turns) ── handler ── answer ── counted (ledger, failure) ── written down (record)
//!                                                                            │ now and then
//!                                                                            └──> store ── axon status
//! ```

mod failure;
mod keep;
mod ledger;
mod mask;
mod record;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_model::{Clock, HealthState, RequestId, SourceId};
use axon_scim::ScimError;
use time::OffsetDateTime;

pub use failure::{Answered, Operation, Sent};
pub use ledger::Ledger;
pub use record::{Exchange, Head, RecordSettings, Recorded, Recorder, read as read_recording};
pub use turns::{Turn, TurnLimits};

use self::turns::{Crowded, Entry, Turns};
use crate::layers::{Admission, Admitted};

/// What connectors are given.
#[derive(Debug, Default)]
pub struct CareSettings {
    /// How much of one source is worked on, and how much of it waits.
    pub turns: TurnLimits,
    /// Where sessions are recorded, if they are.
    pub recorder: Option<Recorder>,
}

/// One source that is cared for.
#[derive(Debug)]
pub struct Cared {
    /// Its name.
    pub source: SourceId,
    /// How its calls go.
    pub ledger: Ledger,
    turns: Turns,
}

/// All sources, and the recording.
#[derive(Debug)]
pub struct Care {
    sources: BTreeMap<SourceId, Arc<Cared>>,
    recorder: Option<Recorder>,
}

impl Care {
    /// For these sources.
    pub fn new<'a>(settings: CareSettings, sources: impl Iterator<Item = &'a SourceId>) -> Self {
        let cared = |source: &SourceId| {
            let cared = Cared {
                source: source.clone(),
                ledger: Ledger::new(source.clone()),
                turns: Turns::new(settings.turns),
            };
            (source.clone(), Arc::new(cared))
        };
        Self { sources: sources.map(cared).collect(), recorder: settings.recorder }
    }

    /// A source by its name.
    pub fn of(&self, source: &SourceId) -> Option<&Arc<Cared>> {
        self.sources.get(source)
    }

    /// All sources.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Cared>> {
        self.sources.values()
    }

    /// Enters an answered request into its source's ledger. One that showed no token is nobody's.
    pub fn enter(&self, answered: &Answered<'_>, clock: &dyn Clock) {
        if let Some(cared) = answered.admission.cared.get() {
            failure::enter(cared, answered, clock.now());
        }
    }

    /// Enters one operation of a bulk request of a source.
    pub fn enter_operation(
        &self,
        source: &SourceId,
        request: &RequestId,
        operation: Operation,
        error: Option<&ScimError>,
        clock: &dyn Clock,
    ) {
        if let Some(cared) = self.sources.get(source) {
            failure::enter_operation(cared, request, operation, error, clock.now());
        }
    }

    /// Enters a request whose client went away before its answer.
    pub fn enter_unanswered(&self, admission: &Admission, clock: &dyn Clock) {
        if let Some(cared) = admission.cared.get() {
            failure::enter_unanswered(cared, admission, clock.now());
        }
    }

    /// The largest body that is kept for the ledger and the recording, bytes.
    pub fn largest_kept(&self) -> usize {
        if self.recorder.is_some() { record::LARGEST_BODY } else { failure::LARGEST_BODY }
    }

    /// The recording, if there is one.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// Where each source stands.
    pub fn states(&self, now: OffsetDateTime) -> impl Iterator<Item = (&SourceId, HealthState)> {
        self.sources.values().map(move |cared| (&cared.source, cared.ledger.state(now)))
    }
}

impl Cared {
    /// Enters a request that showed a token of this source, and waits for its turn.
    pub async fn admit(self: &Arc<Self>, admitted: &Admitted) -> Result<(), ScimError> {
        let _ = admitted.cared.set(self.clone());
        admitted.keep(self.turn(admitted).await?);
        Ok(())
    }

    /// The same where nothing has to be waited for; else nothing is done.
    pub fn admit_at_once(self: &Arc<Self>, admitted: &Admitted) -> bool {
        let Some(turn) = self.turns.enter_at_once() else { return false };
        let _ = admitted.cared.set(self.clone());
        admitted.keep(turn);
        true
    }

    /// Waits for a turn of this source. While it waits, the request gives back its place among all that are worked on.
    async fn turn(&self, admitted: &Admitted) -> Result<Turn, ScimError> {
        let refused = |Crowded { retry_after }: Crowded| {
            metrics::counter!("axon_source_crowded_total", "source" => self.source.to_string()).increment(1);
            let _ = admitted.retry_after.set(retry_after);
            ScimError::too_many_requests(
                "this source sends more than is worked on at once; come again after Retry-After",
            )
        };
        match self.turns.enter().map_err(refused)? {
            Entry::Now(turn) => Ok(turn),
            Entry::Later(place) => {
                metrics::counter!("axon_source_waited_total", "source" => self.source.to_string())
                    .increment(1);
                admitted.step_back();
                let turn = place.turn().await.map_err(refused)?;
                admitted.step_forward().await;
                Ok(turn)
            }
        }
    }
}
