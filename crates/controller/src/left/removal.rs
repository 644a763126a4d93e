//! Taking it away: each wave of steps is on record before it is sent and after, under the leases of the targets, and read back.

use std::collections::BTreeSet;
use std::time::Duration;

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
/// It is held for longer once less than this is left.
const SHORT: time::Duration = time::Duration::minutes(4);

/// The leases of the targets that are taken away: while they are held no process reconciles there.
pub struct Leases<'a> {
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    proofs: Vec<LeaseProof>,
}

impl<'a> Leases<'a> {
    /// Takes them all, or none.
    pub async fn take(
        store: &'a dyn Store,
        clock: &'a dyn Clock,
        act: &Act,
        targets: &[String],
    ) -> Result<Self, LeftError> {
        let now = clock.now();
        let holder = format!("delete-{}", act.ids.uuid(now));
        let mut leases = Self { store, clock, proofs: Vec::new() };
        for target in targets {
            match store.try_lease(target, &holder, LEASE, now).await {
                Ok(Some(lease)) => leases.proofs.push(lease),
                Ok(None) => {
                    leases.give_back().await;
                    return Err(LeftError::Busy(target.clone()));
                }
                Err(error) => {
                    leases.give_back().await;
                    return Err(error.into());
                }
            }
        }
        Ok(leases)
    }

    /// Holds the targets for longer where not much is left. Fails where they are somebody else's by now: then nothing more may be sent.
    pub async fn hold(&mut self) -> Result<(), LeftError> {
        let now = self.clock.now();
        for lease in &mut self.proofs {
            if lease.until() - now >= SHORT {
                continue;
            }
            let Some(longer) = self.store.renew_lease(lease, LEASE, now).await? else {
                return Err(LeftError::Busy(lease.target().to_owned()));
            };
            *lease = longer;
        }
        Ok(())
    }

    /// Does something that cannot be called back, and holds the targets meanwhile: it is looked as often whether not much is left. It is done to
    /// its end also where they are lost.
    pub async fn hold_while<T>(
        &mut self,
        work: impl Future<Output = T>,
        every: Duration,
    ) -> (T, Result<(), LeftError>) {
        tokio::pin!(work);
        let mut held = Ok(());
        loop {
            tokio::select! {
                done = &mut work => return (done, held),
                () = tokio::time::sleep(every), if !matches!(held, Err(LeftError::Busy(_))) => {}
            }
            // A store that fails for a moment may take it at the next look.
            held = self.hold().await;
        }
    }

    /// Gives them back. One that cannot be is over by itself within minutes.
    pub async fn give_back(&self) {
        for lease in &self.proofs {
            if let Err(error) = self.store.release_lease(lease).await {
                tracing::warn!(
                    target.name = lease.target(),
                    error = &error as &dyn std::error::Error,
                    "a target could not be given back: it is free again within five minutes"
                );
            }
        }
    }
}

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

