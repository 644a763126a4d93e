//! `bulkId:…` in the bodies of a bulk request: who names whom, the ids put in, and what must wait where two name each
//! other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// What stands before the name.
const MARK: &str = "bulkId:";

/// The names in a body. A text is a name as a whole; in a `path` and a `$ref` a name may stand inside it.
pub(super) fn names(value: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    walk(value, None, &mut |text, inside| {
        for (start, end) in places(text, inside) {
            out.insert(text[start..end].to_owned());
        }
    });
    out
}

/// The name in an id of a path.
pub(super) fn name(id: &str) -> Option<&str> {
    id.strip_prefix(MARK)
}

/// Puts ids in the places of names. A name without an id stays.
pub(super) fn resolve(value: &mut Value, ids: &BTreeMap<String, String>) {
    resolve_at(value, None, ids);
}

fn resolve_at(value: &mut Value, key: Option<&str>, ids: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            let places = places(text, is_inside(key));
            if places.is_empty() {
                return;
            }
            // One pass over the text: a text may be as long as a body, and all of it names.
            let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
            for (start, end) in places {
                if let Some(id) = ids.get(&text[start..end]) {
                    out.push_str(&text[copied..start - MARK.len()]);
                    out.push_str(id);
                    copied = end;
                }
            }
            out.push_str(&text[copied..]);
            *text = out;
        }
        Value::Array(list) => list.iter_mut().for_each(|item| resolve_at(item, key, ids)),
        Value::Object(map) => map.iter_mut().for_each(|(key, item)| resolve_at(item, Some(key), ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn walk(value: &Value, key: Option<&str>, see: &mut impl FnMut(&str, bool)) {
    match value {
        Value::String(text) => see(text, is_inside(key)),
        Value::Array(list) => list.iter().for_each(|item| walk(item, key, see)),
        Value::Object(map) => map.iter().for_each(|(key, item)| walk(item, Some(key), see)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_inside(key: Option<&str>) -> bool {
    key.is_some_and(|key| key == "$ref" || key.eq_ignore_ascii_case("path"))
}

/// Where names stand in a text, without their mark.
fn places(text: &str, inside: bool) -> Vec<(usize, usize)> {
    if !inside {
        return if text.starts_with(MARK) { vec![(MARK.len(), text.len())] } else { Vec::new() };
    }
    let of = |(at, _): (usize, &str)| {
        let start = at + MARK.len();
        let rest = &text[start..];
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
        let length = rest.find(|c| !plain(c)).unwrap_or(rest.len());
        (start, start + length)
    };
    text.match_indices(MARK).map(of).collect()
}

/// Takes out of a new resource what names one of `missing`, as the PATCH that gives it later: elements of lists one by
/// one, other attributes as a whole.
pub(super) fn part(data: &mut Value, missing: &BTreeSet<String>) -> Vec<Value> {
    let mut late = Vec::new();
    if let Value::Object(map) = data {
        part_object(map, "", missing, &mut late);
    }
    late
}

fn part_object(
    map: &mut Map<String, Value>,
    prefix: &str,
    missing: &BTreeSet<String>,
    late: &mut Vec<Value>,
) {
    let is_late = |value: &Value| !names(value).is_disjoint(missing);
    map.retain(|key, value| {
        if !is_late(value) {
            return true;
        }
        let path = format!("{prefix}{key}");
        match value {
            Value::Object(extension) if key.contains(':') && prefix.is_empty() => {
                part_object(extension, &format!("{key}:"), missing, late);
                !extension.is_empty()
            }
            Value::Array(list) => {
                let (waiting, kept) = std::mem::take(list).into_iter().partition::<Vec<_>, _>(is_late);
                *list = kept;
                late.push(json!({"op": "add", "path": path, "value": waiting}));
                !list.is_empty()
            }
            _ => {
                late.push(json!({"op": "add", "path": path, "value": value.take()}));
                false
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    #[test]
    fn names_are_found_in_values_paths_and_references() {
        let data = json!({"members": [{"value": "bulkId:u1", "$ref": "../Users/bulkId:u2"}], "displayName": "a bulkId:no",
            "Operations": [{"path": "members[value eq \"bulkId:u3\" or value eq \"bulkId:u4\"]", "value": ["bulkId:u 5"]}]});
        assert_eq!(names(&data), set(&["u1", "u2", "u3", "u4", "u 5"]));
    }

    #[test]
    fn ids_are_put_in_and_unknown_names_stay() {
        let ids = BTreeMap::from([("a".to_owned(), "7".to_owned()), ("b".to_owned(), "88".to_owned())]);
        let mut data = json!({"value": "bulkId:a", "x": ["bulkId:b", "bulkId:c", "bulkId:ab"],
            "path": "members[value eq \"bulkId:a\" or value eq \"bulkId:b\"]", "$ref": "https://x/Users/bulkId:b"});
        resolve(&mut data, &ids);
        assert_eq!(
            data,
            json!({"value": "7", "x": ["88", "bulkId:c", "bulkId:ab"],
                "path": "members[value eq \"7\" or value eq \"88\"]", "$ref": "https://x/Users/88"})
        );
    }

    #[test]
    fn what_must_wait_is_taken_out_as_small_as_can_be() {
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let mut data = json!({"displayName": "G", "members": [{"value": "bulkId:a"}, {"value": "bulkId:b"}],
            urn: {"department": "D", "manager": {"value": "bulkId:a"}}});
        let late = part(&mut data, &set(&["a"]));
        assert_eq!(
            data,
            json!({"displayName": "G", "members": [{"value": "bulkId:b"}], urn: {"department": "D"}})
        );
        assert_eq!(late.len(), 2);
        assert!(late.contains(&json!({"op": "add", "path": "members", "value": [{"value": "bulkId:a"}]})));
        assert!(late.contains(
            &json!({"op": "add", "path": format!("{urn}:manager"), "value": {"value": "bulkId:a"}})
        ));
    }
}
