//! What an integration is asked to be, without credentials.

use axon_reconcile::secure::Delimiters;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::login::Kind;

/// The port where none is said.
pub(super) const PORT: u16 = 1433;
/// What stands for whatever names or proves somebody.
pub(super) const REDACTED: &str = "<REDACTED>";
/// What parts a profile that is one string, where nothing is said.
const USUAL: (char, char, char) = ('|', '-', ',');

/// What parts a profile that is one string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Marks {
    /// Between attributes.
    pub hash_delimiter: char,
    /// Between an attribute and its values.
    pub hash_key_delimiter: char,
    /// Between values.
    pub array_delimiter: char,
}

impl Marks {
    /// As views know them; none where they could not be told apart.
    pub fn delimiters(self) -> Option<Delimiters> {
        Delimiters::new(self.hash_delimiter, self.hash_key_delimiter, self.array_delimiter)
    }
}

/// As whom Axon enters afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccountKind {
    /// A SQL login.
    Sql,
    /// An identity of Entra.
    Entra,
}

/// What an integration is asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The schema of the secure views.
    pub schema: String,
    /// The role of those who may act as others.
    pub impersonation: Option<String>,
    /// What parts profiles; a row for each value, if nothing was said.
    pub marks: Option<Marks>,
    /// Plain text, for this machine only.
    pub plain: bool,
    /// Axon's principal.
    pub account: String,
    /// What kind of principal that is.
    pub account_kind: AccountKind,
    /// How whoever set it up entered.
    pub entered: Kind,
}

impl Config {
    /// Two that are in one place.
    pub fn same_place(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(&other.host)
            && self.port == other.port
            && self.database.eq_ignore_ascii_case(&other.database)
    }

    /// What parts profiles, as answers show it.
    pub fn shown_marks(&self) -> Marks {
        let (hash_delimiter, hash_key_delimiter, array_delimiter) = USUAL;
        self.marks.unwrap_or(Marks { hash_delimiter, hash_key_delimiter, array_delimiter })
    }

    /// The `config` of an answer.
    pub fn shown(&self, automatic: bool) -> Value {
        let mut shown = json!({
            "host": self.host,
            "schema": self.schema,
            "database": self.database,
            "port": self.port,
            "impersonation": match &self.impersonation {
                Some(role) => json!({ "enabled": true, "role": role }),
                None => json!({ "enabled": false }),
            },
            "metadataDelimiters": self.shown_marks(),
            "username": REDACTED,
        });
        // The API that this one follows shows no authentication type for this kind; others are said.
        if self.entered != Kind::UserPassword {
            shown["authenticationType"] = json!(self.entered.as_str());
        }
        if automatic && self.account_kind == AccountKind::Entra {
            shown["systemAccount"] = json!({ "username": self.account });
        }
        if self.plain {
            shown["tls"] = json!("off");
        }
        shown
    }
}
