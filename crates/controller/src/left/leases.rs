//! The targets are held while they are taken away: no process reconciles there meanwhile.

use std::time::Duration;

use axon_model::Clock;
use axon_reconcile::LeaseProof;
use axon_store::{Act, Store};

use super::LeftError;

/// For how long the target is held at a time.
pub(super) const LEASE: time::Duration = time::Duration::minutes(5);
/// It is held for longer once less than this is left.
const SHORT: time::Duration = time::Duration::minutes(4);

/// The leases of the targets that are taken away: while they are held no process reconciles there.
pub struct Leases<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) clock: &'a dyn Clock,
    pub(super) proofs: Vec<LeaseProof>,
}

impl<'a> Leases<'a> {
    /// Takes them all, or none.
    pub async fn take(
        store: &'a dyn Store,
        clock: &'a dyn Clock,
        act: &Act,
        targets: &[String],
    ) -> Result<Self, LeftError> {
        let now = clock.now();
        let holder = format!("delete-{}", act.ids.uuid(now));
        let mut leases = Self { store, clock, proofs: Vec::new() };
        for target in targets {
            match store.try_lease(target, &holder, LEASE, now).await {
                Ok(Some(lease)) => leases.proofs.push(lease),
                Ok(None) => {
                    leases.give_back().await;
                    return Err(LeftError::Busy(target.clone()));
                }
                Err(error) => {
                    leases.give_back().await;
                    return Err(error.into());
                }
            }
        }
        Ok(leases)
    }

    /// Holds the targets for longer where not much is left. Fails where they are somebody else's by now: then nothing more may be sent.
    pub async fn hold(&mut self) -> Result<(), LeftError> {
        let now = self.clock.now();
        for lease in &mut self.proofs {
            if lease.until() - now >= SHORT {
                continue;
            }
            let Some(longer) = self.store.renew_lease(lease, LEASE, now).await? else {
                return Err(LeftError::Busy(lease.target().to_owned()));
            };
            *lease = longer;
        }
        Ok(())
    }

    /// Does something that cannot be called back, and holds the targets meanwhile: it is looked as often whether not much is left. It is done to
    /// its end also where they are lost.
    pub async fn hold_while<T>(
        &mut self,
        work: impl Future<Output = T>,
        every: Duration,
    ) -> (T, Result<(), LeftError>) {
        tokio::pin!(work);
        let mut held = Ok(());
        loop {
            tokio::select! {
                done = &mut work => return (done, held),
                () = tokio::time::sleep(every), if !matches!(held, Err(LeftError::Busy(_))) => {}
            }
            // A store that fails for a moment may take it at the next look.
            held = self.hold().await;
        }
    }

    /// Gives them back. One that cannot be is over by itself within minutes.
    pub async fn give_back(&self) {
        for lease in &self.proofs {
            if let Err(error) = self.store.release_lease(lease).await {
                tracing::warn!(
                    target.name = lease.target(),
                    error = &error as &dyn std::error::Error,
                    "a target could not be given back: it is free again within five minutes"
                );
            }
        }
    }
}
