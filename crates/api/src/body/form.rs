//! Forms: what clients of the token endpoint and people's browsers post.

use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use crate::layers::Admitted;
use crate::operators::Problem;

/// The most fields.
const MAX: usize = 32;

/// Fields of a request, each at most once. A field without a value is as if it were not there.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`. The error says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if value.is_empty() {
                continue;
            }
            if all.len() >= MAX {
                return Err("there are too many parameters");
            }
            if all.iter().any(|(known, _)| *known == name) {
                return Err("a parameter stands twice");
            }
            all.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(all))
    }

    /// Reads what a browser posted, of `most` bytes at most.
    pub async fn read(parts: &Parts, body: Body, most: usize) -> Result<Self, Problem> {
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let detail = "the body must be application/x-www-form-urlencoded";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad-request", detail));
        }
        let admitted = parts.extensions.get::<Admitted>().ok_or_else(Problem::internal)?;
        admitted.set_reading(true);
        let read = to_bytes(body, most).await;
        admitted.set_reading(false);
        let bytes = read.map_err(|error| {
            // A body over the limit is told apart from a broken connection.
            if error.to_string().contains("length limit") {
                let detail = format!("the form is over the limit of {most} bytes");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "bad-request", detail)
            } else {
                Problem::bad("the body ended early")
            }
        })?;
        Self::parse(&bytes).map_err(Problem::bad)
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_once_and_an_empty_one_is_none() {
        let form = Form::parse(b"a=1&b=%2B+x&c=&c=2").ok().unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), Some("+ x"), Some("2")));
        assert_eq!(form.get("d"), None);
        assert!(Form::parse(b"a=1&a=2").is_err() && Form::parse(b"a=1&%61=2").is_err());
        assert!(Form::parse("x=1&".repeat(40).as_bytes()).is_err());
        assert!(Form::parse(b"\xff\xfe=%zz").is_ok());
    }
}
