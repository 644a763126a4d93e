//! `/console/acting`: reading secure views as another person: who does, who waits for it, who was refused.

use std::time::Duration;

use axon_api::operators::{
    ACTING, Acting, Problem, acting_targets, end_request, requests, start_acting, start_unread,
};
use axon_api::{Api, Form};
use axon_model::{AccessRequest, AccessState};
use axon_store::operators::Permission;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::holds;
use crate::html::{El, el};
use crate::page::{Place, answered, go, page};
use crate::shown::{self, field, reason};
use crate::targets::hidden;
use crate::visitor::{Posted, Visitor};

/// How many are shown of what has ended.
const ENDED: usize = 50;

/// The page.
pub async fn show(State(api): State<Api>, visitor: Visitor) -> Response {
    let result = whole(&api, &visitor, StatusCode::OK, None, None).await;
    answered(&visitor, Place::Acting, result)
}

/// The page, with what somebody typed that did not come to anything.
async fn whole(
    api: &Api,
    visitor: &Visitor,
    status: StatusCode,
    alert: Option<&str>,
    typed: Option<&Form>,
) -> Result<Response, Problem> {
    let mut main = Vec::new();
    let mut form = visitor.may(Permission::Grant).then(|| start_form(api, visitor, typed)).transpose()?;
    // Whoever typed something looks for it at the top.
    main.extend(form.take_if(|_| typed.is_some()));
    if visitor.may(Permission::HoldsRead) {
        let now = api.clock.now();
        let mut all = requests(api, &visitor.operator, ACTING).await?;
        all.reverse();
        let (stands, ended): (Vec<_>, Vec<_>) =
            all.iter().partition(|one| one.in_force_at(now) || one.state == AccessState::Proposed);
        let none =
            stands.is_empty().then(|| el("p").text("Nobody reads as another, and nobody waits for it."));
        let cards = stands.into_iter().map(|one| card(visitor, one, shown::request(one, now)));
        main.push(el("section").with(el("h2").text("Now")).all(none).all(cards));
        main.extend(form.take());
        if !ended.is_empty() {
            let title = format!("Ended or refused ({} of {})", ended.len().min(ENDED), ended.len());
            let cards = ended.into_iter().take(ENDED).map(|one| shown::request(one, now));
            main.push(el("section").with(el("h2").text(&title)).all(cards));
        }
    } else {
        main.extend(form.take());
        main.push(hidden());
    }
    Ok(page(visitor, Place::Acting, status, alert, main))
}

/// A request with what can be done about it.
fn card(visitor: &Visitor, request: &AccessRequest, card: El) -> El {
    let waits = request.hold.filter(|_| request.state == AccessState::Proposed);
    let answers = waits.filter(|_| visitor.may(Permission::HoldsRelease)).map(|hold| {
        let told = format!("Somebody else than {} has to release it.", request.asking.by);
        el("div").with(el("p").set("class", "hint").text(&told)).with(holds::answers(
            visitor,
            &hold.to_string(),
            Place::Acting,
        ))
    });
    let stop = visitor.may(Permission::Grant).then(|| {
        visitor
            .form(&format!("{}/{}/stop", Place::Acting.path(), request.id))
            .set("class", "answer")
            .with(reason(&format!("stop-{}", request.id), ""))
            .with(el("div").set("class", "buttons").with(el("button").set("class", "danger").text("Stop")))
    });
    card.all(answers).all(stop)
}

