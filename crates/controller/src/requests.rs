//! What was asked for beside the role map, as the store has it: followed by the records that changed it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_mapping::Beside;
use axon_model::{AccessRequest, AccessRequestId, AccessState, Asked, Directory, RecordSeq, Whom};
use axon_store::{AccessEnd, Act, Store, StoreError};
use time::OffsetDateTime;

/// For how long the end of a role for a while may take.
const LINGERS: time::Duration = time::Duration::days(1);

/// The requests that stand, in memory.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    standing: BTreeMap<AccessRequestId, AccessRequest>,
    /// Roles for a while that came into force and ended.
    over: BTreeMap<AccessRequestId, AccessRequest>,
    beside: Arc<Beside>,
    read: RecordSeq,
}

impl Requests {
    /// What evaluations need.
    pub fn beside(&self) -> &Arc<Beside> {
        &self.beside
    }

    /// Whether the store has something that is not known here.
    pub async fn moved(&self, store: &dyn Store) -> Result<bool, StoreError> {
        Ok(!store.access_requests(self.read).await?.is_empty())
    }

    /// Takes in what the store has since the last look. True where evaluations have to follow.
    pub async fn follow(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        let news = store.access_requests(self.read).await?;
        if news.is_empty() {
            return Ok(false);
        }
        for request in news {
            self.read = self.read.max(request.record);
            if request.state.stands() {
                self.standing.insert(request.id, request);
            } else {
                self.standing.remove(&request.id);
                if request.until.is_some() {
                    self.over.insert(request.id, request);
                }
            }
        }
        let beside = Beside::of(self.standing.values());
        let moved = beside != *self.beside;
        if moved {
            self.beside = Arc::new(beside);
        }
        Ok(moved)
    }

    /// Roles for a while that gave something and give nothing any more.
    pub fn ended(&self, now: OffsetDateTime) -> impl Iterator<Item = &AccessRequest> {
        let over = self.standing.values().filter(move |r| r.until.is_some_and(|until| until <= now));
        // What lingers longer has another reason.
        let lately = move |r: &&AccessRequest| r.ended.as_ref().is_some_and(|ended| now - ended.at < LINGERS);
        over.chain(self.over.values().filter(lately))
    }

    /// Says in the journal that those are over whose time has come, and that nobody reads as another any more where either of the
    /// two left: who comes back has to ask again. What they gave is not given any more whether or not this can be written.
    pub async fn end(&self, store: &dyn Store, directory: &Directory, act: &Act) -> Result<(), StoreError> {
        let over = |request: &&AccessRequest| {
            request.state == AccessState::InForce && request.until.is_some_and(|until| until <= act.now)
        };
        for request in self.standing.values().filter(over) {
            let words = "its time is over".to_owned();
            if store.end_access(request.id, AccessEnd::Elapse, words, act.clone()).await?.is_some() {
                tracing::info!(request.id = %request.id, "the time of a request is over");
            }
        }
        for (request, words) in self.left_by_somebody(directory) {
            if store.end_access(request, AccessEnd::Lift, words, act.clone()).await?.is_some() {
                tracing::info!(request.id = %request, "somebody left who reads as another, or is read as");
            }
        }
        Ok(())
    }

    /// The requests to read as another of whose two people one is not here any more, with who that is.
    fn left_by_somebody(&self, directory: &Directory) -> impl Iterator<Item = (AccessRequestId, String)> {
        self.standing.values().filter_map(|request| {
            let Asked::Impersonate { person, .. } = &request.asked else { return None };
            // What is newer than the directory may be about somebody whom it does not know yet.
            let known = |who: &Whom| {
                request.record <= directory.position()
                    || who.records.iter().any(|record| directory.user(record.id).is_some())
            };
            let left = |who: &&Whom| known(who) && !self.beside.is_here(directory, who);
            let gone = [&request.whom, person].into_iter().find(left)?;
            Some((request.id, format!("{} left", axon_model::name::shown(&gone.user_name))))
        })
    }
}
