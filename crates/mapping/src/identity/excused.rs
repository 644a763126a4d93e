//! Breaches of a rule of separation that a person looked at and let be.

use std::collections::BTreeSet;

use axon_model::UserId;

use crate::names::{RoleName, TargetName};

/// Roles that the rules separate and that one person would hold, or may hold, together in a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// The target.
    pub target: TargetName,
    /// The person: one user, or the records of one person in several sources.
    pub users: BTreeSet<UserId>,
    /// The roles.
    pub roles: BTreeSet<RoleName>,
}

impl Breach {
    /// One text for it, by which it is told from others and read again.
    pub fn key(&self) -> String {
        let users: Vec<String> = self.users.iter().map(ToString::to_string).collect();
        let roles: Vec<&str> = self.roles.iter().map(RoleName::as_str).collect();
        format!("{} {} {}", self.target, users.join(","), roles.join(","))
    }

    /// What a [`key`](Self::key) says.
    pub fn parse(key: &str) -> Option<Self> {
        let mut parts = key.splitn(3, ' ');
        let target = parts.next()?.parse().ok()?;
        let users = parts.next()?.split(',').map(|id| id.parse().ok()).collect::<Option<_>>()?;
        let roles = parts.next()?.split(',').map(|role| role.parse().ok()).collect::<Option<_>>()?;
        Some(Self { target, users, roles })
    }

    /// Whether letting this be lets the other be: the same person, and no role that nobody saw.
    pub fn covers(&self, other: &Self) -> bool {
        self.target == other.target
            && other.users.is_subset(&self.users)
            && other.roles.is_subset(&self.roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_reads_back_and_covers_no_more_than_was_seen() {
        let breach = |users: &[u8], roles: &[&str]| Breach {
            target: "dw".parse().unwrap(),
            users: users.iter().map(|n| UserId::from_uuid(uuid::Uuid::from_u128((*n).into()))).collect(),
            roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        };
        let seen = breach(&[1, 2], &["approver", "maker"]);
        assert_eq!(Breach::parse(&seen.key()), Some(seen.clone()));
        assert_eq!(Breach::parse("dw nobody maker"), None);
        assert!(seen.covers(&breach(&[1], &["maker"])) && seen.covers(&seen));
        assert!(!seen.covers(&breach(&[1], &["approver", "maker", "payer"])));
        assert!(!seen.covers(&breach(&[3], &["approver", "maker"])));
        assert!(!seen.covers(&Breach { target: "other".parse().unwrap(), ..seen.clone() }));
    }
}
