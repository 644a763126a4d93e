//! The token endpoints of a machine and of an app: no secret, but who may ask is known by where they ask (reference 8.2).

use serde_json::json;

use super::{issue, known_audience};
use crate::cloud::Desk;
use crate::cloud::reply::Reply;
use crate::directory::DirectoryApp;

fn refused(status: u16, error: &str, text: &str) -> Reply {
    Reply::json(status, &json!({"error": error, "error_description": text}))
}

/// `GET /metadata/identity/oauth2/token`
pub(in crate::cloud) fn machine(desk: &Desk<'_>) -> Reply {
    if desk.request.method != "GET" {
        return refused(405, "method_not_allowed", "Method not allowed");
    }
    if desk.request.header("metadata") != Some("true") {
        return refused(400, "invalid_request", "Required metadata header not specified");
    }
    if desk.request.header("x-forwarded-for").is_some() {
        return refused(400, "invalid_request", "The request must not go through a proxy");
    }
    if desk.request.decoded_path() != "/metadata/identity/oauth2/token" {
        return refused(404, "not_found", "Not found");
    }
    token(desk, &["2018-02-01"], true)
}

/// `GET /msi/token`: what IDENTITY_ENDPOINT names.
pub(in crate::cloud) fn app(desk: &Desk<'_>) -> Reply {
    let Some(wanted) = &desk.state.identity_header else { return refused(404, "not_found", "Not found") };
    if desk.request.method != "GET" {
        return refused(405, "method_not_allowed", "Method not allowed");
    }
    if desk.request.header("x-identity-header") != Some(wanted) {
        return refused(403, "forbidden", "X-IDENTITY-HEADER is not the one of this app");
    }
    token(desk, &["2019-08-01"], false)
}

fn token(desk: &Desk<'_>, versions: &[&str], machine: bool) -> Reply {
    let version = desk.request.parameter("api-version").unwrap_or_default();
    if !versions.contains(&version.as_str()) {
        return refused(
            400,
            "invalid_request",
            "Required query variable 'api-version' is missing or not supported",
        );
    }
    let Some(resource) = desk.request.parameter("resource").filter(|resource| !resource.is_empty()) else {
        return refused(400, "invalid_request", "Required query variable 'resource' is missing");
    };
    let app = match identity(desk) {
        Ok(app) => app,
        Err(refusal) => return *refusal,
    };
    let Some(audience) = known_audience(&resource) else {
        return refused(
            400,
            "invalid_resource",
            "AADSTS500011: The resource principal was not found in the tenant.",
        );
    };
    let now = desk.now.unix_timestamp();
    // A machine's tokens hold for a day.
    let seconds = desk.state.settings.token_seconds;
    let mut body = json!({
        "access_token": issue(desk, app, audience), "client_id": app.app_id, "resource": resource, "token_type": "Bearer",
        "expires_on": now.saturating_add(seconds).to_string(),
    });
    if machine {
        let span = seconds.to_string();
        body["expires_in"] = span.as_str().into();
        body["ext_expires_in"] = span.into();
        body["not_before"] = now.to_string().into();
    }
    Reply::ok(&body)
}

fn identity<'d>(desk: &'d Desk<'_>) -> Result<&'d DirectoryApp, Box<Reply>> {
    let apps: Vec<&DirectoryApp> =
        desk.state.managed_identities.iter().filter_map(|id| desk.directory.app(id)).collect();
    let (client, object) = (desk.request.parameter("client_id"), desk.request.parameter("object_id"));
    let found = match (&client, &object) {
        (Some(id), _) => apps.iter().find(|app| app.app_id.eq_ignore_ascii_case(id)),
        (None, Some(id)) => apps.iter().find(|app| app.object_id.eq_ignore_ascii_case(id)),
        (None, None) if apps.len() > 1 => {
            let text = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request";
            return Err(Box::new(refused(400, "invalid_request", text)));
        }
        (None, None) => apps.first(),
    };
    found.copied().ok_or_else(|| Box::new(refused(400, "invalid_request", "Identity not found")))
}
