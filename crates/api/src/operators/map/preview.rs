//! `POST /api/v1/map/preview`: who would gain and lose what, against the map in force and the live directory.

use std::sync::Arc;

use axon_controller::World;
use axon_mapping::preview;
use axon_store::operators::Permission;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json as value;

use super::{files, only};
use crate::body::JsonBody;
use crate::operators::auth::operators;
use crate::operators::problem::of_refusal;
use crate::operators::{Operator, Problem, json};
use crate::state::Api;

/// The most steps of one target in an answer: a first map has one and more for each person.
const MOST_STEPS: usize = 1_000;

/// Answers the preview, as data and as Markdown for a comment. Changes nothing.
pub(in crate::operators) async fn handle(
    State(api): State<Api>,
    operator: Operator,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::MapRead)?;
    let operators = operators(&api)?;
    let JsonBody(body) = JsonBody::from_request(request, &api).await.map_err(|refused| refused.0)?;
    only(&body, &["files"])?;
    let files = files(&body)?;
    // Closed by nobody. A preview holds the whole directory: they follow each other.
    let _turn = operators.previews.acquire().await.map_err(|_| Problem::internal())?;
    let now = api.clock.now();
    let mut world = World::of(operators.claims.clone());
    world.follow(api.store.as_ref(), now).await?;
    let (old, gate, words) = ((operators.map)(), operators.gate.clone(), operators.words.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let new = Arc::new(gate.judge(&files, now)?);
        let compared = preview::Compared {
            old: Some(&old),
            new: &new,
            directory: world.directory(),
            identity: world.identity(),
            beside: world.beside(),
            now,
        };
        let both = preview::sides(compared);
        let found = preview::preview_of(compared, &both);
        // A target is asked for nothing here: what hangs on its tables is told by the command.
        let steps = preview::steps(compared, &both, &preview::TablesOf::new(), &*words, MOST_STEPS);
        let report = preview::Report { preview: &found, steps: &steps, every_step: false };
        let markdown = preview::markdown(&report);
        Ok((found.gives(), markdown, serde_json::to_value(&found), steps))
    });
    let looked = looking.await.map_err(|panicked| {
        tracing::error!(%panicked, "a preview ended");
        Problem::internal()
    })?;
    let (gives, markdown, preview, steps) = looked.map_err(|refusal| of_refusal(refusal, false))?;
    let preview = preview.map_err(|_| Problem::internal())?;
    Ok(json(
        StatusCode::OK,
        &value!({ "gives": gives, "preview": preview, "steps": steps, "markdown": markdown }),
    ))
}
