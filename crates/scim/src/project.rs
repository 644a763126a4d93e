//! Which attributes an answer shows: `attributes`, `excludedAttributes`, and the `returned` rule of each
//! attribute (RFC 7644 section 3.9).

use serde_json::{Map, Value};

use crate::schema::{AttrPath, Attribute, Named, Registry, ResourceKind, Returned};

/// The choice of one request, looked up once and applied to every resource of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    choice: Choice,
}

#[derive(Clone, Debug, PartialEq)]
enum Choice {
    /// What is returned by default.
    Default,
    /// These, and what is returned always.
    Only(Vec<Target>),
    /// All but these.
    Without(Vec<Target>),
}

#[derive(Clone, Debug, PartialEq)]
enum Target {
    Attribute(AttrPath),
    Extension(String),
    Core,
}

impl Projection {
    /// Reads the two parameters. Unknown names are ignored. Where both are given, `attributes` wins.
    pub fn parse(
        attributes: Option<&str>,
        excluded: Option<&str>,
        registry: &Registry,
        kind: ResourceKind,
    ) -> Self {
        let choice = match (attributes, excluded) {
            (Some(names), _) => Choice::Only(targets(names, registry, kind)),
            (None, Some(names)) => Choice::Without(targets(names, registry, kind)),
            (None, None) => Choice::Default,
        };
        Self { choice }
    }

    /// Everything that is returned by default.
    pub fn all() -> Self {
        Self { choice: Choice::Default }
    }

    /// Did the client name the attributes that it wants?
    pub fn is_explicit(&self) -> bool {
        matches!(self.choice, Choice::Only(_))
    }

    /// Will anything of this core attribute be shown? A store asks before it reads `members` or `groups`.
    pub fn wants(&self, name: &str) -> bool {
        let is = |target: &Target| match target {
            Target::Attribute(path) => path.extension.is_none() && path.attribute.name == name,
            Target::Core => !is_common(name),
            Target::Extension(_) => false,
        };
        let is_whole = |target: &Target| match target {
            Target::Attribute(path) => path.sub.is_none() && is(target),
            Target::Core | Target::Extension(_) => is(target),
        };
        match &self.choice {
            Choice::Default => true,
            Choice::Only(targets) => targets.iter().any(is),
            Choice::Without(targets) => !targets.iter().any(is_whole),
        }
    }

    /// Takes out of the object what is not to be shown.
    pub fn apply(&self, map: &mut Map<String, Value>, registry: &Registry, kind: ResourceKind) {
        self.level(map, None, |name| registry.core_attribute(kind, name).map(|a| &**a));
        for schema in registry.extensions(kind) {
            let Some(Value::Object(extension)) = map.get_mut(&*schema.id) else { continue };
            self.level(extension, Some(&schema.id), |name| schema.attribute(name).map(|a| &**a));
            if extension.is_empty() {
                map.remove(&*schema.id);
            }
        }
        self.drop_unseen_schemas(map);
    }

