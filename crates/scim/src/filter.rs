//! Filters (RFC 7644 section 3.4.2.2): text to a tree typed by schema, and back.
//!
//! ```text
//! text --lexer--> tokens --parser--> Expr (typed) --Display--> canonical text
//!                                      |-- matches      two-valued, for SCIM queries
//!                                      |-- evaluate     three-valued, for conditions of the role map
//!                                      '-- index_terms  what a store answers from its key columns
//! ```

mod display;
mod evaluate;
mod index;
mod lexer;
mod parser;
mod truth;
mod typed;

use serde_json::{Map, Number, Value};
use time::OffsetDateTime;

pub use self::index::{IndexPlan, IndexTerm};
pub use self::truth::{Seen, Truth, Verdict};

pub(crate) use self::parser::parse_value_path;

use crate::error::ScimError;
use crate::profile::Profile;
use crate::resource::Resource;
use crate::schema::{AttrPath, Registry, ResourceKind};

/// Longest filter, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// Deepest nesting of brackets.
pub const MAX_DEPTH: usize = 32;

/// A filter, typed against the schemas of one kind of resource. Equal filters have equal trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub(crate) expr: Expr,
}

/// Why a text is not a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}, at column {column}")]
pub struct FilterError {
    /// The column, counted in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
    /// Does the filter look at a value that is never returned?
    pub sensitive: bool,
}

impl From<FilterError> for ScimError {
    fn from(error: FilterError) -> Self {
        if error.sensitive {
            Self::sensitive(error.to_string())
        } else {
            Self::invalid_filter(error.to_string())
        }
    }
}

/// The comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

impl CompareOp {
    /// Every operator.
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.as_str().eq_ignore_ascii_case(text))
    }
}

/// A literal of the type of the attribute that it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text, and its comparison key.
    Text {
        /// As it was given.
        text: String,
        /// What is compared.
        key: String,
    },
    /// A number.
    Number(Number),
    /// True or false.
    Boolean(bool),
    /// A point in time.
    Instant {
        /// As it was given.
        text: String,
        /// What is compared.
        at: OffsetDateTime,
    },
    /// No value at all.
    Null,
}

/// The tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All hold. Two or more, none of them an `And`.
    And(Vec<Expr>),
    /// One holds. Two or more, none of them an `Or`.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// A value compares with a literal.
    Compare {
        /// Where the value is. Inside `[…]`, the part of the element.
        path: AttrPath,
        /// How it compares.
        op: CompareOp,
        /// With what.
        literal: Literal,
    },
    /// There is a value.
    Present(AttrPath),
    /// One element of a complex attribute meets all of this: `emails[…]`.
    Element {
        /// The complex attribute.
        path: AttrPath,
        /// The condition, over the parts of one element.
        condition: Box<Expr>,
    },
}

impl Expr {
    /// All of these, flattened.
    pub(crate) fn all(terms: Vec<Expr>) -> Expr {
        Self::joined(terms, Expr::And, |e| match e {
            Expr::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Any of these, flattened.
    pub(crate) fn any(terms: Vec<Expr>) -> Expr {
        Self::joined(terms, Expr::Or, |e| match e {
            Expr::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }

    fn joined(
        terms: Vec<Expr>,
        make: fn(Vec<Expr>) -> Expr,
        open: fn(Expr) -> Result<Vec<Expr>, Expr>,
    ) -> Expr {
        let mut flat = Vec::with_capacity(terms.len());
        for term in terms {
            match open(term) {
                Ok(inner) => flat.extend(inner),
                Err(term) => flat.push(term),
            }
        }
        match <[Expr; 1]>::try_from(flat) {
            Ok([only]) => only,
            Err(flat) => make(flat),
        }
    }
}

impl Filter {
    /// Reads a filter over resources of a kind. The profile says which lenient forms are taken.
    pub fn parse(
        text: &str,
        registry: &Registry,
        kind: ResourceKind,
        profile: &Profile,
    ) -> Result<Self, FilterError> {
        parser::parse(text, registry, kind, profile).map(|expr| Self { expr })
    }

    /// The tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Does the resource match? Two-valued, as SCIM queries want it: an absent attribute is `ne` to
    /// everything and equal to nothing.
    pub fn matches(&self, resource: &Resource) -> bool {
        evaluate::matches(&self.expr, resource.as_map())
    }

    /// Does one element of a complex attribute match a filter that came from inside `[…]`?
    pub fn matches_element(&self, element: &Map<String, Value>) -> bool {
        evaluate::matches(&self.expr, element)
    }

    /// Does the resource match, in three values, and what was seen? An absent attribute is
    /// [`Truth::Unknown`] under every operator, `ne`, `pr`, `eq null` and `not` included.
    pub fn evaluate(&self, resource: &Resource) -> Verdict {
        truth::evaluate(&self.expr, resource.as_map())
    }

    /// What a store can answer from its key columns.
    pub fn index_terms(&self) -> IndexPlan {
        index::plan(&self.expr)
    }

    /// The attributes that the filter looks at, each once, in order of appearance.
    pub fn attributes(&self) -> Vec<AttrPath> {
        let mut out = Vec::new();
        collect(&self.expr, None, &mut out);
        out
    }
}

fn collect(expr: &Expr, outer: Option<&AttrPath>, out: &mut Vec<AttrPath>) {
    match expr {
        Expr::And(terms) | Expr::Or(terms) => terms.iter().for_each(|t| collect(t, outer, out)),
        Expr::Not(inner) => collect(inner, outer, out),
        Expr::Element { path, condition } => collect(condition, Some(path), out),
        Expr::Compare { path, .. } | Expr::Present(path) => {
            let full = match outer {
                Some(outer) => AttrPath { sub: Some(path.attribute.clone()), ..outer.clone() },
                None => path.clone(),
            };
            if !out.contains(&full) {
                out.push(full);
            }
        }
    }
}
