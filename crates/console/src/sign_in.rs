//! `/console/sign-in`: an operator's token, shown once, for a session.

use axon_api::operators::{Operator, Problem};
use axon_api::{Api, Browser, Form};
use axon_store::TokenHash;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::cookie;
use crate::html::el;
use crate::page::{Place, go, outside};
use crate::visitor::{MOST, console, from_our_page};

/// Where it is.
pub const PATH: &str = "/console/sign-in";

/// Asks for a token, and says why, where somebody was signed in before.
pub async fn show(RawQuery(why): RawQuery) -> Response {
    let told = match why.as_deref() {
        Some("over") => Some("Your session is over. Sign in again."),
        Some("token") => Some("Your token is not accepted any more, so your session has ended."),
        Some("out") => Some("You are signed out."),
        _ => None,
    };
    page(StatusCode::OK, told)
}

/// The page.
pub fn page(status: StatusCode, told: Option<&str>) -> Response {
    let token = el("input")
        .set("type", "password")
        .set("id", "token")
        .set("name", "token")
        .set("autocomplete", "off")
        .set("aria-describedby", "token-hint")
        .flag("required", true)
        .flag("autofocus", true);
    let form = el("form")
        .set("method", "post")
        .set("action", PATH)
        .set("class", "card")
        .with(
            el("div")
                .set("class", "field")
                .with(el("label").set("for", "token").text("Operator's token"))
                .with(token)
                .with(el("p").set("id", "token-hint").set("class", "hint").text(
                    "As axon token create --operator printed it. It is shown once; then a session stands for it.",
                )),
        )
        .with(el("button").text("Sign in"));
    outside(status, "Sign in", told, vec![form])
}

/// Begins a session.
pub async fn enter(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let entered = async {
        from_our_page(&parts, &api)?;
        let console = console(&parts)?;
        let form = Form::read(&parts, body, MOST).await?;
        let token = form.get("token").unwrap_or_default().trim();
        Operator::signs_in(&parts, &api, token).await?;
        let browser = Browser::of(&parts, &api);
        // Whoever signs in anew leaves the session before.
        if let Some(before) = cookie::find(&parts.headers, browser.is_https) {
            console.sessions.end(before);
        }
        let begun = console.sessions.begin(TokenHash::of(token), &api.ids, api.clock.now());
        let begun = begun.ok_or_else(|| {
            tracing::warn!("nobody more can sign in to the console: too many are");
            let detail = "too many people are signed in; try again later";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        })?;
        cookie::set(begun.text(), browser.is_https).ok_or_else(Problem::internal)
    };
    match entered.await {
        Ok(cookie) => {
            let mut response = go(Place::Targets.path());
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        Err(problem) => {
            let told = match problem.status() {
                StatusCode::UNAUTHORIZED => "This token is not accepted.",
                _ => problem.detail(),
            };
            let mut response = page(problem.status(), Some(told));
            if problem.status() == StatusCode::TOO_MANY_REQUESTS {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            response
        }
    }
}
