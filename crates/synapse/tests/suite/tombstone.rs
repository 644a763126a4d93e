//! Against the emulator, on both kinds of pool: the user of somebody who left is dropped, what the server refuses that for is named
//! before it is tried, and where a group lets people in the shut out user is what keeps them out.

use std::collections::BTreeSet;

use axon_emulator::PoolKind;
use axon_reconcile::{
    Burial, Finding, Graph, Inspection, ManagedPrincipals, Outcome, Plan, PrincipalKind, RefusalKind, Scope,
    Seen, Sid, Sides, Step, Target as _, Wave, doors,
};
use axon_synapse::SynapseTarget;

use crate::ability::Ability::{
    DenyConnect, Directory, FixedRoles, Logins, Numbers, Owners, PermissionRows, Sessions,
};
use crate::named::{kinds, needs};
use crate::stage::{Stage, Who, apply, inspect, kim_sid, name, outcomes, run};

const KIMS: &str = "kim@acme.com";

/// Kim was here, left, and is shut out.
async fn kim_left(stage: &Stage) -> SynapseTarget {
    let target = stage.target();
    stage.comes(&target, Who::Kim).await;
    apply(&target, &[Step::DenyConnect { principal: stage.kim() }]).await;
    target
}

/// The plan of a drop, by what the catalog shows. Where a SQL user stands for a person it counts as one, since Axon drops no others.
fn buried(stage: &Stage, seen: &Inspection) -> Plan {
    let kim = stage.kim();
    let mut actual = seen.graph.clone();
    if let Some(user) = actual.principals.get_mut(&kim) {
        user.kind = PrincipalKind::External;
    }
    let sides = Sides {
        desired: Graph::default(),
        actual,
        scope: Scope {
            roles: vec![],
            named_roles: BTreeSet::new(),
            given: BTreeSet::new(),
            schemas: vec![],
            principals: ManagedPrincipals::Mapped([kim].into()),
            untouchable: BTreeSet::new(),
        },
    };
    let due = BTreeSet::from([kim]);
    let reopens = doors(&seen.graph).next().is_some();
    let held = BTreeSet::new();
    let burial = Burial { due: &due, reopens, shape: &seen.shape, classifiers: &[], held: &held, most: 10 };
    burial.behind(&Plan::default(), &sides).0
}

fn steps(plan: &Plan) -> Vec<Step> {
    plan.steps.iter().map(|planned| planned.step.clone()).collect()
}

#[tokio::test]
async fn who_left_is_dropped_and_may_be_made_anew() {
    needs(&[Logins, DenyConnect, PermissionRows, FixedRoles, Sessions]);
    for kind in kinds() {
        let stage = Stage::with_orders(kind).await;
        let target = kim_left(&stage).await;
        let plan = buried(&stage, &inspect(&target).await);
        let kim = stage.kim();
        assert_eq!(plan.to_string(), format!("1. kill the sessions of {kim}\n2. drop user {kim}\n"));
        apply(&target, &steps(&plan)).await;
        let seen = inspect(&target).await;
        assert!(!seen.graph.principals.contains_key(&kim), "{:?}", seen.graph.principals);
        assert!(buried(&stage, &seen).is_empty());
        stage.comes(&target, Who::Kim).await;
        run(&mut stage.enter(Who::Kim).await.unwrap(), "SELECT 1 AS one").await.unwrap();
    }
}

#[tokio::test]
async fn what_the_server_refuses_a_drop_for_is_named_before() {
    needs(&[Logins, DenyConnect, PermissionRows, FixedRoles, Sessions, Owners, Numbers]);
    for kind in kinds() {
        let stage = Stage::with_orders(kind).await;
        let target = kim_left(&stage).await;
        let mut admin = stage.enter(Who::Admin).await.unwrap();
        let kim = stage.kim();
        for (blocks, told, mends) in [
            (
                format!("CREATE SCHEMA [my lab] AUTHORIZATION [{kim}]"),
                "it owns schema [my lab] (ALTER AUTHORIZATION ON SCHEMA::[my lab] TO dbo)",
                "ALTER AUTHORIZATION ON SCHEMA::[my lab] TO dbo",
            ),
            (
                format!("CREATE ROLE helpers AUTHORIZATION [{kim}]"),
                "it owns role helpers: give that to dbo",
                "DROP ROLE helpers",
            ),
        ] {
            run(&mut admin, &blocks).await.unwrap();
            let plan = buried(&stage, &inspect(&target).await);
            let [finding @ Finding::TombstoneStays { .. }] = plan.findings.as_slice() else {
                panic!("{kind:?} {plan}")
            };
            assert_eq!(finding.to_string(), format!("{kim} left and is not dropped: {told}"));
            assert!(plan.is_empty(), "{plan}");
            let refused = outcomes(&target, &[Step::DropPrincipal { name: kim, sid: None }]).await;
            assert!(
                matches!(&refused[0], Outcome::Refused { refusal, .. } if refusal.kind == RefusalKind::Blocked),
                "{kind:?} {refused:?}"
            );
            run(&mut admin, mends).await.unwrap();
        }
        apply(&target, &steps(&buried(&stage, &inspect(&target).await))).await;
    }
}

