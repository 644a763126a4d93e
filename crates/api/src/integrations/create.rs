//! `POST /integrations`

use axon_store::integrations::{AddedIntegration, IntegrationBody, IntegrationStatus, Made};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json as value};

use super::caller::Caller;
use super::fault::Fault;
use super::life::{self, Ended};
use super::payload::{self, Payload};
use super::work::{Entry, Moment, Old, Validation, Verdict};
use super::{Integrations, LAYOUT, Login, TYPE, body, shown};
use crate::operators::json;
use crate::state::Api;

/// Looks, keeps the row, and goes on in the background.
pub(super) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Response, Fault> {
    caller.writes()?;
    let settings = life::settings(&api)?;
    let Payload { automatic, config, login, account } =
        payload::read(&body::needed(request).await?, settings)?;
    let taken = |id: u64| {
        Fault::conflict(format!("{TYPE} integration already exists on host {} (id = {id})", config.host))
    };
    let mut given_up = None;
    for other in api.store.integrations().await? {
        let old = life::config(&other.body)?;
        if !old.same_place(&config) {
            continue;
        }
        if !other.status.is_over() {
            return Err(taken(other.id));
        }
        let account = (&old.account, old.account_kind) == (&config.account, config.account_kind);
        if automatic
            && account
            && other.body.automatic
            && other.body.made.as_ref().is_some_and(|made| *made != Made::default())
        {
            given_up = Some((other, old));
        }
    }
    if settings.bench.filters_tables(&config) {
        return Err(Fault::conflict(
            "the role map in force filters tables of this database (`enforce: native`), which the account of an integration may not: \
             these views would show nothing. Take `enforce: native` out of the map first",
        ));
    }
    let moment = match (automatic, &given_up) {
        (false, _) => Moment::Standing,
        (true, None) => Moment::BeforeCreate,
        (true, Some(_)) => Moment::BeforeAgain,
    };
    let validation = settings.bench.validate(&config, Entry::Shown(&login), moment).await;
    let kept = if automatic { account.as_ref() } else { Some(&login) };
    let validation = validation.and(keeping(settings, kept));
    refuse_failed(&validation)?;
    let row = IntegrationBody {
        host: config.host.clone(),
        port: config.port,
        database: config.database.clone(),
        automatic,
        config: serde_json::to_value(&config).unwrap_or_default(),
        validation: validation.value(),
        layout: LAYOUT,
        ..IntegrationBody::default()
    };
    let act = caller.0.act(&api);
    let mut made = Made::default();
    if let Some((other, _)) = &given_up {
        // From here on it is this integration's, so that it goes with this one, and once.
        made = other.body.what_it_made();
        let (id, was) = (other.id, other.status);
        let body = IntegrationBody { made: Some(Made::default()), ..other.body.clone() };
        let ours = api.store.change_integration(id, other.version, was, body, act.clone()).await?;
        ours.ok_or_else(|| Fault::conflict("somebody else takes over what was given up here"))?;
    }
    let row = IntegrationBody { made: Some(made.clone()), ..row };
    let begun = match api.store.add_integration(row, act.clone()).await? {
        AddedIntegration::New(begun) => begun,
        AddedIntegration::Taken(id) => return Err(taken(id)),
        AddedIntegration::Full => {
            return Err(Fault::conflict("as many integrations stand as this server takes"));
        }
    };
    let answer = json(StatusCode::CREATED, &shown::begun(&begun));
    let (task, api_of_task) = (begun.clone(), api.clone());
    life::go_on(&api, begun, act, move |row: life::Row| async move {
        let settings = life::settings(&api_of_task).map_err(|_| "no integrations API".to_owned())?;
        let work = async {
            let kept = if automatic {
                let old = given_up.as_ref().map(|(_, old)| Old::GivenUp(old));
                let (bench, account) = (&settings.bench, account.as_ref());
                let keep = row.keep();
                bench.bring_up(task.id, &config, old, &login, account, &mut made, &keep).await?
            } else {
                Some(settings.bench.keep(task.id, &login).await?)
            };
            let kept = kept.ok_or("how Axon enters was not kept")?;
            let seen = settings.bench.validate(&config, Entry::Kept(&kept), Moment::Standing).await;
            ended(&seen, life::in_use(&task, Some(kept), seen.value()))
        };
        let done = work.await;
        Ok(life::with_made(&task, done, made))
    });
    Ok(answer)
}

/// Whether it can be kept how Axon enters afterwards: by `login`, else by an account with a password that is made.
pub(super) fn keeping(settings: &Integrations, login: Option<&Login>) -> Value {
    const NAME: &str = "Validate Secret Can Be Kept";
    if login.is_some_and(|login| !login.has_secret()) {
        return value!({ "name": NAME, "status": "skipped" });
    }
    match settings.bench.keeps() {
        Ok(()) => value!({ "name": NAME, "status": "passed" }),
        Err(message) => value!({ "name": NAME, "status": "failed", "message": message }),
    }
}

/// In use, if the last look found nothing.
pub(super) fn ended(seen: &Validation, body: IntegrationBody) -> Ended {
    match seen.told() {
        Some(told) => Err(told),
        None => Ok((IntegrationStatus::Enabled, body)),
    }
}

/// 422 with the tests, where one of them failed.
pub(super) fn refuse_failed(validation: &Validation) -> Result<(), Fault> {
    if validation.status == Verdict::Passed {
        return Ok(());
    }
    let told = validation.told().unwrap_or_default();
    Err(Fault::unprocessable(format!("the validation failed: {told}"))
        .with("validationResults", validation.value()))
}
