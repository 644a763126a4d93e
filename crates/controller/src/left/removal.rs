//! Taking it away: each wave of steps is on record before it is sent and after, under the leases of the targets, and read back.

use std::collections::BTreeSet;

use axon_audit::NewRecord;
use axon_model::{Clock, MapVersion, PlanId, RunId};
use axon_reconcile::{Classifier, GrantKey, Graph, LeaseProof, Membership, Outcome, Securable, Seen, Step};
use axon_store::{Act, Notes, Store, StoreError};

use super::{Leases, Left, LeftError};
use crate::record::{Decision, Placed, Recorder};

/// How many steps are written down, sent and written down again at once.
pub const SWEEP: usize = 50;
/// What takes it away, while it is at that: it writes down each wave before it is sent and after, under the leases of the targets.
pub struct Removal<'a, 's> {
    left: &'a Left,
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    act: &'a Act,
    run: RunId,
    plan: PlanId,
    leases: &'a mut Leases<'s>,
}

impl Left {
    /// Writes down what is to be done and what stays. None where nothing is to be done.
    pub async fn begin<'a, 's>(
        &'a self,
        leases: &'a mut Leases<'s>,
        act: &'a Act,
        map: &MapVersion,
    ) -> Result<Option<Removal<'a, 's>>, LeftError> {
        if self.steps.is_empty() && self.stays.is_empty() {
            return Ok(None);
        }
        let (store, clock) = (leases.store, leases.clock);
        let now = clock.now();
        let (run, plan) = (RunId::from_uuid(act.ids.uuid(now)), PlanId::from_uuid(act.ids.uuid(now)));
        let removal = Removal { left: self, store, clock, act, run, plan, leases };
        if self.steps.is_empty() {
            // Nothing is sent: that it stays is known, and by whom.
            store.append(removal.decided(map, &[], self.stays.clone()).await?, None).await?;
            return Ok(None);
        }
        let steps: Vec<&Step> = self.steps.iter().collect();
        let records = removal.decided(map, &steps, self.stays.clone()).await?;
        removal.append(records, Vec::new(), Vec::new()).await?;
        Ok(Some(removal))
    }

    fn placed<'a>(&'a self, act: &Act, n: usize) -> Option<Placed<'a>> {
        Some(Placed {
            step: self.steps.get(n)?,
            index: n as u64,
            causes: Vec::new(),
            request: act.request.clone(),
            counts: None,
            unmakes: self.unmakes.get(n)?.clone(),
        })
    }
}

