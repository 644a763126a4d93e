//! Who is calling, and with which parameters: made before any handler of SCIM runs.

use axon_model::{Actor, RequestId, SourceId};
use axon_scim::{ListQuery, Profile, Projection, ResourceKind, ScimError};
use axon_store::{Act, WriteContext};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};

use crate::reply::Refused;
use crate::state::Api;

/// An authenticated request's head.
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
    /// The headers.
    pub headers: HeaderMap,
}

impl FromRequestParts<Api> for Call {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let (source, profile) = authenticate(parts, api).await?;
        let query = ListQuery::parse(parts.uri.query().unwrap_or_default())?;
        let request = parts
            .extensions
            .get::<RequestId>()
            .cloned()
            .ok_or_else(|| ScimError::internal("internal error; the log has it by the request id"))?;
        Ok(Self { source, profile, request, query, base: base(parts, api), headers: parts.headers.clone() })
    }
}

async fn authenticate(parts: &Parts, api: &Api) -> Result<(SourceId, Profile), Refused> {
    let refuse = |why: &'static str| {
        metrics::counter!("axon_http_unauthorized_total", "why" => why).increment(1);
        Refused(ScimError::unauthorized("a valid bearer token of a configured source is needed"))
    };
    let value = parts.headers.get(header::AUTHORIZATION).ok_or_else(|| refuse("no-token"))?;
    let text = value.to_str().map_err(|_| refuse("not-a-token"))?.trim();
    let bearer = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let (shown, plain) = if bearer.is_some() { (text[7..].trim(), false) } else { (text, true) };
    if shown.is_empty() || shown.len() > 4096 {
        return Err(refuse("not-a-token"));
    }
    let token = match api.tokens.find(api.store.as_ref(), shown).await {
        Ok(found) => found.ok_or_else(|| refuse("unknown"))?,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "tokens cannot be read");
            return Err(ScimError::unavailable("tokens cannot be checked now; try again").into());
        }
    };
    if !token.accepted_at(api.clock.now()) {
        return Err(refuse("expired-or-revoked"));
    }
    // A source that the configuration no longer names speaks for nobody.
    let profile = *api.sources.get(&token.source).ok_or_else(|| refuse("source-not-configured"))?;
    if plain && !profile.plain_token {
        return Err(refuse("not-a-bearer-token"));
    }
    Ok((token.source, profile))
}

/// The configured address, or the one in the request.
fn base(parts: &Parts, api: &Api) -> String {
    if let Some(url) = &api.public_url {
        return format!("{}/scim/v2", url.trim_end_matches('/'));
    }
    let plain = |host: &&str| {
        host.len() <= 255 && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b))
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
    pub fn write(&self, api: &Api) -> Result<WriteContext, ScimError> {
        Ok(WriteContext {
            source: self.source.clone(),
            profile: self.profile,
            registry: api.registry.clone(),
            act: Act {
                actor: Actor::Source { source: self.source.clone() },
                request: Some(self.request.clone()),
                now: api.clock.now(),
                ids: api.ids.clone(),
            },
            if_match: self.versions(&header::IF_MATCH)?,
        })
    }

    /// What an answer shows.
    pub fn projection(&self, api: &Api, kind: ResourceKind) -> Projection {
        Projection::parse(
            self.query.attributes.as_deref(),
            self.query.excluded_attributes.as_deref(),
            &api.registry,
            kind,
        )
    }

    /// The versions in `If-Match` or `If-None-Match` (RFC 9110 section 13.1). None where the header is not there or is `*`.
    pub fn versions(&self, name: &HeaderName) -> Result<Option<Vec<u64>>, ScimError> {
        let mut versions = Vec::new();
        let mut any = false;
        for value in self.headers.get_all(name) {
            let text = value.to_str().map_err(|_| ScimError::bad_request(format!("{name} is not text")))?;
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                if tag == "*" {
                    return Ok(None);
                }
                any = true;
                let opaque = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
                // A tag that we never gave matches nothing.
                versions.extend(opaque.parse::<u64>().ok());
            }
        }
        Ok(any.then_some(versions))
    }
}
