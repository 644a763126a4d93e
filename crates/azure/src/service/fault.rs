//! What went wrong with a service, in the words of the ports.

use std::fmt;
use std::time::Duration;

use axon_reconcile::{Refusal, RefusalKind, Retry, TargetError};

use crate::wire::{Problem, WireError};

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is already so.
    AlreadyThere,
    /// The row, role or scope is not there.
    Missing,
    /// Axon may not do this.
    Forbidden,
    /// The network does not let Axon in.
    Network,
    /// The token is of another tenant, or is not taken.
    Login,
    /// The principal is not known there, or not yet.
    NoPrincipal,
    /// Something stands in the way.
    Blocked,
    /// The service is out of order.
    Busy,
    /// Anything else.
    Other,
}

impl Kind {
    fn refusal(self) -> RefusalKind {
        match self {
            Self::AlreadyThere => RefusalKind::AlreadyThere,
            Self::Missing => RefusalKind::Missing,
            Self::Forbidden => RefusalKind::Forbidden,
            Self::Network | Self::Login => RefusalKind::Login,
            Self::NoPrincipal => RefusalKind::DirectoryUnknown,
            Self::Blocked => RefusalKind::Blocked,
            Self::Busy => RefusalKind::Busy,
            Self::Other => RefusalKind::Other,
        }
    }
}

/// Why a service did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ServiceFault {
    /// There is no token.
    NoToken(String),
    /// There is no answer.
    Wire(WireError),
    /// It was asked too fast, or said a moment ago that it was.
    Hasty { service: &'static str, wait: Duration },
    /// It refused.
    Refused { service: &'static str, kind: Kind, meaning: &'static str, problem: Problem },
    /// Its answer makes no sense.
    Unreadable(String),
    /// It has no request for it: nothing was sent.
    Unsupported(String),
}

impl From<WireError> for ServiceFault {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl fmt::Display for ServiceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken(text) | Self::Unreadable(text) | Self::Unsupported(text) => f.write_str(text),
            Self::Wire(error) => error.fmt(f),
            Self::Hasty { service, wait } => {
                write!(f, "{service} is asked too fast: it is left alone for {} s", wait.as_secs().max(1))
            }
            Self::Refused { service, meaning, problem, .. } => {
                write!(f, "{service} answers {}", problem.status)?;
                if !problem.code.is_empty() {
                    write!(f, " {}", problem.code)?;
                }
                if !meaning.is_empty() {
                    write!(f, ": {meaning}")?;
                } else if (200..300).contains(&problem.status) {
                    f.write_str(": an error under a status that says all is well; nothing is concluded from it, and it is asked again")?;
                }
                if problem.message.is_empty() { Ok(()) } else { write!(f, " ({})", problem.message) }
            }
        }
    }
}

impl ServiceFault {
    /// What the service's refusal means; none where it did not refuse.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Refused { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// The refusal in the words of the port.
    pub(crate) fn refusal(&self) -> Refusal {
        let (kind, number) = match self {
            Self::Refused { kind, problem, .. } => (kind.refusal(), i64::from(problem.status)),
            Self::Hasty { .. } => (RefusalKind::Busy, 429),
            Self::NoToken(_) => (RefusalKind::Login, 0),
            Self::Unsupported(_) => (RefusalKind::Unsupported, 0),
            Self::Wire(_) | Self::Unreadable(_) => (RefusalKind::Other, 0),
        };
        Refusal { kind, number, message: self.to_string() }
    }

    /// The whole target's trouble.
    pub(crate) fn at(self, target: &str, attempt: &'static str) -> TargetError {
        let target = target.to_owned();
        match self {
            Self::NoToken(reason) => TargetError::NoToken { target, reason },
            Self::Wire(error @ WireError::TooLarge { .. }) => {
                TargetError::Unreadable { target, attempt, reason: error.to_string() }
            }
            Self::Wire(error) => TargetError::Unreachable { target, reason: error.to_string() },
            Self::Unreadable(reason) | Self::Unsupported(reason) => {
                TargetError::Unreadable { target, attempt, reason }
            }
            Self::Hasty { wait, .. } => {
                TargetError::Refused { target, attempt, refusal: self.refusal(), retry: Retry::After(wait) }
            }
            Self::Refused { kind, .. } => {
                let retry = match kind {
                    Kind::Busy | Kind::Network | Kind::Login => Retry::After(Duration::from_secs(30)),
                    _ => Retry::After(Duration::from_mins(1)),
                };
                TargetError::Refused { target, attempt, refusal: self.refusal(), retry }
            }
        }
    }
}
