//! From one status to the next: work on an integration is a task of its own, and its row says how far it is.

use axon_store::Act;
use axon_store::integrations::{Integration, IntegrationBody, IntegrationStatus, MadeAccount};
use serde_json::Value;

use super::fault::Fault;
use super::{Config, Integrations, LAYOUT};
use crate::state::Api;

/// The settings, where this server has the API.
pub(super) fn settings(api: &Api) -> Result<&Integrations, Fault> {
    let off = || Fault::new(axum::http::StatusCode::NOT_FOUND, "this server has no integrations API");
    api.integrations.as_deref().ok_or_else(off)
}

/// An integration that was not deleted.
pub(super) async fn find(api: &Api, id: &str) -> Result<Integration, Fault> {
    let none = || Fault::none(id);
    let number: u64 = id.parse().map_err(|_| none())?;
    let found = api.store.integration(number).await?;
    found.filter(|found| found.status != IntegrationStatus::Deleted).ok_or_else(none)
}

/// What it is asked to be.
pub(super) fn config(body: &IntegrationBody) -> Result<Config, Fault> {
    serde_json::from_value(body.config.clone()).map_err(|error| {
        tracing::error!(%error, "the configuration of an integration cannot be read");
        crate::operators::Problem::internal().into()
    })
}

/// Refuses what cannot begin now.
pub(super) fn refuse(found: &Integration, verb: &str) -> Fault {
    Fault::conflict(format!(
        "Unable to {verb} integration with ID {} in current state {}.",
        found.id, found.status
    ))
}

/// How often a change is tried again that a look from time to time has overtaken.
const TIMES: u8 = 3;

/// Puts an integration into another status, unless somebody else was first. A look from time to time is nobody else: it changes what was
/// seen, not what the integration is.
pub(super) async fn begin(
    api: &Api,
    found: &Integration,
    status: IntegrationStatus,
    body: IntegrationBody,
    act: Act,
    verb: &str,
) -> Result<Integration, Fault> {
    let mut version = found.version;
    for _ in 0..TIMES {
        let begun =
            api.store.change_integration(found.id, version, status, body.clone(), act.clone()).await?;
        if let Some(begun) = begun {
            return Ok(begun);
        }
        let now = api.store.integration(found.id).await?.ok_or_else(|| Fault::none(&found.id.to_string()))?;
        if !is_only_looked_at(found, &now) {
            return Err(refuse(&now, verb));
        }
        version = now.version;
    }
    Err(refuse(found, verb))
}

/// Whether nothing but a look came between.
fn is_only_looked_at(before: &Integration, now: &Integration) -> bool {
    use IntegrationStatus as S;
    let stands = |one: &Integration| matches!(one.status, S::Enabled | S::RecurringValidationError);
    let same = (&before.body.config, &before.body.login, before.body.layout)
        == (&now.body.config, &now.body.login, now.body.layout);
    stands(before) && stands(now) && same
}

/// What a piece of work ends in: the status, and what the integration is then.
pub(super) type Ended = Result<(IntegrationStatus, IntegrationBody), String>;

/// Does the work in a task of its own, and writes down how it ended. A failure leaves what was before in use.
pub(super) fn go_on<F>(api: &Api, begun: Integration, act: Act, work: F)
where
    F: Future<Output = Ended> + Send + 'static,
{
    let api = api.clone();
    tokio::spawn(async move {
        let ended = match api.integrations.as_deref() {
            Some(settings) => match settings.turns.acquire().await {
                Ok(_turn) => work.await,
                Err(_) => Err("this server stops".to_owned()),
            },
            None => Err("this server has no integrations API".to_owned()),
        };
        let (status, body) = ended.unwrap_or_else(|trouble| {
            tracing::warn!(integration.id = begun.id, trouble, "the work on an integration failed");
            failed(&begun, trouble)
        });
        metrics::counter!("axon_integrations_ended_total", "status" => status.as_str()).increment(1);
        let act = Act { now: api.clock.now(), ..act };
        let kept = api.store.change_integration(begun.id, begun.version, status, body, act).await;
        match kept {
            Ok(Some(_)) => {}
            Ok(None) => {
                tracing::warn!(integration.id = begun.id, "somebody else has changed the integration");
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                integration.id = begun.id,
                "how the work on an integration ended could not be kept"
            ),
        }
    });
}

/// Where work ends that made something, or failed at that: what was made is kept in any case.
pub(super) fn with_made(
    begun: &Integration,
    ended: Ended,
    made: MadeAccount,
) -> (IntegrationStatus, IntegrationBody) {
    let (status, mut body) = ended.unwrap_or_else(|trouble| {
        tracing::warn!(integration.id = begun.id, trouble, "the work on an integration failed");
        failed(begun, trouble)
    });
    body.made = Some(made);
    (status, body)
}

/// Where work ends that failed.
pub(super) fn failed(begun: &Integration, trouble: String) -> (IntegrationStatus, IntegrationBody) {
    let mut body = begun.body.clone();
    if let Some(before) = body.before.take() {
        body.config = before;
    }
    body.trouble = Some(trouble);
    (begun.status.failed().unwrap_or(begun.status), body)
}

/// An integration in use after its work.
pub(super) fn in_use(begun: &Integration, login: Option<Value>, validation: Value) -> IntegrationBody {
    let mut body = begun.body.clone();
    body.before = None;
    body.trouble = None;
    body.layout = LAYOUT;
    body.validation = validation;
    if login.is_some() {
        body.login = login;
    }
    body
}
