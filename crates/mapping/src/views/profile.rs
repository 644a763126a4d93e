//! What the pool must know of a person so that the views can judge: never more than a view asks for.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::Finding;
use axon_reconcile::view_body::{Cell, RowRule, Rows, Test, ViewBody, Who};

use axon_reconcile::secure::{Delimiters, ProfileRow};

use super::{GROUPS, LINE, ROLES};

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
    /// Roles of the pool that people are told apart by: no profile holds them.
    pub roles: BTreeSet<SqlName>,
}

impl Needs {
    /// What these views ask for.
    pub fn of<'b>(bodies: impl IntoIterator<Item = &'b ViewBody>) -> Self {
        let mut needs = Self::default();
        for body in bodies {
            for column in &body.columns {
                if let Cell::Masked { unless, to, .. } = &column.cell {
                    unless.iter().chain(to).for_each(|who| needs.who(who));
                }
            }
            let Rows::Any(rules) = &body.rows else { continue };
            for rule in rules {
                match rule {
                    RowRule::To(who) => needs.who(who),
                    RowRule::All(tests) => {
                        for test in tests {
                            match test {
                                Test::Attribute { attribute, .. } => {
                                    needs.attributes.insert(attribute.clone());
                                }
                                Test::Is(whom) => whom.iter().for_each(|who| needs.who(who)),
                                Test::Compare { .. } | Test::In { .. } | Test::LastDays { .. } => {}
                            }
                        }
                    }
                }
            }
        }
        needs
    }

    fn who(&mut self, who: &Who) {
        match who {
            Who::Role(name) => drop(self.roles.insert(*name)),
            Who::Has { attribute, value } => drop(self.values.insert((attribute.clone(), value.clone()))),
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
    /// What stands for the groups that the person is in, nested ones too: [`RowGroup::value`](crate::secure_view::RowGroup::value).
    pub groups: BTreeSet<String>,
    /// Roles of the map.
    pub roles: BTreeSet<String>,
}

/// Why something that a view asks for is not in a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Beyond {
    /// There are too many values of the attribute.
    #[error("it has over {MOST} values, so views show nothing by any of them")]
    Values,
    /// A value is too long.
    #[error("a value of it has over {LONGEST} characters, so views show nothing by that one")]
    Length,
}

/// What is left out of a profile. The value itself is not said: it is a person's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Which attribute.
    pub attribute: String,
    /// Why.
    pub why: Beyond,
}

impl LeftOut {
    /// As people are told it.
    pub fn of(&self, principal: SqlName) -> Finding {
        let (attribute, because) = (self.attribute.clone(), self.why.to_string());
        Finding::LeftOutOfProfile { principal, attribute, because }
    }
}

/// One person's profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its rows.
    pub rows: BTreeSet<ProfileRow>,
    /// What is left out of it, of attributes that a view asks for.
    pub left_out: BTreeSet<LeftOut>,
}

impl Profile {
    /// The same as the target keeps it: as one string, where there are delimiters.
    pub fn kept_by(self, delimiters: Option<Delimiters>) -> Result<Self, Unwritable> {
        let Some(by) = delimiters else { return Ok(self) };
        Ok(Self { rows: in_one_line(&self.rows, by)?.into_iter().collect(), ..self })
    }
}

/// One person's profile. A value that is too long, and an attribute with too many values, is left out: who has it is shown nothing
/// by it, and people are told.
pub fn profile_of(person: &Person, needs: &Needs) -> Profile {
    let row = |attribute: &str, value: &str| ProfileRow {
        principal: person.principal,
        attribute: attribute.to_owned(),
        value: value.to_owned(),
    };
    let mut profile = Profile::default();
    let Profile { rows, left_out } = &mut profile;
    for attribute in &needs.attributes {
        let mut leave_out = |why| left_out.insert(LeftOut { attribute: attribute.clone(), why });
        let values = person.attributes.get(attribute).map_or(&[][..], Vec::as_slice);
        if values.len() > MOST {
            leave_out(Beyond::Values);
            continue;
        }
        // Blanks alone are equal to nothing, which is what most rows of others hold.
        for value in values.iter().filter(|value| !value.trim_end_matches(' ').is_empty()) {
            if value.encode_utf16().count() > LONGEST {
                leave_out(Beyond::Length);
            } else {
                rows.insert(row(attribute, value));
            }
        }
    }
    for (attribute, value) in &needs.values {
        let held = match attribute.as_str() {
            ROLES => person.roles.contains(value),
            GROUPS => person.groups.contains(value),
            _ => false,
        };
        // What a line of the map names is never too long.
        if held {
            rows.insert(row(attribute, value));
        }
    }
    profile
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

/// Why a profile cannot be one string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
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
    /// There are too many values.
    #[error("the profile of {principal} has over {LONGEST_LINE} characters: use the layout of rows")]
    TooLong {
        /// Whose.
        principal: SqlName,
    },
}

