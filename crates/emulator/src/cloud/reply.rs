//! An answer, and the forms in which the services refuse.

use serde_json::{Value, json};

/// One HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Headers beside content-type and content-length.
    pub headers: Vec<(String, String)>,
    /// The body; `None` for answers that have none.
    pub body: Option<Vec<u8>>,
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// An answer in JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body.to_string().into_bytes()) }
    }

    /// 200.
    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(200, body)
    }

    /// The form of errors that Resource Manager, the data plane and ingestion share.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"error": {"code": code, "message": message}}))
    }

    /// The same answer with one header more.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
