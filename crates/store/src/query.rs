//! Lists: a filter, an order, a page, a total.

pub mod cursor;

use axon_scim::{Filter, Sort};

pub use cursor::{Cursor, Place, PlaceKey};

/// What to list. Without a sort the order is that of creation; with one, equal keys follow in the order of creation. So the
/// order is total, and pages by cursor neither repeat nor skip what stays while others write; pages by index do so without
/// a sort.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What must hold.
    pub filter: Option<Filter>,
    /// By which attribute, and which way round.
    pub sort: Option<Sort>,
    /// The first one wanted, counted from 1. Not looked at where a cursor is given.
    pub start: u64,
    /// How many at most; 0 asks for the total alone.
    pub count: u64,
    /// Pages by cursor (RFC 9865) and not by index: from the first, or behind where an earlier page ended. A cursor that is
    /// none of this store's, or that was made for another source, kind, filter or sort, is 400 invalidCursor. Cursors hold
    /// a place in the order and nothing else, so they do not run out.
    pub cursor: Option<Cursor>,
    /// Whether members (of groups) and groups (of users) are wanted. Without them their table is not read.
    pub links: bool,
    /// Whether the place of each item is wanted, for who goes on behind another one than the last.
    pub places: bool,
}

impl Query {
    /// All that match, from the first, with members.
    pub fn all(filter: Option<Filter>) -> Self {
        Self { filter, count: u64::MAX, links: true, ..Self::default() }
    }
}

impl Default for Query {
    /// The total alone, of all, by index.
    fn default() -> Self {
        Self { filter: None, sort: None, start: 1, count: 0, cursor: None, links: false, places: false }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// How many match in all.
    pub total: u64,
    /// Where this page begins, counted from 1; 1 where pages go by cursor.
    pub start: u64,
    /// The page.
    pub items: Vec<T>,
    /// Where pages go by cursor: what asks for the next one. None at the end.
    pub next: Option<String>,
    /// Where they were asked for: the places of the items, for [`cursor::write`].
    pub places: Vec<Place>,
}
