//! `/console/requests`: roles for a while, and who is shut out.

use axon_api::Api;
use axon_api::operators::{Problem, requests};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::html::{El, el};
use crate::page::{Place, answered, page};
use crate::shown;
use crate::visitor::Visitor;

/// What waits or counts.
pub async fn show(State(api): State<Api>, visitor: Visitor) -> Response {
    let result = whole(&api, &visitor).await;
    answered(&visitor, Place::Requests, result)
}

async fn whole(api: &Api, visitor: &Visitor) -> Result<Response, Problem> {
    let now = api.clock.now();
    let hint = "They are asked for and ended on the command line (axon grant, axon offboard) and over the API. What waits for a \
                second person is among the holds.";
    let mut main = vec![el("p").set("class", "hint").text(hint)];
    for (title, kind, none) in [
        ("Roles for a while", "grant", "Nobody has a role for a while, and nobody waits for one."),
        ("Shut out", "offboard", "Nobody is shut out beside what the sources say."),
    ] {
        let all = requests(api, &visitor.operator, kind).await?;
        let cards: Vec<El> =
            all.iter().filter(|one| one.state.stands()).map(|one| shown::request(one, now)).collect();
        let empty = cards.is_empty().then(|| el("p").text(none));
        main.push(el("section").with(el("h2").text(title)).all(empty).all(cards));
    }
    Ok(page(visitor, Place::Requests, StatusCode::OK, None, main))
}
