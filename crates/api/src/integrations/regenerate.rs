//! `POST /integrations/{id}/regenerate`: Axon's login gets another password.

use axon_store::integrations::IntegrationStatus;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::caller::Caller;
use super::config::AccountKind;
use super::create::{ended, refuse_failed};
use super::fault::Fault;
use super::update::may_change;
use super::work::{Entry, Moment};
use super::{body, life, payload, shown};
use crate::operators::json;
use crate::state::Api;

/// Renews it with credentials that are shown for this alone.
pub(super) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    caller.writes()?;
    let found = life::find(&api, &id).await?;
    let given = body::read(request).await?;
    may_change(&found)?;
    let config = life::config(&found.body)?;
    if !found.body.automatic || config.account_kind != AccountKind::Sql {
        return Err(Fault::unprocessable(
            "Axon made no password here: change it where it was made, then send it with PUT",
        ));
    }
    let given =
        given.ok_or_else(|| Fault::bad("privileged credentials are needed: the payload is missing"))?;
    let login = payload::credentials(&given)?;
    let settings = life::settings(&api)?;
    let validation = settings.bench.validate(&config, Entry::Shown(&login), Moment::BeforeRenewal).await;
    refuse_failed(&validation)?;
    let mut row = found.body.clone();
    row.validation = validation.value();
    row.trouble = None;
    let act = caller.0.act(&api);
    let begun = life::begin(&api, &found, IntegrationStatus::Editing, row, act.clone(), "edit").await?;
    let answer = json(StatusCode::OK, &shown::begun(&begun));
    let (task, api_of_task) = (begun.clone(), api.clone());
    life::go_on(&api, begun, act, move |_| async move {
        let settings = life::settings(&api_of_task).map_err(|_| "no integrations API".to_owned())?;
        let kept = settings.bench.renew(task.id, &config, &login).await?;
        let seen = settings.bench.validate(&config, Entry::Kept(&kept), Moment::Standing).await;
        ended(&seen, life::in_use(&task, Some(kept), seen.value()))
    });
    Ok(answer)
}