impl Removal<'_, '_> {
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
        let Some((first, others)) = self.leases.proofs.split_first() else { return Ok(()) };
        self.store.append_noting(records, Some(first), notes(first)).await?;
        for other in others.iter().filter(|_| !made.is_empty() || !unmade.is_empty()) {
            self.store.append_noting(Vec::new(), Some(other), notes(other)).await?;
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

    /// Holds the targets for longer, as [`Leases::hold`] does.
    pub async fn hold(&mut self) -> Result<(), LeftError> {
        self.leases.hold().await
    }

    /// Does something while the targets are held, as [`Leases::hold_while`] does.
    pub async fn hold_while<T>(
        &mut self,
        work: impl Future<Output = T>,
        every: Duration,
    ) -> (T, Result<(), LeftError>) {
        self.leases.hold_while(work, every).await
    }

    /// Writes down that these steps are about to be sent.
    pub async fn intend(&mut self, steps: &[usize]) -> Result<(), LeftError> {
        self.hold().await?;
        let now = self.clock.now();
        let (recorder, generation) =
            (self.recorder(), self.leases.proofs.first().map_or(0, LeaseProof::generation));
        let placed = steps.iter().filter_map(|n| self.left.placed(self.act, *n));
        let intents = placed.map(|placed| recorder.intent(&placed, generation, now));
        self.append(intents.collect::<Result<_, _>>()?, Vec::new(), Vec::new()).await
    }

    /// Writes down what came of them, and forgets as made what is done: what others make anew is not Axon's.
    pub async fn outcome(&mut self, steps: &[usize], outcomes: &[Outcome]) -> Result<(), LeftError> {
        let held = self.hold().await;
        let (recorder, now) = (self.recorder(), self.clock.now());
        let (mut records, mut unmade) = (Vec::new(), Vec::new());
        for (n, outcome) in steps.iter().zip(outcomes) {
            let Some(placed) = self.left.placed(self.act, *n) else { continue };
            records.push(recorder.outcome(&placed, outcome, now)?);
            if matches!(outcome, Outcome::Done { .. }) {
                unmade.extend(&placed.unmakes);
            }
        }
        match held {
            Ok(()) => self.append(records, Vec::new(), unmade).await,
            // What was sent is told in any case; whose what is there is, the next delete sees for itself.
            Err(lost) => {
                self.store.append(records, None).await?;
                Err(lost)
            }
        }
    }

    /// Another look showed not all: what was said to be done may be there still, and is made by Axon as before.
    pub async fn unproven(&mut self, steps: &[usize]) -> Result<(), LeftError> {
        self.hold().await?;
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
            self.hold().await?;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axon_audit::RecordKind;
    use axon_audit::payload::{PlanMade, StepOutcome, StepResult};
    use axon_model::{Actor, IdSource, ManualClock, RecordSeq, SqlName};
    use axon_store::{JournalStore as _, StateStore as _};
    use axon_store_sqlite::{Address, Options, SqliteStore};
    use time::OffsetDateTime;

    use super::*;

    const TARGET: &str = "warehouse";

    struct Bench {
        _folder: tempfile::TempDir,
        store: SqliteStore,
        clock: ManualClock,
        act: Act,
        map: MapVersion,
    }

    impl Bench {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("axon.db");
            let store = SqliteStore::open(Options::new(Address::of_file(&file))).await.unwrap();
            let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
            let act = Act { actor: Actor::Axon, request: None, now, ids: Arc::new(IdSource::counting()) };
            let map = axon_mapping::RoleMap::parse(&[("m", "axon: 1\nroles: { reader: {} }\n")]).unwrap();
            let map = map.version().clone();
            Self { _folder: folder, store, clock: ManualClock::at(now), act, map }
        }

        async fn take(&self, targets: &[&str]) -> Result<Leases<'_>, LeftError> {
            let targets: Vec<String> = targets.iter().map(|name| (*name).to_owned()).collect();
            Leases::take(&self.store, &self.clock, &self.act, &targets).await
        }

        async fn begin<'a, 's>(
            &'a self,
            left: &'a Left,
            leases: &'a mut Leases<'s>,
        ) -> Option<Removal<'a, 's>> {
            left.begin(leases, &self.act, &self.map).await.unwrap()
        }

        /// Whether somebody else gets the lease now.
        async fn is_free(&self) -> bool {
            let taken = self.store.try_lease(TARGET, "other", LEASE, self.clock.now()).await.unwrap();
            taken.is_some()
        }
    }

    fn left() -> Left {
        let name = |text| SqlName::parse(text).unwrap();
        let steps = vec![
            Step::DropMember { role: name("axon_reader"), member: name("kim") },
            Step::DropRole { name: name("axon_reader") },
            Step::DropPrincipal { name: name("kim"), sid: None },
            Step::DropPrincipal { name: name("lee"), sid: None },
        ];
        let unmakes = vec![Vec::new(); steps.len()];
        Left { targets: vec![TARGET.to_owned()], steps, unmakes, ..Left::default() }
    }

