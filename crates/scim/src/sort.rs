//! Sorting a list (RFC 7644 section 3.4.2.3).
//!
//! A [`SortKey`] is what one resource is sorted by. Keys are totally ordered, the absent one after all others, so that
//! a descending order, which is the reverse, has it first. Equal keys are left to the order of creation.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};
use time::OffsetDateTime;

use crate::compare;
use crate::error::{ScimError, quoted};
use crate::resource::Resource;
use crate::schema::{AttrPath, Attribute, DataType, Registry, ResourceKind, Returned};

/// By which attribute, and which way round.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    path: AttrPath,
    descending: bool,
}

/// What a resource is sorted by: its value at the attribute, in the order of the attribute's type.
#[derive(Clone, Debug, PartialEq)]
pub enum SortKey {
    /// False before true.
    Boolean(bool),
    /// By size.
    Number(Number),
    /// By time.
    Instant(OffsetDateTime),
    /// By the bytes of the comparison key: folded where case does not count.
    Text(String),
    /// Without a value: after all others.
    Absent,
}

impl Sort {
    /// Reads `sortBy`: a simple attribute, a part of a complex one, or a complex one that has a `value`.
    pub fn parse(
        text: &str,
        descending: bool,
        registry: &Registry,
        kind: ResourceKind,
    ) -> Result<Self, ScimError> {
        let path = registry
            .attr_path(kind, text.trim())
            .map_err(|why| ScimError::invalid_value(format!("sortBy: {why}")))?;
        let never = |a: &Attribute| a.returned == Returned::Never;
        if never(&path.attribute) || never(path.leaf()) {
            return Err(ScimError::sensitive(format!(
                "{} is never returned and sorts nothing",
                quoted(text)
            )));
        }
        let path = match path.attribute.sub("value") {
            Some(value) if path.sub.is_none() => AttrPath { sub: Some(value.clone()), ..path },
            _ => path,
        };
        if path.leaf().is_complex() {
            let text = format!("sortBy: {} is complex: name one of its parts", path.leaf().name);
            return Err(ScimError::invalid_value(text));
        }
        Ok(Self { path, descending })
    }

    /// The attribute. Where its value is told by key columns, a store may sort by those.
    pub fn path(&self) -> &AttrPath {
        &self.path
    }

    /// From high to low?
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// What a resource is sorted by: of a list the primary element, or else the first.
    pub fn key(&self, resource: &Resource) -> SortKey {
        let Some(found) = value(&self.path, resource) else { return SortKey::Absent };
        let leaf = self.path.leaf();
        match (leaf.data_type, found) {
            (DataType::DateTime, Value::String(text)) => {
                compare::instant(text).map_or(SortKey::Absent, SortKey::Instant)
            }
            (_, Value::String(text)) => SortKey::Text(compare::key(text, leaf.case_exact).into_owned()),
            (_, Value::Bool(value)) => SortKey::Boolean(*value),
            (_, Value::Number(number)) => SortKey::Number(number.clone()),
            (_, Value::Null | Value::Array(_) | Value::Object(_)) => SortKey::Absent,
        }
    }

    /// Which of two keys comes first.
    pub fn order(&self, a: &SortKey, b: &SortKey) -> Ordering {
        if self.descending { b.cmp(a) } else { a.cmp(b) }
    }
}

fn value<'a>(path: &AttrPath, resource: &'a Resource) -> Option<&'a Value> {
    let map = match &path.extension {
        Some(urn) => resource.extension(urn)?,
        None => resource.as_map(),
    };
    let found = match map.get(&path.attribute.name)? {
        Value::Array(list) => primary(list).or_else(|| list.first())?,
        one => one,
    };
    match &path.sub {
        Some(sub) => found.get(&sub.name),
        None => Some(found),
    }
}

fn primary(list: &[Value]) -> Option<&Value> {
    let is_primary = |map: &Map<String, Value>| map.get("primary") == Some(&Value::Bool(true));
    list.iter().find(|element| element.as_object().is_some_and(is_primary))
}

impl SortKey {
    fn rank(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Number(_) => 1,
            Self::Instant(_) => 2,
            Self::Text(_) => 3,
            Self::Absent => 4,
        }
    }
}

