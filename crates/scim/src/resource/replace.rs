//! PUT: what the new body says, joined with what the old one keeps (RFC 7644 section 3.5.1).

use serde_json::Value;

use super::Resource;
use crate::error::ScimError;
use crate::profile::Profile;
use crate::schema::{Mutability, Registry, ResourceKind};

/// The resource after a PUT of `new` over `old`. What is absent in `new` is cleared, but for `active`
/// (Okta leaves it out), immutable attributes, and what the server says.
pub fn replace(
    registry: &Registry,
    old: &Resource,
    new: Resource,
    profile: &Profile,
) -> Result<Resource, ScimError> {
    let mut out = new;
    let kind = out.kind();
    for attribute in registry.core_attributes(kind) {
        let stored = old.as_map().get(&attribute.name);
        match (attribute.mutability, stored) {
            (Mutability::ReadOnly, Some(stored)) => {
                out.map_mut().insert(attribute.name.clone(), stored.clone());
            }
            (Mutability::Immutable, Some(stored)) => {
                keep_immutable(out.map_mut(), &attribute.name, stored)?;
            }
            _ => {}
        }
    }
    for schema in registry.extensions(kind) {
        let Some(before) = old.extension(&schema.id) else { continue };
        for attribute in schema.attributes.iter().filter(|a| a.mutability == Mutability::Immutable) {
            let Some(stored) = before.get(&attribute.name) else { continue };
            let holder =
                out.map_mut().entry(&*schema.id).or_insert_with(|| Value::Object(serde_json::Map::new()));
            if let Value::Object(map) = holder {
                keep_immutable(map, &attribute.name, stored)?;
            }
        }
    }
    if kind == ResourceKind::User && out.active().is_none() {
        let active = if profile.put_keeps_active { old.active() } else { Some(true) };
        if let Some(active) = active {
            out.map_mut().insert("active".to_owned(), Value::Bool(active));
        }
    }
    out.tidy();
    Ok(out)
}

fn keep_immutable(
    map: &mut serde_json::Map<String, Value>,
    name: &str,
    stored: &Value,
) -> Result<(), ScimError> {
    match map.get(name) {
        Some(given) if given != stored => {
            Err(ScimError::mutability(format!("{name} is immutable and has another value already")))
        }
        Some(_) => Ok(()),
        None => {
            map.insert(name.to_owned(), stored.clone());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::resource::{parse_new, parse_resource};
    use crate::schema::{Attribute, Schema};

    const URN: &str = "urn:example:2.0:Badge";

    fn registry() -> Registry {
        let attribute = Attribute::string("serial", "").mutability(Mutability::Immutable);
        let schema = Schema {
            id: Arc::from(URN),
            name: "Badge".into(),
            description: String::new(),
            attributes: vec![Arc::new(attribute)],
        };
        let mut registry = Registry::standard();
        registry.add_extension(ResourceKind::User, schema, false).unwrap();
        registry
    }

    fn put(body: Value) -> Result<Resource, ScimError> {
        let (registry, profile) = (registry(), Profile::generic());
        let old = json!({"userName": "kim", "title": "T", URN: {"serial": "1"}});
        let old = parse_new(&registry, ResourceKind::User, old, &profile)?.resource;
        let new = parse_resource(&registry, ResourceKind::User, body, &profile)?.resource;
        replace(&registry, &old, new, &profile)
    }

    #[test]
    fn an_immutable_attribute_stays() {
        for body in [json!({"userName": "kim"}), json!({"userName": "kim", URN: {"serial": "1"}})] {
            let out = put(body).unwrap();
            assert_eq!(out.extension(URN).unwrap()["serial"], "1");
            assert_eq!(out.as_map()["schemas"].as_array().unwrap().len(), 2);
            assert!(!out.as_map().contains_key("title"));
        }
    }

    #[test]
    fn an_immutable_attribute_cannot_become_another() {
        let error = put(json!({"userName": "kim", URN: {"serial": "2"}})).unwrap_err();
        assert_eq!(error.scim_type, Some(crate::ScimType::Mutability));
    }
}
