//! One JSON text for one value: members sorted by the bytes of their names, no blanks, whole numbers only.
//!
//! Numbers with a fraction or an exponent have no single spelling and are refused; whoever needs one writes it as text.

use std::fmt::Write as _;

use serde_json::Value;

/// The deepest nesting that is taken.
const MAX_DEPTH: usize = 64;

/// Why a value has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A number that is not a whole one of 64 bits.
    #[error("a record cannot hold a number with a fraction or an exponent")]
    Float,
    /// Nested deeper than any record is.
    #[error("a record cannot be nested deeper than {MAX_DEPTH}")]
    Deep,
}

/// The canonical text of a value.
pub fn canonical(value: &Value) -> Result<String, CanonicalError> {
    let mut out = String::with_capacity(256);
    write_value(value, &mut out, MAX_DEPTH)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut String, depth: usize) -> Result<(), CanonicalError> {
    let below = depth.checked_sub(1).ok_or(CanonicalError::Deep)?;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(n) if n.is_f64() => return Err(CanonicalError::Float),
        Value::Number(n) => {
            let _ = write!(out, "{n}");
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, out, below)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            // Sorted here and not left to the map type: a feature of serde_json elsewhere in the build can change its order.
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| name.as_bytes());
            out.push('{');
            for (i, (name, member)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write_value(member, out, below)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// JSON text with the fewest escapes: the quote, the backslash and U+0000 to U+001F, the latter as `\u00xx`.
pub(crate) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (i, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..i]);
        out.push('\\');
        if byte >= 0x20 {
            // The quote or the backslash itself goes with what follows it.
            plain = i;
        } else {
            let _ = write!(out, "u{byte:04x}");
            plain = i + 1;
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_sorted_by_their_bytes_at_every_depth() {
        let text = canonical(&json!({"b": {"z": 1, "é": 2, "a": 3}, "B": [true, null]})).unwrap();
        assert_eq!(text, r#"{"B":[true,null],"b":{"a":3,"z":1,"é":2}}"#);
    }

    #[test]
    fn control_characters_have_one_escape() {
        assert_eq!(canonical(&json!("a\n\"\\\u{1}/😀")).unwrap(), r#""a\u000a\"\\\u0001/😀""#);
    }

    #[test]
    fn fractions_and_bottomless_nesting_are_refused() {
        assert_eq!(canonical(&json!({"a": 1.5})), Err(CanonicalError::Float));
        let mut deep = json!(1);
        for _ in 0..80 {
            deep = json!([deep]);
        }
        assert_eq!(canonical(&deep), Err(CanonicalError::Deep));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|m| m.into_iter().collect::<serde_json::Map<_, _>>().into())
            ]
        })
    }

    proptest! {
        #[test]
        fn the_canonical_text_reads_back_to_the_value(value in value()) {
            let text = canonical(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}