/// The longest profile that is one string, in UTF-16 units.
const LONGEST_LINE: usize = 3_000;

/// One person's rows as the one row that holds them all. What holds a delimiter is refused: a profile that says something else
/// than it was given shows rows to people whom nobody meant.
pub fn in_one_line(rows: &BTreeSet<ProfileRow>, by: Delimiters) -> Result<Option<ProfileRow>, Unwritable> {
    let Some(principal) = rows.first().map(|row| row.principal) else { return Ok(None) };
    let mut by_attribute: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        if by.part(&row.attribute) || by.part(&row.value) {
            return Err(Unwritable::HoldsDelimiter { principal, attribute: row.attribute.clone() });
        }
        let value = in_line(row);
        if !value.is_empty() {
            by_attribute.entry(&row.attribute).or_default().insert(value);
        }
    }
    let mut value = String::new();
    for (attribute, values) in by_attribute {
        if !value.is_empty() {
            value.push(by.hash);
        }
        value.push_str(attribute);
        value.push(by.hash_key);
        for (i, one) in values.into_iter().enumerate() {
            if i > 0 {
                value.push(by.array);
            }
            value.push_str(one);
        }
    }
    if value.encode_utf16().count() > LONGEST_LINE {
        return Err(Unwritable::TooLong { principal });
    }
    Ok((!value.is_empty()).then(|| ProfileRow { principal, attribute: LINE.to_owned(), value }))
}

/// As everywhere in T-SQL, blanks at the end of a value say nothing. A role or group is named to the letter.
fn in_line(row: &ProfileRow) -> &str {
    if row.attribute.starts_with('@') { &row.value } else { row.value.trim_end_matches(' ') }
}

/// A row as it is read out of a string.
pub(crate) fn as_in_line(row: ProfileRow) -> ProfileRow {
    ProfileRow { value: in_line(&row).to_owned(), ..row }
}

