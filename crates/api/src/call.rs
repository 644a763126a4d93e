//! Who is calling, and with which parameters: made before any handler of SCIM runs.

mod authenticate;
mod condition;
mod dropped;

use axon_model::{Actor, RequestId, SourceId};
use axon_scim::{ListQuery, Notices, Profile, Projection, ResourceKind, ScimError};
use axon_store::{Act, WriteContext};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};

use crate::layers::Admitted;
use crate::reply::Refused;
use crate::state::Api;

pub use condition::Condition;
pub use dropped::Dropped;

/// The most names of `attributes` or `excludedAttributes`: more than all schemas have, few enough to be looked at for each
/// attribute of each resource of a page.
const MAX_NAMES: usize = 250;
/// The most comparisons of the filters among those names: they are made for each element that an answer shows.
const MAX_TERMS: usize = 50;

/// An authenticated request's head.
#[derive(Clone)]
pub struct Call {
    /// Whose token it was.
    pub source: SourceId,
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
        let (source, profile) = authenticate::authenticate(&parts.headers, api).await?;
        let query = match parts.uri.query() {
            Some(query) => ListQuery::parse(query)?,
            None => ListQuery::default(),
        };
        let admitted = parts
            .extensions
            .get::<Admitted>()
            .ok_or_else(|| ScimError::internal("internal error; the log has it by the request id"))?;
        if let Some(cared) = api.care.of(&source) {
            cared.admit(admitted).await?;
        }
        Ok(Self {
            source,
            profile,
            request: admitted.id.clone(),
            query,
            base: base(parts, api),
            if_match: Condition::read(&parts.headers, &header::IF_MATCH)?,
            if_none_match: Condition::read(&parts.headers, &header::IF_NONE_MATCH)?,
        })
    }
}

/// The configured address, or the one in the request. What a client says of its host goes back to that client alone.
fn base(parts: &Parts, api: &Api) -> String {
    if let Some(url) = &api.public_url {
        return format!("{}/scim/v2", url.trim_end_matches('/'));
    }
    let plain = |host: &&str| {
        (1..=255).contains(&host.len())
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b))
    };
    let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).filter(plain);
    let authority = parts.uri.authority().map(axum::http::uri::Authority::as_str).filter(plain);
    let scheme = if forwarded_https(&parts.headers) { "https" } else { "http" };
    format!("{scheme}://{}/scim/v2", host.or(authority).unwrap_or("localhost"))
}

fn forwarded_https(headers: &HeaderMap) -> bool {
    static FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-proto");
    headers.get(&FORWARDED).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"))
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
        }
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
        Ok(projection)
    }

    /// Tells operators what of a body was dropped.
    pub fn tell(&self, api: &Api, notices: &Notices) {
        if !notices.is_empty() {
            api.dropped.tell(&self.source, notices);
        }
    }
}
