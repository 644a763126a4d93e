//! The requests behind an explanation: when each record was made, by whom, and in which request.

use std::collections::BTreeSet;

use axon_mapping::Explanation;
use axon_model::RecordSeq;
use axon_store::JournalEntry;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::wiring::Parts;

/// How many records are told at most.
const MOST: usize = 200;

/// The records that an explanation names, oldest first.
pub async fn of(parts: &Parts, explanation: &Explanation) -> anyhow::Result<Vec<JournalEntry>> {
    let mut seqs: BTreeSet<RecordSeq> = BTreeSet::new();
    for person in &explanation.people {
        seqs.extend(person.record);
        seqs.extend(person.offboarded.as_ref().map(|request| request.record));
        let roles = person.targets.iter().flat_map(|target| &target.roles);
        let given = person.targets.iter().flat_map(|target| &target.roles).flat_map(|role| &role.requests);
        seqs.extend(given.map(|request| request.record));
        seqs.extend(roles.flat_map(|role| &role.ways).flat_map(|way| &way.groups).map(|link| link.record));
    }
    let mut entries = Vec::new();
    for seq in seqs.into_iter().take(MOST) {
        let found = parts.store.records(seq, 1).await?;
        entries.extend(found.into_iter().filter(|entry| entry.record.seq == seq));
    }
    Ok(entries)
}

/// One record as a value.
pub fn value(entry: &JournalEntry) -> Value {
    let record = &entry.record;
    json!({
        "record": record.seq,
        "at": record.at.format(&Rfc3339).ok(),
        "actor": record.actor,
        "request": record.request.as_ref().map(ToString::to_string),
    })
}

/// One record as a line.
pub fn text(entry: &JournalEntry) -> String {
    let record = &entry.record;
    let at = record.at.format(&Rfc3339).unwrap_or_default();
    let request = record.request.as_ref().map(|id| format!(", request {id}")).unwrap_or_default();
    format!("record {}: {at}, {}{request}", record.seq, record.actor)
}
