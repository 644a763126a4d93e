//! Service identities beside Graph: whether their ids are what the map says, and whether their federated credentials take what their
//! jobs present.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_azure::{Entra, Federation, Guid, ManagedIdentities, Presented};
use axon_mapping::{RoleMap, ServiceName};
use axon_store::Store;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};

use crate::wiring::{Parts, ids_of};

/// Under which name the store keeps what jobs presented.
const KEY: &str = "#parity services";
/// The most subjects that are kept of one service identity.
const MOST: usize = 16;
/// How many exchanges may wait to be looked at; more are not looked at, which delays nobody.
const QUEUE: usize = 256;
/// How long the same thing is not compared again.
const AGAIN: time::Duration = time::Duration::minutes(30);

/// What a job presented at the token exchange.
#[derive(Debug, Clone)]
pub struct Exchanged {
    /// The service identity.
    pub service: ServiceName,
    /// What the token said.
    pub presented: Presented,
}

/// What was presented and is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    issuer: String,
    subject: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// What was found out about one service identity.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceReport {
    /// Its name in the map.
    pub service: String,
    /// Its name in the targets.
    pub principal: String,
    /// Its object id, where it was found.
    pub object_id: Option<String>,
    /// Its client id, where it was found.
    pub client_id: Option<String>,
    /// How many federated credentials it has; none where they are kept elsewhere.
    pub credentials: Option<usize>,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What could not be found out.
    pub notes: Vec<String>,
}

/// Looks at every service identity of the map. Empty where nothing leads to Graph.
pub async fn services(parts: &Parts, map: &RoleMap) -> anyhow::Result<Vec<ServiceReport>> {
    let Ok(Some(auth)) = super::identity(map, None) else { return Ok(Vec::new()) };
    let Some(entra) = parts.ways()?.entra(auth)? else { return Ok(Vec::new()) };
    let managed = parts.ways()?.managed(auth)?;
    let seen = load(parts.store.as_ref()).await?;
    let mut reports = Vec::new();
    for name in map.services.keys() {
        let known = seen.get(name.as_str()).into_iter().flatten();
        let presented: BTreeSet<Presented> =
            known.map(|one| Presented { issuer: one.issuer.clone(), subject: one.subject.clone() }).collect();
        reports.extend(report(&entra, &managed, map, name, &presented).await);
    }
    Ok(reports)
}

async fn report(
    entra: &Entra,
    managed: &ManagedIdentities,
    map: &RoleMap,
    name: &ServiceName,
    presented: &BTreeSet<Presented>,
) -> Option<ServiceReport> {
    let service = map.services.get(name)?;
    let ids = ids_of(service);
    let mut report = ServiceReport {
        service: name.to_string(),
        principal: ids.name.clone(),
        object_id: None,
        client_id: None,
        credentials: None,
        problems: Vec::new(),
        notes: Vec::new(),
    };
    let found = match entra.service_identity(&ids).await {
        Ok(Ok(one)) => one,
        Ok(Err(problem)) => {
            report.problems.push(problem);
            return Some(report);
        }
        Err(unknown) => {
            report.notes.push(unknown);
            return Some(report);
        }
    };
    report.object_id = Some(found.id.to_string());
    report.client_id = found.client_id.map(|id| id.to_string());
    let declared = service.token.iter().flat_map(|token| {
        token
            .subject
            .iter()
            .map(|subject| Presented { issuer: token.issuer.clone(), subject: subject.clone() })
    });
    let wanted: BTreeSet<Presented> = declared.chain(presented.iter().cloned()).collect();
    let Some(client) = found.client_id.filter(|_| !wanted.is_empty()) else { return Some(report) };
    match credentials(entra, managed, client).await {
        Ok(Federation::Elsewhere) => report.notes.push(format!(
            "{} is the identity of one machine, or an application of another tenant: it has no federated credentials here to compare",
            ids.name
        )),
        Ok(federation) => {
            if let Federation::Of(all) = &federation {
                report.credentials = Some(all.len());
            }
            report.problems.extend(wanted.iter().filter_map(|one| federation.mismatch(one)));
            report.notes.extend(federation.unusual());
        }
        Err(unknown) => report.notes.push(unknown),
    }
    Some(report)
}

/// The federated credentials of an application, or of a managed identity.
async fn credentials(entra: &Entra, managed: &ManagedIdentities, client: Guid) -> Result<Federation, String> {
    match entra.federation(client).await? {
        Federation::Elsewhere => match entra.managed(client).await? {
            Some(resource) => managed.federation(&resource).await,
            None => Ok(Federation::Elsewhere),
        },
        found @ Federation::Of(_) => Ok(found),
    }
}

type Kept = BTreeMap<String, Vec<Shown>>;

async fn load(store: &dyn Store) -> anyhow::Result<Kept> {
    let summary = store.summary(KEY).await?;
    Ok(summary.and_then(|(value, _)| serde_json::from_value(value).ok()).unwrap_or_default())
}

/// Where exchanges are told, and the task that looks at them.
pub fn watch_exchanges(
    parts: Parts,
    map: Arc<dyn Fn() -> Arc<RoleMap> + Send + Sync>,
    mut stopped: watch::Receiver<bool>,
) -> mpsc::Sender<Exchanged> {
    let (tell, mut told) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut lately: BTreeMap<(ServiceName, Presented), OffsetDateTime> = BTreeMap::new();
        loop {
            let exchanged: Exchanged = tokio::select! {
                Some(exchanged) = told.recv() => exchanged,
                _ = stopped.wait_for(|stopped| *stopped) => return,
                else => return,
            };
            let now = parts.clock.now();
            lately.retain(|_, at| now - *at < AGAIN);
            let key = (exchanged.service.clone(), exchanged.presented.clone());
            if lately.insert(key, now).is_some() {
                continue;
            }
            if let Err(error) = noted(&parts, &map(), exchanged, now).await {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what a job presented was not compared with its credentials"
                );
            }
        }
    });
    tell
}

/// Keeps what a job presented, and compares it with its identity's credentials.
async fn noted(
    parts: &Parts,
    map: &RoleMap,
    exchanged: Exchanged,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let Exchanged { service, presented } = exchanged;
    let mut kept = load(parts.store.as_ref()).await?;
    kept.retain(|name, _| map.services.keys().any(|known| known.as_str() == name));
    let of_service = kept.entry(service.to_string()).or_default();
    of_service.retain(|one| one.issuer != presented.issuer || one.subject != presented.subject);
    of_service
        .insert(0, Shown { issuer: presented.issuer.clone(), subject: presented.subject.clone(), at: now });
    of_service.truncate(MOST);
    parts.store.save_summary(KEY, serde_json::to_value(&kept)?, now).await?;
    let Ok(Some(auth)) = super::identity(map, None) else { return Ok(()) };
    let Some(entra) = parts.ways()?.entra(auth)? else { return Ok(()) };
    let managed = parts.ways()?.managed(auth)?;
    if let Some(report) = report(&entra, &managed, map, &service, &BTreeSet::from([presented])).await {
        if !report.problems.is_empty() {
            tracing::warn!(service = %service, "a job's token would not be taken by Entra: `axon parity` says why");
        }
        for problem in &report.problems {
            tracing::debug!(service = %service, problem, "why");
        }
        let outcome = if report.problems.is_empty() { "agrees" } else { "differs" };
        metrics::counter!("axon_federation_compared_total", "outcome" => outcome).increment(1);
    }
    Ok(())
}
