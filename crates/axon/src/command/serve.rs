//! `axon serve`

mod care;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axon_api::auth::Trusts;
use axon_audit::payload::MapAuthor;
use axon_api::{Api, ApiParts, Limits, Readiness};
use axon_controller::Controller;
use axon_mapping::RoleMap;
use axon_store::maps::{Adopted, Expected, NewMap};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Status;
use crate::config::Config;
use crate::listener::{Certificates, ConnectionLimits, Listener, Places};
use crate::telemetry;
use crate::wiring::{Parts, can_be_carried_out, load_map, map_files};

/// How long requests in flight may take after a signal to stop.
const GRACE: Duration = Duration::from_secs(20);

struct Targets(Arc<Controller>);

impl Readiness for Targets {
    fn targets(&self) -> BTreeMap<String, &'static str> {
        self.0.states().into_iter().map(|(name, state)| (name, state.as_str())).collect()
    }
}

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub async fn run(config: Config) -> anyhow::Result<Status> {
    telemetry::start_logs(&config.log)?;
    let render_metrics = telemetry::start_metrics()?;
    // The map is checked before anything is opened: a map that cannot be used must not look like an empty one.
    let map = load_map(&config)?;
    // A server that cannot start changes nothing: the map is put in force when everything else stands.
    let tls = config.tls.as_ref().map(|tls| Certificates::load(&tls.certificate, &tls.key)).transpose()?;
    let tls = tls.map(Arc::new);
    let auth = config.auth().map_err(|(key, reason)| anyhow::anyhow!("`{key}` {reason}"))?;
    let places = Places::new(config.limits.address_connections, auth.proxies.trusted.clone());
    let listener = Listener::bind(config.listen, tls.clone(), places, connection_limits(&config)).await?;
    let url = listener.url()?;
    for warning in config.claim_warnings() {
        tracing::warn!("{warning}");
    }
    let parts = Parts::open(config).await?;
    let targets = parts.targets(&map, None)?;
    adopt(&parts, &map).await?;

    let controller = Arc::new(parts.controller("serve"));
    let (map_changes, map_seen) = watch::channel(Arc::new(map));
    let (stop, stopped) = watch::channel(false);
    let reconciling = tokio::spawn({
        let (controller, stopped) = (controller.clone(), stopped.clone());
        async move { controller.run(targets, map_seen, stopped).await }
    });

    let registry = Arc::new(parts.config.registry()?);
    let care = care::settings(&parts.config, &registry)?;
    let api = Api::new(ApiParts {
        store: parts.store.clone(),
        registry,
        sources: parts.config.sources.iter().map(|(id, source)| (id.clone(), source.profile())).collect(),
        trusts: Trusts::new(auth, parts.clock.clone())?,
        clock: parts.clock.clone(),
        ids: parts.ids.clone(),
        public_url: parts.config.public_url.clone(),
        readiness: Arc::new(Targets(controller)),
        care,
        render_metrics,
    });
    let limits = Limits {
        body_bytes: parts.config.limits.body_bytes,
        header_bytes: parts.config.limits.header_bytes,
        request_time: Duration::from_secs(parts.config.limits.request_seconds),
        concurrent_requests: parts.config.limits.concurrent_requests,
    };
    let routes = axon_api::router(api.clone(), limits);
    tokio::spawn(api.clone().keep_ledgers(stopped.clone()));
    tokio::spawn(api.clone().forget_changed_tokens(stopped.clone()));
    let remembering = tokio::spawn(api.clone().keep_last_uses(stopped.clone()));
    announce(&url, &parts);

    let (hangups, hung_up) = watch::channel(0);
    tokio::spawn(reload_on_hangup(parts.clone(), map_changes, hangups));
    if let Some(tls) = tls {
        tokio::spawn(async move { tls.follow(hung_up).await });
    }
    let serving = tokio::spawn(listener.serve(routes, stopped.clone()));
    shutdown_signal().await?;
    tracing::info!("stopping: no new connections, requests in flight are finished");
    stop.send_replace(true);
    let ended =
        tokio::time::timeout(GRACE, async { (serving.await, reconciling.await, remembering.await) }).await;
    if let Ok((served, reconciled, remembered)) = ended {
        served.context("the server ended")?;
        reconciled.context("the controller ended")?;
        remembered.context("the last uses of tokens")?;
    } else {
        tracing::warn!(seconds = GRACE.as_secs(), "some requests took too long and were cut");
    }
    api.store_ledgers().await;
    parts.store.close().await;
    tracing::info!("stopped");
    Ok(Status::Done)
}

/// Puts the map of the files in force, with its record.
async fn adopt(parts: &Parts, map: &RoleMap) -> anyhow::Result<()> {
    let files = map_files(&parts.config.role_map)?;
    let new = NewMap {
        version: map.version().clone(),
        files,
        author: MapAuthor::file(),
        comment: String::new(),
        expected: Expected::Anything,
    };
    if let Adopted::Taken(_) = parts.store.adopt_map(new, parts.act()).await? {
        tracing::info!(map = %map.version(), "a new version of the role map is in force");
    }
    Ok(())
}

fn connection_limits(config: &Config) -> ConnectionLimits {
    ConnectionLimits {
        connections: config.limits.connections,
        header_time: Duration::from_secs(config.limits.header_seconds),
        header_bytes: config.limits.header_bytes,
    }
}

fn announce(url: &str, parts: &Parts) {
    println!("listening on {url}");
    let config = &parts.config;
    if config.tls.is_none() && config.trusted_proxies.is_empty() && !config.listen.ip().is_loopback() {
        tracing::warn!(
            "tokens cross the network in clear: set `tls`, or listen on loopback behind a proxy and set `trusted_proxies`"
        );
    }
    tracing::info!(
        url,
        store = crate::store::shown(&parts.config.store),
        sources = parts.config.sources.len(),
        "serving SCIM under /scim/v2"
    );
}

async fn shutdown_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => {}
        ended = tokio::signal::ctrl_c() => ended.context("SIGINT")?,
    }
    Ok(())
}

/// SIGHUP reads the role map and the TLS certificate again. One that cannot be used changes nothing.
async fn reload_on_hangup(parts: Parts, changes: watch::Sender<Arc<RoleMap>>, hangups: watch::Sender<u64>) {
    let config = &parts.config;
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        hangups.send_modify(|count| *count += 1);
        let read = load_map(config).and_then(|map| can_be_carried_out(&map).map(|()| map));
        match read {
            Ok(map) if map.version() == changes.borrow().version() => {
                tracing::info!("the role map is the same as before");
            }
            Ok(map) if !same_targets(&map, &changes.borrow()) => {
                tracing::error!(
                    "the role map names other targets or other ways to them: restart to take it up"
                );
            }
            Ok(map) => match adopt(&parts, &map).await {
                Ok(()) => {
                    changes.send_replace(Arc::new(map));
                }
                Err(error) => tracing::error!("the role map could not be put in force: {error:#}"),
            },
            Err(error) => tracing::error!("the role map in force stays: {error:#}"),
        }
    }
}

fn same_targets(a: &RoleMap, b: &RoleMap) -> bool {
    a.targets.len() == b.targets.len()
        && a.targets.iter().zip(&b.targets).all(|((name, x), (other, y))| {
            name == other && (x.kind, &x.endpoint, &x.auth) == (y.kind, &y.endpoint, &y.auth)
        })
}
