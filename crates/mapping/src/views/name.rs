//! Names of views that are made from tables: readable, never over 128 units, never two tables under one name.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use axon_model::SqlName;
use axon_model::name::MAX_UNITS;
use axon_reconcile::ObjectName;
use sha2::{Digest, Sha256};

/// Units of a digest at the end of a name that was cut: an underscore and twelve digits.
const TAIL: usize = 13;

/// Two tables whose views would have one name in the pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NamesCollide {
    /// The name.
    pub name: SqlName,
    /// The tables.
    pub tables: (ObjectName, ObjectName),
}

impl NamesCollide {
    /// What helps.
    pub const HELP: &str = "rename one of the tables, or part them by two entries with schemas of their own";
}

impl fmt::Display for NamesCollide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, tables: (one, other) } = self;
        write!(f, "the views of {one} and {other} would both be named {name}")
    }
}

/// The name of a table's view: its schema and its name, and a digest of both where that is too long.
pub(crate) fn of_table(table: ObjectName) -> Option<SqlName> {
    let whole = format!("{}_{}", table.schema.as_str(), table.name.as_str());
    if whole.encode_utf16().count() <= MAX_UNITS {
        return SqlName::parse(&whole).ok();
    }
    // The digest is of what a pool compares: one table has one name, however it is spelled. NUL stands in no name.
    let digest = Sha256::digest(format!("{}\0{}", table.schema.folded(), table.name.folded()));
    let mut cut = String::new();
    let mut room = MAX_UNITS - TAIL;
    for c in whole.chars() {
        let Some(left) = room.checked_sub(c.len_utf16()) else { break };
        room = left;
        cut.push(c);
    }
    cut.push('_');
    for byte in digest.iter().take(6) {
        // Writing to a String cannot fail.
        let _ = write!(cut, "{byte:02x}");
    }
    SqlName::parse(&cut).ok()
}

/// The names of the views of these tables, and the tables that would share one: those have none.
pub fn of_tables(
    tables: impl IntoIterator<Item = ObjectName>,
) -> (BTreeMap<SqlName, ObjectName>, Vec<NamesCollide>) {
    let mut names: BTreeMap<SqlName, ObjectName> = BTreeMap::new();
    let mut collide = Vec::new();
    for table in tables {
        let Some(name) = of_table(table) else { continue };
        let first = *names.entry(name).or_insert(table);
        if first != table {
            collide.push(NamesCollide { name, tables: (first, table) });
        }
    }
    for NamesCollide { name, .. } in &collide {
        names.remove(name);
    }
    (names, collide)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, name: &str) -> ObjectName {
        ObjectName { schema: SqlName::parse(schema).unwrap(), name: SqlName::parse(name).unwrap() }
    }

    #[test]
    fn a_long_name_is_cut_and_told_apart_by_its_digest() {
        let (a, b) = ("a".repeat(128), format!("{}b", "a".repeat(127)));
        let (names, none) = of_tables([table("sales", &a), table("sales", &b), table("sales", "orders")]);
        assert!(none.is_empty(), "{none:?}");
        assert_eq!(names.len(), 3);
        assert!(names.contains_key(&SqlName::parse("sales_orders").unwrap()));
        for name in names.keys() {
            assert!(name.as_str().starts_with("sales_") && name.as_str().len() <= 128, "{name}");
        }
        assert_eq!(names, of_tables([table("SALES", &a), table("sales", &b), table("sales", "orders")]).0);
    }

    /// The words for two tables that share a name. The others have theirs.
    fn told(one: ObjectName, other: ObjectName) -> Vec<String> {
        let (names, collide) = of_tables([one, other, table("sales", "orders")]);
        assert_eq!(names.len(), if collide.is_empty() { 3 } else { 1 });
        assert_eq!(names[&SqlName::parse("sales_orders").unwrap()], table("sales", "orders"));
        collide.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn two_tables_under_one_name_are_both_named() {
        // Case, width, kana, and an accent that is written beside its letter: a pool may hold each pair for one name.
        for (one, other) in [
            (("a_b", "c"), ("A", "B_c")),
            (("a_b", "c"), ("\u{ff41}", "\u{ff42}_c")),
            (("a_\u{30ab}", "c"), ("a", "\u{304b}_c")),
            (("a_\u{e9}", "c"), ("a", "e\u{301}_c")),
        ] {
            let found = told(table(one.0, one.1), table(other.0, other.1));
            assert_eq!(found.len(), 1, "{found:?}");
            for (schema, name) in [one, other] {
                assert!(found[0].contains(&format!("{}", table(schema, name))), "{found:?}");
            }
        }
        // Accents count.
        assert_eq!(told(table("a_\u{e9}", "c"), table("a", "e_c")), [""; 0]);
        let (names, collide) = of_tables([table("a", "b_c_d"), table("a_b", "c_d"), table("a_b_c", "d")]);
        assert_eq!((names.len(), collide.len()), (0, 2), "each of three is named");
    }

    proptest::proptest! {
        #[test]
        fn every_table_has_a_name_that_a_pool_takes(schema in "\\PC{1,128}", name in "\\PC{1,128}") {
            if let (Ok(schema), Ok(name)) = (SqlName::parse(&schema), SqlName::parse(&name)) {
                let table = ObjectName { schema, name };
                proptest::prop_assert!(of_table(table).is_some(), "{table}");
            }
        }
    }
}
