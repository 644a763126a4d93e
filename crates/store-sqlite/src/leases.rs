//! The rows of leases: who may work on a target, and in which generation.

use axon_reconcile::LeaseProof;
use axon_store::{Lease, StoreError};
use sqlx::SqliteConnection;
use time::{Duration, OffsetDateTime};

use crate::codec::{Place, failed, micros, signed};
use crate::writer::Txn;

/// Takes a lease that nobody else holds. The generation grows unless the holder already held it without a gap.
pub(crate) async fn take(
    txn: &mut Txn,
    target: &str,
    holder: &str,
    ttl: Duration,
    now: OffsetDateTime,
) -> Result<Option<LeaseProof>, StoreError> {
    let until = now + ttl;
    let generation: Option<i64> = sqlx::query_scalar(
        "INSERT INTO leases (target, holder, generation, until) VALUES (?1, ?2, 1, ?3) \
         ON CONFLICT (target) DO UPDATE SET \
             generation = CASE WHEN holder = excluded.holder AND until > ?4 THEN generation ELSE generation + 1 END, \
             holder = excluded.holder, until = excluded.until \
             WHERE until <= ?4 OR holder = excluded.holder \
         RETURNING generation",
    )
    .bind(target)
    .bind(holder)
    .bind(micros(until))
    .bind(micros(now))
    .fetch_optional(txn.connection()?)
    .await
    .map_err(failed("take a lease"))?;
    proof(target, holder, generation, until)
}

/// Prolongs a lease that is still held.
pub(crate) async fn renew(
    txn: &mut Txn,
    lease: &LeaseProof,
    ttl: Duration,
    now: OffsetDateTime,
) -> Result<Option<LeaseProof>, StoreError> {
    let until = now + ttl;
    let generation: Option<i64> = sqlx::query_scalar(
        "UPDATE leases SET until = ?4 WHERE target = ?1 AND holder = ?2 AND generation = ?3 AND until > ?5 \
         RETURNING generation",
    )
    .bind(lease.target())
    .bind(lease.holder())
    .bind(signed(lease.generation()))
    .bind(micros(until))
    .bind(micros(now))
    .fetch_optional(txn.connection()?)
    .await
    .map_err(failed("prolong a lease"))?;
    proof(lease.target(), lease.holder(), generation, until)
}

fn proof(
    target: &str,
    holder: &str,
    generation: Option<i64>,
    until: OffsetDateTime,
) -> Result<Option<LeaseProof>, StoreError> {
    let Some(generation) = generation else { return Ok(None) };
    let generation = Place { table: "leases", row: &target }.count("generation", generation)?;
    Ok(Some(LeaseProof::taken(target.to_owned(), holder.to_owned(), generation, until)))
}

/// Gives a lease back. The row stays, so that the generation goes on growing.
pub(crate) async fn release(txn: &mut Txn, lease: &LeaseProof) -> Result<(), StoreError> {
    sqlx::query("UPDATE leases SET until = 0 WHERE target = ?1 AND holder = ?2 AND generation = ?3")
        .bind(lease.target())
        .bind(lease.holder())
        .bind(signed(lease.generation()))
        .execute(txn.connection()?)
        .await
        .map_err(failed("give a lease back"))?;
    Ok(())
}

/// Refuses where the lease has changed hands. A lease that ran out and that nobody took since still counts: nobody else
/// has worked in between.
pub(crate) async fn check(connection: &mut SqliteConnection, lease: &LeaseProof) -> Result<(), StoreError> {
    let held: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM leases WHERE target = ?1 AND holder = ?2 AND generation = ?3 AND until > 0",
    )
    .bind(lease.target())
    .bind(lease.holder())
    .bind(signed(lease.generation()))
    .fetch_optional(connection)
    .await
    .map_err(failed("look at a lease"))?;
    held.map(|_| ()).ok_or_else(|| StoreError::LeaseLost(lease.target().to_owned()))
}

/// Who holds a lease, or held it last.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    target: &str,
) -> Result<Option<Lease>, StoreError> {
    let row: Option<(String, i64, i64)> =
        sqlx::query_as("SELECT holder, generation, until FROM leases WHERE target = ?1")
            .bind(target)
            .fetch_optional(connection)
            .await
            .map_err(failed("read a lease"))?;
    let Some((holder, generation, until)) = row else { return Ok(None) };
    let place = Place { table: "leases", row: &target };
    Ok(Some(Lease {
        holder,
        generation: place.count("generation", generation)?,
        until: place.instant("until", until)?,
    }))
}
