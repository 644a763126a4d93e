//! The last segment of an address, decoded.

use std::str;

use axon_scim::ScimError;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::reply::Refused;
use crate::state::Api;

/// An id or a name as the address has it. One that does not decode to UTF-8 names nothing: 404, as for any other.
pub struct Segment(pub String);

impl FromRequestParts<Api> for Segment {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Refused> {
        let path = parts.uri.path();
        let segment = path.rsplit('/').next().unwrap_or(path);
        match decoded(segment) {
            Some(text) => Ok(Self(text)),
            None => {
                Err(ScimError::not_found("the end of this address is not UTF-8, so it names nothing").into())
            }
        }
    }
}

/// Without the escapes of RFC 3986 section 2.1. A `%` that begins none stands for itself.
fn decoded(segment: &str) -> Option<String> {
    if !segment.contains('%') {
        return Some(segment.to_owned());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match after {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high << 4 | low);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_away_once() {
        for (segment, text) in [
            ("abc", "abc"),
            ("a%20b+c", "a b+c"),
            ("%C3%a9", "é"),
            ("%2F%2f", "//"),
            ("%2541", "%41"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
        ] {
            assert_eq!(decoded(segment).as_deref(), Some(text), "{segment}");
        }
        assert_eq!(decoded("%ff"), None);
        assert_eq!(decoded("%C3"), None);
    }
}
