//! Names and literals against the schema: what exists, what compares with what, and the one coercion
//! of a literal to the type of its attribute (RFC 7644 section 3.4.2.2, table 3).

use std::sync::Arc;

use super::lexer::Cursor;
use super::{CompareOp, FilterError, Literal};
use crate::compare;
use crate::error::quoted;
use crate::profile::Profile;
use crate::resource::{boolean, decimal};
use crate::schema::{AttrPath, Attribute, DataType, Registry, ResourceKind, Returned};

/// A literal before its type is known.
pub(super) enum Raw<'a> {
    /// In quotes.
    Quoted(String),
    /// Without quotes.
    Bare(&'a str),
}

/// What is wrong with a comparison.
pub(super) struct TypeError {
    reason: String,
    /// Is it the literal, and not the attribute or the operator?
    in_literal: bool,
    sensitive: bool,
}

impl TypeError {
    fn path(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), in_literal: false, sensitive: false }
    }

    fn literal(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), in_literal: true, sensitive: false }
    }

    /// The error at its place, given those of the attribute and of the literal.
    pub(super) fn at(self, cursor: &Cursor<'_>, path: usize, literal: usize) -> FilterError {
        let place = if self.in_literal { literal } else { path };
        let sensitive = self.sensitive;
        FilterError { sensitive, ..cursor.error_at(place, self.reason) }
    }
}

/// The attribute of a name: inside `[…]` a part of the element, else anything of the kind.
pub(super) fn target(
    name: &str,
    element: Option<&AttrPath>,
    registry: &Registry,
    kind: ResourceKind,
    profile: &Profile,
) -> Result<AttrPath, TypeError> {
    let path = match element {
        Some(outer) => {
            let part = outer.attribute.sub(name).ok_or_else(|| {
                TypeError::path(format!("{} has no part {}", outer.attribute.name, quoted(name)))
            })?;
            AttrPath { extension: None, attribute: part.clone(), sub: None }
        }
        None => match registry.attr_path(kind, name) {
            Ok(path) => path,
            Err(_) if !profile.refuse_unknown_filter_attribute => unknown(name),
            Err(why) => return Err(TypeError::path(why.to_string())),
        },
    };
    if path.leaf().returned == Returned::Never || path.attribute.returned == Returned::Never {
        let reason = format!("{} is never returned and cannot be filtered on", path.attribute.name);
        return Err(TypeError { sensitive: true, ..TypeError::path(reason) });
    }
    Ok(path)
}

/// An attribute that no resource has, so that nothing matches it.
fn unknown(name: &str) -> AttrPath {
    let attribute = Arc::new(Attribute::string(name, "Not known to any schema."));
    AttrPath { extension: None, attribute, sub: None }
}

/// Types a comparison. A complex attribute stands for its `value` (RFC 7644 section 3.4.2.2).
pub(super) fn compare(
    path: AttrPath,
    op: CompareOp,
    raw: Raw<'_>,
    profile: &Profile,
) -> Result<(AttrPath, Literal), TypeError> {
    let is_null = matches!(raw, Raw::Bare("null"));
    let path = match implied_value(&path) {
        Some(path) => path,
        None if path.leaf().is_complex() && !is_null => {
            let reason = format!("{} is complex: name one of its parts", path.leaf().name);
            return Err(TypeError::path(reason));
        }
        None => path,
    };
    if is_null {
        return match op {
            CompareOp::Eq | CompareOp::Ne => Ok((path, Literal::Null)),
            _ => Err(TypeError::literal(format!("null compares with eq and ne, not with {}", op.as_str()))),
        };
    }
    allowed(path.leaf(), op)?;
    let literal = literal(path.leaf(), raw, profile)?;
    Ok((path, literal))
}

fn implied_value(path: &AttrPath) -> Option<AttrPath> {
    if path.sub.is_some() || !path.attribute.is_complex() {
        return None;
    }
    let value = path.attribute.sub("value")?;
    Some(AttrPath { sub: Some(value.clone()), ..path.clone() })
}

fn allowed(attribute: &Attribute, op: CompareOp) -> Result<(), TypeError> {
    use CompareOp::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    let fits = match op {
        Eq | Ne => true,
        Co | Sw | Ew => matches!(attribute.data_type, DataType::String | DataType::Reference),
        Gt | Ge | Lt | Le => !matches!(attribute.data_type, DataType::Boolean | DataType::Binary),
    };
    if fits {
        return Ok(());
    }
    let kind = attribute.data_type.as_str();
    Err(TypeError::path(format!("{} is {kind}, which has no operator {}", attribute.name, op.as_str())))
}

fn literal(attribute: &Attribute, raw: Raw<'_>, profile: &Profile) -> Result<Literal, TypeError> {
    let (text, bare) = match raw {
        Raw::Quoted(text) => (text, false),
        Raw::Bare(text) => (text.to_owned(), true),
    };
    let wrong = |text: &str| {
        let kind = attribute.data_type.as_str();
        TypeError::literal(format!("{} is {kind}, {} is not", attribute.name, quoted(text)))
    };
    // A JSON string for text, a JSON literal for the rest; the other way round only where that is allowed.
    if bare && attribute.is_text() && !profile.unquoted_literals {
        return Err(TypeError::literal(format!("{} wants quotes", quoted(&text))));
    }
    if !bare && !attribute.is_text() && !profile.coerce {
        return Err(wrong(&text));
    }
    match attribute.data_type {
        DataType::String | DataType::Reference | DataType::Binary => {
            let key = compare::key(&text, attribute.case_exact).into_owned();
            Ok(Literal::Text { text, key })
        }
        DataType::DateTime => {
            let at = compare::instant(&text).ok_or_else(|| wrong(&text))?;
            Ok(Literal::Instant { text, at })
        }
        DataType::Boolean => {
            let exact = matches!(text.as_str(), "true" | "false");
            boolean(&text)
                .filter(|_| exact || profile.coerce)
                .map(Literal::Boolean)
                .ok_or_else(|| wrong(&text))
        }
        DataType::Integer | DataType::Decimal => {
            decimal(&text).map(Literal::Number).ok_or_else(|| wrong(&text))
        }
        DataType::Complex => Err(wrong(&text)),
    }
}