    #[test]
    fn people_go_after_roles_and_roles_after_memberships() {
        assert_eq!(left().waves(), [0..1, 1..2, 2..4]);
        assert!(Left::default().waves().is_empty());
    }

    #[tokio::test]
    async fn the_target_is_held_for_as_long_as_a_statement_takes() {
        let (bench, left) = (Bench::new().await, left());
        let mut leases = bench.take(&[TARGET]).await.unwrap();
        let mut removal = bench.begin(&left, &mut leases).await.unwrap();
        let statement = async {
            for _ in 0..4 {
                bench.clock.advance(time::Duration::minutes(3));
                for turn in 0.. {
                    assert!(turn < 2_000, "it is not held for longer");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    let held = bench.store.lease(TARGET).await.unwrap().unwrap();
                    if held.until - bench.clock.now() == LEASE {
                        break;
                    }
                }
            }
            "done"
        };
        let (done, held) = removal.hold_while(statement, Duration::from_millis(1)).await;
        assert_eq!(done, "done");
        held.unwrap();
        assert!(!bench.is_free().await);
        leases.give_back().await;
        assert!(bench.is_free().await);
    }

    #[tokio::test]
    async fn all_targets_are_held_or_none() {
        let bench = Bench::new().await;
        let others = bench.take(&["other"]).await.unwrap();
        let refused = bench.take(&[TARGET, "other"]).await;
        assert!(matches!(refused.err(), Some(LeftError::Busy(target)) if target == "other"));
        assert!(bench.is_free().await, "nobody waits for what was not begun");
        others.give_back().await;
    }

    #[tokio::test]
    async fn where_the_target_was_lost_nothing_more_is_sent_and_what_was_done_is_told() {
        let (bench, left) = (Bench::new().await, left());
        let mut leases = bench.take(&[TARGET]).await.unwrap();
        let mut removal = bench.begin(&left, &mut leases).await.unwrap();
        removal.intend(&[0]).await.unwrap();
        bench.clock.advance(LEASE);
        assert!(bench.is_free().await, "its time is over");
        // Somebody else has it since.
        assert!(matches!(removal.hold().await, Err(LeftError::Busy(_))));
        assert!(matches!(removal.intend(&[1]).await, Err(LeftError::Busy(_))));
        let done = Outcome::Done { statements: Vec::new(), micros: 1 };
        assert!(matches!(removal.outcome(&[0], &[done]).await, Err(LeftError::Busy(_))));
        let told = bench.store.records_of(RecordKind::StepOutcome, RecordSeq(1), 10).await.unwrap();
        let results: Vec<StepResult> =
            told.iter().map(|entry| entry.record.facts_of::<StepOutcome>().unwrap().result).collect();
        assert_eq!(results, [StepResult::Done]);
    }

    #[tokio::test]
    async fn what_stays_is_on_record_also_where_nothing_is_to_be_done() {
        let bench = Bench::new().await;
        let mut leases = bench.take(&[]).await.unwrap();
        assert!(bench.begin(&Left::default(), &mut leases).await.is_none());
        let plans = async || bench.store.records_of(RecordKind::PlanMade, RecordSeq(1), 10).await.unwrap();
        assert!(plans().await.is_empty());
        let left = Left::untold("h:1433/dw".to_owned(), vec!["role sales: a reason".to_owned()]);
        assert!(bench.begin(&left, &mut leases).await.is_none());
        let plans = plans().await;
        let facts: Vec<PlanMade> =
            plans.iter().map(|entry| entry.record.facts_of::<PlanMade>().unwrap()).collect();
        assert!(facts.len() == 1 && facts[0].target == "h:1433/dw" && facts[0].findings == 1, "{facts:?}");
        let body = &plans[0].clear.as_ref().unwrap().body;
        assert_eq!(body["findings"][0], "role sales: a reason");
    }
}
