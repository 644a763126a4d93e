//! Where two answers to the same request differ: in status, in headers, in shape and, if asked for, in values.

use axon_api::care::{Exchange, Recorded};
use serde_json::Value;

use super::names::Names;

/// Keys whose values are other on any other server or day.
const ITS_OWN: [&str; 6] = ["created", "lastModified", "location", "version", "$ref", "documentationUri"];
/// The most differences that are told of one exchange.
const MOST: usize = 20;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// Values and lengths of lists too.
    pub values: bool,
}

impl Comparison {
    /// The differences of an answer from the recorded one, a line each.
    pub fn of(self, exchange: &Exchange, status: u16, seen: &Recorded, names: &Names) -> Vec<String> {
        let recorded = &exchange.response;
        let mut out = Vec::new();
        if status != exchange.status {
            out.push(format!("status {status}, recorded {}", exchange.status));
        }
        for (name, value) in &recorded.headers {
            match seen.headers.get(name) {
                None => out.push(format!("no header {name}, recorded {value}")),
                Some(other) if name == "content-type" && media(other) != media(value) => {
                    out.push(format!("content-type {other}, recorded {value}"));
                }
                Some(_) => {}
            }
        }
        // A body that was not recorded cannot be compared.
        if recorded.left_out.is_none() {
            match (&recorded.body, &seen.body) {
                (Some(recorded), Some(seen)) => {
                    let mut recorded = recorded.clone();
                    names.put_into_value(&mut recorded);
                    self.walk("", &recorded, seen, &mut out);
                }
                (Some(_), None) => out.push("no JSON body, recorded one".to_owned()),
                (None, Some(_)) => out.push("a body, recorded none".to_owned()),
                (None, None) => {}
            }
        }
        let more = out.len().saturating_sub(MOST);
        out.truncate(MOST);
        if more > 0 {
            out.push(format!("and {more} more"));
        }
        out
    }

    fn walk(self, at: &str, recorded: &Value, seen: &Value, out: &mut Vec<String>) {
        match (recorded, seen) {
            (Value::Object(recorded), Value::Object(seen)) => {
                for (key, value) in recorded {
                    let place = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                    match seen.get(key) {
                        None => out.push(format!("{place} is missing")),
                        Some(other) if ITS_OWN.contains(&key.as_str()) => {
                            Self::kind(&place, value, other, out);
                        }
                        Some(other) => self.walk(&place, value, other, out),
                    }
                }
                let more = seen.keys().filter(|key| !recorded.contains_key(*key));
                out.extend(more.map(|key| format!("{at}{}{key} is more than was recorded", dot(at))));
            }
            (Value::Array(recorded), Value::Array(seen)) => {
                if self.values && recorded.len() != seen.len() {
                    out.push(format!("{at} has {} elements, recorded {}", seen.len(), recorded.len()));
                }
                for (n, (recorded, seen)) in recorded.iter().zip(seen).enumerate() {
                    self.walk(&format!("{at}[{n}]"), recorded, seen, out);
                }
            }
            (recorded, seen) if kind(recorded) != kind(seen) => Self::kind(at, recorded, seen, out),
            (recorded, seen) if self.values && recorded != seen => {
                out.push(format!("{at} is {seen}, recorded {recorded}"));
            }
            _ => {}
        }
    }

    fn kind(at: &str, recorded: &Value, seen: &Value, out: &mut Vec<String>) {
        if kind(recorded) != kind(seen) {
            out.push(format!("{at} is {}, recorded {}", kind(seen), kind(recorded)));
        }
    }
}

fn dot(at: &str) -> &'static str {
    if at.is_empty() { "" } else { "." }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn media(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(values: bool, recorded: Value, status: u16, seen: Value) -> Vec<String> {
        let of = |body| Recorded {
            headers: [("content-type".to_owned(), "application/scim+json; charset=utf-8".to_owned())].into(),
            body: Some(body),
            left_out: None,
        };
        let exchange = Exchange {
            source: "entra".parse().unwrap(),
            method: "GET".into(),
            path: "/Users".into(),
            request: Recorded::default(),
            status: 200,
            response: of(recorded),
        };
        Comparison { values }.of(&exchange, status, &of(seen), &Names::default())
    }

    #[test]
    fn the_shape_is_compared_and_values_if_asked_for() {
        let recorded =
            json!({"id": "a", "active": true, "emails": [{"value": "x"}], "meta": {"version": "1"}});
        let seen = json!({"id": "b", "active": "True", "emails": [{"value": "y"}, {}], "meta": {"version": "2"}, "x": 1});
        assert_eq!(
            differences(false, recorded.clone(), 200, seen.clone()),
            ["active is a text, recorded a boolean", "x is more than was recorded"]
        );
        assert_eq!(
            differences(true, recorded.clone(), 404, seen),
            [
                "status 404, recorded 200",
                "active is a text, recorded a boolean",
                "emails has 2 elements, recorded 1",
                "emails[0].value is \"y\", recorded \"x\"",
                "id is \"b\", recorded \"a\"",
                "x is more than was recorded",
            ]
        );
        assert!(differences(true, recorded.clone(), 200, recorded).is_empty());
    }

    #[test]
    fn many_differences_are_cut_short() {
        let many: Value =
            (0..100).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>().into();
        let told = differences(false, many, 200, json!({}));
        assert_eq!((told.len(), told[20].as_str()), (21, "and 80 more"));
    }
}
