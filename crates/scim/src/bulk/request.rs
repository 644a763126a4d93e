//! The body of a bulk request. What is wrong with the body refuses the request; what is wrong with one operation is
//! kept with it and refuses that one alone.

use serde_json::Value;

use crate::error::{ScimError, quoted};
use crate::resource::check_tree;
use crate::schema::ResourceKind;

/// URN of the BulkRequest message.
const BULK_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// Longest `bulkId` and longest `path`, in bytes.
const MAX_WORD: usize = 1024;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkMethod {
    /// Makes a resource.
    Post,
    /// Replaces one.
    Put,
    /// Changes one.
    Patch,
    /// Removes one.
    Delete,
}

impl BulkMethod {
    /// Every method.
    pub const ALL: [Self; 4] = [Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What an operation is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkTarget {
    /// User or Group.
    pub kind: ResourceKind,
    /// The id in the path, which may be `bulkId:…`; none for a POST.
    pub id: Option<String>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkOperation {
    /// What it does; none where the word is none of ours.
    pub method: Option<BulkMethod>,
    /// The word as it was sent, shortened; repeated in the answer.
    pub word: String,
    /// The name that other operations know a POST's resource by.
    pub bulk_id: Option<String>,
    /// What it is done to, or why it is refused before it is tried.
    pub target: Result<BulkTarget, ScimError>,
    /// The version that the client knows, as in `If-Match`.
    pub version: Option<String>,
    /// The body.
    pub data: Option<Value>,
}

/// A bulk request.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRequest {
    /// After so many errors no more is done; none does all.
    pub fail_on_errors: Option<usize>,
    /// In the order of the request.
    pub operations: Vec<BulkOperation>,
}

impl BulkRequest {
    /// Reads the body. `base` is the address of this server's SCIM, which paths may begin with.
    pub fn parse(body: Value, max_operations: usize, base: &str) -> Result<Self, ScimError> {
        let Value::Object(body) = body else {
            return Err(ScimError::invalid_syntax("the body is a JSON object"));
        };
        let (mut list, mut fail_on_errors, mut schemas) = (None, None, None);
        for (key, value) in body {
            let slot = match key.to_ascii_lowercase().as_str() {
                "operations" => &mut list,
                "failonerrors" => &mut fail_on_errors,
                "schemas" => &mut schemas,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(ScimError::invalid_syntax(format!("{} is given twice", quoted(&key))));
            }
        }
        check_schemas(schemas.as_ref())?;
        let Some(Value::Array(list)) = list else {
            return Err(ScimError::invalid_syntax("a bulk request has a list 'Operations'"));
        };
        if list.len() > max_operations {
            let text = format!("{} operations are over maxOperations, which is {max_operations}", list.len());
            return Err(ScimError::payload_too_large(text));
        }
        let fail_on_errors =
            fail_on_errors.filter(|v| !v.is_null()).map(|v| errors_allowed(&v)).transpose()?;
        let operations = list.into_iter().map(|item| operation(item, base)).collect::<Result<_, _>>()?;
        Ok(Self { fail_on_errors, operations })
    }
}

/// Absent, it is implied by the address; another message sent here is a mistake.
fn check_schemas(schemas: Option<&Value>) -> Result<(), ScimError> {
    let names = match schemas {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    if names.iter().filter_map(Value::as_str).any(|urn| urn.eq_ignore_ascii_case(BULK_REQUEST_URN)) {
        return Ok(());
    }
    Err(ScimError::invalid_syntax(format!("'schemas' does not list {BULK_REQUEST_URN}")))
}

fn errors_allowed(value: &Value) -> Result<usize, ScimError> {
    let number = value.as_u64().filter(|n| *n > 0);
    let number = number.ok_or_else(|| ScimError::invalid_value("failOnErrors is a whole number above 0"))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn operation(item: Value, base: &str) -> Result<BulkOperation, ScimError> {
    let Value::Object(map) = item else {
        return Err(ScimError::invalid_syntax("each of 'Operations' is an object"));
    };
    let mut data = None;
    let mut words = Words::default();
    for (key, value) in map {
        match key.to_ascii_lowercase().as_str() {
            "data" => data = Some(value).filter(|v| !v.is_null()),
            "method" => words.method = text("method", value)?,
            "path" => words.path = text("path", value)?,
            "bulkid" => words.bulk_id = text("bulkId", value)?,
            "version" => words.version = text("version", value)?,
            _ => {}
        }
    }
    let word = words.method.ok_or_else(|| ScimError::invalid_syntax("an operation has no 'method'"))?;
    let method = BulkMethod::ALL.into_iter().find(|m| m.as_str().eq_ignore_ascii_case(&word));
    let target = check(method, words.path.as_deref(), words.bulk_id.as_deref(), data.as_ref(), base);
    Ok(BulkOperation {
        method,
        word: method.map_or_else(|| word.chars().take(16).collect(), |m| m.as_str().to_owned()),
        bulk_id: words.bulk_id,
        target,
        version: words.version,
        data,
    })
}

#[derive(Default)]
struct Words {
    method: Option<String>,
    path: Option<String>,
    bulk_id: Option<String>,
    version: Option<String>,
}

fn text(key: &str, value: Value) -> Result<Option<String>, ScimError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.len() > MAX_WORD => Err(ScimError::invalid_value(format!(
            "'{key}' has {} bytes, the limit is {MAX_WORD}",
            text.len()
        ))),
        Value::String(text) => Ok(Some(text)),
        _ => Err(ScimError::invalid_syntax(format!("'{key}' of an operation is a text"))),
    }
}

/// What can be said of one operation before anything is done.
fn check(
    method: Option<BulkMethod>,
    path: Option<&str>,
    bulk_id: Option<&str>,
    data: Option<&Value>,
    base: &str,
) -> Result<BulkTarget, ScimError> {
    let method = method.ok_or_else(|| {
        ScimError::method_not_allowed("the methods of a bulk request are POST, PUT, PATCH, DELETE")
    })?;
    let path = path.ok_or_else(|| ScimError::invalid_value("the operation has no 'path'"))?;
    let target = target(path, base)?;
    match (method, &target.id) {
        (BulkMethod::Post, Some(_)) => {
            return Err(ScimError::method_not_allowed("POST goes to /Users or /Groups, without an id"));
        }
        (BulkMethod::Put | BulkMethod::Patch | BulkMethod::Delete, None) => {
            let text = format!("{} goes to one resource: its id is missing in the path", method.as_str());
            return Err(ScimError::method_not_allowed(text));
        }
        _ => {}
    }
    if method == BulkMethod::Post && bulk_id.is_none_or(str::is_empty) {
        return Err(ScimError::invalid_value("a POST in a bulk request has a 'bulkId'"));
    }
    match data {
        None if method != BulkMethod::Delete => Err(ScimError::invalid_syntax("the operation has no 'data'")),
        Some(Value::Object(_)) => check_tree(data.unwrap_or(&Value::Null)).map(|()| target),
        Some(_) if method != BulkMethod::Delete => Err(ScimError::invalid_syntax("'data' is an object")),
        _ => Ok(target),
    }
}

/// `/Users`, `/Groups/7`, `Users/bulkId:x`, or the same after the server's own address.
fn target(path: &str, base: &str) -> Result<BulkTarget, ScimError> {
    let unknown = || ScimError::not_found(format!("there is no {} for a bulk request", quoted(path)));
    let rest = path.strip_prefix(base).unwrap_or(path).trim_matches('/');
    let (endpoint, id) = match rest.split_once('/') {
        Some((endpoint, id)) => (endpoint, Some(id)),
        None => (rest, None),
    };
    let kind = ResourceKind::ALL
        .into_iter()
        .find(|kind| kind.endpoint().trim_start_matches('/') == endpoint)
        .ok_or_else(unknown)?;
    if id.is_some_and(|id| id.contains(['/', '?', '#'])) {
        return Err(unknown());
    }
    Ok(BulkTarget { kind, id: id.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ScimType;

    const BASE: &str = "https://x/scim/v2";

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better so")]
    fn one(operation: Value) -> Result<BulkTarget, ScimError> {
        let request = BulkRequest::parse(json!({"Operations": [operation]}), 10, BASE)?;
        request.operations.into_iter().next().unwrap().target
    }

    #[test]
    fn paths_are_read_in_every_spelling() {
        for (path, id) in [
            ("/Users/7", Some("7")),
            ("Users/7/", Some("7")),
            ("https://x/scim/v2/Users/7", Some("7")),
            ("/Users/bulkId:a", Some("bulkId:a")),
        ] {
            let target = one(json!({"method": "delete", "path": path})).unwrap();
            assert_eq!((target.kind, target.id.as_deref()), (ResourceKind::User, id), "{path}");
        }
        let made = one(json!({"method": "POST", "path": "/Groups", "bulkId": "g", "data": {}})).unwrap();
        assert_eq!(made, BulkTarget { kind: ResourceKind::Group, id: None });
    }

    #[test]
    fn what_is_wrong_with_one_operation_refuses_that_one() {
        for (operation, status) in [
            (json!({"method": "GET", "path": "/Users/7"}), 405),
            (json!({"method": "POST", "path": "/Users/7", "bulkId": "a", "data": {}}), 405),
            (json!({"method": "PUT", "path": "/Users", "data": {}}), 405),
            (json!({"method": "POST", "path": "/Bulk", "bulkId": "a", "data": {}}), 404),
            (json!({"method": "POST", "path": "/Users?x=1", "bulkId": "a", "data": {}}), 404),
            (json!({"method": "DELETE", "path": "/Users/7/8"}), 404),
            (json!({"method": "DELETE", "path": "https://other/Users/7"}), 404),
            (json!({"method": "POST", "path": "/Users", "data": {}}), 400),
            (json!({"method": "POST", "path": "/Users", "bulkId": "a"}), 400),
            (json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": []}), 400),
            (json!({"method": "PATCH", "path": "/Users/7", "data": {"a": "\u{0}"}}), 400),
            (json!({"method": "DELETE"}), 400),
        ] {
            assert_eq!(one(operation.clone()).unwrap_err().status, status, "{operation}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_body_refuses_the_request() {
        for body in [
            json!([]),
            json!({}),
            json!({"Operations": {}}),
            json!({"Operations": [7]}),
            json!({"Operations": [{}]}),
            json!({"Operations": [{"method": 7}]}),
            json!({"Operations": [{"method": "POST", "path": ["/Users"]}]}),
            json!({"Operations": [], "operations": []}),
            json!({"Operations": [], "failOnErrors": 0}),
            json!({"Operations": [], "failOnErrors": "many"}),
            json!({"Operations": [], "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}),
            json!({"Operations": [{"method": "POST", "path": "x".repeat(2000)}]}),
        ] {
            assert_eq!(BulkRequest::parse(body.clone(), 10, BASE).unwrap_err().status, 400, "{body}");
        }
        let many = json!({"Operations": (0..11).map(|_| json!({"method": "DELETE"})).collect::<Vec<_>>()});
        let error = BulkRequest::parse(many, 10, BASE).unwrap_err();
        assert_eq!((error.status, error.scim_type), (413, None::<ScimType>));
        assert!(error.detail.contains("maxOperations"));
    }
}
