//! Against the emulator: a person comes, works, and leaves; again; by name; on both kinds of pool; with names that want to be code.

use axon_emulator::PoolKind;
use axon_reconcile::{
    Connect, GrantKey, GrantState, Graph, InspectScope, Membership, ObjectKind, Outcome, Permission,
    PrincipalKind, RefusalKind, Securable, Step, Target as _, TargetError,
};
use tiberius::AuthMethod;

use crate::stage::{
    ADMIN, HOSTILE, KIM, Stage, apply, inspect, joiner, kim_sid, name, orders, outcomes, run, token,
};

fn grants_of(graph: &Graph, grantee: &str) -> Vec<String> {
    graph
        .grants_of(name(grantee))
        .map(|(key, grant)| format!("{} {} on {}", grant.state, key.permission, key.securable))
        .collect()
}

#[tokio::test]
async fn a_person_comes_works_and_leaves() {
    let stage = Stage::dedicated().await;
    let target = stage.target();
    let before = inspect(&target).await;
    assert_eq!(before.unseen, Vec::<String>::new());
    assert_eq!((before.facts.engine_edition, before.facts.own_principal), (6, name("dbo")));
    assert!(before.graph.principals.is_empty(), "{:?}", before.graph.principals);
    assert!(before.graph.roles.values().all(|role| role.fixed), "{:?}", before.graph.roles);
    let table = &before.shape.objects[&orders()];
    assert_eq!((table.kind, table.owner), (ObjectKind::Table, Some(name("dbo"))));
    assert_eq!(table.columns, [name("id"), name("region"), name("amount")]);

    apply(&target, &joiner()).await;
    let after = inspect(&target).await;
    let kim = &after.graph.principals[&name("kim@acme.com")];
    assert_eq!((kim.kind, &kim.sid, kim.connect), (PrincipalKind::External, &kim_sid(), Connect::Granted));
    assert!(kim.created.is_some());
    assert!(!after.graph.roles[&name("axon_reader")].fixed);
    assert_eq!(after.graph.roles[&name("axon_reader")].owner, Some(name("dbo")));
    assert_eq!(
        after.graph.members.difference(&before.graph.members).copied().collect::<Vec<_>>(),
        [
            Membership { role: name("axon_reader"), member: name("kim@acme.com") },
            Membership { role: name("mediumrc"), member: name("kim@acme.com") },
        ]
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
    let mut kim = stage.raw(AuthMethod::aad_token(KIM)).await.unwrap();
    let rows = run(&mut kim, "SELECT region FROM sales.orders").await.unwrap();
    assert_eq!(rows[0].get::<&str, _>(0), Some("north"));
    assert_eq!(run(&mut kim, "SELECT amount FROM sales.orders").await.unwrap_err().code(), Some(230));

    apply(
        &target,
        &[
            Step::DenyConnect { principal: name("kim@acme.com") },
            Step::DropMember { role: name("axon_reader"), member: name("kim@acme.com") },
            Step::DropMember { role: name("mediumrc"), member: name("kim@acme.com") },
            Step::KillSessions { principal: name("kim@acme.com") },
        ],
    )
    .await;
    assert!(run(&mut kim, "SELECT 1").await.is_err(), "the session was killed");
    assert_eq!(stage.raw(AuthMethod::aad_token(KIM)).await.unwrap_err().code(), Some(18456));
    let gone = inspect(&target).await.graph;
    assert_eq!(gone.principals[&name("kim@acme.com")].connect, Connect::Denied);
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
            Step::DropPrincipal { name: name("kim@acme.com"), sid: None },
        ],
    )
    .await;
    let empty = inspect(&target).await;
    assert_eq!(empty.graph, before.graph);
}

#[tokio::test]
async fn doing_it_again_converges() {
    let stage = Stage::dedicated().await;
    let target = stage.target();
    apply(&target, &joiner()).await;
    inspect(&target).await;
    for (step, outcome) in joiner().iter().zip(outcomes(&target, &joiner()).await) {
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
        let person = name(person);
        apply(
            &target,
            &[
                Step::CreatePrincipal { name: person, kind, sid: None },
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
    let stage = Stage::dedicated().await;
    let target = stage.target();
    apply(&target, &joiner()).await;
    let more = [
        Step::CreatePrincipal { name: name("lee@acme.com"), kind: PrincipalKind::External, sid: None },
        Step::CreateRole { name: name("axon_writer") },
        Step::AddMember { role: name("axon_writer"), member: name("lee@acme.com") },
        Step::AddMember { role: name("axon_reader"), member: name("axon_writer") },
    ];
    apply(&target, &more).await;
    let whole = inspect(&target).await;
    for asked in [
        vec!["kim@acme.com"],
        vec!["axon_reader"],
        vec!["axon_writer", "KIM@acme.com"],
        vec!["nobody"],
        vec![],
    ] {
        let names: Vec<_> = asked.iter().map(|n| name(n)).collect();
        let part = target.inspect(InspectScope::Principals(names.clone())).await.unwrap();
        let mut want = whole.graph.clone();
        want.principals.retain(|n, _| names.contains(n));
        want.roles.retain(|n, _| names.contains(n));
        want.members.retain(|m| names.contains(&m.role) || names.contains(&m.member));
        want.grants.retain(|key, _| names.contains(&key.grantee));
        assert_eq!(part.graph, want, "{asked:?}");
        assert_eq!(part.facts, whole.facts);
    }
}

#[tokio::test]
async fn the_same_story_on_a_serverless_pool() {
    let stage = Stage::of(PoolKind::Serverless).await;
    let target = stage.target();
    apply(
        &target,
        &[
            Step::CreateRole { name: name(HOSTILE) },
            Step::CreatePrincipal {
                name: name("kim@acme.com"),
                kind: PrincipalKind::External,
                sid: kim_sid(),
            },
            Step::AddMember { role: name(HOSTILE), member: name("kim@acme.com") },
        ],
    )
    .await;
    let mut kim = stage.raw(AuthMethod::aad_token(KIM)).await.unwrap();
    run(&mut kim, "SELECT 1 AS one").await.unwrap();
    apply(
        &target,
        &[
            Step::DenyConnect { principal: name("kim@acme.com") },
            Step::DropMember { role: name(HOSTILE), member: name("kim@acme.com") },
            Step::KillSessions { principal: name("kim@acme.com") },
            Step::DropPrincipal { name: name("kim@acme.com"), sid: None },
            Step::DropRole { name: name(HOSTILE) },
        ],
    )
    .await;
    assert!(run(&mut kim, "SELECT 1 AS one").await.is_err());
    assert_eq!(inspect(&target).await.facts.engine_edition, 11);

    let wrong = axon_synapse::SynapseTarget::new(
        "warehouse",
        axon_synapse::Dialect::Dedicated,
        stage.connection(token(ADMIN)),
    );
    let error = wrong.unwrap().inspect(InspectScope::Full).await.unwrap_err();
    assert!(matches!(&error, TargetError::Unreadable { .. }), "{error:?}");
}
