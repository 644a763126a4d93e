//! Somebody who stands in for readers as whom nobody can read: a user without a login, who is in the pool while it is probed.
//!
//! Nobody can enter as that one. It has the roles of those for whom it stands in, no permission of its own and no profile, and it is
//! dropped whatever comes of the probe. Where a process ended in between, the next look, or the next probe, drops it.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::secure::{Metadata, ProbeAnswer, ProbeCase};

use super::probe::{as_user, numbers, said, untried};
use crate::connect::Link;
use crate::error::CallError;
use crate::render::view_probe as ask;

/// Its name in each pool.
const NAME: &str = "axon_canary";
/// After so many seconds no probe is under way any more.
const LEFT_BEHIND: i64 = 900;

/// Reads each view as somebody with these roles.
pub(super) async fn probe(
    link: &Link,
    metadata: &Metadata,
    roles: &BTreeSet<SqlName>,
    cases: &[ProbeCase],
) -> Result<Vec<ProbeAnswer>, CallError> {
    let Ok(name) = SqlName::parse(NAME) else { return Ok(untried("it has no name".to_owned(), cases)) };
    let canary = Canary { link, name };
    if let Some(why) = canary.in_the_way().await? {
        return Ok(untried(why, cases));
    }
    // What another process made meanwhile is that one's to drop.
    if let Err(refusal) = said(canary.made().await)? {
        return Ok(untried(canary.refused("CREATE USER", refusal.number), cases));
    }
    let answers = match canary.joined(roles).await {
        Ok(None) => canary.answers(metadata, roles, cases).await,
        Ok(Some(why)) => Ok(untried(why, cases)),
        Err(error) => Err(error),
    };
    // Also after an error: a connection may be gone, and the next one is not.
    let gone = canary.gone().await;
    let mut answers = answers?;
    if let Some(why) = gone? {
        for answer in &mut answers {
            answer.untried.push(why.clone());
        }
    }
    Ok(answers)
}

/// Drops one that was left behind. Why one is still there, if it is.
pub(crate) async fn clear(link: &Link) -> Result<Option<String>, CallError> {
    match SqlName::parse(NAME) {
        Ok(name) => Canary { link, name }.in_the_way().await,
        Err(_) => Ok(None),
    }
}

struct Canary<'l> {
    link: &'l Link,
    name: SqlName,
}

impl Canary<'_> {
    /// Why none can be made; what a process left behind that ended half-way goes.
    async fn in_the_way(&self) -> Result<Option<String>, CallError> {
        let mut session = self.link.session().await?;
        let found = match numbers(&mut session, &ask::canary_there(self.name)).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Some(self.refused("the catalog", refusal.number))),
        };
        match (found.first().copied().flatten(), found.get(1).copied().flatten()) {
            (None, _) => Ok(None),
            (Some(1), Some(seconds)) if seconds > LEFT_BEHIND => {
                drop(session);
                self.gone().await
            }
            (Some(1), _) => Ok(Some(format!(
                "user {} is there: another probe is under way, or ended half-way",
                self.name
            ))),
            _ => Ok(Some(format!("somebody else is called {}", self.name))),
        }
    }

    async fn made(&self) -> Result<(), CallError> {
        self.link.session().await?.run(&ask::make_canary(self.name)).await
    }

    async fn joined(&self, roles: &BTreeSet<SqlName>) -> Result<Option<String>, CallError> {
        let mut session = self.link.session().await?;
        for role in roles {
            if let Err(refusal) = said(session.run(&ask::canary_joins(self.name, *role)).await)? {
                return Ok(Some(self.refused("sp_addrolemember", refusal.number)));
            }
        }
        Ok(None)
    }

    /// A difference is one only if nobody took the roles away in between.
    async fn answers(
        &self,
        metadata: &Metadata,
        roles: &BTreeSet<SqlName>,
        cases: &[ProbeCase],
    ) -> Result<Vec<ProbeAnswer>, CallError> {
        let answers = as_user(self.link, metadata, self.name, cases).await?;
        if answers.iter().all(|answer| answer.differs.is_empty()) {
            return Ok(answers);
        }
        let mut session = self.link.session().await?;
        let left = numbers(&mut session, &ask::canary_roles(self.name)).await?;
        if left.is_ok_and(|left| left == [i64::try_from(roles.len()).ok()]) {
            return Ok(answers);
        }
        Ok(untried(format!("somebody took roles from {} meanwhile", self.name), cases))
    }

    /// Why it is still there, if it is.
    async fn gone(&self) -> Result<Option<String>, CallError> {
        let mut session = self.link.session().await?;
        let there = numbers(&mut session, &ask::canary_there(self.name)).await?;
        if there.is_ok_and(|there| there.is_empty()) {
            return Ok(None);
        }
        let dropped = said(session.run(&ask::drop_canary(self.name)).await)?;
        Ok(dropped.err().map(|refusal| self.refused("DROP USER", refusal.number)))
    }

    fn refused(&self, what: &str, number: i64) -> String {
        format!("Axon may not let {} stand in ({what}: error {number})", self.name)
    }
}
