//! What the role map made in a place that is a target no more: what goes when the place is taken down, what stays and why, and the
//! records of it.
//!
//! It is what the reconciler would take away if no role of the map asked for it any more. Roles and users go only if the journal says that
//! Axon made them: one that was there before, and that the map spoke of, is somebody else's. Nothing goes that keeps somebody out.

use std::collections::BTreeSet;

use axon_audit::payload::{StepOutcome, StepResult};
use axon_audit::{NewRecord, PayloadError, RecordKind};
use axon_model::{MapVersion, PlanId, RecordSeq, RunId, SqlName};
use axon_reconcile::{
    Classifier, ClassifierStep, Connect, GrantKey, GrantState, Graph, LeaseProof, Membership, Outcome,
    Securable, Step, denies_by_definition,
};
use axon_store::{Act, Notes, Store, StoreError};

use crate::made::{Made, Rows, unmakes};
use crate::record::{Decision, Placed, Recorder};

/// How many records are read at once.
const PAGE: u32 = 2_000;
/// For how long the target is held at a time.
const LEASE: time::Duration = time::Duration::minutes(1);

/// Names tell all of a pool.
fn names_tell_all(_: Membership) -> Option<String> {
    None
}

/// What the role map made in a place, and is there still.
#[derive(Debug, Default)]
pub struct Left {
    /// The targets that the place was, newest first.
    targets: Vec<String>,
    /// What takes it away, in order.
    pub steps: Vec<Step>,
    /// What stays, and why; for people.
    pub stays: Vec<String>,
    /// Marks of what goes by each step.
    unmakes: Vec<Vec<i64>>,
}

/// Why it could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    /// The store did not answer.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A record cannot be made.
    #[error("a record of the journal cannot be made")]
    Record(#[from] PayloadError),
    /// The reconciler's own run is not over.
    #[error("a run on target {0} is not over: try again in a minute")]
    Busy(String),
}

/// The records of a work that has begun.
pub struct Begun {
    run: RunId,
    plan: PlanId,
    lease: Option<LeaseProof>,
}

impl Begun {
    fn recorder<'a>(&self, act: &'a Act, target: &'a str) -> Recorder<'a> {
        Recorder { ids: &act.ids, actor: act.actor.clone(), target, run: self.run, plan: self.plan }
    }
}

impl Left {
    /// What is left in a place that was these targets, newest first, and looks like this. Nobody in `spared` is touched: they are those who
    /// take the place down, and what goes with them.
    pub async fn of(
        store: &dyn Store,
        targets: Vec<String>,
        graph: &Graph,
        classifiers: &[Classifier],
        spared: &BTreeSet<SqlName>,
    ) -> Result<Self, StoreError> {
        let mut made = Vec::with_capacity(targets.len());
        for target in &targets {
            let mut of = Made::default();
            of.load(store, target).await?;
            made.push(of);
        }
        let mut found = Finding { graph, classifiers, spared, made, created: BTreeSet::new() };
        if found.asks_the_journal() {
            found.created = created(store, &targets).await?;
        }
        let (steps, stays) = found.all();
        let rows: &Rows<'_> = &names_tell_all;
        let unmakes = steps.iter().map(|step| unmakes(step, graph, rows)).collect();
        Ok(Self { targets, steps, stays, unmakes })
    }

    /// Writes down what is about to be done, before it is. None where there is nothing to do.
    pub async fn begin(
        &self,
        store: &dyn Store,
        act: &Act,
        map: &MapVersion,
    ) -> Result<Option<Begun>, LeftError> {
        let (Some(target), false) = (self.targets.first(), self.steps.is_empty()) else { return Ok(None) };
        let holder = format!("delete-{}", act.ids.uuid(act.now));
        let Some(lease) = store.try_lease(target, &holder, LEASE, act.now).await? else {
            return Err(LeftError::Busy(target.clone()));
        };
        let (run, plan) = (RunId::from_uuid(act.ids.uuid(act.now)), PlanId::from_uuid(act.ids.uuid(act.now)));
        let begun = Begun { run, plan, lease: Some(lease) };
        let recorder = begun.recorder(act, target);
        let steps: Vec<&Step> = self.steps.iter().collect();
        let decision = Decision {
            directory: store.head().await?.seq,
            map,
            steps: &steps,
            withheld: &[],
            findings: self.stays.clone(),
        };
        let mut records = recorder.decision(decision, act.now)?;
        let generation = begun.lease.as_ref().map_or(0, LeaseProof::generation);
        for placed in self.placed(act) {
            records.push(recorder.intent(&placed, generation, act.now)?);
        }
        store.append(records, begun.lease.as_ref()).await?;
        Ok(Some(begun))
    }

