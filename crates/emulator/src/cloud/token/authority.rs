//! `POST /{tenant}/oauth2/v2.0/token` with a secret, a certificate's assertion or a foreign token (reference 8.3, 8.4).

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::{assertion, issue, known_audience};
use crate::cloud::Desk;
use crate::cloud::reply::Reply;
use crate::directory::DirectoryApp;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Why there is no token: the number, its words, and what OAuth calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) error: &'static str,
    pub(super) code: u32,
    pub(super) text: String,
}

impl Refused {
    pub(super) fn client(code: u32, text: impl Into<String>) -> Self {
        Self { error: "invalid_client", code, text: text.into() }
    }

    fn request(code: u32, text: impl Into<String>) -> Self {
        Self { error: "invalid_request", code, text: text.into() }
    }
}

pub(in crate::cloud) fn answer(desk: &mut Desk<'_>) -> Reply {
    if desk.request.method != "POST" {
        return refusal(desk, &Refused::request(900_561, "The endpoint only accepts POST requests."));
    }
    match give(desk) {
        Ok(token) => {
            let seconds = desk.state.settings.token_seconds;
            Reply::ok(
                &json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}),
            )
        }
        Err(refused) => refusal(desk, &refused),
    }
}

fn refusal(desk: &mut Desk<'_>, refused: &Refused) -> Reply {
    let (trace, now) = (desk.state.next_id(), desk.now.format(&Rfc3339).unwrap_or_default());
    let status = if refused.error == "invalid_client" { 401 } else { 400 };
    let text = format!(
        "AADSTS{}: {} Trace ID: {trace} Correlation ID: {trace} Timestamp: {now}",
        refused.code, refused.text
    );
    Reply::json(
        status,
        &json!({"error": refused.error, "error_description": text, "error_codes": [refused.code],
            "timestamp": now, "trace_id": trace, "correlation_id": trace}),
    )
}

fn give(desk: &Desk<'_>) -> Result<String, Refused> {
    let field = |name| {
        let missing = || {
            Refused::request(
                900_144,
                format!("The request body must contain the following parameter: '{name}'."),
            )
        };
        desk.request.field(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    let path = desk.request.decoded_path();
    let tenant = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if !tenant.eq_ignore_ascii_case(&desk.state.tenant_id) {
        return Err(Refused::request(
            90_002,
            format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."),
        ));
    }
    if field("grant_type")? != "client_credentials" {
        return Err(Refused {
            error: "unsupported_grant_type",
            code: 70_003,
            text: "The app requested an unsupported grant type.".into(),
        });
    }
    let (client, scope) = (field("client_id")?, field("scope")?);
    let app = desk.directory.app(&client).filter(|app| app.account_enabled).ok_or_else(|| Refused {
        error: "unauthorized_client",
        code: 700_016,
        text: format!("Application with identifier '{client}' was not found in the directory '{tenant}'."),
    })?;
    prove(desk, app)?;
    let Some(resource) = scope.strip_suffix("/.default") else {
        return Err(Refused {
            error: "invalid_scope",
            code: 1_002_012,
            text: format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            ),
        });
    };
    let audience = known_audience(resource).ok_or_else(|| Refused {
        error: "invalid_resource",
        code: 500_011,
        text: format!("The resource principal named {resource} was not found in the tenant named {tenant}."),
    })?;
    Ok(issue(desk, app, audience))
}

fn prove(desk: &Desk<'_>, app: &DirectoryApp) -> Result<(), Refused> {
    if let Some(kind) = desk.request.field("client_assertion_type") {
        if kind != JWT_BEARER {
            return Err(Refused::request(50_027, "The client assertion type is not supported."));
        }
        return assertion::check(desk, app, &desk.request.field("client_assertion").unwrap_or_default());
    }
    let Some(secret) = desk.request.field("client_secret") else {
        return Err(Refused::client(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        ));
    };
    let held = app.secrets.iter().find(|own| own.value == secret).ok_or_else(|| {
        Refused::client(7_000_215, format!("Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{}'.", app.app_id))
    })?;
    if held.expires.is_some_and(|expires| expires <= desk.now.unix_timestamp()) {
        return Err(Refused::client(
            7_000_222,
            format!("The provided client secret keys for app '{}' are expired.", app.app_id),
        ));
    }
    Ok(())
}
