//! `views`: secure views over base tables, as the map describes them. Their text is made elsewhere.

mod mask;
mod read;
mod rows;

use axon_model::SqlName;
use axon_reconcile::ObjectName;

use crate::names::{RoleName, TargetName};
use crate::place::Place;

pub use mask::Mask;
pub(crate) use read::{COLUMN_KEYS, KEYS, ROW_KEYS, read};
pub use rows::{Comparison, Operand, RowOp};

/// A view that shows a part of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct SecureView {
    /// Its name.
    pub name: ObjectName,
    /// Where it is declared.
    pub place: Place,
    /// The targets that hold it.
    pub targets: Vec<TargetName>,
    /// What it shows.
    pub from: ObjectName,
    /// Its columns, in order; hidden ones too.
    pub columns: Vec<ViewColumn>,
    /// Which rows are seen: those that any line lets through. Empty: all.
    pub rows: Vec<RowLine>,
}

/// One column of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewColumn {
    /// Its name.
    pub name: SqlName,
    /// What is seen of it.
    pub shown: Shown,
    /// Where it stands.
    pub place: Place,
}

/// What is seen of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// All.
    Clear,
    /// Nothing: it is not in the view.
    Hidden,
    /// Something else in its place.
    Masked {
        /// What.
        mask: Mask,
        /// Roles that see it clear.
        unless: Vec<RoleName>,
    },
}

/// One line of `rows`.
#[derive(Debug, Clone, PartialEq)]
pub enum RowLine {
    /// People with this role see every row.
    Role(RoleName),
    /// People in the group of this display name see every row.
    Group(String),
    /// A row is seen if all of these hold.
    Where {
        /// As it was written.
        text: String,
        /// The comparisons.
        all: Vec<Comparison>,
        /// Where it stands.
        place: Place,
    },
}