    fn level<'a>(
        &self,
        map: &mut Map<String, Value>,
        extension: Option<&str>,
        attribute: impl Fn(&str) -> Option<&'a Attribute>,
    ) {
        map.retain(|name, value| {
            // Extensions are gone through by themselves.
            let Some(attribute) = attribute(name) else { return extension.is_none() && name.contains(':') };
            match attribute.returned {
                Returned::Always => true,
                Returned::Never => false,
                rule => {
                    self.shows(extension, name, value, rule)
                        && self.without_unasked_parts(extension, attribute, value)
                }
            }
        });
    }

    /// Takes out the parts that are returned on request only, unless they were asked for by name.
    fn without_unasked_parts(
        &self,
        extension: Option<&str>,
        attribute: &Attribute,
        value: &mut Value,
    ) -> bool {
        let on_request = |name: &str| {
            attribute
                .sub_attributes
                .iter()
                .any(|part| part.name == name && part.returned == Returned::Request)
        };
        if !attribute.sub_attributes.iter().any(|part| part.returned == Returned::Request) {
            return true;
        }
        let asked = |part: &str| {
            match &self.choice {
            Choice::Only(targets) => targets.iter().any(
                |target| matches!(covers(target, extension, &attribute.name), Covers::Part(named) if named == part),
            ),
            Choice::Default | Choice::Without(_) => false,
        }
        };
        keep_parts(value, |part| asked(part) || !on_request(part))
    }

    fn shows(&self, extension: Option<&str>, name: &str, value: &mut Value, rule: Returned) -> bool {
        match &self.choice {
            Choice::Default => rule != Returned::Request,
            Choice::Only(targets) => {
                let mut parts = Vec::new();
                for target in targets {
                    match covers(target, extension, name) {
                        Covers::All => return true,
                        Covers::Part(part) => parts.push(part),
                        Covers::Nothing => {}
                    }
                }
                keep_parts(value, |part| parts.contains(&part))
            }
            Choice::Without(targets) => {
                let mut parts = Vec::new();
                for target in targets {
                    match covers(target, extension, name) {
                        Covers::All => return false,
                        Covers::Part(part) => parts.push(part),
                        Covers::Nothing => {}
                    }
                }
                rule != Returned::Request
                    && (parts.is_empty() || keep_parts(value, |part| !parts.contains(&part)))
            }
        }
    }

    /// `schemas` is returned always, but a URN of which nothing is shown is left out only when the
    /// client excluded it by name, so that a reader still learns what the resource has.
    fn drop_unseen_schemas(&self, map: &mut Map<String, Value>) {
        let Choice::Without(targets) = &self.choice else { return };
        let Some(Value::Array(schemas)) = map.get_mut("schemas") else { return };
        schemas.retain(|urn| !targets.iter().any(|t| matches!(t, Target::Extension(e) if urn == e)));
    }
}

/// How much of an attribute a target speaks of.
enum Covers<'a> {
    Nothing,
    All,
    Part(&'a str),
}

fn covers<'a>(target: &'a Target, extension: Option<&str>, name: &str) -> Covers<'a> {
    let all = match target {
        Target::Core => extension.is_none() && !is_common(name),
        Target::Extension(urn) => extension == Some(urn),
        Target::Attribute(path) if path.extension.as_deref() == extension && path.attribute.name == name => {
            match &path.sub {
                Some(sub) => return Covers::Part(&sub.name),
                None => true,
            }
        }
        Target::Attribute(_) => false,
    };
    if all { Covers::All } else { Covers::Nothing }
}

fn is_common(name: &str) -> bool {
    matches!(name, "schemas" | "id" | "externalId" | "meta")
}

/// Keeps some parts of an object or of each object of a list; false when nothing is left.
fn keep_parts(value: &mut Value, keep: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(map) => {
            map.retain(|part, _| keep(part));
            !map.is_empty()
        }
        Value::Array(list) => {
            list.retain_mut(|element| match element {
                Value::Object(map) => {
                    map.retain(|part, _| keep(part));
                    !map.is_empty()
                }
                _ => false,
            });
            !list.is_empty()
        }
        _ => false,
    }
}

fn targets(names: &str, registry: &Registry, kind: ResourceKind) -> Vec<Target> {
    split_names(names)
        .filter_map(|name| match registry.resolve(kind, name).ok()? {
            Named::Attribute(path) => Some(Target::Attribute(path)),
            Named::Extension(schema) => Some(Target::Extension(schema.id.to_string())),
            Named::Core(_) => Some(Target::Core),
        })
        .collect()
}

