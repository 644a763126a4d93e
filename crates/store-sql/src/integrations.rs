//! The rows of integrations.

use axon_audit::payload::{ActClear, OperatorAct};
use axon_store::integrations::{
    AddedIntegration, ENDED_INTEGRATIONS, Integration, IntegrationBody, IntegrationStatus, MOST_INTEGRATIONS,
};
use axon_store::{Act, StoreError};

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::journal;
use crate::session::Session;
use crate::writer::Txn;

/// A row: id, status, body, created, changed, version.
type Row = (i64, String, String, i64, i64, i64);

const ATTEMPT: &str = "read integrations";

fn integration(row: Row) -> Result<Integration, StoreError> {
    let (id, status, body, created, changed, version) = row;
    let place = Place { table: "integrations", row: &id };
    Ok(Integration {
        id: place.count("id", id)?,
        status: place.parsed("status", &status)?,
        body: place.json("body", &body)?,
        created: place.instant("created", created)?,
        changed: place.instant("changed", changed)?,
        version: place.count("version", version)?,
    })
}

fn text(body: &IntegrationBody) -> Result<String, StoreError> {
    serde_json::to_string(body).map_err(|error| StoreError::unavailable("keep an integration", error))
}

fn record(txn: &mut Txn, act: &Act, of: &Integration) -> Result<(), StoreError> {
    let words = format!("integration {} of {}", of.id, of.body.place());
    let payload = OperatorAct { act: format!("integration-{}", of.status), clear: ActClear { words } };
    journal::record(txn, act, payload)?;
    Ok(())
}

/// Keeps a new one, unless one stands in its place.
pub(crate) async fn add(
    txn: &mut Txn,
    body: IntegrationBody,
    act: Act,
) -> Result<AddedIntegration, StoreError> {
    let session = txn.session()?;
    let sql = "SELECT id FROM integrations WHERE place = $1 AND status NOT IN ('deleted', 'disabled')";
    let taken: Option<i64> = session.value(ATTEMPT, sql, args![body.place()]).await?;
    if let Some(taken) = taken {
        return Ok(AddedIntegration::Taken(Place { table: "integrations", row: &taken }.count("id", taken)?));
    }
    let sql = "SELECT count(*) FROM integrations WHERE status NOT IN ('deleted', 'disabled')";
    let standing: Option<i64> = session.value(ATTEMPT, sql, args![]).await?;
    if standing.is_some_and(|n| usize::try_from(n).is_ok_and(|n| n >= MOST_INTEGRATIONS)) {
        return Ok(AddedIntegration::Full);
    }
    let sql = "DELETE FROM integrations WHERE status IN ('deleted', 'disabled') AND id NOT IN (SELECT id FROM \
               integrations WHERE status IN ('deleted', 'disabled') ORDER BY id DESC LIMIT $1)";
    let kept = i64::try_from(ENDED_INTEGRATIONS).unwrap_or(i64::MAX);
    session.run("forget integrations that ended", sql, args![kept]).await?;
    let sql = "INSERT INTO integrations (place, status, body, created, changed, version) \
               VALUES ($1, $2, $3, $4, $4, 1) RETURNING id, status, body, created, changed, version";
    let status = IntegrationStatus::Creating.as_str();
    let args = args![body.place(), status, text(&body)?, micros(act.now)];
    let row: Option<Row> = session.first("keep an integration", sql, args).await?;
    let row = row.ok_or_else(|| StoreError::unavailable("keep an integration", "no row came back"))?;
    let new = integration(row)?;
    record(txn, &act, &new)?;
    Ok(AddedIntegration::New(new))
}

/// All that stand.
pub(crate) async fn all(session: &mut dyn Session) -> Result<Vec<Integration>, StoreError> {
    let sql = "SELECT id, status, body, created, changed, version FROM integrations WHERE status <> 'deleted' \
               ORDER BY id";
    let rows: Vec<Row> = session.all(ATTEMPT, sql, args![]).await?;
    rows.into_iter().map(integration).collect()
}

/// One.
pub(crate) async fn one(session: &mut dyn Session, id: u64) -> Result<Option<Integration>, StoreError> {
    let sql = "SELECT id, status, body, created, changed, version FROM integrations WHERE id = $1";
    let row: Option<Row> = session.first(ATTEMPT, sql, args![signed(id)]).await?;
    row.map(integration).transpose()
}

/// Changes one of this version.
pub(crate) async fn change(
    txn: &mut Txn,
    id: u64,
    version: u64,
    status: IntegrationStatus,
    body: IntegrationBody,
    act: Act,
) -> Result<Option<Integration>, StoreError> {
    let Some(old) = one(txn.session()?, id).await?.filter(|old| old.version == version) else {
        return Ok(None);
    };
    let sql = "UPDATE integrations SET place = $3, status = $4, body = $5, changed = $6, version = version + 1 \
               WHERE id = $1 AND version = $2 RETURNING id, status, body, created, changed, version";
    let args =
        args![signed(id), signed(version), body.place(), status.as_str(), text(&body)?, micros(act.now)];
    let row: Option<Row> = txn.session()?.first("change an integration", sql, args).await?;
    let Some(row) = row else { return Ok(None) };
    let new = integration(row)?;
    if new.status != old.status {
        record(txn, &act, &new)?;
    }
    Ok(Some(new))
}
