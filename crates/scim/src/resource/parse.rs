//! The body of a POST or PUT, checked and put into schema spelling (RFC 7644 sections 3.3 and 3.5.1).

use serde_json::{Map, Value};

use super::value::{missing, twice};
use super::{MemberRef, Notice, Notices, Resource, Wire, check_tree, normalise, parse_members};
use crate::error::{ScimError, quoted};
use crate::profile::Profile;
use crate::schema::{Attribute, Mutability, Registry, ResourceKind, Returned, Schema};

/// What Entra lists in `schemas` of each group that it makes begins so.
const OF_ENTRA: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/";

/// A body that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The document, without members.
    pub resource: Resource,
    /// The members of a group in the body; none when the body does not speak of them. A POST without
    /// members makes an empty group, a PUT without members keeps them (ADR 4).
    pub members: Option<Vec<MemberRef>>,
    /// What was dropped.
    pub notices: Notices,
}

/// Checks the body of a POST: [`parse_resource`] and then the defaults of a new resource.
pub fn parse_new(
    registry: &Registry,
    kind: ResourceKind,
    body: Value,
    profile: &Profile,
) -> Result<Parsed, ScimError> {
    let mut parsed = parse_resource(registry, kind, body, profile)?;
    parsed.resource.set_defaults();
    Ok(parsed)
}

/// Checks the body of a PUT; [`super::replace`] joins it with what is stored.
pub fn parse_resource(
    registry: &Registry,
    kind: ResourceKind,
    body: Value,
    profile: &Profile,
) -> Result<Parsed, ScimError> {
    check_tree(&body)?;
    let Value::Object(body) = body else {
        return Err(ScimError::invalid_syntax("the body is a JSON object"));
    };
    let mut reader = Reader { registry, kind, profile, notices: Notices::default(), members: None };
    let map = reader.body(body)?;
    let mut resource = Resource::from_document(kind, map);
    reader.require(&resource)?;
    resource.tidy();
    Ok(Parsed { resource, members: reader.members, notices: reader.notices })
}

struct Reader<'a> {
    registry: &'a Registry,
    kind: ResourceKind,
    profile: &'a Profile,
    notices: Notices,
    members: Option<Vec<MemberRef>>,
}

impl Reader<'_> {
    fn body(&mut self, body: Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
        let mut out = Map::new();
        let mut listed = false;
        for (key, value) in body {
            if key.eq_ignore_ascii_case("schemas") {
                listed = self.schemas(&value)?;
                continue;
            }
            let (name, value) = if let Some(attribute) = self.registry.core_attribute(self.kind, &key) {
                let attribute = attribute.clone();
                (attribute.name.clone(), self.core(&attribute, value)?)
            } else if let Some(schema) = self.registry.extension(self.kind, &key) {
                let schema = schema.clone();
                (schema.id.to_string(), self.extension(&schema, value)?)
            } else {
                let make = if key.contains(':') { Notice::UnknownSchema } else { Notice::UnknownAttribute };
                self.unknown(make, &key)?;
                continue;
            };
            let Some(value) = value else { continue };
            if out.insert(name, value).is_some() {
                return Err(twice(&key));
            }
        }
        if !listed && !self.profile.drop_unknown {
            let text = format!("'schemas' does not list {}", self.kind.urn());
            return Err(ScimError::invalid_syntax(text));
        }
        Ok(out)
    }

    /// `schemas` is recomputed; what it lists is only looked at. True when the base schema is listed.
    fn schemas(&mut self, value: &Value) -> Result<bool, ScimError> {
        let list = match value {
            Value::Null => return Ok(false),
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut base = false;
        for item in list {
            let urn = match item {
                Value::Null => continue,
                Value::String(urn) => urn,
                _ => return Err(ScimError::invalid_value("'schemas' is a list of URNs")),
            };
            base |= urn.eq_ignore_ascii_case(self.kind.urn());
            if !urn.eq_ignore_ascii_case(self.kind.urn()) && self.registry.extension(self.kind, urn).is_none()
            {
                if !self.profile.drop_unknown {
                    let text = format!("schema {} is not served here", quoted(urn));
                    return Err(ScimError::invalid_value(text));
                }
                // Nothing is sent under Entra's own: to tell of it would hide what is worth telling.
                if !urn.starts_with(OF_ENTRA) {
                    self.notices.note(Notice::UnknownSchema, urn);
                }
            }
        }
        Ok(base)
    }

    fn unknown(&mut self, make: fn(String) -> Notice, key: &str) -> Result<(), ScimError> {
        if !self.profile.drop_unknown {
            return Err(ScimError::invalid_value(format!("no schema has an attribute {}", quoted(key))));
        }
        self.notices.note(make, key);
        Ok(())
    }

    fn core(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        if self.kind == ResourceKind::Group && attribute.name == "members" {
            return self.members(value).map(|()| None);
        }
        self.attribute(attribute, value)
    }

    fn members(&mut self, value: Value) -> Result<(), ScimError> {
        let value = match value {
            Value::Null => return Ok(()),
            Value::Array(mut list) => {
                list.retain(|item| !item.is_null());
                Value::Array(list)
            }
            one => one,
        };
        if self.members.replace(parse_members(value)?).is_some() {
            return Err(twice("members"));
        }
        Ok(())
    }

    fn attribute(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        if attribute.mutability == Mutability::ReadOnly {
            self.notices.note(Notice::ReadOnly, &attribute.name);
            return Ok(None);
        }
        if attribute.returned == Returned::Never || attribute.mutability == Mutability::WriteOnly {
            self.notices.note(Notice::NeverStored, &attribute.name);
            return Ok(None);
        }
        normalise(attribute, value, Wire::Body, self.profile, &mut self.notices)
    }

    fn extension(&mut self, schema: &Schema, value: Value) -> Result<Option<Value>, ScimError> {
        let map = match value {
            Value::Null => return Ok(None),
            Value::Object(map) => map,
            _ => return Err(ScimError::invalid_value(format!("{} takes an object", schema.id))),
        };
        let mut out = Map::new();
        for (key, value) in map {
            let Some(attribute) = schema.attribute(&key) else {
                self.unknown(Notice::UnknownAttribute, &format!("{}:{key}", schema.id))?;
                continue;
            };
            let Some(value) = self.attribute(attribute, value)? else { continue };
            if out.insert(attribute.name.clone(), value).is_some() {
                return Err(twice(&key));
            }
        }
        Ok((!out.is_empty()).then_some(Value::Object(out)))
    }

    fn require(&self, resource: &Resource) -> Result<(), ScimError> {
        check_required(self.registry, resource)
    }
}

