//! `GET /integrations`, `GET /integrations/{id}`, `GET /integrations/{id}/status`, and what other answers show.

use axon_store::integrations::Integration;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json as value};

use super::caller::Caller;
use super::fault::Fault;
use super::{TYPE, life};
use crate::operators::json;
use crate::state::Api;

/// What is answered when work on one begins.
pub(super) fn begun(found: &Integration) -> Value {
    let mut shown = value!({
        "id": found.id.to_string(),
        "status": found.status.as_str(),
        "validationResults": found.body.validation,
    });
    if let Some(trouble) = &found.body.trouble {
        shown["message"] = value!(trouble);
    }
    shown
}

/// One whole.
fn whole(api: &Api, found: &Integration) -> Result<Value, Fault> {
    let mut shown = begun(found);
    let config = life::config(&found.body)?;
    shown["type"] = value!(TYPE);
    shown["autoBootstrap"] = value!(found.body.automatic);
    shown["config"] = config.shown(found.body.automatic);
    // The target of the role map that is this database, where there is one.
    if let Some(target) = life::settings(api)?.bench.target_of(&config) {
        shown["target"] = value!(target);
    }
    Ok(shown)
}

/// All.
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Response, Fault> {
    caller.reads()?;
    let all = api.store.integrations().await?;
    let all = all.iter().map(|found| whole(&api, found)).collect::<Result<Vec<Value>, Fault>>()?;
    Ok(json(StatusCode::OK, &all))
}

/// One.
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    caller.reads()?;
    let found = life::find(&api, &id).await?;
    Ok(json(StatusCode::OK, &whole(&api, &found)?))
}

/// How far one is; of a deleted one, too.
pub(super) async fn status(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    caller.reads()?;
    let none = || Fault::none(&id);
    let number: u64 = id.parse().map_err(|_| none())?;
    let found = api.store.integration(number).await?.ok_or_else(none)?;
    Ok(json(StatusCode::OK, &begun(&found)))
}