#[tokio::test]
async fn where_a_group_lets_people_in_the_shut_out_user_is_what_keeps_them_out() {
    needs(&[Directory]);
    for kind in kinds() {
        let stage = Stage::with_orders(kind).await;
        let target = kim_left(&stage).await;
        let mut admin = stage.enter(Who::Admin).await.unwrap();
        run(&mut admin, "CREATE USER [SG-Everybody] FROM EXTERNAL PROVIDER").await.unwrap();
        assert!(stage.enter(Who::Kim).await.is_err(), "{kind:?}: the DENY counts");
        let plan = buried(&stage, &inspect(&target).await);
        assert!(plan.is_empty() && plan.findings.is_empty(), "{kind:?}: {plan}");
        // What would have been.
        apply(&target, &[Step::DropPrincipal { name: name(KIMS), sid: None }]).await;
        stage.enter(Who::Kim).await.unwrap();
    }
}

/// In the minutes since the last look somebody may have made a user of that name for somebody else.
#[tokio::test]
async fn a_drop_is_of_the_one_who_was_seen_and_of_nobody_who_came_under_the_name_since() {
    needs(&[Directory]);
    for kind in kinds() {
        let stage = Stage::with_orders(kind).await;
        let target = kim_left(&stage).await;
        let plan = steps(&buried(&stage, &inspect(&target).await));
        let drop = [plan[1].clone()];
        assert!(matches!(&drop[0], Step::DropPrincipal { sid: Some(_), .. }), "{drop:?}");
        let mut admin = stage.enter(Who::Admin).await.unwrap();
        run(&mut admin, &format!("DROP USER [{KIMS}]")).await.unwrap();
        // Gone is what was asked for.
        apply(&target, &drop).await;
        stage.emulator().pool().change_directory(|tenant| {
            let kim = tenant.users.iter_mut().find(|user| user.upn == KIMS).unwrap();
            kim.object_id = "00000000-0000-0000-0000-0000000000bb".to_owned();
        });
        run(&mut admin, &format!("CREATE USER [{KIMS}] FROM EXTERNAL PROVIDER")).await.unwrap();
        let done = outcomes(&target, &drop).await;
        assert!(matches!(done[0], Outcome::Done { .. }), "{kind:?} {done:?}");
        let seen = target.read_back(&Wave::for_test(drop.to_vec())).await.unwrap();
        assert_eq!(seen, [Seen::NotInForce], "{kind:?}: it is looked at anew");
        let there = inspect(&target).await.graph.principals;
        assert!(there.contains_key(&name(KIMS)), "{kind:?}: another's user stays");
        stage.enter(Who::Kim).await.unwrap();
    }
}

#[tokio::test]
async fn a_login_is_dropped_by_its_id_too() {
    needs(&[Directory]);
    let stage = Stage::of(PoolKind::Serverless).await;
    let server = crate::server::server(&stage);
    let create = Step::CreatePrincipal { name: name(KIMS), kind: PrincipalKind::External, sid: kim_sid() };
    apply(&server, &[create, Step::DenyConnect { principal: name(KIMS) }]).await;
    let other = Sid::from_object_id("00000000-0000-0000-0000-0000000000bb");
    let of_another = Step::DropPrincipal { name: name(KIMS), sid: other };
    outcomes(&server, &[of_another]).await;
    assert!(inspect(&server).await.graph.principals.contains_key(&name(KIMS)));
    let drop = Step::drop_of(name(KIMS), &inspect(&server).await.graph);
    assert_eq!(drop, Step::DropPrincipal { name: name(KIMS), sid: kim_sid() });
    apply(&server, &[drop]).await;
}
