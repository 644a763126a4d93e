//! A user as it is kept: the text that an answer begins with, and what must be put in for each client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axon_model::{GroupId, SourceId, UserId};
use axon_store::StoredUser;
use axon_store::stored::{entity_tag, shown_instant};

/// The name of a group as users show it, shared by all of them.
#[derive(Debug)]
pub struct GroupName {
    /// A JSON string.
    text: Box<str>,
    /// The group has another name now, or is gone: whoever shows it is out of date.
    gone: AtomicBool,
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
    /// The folded `userName`.
    pub name_key: Box<str>,
    /// The JSON text up to where the address of SCIM stands in `meta.location`.
    head: Box<[u8]>,
    groups: Box<[(GroupId, Arc<GroupName>)]>,
}

impl GroupName {
    /// A name.
    pub fn new(display: &str) -> Self {
        Self { text: serde_json::Value::from(display).to_string().into(), gone: AtomicBool::new(false) }
    }

    /// Whether it is this name.
    pub fn is(&self, other: &Self) -> bool {
        self.text == other.text
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
        groups: Box<[(GroupId, Arc<GroupName>)]>,
    ) -> Option<Self> {
        let mut head = serde_json::to_vec(stored.resource.as_map()).ok()?;
        head.pop();
        let comma = if stored.resource.as_map().is_empty() { "" } else { "," };
        let (created, modified) = (shown_instant(stored.created), shown_instant(stored.modified));
        let says = format!(
            r#"{comma}"id":"{}","meta":{{"resourceType":"User","created":"{created}","lastModified":"{modified}","location":""#,
            stored.id
        );
        head.extend_from_slice(says.as_bytes());
        Some(Self {
            id: stored.id,
            source: source.clone(),
            version: stored.version,
            name_key: name_key.into(),
            head: head.into(),
            groups,
        })
    }

    /// What it takes of memory, about.
    pub fn bytes(&self) -> usize {
        192 + self.head.len() + self.name_key.len() + self.groups.len() * 24
    }

    /// Whether the names of its groups still hold.
    pub fn holds(&self) -> bool {
        self.groups.iter().all(|(_, name)| !name.gone.load(Ordering::Acquire))
    }

    /// How long [`KeptUser::write`] makes the text, about.
    pub fn length(&self, base: &str) -> usize {
        self.head.len() + base.len() + 80 + self.groups.len() * (base.len() + 170)
    }

    /// Writes it as a client sees it that reaches SCIM under `base`, which must need no escape.
    pub fn write(&self, base: &str, out: &mut Vec<u8>) {
        let mut buffer = [0; 36];
        out.extend_from_slice(&self.head);
        out.extend_from_slice(base.as_bytes());
        out.extend_from_slice(b"/Users/");
        out.extend_from_slice(self.id.as_uuid().hyphenated().encode_lower(&mut buffer).as_bytes());
        out.extend_from_slice(br#"","version":"#);
        out.extend_from_slice(serde_json::Value::from(entity_tag(self.version)).to_string().as_bytes());
        out.push(b'}');
        for (n, (group, name)) in self.groups.iter().enumerate() {
            out.extend_from_slice(if n == 0 {
                br#","groups":[{"value":""#.as_slice()
            } else {
                br#",{"value":""#
            });
            let id = group.as_uuid().hyphenated().encode_lower(&mut buffer).as_bytes();
            out.extend_from_slice(id);
            out.extend_from_slice(br#"","$ref":""#);
            out.extend_from_slice(base.as_bytes());
            out.extend_from_slice(b"/Groups/");
            out.extend_from_slice(id);
            out.extend_from_slice(br#"","display":"#);
            out.extend_from_slice(name.text.as_bytes());
            out.extend_from_slice(br#","type":"direct"}"#);
        }
        out.extend_from_slice(if self.groups.is_empty() { b"}" } else { b"]}" });
    }
}
