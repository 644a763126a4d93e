//! Looks by themselves, in `serve`: one replica at a time, a part at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axon_azure::parity::{DifferenceKind, Slow};
use axon_mapping::RoleMap;
use axon_model::{Actor, SourceId};
use axon_scim::Registry;
use axon_store::Act;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{Asked, Extent, Kept, Upstreams, carry, look, mapped, upstreams, waiting};
use crate::wiring::Parts;

/// How often it is looked whether a look is due or a person released something.
const PAUSE: Duration = Duration::from_secs(2);
/// Under which name the lease is kept, and for how much longer than the longest look it is taken.
const LEASE: &str = "#parity";
const HELD: time::Duration = time::Duration::minutes(5);
/// How long it is waited after a failure of the store or the configuration.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Looks until it is told to stop.
pub async fn keep(
    parts: Parts,
    map: Arc<dyn Fn() -> Arc<RoleMap> + Send + Sync>,
    mut stopped: watch::Receiver<bool>,
) {
    let every = time::Duration::seconds(i64::try_from(parts.config.parity.every_seconds).unwrap_or(i64::MAX));
    if every.is_zero() {
        return;
    }
    let registry = match parts.config.registry() {
        Ok(registry) => Arc::new(registry),
        Err(error) => return tracing::error!(error = %error, "parity is not looked at"),
    };
    let holder = format!("serve-{}", parts.ids.uuid(parts.clock.now()));
    let mut schedule = Schedule { parts, registry, holder, every, began: None, known: None, seen: None };
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let map = map();
        let looking = schedule.turn(&map);
        let looked = tokio::select! {
            looked = looking => looked,
            // What was read is lost, and read again.
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        if let Err(error) = looked {
            tracing::warn!(
                error = format!("{error:#}"),
                "identity providers were not compared with the directory"
            );
            tokio::select! {
                () = tokio::time::sleep(AFTER_FAILURE) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
        }
    }
}

struct Schedule {
    parts: Parts,
    registry: Arc<Registry>,
    holder: String,
    every: time::Duration,
    /// When this process began to wait for its first look.
    began: Option<OffsetDateTime>,
    /// The identity providers that a map leads to.
    known: Option<(Arc<RoleMap>, Upstreams)>,
    /// The last record that was there when no release waited.
    seen: Option<axon_model::RecordSeq>,
}

impl Schedule {
    /// How long the longest look takes, and a little more.
    fn held(&self) -> time::Duration {
        let parity = &self.parts.config.parity;
        HELD + time::Duration::minutes(i64::from(parity.requests / parity.requests_per_minute.max(1)))
    }

    async fn turn(&mut self, map: &Arc<RoleMap>) -> anyhow::Result<()> {
        let now = self.parts.clock.now();
        let began = *self.began.get_or_insert(now);
        if self.known.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, map)) {
            self.known = Some((map.clone(), upstreams(&self.parts, map)?));
        }
        let Some((_, upstreams)) = &self.known else { return Ok(()) };
        if upstreams.is_empty() {
            return Ok(());
        }
        let head = self.parts.store.head().await?.seq;
        let moved = self.seen != Some(head);
        for (source, upstream) in upstreams {
            let mut kept = Kept::load(self.parts.store.as_ref(), source).await?;
            let due = now - kept.at.unwrap_or(began) >= self.every;
            let (holds, about) = if moved || due {
                waiting::released(self.parts.store.as_ref(), source, &kept).await?
            } else {
                Default::default()
            };
            if !due && holds.is_empty() {
                continue;
            }
            let lease = self.parts.store.try_lease(LEASE, &self.holder, self.held(), now).await?;
            if lease.is_none() {
                return Ok(());
            }
            let extent = if due {
                let parity = &self.parts.config.parity;
                Extent::Some { groups: parity.groups, people: parity.people }
            } else {
                Extent::Differences
            };
            match upstream {
                Err(why) => kept.trouble = Some(why.clone()),
                Ok(upstream) => {
                    let parity = &self.parts.config.parity;
                    let mut slow = Slow::new(parity.requests, parity.requests_per_minute);
                    let directory = self.parts.store.load_directory().await.context("the directory")?;
                    let mapped = mapped(map, source, now);
                    let asked = Asked { extent, also: &about, mapped: &mapped };
                    let looking =
                        look(&directory, source, upstream.as_ref(), &mut kept, asked, &mut slow, now);
                    let read = looking.await;
                    let now = self.parts.clock.now();
                    carry::released(&self.parts, &self.registry, source, (&mut kept, &read), holds, now)
                        .await?;
                    let act = Act { actor: Actor::Axon, request: None, now, ids: self.parts.ids.clone() };
                    let terms = (grace(&self.parts), hold_for(&self.parts));
                    let wanted = waiting::wanted(source, &kept, &directory, terms, &act);
                    waiting::settle(self.parts.store.as_ref(), source, wanted, &kept, &act).await?;
                }
            }
            if due {
                kept.at = Some(now);
            }
            kept.save(self.parts.store.as_ref(), source, now).await?;
            measure(source, &kept);
            if let Some(trouble) = &kept.trouble {
                tracing::info!(source = %source, "the look at an identity provider ended early: `axon status` says why");
                tracing::debug!(source = %source, trouble, "why");
            }
        }
        if let Some(lease) = self.parts.store.try_lease(LEASE, &self.holder, self.held(), now).await? {
            self.parts.store.release_lease(&lease).await?;
        }
        self.seen = Some(head);
        Ok(())
    }
}

/// How long a removal has to be there before it waits for a person.
pub fn grace(parts: &Parts) -> time::Duration {
    time::Duration::seconds(i64::try_from(parts.config.parity.grace_seconds).unwrap_or(i64::MAX))
}

fn hold_for(parts: &Parts) -> Option<time::Duration> {
    parts.config.reconcile.holds_expire_days.map(|days| time::Duration::days(days.into()))
}

fn measure(source: &SourceId, kept: &Kept) {
    let source = source.to_string();
    let mut counts: BTreeMap<DifferenceKind, u32> =
        DifferenceKind::ALL.into_iter().map(|kind| (kind, 0)).collect();
    for known in kept.found.values() {
        *counts.entry(known.difference.kind).or_default() += 1;
    }
    for (kind, count) in counts {
        metrics::gauge!("axon_parity_differences", "source" => source.clone(), "kind" => kind.as_str())
            .set(f64::from(count));
    }
    let outcome = if kept.trouble.is_some() { "cut-short" } else { "whole" };
    metrics::counter!("axon_parity_looks_total", "source" => source.clone(), "outcome" => outcome)
        .increment(1);
    metrics::counter!("axon_parity_requests_total", "source" => source)
        .increment(kept.looked.requests.into());
}
