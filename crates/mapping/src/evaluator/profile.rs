//! What views must know of the people of a target.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{Directory, GroupId, MemberKind, SqlName};
use axon_reconcile::secure::ProfileRow;
use axon_scim::schema::{AttrPath, ResourceKind};
use serde_json::Value;

use super::Evaluator;
use crate::pending::Claimant;
use crate::selection::closure;
use crate::views::{GROUPS, Needs, Person, rows_of};

/// What views ask for, looked up once for many people.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileNeeds {
    needs: Needs,
    paths: Vec<(String, AttrPath)>,
    /// Groups that are asked for, each with its name. A name that two groups have is nobody's.
    groups: BTreeMap<GroupId, String>,
}

impl ProfileNeeds {
    /// The groups that the names stand for in that directory.
    pub fn groups(&self) -> &BTreeMap<GroupId, String> {
        &self.groups
    }
}

impl Evaluator {
    /// What these needs come to in this directory.
    pub fn profile_needs(&self, needs: &Needs, directory: &Directory) -> ProfileNeeds {
        let registry = &self.map.registry;
        let path = |text: &String| {
            let path = registry.attr_path(ResourceKind::User, text).ok()?;
            Some((text.clone(), path))
        };
        let names: BTreeSet<&str> = needs
            .values
            .iter()
            .filter(|(attribute, _)| attribute == GROUPS)
            .map(|(_, name)| name.as_str())
            .collect();
        let mut found: BTreeMap<&str, Vec<GroupId>> = BTreeMap::new();
        if !names.is_empty() {
            for group in directory.groups() {
                if let Some(name) = names.get(&*group.display_name) {
                    found.entry(name).or_default().push(group.id);
                }
            }
        }
        // Another source could make a group of the same name.
        let groups = found.into_iter().filter_map(|(name, ids)| match ids.as_slice() {
            [one] => Some((*one, name.to_owned())),
            _ => None,
        });
        let groups = groups.collect();
        ProfileNeeds {
            needs: needs.clone(),
            paths: needs.attributes.iter().filter_map(path).collect(),
            groups,
        }
    }

    /// The rows of the profile of whoever has this name here. Where several records stand behind one name, an attribute has the
    /// values that all of them say who say anything of it.
    pub fn profile(
        &self,
        directory: &Directory,
        name: SqlName,
        needs: &ProfileNeeds,
    ) -> BTreeSet<ProfileRow> {
        let mut person = Person {
            principal: name,
            attributes: BTreeMap::new(),
            groups: BTreeSet::new(),
            roles: BTreeSet::new(),
        };
        for number in self.roles_of(name) {
            let role = self.view.roles.get(number).and_then(|role| self.map.roles.get(&role.role));
            person.roles.extend(role.into_iter().flat_map(|role| &role.whole).map(ToString::to_string));
        }
        let mut said: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for claimant in self.holders(name) {
            let Claimant::User { id, .. } = claimant else { continue };
            let Some(user) = directory.user(*id).filter(|user| user.active) else { continue };
            let document: Option<Value> = serde_json::from_str(&user.document).ok();
            for (text, path) in &needs.paths {
                let values: BTreeSet<String> = match path.attribute.name.as_str() {
                    "userName" => BTreeSet::from([user.user_name.to_string()]),
                    "externalId" => user.external_id.iter().map(ToString::to_string).collect(),
                    _ => document.as_ref().map(|document| values_at(document, path)).unwrap_or_default(),
                };
                if values.is_empty() {
                    continue;
                }
                match said.get_mut(text.as_str()) {
                    Some(known) => known.retain(|value| values.contains(value)),
                    None => drop(said.insert(text, values)),
                }
            }
            if !needs.groups.is_empty() {
                let within = closure(directory, MemberKind::User(*id));
                person.groups.extend(within.iter().filter_map(|group| needs.groups.get(group)).cloned());
            }
        }
        person.attributes =
            said.into_iter().map(|(text, values)| (text.to_owned(), values.into_iter().collect())).collect();
        rows_of(&person, &needs.needs)
    }
}

/// All plain values at a path of a user's document: of a list each, of a list of complex values the part that is asked for, or
/// `value`.
fn values_at(document: &Value, path: &AttrPath) -> BTreeSet<String> {
    let container = match &path.extension {
        Some(urn) => document.get(&**urn),
        None => Some(document),
    };
    let Some(whole) = container.and_then(|container| container.get(&path.attribute.name)) else {
        return BTreeSet::new();
    };
    let one = std::slice::from_ref(whole);
    let items = whole.as_array().map_or(one, Vec::as_slice);
    let part = |item: &Value| -> Option<String> {
        let value = match (&path.sub, item) {
            (Some(sub), Value::Object(_)) => item.get(&sub.name)?,
            (None, Value::Object(_)) => item.get("value")?,
            (Some(_), _) => return None,
            (None, plain) => plain,
        };
        match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(yes) => Some(yes.to_string()),
            _ => None,
        }
    };
    items.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use axon_scim::schema::Registry;

    use super::*;

    #[test]
    fn every_value_of_an_attribute_counts() {
        let document = serde_json::json!({
            "title": "boss",
            "emails": [{"value": "a@x"}, {"value": "b@x", "type": "work"}, {"type": "home"}],
            "name": {"familyName": "Lee"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "D1", "costCenter": 7}
        });
        let at = |text: &str| {
            let path = Registry::standard().attr_path(ResourceKind::User, text).unwrap();
            values_at(&document, &path).into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(at("title"), "boss");
        assert_eq!(at("emails"), "a@x b@x");
        assert_eq!(at("emails.type"), "home work");
        assert_eq!(at("name.familyName"), "Lee");
        assert_eq!(at("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"), "D1");
        assert_eq!(at("nickName"), "");
    }
}
