//! Whoever looks at a page, and whoever sends a form.

use std::sync::Arc;

use axon_api::operators::{Operator, Problem};
use axon_api::{Api, Browser, Form};
use axon_store::operators::Permission;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use crate::html::{El, el};
use crate::session::Live;
use crate::{Console, cookie, page, same_site, sign_in};

/// The largest form, bytes: a reason of a thousand characters, two names, and what encoding makes of them.
pub const MOST: usize = 32 * 1024;

/// Somebody who is signed in, as an operator whom the operators' API would let in now.
pub struct Visitor {
    /// Who, and what they may do.
    pub operator: Operator,
    /// What the console is set up with.
    pub console: Arc<Console>,
    live: Live,
    cookie: String,
}

/// Why somebody is not one.
enum Away {
    /// Nobody has signed in, or that is over.
    SignedOut(&'static str),
    /// It cannot be said now.
    Problem(Problem),
}

impl Visitor {
    async fn of(parts: &Parts, api: &Api) -> Result<Self, Away> {
        let console = console(parts).map_err(Away::Problem)?;
        let browser = Browser::of(parts, api);
        let cookie = cookie::find(&parts.headers, browser.is_https).ok_or(Away::SignedOut("new"))?;
        let live = console.sessions.find(cookie, api.clock.now()).ok_or(Away::SignedOut("over"))?;
        // By the token itself, each time: what it may, whether it is accepted, and how often.
        match Operator::signed_in(parts, api, &live.token).await {
            Ok(operator) => Ok(Self { operator, live, cookie: cookie.to_owned(), console }),
            Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
                console.sessions.end(cookie);
                Err(Away::SignedOut("token"))
            }
            Err(problem) => Err(Away::Problem(problem)),
        }
    }

    /// Whether a control for this is worth showing. Whether it is done is not said here: the operators' API asks again.
    pub fn may(&self, permission: Permission) -> bool {
        self.operator.may.has(permission)
    }

    /// A form that posts to this path.
    pub fn form(&self, action: &str) -> El {
        let key = el("input").set("type", "hidden").set("name", "key").set("value", &self.live.form_key);
        el("form").set("method", "post").set("action", action).with(key)
    }

    /// Keeps what the next page says.
    pub fn say(&self, notice: String) {
        self.console.sessions.say(&self.cookie, notice);
    }

    /// What this page says.
    pub fn said(&self) -> Option<String> {
        self.console.sessions.said(&self.cookie)
    }

    /// Ends the session.
    pub fn leave(&self) {
        self.console.sessions.end(&self.cookie);
    }
}

/// What the console is set up with.
pub fn console(parts: &Parts) -> Result<Arc<Console>, Problem> {
    parts.extensions.get::<Arc<Console>>().cloned().ok_or_else(Problem::internal)
}

impl FromRequestParts<Api> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Response> {
        Self::of(parts, api).await.map_err(|away| match away {
            Away::SignedOut(why) => page::go(&format!("{}?{why}", sign_in::PATH)),
            Away::Problem(problem) => page::outside_problem(&problem),
        })
    }
}

/// A form that somebody who is signed in sent from one of our own pages. Each handler of a form takes this and nothing else.
pub struct Posted {
    /// Who sent it.
    pub visitor: Visitor,
    /// What they sent.
    pub form: Form,
}

impl FromRequest<Api> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        from_our_page(&parts, api).map_err(|problem| page::outside_problem(&problem))?;
        let visitor = match Visitor::of(&parts, api).await {
            Ok(visitor) => visitor,
            Err(Away::SignedOut(_)) => {
                let told = "Nothing was done: you are not signed in, or not any more.";
                return Err(sign_in::page(StatusCode::UNAUTHORIZED, Some(told)));
            }
            Err(Away::Problem(problem)) => return Err(page::outside_problem(&problem)),
        };
        let form = Form::read(&parts, body, MOST).await;
        let form = form.map_err(|problem| page::outside_problem(&problem))?;
        if !visitor.live.is_key(form.get("key")) {
            return Err(page::outside_problem(&forged()));
        }
        Ok(Self { visitor, form })
    }
}

/// Refuses a form of another site's page.
pub fn from_our_page(parts: &Parts, api: &Api) -> Result<(), Problem> {
    let is_ours = same_site::is_ours(&parts.headers, &Browser::of(parts, api).origins);
    if is_ours { Ok(()) } else { Err(forged()) }
}

fn forged() -> Problem {
    metrics::counter!("axon_operators_refused_total", "why" => "forged-form").increment(1);
    let detail = "nothing was done: the form did not come from a page of this session. Load the page again.";
    Problem::new(StatusCode::FORBIDDEN, "forged-form", detail)
}
