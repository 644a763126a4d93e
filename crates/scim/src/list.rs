//! Lists: the query of a GET, and the envelope of its answer (RFC 7644 section 3.4.2).

mod query;

use serde::Serialize;

pub use self::query::ListQuery;

/// URN of the ListResponse message.
pub const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// One page of a list. `Resources` is sent even when it is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListResponse<T> {
    schemas: [&'static str; 1],
    #[serde(rename = "totalResults")]
    total_results: usize,
    #[serde(rename = "startIndex", skip_serializing_if = "Option::is_none")]
    start_index: Option<usize>,
    #[serde(rename = "itemsPerPage")]
    items_per_page: usize,
    #[serde(rename = "nextCursor", skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    #[serde(rename = "Resources")]
    resources: Vec<T>,
}

impl<T> ListResponse<T> {
    /// A page: how many match in all, the 1-based index of the first, and the page itself.
    pub fn new(total_results: usize, start_index: usize, resources: Vec<T>) -> Self {
        Self::page(total_results, Some(start_index), None, resources)
    }

    /// A page of a query by cursor (RFC 9865 section 2); no next cursor on the last one.
    pub fn by_cursor(total_results: usize, next_cursor: Option<String>, resources: Vec<T>) -> Self {
        Self::page(total_results, None, next_cursor, resources)
    }

    fn page(
        total_results: usize,
        start_index: Option<usize>,
        next_cursor: Option<String>,
        resources: Vec<T>,
    ) -> Self {
        let items_per_page = resources.len();
        Self { schemas: [LIST_URN], total_results, start_index, items_per_page, next_cursor, resources }
    }

    /// Everything on one page.
    pub fn all(resources: Vec<T>) -> Self {
        Self::new(resources.len(), 1, resources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_still_has_resources_and_numbers() {
        let json = serde_json::to_value(ListResponse::<()>::all(Vec::new())).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"schemas": [LIST_URN], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0,
                               "Resources": []})
        );
    }

    #[test]
    fn a_page_by_cursor_has_no_start_and_the_last_one_no_next() {
        let page = |next: Option<&str>| {
            serde_json::to_value(ListResponse::by_cursor(3, next.map(str::to_owned), vec![1])).unwrap()
        };
        assert_eq!(
            page(Some("c")),
            serde_json::json!({"schemas": [LIST_URN], "totalResults": 3, "itemsPerPage": 1, "nextCursor": "c",
                               "Resources": [1]})
        );
        assert!(page(None).get("nextCursor").is_none());
    }
}
