//! GET by id of a user that is kept, answered where the request came in.
//!
//! Nothing has to be waited for: whose token it is stands in the book, and the source has a turn free. So no future is boxed, no
//! parameters are read and no clock for the request's time is set. Whatever is not as plain as that is left to [`super::get`],
//! which answers the same.

use axon_model::UserId;
use axum::extract::Request;
use axum::http::{Method, header};
use axum::response::Response;

use super::kept;
use crate::auth;
use crate::call;
use crate::layers::Admitted;
use crate::state::Api;

/// The answer, where it can be given at once.
pub fn answer(api: &Api, admitted: &Admitted, request: &Request) -> Option<Response> {
    let (headers, address) = (request.headers(), request.uri());
    let asks_for_more = address.query().is_some()
        || [header::IF_NONE_MATCH, header::IF_MATCH, header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
            .iter()
            .any(|name| headers.contains_key(name));
    if *request.method() != Method::GET || asks_for_more {
        return None;
    }
    let id: UserId = address.path().rsplit('/').next()?.parse().ok()?;
    let caller = auth::known_at_once(headers, api)?;
    let base = call::base(headers, address, admitted.origin.get(), api);
    if !caller.scopes.groups || !kept::is_plain(&base) {
        return None;
    }
    let cared = api.care.of(&caller.source)?;
    // Its turn is taken last: who goes the other way takes one there.
    let show = |user: &_| cared.admit_at_once(admitted).then(|| kept::answer(&base, user));
    api.reads.user(&caller.source, id, show).flatten()
}
