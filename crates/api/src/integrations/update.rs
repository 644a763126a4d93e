//! `PUT /integrations/{id}`

use axon_store::integrations::{Integration, IntegrationStatus};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::caller::Caller;
use super::create::{ended, keeping, refuse_failed};
use super::fault::Fault;
use super::payload::{self, Payload};
use super::work::{Entry, Moment, Old};
use super::{Config, LAYOUT, body, life, shown};
use crate::operators::json;
use crate::state::Api;

/// Whether one may be changed now.
pub(super) fn may_change(found: &Integration) -> Result<(), Fault> {
    use IntegrationStatus as S;
    match found.status {
        S::Enabled | S::EditError | S::DeleteError | S::MigrateError | S::RecurringValidationError => Ok(()),
        _ => Err(life::refuse(found, "edit")),
    }
}

/// What a change may not touch: the way there and back is to delete and to create.
pub(super) fn refuse_other(found: &Integration, old: &Config, new: &Payload) -> Result<(), Fault> {
    let config = &new.config;
    if new.automatic != found.body.automatic {
        return Err(Fault::unprocessable(
            "`autoBootstrap` must be what it was when the integration was created",
        ));
    }
    if !config.same_place(old) {
        return Err(Fault::unprocessable(
            "`host`, `port` and `database` cannot be changed: delete the integration and create another one",
        ));
    }
    if config.marks.is_some_and(|marks| marks != old.shown_marks()) {
        return Err(Fault::unprocessable(
            "`metadataDelimiters` cannot be changed while profiles are parted by them: disable the integration, then create it again",
        ));
    }
    if found.body.automatic && (config.account != old.account || config.account_kind != old.account_kind) {
        return Err(Fault::unprocessable(
            "`systemAccount` cannot be changed: delete the integration and create another one",
        ));
    }
    Ok(())
}

/// The new configuration on the old one's layout of profiles.
pub(super) fn merged(old: &Config, new: Config) -> Config {
    Config { marks: old.marks, host: old.host.clone(), database: old.database.clone(), ..new }
}

/// Looks, says that it is being changed, and goes on in the background.
pub(super) async fn handle(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    caller.writes()?;
    let settings = life::settings(&api)?;
    let found = life::find(&api, &id).await?;
    let payload = payload::read(&body::needed(request).await?, settings)?;
    may_change(&found)?;
    let old = life::config(&found.body)?;
    refuse_other(&found, &old, &payload)?;
    let Payload { automatic, config, login, account } = payload;
    let config = merged(&old, config);
    let moment = if automatic { Moment::BeforeChange } else { Moment::Standing };
    let mut validation = settings.bench.validate(&config, Entry::Shown(&login), moment).await;
    if let Some(kept) = if automatic { account.as_ref() } else { Some(&login) } {
        validation = validation.and(keeping(settings, Some(kept)));
    }
    refuse_failed(&validation)?;
    let mut row = found.body.clone();
    // An older row says from now on what it made, also if this is not ended.
    row.made = Some(row.what_it_made());
    row.before = Some(std::mem::replace(&mut row.config, serde_json::to_value(&config).unwrap_or_default()));
    row.validation = validation.value();
    row.trouble = None;
    // What an older version made is brought up to date by the same batches.
    let status = if row.layout < LAYOUT { IntegrationStatus::Migrating } else { IntegrationStatus::Editing };
    let act = caller.0.act(&api);
    let begun = life::begin(&api, &found, status, row, act.clone(), "edit").await?;
    let answer = json(StatusCode::OK, &shown::begun(&begun));
    let (task, api_of_task) = (begun.clone(), api.clone());
    life::go_on(&api, begun, act, move |row: life::Row| async move {
        let settings = life::settings(&api_of_task).map_err(|_| "no integrations API".to_owned())?;
        let mut made = task.body.what_it_made();
        let work = async {
            let kept = if automatic {
                let old = Some(Old::InUse(&old));
                let (bench, account) = (&settings.bench, account.as_ref());
                let keep = row.keep();
                bench.bring_up(task.id, &config, old, &login, account, &mut made, &keep).await?
            } else {
                Some(settings.bench.keep(task.id, &login).await?)
            };
            let entry = kept.as_ref().or(task.body.login.as_ref()).ok_or("how Axon enters was not kept")?;
            let seen = settings.bench.validate(&config, Entry::Kept(entry), Moment::Standing).await;
            ended(&seen, life::in_use(&task, Some(entry.clone()), seen.value()))
        };
        let done = work.await;
        Ok(life::with_made(&task, done, made))
    });
    Ok(answer)
}
