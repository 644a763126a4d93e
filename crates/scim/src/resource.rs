//! A resource: a JSON object that has been checked against its schemas, in schema spelling.
//!
//! A resource as it is stored holds what the client may write. What the server says (`id`, `meta`,
//! `groups`, `members`) is put on with [`Resource::decorate`] before it is filtered, patched or sent,
//! and taken off with [`Resource::into_document`] before it is stored.

mod check;
mod members;
mod notices;
mod parse;
mod replace;
mod roles;
mod typed;
mod value;

use serde::Serialize;
use serde_json::{Map, Value};

pub use self::members::MemberRef;
pub use self::notices::{Notice, Notices};
pub use self::parse::{Parsed, parse_new, parse_resource};
pub use self::replace::replace;
pub use self::typed::{Address, EnterpriseUser, Group, Manager, Name, TypedError, User, ValueEntry};

pub(crate) use self::check::{MAX_ELEMENTS, check_tree};
pub(crate) use self::members::parse_members;
pub(crate) use self::value::{Wire, boolean, decimal, is_hollow, normalise};

use crate::schema::{AttrPath, ENTERPRISE_URN, ResourceKind};

/// The attributes that the server says, kept out of the stored document.
const SERVER_SAID: [&str; 4] = ["id", "meta", "groups", "members"];

/// A validated resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    kind: ResourceKind,
    map: Map<String, Value>,
}

