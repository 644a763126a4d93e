//! What the pool must know of a person so that the views can judge: never more than a view asks for.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::view_body::{Cell, RowRule, Rows, Test, ViewBody, Who};

use super::{GROUPS, ROLES};

/// The longest value, in UTF-16 units, and the most values of one attribute. More of either shows nothing by it.
const LONGEST: usize = 1_024;
const MOST: usize = 1_000;

/// What the views of a target ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Attributes of which every value matters, by their SCIM paths.
    pub attributes: BTreeSet<String>,
    /// Single values that matter: roles under [`ROLES`], groups under [`GROUPS`].
    pub values: BTreeSet<(String, String)>,
}

impl Needs {
    /// What these views ask for.
    pub fn of<'b>(bodies: impl IntoIterator<Item = &'b ViewBody>) -> Self {
        let mut needs = Self::default();
        for body in bodies {
            for column in &body.columns {
                if let Cell::Masked { unless, .. } = &column.cell {
                    for who in unless {
                        needs.who(who);
                    }
                }
            }
            let Rows::Any(rules) = &body.rows else { continue };
            for rule in rules {
                match rule {
                    RowRule::To(who) => needs.who(who),
                    RowRule::All(tests) => {
                        needs.attributes.extend(tests.iter().filter_map(|test| match test {
                            Test::Attribute { attribute, .. } => Some(attribute.clone()),
                            Test::Compare { .. } | Test::In { .. } | Test::LastDays { .. } => None,
                        }));
                    }
                }
            }
        }
        needs
    }

    fn who(&mut self, who: &Who) {
        if let Who::Has { attribute, value } = who {
            self.values.insert((attribute.clone(), value.clone()));
        }
    }
}

/// A person as far as views are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name in the pool.
    pub principal: SqlName,
    /// Values of attributes by SCIM path, in the pool's spelling: numbers without leading zeros.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Display names of the groups that the person is in, nested ones too.
    pub groups: BTreeSet<String>,
    /// Roles of the map.
    pub roles: BTreeSet<String>,
}

/// One row of the profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProfileRow {
    /// Whose.
    pub principal: SqlName,
    /// Which attribute.
    pub attribute: String,
    /// One value of it.
    pub value: String,
}

/// The rows of one person's profile. A value that is too long, and an attribute with too many values, is left out: who has it is
/// shown nothing by it.
pub fn rows_of(person: &Person, needs: &Needs) -> BTreeSet<ProfileRow> {
    let row = |attribute: &str, value: &str| ProfileRow {
        principal: person.principal,
        attribute: attribute.to_owned(),
        value: value.to_owned(),
    };
    let fits = |value: &str| !value.is_empty() && value.encode_utf16().count() <= LONGEST;
    let mut rows = BTreeSet::new();
    for attribute in &needs.attributes {
        let values = person.attributes.get(attribute).map_or(&[][..], Vec::as_slice);
        if values.len() <= MOST {
            rows.extend(values.iter().filter(|value| fits(value)).map(|value| row(attribute, value)));
        }
    }
    for (attribute, value) in &needs.values {
        let held = match attribute.as_str() {
            ROLES => person.roles.contains(value),
            GROUPS => person.groups.contains(value),
            _ => false,
        };
        if held && fits(value) {
            rows.insert(row(attribute, value));
        }
    }
    rows
}

/// What to write so that a profile becomes another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileDelta {
    /// Rows that go. They go first.
    pub remove: Vec<ProfileRow>,
    /// Rows that come.
    pub add: Vec<ProfileRow>,
}

/// From the rows that are there to those that ought to be.
pub fn delta(actual: &BTreeSet<ProfileRow>, desired: &BTreeSet<ProfileRow>) -> ProfileDelta {
    ProfileDelta {
        remove: actual.difference(desired).cloned().collect(),
        add: desired.difference(actual).cloned().collect(),
    }
}

/// What stands between the parts of a profile that is one string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimiters {
    /// Between attributes.
    pub hash: String,
    /// Between an attribute and its values.
    pub hash_key: String,
    /// Between values.
    pub array: String,
}

/// Why a profile cannot be one string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The three are not three different, non-empty texts of which none holds another.
    #[error("the delimiters must be three texts, none empty and none inside another")]
    Delimiters,
    /// An attribute or value would be read as two. The value itself is not said: it is a person's.
    #[error(
        "a value of attribute `{attribute}` of {principal} holds a delimiter: choose delimiters that stand in no value"
    )]
    HoldsDelimiter {
        /// Whose.
        principal: SqlName,
        /// Which attribute.
        attribute: String,
    },
}

