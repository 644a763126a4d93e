//! `/console`: where targets stand.

use axon_api::Api;
use axon_api::operators::{Problem, Standing, standing};
use axon_controller::{State as Stands, Summary};
use axon_store::operators::Permission;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use time::OffsetDateTime;

use crate::html::{El, el};
use crate::page::{Place, answered, page};
use crate::shown::{badge, instant, line, row};
use crate::visitor::Visitor;

/// The page.
pub async fn show(State(api): State<Api>, visitor: Visitor) -> Response {
    let result = whole(&api, &visitor).await;
    answered(&visitor, Place::Targets, result)
}

async fn whole(api: &Api, visitor: &Visitor) -> Result<Response, Problem> {
    // Whoever may not see what waits can still sign in for what else the token is for.
    let main = if visitor.may(Permission::HoldsRead) {
        let all = standing(api, &visitor.operator).await?;
        if all.is_empty() {
            vec![el("p").text("The role map names no target.")]
        } else {
            all.iter().map(target).collect()
        }
    } else {
        vec![hidden()]
    };
    Ok(page(visitor, Place::Targets, StatusCode::OK, None, main))
}

/// What stands in the place of what somebody may not see.
pub fn hidden() -> El {
    el("p").set("class", "hint").text("Your token may not see what waits: it needs holds.read.")
}

fn target(standing: &Standing) -> El {
    let card = el("section").set("class", "card");
    let Some((summary, at)) = &standing.summary else {
        let head = el("h2").text(&standing.target).text(" ").with(badge("waits", "not looked at yet"));
        return card.with(head);
    };
    let head = el("h2").text(&standing.target).text(" ").with(badge(class(summary), summary.state.as_str()));
    card.with(head).with(el("dl").all(rows(summary, *at))).all(waiting(summary)).all(notes(summary))
}

const fn class(summary: &Summary) -> &'static str {
    match summary.state {
        Stands::LoginRefused | Stands::Unreachable | Stands::Refused | Stands::StoreFailed => "bad",
        _ if summary.trouble.is_some() || summary.breaker.is_some() => "bad",
        Stands::Converged => "good",
        Stands::Paused => "over",
        Stands::Starting | Stands::Pending | Stands::Observed | Stands::Busy | Stands::Elsewhere => "waits",
    }
}

fn rows(summary: &Summary, at: OffsetDateTime) -> Vec<El> {
    let mut rows: Vec<El> = row("Last look", instant(at)).into();
    rows.extend(line("Directory as of record", &summary.position.0.to_string()));
    rows.extend(line("Waits", &summary.waiting_total.to_string()));
    rows.extend(summary.trouble.iter().flat_map(|trouble| line("Trouble", trouble)));
    rows.extend(summary.breaker.iter().flat_map(|breaking| {
        let told = format!("{}, after {} failures in a row", breaking.standing.as_str(), breaking.failures);
        line("Circuit breaker", &told)
    }));
    rows
}

fn waiting(summary: &Summary) -> Option<El> {
    let shown = summary.waiting.len();
    let items = summary.waiting.iter().map(|waiting| {
        el("li")
            .text(&waiting.what)
            .with(el("p").set("class", "hint").text(&format!("waits for: {}", waiting.why)))
    });
    let title = format!("What waits ({shown} of {})", summary.waiting_total);
    (shown > 0).then(|| el("details").with(el("summary").text(&title)).with(el("ul").all(items)))
}

fn notes(summary: &Summary) -> Option<El> {
    let items = summary.notes.iter().map(|note| el("li").text(note));
    let title = format!("Notes ({})", summary.notes.len());
    (!summary.notes.is_empty())
        .then(|| el("details").with(el("summary").text(&title)).with(el("ul").all(items)))
}
