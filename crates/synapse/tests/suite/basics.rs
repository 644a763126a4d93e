//! What is told of both kinds of pools, and of any server: each is a story of the reconciler's own statements, judged by the catalog and by
//! what people can do. What they make begins with `axon_live_`.

use axon_model::SqlName;
use axon_reconcile::{
    Connect, GrantState, InspectScope, Inspection, Membership, ObjectName, Outcome, Permission,
    PrincipalKind, RefusalKind, Securable, Seen, Step, Target as _, TargetError, Wave,
};
use axon_synapse::Auth;

use crate::ability::Ability::{
    self, Brackets, ColumnGrants, Deny, DenyConnect, External, LoginNumbers, Logins, Members, Numbers,
    ObjectGrants, OwnedRoles, PermissionRows, Sessions, Views, WideGrants,
};
use crate::named::{kinds, needs};
use crate::place::{OURS, query};
use crate::stage::{Raw, Stage, name, outcomes};

/// Plays a story on each kind of pool, or on the server that is named.
pub async fn played(abilities: &[Ability], story: impl AsyncFn(&Stage) -> Result<(), String>) {
    needs(&[Ability::Catalog]);
    needs(abilities);
    for kind in kinds() {
        let stage = Stage::of(kind).await;
        story(&stage).await.unwrap_or_else(|words| panic!("{kind:?}: {words}"));
    }
}

/// A name of ours.
pub fn ours(text: &str) -> SqlName {
    name(&format!("{OURS}{text}"))
}

pub async fn look(stage: &Stage) -> Result<Inspection, String> {
    stage.target().inspect(InspectScope::Full).await.map_err(|e| e.to_string())
}

/// Applies steps, all of which must be done and seen.
pub async fn apply(stage: &Stage, steps: &[Step]) -> Result<(), String> {
    let target = stage.target();
    let wave = Wave::for_test(steps.to_vec());
    for (step, outcome) in steps.iter().zip(target.apply(&wave).await) {
        if !matches!(outcome, Outcome::Done { .. }) {
            return Err(format!("{step}: {outcome:?}"));
        }
    }
    let seen = target.read_back(&wave).await.map_err(|e| e.to_string())?;
    match steps.iter().zip(seen).find(|(_, seen)| *seen != Seen::InForce) {
        Some((step, _)) => Err(format!("{step}: done, and the catalog does not show it")),
        None => Ok(()),
    }
}

/// A session of the SQL login that [`Place::make_login`] made.
///
/// [`Place::make_login`]: crate::place::Place::make_login
async fn enter(stage: &Stage) -> Result<Raw, String> {
    stage.place().enter(&format!("{OURS}login")).await.map_err(|e| e.to_string())
}

async fn make_login(stage: &Stage) -> Result<(), String> {
    stage.place().make_login(&format!("{OURS}login")).await
}

pub fn expect(so: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(words()) }
}

/// Roles without Axon's own statement for it, which not every server takes.
pub async fn roles(stage: &Stage, names: &[SqlName]) -> Result<(), String> {
    let create = |name: &SqlName| format!("CREATE ROLE [{}]", name.as_str().replace(']', "]]"));
    stage.place().run(&names.iter().map(create).collect::<Vec<_>>()).await
}

/// A view `s.v (a, b)` of ours.
pub async fn view(stage: &Stage) -> Result<ObjectName, String> {
    let statements =
        [format!("CREATE SCHEMA [{OURS}s]"), format!("CREATE VIEW [{OURS}s].[v] AS SELECT 1 AS a, 2 AS b")];
    stage.place().run(&statements).await?;
    Ok(ObjectName { schema: ours("s"), name: name("v") })
}

pub fn add(role: SqlName, member: SqlName) -> Step {
    Step::AddMember { role, member }
}

pub fn grant(grantee: SqlName, permission: Permission, on: Securable, columns: &[&str]) -> Step {
    Step::Grant { grantee, permission, on, columns: columns.iter().map(|c| name(c)).collect() }
}

