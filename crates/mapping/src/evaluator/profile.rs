//! What views must know of the people of a target.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{Directory, GroupId, MemberKind, SqlName};
use axon_reconcile::secure::{Delimiters, ProfileRow};
use axon_scim::schema::{AttrPath, ResourceKind};
use serde_json::Value;

use super::Evaluator;
use crate::pending::Claimant;
use crate::selection::closure;
use crate::views::{
    GROUPS, LeftOut, Needs, Person, Profile, Unwritable, as_in_line, out_of_line, profile_of,
};

/// What views ask for, looked up once for many people.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileNeeds {
    needs: Needs,
    paths: Vec<(String, AttrPath)>,
    /// Groups that are asked for, each with what stands for it. They are found as those of mappings are: in one source, by what the
    /// name is bound to; who waits for a release is not among them.
    groups: BTreeMap<GroupId, BTreeSet<String>>,
}

impl Evaluator {
    /// What these needs come to by the last evaluation.
    pub fn profile_needs(&self, needs: &Needs) -> ProfileNeeds {
        let registry = &self.map.registry;
        let path = |text: &String| {
            let path = registry.attr_path(ResourceKind::User, text).ok()?;
            Some((text.clone(), path))
        };
        let mut groups: BTreeMap<GroupId, BTreeSet<String>> = BTreeMap::new();
        for row in &self.selection.rows {
            let asked = needs.values.contains(&(GROUPS.to_owned(), row.value.clone()));
            if let Some(group) = row.group.filter(|_| asked) {
                groups.entry(group).or_default().insert(row.value.clone());
            }
        }
        ProfileNeeds {
            needs: needs.clone(),
            paths: needs.attributes.iter().filter_map(path).collect(),
            groups,
        }
    }

    /// The profile of whoever has this name here. Where several records stand behind one name, an attribute has the
    /// values that all of them say who say anything of it.
    pub fn profile(&self, directory: &Directory, name: SqlName, needs: &ProfileNeeds) -> Profile {
        self.profile_by(directory, name, self.holders(name), &self.roles_of(name), needs)
    }

    /// What is kept of the rows that stand of somebody whose name several active people claim: those that one of the claimants would
    /// have. A second source that says the name can neither add a row nor take one out by it. What is left out of either is told.
    pub fn kept_profile(
        &self,
        directory: &Directory,
        name: SqlName,
        (needs, by): (&ProfileNeeds, Option<Delimiters>),
        there: &BTreeSet<ProfileRow>,
    ) -> Result<Profile, Unwritable> {
        let known = self.claims.of(name).filter(|(_, standing)| !standing.stranger);
        let mut would_have: BTreeSet<ProfileRow> = BTreeSet::new();
        let mut left_out: BTreeSet<LeftOut> = BTreeSet::new();
        for (who, standing) in known {
            let roles = standing.roles.iter().copied().collect();
            let one = self.profile_by(directory, name, std::iter::once(who), &roles, needs);
            would_have.extend(one.rows);
            left_out.extend(one.left_out);
        }
        let rows = match by {
            None => there.intersection(&would_have).cloned().collect(),
            Some(by) => {
                let would_have: BTreeSet<ProfileRow> = would_have.into_iter().map(as_in_line).collect();
                let there: BTreeSet<ProfileRow> =
                    there.iter().flat_map(|line| out_of_line(line, by)).collect();
                there.intersection(&would_have).cloned().collect()
            }
        };
        Profile { rows, left_out }.kept_by(by)
    }

    fn profile_by<'c>(
        &self,
        directory: &Directory,
        name: SqlName,
        holders: impl Iterator<Item = &'c Claimant>,
        roles: &BTreeSet<usize>,
        needs: &ProfileNeeds,
    ) -> Profile {
        let mut person = Person {
            principal: name,
            attributes: BTreeMap::new(),
            groups: BTreeSet::new(),
            roles: BTreeSet::new(),
        };
        for number in roles {
            let role = self.view.roles.get(*number).and_then(|role| self.map.roles.get(&role.role));
            person.roles.extend(role.into_iter().flat_map(|role| &role.whole).map(ToString::to_string));
        }
        let mut said: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for claimant in holders {
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
                person
                    .groups
                    .extend(within.iter().filter_map(|group| needs.groups.get(group)).flatten().cloned());
            }
        }
        person.attributes =
            said.into_iter().map(|(text, values)| (text.to_owned(), values.into_iter().collect())).collect();
        profile_of(&person, &needs.needs)
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
