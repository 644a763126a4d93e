//! The one error of the crate: what goes over the wire as a SCIM Error (RFC 7644 section 3.12).

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// URN of the SCIM Error message.
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Longest piece of client text that is repeated in a detail.
const QUOTED: usize = 120;

/// The `scimType` keywords of RFC 7644 table 9 and RFC 9865.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter is malformed, or compares what cannot be compared.
    InvalidFilter,
    /// The answer would be larger than the server works out.
    TooMany,
    /// A unique value is in use.
    Uniqueness,
    /// A readOnly, immutable or required attribute would change.
    Mutability,
    /// The body is not the message that was expected.
    InvalidSyntax,
    /// A PATCH path is malformed or names nothing known.
    InvalidPath,
    /// A PATCH path selects nothing.
    NoTarget,
    /// A value is missing or of the wrong type.
    InvalidValue,
    /// The protocol version is not served.
    InvalidVers,
    /// The request would put a sensitive value into an address.
    Sensitive,
    /// The cursor is none of ours, or belongs to another query (RFC 9865).
    InvalidCursor,
    /// The place of the cursor is gone (RFC 9865).
    ExpiredCursor,
    /// The count differs from that of the query's first page (RFC 9865).
    InvalidCount,
}

impl ScimType {
    /// The keyword as it is written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A refusal, as a SCIM client sees it. Made by the named functions only, so that wording and
/// status live in one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}{}: {detail}", scim_type.map(|t| format!(" {}", t.as_str())).unwrap_or_default())]
pub struct ScimError {
    /// HTTP status.
    pub status: u16,
    /// The keyword, where RFC 7644 has one for this case.
    pub scim_type: Option<ScimType>,
    /// One sentence for the administrator who reads the log of the identity provider.
    pub detail: String,
}

impl Serialize for ScimError {
    /// `status` is a string on the wire (RFC 7644 section 3.12).
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Error", 4)?;
        out.serialize_field("schemas", &[ERROR_URN])?;
        out.serialize_field("status", &self.status.to_string())?;
        if let Some(kind) = self.scim_type {
            out.serialize_field("scimType", kind.as_str())?;
        }
        out.serialize_field("detail", &self.detail)?;
        out.end()
    }
}

/// Client text, shortened and made printable for a detail.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(QUOTED) + 4);
    out.push('\'');
    for (taken, c) in text.chars().enumerate() {
        if taken == QUOTED {
            out.push('…');
            break;
        }
        // Also the marks that turn text round, which would garble the line around them.
        let turns = matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        out.push(if c.is_control() || turns { '\u{FFFD}' } else { c });
    }
    out.push('\'');
    out
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident = $status:literal $kind:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(detail: impl Into<String>) -> Self {
            Self { status: $status, scim_type: Some(ScimType::$kind), detail: detail.into() }
        })*
    };
}

macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident = $status:literal;)*) => {
        $($(#[$doc])*
        pub fn $name(detail: impl Into<String>) -> Self {
            Self { status: $status, scim_type: None, detail: detail.into() }
        })*
    };
}

impl ScimError {
    typed! {
        /// 400 invalidFilter.
        invalid_filter = 400 InvalidFilter;
        /// 400 tooMany.
        too_many = 400 TooMany;
        /// 409 uniqueness.
        uniqueness = 409 Uniqueness;
        /// 400 mutability.
        mutability = 400 Mutability;
        /// 400 invalidSyntax.
        invalid_syntax = 400 InvalidSyntax;
        /// 400 invalidPath.
        invalid_path = 400 InvalidPath;
        /// 400 noTarget.
        no_target = 400 NoTarget;
        /// 400 invalidValue.
        invalid_value = 400 InvalidValue;
        /// 400 invalidVers.
        invalid_version = 400 InvalidVers;
        /// 403 sensitive.
        sensitive = 403 Sensitive;
        /// 400 invalidCursor.
        invalid_cursor = 400 InvalidCursor;
        /// 400 expiredCursor.
        expired_cursor = 400 ExpiredCursor;
        /// 400 invalidCount.
        invalid_count = 400 InvalidCount;
    }

    plain! {
        /// 400 without a keyword.
        bad_request = 400;
        /// 401; the HTTP layer adds `WWW-Authenticate: Bearer`.
        unauthorized = 401;
        /// 403.
        forbidden = 403;
        /// 404.
        not_found = 404;
        /// 405.
        method_not_allowed = 405;
        /// 406.
        not_acceptable = 406;
        /// 408.
        request_timeout = 408;
        /// 409 for a conflict that is not about a unique value.
        conflict = 409;
        /// 412.
        precondition_failed = 412;
        /// 413.
        payload_too_large = 413;
        /// 415.
        unsupported_media_type = 415;
        /// 429; the HTTP layer adds `Retry-After` in whole seconds.
        too_many_requests = 429;
        /// 431.
        headers_too_large = 431;
        /// 500; the detail says nothing about the inside.
        internal = 500;
        /// 501.
        not_implemented = 501;
        /// 503.
        unavailable = 503;
    }

    /// 404 for a resource that is not there, or not for this source.
    pub fn no_such_resource(kind: crate::ResourceKind, id: &str) -> Self {
        Self::not_found(format!("no {} with id {}", kind.name(), quoted(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_a_string_on_the_wire() {
        let json = serde_json::to_value(ScimError::uniqueness("userName is in use")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"schemas": [ERROR_URN], "status": "409", "scimType": "uniqueness",
                               "detail": "userName is in use"})
        );
    }

    #[test]
    fn an_error_without_keyword_has_no_scim_type() {
        let json = serde_json::to_value(ScimError::not_found("no such path")).unwrap();
        assert!(json.get("scimType").is_none());
    }

    #[test]
    fn client_text_is_shortened_and_printable() {
        let text = quoted(&format!("a\u{0}b\u{202e}{}", "x".repeat(500)));
        assert!(text.chars().count() < 130 && !text.contains(['\u{0}', '\u{202e}']));
    }
}
