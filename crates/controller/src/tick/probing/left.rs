//! A canary that stands in the target although no probe is under way: the process that made it ended half-way.

use axon_mapping::RoleMap;
use axon_model::SqlName;
use axon_reconcile::PrincipalKind;
use axon_reconcile::admit::Mode;

use super::CANARY;
use crate::tick::Ticker;

impl Ticker {
    /// Has it taken away, where the last full look shows one; whether it is old enough the target knows by its own clock. Once a look,
    /// whatever is said of probes by now: it may be of an earlier setting.
    pub(in crate::tick) async fn clear_left_canary(&mut self, map: &RoleMap) {
        let Some(known) = &self.actual else { return };
        let Ok(name) = SqlName::parse(CANARY) else { return };
        let there = known.inspection.graph.principals.get(&name);
        let changes = map.targets.get(&self.name).is_some_and(|spec| spec.mode != Mode::Observe);
        if !changes
            || there.is_none_or(|canary| canary.kind != PrincipalKind::Sql)
            || self.probing.cleared.replace(known.at) == Some(known.at)
        {
            return;
        }
        match self.target.clear_probes().await {
            Ok(None) => tracing::info!("a canary that a probe left behind was dropped"),
            Ok(Some(why)) => tracing::debug!(why, "a canary is in the target"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a canary that a probe left behind could not be dropped"
            ),
        }
    }
}
