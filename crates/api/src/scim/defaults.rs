//! Which attributes an answer shows when the client does not choose: looked up once, so that a read by id need not copy the
//! document to take out what it must not show.

use std::collections::{HashMap, HashSet};

use axon_scim::{Registry, ResourceKind, Returned};
use serde_json::{Map, Value};

/// The attributes that are returned by default, in schema spelling.
pub struct Defaults {
    user: Visible,
    group: Visible,
}

/// The attributes of one kind of resource.
pub struct Visible {
    core: HashSet<String>,
    extensions: HashMap<String, HashSet<String>>,
}

impl Defaults {
    /// Looks them up.
    pub fn of(registry: &Registry) -> Self {
        let visible = |kind| Visible {
            core: registry
                .core_attributes(kind)
                .filter(|a| is_shown(a.returned))
                .map(|a| a.name.clone())
                .collect(),
            extensions: registry
                .extensions(kind)
                .map(|schema| {
                    let names =
                        schema.attributes.iter().filter(|a| is_shown(a.returned)).map(|a| a.name.clone());
                    (schema.id.to_string(), names.collect())
                })
                .collect(),
        };
        Self { user: visible(ResourceKind::User), group: visible(ResourceKind::Group) }
    }

    /// Those of a kind.
    pub fn kind(&self, kind: ResourceKind) -> &Visible {
        match kind {
            ResourceKind::User => &self.user,
            ResourceKind::Group => &self.group,
        }
    }
}

fn is_shown(returned: Returned) -> bool {
    matches!(returned, Returned::Always | Returned::Default)
}

impl Visible {
    /// Whether a stored document may be shown as it is: true unless it was stored under schemas that showed more.
    pub fn covers(&self, document: &Map<String, Value>) -> bool {
        document.iter().all(|(name, value)| match self.extensions.get(name) {
            Some(names) => value.as_object().is_some_and(|map| map.keys().all(|name| names.contains(name))),
            None => self.core.contains(name),
        })
    }
}

#[cfg(test)]
mod tests {
    use axon_scim::ENTERPRISE_URN;
    use serde_json::json;

    use super::*;

    fn covers(document: Value) -> bool {
        let Value::Object(document) = document else { panic!("an object") };
        Defaults::of(&Registry::standard()).kind(ResourceKind::User).covers(&document)
    }

    #[test]
    fn a_document_with_something_that_is_not_returned_is_not_shown_as_it_is() {
        assert!(covers(json!({"schemas": [], "userName": "kim", ENTERPRISE_URN: {"department": "D"}})));
        assert!(!covers(json!({"userName": "kim", "password": "secret"})));
        assert!(!covers(json!({"userName": "kim", "urn:example:gone": {}})));
        assert!(!covers(json!({"userName": "kim", ENTERPRISE_URN: {"gone": 1}})));
    }
}