#[tokio::test]
async fn everything_is_read() {
    played(&[], async |stage| {
        let seen = look(stage).await?;
        expect(!seen.graph.roles.is_empty(), || "no role is read".into())?;
        expect(!seen.shape.schemas.is_empty(), || "no schema is read".into())?;
        let again = look(stage).await?;
        expect(seen.graph == again.graph && seen.shape == again.shape, || "read twice it differs".into())
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_is_told_as_a_login_that_is_refused() {
    played(&[LoginNumbers], async |stage| {
        let auth = Auth::Sql { user: format!("{OURS}nobody"), password: "wrong".to_owned().into() };
        match stage.target_as(auth).inspect(InspectScope::Full).await {
            Err(TargetError::Refused { refusal, .. }) if refusal.kind == RefusalKind::Login => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_there_is_read_by_name() {
    played(&[Members], async |stage| {
        let (a, b) = (ours("a"), ours("b"));
        roles(stage, &[a, b]).await?;
        apply(stage, &[add(a, b)]).await?;
        let some =
            stage.target().inspect(InspectScope::Principals(vec![a])).await.map_err(|e| e.to_string())?;
        let whole = look(stage).await?.graph;
        expect(some.graph.roles.get(&a) == whole.roles.get(&a) && some.graph.roles.contains_key(&a), || {
            format!("{:?}", some.graph)
        })?;
        expect(some.graph.members.contains(&Membership { role: a, member: b }), || {
            format!("{:?}", some.graph)
        })
    })
    .await;
}

#[tokio::test]
async fn what_no_graph_tells_of_is_asked_for() {
    played(&[], async |stage| {
        match stage.target().untold().await {
            // A dedicated pool has views of classifiers, which other servers do not have: that is told, and nothing breaks.
            Ok(_) | Err(TargetError::Refused { .. }) => look(stage).await.map(drop),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn every_probe_gets_an_answer() {
    played(&[], async |stage| {
        let before = look(stage).await?;
        let probes = stage.target().probe().await.map_err(|e| e.to_string())?;
        for probe in &probes.probes {
            println!("            probe {}: {} ({})", probe.name, probe.answer.name(), probe.number);
        }
        let after = look(stage).await?;
        expect(before.graph == after.graph && before.shape == after.shape, || {
            "a probe changed something".into()
        })
    })
    .await;
}

#[tokio::test]
async fn roles_come_and_go() {
    played(&[OwnedRoles], async |stage| {
        let role = ours("r");
        apply(stage, &[Step::CreateRole { name: role }]).await?;
        let seen = look(stage).await?.graph;
        expect(seen.roles.get(&role).is_some_and(|r| !r.fixed), || format!("{:?}", seen.roles.get(&role)))?;
        apply(stage, &[Step::DropRole { name: role }]).await?;
        expect(!look(stage).await?.graph.roles.contains_key(&role), || "it is there still".into())
    })
    .await;
}

#[tokio::test]
async fn memberships_come_and_go() {
    played(&[Members], async |stage| {
        let (a, b) = (ours("a"), ours("b"));
        roles(stage, &[a, b]).await?;
        apply(stage, &[add(a, b)]).await?;
        apply(stage, &[Step::DropMember { role: a, member: b }]).await?;
        let seen = look(stage).await?.graph;
        expect(!seen.members.contains(&Membership { role: a, member: b }), || format!("{:?}", seen.members))
    })
    .await;
}

#[tokio::test]
async fn a_membership_twice_is_a_membership_once() {
    played(&[Members], async |stage| {
        let (a, b) = (ours("a"), ours("b"));
        roles(stage, &[a, b]).await?;
        apply(stage, &[add(a, b)]).await?;
        let again = outcomes(&stage.target(), &[add(a, b)]).await;
        let converged = match &again[0] {
            Outcome::Done { .. } => true,
            Outcome::Refused { refusal, .. } => refusal.kind == RefusalKind::AlreadyThere,
            _ => false,
        };
        expect(converged, || format!("{again:?}"))
    })
    .await;
}

#[tokio::test]
async fn names_that_want_to_be_code_are_names() {
    played(&[Members, Brackets], async |stage| {
        let before = look(stage).await?.graph;
        let hostile = ours("x]; DROP ROLE [axon_live_b]--'; --");
        let b = ours("b");
        roles(stage, &[hostile, b]).await?;
        apply(stage, &[add(hostile, b)]).await?;
        let seen = look(stage).await?.graph;
        expect(seen.roles.contains_key(&hostile) && seen.roles.contains_key(&b), || {
            format!("{:?}", seen.roles.keys())
        })?;
        expect(seen.roles.len() == before.roles.len() + 2, || format!("{:?}", seen.roles.keys()))
    })
    .await;
}

#[tokio::test]
async fn grants_are_made_read_and_taken_back() {
    played(&[Views, ObjectGrants, WideGrants, PermissionRows], async |stage| {
        let v = view(stage).await?;
        let role = ours("r");
        roles(stage, &[role]).await?;
        let places = [
            (Permission::Select, Securable::Object(v)),
            (Permission::Select, Securable::Schema(v.schema)),
            (Permission::ViewDefinition, Securable::Database),
        ];
        for (permission, on) in places {
            apply(stage, &[grant(role, permission, on, &[])]).await?;
            let was = GrantState::Grant;
            apply(stage, &[Step::Revoke { grantee: role, permission, on, columns: vec![], was }]).await?;
        }
        let left = look(stage).await?.graph;
        expect(left.grants_of(role).next().is_none(), || {
            format!("{:?}", left.grants_of(role).collect::<Vec<_>>())
        })
    })
    .await;
}

#[tokio::test]
async fn grants_on_columns_are_read_one_by_one() {
    played(&[Views, ColumnGrants, PermissionRows], async |stage| {
        let v = view(stage).await?;
        let role = ours("r");
        roles(stage, &[role]).await?;
        apply(stage, &[grant(role, Permission::Select, Securable::Object(v), &["a", "b"])]).await?;
        let held: Vec<String> =
            look(stage).await?.graph.grants_of(role).map(|(key, _)| key.securable.to_string()).collect();
        expect(held.len() == 2, || format!("{held:?}"))
    })
    .await;
}

#[tokio::test]
async fn what_a_role_is_granted_its_member_can_do() {
    played(&[Members, Views, ObjectGrants, Logins], async |stage| {
        let v = view(stage).await?;
        let role = ours("r");
        roles(stage, &[role]).await?;
        make_login(stage).await?;
        let select = format!("SELECT a FROM [{OURS}s].[v]");
        let refused = query(&mut enter(stage).await?, &select).await;
        expect(refused.is_err(), || "who was granted nothing reads".into())?;
        stage.place().run(&[format!("GRANT SELECT ON OBJECT::{v} TO [{role}]")]).await?;
        apply(stage, &[add(role, ours("login"))]).await?;
        query(&mut enter(stage).await?, &select).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_column_grant_beats_a_denial_of_the_view() {
    played(&[Members, Views, ColumnGrants, Deny, Logins], async |stage| {
        let v = view(stage).await?;
        let role = ours("r");
        roles(stage, &[role]).await?;
        make_login(stage).await?;
        apply(stage, &[add(role, ours("login"))]).await?;
        let deny = Step::Deny {
            grantee: role,
            permission: Permission::Select,
            on: Securable::Object(v),
            columns: vec![],
        };
        apply(stage, &[deny, grant(role, Permission::Select, Securable::Object(v), &["a"])]).await?;
        let mut session = enter(stage).await?;
        query(&mut session, &format!("SELECT a FROM [{OURS}s].[v]")).await?;
        let b = query(&mut session, &format!("SELECT b FROM [{OURS}s].[v]")).await;
        expect(b.is_err(), || "the denied column is read".into())
    })
    .await;
}

#[tokio::test]
async fn who_is_not_there_is_told_as_missing() {
    played(&[Members, Numbers], async |stage| {
        roles(stage, &[ours("a")]).await?;
        let outcome = outcomes(&stage.target(), &[add(ours("a"), ours("nobody"))]).await;
        match &outcome[0] {
            Outcome::Refused { refusal, .. } if refusal.kind == RefusalKind::Missing => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_leaver_is_shut_out_and_the_session_ended() {
    played(&[Logins, Sessions, DenyConnect, PermissionRows], async |stage| {
        make_login(stage).await?;
        let mut session = enter(stage).await?;
        query(&mut session, "SELECT 1 AS one").await?;
        let principal = ours("login");
        apply(stage, &[Step::DenyConnect { principal }]).await?;
        let killed = outcomes(&stage.target(), &[Step::KillSessions { principal }]).await;
        expect(matches!(killed[0], Outcome::Done { .. }), || format!("{killed:?}"))?;
        expect(query(&mut session, "SELECT 1 AS one").await.is_err(), || "the session lives".into())?;
        expect(enter(stage).await.is_err(), || "the leaver enters again".into())
    })
    .await;
}

#[tokio::test]
async fn a_person_of_the_directory_comes_and_leaves() {
    played(&[External, Members, OwnedRoles, PermissionRows, DenyConnect], async |stage| {
        let Some(person) = &stage.place().person else { return Err("no person".into()) };
        let (person, role) = (name(person), ours("r"));
        let steps = [
            Step::CreateRole { name: role },
            Step::CreatePrincipal { name: person, kind: PrincipalKind::External, sid: None },
            add(role, person),
        ];
        apply(stage, &steps).await?;
        let seen = look(stage).await?.graph;
        let there = seen.principals.get(&person);
        expect(there.is_some_and(|p| p.connect == Connect::Granted && p.sid.is_some()), || {
            format!("{there:?}")
        })?;
        let steps = [
            Step::DenyConnect { principal: person },
            Step::DropMember { role, member: person },
            Step::DropPrincipal { name: person, sid: None },
            Step::DropRole { name: role },
        ];
        apply(stage, &steps).await
    })
    .await;
}