    /// Writes down what came of it, one outcome for each step; what is gone is forgotten as made.
    pub async fn end(
        &self,
        store: &dyn Store,
        act: &Act,
        begun: Begun,
        outcomes: &[Outcome],
    ) -> Result<(), LeftError> {
        let Some(target) = self.targets.first() else { return Ok(()) };
        let recorder = begun.recorder(act, target);
        let mut records: Vec<NewRecord> = Vec::with_capacity(self.steps.len());
        let mut unmade = Vec::new();
        for (n, placed) in self.placed(act).enumerate() {
            let outcome = outcomes.get(n).unwrap_or(&Outcome::NotTried);
            records.push(recorder.outcome(&placed, outcome, act.now)?);
            if matches!(outcome, Outcome::Done { .. }) {
                unmade.extend(&self.unmakes[n]);
            }
        }
        let notes =
            |target: &String| Notes { target: target.clone(), unmade: unmade.clone(), ..Notes::default() };
        store.append_noting(records, None, notes(target)).await?;
        for other in &self.targets[1..] {
            store.append_noting(Vec::new(), None, notes(other)).await?;
        }
        if let Some(lease) = &begun.lease {
            store.release_lease(lease).await?;
        }
        Ok(())
    }

    fn placed<'a>(&'a self, act: &'a Act) -> impl Iterator<Item = Placed<'a>> {
        self.steps.iter().zip(&self.unmakes).enumerate().map(|(n, (step, unmakes))| Placed {
            step,
            index: n as u64,
            causes: Vec::new(),
            request: act.request.clone(),
            counts: None,
            unmakes: unmakes.clone(),
        })
    }
}

/// The steps by which Axon made roles and users in these targets, as records tell them.
async fn created(store: &dyn Store, targets: &[String]) -> Result<BTreeSet<String>, StoreError> {
    const MAKING: [&str; 2] = ["create-role", "create-user"];
    let mut created = BTreeSet::new();
    let mut from = RecordSeq(1);
    loop {
        let page = store.records_of(RecordKind::StepOutcome, from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(created) };
        from = RecordSeq(last.record.seq.0 + 1);
        for entry in &page {
            let Ok(outcome) = entry.record.facts_of::<StepOutcome>() else { continue };
            let is_one = outcome.result == StepResult::Done
                && MAKING.contains(&outcome.step.action.as_str())
                && targets.contains(&outcome.step.target);
            let text = entry.clear.as_ref().and_then(|clear| clear.body["text"].as_str());
            if let Some(text) = text.filter(|_| is_one) {
                created.insert(text.to_owned());
            }
        }
    }
}

/// What is there, and whose it is.
struct Finding<'a> {
    graph: &'a Graph,
    classifiers: &'a [Classifier],
    spared: &'a BTreeSet<SqlName>,
    made: Vec<Made>,
    created: BTreeSet<String>,
}

