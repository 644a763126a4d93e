//! Roles that arrive as a JSON object inside a text: what Entra's `AppRoleAssignmentsComplex` sends without its feature flag.

use serde_json::{Map, Value};

use crate::schema::Attribute;

/// Is this an element of `roles` whose value is an object in a text?
pub(super) fn is_packed(attribute: &Attribute, element: &Value) -> bool {
    attribute.name == "roles" && packed(element).is_some()
}

/// The element with `value` and `display` taken out of the text; what the client says beside it wins.
pub(super) fn unpack(element: Value) -> Map<String, Value> {
    let inner = packed(&element).unwrap_or_default();
    let mut out = match element {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    out.retain(|key, _| !key.eq_ignore_ascii_case("value"));
    for (key, value) in inner {
        let name = match key.to_ascii_lowercase().as_str() {
            "value" => "value",
            "displayname" | "display" => "display",
            "type" => "type",
            _ => continue,
        };
        if !out.keys().any(|k| k.eq_ignore_ascii_case(name)) {
            out.insert(name.to_owned(), value);
        }
    }
    out
}

fn packed(element: &Value) -> Option<Map<String, Value>> {
    let text = match element {
        Value::String(text) => text,
        Value::Object(map) => map.iter().find(|(key, _)| key.eq_ignore_ascii_case("value"))?.1.as_str()?,
        _ => return None,
    };
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let map: Map<String, Value> = serde_json::from_str(text).ok()?;
    map.iter().any(|(key, value)| key.eq_ignore_ascii_case("value") && value.is_string()).then_some(map)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Profile, Registry, ResourceKind, parse_new};

    fn roles(unpack: bool, value: &serde_json::Value) -> serde_json::Value {
        let profile = Profile { unpack_roles: unpack, ..Profile::entra() };
        let body = json!({"userName": "kim", "roles": [value]});
        let parsed = parse_new(&Registry::standard(), ResourceKind::User, body, &profile).unwrap();
        parsed.resource.as_map()["roles"].clone()
    }

    #[test]
    fn a_role_in_a_text_is_unpacked_by_the_switch_alone() {
        let text = r#"{"id":"1","value":"Admin","displayName":"The admin"}"#;
        let packed = json!({"primary": "False", "type": "WindowsAzureActiveDirectoryRole", "value": text});
        let unpacked = json!([{"primary": false, "type": "WindowsAzureActiveDirectoryRole", "value": "Admin",
            "display": "The admin"}]);
        assert_eq!(roles(true, &packed), unpacked);
        assert_eq!(roles(true, &json!(text)), json!([{"value": "Admin", "display": "The admin"}]));
        assert_eq!(roles(false, &packed)[0]["value"], text);
    }

    #[test]
    fn a_text_that_only_looks_like_an_object_stays() {
        for value in ["{", "{}", "{\"value\": 7}", "[1]", "Admin"] {
            assert_eq!(roles(true, &json!({"value": value}))[0]["value"], value);
        }
    }
}
