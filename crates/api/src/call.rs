//! Who is calling, and with which parameters: made before any handler of SCIM runs.

mod condition;
mod dropped;

use std::sync::Arc;

use axon_model::{Actor, RequestId, SourceId};
use axon_scim::{Filter, ListQuery, Notices, Profile, Projection, ResourceKind, ScimError, Sort};
use axon_store::{Act, WriteContext};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

use crate::auth::{self, Caller, Need, Origin};
use crate::layers::Admitted;
use crate::reply::Refused;
use crate::state::Api;

pub use condition::Condition;
pub use dropped::Dropped;

/// The most names of `attributes` or `excludedAttributes`: more than all schemas have, few enough to be looked at for each
/// attribute of each resource of a page.
const MAX_NAMES: usize = 250;
/// The attribute of a user that tells of groups.
const GROUPS: &str = "groups";
/// The most comparisons of the filters among those names: they are made for each element that an answer shows.
const MAX_TERMS: usize = 50;

/// An authenticated request's head.
#[derive(Clone)]
pub struct Call {
    /// Whose token it was.
    pub source: SourceId,
    /// Who calls, and what the token may do.
    pub caller: Arc<Caller>,
    /// How that source speaks SCIM.
    pub profile: Profile,
    /// The request's id.
    pub request: RequestId,
    /// The query string.
    pub query: ListQuery,
    /// Where SCIM lives for this client, without a slash at the end.
    pub base: String,
    /// `If-Match`.
    pub if_match: Condition,
    /// `If-None-Match`.
    pub if_none_match: Condition,
}

impl FromRequestParts<Api> for Call {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let admitted = parts
            .extensions
            .get::<Admitted>()
            .ok_or_else(|| ScimError::internal("internal error; the log has it by the request id"))?;
        let (caller, profile) = auth::authenticate(&parts.headers, admitted, api).await?;
        // From here on whatever is refused is refused to this source, and counted so.
        if let Some(cared) = api.care.of(&caller.source) {
            cared.admit(admitted).await?;
        }
        caller.permits(Need::of(&parts.method, admitted.route().as_str())).inspect_err(|_| {
            let _ = admitted.lacks_scope.set(());
        })?;
        let source = caller.source.clone();
        let query = match parts.uri.query() {
            Some(query) => ListQuery::parse(query)?,
            None => ListQuery::default(),
        };
        Ok(Self {
            source,
            caller,
            profile,
            request: admitted.id.clone(),
            query,
            base: base(&parts.headers, &parts.uri, admitted.origin.get(), api),
            if_match: Condition::read(&parts.headers, &header::IF_MATCH)?,
            if_none_match: Condition::read(&parts.headers, &header::IF_NONE_MATCH)?,
        })
    }
}

/// The configured address, or the one of the connection, or what a trusted proxy says of it. What a client says of its host goes
/// back to that client alone.
pub fn base(headers: &HeaderMap, address: &Uri, origin: Option<&Origin>, api: &Api) -> String {
    if let Some(url) = &api.public_url {
        return [url.trim_end_matches('/'), "/scim/v2"].concat();
    }
    let scheme = if origin.is_some_and(|origin| origin.is_https) { "https" } else { "http" };
    let host = auth::host(origin, headers, address).unwrap_or("localhost");
    [scheme, "://", host, "/scim/v2"].concat()
}

impl Call {
    /// What a write is made with.
    pub fn write(&self, api: &Api) -> WriteContext {
        WriteContext {
            source: self.source.clone(),
            profile: self.profile,
            registry: api.registry.clone(),
            act: Act {
                actor: Actor::Source { source: self.source.clone() },
                request: Some(self.request.clone()),
                now: api.clock.now(),
                ids: api.ids.clone(),
            },
            if_match: self.if_match.versions(),
            unless: self.if_none_match.unless(),
        }
    }

    /// Refuses what the token is not for: one operation of many, or the groups in a filter.
    pub fn permits_write(&self, kind: ResourceKind) -> Result<(), ScimError> {
        self.caller.permits(Need::to_write(kind))
    }

    /// Refuses a filter that would tell of groups whom they are hidden from.
    pub fn permits_filter(&self, filter: &Filter) -> Result<(), ScimError> {
        let tells = |path: &axon_scim::AttrPath| path.extension.is_none() && path.attribute.name == GROUPS;
        if self.caller.scopes.groups || !filter.attributes().iter().any(tells) {
            return Ok(());
        }
        self.caller.permits(Need::to_read(ResourceKind::Group))
    }

    /// Refuses a sort that would tell of groups whom they are hidden from.
    pub fn permits_sort(&self, sort: &Sort) -> Result<(), ScimError> {
        let path = sort.path();
        if self.caller.scopes.groups || path.extension.is_some() || path.attribute.name != GROUPS {
            return Ok(());
        }
        self.caller.permits(Need::to_read(ResourceKind::Group))
    }

    /// What an answer shows. Looked at before anything is written: a bad choice must not follow a write.
    pub fn projection(&self, api: &Api, kind: ResourceKind) -> Result<Projection, ScimError> {
        let (attributes, excluded) =
            (self.query.attributes.as_deref(), self.query.excluded_attributes.as_deref());
        for (key, names) in [("attributes", attributes), ("excludedAttributes", excluded)] {
            if names.is_some_and(|names| names.bytes().filter(|b| *b == b',').count() >= MAX_NAMES) {
                return Err(ScimError::invalid_value(format!("{key} has more than {MAX_NAMES} names")));
            }
        }
        let projection = Projection::parse(attributes, excluded, &api.registry, kind);
        if projection.terms() > MAX_TERMS {
            let text = format!("the filters among the attributes have more than {MAX_TERMS} comparisons");
            return Err(ScimError::invalid_value(text));
        }
        self.caller.permits(Need::to_read(kind))?;
        Ok(if self.caller.scopes.groups { projection } else { projection.hiding(GROUPS) })
    }

    /// Tells operators what of a body was dropped.
    pub fn tell(&self, api: &Api, notices: &Notices) {
        if !notices.is_empty() {
            api.dropped.tell(&self.source, notices);
        }
    }
}
