//! Names that a map gives to its own things.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The text is not a name of the map's own things.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name here is 1 to 100 of A-Z, a-z, 0-9, '-', '_', '.', beginning with a letter or digit")]
pub struct BadName;

fn plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= 100
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

macro_rules! map_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                if plain(text) { Ok(Self(text.into())) } else { Err(BadName) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

map_name!(
    /// A target's name in the map.
    TargetName
);
map_name!(
    /// A role's name in the map.
    RoleName
);
map_name!(
    /// A service identity's name in the map.
    ServiceName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_nothing_that_a_template_or_a_shell_could_take_amiss() {
        assert!("data-engineer_2.x".parse::<RoleName>().is_ok());
        for bad in ["", "-x", "a b", "a{b}", "ä", "x]", &"x".repeat(101)] {
            assert!(bad.parse::<RoleName>().is_err(), "{bad:?}");
        }
    }
}
