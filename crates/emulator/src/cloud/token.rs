//! Access tokens: who gets one, and what one must say. They are not signed; the emulator says who is who, it keeps nobody out.

pub(super) mod assertion;
pub(super) mod authority;
pub(super) mod bearer;
pub(super) mod managed;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Desk;
use super::service::Service;
use crate::directory::DirectoryApp;

/// The part between the dots.
fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token of an application for an audience.
pub(super) fn issue(desk: &Desk<'_>, app: &DirectoryApp, audience: &str) -> String {
    let now = desk.now.unix_timestamp();
    let tenant = &desk.state.tenant_id;
    let claims = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now, "nbf": now,
        "exp": now.saturating_add(desk.state.settings.token_seconds), "appid": app.app_id, "idtyp": "app",
        "oid": app.object_id, "sub": app.object_id, "tid": tenant, "ver": "1.0",
    });
    format!("{}.{}.emulator", part(&json!({"typ": "JWT", "alg": "none"})), part(&claims))
}

/// The audience as it stands in the table of resources, for a resource or the beginning of a scope. One slash at the end, or two,
/// make no difference.
pub(super) fn known_audience(resource: &str) -> Option<&str> {
    let bare = resource.trim_end_matches('/');
    Service::AUDIENCES
        .contains(&bare)
        .then(|| resource.strip_suffix('/').filter(|r| r.ends_with('/')).unwrap_or(resource))
}
