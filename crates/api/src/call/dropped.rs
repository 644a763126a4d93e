//! What sources send and nobody keeps, told to operators once: a mapping in the identity provider that leads nowhere is a
//! mistake that its administrator cannot see, since the request succeeds.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use axon_model::SourceId;
use axon_scim::{Notice, Notices};

/// The most things that are remembered as told; after that all is told at debug level only.
const MOST: usize = 1000;

/// What was told already.
#[derive(Default)]
pub struct Dropped(Mutex<HashSet<(SourceId, String)>>);

impl Dropped {
    /// Logs what no schema knows, the first time that a source sends it; counts it each time.
    pub fn tell(&self, source: &SourceId, notices: &Notices) {
        for notice in notices.items() {
            let kind = match notice {
                Notice::UnknownAttribute(_) => "unknown-attribute",
                Notice::UnknownSchema(_) => "unknown-schema",
                // Sent by every connector in every request, and meant to be dropped.
                Notice::ReadOnly(_) | Notice::NeverStored(_) => continue,
            };
            metrics::counter!("axon_scim_dropped_total", "why" => kind).increment(1);
            if self.is_new(source, notice) {
                tracing::info!(
                    source.id = %source,
                    scim.dropped = %notice,
                    "a source sends what no schema has: mend its attribute mapping, or declare an extension"
                );
            } else {
                tracing::debug!(source.id = %source, scim.dropped = %notice, "dropped again");
            }
        }
    }

    fn is_new(&self, source: &SourceId, notice: &Notice) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST && told.insert((source.clone(), notice.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_new_once_for_each_source_and_the_memory_is_bounded() {
        let dropped = Dropped::default();
        let (entra, okta): (SourceId, SourceId) = ("entra".parse().unwrap(), "okta".parse().unwrap());
        let shoe = Notice::UnknownAttribute("'shoe'".to_owned());
        assert!(dropped.is_new(&entra, &shoe));
        assert!(!dropped.is_new(&entra, &shoe));
        assert!(dropped.is_new(&okta, &shoe));
        for n in 0..2 * MOST {
            dropped.is_new(&entra, &Notice::UnknownSchema(n.to_string()));
        }
        assert_eq!(dropped.0.lock().unwrap().len(), MOST);
    }
}
