//! Against the emulator: a person comes, works, and leaves; names that want to be code; a pool that is not there.

use axon_emulator::PoolKind;
use axon_emulator::pool::Power;
use axon_reconcile::{
    Connect, GrantKey, GrantState, Graph, InspectScope, Membership, ObjectKind, Outcome, Permission,
    PrincipalKind, RefusalKind, Securable, Seen, Sid, Step, Target as _, TargetError, Wave,
};
use axon_synapse::Auth;
use secrecy::SecretString;
use tiberius::AuthMethod;

use crate::stage::{
    ADMIN, HOSTILE, KIM, LEE, PASSWORD, Stage, apply, inspect, name, orders, outcomes, run, token,
};

fn kim_sid() -> Option<Sid> {
    Sid::from_object_id("01234567-89ab-cdef-0123-456789abcdef")
}

fn grant(permission: Permission, on: Securable, columns: &[&str]) -> Step {
    let columns = columns.iter().map(|c| name(c)).collect();
    Step::Grant { grantee: name("axon_reader"), permission, on, columns }
}

fn joiner() -> Vec<Step> {
    vec![
        Step::CreateRole { name: name("axon_reader") },
        Step::CreatePrincipal { name: name("kim@acme.com"), kind: PrincipalKind::External, sid: kim_sid() },
        Step::AddMember { role: name("axon_reader"), member: name("kim@acme.com") },
        Step::AddMember { role: name("mediumrc"), member: name("kim@acme.com") },
        grant(Permission::Select, Securable::Object(orders()), &["id", "region"]),
        grant(Permission::Insert, Securable::Schema(name("sales")), &[]),
        grant(Permission::ViewDefinition, Securable::Database, &[]),
        Step::Deny {
            grantee: name("axon_reader"),
            permission: Permission::Delete,
            on: Securable::Object(orders()),
            columns: vec![],
        },
    ]
}

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
            Step::DropPrincipal { name: name("kim@acme.com") },
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
        Step::DropPrincipal { name: name("nobody@acme.com") },
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
        apply(&target, &[Step::DropPrincipal { name: person }]).await;
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

