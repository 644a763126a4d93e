//! A serverless pool's server: logins, its own roles, permissions of logins, credentials; and what a lake database refuses.

use axon_emulator::PoolKind;
use axon_reconcile::{
    Connect, Outcome, Permission, PrincipalKind, RefusalKind, Securable, Seen, Step, Target as _, Wave,
};
use axon_synapse::{Dialect, SynapseTarget};
use tiberius::AuthMethod;

use crate::ability::Ability::{
    Brackets, Credentials, Directory, OwnedRoles, PermissionRows, Personality, Serverless,
};
use crate::named::needs;
use crate::stage::{
    ADMIN, KIM, PASSWORD, Raw, Stage, Who, apply, inspect, kim_sid, name, outcomes, run, token,
};

const RAW: &str = "https://acme.dfs.core.windows.net/raw";

pub fn server(stage: &Stage) -> SynapseTarget {
    let connection =
        axon_synapse::Connection { database: name("Master"), ..stage.connection(stage.place().admin.auth()) };
    SynapseTarget::new("logins", Dialect::Serverless, connection).unwrap()
}

async fn sa_in_master(stage: &Stage) -> Raw {
    stage.raw_in("master", AuthMethod::sql_server("sa", PASSWORD)).await.unwrap()
}

fn grant(permission: Permission, on: Securable) -> Step {
    Step::Grant { grantee: name("kim@acme.com"), permission, on, columns: vec![] }
}

fn lines(target: &axon_reconcile::Inspection) -> Vec<String> {
    let grants = target.graph.grants_of(name("kim@acme.com"));
    grants.map(|(key, grant)| format!("{} {} on {}", grant.state, key.permission, key.securable)).collect()
}

#[tokio::test]
async fn a_login_comes_reads_every_database_and_leaves() {
    needs(&[Directory]);
    let stage = Stage::serverless().await;
    let mut sa = sa_in_master(&stage).await;
    run(&mut sa, &format!("CREATE CREDENTIAL [{RAW}] WITH IDENTITY = 'Managed Identity'")).await.unwrap();
    let target = server(&stage);
    assert_eq!(target.dialect(), Dialect::Server);
    let before = inspect(&target).await;
    assert_eq!(before.unseen, Vec::<String>::new());
    assert_eq!(before.facts.own_principal, name("admin@acme.com"));
    assert!(before.facts.administrators.contains(&name("sa")), "{:?}", before.facts.administrators);
    assert!(before.graph.roles.values().all(|role| role.fixed), "{:?}", before.graph.roles);
    assert!(before.shape.holds(&Securable::Credential(name(RAW))));
    assert!(!before.shape.holds(&Securable::Credential(name("none"))));

    let joins = [
        Step::CreatePrincipal { name: name("kim@acme.com"), kind: PrincipalKind::External, sid: kim_sid() },
        grant(Permission::ConnectAnyDatabase, Securable::Server),
        grant(Permission::SelectAllUserSecurables, Securable::Server),
        grant(Permission::References, Securable::Credential(name(RAW))),
        Step::AddMember { role: name("sysadmin"), member: name("kim@acme.com") },
        Step::DropMember { role: name("sysadmin"), member: name("kim@acme.com") },
    ];
    apply(&target, &joins[..5]).await;
    apply(&target, &joins[5..]).await;
    let after = inspect(&target).await;
    let kim = &after.graph.principals[&name("kim@acme.com")];
    assert_eq!((kim.kind, &kim.sid, kim.connect), (PrincipalKind::External, &kim_sid(), Connect::Granted));
    assert_eq!(
        lines(&after),
        [
            "GRANT CONNECT ANY DATABASE on server",
            "GRANT SELECT ALL USER SECURABLES on server",
            &format!("GRANT REFERENCES on credential::[{RAW}]"),
        ]
    );
    assert!(after.graph.grants_of(name("kim@acme.com")).all(|(_, grant)| grant.own_row));

    // The effect, not the row: kim has no user in the database and reads there.
    let mut kim = stage.enter(Who::Kim).await.unwrap();
    assert_eq!(run(&mut kim, "SELECT id FROM sales.orders").await.unwrap().len(), 1);

    let leaves = [
        Step::DenyConnect { principal: name("kim@acme.com") },
        Step::Revoke {
            grantee: name("kim@acme.com"),
            permission: Permission::ConnectAnyDatabase,
            on: Securable::Server,
            columns: vec![],
            was: axon_reconcile::GrantState::Grant,
        },
    ];
    apply(&target, &leaves).await;
    let drop_login = [Step::DropPrincipal { name: name("kim@acme.com"), sid: None }];
    let refused = outcomes(&target, &drop_login).await;
    assert!(
        matches!(&refused[0], Outcome::Refused { refusal, .. } if refusal.kind == RefusalKind::Blocked),
        "a login that is in cannot be dropped: {refused:?}"
    );
    apply(&target, &[Step::KillSessions { principal: name("kim@acme.com") }]).await;
    assert!(run(&mut kim, "SELECT 1").await.is_err(), "the session was killed");
    assert!(stage.enter(Who::Kim).await.is_err(), "and does not come back");
    apply(&target, &drop_login).await;
    assert_eq!(inspect(&target).await.graph, before.graph);
}

