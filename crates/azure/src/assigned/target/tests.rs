//! What is asked where nothing changed, and how soon it is asked whether a change has effect.

mod remember;

use std::sync::Arc;

use axon_model::ManualClock;
use axon_reconcile::{InspectScope, Step, Target as _};
use serde_json::Value;

use crate::assigned::AssignedTarget;
use crate::testing::fake::{Fake, State, desired, id};
use crate::testing::story::{applied, planned, steps};
use crate::testing::{Reply, Static, clock};
use crate::wire::Wire;
use crate::{ArmParts, WorkspaceParts, azure_rbac, workspace};

const NOW: time::OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);
const USER: &str = "2a385764-43e8-416c-9825-7b18d05a2c4b";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const SCOPE: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/data";
const LIST: &str = "GET /roleAssignments?api-version=2020-12-01";

fn row(n: u32) -> Value {
    serde_json::json!({"id": id('e', n), "roleDefinitionId": USER, "principalId": id('b', n), "scope": "workspaces/acme",
        "principalType": "Group"})
}

fn arm_row(n: u32) -> Value {
    let (own, assignments) = (id('e', n), "providers/Microsoft.Authorization/roleAssignments");
    serde_json::json!({"name": own, "id": format!("{SCOPE}/{assignments}/{own}"), "properties": {
        "roleDefinitionId": format!("/x/{READER}"), "principalId": id('b', n), "principalType": "Group", "scope": SCOPE}})
}

async fn fake(rows: u32, page: usize) -> Fake {
    let definition = serde_json::json!({"name": READER, "id": format!("/x/{READER}"), "properties": {
        "roleName": "Reader", "type": "BuiltInRole", "permissions": [{"actions": ["*/read"], "notActions": []}],
        "assignableScopes": ["/"]}});
    Fake::start(State {
        groups: (0..=rows).map(|n| (id('b', n), format!("SG-{n}"))).collect(),
        roles: vec![(USER.into(), "Synapse User".into())],
        rows: (1..=rows).map(row).collect(),
        definitions: vec![definition],
        assignments: (1..=rows).map(arm_row).collect(),
        page,
        ..State::default()
    })
    .await
}

fn of_workspace(fake: &Fake, clock: &Arc<ManualClock>) -> AssignedTarget {
    let parts = WorkspaceParts {
        endpoint: fake.server.base().clone(),
        name: Some("acme".into()),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        entra: Some(fake.entra(clock.clone())),
        clock: clock.clone(),
    };
    workspace("workspace", parts).unwrap()
}

fn of_scope(fake: &Fake, clock: &Arc<ManualClock>) -> AssignedTarget {
    let parts = ArmParts {
        arm: fake.server.base().clone(),
        scope: SCOPE.into(),
        custom: std::collections::BTreeMap::new(),
        elsewhere: std::collections::BTreeSet::new(),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        entra: Some(fake.entra(clock.clone())),
        clock: clock.clone(),
    };
    azure_rbac("scope", parts).unwrap()
}

#[tokio::test]
async fn where_nothing_changed_one_request_says_so() {
    // One row is of somebody whom the directory does not have: that is not asked for again either.
    for arm in [false, true] {
        let fake = fake(3, 0).await;
        fake.state().groups.pop();
        let clock = clock(NOW);
        let target = if arm { of_scope(&fake, &clock) } else { of_workspace(&fake, &clock) };
        assert!(!target.is_unchanged().await.unwrap(), "nothing was read yet");
        assert_eq!(fake.lines(), Vec::<String>::new());
        target.inspect(InspectScope::Full).await.unwrap();
        fake.server.forget();
        for n in 1..=5 {
            clock.advance(time::Duration::minutes(5));
            assert!(target.is_unchanged().await.unwrap());
            assert_eq!(fake.lines().len(), n, "{:?}", fake.lines());
        }
        let list =
            if arm { format!("GET {SCOPE}/providers/Microsoft.Authorization/roleA") } else { LIST.into() };
        assert!(fake.lines().iter().all(|line| line.starts_with(&list)), "{:?}", fake.lines());
        clock.advance(time::Duration::minutes(5));
        assert!(!target.is_unchanged().await.unwrap(), "all of it is read each half hour");
        assert_eq!(fake.lines().len(), 5, "and no page before that");
        target.inspect(InspectScope::Full).await.unwrap();
        assert!(target.is_unchanged().await.unwrap());
        if arm {
            fake.state().assignments.remove(1)
        } else {
            fake.state().rows.remove(1)
        };
        assert!(!target.is_unchanged().await.unwrap(), "somebody took a row");
        fake.server.forget();
        assert!(!target.is_unchanged().await.unwrap());
        assert_eq!(fake.lines(), Vec::<String>::new(), "it is known already");
    }
}

#[tokio::test]
async fn of_many_pages_one_is_read_at_a_time_and_a_change_is_found_when_its_turn_comes() {
    let fake = fake(30, 10).await;
    let clock = clock(NOW);
    let target = of_workspace(&fake, &clock);
    target.inspect(InspectScope::Full).await.unwrap();
    fake.server.forget();
    for _ in 0..6 {
        assert!(target.is_unchanged().await.unwrap());
    }
    let marks: Vec<Option<String>> =
        fake.server.seen().iter().map(|r| r.header("x-ms-continuation").map(str::to_owned)).collect();
    let turns = [None, Some("10".to_owned()), Some("20".to_owned())];
    assert_eq!(marks, turns.iter().chain(&turns).cloned().collect::<Vec<_>>());
    // On the last page.
    fake.state().rows[29]["scope"] = "workspaces/acme/credentials/c".into();
    let mut turns = Vec::new();
    for _ in 0..3 {
        turns.push(target.is_unchanged().await.unwrap());
    }
    assert_eq!(turns, [true, true, false]);
}