fn start_form(api: &Api, visitor: &Visitor, typed: Option<&Form>) -> Result<El, Problem> {
    let section = el("section").set("class", "card").with(el("h2").text("Start"));
    let targets = acting_targets(api)?;
    if targets.is_empty() {
        let told = "The role map in force lets nobody act as another: no role of it says impersonate.";
        return Ok(section.with(el("p").text(told)));
    }
    let was = |name: &str| typed.and_then(|form| form.get(name)).unwrap_or_default();
    let input = |kind: &str, name: &'static str| {
        el("input").set("type", kind).set("name", name).set("value", was(name)).set("autocomplete", "off")
    };
    let minutes = el("input")
        .set("type", "number")
        .set("name", "minutes")
        .set("value", if was("minutes").is_empty() { "30" } else { was("minutes") })
        .set("min", "1")
        .set("max", "525600")
        .flag("required", true);
    let sources: Vec<String> = api.sources.keys().map(ToString::to_string).collect();
    let session =
        "Only where the pool's sessions have no context: what SELECT SESSION_ID() says in it, as SID1234.";
    Ok(section.with(
        visitor
            .form(Place::Acting.path())
            .with(field(
                "user",
                "Who reads",
                "The user name, as the source pushes it.",
                input("text", "user").flag("required", true),
            ))
            .with(field(
                "as",
                "As whom",
                "The user name of the other person.",
                input("text", "as").flag("required", true),
            ))
            .all(choice("target", "Target", &targets, was("target"), None))
            .all(choice(
                "source",
                "Source of both",
                &sources,
                was("source"),
                Some("the one that knows the names"),
            ))
            .with(field("minutes", "For how many minutes", "The role map says the most.", minutes))
            .with(field(
                "reason",
                "Reason",
                "It stands in the journal beside both names.",
                input("text", "reason").set("maxlength", "1000"),
            ))
            .with(
                el("details")
                    .flag("open", !was("session").is_empty())
                    .with(el("summary").text("One session only"))
                    .with(field("session", "Session", session, input("text", "session"))),
            )
            .with(el("p").set("class", "hint").text(&visitor.console.how_to_act))
            .with(el("div").set("class", "buttons").with(el("button").text("Start"))),
    ))
}

/// A choice, where there is one. `any`: what no choice is called.
fn choice(name: &'static str, label: &str, all: &[String], was: &str, any: Option<&str>) -> Option<El> {
    let option =
        |value: &str, text: &str| el("option").set("value", value).flag("selected", value == was).text(text);
    let options = any.map(|any| option("", any)).into_iter().chain(all.iter().map(|one| option(one, one)));
    (all.len() > 1).then(|| field(name, label, "", el("select").set("name", name).all(options)))
}

/// Asks for it.
pub async fn start(State(api): State<Api>, posted: Posted) -> Response {
    let Posted { visitor, form } = posted;
    let started = match wish(&form) {
        Ok(wish) => start_acting(&api, &visitor.operator, wish).await,
        Err(problem) => {
            let named = (form.get("user"), form.get("as"));
            Err(start_unread(&api, &visitor.operator, named, problem).await)
        }
    };
    let problem = match started {
        Ok(request) => {
            visitor.say(if request.hold.is_some() {
                "Asked for. It waits for somebody else.".to_owned()
            } else {
                "Started. It counts as soon as it is written into the target.".to_owned()
            });
            return go(Place::Acting.path());
        }
        Err(problem) => problem,
    };
    let is_refusal = problem.status() == StatusCode::UNPROCESSABLE_ENTITY;
    let told = if is_refusal {
        format!("Refused, and on record: {}", problem.detail())
    } else {
        problem.detail().to_owned()
    };
    if !visitor.may(Permission::Grant) {
        return answered(&visitor, Place::Acting, Err(problem));
    }
    let result = whole(&api, &visitor, problem.status(), Some(&told), Some(&form)).await;
    answered(&visitor, Place::Acting, result)
}

fn wish(form: &Form) -> Result<Acting, Problem> {
    let text = |name: &str| form.get(name).map(str::to_owned);
    let needed =
        |name: &str, told: &str| text(name).ok_or_else(|| Problem::bad(format!("{told} is missing")));
    let minutes = needed("minutes", "for how many minutes")?.trim().parse::<u32>();
    let minutes = minutes.map_err(|_| Problem::bad("the number of minutes is no whole number"))?;
    Ok(Acting {
        actor: needed("user", "who reads")?,
        person: needed("as", "as whom")?,
        source: text("source"),
        target: text("target"),
        session: text("session"),
        length: Duration::from_secs(u64::from(minutes) * 60),
        reason: text("reason"),
    })
}

/// Ends it before its time.
pub async fn stop(State(api): State<Api>, Path(id): Path<String>, posted: Posted) -> Response {
    let Posted { visitor, form } = posted;
    let reason = form.get("reason").unwrap_or_default();
    let ended = end_request(&api, &visitor.operator, &id, ACTING, reason).await;
    let result = ended.map(|_| {
        visitor.say("Stopped.".to_owned());
        go(Place::Acting.path())
    });
    answered(&visitor, Place::Acting, result)
}
