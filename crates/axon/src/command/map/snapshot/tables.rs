//! The tables of a target as a line of a snapshot: names and types, and nothing that stands in them.

use std::collections::BTreeMap;

use axon_mapping::TargetName;
use axon_mapping::preview::Tables;
use axon_model::SqlName;
use axon_reconcile::secure::{BaseTable, FoundView, ManagedTable};
use axon_reconcile::{ColumnType, ObjectName, ViewsThere};
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    tables: OfTarget,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfTarget {
    target: TargetName,
    schemas: Vec<(SqlName, Option<SqlName>)>,
    tables: Vec<Table>,
    views: Vec<ObjectName>,
    owner: Option<bool>,
    managed: Vec<ManagedTable>,
    keys: Vec<String>,
    result_set_caching: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: ObjectName,
    owner: Option<SqlName>,
    columns: Vec<(SqlName, ColumnType)>,
}

impl Line {
    /// What was read of a target.
    pub fn of(target: TargetName, tables: Tables) -> Self {
        let Tables { there, schemas } = tables;
        let table = |(name, table): (ObjectName, BaseTable)| Table {
            name,
            owner: table.owner,
            columns: table.columns,
        };
        let of = OfTarget {
            target,
            schemas: schemas.into_iter().collect(),
            tables: there.tables.into_iter().map(table).collect(),
            views: there.views.into_keys().collect(),
            owner: there.owner,
            managed: there.managed.into_iter().collect(),
            keys: there.keys.into_iter().collect(),
            result_set_caching: there.result_set_caching,
        };
        Self { tables: of }
    }

    /// Puts it among those of other targets.
    pub fn into(self, all: &mut BTreeMap<TargetName, Tables>) {
        let of = self.tables;
        let table = |table: Table| (table.name, BaseTable { owner: table.owner, columns: table.columns });
        // That a view is there is all that is asked of it: what it says is the map's.
        let found = FoundView { digest: None, made: true, intact: true, owner: None };
        let there = ViewsThere {
            tables: of.tables.into_iter().map(table).collect(),
            views: of.views.into_iter().map(|name| (name, found.clone())).collect(),
            owner: of.owner,
            managed: of.managed.into_iter().collect(),
            keys: of.keys.into_iter().collect(),
            result_set_caching: of.result_set_caching,
            ..ViewsThere::default()
        };
        all.insert(of.target, Tables { there, schemas: of.schemas.into_iter().collect() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_read_but_for_the_words_of_views() {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let object = |schema: &str| ObjectName { schema: name(schema), name: name("orders") };
        let text = ColumnType::Text { national: true, fixed: false, length: None };
        let columns = vec![(name("id"), ColumnType::Int), (name("mail"), text)];
        let found = FoundView { digest: None, made: true, intact: true, owner: None };
        let tables = Tables {
            there: ViewsThere {
                tables: BTreeMap::from([(
                    object("sales"),
                    BaseTable { owner: Some(name("axon_owner")), columns },
                )]),
                views: BTreeMap::from([(object("secure"), found)]),
                owner: Some(true),
                managed: ManagedTable::ALL.into(),
                keys: ["secure.orders.mail".to_owned()].into(),
                result_set_caching: Some(false),
                ..ViewsThere::default()
            },
            schemas: BTreeMap::from([(name("sales"), Some(name("axon_owner"))), (name("odd"), None)]),
        };
        let target: TargetName = "dw".parse().unwrap();
        let line = serde_json::to_string(&Line::of(target.clone(), tables.clone())).unwrap();
        let mut read = BTreeMap::new();
        serde_json::from_str::<Line>(&line).unwrap().into(&mut read);
        assert_eq!(read, BTreeMap::from([(target, tables)]));
    }
}
