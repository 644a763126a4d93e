//! Why a step is done: the rule, the group, the record that brought the membership, and the request behind it.

use std::collections::BTreeMap;

use axon_audit::payload::Cause;
use axon_mapping::TargetName;
use axon_model::{RecordSeq, RequestId};
use axon_reconcile::Step;
use axon_store::{Store, StoreError};
use time::OffsetDateTime;

use crate::world::World;

/// Looks causes up, each record once.
#[derive(Default)]
pub struct Causes {
    requests: BTreeMap<RecordSeq, Option<RequestId>>,
}

impl Causes {
    /// The chains behind a step, and the record that set it off.
    pub fn of(
        world: &World,
        target: &TargetName,
        step: &Step,
        now: OffsetDateTime,
    ) -> (Vec<Cause>, Option<RecordSeq>) {
        let mut because = world.because(target, step, now);
        if let Step::DropPrincipal { name, .. } = step {
            because.extend(world.buried(target, *name));
        }
        let set_off = world
            .traced(target, step.subject())
            .or_else(|| because.iter().filter_map(|c| c.membership).max());
        (because, set_off)
    }

    /// The request that wrote this record.
    pub async fn request(
        &mut self,
        store: &dyn Store,
        seq: Option<RecordSeq>,
    ) -> Result<Option<RequestId>, StoreError> {
        let Some(seq) = seq else { return Ok(None) };
        if let Some(known) = self.requests.get(&seq) {
            return Ok(known.clone());
        }
        let request = store
            .records(seq, 1)
            .await?
            .into_iter()
            .find(|e| e.record.seq == seq)
            .and_then(|e| e.record.request);
        self.requests.insert(seq, request.clone());
        Ok(request)
    }
}
