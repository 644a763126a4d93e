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
    #[serde(rename = "startIndex")]
    start_index: usize,
    #[serde(rename = "itemsPerPage")]
    items_per_page: usize,
    #[serde(rename = "Resources")]
    resources: Vec<T>,
}

impl<T> ListResponse<T> {
    /// A page: how many match in all, the 1-based index of the first, and the page itself.
    pub fn new(total_results: usize, start_index: usize, resources: Vec<T>) -> Self {
        let items_per_page = resources.len();
        Self { schemas: [LIST_URN], total_results, start_index, items_per_page, resources }
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
}
