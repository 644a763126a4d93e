//! `POST /integrations/scripts/…` and `POST /integrations/{id}/scripts/…`: scripts that people read and run. None holds a credential.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::caller::Caller;
use super::fault::Fault;
use super::payload::Payload;
use super::update::{may_change, merged, refuse_other};
use super::work::{Entry, Script};
use super::{Config, body, life, payload};
use crate::operators::json;
use crate::state::Api;

/// For `master`, first.
pub(super) async fn initial_create(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fault> {
    of_payload(&api, &caller, Script::InitialCreate, request).await
}

/// For the database, second.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fault> {
    of_payload(&api, &caller, Script::Create, request).await
}

/// For one that never came into use.
pub(super) async fn cleanup(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fault> {
    of_payload(&api, &caller, Script::Cleanup, request).await
}

/// For `master`, last.
pub(super) async fn post_cleanup(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fault> {
    of_payload(&api, &caller, Script::PostCleanup, request).await
}

/// From what an integration is to what the payload says.
pub(super) async fn edit(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    caller.reads()?;
    let found = life::find(&api, &id).await?;
    let headers = request.headers().clone();
    let new = manual(payload::read(&body::needed(request).await?, life::settings(&api)?)?)?;
    may_change(&found)?;
    let old = life::config(&found.body)?;
    refuse_other(&found, &old, &new)?;
    answer(&api, &headers, Script::Edit, &merged(&old, new.config), Some(&old), None).await
}

/// Takes away what an integration made.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    caller.reads()?;
    let found = life::find(&api, &id).await?;
    let headers = request.headers().clone();
    // A payload says nothing here that the integration does not know.
    let _ = body::read(request).await?;
    // It names people and roles, and enters the pool.
    let entry = found.body.login.as_ref().filter(|_| caller.writes().is_ok()).map(Entry::Kept);
    answer(&api, &headers, Script::Delete, &life::config(&found.body)?, None, entry).await
}

async fn of_payload(api: &Api, caller: &Caller, script: Script, request: Request) -> Result<Response, Fault> {
    caller.reads()?;
    let headers = request.headers().clone();
    let new = manual(payload::read(&body::needed(request).await?, life::settings(api)?)?)?;
    answer(api, &headers, script, &new.config, None, None).await
}

fn manual(payload: Payload) -> Result<Payload, Fault> {
    if payload.automatic {
        return Err(Fault::bad("scripts are for `autoBootstrap` false: else Axon runs them itself"));
    }
    Ok(payload)
}

/// As a text; as one text of JSON for whoever asks for JSON.
async fn answer(
    api: &Api,
    headers: &HeaderMap,
    script: Script,
    config: &Config,
    old: Option<&Config>,
    entry: Option<Entry<'_>>,
) -> Result<Response, Fault> {
    let bench = &life::settings(api)?.bench;
    let text = bench.script(script, config, old, entry).await.map_err(Fault::unprocessable)?;
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/json") && !accepts.contains("text/plain") {
        return Ok(json(StatusCode::OK, &text));
    }
    let mut response = text.into_response();
    let answered = response.headers_mut();
    answered.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
