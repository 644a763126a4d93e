//! Pages of both kinds by cursor (RFC 9865), sorted or not. The order is total over both: by the sort's key, then users before
//! groups, then the store's order of each kind. The cursor says how far the pages have come in either kind.

use axon_scim::{Resource, ScimError, Sort, SortKey};
use axon_store::query::cursor as places;
use axon_store::{Cursor, Page, Query};

use super::{Both, List, Part, whole};
use crate::reply::Refused;
use crate::scim::page;
use crate::scim::render::Shown;

/// What stands in a cursor for a kind of which all is given.
const END: &str = "-";

/// How far the pages have come in one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Come {
    Nowhere,
    Behind(String),
    ToTheEnd,
}

/// The page.
pub(super) async fn page(both: &Both<'_>, cursor: &str) -> Result<List, Refused> {
    let count = page::count(both.call);
    let (in_users, in_groups) = match page::cursor(cursor, count)? {
        Cursor::First => (Come::Nowhere, Come::Nowhere),
        Cursor::After(text) => read(both, &text)?,
    };
    let users = both.users(in_users.query(&both.users, count)).await?;
    // Without a sort all users stand before the first group.
    let of_groups = if both.is_sorted() { count } else { count.saturating_sub(users.items.len() as u64) };
    let groups = both.groups(in_groups.query(&both.groups, of_groups)).await?;
    let (user_keys, group_keys) = (keys(&both.users, &users), keys(&both.groups, &groups));
    let order = merged(&user_keys, &group_keys, both.call.query.descending, whole(count));
    let mut of_users = both.write(&both.users, &users.items)?.into_iter();
    let mut of_groups = both.write(&both.groups, &groups.items)?.into_iter();
    let next = |is_user: &bool| if *is_user { of_users.next() } else { of_groups.next() };
    let shown: Vec<_> = order.iter().filter_map(next).collect();
    let taken = order.iter().filter(|is_user| **is_user).count();
    let in_users = in_users.further(both, &both.users, &users, taken);
    let in_groups = in_groups.further(both, &both.groups, &groups, order.len() - taken);
    let is_last = count == 0 || (in_users == Come::ToTheEnd && in_groups == Come::ToTheEnd);
    let next = (!is_last).then(|| {
        let inner = format!("{}.{}.{}", belongs_to(both), in_users.text(), in_groups.text());
        page::shown_cursor(&inner, count)
    });
    Ok(List::by_cursor(whole(users.total + groups.total), next, shown))
}

/// What is asked of both: a cursor opens no other list.
fn belongs_to(both: &Both<'_>) -> String {
    let of = |part: &Part| places::digest(both.source(), part.kind, &part.query());
    [of(&both.users), of(&both.groups)].concat()
}

fn read(both: &Both<'_>, text: &str) -> Result<(Come, Come), ScimError> {
    let parts: Vec<&str> = text.split('.').collect();
    match parts[..] {
        [belongs, users, groups] if belongs == belongs_to(both) => {
            Ok((Come::read(users), Come::read(groups)))
        }
        [_, _, _] => Err(ScimError::invalid_cursor(
            "the cursor belongs to another query: its filter, sortBy and sortOrder must stay as they were",
        )),
        _ => Err(ScimError::invalid_cursor("the cursor is none of this server's")),
    }
}

/// Which of the two comes next, `count` times at most: true a user.
fn merged(users: &[SortKey], groups: &[SortKey], descending: bool, count: usize) -> Vec<bool> {
    let (mut user, mut group) = (0, 0);
    let mut order = Vec::with_capacity(count.min(users.len() + groups.len()));
    while order.len() < count {
        let is_user = match (users.get(user), groups.get(group)) {
            (Some(a), Some(b)) if descending => a >= b,
            (Some(a), Some(b)) => a <= b,
            (None, None) => break,
            (of_users, _) => of_users.is_some(),
        };
        if is_user {
            user += 1;
        } else {
            group += 1;
        }
        order.push(is_user);
    }
    order
}

fn keys<T: Shown>(part: &Part, page: &Page<T>) -> Vec<SortKey> {
    let key =
        |resource: Resource| part.sort.as_ref().map_or(SortKey::Absent, |sort: &Sort| sort.key(&resource));
    page.items.iter().map(|item| key(item.decorated())).collect()
}

impl Come {
    fn read(text: &str) -> Self {
        match text {
            "" => Self::Nowhere,
            END => Self::ToTheEnd,
            place => Self::Behind(place.to_owned()),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Nowhere => "",
            Self::Behind(place) => place,
            Self::ToTheEnd => END,
        }
    }

    /// The next of this kind; where all is given, the total alone.
    fn query(&self, part: &Part, count: u64) -> Query {
        let (count, cursor) = match self {
            Self::Nowhere => (count, Some(Cursor::First)),
            Self::Behind(place) => (count, Some(Cursor::After(place.clone()))),
            Self::ToTheEnd => (0, None),
        };
        Query { count, cursor, places: true, ..part.query() }
    }

    /// After so many of the page were given.
    fn further<T>(self, both: &Both<'_>, part: &Part, page: &Page<T>, taken: usize) -> Self {
        let is_all = taken == page.items.len() && page.next.is_none();
        match taken.checked_sub(1).and_then(|last| page.places.get(last)) {
            _ if self == Self::ToTheEnd => self,
            Some(_) if is_all => Self::ToTheEnd,
            Some(place) => Self::Behind(places::write(both.source(), part.kind, &part.query(), place)),
            // Nothing was asked for, or nothing is left.
            None if page.total == 0 || matches!(self, Self::Behind(_)) && is_all => Self::ToTheEnd,
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(keys: &[&str]) -> Vec<SortKey> {
        keys.iter().map(|key| SortKey::Text((*key).to_owned())).collect()
    }

    #[test]
    fn equal_keys_are_users_first_and_no_kind_overtakes_itself() {
        let (users, groups) = (texts(&["a", "b", "b", "d"]), texts(&["b", "c", "e"]));
        assert_eq!(merged(&users, &groups, false, 9), [true, true, true, false, false, true, false]);
        assert_eq!(merged(&users, &groups, false, 4), [true, true, true, false]);
        let (users, groups) = (texts(&["d", "b"]), texts(&["e", "b"]));
        assert_eq!(merged(&users, &groups, true, 9), [false, true, true, false]);
        let absent = [SortKey::Absent];
        assert_eq!(merged(&absent, &groups, false, 9), [false, false, true]);
        assert_eq!(merged(&absent, &groups, true, 9), [true, false, false]);
        assert!(merged(&[], &[], false, 9).is_empty() && merged(&absent, &absent, false, 0).is_empty());
    }
}
