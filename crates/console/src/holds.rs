//! `/console/holds`: what waits for a person, and the answers to it.

use axon_api::operators::{Problem, Taken, answer_hold, find_hold, open_holds};
use axon_api::{Api, Form};
use axon_store::operators::Permission;
use axon_store::{Ended, Hold, HoldEnd, HoldState};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::html::{El, el};
use crate::page::{Place, answered, go, page};
use crate::shown::{badge, instant, line, reason, row};
use crate::visitor::{Posted, Visitor};

/// What waits.
pub async fn show(State(api): State<Api>, visitor: Visitor) -> Response {
    let result = list(&api, &visitor).await;
    answered(&visitor, Place::Holds, result)
}

async fn list(api: &Api, visitor: &Visitor) -> Result<Response, Problem> {
    let open = open_holds(api, &visitor.operator).await?;
    let main = if open.is_empty() {
        vec![el("p").text("Nothing waits for a person.")]
    } else {
        open.iter().map(short).collect()
    };
    Ok(page(visitor, Place::Holds, StatusCode::OK, None, main))
}

fn short(hold: &Hold) -> El {
    let link = el("a").set("href", &path(hold)).text(&hold.held.what);
    el("article").set("class", "card").with(el("h2").with(link)).with(el("dl").all(rows(hold)))
}

fn path(hold: &Hold) -> String {
    format!("{}/{}", Place::Holds.path(), hold.id)
}

/// One, with all that it is about.
pub async fn one(State(api): State<Api>, Path(id): Path<String>, visitor: Visitor) -> Response {
    let result = detail(&api, &visitor, &id).await;
    answered(&visitor, Place::Holds, result)
}

async fn detail(api: &Api, visitor: &Visitor, id: &str) -> Result<Response, Problem> {
    let (hold, parts) = find_hold(api, &visitor.operator, id).await?;
    let mut card = el("article")
        .set("class", "card")
        .with(el("h2").text(&hold.held.what).text(" ").with(state(hold.state)))
        .with(el("dl").all(rows(&hold)).all(history(&hold)));
    if !parts.is_empty() {
        let items = parts.iter().map(|part| el("li").text(part));
        card = card.with(el("h3").text("What it is about")).with(el("ul").set("class", "steps").all(items));
    }
    if hold.state.stands() && visitor.may(Permission::HoldsRelease) {
        card = card.with(answers(visitor, &hold.id.to_string(), Place::Holds));
    }
    Ok(page(visitor, Place::Holds, StatusCode::OK, None, vec![card]))
}

fn rows(hold: &Hold) -> Vec<El> {
    let about = &hold.held;
    let mut rows: Vec<El> = line("Why", &about.why).into();
    rows.extend(about.target.iter().flat_map(|target| line("Target", target)));
    rows.extend(about.source.iter().flat_map(|source| line("Source", source.as_str())));
    rows.extend(row("Since", instant(hold.opened)));
    rows.extend(about.expires.iter().flat_map(|at| row("A no after", instant(*at))));
    rows.extend(line("A release means", about.kind.release_means()));
    if let Some(asked_by) = &about.terms.asked_by {
        rows.extend(line("Released by", &format!("somebody else than {asked_by}")));
    }
    if about.terms.people > 1 {
        rows.extend(line("Released by", "two persons"));
    }
    rows
}

fn history(hold: &Hold) -> Vec<El> {
    let told = |term: &str, end: &Ended| {
        let why = el("q").text(&end.reason);
        row(term, el("span").text(&format!("by {}, ", end.by)).with(instant(end.at)).text(": ").with(why))
    };
    let first = hold.first.iter().flat_map(|end| told("Released first", end));
    first.chain(hold.ended.iter().flat_map(|end| told("Answered", end))).collect()
}

fn state(state: HoldState) -> El {
    let class = match state {
        HoldState::Open => "waits",
        HoldState::Released | HoldState::Done => "good",
        HoldState::Rejected => "bad",
        HoldState::Expired | HoldState::Lapsed => "over",
    };
    badge(class, if state == HoldState::Open { "waits" } else { state.as_str() })
}

/// The two answers to a hold. `back`: the page that the next one is.
pub fn answers(visitor: &Visitor, id: &str, back: Place) -> El {
    let action = |verb: &str| format!("{}/{id}/{verb}", Place::Holds.path());
    let from = el("input").set("type", "hidden").set("name", "back").set("value", back.path());
    visitor
        .form(&action("release"))
        .set("class", "answer")
        .with(from)
        .with(reason(&format!("reason-{id}"), ""))
        .with(
            el("div")
                .set("class", "buttons")
                // The first is what the Enter key does.
                .with(el("button").set("class", "danger").set("formaction", &action("reject")).text("Reject"))
                .with(el("button").text("Release")),
        )
}

/// Lets something go on.
pub async fn release(State(api): State<Api>, Path(id): Path<String>, posted: Posted) -> Response {
    answer(&api, &id, HoldEnd::Release, posted).await
}

/// Says no.
pub async fn reject(State(api): State<Api>, Path(id): Path<String>, posted: Posted) -> Response {
    answer(&api, &id, HoldEnd::Reject, posted).await
}

async fn answer(api: &Api, id: &str, end: HoldEnd, posted: Posted) -> Response {
    let Posted { visitor, form } = posted;
    let back = back(&form);
    let reason = form.get("reason").unwrap_or_default();
    let taken = answer_hold(api, &visitor.operator, id, end, reason).await;
    let result = taken.map(|taken| {
        visitor.say(match taken {
            Taken::Ended(hold) => format!("{}: {}.", hold.held.what, hold.state.as_str()),
            Taken::Seconded(hold) => {
                format!(
                    "{}: noted. It takes two persons: somebody else has to release it, too.",
                    hold.held.what
                )
            }
        });
        go(back.path())
    });
    answered(&visitor, back, result)
}

/// The page that the form was on; never an address from it.
fn back(form: &Form) -> Place {
    if form.get("back") == Some(Place::Acting.path()) { Place::Acting } else { Place::Holds }
}
