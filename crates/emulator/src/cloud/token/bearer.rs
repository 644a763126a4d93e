//! Who calls: the token in the request, checked for its audience and its time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::cloud::reply::Reply;
use crate::cloud::request::Request;
use crate::cloud::service::Service;
use crate::directory::Directory;

/// Who calls a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cloud) struct Caller {
    /// Object id.
    pub(in crate::cloud) id: String,
    /// Client id, of applications.
    pub(in crate::cloud) client: Option<String>,
    /// Object ids of all groups that it is in.
    pub(in crate::cloud) groups: Vec<String>,
}

impl Caller {
    /// Whether a row of this principal is the caller's.
    pub(in crate::cloud) fn is(&self, principal: &str) -> bool {
        self.id.eq_ignore_ascii_case(principal)
            || self.groups.iter().any(|group| group.eq_ignore_ascii_case(principal))
    }
}

#[derive(Debug, Deserialize)]
struct Claims {
    #[serde(default)]
    aud: String,
    oid: String,
    appid: Option<String>,
    tid: Option<String>,
    exp: i64,
}

fn claims(request: &Request) -> Option<Claims> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.len() > 64 * 1024 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The audience that a request's token names.
pub(in crate::cloud) fn audience(request: &Request) -> Option<String> {
    claims(request).map(|claims| claims.aud)
}

/// Who calls, or the 401 of the service.
pub(in crate::cloud) fn check(
    service: Service,
    request: &Request,
    tenant: &str,
    directory: &Directory,
    now: i64,
) -> Result<Caller, Box<Reply>> {
    let Some(wanted) = service.audience() else { return Ok(Caller::default()) };
    if request.header("authorization").is_none() {
        return Err(Box::new(refusal(service, Cause::Missing)));
    }
    let claims = claims(request).ok_or_else(|| Box::new(refusal(service, Cause::Broken)))?;
    if claims.aud.trim_end_matches('/') != wanted {
        return Err(Box::new(refusal(service, Cause::Audience)));
    }
    if claims.tid.as_deref().is_some_and(|own| !own.eq_ignore_ascii_case(tenant)) {
        return Err(Box::new(refusal(service, Cause::Tenant)));
    }
    if claims.exp <= now {
        return Err(Box::new(refusal(service, Cause::Expired)));
    }
    let groups = groups_of(directory, &claims.oid);
    Ok(Caller { id: claims.oid, client: claims.appid, groups })
}

/// The object ids of all groups that an object is in, also through other groups.
pub(in crate::cloud) fn groups_of(directory: &Directory, id: &str) -> Vec<String> {
    let is = |own: &str| own.eq_ignore_ascii_case(id);
    let mut names = vec![id];
    names.extend(directory.users.iter().filter(|user| is(&user.object_id)).map(|user| user.upn.as_str()));
    names.extend(
        directory.groups.iter().filter(|group| is(&group.object_id)).map(|group| group.display_name.as_str()),
    );
    for app in directory.apps.iter().filter(|app| is(&app.object_id)) {
        names.extend([app.display_name.as_str(), app.app_id.as_str()]);
    }
    directory.groups_of(&names).into_iter().map(|group| group.object_id.clone()).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Missing,
    Broken,
    Audience,
    Tenant,
    Expired,
}

/// The services' words are general knowledge, not recorded.
fn refusal(service: Service, cause: Cause) -> Reply {
    let (code, message) = match (service, cause) {
        (Service::Graph, Cause::Missing) => ("InvalidAuthenticationToken", "Access token is empty."),
        (Service::Graph, Cause::Audience) => {
            ("InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
        }
        (Service::Graph, Cause::Expired) => {
            ("InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        }
        (Service::Graph, Cause::Tenant) => {
            ("InvalidAuthenticationToken", "Access token is of another tenant.")
        }
        (Service::Graph, Cause::Broken) => {
            ("InvalidAuthenticationToken", "CompactToken parsing failed with error code: 80049217")
        }
        (Service::Arm, Cause::Audience) => (
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for wrong audience or resource. It should exactly match with one of the allowed audiences 'https://management.core.windows.net/','https://management.azure.com/'.",
        ),
        (Service::Arm, Cause::Tenant) => (
            "InvalidAuthenticationTokenTenant",
            "The access token is from the wrong issuer. It must match one of the tenants associated with this subscription.",
        ),
        (Service::Arm, Cause::Expired) => (
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
        ),
        (Service::Arm, Cause::Broken) => ("InvalidAuthenticationToken", "The access token is invalid."),
        (_, Cause::Missing) => {
            ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        }
        (_, Cause::Audience) => (
            "AuthenticationFailed",
            "Token Authentication failed with SecurityTokenInvalidAudienceException - IDX10214: Audience validation failed.",
        ),
        (_, Cause::Tenant) => (
            "AuthenticationFailed",
            "Token Authentication failed with SecurityTokenInvalidIssuerException - IDX10205: Issuer validation failed.",
        ),
        (_, Cause::Expired) => (
            "AuthenticationFailed",
            "Token Authentication failed with SecurityTokenExpiredException - IDX10223: Lifetime validation failed. The token is expired.",
        ),
        (_, Cause::Broken) => {
            ("AuthenticationFailed", "Token Authentication failed with SecurityTokenMalformedException.")
        }
    };
    let challenge = if cause == Cause::Missing {
        "Bearer".to_owned()
    } else {
        format!("Bearer error=\"invalid_token\", error_description=\"{message}\"")
    };
    Reply::error(401, code, message).header("www-authenticate", challenge)
}
