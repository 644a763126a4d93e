//! Security policies, and what schema-bound objects hold on to.

use serde::{Deserialize, Serialize};

use super::Catalog;
use super::object::Object;

/// A table, or a function, that a schema-bound object reads, with the columns that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// `object_id` of what is read.
    pub object: i32,
    /// Its columns, by `column_id`.
    pub columns: Vec<i32>,
}

/// A row of `sys.security_predicates`: rows of `table` are there for whom `function` gives a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterPredicate {
    /// `security_predicate_id`, from 1; never used again after a drop.
    pub id: i32,
    /// `target_object_id`
    pub table: i32,
    /// The inline table-valued function.
    pub function: i32,
    /// Texts of its arguments.
    pub arguments: Vec<String>,
    /// Columns of the table that the arguments name.
    pub columns: Vec<i32>,
}

/// What a security policy says. Dedicated pools know filters only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityPolicy {
    /// `STATE`
    pub enabled: bool,
    /// `SCHEMABINDING`: then nobody needs a permission on what the functions read, and nobody changes it.
    pub schema_bound: bool,
    /// One for each table at most.
    pub filters: Vec<FilterPredicate>,
    /// The id that the next predicate gets.
    pub next: i32,
}

impl SecurityPolicy {
    /// Its filter on a table.
    pub fn filter_on(&self, table: i32) -> Option<&FilterPredicate> {
        self.filters.iter().find(|filter| filter.table == table)
    }
}

impl Catalog {
    /// All security policies, by id.
    pub fn policies(&self) -> impl Iterator<Item = (&Object, &SecurityPolicy)> {
        self.policies.iter().filter_map(|id| {
            let object = self.objects.get(id)?;
            Some((object, object.policy.as_ref()?))
        })
    }

    /// The filter in force on a table: that of the one enabled policy that has one.
    pub fn filter_on(&self, table: i32) -> Option<(&Object, &SecurityPolicy, &FilterPredicate)> {
        self.policies()
            .filter(|(_, policy)| policy.enabled)
            .find_map(|(object, policy)| policy.filter_on(table).map(|filter| (object, policy, filter)))
    }

    /// A schema-bound object that holds on to this one, so that it stays as it is.
    pub fn holder_of(&self, id: i32) -> Option<&Object> {
        self.objects.values().filter(|object| object.id != id).find(|object| object.holds(id, None))
    }

    /// A schema-bound object that holds on to this column.
    pub fn holder_of_column(&self, id: i32, column: i32) -> Option<&Object> {
        self.objects.values().find(|object| object.holds(id, Some(column)))
    }
}

impl Object {
    /// Whether it is bound to an object, or to one column of it.
    fn holds(&self, id: i32, column: Option<i32>) -> bool {
        let names = |columns: &[i32]| column.is_none_or(|column| columns.contains(&column));
        let reads = self
            .references
            .iter()
            .flatten()
            .any(|reference| reference.object == id && names(&reference.columns));
        let filters =
            self.policy.iter().filter(|policy| policy.schema_bound).flat_map(|policy| &policy.filters);
        reads
            || filters.into_iter().any(|filter| {
                (filter.table == id && names(&filter.columns)) || (filter.function == id && column.is_none())
            })
    }
}
