//! The rows of sinks that have the journal.

use axon_model::RecordSeq;
use axon_reconcile::LeaseProof;
use axon_store::{Shipped, StoreError};
use time::OffsetDateTime;

use crate::args;
use crate::codec::{Place, micros, signed};
use crate::leases;
use crate::session::Session;
use crate::writer::Txn;

/// A row: position, at, trouble, trouble_since.
type Row = (i64, Option<i64>, Option<String>, Option<i64>);

/// Where a sink stands.
pub(crate) async fn read(session: &mut dyn Session, sink: &str) -> Result<Shipped, StoreError> {
    let sql = "SELECT position, at, trouble, trouble_since FROM shipping WHERE sink = $1";
    let row: Option<Row> = session.first("read where a sink stands", sql, args![sink]).await?;
    let Some((position, at, trouble, since)) = row else { return Ok(Shipped::default()) };
    let place = Place { table: "shipping", row: &sink };
    let since = since.map(|since| place.instant("trouble_since", since)).transpose()?;
    Ok(Shipped {
        position: RecordSeq(place.count("position", position)?),
        at: at.map(|at| place.instant("at", at)).transpose()?,
        trouble: trouble.zip(since),
    })
}

/// A sink has everything up to a position.
pub(crate) async fn forward(
    txn: &mut Txn,
    sink: &str,
    position: RecordSeq,
    at: OffsetDateTime,
    lease: &LeaseProof,
) -> Result<(), StoreError> {
    leases::check(txn.session()?, lease).await?;
    let sql = "INSERT INTO shipping (sink, position, at) VALUES ($1, $2, $3) ON CONFLICT (sink) DO UPDATE SET \
               position = CASE WHEN excluded.position > shipping.position THEN excluded.position ELSE \
               shipping.position END, at = excluded.at, trouble = NULL, trouble_since = NULL";
    txn.session()?.run("move a sink forward", sql, args![sink, signed(position.0), micros(at)]).await?;
    Ok(())
}

/// A sink did not take what was sent.
pub(crate) async fn failed(
    txn: &mut Txn,
    sink: &str,
    trouble: &str,
    at: OffsetDateTime,
    lease: &LeaseProof,
) -> Result<(), StoreError> {
    leases::check(txn.session()?, lease).await?;
    let sql = "INSERT INTO shipping (sink, position, trouble, trouble_since) VALUES ($1, 0, $2, $3) ON CONFLICT \
               (sink) DO UPDATE SET trouble = excluded.trouble, trouble_since = coalesce(shipping.trouble_since, \
               excluded.trouble_since)";
    txn.session()?.run("keep a sink's trouble", sql, args![sink, trouble, micros(at)]).await?;
    Ok(())
}
