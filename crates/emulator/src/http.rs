//! HTTP for the neighbours and the levers: reads a request whole within limits, and sends an answer, or as much as is ordered.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::cloud::request::Request;
use crate::cloud::{Cloud, Outcome, reply::Reply};

/// The largest body of a request to a service.
const MOST_BODY: usize = 4 * 1024 * 1024;
/// The most headers of a request.
const MOST_HEADERS: usize = 64;
/// The most connections at one time.
const MOST_CONNECTIONS: usize = 256;
/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the first half of an answer gets on its way before the cut.
const CUT_PAUSE: Duration = Duration::from_millis(30);
/// How long a request's body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Who answers requests.
pub(crate) trait Answer: Send + Sync + 'static {
    /// The largest body that is read.
    fn most_body(&self) -> usize {
        MOST_BODY
    }

    /// Answers; the duration is waited before.
    fn answer(&self, request: &Request) -> (Duration, Outcome);
}

impl Answer for Cloud {
    fn answer(&self, request: &Request) -> (Duration, Outcome) {
        Cloud::answer(self, request)
    }
}

/// The neighbours behind an address. Dropping it stops them.
#[derive(Debug)]
pub struct Neighbours {
    address: SocketAddr,
    cloud: Arc<Cloud>,
    task: JoinHandle<()>,
}

impl Neighbours {
    /// Listens at an address, and serves from now on; port 0 takes a free one.
    pub async fn start(address: SocketAddr, cloud: Arc<Cloud>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::clone(&cloud), serve));
        Ok(Self { address, cloud, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The services.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts until the task is aborted, so many connections at one time.
pub(crate) async fn accept<A, F>(
    listener: TcpListener,
    answerer: Arc<A>,
    converse: fn(TcpStream, Arc<A>) -> F,
) where
    A: Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Ok(slot) = Arc::clone(&slots).try_acquire_owned() {
                        let conversation = converse(stream, Arc::clone(&answerer));
                        open.spawn(async move {
                            let _slot = slot;
                            conversation.await;
                        });
                    } else {
                        tracing::warn!(%peer, "refused a connection: too many are open");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = open.join_next() => {}
        }
    }
}

/// Serves one connection.
pub(crate) async fn serve<A: Answer>(stream: TcpStream, answerer: Arc<A>) {
    let service = service_fn(move |request| respond(request, Arc::clone(&answerer)));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(MOST_HEADERS);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "connection ended");
    }
}

/// A connection that is cut, on order.
#[derive(Debug, thiserror::Error)]
#[error("cut on order")]
struct CutOnOrder;

async fn respond<A: Answer>(
    request: hyper::Request<Incoming>,
    answerer: Arc<A>,
) -> Result<Response, CutOnOrder> {
    let (head, body) = request.into_parts();
    let read = to_bytes(Body::new(body), answerer.most_body());
    let body = match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return Ok(whole(Reply::error(413, "RequestEntityTooLarge", "The request is too large.")));
        }
        Err(_) => return Ok(whole(Reply::error(408, "RequestTimeout", "The request took too long."))),
    };
    let mut headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    // HTTP/2 has the host in the address.
    if let Some(authority) = head.uri.authority().filter(|_| !head.headers.contains_key(header::HOST)) {
        headers.push(("host".into(), authority.to_string()));
    }
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.into(),
    };
    let (delay, outcome) = answerer.answer(&request);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match outcome {
        Outcome::Whole(reply) => Ok(whole(reply)),
        Outcome::Cut(reply) => Ok(half(reply)),
        Outcome::Silence => Err(CutOnOrder),
    }
}

fn whole(reply: Reply) -> Response {
    let bytes = reply.body.clone().map(Bytes::from);
    let has_body = bytes.is_some();
    with_head(reply, has_body, bytes.map_or_else(Body::empty, Body::from))
}

/// Announces the whole, sends the first half and breaks off.
fn half(reply: Reply) -> Response {
    let bytes = reply.body.clone().unwrap_or_default();
    let length = bytes.len();
    let first = Bytes::from(bytes[..length / 2].to_vec());
    // What is not flushed when the connection breaks is not sent.
    let end = stream::once(async {
        tokio::time::sleep(CUT_PAUSE).await;
        Err(CutOnOrder)
    });
    let pieces = stream::iter([Ok::<Bytes, CutOnOrder>(first)]).chain(end);
    let mut response = with_head(reply, true, Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn with_head(reply: Reply, has_body: bool, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}
