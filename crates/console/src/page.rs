//! What all pages share: head, navigation, and the headers that keep a page from being anything else than a page.

use axon_api::Unpacked;
use axon_api::operators::Problem;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::html::{El, el};
use crate::visitor::Visitor;
use crate::{sign_out, style};

/// Nothing is loaded but our own style, nothing runs, forms go to us alone, and nobody frames the page.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The pages that the navigation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where targets stand.
    Targets,
    /// Who reads as whom.
    Acting,
    /// What waits for a person.
    Holds,
    /// What is asked for beside the map.
    Requests,
}

impl Place {
    const ALL: [Self; 4] = [Self::Targets, Self::Acting, Self::Holds, Self::Requests];

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Targets => "/console",
            Self::Acting => "/console/acting",
            Self::Holds => "/console/holds",
            Self::Requests => "/console/requests",
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Targets => "Targets",
            Self::Acting => "Reading as another",
            Self::Holds => "Holds",
            Self::Requests => "Requests",
        }
    }
}

/// A page for somebody who is signed in.
pub fn page(
    visitor: &Visitor,
    here: Place,
    status: StatusCode,
    alert: Option<&str>,
    main: Vec<El>,
) -> Response {
    let links = Place::ALL.into_iter().map(|place| {
        let link = el("a").set("href", place.path()).text(place.name());
        let is_here = place == here;
        el("li").with(if is_here { link.set("aria-current", "page") } else { link })
    });
    let nav = el("nav").set("aria-label", "Console").with(el("ul").all(links));
    let out = visitor
        .form(sign_out::PATH)
        .with(el("span").set("class", "who").text(&visitor.operator.identity.name))
        .with(el("button").set("class", "quiet").text("Sign out"));
    let header = el("header")
        .with(el("a").set("class", "brand").set("href", Place::Targets.path()).text("Axon"))
        .with(nav)
        .with(out);
    let notice =
        visitor.said().map(|notice| el("p").set("role", "status").set("class", "notice").text(&notice));
    let main = el("main")
        .set("id", "main")
        .set("tabindex", "-1")
        .with(el("h1").text(here.name()))
        .all(alert.map(alerted))
        .all(notice)
        .all(main);
    whole(status, here.name(), el("body").with(skip()).with(header).with(main))
}

/// The page, or what went wrong.
pub fn answered(visitor: &Visitor, here: Place, result: Result<Response, Problem>) -> Response {
    result.unwrap_or_else(|problem| {
        let back = el("p").with(el("a").set("href", here.path()).text("Back"));
        let shown = page(visitor, here, problem.status(), Some(problem.detail()), vec![back]);
        told_when(shown, problem.status())
    })
}

/// A page for whoever is not signed in.
pub fn outside(status: StatusCode, title: &str, alert: Option<&str>, main: Vec<El>) -> Response {
    let header = el("header").with(el("span").set("class", "brand").text("Axon"));
    let main = el("main")
        .set("id", "main")
        .set("tabindex", "-1")
        .with(el("h1").text(title))
        .all(alert.map(alerted))
        .all(main);
    whole(status, title, el("body").with(skip()).with(header).with(main))
}

/// What went wrong, for whoever is not signed in or not known to be.
pub fn outside_problem(problem: &Problem) -> Response {
    let back = el("p").with(el("a").set("href", Place::Targets.path()).text("To the console"));
    let shown = outside(problem.status(), "Not done", Some(problem.detail()), vec![back]);
    told_when(shown, problem.status())
}

/// Sends the browser on to one of our pages, by GET.
pub fn go(path: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

/// The headers of every answer below `/console`.
pub async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    response.extensions_mut().insert(Unpacked);
    response
}

fn skip() -> El {
    el("a").set("class", "skip").set("href", "#main").text("Skip to the page")
}

fn alerted(text: &str) -> El {
    el("p").set("role", "alert").set("class", "alert").text(text)
}

fn told_when(mut response: Response, status: StatusCode) -> Response {
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn whole(status: StatusCode, title: &str, body: El) -> Response {
    let head = el("head")
        .with(el("meta").set("charset", "utf-8"))
        .with(el("meta").set("name", "viewport").set("content", "width=device-width, initial-scale=1"))
        .with(el("title").text(&format!("{title} · Axon")))
        .with(el("link").set("rel", "stylesheet").set("href", style::PATH));
    let document = el("html").set("lang", "en").with(head).with(body).document();
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
