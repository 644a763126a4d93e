//! What is known to be in force in the target, and when it is looked at anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use axon_reconcile::{InspectScope, Inspection, Membership, Shape, Ties};
use time::{Duration, OffsetDateTime};

use super::Ticker;
use super::draft::Near;
use crate::error::ControllerError;

/// What is known to be in force, and since when.
pub(super) struct Known {
    pub(super) inspection: Inspection,
    pub(super) shape: Arc<Shape>,
    pub(super) at: OffsetDateTime,
    /// The lease's generation when it was read; none where somebody else was at work meanwhile.
    pub(super) generation: Option<u64>,
    /// The index of the graph, once a plan needed it.
    pub(super) ties: Option<Ties>,
    /// What Axon gave in roles that nothing names any more, as of the last plan over all of it.
    pub(super) given: BTreeSet<Membership>,
    /// What there is of secure views, once somebody asked.
    pub(super) views: Option<axon_reconcile::ViewsThere>,
    /// What the last decision left; none where the next one has to look at all.
    pub(super) near: Option<Near>,
}

impl Known {
    /// Whether nobody else held the lease between the look and this generation. Each taking of it counts one on.
    pub(super) fn holds_under(&self, generation: u64) -> bool {
        self.generation.is_some_and(|seen| seen == generation || seen.checked_add(1) == Some(generation))
    }
}

impl Ticker {
    /// Whoever holds the lease changes the target, and what the store keeps of it: what is known here is then out of date, also
    /// where nothing is known of the target now.
    pub(super) async fn heed_others(&mut self, now: OffsetDateTime) -> Result<(), ControllerError> {
        let (generation, alone) = self.worked_on(now).await?;
        let read = self.actual.as_ref().map(|known| known.generation);
        if self.kept_under != Some(generation) || read.is_some_and(|read| read != Some(generation)) {
            self.forget_actual();
        }
        self.kept_under = alone.then_some(generation);
        Ok(())
    }

    /// How often the lease was taken, and whether nobody else holds it now.
    async fn worked_on(&self, now: OffsetDateTime) -> Result<(u64, bool), ControllerError> {
        let lease = self.store.lease(self.name.as_str()).await?;
        Ok(lease
            .map_or((0, true), |lease| (lease.generation, lease.until <= now || lease.holder == self.holder)))
    }

    /// Whether nobody else holds the lease now.
    pub(super) async fn is_alone(&self, now: OffsetDateTime) -> Result<bool, ControllerError> {
        let (_, alone) = self.worked_on(now).await?;
        Ok(alone)
    }

    /// Whether nobody else is at work on the target, nor was since it was read.
    pub(super) async fn was_read_alone(&self, now: OffsetDateTime) -> Result<bool, ControllerError> {
        let (generation, alone) = self.worked_on(now).await?;
        Ok(alone && self.actual.as_ref().is_none_or(|known| known.generation == Some(generation)))
    }

    /// Somebody else worked on the target: neither what it holds, nor whom it was given to, nor who is leaving it is known here.
    pub(super) fn forget_actual(&mut self) {
        self.actual = None;
        self.see_no_more(None);
        self.remembered_loaded = false;
        self.leaving.forget();
        self.borne.forget();
        self.history_loaded = false;
        self.made.forget();
        self.noticed.forget();
        self.brakes.forget();
        self.made_for.forget();
        self.tombs.forget();
        self.clocks_moved = true;
    }

    pub(super) async fn refresh(&mut self, now: OffsetDateTime) -> Result<(), ControllerError> {
        let Some(known) = &self.actual else { return self.inspect(now).await };
        // A clock that was set back would make what is known new for as long as it was set back.
        if now >= known.at && now - known.at < self.inspect_every {
            return Ok(());
        }
        if now < known.at || !self.target.is_unchanged().await? {
            return self.inspect(now).await;
        }
        metrics::counter!("axon_target_unchanged_total", "target" => self.name.to_string()).increment(1);
        if let Some(known) = &mut self.actual {
            known.at = now;
        }
        Ok(())
    }

    pub(super) async fn inspect(&mut self, now: OffsetDateTime) -> Result<(), ControllerError> {
        // Looked at before the target is: what others do after this look shows in the generation.
        let (generation, alone) = self.worked_on(now).await?;
        let generation = alone.then_some(generation);
        let mut inspection = self.target.inspect(InspectScope::Full).await?;
        // Which tables are filtered and which views stand is read with the views, before anything hangs on it.
        if let Some(known) = &self.actual {
            inspection.shape.filtered.clone_from(&known.shape.filtered);
            inspection.shape.standing.clone_from(&known.shape.standing);
        }
        // The same shape stays the same value, so that the desired side is not computed anew for nothing.
        let shape = match &self.actual {
            Some(known) if *known.shape == inspection.shape => known.shape.clone(),
            _ => Arc::new(inspection.shape.clone()),
        };
        let same = |known: &Known| known.inspection.graph == inspection.graph;
        let (ties, near, given) = match self.actual.take() {
            Some(known) if same(&known) => (known.ties, known.near, known.given),
            _ => {
                self.made.look();
                (None, None, BTreeSet::new())
            }
        };
        self.see_no_more(None);
        self.actual = Some(Known { inspection, shape, at: now, generation, ties, near, given, views: None });
        self.borne.look();
        self.look_for_lingering().await?;
        Ok(())
    }

    /// When the target is read whole again at the latest.
    pub(super) fn next_look(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.actual
            .as_ref()
            .map_or(now, |known| known.at.min(now) + self.inspect_every.max(Duration::seconds(1)))
    }
}
