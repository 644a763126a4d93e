//! Answers with a user that is kept: the same bytes as those that [`View`](crate::scim::render::View) writes of a user that
//! was read.

use axon_scim::compare::fold;
use axon_scim::{CompareOp, Expr, Literal, Projection, ResourceKind};
use axon_store::{Query, StoredUser};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::call::Call;
use crate::reads::{KeptUser, Reading};
use crate::reply::scim_text;
use crate::scim::render::entity_tag_value;
use crate::state::Api;

/// Whether an answer to this call can be made of what is kept: it shows what is shown by default, under an address that stands
/// in JSON as it is.
pub fn may_be(call: &Call, projection: &Projection) -> bool {
    *projection == Projection::all() && is_plain(&call.base)
}

/// Whether an address stands in JSON as it is.
pub fn is_plain(base: &str) -> bool {
    base.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// Keeps what was read.
pub fn keep(api: &Api, call: &Call, reading: Option<Reading>, user: &StoredUser) {
    let (Some(reading), Some(name)) = (reading, user.resource.user_name()) else { return };
    if api.defaults.kind(ResourceKind::User).covers(user.resource.as_map()) {
        api.reads.keep(reading, &call.source, user, &fold(name));
    }
}

/// The answer to a call for one user.
pub fn answer_call(call: &Call, user: &KeptUser) -> Response {
    if call.if_none_match.meets(user.version) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        headers(&mut response, &call.base, user);
        return response;
    }
    answer(&call.base, user)
}

/// The answer with one user, to who reaches SCIM under this address.
pub fn answer(base: &str, user: &KeptUser) -> Response {
    let mut body = Vec::with_capacity(user.length(base));
    user.write(base, &mut body);
    let mut response = scim_text(StatusCode::OK, body);
    headers(&mut response, base, user);
    response
}

fn headers(response: &mut Response, base: &str, user: &KeptUser) {
    response.headers_mut().insert(header::ETAG, entity_tag_value(user.version));
    if let Ok(value) = HeaderValue::try_from([base, user.path()].concat()) {
        response.headers_mut().insert(header::LOCATION, value);
    }
}

/// The folded name, where a query asks for the one user of a name and wants to see it.
pub fn one_name(query: &Query) -> Option<String> {
    let Expr::Compare { path, op: CompareOp::Eq, literal: Literal::Text { text, .. } } =
        query.filter.as_ref()?.expr()
    else {
        return None;
    };
    let by_name =
        path.extension.is_none() && path.attribute.name == "userName" && path.leaf().name == "userName";
    (by_name && query.cursor.is_none() && query.start <= 1 && query.count >= 1).then(|| fold(text))
}

/// The answer with a list of this one user.
pub fn answer_list(base: &str, user: &KeptUser) -> Response {
    const BEFORE: &[u8] = br#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"startIndex":1,"itemsPerPage":1,"Resources":["#;
    let mut body = Vec::with_capacity(BEFORE.len() + user.length(base) + 2);
    body.extend_from_slice(BEFORE);
    user.write(base, &mut body);
    body.extend_from_slice(b"]}");
    scim_text(StatusCode::OK, body)
}
