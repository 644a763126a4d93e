//! The rows of leases: who may work on a target, and in which generation.

use crate::args;
use crate::session::Session;
use axon_reconcile::LeaseProof;
use axon_store::{Lease, StoreError};
use time::{Duration, OffsetDateTime};

use crate::codec::{Place, micros, signed};
use crate::writer::Txn;

/// Takes a lease that nobody else holds. The generation grows unless the holder already held it without a gap.
pub(crate) async fn take(
    txn: &mut Txn,
    target: &str,
    holder: &str,
    ttl: Duration,
    now: OffsetDateTime,
) -> Result<Option<LeaseProof>, StoreError> {
    let at = txn.lease_clock(now).await?;
    let held = now + ttl;
    let sql = "INSERT INTO leases (target, holder, generation, until) VALUES ($1, $2, 1, $3) ON CONFLICT (target) \
               DO UPDATE SET generation = CASE WHEN leases.holder = excluded.holder AND leases.until > $4 THEN \
               leases.generation ELSE leases.generation + 1 END, holder = excluded.holder, until = excluded.until \
               WHERE leases.until <= $4 OR leases.holder = excluded.holder RETURNING leases.generation";
    let args = args![target, holder, micros(at + ttl), micros(at)];
    let generation: Option<i64> = txn.session()?.value("take a lease", sql, args).await?;
    proof(target, holder, generation, held)
}

/// Prolongs a lease that is still held.
pub(crate) async fn renew(
    txn: &mut Txn,
    lease: &LeaseProof,
    ttl: Duration,
    now: OffsetDateTime,
) -> Result<Option<LeaseProof>, StoreError> {
    let at = txn.lease_clock(now).await?;
    let held = now + ttl;
    let sql = "UPDATE leases SET until = $4 WHERE target = $1 AND holder = $2 AND generation = $3 AND until > $5 \
               RETURNING leases.generation";
    let args =
        args![lease.target(), lease.holder(), signed(lease.generation()), micros(at + ttl), micros(at)];
    let generation: Option<i64> = txn.session()?.value("prolong a lease", sql, args).await?;
    proof(lease.target(), lease.holder(), generation, held)
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
    txn.session()?
        .run(
            "give a lease back",
            "UPDATE leases SET until = 0 WHERE target = $1 AND holder = $2 AND generation = $3",
            args![lease.target(), lease.holder(), signed(lease.generation())],
        )
        .await?;
    Ok(())
}

/// Refuses where the lease has changed hands. A lease that ran out and that nobody took since still counts: nobody else
/// has worked in between.
pub(crate) async fn check(session: &mut dyn Session, lease: &LeaseProof) -> Result<(), StoreError> {
    let held: Option<i64> = session
        .value(
            "look at a lease",
            "SELECT 1 FROM leases WHERE target = $1 AND holder = $2 AND generation = $3 AND until > 0",
            args![lease.target(), lease.holder(), signed(lease.generation())],
        )
        .await?;
    held.map(|_| ()).ok_or_else(|| StoreError::LeaseLost(lease.target().to_owned()))
}

/// Who holds a lease, or held it last.
pub(crate) async fn read(session: &mut dyn Session, target: &str) -> Result<Option<Lease>, StoreError> {
    let row: Option<(String, i64, i64)> = session
        .first(
            "read a lease",
            "SELECT holder, generation, until FROM leases WHERE target = $1",
            args![target],
        )
        .await?;
    let Some((holder, generation, until)) = row else { return Ok(None) };
    let place = Place { table: "leases", row: &target };
    Ok(Some(Lease {
        holder,
        generation: place.count("generation", generation)?,
        until: place.instant("until", until)?,
    }))
}
