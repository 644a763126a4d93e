//! Against the emulator: a person comes, works, and leaves; again; by name; on both kinds of pool; with names that want to be code.

use axon_emulator::PoolKind;
use axon_reconcile::{
    Connect, GrantKey, GrantState, Graph, InspectScope, Membership, ObjectKind, Outcome, Permission,
    PrincipalKind, RefusalKind, Securable, Step, Target as _, TargetError,
};

use crate::ability::Ability::{
    Brackets, Catalog, ColumnGrants, Deny, DenyConnect, FixedRoles, LoginNumbers, Logins, Members, Numbers,
    OwnedRoles, PermissionRows, Serverless, Sessions, Tables, UsersWithoutLogin, WideGrants,
};
use crate::named::{can, needs};
use crate::stage::{HOSTILE, Stage, Who, apply, inspect, kim_sid, name, orders, outcomes, run};

/// Kim joins, and gives what a role may.
const JOINING: [crate::ability::Ability; 8] =
    [Catalog, OwnedRoles, Logins, Members, ColumnGrants, WideGrants, Deny, PermissionRows];

fn grants_of(graph: &Graph, grantee: &str) -> Vec<String> {
    graph
        .grants_of(name(grantee))
        .map(|(key, grant)| format!("{} {} on {}", grant.state, key.permission, key.securable))
        .collect()
}

