//! What our principal lacks in a pool to do Axon's work, each with the statement that gives it.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{GrantState, Inspection, Permission, Securable};

use crate::render::{Sql, render};
use crate::statement::{Clause, Dialect, On, Statement, Writable};

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The permission's T-SQL name, or a role's.
    pub what: String,
    /// What cannot be done without it.
    pub so: &'static str,
    /// A statement that gives it.
    pub remedy: Sql,
}

/// What each part of the work needs: any one of the permissions, or membership of one of the roles.
const WORK: [(&[Permission], &[&str], &str); 5] = [
    (
        &[Permission::ViewDefinition],
        &["db_securityadmin"],
        "only a part of the catalog is seen, so nothing that is absent is believed to be absent",
    ),
    (&[Permission::AlterAnyUser], &["db_accessadmin"], "nobody can be let in or shut out"),
    (&[Permission::AlterAnyRole], &["db_securityadmin"], "no role can be made, filled or emptied"),
    (&[Permission::ViewDatabaseState], &[], "the sessions of a leaver are not seen, so they cannot be ended"),
    (&[Permission::Control], &["db_securityadmin"], "no permission can be given or taken away"),
];

/// The same at a server.
const AT_SERVER: [(&[Permission], &[&str], &str); 4] = [
    (
        &[Permission::ViewAnyDefinition],
        &[],
        "only a part of the server is seen, so nothing that is absent is believed to be absent",
    ),
    (&[Permission::AlterAnyLogin], &["securityadmin"], "nobody can be let in or shut out"),
    (&[Permission::ViewServerState], &[], "the sessions of a leaver are not seen, so they cannot be ended"),
    (&[Permission::ControlServer], &["sysadmin"], "no permission can be given or taken away"),
];

/// What is missing. Nothing for whoever administers the database.
pub fn lacking(inspection: &Inspection, database: SqlName, dialect: Dialect) -> Vec<Lack> {
    let own = inspection.facts.own_principal;
    if inspection.facts.administrators.contains(&own) {
        return Vec::new();
    }
    let ours = all_of(inspection, own);
    let mut given: BTreeSet<Permission> = BTreeSet::new();
    let mut denied: BTreeSet<Permission> = BTreeSet::new();
    for who in &ours {
        for (key, grant) in inspection.graph.grants_of(*who) {
            if matches!(key.securable, Securable::Database | Securable::Server) {
                let set = if grant.state == GrantState::Deny { &mut denied } else { &mut given };
                set.insert(key.permission);
            }
        }
    }
    let (work, control, on): (&[_], _, _) = match dialect {
        Dialect::Server => (&AT_SERVER, Permission::ControlServer, On::Server),
        Dialect::Dedicated | Dialect::Serverless => (&WORK, Permission::Control, On::Database(database)),
    };
    let controls = given.contains(&control) && !denied.contains(&control);
    let mut lacks = Vec::new();
    for (permissions, roles, so) in work.iter().copied() {
        let by_role = roles.iter().any(|role| ours.iter().any(|mine| mine.folded() == *role));
        let by_grant = permissions.iter().any(|p| (given.contains(p) || controls) && !denied.contains(p));
        if by_role || by_grant {
            continue;
        }
        let Some(permission) = permissions.first() else { continue };
        let role = roles.iter().find_map(|role| SqlName::parse(role).ok());
        // What only CONTROL gives is better had from a role that gives no data.
        let statement = match (role, Writable::new(*permission)) {
            (Some(role), _) if *permission == control => Statement::AddMember { role, member: own },
            (_, Some(permission)) => {
                Statement::Grant(Clause { permission, on, columns: Vec::new(), principal: own })
            }
            (_, None) => continue,
        };
        let what = match (&statement, role) {
            (Statement::AddMember { .. }, Some(role)) => format!("membership of {role}"),
            _ => permission.name().to_owned(),
        };
        lacks.push(Lack { what, so, remedy: render(&statement, dialect) });
    }
    lacks
}

/// Ourselves, and every role that we are in, also through other roles.
fn all_of(inspection: &Inspection, own: SqlName) -> BTreeSet<SqlName> {
    let mut by_member: BTreeMap<SqlName, Vec<SqlName>> = BTreeMap::new();
    for membership in &inspection.graph.members {
        by_member.entry(membership.member).or_default().push(membership.role);
    }
    let mut found = BTreeSet::from([own]);
    found.extend(SqlName::parse("public"));
    let mut open = vec![own];
    while let Some(next) = open.pop() {
        for role in by_member.get(&next).into_iter().flatten() {
            if found.insert(*role) {
                open.push(*role);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::assemble;
    use crate::catalog::sample::{self, name};

    fn lacks(prepare: impl FnOnce(&mut crate::catalog::RawCatalog)) -> Vec<String> {
        let mut raw = sample::pool();
        raw.facts.as_mut().unwrap().own = "axon".into();
        sample::user(&mut raw, 10, "axon", 'E');
        sample::permission(&mut raw, 10, 1, "CONNECT", 'G', (0, 0, 0));
        prepare(&mut raw);
        let picture = assemble(raw, name("dw"), Dialect::Dedicated, None).unwrap();
        let inspection = Inspection {
            graph: picture.graph,
            shape: picture.shape,
            facts: picture.facts,
            unseen: picture.unseen,
        };
        lacking(&inspection, name("dw"), Dialect::Dedicated)
            .into_iter()
            .map(|lack| lack.remedy.into_string())
            .collect()
    }

    #[test]
    fn each_lack_has_the_statement_that_gives_it() {
        assert_eq!(
            lacks(|_| ()),
            [
                "GRANT VIEW DEFINITION ON DATABASE::[dw] TO [axon]",
                "GRANT ALTER ANY USER ON DATABASE::[dw] TO [axon]",
                "GRANT ALTER ANY ROLE ON DATABASE::[dw] TO [axon]",
                "GRANT VIEW DATABASE STATE ON DATABASE::[dw] TO [axon]",
                "EXEC sp_addrolemember N'db_securityadmin', N'axon'",
            ]
        );
    }

    #[test]
    fn roles_and_control_give_and_a_denial_takes() {
        assert_eq!(lacks(|raw| raw.members.push((16384, 10))), Vec::<String>::new());
        let control = |raw: &mut crate::catalog::RawCatalog| {
            sample::permission(raw, 10, 1, "CONTROL", 'G', (0, 0, 0));
        };
        assert_eq!(lacks(control), Vec::<String>::new());
        let denied = lacks(|raw| {
            control(raw);
            sample::permission(raw, 10, 1, "VIEW DATABASE STATE", 'D', (0, 0, 0));
        });
        assert_eq!(denied, ["GRANT VIEW DATABASE STATE ON DATABASE::[dw] TO [axon]"]);
        let through_role = lacks(|raw| {
            sample::role(raw, 20, "workers");
            raw.members.extend([(20, 10), (16386, 20)]);
        });
        assert_eq!(
            through_role,
            [
                "GRANT ALTER ANY USER ON DATABASE::[dw] TO [axon]",
                "GRANT VIEW DATABASE STATE ON DATABASE::[dw] TO [axon]",
            ]
        );
    }
}
