//! `DELETE /integrations/{id}`, and with `?force=true` a disable: then nothing is done in the database.

use axon_store::integrations::{Integration, IntegrationStatus};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json as value};

use super::caller::Caller;
use super::create::refuse_failed;
use super::fault::Fault;
use super::work::{Entry, Moment, Taken, Validation};
use super::{body, life, payload, shown};
use crate::operators::json;
use crate::state::Api;

/// What stands behind the question mark.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Way {
    #[serde(default)]
    force: bool,
}

/// Takes it away: an automatic one with credentials that are shown for this alone, a manual one after people ran the script.
pub(super) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    way: Result<Query<Way>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Response, Fault> {
    caller.writes()?;
    let Query(way) = way.map_err(|_| Fault::bad("the address may end in ?force=true and nothing else"))?;
    let found = life::find(&api, &id).await?;
    let given =
        body::read(request).await?.filter(|given| given.as_object().is_none_or(|map| !map.is_empty()));
    if found.status.is_busy() || found.status.is_over() {
        return Err(life::refuse(&found, "delete"));
    }
    let settings = life::settings(&api)?;
    let config = life::config(&found.body)?;
    // The reconciler would make again what is taken away, and grants would outlive what they were for.
    if let Some(target) = settings.bench.target_of(&config) {
        return Err(Fault::conflict(format!(
            "the role map in force has this database as its target {target}: take the target out of the map first; what the map made there goes with the integration"
        )));
    }
    let login = match (found.body.automatic && !way.force, given) {
        (true, None) => {
            return Err(Fault::bad(
                "privileged credentials are needed to take away what was made: the payload is missing",
            ));
        }
        (true, Some(given)) => Some(payload::credentials(&given)?),
        (false, Some(_)) => {
            return Err(Fault::bad("no credentials are taken here: send the request without a payload"));
        }
        (false, None) => None,
    };
    if way.force {
        return disable(&api, &caller, &found).await;
    }
    let validation = match &login {
        Some(login) => settings.bench.validate(&config, Entry::Shown(login), Moment::BeforeRemoval).await,
        None => Validation::of(vec![value!({
            "name": "Initial Validation: Connect", "status": "skipped",
            "message": "people ran the delete script: nothing is done in the database",
        })]),
    };
    refuse_failed(&validation)?;
    let mut row = found.body.clone();
    row.validation = validation.value();
    row.trouble = None;
    let act = caller.0.act(&api);
    let begun = life::begin(&api, &found, IntegrationStatus::Deleting, row, act.clone(), "delete").await?;
    let answer = json(StatusCode::OK, &shown::begun(&begun));
    let (task, api_of_task, by) = (begun.clone(), api.clone(), act.clone());
    life::go_on(&api, begun, act, move |_| async move {
        let settings = life::settings(&api_of_task).map_err(|_| "no integrations API".to_owned())?;
        let mut row = task.body.clone();
        if let Some(login) = login {
            let taken = settings.bench.take_down(&config, &login, &task.body.what_it_made(), &by).await?;
            row.validation = validation.and(of_map(&taken)).and(what_stays(&taken.stays)).value();
        }
        settings.bench.forget(task.id).await;
        row.login = None;
        row.made = None;
        row.entered_as = None;
        Ok((IntegrationStatus::Deleted, row))
    });
    Ok(answer)
}

/// The most lines that are listed.
const MOST: usize = 200;

/// What the role map made there, as a test.
fn of_map(taken: &Taken) -> Value {
    let mut test = value!({ "name": "What The Role Map Made", "status": "passed" });
    if !taken.of_map.is_empty() {
        test["result"] = taken.of_map.iter().take(MOST).map(|done| value!({ "name": done })).collect();
        let more = taken.of_map.len().saturating_sub(MOST);
        if more > 0 {
            test["message"] = value!(format!("and {more} more were taken away: the journal has them all"));
        }
    }
    if !taken.of_map_stays.is_empty() {
        test["status"] = value!("warning");
        let shown: Vec<&str> = taken.of_map_stays.iter().take(MOST).map(String::as_str).collect();
        let more = taken.of_map_stays.len() - shown.len();
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        let before = test["message"].as_str().map(|text| format!("{text}. ")).unwrap_or_default();
        test["message"] = value!(format!("{before}Stays: {}{more}", shown.join("; ")));
    }
    test
}

/// What is still there under the names of what was made, as a test.
fn what_stays(stays: &[String]) -> Value {
    let mut test = value!({ "name": "What Stays", "status": "passed" });
    if !stays.is_empty() {
        test["status"] = value!("warning");
        test["message"] = value!(format!("Axon did not make, or may not take: {}", stays.join(", ")));
        test["result"] = stays.iter().map(|one| value!({ "name": one })).collect();
    }
    test
}

/// Gives it up: the row stays and says so, its database may get another integration.
async fn disable(api: &Api, caller: &Caller, found: &Integration) -> Result<Response, Fault> {
    let mut row = found.body.clone();
    // A create in the same place takes this over.
    row.made = Some(row.what_it_made());
    row.entered_as = None;
    row.login = None;
    row.trouble = None;
    let act = caller.0.act(api);
    let ended = life::begin(api, found, IntegrationStatus::Disabled, row, act, "delete").await?;
    life::settings(api)?.bench.forget(found.id).await;
    Ok(json(StatusCode::OK, &shown::begun(&ended)))
}
