//! Steps that the target is known not to do: they wait with their reason, and with all that needs them, before anything is sent.

use std::sync::Arc;

use axon_mapping::RoleMap;
use axon_reconcile::{Refusal, RefusalKind, Step};
use time::OffsetDateTime;

use super::Ticker;
use super::acquaintance::capabilities_key;
use super::decide::{Decided, May};
use crate::error::ControllerError;

/// How often what cannot be done is left out of the plan before the target is asked all the same.
const LEAVINGS_OUT: usize = 16;

impl Ticker {
    /// A decision without steps that the target lacks something for.
    pub(super) async fn decide_able(
        &mut self,
        map: &Arc<RoleMap>,
        may: May,
        now: OffsetDateTime,
    ) -> Result<Decided, ControllerError> {
        let target = self.target.clone();
        if let Some(decided) = self.decide_without(map, may, now, |step| target.lacks(step)).await? {
            return Ok(decided);
        }
        // What is left is refused by the target's own side as it would be here, one step after another.
        self.decide(map, may, now).await
    }

    /// A decision none of whose steps has this fault: what has it waits as if it had been refused, with all that needs it. None
    /// where there is ever more to leave out.
    pub(super) async fn decide_without(
        &mut self,
        map: &Arc<RoleMap>,
        may: May,
        now: OffsetDateTime,
        fault: impl Fn(&Step) -> Option<String>,
    ) -> Result<Option<Decided>, ControllerError> {
        for _ in 0..LEAVINGS_OUT {
            let decided = self.decide(map, may, now).await?;
            let steps = decided.admitted.steps().iter().map(|planned| &planned.step);
            let bad: Vec<(Step, String)> =
                steps.filter_map(|step| Some((step.clone(), fault(step)?))).collect();
            if bad.is_empty() {
                return Ok(Some(decided));
            }
            for (step, message) in bad {
                let refusal = Refusal { kind: RefusalKind::Unsupported, number: 0, message };
                self.blocked.add(&step, refusal, now);
            }
        }
        Ok(None)
    }

    /// What was left out of a plan because it cannot be done, in sentences.
    pub(super) fn lacking(&self, now: OffsetDateTime) -> impl Iterator<Item = String> {
        self.blocked.waiting(now).map(|blocked| format!("{}: {}", blocked.step, blocked.refusal.message))
    }

    /// Reminds the target of what it told when it was asked what it can do. Asks nothing.
    pub(super) async fn recall(&self) {
        let Some(known) = &self.actual else { return };
        match self.store.summary(&capabilities_key(self.name.as_str())).await {
            Ok(Some((kept, _))) => self.target.recall(kept, &known.inspection.facts),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what a target can do cannot be read"
            ),
        }
    }
}
