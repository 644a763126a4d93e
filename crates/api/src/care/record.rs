//! Recording: what a connector sends and what it is answered, line by line in a file, so that an odd shape becomes a test.
//!
//! It is off unless the configuration asks for it. Secrets are masked before anything is handed on: of the headers only those
//! that SCIM looks at are kept, never `Authorization`, and [`super::mask`] goes over bodies and addresses. People's names stay,
//! because a replay needs them: the file is for its owner's eyes (mode 0600). No request waits for the file: where the disk does
//! not keep up, exchanges are left out and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use axon_model::SourceId;
use axon_scim::Registry;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::failure::Sent;
use super::mask::Masks;

/// The largest body that is written down, bytes.
pub const LARGEST_BODY: usize = 1024 * 1024;
/// How many exchanges wait for the disk at most.
const WAITING: usize = 256;
/// Headers of a request that change its answer.
const ASKED: [HeaderName; 5] =
    [header::ACCEPT, header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH, header::USER_AGENT];
/// Headers of an answer that a connector looks at.
const TOLD: [HeaderName; 6] = [
    header::ALLOW,
    header::CONTENT_TYPE,
    header::ETAG,
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
];

/// What is recorded, and where.
#[derive(Debug, Clone)]
pub struct RecordSettings {
    /// The file; it is continued where it exists.
    pub file: PathBuf,
    /// The recording ends before the file is larger than this.
    pub max_bytes: u64,
    /// Only these sources; all, if there is none.
    pub sources: BTreeSet<SourceId>,
}

/// A body, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recorded {
    /// The headers that matter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The JSON body, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Why there is no body although one was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// One request and its answer: a line of a recording. They stand in the order of the answers, so that what a request learnt
/// from an answer stands before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Whose token it was.
    pub source: SourceId,
    /// The method.
    pub method: String,
    /// The address below the base of SCIM, with its query: `/Users?count=1`.
    pub path: String,
    /// The request.
    pub request: Recorded,
    /// The answer's status.
    pub status: u16,
    /// The answer.
    pub response: Recorded,
}

/// The way to the file.
#[derive(Debug)]
pub struct Recorder {
    masks: Masks,
    sources: BTreeSet<SourceId>,
    lines: mpsc::Sender<Exchange>,
}

/// A request's head, kept until its answer is there.
#[derive(Debug)]
pub struct Head {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
}

impl Recorder {
    /// Opens the file and begins. Must be called inside the runtime.
    pub fn start(settings: RecordSettings, registry: &Registry) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&settings.file)?;
        let written = file.metadata()?.len();
        let (lines, waiting) = mpsc::channel(WAITING);
        tracing::warn!(file = %settings.file.display(), max_bytes = settings.max_bytes,
            "what connectors send is recorded, with names and without secrets: end it when it is no longer needed");
        let page = Page { file, name: settings.file, written, most: settings.max_bytes };
        tokio::task::spawn_blocking(move || page.write_all(waiting));
        Ok(Self { masks: Masks::of(registry), sources: settings.sources, lines })
    }

    /// Keeps what is needed of a request.
    pub fn head(&self, request: &Request) -> Head {
        let path = request.uri().path();
        let below = path.strip_prefix("/scim/v2").unwrap_or(path);
        let path = match request.uri().query() {
            Some(query) => format!("{below}?{}", self.masks.query(query)),
            None => below.to_owned(),
        };
        Head { method: request.method().to_string(), path, headers: chosen(request.headers(), &ASKED) }
    }

    /// Writes an exchange down, if it is of a source that is recorded, and hands the answer on.
    pub async fn take(
        &self,
        source: &SourceId,
        head: Head,
        sent: Option<&Sent>,
        answer: Response<Body>,
    ) -> Response<Body> {
        if !self.sources.is_empty() && !self.sources.contains(source) {
            return answer;
        }
        let (parts, body) = answer.into_parts();
        let small = body.size_hint().exact().is_some_and(|size| size <= LARGEST_BODY as u64);
        let (body, response) = if small {
            match to_bytes(body, LARGEST_BODY).await {
                Ok(bytes) => (Body::from(bytes.clone()), self.recorded(&parts.headers, &TOLD, Some(&bytes))),
                // An answer that breaks off is no answer.
                Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        } else {
            let mut response = self.recorded(&parts.headers, &TOLD, None);
            response.left_out = Some("the answer is too large or is sent in pieces".to_owned());
            (body, response)
        };
        let mut request = match sent {
            Some(Sent::Whole(bytes)) => self.recorded(&HeaderMap::new(), &[], Some(bytes)),
            Some(Sent::Outlined { shape, .. }) => {
                Recorded { left_out: Some(format!("too large: {shape}")), ..Recorded::default() }
            }
            None => Recorded::default(),
        };
        request.headers = head.headers;
        let exchange = Exchange {
            source: source.clone(),
            method: head.method,
            path: head.path,
            request,
            status: parts.status.as_u16(),
            response,
        };
        if self.lines.try_send(exchange).is_err() {
            metrics::counter!("axon_record_left_out_total").increment(1);
        }
        Response::from_parts(parts, body)
    }

    fn recorded(&self, headers: &HeaderMap, names: &[HeaderName], body: Option<&Bytes>) -> Recorded {
        let headers = chosen(headers, names);
        let Some(bytes) = body.filter(|bytes| !bytes.is_empty()) else {
            return Recorded { headers, ..Recorded::default() };
        };
        if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
            self.masks.body(&mut value);
            Recorded { headers, body: Some(value), left_out: None }
        } else {
            // What cannot be read cannot be masked.
            let left_out = Some(format!("{} bytes that are not JSON", bytes.len()));
            Recorded { headers, body: None, left_out }
        }
    }
}

fn chosen(headers: &HeaderMap, names: &[HeaderName]) -> BTreeMap<String, String> {
    let value = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
    names.iter().filter_map(value).collect()
}

struct Page {
    file: File,
    name: PathBuf,
    written: u64,
    most: u64,
}

impl Page {
    fn write_all(mut self, mut waiting: mpsc::Receiver<Exchange>) {
        while let Some(exchange) = waiting.blocking_recv() {
            match self.write(&exchange) {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!(file = %self.name.display(), "the recording is as large as it may be, and ends");
                    return;
                }
                Err(error) => {
                    tracing::error!(file = %self.name.display(), %error, "the recording cannot be written, and ends");
                    return;
                }
            }
        }
    }

    fn write(&mut self, exchange: &Exchange) -> io::Result<bool> {
        let mut line = serde_json::to_vec(exchange)?;
        line.push(b'\n');
        if self.written.saturating_add(line.len() as u64) > self.most {
            return Ok(false);
        }
        self.written += line.len() as u64;
        self.file.write_all(&line).map(|()| true)
    }
}

/// Reads a recording; a line that is none is told by its number.
pub fn read(file: &Path) -> io::Result<Vec<Exchange>> {
    let text = std::fs::read_to_string(file)?;
    let line = |(n, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", n + 1)))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(line).collect()
}
