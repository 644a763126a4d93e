//! From rows with ids to graph and shape. Pure.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_model::name::{fold, shown};
use axon_reconcile::{Graph, Membership, Shape, Shared, TargetFacts};

use super::grants::{Names, permissions};
use super::notes::Notes;
use super::places::shape;
use super::principals::principals;
use super::reach;
use super::rows::RawCatalog;
use crate::statement::Dialect;

/// What a read by name takes over from the last read of everything.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Who may administer.
    pub(crate) administrators: BTreeSet<SqlName>,
    /// Why our principal does not see all, if so.
    pub(crate) blind: Option<String>,
    /// Why it does not see the sessions of others, if so.
    pub(crate) blind_to_sessions: Option<String>,
}

impl Known {
    /// What holds before anything was read: `dbo` administers, and absence proves nothing.
    pub(crate) fn nothing() -> Self {
        let administrators = SqlName::parse("dbo").into_iter().collect();
        let unread = || Some("nothing was read yet".to_owned());
        Self { administrators, blind: unread(), blind_to_sessions: unread() }
    }
}

/// The principal of a server's administrator, whatever it is named there.
const FIRST: i32 = 1;

/// What rows mean.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) graph: Graph,
    pub(crate) shape: Shape,
    pub(crate) facts: TargetFacts,
    pub(crate) known: Known,
    pub(crate) unseen: Vec<String>,
}

