//! `tests`: what certain people must have and must not have, said in the map and proved before it is used.

mod read;
mod run;

use std::sync::Arc;

use axon_model::SourceId;
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::names::{RoleName, ServiceName, TargetName};
use crate::place::Place;
use crate::role::PlacedGrant;
use crate::rule::GroupName;

pub(crate) use read::{KEYS, Known, PERSON_KEYS, read};
pub use run::run;

/// One test of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct MapTest {
    /// Where it stands.
    pub place: Place,
    /// Who is looked at.
    pub who: Subject,
    /// The instant that it speaks of; now, if it says none.
    pub at: Option<OffsetDateTime>,
    /// The roles that must come out, exactly; none if the test does not say it.
    pub roles: Option<Vec<RoleName>>,
    /// What must be had.
    pub has: Vec<Expected>,
    /// What must not be had, not even in part.
    pub lacks: Vec<Expected>,
}

/// Who a test looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// A person as a source might push them.
    Person {
        /// Their userName.
        user_name: Arc<str>,
        /// Whose.
        source: SourceId,
        /// The groups that they are in.
        groups: Vec<GroupName>,
        /// Whether they are active.
        active: bool,
        /// Their other attributes.
        document: Map<String, Value>,
    },
    /// A service identity of the map.
    Service(ServiceName),
}

impl Subject {
    /// How people call them.
    pub fn name(&self) -> String {
        match self {
            Self::Person { user_name, .. } => axon_model::name::shown(user_name),
            Self::Service(name) => format!("service identity {name}"),
        }
    }
}

/// One line that a test speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Where it would be had.
    pub target: TargetName,
    /// What.
    pub grant: PlacedGrant,
}

/// A test that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The line of the test that does not hold.
    pub place: Place,
    /// What was expected and what came out.
    pub message: String,
    /// Where what came out comes from, or what keeps it away.
    pub because: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, message, because } = self;
        write!(f, "{place}: {message}")?;
        because.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}
