//! One value against one attribute: nulls go, spelling is mended, types are checked or coerced.

use serde_json::{Map, Number, Value};

use super::{MAX_ELEMENTS, Notice, Notices, roles};
use crate::compare;
use crate::error::{ScimError, quoted};
use crate::profile::Profile;
use crate::schema::{Attribute, DataType, Mutability, Returned};

/// Where a value comes from: PATCH values have quirks that bodies do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// The body of a POST or PUT.
    Body,
    /// The value of a PATCH operation.
    Patch,
}

/// The value in schema spelling; none when nothing is left of it (null, `[]`, `{}`).
pub(crate) fn normalise(
    attribute: &Attribute,
    value: Value,
    wire: Wire,
    profile: &Profile,
    notices: &mut Notices,
) -> Result<Option<Value>, ScimError> {
    let cx = &mut Context { wire, profile, notices };
    if attribute.multi_valued { cx.list(attribute, value) } else { cx.single(attribute, value) }
}

struct Context<'a> {
    wire: Wire,
    profile: &'a Profile,
    notices: &'a mut Notices,
}

impl Context<'_> {
    fn list(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        let items = match value {
            Value::Null => return Ok(None),
            Value::Array(items) => items,
            one if self.profile.coerce => vec![one],
            other => return Err(wrong_type(attribute, "a list", &other)),
        };
        if items.len() > MAX_ELEMENTS {
            return Err(too_many(attribute));
        }
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            if item.is_array() {
                return Err(wrong_type(attribute, "a list of single values", &item));
            }
            let Some(item) = self.element(attribute, item)? else { continue };
            if self.wire == Wire::Patch || !is_hollow(&item) {
                out.push(item);
            }
        }
        at_most_one_primary(attribute, &out)?;
        Ok((!out.is_empty()).then_some(Value::Array(out)))
    }

    fn single(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        let value = match value {
            Value::Array(items) if self.wire == Wire::Patch && self.profile.coerce => {
                unwrap_one(attribute, items)?
            }
            value => value,
        };
        self.element(attribute, value)
    }

    /// One value of the attribute, be it a list or not.
    fn element(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        match (attribute.data_type, value) {
            (_, Value::Null) => Ok(None),
            (kind, Value::String(text))
                if text.is_empty() && kind != DataType::Complex && self.profile.empty_text_clears =>
            {
                Ok(None)
            }
            (DataType::Complex, value)
                if self.profile.unpack_roles && roles::is_packed(attribute, &value) =>
            {
                self.object(attribute, roles::unpack(value))
            }
            (DataType::Complex, Value::Object(map)) => self.object(attribute, map),
            (DataType::Complex, value @ Value::String(_)) if self.profile.coerce => wrapped(attribute, value),
            (DataType::Complex, other) => Err(wrong_type(attribute, "an object", &other)),
            (_, value) => simple(attribute, value, self.profile.coerce).map(Some),
        }
    }

    fn object(&mut self, attribute: &Attribute, map: Map<String, Value>) -> Result<Option<Value>, ScimError> {
        let mut out = Map::new();
        for (key, value) in map {
            let Some(part) = attribute.sub(&key) else {
                let name = format!("{}.{key}", attribute.name);
                if !self.profile.drop_unknown {
                    return Err(ScimError::invalid_value(format!(
                        "no schema has an attribute {}",
                        quoted(&name)
                    )));
                }
                self.notices.note(Notice::UnknownAttribute, &name);
                continue;
            };
            if !self.keeps(attribute, part) {
                continue;
            }
            let Some(value) = self.single(part, value)? else { continue };
            if out.insert(part.name.clone(), value).is_some() {
                return Err(twice(&format!("{}.{}", attribute.name, part.name)));
            }
        }
        for part in &attribute.sub_attributes {
            if part.required && !out.is_empty() && !out.contains_key(&part.name) {
                return Err(missing(&format!("{}.{}", attribute.name, part.name)));
            }
        }
        Ok((!out.is_empty()).then_some(Value::Object(out)))
    }

    fn keeps(&mut self, attribute: &Attribute, part: &Attribute) -> bool {
        // A readOnly attribute has readOnly parts, and is compared as a whole when it is patched.
        if part.mutability == Mutability::ReadOnly && attribute.mutability != Mutability::ReadOnly {
            self.notices.note(Notice::ReadOnly, &format!("{}.{}", attribute.name, part.name));
            return false;
        }
        if part.returned == Returned::Never || part.mutability == Mutability::WriteOnly {
            self.notices.note(Notice::NeverStored, &format!("{}.{}", attribute.name, part.name));
            return false;
        }
        true
    }
}

