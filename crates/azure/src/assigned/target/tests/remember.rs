//! What outlives a process: what settles, who is who, whose leftovers are Axon's own.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axon_model::Clock as _;
use axon_reconcile::{Graph, Outcome, Wave};
use serde_json::json;

use super::*;
use crate::assigned::Memo;
use crate::assigned::memo::{IDENTITIES, SETTLING};

/// A store's summaries.
#[derive(Default)]
struct Notebook {
    values: Mutex<BTreeMap<String, Value>>,
    saves: Mutex<usize>,
    /// What another process does right before somebody reads of what settles, once; and before somebody writes it.
    before_load: Mutex<Option<Meanwhile>>,
    before_save: Mutex<Option<Meanwhile>>,
}

type Meanwhile = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn happens(meanwhile: &Mutex<Option<Meanwhile>>, what: &str) {
    let taken = if what == SETTLING { meanwhile.lock().unwrap().take() } else { None };
    if let Some(meanwhile) = taken {
        meanwhile.await;
    }
}

/// Another process gives what it planned.
async fn gives(target: &Arc<AssignedTarget>, wanted: &Graph) -> Meanwhile {
    let (plan, _) = planned(target, wanted, &[]).await;
    let wave = Wave::for_test(steps(&plan).into_iter().filter(Step::gives).collect());
    let target = target.clone();
    Box::pin(async move {
        let outcomes = target.apply(&wave).await;
        assert!(matches!(outcomes[..], [Outcome::Done { .. }]), "{outcomes:?}");
    })
}

impl Notebook {
    fn settling(&self) -> usize {
        let values = self.values.lock().unwrap();
        values.get(SETTLING).map_or(0, |value| value["settling"].as_array().unwrap().len())
    }

    fn saves(&self) -> usize {
        *self.saves.lock().unwrap()
    }
}

#[async_trait::async_trait]
impl Memo for Notebook {
    async fn load(&self, what: &str) -> Result<Option<Value>, String> {
        happens(&self.before_load, what).await;
        Ok(self.values.lock().unwrap().get(what).cloned())
    }

    async fn save(&self, what: &str, value: Value) -> Result<(), String> {
        happens(&self.before_save, what).await;
        *self.saves.lock().unwrap() += 1;
        self.values.lock().unwrap().insert(what.to_owned(), value);
        Ok(())
    }
}

fn process(fake: &Fake, clock: &Arc<ManualClock>, notebook: &Arc<Notebook>) -> AssignedTarget {
    of_workspace(fake, clock).with_memo(notebook.clone())
}

fn wanted() -> Graph {
    desired(&[("SG-0", Some(&id('b', 0)))], &[("Synapse User", "SG-0")])
}

async fn give(target: &AssignedTarget) -> Vec<String> {
    let (plan, _) = planned(target, &wanted(), &[]).await;
    applied(target, steps(&plan).into_iter().filter(Step::gives).collect()).await
}

fn checks(fake: &Fake) -> usize {
    fake.lines().iter().filter(|line| line.contains("/checkAccess")).count()
}

#[tokio::test]
async fn after_a_restart_what_settled_settles_on_and_is_proved_once() {
    let (fake, clock, notebook) = (fake(30, 0).await, clock(NOW), Arc::new(Notebook::default()));
    give(&process(&fake, &clock, &notebook)).await;
    clock.advance(time::Duration::minutes(4));
    let next = process(&fake, &clock, &notebook);
    fake.server.forget();
    planned(&next, &wanted(), &[]).await;
    next.settle().await;
    let told = ["add SG-0 to role Synapse User is configured and has no effect yet, for 4 min"];
    assert_eq!(
        (next.settling(), checks(&fake)),
        (told.map(str::to_owned).to_vec(), 1),
        "not one for each row"
    );
    fake.state().effective = true;
    clock.advance(time::Duration::minutes(4));
    next.settle().await;
    assert_eq!((next.settling().len(), notebook.settling()), (0, 0));
    let third = process(&fake, &clock, &notebook);
    fake.server.forget();
    planned(&third, &wanted(), &[]).await;
    third.settle().await;
    assert_eq!((checks(&fake), third.look_again()), (0, None), "it was proved");
}

