//! What the target writes down, and of which rows it cannot say whose they are.

use axon_model::SqlName;
use axon_reconcile::{Membership, Step};
use time::Duration;

use super::steps::expected;
use super::{AssignedTarget, Memory};
use crate::assigned::memo::{IDENTITIES, SETTLING};
use crate::assigned::place::Definitions;

/// How often who is who is written down at the most.
const NOTED: Duration = Duration::minutes(1);

impl AssignedTarget {
    /// Reads what this or another process expects to have effect, and says whether it could.
    pub(super) async fn recall(&self) -> bool {
        let Some(memo) = self.memo.as_ref().filter(|_| self.place.tells_effect()) else { return false };
        let now = self.now();
        match memo.load(SETTLING).await {
            Ok(stored) => self.memory().settling.recall(stored, now),
            Err(error) => {
                tracing::debug!(target.name = %self.name, error, "what settles was not read");
                return false;
            }
        }
        true
    }

    /// Writes down what was expected of these steps before they are sent.
    pub(super) async fn expect(&self, steps: &[Step], definitions: &Definitions) {
        if !self.place.tells_effect() {
            return;
        }
        let now = self.now();
        for step in steps {
            let Step::AddMember { role, member } = step else { continue };
            if let Ok((at, who)) = self.to_add(*role, *member)
                && definitions.of(at.role).is_some()
            {
                self.memory().settling.expect(expected(&at, &who), step.to_string(), now);
            }
        }
        self.remember().await;
    }

    /// These steps were not sent.
    pub(super) fn never_made(&self, steps: &[Step]) {
        for step in steps {
            if let Step::AddMember { role, member } = step
                && let Ok((at, who)) = self.to_add(*role, *member)
            {
                self.memory().settling.end(&expected(&at, &who), self.now());
            }
        }
    }

    /// Writes down what changed. What others wrote meanwhile is read first: without it nothing is written over it.
    pub(super) async fn remember(&self) {
        let Some(memo) = &self.memo else { return };
        let is_unkept = self.memory().settling.is_unkept();
        if is_unkept && self.recall().await {
            let value = self.memory().settling.to_keep();
            match memo.save(SETTLING, value).await {
                Ok(()) => self.memory().settling.was_kept(),
                Err(error) => tracing::debug!(target.name = %self.name, error, "what settles was not kept"),
            }
        }
        let now = self.now();
        let noted = {
            let memory = self.memory();
            let version = memory.roster.version();
            let due =
                memory.noted.is_none_or(|(seen, at)| seen != version && (now < at || now - at >= NOTED));
            (due && version > 0).then(|| (version, memory.roster.identities()))
        };
        if let Some((version, value)) = noted {
            match memo.save(IDENTITIES, value).await {
                Ok(()) => self.memory().noted = Some((version, now)),
                Err(error) => tracing::debug!(target.name = %self.name, error, "who is who was not kept"),
            }
        }
    }
}

impl Memory {
    /// Whether a row may be one that the role map asks for, under other names: the directory only fails to show somebody who is to
    /// have the same role, or the place does not have a role of the map's by the name that the map gives it, since it was renamed.
    /// Whose row it is then, nobody can say.
    pub(super) fn is_sought(&self, of: Membership) -> bool {
        let roles = &self.roster.roles;
        if !roles.contains(&of.role) && roles.iter().any(|role| !self.roles.contains_key(role)) {
            return true;
        }
        let stranger = self.roster.who(of.member).is_none_or(Result::is_err);
        let Some(at) = self.roles.get(&of.role).filter(|_| stranger) else { return false };
        let same = |role: &SqlName| self.roles.get(role) == Some(at);
        let lost = |member| self.roster.who(member).is_none_or(Result::is_err);
        self.roster.members.iter().any(|wanted| same(&wanted.role) && lost(wanted.member))
    }
}