#[tokio::test]
async fn what_a_server_does_not_have_is_refused_before_anything_is_sent() {
    needs(&[Serverless]);
    let stage = Stage::serverless().await;
    let target = server(&stage);
    let orders = Securable::Object(crate::stage::orders());
    for step in [
        Step::CreateRole { name: name("axon_reader") },
        Step::DropRole { name: name("sysadmin") },
        grant(Permission::Select, orders),
        grant(Permission::Select, Securable::Database),
    ] {
        assert!(target.lacks(&step).is_some(), "{step}");
        match &outcomes(&target, std::slice::from_ref(&step)).await[0] {
            Outcome::Refused { statements, refusal } => {
                assert!(statements.is_empty(), "{step}");
                assert_eq!(refusal.kind, RefusalKind::Unsupported, "{step}");
            }
            other => panic!("{step}: {other:?}"),
        }
    }
    let database = stage.target();
    assert!(database.lacks(&grant(Permission::ConnectAnyDatabase, Securable::Server)).is_some());
    assert_eq!(database.lacks(&grant(Permission::References, Securable::Credential(name("lake")))), None);
}

#[tokio::test]
async fn a_credential_of_a_database_is_given_and_read_back() {
    needs(&[Serverless, OwnedRoles, Credentials, Brackets, PermissionRows]);
    let stage = Stage::serverless().await;
    let mut sa = stage.enter(Who::Sa).await.unwrap();
    for statement in [
        "CREATE DATABASE SCOPED CREDENTIAL [la]]ke] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'x'",
        "CREATE ROLE other",
        "GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::[la]]ke] TO other",
    ] {
        run(&mut sa, statement).await.unwrap();
    }
    let target = stage.target();
    let on = Securable::Credential(name("la]ke"));
    let steps = [
        Step::CreateRole { name: name("axon_reader") },
        Step::Grant { grantee: name("axon_reader"), permission: Permission::References, on, columns: vec![] },
    ];
    apply(&target, &steps).await;
    let seen = inspect(&target).await;
    assert_eq!(seen.unseen, Vec::<String>::new());
    assert!(seen.shape.holds(&on) && !seen.shape.holds(&Securable::Credential(name("lake"))));
    for who in ["axon_reader", "other"] {
        let of: Vec<_> = seen.graph.grants_of(name(who)).map(|(key, _)| key.securable).collect();
        assert_eq!(of, [on], "{who}");
    }
    assert!(target.untold().await.unwrap().iter().all(|more| !more.what.contains("CREDENTIAL")));
    let revoke = Step::Revoke {
        grantee: name("axon_reader"),
        permission: Permission::References,
        on,
        columns: vec![],
        was: axon_reconcile::GrantState::Grant,
    };
    apply(&target, &[revoke]).await;
}

#[tokio::test]
async fn an_unprivileged_login_knows_that_it_sees_little_of_the_server() {
    needs(&[Directory]);
    let stage = Stage::serverless().await;
    let mut sa = sa_in_master(&stage).await;
    let create =
        Step::CreatePrincipal { name: name("kim@acme.com"), kind: PrincipalKind::External, sid: None };
    apply(&server(&stage), &[create]).await;
    let connection = axon_synapse::Connection { database: name("master"), ..stage.connection(token(KIM)) };
    let target = SynapseTarget::new("logins", Dialect::Serverless, connection).unwrap();
    let seen = inspect(&target).await;
    assert!(seen.unseen.iter().any(|line| line.contains("VIEW ANY DEFINITION")), "{:?}", seen.unseen);
    run(&mut sa, "GRANT VIEW ANY DEFINITION TO [kim@acme.com]").await.unwrap();
    assert_eq!(inspect(&target).await.unseen, Vec::<String>::new());
    let lacks: Vec<String> = axon_synapse::lacking(&inspect(&target).await, name("master"), target.dialect())
        .into_iter()
        .map(|lack| lack.remedy.into_string())
        .collect();
    assert_eq!(
        lacks,
        [
            "GRANT ALTER ANY LOGIN TO [kim@acme.com]",
            "GRANT VIEW SERVER STATE TO [kim@acme.com]",
            "ALTER SERVER ROLE [sysadmin] ADD MEMBER [kim@acme.com]"
        ]
    );
}

