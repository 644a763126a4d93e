//! The envelope of a PATCH: keys in any case, `Operations`, and for each of them op, path and value.

use serde_json::{Map, Value};

use super::expand::Expander;
use super::{PatchRequest, Verb};
use crate::error::{ScimError, quoted};
use crate::profile::Profile;
use crate::resource::{Notices, check_tree};
use crate::schema::{Registry, ResourceKind};

/// Most operations of one request, path-less ones counted as one.
const MAX_OPERATIONS: usize = 10_000;
/// The message URN.
const PATCH_OP_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// One entry of `Operations`.
pub(super) struct RawOp {
    pub verb: Verb,
    pub path: Option<String>,
    /// Absent and null are the same (RFC 7643 section 2.5).
    pub value: Option<Value>,
}

pub(super) fn parse(
    body: Value,
    registry: &Registry,
    kind: ResourceKind,
    profile: &Profile,
) -> Result<PatchRequest, ScimError> {
    check_tree(&body)?;
    let Value::Object(body) = body else {
        return Err(ScimError::invalid_syntax("the body is a JSON object"));
    };
    let operations = operations(body, profile)?;
    let mut expander =
        Expander { registry, kind, profile, notices: Notices::default(), ops: Vec::new(), attribute_ops: 0 };
    for operation in operations {
        expander.operation(raw(operation)?)?;
    }
    Ok(PatchRequest { ops: expander.ops, notices: expander.notices })
}

fn operations(body: Map<String, Value>, profile: &Profile) -> Result<Vec<Value>, ScimError> {
    let mut operations = None;
    let mut named = false;
    for (key, value) in body {
        if key.eq_ignore_ascii_case("Operations") {
            if operations.replace(value).is_some() {
                return Err(ScimError::invalid_syntax("'Operations' is given twice"));
            }
        } else if key.eq_ignore_ascii_case("schemas") {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            named = list.iter().filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(PATCH_OP_URN));
        }
    }
    if !named && !profile.coerce {
        return Err(ScimError::invalid_syntax(format!("'schemas' does not list {PATCH_OP_URN}")));
    }
    match operations {
        Some(Value::Array(list)) if list.len() > MAX_OPERATIONS => {
            Err(ScimError::payload_too_large(format!("more than {MAX_OPERATIONS} operations in one request")))
        }
        Some(Value::Array(list)) if !list.is_empty() => Ok(list),
        Some(Value::Array(_)) => Err(ScimError::invalid_syntax("'Operations' is empty")),
        Some(one @ Value::Object(_)) if profile.coerce => Ok(vec![one]),
        _ => Err(ScimError::invalid_syntax("a PATCH has a list 'Operations'")),
    }
}

fn raw(operation: Value) -> Result<RawOp, ScimError> {
    let Value::Object(map) = operation else {
        return Err(ScimError::invalid_syntax("each of 'Operations' is an object"));
    };
    let (mut verb, mut path, mut value) = (None, None, None);
    for (key, item) in map {
        if key.eq_ignore_ascii_case("op") {
            let Value::String(word) = item else {
                return Err(ScimError::invalid_syntax("'op' is a text"));
            };
            verb = Some(Verb::parse(&word).ok_or_else(|| {
                ScimError::invalid_syntax(format!("'op' is add, remove or replace, not {}", quoted(&word)))
            })?);
        } else if key.eq_ignore_ascii_case("path") {
            path = match item {
                Value::Null => None,
                Value::String(text) if text.trim().is_empty() => None,
                Value::String(text) => Some(text),
                _ => return Err(ScimError::invalid_path("'path' is a text")),
            };
        } else if key.eq_ignore_ascii_case("value") {
            value = Some(item);
        }
        // Other keys, such as 'name' from Entra, say nothing.
    }
    let verb = verb.ok_or_else(|| ScimError::invalid_syntax("an operation has no 'op'"))?;
    Ok(RawOp { verb, path, value })
}