impl Eq for SortKey {}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => numbers(a, b),
            (Self::Instant(a), Self::Instant(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

/// By size, and where a float cannot tell two integers apart by those: total, as a sort wants it.
fn numbers(a: &Number, b: &Number) -> Ordering {
    let float = |n: &Number| n.as_f64().unwrap_or(f64::MAX);
    float(a).total_cmp(&float(b)).then_with(|| a.as_i128().cmp(&b.as_i128()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::ENTERPRISE_URN;

    fn sorted(by: &str, descending: bool, users: &[Value]) -> Vec<usize> {
        let sort = Sort::parse(by, descending, &Registry::standard(), ResourceKind::User).unwrap();
        let mut keyed: Vec<_> = users
            .iter()
            .enumerate()
            .map(|(place, user)| {
                let map = user.as_object().unwrap().clone();
                (sort.key(&Resource::from_document(ResourceKind::User, map)), place)
            })
            .collect();
        keyed.sort_by(|a, b| sort.order(&a.0, &b.0).then(a.1.cmp(&b.1)));
        keyed.into_iter().map(|(_, place)| place).collect()
    }

    #[test]
    fn text_sorts_by_its_case_rule_and_the_absent_is_last_or_first() {
        let users = [json!({"title": "b"}), json!({}), json!({"title": "A"}), json!({"title": "a"})];
        assert_eq!(sorted("title", false, &users), [2, 3, 0, 1]);
        assert_eq!(sorted("TITLE", true, &users), [1, 0, 2, 3]);
        let exact = [json!({"externalId": "b"}), json!({"externalId": "B"}), json!({"externalId": "a"})];
        assert_eq!(sorted("externalId", false, &exact), [1, 2, 0]);
    }

    #[test]
    fn a_list_sorts_by_its_primary_element_or_its_first() {
        let users = [
            json!({"emails": [{"value": "c"}, {"value": "a"}]}),
            json!({"emails": [{"value": "z"}, {"value": "b", "primary": true}]}),
            json!({"emails": [{"value": "a"}]}),
        ];
        assert_eq!(sorted("emails", false, &users), [2, 1, 0]);
        assert_eq!(sorted("emails.value", false, &users), [2, 1, 0]);
    }

    #[test]
    fn dates_parts_and_extensions_sort_by_what_they_mean() {
        let at = |t: &str| json!({"meta": {"created": t}});
        let users = [at("2026-01-01T00:00:00Z"), at("2026-01-01T00:30:00+01:00")];
        assert_eq!(sorted("meta.created", false, &users), [1, 0]);
        let users = [json!({"name": {"familyName": "b"}}), json!({"name": {"familyName": "a"}})];
        assert_eq!(sorted("name.familyName", false, &users), [1, 0]);
        let users =
            [json!({ENTERPRISE_URN: {"department": "b"}}), json!({ENTERPRISE_URN: {"department": "a"}})];
        assert_eq!(sorted(&format!("{ENTERPRISE_URN}:department"), false, &users), [1, 0]);
    }

    #[test]
    fn numbers_are_ordered_totally() {
        let key = |v: Value| match v {
            Value::Number(n) => SortKey::Number(n),
            _ => SortKey::Absent,
        };
        let mut keys: Vec<_> = [
            json!(9_007_199_254_740_993_i64),
            json!(9_007_199_254_740_992_i64),
            json!(-1.5),
            json!(7),
            json!(null),
        ]
        .map(key)
        .to_vec();
        keys.sort();
        let back: Vec<_> = keys
            .iter()
            .map(|k| if let SortKey::Number(n) = k { n.to_string() } else { String::new() })
            .collect();
        assert_eq!(back, ["-1.5", "7", "9007199254740992", "9007199254740993", ""]);
    }

    #[test]
    fn what_sorts_nothing_is_refused() {
        for (by, status) in [("nope", 400), ("name", 400), ("addresses", 400), ("", 400), ("password", 403)] {
            let error = Sort::parse(by, false, &Registry::standard(), ResourceKind::User).unwrap_err();
            assert_eq!(error.status, status, "{by}: {error}");
        }
    }
}
