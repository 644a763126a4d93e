//! The answer to a bulk request.

use serde::Serialize;

use crate::error::ScimError;

/// URN of the BulkResponse message.
const BULK_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// What came of one operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkEntry {
    /// The method, as it was sent.
    pub method: String,
    /// The name that the client gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_id: Option<String>,
    /// The entity tag after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The address of the resource; absent where a POST failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The HTTP status, as a text (RFC 7644 section 3.7).
    pub status: String,
    /// The SCIM Error, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<ScimError>,
}

/// What came of those that were done, in the order of the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BulkResponse {
    schemas: [&'static str; 1],
    /// One entry for each operation that was tried.
    #[serde(rename = "Operations")]
    pub operations: Vec<BulkEntry>,
}

impl BulkResponse {
    pub(super) fn new(operations: Vec<BulkEntry>) -> Self {
        Self { schemas: [BULK_RESPONSE_URN], operations }
    }
}
