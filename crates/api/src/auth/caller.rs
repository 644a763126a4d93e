//! A caller that is known, and what a route needs of it.

use std::sync::Arc;

use axon_model::SourceId;
use axon_scim::{ResourceKind, ScimError};
use axon_store::{Scopes, TokenId};
use axum::http::Method;
use time::OffsetDateTime;

/// A connector of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose connector.
    pub source: SourceId,
    /// What it may do.
    pub scopes: Scopes,
    /// By what it is known, for what is remembered of it.
    pub(crate) by: Credential,
}

/// By what a caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// An opaque token of the store.
    Token(TokenId),
    /// A token that an issuer signed.
    Signed,
}

/// A caller that may be believed until an instant.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) caller: Arc<Caller>,
    pub(crate) until: Option<OffsetDateTime>,
}

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    write: bool,
    kind: Option<ResourceKind>,
}

impl Need {
    /// The need of a request, by its method and the pattern of its route. What it does not know writes.
    pub(crate) fn of(method: &Method, route: &str) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
            || (*method == Method::POST && route.ends_with("/.search"));
        let below = route.strip_prefix("/scim/v2/").unwrap_or(route);
        let kind = match below.split('/').next() {
            Some("Groups") => Some(ResourceKind::Group),
            Some("Users") => Some(ResourceKind::User),
            _ => None,
        };
        Self { write: !reads, kind }
    }

    /// The need of reading a kind.
    pub(crate) const fn to_read(kind: ResourceKind) -> Self {
        Self { write: false, kind: Some(kind) }
    }

    /// The need of one operation of a bulk request.
    pub(crate) const fn to_write(kind: ResourceKind) -> Self {
        Self { write: true, kind: Some(kind) }
    }
}

impl Caller {
    /// Refuses what goes beyond the scopes (RFC 6750 section 3.1, `insufficient_scope`).
    pub(crate) fn permits(&self, need: Need) -> Result<(), ScimError> {
        if need.write && !self.scopes.write {
            return Err(ScimError::forbidden("this token may read and may not write"));
        }
        if need.kind == Some(ResourceKind::Group) && !self.scopes.groups {
            return Err(ScimError::forbidden(
                "this token is for users only: groups are not shown or changed",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(scopes: &str, method: &Method, route: &str) -> bool {
        let caller = Caller {
            source: "entra".parse().unwrap(),
            scopes: scopes.parse().unwrap(),
            by: Credential::Signed,
        };
        caller.permits(Need::of(method, route)).is_err()
    }

    #[test]
    fn a_scope_opens_what_it_names() {
        let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
        for (scopes, method, route, is_refused) in [
            ("write", &patch, "/scim/v2/Groups/{id}", false),
            ("read", &get, "/scim/v2/Groups", false),
            ("read", &post, "/scim/v2/Users/.search", false),
            ("read", &post, "/scim/v2/.search", false),
            ("read", &post, "/scim/v2/Users", true),
            ("read", &post, "/scim/v2/Bulk", true),
            ("read", &patch, "/scim/v2/Users/{id}", true),
            ("read", &Method::from_bytes(b"BREW").unwrap(), "/scim/v2/Users", true),
            ("users-only", &get, "/scim/v2/Users", false),
            ("users-only", &post, "/scim/v2/Users", false),
            ("users-only", &get, "/scim/v2/Groups", true),
            ("users-only", &post, "/scim/v2/Groups/.search", true),
            ("users-only", &patch, "/scim/v2/Groups/{id}", true),
            ("read users-only", &post, "/scim/v2/Users", true),
            ("read users-only", &get, "/scim/v2/Schemas", false),
        ] {
            assert_eq!(refused(scopes, method, route), is_refused, "{scopes}: {method} {route}");
        }
    }
}
