use axon_model::ManualClock;
use axon_reconcile::{InspectScope, Target as _};
use serde_json::Value;

use super::*;
use crate::testing::fake::{Fake, State, desired, id, name};
use crate::testing::story::{applied, planned, steps};
use crate::testing::{Reply, Static, clock};

const NOW: time::OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);
const FACTORY: &str = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/data/providers/Microsoft.DataFactory/factories/acme";
const SUBSCRIPTION: &str = "/subscriptions/11111111-2222-3333-4444-555555555555";
/// The list of the whole subscription.
const COUNT: &str =
    "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.Authorization/roleAssignments";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const FACTORY_CONTRIBUTOR: &str = "673868aa-7521-48a0-acc6-0f60742d39f5";
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

fn definition(id: &str, name: &str, kind: &str) -> Value {
    json!({"name": id, "id": format!("/x/{id}"), "properties": {"roleName": name, "type": kind,
        "permissions": [{"actions": ["*/read"], "notActions": []}], "assignableScopes": ["/"]}})
}

fn row(n: u32, role: &str, principal: &str, scope: &str) -> Value {
    let id = id('e', n);
    json!({"name": id, "id": format!("{scope}/{ASSIGNMENTS}/{id}"), "properties": {
        "roleDefinitionId": format!("{SUBSCRIPTION}/{DEFINITIONS}/{role}"), "principalId": principal,
        "principalType": "User", "scope": scope, "createdOn": "2025-01-01T00:00:00Z"}})
}

