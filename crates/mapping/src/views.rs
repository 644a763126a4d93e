//! From `views` of the map and the catalog's columns to what each view shows: typed, checked, without a choice left.
//!
//! ```text
//!  SecureView ┐            columns ──mask──> ShownColumn ┐
//!  tables     ├─ compile ─┤                               ├─> ViewBody ──(synapse renders)──> CREATE VIEW
//!  roles, tags┘            rows ──────────> Rows          ┘       │
//!                                                                 └──needs──> rows of the profile, person by person
//! ```
//!
//! A view that cannot be compiled gives faults and no body: what stands in the pool then is
//! [closed](axon_reconcile::ViewBody::closed), and never more open than the policy.

mod columns;
mod fault;
mod mask;
mod name;
mod profile;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::view_body::{ViewBody, Who};
use axon_reconcile::{ColumnType, ObjectName};

use crate::names::RoleName;
use crate::secure_view::SecureView;

pub use fault::ViewFault;
pub use name::{NamesCollide, of_tables};
pub use profile::{
    Delimiters, Needs, Person, ProfileDelta, ProfileRow, Unwritable, delimited, delta, rows_of,
};

/// The attribute under which a profile holds roles of the map.
pub const ROLES: &str = "axon:role";
/// The attribute under which a profile holds the names of groups.
pub const GROUPS: &str = "axon:group";

/// A table as the catalog shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseTable {
    /// Who owns it: its own owner, else its schema's.
    pub owner: Option<SqlName>,
    /// Its columns in order.
    pub columns: Vec<(SqlName, ColumnType)>,
}

/// What views are compiled against.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The tables of the target.
    pub tables: &'a BTreeMap<ObjectName, BaseTable>,
    /// Owners of the schemas of the target.
    pub schemas: &'a BTreeMap<SqlName, Option<SqlName>>,
    /// The roles of the pool that stand for roles of the map. A role that is not here is looked up in the profile.
    pub roles: &'a BTreeMap<RoleName, SqlName>,
    /// Columns by tag.
    pub tags: &'a BTreeMap<String, BTreeSet<(ObjectName, SqlName)>>,
}

impl Surroundings<'_> {
    fn who(&self, role: &RoleName) -> Who {
        match self.roles.get(role) {
            Some(name) => Who::Role(*name),
            None => Who::Has { attribute: ROLES.to_owned(), value: role.as_str().to_owned() },
        }
    }
}

/// The body of one view, or everything that keeps it from having one.
pub fn compile(view: &SecureView, within: &Surroundings<'_>) -> Result<ViewBody, Vec<ViewFault>> {
    let mut faults = Vec::new();
    let Some(table) = within.tables.get(&view.from) else {
        let message = format!("table {} is not in the target", view.from);
        return Err(vec![ViewFault::new(view, &view.place, message, "name a table that is there")]);
    };
    let owner = within.schemas.get(&view.name.schema).copied().flatten();
    if owner.is_none() || owner != table.owner {
        let message = format!("{} and schema {} have different owners", view.from, view.name.schema);
        let help =
            "give both schemas one owner without a login: else no reader of the view reaches the table";
        faults.push(ViewFault::new(view, &view.place, message, help));
    }
    let columns = columns::of(view, table, within, &mut faults);
    let rows = rows::of(view, table, within, &mut faults);
    if columns.is_empty() && faults.is_empty() {
        faults.push(ViewFault::new(view, &view.place, "it shows no column", "show or mask one"));
    }
    if faults.is_empty() {
        Ok(ViewBody { name: view.name, from: view.from, columns, rows })
    } else {
        Err(faults)
    }
}

/// All views of a target: the bodies of those that have one, and all faults.
pub fn compile_all<'v>(
    views: impl IntoIterator<Item = &'v SecureView>,
    within: &Surroundings<'_>,
) -> (Vec<ViewBody>, Vec<ViewFault>) {
    let views: Vec<&SecureView> = views.into_iter().collect();
    let mut first: BTreeMap<ObjectName, &SecureView> = BTreeMap::new();
    let mut twice: BTreeSet<ObjectName> = BTreeSet::new();
    let (mut bodies, mut faults) = (Vec::new(), Vec::new());
    for view in &views {
        if let Some(other) = first.insert(view.name, view) {
            let message = format!("it has the name of {} at {}", other.name, other.place);
            let help = "a pool compares names without case: rename one";
            faults.push(ViewFault::new(view, &view.place, message, help));
            twice.insert(view.name);
        }
    }
    for view in views {
        if first.contains_key(&view.from) {
            let message = format!("{} is a secure view itself", view.from);
            faults.push(ViewFault::new(view, &view.place, message, "show the table"));
        } else if !twice.contains(&view.name) {
            match compile(view, within) {
                Ok(body) => bodies.push(body),
                Err(more) => faults.extend(more),
            }
        }
    }
    (bodies, faults)
}
