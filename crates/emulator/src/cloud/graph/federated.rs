//! Federated identity credentials of an application (reference 8.4).

use serde_json::json;

use super::{missing, refused};
use crate::cloud::Desk;
use crate::cloud::reply::Reply;
use crate::directory::{DirectoryApp, FederatedCredential};

/// The most of one application.
const MOST: usize = 20;

pub(super) fn answer(desk: &mut Desk<'_>, id: &str, one: Option<&str>) -> Reply {
    let is =
        |app: &DirectoryApp| app.registration_id.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(id));
    let Some(at) = desk.directory.apps.iter().position(is) else { return missing(desk, id) };
    match (desk.request.method.as_str(), one) {
        ("GET", None) => {
            let all: Vec<_> = desk.directory.apps[at].federated.iter().map(shown).collect();
            Reply::ok(&json!({"value": all}))
        }
        ("POST", None) => create(desk, at),
        ("DELETE", Some(one)) => {
            let own = &mut desk.directory.apps[at].federated;
            let before = own.len();
            own.retain(|credential| credential.id != one);
            if own.len() < before { Reply::empty(204) } else { missing(desk, one) }
        }
        _ => refused(
            desk,
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        ),
    }
}

fn shown(credential: &FederatedCredential) -> serde_json::Value {
    json!({"id": credential.id, "name": credential.name, "issuer": credential.issuer, "subject": credential.subject,
        "audiences": credential.audiences})
}

fn create(desk: &mut Desk<'_>, at: usize) -> Reply {
    let Ok(mut made) = desk.request.json::<FederatedCredential>() else {
        return refused(
            desk,
            400,
            "Request_BadRequest",
            "The credential has no name, issuer, subject or audiences.",
        );
    };
    let own = &desk.directory.apps[at].federated;
    if own.len() >= MOST {
        return refused(
            desk,
            400,
            "Directory_QuotaExceeded",
            "An application can have at most 20 federated identity credentials.",
        );
    }
    if made.audiences.len() != 1 {
        return refused(desk, 400, "Request_BadRequest", "Exactly one audience is needed.");
    }
    if own.iter().any(|other| other.issuer == made.issuer && other.subject == made.subject) {
        return refused(
            desk,
            400,
            "Request_MultipleObjectsWithSameKeyValue",
            "FederatedIdentityCredential with this issuer and subject already exists.",
        );
    }
    if own.iter().any(|other| other.name == made.name) {
        return refused(
            desk,
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            "FederatedIdentityCredential with this name already exists.",
        );
    }
    made.id = desk.state.next_id();
    made.works_from = desk.now.unix_timestamp().saturating_add(desk.state.settings.federation_seconds);
    let reply = Reply::json(201, &shown(&made));
    desk.directory.apps[at].federated.push(made);
    reply
}