/// The rows that were made one string. What no such string says is left out.
pub fn out_of_line(line: &ProfileRow, by: Delimiters) -> BTreeSet<ProfileRow> {
    if line.attribute != LINE {
        return BTreeSet::new();
    }
    let parts = line.value.split(by.hash).filter_map(|part| part.split_once(by.hash_key));
    let rows = parts.flat_map(|(attribute, values)| {
        values.split(by.array).map(move |value| ProfileRow {
            principal: line.principal,
            attribute: attribute.to_owned(),
            value: value.to_owned(),
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(attribute: &str, value: &str) -> ProfileRow {
        let principal = SqlName::parse("kim").unwrap();
        ProfileRow { principal, attribute: attribute.into(), value: value.into() }
    }

    fn marks() -> Delimiters {
        Delimiters::new('|', ':', ',').unwrap()
    }

    #[test]
    fn a_profile_holds_what_a_view_asks_for_and_no_more() {
        let needs = Needs {
            attributes: BTreeSet::from(["region".into()]),
            values: BTreeSet::from([(GROUPS.into(), "Sales".into()), (ROLES.into(), "finance".into())]),
            ..Needs::default()
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
        let rows = profile_of(&person, &needs).rows;
        assert_eq!(rows, BTreeSet::from([row("region", "EU"), row(GROUPS, "Sales")]));
        person.attributes.insert("region".into(), (0..1_001).map(|n| n.to_string()).collect());
        let fewer = profile_of(&person, &needs).rows;
        assert_eq!(delta(&rows, &fewer), ProfileDelta { remove: vec![row("region", "EU")], add: vec![] });
        assert_eq!(delta(&rows, &rows), ProfileDelta::default());
    }

    /// How many rows somebody with these values has, and what is told of those that are left out.
    fn kept_and_told(values: Vec<String>) -> (usize, Vec<String>) {
        let needs = Needs { attributes: BTreeSet::from(["region".into()]), ..Needs::default() };
        let too_much = (0..2_000).map(|n| n.to_string()).chain(["x".repeat(4_000)]).collect();
        let person = Person {
            principal: SqlName::parse("kim").unwrap(),
            // What no view asks for is nobody's question.
            attributes: BTreeMap::from([("region".into(), values), ("salary".into(), too_much)]),
            groups: BTreeSet::new(),
            roles: BTreeSet::new(),
        };
        let Profile { rows, left_out } = profile_of(&person, &needs);
        let told = left_out.iter().map(|one| one.of(person.principal).to_string()).collect();
        (rows.len(), told)
    }

    #[test]
    fn an_attribute_with_a_value_too_many_is_left_out_and_told() {
        let values = |count: u32| (0..count).map(|n| format!("place {n}")).collect();
        assert_eq!(kept_and_told(values(1_000)), (1_000, vec![]));
        let (kept, told) = kept_and_told(values(1_001));
        let words = "the profile of kim does not hold all of attribute `region`: it has over 1000 values, so views show nothing by any of \
                     them";
        assert_eq!((kept, told), (0, vec![words.to_owned()]));
    }

    #[test]
    fn a_value_with_a_character_too_many_is_left_out_and_told_once() {
        let long = |units: usize| "x".repeat(units);
        assert_eq!(kept_and_told(vec![long(1_024), "EU".into()]), (2, vec![]));
        let words = "the profile of kim does not hold all of attribute `region`: a value of it has over 1024 characters, so views show \
                     nothing by that one";
        assert_eq!(kept_and_told(vec![long(1_025), "EU".into()]), (1, vec![words.to_owned()]));
        assert_eq!(kept_and_told(vec![long(1_025), long(1_026)]), (0, vec![words.to_owned()]));
        assert_eq!(kept_and_told(vec![long(4_000)]), (0, vec![words.to_owned()]));
        assert_eq!(kept_and_told(vec!["EU".into(), long(4_000), "US".into()]), (2, vec![words.to_owned()]));
        // A character beyond the first plane is two units.
        assert_eq!(kept_and_told(vec!["\u{1F600}".repeat(512)]), (1, vec![]));
        assert_eq!(kept_and_told(vec!["\u{1F600}".repeat(513)]), (0, vec![words.to_owned()]));
        // Blanks alone say nothing, however many.
        assert_eq!(kept_and_told(vec![" ".into(), " ".repeat(1_025)]), (0, vec![]));
    }

    #[test]
    fn a_value_with_a_delimiter_is_refused() {
        let line = |rows: &[ProfileRow]| in_one_line(&rows.iter().cloned().collect(), marks());
        let found = line(&[row("region", "EU"), row("region", "US "), row("x", "1"), row(GROUPS, "S ")]);
        assert_eq!(found.unwrap().unwrap().value, "@group:S |region:EU,US|x:1");
        assert_eq!(line(&[]), Ok(None));
        assert_eq!(line(&[row("region", " ")]), Ok(None));
        for bad in ["a,b", "a|b", ",", "urn:x"] {
            let found = line(&[row("region", bad), row("x", "1")]).unwrap_err();
            assert!(
                matches!(found, Unwritable::HoldsDelimiter { ref attribute, .. } if attribute == "region")
            );
            assert!(!found.to_string().contains(bad) || bad == ",", "{found}");
        }
        let long = line(&[row("region", &"x".repeat(1_024)), row("a", &"y".repeat(2_000))]);
        assert!(matches!(long, Err(Unwritable::TooLong { .. })));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(values in proptest::collection::btree_set("[ab,|:<>]{1,4}", 1..4)) {
            let rows: BTreeSet<ProfileRow> = values.iter().map(|v| row("k", v)).collect();
            if let Ok(Some(line)) = in_one_line(&rows, marks()) {
                let (_, list) = line.value.split_once(':').unwrap();
                let read: BTreeSet<String> = list.split(',').map(str::to_owned).collect();
                proptest::prop_assert_eq!(read, values);
            }
        }
    }
}
