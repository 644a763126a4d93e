//! JSON bodies: the media type in any spelling that means JSON, within the limit, each key once.

pub mod form;
mod gzip;
pub mod outline;
pub(crate) mod strict;

use axon_scim::ScimError;
use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde_json::Value;

use crate::care::Sent;
use crate::layers::Admitted;
use crate::reply::{Refused, too_large};
use crate::state::Api;

/// A body that was read as a JSON value.
pub struct JsonBody(pub Value);

impl FromRequest<Api> for JsonBody {
    type Rejection = Refused;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        media_type(&parts.headers)?;
        let is_gzip = gzip::is_gzip(&parts.headers)?;
        let admitted = parts
            .extensions
            .get::<Admitted>()
            .ok_or_else(|| ScimError::internal("internal error; the log has it by the request id"))?;
        admitted.set_reading(true);
        let read = to_bytes(body, admitted.body_bytes).await;
        admitted.set_reading(false);
        let bytes = read.map_err(|error| {
            // A body over the limit is told apart from a broken connection.
            if error.to_string().contains("length limit") {
                too_large(admitted.body_bytes)
            } else {
                ScimError::invalid_syntax("the body ended early")
            }
        })?;
        let bytes = if is_gzip { gzip::unpack(&bytes, admitted.body_bytes)? } else { bytes };
        let is_kept = bytes.len() <= api.care.largest_kept();
        if is_kept {
            let _ = admitted.sent.set(Sent::Whole(bytes.clone()));
        }
        let value = parse(&bytes)?;
        if !is_kept {
            let _ = admitted.sent.set(Sent::outlined(&value));
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            let _ = admitted.outline.set(outline::of(&value));
        }
        Ok(Self(value))
    }
}

/// A whole number: 5 and 5.0 are one (RFC 8259 section 6).
pub fn whole(value: &Value) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=EXACT).contains(n))?;
        // Minus nothing is nothing.
        format!("{:.0}", number.abs()).parse().ok()
    })
}

fn parse(bytes: &Bytes) -> Result<Value, ScimError> {
    // RFC 8259 section 8.1: a reader may ignore a byte order mark.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(bytes);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(ScimError::invalid_syntax("the body is empty; a JSON object is expected"));
    }
    strict::from_slice(text).map_err(|error| {
        let what = if error.is_data() { "gives a key twice" } else { "is not JSON" };
        let at = format!("line {}, column {}", error.line(), error.column());
        ScimError::invalid_syntax(format!("the body {what} at {at}"))
    })
}

/// `application/scim+json` and `application/json`, with any charset parameter that means UTF-8; none at all passes.
fn media_type(headers: &HeaderMap) -> Result<(), ScimError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let refuse =
        || ScimError::unsupported_media_type("send application/scim+json or application/json, in UTF-8");
    let text = value.to_str().map_err(|_| refuse())?;
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    if !["application/scim+json", "application/json"].iter().any(|known| media.eq_ignore_ascii_case(known)) {
        return Err(refuse());
    }
    for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
        let charset = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("charset")
            && !["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
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
        for good in [
            "application/scim+json; charset=utf-8",
            "Application/JSON;charset=\"UTF-8\"",
            "application/scim+json",
            "application/json ; Charset = utf8 ; profile=x",
            "application/scim+json;",
        ] {
            assert!(accepts(good), "{good}");
        }
        for bad in [
            "text/plain",
            "application/json; charset=utf-16",
            "application/jsonp",
            "",
            "json",
            "application/xml",
        ] {
            assert!(!accepts(bad), "{bad}");
        }
    }

    #[test]
    fn broken_json_is_told_with_its_place() {
        let told = |text: &'static str| parse(&Bytes::from_static(text.as_bytes())).unwrap_err().detail;
        assert_eq!(told("{\n  \"a\": 1,\n  b\n}"), "the body is not JSON at line 3, column 3");
        assert!(
            told("{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}")
                .starts_with("the body gives a key twice at line 1")
        );
        assert!(told("").contains("is empty") && told(" \r\n").contains("is empty"));
        assert!(told("{} {}").contains("is not JSON"));
        let error = parse(&Bytes::from_static(b"{\"a\": \"\xff\"}")).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(axon_scim::ScimType::InvalidSyntax)));
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let of = |text: &str| whole(&serde_json::from_str(text).unwrap());
        assert_eq!((of("5"), of("5.0"), of("1e3"), of("-0.0")), (Some(5), Some(5), Some(1000), Some(0)));
        for none in ["5.5", "-1", "-1.0", "1e300", "\"5\"", "null", "true"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_overlooked() {
        assert_eq!(parse(&Bytes::from_static(b"\xef\xbb\xbf{}")).unwrap(), serde_json::json!({}));
    }
}