/// Every required attribute has a value, and no required text is blank.
fn check_required(registry: &Registry, resource: &Resource) -> Result<(), ScimError> {
    let of = registry.resource_type(resource.kind());
    check_present(&of.schema, resource.as_map())?;
    for (schema, required) in &of.extensions {
        match resource.extension(&schema.id) {
            Some(map) => check_present(schema, map)?,
            None if *required => return Err(missing(&schema.id)),
            None => {}
        }
    }
    Ok(())
}

fn check_present(schema: &Schema, map: &Map<String, Value>) -> Result<(), ScimError> {
    for attribute in schema.attributes.iter().filter(|a| a.required) {
        match map.get(&attribute.name) {
            None => return Err(missing(&attribute.name)),
            Some(Value::String(text)) if text.trim().is_empty() => {
                return Err(ScimError::invalid_value(format!(
                    "{} is required and cannot be blank",
                    attribute.name
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::schema::ENTERPRISE_URN;

    fn parse(body: Value) -> Result<Parsed, ScimError> {
        parse_new(&Registry::standard(), ResourceKind::User, body, &Profile::entra())
    }

    #[test]
    fn what_is_dropped_is_noted_by_kind() {
        let body = json!({"userName": "k", "zip": 1, "urn:x:2.0:Y": {}, "id": "7", "password": "secret",
            ENTERPRISE_URN: {"zip": 1, "department": "D", "manager": {"value": "M", "displayName": "Em"}}});
        let notices = parse(body).unwrap().notices;
        let lines: Vec<_> = notices.items().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "readOnly attribute 'id' was ignored".to_owned(),
                "attribute 'password' was not stored".to_owned(),
                "readOnly attribute 'manager.displayName' was ignored".to_owned(),
                format!("unknown attribute '{ENTERPRISE_URN}:zip' was dropped"),
                "unknown schema 'urn:x:2.0:Y' was dropped".to_owned(),
                "unknown attribute 'zip' was dropped".to_owned(),
            ]
        );
    }

    #[test]
    fn a_new_person_is_active_unless_the_body_says_no() {
        assert_eq!(parse(json!({"userName": "k"})).unwrap().resource.active(), Some(true));
        assert_eq!(
            parse(json!({"userName": "k", "active": "FALSE"})).unwrap().resource.active(),
            Some(false)
        );
        let put = parse_resource(
            &Registry::standard(),
            ResourceKind::User,
            json!({"userName": "k"}),
            &Profile::okta(),
        );
        assert_eq!(put.unwrap().resource.active(), None);
    }

    #[test]
    fn lists_are_bounded_but_members_are_not() {
        let emails: Vec<_> = (0..1001).map(|n| json!({"value": n.to_string()})).collect();
        assert_eq!(parse(json!({"userName": "k", "emails": emails})).unwrap_err().status, 400);
        let members: Vec<_> = (0..20_000).map(|n| json!({"value": n.to_string()})).collect();
        let body = json!({"displayName": "G", "members": members});
        let group = parse_new(&Registry::standard(), ResourceKind::Group, body, &Profile::okta()).unwrap();
        assert_eq!(group.members.unwrap().len(), 20_000);
        assert!(!group.resource.as_map().contains_key("members"));
    }

    #[test]
    fn a_required_extension_must_be_there() {
        let urn = "urn:example:2.0:Badge";
        let schema = Schema {
            id: Arc::from(urn),
            name: "Badge".into(),
            description: String::new(),
            attributes: vec![Arc::new(Attribute::string("serial", "").required())],
        };
        let mut registry = Registry::standard();
        registry.add_extension(ResourceKind::User, schema, true).unwrap();
        let parse = |body: Value| {
            parse_new(&registry, ResourceKind::User, body, &Profile::entra()).map_err(|e| e.detail)
        };
        assert_eq!(parse(json!({"userName": "k"})), Err(format!("{urn} is required")));
        assert_eq!(
            parse(json!({"userName": "k", urn: {"serial": " "}})),
            Err("serial is required and cannot be blank".into())
        );
        assert!(parse(json!({"userName": "k", urn: {"Serial": "1"}})).is_ok());
    }
}
