//! The keys of hashes as they were when Axon made them. A key is never read: what is compared is a digest of it, made in the target.
//!
//! A new key in the place of one that is gone or was changed would be quiet, and no hash would compare with an earlier one: a person
//! says that it may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// How many keys of one id that may not have come to be are known again.
const MOST_MEANT: usize = 16;

/// The digests of the keys that a target holds, by id: one for each row.
pub type KeyMarks = BTreeMap<String, Vec<String>>;

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFault {
    /// It is another one, or there are several.
    Changed,
    /// Axon did not make it.
    Foreign,
    /// It is not there any more.
    Gone,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "is not the one that Axon made",
            Self::Foreign => "was made by somebody else",
            Self::Gone => "is gone",
        })
    }
}

/// The keys that Axon made or found when it looked first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKeys {
    /// The digest of each.
    known: BTreeMap<String, String>,
    /// Those of which the next look tells the digest.
    #[serde(default)]
    made: BTreeSet<String>,
    /// Digests of keys that Axon was about to make, the last ones of each id. A statement may take effect when nobody listens any more.
    #[serde(default)]
    meant: BTreeMap<String, Vec<String>>,
}

impl KnownKeys {
    /// What stands there when nobody looked before.
    pub fn first(there: &KeyMarks) -> Self {
        let single = there.iter().filter_map(|(id, marks)| match marks.as_slice() {
            [one] => Some((id.clone(), one.clone())),
            _ => None,
        });
        Self { known: single.collect(), ..Self::default() }
    }

    /// Axon made this one, or a person said that whatever stands there counts, or a new one where none does.
    pub fn expect(&mut self, id: &str) {
        self.known.remove(id);
        self.made.insert(id.to_owned());
    }

    /// Axon is about to make this one, of which the target will show this digest.
    pub fn mean(&mut self, id: &str, mark: String) {
        let is_known = self.known.get(id) == Some(&mark);
        if is_known || self.meant.get(id).is_some_and(|marks| marks.contains(&mark)) {
            return;
        }
        let marks = self.meant.entry(id.to_owned()).or_default();
        marks.push(mark);
        let older = marks.len().saturating_sub(MOST_MEANT);
        marks.drain(..older);
    }

    /// All ids.
    pub fn ids(&self) -> BTreeSet<&str> {
        self.known.keys().chain(&self.made).map(String::as_str).collect()
    }

    fn is_ours(&self, id: &str, mark: &String) -> bool {
        self.made.contains(id) || self.meant.get(id).is_some_and(|marks| marks.contains(mark))
    }

    /// Takes in what stands there, and tells which keys are not as they were.
    pub fn look(&mut self, there: &KeyMarks) -> BTreeMap<String, KeyFault> {
        let mut faults = BTreeMap::new();
        for (id, marks) in there {
            let fault = match (self.known.get(id), marks.as_slice()) {
                (Some(known), [one]) if known == one => continue,
                (Some(_), _) => KeyFault::Changed,
                (None, [one]) if self.is_ours(id, one) => {
                    self.made.remove(id);
                    self.meant.remove(id);
                    self.known.insert(id.clone(), one.clone());
                    continue;
                }
                (None, _) => KeyFault::Foreign,
            };
            faults.insert(id.clone(), fault);
        }
        let gone = self.known.keys().filter(|id| !there.contains_key(*id));
        faults.extend(gone.map(|id| (id.clone(), KeyFault::Gone)));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(rows: &[(&str, &str)]) -> KeyMarks {
        let mut marks = KeyMarks::new();
        for (id, mark) in rows {
            marks.entry((*id).to_owned()).or_default().push((*mark).to_owned());
        }
        marks
    }

    #[test]
    fn a_key_is_known_from_when_axon_made_it_and_any_other_is_told() {
        let mut keys = KnownKeys::first(&marks(&[]));
        let told = |keys: &mut KnownKeys, rows: &[(&str, &str)]| keys.look(&marks(rows));
        let fault = |id: &str, fault| BTreeMap::from([(id.to_owned(), fault)]);
        assert_eq!(told(&mut keys, &[("a", "1")]), fault("a", KeyFault::Foreign), "nobody made it");
        keys.expect("a");
        assert_eq!(told(&mut keys, &[("a", "1")]), BTreeMap::new());
        assert_eq!(told(&mut keys, &[("a", "2")]), fault("a", KeyFault::Changed));
        assert_eq!(told(&mut keys, &[("a", "1"), ("a", "1")]), fault("a", KeyFault::Changed), "two rows");
        assert_eq!(told(&mut keys, &[]), fault("a", KeyFault::Gone));
        assert_eq!(told(&mut keys, &[("a", "1")]), BTreeMap::new(), "it was put back");
        assert_eq!(told(&mut keys, &[("a", "1"), ("b", "3")]), fault("b", KeyFault::Foreign));
        // A person says that the one that stands there counts.
        keys.expect("a");
        assert_eq!(told(&mut keys, &[("a", "2")]), BTreeMap::new());
        assert_eq!(told(&mut keys, &[("a", "1")]), fault("a", KeyFault::Changed));
        // And where none stands there, the one that is made next.
        keys.expect("a");
        assert_eq!(told(&mut keys, &[]), BTreeMap::new());
        assert_eq!(told(&mut keys, &[("a", "4")]), BTreeMap::new());
    }

    #[test]
    fn what_stands_at_the_first_look_counts_but_for_two_rows_of_one_id() {
        let mut keys = KnownKeys::first(&marks(&[("a", "1"), ("b", "1"), ("b", "2")]));
        assert_eq!(keys.ids(), ["a"].into());
        let faults = keys.look(&marks(&[("a", "1"), ("b", "1"), ("b", "2")]));
        assert_eq!(faults, BTreeMap::from([("b".to_owned(), KeyFault::Foreign)]));
    }

    #[test]
    fn a_key_that_was_about_to_be_made_is_known_by_its_digest_and_no_other_is() {
        let told = |keys: &mut KnownKeys, rows: &[(&str, &str)]| keys.look(&marks(rows));
        let foreign = BTreeMap::from([("a".to_owned(), KeyFault::Foreign)]);
        let mut keys = KnownKeys::default();
        keys.mean("a", "1".into());
        // It may not have come to be, and another one is drawn; the first may come late all the same.
        keys.mean("a", "2".into());
        assert_eq!(told(&mut keys, &[]), BTreeMap::new(), "nothing is gone that was never seen");
        assert_eq!(told(&mut keys, &[("a", "3")]), foreign, "somebody else was quicker");
        assert_eq!(told(&mut keys, &[("a", "1"), ("a", "3")]), foreign, "two rows");
        assert_eq!(told(&mut keys, &[("b", "1")])["b"], KeyFault::Foreign, "of another column");
        assert_eq!(told(&mut keys, &[("a", "1")]), BTreeMap::new());
        assert!(keys.meant.is_empty(), "what is known needs no word of what was meant");
        let changed = BTreeMap::from([("a".to_owned(), KeyFault::Changed)]);
        assert_eq!(told(&mut keys, &[("a", "2")]), changed, "it is known by one digest from then on");
        for n in 0..100 {
            keys.mean("c", n.to_string());
        }
        assert_eq!(keys.meant["c"].len(), MOST_MEANT);
    }
}
