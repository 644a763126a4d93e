//! Members of a group as a client names them. They are rows in the store, never part of the document.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::{ScimError, quoted};
use crate::schema::ResourceKind;

/// Longest id of a member.
const MAX_ID: usize = 1024;

/// A member as a client names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberRef {
    /// The id.
    pub value: String,
    /// What the client says it is; the store knows better. Okta and Entra say nothing.
    pub kind_hint: Option<ResourceKind>,
}

impl MemberRef {
    /// A member of unsaid kind.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), kind_hint: None }
    }
}

/// Reads members in any shape that is sent: a string, an object with `value`, or a list of both.
/// Repeated ids are taken once, in the order of their first place.
pub(crate) fn parse_members(value: Value) -> Result<Vec<MemberRef>, ScimError> {
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let mut seen = HashSet::with_capacity(list.len());
    let mut members = Vec::with_capacity(list.len());
    for item in list {
        let member = parse_member(item)?;
        if seen.insert(member.value.clone()) {
            members.push(member);
        }
    }
    Ok(members)
}

fn parse_member(item: Value) -> Result<MemberRef, ScimError> {
    let (id, kind_hint) = match item {
        Value::String(id) => (id, None),
        Value::Object(map) => member_object(map)?,
        _ => return Err(ScimError::invalid_value("a member is a string or an object with 'value'")),
    };
    if id.is_empty() || id.len() > MAX_ID {
        let text = format!("the id of a member has 1 to {MAX_ID} bytes, not {}", id.len());
        return Err(ScimError::invalid_value(text));
    }
    Ok(MemberRef { value: id, kind_hint })
}

fn member_object(map: Map<String, Value>) -> Result<(String, Option<ResourceKind>), ScimError> {
    let (mut id, mut said, mut pointed) = (None, None, None);
    for (key, value) in map {
        let Value::String(text) = value else {
            if key.eq_ignore_ascii_case("value") && !value.is_null() {
                return Err(ScimError::invalid_value("'value' of a member is a string"));
            }
            continue;
        };
        if key.eq_ignore_ascii_case("value") {
            if id.replace(text).is_some() {
                return Err(ScimError::invalid_syntax("'value' of a member is given twice"));
            }
        } else if key.eq_ignore_ascii_case("type") {
            // Any other word is kept out, not refused: the store knows what the member is.
            said = ResourceKind::parse(&text);
        } else if key.eq_ignore_ascii_case("$ref") {
            pointed = kind_of_reference(&text);
        }
    }
    let id = id.ok_or_else(|| ScimError::invalid_value("a member has no 'value'"))?;
    if id.trim().is_empty() {
        return Err(ScimError::invalid_value(format!("{} is not the id of a member", quoted(&id))));
    }
    Ok((id, said.or(pointed)))
}

/// `…/Users/ID` or `…/Groups/ID`.
fn kind_of_reference(reference: &str) -> Option<ResourceKind> {
    let mut segments = reference.rsplit('/');
    segments.next()?;
    match segments.next()? {
        "Users" => Some(ResourceKind::User),
        "Groups" => Some(ResourceKind::Group),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(value: Value) -> Result<Vec<String>, u16> {
        parse_members(value).map(|m| m.into_iter().map(|m| m.value).collect()).map_err(|e| e.status)
    }

    #[test]
    fn all_shapes_name_members() {
        for shape in [
            json!("D"),
            json!({"value": "D"}),
            json!(["D"]),
            json!([{"$ref": null, "value": "D"}]),
            json!([{"Value": "D", "display": "d"}, "D"]),
        ] {
            assert_eq!(ids(shape), Ok(vec!["D".to_owned()]));
        }
        assert_eq!(ids(json!([])), Ok(vec![]));
    }

    #[test]
    fn a_member_without_id_is_refused() {
        for shape in
            [json!([{}]), json!(""), json!(7), json!([null]), json!({"value": null}), json!({"value": " "})]
        {
            assert_eq!(ids(shape.clone()), Err(400), "{shape}");
        }
        assert_eq!(ids(json!("x".repeat(MAX_ID + 1))), Err(400));
    }

    #[test]
    fn the_kind_is_a_hint() {
        let of = |v: Value| parse_members(v).unwrap()[0].kind_hint;
        assert_eq!(of(json!({"value": "g", "type": "group"})), Some(ResourceKind::Group));
        assert_eq!(of(json!({"value": "u", "$ref": "https://x/scim/v2/Users/u"})), Some(ResourceKind::User));
        assert_eq!(of(json!({"value": "u", "type": "Robot"})), None);
    }
}
