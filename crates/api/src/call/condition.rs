//! `If-Match` and `If-None-Match` (RFC 9110 section 13.1, RFC 7644 section 3.14).

use axon_scim::ScimError;
use axon_store::Unless;
use axum::http::{HeaderMap, HeaderName};

/// What a conditional header asks for. Tags compare weakly: all of ours are weak, and SCIM clients send them back as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The header is not there.
    None,
    /// `*`: whatever version there is.
    Any,
    /// One of these versions. A tag that we never gave is left out and so matches nothing.
    OneOf(Vec<u64>),
}

impl Condition {
    /// Reads the header.
    pub fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Self, ScimError> {
        if !headers.contains_key(name) {
            return Ok(Self::None);
        }
        let mut tags = Vec::new();
        for value in headers.get_all(name) {
            tags.push(value.to_str().map_err(|_| ScimError::bad_request(format!("{name} is not text")))?);
        }
        Ok(Self::of(&tags))
    }

    /// What entity tags ask for, in lists with commas.
    pub fn of(lists: &[&str]) -> Self {
        let tags = || lists.iter().flat_map(|list| list.split(',')).map(str::trim);
        if tags().any(|tag| tag == "*") {
            return Self::Any;
        }
        Self::OneOf(tags().filter_map(version).collect())
    }

    /// Whether a resource of this version meets it; a header that is not there asks for nothing and is met by nothing.
    pub fn meets(&self, version: u64) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }

    /// As `If-None-Match` of a write: when the resource is to be left as it is.
    pub fn unless(&self) -> Unless {
        match self {
            Self::None => Unless::Never,
            Self::Any => Unless::Exists,
            Self::OneOf(versions) => Unless::OneOf(versions.clone()),
        }
    }

    /// The versions of which a write wants one. `*` wants any, which a resource that exists has.
    pub fn versions(&self) -> Option<Vec<u64>> {
        match self {
            Self::None | Self::Any => None,
            Self::OneOf(versions) => Some(versions.clone()),
        }
    }
}

/// The version behind `W/"7"` or `"7"`. Some clients leave the quotes out.
fn version(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn of(values: &[&str]) -> Condition {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, value.parse().unwrap());
        }
        Condition::read(&headers, &header::IF_MATCH).unwrap()
    }

    #[test]
    fn tags_are_read_in_every_spelling() {
        assert_eq!(of(&[]), Condition::None);
        assert_eq!(of(&["*"]), Condition::Any);
        assert_eq!(of(&["W/\"7\""]), Condition::OneOf(vec![7]));
        assert_eq!(of(&["\"7\", W/\"8\"", "9"]), Condition::OneOf(vec![7, 8, 9]));
        for foreign in ["\"abc\"", "W/\"+7\"", "\"\"", "", "W/\"99999999999999999999999\""] {
            assert_eq!(of(&[foreign]), Condition::OneOf(Vec::new()), "{foreign}: asks for what cannot be");
        }
    }

    #[test]
    fn what_is_not_asked_is_not_met() {
        assert!(!Condition::None.meets(1) && Condition::Any.meets(1));
        assert!(Condition::OneOf(vec![1]).meets(1) && !Condition::OneOf(Vec::new()).meets(1));
    }
}
