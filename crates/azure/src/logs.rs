//! Log ingestion of Azure Monitor: rows go to a stream of a data collection rule. Source: reference, section 8.6.
//!
//! What is here sends one call and says what came of it. Who calls keeps the order, the cursor and the pauses.

mod batch;
mod fault;

use std::io::Write as _;
use std::sync::Arc;

use axon_model::Clock;
use axon_model::name::shown;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;

use crate::cloud::Base;
use crate::service::{Bearer, Service, ServiceFault};
use crate::wire::{Call, Content, Wire};

pub use batch::{Batch, MOST_CALL, MOST_FIELD};
pub use fault::{LogFault, LogFaultKind};

const VERSION: &str = "api-version=2023-01-01";

/// What leads to a stream of a data collection rule.
pub struct LogParts {
    /// The ingestion address of the rule, or of its data collection endpoint.
    pub endpoint: Base,
    /// The rule's immutable id, such as `dcr-0123456789abcdef0123456789abcdef`.
    pub rule: String,
    /// The stream, such as `Custom-Axon_CL`.
    pub stream: String,
    /// Tokens for Azure Monitor.
    pub bearer: Bearer,
    /// The client.
    pub wire: Wire,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Why rows cannot be sent anywhere by these words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStream {
    /// The rule's id.
    #[error(
        "{0:?} is not the immutable id of a data collection rule: it looks like dcr-0123456789abcdef0123456789abcdef"
    )]
    Rule(String),
    /// The stream.
    #[error("{0:?} is not a stream of an own table: it looks like Custom-Axon_CL")]
    Stream(String),
}

/// A stream that takes rows.
pub struct Ingestion {
    service: Service,
    path: String,
}

impl std::fmt::Debug for Ingestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ingestion({}{})", self.service.base, self.path)
    }
}

/// Whether a text may stand in the path as it is: letters, digits, `_` and `-`.
fn is_plain(text: &str) -> bool {
    (1..=120).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Checks what the configuration says of a rule and a stream.
pub fn check_stream(rule: &str, stream: &str) -> Result<(), BadStream> {
    let cut = |text: &str| shown(text).chars().take(160).collect::<String>();
    if !is_plain(rule) || !rule.starts_with("dcr-") {
        return Err(BadStream::Rule(cut(rule)));
    }
    if !is_plain(stream) || !stream.starts_with("Custom-") {
        return Err(BadStream::Stream(cut(stream)));
    }
    Ok(())
}

impl Ingestion {
    /// A stream. Nothing is asked yet.
    pub fn new(parts: LogParts) -> Result<Self, BadStream> {
        let LogParts { endpoint, rule, stream, bearer, wire, clock } = parts;
        check_stream(&rule, &stream)?;
        let path = format!("/dataCollectionRules/{rule}/streams/{stream}?{VERSION}");
        let service = Service::new("Azure Monitor", endpoint, wire, bearer, clock, fault::told_apart);
        Ok(Self { service, path })
    }

    /// Sends rows; `id` tells this call from others in Azure's own logs. Gives the bytes that went over the wire. Rows are taken
    /// where Azure says 204 and nothing else: another answer may come from somebody in between.
    pub async fn send(&self, batch: &Batch, id: &str) -> Result<usize, LogFault> {
        let packed = packed(batch.body()).await?;
        let bytes = packed.len();
        let call = Call::new(Method::POST, self.service.base.at(&self.path))
            .header("x-ms-client-request-id", id)
            .content(Content::Packed(packed));
        let answer = self.service.call(call).await?;
        if answer.status() == 204 {
            return Ok(bytes);
        }
        let status = answer.status();
        Err(ServiceFault::Unreadable(format!(
            "Azure Monitor answers {status}, and says 204 when it takes rows"
        ))
        .into())
    }

    /// Whether rows would be taken: a call without rows shows the token, and names rule and stream. Nothing arrives in the table.
    pub async fn check(&self, id: &str) -> Result<(), LogFault> {
        match self.send(&Batch::of(MOST_CALL), id).await {
            Ok(_) => Ok(()),
            // It is about the rows, of which there are none: whether the service takes such a call is not documented.
            Err(fault) if fault.kind == LogFaultKind::Malformed => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// The rows as gzip, made where nobody waits for it.
async fn packed(body: Vec<u8>) -> Result<Vec<u8>, LogFault> {
    let pack = move || {
        let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
        packer.write_all(&body).and_then(|()| packer.finish())
    };
    let lost = |reason: String| LogFault::from(ServiceFault::Unreadable(reason));
    tokio::task::spawn_blocking(pack)
        .await
        .map_err(|error| lost(format!("the rows could not be packed: {error}")))?
        .map_err(|error| lost(format!("the rows could not be packed: {error}")))
}

#[cfg(test)]
mod tests;
