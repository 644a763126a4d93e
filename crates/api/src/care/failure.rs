//! Which answers count as failed calls, and what may be told of them.
//!
//! Of a call that failed the ledger keeps the attribute names and types of its body and no value, and the answer's sentence
//! without what it quotes: enough to mend a mapping by, nothing that names a person or is a secret.

use axon_model::{FailedCall, RequestId};
use axon_scim::ScimError;
use axum::body::Bytes;
use serde_json::Value;
use time::OffsetDateTime;

use super::Cared;
use crate::body::outline;
use crate::layers::Admission;

/// The largest body that is kept whole until the answer is known, bytes.
pub const LARGEST_BODY: usize = 64 * 1024;

/// The body that came with a request.
#[derive(Debug)]
pub enum Sent {
    /// As it came.
    Whole(Bytes),
    /// Too large to be kept: its outline, and whether it is about references alone.
    Outlined {
        /// Names and types.
        shape: String,
        /// Whether it speaks of members or managers alone.
        about_references: bool,
    },
}

impl Sent {
    /// What is kept of a large body.
    pub fn outlined(body: &Value) -> Self {
        Self::Outlined { shape: outline::of(body), about_references: is_about_references(body) }
    }
}

/// A request and what it was answered.
pub struct Answered<'a> {
    /// The method.
    pub method: &'static str,
    /// The route's pattern.
    pub route: &'a str,
    /// The query, where there was one.
    pub query: Option<&'a str>,
    /// The answer's status.
    pub status: u16,
    /// The answer's error.
    pub error: Option<&'a ScimError>,
    /// The request's id and body.
    pub admission: &'a Admission,
}

/// What stands for a status where the client did not wait for one.
const GONE: u16 = 499;

/// Enters a request whose client went away before its answer: a time-out there is a failed call.
pub fn enter_unanswered(cared: &Cared, admission: &Admission, now: OffsetDateTime) {
    let error = ScimError {
        status: GONE,
        scim_type: None,
        detail: "the client did not wait for the answer".to_owned(),
    };
    let (method, route) = (admission.method, admission.route().as_str());
    enter(cared, &Answered { method, route, query: None, status: GONE, error: Some(&error), admission }, now);
}

/// Enters a request into its source's ledger.
pub fn enter(cared: &Cared, answered: &Answered<'_>, now: OffsetDateTime) {
    if !is_failure(answered.method, answered.route, answered.status) {
        let is_write = matches!(answered.method, "POST" | "PUT" | "PATCH" | "DELETE")
            && answered.status < 400
            && !answered.route.ends_with("/.search");
        cared.ledger.went_well(now, is_write);
        return;
    }
    let (shape, about_references) = match answered.admission.sent.get() {
        None => (answered.query.map_or_else(String::new, query_shape), false),
        Some(Sent::Outlined { shape, about_references }) => (shape.clone(), *about_references),
        Some(Sent::Whole(bytes)) => match serde_json::from_slice::<Value>(bytes) {
            Ok(body) => (outline::of(&body), is_about_references(&body)),
            Err(_) => (format!("{} bytes that are not JSON", bytes.len()), false),
        },
    };
    let failure = FailedCall {
        at: now,
        request: answered.admission.id.clone(),
        method: answered.method.to_owned(),
        route: answered.route.to_owned(),
        status: answered.status,
        scim_type: answered.error.and_then(|error| error.scim_type).map(|kind| kind.as_str().to_owned()),
        detail: answered.error.map_or_else(String::new, |error| unquoted(&error.detail)),
        shape,
    };
    cared.ledger.failed(failure, about_references);
}

/// One operation of a bulk request: for the ledger a call like any other.
pub struct Operation {
    method: &'static str,
    route: &'static str,
    shape: String,
    about_references: bool,
}

impl Operation {
    /// The call that it stands for, before its body is handed on.
    pub fn of(method: &'static str, route: &'static str, body: &Value) -> Self {
        Self { method, route, shape: outline::of(body), about_references: is_about_references(body) }
    }
}

/// Enters an operation into its source's ledger.
pub fn enter_operation(
    cared: &Cared,
    request: &RequestId,
    operation: Operation,
    error: Option<&ScimError>,
    now: OffsetDateTime,
) {
    let Operation { method, route, shape, about_references } = operation;
    let Some(error) = error.filter(|error| is_failure(method, route, error.status)) else {
        cared.ledger.went_well(now, error.is_none());
        return;
    };
    let failure = FailedCall {
        at: now,
        request: request.clone(),
        method: method.to_owned(),
        route: route.to_owned(),
        status: error.status,
        scim_type: error.scim_type.map(|kind| kind.as_str().to_owned()),
        detail: unquoted(&error.detail),
        shape,
    };
    cared.ledger.failed(failure, about_references);
}

