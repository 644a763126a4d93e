//! Where an attribute stands in a resource, in the spelling that a PATCH uses.

use serde_json::{Map, Value, json};

/// `urn:…:User:emails[type eq "work"].value`, taken apart.
pub struct Place<'a> {
    extension: Option<&'a str>,
    attribute: &'a str,
    filter: Option<(&'a str, &'a str)>,
    sub: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Takes a path apart. Only the forms that the Validator sends.
    pub fn parse(path: &'a str) -> Self {
        let before_filter = path.find('[').unwrap_or(path.len());
        let colon = path.starts_with("urn:").then(|| path[..before_filter].rfind(':')).flatten();
        let (extension, rest) = match colon {
            Some(at) => (Some(&path[..at]), &path[at + 1..]),
            None => (None, path),
        };
        if let Some((attribute, rest)) = rest.split_once('[') {
            let (filter, after) = rest.split_once(']').unwrap_or((rest, ""));
            let (key, literal) = filter.split_once(" eq ").unwrap_or((filter, ""));
            let filter = Some((key, literal.trim_matches('"')));
            return Self { extension, attribute, filter, sub: after.strip_prefix('.') };
        }
        match rest.split_once('.') {
            Some((attribute, sub)) => Self { extension, attribute, filter: None, sub: Some(sub) },
            None => Self { extension, attribute: rest, filter: None, sub: None },
        }
    }

    /// What stands there.
    pub fn get<'v>(&self, resource: &'v Value) -> Option<&'v Value> {
        let level = match self.extension {
            Some(urn) => resource.get(urn)?,
            None => resource,
        };
        let mut found = level.get(self.attribute)?;
        if let Some((key, literal)) = self.filter {
            found = found.as_array()?.iter().find(|element| is(&element[key], literal))?;
        }
        match self.sub {
            Some(sub) => found.get(sub),
            None => Some(found),
        }
    }

    /// Puts a value there, in a body that is to be sent.
    pub fn put(&self, body: &mut Value, value: Value) {
        let level = match self.extension {
            Some(urn) => entry(body, urn, json!({})),
            None => body,
        };
        let slot = match (self.filter, self.sub) {
            (Some((key, literal)), _) => {
                let list = entry(level, self.attribute, json!([]));
                let Value::Array(elements) = list else { return };
                let at = elements.iter().position(|element| is(&element[key], literal));
                let at = at.unwrap_or_else(|| {
                    let seed = if key == "primary" { json!(true) } else { json!(literal) };
                    elements.push(Value::Object(Map::from_iter([(key.to_owned(), seed)])));
                    elements.len() - 1
                });
                entry(&mut elements[at], self.sub.unwrap_or("value"), Value::Null)
            }
            (None, Some(sub)) => entry(entry(level, self.attribute, json!({})), sub, Value::Null),
            (None, None) => entry(level, self.attribute, Value::Null),
        };
        *slot = value;
    }

    /// Does it choose an element of a list?
    pub fn is_filtered(&self) -> bool {
        self.filter.is_some()
    }
}

fn is(value: &Value, literal: &str) -> bool {
    match value {
        Value::Bool(flag) => literal.eq_ignore_ascii_case(if *flag { "true" } else { "false" }),
        Value::String(text) => text == literal,
        _ => false,
    }
}

fn entry<'v>(value: &'v mut Value, key: &str, start: Value) -> &'v mut Value {
    if !value.is_object() {
        *value = json!({});
    }
    let slot = &mut value[key];
    if slot.is_null() {
        *slot = start;
    }
    slot
}

#[test]
fn what_is_put_is_found_again() {
    let mut body = json!({});
    let paths = [
        "title",
        "name.givenName",
        "emails[type eq \"work\"].value",
        "emails[type eq \"work\"].primary",
        "roles[primary eq \"True\"].display",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    ];
    for path in paths {
        Place::parse(path).put(&mut body, json!(path));
    }
    // The flag that was put has another value now, so that `type` alone tells the element.
    for path in paths {
        assert_eq!(Place::parse(path).get(&body), Some(&json!(path)), "{body}");
    }
    assert_eq!(body["emails"].as_array().map(Vec::len), Some(1), "{body}");
}