/// One person's rows as one string. What holds a delimiter is refused.
pub fn delimited(rows: &BTreeSet<ProfileRow>, by: &Delimiters) -> Result<String, Unwritable> {
    let all = [&by.hash, &by.hash_key, &by.array];
    for (i, one) in all.iter().enumerate() {
        let inside = |other: &&String| other.contains(one.as_str());
        if one.is_empty() || all.iter().enumerate().any(|(j, other)| i != j && inside(other)) {
            return Err(Unwritable::Delimiters);
        }
    }
    let mut by_attribute: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows {
        by_attribute.entry(&row.attribute).or_default().push(&row.value);
    }
    let parts: Vec<String> = by_attribute
        .iter()
        .map(|(attribute, values)| format!("{attribute}{}{}", by.hash_key, values.join(&by.array)))
        .collect();
    let text = parts.join(&by.hash);
    // Reading it back must give what went in: a delimiter can also arise where two parts meet.
    let mut read: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for part in text.split(by.hash.as_str()).filter(|_| !rows.is_empty()) {
        let (attribute, values) = part.split_once(by.hash_key.as_str()).unwrap_or((part, ""));
        read.insert(attribute, values.split(by.array.as_str()).collect());
    }
    if read == by_attribute {
        return Ok(text);
    }
    let holds = |text: &str| all.iter().any(|d| text.contains(d.as_str()));
    let culprit = rows.iter().find(|row| holds(&row.attribute) || holds(&row.value)).or_else(|| rows.first());
    Err(culprit.map_or(Unwritable::Delimiters, |row| Unwritable::HoldsDelimiter {
        principal: row.principal,
        attribute: row.attribute.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(attribute: &str, value: &str) -> ProfileRow {
        let principal = SqlName::parse("kim").unwrap();
        ProfileRow { principal, attribute: attribute.into(), value: value.into() }
    }

    fn marks() -> Delimiters {
        Delimiters { hash: "|".into(), hash_key: ":".into(), array: ",".into() }
    }

    #[test]
    fn a_profile_holds_what_a_view_asks_for_and_no_more() {
        let needs = Needs {
            attributes: BTreeSet::from(["region".into()]),
            values: BTreeSet::from([(GROUPS.into(), "Sales".into()), (ROLES.into(), "finance".into())]),
        };
        let mut person = Person {
            principal: SqlName::parse("kim").unwrap(),
            attributes: BTreeMap::from([
                ("region".into(), vec!["EU".into(), String::new(), "x".repeat(4_000)]),
                ("salary".into(), vec!["1".into()]),
            ]),
            groups: BTreeSet::from(["Sales".into(), "Secret project".into()]),
            roles: BTreeSet::from(["hr".into()]),
        };
        let rows = rows_of(&person, &needs);
        assert_eq!(rows, BTreeSet::from([row("region", "EU"), row(GROUPS, "Sales")]));
        person.attributes.insert("region".into(), (0..1_001).map(|n| n.to_string()).collect());
        let fewer = rows_of(&person, &needs);
        assert_eq!(delta(&rows, &fewer), ProfileDelta { remove: vec![row("region", "EU")], add: vec![] });
        assert_eq!(delta(&rows, &rows), ProfileDelta::default());
    }

    #[test]
    fn a_value_with_a_delimiter_is_refused() {
        let text = delimited(&[row("region", "EU"), row("region", "US"), row("x", "1")].into(), &marks());
        assert_eq!(text.unwrap(), "region:EU,US|x:1");
        assert_eq!(delimited(&BTreeSet::new(), &marks()).unwrap(), "");
        for bad in ["a,b", "a|b", ","] {
            let found = delimited(&[row("region", bad), row("x", "1")].into(), &marks()).unwrap_err();
            assert!(
                matches!(found, Unwritable::HoldsDelimiter { ref attribute, .. } if attribute == "region")
            );
            assert!(!found.to_string().contains(bad) || bad == ",", "{found}");
        }
        let same = Delimiters { array: "|".into(), ..marks() };
        assert_eq!(delimited(&BTreeSet::new(), &same), Err(Unwritable::Delimiters));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(values in proptest::collection::btree_set("[ab,|:<>]{1,4}", 1..4)) {
            let by = Delimiters { hash: "<>".into(), hash_key: ":".into(), array: "|,".into() };
            let rows: BTreeSet<ProfileRow> = values.iter().map(|v| row("k", v)).collect();
            if let Ok(text) = delimited(&rows, &by) {
                let (_, list) = text.split_once(':').unwrap();
                let read: BTreeSet<String> = list.split("|,").map(str::to_owned).collect();
                proptest::prop_assert_eq!(read, values);
            }
        }
    }
}
