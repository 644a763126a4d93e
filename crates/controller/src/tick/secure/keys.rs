//! The keys of hashes in a target, as every process that works on it knows them.

use std::collections::{BTreeMap, BTreeSet};

use axon_reconcile::secure::{KeyFault, KnownKeys};
use axon_reconcile::{SecureStep, Step, ViewsThere};
use axon_store::Store;
use time::OffsetDateTime;

use super::Ticker;
use crate::error::ControllerError;

/// Under which name the store keeps it: no target can be called so.
fn summary_key(target: &str) -> String {
    format!("mask-keys:{target}")
}

async fn load(store: &dyn Store, target: &str) -> Result<Option<KnownKeys>, ControllerError> {
    let kept = store.summary(&summary_key(target)).await?;
    Ok(kept.and_then(|(value, _)| match serde_json::from_value(value) {
        Ok(known) => Some(known),
        Err(error) => {
            tracing::warn!(%error, target.id = target, "what is kept of keys cannot be read: those that stand count");
            None
        }
    }))
}

async fn save(
    store: &dyn Store,
    target: &str,
    known: &KnownKeys,
    now: OffsetDateTime,
) -> Result<(), ControllerError> {
    let Ok(value) = serde_json::to_value(known) else { return Ok(()) };
    Ok(store.save_summary(&summary_key(target), value, now).await?)
}

/// What a ticker knows of keys.
#[derive(Default)]
pub(super) struct Keys {
    /// Those that are not as they were.
    pub faults: BTreeMap<String, KeyFault>,
    /// Those that were made and are not kept as such yet, each with its digest where that was written down before.
    made: BTreeMap<String, Option<String>>,
    /// The digests of those that are about to be made.
    meant: BTreeMap<String, String>,
}

impl Keys {
    /// Compares what was read with what is known. A first look believes what it finds.
    pub async fn look(
        &mut self,
        store: &dyn Store,
        target: &str,
        there: &ViewsThere,
        now: OffsetDateTime,
    ) -> Result<(), ControllerError> {
        self.keep_made(store, target, now).await?;
        let before = load(store, target).await?;
        let mut known = before.clone().unwrap_or_else(|| KnownKeys::first(&there.key_marks));
        self.faults = known.look(&there.key_marks);
        if before.as_ref() != Some(&known)
            && let Err(error) = save(store, target, &known, now).await
        {
            // What gives waits for the store in any case.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what is known of keys could not be kept"
            );
        }
        Ok(())
    }

    /// Writes down which keys are about to be made, each by the digest by which the next look knows it again, whatever happens to this
    /// process meanwhile. Nobody else's key is taken for one of them.
    pub async fn keep_meant(
        &mut self,
        store: &dyn Store,
        target: &str,
        drawn: BTreeMap<String, String>,
        now: OffsetDateTime,
    ) -> Result<(), ControllerError> {
        let mut known = load(store, target).await?.unwrap_or_default();
        for (id, mark) in &drawn {
            known.mean(id, mark.clone());
        }
        save(store, target, &known, now).await?;
        self.meant.extend(drawn);
        Ok(())
    }

    /// Axon made one. Where its digest was written down before, that tells it from one that somebody else wrote at the same moment.
    pub fn made(&mut self, id: &str) {
        self.made.insert(id.to_owned(), self.meant.remove(id));
    }

    /// Keeps which ones Axon made, so that no process takes them for somebody else's: also where another process kept what it knew
    /// between the word before and this one.
    pub async fn keep_made(
        &mut self,
        store: &dyn Store,
        target: &str,
        now: OffsetDateTime,
    ) -> Result<(), ControllerError> {
        if self.made.is_empty() {
            return Ok(());
        }
        let mut known = load(store, target).await?.unwrap_or_default();
        let before = known.clone();
        for (id, mark) in &self.made {
            match mark {
                Some(mark) => known.mean(id, mark.clone()),
                None => known.expect(id),
            }
        }
        if known != before {
            save(store, target, &known, now).await?;
        }
        self.made.clear();
        Ok(())
    }
}

impl Ticker {
    /// Writes down which keys a wave makes, before it does. Where that cannot be, none is made.
    pub(in super::super) async fn mean_keys(&mut self, wave: &[&Step]) -> Result<(), ControllerError> {
        let ids = wave.iter().filter_map(|step| match step {
            Step::Secure(SecureStep::CreateKey { id, .. }) => Some(id),
            _ => None,
        });
        let drawn: BTreeMap<String, String> =
            ids.filter_map(|id| Some((id.clone(), self.target.draw_key(id)?))).collect();
        if drawn.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let kept = self.views.keys.keep_meant(self.store.as_ref(), self.name.as_str(), drawn, now).await;
        kept.map_err(|error| match error {
            ControllerError::Store(error) => ControllerError::Unrecorded(error),
            other => other,
        })
    }

    /// Keeps which keys were made, before anybody looks at them.
    pub(in super::super) async fn keep_keys(&mut self) {
        let now = self.clock.now();
        if let Err(error) = self.views.keys.keep_made(self.store.as_ref(), self.name.as_str(), now).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "that keys were made could not be kept: they are told as somebody else's until a person takes them"
            );
        }
    }
}

/// The ids of the keys that are known of a target.
pub async fn known_keys(store: &dyn Store, target: &str) -> Result<BTreeSet<String>, ControllerError> {
    let known = load(store, target).await?.unwrap_or_default();
    Ok(known.ids().into_iter().map(str::to_owned).collect())
}

/// A person says that the key that stands in the target counts from now on, and that a new one is made where none does.
pub async fn accept_key(
    store: &dyn Store,
    target: &str,
    id: &str,
    now: OffsetDateTime,
) -> Result<(), ControllerError> {
    let mut known = load(store, target).await?.unwrap_or_default();
    known.expect(id);
    save(store, target, &known, now).await
}
