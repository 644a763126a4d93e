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

impl Actor {
    /// Who it is for rules that want two persons, folded: what was proved of an operator, whatever name was added to it.
    pub fn identity(&self) -> String {
        let Self::Operator { name } = self else { return self.to_string() };
        let proved = name.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (login "));
        proved.map_or(name.as_str(), |(_, login)| login).trim().to_lowercase()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_added_makes_nobody_a_second_person() {
        let operator = |name: &str| Actor::Operator { name: name.to_owned() };
        for name in ["Kim", "kim", "ana (login kim)", "x (login ana) (login kim)"] {
            assert_eq!(operator(name).identity(), "kim", "{name}");
        }
        assert_ne!(operator("kim").identity(), operator("ana").identity());
    }
}
