//! What stands in the credentials that a client sends.

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
    fn basic_credentials_are_form_encoded() {
        assert_eq!(decoded("a%3Ab+c").as_deref(), Some("a:b c"));
        assert_eq!(decoded("a&b"), None);
    }
}