impl<'s> Removal<'_, 's> {
    fn recorder(&self) -> Recorder<'_> {
        let target = self.left.targets.first().map_or("", String::as_str);
        Recorder { ids: &self.act.ids, actor: self.act.actor.clone(), target, run: self.run, plan: self.plan }
    }

    /// Under the lease; `unmade` is what is forgotten as made, before `made` is kept as that.
    async fn append(
        &self,
        records: Vec<NewRecord>,
        made: Vec<i64>,
        unmade: Vec<i64>,
    ) -> Result<(), LeftError> {
        let notes = |lease: &LeaseProof| Notes {
            target: lease.target().to_owned(),
            made: made.clone(),
            unmade: unmade.clone(),
            ..Notes::default()
        };
        let lost = |error| match error {
            StoreError::LeaseLost(target) => LeftError::Busy(target),
            other => other.into(),
        };
        let Some((first, others)) = self.leases.proofs.split_first() else { return Ok(()) };
        self.store.append_noting(records, Some(first), notes(first)).await.map_err(lost)?;
        for other in others.iter().filter(|_| !made.is_empty() || !unmade.is_empty()) {
            self.store.append_noting(Vec::new(), Some(other), notes(other)).await.map_err(lost)?;
        }
        Ok(())
    }

    async fn decided(
        &self,
        map: &MapVersion,
        steps: &[&Step],
        findings: Vec<String>,
    ) -> Result<Vec<NewRecord>, LeftError> {
        let directory = self.store.head().await?.seq;
        let decision = Decision { directory, map, steps, withheld: &[], findings };
        Ok(self.recorder().decision(decision, self.clock.now())?)
    }

    /// Writes down what stays after all, since another look shows it otherwise than the first.
    pub async fn stays(&mut self, map: &MapVersion, stays: Vec<String>) -> Result<(), LeftError> {
        let plan = std::mem::replace(&mut self.plan, PlanId::from_uuid(self.act.ids.uuid(self.clock.now())));
        let records = self.decided(map, &[], stays).await;
        // The steps are those of the first.
        self.plan = plan;
        self.append(records?, Vec::new(), Vec::new()).await
    }

    /// The leases of the targets.
    pub fn leases(&mut self) -> &mut Leases<'s> {
        self.leases
    }

    /// Writes down that these steps are about to be sent.
    pub async fn intend(&mut self, steps: &[usize]) -> Result<(), LeftError> {
        self.leases.hold().await?;
        let now = self.clock.now();
        let (recorder, generation) =
            (self.recorder(), self.leases.proofs.first().map_or(0, LeaseProof::generation));
        let placed = steps.iter().filter_map(|n| self.left.placed(self.act, *n));
        let intents = placed.map(|placed| recorder.intent(&placed, generation, now));
        self.append(intents.collect::<Result<_, _>>()?, Vec::new(), Vec::new()).await
    }

    /// Writes down what came of them, and forgets as made what is done: what others make anew is not Axon's.
    pub async fn outcome(&mut self, steps: &[usize], outcomes: &[Outcome]) -> Result<(), LeftError> {
        let held = self.leases.hold().await;
        let (recorder, now) = (self.recorder(), self.clock.now());
        let (mut records, mut unmade) = (Vec::new(), Vec::new());
        for (n, outcome) in steps.iter().zip(outcomes) {
            let Some(placed) = self.left.placed(self.act, *n) else { continue };
            records.push(recorder.outcome(&placed, outcome, now)?);
            if matches!(outcome, Outcome::Done { .. }) {
                unmade.extend(&placed.unmakes);
            }
        }
        let lost = match held {
            Ok(()) => match self.append(records.clone(), Vec::new(), unmade).await {
                Err(LeftError::Busy(target)) if self.is_first(&target) => LeftError::Busy(target),
                kept => return kept,
            },
            Err(lost) => lost,
        };
        // What was sent is told in any case; whose what is there is, the next delete sees for itself.
        self.store.append(records, None).await?;
        Err(lost)
    }

    /// Whether the records are written under the lease of this target.
    fn is_first(&self, target: &str) -> bool {
        self.leases.proofs.first().is_some_and(|first| first.target() == target)
    }

    /// Another look showed not all: what was said to be done may be there still, and is made by Axon as before.
    pub async fn unproven(&mut self, steps: &[usize]) -> Result<(), LeftError> {
        self.leases.hold().await?;
        let placed = steps.iter().filter_map(|n| self.left.placed(self.act, *n));
        let made: Vec<i64> = placed.flat_map(|placed| placed.unmakes).collect();
        self.append(Vec::new(), made, Vec::new()).await
    }

    /// Writes down what another look showed of these steps; what is said to be done, and is there still, is made by Axon as before. Gives the
    /// numbers of those whose effect is not there.
    pub async fn read_back(
        &mut self,
        steps: &[usize],
        outcomes: &[Outcome],
        graph: &Graph,
        classifiers: &[Classifier],
    ) -> Result<BTreeSet<usize>, LeftError> {
        let mut still = BTreeSet::new();
        for some in steps.chunks(SWEEP) {
            self.leases.hold().await?;
            let now = self.clock.now();
            let (mut records, mut made, mut unmade) = (Vec::new(), Vec::new(), Vec::new());
            for n in some {
                let Some(placed) = self.left.placed(self.act, *n) else { continue };
                let gone = is_gone(placed.step, graph, classifiers);
                if gone {
                    unmade.extend(&placed.unmakes);
                } else {
                    made.extend(&placed.unmakes);
                    still.insert(*n);
                }
                if outcomes.get(*n).is_some_and(|outcome| *outcome != Outcome::NotTried) {
                    let seen = if gone { Seen::InForce } else { Seen::NotInForce };
                    records.push(self.recorder().read_back(&placed, seen, now)?);
                }
            }
            unmade.retain(|mark| !made.contains(mark));
            self.append(records, made, unmade).await?;
        }
        Ok(still)
    }
}

/// Whether the catalog shows nothing any more of what a step takes.
fn is_gone(step: &Step, graph: &Graph, classifiers: &[Classifier]) -> bool {
    match step {
        Step::DropMember { role, member } => {
            !graph.members.contains(&Membership { role: *role, member: *member })
        }
        Step::Revoke { grantee, permission, on, columns, was: _ } => {
            let row = |securable| {
                graph.grants.get(&GrantKey { grantee: *grantee, securable, permission: *permission })
            };
            let is_there = |securable| row(securable).is_some_and(|grant| grant.own_row);
            match (on, columns.as_slice()) {
                (Securable::Object(object), [_, ..]) => {
                    !columns.iter().any(|column| is_there(Securable::Column(*object, *column)))
                }
                (on, _) => !is_there(*on),
            }
        }
        Step::DropRole { name } => !graph.roles.contains_key(name),
        Step::DropPrincipal { name, sid } => {
            graph.principals.get(name).is_none_or(|there| sid.is_some() && there.sid != *sid)
        }
        Step::Classify(step) => step.holds(classifiers),
        _ => false,
    }
}
