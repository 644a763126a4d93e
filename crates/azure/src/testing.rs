//! A server on loopback for tests: answers as a function says, and keeps what it was sent.

pub(crate) mod fake;
mod golden;
pub(crate) mod story;

use std::sync::{Arc, Mutex, PoisonError};

use axon_model::ManualClock;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::cloud::Base;

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A parameter of the query, decoded.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
    }

    /// A field of the form, decoded.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.body.as_bytes()).find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
    }

    /// The request as a person compares it with a service's page.
    pub(crate) fn golden(&self) -> String {
        let kept = [
            "authorization",
            "content-type",
            "metadata",
            "x-identity-header",
            "x-ms-continuation",
            "accept",
            "content-encoding",
            "consistencylevel",
            "x-ms-client-request-id",
        ];
        let mut headers: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| kept.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        headers.sort();
        let body = if self.body.is_empty() { String::new() } else { format!("\n{}", self.body) };
        format!("{} {}\n{}{body}", self.method, self.target, headers.join("\n"))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    promised: Option<usize>,
}

impl Reply {
    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned(), promised: None }
    }

    pub(crate) fn ok(body: &str) -> Self {
        Self::status(200, body)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says that more comes than does.
    pub(crate) fn promising(mut self, bytes: usize) -> Self {
        self.promised = Some(bytes);
        self
    }
}

type Answers = dyn Fn(&Request) -> Reply + Send + Sync;

/// The server.
pub(crate) struct Server {
    base: Base,
    seen: Arc<Mutex<Vec<Request>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub(crate) async fn start(answers: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base =
            Base::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a base");
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let answers: Arc<Answers> = Arc::new(answers);
        let serving = tokio::spawn({
            let seen = seen.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, answers.clone(), seen.clone()));
                }
            }
        });
        Self { base, seen, serving }
    }

    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// What came until now.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what came until now.
    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What came, for a snapshot: the port is left out.
    pub(crate) fn golden(&self) -> String {
        let all: Vec<String> = self.seen().iter().map(Request::golden).collect();
        all.join("\n\n").replace(self.base.as_str(), "http://HOST")
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Answers>, seen: Arc<Mutex<Vec<Request>>>) {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let mut lines = text.lines();
            let mut first = lines.next().unwrap_or_default().split(' ');
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length =
                headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok());
            let end = head + 4 + length.unwrap_or(0);
            if bytes.len() >= end {
                let packed = headers.iter().any(|(n, v)| n == "content-encoding" && v == "gzip");
                let request = Request {
                    method: first.next().unwrap_or_default().to_owned(),
                    target: first.next().unwrap_or_default().to_owned(),
                    headers,
                    body: text_of(&bytes[head + 4..end], packed),
                };
                bytes.drain(..end);
                let reply = answers(&request);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                if !answer(&mut stream, &reply).await {
                    return;
                }
                continue;
            }
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return,
        }
    }
}

/// A body as people read it.
fn text_of(body: &[u8], packed: bool) -> String {
    use std::io::Read as _;
    let mut text = String::new();
    if packed && flate2::read::GzDecoder::new(body).read_to_string(&mut text).is_ok() {
        return text;
    }
    String::from_utf8_lossy(body).into_owned()
}

/// False: the connection is done.
async fn answer(stream: &mut TcpStream, reply: &Reply) -> bool {
    let length = if reply.status == 204 {
        String::new()
    } else {
        format!("content-length: {}\r\n", reply.promised.unwrap_or(reply.body.len()))
    };
    let extra =
        reply.headers.iter().fold(String::new(), |all, (name, value)| all + name + ": " + value + "\r\n");
    let text = format!(
        "HTTP/1.1 {} x\r\ncontent-type: application/json\r\n{length}{extra}\r\n{}",
        reply.status, reply.body
    );
    stream.write_all(text.as_bytes()).await.is_ok() && reply.promised.is_none()
}

/// A clock that stands.
pub(crate) fn clock(now: OffsetDateTime) -> Arc<ManualClock> {
    Arc::new(ManualClock::at(now))
}

/// A token that stays.
#[derive(Debug)]
pub(crate) struct Static(String);

impl Static {
    pub(crate) fn bearer() -> crate::service::Bearer {
        Self::bearer_of("TOKEN")
    }

    pub(crate) fn bearer_of(token: &str) -> crate::service::Bearer {
        crate::service::Bearer::from_source(Arc::new(Self(token.to_owned())))
    }
}

#[async_trait::async_trait]
impl axon_reconcile::TokenSource for Static {
    async fn token(&self) -> Result<secrecy::SecretString, axon_reconcile::target::TokenError> {
        Ok(secrecy::SecretString::from(self.0.as_str()))
    }
}
