//! Federated credentials of user-assigned managed identities (reference 8.4).

use serde_json::{Value, json};

use super::allowed;
use crate::cloud::Desk;
use crate::cloud::reply::Reply;

const PART: &str = "/federatedIdentityCredentials";

/// The answer to a GET of an identity's credentials.
pub(super) fn answer(desk: &Desk<'_>, path: &str) -> Option<Reply> {
    let at = path.len().checked_sub(PART.len())?;
    let (resource, part) = (path.get(..at)?, path.get(at..)?);
    if desk.request.method != "GET" || !part.eq_ignore_ascii_case(PART) {
        return None;
    }
    let action = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
    if let Err(refusal) = allowed(desk, action, resource) {
        return Some(*refusal);
    }
    let is = |own: &String| own.eq_ignore_ascii_case(resource);
    let found = desk.directory.apps.iter().find(|app| app.managed_identity.as_ref().is_some_and(is));
    Some(match found {
        Some(app) => {
            let shown = |one: &crate::directory::FederatedCredential| {
                json!({"id": format!("{path}/{}", one.name), "name": one.name,
                    "type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
                    "properties": {"issuer": one.issuer, "subject": one.subject, "audiences": one.audiences}})
            };
            let all: Vec<Value> = app.federated.iter().map(shown).collect();
            Reply::ok(&json!({"value": all}))
        }
        None => Reply::error(404, "ResourceNotFound", "The managed identity was not found."),
    })
}
