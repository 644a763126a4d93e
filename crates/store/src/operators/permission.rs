//! What an operator's token may do.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One thing that operators do over their API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See versions, proposals and previews.
    MapRead,
    /// Bring a version.
    MapPush,
    /// Release or reject what another proposed.
    MapRelease,
    /// See what waits for a person.
    HoldsRead,
    /// Answer what waits for a person.
    HoldsRelease,
    /// Shut somebody out, and end that.
    Offboard,
    /// Ask for a role for a while, and end one.
    Grant,
    /// See integrations and their scripts.
    IntegrationsRead,
    /// Make, change and delete integrations.
    IntegrationsWrite,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 9] = [
        Self::MapRead,
        Self::MapPush,
        Self::MapRelease,
        Self::HoldsRead,
        Self::HoldsRelease,
        Self::Offboard,
        Self::Grant,
        Self::IntegrationsRead,
        Self::IntegrationsWrite,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MapRead => "map.read",
            Self::MapPush => "map.push",
            Self::MapRelease => "map.release",
            Self::HoldsRead => "holds.read",
            Self::HoldsRelease => "holds.release",
            Self::Offboard => "offboard",
            Self::Grant => "grant",
            Self::IntegrationsRead => "integrations.read",
            Self::IntegrationsWrite => "integrations.write",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no permission: they are map.read, map.push, map.release, holds.read, holds.release, offboard, grant, \
     integrations.read, integrations.write"
)]
pub struct BadPermission(String);

impl FromStr for Permission {
    type Err = BadPermission;

    fn from_str(text: &str) -> Result<Self, BadPermission> {
        let found = Self::ALL.into_iter().find(|permission| permission.as_str() == text);
        found.ok_or_else(|| BadPermission(text.chars().take(80).collect()))
    }
}

/// Permissions; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    /// Whether this is among them.
    pub fn has(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|permission| permission.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

impl FromStr for Permissions {
    type Err = BadPermission;

    /// Words parted by commas or spaces.
    fn from_str(text: &str) -> Result<Self, BadPermission> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let set = words.map(str::parse).collect::<Result<BTreeSet<Permission>, _>>()?;
        if set.is_empty() { Err(BadPermission(String::new())) } else { Ok(Self(set)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_back_from_their_text() {
        let may: Permissions = "map.push, map.read map.push".parse().unwrap();
        assert_eq!(may.to_string(), "map.read,map.push");
        assert_eq!(may.to_string().parse(), Ok(may.clone()));
        assert!(may.has(Permission::MapRead) && !may.has(Permission::MapRelease));
        for bad in ["", ",", "map", "map.*", "Map.Read", "write"] {
            assert!(bad.parse::<Permissions>().is_err(), "{bad:?}");
        }
        for permission in Permission::ALL {
            assert!(BadPermission(String::new()).to_string().contains(permission.as_str()));
        }
    }
}
