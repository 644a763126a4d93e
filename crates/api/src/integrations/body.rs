//! Bodies in JSON or YAML. They hold credentials: nothing of them is kept for a log, a ledger or a recording.

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::fault::Fault;
use crate::body::strict;
use crate::layers::Admitted;

/// The largest body, bytes.
const MOST: usize = 64 * 1024;

/// In which language a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Json,
    Yaml,
}

/// The body of a request; none where it is empty.
pub async fn read(request: Request) -> Result<Option<Value>, Fault> {
    let (parts, body) = request.into_parts();
    let admitted = parts.extensions.get::<Admitted>().cloned();
    if let Some(admitted) = &admitted {
        admitted.set_reading(true);
    }
    let read = to_bytes(body, MOST).await;
    if let Some(admitted) = &admitted {
        admitted.set_reading(false);
    }
    let bytes = read.map_err(|error| {
        if error.to_string().contains("length limit") {
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is over the limit of {MOST} bytes"))
        } else {
            Fault::bad("the body ended early")
        }
    })?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let language = language(&parts.headers)?;
    parse(&bytes, language).map(Some)
}

/// The same where there must be one.
pub async fn needed(request: Request) -> Result<Value, Fault> {
    read(request).await?.ok_or_else(|| Fault::bad("the body is empty; a payload is expected"))
}

fn language(headers: &HeaderMap) -> Result<Language, Fault> {
    let refuse = || {
        Fault::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send application/json or application/yaml, in UTF-8, not coded",
        )
    };
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes() != b"identity") {
        return Err(refuse());
    }
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(Language::Json) };
    let kind = kind.to_str().map_err(|_| refuse())?;
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Ok(Language::Json),
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => Ok(Language::Yaml),
        _ => Err(refuse()),
    }
}

/// What is wrong is told by its place alone: the reader's own words would hold pieces of the body.
fn parse(bytes: &Bytes, language: Language) -> Result<Value, Fault> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(bytes);
    match language {
        Language::Json => strict::from_slice(text).map_err(|error| {
            let what = if error.is_data() { "gives a key twice" } else { "is not JSON" };
            Fault::bad(format!("the body {what} at line {}, column {}", error.line(), error.column()))
        }),
        Language::Yaml => {
            let text = std::str::from_utf8(text).map_err(|_| Fault::bad("the body is not UTF-8"))?;
            // `off` is a word and no truth value, as in JSON: `tls: off` and a password `no` are texts.
            let options = serde_saphyr::options! { strict_booleans: true };
            serde_saphyr::from_str_with_options::<Value>(text, options).map_err(|error| {
                let at = error.location().map(|at| format!(" at line {}, column {}", at.line(), at.column()));
                Fault::bad(format!(
                    "the body is not YAML in which each key stands once{}",
                    at.unwrap_or_default()
                ))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(text: &'static str, language: Language) -> String {
        format!("{:?}", parse(&Bytes::from_static(text.as_bytes()), language).unwrap_err())
    }

    #[test]
    fn both_languages_say_the_same() {
        let yaml = Bytes::from_static(
            b"type: x\nautoBootstrap: false\nconfig:\n  port: 1433\n  password: 'abc1234'\n",
        );
        let read = parse(&yaml, Language::Yaml).unwrap();
        let wanted =
            json!({ "type": "x", "autoBootstrap": false, "config": { "port": 1433, "password": "abc1234" } });
        assert_eq!(read, wanted);
        assert_eq!(parse(&Bytes::from(wanted.to_string()), Language::Json).unwrap(), wanted);
    }

    #[test]
    fn words_that_are_truth_values_elsewhere_are_texts() {
        let yaml = Bytes::from_static(b"tls: off\npassword: no\nhost: on\nautoBootstrap: true\n");
        let wanted = json!({ "tls": "off", "password": "no", "host": "on", "autoBootstrap": true });
        assert_eq!(parse(&yaml, Language::Yaml).unwrap(), wanted);
    }

    #[test]
    fn what_is_wrong_is_told_without_a_piece_of_it() {
        for (text, language) in [
            ("{\"password\": \"s3cret\", \"password\": \"s3cret\"}", Language::Json),
            ("{\"password\": s3cret}", Language::Json),
            ("password: s3cret\npassword: s3cret\n", Language::Yaml),
            ("password: \"s3cret\n  x: [", Language::Yaml),
            ("a: &x [s3cret]\nb: *y\n", Language::Yaml),
        ] {
            let told = told(text, language);
            assert!(!told.contains("s3cret") && told.contains("400"), "{told}");
        }
    }

    #[test]
    fn aliases_of_aliases_do_not_grow() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let many = vec![format!("*a{}", n - 1); 10].join(", ");
            let line = format!("a{n}: &a{n} [{many}]\n");
            text.push_str(&line);
        }
        assert!(parse(&Bytes::from(text), Language::Yaml).is_err());
    }

    #[test]
    fn media_types() {
        let of = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            language(&headers).ok()
        };
        assert_eq!(of("application/json; charset=utf-8"), Some(Language::Json));
        assert_eq!(of("Application/YAML"), Some(Language::Yaml));
        assert_eq!(of("text/x-yaml"), Some(Language::Yaml));
        assert_eq!(of("text/plain"), None);
    }
}