#[tokio::test]
async fn a_person_comes_works_and_leaves() {
    needs(&JOINING);
    needs(&[FixedRoles, DenyConnect, Sessions, Numbers, LoginNumbers]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    let before = inspect(&target).await;
    assert_eq!(before.unseen, Vec::<String>::new());
    if stage.emulated() {
        assert_eq!((before.facts.engine_edition, before.facts.own_principal), (6, name("dbo")));
        assert!(before.graph.principals.is_empty(), "{:?}", before.graph.principals);
        assert!(before.graph.roles.values().all(|role| role.fixed), "{:?}", before.graph.roles);
    }
    let table = &before.shape.objects[&orders()];
    let kind = if can(Tables) { ObjectKind::Table } else { ObjectKind::View };
    assert_eq!((table.kind, table.owner), (kind, Some(name("dbo"))));
    assert_eq!(table.columns, [name("id"), name("region"), name("amount")]);

    stage.joins(&target).await;
    let (who, given) = (stage.kim(), stage.given_role());
    let after = inspect(&target).await;
    let kim = &after.graph.principals[&who];
    assert_eq!((kim.kind, kim.connect), (stage.kind_of_people(), Connect::Granted));
    assert!(!stage.emulated() || kim.sid == kim_sid(), "{:?}", kim.sid);
    assert!(kim.created.is_some());
    assert!(!after.graph.roles[&name("axon_reader")].fixed);
    assert_eq!(after.graph.roles[&name("axon_reader")].owner, Some(name("dbo")));
    assert_eq!(
        after.graph.members.difference(&before.graph.members).copied().collect::<Vec<_>>(),
        [Membership { role: name("axon_reader"), member: who }, Membership { role: given, member: who },]
    );
    assert_eq!(
        grants_of(&after.graph, "axon_reader"),
        [
            "GRANT VIEW DEFINITION on database",
            "GRANT INSERT on schema::sales",
            "DENY DELETE on sales.orders",
            "GRANT SELECT on sales.orders (id)",
            "GRANT SELECT on sales.orders (region)",
        ]
    );
    assert!(
        after.graph.grants_of(name("axon_reader")).all(|(_, g)| g.own_row && g.foreign_grantors.is_empty())
    );
    assert_eq!(after.shape, before.shape);

    // What the catalog says is what the pool does.
    let mut kim = stage.enter(Who::Kim).await.unwrap();
    let rows = run(&mut kim, "SELECT region FROM sales.orders").await.unwrap();
    assert_eq!(rows[0].get::<&str, _>(0), Some("north"));
    assert_eq!(run(&mut kim, "SELECT amount FROM sales.orders").await.unwrap_err().code(), Some(230));

    apply(
        &target,
        &[
            Step::DenyConnect { principal: who },
            Step::DropMember { role: name("axon_reader"), member: who },
            Step::DropMember { role: given, member: who },
            Step::KillSessions { principal: who },
        ],
    )
    .await;
    assert!(run(&mut kim, "SELECT 1").await.is_err(), "the session was killed");
    // Whoever has a login and may not enter the database is told another number by some servers.
    let refused = stage.enter(Who::Kim).await.unwrap_err().code();
    let numbers: &[u32] = if stage.emulated() { &[18456] } else { &[18456, 4060, 916] };
    assert!(refused.is_some_and(|number| numbers.contains(&number)), "{refused:?}");
    let gone = inspect(&target).await.graph;
    assert_eq!(gone.principals[&who].connect, Connect::Denied);
    assert_eq!(gone.members, before.graph.members);

    let select = |was| Step::Revoke {
        grantee: name("axon_reader"),
        permission: Permission::Select,
        on: Securable::Object(orders()),
        columns: vec![name("id"), name("region")],
        was,
    };
    apply(
        &target,
        &[
            select(GrantState::Grant),
            Step::DropRole { name: name("axon_reader") },
            Step::DropPrincipal { name: who, sid: None },
        ],
    )
    .await;
    let empty = inspect(&target).await;
    assert_eq!(empty.graph, before.graph);
}

#[tokio::test]
async fn doing_it_again_converges() {
    needs(&JOINING);
    needs(&[Numbers]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    stage.joins(&target).await;
    inspect(&target).await;
    let again = stage.joiner();
    for (step, outcome) in again.iter().zip(outcomes(&target, &again).await) {
        match outcome {
            Outcome::Done { .. } => {}
            Outcome::Refused { refusal, .. } => assert_eq!(refusal.kind, RefusalKind::AlreadyThere, "{step}"),
            other => panic!("{step}: {other:?}"),
        }
    }
    let drops = [
        Step::DropMember { role: name("axon_reader"), member: name("nobody@acme.com") },
        Step::DropPrincipal { name: name("nobody@acme.com"), sid: None },
        Step::DropRole { name: name("axon_none") },
    ];
    for (step, outcome) in drops.iter().zip(outcomes(&target, &drops).await) {
        assert!(
            matches!(&outcome, Outcome::Refused { refusal, .. } if refusal.kind == RefusalKind::AlreadyThere),
            "{step}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn names_that_want_to_be_code_are_names() {
    needs(&[OwnedRoles, ColumnGrants, Deny, PermissionRows, Brackets, Members]);
    needs(&[UsersWithoutLogin, DenyConnect, Sessions]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    let before = stage.catalog("SELECT name FROM sys.database_principals").await;
    let odd = axon_reconcile::ObjectName { schema: name("odd]schema"), name: name("t'able.with, dots)") };
    let long_role = "]'".repeat(64);
    for role in [HOSTILE, "O'Brien's [role]", "r\u{202e}ole", "'; DROP ROLE x--", long_role.as_str()] {
        let role = name(role);
        apply(
            &target,
            &[
                Step::CreateRole { name: role },
                Step::Grant {
                    grantee: role,
                    permission: Permission::Select,
                    on: Securable::Object(odd),
                    columns: vec![name("c]1")],
                },
                Step::Deny {
                    grantee: role,
                    permission: Permission::Update,
                    on: Securable::Schema(name("odd]schema")),
                    columns: vec![],
                },
            ],
        )
        .await;
        let graph = inspect(&target).await.graph;
        let kept = graph.roles.keys().find(|found| **found == role).unwrap();
        assert!(kept.same_spelling(role), "{kept:?}");
        let key = GrantKey {
            grantee: role,
            securable: Securable::Column(odd, name("c]1")),
            permission: Permission::Select,
        };
        assert_eq!(graph.grants[&key].state, GrantState::Grant);
        apply(&target, &[Step::DropRole { name: role }]).await;
    }
    for (person, kind) in [
        ("O'Brien@acme.com", PrincipalKind::External),
        (HOSTILE, PrincipalKind::External),
        ("gr\u{202e}up", PrincipalKind::ExternalGroup),
    ] {
        let quoted = person.replace(']', "]]");
        let person = name(person);
        if stage.emulated() {
            apply(&target, &[Step::CreatePrincipal { name: person, kind, sid: None }]).await;
        } else {
            stage.place().run(&[format!("CREATE USER [{quoted}] WITHOUT LOGIN")]).await.unwrap();
        }
        apply(
            &target,
            &[
                Step::CreateRole { name: name("r]'") },
                Step::AddMember { role: name("r]'"), member: person },
                Step::DenyConnect { principal: person },
                Step::KillSessions { principal: person },
                Step::DropMember { role: name("r]'"), member: person },
                Step::DropRole { name: name("r]'") },
                Step::GrantConnect { principal: person },
            ],
        )
        .await;
        let scoped = target.inspect(InspectScope::Principals(vec![person])).await.unwrap().graph;
        assert_eq!(scoped.principals.len(), 1);
        assert_eq!(scoped.principals[&person].connect, Connect::Granted);
        apply(&target, &[Step::DropPrincipal { name: person, sid: None }]).await;
    }
    assert_eq!(stage.catalog("SELECT name FROM sys.database_principals").await, before);
}

#[tokio::test]
async fn a_read_by_name_is_the_part_of_the_whole_that_was_asked_for() {
    needs(&JOINING);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    stage.joins(&target).await;
    stage.comes(&target, Who::Lee).await;
    let (kim, lee) = (stage.kim(), stage.lee());
    let more = [
        Step::CreateRole { name: name("axon_writer") },
        Step::AddMember { role: name("axon_writer"), member: lee },
        Step::AddMember { role: name("axon_reader"), member: name("axon_writer") },
    ];
    apply(&target, &more).await;
    let whole = inspect(&target).await;
    let other_case = name(&kim.as_str().to_uppercase());
    for names in [
        vec![kim],
        vec![name("axon_reader")],
        vec![name("axon_writer"), other_case],
        vec![name("nobody")],
        vec![],
    ] {
        let part = target.inspect(InspectScope::Principals(names.clone())).await.unwrap();
        let mut want = whole.graph.clone();
        want.principals.retain(|n, _| names.contains(n));
        want.roles.retain(|n, _| names.contains(n));
        want.members.retain(|m| names.contains(&m.role) || names.contains(&m.member));
        want.grants.retain(|key, _| names.contains(&key.grantee));
        assert_eq!(part.graph, want, "{names:?}");
        assert_eq!(part.facts, whole.facts);
    }
}

#[tokio::test]
async fn the_same_story_on_a_serverless_pool() {
    needs(&[Serverless, OwnedRoles, Brackets, Logins, Members, DenyConnect, PermissionRows, Sessions]);
    let stage = Stage::of(PoolKind::Serverless).await;
    let target = stage.target();
    stage.comes(&target, Who::Kim).await;
    let (role, member) = (name(HOSTILE), stage.kim());
    apply(&target, &[Step::CreateRole { name: role }, Step::AddMember { role, member }]).await;
    let mut kim = stage.enter(Who::Kim).await.unwrap();
    run(&mut kim, "SELECT 1 AS one").await.unwrap();
    apply(
        &target,
        &[
            Step::DenyConnect { principal: member },
            Step::DropMember { role, member },
            Step::KillSessions { principal: member },
            Step::DropPrincipal { name: member, sid: None },
            Step::DropRole { name: role },
        ],
    )
    .await;
    assert!(run(&mut kim, "SELECT 1 AS one").await.is_err());
    let edition = inspect(&target).await.facts.engine_edition;
    if edition != 11 {
        assert!(!stage.emulated(), "it is {edition}");
        return;
    }

    let wrong = axon_synapse::SynapseTarget::new(
        "warehouse",
        axon_synapse::Dialect::Dedicated,
        stage.connection(stage.place().admin.auth()),
    );
    let error = wrong.unwrap().inspect(InspectScope::Full).await.unwrap_err();
    assert!(matches!(&error, TargetError::Unreadable { .. }), "{error:?}");
}
