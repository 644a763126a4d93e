//! Whether somebody who reads a view reaches its table past it, or could write where its owner owns: what the catalog says, whoever
//! gave it.

use std::collections::BTreeSet;

use axon_model::SqlName;

use super::{Metadata, TableFilter};
use crate::finding::Finding;
use crate::graph::{GrantState, Graph, PrincipalKind};
use crate::permission::Permission;
use crate::shape::{ObjectName, Securable};
use crate::view_body::ViewBody;

/// Fixed roles that read every table, or can write code anywhere. Members of `db_owner` administer: no view is kept from them.
const REACH: [&str; 3] = ["db_datareader", "db_ddladmin", "db_securityadmin"];

/// Who reads the view and reaches past it, in words; none, if nobody does. `filter` is the one that its table has in force: columns
/// that it opens to a role are no way past, and whom it lets see every row is. `own` are accounts as which Axon works: they keep the
/// views, and no view is kept from them.
pub fn past(
    graph: &Graph,
    body: &ViewBody,
    metadata: &Metadata,
    filter: Option<&TableFilter>,
    own: &BTreeSet<SqlName>,
) -> Option<String> {
    let mut reach = grantees(graph, |permission, on, grantee| {
        let open = filter.is_some_and(|filter| opens(filter, permission, on, grantee));
        !open && reaches(permission, on, body, metadata)
    });
    // Members of `db_owner` administer.
    let unfiltered = filter.map(|filter| filter.unfiltered.iter().filter(|role| role.as_str() != "db_owner"));
    reach.extend(unfiltered.into_iter().flatten());
    let fixed = REACH.iter().filter_map(|role| SqlName::parse(role).ok());
    let reach: BTreeSet<SqlName> = reach.into_iter().chain(fixed).filter(|n| *n != metadata.owner).collect();
    let readers = grantees(graph, |permission, on, _| reads(permission, on, body.name));
    if readers.is_empty() {
        return None;
    }
    let readers: BTreeSet<SqlName> = people(graph, &readers).difference(own).copied().collect();
    reach.into_iter().find_map(|by| {
        let both = people(graph, &BTreeSet::from([by]));
        let who = both.intersection(&readers).next()?;
        let how = if *who == by { String::new() } else { format!(" by role {by}") };
        Some(format!(
            "{who}, who reads it, reaches {} past it{how}: take that away, or let them not read the view",
            body.from
        ))
    })
}

/// Whether somebody who may read columns of the table is in a role whose members see every row of it. Members of `db_owner` administer.
pub fn through(graph: &Graph, filter: &TableFilter) -> bool {
    let unfiltered = filter.unfiltered.iter().filter(|role| role.as_str() != "db_owner").copied();
    let unfiltered: BTreeSet<SqlName> = unfiltered.collect();
    if unfiltered.is_empty() {
        return false;
    }
    let readers = people(graph, &filter.open.keys().copied().collect());
    !people(graph, &unfiltered).is_disjoint(&readers)
}

/// Who may put on somebody who can enter, by `EXECUTE AS`: views take the one for the other, and no permission of Axon's is asked.
pub fn puts_on(graph: &Graph) -> Vec<Finding> {
    let given = graph.grants.iter().filter(|(_, grant)| grant.state != GrantState::Deny);
    let whom = given.filter_map(|(key, _)| match key.securable {
        Securable::Principal(whom)
            if matches!(key.permission, Permission::Impersonate | Permission::Control) =>
        {
            let enters = graph.principals.get(&whom).is_some_and(|p| p.kind == PrincipalKind::External);
            enters.then_some(Finding::PutsOnAnother { who: key.grantee, whom })
        }
        _ => None,
    });
    whom.collect()
}

fn grantees(graph: &Graph, fits: impl Fn(Permission, &Securable, SqlName) -> bool) -> BTreeSet<SqlName> {
    let given = graph.grants.iter().filter(|(_, grant)| grant.state != GrantState::Deny);
    let fitting = given.filter(|(key, _)| fits(key.permission, &key.securable, key.grantee));
    fitting.map(|(key, _)| key.grantee).collect()
}

