//! The tables that one entry of `views` is about: one, those that fit a pattern, or those with a column of a tag.

use axon_model::SqlName;
use axon_reconcile::{Glob, ObjectName};

/// Tables by a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TablePattern {
    /// By the names of schema and table.
    Named {
        /// The schema.
        schema: Glob,
        /// The table.
        name: Glob,
    },
    /// Those that have a column with this tag.
    Tagged(String),
}

impl TablePattern {
    /// The schemas that its tables may be in.
    pub fn schema(&self) -> Glob {
        match self {
            Self::Named { schema, .. } => schema.clone(),
            Self::Tagged(_) => Glob::new("*"),
        }
    }

    /// Whether a table may be one of them, by its name.
    pub fn may_be(&self, table: ObjectName) -> bool {
        match self {
            Self::Named { schema, name } => schema.matches(table.schema) && name.matches(table.name),
            Self::Tagged(_) => true,
        }
    }
}

/// The pattern of a text, if it is one.
pub(super) fn pattern(text: &str) -> Option<TablePattern> {
    if let Some(tag) = text.strip_prefix("tag:") {
        return Some(TablePattern::Tagged(tag.trim().to_owned()));
    }
    let parts = crate::tags::parts(text)?;
    match parts.as_slice() {
        [schema, name] if text.contains('*') => {
            Some(TablePattern::Named { schema: schema.clone(), name: name.clone() })
        }
        _ => None,
    }
}

/// The name of an entry: of one view, or `schema.*` for one view of each table.
pub(crate) fn name_of(text: &str) -> Option<ObjectName> {
    if let Ok(name) = crate::grant::object(text) {
        return Some(name);
    }
    let parts = crate::tags::parts(text)?;
    let [schema, all] = parts.as_slice() else { return None };
    (all.to_string() == "*").then_some(())?;
    Some(ObjectName { schema: schema.as_name()?, name: SqlName::parse("*").ok()? })
}
