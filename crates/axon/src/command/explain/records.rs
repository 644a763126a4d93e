//! The requests behind an explanation: when each record was made, by whom, and in which request.

use std::collections::{BTreeMap, BTreeSet};

use axon_mapping::chain::Brought;
use axon_model::RecordSeq;

use crate::wiring::Parts;

/// How many records are looked up at most, the newest first.
const MOST: usize = 1_000;

/// What these records say.
pub async fn of(parts: &Parts, seqs: BTreeSet<RecordSeq>) -> anyhow::Result<BTreeMap<RecordSeq, Brought>> {
    let mut known = BTreeMap::new();
    for seq in seqs.into_iter().rev().take(MOST) {
        let found = parts.store.records(seq, 1).await?;
        let record = found.into_iter().map(|entry| entry.record).find(|record| record.seq == seq);
        known.extend(record.map(|record| {
            let brought = Brought { at: record.at, by: record.actor.to_string(), request: record.request };
            (seq, brought)
        }));
    }
    Ok(known)
}