/// A plain text for a complex attribute is its `value`; the empty text is none.
fn wrapped(attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    let Some(part) = attribute.sub("value") else {
        return Err(wrong_type(attribute, "an object", &value));
    };
    if value.as_str() == Some("") {
        return Ok(None);
    }
    let value = simple(part, value, true)?;
    Ok(Some(Value::Object(Map::from_iter([(part.name.clone(), value)]))))
}

/// `[x]` and `[{"value": x}]` for a single-valued target (dialect C of Entra).
fn unwrap_one(attribute: &Attribute, mut items: Vec<Value>) -> Result<Value, ScimError> {
    if items.len() > 1 {
        return Err(ScimError::invalid_value(format!(
            "{} takes one value, not {}",
            attribute.name,
            items.len()
        )));
    }
    let item = items.pop().unwrap_or(Value::Null);
    match item {
        Value::Object(mut map) if !attribute.is_complex() => {
            let key = map.keys().find(|k| k.eq_ignore_ascii_case("value")).cloned();
            match key.and_then(|k| map.remove(&k)) {
                Some(value) => Ok(value),
                None => Err(wrong_type(attribute, attribute.data_type.as_str(), &Value::Object(map))),
            }
        }
        item => Ok(item),
    }
}

fn simple(attribute: &Attribute, value: Value, coerce: bool) -> Result<Value, ScimError> {
    let expected = attribute.data_type.as_str();
    match (attribute.data_type, value) {
        (DataType::String | DataType::Reference | DataType::Binary, value @ Value::String(_))
        | (DataType::Boolean, value @ Value::Bool(_))
        | (DataType::Decimal, value @ Value::Number(_)) => Ok(value),
        (DataType::DateTime, Value::String(text)) if compare::instant(&text).is_some() => {
            Ok(Value::String(text))
        }
        (DataType::Boolean, Value::String(text)) if coerce => boolean(&text)
            .map(Value::Bool)
            .ok_or_else(|| wrong_type(attribute, expected, &Value::String(text))),
        (DataType::Integer, Value::Number(number)) => integer(&number)
            .map(Value::from)
            .ok_or_else(|| wrong_type(attribute, expected, &Value::Number(number))),
        (DataType::Integer, Value::String(text)) if coerce => text
            .trim()
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| wrong_type(attribute, expected, &Value::String(text))),
        (DataType::Decimal, Value::String(text)) if coerce => decimal(&text)
            .map(Value::Number)
            .ok_or_else(|| wrong_type(attribute, expected, &Value::String(text))),
        (_, value) => Err(wrong_type(attribute, expected, &value)),
    }
}

/// `true` and `false` in any case: Entra sends "True" and "False".
pub(crate) fn boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

pub(crate) fn decimal(text: &str) -> Option<Number> {
    match serde_json::from_str(text.trim()) {
        Ok(Value::Number(number)) => Some(number),
        _ => None,
    }
}

fn integer(number: &Number) -> Option<i64> {
    if let Some(whole) = number.as_i64() {
        return Some(whole);
    }
    // 7.0 is the integer 7; beyond 2^53 a float no longer says which integer it is.
    let float = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9_007_199_254_740_992.0)?;
    format!("{float:.0}").parse().ok()
}

/// An element that says nothing by itself: only `type`, `primary` or `$ref`.
pub(crate) fn is_hollow(element: &Value) -> bool {
    element
        .as_object()
        .is_some_and(|map| map.keys().all(|k| matches!(k.as_str(), "type" | "primary" | "$ref")))
}

/// RFC 7643 section 2.4: `primary` is true at most once.
fn at_most_one_primary(attribute: &Attribute, list: &[Value]) -> Result<(), ScimError> {
    let primaries = list.iter().filter(|e| e.get("primary") == Some(&Value::Bool(true))).count();
    if primaries > 1 {
        let text = format!("{} elements of {} are primary, at most one can be", primaries, attribute.name);
        return Err(ScimError::invalid_value(text));
    }
    Ok(())
}

pub(crate) fn too_many(attribute: &Attribute) -> ScimError {
    ScimError::invalid_value(format!("{} has more than {MAX_ELEMENTS} elements", attribute.name))
}

