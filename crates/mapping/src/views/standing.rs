//! Views of a pattern that stand, and that no table there is now the table of: kept closed, since their grants would go with them.
//!
//! A closed text says nothing of its table, so whose a view was is read from its name. A name may be read in several ways; where one of
//! them is a table that the entry asks for and that is gone, the view is kept: to close one too many takes nothing that a drop would not.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_model::name::MAX_UNITS;
use axon_reconcile::secure::BaseTable;
use axon_reconcile::{ObjectName, ViewsThere};

use super::{ViewFault, of_table};
use crate::map::RoleMap;
use crate::secure_view::{SecureView, TablePattern};

/// What is known of the target.
pub(super) struct Seen<'a> {
    pub map: &'a RoleMap,
    pub there: &'a ViewsThere,
    pub tables: &'a BTreeMap<ObjectName, BaseTable>,
    pub schemas: &'a BTreeMap<SqlName, Option<SqlName>>,
}

/// A view that stands, for which an entry has no table now.
pub(super) struct Standing {
    pub view: ObjectName,
    /// The table that it was of, where its name tells.
    pub table: Option<ObjectName>,
    pub fault: ViewFault,
}

/// Why an entry has no view of a table that is there.
pub(super) const AWAY: &str = "its readers keep their permission until the table is back";

/// The views that stand by this entry, apart from those that have a place in the map (`named`).
pub(super) fn of_entry(entry: &SecureView, named: &BTreeSet<ObjectName>, seen: &Seen<'_>) -> Vec<Standing> {
    let Some(pattern) = &entry.pattern else { return Vec::new() };
    let mut bear: BTreeSet<SqlName> = BTreeSet::new();
    let ours = seen
        .there
        .views
        .iter()
        .filter(|(view, found)| view.schema == entry.name.schema && found.made && !named.contains(*view));
    let ours: Vec<ObjectName> = ours.map(|(view, _)| *view).collect();
    if !ours.is_empty() {
        bear.extend(seen.tables.keys().filter_map(|table| of_table(*table)));
    }
    let kept = |view: ObjectName| {
        let (message, help, table) = why(pattern, view.name, bear.contains(&view.name), seen)?;
        let place = entry.place.clone();
        Some(Standing { view, table, fault: ViewFault { view, place, message, help } })
    };
    ours.into_iter().filter_map(kept).collect()
}

/// Why a view of this name is kept, and the table that it was of; none where the entry does not ask for it any more. `borne`: a table
/// that is there has the name, and the entry does not ask for that one.
fn why(
    pattern: &TablePattern,
    name: SqlName,
    borne: bool,
    seen: &Seen<'_>,
) -> Option<(String, String, Option<ObjectName>)> {
    let readings: Vec<ObjectName> = readings(name.as_str()).collect();
    let cut = is_cut(name.as_str());
    if let TablePattern::Tagged(tag) = pattern
        && !seen.map.tags.contains_key(tag)
    {
        let (message, help) = super::all::no_tag(tag);
        return (cut || !readings.is_empty()).then(|| (message, help.to_owned(), None));
    }
    let near = |table: &&ObjectName| seen.schemas.contains_key(&table.schema);
    if cut {
        // The digest at the end tells tables apart: one that is there and has the name is the view's. The rest of a table's name is lost.
        let schemas: Vec<&ObjectName> = readings.iter().filter(near).collect();
        let asked = schemas.is_empty() || schemas.iter().any(|table| asks_in(pattern, table.schema, seen));
        let message = "the table that its name was made of is not in the target";
        return (!borne && asked).then(|| (message.to_owned(), AWAY.to_owned(), None));
    }
    let gone: Vec<&ObjectName> = readings
        .iter()
        .filter(|table| !seen.tables.contains_key(table) && asks(pattern, **table, seen))
        .collect();
    // A schema mostly outlives its table: readings of such come first, and a table that is there before any other.
    let by_schema: Vec<&ObjectName> = gone.iter().copied().filter(near).collect();
    let gone = if by_schema.is_empty() && !borne { gone } else { by_schema };
    let first = gone.first().copied().copied()?;
    let tables: Vec<String> = gone.iter().map(ToString::to_string).collect();
    Some((format!("table {} is not in the target", tables.join(" or ")), AWAY.to_owned(), Some(first)))
}

/// Whether the entry would ask for this table, if it was there.
fn asks(pattern: &TablePattern, table: ObjectName, seen: &Seen<'_>) -> bool {
    match pattern {
        TablePattern::Named { .. } => pattern.may_be(table),
        TablePattern::Tagged(tag) => {
            seen.map.tags.get(tag).is_some_and(|all| all.iter().any(|one| one.may_be(table)))
        }
    }
}

/// Whether the entry would ask for some table of this schema.
fn asks_in(pattern: &TablePattern, name: SqlName, seen: &Seen<'_>) -> bool {
    match pattern {
        TablePattern::Named { schema, .. } => schema.matches(name),
        TablePattern::Tagged(tag) => {
            seen.map.tags.get(tag).is_some_and(|all| all.iter().any(|one| one.may_be_in(name)))
        }
    }
}

/// Each table whose view would be named so, if nothing was cut.
fn readings(name: &str) -> impl Iterator<Item = ObjectName> {
    name.match_indices('_').filter_map(|(at, _)| {
        let (schema, table) = (name.get(..at)?, name.get(at + 1..)?);
        Some(ObjectName { schema: SqlName::parse(schema).ok()?, name: SqlName::parse(table).ok()? })
    })
}

/// Whether the name may be one that was cut: as long as one gets (a character of two units may leave one unused), and ended by a digest.
fn is_cut(name: &str) -> bool {
    let digest = name.rsplit_once('_').map_or("", |(_, digest)| digest);
    name.encode_utf16().count() >= MAX_UNITS - 1
        && digest.len() == 12
        && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_in_each_way_that_gives_two_names() {
        let read = |name: &str| readings(name).map(|table| table.to_string()).collect::<Vec<_>>();
        assert_eq!(read("a_b_c"), ["a.b_c", "a_b.c"]);
        assert_eq!(read("_orders_"), [""; 0]);
        assert_eq!(read("orders"), [""; 0]);
        assert_eq!(read("größe_日本"), ["[größe].[日本]"]);
    }

    #[test]
    fn a_cut_name_is_known_by_its_length_and_its_digest() {
        let table = |schema: &str, name: &str| {
            of_table(ObjectName {
                schema: SqlName::parse(schema).unwrap(),
                name: SqlName::parse(name).unwrap(),
            })
        };
        let is = |name: Option<SqlName>| is_cut(name.unwrap().as_str());
        assert!(is(table("sales", &"a".repeat(128))));
        // A character of two units that does not fit leaves one unused.
        let name = format!("a{}", "😀".repeat(62));
        let (all, one_less) = (table("sales", &name).unwrap(), table("sale", &name).unwrap());
        assert_eq!([all, one_less].map(|name| name.as_str().encode_utf16().count()), [128, 127]);
        assert!(is_cut(all.as_str()) && is_cut(one_less.as_str()));
        assert!(!is(table("sales", "orders_0123456789ab")));
        assert!(!is(table("sales", &"a".repeat(122))));
    }
}
