//! Whether the catalog shows what steps ask for.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{
    Connect, GrantKey, GrantState, Graph, Membership, Permission, PrincipalKind, Securable, Seen, Step,
};

use crate::catalog::{self, Known};
use crate::connect::Session;
use crate::error::CallError;
use crate::kill::{self, Whose};
use crate::render::{MOST_NAMES, NamedMembers};
use crate::secure;
use crate::statement::Dialect;

/// Where the reading takes place.
pub(crate) struct Place {
    pub(crate) database: SqlName,
    pub(crate) dialect: Dialect,
    pub(crate) known: Known,
    /// Whether principals are made by their object's id, where it is known.
    pub(crate) by_object_id: bool,
    /// Whether rows may be put in by bulk loads.
    pub(crate) bulk: secure::BulkLoads,
    /// Keys that were drawn and are to be made.
    pub(crate) keys: secure::DrawnKeys,
}

/// One answer per step. A step that a later one of them undoes or makes anew is in force if the later one is.
pub(crate) async fn read_back(
    session: &mut Session<'_>,
    place: &Place,
    steps: &[Step],
) -> Result<Vec<Seen>, CallError> {
    let mut seen = Vec::with_capacity(steps.len());
    let mut rest = steps;
    while !rest.is_empty() {
        let (chunk, names) = chunk(rest);
        let graph = if names.is_empty() {
            Graph::default()
        } else {
            let names: Vec<SqlName> = names.into_iter().collect();
            let raw = catalog::read_named(session, &names, NamedMembers::Both, place.dialect).await?;
            let known = Some(place.known.clone());
            catalog::assemble(raw, place.database, place.dialect, known).map_err(CallError::Unreadable)?.graph
        };
        for step in chunk {
            let in_force = match step {
                Step::KillSessions { principal } => {
                    is_out(session, place, &Whose::Principal(*principal)).await?
                }
                Step::KillFormer { principal: _, sid } => {
                    is_out(session, place, &Whose::Former(sid.clone())).await?
                }
                Step::Secure(step) => secure::in_force(session, step).await?,
                Step::Classify(step) => step.holds(&catalog::read_classifiers(session).await?),
                other => holds(&graph, other),
            };
            seen.push(if in_force { Seen::InForce } else { Seen::NotInForce });
        }
        rest = &rest[chunk.len()..];
    }
    for i in (0..steps.len()).rev() {
        if let Some(later) = (i + 1..steps.len()).find(|j| supersedes(&steps[*j], &steps[i])) {
            seen[i] = seen[later];
        }
    }
    Ok(seen)
}

/// Whether no session of theirs is left. Whoever cannot see the sessions of others cannot say so.
async fn is_out(session: &mut Session<'_>, place: &Place, whose: &Whose) -> Result<bool, CallError> {
    Ok(place.known.blind_to_sessions.is_none()
        && kill::sessions_of(session, whose, place.dialect).await?.is_empty())
}

/// As many of the steps as name no more than one query binds, and the names.
fn chunk(steps: &[Step]) -> (&[Step], BTreeSet<SqlName>) {
    let mut names = BTreeSet::new();
    for (i, step) in steps.iter().enumerate() {
        let more: Vec<SqlName> = match step {
            Step::AddMember { role, member } | Step::DropMember { role, member } => vec![*role, *member],
            Step::KillSessions { .. } | Step::KillFormer { .. } | Step::Secure(_) | Step::Classify(_) => {
                vec![]
            }
            other => vec![other.subject()],
        };
        let new = more.iter().filter(|name| !names.contains(*name)).count();
        if names.len() + new > MOST_NAMES {
            return (&steps[..i], names);
        }
        names.extend(more);
    }
    (steps, names)
}

fn keys(
    grantee: SqlName,
    permission: Permission,
    on: Securable,
    columns: &[SqlName],
) -> impl Iterator<Item = GrantKey> {
    let whole = columns.is_empty().then_some(on);
    let parts = columns.iter().filter_map(move |column| match on {
        Securable::Object(object) => Some(Securable::Column(object, *column)),
        _ => None,
    });
    whole.into_iter().chain(parts).map(move |securable| GrantKey { grantee, securable, permission })
}

