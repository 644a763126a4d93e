//! Schemas, tables, views and modules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::PrimitiveDateTime;

use super::policy::{Reference, SecurityPolicy};
use crate::answer::{SqlType, Value};

/// A row of `sys.schemas`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// `schema_id`
    pub id: i32,
    /// Name, spelled as given.
    pub name: String,
    /// `principal_id`: who owns it.
    pub owner: i32,
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectKind {
    /// `U`
    Table,
    /// `V`
    View,
    /// `P`
    Procedure,
    /// `FN`
    ScalarFunction,
    /// `IF`
    TableFunction,
    /// `SP`
    SecurityPolicy,
}

impl ObjectKind {
    /// `type`, without the padding to two characters.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Table => "U",
            Self::View => "V",
            Self::Procedure => "P",
            Self::ScalarFunction => "FN",
            Self::TableFunction => "IF",
            Self::SecurityPolicy => "SP",
        }
    }

    /// `type_desc`
    pub fn description(self) -> &'static str {
        match self {
            Self::Table => "USER_TABLE",
            Self::View => "VIEW",
            Self::Procedure => "SQL_STORED_PROCEDURE",
            Self::ScalarFunction => "SQL_SCALAR_FUNCTION",
            Self::TableFunction => "SQL_INLINE_TABLE_VALUED_FUNCTION",
            Self::SecurityPolicy => "SECURITY_POLICY",
        }
    }
}

/// A column of a table or view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableColumn {
    /// `column_id`, from 1; never used again after a drop.
    pub id: i32,
    /// Name, spelled as given.
    pub name: String,
    /// Type.
    pub ty: SqlType,
    /// Whether NULL may occur.
    pub nullable: bool,
    /// `IDENTITY(seed, increment)`.
    pub identity: Option<(i64, i64)>,
    /// Text of the DEFAULT constraint: a literal.
    pub default: Option<Value>,
}

/// A row of `sys.stats`: statistics that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// `stats_id`, from 2: the clustered index has the first.
    pub id: i32,
    /// Name, spelled as given.
    pub name: String,
    /// Columns by `column_id`; the first has the histogram.
    pub columns: Vec<i32>,
    /// When they were made.
    pub created: PrimitiveDateTime,
}

/// How a table is spread over the distributions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Distribution {
    /// `ROUND_ROBIN`
    RoundRobin,
    /// `REPLICATE`
    Replicate,
    /// `HASH(column)`
    Hash(String),
}

/// A row of `sys.objects`, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// `object_id`
    pub id: i32,
    /// Name, spelled as given.
    pub name: String,
    /// `schema_id`
    pub schema: i32,
    /// `principal_id`: the owner, if it is not the schema's.
    pub owner: Option<i32>,
    /// What it is.
    pub kind: ObjectKind,
    /// Columns of tables, views and functions that give a table.
    pub columns: Vec<TableColumn>,
    /// Text of the statement that made it, as submitted (views and modules).
    pub definition: Option<String>,
    /// How it is spread (tables).
    pub distribution: Option<Distribution>,
    /// Rows of a table, each as long as `columns`. Shared, so that a transaction can keep the old ones.
    #[serde(with = "shared")]
    pub rows: Arc<Vec<Vec<Value>>>,
    /// What it reads, if it was made `WITH SCHEMABINDING` (functions).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<Vec<Reference>>,
    /// What it says (security policies).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<SecurityPolicy>,
    /// Statistics on its columns (tables).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics: Vec<Statistics>,
    /// When it was made.
    pub created: PrimitiveDateTime,
    /// When it was changed last.
    pub modified: PrimitiveDateTime,
}

mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::answer::Value;

    pub(super) fn serialize<S: Serializer>(rows: &Arc<Vec<Vec<Value>>>, s: S) -> Result<S::Ok, S::Error> {
        rows.as_ref().serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<Vec<Vec<Value>>>, D::Error> {
        Vec::deserialize(d).map(Arc::new)
    }
}

impl Object {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|column| super::name::same(&column.name, name))
    }

    /// The statistics of this name.
    pub fn statistics_named(&self, name: &str) -> Option<&Statistics> {
        self.statistics.iter().find(|statistics| super::name::same(&statistics.name, name))
    }
}

/// A workload classifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classifier {
    /// `classifier_id`
    pub id: i32,
    /// Name, spelled as given.
    pub name: String,
    /// `WORKLOAD_GROUP`
    pub group: String,
    /// `MEMBERNAME`
    pub member: String,
    /// `IMPORTANCE`, in lower case as the catalog shows it.
    pub importance: String,
    /// `WLM_LABEL`
    pub label: Option<String>,
    /// `WLM_CONTEXT`
    pub context: Option<String>,
    /// `START_TIME` and `END_TIME`
    pub hours: Option<(String, String)>,
    /// When it was made.
    pub created: PrimitiveDateTime,
}
