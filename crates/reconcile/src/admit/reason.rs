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
    /// It takes from somebody of whom the target cannot say who they are: Axon may have given it to them under another name.
    Unresolved { principal: SqlName },
    /// It takes away what Axon never made.
    NeverMade,
    /// A source that the map uses has nobody any more who is active.
    SourceEmpty { source: String },
    /// An attribute that the map's conditions use is absent from everybody of a source.
    AttributeGone { source: String, attribute: String },
    /// The target refused it lately.
    Refused,
    /// It gives, and its record cannot be written.
    Unrecorded,
    /// It gives, and a view shows otherwise than the policy says.
    ProbeDiffers { view: String },
    /// It needs a step that is withheld.
    Needs { step: String },
}

/// Reasons that a person may lift by a release, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Nobody active is left in a source.
    SourceEmpty,
    /// A wave of leavers.
    Leavers,
    /// A wave of removals.
    Removals,
    /// An attribute vanished.
    AttributeGone,
    /// What Axon never made.
    NeverMade,
    /// From whom Axon never gave anything to.
    NeverGiven,
    /// A kind of step that always waits.
    HeldKind,
}

impl Class {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SourceEmpty => "source-empty",
            Self::Leavers => "leavers",
            Self::Removals => "removals",
            Self::AttributeGone => "attribute-gone",
            Self::NeverMade => "never-made",
            Self::NeverGiven => "never-given",
            Self::HeldKind => "held-kind",
        }
    }

    /// Whether it is about many steps together.
    pub const fn is_wave(self) -> bool {
        matches!(self, Self::SourceEmpty | Self::Leavers | Self::Removals | Self::AttributeGone)
    }
}

impl Reason {
    /// What a person would lift; none where only the map, the target or the step that it needs can.
    pub const fn class(&self) -> Option<Class> {
        match self {
            Self::HeldKind { .. } => Some(Class::HeldKind),
            Self::Removals { .. } => Some(Class::Removals),
            Self::Leavers { .. } => Some(Class::Leavers),
            Self::NeverGiven { .. } | Self::Unresolved { .. } => Some(Class::NeverGiven),
            Self::NeverMade => Some(Class::NeverMade),
            Self::SourceEmpty { .. } => Some(Class::SourceEmpty),
            Self::AttributeGone { .. } => Some(Class::AttributeGone),
            Self::Observe
            | Self::Additive
            | Self::OwnPrincipal { .. }
            | Self::Dbo
            | Self::LastAdministrator { .. }
            | Self::Protected { .. }
            | Self::Refused
            | Self::Unrecorded
            | Self::ProbeDiffers { .. }
            | Self::Needs { .. } => None,
        }
    }
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
                "\"{kind}\" waits for a person: release it (`axon holds`), or take the kind out of guards.steps.hold"
            ),
            Self::Removals { wanted, left, of } => write!(
                f,
                "the plan takes away {wanted} of {of} memberships and grants and guards.removals leaves {left}: \
                 release it (`axon holds`), raise it in the role map, or wait until the window has passed"
            ),
            Self::Leavers { wanted, left, of } => write!(
                f,
                "the plan shuts out {wanted} of {of} principals and guards.leavers leaves {left}: \
                 release or announce it (`axon holds`), raise it in the role map, or wait until the window has passed"
            ),
            Self::NeverGiven { principal } => write!(
                f,
                "Axon never gave {principal} anything that it knows of (a source that has not pushed yet?): \
                 release it (`axon holds`), take it away by hand, or let the map give it once"
            ),
            Self::Unresolved { principal } => write!(
                f,
                "whether Axon gave it cannot be told: {principal} may be somebody whom the map gives it and the directory does not show, \
                 or the target has no role by a name of the map's. Axon waits: mend that name, wait until the directory shows them, \
                 or release it (`axon holds`)"
            ),
            Self::NeverMade => f.write_str(
                "Axon never made it: it may be what somebody did on purpose. Release it (`axon holds`), or let the map give it",
            ),
            Self::SourceEmpty { source } => write!(
                f,
                "source {source} has nobody active any more: that everybody left has to be released (`axon holds`)"
            ),
            Self::AttributeGone { source, attribute } => write!(
                f,
                "nobody of source {source} has `{attribute}` any more, which conditions of the map use: what is lost by it \
                 has to be released (`axon holds`)"
            ),
            Self::Refused => f.write_str("the target refused it: it is tried again by itself"),
            Self::Unrecorded => f.write_str(
                "the journal cannot be written, and nothing is given without its record: mend the store",
            ),
            Self::ProbeDiffers { view } => write!(
                f,
                "view {view} showed a probe something else than the policy, and reconcile.freeze_on_probe is on: mend it, then `axon view probe`"
            ),
            Self::Needs { step } => {
                write!(f, "it needs a withheld step, \"{step}\": see what that one waits for")
            }
        }
    }
}
