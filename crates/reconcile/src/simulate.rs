//! What a step does to a catalog: the semantics of dedicated pools over a [`Graph`].

use axon_model::SqlName;

use crate::graph::{Connect, Grant, GrantKey, GrantState, Graph, Membership, Principal, PrincipalKind, Role};
use crate::permission::{GrantableOn, Permission};
use crate::plan::Plan;
use crate::shape::{ObjectName, Securable};
use crate::step::Step;
use crate::target::Sid;
use crate::ties::Ties;

/// Why a catalog would refuse a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstruction {
    /// 15023
    #[error("{0} is there already, as a user or a role")]
    Exists(SqlName),
    /// 15063
    #[error("{0} has the same security id")]
    SidTaken(SqlName),
    /// 15151
    #[error("{0} is not there")]
    Missing(SqlName),
    /// 15150
    #[error("{0} is not something that this can be done to")]
    WrongKind(SqlName),
    /// 15413
    #[error("{0} would become a member of itself")]
    Circle(SqlName),
    /// 15144
    #[error("{0} has members")]
    HasMembers(SqlName),
    /// 15421
    #[error("{0} owns a role")]
    Owner(SqlName),
    /// 15284
    #[error("{0} granted permissions to others")]
    Grantor(SqlName),
    /// 4611
    #[error("what {0} holds is grantable: CASCADE is needed")]
    Grantable(SqlName),
    /// 102 and its like
    #[error("{0} cannot be given or denied on this securable")]
    NotGrantable(Permission),
}

/// A step that the catalog, as it is then, would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {step}: {why}")]
pub struct StepRefused {
    /// The step.
    pub step: Step,
    /// Why.
    pub why: Obstruction,
}

/// The catalog after all steps of the plan.
pub fn simulate(actual: &Graph, plan: &Plan) -> Result<Graph, StepRefused> {
    let mut graph = actual.clone();
    for planned in &plan.steps {
        apply_step(&mut graph, &planned.step)?;
    }
    Ok(graph)
}

/// Changes the graph as the catalog would change. A refused step changes nothing.
pub fn apply_step(graph: &mut Graph, step: &Step) -> Result<(), StepRefused> {
    apply(graph, None, step).map_err(|why| StepRefused { step: step.clone(), why })
}

/// The same, without a look at all principals for each one that is made.
pub fn apply_step_tied(graph: &mut Graph, ties: &Ties, step: &Step) -> Result<(), StepRefused> {
    apply(graph, Some(ties), step).map_err(|why| StepRefused { step: step.clone(), why })
}

/// Who has this security id.
fn holder(graph: &Graph, ties: Option<&Ties>, sid: &Sid) -> Option<SqlName> {
    let has = |name: &SqlName| graph.principals.get(name).is_some_and(|p| p.sid.as_ref() == Some(sid));
    match ties {
        Some(ties) => ties.holders_of(sid).find(has),
        None => graph.principals.keys().copied().find(has),
    }
}

fn apply(graph: &mut Graph, ties: Option<&Ties>, step: &Step) -> Result<(), Obstruction> {
    match step {
        Step::CreatePrincipal { name, kind, sid } => {
            free(graph, *name)?;
            if *kind == PrincipalKind::Sql {
                return Err(Obstruction::WrongKind(*name));
            }
            if let Some(other) = sid.as_ref().and_then(|sid| holder(graph, ties, sid)) {
                return Err(Obstruction::SidTaken(other));
            }
            let made = Principal { kind: *kind, sid: sid.clone(), connect: Connect::Granted, created: None };
            graph.principals.insert(*name, made);
        }
        Step::CreateRole { name } => {
            free(graph, *name)?;
            graph.roles.insert(*name, Role { fixed: false, owner: SqlName::parse("dbo").ok() });
        }
        Step::AddMember { role, member } => add_member(graph, Membership { role: *role, member: *member })?,
        Step::DropMember { role, member } => {
            let membership = Membership { role: *role, member: *member };
            if !graph.members.remove(&membership) {
                return Err(Obstruction::Missing(if graph.roles.contains_key(role) {
                    *member
                } else {
                    *role
                }));
            }
        }
        Step::Grant { grantee, permission, on, columns } => {
            permissions(graph, Verb::Grant, *grantee, *permission, *on, columns)?;
        }
        Step::Deny { grantee, permission, on, columns } => {
            if *permission == Permission::Execute && *on == Securable::Database {
                return Err(Obstruction::NotGrantable(*permission));
            }
            permissions(graph, Verb::Deny, *grantee, *permission, *on, columns)?;
        }
        Step::Revoke { grantee, permission, on, columns, was } => {
            let cascade = *was == GrantState::GrantWithOption;
            permissions(graph, Verb::Revoke { cascade }, *grantee, *permission, *on, columns)?;
        }
        Step::DenyConnect { principal } => connect(graph, *principal, Connect::Denied)?,
        Step::GrantConnect { principal } => connect(graph, *principal, Connect::Granted)?,
        Step::KillSessions { principal } => {
            graph.principals.get(principal).ok_or(Obstruction::Missing(*principal))?;
        }
        // Views are no part of the graph: what they take to be there is read with them. Nor is who had a name once.
        Step::Secure(_) | Step::Classify(_) | Step::KillFormer { .. } => {}
        Step::DropRole { name } => {
            let role = graph.roles.get(name).ok_or(Obstruction::Missing(*name))?;
            if role.fixed {
                return Err(Obstruction::WrongKind(*name));
            }
            if graph.members_of(*name).next().is_some() {
                return Err(Obstruction::HasMembers(*name));
            }
            drop_rows(graph, *name)?;
            graph.roles.remove(name);
        }
        Step::DropPrincipal { name, .. } => {
            graph.principals.get(name).ok_or(Obstruction::Missing(*name))?;
            drop_rows(graph, *name)?;
            graph.principals.remove(name);
        }
    }
    Ok(())
}

