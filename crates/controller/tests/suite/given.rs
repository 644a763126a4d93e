//! Roles that only a line named: what Axon gave there stays Axon's to take when the line goes, also for the next process; what
//! others gave is let be.

use axon_controller::State;
use axon_model::SqlName;
use axon_reconcile::{Connect, Graph, Membership, Principal, PrincipalKind, Role};

use crate::stage::{MAP, Stage, name};

/// The suite's map with one more line for readers.
fn with(line: &str) -> String {
    MAP.replace("[\"select on sales.orders\"]", &format!("[\"select on sales.orders\", \"{line}\"]"))
}

fn owners() -> String {
    with("per person: member of db_owner")
}

fn role(graph: &mut Graph, role: &str) {
    graph.roles.insert(name(role), Role { fixed: true, owner: None });
}

fn principal(graph: &mut Graph, who: &str, kind: PrincipalKind) {
    let principal = Principal { kind, sid: None, connect: Connect::Granted, created: None };
    graph.principals.insert(name(who), principal);
}

fn join(stage: &Stage, role: &str, who: &str) {
    let membership = Membership { role: name(role), member: name(who) };
    stage.pool.graph.lock().unwrap().members.insert(membership);
}

fn members(stage: &Stage, role: &str) -> Vec<SqlName> {
    stage.pool.graph.lock().unwrap().members_of(name(role)).collect()
}

/// Kim and Ana read and are owners by a line; Zoe, whom the directory knows, is one by somebody's hand.
async fn owned() -> Stage {
    let mut stage = Stage::set_with(&owners()).await;
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        role(&mut graph, "db_owner");
    }
    let (kim, ana, zoe) = (stage.user("kim").await, stage.user("ana").await, stage.user("zoe").await);
    stage.readers(&[kim, ana]).await;
    stage.group("Others", &[zoe]).await;
    assert_eq!(stage.settle().await.state, State::Converged);
    principal(&mut stage.pool.graph.lock().unwrap(), "zoe", PrincipalKind::External);
    join(&stage, "db_owner", "zoe");
    assert_eq!(members(&stage, "db_owner"), ["ana", "kim", "zoe"].map(name));
    stage
}

/// A process that begins later, so that it looks at all.
fn later(stage: &mut Stage, holder: &str) {
    stage.clock.advance(time::Duration::minutes(6));
    stage.restart(holder);
}

#[tokio::test]
async fn people_lose_a_fixed_role_whose_last_line_goes_and_who_was_put_into_it_by_hand_keeps_it() {
    let mut stage = owned().await;
    // Whoever takes the line out may do it while no process runs.
    later(&mut stage, "two");
    stage.read(MAP);
    let map = stage.map.clone();
    let preview = stage.ticker.preview(&map).await.unwrap();
    let steps: Vec<String> = preview.plan.steps.iter().map(|planned| planned.step.to_string()).collect();
    assert!(steps.contains(&"remove kim from role db_owner".to_owned()), "{steps:?}");
    assert!(!steps.iter().any(|step| step.contains("zoe from role")), "{steps:?}");
    assert!(preview.drift.is_empty(), "nobody else did it: {:?}", preview.drift);
    assert!(
        preview
            .notes
            .iter()
            .any(|note| note.contains("no line names db_owner any more")
                && note.contains("gave it to 2 members")),
        "{:?}",
        preview.notes
    );
    stage.settle().await;
    assert_eq!(members(&stage, "db_owner"), [name("zoe")]);
    assert!(stage.pool.in_role("axon_reader", "kim"), "the rest stays");
    assert!(stage.settle().await.notes.is_empty());
    // By hand now: it is nobody's business but theirs.
    join(&stage, "db_owner", "kim");
    later(&mut stage, "three");
    stage.settle().await;
    assert_eq!(members(&stage, "db_owner"), ["kim", "zoe"].map(name));
    stage.proved().await;
}

