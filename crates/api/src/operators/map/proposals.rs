//! `/api/v1/map/proposals`: versions that wait for a second person, and the answers to them.

use axon_controller::versions;
use axon_model::MapVersion;
use axon_store::maps::{Answer, Proposal};
use axon_store::operators::Permission;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json as value};

use super::{hash, only, shown, text};
use crate::body::JsonBody;
use crate::operators::auth::operators;
use crate::operators::problem::of_refusal;
use crate::operators::{Operator, Problem, json};
use crate::state::Api;

/// How many are told: the newest.
const MOST: u32 = 50;

/// The newest proposals, answered ones too.
pub(in crate::operators) async fn list(
    State(api): State<Api>,
    operator: Operator,
) -> Result<Response, Problem> {
    operator.needs(Permission::MapRead)?;
    let now = api.clock.now();
    let proposals = api.store.map_proposals(MOST).await?;
    let list: Vec<Value> = proposals.iter().map(|one| shown::proposal(one, now)).collect();
    Ok(json(StatusCode::OK, &value!({ "proposals": list })))
}

/// One proposal, with its text.
pub(in crate::operators) async fn one(
    State(api): State<Api>,
    operator: Operator,
    Path(version): Path<String>,
) -> Result<Response, Problem> {
    operator.needs(Permission::MapRead)?;
    let version = hash(&version)?;
    let found = newest(&api, &version).await?;
    let files = api.store.proposed_files(&version).await?.unwrap_or_default();
    versions::is_of(&files, &version)?;
    let mut shown = shown::proposal(&found, api.clock.now());
    shown["files"] = shown::files(&files);
    Ok(json(StatusCode::OK, &shown))
}

async fn newest(api: &Api, version: &MapVersion) -> Result<Proposal, Problem> {
    let proposals = api.store.map_proposals(MOST).await?;
    let found = proposals.into_iter().find(|one| one.version == *version);
    found.ok_or_else(|| Problem::not_found("no version with this hash was proposed lately"))
}

/// Lets a version go on; another person than its author.
pub(in crate::operators) async fn release(
    State(api): State<Api>,
    operator: Operator,
    Path(version): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    answer(&api, &operator, &version, true, request).await
}

/// Says no to a version.
pub(in crate::operators) async fn reject(
    State(api): State<Api>,
    operator: Operator,
    Path(version): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    answer(&api, &operator, &version, false, request).await
}

async fn answer(
    api: &Api,
    operator: &Operator,
    version: &str,
    release: bool,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::MapRelease)?;
    let version = hash(version)?;
    let JsonBody(body) = JsonBody::from_request(request, api).await.map_err(|refused| refused.0)?;
    only(&body, &["reason"])?;
    let reason = text(&body, "reason")?.unwrap_or_default();
    let answer = Answer { by: operator.identity.clone(), release, reason };
    let gate = &operators(api)?.gate;
    let answered = gate.answer(api.store.as_ref(), &version, answer, operator.act(api)).await;
    let body = match answered.map_err(|refusal| of_refusal(refusal, false))? {
        Some(head) => value!({ "outcome": "in-force", "version": shown::head(&head) }),
        None => value!({ "outcome": "rejected" }),
    };
    Ok(json(StatusCode::OK, &body))
}
