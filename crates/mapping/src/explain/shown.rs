//! An explanation as people read it.

use std::fmt;

use axon_model::name::shown;

use crate::pending::Pending;

use super::{
    ConditionExplained, Explanation, GrantExplained, NotGiven, PersonExplained, RoleExplained,
    TargetExplained, Way,
};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, people } = self;
        if people.is_empty() {
            return writeln!(f, "no source knows {}: nothing is given", shown(who));
        }
        people.iter().try_for_each(|person| person.fmt(f))
    }
}

impl fmt::Display for PersonExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, source, user_name, active, record, offboarded, targets } = self;
        write!(f, "{} (source {source}, id {id}", shown(user_name))?;
        if let Some(record) = record {
            write!(f, ", record {record}")?;
        }
        writeln!(f, "): {}", if *active { "active" } else { "not active" })?;
        if let Some(request) = offboarded {
            writeln!(f, "  OFFBOARDED: {request}")?;
        }
        targets.iter().try_for_each(|target| target.fmt(f))
    }
}

impl fmt::Display for TargetExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, principal, sid, withheld, roles, not_given } = self;
        write!(f, "\n  target {target}")?;
        match principal {
            Some(name) => write!(f, ", as {name}")?,
            None => f.write_str(", without a usable name")?,
        }
        if let Some(sid) = sid {
            write!(f, " (sid {sid})")?;
        }
        writeln!(f)?;
        withheld.iter().try_for_each(|pending| writeln!(f, "    WITHHELD: {pending}"))?;
        // A request that a rule withholds takes nothing away.
        let all = withheld.iter().all(|pending| matches!(pending, Pending::RequestSeparated { .. }));
        match (roles.is_empty(), all) {
            (true, _) if not_given.is_empty() => {
                writeln!(f, "    no role: no mapping names a group that this person is in")?;
            }
            (true, _) => writeln!(f, "    no role")?,
            (false, false) => writeln!(f, "    has nothing; mappings would give:")?,
            (false, true) => {}
        }
        roles.iter().try_for_each(|role| role.fmt(f))?;
        not_given.iter().try_for_each(|not| not.fmt(f))
    }
}

impl fmt::Display for RoleExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, pool_role, ways, requests, grants } = self;
        write!(f, "    role {role}")?;
        match pool_role {
            Some(name) => writeln!(f, " ({name})")?,
            None => writeln!(f)?,
        }
        ways.iter().try_for_each(|way| way.fmt(f))?;
        requests.iter().try_for_each(|request| writeln!(f, "      because: {request}"))?;
        grants.iter().try_for_each(|grant| grant.fmt(f))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mapping, groups, as_group, condition, until } = self;
        f.write_str("      because: ")?;
        for (i, link) in groups.iter().enumerate() {
            let arrow = if i > 0 { " -> " } else { "" };
            write!(f, "{arrow}{} (record {})", shown(&link.name), link.record)?;
        }
        write!(f, " -> mapping {mapping}")?;
        if *as_group {
            f.write_str(", as the whole group")?;
        }
        if let Some(until) = until {
            write!(f, ", until {until}")?;
        }
        writeln!(f)?;
        condition.as_ref().map_or(Ok(()), |condition| condition.fmt(f))
    }
}

impl fmt::Display for ConditionExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, truth, seen } = self;
        writeln!(f, "        when {} is {truth}", shown(text))?;
        seen.iter().try_for_each(|line| writeln!(f, "          {}", shown(line)))
    }
}

impl fmt::Display for GrantExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, place, through, missing } = self;
        write!(f, "      holds: {} ({place}", shown(line))?;
        if through.len() > 1 {
            let names: Vec<&str> = through.iter().map(crate::names::RoleName::as_str).collect();
            write!(f, ", {}", names.join(" includes "))?;
        }
        f.write_str(")")?;
        if !missing.is_empty() {
            write!(f, " WAITS: not there: {}", missing.join(", "))?;
        }
        writeln!(f)
    }
}

impl fmt::Display for NotGiven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mapping, roles, why, condition } = self;
        let names: Vec<&str> = roles.iter().map(crate::names::RoleName::as_str).collect();
        let what = if names.is_empty() { "nothing".to_owned() } else { format!("not {}", names.join(", ")) };
        writeln!(f, "    mapping {mapping} gives {what}: {why}")?;
        condition.as_ref().map_or(Ok(()), |condition| condition.fmt(f))
    }
}