pub(crate) fn missing(name: &str) -> ScimError {
    ScimError::invalid_value(format!("{name} is required"))
}

pub(crate) fn twice(name: &str) -> ScimError {
    ScimError::invalid_syntax(format!("{} is given twice, in different spellings", quoted(name)))
}

fn wrong_type(attribute: &Attribute, expected: &str, got: &Value) -> ScimError {
    let shown = match got {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    ScimError::invalid_value(format!("{} takes {expected}, not {shown}", attribute.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{Registry, ResourceKind};

    fn run(name: &str, value: Value, wire: Wire, profile: &Profile) -> Result<Option<Value>, String> {
        let registry = Registry::standard();
        let path = registry.attr_path(ResourceKind::User, name).unwrap();
        normalise(path.leaf(), value, wire, profile, &mut Notices::default()).map_err(|e| e.to_string())
    }

    fn body(name: &str, value: Value) -> Result<Option<Value>, String> {
        run(name, value, Wire::Body, &Profile::entra())
    }

    #[test]
    fn text_booleans_are_read_as_booleans_only() {
        for (text, value) in [("True", true), ("FALSE", false), ("true", true)] {
            assert_eq!(body("active", json!(text)), Ok(Some(json!(value))));
        }
        assert!(body("active", json!("yes")).is_err());
        assert!(body("active", json!(1)).is_err());
        assert!(run("active", json!("True"), Wire::Body, &Profile::strict()).is_err());
    }

    #[test]
    fn spelling_is_mended_and_the_unknown_dropped() {
        let value = json!([{"VALUE": "x@y", "Primary": "True", "zip": 1, "display": null}, {"type": "work"}]);
        assert_eq!(body("emails", value), Ok(Some(json!([{"value": "x@y", "primary": true}]))));
        assert!(body("emails", json!([{"value": "a", "Value": "b"}])).is_err());
    }

    #[test]
    fn nothing_left_is_none() {
        for value in [json!(null), json!([]), json!([null]), json!([{"type": "work", "value": null}])] {
            assert_eq!(body("emails", value), Ok(None));
        }
        assert_eq!(body("name", json!({"givenName": null})), Ok(None));
        assert_eq!(body("displayName", json!("")), Ok(Some(json!(""))));
    }

    #[test]
    fn managers_come_in_many_shapes() {
        for value in [json!("M"), json!({"value": "M"}), json!([{"$ref": null, "value": "M"}])] {
            assert_eq!(
                run("manager", value, Wire::Patch, &Profile::entra()),
                Ok(Some(json!({"value": "M"})))
            );
        }
        assert_eq!(run("manager", json!(""), Wire::Patch, &Profile::entra()), Ok(None));
        assert!(run("manager", json!("M"), Wire::Patch, &Profile::strict()).is_err());
    }

    #[test]
    fn wrong_types_are_refused() {
        for (name, value) in [
            ("displayName", json!({"value": "x"})),
            ("displayName", json!(7)),
            ("displayName", json!(["x"])),
            ("name", json!("Kim")),
            ("emails", json!([["x"]])),
            ("meta.created", json!("yesterday")),
        ] {
            assert!(body(name, value.clone()).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn an_empty_text_clears_where_the_switch_says_so() {
        let profile = Profile { empty_text_clears: true, ..Profile::generic() };
        assert_eq!(run("title", json!(""), Wire::Body, &profile), Ok(None));
        assert_eq!(
            run("name", json!({"givenName": "", "familyName": "L"}), Wire::Body, &profile),
            Ok(Some(json!({"familyName": "L"})))
        );
        assert_eq!(run("title", json!(" "), Wire::Body, &profile), Ok(Some(json!(" "))));
    }

    #[test]
    fn two_primaries_are_refused() {
        assert!(
            body("emails", json!([{"value": "a", "primary": true}, {"value": "b", "primary": "True"}]))
                .is_err()
        );
    }

    #[test]
    fn whole_floats_are_integers() {
        let of = |v: Value| simple(&Attribute::new("n", DataType::Integer, ""), v, true).ok();
        assert_eq!(of(json!(7.0)), Some(json!(7)));
        assert_eq!(of(json!("-7")), Some(json!(-7)));
        assert_eq!(of(json!(7.5)), None);
        assert_eq!(of(json!(1e300)), None);
    }
}