/// Whether a catalog that was read shows a step's effect. Of sessions it does not tell.
pub fn holds(graph: &Graph, step: &Step) -> bool {
    let state = |key: &GrantKey| graph.grants.get(key);
    match step {
        Step::CreatePrincipal { name, kind, sid } => graph.principals.get(name).is_some_and(|found| {
            let same_sid = sid.is_none() || found.sid == *sid;
            // Builds differ in whether an application is E or X; where the SID is known it decides.
            let same_kind = found.kind == *kind || (sid.is_some() && found.kind != PrincipalKind::Sql);
            same_sid && same_kind
        }),
        Step::CreateRole { name } => graph.roles.contains_key(name),
        Step::AddMember { role, member } => {
            graph.members.contains(&Membership { role: *role, member: *member })
        }
        Step::DropMember { role, member } => {
            !graph.members.contains(&Membership { role: *role, member: *member })
        }
        Step::Grant { grantee, permission, on, columns } => keys(*grantee, *permission, *on, columns)
            .all(|key| state(&key).is_some_and(|grant| grant.state != GrantState::Deny && !grant.leaves_out)),
        Step::Deny { grantee, permission, on, columns } => keys(*grantee, *permission, *on, columns)
            .all(|key| state(&key).is_some_and(|grant| grant.state == GrantState::Deny && !grant.leaves_out)),
        // What another grantor gave is out of a REVOKE's reach and not its effect.
        Step::Revoke { grantee, permission, on, columns, was: _ } => {
            keys(*grantee, *permission, *on, columns)
                .all(|key| state(&key).is_none_or(|grant| !grant.own_row))
        }
        Step::DenyConnect { principal } => {
            graph.principals.get(principal).is_some_and(|p| p.connect == Connect::Denied)
        }
        Step::GrantConnect { principal } => {
            graph.principals.get(principal).is_some_and(|p| p.connect == Connect::Granted)
        }
        Step::DropRole { name } => !graph.roles.contains_key(name),
        Step::DropPrincipal { name, .. } => !graph.principals.contains_key(name),
        // Asked of the sessions, and of their own tables, not of the graph.
        Step::KillSessions { .. } | Step::KillFormer { .. } | Step::Secure(_) | Step::Classify(_) => false,
    }
}

