//! Who caused something.

use serde::{Deserialize, Serialize};

use crate::ids::SourceId;

/// Who caused a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Actor {
    /// A connector that holds this source's token.
    Source {
        /// The source.
        source: SourceId,
    },
    /// A person at the command line or the operators' API.
    Operator {
        /// The login name that they were known by.
        name: String,
    },
    /// Axon itself: a timer, a start-up, the controller.
    Axon,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source { source } => write!(f, "source {source}"),
            Self::Operator { name } => write!(f, "operator {name}"),
            Self::Axon => f.write_str("axon"),
        }
    }
}
