//! Two-valued evaluation, as SCIM queries want it (RFC 7644 section 3.4.2.2).

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{CompareOp, Expr, Literal};
use crate::compare;
use crate::schema::{AttrPath, Attribute, DataType};

/// Does the object match? Absent: equal to nothing but null, different from everything else.
pub(super) fn matches(expr: &Expr, map: &Map<String, Value>) -> bool {
    match expr {
        Expr::And(terms) => terms.iter().all(|term| matches(term, map)),
        Expr::Or(terms) => terms.iter().any(|term| matches(term, map)),
        Expr::Not(inner) => !matches(inner, map),
        Expr::Present(path) => Values::at(path, map).any(is_present),
        Expr::Element { path, condition } => {
            Values::at(path, map).any(|e| e.as_object().is_some_and(|e| matches(condition, e)))
        }
        Expr::Compare { path, op, literal } => {
            let mut values = Values::at(path, map);
            match (op, literal) {
                (CompareOp::Ne, Literal::Null) => values.any(is_present),
                (_, Literal::Null) => !values.any(is_present),
                (CompareOp::Ne, literal) => {
                    let mut values = values.peekable();
                    values.peek().is_none() || values.any(|v| holds(path.leaf(), *op, v, literal))
                }
                (op, literal) => values.any(|v| holds(path.leaf(), *op, v, literal)),
            }
        }
    }
}

/// The values at a path, without collecting them.
pub(super) struct Values<'a> {
    elements: std::slice::Iter<'a, Value>,
    sub: Option<&'a str>,
}

impl<'a> Values<'a> {
    /// The values of the attribute or of the part that the path ends in.
    pub(super) fn at(path: &'a AttrPath, map: &'a Map<String, Value>) -> Self {
        Self { sub: path.sub.as_ref().map(|s| s.name.as_str()), ..Self::elements(path, map) }
    }

    /// The values of the attribute, whatever part the path ends in.
    pub(super) fn elements(path: &'a AttrPath, map: &'a Map<String, Value>) -> Self {
        let holder = match &path.extension {
            Some(urn) => map.get(&**urn).and_then(Value::as_object),
            None => Some(map),
        };
        let elements = match holder.and_then(|map| map.get(&path.attribute.name)) {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        Self { elements: elements.iter(), sub: None }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a Value;

    fn next(&mut self) -> Option<&'a Value> {
        match self.sub {
            None => self.elements.next(),
            Some(sub) => self.elements.by_ref().find_map(|e| e.get(sub)),
        }
    }
}

pub(super) fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => list.iter().any(is_present),
        Value::Object(map) => map.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Does one value compare so with a literal of its type?
pub(super) fn holds(attribute: &Attribute, op: CompareOp, value: &Value, literal: &Literal) -> bool {
    match (literal, value) {
        (Literal::Text { key, text: _ }, Value::String(value)) => {
            text_holds(op, &compare::key(value, attribute.case_exact), key)
        }
        (Literal::Boolean(literal), Value::Bool(value)) => order_holds(op, value.cmp(literal)),
        (Literal::Number(literal), Value::Number(value)) => {
            let order = match (value.as_i64(), literal.as_i64()) {
                (Some(value), Some(literal)) => Some(value.cmp(&literal)),
                _ => value.as_f64().partial_cmp(&literal.as_f64()),
            };
            order.is_some_and(|order| order_holds(op, order))
        }
        (Literal::Instant { at, text: _ }, Value::String(value))
            if attribute.data_type == DataType::DateTime =>
        {
            compare::instant(value).is_some_and(|value| order_holds(op, value.cmp(at)))
        }
        // A value of another type than its schema says differs from every literal.
        _ => op == CompareOp::Ne,
    }
}

fn text_holds(op: CompareOp, value: &str, key: &str) -> bool {
    match op {
        CompareOp::Co => value.contains(key),
        CompareOp::Sw => value.starts_with(key),
        CompareOp::Ew => value.ends_with(key),
        op => order_holds(op, value.cmp(key)),
    }
}

fn order_holds(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}
