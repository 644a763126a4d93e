//! Why a step is withheld, and what releases it.

use std::fmt;

use axon_model::SqlName;
use serde::{Deserialize, Serialize};

use crate::step::StepKind;

/// Why a step is withheld. The text names the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
#[expect(missing_docs, reason = "the fields are the words of the sentence that Display makes")]
pub enum Reason {
    /// The target is only watched.
    Observe,
    /// The target is only added to.
    Additive,
    /// Axon never changes the principal it runs as.
    OwnPrincipal { principal: SqlName },
    /// `dbo` is never changed.
    Dbo,
    /// Without it nobody could administer the target.
    LastAdministrator { principal: SqlName },
    /// The role map protects it.
    Protected { principal: SqlName },
    /// The role map lets steps of this kind wait.
    HeldKind { kind: StepKind },
    /// The budget of removals is spent.
    Removals { wanted: u64, left: u64, of: u64 },
    /// The budget of leavers is spent.
    Leavers { wanted: u64, left: u64, of: u64 },
    /// It takes from somebody to whom Axon never gave anything, as far as this store knows.
    NeverGiven { principal: SqlName },
    /// The target refused it lately.
    Refused,
    /// It gives, and its record cannot be written.
    Unrecorded,
    /// It needs a step that is withheld.
    Needs { step: String },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observe => f.write_str("the target is in mode observe: set mode additive or authoritative"),
            Self::Additive => f.write_str(
                "the target is in mode additive, which takes nothing away: set mode authoritative",
            ),
            Self::OwnPrincipal { principal } => {
                write!(f, "Axon itself enters as {principal}: change it by hand")
            }
            Self::Dbo => f.write_str("dbo is never changed: change it by hand"),
            Self::LastAdministrator { principal } => {
                write!(f, "{principal} is the last administrator: make another one first")
            }
            Self::Protected { principal } => {
                write!(f, "{principal} is protected: take it out of guards.protect")
            }
            Self::HeldKind { kind } => write!(
                f,
                "\"{kind}\" waits for a person: do it by hand, or take the kind out of guards.steps.hold"
            ),
            Self::Removals { wanted, left, of } => write!(
                f,
                "the plan takes away {wanted} of {of} memberships and grants and guards.removals leaves {left}: \
                 raise it in the role map, or wait until the window has passed"
            ),
            Self::Leavers { wanted, left, of } => write!(
                f,
                "the plan shuts out {wanted} of {of} principals and guards.leavers leaves {left}: \
                 raise it in the role map, or wait until the window has passed"
            ),
            Self::NeverGiven { principal } => write!(
                f,
                "Axon never gave {principal} anything that it knows of (a source that has not pushed yet?): \
                 take it away by hand, or let the map give it once"
            ),
            Self::Refused => f.write_str("the target refused it: it is tried again by itself"),
            Self::Unrecorded => f.write_str(
                "the journal cannot be written, and nothing is given without its record: mend the store",
            ),
            Self::Needs { step } => {
                write!(f, "it needs a withheld step, \"{step}\": see what that one waits for")
            }
        }
    }
}