#[tokio::test]
async fn what_a_guard_keeps_back_stays_managed_and_is_told_until_it_is_gone() {
    let mut stage = owned().await;
    let observe = MAP.replace("mode: authoritative", "mode: observe");
    stage.read(&observe);
    let summary = stage.settle().await;
    assert_eq!(summary.state, State::Observed, "{summary:?}");
    assert!(summary.waiting.iter().any(|w| w.what.contains("remove kim from role db_owner")), "{summary:?}");
    assert!(summary.notes.iter().any(|note| note.contains("db_owner")), "{summary:?}");
    assert_eq!(members(&stage, "db_owner").len(), 3);
    // A later version, by another process: neither knows the one that named the role.
    later(&mut stage, "two");
    stage.read(MAP);
    stage.settle().await;
    assert_eq!(members(&stage, "db_owner"), [name("zoe")]);
}

#[tokio::test]
async fn a_role_whose_fence_was_moved_is_emptied_of_what_axon_gave() {
    let mut stage = Stage::set().await;
    let kim = stage.user("kim").await;
    stage.readers(&[kim]).await;
    stage.settle().await;
    assert!(stage.pool.in_role("axon_reader", "kim"));
    principal(&mut stage.pool.graph.lock().unwrap(), "zoe", PrincipalKind::External);
    join(&stage, "axon_reader", "zoe");
    later(&mut stage, "two");
    stage.read(&MAP.replace("axon_", "team_"));
    stage.settle().await;
    assert!(stage.pool.in_role("team_reader", "kim"));
    assert_eq!(members(&stage, "axon_reader"), [name("zoe")]);
}

#[tokio::test]
async fn a_role_that_is_left_to_people_is_kept_and_is_theirs_from_then_on() {
    let mut stage = owned().await;
    let excepted = MAP.replace("manage: { ", "manage: { except: [db_owner], ");
    stage.read(&excepted);
    let summary = stage.settle().await;
    assert!(summary.notes.is_empty(), "{summary:?}");
    assert_eq!(members(&stage, "db_owner").len(), 3);
    // The exception goes: what was released is not taken after all.
    later(&mut stage, "two");
    stage.read(MAP);
    stage.settle().await;
    assert_eq!(members(&stage, "db_owner").len(), 3);
    // A line that names it again finds them there: it is Axon's from now on.
    stage.read(&owners());
    stage.clock.advance(time::Duration::minutes(6));
    stage.settle().await;
    later(&mut stage, "three");
    stage.read(MAP);
    stage.settle().await;
    assert_eq!(members(&stage, "db_owner"), [name("zoe")]);
}

/// A place where roles are only assigned, with one line and without it.
async fn assigned(kind: &str, role_there: &str, holder: &str, group: bool) {
    let head = kind.to_owned() + ", auth: managed-identity, mode: authoritative }";
    let map = |line: &str| {
        format!(
            "axon: 1\ntargets:\n  warehouse: {{ {head}\nroles:\n  keeper: {{ grants: {{ warehouse: [{line}] }} }}\n\
             mappings:\n  - {{ groups: {{ any: [Readers] }}, source: entra, roles: [keeper] }}\n"
        )
    };
    let mut stage = Stage::set_with(&map(role_there)).await;
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        role(&mut graph, role_there);
        role(&mut graph, "Monitor");
        let of = if group { PrincipalKind::ExternalGroup } else { PrincipalKind::External };
        principal(&mut graph, holder, of);
        principal(&mut graph, "zoe", PrincipalKind::External);
    }
    join(&stage, role_there, "zoe");
    let (kim, zoe) = (stage.user("kim").await, stage.user("zoe").await);
    stage.readers(&[kim]).await;
    stage.group("Others", &[zoe]).await;
    stage.pool.ids.lock().unwrap().extend([
        (name(role_there), "r-1"),
        (name(holder), "p-1"),
        (name("zoe"), "p-2"),
    ]);
    stage.settle().await;
    assert!(stage.pool.in_role(role_there, holder), "{kind}");
    // Of whom the map does not speak any more the service's own words tell, and these are others.
    let mut ids = std::mem::take(&mut *stage.pool.ids.lock().unwrap());
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        let (called, there) = (name("the role's other name"), name("0000-1"));
        let was = Membership { role: name(role_there), member: name(holder) };
        assert!(graph.members.remove(&was));
        graph.members.insert(Membership { role: called, member: there });
        role(&mut graph, called.as_str());
        let known = graph.principals.remove(&name(holder)).unwrap();
        graph.principals.insert(there, known);
        ids.extend([(called, "r-1"), (there, "p-1")]);
    }
    *stage.pool.ids.lock().unwrap() = ids;
    later(&mut stage, "two");
    stage.read(&map("Monitor"));
    stage.settle().await;
    assert!(members(&stage, "the role's other name").is_empty(), "{kind}");
    assert_eq!(members(&stage, role_there), [name("zoe")], "{kind}");
    stage.proved().await;
}

