//! What a list asks the store, and the answer with one page (RFC 7644 section 3.4.2, RFC 9865).

use axon_scim::{Filter, ListResponse, ResourceKind, ScimError, Sort};
use axon_store::{Cursor, Page, Query};
use axum::http::StatusCode;
use axum::response::Response;

use super::render::{Shown, View};
use crate::call::Call;
use crate::reply::scim_json;
use crate::state::Api;

/// The most resources of one page.
pub const MAX_RESULTS: usize = 1000;
/// The size of a page that does not say how many it wants.
pub const DEFAULT_RESULTS: usize = 100;

/// What a list of one kind asks the store.
pub fn query(api: &Api, call: &Call, kind: ResourceKind, links: bool) -> Result<Query, ScimError> {
    let asked = &call.query;
    let filter = match &asked.filter {
        Some(text) => Some(Filter::parse(text, &api.registry, kind, &call.profile).map_err(ScimError::from)?),
        None => None,
    };
    if let Some(filter) = &filter {
        call.permits_filter(filter)?;
    }
    let sort = match &asked.sort_by {
        Some(text) => Some(Sort::parse(text, asked.descending, &api.registry, kind)?),
        None => None,
    };
    if let Some(sort) = &sort {
        call.permits_sort(sort)?;
    }
    let cursor = asked.cursor.as_deref().map(|text| cursor(text, count(call))).transpose()?;
    Ok(Query {
        filter,
        sort,
        start: asked.start_index as u64,
        count: count(call),
        cursor,
        links,
        places: false,
    })
}

/// How many a page has at most.
pub fn count(call: &Call) -> u64 {
    call.query.count.unwrap_or(DEFAULT_RESULTS).min(MAX_RESULTS) as u64
}

/// The store's cursor in a client's. RFC 9865 section 2.1: the count stays what it was on the first page.
pub fn cursor(text: &str, count: u64) -> Result<Cursor, ScimError> {
    if text.is_empty() {
        return Ok(Cursor::First);
    }
    let (size, inner) = text
        .split_once('.')
        .and_then(|(size, inner)| Some((size.parse::<u64>().ok()?, inner)))
        .ok_or_else(|| ScimError::invalid_cursor("the cursor is none of this server's"))?;
    if size != count {
        let text = format!("the pages of this cursor have {size} resources: the count must stay as it was");
        return Err(ScimError::invalid_count(text));
    }
    Ok(Cursor::After(inner.to_owned()))
}

/// The cursor as a client sees it.
pub fn shown_cursor(inner: &str, count: u64) -> String {
    format!("{count}.{inner}")
}

/// The answer with a page.
pub fn answer<T: Shown>(view: View<'_>, page: &Page<T>) -> Response {
    let call = view.call();
    let resources: Vec<_> = page.items.iter().map(|found| view.of(found)).collect();
    let total = usize::try_from(page.total).unwrap_or(usize::MAX);
    let list = if call.query.cursor.is_some() {
        let next = page.next.as_deref().map(|inner| shown_cursor(inner, count(call)));
        ListResponse::by_cursor(total, next, resources)
    } else {
        ListResponse::new(total, call.query.start_index, resources)
    };
    scim_json(StatusCode::OK, &list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_keeps_the_count_that_it_began_with() {
        assert_eq!(cursor("", 7), Ok(Cursor::First));
        assert_eq!(cursor(&shown_cursor("abc", 7), 7), Ok(Cursor::After("abc".to_owned())));
        let refused =
            |text, count| cursor(text, count).unwrap_err().scim_type.map(axon_scim::ScimType::as_str);
        assert_eq!(refused("7.abc", 8), Some("invalidCount"));
        for bad in ["abc", ".abc", "x.abc", "-1.abc"] {
            assert_eq!(refused(bad, 7), Some("invalidCursor"), "{bad}");
        }
    }
}