/// Whether `later` does again or undoes what `earlier` did, so that `earlier`'s effect is no longer to be expected.
pub fn supersedes(later: &Step, earlier: &Step) -> bool {
    match (earlier, later) {
        (Step::DropPrincipal { name, .. }, Step::CreatePrincipal { name: again, .. })
        | (Step::DropRole { name }, Step::CreateRole { name: again })
        | (Step::CreatePrincipal { name, .. }, Step::DropPrincipal { name: again, .. })
        | (Step::CreateRole { name }, Step::DropRole { name: again })
        | (
            Step::DenyConnect { principal: name },
            Step::GrantConnect { principal: again } | Step::DropPrincipal { name: again, .. },
        )
        | (Step::GrantConnect { principal: name }, Step::DenyConnect { principal: again }) => name == again,
        (Step::AddMember { role, member }, Step::DropMember { role: other_role, member: other_member })
        | (Step::DropMember { role, member }, Step::AddMember { role: other_role, member: other_member }) => {
            role == other_role && member == other_member
        }
        (
            Step::Grant { grantee, permission, on, columns }
            | Step::Deny { grantee, permission, on, columns }
            | Step::Revoke { grantee, permission, on, columns, was: _ },
            Step::Grant { grantee: g, permission: p, on: o, columns: c }
            | Step::Deny { grantee: g, permission: p, on: o, columns: c }
            | Step::Revoke { grantee: g, permission: p, on: o, columns: c, was: _ },
        ) => grantee == g && permission == p && on == o && (columns == c || c.is_empty()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::sample::{self, name};
    use axon_reconcile::{ObjectName, Sid};

    fn graph() -> Graph {
        let mut raw = sample::pool();
        sample::user(&mut raw, 10, "kim", 'X');
        sample::role(&mut raw, 20, "r");
        raw.members = vec![(20, 10)];
        sample::permission(&mut raw, 10, 1, "CONNECT", 'D', (0, 0, 0));
        sample::permission(&mut raw, 20, 1, "SELECT", 'G', (1, 100, 1));
        sample::permission(&mut raw, 20, 10, "INSERT", 'G', (1, 100, 0));
        sample::permission(&mut raw, 20, 1, "UPDATE", 'D', (1, 100, 0));
        catalog::assemble(raw, name("dw"), Dialect::Dedicated, None).unwrap().graph
    }

    fn on_orders(permission: Permission, columns: &[&str]) -> (SqlName, Permission, Securable, Vec<SqlName>) {
        let orders = ObjectName { schema: name("sales"), name: name("orders") };
        (name("r"), permission, Securable::Object(orders), columns.iter().map(|c| name(c)).collect())
    }

    fn grant(permission: Permission, columns: &[&str]) -> Step {
        let (grantee, permission, on, columns) = on_orders(permission, columns);
        Step::Grant { grantee, permission, on, columns }
    }

    fn revoke(permission: Permission, columns: &[&str]) -> Step {
        let (grantee, permission, on, columns) = on_orders(permission, columns);
        Step::Revoke { grantee, permission, on, columns, was: GrantState::Grant }
    }

    fn deny(permission: Permission) -> Step {
        let (grantee, permission, on, columns) = on_orders(permission, &[]);
        Step::Deny { grantee, permission, on, columns }
    }

    #[test]
    fn each_step_is_judged_by_its_own_effect() {
        let graph = graph();
        let sid = |byte| Some(Sid::from_bytes(&[byte; 16]));
        let create = |kind, sid| Step::CreatePrincipal { name: name("KIM"), kind, sid };
        for (step, in_force) in [
            (create(PrincipalKind::ExternalGroup, None), true),
            (create(PrincipalKind::External, None), false),
            // An application may come back as X; its SID tells.
            (create(PrincipalKind::External, sid(10)), true),
            (create(PrincipalKind::ExternalGroup, sid(11)), false),
            (Step::CreateRole { name: name("r") }, true),
            // A user has the name: not the role that was asked for.
            (Step::CreateRole { name: name("kim") }, false),
            (Step::AddMember { role: name("r"), member: name("kim") }, true),
            (Step::DropMember { role: name("r"), member: name("kim") }, false),
            (grant(Permission::Select, &["id"]), true),
            (grant(Permission::Select, &["id", "region"]), false),
            (grant(Permission::Select, &[]), false),
            (grant(Permission::Update, &[]), false),
            (deny(Permission::Update), true),
            (deny(Permission::Insert), false),
            (revoke(Permission::Select, &["id"]), false),
            (revoke(Permission::Select, &["region"]), true),
            // Another grantor's row stays, and is not what a REVOKE of ours is about.
            (revoke(Permission::Insert, &[]), true),
            (Step::DenyConnect { principal: name("kim") }, true),
            (Step::GrantConnect { principal: name("kim") }, false),
            (Step::DropRole { name: name("r") }, false),
            (Step::DropPrincipal { name: name("r"), sid: None }, true),
            (Step::DropPrincipal { name: name("kim"), sid: None }, false),
        ] {
            assert_eq!(holds(&graph, &step), in_force, "{step}");
        }
    }

    #[test]
    fn a_step_that_a_later_one_undoes_is_superseded() {
        let kim = name("kim");
        let create = Step::CreatePrincipal { name: kim, kind: PrincipalKind::External, sid: None };
        assert!(supersedes(&create, &Step::DropPrincipal { name: kim, sid: None }));
        assert!(!supersedes(&create, &Step::DropPrincipal { name: name("lee"), sid: None }));
        assert!(supersedes(&Step::GrantConnect { principal: kim }, &Step::DenyConnect { principal: kim }));
        assert!(supersedes(&deny(Permission::Select), &grant(Permission::Select, &[])));
        // An object-level statement clears the column rows of its permission.
        assert!(supersedes(&revoke(Permission::Select, &[]), &grant(Permission::Select, &["id"])));
        assert!(!supersedes(&revoke(Permission::Select, &["id"]), &grant(Permission::Select, &[])));
        assert!(!supersedes(&revoke(Permission::Insert, &[]), &grant(Permission::Select, &[])));
    }

    #[test]
    fn a_wave_is_cut_into_queries_of_not_too_many_names() {
        let steps: Vec<Step> = (0..MOST_NAMES)
            .map(|i| Step::AddMember { role: name("r"), member: name(&format!("u{i}")) })
            .collect();
        let (first, names) = chunk(&steps);
        assert_eq!((first.len(), names.len()), (MOST_NAMES - 1, MOST_NAMES));
        assert_eq!(chunk(&steps[first.len()..]).0.len(), 1);
    }
}