fn state() -> State {
    State {
        users: vec![(id('a', 1), "kim@acme.com".into()), (id('a', 2), "ana@acme.com".into())],
        groups: vec![(id('b', 1), "SG-Data".into()), (id('b', 2), "SG-Ops".into())],
        services: vec![(id('c', 1), id('d', 1), "loader".into())],
        definitions: vec![
            definition(READER, "Reader", "BuiltInRole"),
            definition(FACTORY_CONTRIBUTOR, "Data Factory Contributor", "BuiltInRole"),
            definition(OWNER, "Owner", "BuiltInRole"),
            definition(&id('f', 1), "House Reader", "CustomRole"),
            definition(&id('f', 2), "Twice", "CustomRole"),
            definition(&id('f', 3), "twice", "CustomRole"),
            definition(&id('f', 4), "READER", "CustomRole"),
        ],
        assignments: vec![
            row(1, READER, &id('a', 2), &FACTORY.to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions")),
            row(2, READER, &id('a', 1), SUBSCRIPTION),
            row(3, OWNER, &id('b', 2), SUBSCRIPTION),
            row(4, READER, &id('a', 99), FACTORY),
        ],
        ..State::default()
    }
}

fn operator() -> CustomRole {
    let actions = [
        "Microsoft.DataFactory/factories/read",
        "Microsoft.DataFactory/factories/pipelines/createRun/action",
        "Microsoft.DataFactory/factories/pipelineruns/cancel/action",
    ];
    let actions = actions.map(str::to_owned).to_vec();
    CustomRole::new(actions, Vec::new(), Vec::new(), Vec::new(), "Runs and cancels".into()).unwrap()
}

fn parts(fake: &Fake, clock: Arc<ManualClock>) -> ArmParts {
    ArmParts {
        arm: fake.server.base().clone(),
        scope: FACTORY.into(),
        custom: [(name("Factory Operator"), operator())].into(),
        elsewhere: BTreeSet::new(),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        entra: Some(fake.entra(clock.clone())),
        clock,
    }
}

fn target(fake: &Fake, clock: Arc<ManualClock>) -> AssignedTarget {
    azure_rbac("factory", parts(fake, clock)).unwrap()
}

#[tokio::test]
async fn built_in_and_custom_roles_are_assigned_by_name_and_inherited_rows_stay() {
    let fake = Fake::start(state()).await;
    let target = target(&fake, clock(NOW));
    let mut wanted = desired(
        &[("SG-Data", None), ("kim@acme.com", Some(&id('a', 1))), ("loader", Some(&id('d', 1)))],
        &[
            ("Reader", "SG-Data"),
            ("data factory contributor", "SG-Data"),
            ("Factory Operator", "kim@acme.com"),
            ("House Reader", "loader"),
        ],
    );
    wanted.roles.insert(name("Factory Operator"), axon_reconcile::Role::default());
    let (plan, unseen) = planned(&target, &wanted, &[]).await;
    insta::assert_snapshot!("plan", format!("{plan}{}", unseen.join("\n")));
    fake.server.forget();
    let told = applied(&target, steps(&plan)).await;
    assert!(told.iter().all(|line| line.ends_with("-> done; there")), "{told:#?}");
    insta::assert_snapshot!("requests", fake.server.golden());
    let (plan, _) = planned(&target, &wanted, &[]).await;
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(fake.state().assignments.len(), 6, "the two inherited rows and four of ours");
}

#[tokio::test]
async fn a_custom_role_that_somebody_changed_is_made_again() {
    let fake = Fake::start(state()).await;
    let target = target(&fake, clock(NOW));
    let mut wanted = desired(&[("kim@acme.com", None)], &[("Factory Operator", "kim@acme.com")]);
    wanted.roles.insert(name("Factory Operator"), axon_reconcile::Role::default());
    let (plan, _) = planned(&target, &wanted, &[]).await;
    applied(&target, steps(&plan)).await;
    let made = fake.state().definitions.last().cloned().unwrap();
    fake.state().definitions.last_mut().unwrap()["properties"]["permissions"][0]["actions"] = json!(["*"]);
    let clock = clock(NOW);
    let (plan, _) = planned(&azure_rbac("factory", parts(&fake, clock)).unwrap(), &wanted, &[]).await;
    assert_eq!(plan.to_string(), "1. create role Factory Operator\n");
    assert_eq!(made["properties"]["assignableScopes"][0], format!("{SUBSCRIPTION}/resourceGroups/data"));
}

#[tokio::test]
async fn a_name_of_the_workspace_of_nobody_and_of_two_roles_are_told_apart() {
    let fake = Fake::start(state()).await;
    let target = target(&fake, clock(NOW));
    let wanted = desired(
        &[("SG-Data", None)],
        &[
            ("Synapse Administrator", "SG-Data"),
            ("Gardener", "SG-Data"),
            ("Twice", "SG-Data"),
            ("Reader", "SG-Data"),
        ],
    );
    let (plan, unseen) = planned(&target, &wanted, &[]).await;
    insta::assert_snapshot!("names", format!("{plan}{}", unseen.join("\n")));
}

#[tokio::test]
async fn refusals_are_understood() {
    let cases = [
        ("exists", 409, "RoleAssignmentExists", "The role assignment already exists."),
        (
            "reused",
            400,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        ),
        ("new principal", 400, "PrincipalNotFound", "Principal x does not exist in the directory y."),
        (
            "not allowed",
            403,
            "AuthorizationFailed",
            "does not have authorization or an ABAC condition not fulfilled to perform action",
        ),
        ("full", 400, "RoleAssignmentLimitExceeded", "The role assignment limit is exceeded."),
        ("tenant", 401, "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer"),
        ("subscription", 404, "SubscriptionNotFound", "The subscription could not be found."),
        ("busy", 500, "InternalServerError", ""),
    ];
    let mut lines = Vec::new();
    for (what, status, code, message) in cases {
        let fake = Fake::start(state()).await;
        let target = target(&fake, clock(NOW));
        let wanted =
            desired(&[("SG-Data", None), ("SG-Ops", None)], &[("Reader", "SG-Data"), ("Reader", "SG-Ops")]);
        let (plan, _) = planned(&target, &wanted, &[]).await;
        let body = json!({"error": {"code": code, "message": message}}).to_string();
        fake.state().faults.push(("PUT ", Reply::status(status, &body)));
        let gives = steps(&plan).into_iter().filter(axon_reconcile::Step::gives).collect();
        let told = applied(&target, gives).await;
        lines.push(format!("{what}: {}", told.join(" | ")));
    }
    insta::assert_snapshot!("refusals", lines.join("\n"));
}

#[tokio::test]
async fn a_principal_that_is_not_there_yet_is_asked_for_again() {
    let fake = Fake::start(state()).await;
    let clock = clock(NOW);
    let target = target(&fake, clock.clone());
    let wanted = desired(&[("SG-Data", None)], &[("Reader", "SG-Data")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    let body =
        r#"{"error":{"code":"PrincipalNotFound","message":"Principal does not exist in the directory"}}"#;
    fake.state().faults.push(("PUT ", Reply::status(400, body)));
    let gives: Vec<_> = steps(&plan).into_iter().filter(axon_reconcile::Step::gives).collect();
    let told = applied(&target, gives.clone()).await;
    assert!(told[0].contains("DirectoryUnknown"), "{told:?}");
    fake.state().faults.clear();
    // Made anew meanwhile: the same name is another object.
    fake.state().groups[0].0 = id('b', 7);
    target.introduce(&wanted).await.unwrap();
    target.inspect(InspectScope::Full).await.unwrap();
    applied(&target, gives).await;
    assert!(fake.state().assignments.iter().any(|r| r["properties"]["principalId"] == id('b', 7).as_str()));
}

#[tokio::test]
async fn pages_are_followed_on_the_same_address_only() {
    let fake = Fake::start(State {
        page: 2,
        assignments: (0..7).map(|n| row(n, READER, &id('a', 1000 + n), FACTORY)).collect(),
        ..state()
    })
    .await;
    let seen = target(&fake, clock(NOW)).inspect(InspectScope::Full).await.unwrap();
    assert_eq!(seen.graph.members.len(), 7);
    let elsewhere = json!({"value": [], "nextLink": "https://evil.example/subscriptions"}).to_string();
    fake.state().faults.push(("roleAssignments?api-version=2022-04-01&$filter", Reply::ok(&elsewhere)));
    let error = target(&fake, clock(NOW)).inspect(InspectScope::Full).await.unwrap_err().to_string();
    assert!(error.contains("at another address: it is not followed"), "{error}");
}

#[tokio::test]
async fn a_spent_allowance_is_waited_for_and_the_limit_is_watched() {
    let rows =
        (0..3_500).map(|n| row(n, READER, &id('a', n), &format!("{SUBSCRIPTION}/resourceGroups/r{n}")));
    let fake = Fake::start(State { assignments: rows.collect(), ..state() }).await;
    let clock = clock(NOW);
    let target = target(&fake, clock.clone());
    let seen = target.inspect(InspectScope::Full).await.unwrap();
    let limit = target.advice();
    assert!(limit.len() == 1 && limit[0].contains("has 3500 of 4000 role assignments"), "{limit:?}");
    assert!(!seen.unseen.iter().any(|line| line.contains("4000")), "{:?}", seen.unseen);
    fake.server.forget();
    target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(fake.lines().len(), 1, "the subscription is counted once an hour: {:?}", fake.lines());
    let wanted =
        desired(&[("SG-Data", None), ("SG-Ops", None)], &[("Reader", "SG-Data"), ("Reader", "SG-Ops")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    let spent = row(9_999, READER, &id('b', 1), FACTORY).to_string();
    let reply = Reply::status(201, &spent).header("x-ms-ratelimit-remaining-subscription-writes", "0");
    fake.state().faults.push(("PUT ", reply));
    fake.server.forget();
    let told = applied(&target, steps(&plan)).await;
    assert!(told[0].contains("-> done") && told[1].contains("refused, Busy"), "{told:?}");
    assert_eq!(fake.lines().iter().filter(|l| l.starts_with("PUT")).count(), 1);
}

#[tokio::test]
async fn a_count_that_cannot_be_had_is_told_and_hides_nothing_of_the_scope() {
    let fake = Fake::start(state()).await;
    let target = target(&fake, clock(NOW));
    let sighted = target.inspect(InspectScope::Full).await.unwrap().unseen;
    assert_eq!(target.advice(), Vec::<String>::new(), "far from the limit nothing is told");
    let body = r#"{"error":{"code":"AuthorizationFailed","message":"does not have authorization"}}"#;
    fake.state().faults.push((COUNT, Reply::status(403, body)));
    let target = azure_rbac("factory", parts(&fake, clock(NOW))).unwrap();
    assert_eq!(target.inspect(InspectScope::Full).await.unwrap().unseen, sighted);
    let told = target.advice();
    assert!(
        told.len() == 1 && told[0].contains("is not known") && told[0].contains("Reader on the subscription"),
        "{told:?}"
    );
    assert!(!told[0].contains("Role Based Access Control Administrator"), "another right: {told:?}");
    fake.state().faults = vec![(COUNT, Reply::status(503, ""))];
    assert_eq!(target.inspect(InspectScope::Full).await.unwrap().unseen, sighted);
    assert!(target.advice()[0].ends_with("Azure Resource Manager answers 503"), "{:?}", target.advice());
    fake.state().faults.clear();
    target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(target.advice(), Vec::<String>::new());
}

#[test]
fn a_scope_that_leads_elsewhere_is_refused() {
    for bad in ["", "subscriptions/x", "/subscriptions/../x", "/a//b", "/a?b", "/a b", "/a%2fb", "/\u{e9}"] {
        let clock = clock(NOW);
        let parts = ArmParts {
            arm: Base::parse("https://management.azure.com").unwrap(),
            scope: bad.into(),
            custom: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            bearer: Static::bearer(),
            wire: Wire::new().unwrap(),
            entra: None,
            clock,
        };
        assert!(azure_rbac("t", parts).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_role_that_left_the_map_is_emptied_and_taken_away() {
    let fake = Fake::start(state()).await;
    let with = target(&fake, clock(NOW));
    let mut wanted = desired(&[("SG-Data", None)], &[("Factory Operator", "SG-Data")]);
    wanted.roles.insert(name("Factory Operator"), axon_reconcile::Role::default());
    let (plan, _) = planned(&with, &wanted, &[]).await;
    let told = applied(&with, steps(&plan)).await;
    assert!(told.iter().all(|line| line.ends_with("done; there")), "{told:?}");
    let definitions = |fake: &Fake| fake.state().definitions.len();
    let before = definitions(&fake);

    // Another target of the map defines it: it is left alone.
    let elsewhere = [name("Factory Operator")].into();
    let other = ArmParts { custom: BTreeMap::new(), elsewhere, ..parts(&fake, clock(NOW)) };
    let nothing = desired(&[("SG-Data", None)], &[]);
    let (plan, _) = planned(&azure_rbac("factory", other).unwrap(), &nothing, &[]).await;
    assert!(plan.steps.is_empty(), "{plan}");

    let without =
        azure_rbac("factory", ArmParts { custom: BTreeMap::new(), ..parts(&fake, clock(NOW)) }).unwrap();
    let (plan, unseen) = planned(&without, &nothing, &[]).await;
    insta::assert_snapshot!("retired", format!("{plan}{}", unseen.join("\n")));
    fake.server.forget();
    let told = applied(&without, steps(&plan)).await;
    assert!(told.iter().all(|line| line.ends_with("done; there")), "{told:?}");
    assert_eq!(definitions(&fake), before - 1);
    let (plan, _) = planned(&without, &nothing, &[]).await;
    assert!(plan.steps.is_empty(), "{plan}");
}
