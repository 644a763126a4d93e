//! `mappings`: the rules "these groups, under this condition, give these roles".

mod read;

use std::collections::BTreeSet;
use std::fmt;

use axon_model::{GroupEntry, SourceId};
use axon_scim::compare::fold;
use regex::Regex;
use time::OffsetDateTime;

use crate::condition::Condition;
use crate::names::{RoleName, ServiceName};
use crate::place::Place;
use crate::target::Via;
use crate::template::Template;

pub(crate) use read::{GROUPS_KEYS, KEYS, Known, ReadMapping, group_name, read};

/// How a group is named in a mapping.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupName {
    /// By `displayName`, compared as SCIM compares it: without case.
    Display(String),
    /// By `externalId`, compared exactly.
    External(String),
}

impl GroupName {
    /// The key that display names are compared by.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Display(name) => fold(name),
            Self::External(id) => id.clone(),
        }
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Display(name) => f.write_str(&axon_model::name::shown(name)),
            Self::External(id) => write!(f, "externalId {}", axon_model::name::shown(id)),
        }
    }
}

/// A pattern over whole display names, with named captures.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
    /// What every name that fits begins with: most names are refused by it alone.
    prefix: String,
}

impl Pattern {
    /// The captures if the whole name fits.
    pub fn captures<'n>(&self, name: &'n str) -> Option<regex::Captures<'n>> {
        if !name.starts_with(&self.prefix) || !self.regex.is_match(name) {
            return None;
        }
        self.regex.captures(name)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What every name that fits begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// The plain text that a pattern begins with. Alternatives and flags may change what plain text means: then there is none.
fn literal_prefix(pattern: &str) -> String {
    if pattern.contains('|') || pattern.contains("(?i") || pattern.contains("(?x") || pattern.contains("(?m")
    {
        return String::new();
    }
    let text = pattern.strip_prefix('^').unwrap_or(pattern);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    let end = text.find(|c| !plain(c)).unwrap_or(text.len());
    let mut prefix = text[..end].to_owned();
    // A quantifier speaks of the last letter, which then need not be there.
    if text[end..].starts_with(['*', '?', '+', '{']) {
        prefix.pop();
    }
    prefix
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

/// Which groups a mapping is about.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// Being in one of these suffices. Empty: no such demand.
    pub any: Vec<GroupName>,
    /// All of these are needed.
    pub all: Vec<GroupName>,
    /// None of these may be had.
    pub none: Vec<GroupName>,
    /// Or being in a group whose whole name fits.
    pub matching: Option<Pattern>,
}

/// Who a mapping is about.
#[derive(Debug, Clone)]
pub enum Who {
    /// People of a source, by their groups.
    Groups {
        /// Which groups.
        groups: Groups,
        /// Whose.
        source: SourceId,
    },
    /// A service identity of the map.
    Service(ServiceName),
}

/// Which roles a mapping gives.
#[derive(Debug, Clone)]
pub enum Gives {
    /// These.
    Roles(Vec<RoleName>),
    /// The one that the captures name, if it is one of these.
    Captured {
        /// How its name is made.
        template: Template,
        /// What it may be.
        only: BTreeSet<RoleName>,
    },
}

impl Gives {
    /// The role that these captures name, if it may be given.
    pub(crate) fn captured(&self, captures: &regex::Captures<'_>) -> Option<&RoleName> {
        let Self::Captured { template, only } = self else { return None };
        let text = template.fill(|name| captures.name(name).map(|m| m.as_str().into())).ok()?;
        only.get(text.as_str())
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Where it stands.
    pub place: Place,
    /// Who it is about.
    pub who: Who,
    /// The condition on the person.
    pub when: Option<Condition>,
    /// What it gives.
    pub gives: Gives,
    /// The first instant at which it no longer holds.
    pub until: Option<OffsetDateTime>,
    /// Whether groups that a pattern finds need no release before they give anything.
    pub trust: bool,
    /// How people get in, where it differs from the target's own way.
    pub via: Option<Via>,
    /// Whether it may give a role that a rule separates from others.
    pub(crate) separated: bool,
}

impl Mapping {
    /// Whether it holds at this instant.
    pub fn holds_at(&self, now: OffsetDateTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether it is about this group by the name that stands in the map.
    pub(crate) fn writes(&self, group: &GroupEntry) -> bool {
        let Who::Groups { groups, source } = &self.who else { return false };
        let written = |name: &GroupName| {
            matches!(name, GroupName::Display(_)) && name.key() == fold(&group.display_name)
        };
        *source == group.source && groups.any.iter().chain(&groups.all).any(written)
    }

    /// Whether it is about a service identity.
    pub fn is_of_service(&self) -> bool {
        matches!(self.who, Who::Service(_))
    }

    /// The roles that it can give to anybody.
    pub fn possible(&self) -> Box<dyn Iterator<Item = &RoleName> + '_> {
        match &self.gives {
            Gives::Roles(roles) => Box::new(roles.iter()),
            Gives::Captured { only, .. } => Box::new(only.iter()),
        }
    }

    /// The roles that being in a group gives, where captures of the group's name gave `captured`.
    pub(crate) fn roles_by<'m>(
        &'m self,
        captured: Option<&'m RoleName>,
    ) -> Box<dyn Iterator<Item = &'m RoleName> + 'm> {
        match &self.gives {
            Gives::Roles(roles) => Box::new(roles.iter()),
            Gives::Captured { .. } => Box::new(captured.into_iter()),
        }
    }

    /// What makes it speak of single people, so that a whole group cannot stand for them.
    pub(crate) fn personal(&self) -> Option<&'static str> {
        let Who::Groups { groups, .. } = &self.who else { return None };
        if self.when.is_some() {
            Some("a condition on the person (`when`)")
        } else if !groups.all.is_empty() {
            Some("`all`, which asks each person for several groups")
        } else if !groups.none.is_empty() {
            Some("`none`, which leaves single people out")
        } else if self.separated {
            Some("a role of `rules.separate`, which each person may hold or not")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_beginning_of_a_pattern_is_what_every_fitting_name_has() {
        for (pattern, prefix) in [
            ("^syn-(?<team>[a-z]+)$", "syn-"),
            ("syn-x*", "syn-"),
            ("syn-x{0,3}", "syn-"),
            ("a|b", ""),
            ("^(?i)syn", ""),
            ("(syn)", ""),
            ("a b", "a b"),
            ("a.b", "a"),
            ("^^a", ""),
            ("\\Aab", ""),
        ] {
            assert_eq!(literal_prefix(pattern), prefix, "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_prefix_refuses_nothing_that_fits(pattern in "[ab^(){}|*?+.\\-]{0,8}", name in "[ab\\-]{0,6}") {
            let whole = format!(r"\A(?:{pattern})\z");
            if let Ok(regex) = Regex::new(&whole) {
                let fits = regex.is_match(&name);
                let found = Pattern { text: pattern.clone(), regex, prefix: literal_prefix(&pattern) };
                proptest::prop_assert_eq!(found.captures(&name).is_some(), fits, "{}", pattern);
            }
        }
    }
}