/// Whether a permission is one of those on single columns that a filter opens to a role.
fn opens(filter: &TableFilter, permission: Permission, on: &Securable, grantee: SqlName) -> bool {
    let Securable::Column(table, column) = on else { return false };
    permission == Permission::Select
        && *table == filter.table
        && filter.open.get(&grantee).is_some_and(|columns| columns.contains(column))
}

fn reads(permission: Permission, on: &Securable, view: ObjectName) -> bool {
    let there = match on {
        Securable::Object(object) | Securable::Column(object, _) => *object == view,
        Securable::Schema(schema) => *schema == view.schema,
        Securable::Database => true,
        Securable::Principal(_) | Securable::Server | Securable::Credential(_) | Securable::Other(_) => false,
    };
    there && matches!(permission, Permission::Select | Permission::Control)
}

/// Whether a permission reads the table or what views read, or lets somebody write there.
fn reaches(permission: Permission, on: &Securable, body: &ViewBody, metadata: &Metadata) -> bool {
    let (base, own) = match on {
        Securable::Object(object) | Securable::Column(object, _) => {
            (*object == body.from || object.schema == metadata.schema, *object == body.name)
        }
        Securable::Schema(schema) => {
            (*schema == body.from.schema || *schema == metadata.schema, *schema == body.name.schema)
        }
        Securable::Database => (true, true),
        Securable::Principal(name) => (false, *name == metadata.owner),
        Securable::Server | Securable::Credential(_) | Securable::Other(_) => (false, false),
    };
    match permission {
        Permission::Select => base,
        Permission::Control | Permission::Alter | Permission::TakeOwnership => base || own,
        Permission::Impersonate => own,
        // Code of the owner's reads for whoever may run it.
        Permission::Execute => base && !matches!(on, Securable::Database),
        Permission::AlterAnySchema | Permission::AlterAnyUser => true,
        _ => false,
    }
}

