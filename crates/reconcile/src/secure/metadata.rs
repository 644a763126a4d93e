//! What views know of their readers, and where it stands.

use std::fmt;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

/// The managed schema of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The schema that holds profiles and keys.
    pub schema: SqlName,
    /// A user without a login: owns this schema, the schemas of views, and those of the tables that they show.
    pub owner: SqlName,
    /// One string for each person, parted by these; one row for each value without them.
    pub delimiters: Option<Delimiters>,
    /// The role whose members may read views as another person; none, where nobody may.
    #[serde(default)]
    pub impersonation: Option<SqlName>,
    /// Whether a permission to read as another holds in one session, since sessions there have no context to choose it by.
    #[serde(default)]
    pub by_session: bool,
}

impl Metadata {
    /// A schema with one row for each value, where nobody may read as another.
    pub const fn new(schema: SqlName, owner: SqlName) -> Self {
        Self { schema, owner, delimiters: None, impersonation: None, by_session: false }
    }
}

/// What stands between the parts of a profile that is one string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delimiters {
    /// Between attributes.
    pub hash: char,
    /// Between an attribute and its values.
    pub hash_key: char,
    /// Between values.
    pub array: char,
}

impl Delimiters {
    /// Three different characters that people can see. Letters and digits would stand in too many values.
    pub fn new(hash: char, hash_key: char, array: char) -> Option<Self> {
        let plain = [hash, hash_key, array].iter().all(char::is_ascii_punctuation);
        let different = hash != hash_key && hash != array && hash_key != array;
        (plain && different).then_some(Self { hash, hash_key, array })
    }

    /// Whether a text would be read as more than one.
    pub fn part(&self, text: &str) -> bool {
        text.contains([self.hash, self.hash_key, self.array])
    }
}

/// A table of the managed schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagedTable {
    /// What people are, as far as some view asks for it.
    Profile,
    /// Keys of hashing masks.
    MaskKeys,
    /// Who may read as whom, and until when.
    Acting,
    /// The same, in which session.
    ActingSessions,
}

impl ManagedTable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Profile, Self::MaskKeys, Self::Acting, Self::ActingSessions];

    /// Whether views read it in a target of this metadata.
    pub fn needed(self, metadata: &Metadata) -> bool {
        match self {
            Self::Profile | Self::MaskKeys => true,
            Self::Acting => metadata.impersonation.is_some() && !metadata.by_session,
            Self::ActingSessions => metadata.impersonation.is_some() && metadata.by_session,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::MaskKeys => "mask_keys",
            Self::Acting => "acting",
            Self::ActingSessions => "acting_sessions",
        }
    }
}

impl fmt::Display for ManagedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One row of the profile.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProfileRow {
    /// Whose.
    pub principal: SqlName,
    /// Which attribute.
    pub attribute: String,
    /// One value of it, a person's: it stands in no plan that people read, in no log and no record.
    pub value: String,
}

impl fmt::Debug for ProfileRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.attribute, self.principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_three_marks() {
        assert!(Delimiters::new('|', ':', ',').is_some_and(|by| by.part("a,b") && !by.part("a b")));
        for (a, b, c) in
            [('|', '|', ','), ('a', ':', ','), (' ', ':', ','), ('|', '\u{7f}', ','), ('|', ':', 'é')]
        {
            assert_eq!(Delimiters::new(a, b, c), None);
        }
    }
}
