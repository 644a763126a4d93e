//! JSON bodies: the media type in any spelling that means JSON, then an object.

use axon_scim::ScimError;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, header};
use serde_json::Value;

use crate::reply::Refused;

/// Reads a body as a JSON value.
pub async fn read_json(headers: &HeaderMap, body: Body) -> Result<Value, Refused> {
    media_type(headers)?;
    // The layer round the routes holds the limit; here its error is told apart from a broken connection.
    let bytes = to_bytes(body, usize::MAX).await.map_err(|error| {
        let text = error.to_string();
        if text.contains("length limit") {
            ScimError::payload_too_large("the body is over the server's limit")
        } else {
            ScimError::invalid_syntax("the body ended early")
        }
    })?;
    if bytes.is_empty() {
        return Err(ScimError::invalid_syntax("the body is empty; a JSON object is expected").into());
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        Refused(ScimError::invalid_syntax(format!("the body is not JSON at {at}")))
    })
}

/// `application/scim+json` and `application/json`, with any charset parameter that means UTF-8; none at all passes.
fn media_type(headers: &HeaderMap) -> Result<(), ScimError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let refuse =
        || ScimError::unsupported_media_type("send application/scim+json or application/json, in UTF-8");
    let text = value.to_str().map_err(|_| refuse())?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    if !matches!(parts.next(), Some("application/scim+json" | "application/json")) {
        return Err(refuse());
    }
    for parameter in parts {
        if let Some(charset) = parameter.strip_prefix("charset=")
            && !matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")
        {
            return Err(refuse());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
        media_type(&headers).is_ok()
    }

    #[test]
    fn scim_json_with_a_charset_is_not_415() {
        assert!(accepts("application/scim+json; charset=utf-8"));
        assert!(accepts("Application/JSON;charset=\"UTF-8\""));
        assert!(accepts("application/scim+json"));
        assert!(!accepts("text/plain"));
        assert!(!accepts("application/json; charset=utf-16"));
    }
}