/// Makes graph and shape of rows. `known` is what an earlier read of everything told; without it these rows are everything.
pub(crate) fn assemble(
    raw: RawCatalog,
    database: SqlName,
    dialect: Dialect,
    known: Option<Known>,
) -> Result<Picture, String> {
    let facts = raw.facts.ok_or("no row that says who we are")?;
    if fold(&facts.database) != database.folded() {
        return Err(format!("this is database {:?}, not {database}", shown(&facts.database)));
    }
    if dialect.contradicts(facts.edition) {
        return Err(format!("EngineEdition {} is not {}", facts.edition, dialect.name()));
    }
    let own = SqlName::parse(&facts.own).map_err(|e| format!("our own name there: {e}"))?;

    let mut notes = Notes::default();
    let mut graph = Graph::default();
    let who = principals(&raw.principals, dialect, &mut graph, &mut notes);
    let members = raw.members.into_iter().filter_map(|(role, member)| {
        let (role, member) = (*who.get(&role)?, *who.get(&member)?);
        let is_there = graph.principals.contains_key(&member) || graph.roles.contains_key(&member);
        (graph.roles.contains_key(&role) && is_there).then_some(Membership { role, member })
    });
    let members = members.collect();
    graph.members = members;
    let (mut shape, mut places) = shape(raw.schemas, raw.objects, raw.columns, &who);
    if dialect != Dialect::Dedicated {
        shape.credentials = places.credentials(raw.credentials);
    }

    let administrators = match &known {
        Some(known) => known.administrators.clone(),
        None => {
            reach::administrators(&graph, (dialect == Dialect::Server).then_some((own, facts.administers)))
        }
    };
    let acts_as = match dialect {
        _ if !administrators.contains(&own) => Some(own),
        // What administrators of a server give, its first principal gave.
        Dialect::Server => who.get(&FIRST).copied().or(Some(own)),
        Dialect::Dedicated | Dialect::Serverless => SqlName::parse("dbo").ok(),
    };
    permissions(&raw.permissions, &Names { who, places, dialect }, acts_as, &mut graph, &mut notes);
    drop(raw.permissions);
    graph.grants = Shared::packed(graph.grants.into_inner());

    let known = known.unwrap_or_else(|| Known {
        blind: reach::blind(&graph, own, &administrators, dialect),
        blind_to_sessions: reach::blind_to_sessions(&graph, own, &administrators, dialect),
        administrators,
    });
    let mut unseen = notes.into_lines();
    unseen.extend(known.blind.clone());
    let facts = TargetFacts {
        version: facts.version,
        engine_edition: facts.edition,
        own_principal: own,
        administrators: known.administrators.iter().copied().collect(),
    };
    Ok(Picture { graph, shape, facts, known, unseen })
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Connect, PrincipalKind};

    use super::*;
    use crate::catalog::sample::{self, name};

    fn picture(raw: RawCatalog) -> Picture {
        assemble(raw, name("dw"), Dialect::Dedicated, None).unwrap()
    }

    #[test]
    fn a_pool_is_read_into_principals_roles_memberships_and_shape() {
        let mut raw = sample::pool();
        sample::user(&mut raw, 10, "kim@acme.com", 'E');
        sample::user(&mut raw, 11, "SG-Sales", 'X');
        sample::user(&mut raw, 12, "loader", 'S');
        sample::role(&mut raw, 20, "axon_sales");
        raw.members = vec![(20, 10), (20, 11), (20, 999), (16384, 10)];
        sample::permission(&mut raw, 10, 1, "CONNECT", 'G', (0, 0, 0));
        sample::permission(&mut raw, 11, 1, "CONNECT", 'D', (0, 0, 0));
        let picture = picture(raw);

        let graph = &picture.graph;
        assert_eq!(
            graph.principals.keys().map(|n| n.as_str()).collect::<Vec<_>>(),
            ["kim@acme.com", "loader", "SG-Sales"]
        );
        assert_eq!(graph.principals[&name("kim@acme.com")].kind, PrincipalKind::External);
        assert_eq!(graph.principals[&name("kim@acme.com")].connect, Connect::Granted);
        assert_eq!(graph.principals[&name("SG-Sales")].kind, PrincipalKind::ExternalGroup);
        assert_eq!(graph.principals[&name("SG-Sales")].connect, Connect::Denied);
        assert_eq!(graph.principals[&name("loader")].connect, Connect::Absent);
        assert_eq!(graph.members.len(), 3, "a row that points nowhere is left out");
        assert!(!graph.roles[&name("axon_sales")].fixed);
        for fixed in ["db_owner", "mediumrc", "public"] {
            assert!(graph.roles[&name(fixed)].fixed, "{fixed}");
        }
        assert_eq!(graph.roles[&name("axon_sales")].owner, Some(name("dbo")));
        assert!(graph.grants.is_empty(), "CONNECT is a state of the principal");

        assert_eq!(picture.facts.own_principal, name("dbo"));
        assert_eq!(picture.facts.administrators, [name("dbo"), name("kim@acme.com")]);
        assert_eq!(picture.unseen, Vec::<String>::new());
        let schemas: Vec<_> = picture.shape.schemas.keys().map(|n| n.as_str()).collect();
        assert_eq!(schemas, ["dbo", "sales"], "the catalog's own schemas are not for permissions");
        let orders = axon_reconcile::ObjectName { schema: name("sales"), name: name("orders") };
        assert_eq!(picture.shape.objects[&orders].columns, [name("id"), name("region")]);
        assert_eq!(picture.shape.objects[&orders].owner, Some(name("dbo")));
    }

    #[test]
    fn the_wrong_database_or_engine_is_refused() {
        let mut raw = sample::pool();
        raw.facts.as_mut().unwrap().database = "master".into();
        let error = assemble(raw, name("dw"), Dialect::Dedicated, None).unwrap_err();
        assert_eq!(error, "this is database \"master\", not dw");
        let error = assemble(sample::pool(), name("DW"), Dialect::Serverless, None).unwrap_err();
        assert_eq!(error, "EngineEdition 6 is not a serverless pool");
        let mut raw = sample::pool();
        raw.facts.as_mut().unwrap().edition = 5;
        assert!(
            assemble(raw, name("dw"), Dialect::Serverless, None).is_ok(),
            "an unknown edition proves nothing"
        );
        assert!(assemble(RawCatalog::default(), name("dw"), Dialect::Dedicated, None).is_err());
    }

    #[test]
    fn names_that_cannot_be_told_apart_are_named_and_never_merged() {
        let mut raw = sample::pool();
        sample::user(&mut raw, 10, "kim", 'E');
        sample::user(&mut raw, 11, "kim\u{200f}", 'E');
        sample::user(&mut raw, 12, "lee ", 'E');
        sample::permission(&mut raw, 11, 1, "CONTROL", 'G', (0, 0, 0));
        raw.members = vec![(16384, 11)];
        let picture = picture(raw);
        assert_eq!(picture.graph.principals.len(), 1);
        assert!(picture.graph.grants.is_empty(), "the other's grant is not kim's");
        assert!(picture.graph.members.is_empty(), "nor is its membership");
        assert_eq!(
            picture.unseen,
            [
                r#"principals "kim" and "kim\\u{200f}" cannot be told apart: rename or drop one"#,
                r#"principal "lee " is left out: the name begins or ends with a blank"#,
            ]
        );
    }

    #[test]
    fn a_reader_that_may_not_see_all_says_so() {
        let mut raw = sample::pool();
        raw.facts.as_mut().unwrap().own = "axon".into();
        sample::user(&mut raw, 10, "axon", 'E');
        sample::permission(&mut raw, 10, 1, "CONNECT", 'G', (0, 0, 0));
        let blind = picture(raw.clone());
        assert_eq!(
            blind.unseen,
            ["axon may not see all of the catalog: grant it VIEW DEFINITION on the database"]
        );

        let mut through_role = raw.clone();
        sample::role(&mut through_role, 20, "readers");
        through_role.members = vec![(20, 10)];
        sample::permission(&mut through_role, 20, 1, "VIEW DEFINITION", 'G', (0, 0, 0));
        assert_eq!(picture(through_role.clone()).unseen, Vec::<String>::new());

        sample::permission(&mut through_role, 10, 1, "VIEW DEFINITION", 'D', (0, 0, 0));
        assert_eq!(picture(through_role).unseen.len(), 1, "a DENY wins");

        raw.principals.retain(|p| p.id != 10);
        assert!(picture(raw).unseen[0].contains("enters through a group"));
    }

    #[test]
    fn members_of_db_owner_through_roles_administer() {
        let mut raw = sample::pool();
        sample::user(&mut raw, 10, "kim", 'E');
        sample::role(&mut raw, 20, "admins");
        raw.members = vec![(16384, 20), (20, 10)];
        raw.facts.as_mut().unwrap().own = "kim".into();
        let picture = picture(raw);
        assert_eq!(picture.facts.administrators, [name("admins"), name("dbo"), name("kim")]);
        assert_eq!(picture.unseen, Vec::<String>::new(), "an administrator sees everything");
    }
}
