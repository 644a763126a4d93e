//! What a token may do.

use std::fmt;
use std::str::FromStr;

/// What a token may do within its source's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes {
    /// Create, replace, patch and delete. Reading is always allowed.
    pub write: bool,
    /// See and touch groups, and the groups of a user.
    pub groups: bool,
}

impl Scopes {
    /// Everything that a source's connector does.
    pub const ALL: Self = Self { write: true, groups: true };

    /// Whether nothing here goes beyond `other`.
    pub const fn within(self, other: Self) -> bool {
        (!self.write || other.write) && (!self.groups || other.groups)
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { write: self.write && other.write, groups: self.groups && other.groups }
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.write { "write" } else { "read" })?;
        if self.groups { Ok(()) } else { f.write_str(" users-only") }
    }
}

/// The text names a scope that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope: `read` or `write`, and `users-only` beside one of them")]
pub struct BadScopes(String);

impl FromStr for Scopes {
    type Err = BadScopes;

    /// Words parted by spaces or commas. `users-only` alone may write; `write` holds `read`.
    fn from_str(text: &str) -> Result<Self, BadScopes> {
        let bad = || BadScopes(text.chars().take(80).collect());
        let (mut read, mut write, mut groups) = (false, false, true);
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            match word {
                "read" => read = true,
                "write" => write = true,
                "users-only" => groups = false,
                _ => return Err(bad()),
            }
        }
        if !read && !write && groups {
            return Err(bad());
        }
        Ok(Self { write: write || !read, groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back_from_their_text() {
        for (text, shown) in [
            ("write", "write"),
            ("read", "read"),
            ("read write", "write"),
            ("users-only", "write users-only"),
            ("users-only,read", "read users-only"),
        ] {
            let scopes: Scopes = text.parse().unwrap();
            assert_eq!(scopes.to_string(), shown);
            assert_eq!(shown.parse(), Ok(scopes));
        }
        for bad in ["", " ", "admin", "Write", "read;write"] {
            assert!(bad.parse::<Scopes>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn narrower_is_within_and_wider_is_not() {
        let of = |text: &str| text.parse::<Scopes>().unwrap();
        assert!(of("read").within(of("write")) && !of("write").within(of("read")));
        assert!(of("users-only").within(Scopes::ALL) && !Scopes::ALL.within(of("users-only")));
        assert_eq!(of("read").and(of("users-only")), of("read users-only"));
    }
}
