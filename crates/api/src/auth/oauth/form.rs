//! The form that a client posts.

use super::error::OAuthError;

/// The most parameters.
const MAX: usize = 32;

/// Parameters of a request, each at most once (RFC 6749 section 3.2).
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`. A parameter without a value is as if it were not there.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, OAuthError> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if value.is_empty() {
                continue;
            }
            if all.len() >= MAX {
                return Err(OAuthError::InvalidRequest("there are too many parameters"));
            }
            if all.iter().any(|(known, _)| *known == name) {
                return Err(OAuthError::InvalidRequest("a parameter stands twice"));
            }
            all.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(all))
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Text as it stands in Basic credentials: form-encoded (RFC 6749 section 2.3.1).
pub(super) fn decoded(text: &str) -> Option<String> {
    let pair = format!("v={text}");
    if text.contains('&') {
        return None;
    }
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
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

    #[test]
    fn basic_credentials_are_form_encoded() {
        assert_eq!(decoded("a%3Ab+c").as_deref(), Some("a:b c"));
        assert_eq!(decoded("a&b"), None);
    }
}
