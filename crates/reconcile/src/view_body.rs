//! What a secure view shows, as a value: every choice is made, nothing of the text is.
//!
//! Everything that compares with the person who looks is one of [`Who`]; everything that compares with the row is one of
//! [`Test`]. A test of which a side is NULL is unknown, and what is unknown shows nothing.

mod shown;

use std::collections::BTreeSet;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use crate::column_type::ColumnType;
use crate::shape::ObjectName;

/// The body of a secure view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ViewBody {
    /// The view.
    pub name: ObjectName,
    /// The table it shows.
    pub from: ObjectName,
    /// Its columns in order, at least one.
    pub columns: Vec<ShownColumn>,
    /// The rows that are seen.
    pub rows: Rows,
}

impl ViewBody {
    /// The same view with no row in it: what stands in the pool while its policy cannot be carried out.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.rows = Rows::Nothing;
        self
    }
}

/// One column of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShownColumn {
    /// Its name, in the table and in the view.
    pub name: SqlName,
    /// Its type, in the table and in the view.
    pub ty: ColumnType,
    /// What stands in it.
    pub cell: Cell,
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// The table's value.
    Clear,
    /// The mask, except where the person is one of `unless`.
    Masked {
        /// What stands there for everyone else.
        mask: TypedMask,
        /// Who sees the value.
        unless: BTreeSet<Who>,
        /// Who sees the mask, if not everybody else does: whoever is among neither sees NULL.
        to: BTreeSet<Who>,
    },
}

/// A mask that fits its column's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TypedMask {
    /// NULL.
    Null,
    /// This value, whatever the row holds; NULL too.
    Fixed(Literal),
    /// Hexadecimal digits of a keyed hash, so many, by the key of this id in the managed schema.
    Hash {
        /// Which key.
        key: String,
        /// How many digits, 16 to 64.
        digits: u16,
    },
    /// The first letter, and what follows the last dot of the domain.
    Email,
    /// The last characters.
    Last(u16),
    /// The first characters.
    First(u16),
    /// Towards zero, to a multiple of this.
    Round(u32),
    /// The lower end of the range of this width that it is in. The lowest value of the type stands where that end lies below it.
    Bucket {
        /// How wide.
        width: u32,
        /// The lowest value of the type.
        lowest: String,
        /// The lowest value at which a range begins: a multiple of the width.
        safe: String,
    },
    /// The first of January of its year.
    Year,
    /// The first day of its month.
    Month,
    /// Every digit is 0.
    Digits,
}

/// A value in a view's text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Literal {
    /// A text, or a date or id in the form that its type is written in.
    Text(String),
    /// Digits with an optional sign and point.
    Number(String),
    /// Bytes of zero length or one zero byte: what stands for a binary value.
    Bytes,
}

/// Something that is true or false of the person who looks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Is a member of this role of the pool.
    Role(SqlName),
    /// Has this value of this attribute in the profile.
    Has {
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
    },
}

/// The rows that are seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// All.
    All,
    /// None.
    Nothing,
    /// Those that any of these lets through.
    Any(Vec<RowRule>),
}

/// One line of `rows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowRule {
    /// Every row, to these people.
    To(Who),
    /// The rows of which all of these are true.
    All(Vec<Test>),
}

/// How a column compares with a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is its word")]
pub enum Order {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

/// A condition over a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Against a value.
    Compare {
        /// The column.
        column: SqlName,
        /// Its type.
        ty: ColumnType,
        /// How.
        order: Order,
        /// With what.
        value: Literal,
    },
    /// One of these values.
    In {
        /// The column.
        column: SqlName,
        /// Its type.
        ty: ColumnType,
        /// The values, at least one.
        values: Vec<Literal>,
    },
    /// A value that the person has of this attribute in the profile.
    Attribute {
        /// The column.
        column: SqlName,
        /// Its type.
        ty: ColumnType,
        /// The attribute.
        attribute: String,
    },
    /// Not older than so many days.
    LastDays {
        /// The column.
        column: SqlName,
        /// How many days.
        days: u32,
    },
    /// The person is one of these, whatever the row holds.
    Is(BTreeSet<Who>),
}
