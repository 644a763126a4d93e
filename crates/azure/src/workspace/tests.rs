use std::time::Duration;

use axon_model::ManualClock;
use axon_reconcile::{InspectScope, Step, Target as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::*;
use crate::testing::fake::{Fake, State, desired, id, name};
use crate::testing::story::{admitted, applied, planned, steps};
use crate::testing::{Reply, Static, clock};

const NOW: time::OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);
const ADMIN: &str = "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78";
const USER: &str = "2a385764-43e8-416c-9825-7b18d05a2c4b";
const SPARK: &str = "c3a6d2f1-a26f-4810-9b0f-591308d5cbf1";

fn row(n: u32, role: &str, principal: &str, scope: &str) -> Value {
    serde_json::json!({"id": id('e', n), "roleDefinitionId": role, "principalId": principal,
        "scope": scope, "principalType": "0"})
}

fn state() -> State {
    State {
        users: vec![(id('a', 1), "kim@acme.com".into()), (id('a', 2), "ana@acme.com".into())],
        groups: vec![(id('b', 1), "SG-Data".into())],
        services: vec![(id('c', 1), id('d', 1), "loader".into())],
        roles: vec![
            (ADMIN.into(), "Synapse Administrator".into()),
            (USER.into(), "Synapse User".into()),
            (SPARK.into(), "Synapse Apache Spark Administrator".into()),
        ],
        rows: vec![
            row(1, ADMIN, &id('a', 2), "workspaces/acme"),
            row(2, USER, &id('a', 2), "workspaces/acme"),
            row(3, USER, &id('a', 2), "workspaces/ACME/bigdatapools/small"),
        ],
        ..State::default()
    }
}

fn parts(fake: &Fake, clock: Arc<ManualClock>, graph: bool) -> WorkspaceParts {
    WorkspaceParts {
        endpoint: fake.server.base().clone(),
        name: Some("acme".into()),
        bearer: Static::bearer(),
        wire: Wire::new().unwrap(),
        entra: graph.then(|| fake.entra(clock.clone())),
        clock,
    }
}

fn target(fake: &Fake, clock: Arc<ManualClock>) -> AssignedTarget {
    workspace("workspace", parts(fake, clock, true)).unwrap()
}

#[tokio::test]
async fn groups_people_and_services_are_assigned_on_every_kind_of_item_and_taken_by_the_row_s_own_id() {
    let fake = Fake::start(state()).await;
    let target = target(&fake, clock(NOW));
    let desired = desired(
        &[
            ("SG-Data", None),
            ("kim@acme.com", Some(&id('a', 1))),
            ("loader", Some(&id('d', 1))),
            ("ana@acme.com", None),
        ],
        &[
            ("Synapse User", "SG-Data"),
            ("Apache Spark Administrator", "kim@acme.com"),
            ("Synapse User on spark-pool::small", "kim@acme.com"),
            ("Synapse User on integration-runtime::ir", "kim@acme.com"),
            ("Synapse User on linked-service::lake", "kim@acme.com"),
            ("Synapse User on credential::WorkspaceSystemIdentity", "loader"),
            ("Synapse Administrator", "ana@acme.com"),
        ],
    );
    let (plan, _) = planned(&target, &desired, &[]).await;
    insta::assert_snapshot!("plan", plan.to_string());
    fake.server.forget();
    let told = applied(&target, steps(&plan)).await;
    assert!(told.iter().all(|line| line.ends_with("-> done; there")), "{told:#?}");
    insta::assert_snapshot!("requests", fake.server.golden());
    let (plan, _) = planned(&target, &desired, &[]).await;
    assert!(plan.is_empty(), "{plan}");
}

#[tokio::test]
async fn a_list_of_many_pages_is_read_whole_and_looked_at_once_for_new_names() {
    let fake = Fake::start(State {
        rows: (0..10_000).map(|n| row(n, USER, &id('b', n), "workspaces/acme")).collect(),
        groups: (0..10_000).map(|n| (id('b', n), format!("SG-{n}"))).collect(),
        page: 1_000,
        ..state()
    })
    .await;
    let target = target(&fake, clock(NOW));
    let names: Vec<(String, String)> = (0..10_000).map(|n| (format!("SG-{n}"), id('b', n))).collect();
    let people: Vec<(&str, Option<&str>)> =
        names.iter().map(|(n, id)| (n.as_str(), Some(id.as_str()))).collect();
    let members: Vec<(&str, &str)> = names.iter().map(|(n, _)| ("Synapse User", n.as_str())).collect();
    let desired = desired(&people, &members);
    let (plan, _) = planned(&target, &desired, &[]).await;
    assert!(plan.is_empty(), "{}", plan.steps.len());
    let lines = fake.lines();
    let pages = lines.iter().filter(|l| l.starts_with("GET /roleAssignments")).count();
    let graph = lines.iter().filter(|l| l.contains("getByIds")).count();
    assert_eq!((pages, graph), (10, 10), "no page and no name is read twice");
    fake.server.forget();
    assert!(!target.introduce(&desired).await.unwrap());
    assert_eq!(fake.lines(), Vec::<String>::new(), "who is known is not asked for again");
}

