//! Three-valued evaluation (strong Kleene logic), for conditions that give access: what is not known
//! never gives anything, whatever operator or `not` stands around it.

use std::fmt;
use std::ops::Not;

use serde_json::{Map, Value};

use super::evaluate::{Values, holds, is_present};
use super::{CompareOp, Expr, Literal};
use crate::schema::AttrPath;

/// Most values that one observation shows.
const SHOWN: usize = 8;

/// A truth value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// An attribute that it needs is absent.
    Unknown,
}

impl Truth {
    /// Does it hold for certain?
    pub fn is_true(self) -> bool {
        self == Self::True
    }

    /// False if one is false, else unknown if one is unknown.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::True, Self::True) => Self::True,
        }
    }

    /// True if one is true, else unknown if one is unknown.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        !(!self).and(!other)
    }
}

impl Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => "unknown",
        })
    }
}

/// One comparison that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The comparison, in canonical text.
    pub term: String,
    /// The values that were found, at most eight; none when the attribute is absent.
    pub values: Vec<Value>,
    /// What came of it.
    pub truth: Truth,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.term, self.truth)?;
        if self.values.is_empty() {
            return f.write_str(" (absent)");
        }
        f.write_str(" (found ")?;
        for (place, value) in self.values.iter().enumerate() {
            write!(f, "{}{value}", if place > 0 { ", " } else { "" })?;
        }
        f.write_str(")")
    }
}

/// The truth of a condition, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Does it hold?
    pub truth: Truth,
    /// Every comparison, in the order of the text.
    pub seen: Vec<Seen>,
}

pub(super) fn evaluate(expr: &Expr, map: &Map<String, Value>) -> Verdict {
    let mut seen = Vec::new();
    let truth = walk(expr, map, &mut seen);
    Verdict { truth, seen }
}

fn walk(expr: &Expr, map: &Map<String, Value>, seen: &mut Vec<Seen>) -> Truth {
    match expr {
        // Every term is walked, also behind a decided one, so that the explanation is whole.
        Expr::And(terms) => terms.iter().fold(Truth::True, |all, term| all.and(walk(term, map, seen))),
        Expr::Or(terms) => terms.iter().fold(Truth::False, |any, term| any.or(walk(term, map, seen))),
        Expr::Not(inner) => !walk(inner, map, seen),
        leaf => {
            let truth = decide(leaf, map);
            seen.push(Seen { term: leaf.to_string(), values: found(leaf, map), truth });
            truth
        }
    }
}

/// The truth alone, without an explanation.
fn decide(expr: &Expr, map: &Map<String, Value>) -> Truth {
    match expr {
        Expr::And(terms) => terms.iter().fold(Truth::True, |all, term| all.and(decide(term, map))),
        Expr::Or(terms) => terms.iter().fold(Truth::False, |any, term| any.or(decide(term, map))),
        Expr::Not(inner) => !decide(inner, map),
        Expr::Present(path) => over_elements(path, map, |_| Truth::True),
        Expr::Compare { path, op, literal } => over_elements(path, map, |value| match (op, literal) {
            (CompareOp::Ne, Literal::Null) => Truth::True,
            (_, Literal::Null) => Truth::False,
            (op, literal) => holds(path.leaf(), *op, value, literal).into(),
        }),
        Expr::Element { path, condition } => {
            let any = Values::at(path, map)
                .filter_map(Value::as_object)
                .map(|element| decide(condition, element))
                .reduce(Truth::or);
            any.unwrap_or(Truth::Unknown)
        }
    }
}

/// Any element suffices; an element without the value leaves the question open.
fn over_elements(path: &AttrPath, map: &Map<String, Value>, test: impl Fn(&Value) -> Truth) -> Truth {
    let one = |element: &Value| {
        let value = match &path.sub {
            Some(sub) => element.get(&sub.name),
            None => Some(element),
        };
        value.filter(|v| is_present(v)).map_or(Truth::Unknown, &test)
    };
    Values::elements(path, map).map(one).reduce(Truth::or).unwrap_or(Truth::Unknown)
}

fn found(expr: &Expr, map: &Map<String, Value>) -> Vec<Value> {
    match expr {
        Expr::Present(path) | Expr::Compare { path, .. } | Expr::Element { path, .. } => {
            Values::at(path, map).take(SHOWN).cloned().collect()
        }
        Expr::And(_) | Expr::Or(_) | Expr::Not(_) => Vec::new(),
    }
}
