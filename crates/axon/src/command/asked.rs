//! What somebody asked for beside the map, and who answers or ends it: found, answered, ended before its time.

use axon_controller::asking;
use axon_model::{AccessRequest, AccessState, Asked, RecordSeq};
use axon_store::operators::Permission;
use axon_store::{AccessEnd, HoldEnd};

use super::grant::text;
use super::{Status, holds};
use crate::cli::GrantAnswer;
use crate::person;
use crate::wiring::Parts;

/// One kind of request.
pub struct Kind {
    /// Whether a request is of it.
    pub is: fn(&Asked) -> bool,
    /// What it is and where they are listed, for whoever names one that is not there.
    pub what: &'static str,
}

impl Kind {
    /// Oldest first.
    pub async fn all(&self, parts: &Parts, ended: bool) -> anyhow::Result<Vec<AccessRequest>> {
        let mut all = parts.store.access_requests(RecordSeq(0)).await?;
        all.retain(|request| (self.is)(&request.asked) && (ended || request.state.stands()));
        all.sort_by_key(|request| request.id);
        Ok(all)
    }

    async fn find(&self, parts: &Parts, id: &str) -> anyhow::Result<AccessRequest> {
        let all = self.all(parts, true).await?;
        let ids = |request: &AccessRequest| {
            let ids = [Some(request.id.to_string()), request.hold.map(|hold| hold.to_string())];
            ids.into_iter().flatten().collect()
        };
        Ok(holds::find_by(&all, id, self.what, ids)?.clone())
    }

    /// A second person's answer.
    pub async fn answer(&self, parts: &Parts, answer: GrantAnswer, end: HoldEnd) -> anyhow::Result<Status> {
        let GrantAnswer { id, reason, proof } = answer;
        let reason = asking::reason(&reason)?;
        let act = person::act(parts, &proof, Permission::HoldsRelease).await?;
        let request = self.find(parts, &id).await?;
        let Some(hold) = request.hold.filter(|_| request.state == AccessState::Proposed) else {
            eprintln!("axon: it waits for nobody: {}", text(&request));
            return Ok(Status::Failed);
        };
        Ok(holds::told(parts.store.answer_hold(hold, end, reason, act).await?))
    }

    /// The end before its time.
    pub async fn lift(&self, parts: &Parts, answer: GrantAnswer) -> anyhow::Result<Status> {
        let GrantAnswer { id, reason, proof } = answer;
        let reason = asking::reason(&reason)?;
        let act = person::act(parts, &proof, Permission::Grant).await?;
        let request = self.find(parts, &id).await?;
        let Some(ended) = parts.store.end_access(request.id, AccessEnd::Lift, reason, act).await? else {
            eprintln!("axon: it has ended already: {}", text(&request));
            return Ok(Status::Failed);
        };
        println!("{}", text(&ended));
        eprintln!("a running serve follows at once");
        Ok(Status::Done)
    }
}
