//! A catalog as a file: what an inspection saw, so that whoever may read a pool hands it to an Axon that may not.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{
    Grant, GrantKey, Graph, Inspection, Membership, ObjectFacts, ObjectName, Principal, Role, Shape,
    TargetFacts, View,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::statement::Dialect;

/// The form of the file. Maps with keys that are no texts are lists of pairs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exported {
    axon: u8,
    #[serde(with = "time::serde::rfc3339")]
    read: OffsetDateTime,
    database: SqlName,
    facts: TargetFacts,
    principals: Vec<(SqlName, Principal)>,
    roles: Vec<(SqlName, Role)>,
    members: Vec<Membership>,
    grants: Vec<(GrantKey, Grant)>,
    #[serde(default)]
    views: Vec<(ObjectName, View)>,
    schemas: Vec<(SqlName, Option<SqlName>)>,
    objects: Vec<(ObjectName, ObjectFacts)>,
    #[serde(default)]
    credentials: Option<Vec<SqlName>>,
    unseen: Vec<String>,
}

/// The text of a file.
pub(crate) fn write(
    inspection: Inspection,
    database: SqlName,
    read: OffsetDateTime,
) -> Result<String, String> {
    let Inspection { graph, shape, facts, unseen } = inspection;
    let Graph { principals, roles, members, grants, views } = graph;
    let exported = Exported {
        axon: 1,
        read,
        database,
        facts,
        principals: principals.into_iter().collect(),
        roles: roles.into_iter().collect(),
        members: members.into_iter().collect(),
        grants: grants.into_iter().collect(),
        views: views.into_iter().collect(),
        schemas: shape.schemas.into_iter().collect(),
        objects: shape.objects.into_iter().collect(),
        credentials: shape.credentials.map(|names| names.into_iter().collect()),
        unseen,
    };
    serde_json::to_string_pretty(&exported).map_err(|e| e.to_string())
}

/// What a file says, and when it was read. A file about another database or kind of pool is refused.
pub(crate) fn read(
    text: &str,
    database: SqlName,
    dialect: Dialect,
) -> Result<(Inspection, OffsetDateTime), String> {
    let exported: Exported = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if exported.axon != 1 {
        return Err(format!("it is of version {}, which this Axon does not read", exported.axon));
    }
    if exported.database != database {
        return Err(format!("it is of database {}, not {database}", exported.database));
    }
    if dialect.contradicts(exported.facts.engine_edition) {
        return Err(format!("EngineEdition {} is not {}", exported.facts.engine_edition, dialect.name()));
    }
    let graph = Graph {
        principals: exported.principals.into_iter().collect(),
        roles: exported.roles.into_iter().collect(),
        members: exported.members.into_iter().collect(),
        grants: exported.grants.into_iter().collect(),
        views: exported.views.into_iter().collect(),
    };
    let shape = Shape {
        schemas: exported.schemas.into_iter().collect(),
        objects: exported.objects.into_iter().collect(),
        credentials: exported.credentials.map(|names| names.into_iter().collect()),
        unread: false,
        filtered: BTreeSet::new(),
        standing: BTreeMap::new(),
    };
    let (facts, unseen) = (exported.facts, exported.unseen);
    Ok((Inspection { graph, shape, facts, unseen }, exported.read))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::catalog::assemble;
    use crate::catalog::sample::{self, name};

    fn seen() -> Inspection {
        let mut raw = sample::pool();
        sample::user(&mut raw, 10, "zo\u{eb}@acme.com", 'E');
        sample::permission(&mut raw, 10, 1, "SELECT", 'G', (1, 100, 1));
        sample::permission(&mut raw, 10, 1, "FLY", 'D', (0, 0, 0));
        let picture = assemble(raw, name("dw"), Dialect::Dedicated, None).unwrap();
        let (graph, shape, facts, unseen) = (picture.graph, picture.shape, picture.facts, picture.unseen);
        Inspection { graph, shape, facts, unseen }
    }

    #[test]
    fn a_catalog_reads_back_from_its_file() {
        let at = datetime!(2026-11-22 13:00 UTC);
        let text = write(seen(), name("dw"), at).unwrap();
        assert_eq!(read(&text, name("DW"), Dialect::Dedicated), Ok((seen(), at)));
        let other = read(&text, name("dw2"), Dialect::Dedicated).unwrap_err();
        assert_eq!(other, "it is of database dw, not dw2");
        assert!(read(&text, name("dw"), Dialect::Serverless).unwrap_err().contains("EngineEdition 6"));
        assert!(read("{}", name("dw"), Dialect::Dedicated).is_err());
    }
}
