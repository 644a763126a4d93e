//! What refusals of log ingestion mean, and what helps.

use std::time::Duration;

use crate::service::{Kind, ServiceFault};
use crate::wire::{Problem, WireError};

/// Why rows were not taken, or why that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFaultKind {
    /// 429: too many calls or bytes.
    Throttled,
    /// 413: the call is too large.
    TooLarge,
    /// 403: the role is missing, or the network does not let Axon in.
    Forbidden,
    /// 401: the token is not taken.
    Login,
    /// 404: no such rule or stream.
    NotFound,
    /// 400: the rows are not what the stream declares.
    Malformed,
    /// Another refusal, such as an error under a status that says all is well.
    Refused,
    /// The service is out of order.
    Busy,
    /// There is no token.
    NoToken,
    /// Nothing was sent.
    Unreachable,
    /// There is no answer that can be believed: the rows may have arrived.
    Unknown,
}

impl LogFaultKind {
    /// The word of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::TooLarge => "too-large",
            Self::Forbidden => "forbidden",
            Self::Login => "login",
            Self::NotFound => "not-found",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::NoToken => "no-token",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

/// Why rows were not taken. Never holds a token or a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct LogFault {
    /// What it means.
    pub kind: LogFaultKind,
    /// How long the service wants to be left alone, where it says so.
    pub wait: Option<Duration>,
    text: String,
}

impl From<ServiceFault> for LogFault {
    fn from(fault: ServiceFault) -> Self {
        let (kind, wait) = match &fault {
            ServiceFault::NoToken(_) => (LogFaultKind::NoToken, None),
            ServiceFault::Wire(WireError::Unreachable { .. } | WireError::Unsendable { .. }) => {
                (LogFaultKind::Unreachable, None)
            }
            ServiceFault::Wire(_) | ServiceFault::Unreadable(_) | ServiceFault::Unsupported(_) => {
                (LogFaultKind::Unknown, None)
            }
            ServiceFault::Hasty { wait, .. } => (LogFaultKind::Throttled, Some(*wait)),
            ServiceFault::Refused { problem, .. } => (of_status(problem.status), None),
        };
        Self { kind, wait, text: fault.to_string() }
    }
}

fn of_status(status: u16) -> LogFaultKind {
    match status {
        413 => LogFaultKind::TooLarge,
        403 => LogFaultKind::Forbidden,
        401 => LogFaultKind::Login,
        404 => LogFaultKind::NotFound,
        400 | 415 => LogFaultKind::Malformed,
        500.. => LogFaultKind::Busy,
        _ => LogFaultKind::Refused,
    }
}

/// What a refusal means, and what helps.
pub(super) fn told_apart(problem: &Problem) -> (Kind, &'static str) {
    let code = problem.code.to_ascii_lowercase();
    let text = problem.message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| code.contains(word) || text.contains(word));
    match problem.status {
        401 => (
            Kind::Login,
            "the token is not taken: check tenant and cloud, and that tokens are for Azure Monitor",
        ),
        403 if says(&["tenant", "issuer"]) => {
            (Kind::Login, "the token is of another tenant than the data collection rule")
        }
        403 if says(&["private link", "public network", "perimeter", "ip address"]) => (
            Kind::Network,
            "the data collection endpoint does not let this network in: allow it there, or send by its private link",
        ),
        403 => (
            Kind::Forbidden,
            "give Axon's identity the role Monitoring Metrics Publisher on the data collection rule itself; it counts after up to \
             30 minutes",
        ),
        404 if says(&["stream"]) => (
            Kind::Missing,
            "the rule declares no such stream: check `audit.ship.stream` against its streamDeclarations",
        ),
        404 => (
            Kind::Missing,
            "there is no such rule at this address: check `audit.ship.rule_id` (the immutable id, not the name) and that \
             `audit.ship.endpoint` is the rule's own",
        ),
        413 => (Kind::Other, "the call is too large: it is sent again in smaller ones"),
        400 | 415 => (
            Kind::Other,
            "the stream does not take these rows: deploy the table and rule of deploy/azure as this version has them",
        ),
        500.. => (Kind::Busy, ""),
        _ => (Kind::Other, ""),
    }
}