/// Names between commas; a filter in brackets, as in `emails[type eq "work"]`, is left off.
fn split_names(names: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    names
        .split(move |c: char| {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(|name| name.split('[').next().unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{ENTERPRISE_URN, USER_URN};

    fn show(attributes: Option<&str>, excluded: Option<&str>) -> Value {
        let registry = Registry::standard();
        let mut value = json!({
            "schemas": [USER_URN, ENTERPRISE_URN], "id": "7", "meta": {"resourceType": "User"},
            "userName": "kim", "name": {"givenName": "Kim", "familyName": "Lee"},
            "emails": [{"value": "k@x", "type": "work"}, {"display": "only"}],
            ENTERPRISE_URN: {"department": "R&D", "manager": {"value": "M"}},
        });
        let Value::Object(map) = &mut value else { unreachable!() };
        Projection::parse(attributes, excluded, &registry, ResourceKind::User).apply(
            map,
            &registry,
            ResourceKind::User,
        );
        let Value::Object(map) = &mut value else { unreachable!() };
        map.remove("schemas");
        value
    }

    #[test]
    fn attributes_show_id_and_what_is_named() {
        assert_eq!(show(Some("userName"), None), json!({"id": "7", "userName": "kim"}));
        assert_eq!(
            show(Some("NAME.givenname, nope"), None),
            json!({"id": "7", "name": {"givenName": "Kim"}})
        );
        let department = json!({"id": "7", ENTERPRISE_URN: {"department": "R&D"}});
        assert_eq!(show(Some(&format!("{ENTERPRISE_URN}:department")), None), department);
        assert_eq!(show(Some("department"), None), department);
        assert_eq!(show(Some(ENTERPRISE_URN), None)[ENTERPRISE_URN]["manager"], json!({"value": "M"}));
        assert_eq!(show(Some(r#"emails[type eq "a,b"].value"#), None)["emails"].as_array().unwrap().len(), 2);
        assert_eq!(show(Some("emails.value"), None)["emails"], json!([{"value": "k@x"}]));
    }

    #[test]
    fn exclusion_takes_away_but_never_what_is_always_returned() {
        let shown =
            show(None, Some(&format!("id,schemas,meta,emails,name.familyName,{ENTERPRISE_URN}:manager")));
        let rest = json!({"id": "7", "userName": "kim", "name": {"givenName": "Kim"},
                          ENTERPRISE_URN: {"department": "R&D"}});
        assert_eq!(shown, rest);
        assert!(show(None, Some(ENTERPRISE_URN)).get(ENTERPRISE_URN).is_none());
    }

    #[test]
    fn attributes_win_over_excluded_attributes() {
        assert_eq!(show(Some("userName"), Some("userName")), json!({"id": "7", "userName": "kim"}));
    }

    #[test]
    fn a_store_learns_whether_members_are_wanted() {
        let registry = Registry::standard();
        let wants = |attributes, excluded| {
            Projection::parse(attributes, excluded, &registry, ResourceKind::Group).wants("members")
        };
        assert!(wants(None, None));
        assert!(!wants(None, Some("Members")));
        assert!(wants(None, Some("members.display")));
        assert!(!wants(Some("displayName"), None));
        assert!(wants(Some("members.value"), None));
    }

    #[test]
    fn a_part_that_is_returned_on_request_is_shown_when_it_is_named() {
        let registry = Registry::standard();
        let show = |attributes: Option<&str>, excluded: Option<&str>| {
            let member = json!([{"value": "A", "display": "kim", "type": "User"}]);
            let mut map = Map::from_iter([("members".to_owned(), member)]);
            let projection = Projection::parse(attributes, excluded, &registry, ResourceKind::Group);
            projection.apply(&mut map, &registry, ResourceKind::Group);
            Value::Object(map)
        };
        let plain = json!({"members": [{"value": "A", "type": "User"}]});
        assert_eq!(show(None, None), plain);
        assert_eq!(show(None, Some("displayName")), plain);
        assert_eq!(show(Some("members"), None), plain);
        let named = json!({"members": [{"value": "A", "display": "kim"}]});
        assert_eq!(show(Some("members.value,members.display"), None), named);
    }

    #[test]
    fn a_password_is_never_shown() {
        let registry = Registry::standard();
        let mut map = Map::from_iter([("password".to_owned(), json!("x")), ("stray".to_owned(), json!(1))]);
        Projection::parse(Some("password,stray"), None, &registry, ResourceKind::User).apply(
            &mut map,
            &registry,
            ResourceKind::User,
        );
        assert!(map.is_empty());
    }
}
