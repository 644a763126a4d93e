//! `extensions`: schema files that add attributes to users or groups, and the schemas that are served with them.

use std::fmt;
use std::path::{Path, PathBuf};

use axon_scim::{Registry, ResourceKind, Schema};
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

/// One schema file: `badge.json`, or `{ file: badge.json, resource: User, required: false }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Extension {
    /// A Schema resource of RFC 7643 section 7 in JSON. A relative path is taken from the configuration's folder.
    pub file: PathBuf,
    /// `User` or `Group`; told by the end of the URN, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Must every resource have it?
    pub required: bool,
}

/// What an extension extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Resource {
    /// People.
    User,
    /// Groups.
    Group,
}

impl From<Resource> for ResourceKind {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::User => Self::User,
            Resource::Group => Self::Group,
        }
    }
}

impl<'de> Deserialize<'de> for Extension {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            file: PathBuf,
            #[serde(default)]
            resource: Option<Resource>,
            #[serde(default)]
            required: bool,
        }

        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Extension;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a schema file such as badge.json, or { file: badge.json, resource: User }")
            }

            fn visit_str<E>(self, file: &str) -> Result<Extension, E> {
                Ok(Extension { file: file.into(), resource: None, required: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Extension, A::Error> {
                let Long { file, resource, required } = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Extension { file, resource, required })
            }
        }
        from.deserialize_any(Either)
    }
}

impl Extension {
    fn add_to(&self, registry: &mut Registry) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(&self.file)
            .map_err(|source| ConfigError::UnreadableSchema { path: self.file.clone(), source })?;
        let bad = |reason: String| ConfigError::Schema { path: self.file.clone(), reason };
        let schema = Schema::from_json(&text).map_err(|fault| bad(fault.to_string()))?;
        let kind = match self.resource {
            Some(resource) => resource.into(),
            None => kind_of(&schema.id).ok_or_else(|| {
                bad(format!(
                    "{} ends neither in :User nor in :Group: write {{ file: …, resource: User }}",
                    schema.id
                ))
            })?,
        };
        registry.add_extension(kind, schema, self.required).map_err(|error| bad(error.to_string()))
    }
}

fn kind_of(urn: &str) -> Option<ResourceKind> {
    ResourceKind::parse(urn.rsplit(':').next()?)
}

impl Config {
    /// The schemas that are served: those of the RFC and the configured extensions.
    pub fn registry(&self) -> Result<Registry, ConfigError> {
        let mut registry = Registry::standard();
        for extension in &self.extensions {
            extension.add_to(&mut registry)?;
        }
        Ok(registry)
    }

    /// Takes relative paths from the file's own folder.
    pub(super) fn anchor_extensions(&mut self, folder: &Path) {
        for extension in &mut self.extensions {
            extension.file = folder.join(&extension.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BADGE: &str =
        r#"{"id": "urn:example:badge:2.0:User", "attributes": [{"name": "level", "type": "integer"}]}"#;

    fn load(yaml: &str, files: &[(&str, &str)]) -> Result<Registry, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let text = format!("role_map: map.yaml\nsources: {{ x: {{ kind: okta }} }}\nextensions: {yaml}\n");
        let path = folder.path().join("axon.yaml");
        std::fs::write(&path, text).unwrap();
        let told = |error: ConfigError| error.to_string().replace(&*folder.path().to_string_lossy(), "");
        Config::load(&path, &[]).map_err(told)?.registry().map_err(told)
    }

    #[test]
    fn a_file_adds_its_attributes_to_what_its_urn_says() {
        let registry = load("[badge.json]", &[("badge.json", BADGE)]).unwrap();
        assert!(registry.attr_path(ResourceKind::User, "level").is_ok());
        assert!(registry.attr_path(ResourceKind::Group, "level").is_err());
        let long = "[{ file: badge.json, resource: Group, required: true }]";
        let registry = load(long, &[("badge.json", BADGE)]).unwrap();
        assert!(registry.attr_path(ResourceKind::Group, "level").is_ok());
        assert!(registry.resource_type(ResourceKind::Group).extensions[0].1);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_when_the_configuration_is_loaded() {
        let say = |yaml: &str, text: &str| load(yaml, &[("badge.json", text)]).unwrap_err();
        let wrong = BADGE.replace("integer", "whole");
        assert!(say("[badge.json]", &wrong).starts_with("/badge.json:1:"), "{}", say("[badge.json]", &wrong));
        assert!(say("[badge.json]", &wrong).contains("attributes[0].type: 'whole' is not one of"));
        assert!(say("[badges.json]", BADGE).contains("/badges.json"));
        assert!(say("[badge.json, badge.json]", BADGE).contains("the id is in use"));
        let plain = BADGE.replace(":User", "");
        assert!(say("[badge.json]", &plain).contains("neither in :User nor in :Group"));
        let misspelt = say("[{ file: badge.json, resorce: User }]", BADGE);
        assert!(misspelt.contains("did you mean `resource`?"), "{misspelt}");
        assert!(say("[7]", BADGE).contains("schema file"), "{}", say("[7]", BADGE));
    }
}
