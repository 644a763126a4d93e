//! A user as it is kept: the text that an answer begins with, and what must be put in for each client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axon_model::{GroupId, SourceId, UserId};
use axon_store::StoredUser;
use axon_store::stored::{entity_tag, shown_instant};

/// A group as its users show it, shared by all of them.
#[derive(Debug)]
pub struct GroupName {
    /// Its name.
    display: Box<str>,
    /// The element of `groups`, without the address of SCIM.
    element: Box<str>,
    /// The group has another name now, or is gone: whoever shows it is out of date.
    gone: AtomicBool,
}

/// Where the address of SCIM stands in [`GroupName::element`].
const ADDRESS_AT: usize = r#"{"value":"00000000-0000-0000-0000-000000000000","$ref":""#.len();

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
    groups: Box<[Arc<GroupName>]>,
}

impl GroupName {
    /// A group with a name.
    pub fn new(id: GroupId, display: &str) -> Self {
        let name = serde_json::Value::from(display);
        let element = format!(r#"{{"value":"{id}","$ref":"/Groups/{id}","display":{name},"type":"direct"}}"#);
        Self { display: display.into(), element: element.into(), gone: AtomicBool::new(false) }
    }

    /// Its name.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Says that it holds no longer.
    pub fn retire(&self) {
        self.gone.store(true, Ordering::Release);
    }
}

impl KeptUser {
    /// A user that was read with its groups; none where it cannot be written as text.
    pub fn of(
        source: &SourceId,
        stored: &StoredUser,
        name_key: &str,
        groups: Box<[Arc<GroupName>]>,
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
        let text = format!(r#"{before}/Users/{id}","version":{version}}}"#);
        Some(Self {
            id,
            source: source.clone(),
            version: stored.version,
            json: name_key.len(),
            address: before.len(),
            text: text.into(),
            groups,
        })
    }

    /// The folded `userName`.
    pub fn name_key(&self) -> &str {
        &self.text[..self.json]
    }

    /// What it takes of memory, about.
    pub fn bytes(&self) -> usize {
        192 + self.text.len() + self.groups.len() * 8
    }

    /// Whether the names of its groups still hold.
    pub fn holds(&self) -> bool {
        self.groups.iter().all(|name| !name.gone.load(Ordering::Acquire))
    }

    /// How long [`KeptUser::write`] makes the text.
    pub fn length(&self, base: &str) -> usize {
        let groups = self.groups.iter().map(|name| 1 + name.element.len() + base.len()).sum::<usize>();
        let brackets = if self.groups.is_empty() { 1 } else { r#","groups":[]}"#.len() - 1 };
        self.text.len() - self.json + base.len() + groups + brackets
    }

    /// Writes it as a client sees it that reaches SCIM under `base`, which must need no escape.
    pub fn write(&self, base: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text.as_bytes()[self.json..self.address]);
        out.extend_from_slice(base.as_bytes());
        out.extend_from_slice(&self.text.as_bytes()[self.address..]);
        let mut between = r#","groups":["#;
        for group in &self.groups {
            let (before, after) = group.element.as_bytes().split_at(ADDRESS_AT);
            out.extend_from_slice(between.as_bytes());
            out.extend_from_slice(before);
            out.extend_from_slice(base.as_bytes());
            out.extend_from_slice(after);
            between = ",";
        }
        out.extend_from_slice(if self.groups.is_empty() { b"}" } else { b"]}" });
    }
}