#[tokio::test]
async fn a_row_that_is_there_already_is_success_and_one_that_is_gone_is_gone() {
    let fake = Fake::start(state()).await;
    let target = target(&fake, clock(NOW));
    let wanted =
        desired(&[("kim@acme.com", None), ("ana@acme.com", None)], &[("Synapse User", "kim@acme.com")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    // Somebody else is faster.
    fake.state().rows.push(row(9, USER, &id('a', 1), "workspaces/acme"));
    fake.state().rows.retain(|r| r["id"] != id('e', 2).as_str());
    let told = applied(&target, steps(&plan)).await;
    assert_eq!(told.len(), 2);
    assert!(told[0].ends_with("-> done; there"), "{told:?}");
    assert!(told[1].contains("refused, AlreadyThere") && told[1].ends_with("; there"), "{told:?}");
}

#[tokio::test]
async fn the_three_403s_a_broken_list_and_an_error_under_200_are_sentences() {
    let cases = [
        (
            "role",
            Reply::status(
                403,
                r#"{"error":{"code":"Unauthorized","message":"The principal 'x' does not have the required Synapse RBAC permission to perform this action."}}"#,
            ),
        ),
        (
            "firewall",
            Reply::status(
                403,
                r#"{"error":{"code":"ClientIpAddressNotAuthorized","message":"Client Ip address : 1.2.3.4"}}"#,
            ),
        ),
        (
            "tenant",
            Reply::status(
                401,
                r#"{"error":{"code":"Unauthorized","message":"The token issuer is of another tenant"}}"#,
            ),
        ),
        ("inside", Reply::ok(r#"{"error":{"code":"InternalError","message":"try later"}}"#)),
        ("half", Reply::ok(r#"{"count":2,"value":[{"id":"#)),
        ("broken off", Reply::ok(r#"{"count":2,"value":["#).promising(4000)),
        ("fewer than said", Reply::ok(r#"{"count":5,"value":[]}"#)),
        ("endless", Reply::ok(r#"{"count":0,"value":[]}"#).header("x-ms-continuation", "same")),
        ("no list", Reply::ok("[]")),
        ("large", Reply::ok(&"x".repeat(50 * 1024 * 1024))),
        ("later", Reply::status(429, "").header("retry-after", "600")),
        ("out of order", Reply::status(503, "<html>")),
    ];
    let mut lines = Vec::new();
    for (what, reply) in cases {
        let fake = Fake::start(state()).await;
        fake.state().faults.push(("GET /roleAssignments", reply));
        let error = target(&fake, clock(NOW)).inspect(InspectScope::Full).await.unwrap_err();
        let text = error.to_string().replace(fake.server.base().as_str(), "http://HOST");
        lines.push(format!("{what}: {text} [{:?}]", error.retry()));
    }
    insta::assert_snapshot!("faults", lines.join("\n"));
}

#[tokio::test]
async fn ten_minutes_of_429_are_waited_out_without_a_request() {
    let fake = Fake::start(state()).await;
    let clock = clock(NOW);
    let target = target(&fake, clock.clone());
    fake.state().faults.push(("GET /roleAssignments", Reply::status(429, "").header("retry-after", "600")));
    for _ in 0..20 {
        let error = target.inspect(InspectScope::Full).await.unwrap_err();
        assert!(matches!(error.retry(), axon_reconcile::Retry::After(wait) if wait > Duration::from_secs(1)));
        clock.advance(time::Duration::seconds(20));
    }
    assert_eq!(fake.lines().iter().filter(|l| l.contains("/roleAssignments")).count(), 1);
    fake.state().faults.clear();
    clock.advance(time::Duration::minutes(4));
    target.inspect(InspectScope::Full).await.unwrap();
}

#[tokio::test]
async fn where_roles_cannot_be_listed_the_known_ones_stand_in() {
    let fake = Fake::start(state()).await;
    let denied =
        r#"{"error":{"code":"Unauthorized","message":"does not have the required Synapse RBAC permission"}}"#;
    fake.state().faults.push(("GET /roleDefinitions", Reply::status(403, denied)));
    let target = target(&fake, clock(NOW));
    let wanted = desired(
        &[("SG-Data", None)],
        &[("Synapse Contributor", "SG-Data"), ("Synapse Monitoring Operator", "SG-Data")],
    );
    let (plan, unseen) = planned(&target, &wanted, &[]).await;
    assert_eq!(plan.steps.len(), 1, "{plan}");
    assert!(plan.to_string().contains("Synapse Monitoring Operator is not there"), "{plan}");
    assert!(unseen[0].starts_with("the roles cannot be listed, so the known ones stand in"), "{unseen:?}");
}

#[tokio::test]
async fn where_roles_cannot_be_listed_effect_is_asked_for_by_what_every_role_allows() {
    let fake = Fake::start(state()).await;
    let denied = r#"{"error":{"code":"Unauthorized","message":"does not have the required permission"}}"#;
    fake.state().faults.push(("GET /roleDefinitions", Reply::status(403, denied)));
    let clock = clock(NOW);
    let target = target(&fake, clock.clone());
    let wanted = desired(&[("SG-Data", None)], &[("Synapse Contributor", "SG-Data")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    applied(&target, steps(&plan).into_iter().filter(Step::gives).collect()).await;
    clock.advance(time::Duration::minutes(3));
    target.settle().await;
    assert_eq!(target.settling().len(), 1);
    let asked = fake.server.seen().into_iter().find(|r| r.path() == "/checkAccessSynapseRbac").unwrap();
    let asked: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(asked["actions"], json!([{"id": "Microsoft.Synapse/workspaces/read", "isDataAction": true}]));
    fake.state().effective = true;
    clock.advance(time::Duration::minutes(3));
    target.settle().await;
    assert_eq!(target.settling(), Vec::<String>::new());
}

#[tokio::test]
async fn a_role_of_the_map_s_own_is_nothing_that_a_workspace_has() {
    let fake = Fake::start(state()).await;
    let target = target(&fake, clock(NOW));
    let told = applied(&target, vec![Step::CreateRole { name: name("Starter") }]).await;
    let why = "refused, Unsupported: a workspace has no roles but its own: Starter cannot be made";
    assert!(told[0].contains(why), "{told:?}");
}

#[tokio::test]
async fn the_last_administrator_is_told_and_axon_s_own_rows_are_known() {
    let fake = Fake::start(state()).await;
    let seen = target(&fake, clock(NOW)).inspect(InspectScope::Full).await.unwrap();
    assert_eq!(seen.facts.administrators, [name("ana@acme.com")]);
    fake.state().rows.push(row(7, ADMIN, &id('b', 1), "workspaces/acme/bigDataPools/small"));
    let seen = target(&fake, clock(NOW)).inspect(InspectScope::Full).await.unwrap();
    assert_eq!(seen.facts.administrators.len(), 1, "an administrator of an item administers no workspace");
}

#[tokio::test]
async fn the_last_administrator_and_axon_itself_stay() {
    let fake = Fake::start(state()).await;
    fake.state().rows.push(row(7, ADMIN, &id('a', 1), "workspaces/acme"));
    fake.state().rows.push(row(8, ADMIN, &id('c', 1), "workspaces/acme"));
    let own = format!("e30.{}.s", URL_SAFE_NO_PAD.encode(json!({"oid": id('c', 1)}).to_string()));
    let bearer = Static::bearer_of(&own);
    let parts = WorkspaceParts { bearer, ..parts(&fake, clock(NOW), true) };
    let target = workspace("workspace", parts).unwrap();
    // The map gives the role to nobody, and may take it from everybody.
    let wanted = desired(&[("SG-Data", None)], &[]);
    let admitted = admitted(&target, &wanted, &["Synapse Administrator"]).await;
    insta::assert_snapshot!("administrators", admitted);
}

#[tokio::test]
async fn a_recreated_principal_is_another_one_and_the_old_rows_are_leftovers() {
    let fake = Fake::start(state()).await;
    fake.state().rows.push(row(8, USER, &id('a', 99), "workspaces/acme"));
    let target = target(&fake, clock(NOW));
    // Kim was made again: the map's name means the new object, the old row is of nobody.
    let wanted = desired(&[("kim@acme.com", None)], &[("Synapse User", "kim@acme.com")]);
    let (plan, unseen) = planned(&target, &wanted, &[]).await;
    let told = plan.to_string();
    assert!(told.contains("add kim@acme.com to role Synapse User"), "{told}");
    assert!(
        told.contains(&format!("remove deleted principal {} from role Synapse User", id('a', 99))),
        "{told}"
    );
    assert!(unseen.iter().any(|line| line.contains("does not have any more")), "{unseen:?}");
}

#[tokio::test]
async fn without_graph_the_map_s_object_ids_are_used_and_who_has_none_is_told() {
    let fake = Fake::start(state()).await;
    let target = workspace("workspace", parts(&fake, clock(NOW), false)).unwrap();
    let wanted = desired(
        &[("kim@acme.com", Some(&id('a', 1))), ("SG-Data", None), ("loader", Some(&id('d', 1)))],
        &[("Synapse User", "kim@acme.com"), ("Synapse User", "SG-Data"), ("Synapse User", "loader")],
    );
    let (plan, unseen) = planned(&target, &wanted, &[]).await;
    insta::assert_snapshot!("without_graph", format!("{plan}{}", unseen.join("\n")));
}

#[tokio::test]
async fn what_is_configured_has_effect_when_the_workspace_says_so() {
    let fake = Fake::start(state()).await;
    let clock = clock(NOW);
    let target = target(&fake, clock.clone());
    let wanted = desired(&[("SG-Data", None)], &[("Synapse User", "SG-Data")]);
    let (plan, _) = planned(&target, &wanted, &[]).await;
    applied(&target, steps(&plan).into_iter().filter(Step::gives).collect()).await;
    clock.advance(time::Duration::minutes(3));
    target.inspect(InspectScope::Full).await.unwrap();
    let told = target.settling();
    assert_eq!(told, ["add SG-Data to role Synapse User is configured and has no effect yet, for 3 min"]);
    let asked = fake.server.seen().into_iter().find(|r| r.path() == "/checkAccessSynapseRbac").unwrap();
    insta::assert_snapshot!("check_access", asked.golden());
    clock.advance(time::Duration::minutes(20));
    assert!(target.settling()[0].ends_with("later than Azure says it takes"));
    fake.state().effective = true;
    target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(target.settling(), Vec::<String>::new());
}

#[tokio::test]
async fn a_broken_connection_is_unknown_and_a_closed_port_sent_nothing() {
    let fake = Fake::start(state()).await;
    let target = target(&fake, clock(NOW));
    let wanted = desired(
        &[("SG-Data", None), ("kim@acme.com", None)],
        &[("Synapse User", "SG-Data"), ("Synapse User", "kim@acme.com")],
    );
    let (plan, _) = planned(&target, &wanted, &[]).await;
    fake.state().faults.push(("PUT ", Reply::ok("{").promising(500)));
    let told = applied(&target, steps(&plan).into_iter().filter(Step::gives).collect()).await;
    assert!(told[0].contains("unknown after 1") && told[1].contains("not tried"), "{told:?}");
}

#[tokio::test]
async fn two_names_of_one_role_do_not_take_from_each_other() {
    let fake = Fake::start(state()).await;
    fake.state().rows =
        vec![row(1, SPARK, &id('a', 1), "workspaces/acme"), row(2, SPARK, &id('a', 2), "workspaces/acme")];
    let target = target(&fake, clock(NOW));
    let wanted = desired(
        &[("kim@acme.com", None), ("ana@acme.com", None)],
        &[
            ("Apache Spark Administrator", "kim@acme.com"),
            ("Synapse Apache Spark Administrator", "ana@acme.com"),
        ],
    );
    let (plan, _) = planned(&target, &wanted, &[]).await;
    assert!(plan.is_empty(), "{plan}");
}

#[tokio::test]
async fn rows_of_a_role_that_the_role_map_leaves_to_people_have_the_name_that_it_has_there() {
    let mut renamed = state();
    renamed.roles = vec![(ADMIN.into(), "Workspace Owner".into()), (SPARK.into(), "Spark Owner".into())];
    renamed.rows = vec![
        row(1, SPARK, &id('a', 1), "workspaces/acme"),
        row(2, ADMIN, &id('a', 1), "workspaces/acme/bigdatapools/small"),
    ];
    let fake = Fake::start(renamed).await;
    let target = target(&fake, clock(NOW));
    let mut wanted = desired(&[("kim@acme.com", None)], &[]);
    let left =
        ["Apache Spark Administrator", "Synapse Administrator on spark-pool::small", "Synapse Gardener"];
    for role in left {
        wanted.roles.insert(SqlName::parse(role).unwrap(), axon_reconcile::Role { fixed: true, owner: None });
    }
    assert!(target.introduce(&wanted).await.unwrap());
    let seen = target.inspect(axon_reconcile::InspectScope::Full).await.unwrap();
    let roles: Vec<String> = seen.graph.members.iter().map(|m| m.role.to_string()).collect();
    assert_eq!(roles, left[..2], "whatever the service calls them by now");
    assert!(seen.unseen.iter().any(|note| note.contains("Synapse Gardener")), "{:?}", seen.unseen);
}