#[tokio::test]
async fn what_another_process_gave_after_the_list_was_read_settles_on_in_both() {
    let (fake, clock, notebook) = (fake(2, 0).await, clock(NOW), Arc::new(Notebook::default()));
    let first = Arc::new(process(&fake, &clock, &notebook));
    let second = process(&fake, &clock, &notebook);
    let meanwhile = gives(&first, &wanted()).await;
    *notebook.before_load.lock().unwrap() = Some(meanwhile);
    second.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(fake.state().rows.len(), 3, "it was given");
    second.settle().await;
    first.inspect(InspectScope::Full).await.unwrap();
    second.inspect(InspectScope::Full).await.unwrap();
    assert_eq!((first.settling().len(), second.settling().len(), notebook.settling()), (1, 1, 1));
    // The one proves it, and the other does not ask for it.
    fake.state().effective = true;
    clock.advance(time::Duration::minutes(1));
    second.settle().await;
    assert_eq!((second.settling().len(), checks(&fake), notebook.settling()), (0, 1, 0));
    first.inspect(InspectScope::Full).await.unwrap();
    first.settle().await;
    assert_eq!((first.settling().len(), checks(&fake), notebook.settling()), (0, 1, 0));
}

#[tokio::test]
async fn what_another_process_wrote_between_a_read_and_a_write_is_written_again() {
    let (fake, clock, notebook) = (fake(0, 0).await, clock(NOW), Arc::new(Notebook::default()));
    fake.state().groups.push((id('b', 1), "SG-1".into()));
    let first = Arc::new(process(&fake, &clock, &notebook));
    let second = process(&fake, &clock, &notebook);
    let other = desired(&[("SG-1", Some(&id('b', 1)))], &[("Synapse User", "SG-1")]);
    let meanwhile = gives(&first, &other).await;
    *notebook.before_save.lock().unwrap() = Some(meanwhile);
    give(&second).await;
    assert_eq!((fake.state().rows.len(), notebook.settling()), (2, 1), "the last one to write wins");
    first.inspect(InspectScope::Full).await.unwrap();
    first.settle().await;
    assert_eq!(notebook.settling(), 2);
    second.inspect(InspectScope::Full).await.unwrap();
    assert_eq!((first.settling().len(), second.settling().len()), (2, 2));
}

#[tokio::test]
async fn a_lost_answer_and_a_row_that_exists_already_are_asked_about() {
    // The answer is lost, and the row is there.
    let (fake, clock, notebook) = (fake(1, 0).await, clock(NOW), Arc::new(Notebook::default()));
    let target = process(&fake, &clock, &notebook);
    fake.state().faults.push(("PUT ", Reply::ok("{").promising(500)));
    let (plan, _) = planned(&target, &wanted(), &[]).await;
    let outcomes =
        target.apply(&Wave::for_test(steps(&plan).into_iter().filter(Step::gives).collect())).await;
    assert!(matches!(outcomes[..], [Outcome::Unknown { .. }]), "{outcomes:?}");
    assert_eq!(target.settling(), Vec::<String>::new(), "nobody saw it yet");
    fake.state().faults.clear();
    let own = json!({"id": id('e', 9), "roleDefinitionId": USER, "principalId": id('b', 0),
        "scope": "workspaces/acme", "principalType": "Group"});
    fake.state().rows.push(own);
    target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(target.settling().len(), 1);
    // The process ends between the request and the answer.
    let next = process(&fake, &clock, &notebook);
    planned(&next, &wanted(), &[]).await;
    assert_eq!(next.settling().len(), 1);

    // The workspace says that it exists already, which its list did not show.
    let notebook = Arc::new(Notebook::default());
    let target = process(&fake, &clock, &notebook);
    let row = fake.state().rows.pop().unwrap();
    let (plan, _) = planned(&target, &wanted(), &[]).await;
    fake.state().rows.push(row);
    let told = applied(&target, steps(&plan).into_iter().filter(Step::gives).collect()).await;
    assert!(told[0].contains("AlreadyThere") && told[0].ends_with("; there"), "{told:?}");
    assert_eq!((target.settling().len(), notebook.settling()), (1, 1));
}

