//! `axon serve`

mod care;
mod maps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axon_api::auth::Trusts;
use axon_api::integrations::Integrations;
use axon_api::operators::{OperatorSettings, Operators};
use axon_api::{Api, ApiParts, Limits, MapStanding, Readiness};
use axon_azure::Presented;
use axon_controller::Controller;
use axon_mapping::{RoleMap, ServiceName};
use axum::Router;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Status;
use crate::config::Config;
use crate::integrations::{Bench, OfMaps};
use crate::listener::{Certificates, ConnectionLimits, Listener, Places};
use crate::parity::{self, Exchanged};
use crate::ship::Metrics;
use crate::telemetry;
use crate::wiring::{Parts, load_map};
use maps::MapKeeper;

/// How long requests in flight may take after a signal to stop.
const GRACE: Duration = Duration::from_secs(20);

struct Stands {
    controller: Arc<Controller>,
    keeper: Arc<MapKeeper>,
}

impl Readiness for Stands {
    fn targets(&self) -> BTreeMap<String, &'static str> {
        self.controller.states().into_iter().map(|(name, state)| (name, state.as_str())).collect()
    }

    fn breakers(&self) -> BTreeMap<String, &'static str> {
        self.controller.breakers().into_iter().map(|(name, standing)| (name, standing.as_str())).collect()
    }

    fn map(&self) -> Option<MapStanding> {
        Some(self.keeper.standing())
    }
}

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub async fn run(config: Config) -> anyhow::Result<Status> {
    telemetry::start_logs(&config.log)?;
    let render_metrics = telemetry::start_metrics()?;
    // The map is checked before anything is opened: a map that cannot be used must not look like an empty one.
    let is_first = !Parts::store_exists(&config).await?;
    if is_first {
        load_map(&config)?;
    }
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
    let keeper = MapKeeper::begin(&parts).await?;
    let controller = Arc::new(parts.controller("serve"));
    let (stop, stopped) = watch::channel(false);
    let reconciling = tokio::spawn(maps::reconcile(controller.clone(), keeper.subscribe(), stopped.clone()));
    tokio::spawn(keeper.clone().follow(stopped.clone()));
    let shipping = shipping(&parts, &keeper, render_metrics.clone(), &stopped)?;

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
        operators: Some(Arc::new(operators(&parts, &keeper, &stopped)?)),
        integrations: Some(Arc::new(integrations(&parts, &keeper)?)),
        readiness: Arc::new(Stands { controller, keeper: keeper.clone() }),
        care,
        render_metrics,
    });
    let limits = Limits {
        body_bytes: parts.config.limits.body_bytes,
        header_bytes: parts.config.limits.header_bytes,
        request_time: Duration::from_secs(parts.config.limits.request_seconds),
        concurrent_requests: parts.config.limits.concurrent_requests,
    };
    let routes = axon_api::router_beside(pages(&parts.config), api.clone(), limits);
    tokio::spawn(api.clone().keep_ledgers(stopped.clone()));
    tokio::spawn(api.clone().forget_changed_tokens(stopped.clone()));
    let remembering = tokio::spawn(api.clone().keep_last_uses(stopped.clone()));
    tokio::spawn(api.clone().keep_integrations(stopped.clone()));
    tokio::spawn(parity::keep(parts.clone(), map_of(&keeper), stopped.clone()));
    announce(&url, &parts);

    let (hangups, hung_up) = watch::channel(0);
    tokio::spawn(look_on_hangup(keeper, hangups));
    if let Some(tls) = tls {
        tokio::spawn(async move { tls.follow(hung_up).await });
    }
    let serving = tokio::spawn(listener.serve(routes, stopped.clone()));
    shutdown_signal().await?;
    tracing::info!("stopping: no new connections, requests in flight are finished");
    stop.send_replace(true);
    let ended = tokio::time::timeout(GRACE, async {
        let ended = (serving.await, reconciling.await, remembering.await);
        if let Some(shipping) = shipping {
            // What was not sent is sent after the next start.
            drop(shipping.await);
        }
        ended
    })
    .await;
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

/// Sends the journal away, where the configuration says so. Nothing waits for it.
fn shipping(
    parts: &Parts,
    keeper: &Arc<MapKeeper>,
    metrics: Metrics,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Option<tokio::task::JoinHandle<()>>> {
    let keeper = keeper.clone();
    let targets = move || keeper.map().targets.keys().map(ToString::to_string).collect();
    let shipper = parts.shipper(Arc::new(targets), metrics)?;
    Ok(shipper.map(|shipper| tokio::spawn(shipper.run(stopped.clone()))))
}

/// Gives the map in force.
fn map_of(keeper: &Arc<MapKeeper>) -> Arc<dyn Fn() -> Arc<RoleMap> + Send + Sync> {
    let keeper = keeper.clone();
    Arc::new(move || keeper.map())
}

/// The integrations API on the version in force.
fn integrations(parts: &Parts, keeper: &Arc<MapKeeper>) -> anyhow::Result<Integrations> {
    let registry = Arc::new(parts.config.registry()?);
    let of_map = OfMaps { store: parts.store.clone(), registry, clock: parts.clock.clone() };
    let bench = Bench { ways: parts.ways()?, secrets: parts.secrets(), map: map_of(keeper), of_map };
    let config = &parts.config.integrations;
    let look_every = Duration::from_secs(config.look_every_seconds);
    Ok(Integrations::new(Arc::new(bench), config.hosts.clone(), look_every, config.requests_per_second))
}

/// The operators' API on the version in force.
fn operators(
    parts: &Parts,
    keeper: &Arc<MapKeeper>,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Operators> {
    let rules = parts.config.operator_rules().map_err(|(key, reason)| anyhow::anyhow!("`{key}` {reason}"))?;
    let map = map_of(keeper);
    let told = parity::watch_exchanges(parts.clone(), map.clone(), stopped.clone());
    let presented = move |service: &ServiceName, issuer: &str, subject: &str| {
        let presented = Presented { issuer: issuer.to_owned(), subject: subject.to_owned() };
        // Where too many wait, this one is not compared: no job waits for it.
        let _ = told.try_send(Exchanged { service: service.clone(), presented });
    };
    let settings = OperatorSettings {
        gate: crate::maps::gate(parts)?,
        jobs: rules.jobs,
        exchange: rules.exchange,
        exchanged_for: rules.exchanged_for,
        claims: parts.config.claims(),
        map,
        presented: Arc::new(presented),
        words: Arc::new(crate::command::map::preview::statements::of),
        requests_per_second: parts.config.operators.requests_per_second,
    };
    Ok(Operators::new(settings, parts.clock.clone())?)
}

/// The console, where there is one.
fn pages(config: &Config) -> Router<Api> {
    if !config.console.enabled {
        return Router::new();
    }
    let key = axon_synapse::render::ACT_AS;
    let how_to_act = format!(
        "When it is written, in the session: EXEC sys.sp_set_session_context @key = N'{key}', @value = N'…', with the other person's \
         user name for the dots. Started for one session, that session reads as the other person by itself."
    );
    tracing::info!("pages for operators under /console");
    axon_console::routes(axon_console::Console::new(config.console.lives(), how_to_act))
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

/// SIGHUP reads the role map and the TLS certificate again.
async fn look_on_hangup(keeper: Arc<MapKeeper>, hangups: watch::Sender<u64>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        hangups.send_modify(|count| *count += 1);
        keeper.look();
    }
}
