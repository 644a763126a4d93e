//! A user as it is kept: the text that an answer begins with, and what must be put in for each client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axon_model::{GroupId, SourceId, UserId};
use axon_store::StoredUser;
use axon_store::stored::{entity_tag, shown_instant};

/// A group as its users show it: its id, then its name as JSON; one text for all of them. What is the same in each is not kept:
/// an answer shows many groups, and each line of memory more is a wait.
pub type Element = Arc<str>;

const ID: usize = 36;
const BEFORE_ID: &str = r#"{"value":""#;
const BEFORE_BASE: &str = r#"","$ref":""#;
const BEHIND_BASE: &str = "/Groups/";
const BEFORE_NAME: &str = r#"","display":"#;
const BEHIND_NAME: &[u8; 18] = br#","type":"direct"},"#;
/// Where an id is put in.
const NO_ID: &str = "000000000000000000000000000000000000";
const USERS: &str = "/Users/";
/// How much longer a group is shown, with the comma behind it, than its element and the address of SCIM are.
const MORE: usize =
    BEFORE_ID.len() + BEFORE_BASE.len() + BEHIND_BASE.len() + ID + BEFORE_NAME.len() + BEHIND_NAME.len();

/// The element of a group.
pub fn element(id: GroupId, display: &str) -> Element {
    format!("{id}{}", serde_json::Value::from(display)).into()
}

/// Whose element it is.
pub fn group_of(element: &str) -> Option<GroupId> {
    element.get(..ID)?.parse().ok()
}

/// A user.
#[derive(Debug)]
pub struct KeptUser {
    /// Its id.
    pub id: UserId,
    /// Whose. Nobody else is shown it.
    pub source: SourceId,
    /// Its version.
    pub version: u64,
    /// The folded `userName`, then the JSON text up to `groups`, without the address of SCIM in `meta.location`.
    text: Box<str>,
    /// Where the JSON begins.
    json: usize,
    /// Where the address of SCIM stands.
    address: usize,
    groups: Box<[Element]>,
    /// The edition of the groups' names in which they were looked at last.
    looked: AtomicU64,
}

