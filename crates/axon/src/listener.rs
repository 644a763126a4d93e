//! Accepting connections: plain or TLS, bounded in number, and closed where nothing comes of them.
//!
//! ```text
//!  accept ── a place free? ── TLS handshake ── first request within `header_seconds` ── requests ── idle ── closed
//! ```
//!
//! A client that sends its header drop by drop, says nothing, or does not read its answers loses its connection.

mod activity;
mod certificates;
mod patient;
mod places;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axon_api::{Gate, Peer};
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use activity::Activity;
pub use certificates::Certificates;
use patient::Patient;
pub use places::Places;

/// How long an accepted client may leave its answer unread.
const UNREAD: Duration = Duration::from_mins(1);
/// How long a connection may stay without a new request.
const IDLE: Duration = Duration::from_mins(5);
/// Requests that one connection of HTTP/2 may have open.
const STREAMS: u32 = 200;
/// How long accepting pauses when the system has no more sockets to give.
const NO_SOCKETS: Duration = Duration::from_millis(100);

/// Limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// How many may be open; more wait to be accepted.
    pub connections: usize,
    /// How long a handshake, a request's header, or the silence before one may take.
    pub header_time: Duration,
    /// The most bytes of a header.
    pub header_bytes: usize,
}

/// What answers the requests of all connections.
pub trait Answers: Clone + Send + Sync + 'static {
    /// Answers one request of this peer.
    fn answer(&self, request: Request, peer: Peer) -> impl Future<Output = Response> + Send;
}

impl Answers for Gate {
    fn answer(&self, request: Request, peer: Peer) -> impl Future<Output = Response> + Send {
        Self::answer(self, request, Some(peer))
    }
}

/// An open port.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<Certificates>>,
    places: Arc<Places>,
    limits: ConnectionLimits,
}

impl Listener {
    /// Opens the port.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<Arc<Certificates>>,
        places: Arc<Places>,
        limits: ConnectionLimits,
    ) -> anyhow::Result<Self> {
        let tcp = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}: is another process there? set `listen`"))?;
        Ok(Self { tcp, tls, places, limits })
    }

    /// Where it is, as clients write it.
    pub fn url(&self) -> anyhow::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.tcp.local_addr()?))
    }

    /// Serves until `stop` shows true and every connection has ended.
    pub async fn serve(self, routes: impl Answers, stop: watch::Receiver<bool>) {
        let all = Arc::new(Semaphore::new(self.limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
        let open = TaskTracker::new();
        let mut ending = stop.clone();
        loop {
            let next = async {
                let place = all.clone().acquire_owned().await;
                (place, self.tcp.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                _ = ending.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(own) = self.places.take(peer.ip()) else {
                        metrics::counter!("axon_http_connections_refused_total").increment(1);
                        continue;
                    };
                    let (routes, tls, limits, stop) =
                        (routes.clone(), self.tls.clone(), self.limits, stop.clone());
                    open.spawn(async move {
                        metrics::gauge!("axon_http_connections").increment(1);
                        greet(stream, peer, tls, routes, limits, stop).await;
                        metrics::gauge!("axon_http_connections").decrement(1);
                        drop((place, own));
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(NO_SOCKETS).await;
                }
            }
        }
        drop(self.tcp);
        open.close();
        open.wait().await;
    }
}

/// TLS where it is configured, then HTTP.
async fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Certificates>>,
    routes: impl Answers,
    limits: ConnectionLimits,
    stop: watch::Receiver<bool>,
) {
    // Answers are written whole: there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, UNREAD);
    let Some(tls) = tls else {
        return talk(stream, Peer { address: peer, is_tls: false }, routes, limits, stop).await;
    };
    match tokio::time::timeout(limits.header_time, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => talk(stream, Peer { address: peer, is_tls: true }, routes, limits, stop).await,
        failed => {
            let why = if failed.is_err() { "too-slow" } else { "refused" };
            metrics::counter!("axon_tls_handshakes_failed_total", "why" => why).increment(1);
        }
    }
}

/// Serves one connection until it ends, is idle, or the server stops.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    routes: impl Answers,
    limits: ConnectionLimits,
    mut stop: watch::Receiver<bool>,
) {
    let activity = Arc::new(Activity::default());
    let service = service_fn({
        let activity = activity.clone();
        move |request: Request<Incoming>| {
            let (begun, routes) = (activity.begin(), routes.clone());
            async move {
                let answer = routes.answer(request.map(body), peer).await;
                drop(begun);
                Ok::<_, Infallible>(answer)
            }
        }
    });
    let builder = builder(&limits);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut seen = 0;
    let mut is_ending = false;
    let mut look = limits.header_time;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(error, "a connection ended");
                }
                return;
            }
            changed = stop.wait_for(|stop| *stop), if !is_ending => {
                drop(changed);
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(look) => {
                if !activity.is_idle_since(seen) {
                    seen = activity.begun();
                    look = IDLE;
                } else if is_ending || seen == 0 {
                    // It said nothing within its time, or was asked to end and did not.
                    metrics::counter!("axon_http_connections_cut_total").increment(1);
                    return;
                } else {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                    look = UNREAD;
                }
            }
        }
    }
}

/// Most requests have none, and need no place for it.
fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(incoming) }
}

fn builder(limits: &ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size((limits.header_bytes * 2).max(64 * 1024));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

#[cfg(test)]
mod tests;
