//! Lists: a filter, a page, a total.

use axon_scim::Filter;

/// What to list. The order is that of creation and never changes, so that pages neither repeat nor skip.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What must hold.
    pub filter: Option<Filter>,
    /// The first one wanted, counted from 1.
    pub start: u64,
    /// How many at most; 0 asks for the total alone.
    pub count: u64,
    /// Whether members (of groups) and groups (of users) are wanted.
    pub links: bool,
}

impl Query {
    /// All that match, from the first, with members.
    pub fn all(filter: Option<Filter>) -> Self {
        Self { filter, start: 1, count: u64::MAX, links: true }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// How many match in all.
    pub total: u64,
    /// Where this page begins, counted from 1.
    pub start: u64,
    /// The page.
    pub items: Vec<T>,
}
