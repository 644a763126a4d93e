//! `/console/sign-out`: ends the session.

use axon_api::{Api, Browser};
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header;
use axum::response::Response;

use crate::page::go;
use crate::visitor::Posted;
use crate::{cookie, sign_in};

/// Where it is.
pub const PATH: &str = "/console/sign-out";

/// Ends it, here and in the browser.
pub async fn leave(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let is_https = Browser::of(&parts, &api).is_https;
    let posted = match Posted::from_request(Request::from_parts(parts, body), &api).await {
        Ok(posted) => posted,
        Err(refused) => return refused,
    };
    posted.visitor.leave();
    let mut response = go(&format!("{}?out", sign_in::PATH));
    if let Some(cleared) = cookie::clear(is_https) {
        response.headers_mut().insert(header::SET_COOKIE, cleared);
    }
    response
}
