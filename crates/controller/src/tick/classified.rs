//! Workload classifiers of a target: what the map's lines ask for, and the steps to it.

use std::sync::Arc;

use axon_mapping::target::TargetSpec;
use axon_mapping::{RoleMap, TargetKind, classifiers};
use axon_reconcile::classifier::put_into;
use axon_reconcile::{Classifier, Plan, Scope};
use time::OffsetDateTime;

use super::Ticker;
use crate::error::ControllerError;

/// What a ticker keeps of classifiers.
#[derive(Default)]
pub(super) struct Classified {
    /// What was there, and at which look at the target.
    there: Option<(OffsetDateTime, Vec<Classifier>)>,
    /// With this map nothing was to be done.
    settled: Option<Arc<RoleMap>>,
}

impl Classified {
    /// What was there at the last look, as far as it was read.
    pub(super) fn there(&self) -> &[Classifier] {
        self.there.as_ref().map_or(&[], |(_, there)| there.as_slice())
    }

    /// They are read anew before the next plan.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl Ticker {
    /// Puts the steps about classifiers into a plan. Gives what waits, in sentences.
    pub(super) async fn add_classifiers(
        &mut self,
        map: &Arc<RoleMap>,
        spec: &TargetSpec,
        scope: &Scope,
        plan: &mut Plan,
    ) -> Result<Vec<String>, ControllerError> {
        let Some(at) = self.actual.as_ref().map(|known| known.at) else { return Ok(Vec::new()) };
        if spec.kind != TargetKind::SynapseDedicated {
            return Ok(Vec::new());
        }
        let is_known = self.classified.there.as_ref().is_some_and(|(looked, _)| *looked == at);
        let settled = self.classified.settled.as_ref().is_some_and(|of| Arc::ptr_eq(of, map));
        if is_known && settled {
            return Ok(Vec::new());
        }
        let wanted = classifiers(map, spec);
        if !is_known {
            self.classified.forget();
            match self.target.inspect_classifiers().await {
                Ok(Some(there)) => self.classified.there = Some((at, there)),
                Ok(None) => return Ok(Vec::new()),
                // Nobody asks for one: who may not read them need not.
                Err(error) if wanted.is_empty() => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "classifiers cannot be read");
                    return Ok(Vec::new());
                }
                Err(error) => return Ok(vec![format!("workload classifiers cannot be read: {error}")]),
            }
        }
        let Some((_, there)) = &self.classified.there else { return Ok(Vec::new()) };
        let before = (plan.steps.len(), plan.findings.len());
        put_into(plan, &wanted, there, scope);
        let nothing = before == (plan.steps.len(), plan.findings.len());
        self.classified.settled = nothing.then(|| map.clone());
        Ok(Vec::new())
    }
}
