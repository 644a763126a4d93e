//! Taking it away: each wave of steps is on record before it is sent and after, under the leases of the targets, and read back.

use std::collections::BTreeSet;
use std::ops::Range;

use axon_audit::NewRecord;
use axon_model::{Clock, MapVersion, PlanId, RunId};
use axon_reconcile::{Classifier, GrantKey, Graph, LeaseProof, Membership, Outcome, Securable, Seen, Step};
use axon_store::{Act, Notes, Store};

use super::{Left, LeftError};
use crate::record::{Decision, Placed, Recorder};

/// How many steps are written down, sent and written down again at once.
pub const SWEEP: usize = 50;
/// For how long the target is held at a time.
const LEASE: time::Duration = time::Duration::minutes(5);

/// What takes it away, while it is at that: it holds the leases of the targets, and writes down each wave before it is sent and after.
pub struct Removal<'a> {
    left: &'a Left,
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    act: &'a Act,
    run: RunId,
    plan: PlanId,
    leases: Vec<LeaseProof>,
}

impl Left {
    /// Takes the leases of the targets and writes down what is to be done. None where that is nothing.
    pub async fn begin<'a>(
        &'a self,
        store: &'a dyn Store,
        clock: &'a dyn Clock,
        act: &'a Act,
        map: &MapVersion,
    ) -> Result<Option<Removal<'a>>, LeftError> {
        if self.steps.is_empty() {
            return Ok(None);
        }
        let now = clock.now();
        let holder = format!("delete-{}", act.ids.uuid(now));
        let (run, plan) = (RunId::from_uuid(act.ids.uuid(now)), PlanId::from_uuid(act.ids.uuid(now)));
        let mut removal = Removal { left: self, store, clock, act, run, plan, leases: Vec::new() };
        for target in &self.targets {
            let Some(lease) = store.try_lease(target, &holder, LEASE, now).await? else {
                removal.give_back().await?;
                return Err(LeftError::Busy(target.clone()));
            };
            removal.leases.push(lease);
        }
        let steps: Vec<&Step> = self.steps.iter().collect();
        let decision = Decision {
            directory: store.head().await?.seq,
            map,
            steps: &steps,
            withheld: &[],
            findings: self.stays.clone(),
        };
        let records = removal.recorder().decision(decision, now)?;
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

impl Removal<'_> {
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
        let Some((first, others)) = self.leases.split_first() else { return Ok(()) };
        self.store.append_noting(records, Some(first), notes(first)).await?;
        for other in others.iter().filter(|_| !made.is_empty() || !unmade.is_empty()) {
            self.store.append_noting(Vec::new(), Some(other), notes(other)).await?;
        }
        Ok(())
    }

    /// Writes down that these steps are about to be sent.
    pub async fn intend(&mut self, steps: Range<usize>) -> Result<(), LeftError> {
        let now = self.clock.now();
        for lease in &mut self.leases {
            let Some(longer) = self.store.renew_lease(lease, LEASE, now).await? else {
                return Err(LeftError::Busy(lease.target().to_owned()));
            };
            *lease = longer;
        }
        let (recorder, generation) = (self.recorder(), self.leases.first().map_or(0, LeaseProof::generation));
        let placed = steps.filter_map(|n| self.left.placed(self.act, n));
        let intents = placed.map(|placed| recorder.intent(&placed, generation, now));
        self.append(intents.collect::<Result<_, _>>()?, Vec::new(), Vec::new()).await
    }

    /// Writes down what came of them, and forgets as made what is done: what others make anew is not Axon's.
    pub async fn outcome(&self, steps: Range<usize>, outcomes: &[Outcome]) -> Result<(), LeftError> {
        let (recorder, now) = (self.recorder(), self.clock.now());
        let placed = steps.filter_map(|n| self.left.placed(self.act, n));
        let (mut records, mut unmade) = (Vec::new(), Vec::new());
        for (placed, outcome) in placed.zip(outcomes) {
            records.push(recorder.outcome(&placed, outcome, now)?);
            if matches!(outcome, Outcome::Done { .. }) {
                unmade.extend(&placed.unmakes);
            }
        }
        self.append(records, Vec::new(), unmade).await
    }

    /// Writes down what another look showed; what is said to be done, and is there still, is made by Axon as before. Gives the numbers of the
    /// steps whose effect is not there.
    pub async fn read_back(
        &self,
        outcomes: &[Outcome],
        graph: &Graph,
        classifiers: &[Classifier],
    ) -> Result<BTreeSet<usize>, LeftError> {
        let now = self.clock.now();
        let mut still = BTreeSet::new();
        let numbers: Vec<usize> = (0..self.left.steps.len()).collect();
        for some in numbers.chunks(SWEEP) {
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

    /// Gives the leases back.
    pub async fn give_back(&self) -> Result<(), LeftError> {
        for lease in &self.leases {
            self.store.release_lease(lease).await?;
        }
        Ok(())
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
