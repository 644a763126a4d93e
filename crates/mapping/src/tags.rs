//! `tags`: names for columns, wherever they are, so that views need not name them one by one.
//!
//! ```text
//! pattern = [schema "." table "."] column        each part a name, plain or in brackets, with `*` for any run of characters
//! ```

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::secure::BaseTable;
use axon_reconcile::{Glob, ObjectName};

use crate::diagnostic::Fault;
use crate::read::Reader;
use crate::yaml::{Node, Scalar, shown};

/// Columns by a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPattern {
    schema: Glob,
    table: Glob,
    column: Glob,
}

impl TagPattern {
    /// Reads one pattern.
    fn parse(text: &str) -> Option<Self> {
        let any = || Glob::new("*");
        let parts = parts(text)?;
        match parts.as_slice() {
            [column] => Some(Self { schema: any(), table: any(), column: column.clone() }),
            [schema, table, column] => {
                Some(Self { schema: schema.clone(), table: table.clone(), column: column.clone() })
            }
            _ => None,
        }
    }

    /// Whether a column of this table may have the tag, by the table's name.
    pub(crate) fn may_be(&self, table: ObjectName) -> bool {
        self.may_be_in(table.schema) && self.table.matches(table.name)
    }

    /// Whether a column of a table in this schema may have the tag.
    pub(crate) fn may_be_in(&self, schema: SqlName) -> bool {
        self.schema.matches(schema)
    }
}

impl std::fmt::Display for TagPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.schema, self.table, self.column)
    }
}

/// The parts of a name with stars in it.
pub(crate) fn parts(text: &str) -> Option<Vec<Glob>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let part;
        if let Some(inner) = rest.strip_prefix('[') {
            let mut name = String::new();
            let mut chars = inner.char_indices().peekable();
            let end = loop {
                let (at, c) = chars.next()?;
                if c != ']' {
                    name.push(c);
                } else if chars.next_if(|(_, c)| *c == ']').is_some() {
                    name.push(']');
                } else {
                    break at + 1;
                }
            };
            (part, rest) = (name, &inner[end..]);
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '*' | '@' | '#' | '$');
            if !rest[..end].chars().all(plain) {
                return None;
            }
            (part, rest) = (rest[..end].to_owned(), &rest[end..]);
        }
        SqlName::parse(&part).ok()?;
        parts.push(Glob::new(&part));
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// Reads the section.
pub(crate) fn read(reader: &Reader<'_>, section: &[(&Scalar, &Node)]) -> BTreeMap<String, Vec<TagPattern>> {
    let mut tags = BTreeMap::new();
    for (name, node) in section {
        let plain = !name.text.is_empty()
            && name.text.len() <= 64
            && name.text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if !plain {
            let message = format!("`{}` cannot be a tag's name", shown(&name.text));
            reader.fault_help(Fault::Invalid, name.span, message, "use letters, digits, `-`, `_` and `.`");
            continue;
        }
        let mut patterns = Vec::new();
        for item in reader.list(node, &format!("tag `{}`", shown(&name.text))) {
            let Some(text) = reader.text(item, "a column of a tag") else { continue };
            if let Some(pattern) = TagPattern::parse(&text.text) {
                patterns.push(pattern);
            } else {
                let message = format!("`{}` names no columns", shown(&text.text));
                let help = "write `column` or `schema.table.column`, with `*` for any run of characters";
                reader.fault_help(Fault::Invalid, text.span, message, help);
            }
        }
        tags.insert(name.text.clone(), patterns);
    }
    tags
}

/// The columns that each tag stands for.
pub fn columns(
    tags: &BTreeMap<String, Vec<TagPattern>>,
    tables: &BTreeMap<ObjectName, BaseTable>,
) -> BTreeMap<String, BTreeSet<(ObjectName, SqlName)>> {
    let mut found: BTreeMap<String, BTreeSet<(ObjectName, SqlName)>> = BTreeMap::new();
    for (tag, patterns) in tags {
        let into = found.entry(tag.clone()).or_default();
        for pattern in patterns {
            let fitting = tables.iter().filter(|(table, _)| {
                pattern.schema.matches(table.schema) && pattern.table.matches(table.name)
            });
            for (table, facts) in fitting {
                let columns = facts.columns.iter().map(|(name, _)| *name);
                into.extend(columns.filter(|c| pattern.column.matches(*c)).map(|column| (*table, column)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use axon_reconcile::ColumnType;

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    #[test]
    fn a_tag_finds_its_columns_wherever_they_are() {
        let table = |columns: &[&str]| BaseTable {
            owner: None,
            columns: columns.iter().map(|column| (name(column), ColumnType::Int)).collect(),
        };
        let object = |schema: &str, table: &str| ObjectName { schema: name(schema), name: name(table) };
        let tables = BTreeMap::from([
            (object("sales", "orders"), table(&["id", "Email", "e.mail"])),
            (object("hr", "people"), table(&["email", "ssn"])),
        ]);
        let of = |patterns: &[&str]| {
            let patterns = patterns.iter().map(|text| TagPattern::parse(text).unwrap()).collect();
            let found = columns(&BTreeMap::from([("pii".to_owned(), patterns)]), &tables);
            found["pii"].iter().map(|(t, c)| format!("{t}.{c}")).collect::<Vec<_>>()
        };
        assert_eq!(of(&["EMAIL"]), ["hr.people.email", "sales.orders.Email"]);
        assert_eq!(of(&["hr.*.*"]), ["hr.people.email", "hr.people.ssn"]);
        assert_eq!(
            of(&["[sales].[orders].[e.mail]", "s*.o*.id"]),
            ["sales.orders.e.mail", "sales.orders.id"]
        );
        for bad in ["", "a.b", "a.b.c.d", "a..c", "[a", "a b", "[a]b", "x'"] {
            assert_eq!(TagPattern::parse(bad), None, "{bad}");
        }
    }
}
