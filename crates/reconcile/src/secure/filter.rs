//! `enforce: native`: the rows of a view as a filter of its table, and what the target shows of such filters.
//!
//! A filter is an inline function of the managed schema and a security policy that calls it. While it is in force its readers may
//! hold permissions on columns of the table itself; without it they hold none.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use super::{Metadata, ViewsThere};
use crate::column_type::ColumnType;
use crate::graph::{GrantState, Graph};
use crate::permission::Permission;
use crate::shape::{ObjectName, Securable};
use crate::view_body::Rows;

/// The filter of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TableFilter {
    /// The table.
    pub table: ObjectName,
    /// The columns that the rule compares, with their types, in order: at least one.
    pub columns: Vec<(SqlName, ColumnType)>,
    /// The rows that are seen, as in the views of the table.
    pub rows: Rows,
    /// Roles of the pool whose members see every row. Nobody else does, whoever owns the table.
    pub unfiltered: BTreeSet<SqlName>,
    /// Columns that each role of the pool may read in the table itself.
    pub open: BTreeMap<SqlName, BTreeSet<SqlName>>,
}

/// What a target calls a filter, and what its catalog then shows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterShown {
    /// The policy, in the managed schema.
    pub policy: SqlName,
    /// The function. Its name holds the digest of its text.
    pub function: SqlName,
    /// The call of the function with the table's columns, as [`call`] makes it comparable.
    pub call: String,
    /// The digest of the function's text.
    pub digest: String,
}

/// A function of the managed schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFunction {
    /// Whether its text says that Axon made it.
    pub made: bool,
    /// The table that it filters and how a policy has to call it, both comparable, by its own text; none where that is not as Axon
    /// wrote it.
    pub of: Option<(String, String)>,
    /// The digest of its text; none where that is not as Axon wrote it.
    pub digest: Option<String>,
}

impl FoundFunction {
    /// Whether its text is the wanted one.
    pub(super) fn is(&self, shown: &FilterShown) -> bool {
        self.made && self.digest.as_ref() == Some(&shown.digest)
    }

    fn is_called_by(&self, predicate: &FoundPredicate) -> bool {
        let table = predicate.table.map(|table| call(&table.to_string()));
        self.made
            && self.of.as_ref().is_some_and(|(of, by)| Some(of) == table.as_ref() && *by == predicate.call)
    }
}

/// A predicate of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPredicate {
    /// The policy.
    pub policy: ObjectName,
    /// Whether the policy is on.
    pub enabled: bool,
    /// The table that it is about; none of a policy without one.
    pub table: Option<ObjectName>,
    /// What it calls, comparable.
    pub call: String,
    /// Whether it filters; else it blocks.
    pub filters: bool,
}

/// Filters as the target shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    /// Every predicate of every policy of the database.
    pub predicates: Vec<FoundPredicate>,
    /// Functions of the managed schema.
    pub functions: BTreeMap<SqlName, FoundFunction>,
}

/// A call as a catalog or a statement writes it, without parentheses around it, blanks between names, and case.
pub fn call(text: &str) -> String {
    let mut within = false;
    let kept = text.chars().filter(|c| {
        match c {
            '[' => within = true,
            // Of a doubled one the next character is a bracket again, and no blank.
            ']' => within = !within,
            _ => {}
        }
        within || !c.is_whitespace()
    });
    let mut text: String = kept.flat_map(char::to_lowercase).collect();
    while text.starts_with('(') && text.ends_with(')') {
        text = text[1..text.len() - 1].to_owned();
    }
    text
}

impl Filters {
    /// Tables whose rows a policy of Axon's own filters now, by a function that Axon wrote, be it by another rule than the map's.
    pub(super) fn of_axon(&self, schema: SqlName) -> BTreeSet<ObjectName> {
        let holds = |predicate: &&FoundPredicate| {
            predicate.enabled
                && predicate.filters
                && predicate.policy.schema == schema
                && self.functions.values().any(|function| function.is_called_by(predicate))
        };
        self.predicates.iter().filter(holds).filter_map(|predicate| predicate.table).collect()
    }

    /// Whether a table is filtered now by this very rule: its policy is on and calls this function, whose text is the wanted one.
    pub fn in_force(&self, schema: SqlName, table: ObjectName, shown: &FilterShown) -> bool {
        let policy = ObjectName { schema, name: shown.policy };
        let called = self.predicates.iter().any(|found| {
            found.enabled
                && found.filters
                && found.policy == policy
                && found.table == Some(table)
                && found.call == shown.call
        });
        let function = self.functions.get(&shown.function);
        called && function.is_some_and(|function| function.is(shown))
    }

    /// A policy of somebody else's that is about a table.
    pub(super) fn foreign(&self, table: ObjectName, schema: SqlName) -> Option<ObjectName> {
        let about = self.predicates.iter().filter(|found| found.table == Some(table));
        about.map(|found| found.policy).find(|policy| policy.schema != schema)
    }
}

impl ViewsThere {
    /// Tables that a filter of Axon's filters, be it by another rule than the map's.
    pub fn filtered_somehow(
        &self,
        metadata: &Metadata,
        schemas: &BTreeMap<SqlName, Option<SqlName>>,
    ) -> BTreeSet<ObjectName> {
        let filters = self.safe_filters(metadata, schemas);
        filters.map(|filters| filters.of_axon(metadata.schema)).unwrap_or_default()
    }