#[tokio::test]
async fn what_was_refused_or_never_sent_settles_nowhere() {
    let (fake, clock, notebook) = (fake(1, 0).await, clock(NOW), Arc::new(Notebook::default()));
    let target = process(&fake, &clock, &notebook);
    let wanted = desired(
        &[("SG-0", Some(&id('b', 0))), ("SG-1", Some(&id('b', 1)))],
        &[("Synapse User", "SG-0"), ("Synapse Administrator", "SG-1"), ("Synapse Administrator", "SG-0")],
    );
    fake.state().roles.push(("6e4bf58a-b8e1-4cc3-bbf9-d73143322b78".into(), "Synapse Administrator".into()));
    let (plan, _) = planned(&target, &wanted, &[]).await;
    let refused = r#"{"error":{"code":"Forbidden","message":"no"}}"#;
    fake.state().faults.push(("PUT ", Reply::status(403, refused)));
    let told = applied(&target, steps(&plan).into_iter().filter(Step::gives).collect()).await;
    assert!(told[0].contains("Forbidden") && told[1].contains("not tried"), "{told:?}");
    target.settle().await;
    assert_eq!((target.look_again(), notebook.settling()), (None, 0));
}

#[tokio::test]
async fn a_look_alone_writes_nothing_and_who_is_who_is_written_down_with_its_age() {
    let (fake, clock, notebook) = (fake(1, 0).await, clock(NOW), Arc::new(Notebook::default()));
    let target = process(&fake, &clock, &notebook);
    planned(&target, &wanted(), &[]).await;
    assert_eq!(notebook.saves(), 0, "a preview changes nothing");
    target.settle().await;
    target.settle().await;
    assert_eq!(notebook.saves(), 1, "and nothing is written twice");
    let kept = notebook.values.lock().unwrap()[IDENTITIES].clone();
    let identities = crate::Identities::read(kept).unwrap();
    clock.advance(time::Duration::minutes(3));
    let told = identities.named("sg-0").unwrap().told(clock.now());
    assert_eq!(told, format!("SG-0 is group {}, as Microsoft Graph said 3 min ago", id('b', 0)));
}

/// The membership that is left of somebody who is no more.
async fn leftover(target: &AssignedTarget, wanted: &Graph, role: &str) -> axon_reconcile::Membership {
    let (plan, unseen) = planned(target, wanted, &[role]).await;
    let found = steps(&plan).into_iter().find_map(|step| match step {
        Step::DropMember { role, member } => Some(axon_reconcile::Membership { role, member }),
        _ => None,
    });
    let found = found.unwrap();
    assert!(found.member.as_str().starts_with("deleted principal"), "{plan} {unseen:?}");
    found
}

#[tokio::test]
async fn a_leftover_is_known_by_its_row_unless_it_may_be_of_somebody_who_is_sought() {
    for arm in [false, true] {
        let (fake, clock) = (fake(0, 0).await, clock(NOW));
        let role = if arm { "Reader" } else { "Synapse User" };
        let make = || if arm { of_scope(&fake, &clock) } else { of_workspace(&fake, &clock) };
        let before = make();
        let has = desired(&[("SG-0", Some(&id('b', 0)))], &[(role, "SG-0")]);
        let (plan, _) = planned(&before, &has, &[]).await;
        applied(&before, steps(&plan).into_iter().filter(Step::gives).collect()).await;
        let given = *has.members.iter().next().unwrap();
        let row = before.row_of(given).unwrap();
        // The group is deleted on both sides, and the process starts anew.
        fake.state().groups.clear();
        let after = make();
        let left = leftover(&after, &desired(&[], &[]), role).await;
        assert_eq!(after.row_of(left), Some(row), "what the store remembers of it is found again");
        assert!(!after.is_unsure_of(left));
        // Somebody is looked for to whom the map gives that role: it may be them, whom the directory only does not show.
        let sought = make();
        let left = leftover(&sought, &desired(&[("SG-0", None)], &[(role, "SG-0")]), role).await;
        assert_eq!((sought.row_of(left), sought.is_unsure_of(left)), (None, true));
    }
}