impl Finding<'_> {
    /// Whether the step takes away what Axon made, or what was there as the map asked for it.
    fn is_ours(&mut self, step: &Step) -> bool {
        self.made.iter_mut().any(|made| !made.is_foreign(step, &names_tell_all))
    }

    fn has_principal(&self, name: SqlName) -> bool {
        self.made.iter().any(|made| made.has_principal(name))
    }

    /// Whether a role or a user is there of which it matters who made it.
    fn asks_the_journal(&mut self) -> bool {
        let graph = self.graph;
        graph.principals.keys().any(|name| self.has_principal(*name))
            || graph.roles.keys().any(|name| self.is_ours(&Step::DropRole { name: *name }))
    }

    /// Whether a record says that Axon made this user.
    fn created_user(&self, name: SqlName) -> bool {
        let Some(there) = self.graph.principals.get(&name) else { return false };
        let told = |sid| Step::CreatePrincipal { name, kind: there.kind, sid }.to_string();
        self.created.contains(&told(None))
            || there.sid.clone().is_some_and(|sid| self.created.contains(&told(Some(sid))))
    }

    fn created_role(&self, name: SqlName) -> bool {
        self.created.contains(&Step::CreateRole { name }.to_string())
    }

    /// Names that a DENY keeps out of something, themselves or by a role that they are in.
    fn denied(&self) -> BTreeSet<SqlName> {
        let rows = self.graph.grants.iter().filter(|(_, grant)| grant.state == GrantState::Deny);
        let mut denied: BTreeSet<SqlName> = rows.map(|(key, _)| key.grantee).collect();
        denied.extend(self.graph.roles.keys().copied().filter(|role| denies_by_definition(*role)));
        loop {
            let more =
                self.graph.members.iter().filter(|m| denied.contains(&m.role) && !denied.contains(&m.member));
            let more: Vec<SqlName> = more.map(|m| m.member).collect();
            if more.is_empty() {
                return denied;
            }
            denied.extend(more);
        }
    }

    fn all(mut self) -> (Vec<Step>, Vec<String>) {
        let graph = self.graph;
        let denied = self.denied();
        let mut stays = Vec::new();
        let (mut out, mut members) = (BTreeSet::new(), Vec::new());
        for membership in &graph.members {
            let Membership { role, member } = *membership;
            let step = Step::DropMember { role, member };
            if self.spared.contains(&role) || self.spared.contains(&member) || !self.is_ours(&step) {
                continue;
            }
            if denied.contains(&role) {
                stays.push(format!("{member} in role {role}, which takes something from its members"));
                continue;
            }
            out.insert(*membership);
            members.push(step);
        }
        let mut roles = BTreeSet::new();
        for (name, role) in &graph.roles {
            let name = *name;
            let is_own = !role.fixed
                && !self.spared.contains(&name)
                && self.created_role(name)
                && self.is_ours(&Step::DropRole { name });
            if !is_own {
                continue;
            }
            let others: Vec<String> = graph
                .members_of(name)
                .filter(|member| !out.contains(&Membership { role: name, member: *member }))
                .map(|member| member.to_string())
                .collect();
            if denied.contains(&name) {
                stays.push(format!("role {name}: a DENY of it keeps people out of something"));
            } else if others.is_empty() {
                roles.insert(name);
            } else {
                stays.push(format!("role {name}: {} in it by others", listed(&others)));
            }
        }
        let (mut revoked, mut grants) = (BTreeSet::new(), Vec::new());
        for (key, grant) in &graph.grants {
            let step = revoke(key, grant.state);
            // Another grantor's row is another's.
            let is_others = grant.leaves_out || !grant.own_row;
            if is_others || self.spared.contains(&key.grantee) || !self.is_ours(&step) {
                continue;
            }
            if grant.state == GrantState::Deny {
                let what = format!("deny {} on {} to {}", key.permission, key.securable, key.grantee);
                stays.push(format!("{what}: to lift it could let somebody in"));
                continue;
            }
            revoked.insert(*key);
            // With a role goes what it holds.
            if !roles.contains(&key.grantee) {
                grants.push(step);
            }
        }
        let mut users = Vec::new();
        for (name, principal) in &graph.principals {
            let name = *name;
            if self.spared.contains(&name) || !self.has_principal(name) || !self.created_user(name) {
                continue;
            }
            let by_others =
                graph.roles_of(name).any(|role| !out.contains(&Membership { role, member: name }))
                    || graph.grants_of(name).any(|(key, _)| !revoked.contains(key));
            if principal.connect == Connect::Denied || denied.contains(&name) {
                stays.push(format!(
                    "user {name}: it is denied something, and could come in by a group without it"
                ));
            } else if by_others {
                stays.push(format!("user {name}: others gave it roles or permissions"));
            } else {
                users.push(Step::drop_of(name, graph));
            }
        }
        let is_of = |classifier: &&Classifier| {
            // Such a name is Axon's own.
            let group = classifier.name.folded().strip_prefix(classifier.member.folded());
            roles.contains(&classifier.member) && group.is_some_and(|rest| rest.starts_with(':'))
        };
        let mut steps: Vec<Step> = self.classifiers.iter().filter(is_of).map(dropped).collect();
        steps.extend(members);
        steps.extend(grants);
        steps.extend(roles.into_iter().map(|name| Step::DropRole { name }));
        steps.extend(users);
        (steps, stays)
    }
}