/// Users and roles share one namespace.
fn free(graph: &Graph, name: SqlName) -> Result<(), Obstruction> {
    let taken = graph.principals.contains_key(&name) || graph.roles.contains_key(&name);
    if taken { Err(Obstruction::Exists(name)) } else { Ok(()) }
}

fn connect(graph: &mut Graph, name: SqlName, to: Connect) -> Result<(), Obstruction> {
    graph.principals.get_mut(&name).ok_or(Obstruction::Missing(name))?.connect = to;
    Ok(())
}

fn add_member(graph: &mut Graph, membership: Membership) -> Result<(), Obstruction> {
    let Membership { role, member } = membership;
    if !graph.roles.contains_key(&role) {
        return Err(Obstruction::Missing(role));
    }
    if let Some(inner) = graph.roles.get(&member) {
        if inner.fixed {
            return Err(Obstruction::WrongKind(member));
        }
        let mut upwards = vec![role];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(next) = upwards.pop() {
            if next == member {
                return Err(Obstruction::Circle(member));
            }
            if seen.insert(next) {
                upwards.extend(graph.roles_of(next));
            }
        }
    } else if !graph.principals.contains_key(&member) {
        return Err(Obstruction::Missing(member));
    }
    graph.members.insert(membership);
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Grant,
    Deny,
    Revoke { cascade: bool },
}

/// Does one statement about a permission: all its keys, or none where one is refused.
fn permissions(
    graph: &mut Graph,
    verb: Verb,
    grantee: SqlName,
    permission: Permission,
    on: Securable,
    columns: &[SqlName],
) -> Result<(), Obstruction> {
    match graph.roles.get(&grantee) {
        Some(role) if role.fixed => return Err(Obstruction::WrongKind(grantee)),
        None if !graph.principals.contains_key(&grantee) => return Err(Obstruction::Missing(grantee)),
        _ => {}
    }
    if let Securable::Principal(name) = on
        && !graph.principals.contains_key(&name)
        && !graph.roles.contains_key(&name)
    {
        return Err(Obstruction::Missing(name));
    }
    let keys = match (on, columns) {
        (_, []) => vec![GrantKey { grantee, securable: on, permission }],
        (Securable::Object(object), columns) => columns
            .iter()
            .map(|column| GrantKey { grantee, securable: Securable::Column(object, *column), permission })
            .collect(),
        _ => return Err(Obstruction::NotGrantable(permission)),
    };
    if !keys.iter().all(|key| grantable(permission, &key.securable)) {
        return Err(Obstruction::NotGrantable(permission));
    }
    let passes_on = |key: &GrantKey| {
        graph.grants.get(key).is_some_and(|row| row.own_row && row.state == GrantState::GrantWithOption)
    };
    if matches!(verb, Verb::Deny | Verb::Revoke { cascade: false }) && keys.iter().any(passes_on) {
        return Err(Obstruction::Grantable(grantee));
    }
    for key in keys {
        match verb {
            Verb::Grant => grant(graph, key),
            Verb::Deny => {
                let row = graph.grants.entry(key).or_insert_with(|| Grant::wanted(GrantState::Deny));
                row.state = GrantState::Deny;
                row.own_row = true;
                row.leaves_out = false;
            }
            Verb::Revoke { cascade } => revoke(graph, key, cascade),
        }
    }
    if let (Securable::Object(object), []) = (on, columns) {
        clear_columns(graph, grantee, permission, object);
    }
    Ok(())
}

