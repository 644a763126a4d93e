//! What is on this machine: configuration, store, tokens of sources, role map.

use std::path::Path;

use axon_mapping::RoleMap;
use axon_store::TokenKind;
use axon_store_sql::schema::STEPS;
use time::Duration;

use super::report::{Report, count};
use crate::config::Config;
use crate::maps;
use crate::store::StorePlace;
use crate::wiring::{NOT_SIGNED, Parts, SIGNS, can_be_carried_out, load_config, load_map};

/// A token that ends sooner than this is worth a word.
const SOON: Duration = Duration::days(14);

/// The configuration, if it can be used.
pub fn configuration(path: &Path, report: &mut Report) -> Option<Config> {
    const AREA: &str = "configuration";
    match load_config(path) {
        Ok(config) => {
            report.well(AREA, format!("{} can be used", path.display()));
            for warning in config.claim_warnings() {
                report.found(
                    AREA,
                    warning,
                    "change the source in the configuration as it says, and start again",
                );
            }
            Some(config)
        }
        Err(error) => {
            let remedy = "mend the file at the place that is named, or name another one by --config or AXON_CONFIG; docs/OPERATIONS.md lists the keys";
            report.found(AREA, format!("{error:#}"), remedy);
            None
        }
    }
}

/// The store, if it is there and can be opened as it is. None is made, and its schema is left as it is.
pub async fn store(config: &Config, report: &mut Report) -> Option<Parts> {
    const AREA: &str = "store";
    const REACH: &str = "check `store` in the configuration: the file's folder must be there and writable, or the PostgreSQL server reachable and the password right";
    let place = match StorePlace::parse(&config.store) {
        Ok(place) => place,
        Err(error) => {
            report.found(AREA, format!("{error:#}"), REACH);
            return None;
        }
    };
    let applied = match place.applied().await {
        Ok(Some(applied)) => applied,
        Ok(None) => {
            let says = format!("there is none at {} yet", place.shown());
            report.found(AREA, says, "axon token create --source NAME makes it, and so does axon serve");
            return None;
        }
        Err(error) => {
            report.found(AREA, format!("{} cannot be opened: {error:#}", place.shown()), REACH);
            return None;
        }
    };
    if applied.iter().any(|found| STEPS.iter().all(|step| step.version != *found)) {
        let says = format!("{} has the schema of a later version of Axon", place.shown());
        report.found(AREA, says, "run that version, or restore the backup from before the upgrade");
        return None;
    }
    let pending = STEPS.iter().filter(|step| !applied.contains(&step.version)).count();
    if pending > 0 {
        let says = format!("{} lacks {} of the schema", place.shown(), count(pending, "step"));
        report.found(AREA, says, "back it up, then: axon store migrate");
        return None;
    }
    match Parts::open(config.clone()).await {
        Ok(parts) => {
            report.well(AREA, format!("{} is up to date", place.shown()));
            Some(parts)
        }
        Err(error) => {
            report.found(AREA, format!("{error:#}"), REACH);
            None
        }
    }
}

/// Whether each source has something to show who it is.
pub async fn sources(parts: &Parts, report: &mut Report) -> anyhow::Result<()> {
    let (now, tokens) = (parts.clock.now(), parts.store.tokens().await?);
    for (id, source) in &parts.config.sources {
        let area = format!("source {id}");
        let signed = source.auth.signed.len() + source.auth.federated.len();
        let good: Vec<_> = tokens
            .iter()
            .filter(|t| t.source == *id && t.accepted_at(now) && !matches!(t.kind, TokenKind::Access { .. }))
            .collect();
        if good.is_empty() && signed == 0 {
            let remedy = format!("axon token create --source {id}, and give what it prints to the provider");
            report.found(&area, "nothing that it could show is accepted: its pushes get 401", remedy);
            continue;
        }
        // The one that lasts longest tells how long the source can push.
        let lasts =
            good.iter().all(|t| t.expires.is_some()).then(|| good.iter().filter_map(|t| t.expires).max());
        match lasts.flatten() {
            Some(until) if signed == 0 && until < now + SOON => {
                let says = format!("its last token is accepted until {} only", until.date());
                report.found(
                    &area,
                    says,
                    format!("axon token rotate: a new one for source {id}, before that day"),
                );
            }
            _ => {
                let (tokens, issuers) = (count(good.len(), "token"), count(signed, "trusted issuer"));
                report.well(&area, format!("accepted: {tokens}, {issuers}"));
            }
        }
    }
    Ok(())
}

/// Whether what probes of views find is signed.
pub fn signing(parts: &Parts, map: &RoleMap, report: &mut Report) {
    if !map.views.is_empty() && !parts.can_sign() {
        report.found("journal", NOT_SIGNED, SIGNS);
    }
}

/// The role map that counts, if it can be used; the configured one is looked at first.
pub async fn role_map(config: &Config, parts: Option<&Parts>, report: &mut Report) -> Option<RoleMap> {
    const AREA: &str = "role map";
    let configured = match load_map(config) {
        Ok(map) => Some(map),
        Err(error) => {
            report.found(
                AREA,
                format!("{error:#}"),
                "mend it at the place that is named, then: axon map check",
            );
            None
        }
    };
    let map = match parts {
        Some(parts) => maps::in_force(parts).await.ok().or(configured),
        None => configured,
    }?;
    match can_be_carried_out(&map) {
        Ok(()) => {
            let (targets, roles) = (count(map.targets.len(), "target"), count(map.roles.len(), "role"));
            let tests = count(map.tests.len(), "test");
            report.well(AREA, format!("{targets}, {roles}, {tests} of its own passed"));
        }
        Err(error) => {
            report.found(
                AREA,
                format!("{error:#}"),
                "take it out of the role map: nothing of a map is ignored in silence",
            );
        }
    }
    Some(map)
}
