//! The report as people read it.

use std::fmt;

use super::{Counts, Left, LeftKind, MappingTold, Report, RoleKind, RoleTold};
use crate::adopt::draft::DraftWho;
use crate::names::RoleName;
use crate::rule::GroupName;

impl fmt::Display for DraftWho {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[GroupName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Groups { source, groups } => write!(f, "people in {} of {source}", list(groups)),
            Self::People { source, groups, people } => {
                let names: Vec<String> = people.iter().map(|name| axon_model::name::shown(name)).collect();
                write!(f, "one by one, in {} of {source}: {}", list(groups), names.join(", "))
            }
            Self::Whole { source, group } => write!(f, "group {group} of {source} as one principal"),
            Self::Service(name) => write!(f, "service {name}"),
        }
    }
}

/// The most lines of a kind that people are shown.
const MOST: usize = 40;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, counts, roles, mappings, left, fewest, proof } = self;
        let Counts { principals, people, groups, services, protected, .. } = counts;
        writeln!(f, "{target}: proved that putting the map {} in force changes nothing", proof.version)?;
        writeln!(
            f,
            "  {principals} principals: {people} people, {groups} groups, {services} services, {protected} protected, {} outside",
            principals.saturating_sub(people + groups + services + protected)
        )?;
        let Counts { pool_roles, own_roles, own_classifiers, direct_roles, memberships, .. } = counts;
        let Counts { permissions, denials, .. } = counts;
        writeln!(
            f,
            "  {pool_roles} roles of the pool, {own_roles} of them the map's own; {memberships} memberships"
        )?;
        writeln!(f, "  {permissions} permissions, {denials} of them denials")?;
        if *own_classifiers > 0 {
            writeln!(f, "  {own_classifiers} workload classifiers of the map's own roles")?;
        }
        let exact = if *fewest { "no fewer suffice" } else { "perhaps fewer suffice" };
        writeln!(f, "  {direct_roles} roles of what stands on principals themselves ({exact})")?;
        let Counts { mappings: count, named_one_by_one, .. } = counts;
        writeln!(f, "  {count} mappings; {named_one_by_one} people are named one by one")?;
        writeln!(f, "\nroles:")?;
        for role in roles.iter().take(MOST) {
            role.fmt(f)?;
        }
        more(f, roles.len())?;
        let alone: Vec<&MappingTold> = mappings.iter().filter(|m| m.who.starts_with("one by one")).collect();
        if !alone.is_empty() {
            writeln!(f, "\npeople whom no group explains:")?;
            for mapping in alone.iter().take(MOST) {
                let roles: Vec<&str> = mapping.roles.iter().map(RoleName::as_str).collect();
                writeln!(f, "  {} have {}", mapping.who, roles.join(", "))?;
            }
            more(f, alone.len())?;
        }
        let kinds = [
            (LeftKind::Protected, "protected until somebody decides (guards.protect):"),
            (LeftKind::Principal, "principals outside of the map:"),
            (LeftKind::Role, "roles that are not the map's own:"),
            (LeftKind::Nested, "roles in roles:"),
            (LeftKind::Permission, "permissions outside of the map:"),
            (LeftKind::Owner, "owners:"),
            (LeftKind::Grantor, "permissions by the word of others:"),
            (LeftKind::Classifier, "workload classifiers:"),
            (LeftKind::Untold, "what else the pool holds:"),
        ];
        for (kind, title) in kinds {
            let of_kind: Vec<&Left> = left.iter().filter(|l| l.kind == kind).collect();
            if of_kind.is_empty() {
                continue;
            }
            writeln!(f, "\n{title}")?;
            for Left { what, why, .. } in of_kind.iter().take(MOST) {
                writeln!(f, "  {what}: {why}")?;
            }
            more(f, of_kind.len())?;
        }
        for (title, lines) in [("waits:", &proof.pending), ("findings:", &proof.findings)] {
            if !lines.is_empty() {
                writeln!(f, "\n{title}")?;
                lines.iter().take(MOST).try_for_each(|line| writeln!(f, "  {line}"))?;
                more(f, lines.len())?;
            }
        }
        if !proof.lints.is_empty() {
            writeln!(f, "\nwhat `axon map check` says of it:")?;
            proof.lints.iter().take(MOST).try_for_each(|finding| writeln!(f, "  {finding}"))?;
            more(f, proof.lints.len())?;
        }
        Ok(())
    }
}

fn more(f: &mut fmt::Formatter<'_>, all: usize) -> fmt::Result {
    if all > MOST { writeln!(f, "  and {} more (--json has all)", all - MOST) } else { Ok(()) }
}

impl fmt::Display for RoleTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, lines, members, groups, one_by_one } = self;
        let kind = match kind {
            RoleKind::Pool => "",
            RoleKind::Direct => " (direct)",
        };
        writeln!(f, "  {name}{kind}: {members} members")?;
        lines.iter().try_for_each(|line| writeln!(f, "    {line}"))?;
        if !groups.is_empty() {
            writeln!(f, "    groups: {}", groups.join(", "))?;
        }
        if !one_by_one.is_empty() {
            let names: Vec<String> = one_by_one.iter().take(MOST).map(ToString::to_string).collect();
            let more = if one_by_one.len() > MOST { ", …" } else { "" };
            writeln!(f, "    one by one: {}{more}", names.join(", "))?;
        }
        Ok(())
    }
}