/// A plain GRANT leaves what is grantable grantable, and another grantor's DENY in force.
fn grant(graph: &mut Graph, key: GrantKey) {
    let row = graph.grants.entry(key).or_insert_with(|| Grant::wanted(GrantState::Grant));
    if row.state == GrantState::Deny && row.foreign_grantors.is_empty() {
        row.state = GrantState::Grant;
    }
    row.own_row = true;
    row.leaves_out = false;
}

/// Removes the own row; rows of other grantors stay in force. CASCADE takes what the grantee passed on.
fn revoke(graph: &mut Graph, key: GrantKey, cascade: bool) {
    if let Some(row) = graph.grants.get_mut(&key) {
        row.own_row = false;
        row.leaves_out = false;
        if row.foreign_grantors.is_empty() {
            graph.grants.remove(&key);
        }
    }
    if cascade {
        graph.grants.retain(|other, row| {
            if other.securable == key.securable && other.permission == key.permission {
                row.foreign_grantors.retain(|grantor| *grantor != key.grantee);
            }
            row.own_row || !row.foreign_grantors.is_empty()
        });
    }
}

/// A statement on a whole object clears the own rows of the same permission on its columns.
fn clear_columns(graph: &mut Graph, grantee: SqlName, permission: Permission, object: ObjectName) {
    let on_column = |key: &GrantKey| {
        key.permission == permission && matches!(key.securable, Securable::Column(o, _) if o == object)
    };
    let keys: Vec<GrantKey> =
        graph.grants_of(grantee).map(|(key, _)| *key).filter(|key| on_column(key)).collect();
    for key in keys {
        revoke(graph, key, false);
    }
}

/// What goes with a user or role that is dropped: its memberships, its rows, rows on it.
fn drop_rows(graph: &mut Graph, name: SqlName) -> Result<(), Obstruction> {
    if graph.roles.values().any(|role| role.owner == Some(name)) {
        return Err(Obstruction::Owner(name));
    }
    let granted = |key: &GrantKey, row: &Grant| key.grantee != name && row.foreign_grantors.contains(&name);
    if graph.grants.iter().any(|(key, row)| granted(key, row)) {
        return Err(Obstruction::Grantor(name));
    }
    graph.members.retain(|m| m.member != name);
    graph.grants.retain(|key, _| key.grantee != name && key.securable != Securable::Principal(name));
    Ok(())
}

