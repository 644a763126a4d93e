//! Sessions that outlived their user, which was dropped while they were open, and sessions of people who were shut out: no row of the
//! catalog tells of them.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::visitor::{Uninvited, uninvited};
use axon_reconcile::{Plan, Retry, Sid, Step};
use axon_store::StoreError;

use super::leaving::Found;

use super::Ticker;
use crate::error::ControllerError;

impl Ticker {
    /// Reads whom this or another process gave something.
    pub(super) async fn load_remembered(&mut self) -> Result<(), StoreError> {
        if !self.remembered_loaded {
            self.remembered.extend(self.store.remembered_principals(self.name.as_str()).await?);
            self.remembered_loaded = true;
        }
        Ok(())
    }

    /// Whoever is wanted no more and is no principal, or another object has the name, may have lost the user since the last full look,
    /// or before it while still wanted: whether a session outlived it is asked at once, not at the next full look. True: it is to be
    /// asked.
    pub(super) fn heed_gone(&mut self, gone: &[SqlName]) -> bool {
        let Some(known) = &self.actual else { return false };
        let there = &known.inspection.graph.principals;
        let outlived = |name: &&SqlName| match there.get(*name) {
            None => true,
            Some(there) => self.borne.had_another(**name, there.sid.as_ref()),
        };
        let suspected = !self.leaving.looked() && gone.iter().filter(outlived).any(|name| self.met(*name));
        if suspected {
            self.leaving.suspect();
        }
        suspected
    }

    /// Whether this store ever gave something to the bearer of this name.
    fn met(&self, name: SqlName) -> bool {
        self.remembered.contains(&name) || self.unkept.contains(&name)
    }

    /// Keeps which ids people have to whom Axon gives something, before it does where they are known.
    pub(super) async fn keep_borne(&mut self, plan: &Plan) {
        let Some(known) = &self.actual else { return };
        let (remembered, unkept) = (&self.remembered, &self.unkept);
        let met = |name| remembered.contains(&name) || unkept.contains(&name);
        self.borne.end(plan);
        self.borne.pass_on(std::mem::take(self.made_for.passed_on()));
        self.borne.take_in(&known.inspection.graph, plan, met);
        self.borne.keep(self.store.as_ref(), self.name.as_str()).await;
    }

    /// Why a KILL is not sent although the target takes it: of somebody without a user only a look at all sessions tells whether one is
    /// theirs, and that was refused. Of whoever was found before it is tried all the same.
    pub(super) fn unseen(&self, step: &Step) -> Option<String> {
        let (Step::KillSessions { principal }, Some(known)) = (step, &self.actual) else { return None };
        let there = known.inspection.graph.principals.contains_key(principal);
        let found = there || self.leaving.lingering().contains(principal);
        self.leaving.refused().filter(|_| !found).map(str::to_owned)
    }

    /// Asks who is in, and takes in whose session lives on without a user, and whose though they are shut out: a process may have died
    /// between DENY CONNECT and KILL while the store took no word of it. Of the first only those whom this store gave something are
    /// Axon's matter, of the second only whom it manages; and only those who are wanted no more lose their sessions. A target that does
    /// not answer ends the tick, which is tried again: nobody who left may be forgotten over it. One that refuses to tell is asked again
    /// before the next plan, and so is one that cannot see who is in: meanwhile what was found before counts.
    pub(super) async fn look_for_lingering(&mut self) -> Result<(), ControllerError> {
        self.load_remembered().await?;
        self.borne.load(self.store.as_ref(), self.name.as_str()).await?;
        let visitors = match self.target.visitors().await {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.leaving.see_nobody();
                return Ok(());
            }
            Err(error) if error.retry() != Retry::Never => return Err(error.into()),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "sessions without a user could not be looked for"
                );
                // What was not told is not known: whoever has no user is not out by that.
                self.leaving.see_nobody_since(format!(
                    "{error}: give Axon the right to see sessions that `axon doctor` names"
                ));
                return Ok(());
            }
        };
        let Some(known) = &self.actual else { return Ok(()) };
        let uninvited = uninvited(&known.inspection.graph, &visitors, self.borne.ids());
        let Uninvited { unknown, strangers, former, shut_out, namesakes } = uninvited;
        // Whose the name was last is known, and this is somebody else: a group lets them in. Where it is not known, this may be the one
        // whose user was dropped before anybody looked at it.
        let strangers = strangers.into_iter().filter(|(name, _)| !self.borne.saw_last(*name));
        let lingering: BTreeSet<SqlName> = unknown.into_iter().filter(|name| self.met(*name)).collect();
        let former: BTreeSet<(SqlName, Sid)> =
            former.into_iter().chain(strangers).filter(|(name, _)| self.met(*name)).collect();
        let namesakes: BTreeSet<SqlName> = namesakes.into_iter().filter(|name| self.met(*name)).collect();
        if !lingering.is_empty() || !former.is_empty() {
            tracing::warn!(
                people = lingering.len() + former.len(),
                "sessions are open whose users are not in the target any more"
            );
        }
        if !namesakes.is_empty() {
            tracing::warn!(
                people = namesakes.len(),
                "somebody else has a session under the name of people who are shut out"
            );
        }
        self.leaving.linger(Found { lingering, former, still_in: shut_out, namesakes });
        Ok(())
    }
}
