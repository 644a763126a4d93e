//! An explanation as people read it.

use std::fmt;

use axon_model::name::shown;

use crate::chain::instant;

use super::{
    Change, ConditionExplained, Explanation, GrantExplained, Missing, MissingIn, NotGiven, PersonExplained,
    RoleExplained, TargetExplained, Way,
};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, people, services } = self;
        if self.is_empty() {
            return writeln!(f, "no source knows {}: nothing is given", shown(who));
        }
        people.iter().try_for_each(|person| person.fmt(f))?;
        services.iter().try_for_each(|service| service.fmt(f))
    }
}

impl fmt::Display for PersonExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, source, user_name, active, record, changed, offboarded, targets } = self;
        write!(f, "{} (source {source}, id {id}", shown(user_name))?;
        if let Some(record) = record {
            write!(f, ", record {record}")?;
        }
        if let Some(changed) = changed {
            write!(f, ", {changed}")?;
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
        let Self { target, principal, sid, withheld, waits, roles, not_given } = self;
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
        waits.iter().try_for_each(|pending| writeln!(f, "    WAITS: {pending}"))?;
        // What comes by a whole group does not hang on the person's own name.
        let by_group = roles.iter().any(|role| role.ways.iter().any(|way| way.as_group));
        match (roles.is_empty(), withheld.is_empty()) {
            (true, _) if not_given.is_empty() && waits.is_empty() => {
                writeln!(f, "    no role: no mapping names a group that this person is in")?;
            }
            (true, _) => writeln!(f, "    no role")?,
            (false, false) if by_group => {
                writeln!(f, "    has nothing under the own name; mappings give or would give:")?;
            }
            (false, false) => writeln!(f, "    has nothing; mappings would give:")?,
            (false, true) => {}
        }
        roles.iter().try_for_each(|role| role.fmt(f))?;
        not_given.iter().try_for_each(|not| not.fmt(f))
    }
}

impl fmt::Display for RoleExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, pool_role, ways, requests, grants, sees, acting } = self;
        write!(f, "    role {role}")?;
        match pool_role {
            Some(name) => writeln!(f, " ({name})")?,
            None => writeln!(f)?,
        }
        ways.iter().try_for_each(|way| way.fmt(f))?;
        requests.iter().try_for_each(|request| writeln!(f, "      because: {request}"))?;
        grants.iter().try_for_each(|grant| grant.fmt(f))?;
        sees.iter().try_for_each(|what| writeln!(f, "      sees: {what}"))?;
        acting.iter().try_for_each(|whom| writeln!(f, "      may act as: {whom}"))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mapping, groups, as_group, withheld, condition, until } = self;
        f.write_str("      because: ")?;
        groups.iter().try_for_each(|link| write!(f, "{link} -> "))?;
        write!(f, "mapping {mapping}")?;
        if *as_group {
            f.write_str(", as the whole group")?;
        }
        if let Some(until) = until {
            write!(f, ", until {}", instant(*until))?;
        }
        writeln!(f)?;
        withheld.iter().try_for_each(|pending| writeln!(f, "        WITHHELD: {pending}"))?;
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
        let Self { line, place, through, missing, denied_by, seen } = self;
        write!(f, "      holds: {} ({place}", shown(line))?;
        if through.len() > 1 {
            let names: Vec<&str> = through.iter().map(crate::names::RoleName::as_str).collect();
            write!(f, ", {}", names.join(" includes "))?;
        }
        f.write_str(")")?;
        if !missing.is_empty() {
            write!(f, " WAITS: not there: {}", missing.join(", "))?;
        }
        if !denied_by.is_empty() {
            let places: Vec<String> = denied_by.iter().map(ToString::to_string).collect();
            write!(f, " DENIED, in whole or in part, by {}", places.join(", "))?;
        }
        writeln!(f)?;
        seen.as_ref().map_or(Ok(()), |seen| writeln!(f, "        seen: {}", shown(seen)))
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

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, grant, targets, service } = self;
        if let Some(service) = service {
            writeln!(
                f,
                "{} is a service identity ({service}): a mapping with `service:` gives it roles; see `axon explain {}`",
                shown(who),
                shown(who)
            )?;
        } else if targets.is_empty() {
            return writeln!(f, "no source knows {}: nothing is given", shown(who));
        }
        for one in targets {
            let MissingIn { id: _, source, user_name, target, has, withheld, forbidden, changes } = one;
            let (name, grant) = (shown(user_name), shown(grant));
            let said = match *has {
                "whole" => "has",
                "part" => "has only a part of",
                _ => "does not have",
            };
            writeln!(f, "{name} (source {source}) {said} `{grant}` in {target}")?;
            withheld.iter().try_for_each(|pending| writeln!(f, "  WITHHELD: {pending}"))?;
            if let Some(rule) = forbidden {
                writeln!(f, "  no role may give it: {rule} forbids it")?;
            }
            for change in changes {
                let Change { role, mapping, whole, steps } = change;
                let part = if *whole { "" } else { " (a part of it)" };
                match (role, mapping) {
                    (Some(role), Some(mapping)) => {
                        writeln!(f, "  by role {role}{part}, mapping {mapping}:")?;
                    }
                    (Some(role), None) => {
                        writeln!(f, "  by role {role}{part}, which no mapping of this source gives:")?;
                    }
                    _ => writeln!(f, "  no role gives it:")?,
                }
                steps.iter().try_for_each(|step| writeln!(f, "    - {step}"))?;
            }
        }
        Ok(())
    }
}