fn dropped(classifier: &Classifier) -> Step {
    Step::Classify(ClassifierStep::Drop { name: classifier.name, member: classifier.member })
}

fn revoke(key: &GrantKey, was: GrantState) -> Step {
    let (on, columns) = match key.securable {
        Securable::Column(object, column) => (Securable::Object(object), vec![column]),
        on => (on, Vec::new()),
    };
    Step::Revoke { grantee: key.grantee, permission: key.permission, on, columns, was }
}

/// A few names of many.
fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    let shown = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(MOST);
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Grant, ObjectName, Permission, Principal, PrincipalKind, Role, Sid};

    use super::*;
    use crate::made::marks;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn sid(n: u8) -> Sid {
        Sid::from_bytes(&[n; 16])
    }

    fn create(user: &str, n: u8) -> Step {
        Step::CreatePrincipal { name: name(user), kind: PrincipalKind::External, sid: Some(sid(n)) }
    }

    fn add(role: &str, member: &str) -> Step {
        Step::AddMember { role: name(role), member: name(member) }
    }

    fn select(grantee: &str, deny: bool) -> Step {
        let on = Securable::Object(ObjectName { schema: name("sales"), name: name("orders") });
        let (grantee, permission, columns) = (name(grantee), Permission::Select, Vec::new());
        if deny {
            Step::Deny { grantee, permission, on, columns }
        } else {
            Step::Grant { grantee, permission, on, columns }
        }
    }

    /// What Axon made, and the pool after it.
    #[derive(Default)]
    struct Pool {
        graph: Graph,
        made: Made,
        created: BTreeSet<String>,
        classifiers: Vec<Classifier>,
    }

    impl Pool {
        /// The row is there, whoever made it.
        fn with(mut self, step: &Step) -> Self {
            let graph = &mut self.graph;
            match step.clone() {
                Step::CreatePrincipal { name, kind, sid } => {
                    let there = Principal { kind, sid, connect: Connect::Granted, created: None };
                    graph.principals.insert(name, there);
                }
                Step::CreateRole { name } => drop(graph.roles.insert(name, Role::default())),
                Step::AddMember { role, member } => drop(graph.members.insert(Membership { role, member })),
                Step::Grant { grantee, permission, on, .. } => {
                    let key = GrantKey { grantee, securable: on, permission };
                    graph.grants.insert(key, Grant::wanted(GrantState::Grant));
                }
                Step::Deny { grantee, permission, on, .. } => {
                    let key = GrantKey { grantee, securable: on, permission };
                    graph.grants.insert(key, Grant::wanted(GrantState::Deny));
                }
                other => panic!("{other}"),
            }
            self
        }

        /// Axon made it.
        fn by_axon(mut self, step: &Step) -> Self {
            self.made.kept(marks(step, &names_tell_all));
            self.created.insert(step.to_string());
            self.with(step)
        }

        /// It was there as the map asked for it.
        fn adopted(mut self, step: &Step) -> Self {
            self.made.kept(marks(step, &names_tell_all));
            self.with(step)
        }

        fn left(self) -> (Vec<String>, Vec<String>) {
            let spared = BTreeSet::from([name("axon_system")]);
            let finding = Finding {
                graph: &self.graph,
                classifiers: &self.classifiers,
                spared: &spared,
                made: vec![Made::default(), self.made],
                created: self.created,
            };
            let (steps, stays) = finding.all();
            (steps.iter().map(ToString::to_string).collect(), stays)
        }
    }

    fn role(of: &str) -> Step {
        Step::CreateRole { name: name(of) }
    }

    #[test]
    fn what_axon_made_goes_members_first_and_what_was_there_before_stays() {
        let classifier = |named: &str, member: &str| Classifier {
            name: name(named),
            member: name(member),
            does: None,
            unread: false,
        };
        let mut pool = Pool::default()
            .by_axon(&role("axon_reader"))
            .adopted(&role("sales"))
            .by_axon(&create("kim", 1))
            .adopted(&create("ana", 2))
            .by_axon(&add("axon_reader", "kim"))
            .by_axon(&add("sales", "kim"))
            .adopted(&add("sales", "ana"))
            .with(&role("theirs"))
            .with(&create("bob", 3))
            .with(&add("sales", "bob"))
            .with(&add("theirs", "bob"))
            .by_axon(&select("axon_reader", false))
            .by_axon(&select("ana", false))
            .with(&select("bob", false))
            .by_axon(&create("axon_system", 9));
        pool.classifiers =
            vec![classifier("axon_reader:large", "axon_reader"), classifier("nightly", "axon_reader")];
        let (steps, stays) = pool.left();
        assert_eq!(
            steps,
            [
                "drop classifier axon_reader:large of axon_reader",
                "remove kim from role axon_reader",
                "remove ana from role sales",
                "remove kim from role sales",
                "revoke SELECT on sales.orders from ana (was GRANT)",
                "drop role axon_reader",
                "drop user kim",
            ]
        );
        assert_eq!(stays, [""; 0]);
    }

    #[test]
    fn nothing_goes_that_keeps_somebody_out() {
        let mut pool = Pool::default()
            .by_axon(&role("axon_shut"))
            .by_axon(&role("axon_inner"))
            .by_axon(&create("kim", 1))
            .by_axon(&create("left", 2))
            .by_axon(&create("max", 3))
            .by_axon(&add("axon_inner", "kim"))
            .by_axon(&add("axon_shut", "axon_inner"))
            .by_axon(&select("axon_shut", true))
            .by_axon(&select("max", true));
        pool.graph.principals.get_mut(&name("left")).unwrap().connect = Connect::Denied;
        let (steps, stays) = pool.left();
        assert_eq!(steps, [""; 0]);
        let of_user = "it is denied something, and could come in by a group without it";
        assert_eq!(
            stays,
            [
                "kim in role axon_inner, which takes something from its members".to_owned(),
                "axon_inner in role axon_shut, which takes something from its members".to_owned(),
                "role axon_inner: a DENY of it keeps people out of something".to_owned(),
                "role axon_shut: a DENY of it keeps people out of something".to_owned(),
                "deny SELECT on sales.orders to axon_shut: to lift it could let somebody in".to_owned(),
                "deny SELECT on sales.orders to max: to lift it could let somebody in".to_owned(),
                format!("user kim: {of_user}"),
                format!("user left: {of_user}"),
                format!("user max: {of_user}"),
            ]
        );
        let fixed = Pool::default()
            .with(&role("DB_DenyDataReader"))
            .by_axon(&create("kim", 1))
            .by_axon(&add("DB_DenyDataReader", "kim"));
        let (steps, stays) = fixed.left();
        assert_eq!((steps.len(), stays.len()), (0, 2), "{stays:?}");
    }

    #[test]
    fn what_others_did_with_axon_s_roles_and_people_keeps_them() {
        let (steps, stays) = Pool::default()
            .by_axon(&role("axon_reader"))
            .by_axon(&create("kim", 1))
            .by_axon(&create("ana", 2))
            .by_axon(&add("axon_reader", "kim"))
            .with(&create("bob", 3))
            .with(&add("axon_reader", "bob"))
            .with(&select("ana", false))
            .left();
        assert_eq!(steps, ["remove kim from role axon_reader", "drop user kim"]);
        assert_eq!(
            stays,
            ["role axon_reader: bob in it by others", "user ana: others gave it roles or permissions"]
        );
        // Another object has the name since.
        let mut other = Pool::default().by_axon(&create("kim", 1));
        other.graph.principals.get_mut(&name("kim")).unwrap().sid = Some(sid(7));
        assert_eq!(other.left().0, [""; 0]);
        // Another grantor's row, and one that leaves out columns.
        let mut rows = Pool::default().by_axon(&select("kim", false));
        rows.graph.grants.values_mut().for_each(|grant| grant.own_row = false);
        assert_eq!(rows.left().0, [""; 0]);
    }
}
