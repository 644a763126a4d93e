//! Against the emulator: what it refuses, what it hides, what breaks, and what others did.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axon_emulator::clock::{Clock as _, MovableClock};
use axon_emulator::faults::{Armed, Fault};
use axon_emulator::pool::Power;
use axon_emulator::pool::other::OtherRow;
use axon_model::SqlName;
use axon_reconcile::target::TokenError;
use axon_reconcile::visitor::{Bearers, uninvited};
use axon_reconcile::{
    GrantKey, GrantState, InspectScope, Outcome, Permission, PrincipalKind, RefusalKind, Securable, Seen,
    Step, Target as _, TargetError, TokenSource, Wave,
};
use axon_synapse::{Auth, Dialect, SynapseTarget};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use crate::ability::Ability;
use crate::ability::Ability::{
    CatalogRows, Clock, ColumnGrants, Dedicated, Deny, Directory, Faults, GrantOption, Logins, Members,
    Numbers, OwnedRoles, PermissionRows, Serverless, Sessions, WideGrants,
};
use crate::named::{kinds, needs};
use crate::stage::{
    ADMIN, PASSWORD, Stage, Who, apply, grant, inspect, joiner, name, orders, outcomes, run, token,
};

fn refusal(outcome: &Outcome) -> (RefusalKind, i64) {
    match outcome {
        Outcome::Refused { refusal, .. } => (refusal.kind, refusal.number),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn refusals_of_the_pool_have_their_kinds() {
    needs(&[Directory]);
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
    needs(&[Ability::Power]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    inspect(&target).await;
    stage.emulator().pool().set_power(Power::Paused);
    stage.emulator().pool().cut_sessions();
    let step = [Step::CreateRole { name: name("axon_late") }];
    let error = target.inspect(InspectScope::Full).await.unwrap_err();
    assert!(matches!(&error, TargetError::Refused { refusal, .. } if refusal.number == 42108), "{error:?}");
    assert_eq!(refusal(&outcomes(&target, &step).await[0]), (RefusalKind::Paused, 42108));
    stage.emulator().pool().set_power(Power::Resuming);
    assert_eq!(refusal(&outcomes(&target, &step).await[0]), (RefusalKind::Busy, 42109));
    stage.emulator().pool().set_power(Power::Online);
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

/// Kim comes and may nothing: what Kim does not see is unknown, and not absent. Then Kim may see definitions.
async fn sees_little(stage: &Stage) -> (SynapseTarget, SynapseTarget) {
    let admin = stage.target();
    let kim = stage.kim();
    stage.comes(&admin, Who::Kim).await;
    apply(&admin, &[Step::CreateRole { name: name("axon_reader") }]).await;
    let target = stage.target_of(Who::Kim);
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
    (admin, target)
}

#[tokio::test]
async fn a_principal_with_few_rights_in_a_serverless_database_knows_that_it_sees_little() {
    needs(&[Serverless, OwnedRoles, Logins, WideGrants, PermissionRows, Numbers]);
    sees_little(&Stage::serverless().await).await;
}

#[tokio::test]
async fn a_principal_with_few_rights_knows_that_it_sees_little() {
    needs(&[Dedicated, OwnedRoles, Logins, WideGrants, PermissionRows, Numbers, Sessions]);
    let stage = Stage::dedicated().await;
    let kim = stage.kim();
    let (admin, target) = sees_little(&stage).await;

    // It would see its own session only, and nobody else's.
    stage.comes(&admin, Who::Lee).await;
    let mut lee = stage.enter(Who::Lee).await.unwrap();
    let kill = [Step::KillSessions { principal: stage.lee() }];
    assert_eq!(refusal(&outcomes(&target, &kill).await[0]), (RefusalKind::Forbidden, 0));
    assert_eq!(target.read_back(&Wave::for_test(kill.to_vec())).await.unwrap(), [Seen::NotInForce]);
    run(&mut lee, "SELECT 1 AS one").await.unwrap();
    let allow =
        |permission| Step::Grant { grantee: kim, permission, on: Securable::Database, columns: vec![] };
    apply(&admin, &[allow(Permission::ViewDatabaseState), allow(Permission::KillDatabaseConnection)]).await;
    inspect(&target).await;
    apply(&target, &kill).await;
    assert!(run(&mut lee, "SELECT 1 AS one").await.is_err());
}

#[tokio::test]
async fn what_was_undone_outside_is_seen_as_not_in_force() {
    needs(&[OwnedRoles, Logins, Members, ColumnGrants, WideGrants, Deny, PermissionRows]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    stage.joins(&target).await;
    let kim = stage.kim();
    let mut sa = stage.enter(Who::Sa).await.unwrap();
    let leave = match stage.dialect() {
        Dialect::Dedicated => format!("EXEC sp_droprolemember N'axon_reader', N'{kim}'"),
        Dialect::Serverless | Dialect::Server => format!("ALTER ROLE [axon_reader] DROP MEMBER [{kim}]"),
    };
    run(&mut sa, &leave).await.unwrap();
    run(&mut sa, "REVOKE SELECT ON OBJECT::[sales].[orders] ([region]) FROM [axon_reader]").await.unwrap();
    let joiner = stage.joiner();
    let seen = target.read_back(&Wave::for_test(joiner.clone())).await.unwrap();
    let lost: Vec<String> = joiner
        .iter()
        .zip(seen)
        .filter(|(_, s)| *s == Seen::NotInForce)
        .map(|(step, _)| step.to_string())
        .collect();
    assert_eq!(
        lost,
        [
            format!("add {kim} to role axon_reader"),
            "grant SELECT on sales.orders (id, region) to axon_reader".to_owned()
        ]
    );
}

#[tokio::test]
async fn a_statement_that_broke_off_is_unknown_and_the_catalog_tells() {
    needs(&[Faults]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    inspect(&target).await;
    for applied in [true, false] {
        let role = name(if applied { "axon_applied" } else { "axon_lost" });
        let matching = Some(role.as_str().to_owned());
        stage.emulator().pool().arm_for(Armed { fault: Fault::Hangup { applied }, times: 1, matching });
        let step = [Step::CreateRole { name: role }];
        let outcome = &outcomes(&target, &step).await[0];
        assert!(
            matches!(outcome, Outcome::Unknown { statements, .. } if statements.len() == 1),
            "{outcome:?}"
        );
        let want = if applied { Seen::InForce } else { Seen::NotInForce };
        assert_eq!(target.read_back(&Wave::for_test(step.to_vec())).await.unwrap(), [want]);
        assert_eq!(inspect(&target).await.graph.roles.contains_key(&role), applied);
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_asked_is_for_later() {
    needs(&[Faults, Directory]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    stage.emulator().pool().arm(Fault::DirectoryDown);
    let create =
        [Step::CreatePrincipal { name: name("kim@acme.com"), kind: PrincipalKind::External, sid: None }];
    assert_eq!(refusal(&outcomes(&target, &create).await[0]), (RefusalKind::DirectoryUnavailable, 33134));
    apply(&target, &create).await;
}

#[tokio::test]
async fn what_another_gave_stays_and_is_told_apart() {
    needs(&[OwnedRoles, Logins, Members, ColumnGrants, WideGrants, Deny, PermissionRows, GrantOption]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    stage.joins(&target).await;
    let who = stage.kim();
    let mut sa = stage.enter(Who::Sa).await.unwrap();
    run(&mut sa, &format!("GRANT SELECT ON SCHEMA::[sales] TO [{who}] WITH GRANT OPTION")).await.unwrap();
    let mut kim = stage.enter(Who::Kim).await.unwrap();
    run(&mut kim, "GRANT SELECT ON SCHEMA::[sales] TO [axon_reader]").await.unwrap();

    let key = |grantee: SqlName| GrantKey {
        grantee,
        securable: Securable::Schema(name("sales")),
        permission: Permission::Select,
    };
    let graph = inspect(&target).await.graph;
    assert_eq!(graph.grants[&key(who)].state, GrantState::GrantWithOption);
    let foreign = &graph.grants[&key(name("axon_reader"))];
    assert!(!foreign.own_row);
    assert_eq!(foreign.foreign_grantors, [who]);

    // CASCADE takes what was grantable, and with it what was granted on.
    let revoke = Step::Revoke {
        grantee: who,
        permission: Permission::Select,
        on: Securable::Schema(name("sales")),
        columns: vec![],
        was: GrantState::GrantWithOption,
    };
    apply(&target, &[revoke]).await;
    let graph = inspect(&target).await.graph;
    assert!(!graph.grants.contains_key(&key(who)) && !graph.grants.contains_key(&key(name("axon_reader"))));
}

#[tokio::test]
async fn a_column_taken_out_of_a_grant_is_read_and_mended() {
    needs(&[OwnedRoles, ColumnGrants, PermissionRows]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    let role = name("axon_reader");
    apply(
        &target,
        &[Step::CreateRole { name: role }, grant(Permission::Select, Securable::Object(orders()), &[])],
    )
    .await;
    let without = Step::Revoke {
        grantee: role,
        permission: Permission::Select,
        on: Securable::Object(orders()),
        columns: vec![name("amount")],
        was: GrantState::Grant,
    };
    apply(&target, &[without]).await;
    let of_role = "sys.database_permissions p JOIN sys.database_principals u \
                   ON u.principal_id = p.grantee_principal_id WHERE p.type = 'SL' AND u.name = 'axon_reader'";
    let states = stage.catalog(&format!("SELECT p.state FROM {of_role} ORDER BY p.minor_id")).await;
    assert_eq!(states, ["G", "R"]);
    let seen = inspect(&target).await;
    assert_eq!(seen.unseen, Vec::<String>::new());
    let of: Vec<(Securable, bool)> =
        seen.graph.grants_of(role).map(|(key, row)| (key.securable, row.leaves_out)).collect();
    assert_eq!(of, [(Securable::Object(orders()), true)]);

    // The map asks for the whole: it is given again, and holds for the column, too.
    let again = grant(Permission::Select, Securable::Object(orders()), &[]);
    let there = target.read_back(&axon_reconcile::Wave::for_test(vec![again.clone()])).await.unwrap();
    assert_eq!(there, [axon_reconcile::Seen::NotInForce]);
    let actual = seen.graph;
    let mut desired = actual.clone();
    for row in desired.grants.values_mut() {
        row.leaves_out = false;
    }
    let managed = axon_reconcile::ManagedPrincipals::External;
    let scope = axon_reconcile::Scope {
        roles: vec![axon_reconcile::Glob::new("axon_*")],
        named_roles: std::collections::BTreeSet::new(),
        given: std::collections::BTreeSet::new(),
        schemas: vec![],
        principals: managed,
        untouchable: std::collections::BTreeSet::new(),
    };
    let sides = axon_reconcile::Sides { desired, actual, scope };
    let planned: Vec<Step> = axon_reconcile::plan(&sides).steps.into_iter().map(|p| p.step).collect();
    assert_eq!(planned, [again]);
    apply(&target, &planned).await;
    assert!(inspect(&target).await.graph.grants_of(role).all(|(_, row)| !row.leaves_out));
    let states = stage.catalog(&format!("SELECT p.state FROM {of_role}")).await;
    assert_eq!(states, ["G"]);
}

/// Tokens that end a minute after they were issued, until the well gives no new one.
#[derive(Debug)]
struct ShortTokens {
    clock: Arc<MovableClock>,
    dry: AtomicBool,
    last: Mutex<String>,
    shown: AtomicU32,
}

#[async_trait]
impl TokenSource for ShortTokens {
    async fn token(&self) -> Result<SecretString, TokenError> {
        self.shown.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap();
        if !self.dry.load(Ordering::Relaxed) {
            let until = self.clock.now().unix_timestamp() + 60;
            let claims = URL_SAFE_NO_PAD.encode(format!("{{\"upn\":\"admin@acme.com\",\"exp\":{until}}}"));
            *last = format!("eyJhbGciOiJub25lIn0.{claims}.");
        }
        Ok(SecretString::from(last.clone()))
    }
}

#[tokio::test]
async fn a_token_that_ends_while_axon_works_stops_nothing_and_the_next_login_shows_a_new_one() {
    needs(&[Clock]);
    let stage = Stage::dedicated().await;
    let tokens = Arc::new(ShortTokens {
        clock: stage.clock().clone(),
        dry: AtomicBool::new(false),
        last: Mutex::default(),
        shown: AtomicU32::new(0),
    });
    let target = stage.target_as(Auth::Token(tokens.clone()));
    let create = |role: &str| [Step::CreateRole { name: name(role) }];
    apply(&target, &create("axon_a")).await;
    let logins = tokens.shown.load(Ordering::Relaxed);
    assert!(stage.clock().advance(120));
    apply(&target, &create("axon_b")).await;
    assert_eq!(
        tokens.shown.load(Ordering::Relaxed),
        logins,
        "a connection that stands goes on after its token's end"
    );

    // The connection is lost: what comes next is a login with a token of its own.
    stage.emulator().pool().cut_sessions();
    inspect(&target).await;
    assert!(tokens.shown.load(Ordering::Relaxed) > logins);
    apply(&target, &create("axon_c")).await;

    // Nobody gives a new one: the old one is refused, told, and nothing is done until there is one again.
    tokens.dry.store(true, Ordering::Relaxed);
    assert!(stage.clock().advance(120));
    stage.emulator().pool().cut_sessions();
    let error = target.inspect(InspectScope::Full).await.unwrap_err();
    assert!(matches!(&error, TargetError::Refused { refusal, .. } if refusal.number == 18456), "{error:?}");
    tokens.dry.store(false, Ordering::Relaxed);
    let roles = inspect(&target).await.graph.roles;
    assert!(["axon_a", "axon_b", "axon_c"].iter().all(|role| roles.contains_key(&name(role))));
}

/// What is on a thing of a class that no statement speaks of is read with all that the catalog says of it.
#[tokio::test]
async fn what_is_on_a_certificate_or_a_type_is_read_and_named() {
    needs(&[CatalogRows]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    apply(&target, &joiner()).await;
    for (class, id, permission, held) in [
        (25, 257, "CONTROL", "GRANT"),
        (6, 7, "REFERENCES", "GRANT WITH GRANT OPTION"),
        (77, 3, "ALTER", "DENY"),
    ] {
        let (grantee, grantor) = ("kim@acme.com".to_owned(), "dbo".to_owned());
        let permission = permission.to_owned();
        stage
            .emulator()
            .pool()
            .put_other(&OtherRow { grantee, grantor, class, id, permission, state: held.to_owned() })
            .unwrap();
    }
    let of = |seen: &axon_reconcile::Inspection| -> Vec<String> {
        let held = seen.graph.grants_of(name("kim@acme.com"));
        held.map(|(key, row)| format!("{} {} on {}", row.state, key.permission, key.securable)).collect()
    };
    let all = [
        "GRANT WITH GRANT OPTION REFERENCES on type with id 7",
        "GRANT CONTROL on certificate with id 257",
        "DENY ALTER on thing with id 3 of class 77",
    ];
    let seen = inspect(&target).await;
    assert_eq!(of(&seen), all);
    assert_eq!(seen.unseen, Vec::<String>::new());
    let named = target.inspect(InspectScope::Principals(vec![name("kim@acme.com")])).await.unwrap();
    assert_eq!(of(&named), all, "a look by name finds them, too");

    // Not wanted: each is named with its remedy, and nothing is sent about it.
    let mut desired = seen.graph.clone();
    desired.grants.retain(|key, _| !matches!(key.securable, Securable::Other(_)));
    let scope = axon_reconcile::Scope {
        roles: vec![axon_reconcile::Glob::new("axon_*")],
        named_roles: std::collections::BTreeSet::new(),
        given: std::collections::BTreeSet::new(),
        schemas: vec![],
        principals: axon_reconcile::ManagedPrincipals::External,
        untouchable: std::collections::BTreeSet::new(),
    };
    let sides = axon_reconcile::Sides { desired, actual: seen.graph, scope };
    let plan = axon_reconcile::plan(&sides);
    assert_eq!(plan.steps.len(), 0, "{plan}");
    let told: Vec<String> = plan.findings.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(
        told[0],
        "GRANT WITH GRANT OPTION REFERENCES on type with id 7 to kim@acme.com: Axon sends no statement about things of this class, \
         revoke it by hand"
    );
    // Shut out for good, kim keeps what denies and what is named; the drop takes all of it.
    let mut desired = sides.desired.clone();
    desired.principals.remove(&name("kim@acme.com"));
    desired.members.retain(|member| member.member != name("kim@acme.com"));
    let left = axon_reconcile::plan(&axon_reconcile::Sides { desired, ..sides });
    assert!(left.steps.iter().any(|p| matches!(p.step, Step::DenyConnect { .. })), "{left}");
    let told: Vec<String> = left.findings.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[1].starts_with("GRANT CONTROL on certificate with id 257 to kim@acme.com"), "{told:?}");
    assert!(told[2].starts_with("kim@acme.com is shut out and still in mediumrc"), "{told:?}");
    apply(&target, &[Step::DropPrincipal { name: name("kim@acme.com"), sid: None }]).await;
    assert_eq!(
        stage.catalog("SELECT permission_name FROM sys.database_permissions WHERE class > 4").await,
        [""; 0]
    );
}

/// A connection to the pool that gives up soon.
fn impatient(stage: &Stage) -> SynapseTarget {
    let mut connection = stage.connection(token(ADMIN));
    connection.command_timeout = Duration::from_millis(300);
    SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap()
}

fn hang(stage: &Stage, text: &str) {
    stage.emulator().pool().arm_for(Armed {
        fault: Fault::Latency(Duration::from_mins(10)),
        times: 1,
        matching: Some(text.to_owned()),
    });
}

#[tokio::test]
async fn a_hanging_statement_is_given_up_by_an_attention_and_the_catalog_tells_what_became_of_it() {
    needs(&[Faults]);
    let stage = Stage::dedicated().await;
    let target = impatient(&stage);
    hang(&stage, "CREATE ROLE [axon_slow]");
    let steps = [Step::CreateRole { name: name("axon_slow") }, Step::CreateRole { name: name("axon_next") }];
    let got = outcomes(&target, &steps).await;
    let Outcome::Unknown { reason, statements } = &got[0] else { panic!("{got:?}") };
    // Only a DONE with the attention's bit says so: the server stopped, it did not lose a client.
    assert!(reason.contains("told to stop, the server did;"), "{reason}");
    assert_eq!(statements.len(), 1, "it was sent, so it may have been done");
    assert_eq!(got[1], Outcome::NotTried);
    let seen = target.read_back(&Wave::for_test(steps.to_vec())).await.unwrap();
    assert_eq!(seen, [Seen::NotInForce, Seen::NotInForce]);
    apply(&target, &steps).await;
}

#[tokio::test]
async fn a_hanging_read_is_given_up_and_the_next_call_has_a_connection_of_its_own() {
    needs(&[Faults]);
    let stage = Stage::dedicated().await;
    let target = impatient(&stage);
    inspect(&target).await;
    hang(&stage, "sys.database_permissions");
    let error = target.inspect(InspectScope::Full).await.unwrap_err();
    let TargetError::Unreachable { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("no answer within 0.3 s; told to stop, the server did;"), "{reason}");
    inspect(&target).await;
}

#[tokio::test]
async fn a_session_that_outlived_its_user_is_found_by_its_login_and_ended_by_its_id() {
    needs(&[Logins, PermissionRows, Sessions]);
    for kind in kinds() {
        let stage = Stage::of(kind).await;
        let target = stage.target();
        let kim = stage.kim();
        stage.comes(&target, Who::Kim).await;
        let mut session = stage.enter(Who::Kim).await.unwrap();
        inspect(&target).await;
        let stranger = async || {
            let visitors = target.visitors().await.unwrap().unwrap();
            let found = uninvited(&inspect(&target).await.graph, &visitors, &Bearers::new()).strangers;
            found.into_iter().find(|(login, _)| *login == kim)
        };
        assert_eq!(stranger().await, None, "the user is there");
        let mut sa = stage.enter(Who::Sa).await.unwrap();
        run(&mut sa, &format!("DROP USER [{kim}]")).await.unwrap();
        let (_, sid) = stranger().await.unwrap();
        // Nobody has the name: who tells an id may be another person.
        apply(&target, &[Step::KillSessions { principal: kim }]).await;
        assert!(stranger().await.is_some(), "{kind:?}");
        let kill = [Step::KillFormer { principal: kim, sid }];
        assert_eq!(target.read_back(&Wave::for_test(kill.to_vec())).await.unwrap(), [Seen::NotInForce]);
        apply(&target, &kill).await;
        assert!(run(&mut session, "SELECT 1 AS one").await.is_err());
        assert_eq!(stranger().await, None);
    }
}