/// Whether this kind of securable takes this permission.
pub fn grantable(permission: Permission, on: &Securable) -> bool {
    match permission.scope() {
        GrantableOn::Database => *on == Securable::Database,
        GrantableOn::Data => {
            let credential = permission == Permission::References && matches!(on, Securable::Credential(_));
            credential || matches!(on, Securable::Database | Securable::Schema(_) | Securable::Object(_))
        }
        GrantableOn::Columns => !matches!(
            on,
            Securable::Principal(_) | Securable::Credential(_) | Securable::Server | Securable::Other(_)
        ),
        GrantableOn::Any => !matches!(on, Securable::Column(..) | Securable::Server | Securable::Other(_)),
        GrantableOn::Server => *on == Securable::Server,
        GrantableOn::User => matches!(on, Securable::Principal(_)),
        GrantableOn::Nothing => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn table() -> ObjectName {
        ObjectName { schema: name("s"), name: name("t") }
    }

    fn graph() -> Graph {
        let mut graph = Graph::default();
        for step in [
            Step::CreateRole { name: name("r") },
            Step::CreateRole { name: name("inner") },
            Step::CreatePrincipal { name: name("kim"), kind: PrincipalKind::External, sid: None },
            Step::AddMember { role: name("r"), member: name("inner") },
            Step::AddMember { role: name("inner"), member: name("kim") },
        ] {
            apply_step(&mut graph, &step).unwrap();
        }
        graph
    }

    fn rows(graph: &Graph) -> Vec<String> {
        graph.grants.iter().map(|(key, row)| format!("{} {}", row.state, key.securable)).collect()
    }

    fn on_table(columns: &[&str]) -> (SqlName, Permission, Securable, Vec<SqlName>) {
        let columns = columns.iter().map(|column| name(column)).collect();
        (name("r"), Permission::Select, Securable::Object(table()), columns)
    }

    fn grant_on(columns: &[&str]) -> Step {
        let (grantee, permission, on, columns) = on_table(columns);
        Step::Grant { grantee, permission, on, columns }
    }

    fn deny_on(columns: &[&str]) -> Step {
        let (grantee, permission, on, columns) = on_table(columns);
        Step::Deny { grantee, permission, on, columns }
    }

    fn revoke_on(columns: &[&str], was: GrantState) -> Step {
        let (grantee, permission, on, columns) = on_table(columns);
        Step::Revoke { grantee, permission, on, columns, was }
    }

    #[test]
    fn a_grant_replaces_a_deny_and_a_deny_a_grant() {
        let mut graph = graph();
        apply_step(&mut graph, &deny_on(&[])).unwrap();
        apply_step(&mut graph, &grant_on(&[])).unwrap();
        assert_eq!(rows(&graph), ["GRANT s.t"]);
        apply_step(&mut graph, &deny_on(&[])).unwrap();
        assert_eq!(rows(&graph), ["DENY s.t"]);
        apply_step(&mut graph, &revoke_on(&[], GrantState::Deny)).unwrap();
        assert!(graph.grants.is_empty());
    }

    #[test]
    fn a_statement_on_the_object_clears_its_columns() {
        let mut graph = graph();
        apply_step(&mut graph, &grant_on(&["a", "b"])).unwrap();
        assert_eq!(rows(&graph), ["GRANT s.t (a)", "GRANT s.t (b)"]);
        apply_step(&mut graph, &deny_on(&[])).unwrap();
        assert_eq!(rows(&graph), ["DENY s.t"]);
    }

    #[test]
    fn rows_of_other_grantors_outlive_a_revoke() {
        let mut graph = graph();
        apply_step(&mut graph, &grant_on(&[])).unwrap();
        graph.grants.values_mut().for_each(|row| row.foreign_grantors.push(name("boss")));
        apply_step(&mut graph, &revoke_on(&[], GrantState::Grant)).unwrap();
        assert!(graph.grants.values().all(|row| !row.own_row));
        assert_eq!(rows(&graph), ["GRANT s.t"]);
    }

    #[test]
    fn what_a_catalog_refuses_is_refused_and_changes_nothing() {
        let mut graph = graph();
        apply_step(&mut graph, &grant_on(&["a"])).unwrap();
        graph.grants.values_mut().for_each(|row| row.state = GrantState::GrantWithOption);
        let before = graph.clone();
        let circle = Step::AddMember { role: name("inner"), member: name("r") };
        let control = Step::Grant {
            grantee: name("r"),
            permission: Permission::Control,
            on: Securable::Object(table()),
            columns: vec![name("a")],
        };
        for (step, why) in [
            (Step::CreateRole { name: name("KIM") }, Obstruction::Exists(name("kim"))),
            (Step::DropRole { name: name("r") }, Obstruction::HasMembers(name("r"))),
            (circle, Obstruction::Circle(name("r"))),
            (Step::AddMember { role: name("r"), member: name("x") }, Obstruction::Missing(name("x"))),
            (Step::DropMember { role: name("r"), member: name("kim") }, Obstruction::Missing(name("kim"))),
            (deny_on(&["a"]), Obstruction::Grantable(name("r"))),
            (revoke_on(&["a"], GrantState::Grant), Obstruction::Grantable(name("r"))),
            (control, Obstruction::NotGrantable(Permission::Control)),
            (Step::GrantConnect { principal: name("x") }, Obstruction::Missing(name("x"))),
        ] {
            assert_eq!(apply_step(&mut graph, &step).unwrap_err().why, why, "{step}");
            assert_eq!(graph, before, "{step}");
        }
    }

    #[test]
    fn who_is_dropped_takes_memberships_and_rows_along() {
        let mut graph = graph();
        let on = Securable::Principal(name("kim"));
        let permission = Permission::Impersonate;
        let step = Step::Grant { grantee: name("r"), permission, on, columns: Vec::new() };
        apply_step(&mut graph, &step).unwrap();
        apply_step(&mut graph, &Step::DropPrincipal { name: name("kim"), sid: None }).unwrap();
        assert!(graph.grants.is_empty());
        assert_eq!(graph.members.len(), 1);
    }
}