/// What the service calls by its own name, the portal by another.
const SPARK: [&str; 2] = ["Apache Spark Administrator", "Synapse Apache Spark Administrator"];

fn workspace(line: &str, manage: &str) -> String {
    format!(
        "axon: 1\ntargets:\n  warehouse: {{ kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\", \
         auth: managed-identity, mode: authoritative{manage} }}\nroles:\n  keeper: {{ grants: {{ warehouse: [{line}] }} }}\n\
         mappings:\n  - {{ groups: {{ any: [Readers] }}, source: entra, roles: [keeper] }}\n"
    )
}

/// Kim has the role by a line that calls it as the portal does.
async fn spark() -> Stage {
    let mut stage = Stage::set_with(&workspace(SPARK[1], "")).await;
    {
        let mut graph = stage.pool.graph.lock().unwrap();
        role(&mut graph, SPARK[0]);
        role(&mut graph, "Synapse User");
        principal(&mut graph, "kim", PrincipalKind::External);
        principal(&mut graph, "zoe", PrincipalKind::External);
    }
    let (kim, zoe) = (stage.user("kim").await, stage.user("zoe").await);
    stage.readers(&[kim]).await;
    stage.group("Others", &[zoe]).await;
    stage.settle().await;
    assert_eq!(members(&stage, SPARK[0]), [name("kim")]);
    stage
}

#[tokio::test]
async fn a_workspace_role_is_left_to_people_by_any_of_its_names() {
    for left in SPARK {
        let mut stage = spark().await;
        later(&mut stage, "two");
        stage.read(&workspace("Synapse User", &format!(", manage: {{ except: [{left}] }}")));
        stage.settle().await;
        assert_eq!(members(&stage, "Synapse User"), [name("kim")]);
        assert_eq!(members(&stage, SPARK[0]), [name("kim")], "{left}");
        let told = stage.pool.told.lock().unwrap().clone();
        assert!(told.contains(&name(SPARK[0])), "the target is told of it: {told:?}");
    }
}

#[tokio::test]
async fn a_workspace_role_is_managed_by_any_of_its_names() {
    for managed in SPARK {
        let mut stage = spark().await;
        join(&stage, SPARK[0], "zoe");
        later(&mut stage, "two");
        stage.read(&workspace("Synapse User", &format!(", manage: {{ roles: [{managed}] }}")));
        let map = stage.map.clone();
        let preview = stage.ticker.preview(&map).await.unwrap();
        let steps: Vec<String> = preview.plan.steps.iter().map(|planned| planned.step.to_string()).collect();
        let taken = format!("remove zoe from role {}", SPARK[0]);
        assert!(steps.contains(&taken), "{managed}: {steps:?}");
    }
}

#[tokio::test]
async fn a_workspace_role_is_taken_from_whom_axon_gave_it_under_whatever_name() {
    let kind = "kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\"";
    assigned(kind, "Synapse Artifact User", "kim", false).await;
}

#[tokio::test]
async fn a_role_of_azure_is_taken_from_the_group_to_which_axon_gave_it() {
    let kind = "kind: azure-rbac, scope: /subscriptions/0/resourceGroups/data";
    assigned(kind, "Contributor", "Readers", true).await;
}