/// What Entra would count as a failed call. That a resource is gone is what it wants to know when it reads or deletes one.
fn is_failure(method: &str, route: &str, status: u16) -> bool {
    let is_by_id = route.ends_with("/{id}");
    match status {
        0..400 => false,
        404 => !(is_by_id && matches!(method, "GET" | "HEAD" | "DELETE")),
        _ => true,
    }
}

/// Whether a body speaks of nothing but members or the manager: what fails then is a reference.
fn is_about_references(body: &Value) -> bool {
    let is_reference = |path: &str| {
        let name = path.split(['[', '.']).next().unwrap_or_default();
        // The URN of the enterprise extension has a dot of its own.
        name.eq_ignore_ascii_case("members")
            || path.to_ascii_lowercase().contains(":user:manager")
            || name.eq_ignore_ascii_case("manager")
    };
    let Some(operations) = body.get("Operations").and_then(Value::as_array) else { return false };
    !operations.is_empty()
        && operations.iter().all(|operation| match operation.get("path").and_then(Value::as_str) {
            Some(path) => is_reference(path),
            None => operation
                .get("value")
                .and_then(Value::as_object)
                .is_some_and(|value| !value.is_empty() && value.keys().all(|key| is_reference(key))),
        })
}

/// Parameters whose names may be told; any other may be a value.
const KNOWN: [&str; 9] = [
    "filter",
    "attributes",
    "excludedAttributes",
    "startIndex",
    "count",
    "sortBy",
    "sortOrder",
    "cursor",
    "aadOptscim062020",
];

/// The names of a query's parameters.
fn query_shape(query: &str) -> String {
    let mut names: Vec<&str> = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .filter(|name| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .collect();
    names.dedup();
    names.truncate(KNOWN.len());
    if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) }
}

/// A sentence without what stands between its quotation marks: those are a client's words.
fn unquoted(detail: &str) -> String {
    let mut out = detail.to_owned();
    for mark in ['\'', '"', '`'] {
        if let (Some(first), Some(last)) = (out.find(mark), out.rfind(mark))
            && first < last
        {
            out.replace_range(first + mark.len_utf8()..last, "…");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_that_is_gone_is_news_and_not_a_failure() {
        for (method, route, status, is) in [
            ("GET", "/scim/v2/Users/{id}", 404, false),
            ("DELETE", "/scim/v2/Users/{id}", 404, false),
            ("PATCH", "/scim/v2/Users/{id}", 404, true),
            ("GET", "/scim/v2/Users", 404, true),
            ("GET", "none", 404, true),
            ("GET", "/scim/v2/Users", 304, false),
            ("POST", "/scim/v2/Users", 409, true),
            ("POST", "/scim/v2/Users", 429, true),
            ("PATCH", "/scim/v2/Users/{id}", 503, true),
        ] {
            assert_eq!(is_failure(method, route, status), is, "{method} {route} {status}");
        }
    }

    #[test]
    fn what_speaks_of_members_or_managers_alone_is_about_references() {
        let ops = |ops: Value| is_about_references(&json!({"Operations": ops}));
        for path in [
            "members",
            "Members[value eq \"x\"]",
            "manager",
            "manager.value",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        ] {
            assert!(ops(json!([{"op": "add", "path": path}])), "{path}");
        }
        assert!(ops(json!([{"op": "add", "path": "members"}, {"op": "add", "value": {"members": []}}])));
        assert!(!ops(json!([{"op": "add", "path": "members"}, {"op": "replace", "path": "displayName"}])));
        assert!(!ops(json!([{"op": "add", "value": {"members": [], "displayName": "x"}}])));
        assert!(!ops(json!([])) && !ops(json!([{"op": "add", "value": {}}])));
        assert!(!is_about_references(&json!({"userName": "members"})));
    }

    #[test]
    fn a_sentence_loses_what_it_quotes() {
        assert_eq!(unquoted("no User with id 'x' or so"), "no User with id '…' or so");
        assert_eq!(unquoted("'kim's' is not 'lee'"), "'…'");
        assert_eq!(unquoted("say \"kim\" or `lee`, or 'dan'"), "say \"…\" or `…`, or '…'");
        assert_eq!(unquoted("the server's limit"), "the server's limit");
    }

    #[test]
    fn a_query_shows_its_parameters_and_no_value() {
        assert_eq!(query_shape("filter=userName+eq+%22kim%22&count=1"), "?filter&count");
        assert_eq!(query_shape("kim%40ex.test=1&=2&&aadOptscim062020"), "?aadOptscim062020");
        assert_eq!(query_shape(""), "");
    }
}