    /// Whether a table is filtered by this very rule.
    pub fn filtered(
        &self,
        metadata: &Metadata,
        schemas: &BTreeMap<SqlName, Option<SqlName>>,
        table: ObjectName,
        shown: &FilterShown,
    ) -> bool {
        let filters = self.safe_filters(metadata, schemas);
        filters.is_some_and(|filters| filters.in_force(metadata.schema, table, shown))
    }

    /// The filters, where nobody can enter as their owner.
    fn safe_filters(
        &self,
        metadata: &Metadata,
        schemas: &BTreeMap<SqlName, Option<SqlName>>,
    ) -> Option<&Filters> {
        let owned = schemas.get(&metadata.schema).copied().flatten() == Some(metadata.owner);
        let safe = owned && self.owner == Some(true) && self.result_set_caching != Some(true);
        self.filters.as_ref().filter(|_| safe)
    }
}

/// Whether anybody but the owner may read single columns of a table.
pub fn opened(graph: &Graph, table: ObjectName) -> bool {
    graph.grants.iter().any(|(key, grant)| {
        let column = matches!(key.securable, Securable::Column(object, _) if object == table);
        column && key.permission == Permission::Select && grant.state != GrantState::Deny
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn table() -> ObjectName {
        ObjectName { schema: name("sales"), name: name("orders") }
    }

    fn filters(change: impl FnOnce(&mut FoundPredicate, &mut FoundFunction)) -> BTreeSet<ObjectName> {
        let of = call("([axon].[filter_1] ([Region]))");
        assert_eq!(of, "[axon].[filter_1]([region])");
        let policy = ObjectName { schema: name("axon"), name: name("filter") };
        let mut predicate =
            FoundPredicate { policy, enabled: true, table: Some(table()), call: of.clone(), filters: true };
        let shown = FilterShown {
            policy: name("filter"),
            function: name("filter_1"),
            call: of.clone(),
            digest: "right".into(),
        };
        let digest = Some("right".into());
        let mut function = FoundFunction { made: true, of: Some(("sales.orders".into(), of)), digest };
        change(&mut predicate, &mut function);
        let functions = BTreeMap::from([(name("filter_1"), function)]);
        let filters = Filters { predicates: vec![predicate], functions };
        [table()].into_iter().filter(|table| filters.in_force(name("axon"), *table, &shown)).collect()
    }

    #[test]
    fn a_filter_by_an_older_rule_is_axons_and_opens_nothing() {
        let policy = ObjectName { schema: name("axon"), name: name("filter") };
        let of = call("[axon].[older]([region])");
        let predicate =
            FoundPredicate { policy, enabled: true, table: Some(table()), call: of.clone(), filters: true };
        let older =
            FoundFunction { made: true, of: Some(("sales.orders".into(), of)), digest: Some("older".into()) };
        let functions = BTreeMap::from([(name("older"), older)]);
        let owner = Some(name("axon_owner"));
        let there = ViewsThere {
            owner: Some(true),
            filters: Some(Filters { predicates: vec![predicate], functions }),
            ..ViewsThere::default()
        };
        let metadata = Metadata::new(name("axon"), name("axon_owner"));
        let schemas = BTreeMap::from([(name("axon"), owner)]);
        let shown = |function: &str| FilterShown {
            policy: name("filter"),
            function: name(function),
            call: call(&format!("[axon].[{function}]([region])")),
            digest: function.into(),
        };
        assert_eq!(there.filtered_somehow(&metadata, &schemas), BTreeSet::from([table()]));
        assert!(there.filtered(&metadata, &schemas, table(), &shown("older")));
        assert!(!there.filtered(&metadata, &schemas, table(), &shown("now")));
        let others = BTreeMap::from([(name("axon"), Some(name("dbo")))]);
        assert!(!there.filtered(&metadata, &others, table(), &shown("older")), "its owner can enter");
    }

    #[test]
    fn blanks_count_only_within_a_name() {
        assert_eq!(call("( [axon] . [f] ( [a b] , [c]]  d] ) )"), "[axon].[f]([a b],[c]]  d])");
        assert_ne!(call("[f]([a b])"), call("[f]([ab])"));
    }

    #[test]
    fn only_a_filter_that_is_all_axons_own_and_on_is_in_force() {
        assert_eq!(filters(|_, _| {}), BTreeSet::from([table()]));
        let changes: [fn(&mut FoundPredicate, &mut FoundFunction); 9] = [
            |predicate, _| predicate.enabled = false,
            |predicate, _| predicate.filters = false,
            |predicate, _| predicate.table = None,
            |predicate, _| predicate.policy.schema = name("dbo"),
            |predicate, _| predicate.call = call("axon.filter_1([other])"),
            |predicate, _| predicate.policy.name = name("other"),
            |_, function| function.made = false,
            |_, function| function.digest = None,
            // A text with a digest of its own, that fits it and is not the wanted one.
            |_, function| function.digest = Some("by hand".into()),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_eq!(filters(change), BTreeSet::new(), "change {number}");
        }
    }
}
