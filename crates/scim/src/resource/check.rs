//! Limits that hold for every body before any schema is looked at.

use serde_json::Value;

use crate::error::{ScimError, quoted};

/// Longest text, in bytes.
const MAX_TEXT: usize = 64 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Most keys of one object.
const MAX_KEYS: usize = 1000;
/// Longest key, in bytes.
const MAX_KEY: usize = 1024;
/// Most elements of one list, `members` excepted.
pub(crate) const MAX_ELEMENTS: usize = 1000;

/// Refuses U+0000, overlong text, too deep nesting and too many keys, anywhere in a body. What is
/// refused does not depend on whether the attribute is known.
pub(crate) fn check_tree(value: &Value) -> Result<(), ScimError> {
    check(value, 0)
}

fn check(value: &Value, depth: usize) -> Result<(), ScimError> {
    if depth > MAX_DEPTH {
        return Err(ScimError::invalid_value(format!("the body nests deeper than {MAX_DEPTH} levels")));
    }
    match value {
        Value::String(text) => check_text(text, MAX_TEXT),
        Value::Array(list) => list.iter().try_for_each(|item| check(item, depth + 1)),
        Value::Object(map) => {
            if map.len() > MAX_KEYS {
                return Err(ScimError::invalid_value(format!(
                    "an object has more than {MAX_KEYS} attributes"
                )));
            }
            map.iter().try_for_each(|(key, item)| {
                check_text(key, MAX_KEY)?;
                check(item, depth + 1)
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn check_text(text: &str, most: usize) -> Result<(), ScimError> {
    if text.contains('\0') {
        return Err(ScimError::invalid_value(format!(
            "the character U+0000 is not accepted, in {}",
            quoted(text)
        )));
    }
    if text.len() > most {
        return Err(ScimError::invalid_value(format!(
            "a text has {} bytes, the limit is {most}",
            text.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nul_is_refused_in_values_and_keys() {
        assert!(check_tree(&json!({"a": ["x\u{0}"]})).is_err());
        assert!(check_tree(&json!({"a\u{0}": 1})).is_err());
        assert!(check_tree(&json!({"a": "\\u0000"})).is_ok());
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert!(check_tree(&json!("x".repeat(MAX_TEXT))).is_ok());
        assert!(check_tree(&json!("x".repeat(MAX_TEXT + 1))).is_err());
        let deep = (0..=MAX_DEPTH).fold(json!(1), |inner, _| json!([inner]));
        assert!(check_tree(&deep).is_err());
        let wide: serde_json::Map<_, _> = (0..=MAX_KEYS).map(|n| (n.to_string(), json!(1))).collect();
        assert!(check_tree(&Value::Object(wide)).is_err());
    }
}
