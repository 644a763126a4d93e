//! Which attributes an answer shows: `attributes`, `excludedAttributes`, and the `returned` rule of each
//! attribute (RFC 7644 section 3.9).

mod names;
mod written;

use serde_json::{Map, Value};

use self::names::{Target, targets};
use crate::filter::Filter;
use crate::schema::{AttrPath, Attribute, Registry, ResourceKind, Returned};

/// The choice of one request, looked up once and applied to every resource of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    choice: Choice,
    /// A core attribute that is not shown, whatever is chosen.
    hidden: Option<&'static str>,
    /// Attributes that are returned on request only, and that the client wrote.
    written: Vec<AttrPath>,
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

impl Projection {
    /// Reads the two parameters: names, URNs, and elements by a filter as in `emails[type eq "work"].value`. Unknown names
    /// are ignored. Where both are given, `attributes` wins.
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
        Self { choice, hidden: None, written: Vec::new() }
    }

    /// Everything that is returned by default.
    pub fn all() -> Self {
        Self { choice: Choice::Default, hidden: None, written: Vec::new() }
    }

    /// The same, that never shows this core attribute: the caller may not see it.
    #[must_use]
    pub fn hiding(mut self, name: &'static str) -> Self {
        self.hidden = Some(name);
        self
    }

    /// Did the client name the attributes that it wants?
    pub fn is_explicit(&self) -> bool {
        matches!(self.choice, Choice::Only(_))
    }

    /// How many comparisons the filters in brackets have: what one element costs at most.
    pub fn terms(&self) -> usize {
        let (Choice::Only(targets) | Choice::Without(targets)) = &self.choice else { return 0 };
        targets.iter().filter_map(|target| target.condition()).map(Filter::terms).sum()
    }

    /// Will anything of this core attribute be shown? A store asks before it reads `members` or `groups`.
    pub fn wants(&self, name: &str) -> bool {
        if self.hidden == Some(name) {
            return false;
        }
        let is = |target: &Target| match target {
            Target::Attribute { path, .. } => path.extension.is_none() && path.attribute.name == name,
            Target::Core => !is_common(name),
            Target::Extension(_) => false,
        };
        let is_whole = |target: &Target| match target {
            Target::Attribute { path, condition } => path.sub.is_none() && condition.is_none() && is(target),
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
            if extension.is_none() && self.hidden == Some(name.as_str()) {
                return false;
            }
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
        let asked = |part: &str| match &self.choice {
            Choice::Only(targets) => targets
                .iter()
                .filter_map(|target| rule(target, extension, &attribute.name))
                .any(|rule| rule.part == Some(part)),
            Choice::Default | Choice::Without(_) => false,
        };
        keep_parts(value, |part| asked(part) || !on_request(part))
    }

    fn shows(
        &self,
        extension: Option<&str>,
        name: &str,
        value: &mut Value,
        rule_of_schema: Returned,
    ) -> bool {
        let (targets, only) = match &self.choice {
            Choice::Default => {
                return rule_of_schema != Returned::Request || self.has_written(extension, name);
            }
            Choice::Only(targets) => (targets, true),
            Choice::Without(_)
                if rule_of_schema == Returned::Request && !self.has_written(extension, name) =>
            {
                return false;
            }
            Choice::Without(targets) => (targets, false),
        };
        let rules: Vec<Rule<'_>> = targets.iter().filter_map(|t| rule(t, extension, name)).collect();
        if rules.is_empty() {
            return !only;
        }
        if rules.iter().any(|rule| rule.part.is_none() && rule.condition.is_none()) {
            return only;
        }
        choose(value, &rules, only)
    }

    /// `schemas` is returned always, but a URN of which nothing is shown is left out only when the
    /// client excluded it by name, so that a reader still learns what the resource has.
    fn drop_unseen_schemas(&self, map: &mut Map<String, Value>) {
        let Choice::Without(targets) = &self.choice else { return };
        let Some(Value::Array(schemas)) = map.get_mut("schemas") else { return };
        schemas.retain(|urn| !targets.iter().any(|t| matches!(t, Target::Extension(e) if urn == e)));
    }
}

/// What a target says of one attribute: of which elements, and of which part of them.
struct Rule<'a> {
    condition: Option<&'a Filter>,
    part: Option<&'a str>,
}

fn rule<'a>(target: &'a Target, extension: Option<&str>, name: &str) -> Option<Rule<'a>> {
    let whole = Rule { condition: None, part: None };
    match target {
        Target::Core => (extension.is_none() && !is_common(name)).then_some(whole),
        Target::Extension(urn) => (extension == Some(urn)).then_some(whole),
        Target::Attribute { path, condition } => {
            let is_this = path.extension.as_deref() == extension && path.attribute.name == name;
            let part = path.sub.as_ref().map(|sub| sub.name.as_str());
            is_this.then_some(Rule { condition: condition.as_ref(), part })
        }
    }
}

/// Keeps of a value, or of each element of a list, what the rules speak of (`only`) or what they do not speak of. False
/// when nothing is left.
fn choose(value: &mut Value, rules: &[Rule<'_>], only: bool) -> bool {
    let keep = |element: &mut Value| {
        let Value::Object(map) = element else { return !only };
        let met: Vec<&Rule<'_>> =
            rules.iter().filter(|rule| rule.condition.is_none_or(|c| c.matches_element(map))).collect();
        if met.iter().any(|rule| rule.part.is_none()) {
            return only;
        }
        map.retain(|part, _| met.iter().any(|rule| rule.part == Some(part.as_str())) == only);
        !map.is_empty()
    };
    match value {
        Value::Array(list) => {
            list.retain_mut(keep);
            !list.is_empty()
        }
        one => keep(one),
    }
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
        let work = json!([{"value": "k@x", "type": "work"}]);
        assert_eq!(show(Some(r#"emails[type eq "work"]"#), None)["emails"], work);
        assert_eq!(
            show(Some(r#"emails[type eq "work"].value,userName"#), None)["emails"],
            json!([{"value": "k@x"}])
        );
        assert!(show(Some(r#"emails[type eq "a,b"].value"#), None).get("emails").is_none());
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
        let others = show(None, Some(r#"emails[type eq "work"],title"#));
        assert_eq!(others["emails"], json!([{"display": "only"}]));
        let quiet = show(None, Some(r#"emails[type eq "work"].value"#));
        assert_eq!(quiet["emails"], json!([{"type": "work"}, {"display": "only"}]));
        assert_eq!(show(None, Some("emails[type eq")), show(None, None), "a broken filter excludes nothing");
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
        assert!(wants(None, Some("members[value eq \"x\"]")));
        assert!(wants(Some("members[value eq \"x\"]"), None));
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
