//! What a target holds that permissions can be given on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

/// A schema-bound object's two-part name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// The schema.
    pub schema: SqlName,
    /// The object in it.
    pub name: SqlName,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Part(self.schema), Part(self.name))
    }
}

/// A part of a name as people write it: plain where it is plain, in brackets else.
struct Part(SqlName);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_str();
        let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if plain {
            f.write_str(text)
        } else {
            write!(f, "[{}]", axon_model::name::shown(text).replace(']', "]]"))
        }
    }
}

/// What a permission is on. The order puts a thing before its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Securable {
    /// The database that the target names.
    Database,
    /// A schema with all that is and will be in it.
    Schema(SqlName),
    /// A table, view, procedure or function.
    Object(ObjectName),
    /// One column of a table or view.
    Column(ObjectName, SqlName),
    /// A user or role; a login or server role where the target is a server.
    Principal(SqlName),
    /// The server of a serverless pool.
    Server,
    /// A credential: of the database, or of the server where the target is a server.
    Credential(SqlName),
    /// A thing of a class that no map names and no statement of Axon's is about.
    Other(OtherThing),
}

/// A thing of another class, such as a certificate, as the catalog points at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OtherThing {
    /// `class` of the permission.
    pub class: u8,
    /// `major_id`: its id among things of its class.
    pub id: i32,
}

impl OtherThing {
    /// The word for its class, where there is one.
    pub fn word(self) -> Option<&'static str> {
        Some(match self.class {
            5 => "assembly",
            6 => "type",
            10 => "XML schema collection",
            15 => "message type",
            16 => "service contract",
            17 => "service",
            18 => "remote service binding",
            19 => "route",
            23 => "full-text catalog",
            24 => "symmetric key",
            25 => "certificate",
            26 => "asymmetric key",
            29 => "full-text stoplist",
            31 => "search property list",
            32 => "database scoped credential",
            105 => "endpoint",
            108 => "availability group",
            _ => return None,
        })
    }
}

impl fmt::Display for OtherThing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, id } = self;
        match self.word() {
            Some(word) => write!(f, "{word} with id {id}"),
            None => write!(f, "thing with id {id} of class {class}"),
        }
    }
}

impl Securable {
    /// The object that it is, or is a column of.
    pub fn object(&self) -> Option<ObjectName> {
        match self {
            Self::Object(name) | Self::Column(name, _) => Some(*name),
            _ => None,
        }
    }
}

impl fmt::Display for Securable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("database"),
            Self::Schema(name) => write!(f, "schema::{}", Part(*name)),
            Self::Object(name) => name.fmt(f),
            Self::Column(object, column) => write!(f, "{object} ({})", Part(*column)),
            Self::Principal(name) => write!(f, "user::{}", Part(*name)),
            Self::Server => f.write_str("server"),
            Self::Credential(name) => write!(f, "credential::{}", Part(*name)),
            Self::Other(thing) => thing.fmt(f),
        }
    }
}

/// What kind of object the catalog says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// `U`
    Table,
    /// `V`
    View,
    /// `P`
    Procedure,
    /// `FN`, `IF`, `TF`
    Function,
    /// Any other code.
    Other,
}

/// What the catalog says of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// Its kind.
    pub kind: ObjectKind,
    /// Who owns it: its own owner, else its schema's.
    pub owner: Option<SqlName>,
    /// Its columns in order.
    pub columns: Vec<SqlName>,
}

/// Schemas and objects of a target: what grants can name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Schemas with their owners.
    pub schemas: BTreeMap<SqlName, Option<SqlName>>,
    /// Objects of all user schemas.
    pub objects: BTreeMap<ObjectName, ObjectFacts>,
    /// Credentials, where they were looked at; where not, any may be there.
    pub credentials: Option<BTreeSet<SqlName>>,
    /// Nobody looked: anything may be there, and counts as there.
    pub unread: bool,
    /// Tables whose rows are filtered as the map says: columns of these may be given to readers.
    pub filtered: BTreeSet<ObjectName>,
    /// Views of patterns that stand, each with its table where that is known. Readers keep what they hold on one whose table is gone.
    pub standing: BTreeMap<ObjectName, Option<ObjectName>>,
}

impl Shape {
    /// Whether a permission could be given on this now.
    pub fn holds(&self, securable: &Securable) -> bool {
        match securable {
            _ if self.unread => true,
            Securable::Database | Securable::Principal(_) | Securable::Server | Securable::Other(_) => true,
            Securable::Credential(name) => self.credentials.as_ref().is_none_or(|there| there.contains(name)),
            Securable::Schema(name) => self.schemas.contains_key(name),
            Securable::Object(name) => self.objects.contains_key(name),
            Securable::Column(name, column) => {
                self.objects.get(name).is_some_and(|o| o.columns.contains(column))
            }
        }
    }
}
