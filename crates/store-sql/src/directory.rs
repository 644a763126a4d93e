//! What writes of users and groups share: the version check, the document's text, the record.

use axon_audit::Draft;
use axon_audit::payload::{DirectoryChange, WriteVerb};
use axon_model::{Delta, RecordSeq};
use axon_scim::{Resource, ScimError};
use axon_store::{StoreError, WriteContext, WriteError};

use crate::writer::Txn;

/// What one write does to the directory, as it comes about.
pub(crate) struct Change {
    pub verb: WriteVerb,
    pub deltas: Vec<Delta>,
    pub external_id_changed: bool,
    pub parked: u64,
    pub joined: u64,
}

impl Change {
    pub fn new(verb: WriteVerb) -> Self {
        Self { verb, deltas: Vec::new(), external_id_changed: false, parked: 0, joined: 0 }
    }

    /// Writes the record; the position is the one that [`Txn::next_seq`] told before.
    pub fn record(self, txn: &mut Txn, context: &WriteContext) -> RecordSeq {
        txn.touch(&self.deltas);
        txn.link(self.draft(context)).record.seq
    }

    /// The record, made ready.
    pub fn draft(self, context: &WriteContext) -> Draft {
        let act = &context.act;
        let change = DirectoryChange {
            verb: self.verb,
            source: context.source.clone(),
            deltas: self.deltas,
            external_id_changed: self.external_id_changed,
            parked: self.parked,
            joined: self.joined,
        };
        Draft::of_directory(&act.ids, act.now, act.actor.clone(), act.request.clone(), &change)
    }
}

/// `If-Match` and `If-None-Match` (RFC 7644 section 3.14).
pub(crate) fn check_version(context: &WriteContext, version: u64) -> Result<(), WriteError> {
    if context.allows(version) {
        return Ok(());
    }
    Err(ScimError::precondition_failed("the resource has another version than the request's condition wants")
        .into())
}

/// The longest text that resources are found by, in bytes: PostgreSQL's indexes take no longer ones, and both stores refuse
/// the same.
pub(crate) const MAX_KEY: usize = 1024;

/// Refuses a text that is too long to find a resource by.
pub(crate) fn check_key(attribute: &'static str, text: &str) -> Result<(), ScimError> {
    if text.len() > MAX_KEY {
        return Err(ScimError::invalid_value(format!("'{attribute}' is longer than {MAX_KEY} bytes")));
    }
    Ok(())
}

/// The text that is stored.
pub(crate) fn document_text(resource: &Resource) -> Result<String, StoreError> {
    serde_json::to_string(resource.as_map()).map_err(|e| StoreError::unavailable("write a document", e))
}