fn refusal(outcome: &Outcome) -> (RefusalKind, i64) {
    match outcome {
        Outcome::Refused { refusal, .. } => (refusal.kind, refusal.number),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn refusals_of_the_pool_have_their_kinds() {
    let stage = Stage::dedicated().await;
    let target = stage.target();
    apply(
        &target,
        &[Step::CreateRole { name: name("lee@acme.com") }, Step::CreateRole { name: name("full") }],
    )
    .await;
    let create =
        |who: &str| Step::CreatePrincipal { name: name(who), kind: PrincipalKind::External, sid: None };
    let add = |role: &str, member: &str| Step::AddMember { role: name(role), member: name(member) };
    for (step, want) in [
        (create("nobody@acme.com"), (RefusalKind::DirectoryUnknown, 33130)),
        (create("twins"), (RefusalKind::DirectoryUnknown, 33131)),
        // A role has the person's name: converged is what this must not be taken for.
        (create("lee@acme.com"), (RefusalKind::Blocked, 15023)),
        (add("full", "nobody@acme.com"), (RefusalKind::Missing, 15151)),
        (grant(Permission::Select, Securable::Object(orders()), &[]), (RefusalKind::Missing, 15151)),
        (Step::DropRole { name: name("db_owner") }, (RefusalKind::Forbidden, 15150)),
    ] {
        let got = outcomes(&target, std::slice::from_ref(&step)).await;
        assert_eq!(refusal(&got[0]), want, "{step}");
    }
    apply(&target, &[create("kim@acme.com"), add("full", "kim@acme.com")]).await;
    let drop = [Step::DropRole { name: name("full") }];
    assert_eq!(refusal(&outcomes(&target, &drop).await[0]), (RefusalKind::Blocked, 15144));

    let sql = stage.target_as(Auth::Sql { user: "sa".into(), password: SecretString::from(PASSWORD) });
    let got = outcomes(&sql, &[create("O'Brien@acme.com"), create("kim@acme.com")]).await;
    assert_eq!(refusal(&got[0]), (RefusalKind::NeedsEntra, 33159));
    assert_eq!(got[1], Outcome::NotTried);
}

#[tokio::test]
async fn a_pool_that_is_paused_or_refuses_the_login_says_so_and_comes_back() {
    let stage = Stage::dedicated().await;
    let target = stage.target();
    inspect(&target).await;
    stage.emulator.pool().set_power(Power::Paused);
    stage.emulator.pool().cut_sessions();
    let step = [Step::CreateRole { name: name("axon_late") }];
    let error = target.inspect(InspectScope::Full).await.unwrap_err();
    assert!(matches!(&error, TargetError::Refused { refusal, .. } if refusal.number == 42108), "{error:?}");
    assert_eq!(refusal(&outcomes(&target, &step).await[0]), (RefusalKind::Paused, 42108));
    stage.emulator.pool().set_power(Power::Resuming);
    assert_eq!(refusal(&outcomes(&target, &step).await[0]), (RefusalKind::Busy, 42109));
    stage.emulator.pool().set_power(Power::Online);
    apply(&target, &step).await;

    for auth in [
        Auth::Sql { user: "sa".into(), password: SecretString::from("wrong-s3cret") },
        token("eyJhbGciOiJub25lIn0.eyJ1cG4iOiJub2JvZHlAYWNtZS5jb20ifQ."),
    ] {
        let error = stage.target_as(auth).inspect(InspectScope::Full).await.unwrap_err();
        assert!(
            matches!(&error, TargetError::Refused { refusal, .. } if refusal.number == 18456),
            "{error:?}"
        );
        let told = format!("{error} {error:?}");
        assert!(!told.contains("s3cret") && !told.contains("eyJ"), "{told}");
    }
}

#[tokio::test]
async fn a_principal_with_few_rights_knows_that_it_sees_little() {
    let stage = Stage::dedicated().await;
    let admin = stage.target();
    let kim = name("kim@acme.com");
    let create = Step::CreatePrincipal { name: kim, kind: PrincipalKind::External, sid: None };
    apply(&admin, &[create, Step::CreateRole { name: name("axon_reader") }]).await;
    let target = stage.target_as(token(KIM));
    let little = inspect(&target).await;
    assert_eq!(little.facts.own_principal, kim);
    assert!(little.unseen[0].contains("VIEW DEFINITION"), "{:?}", little.unseen);
    let denied = outcomes(&target, &[Step::CreateRole { name: name("axon_mine") }]).await;
    assert!(
        matches!(&denied[0], Outcome::Refused { refusal, .. } if refusal.kind != RefusalKind::AlreadyThere)
    );
    let drop = outcomes(&target, &[Step::DropRole { name: name("axon_reader") }]).await;
    assert!(
        matches!(&drop[0], Outcome::Refused { refusal, .. } if refusal.kind == RefusalKind::Missing),
        "what may only be hidden is not taken for gone: {drop:?}"
    );

    let permission = Permission::ViewDefinition;
    let view = Step::Grant { grantee: kim, permission, on: Securable::Database, columns: vec![] };
    apply(&admin, &[view]).await;
    assert_eq!(inspect(&target).await.unseen, Vec::<String>::new());
    let (mut part, mut whole) = (inspect(&target).await.graph, inspect(&admin).await.graph);
    // Whose rows they are is a matter of who asks.
    for grant in part.grants.values_mut().chain(whole.grants.values_mut()) {
        assert!(grant.own_row != grant.foreign_grantors.contains(&name("dbo")));
        (grant.own_row, grant.foreign_grantors) = (true, vec![]);
    }
    assert_eq!(part, whole);

    // It would see its own session only, and nobody else's.
    let mut lee = {
        let create =
            Step::CreatePrincipal { name: name("lee@acme.com"), kind: PrincipalKind::External, sid: None };
        apply(&admin, &[create]).await;
        stage.raw(AuthMethod::aad_token(LEE)).await.unwrap()
    };
    let kill = [Step::KillSessions { principal: name("lee@acme.com") }];
    assert_eq!(refusal(&outcomes(&target, &kill).await[0]), (RefusalKind::Forbidden, 0));
    assert_eq!(target.read_back(&Wave::for_test(kill.to_vec())).await.unwrap(), [Seen::NotInForce]);
    run(&mut lee, "SELECT 1 AS one").await.unwrap();
    let state =
        |permission| Step::Grant { grantee: kim, permission, on: Securable::Database, columns: vec![] };
    apply(&admin, &[state(Permission::ViewDatabaseState), state(Permission::KillDatabaseConnection)]).await;
    inspect(&target).await;
    apply(&target, &kill).await;
    assert!(run(&mut lee, "SELECT 1 AS one").await.is_err());
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
            Step::DropPrincipal { name: name("kim@acme.com") },
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

#[tokio::test]
async fn what_was_undone_outside_is_seen_as_not_in_force() {
    let stage = Stage::dedicated().await;
    let target = stage.target();
    apply(&target, &joiner()).await;
    let mut sa = stage.raw(AuthMethod::sql_server("sa", PASSWORD)).await.unwrap();
    run(&mut sa, "EXEC sp_droprolemember N'axon_reader', N'kim@acme.com'").await.unwrap();
    run(&mut sa, "REVOKE SELECT ON OBJECT::[sales].[orders] ([region]) FROM [axon_reader]").await.unwrap();
    let seen = target.read_back(&Wave::for_test(joiner())).await.unwrap();
    let lost: Vec<String> = joiner()
        .iter()
        .zip(seen)
        .filter(|(_, s)| *s == Seen::NotInForce)
        .map(|(step, _)| step.to_string())
        .collect();
    assert_eq!(
        lost,
        ["add kim@acme.com to role axon_reader", "grant SELECT on sales.orders (id, region) to axon_reader"]
    );
}