/// Principals among these names and in these roles. Everybody is in `public`.
fn people(graph: &Graph, names: &BTreeSet<SqlName>) -> BTreeSet<SqlName> {
    if names.iter().any(|name| name.as_str() == "public") {
        return graph.principals.keys().copied().collect();
    }
    let mut open: Vec<SqlName> = names.iter().copied().collect();
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some(name) = open.pop() {
        if graph.principals.contains_key(&name) {
            found.insert(name);
        }
        if seen.insert(name) {
            open.extend(graph.members_of(name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnType;
    use crate::graph::{Connect, Grant, GrantKey, Membership, Principal, PrincipalKind, Role};
    use crate::view_body::{Cell, Rows, ShownColumn};

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn object(schema: &str) -> ObjectName {
        ObjectName { schema: name(schema), name: name("orders") }
    }

    fn told(permission: Permission, on: Securable, grantee: &str) -> Option<String> {
        told_beside(None, permission, on, grantee)
    }

    fn told_beside(
        filter: Option<&TableFilter>,
        permission: Permission,
        on: Securable,
        grantee: &str,
    ) -> Option<String> {
        let mut graph = people_and_roles();
        let mut grant = |grantee: &str, permission, securable| {
            let key = GrantKey { grantee: name(grantee), securable, permission };
            graph.grants.insert(key, Grant::wanted(GrantState::Grant));
        };
        grant("reader", Permission::Select, Securable::Object(object("secure")));
        grant(grantee, permission, on);
        let body = ViewBody {
            name: object("secure"),
            from: object("sales"),
            columns: vec![ShownColumn { name: name("id"), ty: ColumnType::Int, cell: Cell::Clear }],
            rows: Rows::All,
        };
        let metadata = Metadata::new(name("axon"), name("axon_owner"));
        past(&graph, &body, &metadata, filter, &[name("keeper")].into())
    }

    /// Kim reads and is in another role, where Lee is, too.
    fn people_and_roles() -> Graph {
        let mut graph = Graph::default();
        for role in ["reader", "other", "db_datareader"] {
            graph.roles.insert(name(role), Role::default());
        }
        for person in ["kim", "lee", "keeper"] {
            let connect = Connect::Granted;
            let principal = Principal { kind: PrincipalKind::External, sid: None, connect, created: None };
            graph.principals.insert(name(person), principal);
        }
        graph.members.insert(Membership { role: name("reader"), member: name("kim") });
        graph.members.insert(Membership { role: name("other"), member: name("kim") });
        graph.members.insert(Membership { role: name("other"), member: name("lee") });
        graph
    }

    #[test]
    fn whoever_reads_the_view_must_not_reach_past_it_by_any_way() {
        let schema = |text| Securable::Schema(name(text));
        for (permission, on) in [
            (Permission::Select, Securable::Object(object("sales"))),
            (Permission::Select, schema("sales")),
            (Permission::Select, schema("axon")),
            (Permission::Select, Securable::Database),
            (Permission::Alter, schema("secure")),
            (Permission::Control, Securable::Object(object("secure"))),
            (Permission::Execute, schema("sales")),
            (Permission::Impersonate, Securable::Principal(name("axon_owner"))),
            (Permission::AlterAnySchema, Securable::Database),
        ] {
            let words = told(permission, on, "other").unwrap_or_else(|| panic!("{permission} on {on}"));
            assert!(words.contains("kim, who reads it,") && words.contains("by role other"), "{words}");
        }
        assert!(told(Permission::Select, schema("sales"), "public").is_some(), "everybody is in public");
        assert!(told(Permission::Select, schema("sales"), "lee").is_none(), "lee reads no view");
        assert!(told(Permission::Select, Securable::Database, "lee").is_some(), "now lee does");
        for (permission, on) in [
            (Permission::Select, schema("hr")),
            (Permission::Insert, Securable::Object(object("sales"))),
            (Permission::ViewDefinition, Securable::Database),
        ] {
            assert!(told(permission, on, "other").is_none(), "{permission} on {on}");
        }
    }

    #[test]
    fn an_account_as_which_axon_works_keeps_the_views_and_is_no_reader() {
        for schema in ["secure", "sales", "axon"] {
            let on = Securable::Schema(name(schema));
            assert_eq!(told(Permission::Control, on, "keeper"), None, "{schema}");
        }
        // Another one of the same permissions is one, and so is whoever is in a role that has them.
        let on = || Securable::Schema(name("secure"));
        assert!(told(Permission::Control, on(), "lee").is_some_and(|words| words.contains("lee")));
        assert!(told(Permission::Control, on(), "other").is_some_and(|words| words.contains("kim")));
    }

    #[test]
    fn columns_that_a_filter_opens_to_a_role_are_no_way_past_and_all_else_is() {
        let column = |text| Securable::Column(object("sales"), name(text));
        let filter = |unfiltered: &[&str]| TableFilter {
            table: object("sales"),
            columns: vec![(name("id"), ColumnType::Int)],
            rows: Rows::Nothing,
            unfiltered: unfiltered.iter().map(|role| name(role)).collect(),
            open: [(name("reader"), [name("id")].into())].into(),
        };
        let plain = filter(&["db_owner", "loads"]);
        let told = |filter, on, grantee| told_beside(Some(filter), Permission::Select, on, grantee);
        assert_eq!(told(&plain, column("id"), "reader"), None);
        for (on, grantee) in [
            (column("mail"), "reader"),
            (column("id"), "other"),
            (Securable::Object(object("sales")), "reader"),
            (Securable::Column(ObjectName { name: name("id"), ..object("axon") }, name("id")), "reader"),
        ] {
            assert!(told(&plain, on, grantee).is_some(), "{on} to {grantee}");
        }
        assert!(
            told_beside(None, Permission::Select, column("id"), "reader").is_some(),
            "without its filter"
        );
        let through = told(&filter(&["other"]), column("id"), "reader").unwrap();
        assert!(through.contains("by role other"), "who sees every row is no reader: {through}");
        let mut graph = people_and_roles();
        assert!(!super::through(&graph, &plain));
        assert!(super::through(&graph, &filter(&["other"])), "kim is in both");
        // By a role in a role, too.
        graph.members.insert(Membership { role: name("loads"), member: name("other") });
        assert!(super::through(&graph, &plain));
        assert!(!super::through(&graph, &filter(&["db_owner"])));
    }
}
