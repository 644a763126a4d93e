//! Where a target stands, in words from a closed set and in numbers.

use axon_model::RecordSeq;
use serde::{Deserialize, Serialize};

use crate::breaker::Breaking;

/// Where a target stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No tick has ended yet.
    Starting,
    /// What is in force is what the map asks for.
    Converged,
    /// Steps wait: withheld by a guard, refused by the target, or on things that are not there yet.
    Pending,
    /// The target is only watched, and differs.
    Observed,
    /// The pool is paused.
    Paused,
    /// The pool is busy or warming up.
    Busy,
    /// The target does not accept Axon's login.
    LoginRefused,
    /// The target cannot be reached.
    Unreachable,
    /// The target answered, and refused or could not be understood.
    Refused,
    /// The store failed.
    StoreFailed,
    /// Another process holds the lease.
    Elsewhere,
}

impl State {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Converged => "converged",
            Self::Pending => "pending",
            Self::Observed => "observed",
            Self::Paused => "paused",
            Self::Busy => "busy",
            Self::LoginRefused => "login-refused",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::StoreFailed => "store-failed",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// One thing that waits, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What waits, as people read it.
    pub what: String,
    /// For what.
    pub why: String,
}

/// What the last tick on a target came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Where it stands.
    pub state: State,
    /// The journal position up to which the directory was looked at.
    pub position: RecordSeq,
    /// The same, of the last tick that left nothing to do but what waits.
    pub settled: RecordSeq,
    /// How many steps were applied in the last tick that applied any.
    pub applied: u64,
    /// What waits, at most a hundred.
    pub waiting: Vec<Waiting>,
    /// How many things wait in all.
    pub waiting_total: u64,
    /// What people should know, and nothing waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The trouble, where there is any.
    pub trouble: Option<String>,
    /// The circuit breaker, while it is not closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaking>,
}

impl Summary {
    /// Before the first tick.
    pub fn starting() -> Self {
        Self {
            state: State::Starting,
            position: RecordSeq(0),
            settled: RecordSeq(0),
            applied: 0,
            waiting: Vec::new(),
            waiting_total: 0,
            notes: Vec::new(),
            trouble: None,
            breaker: None,
        }
    }
}