#[tokio::test]
async fn a_lake_database_is_known_by_its_probe_and_takes_nothing() {
    needs(&[Personality]);
    let stage = Stage::lake().await;
    let target = stage.target();
    inspect(&target).await;
    let create =
        Step::CreatePrincipal { name: name("kim@acme.com"), kind: PrincipalKind::External, sid: None };
    assert_eq!(target.lacks(&create), None, "nothing is known before it was asked");
    let kept = target.acquaint(None).await.unwrap().unwrap();
    let why = target.lacks(&create).unwrap();
    assert!(why.contains("lake database"), "{why}");
    // What was remembered says the same to the next process.
    let again = stage.target();
    assert_eq!(again.acquaint(Some(kept)).await.unwrap(), None);
    assert_eq!(again.lacks(&create), Some(why));
    // An administrator who knows better is believed.
    let told =
        stage.target().saying([("own-metadata".to_owned(), true), ("external-user".to_owned(), true)].into());
    told.acquaint(None).await.unwrap();
    assert_eq!(told.lacks(&create), None);
    let wave = Wave::for_test(vec![create]);
    assert!(matches!(&told.apply(&wave).await[0], Outcome::Refused { .. }));
    assert_eq!(told.read_back(&wave).await.unwrap(), [Seen::NotInForce]);
    assert_eq!(PoolKind::Serverless, stage.kind());
}

/// A user that somebody made for a login is the person's user: nothing is made beside it, and it is given to and dropped as others are.
#[tokio::test]
async fn a_user_that_was_made_from_a_login_is_the_person_s() {
    needs(&[Directory]);
    let stage = Stage::serverless().await;
    let mut master = stage.raw_in("master", AuthMethod::aad_token(ADMIN)).await.unwrap();
    run(&mut master, "CREATE LOGIN [kim@acme.com] FROM EXTERNAL PROVIDER").await.unwrap();
    let mut raw = stage.enter(Who::Admin).await.unwrap();
    run(&mut raw, "CREATE USER [kim@acme.com] FROM LOGIN [kim@acme.com]").await.unwrap();
    let target = stage.target();
    let seen = inspect(&target).await;
    let kim = &seen.graph.principals[&name("kim@acme.com")];
    assert_eq!((kim.kind, kim.sid.clone()), (PrincipalKind::External, kim_sid()));
    let mut wanted = axon_reconcile::Graph::default();
    let principal = axon_reconcile::Principal { created: None, ..kim.clone() };
    wanted.principals.insert(name("kim@acme.com"), principal);
    wanted.roles.insert(name("axon_reader"), axon_reconcile::Role::default());
    let in_role = axon_reconcile::Membership { role: name("axon_reader"), member: name("kim@acme.com") };
    wanted.members.insert(in_role);
    let scope = axon_reconcile::Scope {
        roles: vec![axon_reconcile::Glob::new("axon_*")],
        named_roles: std::collections::BTreeSet::new(),
        given: std::collections::BTreeSet::new(),
        schemas: vec![],
        principals: axon_reconcile::ManagedPrincipals::Mapped([name("kim@acme.com")].into()),
        untouchable: std::collections::BTreeSet::new(),
    };
    let sides = axon_reconcile::Sides { desired: wanted, actual: seen.graph, scope };
    let steps: Vec<Step> = axon_reconcile::plan(&sides).steps.into_iter().map(|p| p.step).collect();
    let told: Vec<String> = steps.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["create role axon_reader", "add kim@acme.com to role axon_reader"]);
    apply(&target, &steps).await;
    assert!(inspect(&target).await.graph.members.contains(&in_role));
    let shut = Step::DenyConnect { principal: name("kim@acme.com") };
    apply(&target, &[shut, Step::DropPrincipal { name: name("kim@acme.com"), sid: None }]).await;
    assert!(!inspect(&target).await.graph.principals.contains_key(&name("kim@acme.com")));
}
