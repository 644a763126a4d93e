//! Takes secrets out of bodies and addresses before they are written down.
//!
//! What a schema never returns (`password`) is a secret, and so is anything whose name says so, known or not, at any depth, also
//! where a PATCH names it in its `path` or a filter asks for it. The type stays, so that the shape does.

use axon_scim::{Registry, Returned};
use serde_json::Value;

/// What stands in a secret's place.
pub const MASK: &str = "masked";

/// Parts of names that say what they are.
const TELLING: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "token", "credential", "privatekey", "apikey"];

/// Knows the names of secrets.
#[derive(Debug)]
pub struct Masks {
    /// In small letters.
    never_returned: Vec<String>,
}

impl Masks {
    /// With those of the schemas that are served.
    pub fn of(registry: &Registry) -> Self {
        let mut never_returned = Vec::new();
        for attribute in registry.schemas().flat_map(|schema| &schema.attributes) {
            for attribute in std::iter::once(attribute).chain(&attribute.sub_attributes) {
                if attribute.returned == Returned::Never {
                    never_returned.push(attribute.name.to_ascii_lowercase());
                }
            }
        }
        Self { never_returned }
    }

    /// Masks what is secret in a body.
    pub fn body(&self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|item| self.body(item)),
            Value::Object(map) => {
                let names_secret = map.iter().any(|(key, value)| {
                    key.eq_ignore_ascii_case("path")
                        && value.as_str().is_some_and(|path| self.is_secret(path))
                });
                for (key, item) in map.iter_mut() {
                    if self.is_secret(key) || (names_secret && key.eq_ignore_ascii_case("value")) {
                        hide(item);
                    } else if self.holds_secret(key, item) {
                        *item = Value::from(MASK);
                    } else {
                        self.body(item);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Masks the value of each parameter that asks for a secret.
    pub fn query(&self, query: &str) -> String {
        let mut out = String::with_capacity(query.len());
        for pair in query.split('&') {
            if !out.is_empty() {
                out.push('&');
            }
            match pair.split_once('=') {
                // A name may be hidden behind percent signs; what is said with them is asked for by nobody else.
                Some((name, _)) if self.is_secret(&decoded(pair)) => {
                    out.push_str(name);
                    out.push('=');
                    out.push_str(MASK);
                }
                None if self.is_secret(&decoded(pair)) => out.push_str(MASK),
                _ => out.push_str(pair),
            }
        }
        out
    }

    /// A filter in a body (a path in brackets, a search) whose literal may be one.
    fn holds_secret(&self, key: &str, value: &Value) -> bool {
        let is_filter = ["filter", "path"].iter().any(|name| key.eq_ignore_ascii_case(name));
        is_filter
            && value.as_str().is_some_and(|text| text.contains(['"', '\'', ' ', '[']) && self.is_secret(text))
    }

    fn is_secret(&self, name: &str) -> bool {
        let plain: String =
            name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
        TELLING.iter().any(|word| plain.contains(word))
            || self.never_returned.iter().any(|word| plain.contains(word.as_str()))
    }
}

/// Hides a value and all that is in it.
fn hide(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::Bool(hidden) => *hidden = false,
        Value::Number(_) => *value = Value::from(0),
        Value::String(text) => MASK.clone_into(text),
        Value::Array(list) => list.iter_mut().for_each(hide),
        Value::Object(map) => map.values_mut().for_each(hide),
    }
}

/// Percent signs read, as far as they are sound.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masks() -> Masks {
        Masks::of(&Registry::standard())
    }

    #[test]
    fn no_secret_is_left_in_a_body_and_its_shape_stays() {
        let mut body = json!({
            "userName": "kim", "Password": "s3cret", "urn:x:User": {"apiKey": ["s3cret", 7], "client_secret": {"a": "s3cret", "b": true}},
            "Operations": [
                {"op": "replace", "path": "password", "value": "s3cret"},
                {"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:PASSWORD", "Value": {"x": "s3cret"}},
                {"op": "add", "value": {"password": "s3cret", "title": "Boss"}},
                {"op": "remove", "path": "x[password eq \"s3cret\"]"},
                {"method": "POST", "data": {"password": "s3cret"}},
            ],
            "filter": "password eq \"s3cret\"",
        });
        masks().body(&mut body);
        assert!(!body.to_string().contains("s3cret"), "{body}");
        assert_eq!((body["userName"].as_str(), body["Password"].as_str()), (Some("kim"), Some(MASK)));
        assert_eq!(
            body["urn:x:User"],
            json!({"apiKey": [MASK, 0], "client_secret": {"a": MASK, "b": false}})
        );
        assert_eq!(body["Operations"][0], json!({"op": "replace", "path": "password", "value": MASK}));
        assert_eq!(body["Operations"][2]["value"]["title"], "Boss");
    }

    #[test]
    fn a_query_that_asks_for_a_secret_loses_its_value() {
        for query in [
            "filter=password+eq+%22s3cret%22",
            "filter=pass%77ord+eq+%22s3cret%22",
            "access_token=s3cret",
            "token:s3cret",
        ] {
            let masked = masks().query(&format!("count=1&{query}"));
            assert!(masked.starts_with("count=1&") && !masked.contains("s3cret"), "{masked}");
        }
        let plain = "filter=userName+eq+%22kim%22&aadOptscim062020&count=";
        assert_eq!(masks().query(plain), plain);
        assert_eq!(masks().query(""), "");
    }
}