impl KeptUser {
    /// A user that was read with its groups; none where it cannot be written as text.
    pub fn of(
        source: &SourceId,
        stored: &StoredUser,
        name_key: &str,
        groups: Box<[Element]>,
        edition: u64,
    ) -> Option<Self> {
        let map = stored.resource.as_map();
        let document = serde_json::to_string(map).ok()?;
        let open = document.strip_suffix('}')?;
        let comma = if map.is_empty() { "" } else { "," };
        let (id, created, modified) =
            (stored.id, shown_instant(stored.created), shown_instant(stored.modified));
        let before = format!(
            r#"{name_key}{open}{comma}"id":"{id}","meta":{{"resourceType":"User","created":"{created}","lastModified":"{modified}","location":""#
        );
        let version = serde_json::Value::from(entity_tag(stored.version));
        let text = format!(r#"{before}{USERS}{id}","version":{version}}}"#);
        Some(Self {
            id,
            source: source.clone(),
            version: stored.version,
            json: name_key.len(),
            address: before.len(),
            text: text.into(),
            groups,
            looked: AtomicU64::new(edition),
        })
    }

    /// The folded `userName`.
    pub fn name_key(&self) -> &str {
        &self.text[..self.json]
    }

    /// What it takes of memory, about.
    pub fn bytes(&self) -> usize {
        224 + self.text.len() + self.groups.len() * 16
    }

    /// Whether the names of its groups still hold in this edition of them. They are looked at once in each: `is_current` says
    /// it of one.
    pub fn holds(&self, edition: u64, is_current: impl Fn(&Element) -> bool) -> bool {
        if self.looked.load(Ordering::Acquire) == edition {
            return true;
        }
        let holds = self.groups.iter().all(is_current);
        if holds {
            self.looked.store(edition, Ordering::Release);
        }
        holds
    }

    /// How long [`KeptUser::write`] makes the text.
    pub fn length(&self, base: &str) -> usize {
        let groups = self.groups.iter().map(|group| group.len() + base.len() + MORE).sum::<usize>();
        let brackets = if self.groups.is_empty() { 1 } else { r#","groups":[]}"#.len() - 1 };
        self.text.len() - self.json + base.len() + groups + brackets
    }

    /// Its path below the address of SCIM.
    pub fn path(&self) -> &str {
        &self.text[self.address..self.address + USERS.len() + ID]
    }

    /// Writes it as a client sees it that reaches SCIM under `base`, which must need no escape.
    pub fn write(&self, base: &str, out: &mut Vec<u8>) {
        // All of them are asked of the memory at once, so that they come while the document is copied, and not one after the other.
        std::hint::black_box(self.groups.iter().fold(0, |all, group| all ^ group.as_bytes()[0]));
        out.extend_from_slice(&self.text.as_bytes()[self.json..self.address]);
        out.extend_from_slice(base.as_bytes());
        out.extend_from_slice(&self.text.as_bytes()[self.address..]);
        if self.groups.is_empty() {
            out.push(b'}');
            return;
        }
        out.extend_from_slice(br#","groups":["#);
        // What is the same of every group goes in one piece, and both of its ids are put into that.
        let frame = [BEFORE_ID, NO_ID, BEFORE_BASE, base, BEHIND_BASE, NO_ID, BEFORE_NAME].concat();
        let (first, second) = (BEFORE_ID.len(), frame.len() - BEFORE_NAME.len() - ID);
        for (id, name) in self.groups.iter().filter_map(|group| group.as_bytes().split_first_chunk::<ID>()) {
            let start = out.len();
            out.extend_from_slice(frame.as_bytes());
            for at in [start + first, start + second] {
                out[at..at + ID].copy_from_slice(id);
            }
            out.extend_from_slice(name);
            out.extend_from_slice(BEHIND_NAME);
        }
        // In the place of the last comma.
        out.pop();
        out.extend_from_slice(b"]}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018f3a00-0000-7000-8000-000000000001";

    fn user(groups: Box<[Element]>) -> KeptUser {
        let text = format!(r#"kim{{"userName":"Kim","id":"{ID}","meta":{{"location":""#);
        let address = text.len();
        let text = format!(r#"{text}/Users/{ID}"}}"#).into();
        let (id, source) = (ID.parse().unwrap(), "entra".parse().unwrap());
        KeptUser { id, source, version: 1, text, json: 3, address, groups, looked: AtomicU64::new(0) }
    }

    #[test]
    fn it_is_written_as_json_of_the_length_that_was_said() {
        for count in 0..3 {
            let groups = (0..count).map(|_| element(ID.parse().unwrap(), "Sales \"EU\"")).collect();
            let user = user(groups);
            let mut out = Vec::new();
            user.write("https://axon.test/scim/v2", &mut out);
            assert_eq!(out.len(), user.length("https://axon.test/scim/v2"));
            let shown: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(shown["meta"]["location"], format!("https://axon.test/scim/v2/Users/{ID}"));
            assert_eq!(shown["groups"].as_array().map_or(0, Vec::len), count);
            if count > 0 {
                assert_eq!(shown["groups"][0]["display"], "Sales \"EU\"");
                assert_eq!(shown["groups"][0]["$ref"], format!("https://axon.test/scim/v2/Groups/{ID}"));
            }
        }
    }

    #[test]
    fn names_are_looked_at_once_in_each_edition() {
        let user = user([element(ID.parse().unwrap(), "Sales")].into());
        let whose = |shown: &Element| group_of(shown) == ID.parse().ok();
        assert!(user.holds(0, |_| false), "it was read in this one");
        assert!(!user.holds(1, |_| false), "the name is another one now");
        assert!(user.holds(1, whose) && user.holds(1, |_| false));
        assert!(!user.holds(2, |_| false));
    }
}
