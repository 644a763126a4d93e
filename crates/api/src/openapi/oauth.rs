//! The operations that give and take tokens.

use super::operation::{Family, Op};
use super::schema::{Part, closed, list, object, or_null, secret, some_object, text, the, whole, word};

fn op(id: &str, summary: &str) -> Op {
    Op::new(Family::Tokens, id, summary).fails(&[429, 500, 503])
}

fn issued() -> super::schema::Members {
    object()
        .has("access_token", text())
        .has("token_type", word(&["Bearer"]))
        .has("expires_in", whole(0, None))
}

fn client() -> super::schema::Members {
    object()
        .may("client_id", text())
        .may("client_secret", secret())
        .may("client_assertion_type", word(&["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]))
        .may("client_assertion", secret())
}

/// POST /oauth2/token
pub fn token() -> Op {
    let form = client().has("grant_type", word(&["client_credentials"])).may("scope", text());
    op("issueToken", "A short-lived token for a source's client")
        .told("Client credentials (RFC 6749 section 4.4): a secret, in the form or as Basic credentials, or an assertion (RFC 7523).")
        .takes(&form.part())
        .gives(200, "The token.", issued().has("scope", text()).part())
        .fails(&[401])
}

/// POST /oauth2/revoke
pub fn revoke() -> Op {
    op("revokeToken", "Take a token back (RFC 7009)")
        .takes(&client().has("token", secret()).may("token_type_hint", text()).part())
        .gives_empty(200, "It opens nothing any more, or never did.")
        .fails(&[401])
}

/// POST /api/v1/token
pub fn exchange() -> Op {
    let kinds = ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];
    let form = object()
        .has("grant_type", word(&["urn:ietf:params:oauth:grant-type:token-exchange"]))
        .has("subject_token_type", word(&kinds))
        .has("subject_token", secret())
        .may("requested_token_type", word(&["urn:ietf:params:oauth:token-type:access_token"]));
    let given = issued()
        .has("issued_token_type", text())
        .has("service", text())
        .has("map", text())
        .has("entitlements", entitlements());
    op("exchangeToken", "A job's signed token for what its service identity holds (RFC 8693)")
        .takes(&form.part())
        .gives(200, "A token that lives no longer than the job's.", given.part())
}

/// GET /api/v1/entitlements
pub fn held() -> Op {
    let told = object()
        .has("service", text())
        .has("job", some_object())
        .has("map", or_null(text()))
        .has("entitlements", entitlements());
    Op::new(Family::Operators, "getEntitlements", "What the service identity of an exchanged token holds now")
        .gives(200, "What it holds.", told.part())
}

fn entitlements() -> Part {
    list(the("Entitlement"))
}

/// What a service identity holds in one target.
pub(super) fn entitlement() -> Part {
    closed()
        .has("target", text())
        .has("principal", text())
        .has("roles", list(text()))
        .has("grants", list(text()))
        .part()
}