#[tokio::test]
async fn a_mark_that_is_too_old_and_a_first_page_that_fails_conclude_nothing() {
    let fake = fake(30, 10).await;
    let clock = clock(NOW);
    let target = of_workspace(&fake, &clock);
    target.inspect(InspectScope::Full).await.unwrap();
    fake.state().faults.push(("GET /roleAssignments", Reply::status(503, "<html>")));
    target.is_unchanged().await.unwrap_err();
    fake.state().faults.clear();
    assert!(!target.is_unchanged().await.unwrap(), "after a fault all of it is read");
    target.inspect(InspectScope::Full).await.unwrap();
    assert!(target.is_unchanged().await.unwrap());
    let old =
        r#"{"error":{"code":"InvalidContinuationToken","message":"The continuation token is not valid."}}"#;
    fake.state().faults.push(("GET /roleAssignments", Reply::status(400, old)));
    assert!(!target.is_unchanged().await.unwrap(), "the second page's mark is not taken any more");
}

#[tokio::test]
async fn what_graph_could_not_say_is_asked_again_and_its_own_changes_are_read_whole() {
    let fake = fake(3, 0).await;
    let clock = clock(NOW);
    let target = of_workspace(&fake, &clock);
    fake.state().faults.push(("getByIds", Reply::status(503, "")));
    let seen = target.inspect(InspectScope::Full).await.unwrap();
    assert!(seen.unseen[0].contains("by object id only"), "{:?}", seen.unseen);
    assert!(!target.is_unchanged().await.unwrap(), "Graph may answer by now");
    fake.state().faults.clear();
    let wanted = desired(&[("SG-0", Some(&id('b', 0)))], &[("Synapse User", "SG-0")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    assert!(target.is_unchanged().await.unwrap());
    applied(&target, steps(&plan).into_iter().filter(Step::gives).collect()).await;
    assert!(!target.is_unchanged().await.unwrap(), "what it gave is not what it had read");
}

#[tokio::test]
async fn effect_is_asked_for_after_seconds_and_without_another_look() {
    let fake = fake(3, 0).await;
    let clock = clock(NOW);
    let target = of_workspace(&fake, &clock);
    assert_eq!(target.look_again(), None);
    let wanted = desired(&[("SG-0", Some(&id('b', 0)))], &[("Synapse User", "SG-0")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    applied(&target, steps(&plan).into_iter().filter(Step::gives).collect()).await;
    fake.server.forget();
    target.settle().await;
    assert_eq!(fake.lines(), Vec::<String>::new(), "not at once");
    let two = std::time::Duration::from_secs(2);
    for asked in 1..=2 {
        assert_eq!(target.look_again(), Some(two));
        clock.advance(time::Duration::seconds(2));
        target.settle().await;
        let check = "POST /checkAccessSynapseRbac?api-version=2020-12-01";
        assert_eq!(fake.lines(), vec![check; asked]);
        assert_eq!(target.settling().len(), 1);
    }
    // A fault is no effect, and no reason to ask without a pause.
    fake.state().faults.push(("/checkAccess", Reply::status(500, "")));
    clock.advance(time::Duration::minutes(1));
    target.settle().await;
    assert!(target.look_again().unwrap() > two);
    fake.state().faults.clear();
    fake.state().effective = true;
    clock.advance(time::Duration::minutes(1));
    target.settle().await;
    assert_eq!((target.settling().len(), target.look_again()), (0, None));
}

#[tokio::test]
async fn what_was_taken_again_settles_no_more_and_resource_manager_has_no_such_question() {
    let fake = fake(1, 0).await;
    let clock = clock(NOW);
    let target = of_workspace(&fake, &clock);
    let wanted = desired(&[("SG-0", Some(&id('b', 0)))], &[("Synapse User", "SG-0")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    let gives: Vec<Step> = steps(&plan).into_iter().filter(Step::gives).collect();
    let takes = gives.iter().map(|step| match step {
        Step::AddMember { role, member } => Step::DropMember { role: *role, member: *member },
        other => panic!("{other}"),
    });
    let takes: Vec<Step> = takes.collect();
    applied(&target, gives.clone()).await;
    assert_eq!(target.settling().len(), 1);
    applied(&target, takes).await;
    assert_eq!((target.settling().len(), target.look_again()), (0, None));
    // Somebody else took it.
    applied(&target, gives).await;
    fake.state().rows.retain(|row| row["principalId"] != id('b', 0).as_str());
    target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(target.settling(), Vec::<String>::new());

    let target = of_scope(&fake, &clock);
    let wanted = desired(&[("SG-0", Some(&id('b', 0)))], &[("Reader", "SG-0")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    applied(&target, steps(&plan).into_iter().filter(Step::gives).collect()).await;
    assert_eq!((target.settling().len(), target.look_again()), (0, None));
}