/// What the server says about a resource, in answers (RFC 7643 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// `User` or `Group`.
    pub resource_type: String,
    /// RFC 3339, in UTC.
    pub created: String,
    /// RFC 3339, in UTC.
    pub last_modified: String,
    /// The address; its last segment is the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Resource {
    /// A document that this crate made, as it was stored.
    pub fn from_document(kind: ResourceKind, map: Map<String, Value>) -> Self {
        Self { kind, map }
    }

    /// User or Group.
    pub fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// The JSON object.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// The JSON object, with what the server said when it was put on.
    pub fn into_map(self) -> Map<String, Value> {
        self.map
    }

    /// The JSON object to store: without `id`, `meta`, `groups` and `members`.
    pub fn into_document(mut self) -> Map<String, Value> {
        for name in SERVER_SAID {
            self.map.remove(name);
        }
        self.map
    }

    pub(crate) fn map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.map
    }

    /// Puts `id` and `meta` on.
    pub fn decorate(&mut self, id: &str, meta: &Meta) {
        self.map.insert("id".to_owned(), Value::from(id));
        let meta = serde_json::to_value(meta).expect("text fields always serialise");
        self.map.insert("meta".to_owned(), meta);
    }

    /// Puts the members of a group on, or takes them off when there are none.
    pub fn set_members(&mut self, members: Vec<Value>) {
        self.set_list("members", members);
    }

    /// Puts the groups of a person on, or takes them off when there are none.
    pub fn set_groups(&mut self, groups: Vec<Value>) {
        self.set_list("groups", groups);
    }

    fn set_list(&mut self, name: &str, list: Vec<Value>) {
        if list.is_empty() {
            self.map.remove(name);
        } else {
            self.map.insert(name.to_owned(), Value::Array(list));
        }
    }

    /// The text of a core attribute.
    fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(Value::as_str)
    }

    /// `id`, where it has been put on.
    pub fn id(&self) -> Option<&str> {
        self.text("id")
    }

    /// `userName`.
    pub fn user_name(&self) -> Option<&str> {
        self.text("userName")
    }

    /// `externalId`.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// `displayName`.
    pub fn display_name(&self) -> Option<&str> {
        self.text("displayName")
    }

    /// `active` as it is, absent included.
    pub fn active(&self) -> Option<bool> {
        self.map.get("active").and_then(Value::as_bool)
    }

    /// May the person sign in? Every new person says so or gets `true` ([`Resource::set_defaults`]), so
    /// `active` is absent only where a client removed it: that is not known, and gives nothing.
    pub fn is_active(&self) -> bool {
        self.active() == Some(true)
    }

    /// The elements of `emails`.
    pub fn emails(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.map.get("emails").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
    }

    /// The first e-mail address of type `work`.
    pub fn work_email(&self) -> Option<&str> {
        self.emails()
            .find(|e| e.get("type").and_then(Value::as_str).is_some_and(|t| t.eq_ignore_ascii_case("work")))
            .and_then(|e| e.get("value"))
            .and_then(Value::as_str)
    }

    /// The object of an extension.
    pub fn extension(&self, urn: &str) -> Option<&Map<String, Value>> {
        self.map.get(urn).and_then(Value::as_object)
    }

    /// `department` of the enterprise extension.
    pub fn department(&self) -> Option<&str> {
        self.extension(ENTERPRISE_URN)?.get("department")?.as_str()
    }

    /// `manager.value` of the enterprise extension.
    pub fn manager(&self) -> Option<&str> {
        self.extension(ENTERPRISE_URN)?.get("manager")?.get("value")?.as_str()
    }

    /// All values at a path: none, one, or one per element of a list.
    pub fn values<'a>(&'a self, path: &AttrPath) -> Vec<&'a Value> {
        let holder = match &path.extension {
            Some(urn) => self.extension(urn),
            None => Some(&self.map),
        };
        let Some(found) = holder.and_then(|map| map.get(&path.attribute.name)) else {
            return Vec::new();
        };
        let elements = match found {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        match &path.sub {
            None => elements.iter().collect(),
            Some(sub) => elements.iter().filter_map(|e| e.get(&sub.name)).collect(),
        }
    }

    /// Gives a new User what it has when the client says nothing: `active` is true.
    pub fn set_defaults(&mut self) {
        if self.kind == ResourceKind::User && !self.map.contains_key("active") {
            self.map.insert("active".to_owned(), Value::Bool(true));
        }
    }

    /// Recomputes `schemas` and takes empty extensions away (RFC 7643 section 3).
    pub(crate) fn tidy(&mut self) {
        self.map.retain(|key, value| !(key.contains(':') && value.as_object().is_some_and(Map::is_empty)));
        let extensions = self.map.iter().filter(|(key, value)| key.contains(':') && value.is_object());
        let schemas = std::iter::once(self.kind.urn())
            .chain(extensions.map(|(key, _)| key.as_str()))
            .map(Value::from)
            .collect();
        self.map.insert("schemas".to_owned(), Value::Array(schemas));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Registry;

    fn kim() -> Resource {
        let body = json!({
            "userName": "kim@ex.test", "active": "False",
            "emails": [{"type": "home", "value": "h@x"}, {"type": "Work", "value": "w@x"}],
            ENTERPRISE_URN: {"department": "R&D", "manager": "M"},
        });
        let profile = crate::Profile::entra();
        parse_new(&Registry::standard(), ResourceKind::User, body, &profile).unwrap().resource
    }

    #[test]
    fn accessors_read_the_document() {
        let kim = kim();
        assert_eq!((kim.user_name(), kim.active()), (Some("kim@ex.test"), Some(false)));
        assert_eq!((kim.work_email(), kim.department()), (Some("w@x"), Some("R&D")));
        assert_eq!(kim.manager(), Some("M"));
        assert!(!kim.is_active());
    }

    #[test]
    fn values_walk_lists_and_extensions() {
        let registry = Registry::standard();
        let at = |text: &str| registry.attr_path(ResourceKind::User, text).unwrap();
        let kim = kim();
        assert_eq!(kim.values(&at("emails.value")), [&json!("h@x"), &json!("w@x")]);
        assert_eq!(kim.values(&at("department")), [&json!("R&D")]);
        assert!(kim.values(&at("name.givenName")).is_empty());
    }

    #[test]
    fn what_the_server_says_is_not_stored() {
        let mut kim = kim();
        let stored = kim.clone().into_document();
        let meta = Meta {
            resource_type: "User".into(),
            created: "2026-01-01T00:00:00Z".into(),
            last_modified: "2026-01-01T00:00:00Z".into(),
            location: None,
            version: None,
        };
        kim.decorate("7", &meta);
        kim.set_groups(vec![json!({"value": "g"})]);
        assert_eq!(kim.id(), Some("7"));
        assert!(kim.as_map()["meta"].get("location").is_none());
        assert_eq!(kim.into_document(), stored);
    }
}
