//! `axon serve`

mod care;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axon_api::{Api, ApiParts, Limits, Readiness};
use axon_controller::Controller;
use axon_mapping::RoleMap;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Status;
use crate::config::Config;
use crate::telemetry;
use crate::wiring::{Parts, can_be_carried_out, load_map, map_files, proved_map};

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
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}: is another process there? set `listen`", config.listen)
    })?;
    let address = listener.local_addr()?;
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
        trusts: axon_api::auth::Trusts::new(axon_api::auth::AuthSettings::default(), parts.clock.clone())?,
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
    announce(address, &parts);

    tokio::spawn(reload_on_hangup(parts.clone(), map_changes));
    let mut serve_stop = stopped.clone();
    let serving = tokio::spawn(async move {
        axum::serve(listener, routes)
            .with_graceful_shutdown(async move {
                let _ = serve_stop.wait_for(|stop| *stop).await;
            })
            .await
    });
    shutdown_signal().await?;
    tracing::info!("stopping: no new connections, requests in flight are finished");
    stop.send_replace(true);
    let ended = tokio::time::timeout(GRACE, async { (serving.await, reconciling.await) }).await;
    if let Ok((served, reconciled)) = ended {
        served.context("the server ended")?.context("the server failed")?;
        reconciled.context("the controller ended")?;
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
    if parts.store.put_map(map.version().clone(), files, parts.act()).await? {
        tracing::info!(map = %map.version(), "a new version of the role map is in force");
    }
    Ok(())
}

fn announce(address: SocketAddr, parts: &Parts) {
    println!("listening on http://{address}");
    tracing::info!(
        address = %address,
        store = parts.config.store,
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

/// SIGHUP reads the role map again. One that cannot be used changes nothing.
async fn reload_on_hangup(parts: Parts, changes: watch::Sender<Arc<RoleMap>>) {
    let config = &parts.config;
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        let read = map_files(&config.role_map).and_then(|files| {
            let map = proved_map(&files)?;
            can_be_carried_out(&map).map(|()| map)
        });
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
            name == other
                && (x.kind, &x.endpoint, &x.auth) == (y.kind, &y.endpoint, &y.auth)
        })
}
