//! The cases. Each is a story of the reconciler's own statements, judged by the server's catalog and by what people can do.

use std::collections::BTreeSet;
use std::pin::Pin;

use axon_model::{MapVersion, PlanId, RecordSeq, RunId, SqlName};
use axon_reconcile::{
    Connect, Glob, Grant, GrantKey, GrantState, Graph, InspectScope, ManagedPrincipals, Membership,
    ObjectName, Outcome, Permission, PrincipalKind, RefusalKind, Role, Scope, Script as _, ScriptRun,
    ScriptStep, Securable, Sides, Step, Target as _, TargetError, plan,
};
use axon_synapse::{Auth, ScriptSource, ScriptTarget};
use time::macros::datetime;

use crate::ability::Ability;
use crate::server::{OURS, Server, name, ours, query};

type Played<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;

/// A story, and what it needs.
pub struct Case {
    pub name: &'static str,
    pub needs: &'static [Ability],
    pub play: for<'a> fn(&'a Server) -> Played<'a>,
}

macro_rules! cases {
    ($($story:ident: $($need:ident),*;)*) => {
        /// All of them.
        pub const CASES: &[Case] = &[$(Case {
            name: stringify!($story),
            needs: &[$(Ability::$need),*],
            play: |server| Box::pin($story(server)),
        }),*];
    };
}

cases! {
    everything_is_read:;
    a_wrong_password_is_told_as_a_login_that_is_refused: LoginNumbers;
    what_is_there_is_read_by_name: Members;
    what_no_graph_tells_of_is_asked_for:;
    every_probe_gets_an_answer:;
    roles_come_and_go: OwnedRoles;
    memberships_come_and_go: Members;
    a_membership_twice_is_a_membership_once: Members;
    names_that_want_to_be_code_are_names: Members, Brackets;
    a_plan_of_memberships_brings_about_what_is_wanted: Members, FixedRoles;
    a_plan_of_all_kinds_brings_about_what_is_wanted: OwnedRoles, FixedRoles, Members, Views, ObjectGrants, WideGrants, ColumnGrants, Deny, PermissionRows;
    grants_are_made_read_and_taken_back: Views, ObjectGrants, WideGrants, PermissionRows;
    grants_on_columns_are_read_one_by_one: Views, ColumnGrants, PermissionRows;
    what_a_role_is_granted_its_member_can_do: Members, Views, ObjectGrants, Logins;
    a_column_grant_beats_a_denial_of_the_view: Members, Views, ColumnGrants, Deny, Logins;
    who_is_not_there_is_told_as_missing: Members, Numbers;
    a_leaver_is_shut_out_and_the_session_ended: Logins, Sessions, DenyConnect, PermissionRows;
    a_person_of_the_directory_comes_and_leaves: External, Members, OwnedRoles, PermissionRows, DenyConnect;
    a_file_of_memberships_runs_twice_with_one_result: Members;
    a_file_of_all_kinds_runs_twice_with_one_result: OwnedRoles, Members, Views, ObjectGrants, WideGrants, ColumnGrants, Deny, PermissionRows;
}

fn expect(so: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(words()) }
}

/// Roles without Axon's own statement for it, which not every server takes.
async fn roles(server: &Server, names: &[SqlName]) -> Result<(), String> {
    let create = |name: &SqlName| format!("CREATE ROLE [{}]", name.as_str().replace(']', "]]"));
    server.run(&names.iter().map(create).collect::<Vec<_>>()).await
}

/// A view `s.v (a, b)` of ours.
async fn view(server: &Server) -> Result<ObjectName, String> {
    let statements =
        [format!("CREATE SCHEMA [{OURS}s]"), format!("CREATE VIEW [{OURS}s].[v] AS SELECT 1 AS a, 2 AS b")];
    server.run(&statements).await?;
    Ok(ObjectName { schema: ours("s"), name: name("v") })
}

fn add(role: SqlName, member: SqlName) -> Step {
    Step::AddMember { role, member }
}

fn grant(grantee: SqlName, permission: Permission, on: Securable, columns: &[&str]) -> Step {
    Step::Grant { grantee, permission, on, columns: columns.iter().map(|c| name(c)).collect() }
}

async fn everything_is_read(server: &Server) -> Result<(), String> {
    let seen = server.inspect().await?;
    expect(!seen.graph.roles.is_empty(), || "no role is read".into())?;
    expect(!seen.shape.schemas.is_empty(), || "no schema is read".into())?;
    let again = server.inspect().await?;
    expect(seen.graph == again.graph && seen.shape == again.shape, || "read twice it differs".into())
}

