//! `views`: secure views over base tables, as the map describes them. Their text is made elsewhere.

mod circle;
mod held;
mod mask;
mod native;
mod read;
mod rows;
mod source;

use axon_model::{SourceId, SqlName};
use axon_reconcile::ObjectName;

use crate::identity::NameKey;
use crate::names::{RoleName, TargetName};
use crate::place::Place;

pub(crate) use circle::check as check_circles;
pub(crate) use held::into_roles;
pub use mask::Mask;
pub use native::Native;
pub(crate) use read::{COLUMN_KEYS, KEYS, read};
pub use rows::{Comparison, Operand, RowOp};
pub use source::TablePattern;
pub(crate) use source::name_of;

/// A view that shows a part of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct SecureView {
    /// Its name.
    pub name: ObjectName,
    /// Where it is declared.
    pub place: Place,
    /// The targets that hold it.
    pub targets: Vec<TargetName>,
    /// What it shows; of a pattern, its words.
    pub from: ObjectName,
    /// The tables, if it is not one: then there is one view of each, and its name is made of the table's.
    pub pattern: Option<TablePattern>,
    /// Its columns, in order; hidden ones too.
    pub columns: Vec<ViewColumn>,
    /// Which rows are seen: those that any line lets through. Empty: all.
    pub rows: Vec<RowLine>,
    /// Roles that may read it.
    pub readers: Vec<RoleName>,
    /// What stands on its table itself, beside the view: `enforce: native`.
    pub native: Option<Native>,
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
        /// Roles that see the mask, if not everybody else does: people with none of both see NULL.
        to: Vec<RoleName>,
    },
}

/// One line of `rows`.
#[derive(Debug, Clone, PartialEq)]
pub enum RowLine {
    /// People with this role see every row.
    Role(RoleName),
    /// People in this group see every row.
    Group(RowGroup),
    /// A row is seen if all of these hold.
    Where {
        /// As it was written.
        text: String,
        /// The comparisons.
        all: Vec<Comparison>,
        /// Only people with one of these roles see it so; empty: everybody.
        to: Vec<RoleName>,
        /// Where it stands.
        place: Place,
    },
}

/// A group that a line of `rows` names: that of one source, as a mapping names it. Another source's group of the name is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowGroup {
    /// Its `displayName`.
    pub name: String,
    /// Whose.
    pub source: SourceId,
    /// Where it stands.
    pub place: Place,
}

impl RowGroup {
    /// By what the name is bound to a group.
    pub(crate) fn key(&self) -> NameKey {
        NameKey::of(&self.source, &self.name)
    }

    /// What stands in a profile for being in it. No source's name has a blank, so no two groups have one text.
    pub fn value(&self) -> String {
        format!("{} {}", self.source, self.name)
    }
}

impl SecureView {
    /// The groups that its lines name.
    pub fn groups(&self) -> impl Iterator<Item = &RowGroup> {
        self.rows.iter().filter_map(|line| match line {
            RowLine::Group(group) => Some(group),
            RowLine::Role(_) | RowLine::Where { .. } => None,
        })
    }

    /// The roles that it tells people apart by.
    pub fn roles(&self) -> impl Iterator<Item = &RoleName> {
        let rows = self.rows.iter().flat_map(|line| match line {
            RowLine::Role(role) => std::slice::from_ref(role),
            RowLine::Where { to, .. } => to.as_slice(),
            RowLine::Group(_) => &[],
        });
        let columns = self.columns.iter().flat_map(|column| {
            let (unless, to) = match &column.shown {
                Shown::Masked { unless, to, .. } => (unless.as_slice(), to.as_slice()),
                Shown::Clear | Shown::Hidden => (&[][..], &[][..]),
            };
            unless.iter().chain(to)
        });
        rows.chain(columns)
    }
}
