//! Why a version of the role map is not taken.

use std::fmt;

use axon_mapping::{Diagnostics, Failure, NotCarriedOut};
use axon_store::StoreError;
use axon_store::maps::{MapHead, Proposal};

use super::Altered;

/// Why a version of the role map is not taken. The one in force stays.
#[derive(Debug)]
pub enum Refusal {
    /// Names of files, or what was said beside them.
    Malformed(String),
    /// The text has faults.
    Faults(Diagnostics),
    /// Its own tests fail.
    Tests(Vec<Failure>),
    /// It asks for what this release cannot do.
    NotCarriedOut(Vec<NotCarriedOut>),
    /// It cannot be used on this machine.
    Unusable(String),
    /// Another version is in force than the one that it was made from.
    Moved(Option<Box<MapHead>>),
    /// Nothing of this version waits.
    Gone,
    /// As many proposals wait as may.
    Crowded,
    /// It waited too long.
    Expired(Box<Proposal>),
    /// Whoever releases may be whoever proposed.
    SamePerson(Box<Proposal>),
    /// The text that waits in the store is not what was proposed.
    Altered(Altered),
    /// The store cannot.
    Store(StoreError),
}

impl Refusal {
    /// The word for metrics and answers.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Faults(_) => "faults",
            Self::Tests(_) => "tests-fail",
            Self::NotCarriedOut(_) => "not-supported",
            Self::Unusable(_) => "unusable",
            Self::Moved(_) => "conflict",
            Self::Gone => "gone",
            Self::Crowded => "crowded",
            Self::Expired(_) => "expired",
            Self::SamePerson(_) => "same-person",
            Self::Altered(_) => "altered",
            Self::Store(_) => "store",
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(words) => f.write_str(words),
            Self::Faults(faults) => write!(f, "the role map cannot be used\n\n{faults}"),
            Self::Tests(failures) => {
                write!(f, "the role map cannot be used: {} of its tests fail", failures.len())?;
                failures.iter().try_for_each(|failure| write!(f, "\n\n{failure}"))
            }
            Self::NotCarriedOut(missing) => {
                f.write_str("the role map cannot be put in force\n")?;
                missing.iter().try_for_each(|what| write!(f, "\n{what}"))
            }
            Self::Unusable(words) => write!(f, "the role map cannot be used here: {words}"),
            Self::Moved(None) => f.write_str("no version is in force, and one was expected"),
            Self::Moved(Some(head)) => {
                write!(f, "another version is in force by now: {}", described(head))
            }
            Self::Gone => f.write_str("no version with this hash waits for a second person"),
            Self::Crowded => {
                f.write_str("too many versions wait for a second person: release or reject some")
            }
            Self::Expired(proposal) => {
                write!(f, "the proposal of {} has expired: propose it anew", proposal.version)
            }
            Self::SamePerson(proposal) => {
                write!(f, "{} proposed this version: somebody else has to release it", proposal.author)
            }
            Self::Altered(altered) => altered.fmt(f),
            Self::Store(_) => f.write_str("the store cannot be asked"),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

/// A version with who changed what when, in one line.
fn described(head: &MapHead) -> String {
    let author = head.author.as_ref().map_or_else(|| "an earlier release".to_owned(), ToString::to_string);
    let said = if head.comment.is_empty() {
        String::new()
    } else {
        format!(": {}", axon_model::name::shown(&head.comment))
    };
    format!("{} by {author} at {}{said}", head.version, axon_store::stored::shown_instant(head.at))
}