async fn a_wrong_password_is_told_as_a_login_that_is_refused(server: &Server) -> Result<(), String> {
    let auth = Auth::Sql { user: format!("{OURS}nobody"), password: "wrong".to_owned().into() };
    match server.target_with(auth).inspect(InspectScope::Full).await {
        Err(TargetError::Refused { refusal, .. }) if refusal.kind == RefusalKind::Login => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

async fn what_is_there_is_read_by_name(server: &Server) -> Result<(), String> {
    let (a, b) = (ours("a"), ours("b"));
    roles(server, &[a, b]).await?;
    server.apply(&[add(a, b)]).await?;
    let some = server.target().inspect(InspectScope::Principals(vec![a])).await.map_err(|e| e.to_string())?;
    let whole = server.inspect().await?.graph;
    expect(some.graph.roles.get(&a) == whole.roles.get(&a) && some.graph.roles.contains_key(&a), || {
        format!("{:?}", some.graph)
    })?;
    expect(some.graph.members.contains(&Membership { role: a, member: b }), || format!("{:?}", some.graph))
}

async fn what_no_graph_tells_of_is_asked_for(server: &Server) -> Result<(), String> {
    match server.target().untold().await {
        // A dedicated pool has views of classifiers, which other servers do not have: that is told, and nothing breaks.
        Ok(_) | Err(TargetError::Refused { .. }) => server.inspect().await.map(drop),
        Err(error) => Err(error.to_string()),
    }
}

async fn every_probe_gets_an_answer(server: &Server) -> Result<(), String> {
    let before = server.inspect().await?;
    let probes = server.target().probe().await.map_err(|e| e.to_string())?;
    for probe in &probes.probes {
        println!("            probe {}: {} ({})", probe.name, probe.answer.name(), probe.number);
    }
    let after = server.inspect().await?;
    expect(before.graph == after.graph && before.shape == after.shape, || "a probe changed something".into())
}

async fn roles_come_and_go(server: &Server) -> Result<(), String> {
    let role = ours("r");
    server.apply(&[Step::CreateRole { name: role }]).await?;
    let seen = server.inspect().await?.graph;
    expect(seen.roles.get(&role).is_some_and(|r| !r.fixed), || format!("{:?}", seen.roles.get(&role)))?;
    server.apply(&[Step::DropRole { name: role }]).await?;
    expect(!server.inspect().await?.graph.roles.contains_key(&role), || "it is there still".into())
}

async fn memberships_come_and_go(server: &Server) -> Result<(), String> {
    let (a, b) = (ours("a"), ours("b"));
    roles(server, &[a, b]).await?;
    server.apply(&[add(a, b)]).await?;
    server.apply(&[Step::DropMember { role: a, member: b }]).await?;
    let seen = server.inspect().await?.graph;
    expect(!seen.members.contains(&Membership { role: a, member: b }), || format!("{:?}", seen.members))
}

async fn a_membership_twice_is_a_membership_once(server: &Server) -> Result<(), String> {
    let (a, b) = (ours("a"), ours("b"));
    roles(server, &[a, b]).await?;
    server.apply(&[add(a, b)]).await?;
    let again = server.outcomes(&[add(a, b)]).await;
    let converged = match &again[0] {
        Outcome::Done { .. } => true,
        Outcome::Refused { refusal, .. } => refusal.kind == RefusalKind::AlreadyThere,
        _ => false,
    };
    expect(converged, || format!("{again:?}"))
}

async fn names_that_want_to_be_code_are_names(server: &Server) -> Result<(), String> {
    let before = server.inspect().await?.graph;
    let hostile = ours("x]; DROP ROLE [axon_live_b]--'; --");
    let b = ours("b");
    roles(server, &[hostile, b]).await?;
    server.apply(&[add(hostile, b)]).await?;
    let seen = server.inspect().await?.graph;
    expect(seen.roles.contains_key(&hostile) && seen.roles.contains_key(&b), || {
        format!("{:?}", seen.roles.keys())
    })?;
    expect(seen.roles.len() == before.roles.len() + 2, || format!("{:?}", seen.roles.keys()))
}

fn scope(named: impl IntoIterator<Item = SqlName>) -> Scope {
    Scope {
        roles: vec![Glob::new(&format!("{OURS}*"))],
        named_roles: named.into_iter().collect(),
        given: std::collections::BTreeSet::new(),
        schemas: Vec::new(),
        principals: ManagedPrincipals::Mapped(BTreeSet::new()),
        untouchable: BTreeSet::new(),
    }
}

/// Plans from what is there, applies, and wants the next plan to be empty.
async fn brings_about(server: &Server, desired: impl Fn(&Graph) -> Graph) -> Result<(), String> {
    let sides = |actual: Graph| Sides { desired: desired(&actual), actual, scope: scope([]) };
    let first = plan(&sides(server.inspect().await?.graph));
    expect(!first.steps.is_empty() && first.findings.is_empty(), || format!("{first}"))?;
    let steps: Vec<Step> = first.steps.iter().map(|planned| planned.step.clone()).collect();
    server.apply(&steps).await?;
    let second = plan(&sides(server.inspect().await?.graph));
    expect(second.steps.is_empty() && second.findings.is_empty(), || format!("the second plan: {second}"))
}

async fn a_plan_of_memberships_brings_about_what_is_wanted(server: &Server) -> Result<(), String> {
    let (a, b, c) = (ours("a"), ours("b"), ours("c"));
    roles(server, &[a, b, c]).await?;
    server.apply(&[add(c, a)]).await?;
    brings_about(server, |actual| {
        let mut wanted = Graph::default();
        wanted
            .roles
            .extend([a, b, c].map(|role| (role, actual.roles.get(&role).cloned().unwrap_or_default())));
        wanted.members.extend([Membership { role: a, member: b }, Membership { role: b, member: c }]);
        wanted
    })
    .await
}

fn of_all_kinds(v: ObjectName) -> Graph {
    let (a, b) = (ours("a"), ours("b"));
    let mut wanted = Graph::default();
    wanted.roles.extend([a, b].map(|role| (role, Role::default())));
    wanted.members.insert(Membership { role: a, member: b });
    let rows = [
        (a, Permission::Select, Securable::Column(v, name("a")), GrantState::Grant),
        (a, Permission::ViewDefinition, Securable::Database, GrantState::Grant),
        (b, Permission::Select, Securable::Schema(v.schema), GrantState::Grant),
        (b, Permission::Delete, Securable::Object(v), GrantState::Deny),
    ];
    for (grantee, permission, securable, state) in rows {
        wanted.grants.insert(GrantKey { grantee, securable, permission }, Grant::wanted(state));
    }
    wanted
}

async fn a_plan_of_all_kinds_brings_about_what_is_wanted(server: &Server) -> Result<(), String> {
    let v = view(server).await?;
    server.apply(&[Step::CreateRole { name: ours("old") }]).await?;
    server.apply(&[grant(ours("old"), Permission::Select, Securable::Object(v), &[])]).await?;
    brings_about(server, |_| of_all_kinds(v)).await
}

async fn grants_are_made_read_and_taken_back(server: &Server) -> Result<(), String> {
    let v = view(server).await?;
    let role = ours("r");
    roles(server, &[role]).await?;
    let places = [
        (Permission::Select, Securable::Object(v)),
        (Permission::Select, Securable::Schema(v.schema)),
        (Permission::ViewDefinition, Securable::Database),
    ];
    for (permission, on) in places {
        server.apply(&[grant(role, permission, on, &[])]).await?;
        let was = GrantState::Grant;
        server.apply(&[Step::Revoke { grantee: role, permission, on, columns: vec![], was }]).await?;
    }
    let left = server.inspect().await?.graph;
    expect(left.grants_of(role).next().is_none(), || {
        format!("{:?}", left.grants_of(role).collect::<Vec<_>>())
    })
}

async fn grants_on_columns_are_read_one_by_one(server: &Server) -> Result<(), String> {
    let v = view(server).await?;
    let role = ours("r");
    roles(server, &[role]).await?;
    server.apply(&[grant(role, Permission::Select, Securable::Object(v), &["a", "b"])]).await?;
    let held: Vec<String> =
        server.inspect().await?.graph.grants_of(role).map(|(key, _)| key.securable.to_string()).collect();
    expect(held.len() == 2, || format!("{held:?}"))
}

async fn what_a_role_is_granted_its_member_can_do(server: &Server) -> Result<(), String> {
    let v = view(server).await?;
    let role = ours("r");
    roles(server, &[role]).await?;
    server.make_login().await?;
    let select = format!("SELECT a FROM [{OURS}s].[v]");
    let refused = query(&mut server.enter().await?, &select).await;
    expect(refused.is_err(), || "who was granted nothing reads".into())?;
    server.run(&[format!("GRANT SELECT ON OBJECT::{v} TO [{role}]")]).await?;
    server.apply(&[add(role, ours("login"))]).await?;
    query(&mut server.enter().await?, &select).await.map(drop)
}

async fn a_column_grant_beats_a_denial_of_the_view(server: &Server) -> Result<(), String> {
    let v = view(server).await?;
    let role = ours("r");
    roles(server, &[role]).await?;
    server.make_login().await?;
    server.apply(&[add(role, ours("login"))]).await?;
    let deny = Step::Deny {
        grantee: role,
        permission: Permission::Select,
        on: Securable::Object(v),
        columns: vec![],
    };
    server.apply(&[deny, grant(role, Permission::Select, Securable::Object(v), &["a"])]).await?;
    let mut session = server.enter().await?;
    query(&mut session, &format!("SELECT a FROM [{OURS}s].[v]")).await?;
    let b = query(&mut session, &format!("SELECT b FROM [{OURS}s].[v]")).await;
    expect(b.is_err(), || "the denied column is read".into())
}

async fn who_is_not_there_is_told_as_missing(server: &Server) -> Result<(), String> {
    roles(server, &[ours("a")]).await?;
    let outcome = server.outcomes(&[add(ours("a"), ours("nobody"))]).await;
    match &outcome[0] {
        Outcome::Refused { refusal, .. } if refusal.kind == RefusalKind::Missing => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

async fn a_leaver_is_shut_out_and_the_session_ended(server: &Server) -> Result<(), String> {
    server.make_login().await?;
    let mut session = server.enter().await?;
    query(&mut session, "SELECT 1 AS one").await?;
    let principal = ours("login");
    server.apply(&[Step::DenyConnect { principal }]).await?;
    let killed = server.outcomes(&[Step::KillSessions { principal }]).await;
    expect(matches!(killed[0], Outcome::Done { .. }), || format!("{killed:?}"))?;
    expect(query(&mut session, "SELECT 1 AS one").await.is_err(), || "the session lives".into())?;
    expect(server.enter().await.is_err(), || "the leaver enters again".into())
}

async fn a_person_of_the_directory_comes_and_leaves(server: &Server) -> Result<(), String> {
    let Some(person) = &server.person else { return Err("no person".into()) };
    let (person, role) = (name(person), ours("r"));
    server
        .apply(&[
            Step::CreateRole { name: role },
            Step::CreatePrincipal { name: person, kind: PrincipalKind::External, sid: None },
            add(role, person),
        ])
        .await?;
    let seen = server.inspect().await?.graph;
    let there = seen.principals.get(&person);
    expect(there.is_some_and(|p| p.connect == Connect::Granted && p.sid.is_some()), || format!("{there:?}"))?;
    server
        .apply(&[
            Step::DenyConnect { principal: person },
            Step::DropMember { role, member: person },
            Step::DropPrincipal { name: person, sid: None },
            Step::DropRole { name: role },
        ])
        .await
}

/// Writes a file of these steps, runs it twice, and wants one result.
async fn runs_twice(server: &Server, steps: &[Step]) -> Result<(), String> {
    let folder = std::env::temp_dir().join("axon-live-nothing-is-written-here");
    let script =
        ScriptTarget::new("live", server.dialect, server.database(), folder, ScriptSource::Confirmed);
    let version = MapVersion("0123456789abcdef".into());
    let id = uuid::Uuid::from_u128;
    let step = |step: &Step| ScriptStep { planned: step.clone().into(), because: Vec::new(), counts: None };
    let run = ScriptRun {
        run: RunId::from_uuid(id(1)),
        plan: PlanId::from_uuid(id(2)),
        at: datetime!(2026-11-22 13:00 UTC),
        map: &version,
        directory: RecordSeq(1),
        steps: steps.iter().map(step).collect(),
        withheld: &[],
        remarks: Vec::new(),
    };
    let (_, text) = script.draft(&run);
    let mut after = Vec::new();
    for _ in 0..2 {
        let mut raw = server.raw().await;
        for batch in text.split("\nGO\n").filter(|b| b.lines().any(|l| !l.is_empty() && !l.starts_with("--")))
        {
            query(&mut raw, batch).await.map_err(|words| format!("{batch}: {words}"))?;
        }
        after.push(server.inspect().await?.graph);
    }
    let missing = steps.iter().find(|step| !script.shows(&after[0], step));
    expect(missing.is_none(), || format!("{missing:?}"))?;
    expect(after[0] == after[1], || "run again, something changes".into())
}

async fn a_file_of_memberships_runs_twice_with_one_result(server: &Server) -> Result<(), String> {
    let (a, b, c) = (ours("a"), ours("b"), ours("c \u{eb}$(x)'"));
    roles(server, &[a, b, c]).await?;
    server.apply(&[add(b, a)]).await?;
    runs_twice(server, &[Step::DropMember { role: b, member: a }, add(a, b), add(a, c)]).await
}

async fn a_file_of_all_kinds_runs_twice_with_one_result(server: &Server) -> Result<(), String> {
    let v = view(server).await?;
    let sides = Sides { desired: of_all_kinds(v), actual: server.inspect().await?.graph, scope: scope([]) };
    let steps: Vec<Step> = plan(&sides).steps.into_iter().map(|planned| planned.step).collect();
    expect(steps.len() > 5, || format!("{steps:?}"))?;
    runs_twice(server, &steps).await
}
