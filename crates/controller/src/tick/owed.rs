//! Records of what was taken away while the journal could not take them.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{RecordId, RecordSeq};
use axon_store::Notes;
use time::{Duration, OffsetDateTime};

use super::Ticker;
use crate::error::ControllerError;
use crate::spool::Frame;

/// Records looked at in one go, to see whether the journal has a record already: the process before died between the journal and
/// the spool, and others wrote since.
const SOME: u32 = 5_000;
/// So much older than the oldest record that is looked for is what ends the look: the clocks of those who write one journal differ.
const APART: Duration = Duration::hours(1);

impl Ticker {
    /// Records that an earlier tick, or an earlier process, could not write. While the journal does not take them, what takes away
    /// goes on.
    pub(super) async fn pay_owed(&mut self) {
        match self.spool.begin() {
            Ok(frames) if frames.is_empty() => {}
            Ok(frames) => match self.unwritten(frames).await {
                Ok(()) => tracing::warn!(
                    records = self.owed.len(),
                    "an earlier process could not write what it took away: the spool has it"
                ),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the spool could not be compared with the journal"
                    );
                }
            },
            // A command beside a server: the server has it.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                tracing::debug!("another process has the spool");
            }
            // Told once: what follows is the same.
            Err(error) if self.spool.is_first_trouble() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "there is no spool: with a full disk, records of what is taken away are kept in memory only"
                );
            }
            Err(_) => {}
        }
        if self.owed.is_empty() {
            return;
        }
        let notes = Notes { target: self.name.to_string(), ..self.owed_notes.clone() };
        match self.store.append_noting(self.owed.clone(), None, notes).await {
            Ok(_) => {
                self.owed.clear();
                self.owed_notes = Notes::default();
                self.history_loaded = false;
                self.made.forget();
                if let Err(error) = self.spool.clear() {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the spool could not be emptied"
                    );
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    records = self.owed.len(),
                    "records of taking steps are still owed to the journal"
                );
            }
        }
    }

    /// Owes what the journal does not have.
    async fn unwritten(&mut self, frames: Vec<Frame>) -> Result<(), ControllerError> {
        let wanted: BTreeMap<RecordId, OffsetDateTime> =
            frames.iter().flat_map(|frame| &frame.records).map(|record| (record.id, record.at)).collect();
        let mut there = BTreeSet::new();
        let mut upto = self.store.head().await?.seq.0;
        if let Some(oldest) = wanted.values().min() {
            while upto > 0 && there.len() < wanted.len() {
                let from = upto.saturating_sub(u64::from(SOME)) + 1;
                let page = self.store.records(RecordSeq(from), SOME).await?;
                let page: Vec<_> =
                    page.iter().map(|entry| &entry.record).filter(|record| record.seq.0 <= upto).collect();
                there.extend(page.iter().map(|record| record.id).filter(|id| wanted.contains_key(id)));
                if page.iter().all(|record| record.at < *oldest - APART) {
                    break;
                }
                upto = from - 1;
            }
        }
        for frame in frames {
            self.owed.extend(frame.records.into_iter().filter(|record| !there.contains(&record.id)));
            self.owed_notes.counted.extend(frame.notes.counted);
            self.owed_notes.uncounted.extend(frame.notes.uncounted);
            self.owed_notes.made.extend(frame.notes.made);
            self.owed_notes.unmade.extend(frame.notes.unmade);
        }
        Ok(())
    }
}
