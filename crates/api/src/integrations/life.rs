//! From one status to the next: work on an integration is a task of its own, and its row says how far it is.

use std::pin::Pin;
use std::sync::Arc;

use axon_store::Act;
use axon_store::integrations::{Integration, IntegrationBody, IntegrationStatus, Made};
use serde_json::Value;
use tokio::sync::Mutex;

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
    let (one, other) = (&before.body, &now.body);
    let same = (&one.config, &one.login, one.layout, &one.made)
        == (&other.config, &other.login, other.layout, &other.made);
    // A look leaves an error as it is, with its reason.
    let is_as_it_was = before.status == now.status && one.trouble == other.trouble;
    let is_error = before.status.is_failed() || now.status.is_failed();
    is_looked_at(before.status) && is_looked_at(now.status) && same && (!is_error || is_as_it_was)
}

/// Whether an integration in this status is looked at from time to time: Axon has its account there.
pub(super) const fn is_looked_at(status: IntegrationStatus) -> bool {
    use IntegrationStatus as S;
    matches!(
        status,
        S::Enabled | S::RecurringValidationError | S::EditError | S::DeleteError | S::MigrateError
    )
}

/// What a piece of work ends in: the status, and what the integration is then.
pub(super) type Ended = Result<(IntegrationStatus, IntegrationBody), String>;

/// Under which lease the work on an integration is done: while it is held, somebody does it.
pub(super) fn lease(id: u64) -> String {
    format!("#integration-{id}")
}

/// For how long such a lease is taken.
pub(super) const LEASE: time::Duration = time::Duration::seconds(30);
/// How often it is prolonged.
const RENEWED: std::time::Duration = std::time::Duration::from_secs(10);

/// The row of an integration that is worked on.
#[derive(Clone)]
pub(super) struct Row {
    api: Api,
    act: Act,
    now: Arc<Mutex<Integration>>,
}

impl Row {
    /// What keeps in the row what was made.
    pub fn keep(
        &self,
    ) -> impl Fn(Made) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync {
        let row = self.clone();
        move |made| {
            let row = row.clone();
            Box::pin(async move {
                let (status, body) = {
                    let now = row.now.lock().await;
                    (now.status, IntegrationBody { made: Some(made), ..now.body.clone() })
                };
                row.write(status, body).await
            })
        }
    }

    async fn write(&self, status: IntegrationStatus, body: IntegrationBody) -> Result<(), String> {
        let mut now = self.now.lock().await;
        let act = Act { now: self.api.clock.now(), ..self.act.clone() };
        match self.api.store.change_integration(now.id, now.version, status, body, act).await {
            Ok(Some(new)) => {
                *now = new;
                Ok(())
            }
            Ok(None) => Err("somebody else has changed the integration".to_owned()),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    integration.id = now.id,
                    "an integration cannot be kept"
                );
                Err("the store does not keep it".to_owned())
            }
        }
    }
}

/// Does the work in a task of its own, under a lease, and writes down how it ended. A failure leaves what was before in use.
pub(super) fn go_on<F>(api: &Api, begun: Integration, act: Act, work: impl FnOnce(Row) -> F + Send + 'static)
where
    F: Future<Output = Ended> + Send + 'static,
{
    let api = api.clone();
    tokio::spawn(async move {
        let row = Row { api: api.clone(), act, now: Arc::new(Mutex::new(begun.clone())) };
        let work = work(row.clone());
        let of_turn = async {
            match api.integrations.as_deref() {
                Some(settings) => match settings.turns.acquire().await {
                    Ok(_turn) => work.await,
                    Err(_) => Err("this server stops".to_owned()),
                },
                None => Err("this server has no integrations API".to_owned()),
            }
        };
        let to_its_end = async {
            let (status, body) = of_turn.await.unwrap_or_else(|trouble| {
                tracing::warn!(integration.id = begun.id, trouble, "the work on an integration failed");
                failed(&begun, trouble)
            });
            metrics::counter!("axon_integrations_ended_total", "status" => status.as_str()).increment(1);
            if let Err(trouble) = row.write(status, body).await {
                tracing::warn!(
                    integration.id = begun.id,
                    trouble,
                    "how the work on an integration ended could not be kept"
                );
            }
        };
        if let Err(trouble) = leased(&api, begun.id, to_its_end).await {
            tracing::warn!(integration.id = begun.id, trouble, "the work on an integration was left");
        }
    });
}

/// Does something while the lease of an integration is held. Whoever lost it stops: another server has given the work up.
async fn leased(api: &Api, id: u64, work: impl Future<Output = ()>) -> Result<(), String> {
    let (store, clock) = (&api.store, &api.clock);
    let holder = format!("integration-{}", api.ids.uuid(clock.now()));
    let told = |error: axon_store::StoreError| error.to_string();
    let taken = store.try_lease(&lease(id), &holder, LEASE, clock.now()).await.map_err(told)?;
    let mut held = taken.ok_or("another server works on it")?;
    tokio::pin!(work);
    loop {
        tokio::select! {
            () = &mut work => break,
            () = tokio::time::sleep(RENEWED) => {}
        }
        match store.renew_lease(&held, LEASE, clock.now()).await {
            Ok(Some(longer)) => held = longer,
            Ok(None) => return Err("its lease was lost".to_owned()),
            // It may still be prolonged before it ends.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a lease cannot be prolonged");
            }
        }
    }
    store.release_lease(&held).await.map_err(told)
}

/// Where work ends that made something, or failed at that: what was made is kept in any case.
pub(super) fn with_made(
    begun: &Integration,
    ended: Ended,
    made: Made,
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

/// The test that says whether Axon enters as its own account.
pub(super) const OWN_ACCOUNT: &str = "Validate Axon System Account";

/// Why work is given up that a stopped server did, and what helps.
pub(super) fn lost(found: &Integration) -> String {
    use IntegrationStatus as S;
    let helps = match found.status {
        S::Creating if found.body.automatic => {
            let left = left(found);
            format!(
                "{left} Delete it with the same credentials, which takes away what was made, then create it again"
            )
        }
        S::Creating => "delete it, then create it again".to_owned(),
        S::Deleting => "delete it again".to_owned(),
        _ => "what was before is in use; send the change again".to_owned(),
    };
    format!("the server that did this was stopped before it was done: {helps}")
}

/// What a create that was not ended has made, or was about to make.
fn left(found: &Integration) -> String {
    let made = found.body.what_it_made();
    let account = found.body.config["account"].as_str().unwrap_or_default();
    let mut left = Vec::new();
    left.extend(made.login.then(|| format!("the login {account}")));
    left.extend(made.user.then(|| format!("the user {account}")));
    left.extend(made.owner.then(|| "the user axon_owner".to_owned()));
    left.extend(made.schemas.iter().map(|schema| format!("the schema {schema}")));
    if left.is_empty() {
        return "nothing was made.".to_owned();
    }
    format!("it made, or was about to make, {}.", left.join(", "))
}

/// An integration in use after its work.
pub(super) fn in_use(begun: &Integration, login: Option<Value>, validation: Value) -> IntegrationBody {
    let mut body = begun.body.clone();
    body.before = None;
    body.trouble = None;
    body.layout = LAYOUT;
    body.entered_as = body.config["account"].as_str().map(str::to_owned);
    body.validation = validation;
    if login.is_some() {
        body.login = login;
    }
    body
}
