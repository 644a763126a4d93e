//! `guards.break_glass`: what may be given for a while beside the map, and who has to agree.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::Mode;
use time::{Duration, OffsetDateTime};

use crate::check::powers;
use crate::diagnostic::Fault;
use crate::grant::GrantLine;
use crate::map::RoleMap;
use crate::names::{RoleName, TargetName};
use crate::read::Reader;
use crate::role::Definitions;
use crate::rules::{amounts_to, around};
use crate::yaml::{Node, shown};

/// The longest time that may be asked for where the map says nothing.
const LONGEST: Duration = Duration::hours(8);
/// The longest that the map may allow.
const BOUND: Duration = Duration::days(7);

/// What may be given for a while beside the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    /// For how long at most.
    pub longest: Duration,
    /// Whether somebody else than whoever asks has to release it.
    pub second_person: bool,
    /// Roles that may be given although they are an administrator's or protected.
    pub also: BTreeSet<RoleName>,
}

impl Default for BreakGlass {
    fn default() -> Self {
        Self { longest: LONGEST, second_person: true, also: BTreeSet::new() }
    }
}

/// Keys of `guards.break_glass`.
pub(crate) const KEYS: &[&str] = &["longest", "second_person", "also"];

/// Reads it.
pub(crate) fn read(reader: &Reader<'_>, node: &Node, roles: &BTreeSet<RoleName>) -> BreakGlass {
    let mut read = BreakGlass::default();
    let Some(fields) = reader.fields(node, "`guards.break_glass`", KEYS, &[]) else { return read };
    if let Some(node) = fields.get("longest")
        && let Some(longest) = reader.duration(node, "`longest` of `guards.break_glass`")
    {
        if longest > BOUND {
            let message = "`longest` of `guards.break_glass` is over 7 days";
            let help = "who needs a role for longer gets it by a mapping with `until`";
            reader.fault_help(Fault::Invalid, node.span, message, help);
        }
        read.longest = longest;
    }
    if let Some(node) = fields.get("second_person") {
        let words = [("true", true), ("false", false)];
        read.second_person = reader.word(node, "`second_person`", &words).unwrap_or(true);
    }
    for item in fields.get("also").map_or(&[][..], |node| reader.list(node, "`also` of `guards.break_glass`"))
    {
        let Some(text) = reader.text(item, "a role's name") else { continue };
        if let Some(role) = roles.get(text.text.as_str()) {
            read.also.insert(role.clone());
        } else {
            let message = format!("no role is named `{}`", shown(&text.text));
            reader.unknown(&text, message, roles.iter().map(RoleName::as_str), "declare it under `roles`");
        }
    }
    read
}

/// Why a role may not be given for a while.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoGrant {
    /// The map has no such role.
    #[error("the role map has no role `{role}`{help}")]
    NoRole {
        /// As it was asked for.
        role: String,
        /// The nearest name.
        help: String,
    },
    /// The role has no lines there.
    #[error("role `{role}` has no lines for {place}: it would give nothing there")]
    NothingThere {
        /// The role.
        role: RoleName,
        /// Where.
        place: String,
    },
    /// It is longer than the map lets it be, or no time at all.
    #[error(
        "a role is not given for {asked}: ask for more than nothing and at most {longest} (guards.break_glass.longest)"
    )]
    TooLong {
        /// As it was asked for.
        asked: Duration,
        /// The bound.
        longest: Duration,
    },
    /// Nothing is taken away there, so it would never end.
    #[error(
        "target {target} is not in mode authoritative: what is given there would not end by itself; ask for another target, \
         or set its `mode`"
    )]
    WouldNotEnd {
        /// The target.
        target: TargetName,
    },
    /// The role is an administrator's.
    #[error(
        "role `{role}` is an administrator's ({why}): the map has to name it in guards.break_glass.also before it can be \
         given for a while"
    )]
    Administrator {
        /// The role.
        role: RoleName,
        /// What makes it so.
        why: String,
    },
    /// The role or the person is protected.
    #[error(
        "`{name}` is protected (guards.protect): the map has to name the role in guards.break_glass.also before it can be \
         given for a while"
    )]
    Protected {
        /// The name in the target.
        name: SqlName,
    },
    /// A rule separates it from what the person holds.
    #[error(
        "{rule}: the person holds {held}, which that rule separates from `{role}`: take that role away first, or give `{role}` to \
         somebody who does not hold it"
    )]
    Separated {
        /// The role.
        role: RoleName,
        /// What is held.
        held: String,
        /// Where the rule stands.
        rule: String,
    },
    /// Together with what the person holds it would amount to what is forbidden.
    #[error(
        "{rule}: role `{role}` would give `{forbidden}`, which is forbidden: {how}; give a narrower role, or change the rule in the \
         role map"
    )]
    Forbidden {
        /// The role.
        role: RoleName,
        /// What is forbidden.
        forbidden: String,
        /// Where the rule stands.
        rule: String,
        /// How.
        how: String,
    },
}

/// Whether a role may be given for a while to somebody who holds these roles and is called so in the targets.
pub fn may_be_given<'m>(
    map: &'m RoleMap,
    role: &str,
    target: Option<&TargetName>,
    length: Duration,
    held: &BTreeSet<&'m RoleName>,
    now: OffsetDateTime,
) -> Result<&'m RoleName, NoGrant> {
    let rules = &map.guards.break_glass;
    let Some(spec) = map.roles.get(role) else {
        let nearest = crate::nearest::nearest(role, map.roles.keys().map(RoleName::as_str));
        let meant = nearest.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
        return Err(NoGrant::NoRole { role: shown(role), help: meant });
    };
    let name = &spec.name;
    let there = |wanted: &&TargetName| target.is_none_or(|one| *one == **wanted);
    let targets: Vec<&TargetName> = spec.held.keys().filter(there).collect();
    if targets.is_empty() {
        let place = target.map_or_else(|| "any target".to_owned(), |target| format!("target {target}"));
        return Err(NoGrant::NothingThere { role: name.clone(), place });
    }
    if length > rules.longest || length <= Duration::ZERO {
        return Err(NoGrant::TooLong { asked: length, longest: rules.longest });
    }
    let open =
        |target: &&&TargetName| map.targets.get(**target).is_some_and(|t| t.mode != Mode::Authoritative);
    if let Some(target) = targets.iter().find(open) {
        return Err(NoGrant::WouldNotEnd { target: (*target).clone() });
    }
    if !rules.also.contains(name) {
        let defined = Definitions::of(map.roles.values());
        for target in &targets {
            let Some(place) = map.targets.get(*target) else { continue };
            let mut lines = spec.held.get(*target).into_iter().flatten();
            if let Some(why) = lines.find_map(|held| powers::administrator(&held.grant.line, place, &defined))
            {
                return Err(NoGrant::Administrator { role: name.clone(), why });
            }
            let protected = map.guards.protected(now);
            if let Some(name) = place.role(name).ok().filter(|name| protected.contains(name)) {
                return Err(NoGrant::Protected { name });
            }
        }
    }
    not_separated(map, name, held)?;
    not_forbidden(map, name, &targets)?;
    not_forbidden_together(map, name, &targets, held)?;
    Ok(name)
}

fn not_separated(map: &RoleMap, role: &RoleName, held: &BTreeSet<&RoleName>) -> Result<(), NoGrant> {
    let Some(spec) = map.roles.get(role) else { return Ok(()) };
    for rule in &map.rules.separate {
        let mine: BTreeSet<&RoleName> = spec.whole.intersection(&rule.roles).collect();
        if mine.is_empty() {
            continue;
        }
        let wholes = held.iter().filter_map(|role| map.roles.get(*role)).flat_map(|spec| &spec.whole);
        let other = wholes.filter(|role| rule.roles.contains(*role)).find(|role| !mine.contains(role));
        if let Some(other) = other {
            let place = rule.place.to_string();
            return Err(NoGrant::Separated { role: role.clone(), held: other.to_string(), rule: place });
        }
    }
    Ok(())
}

/// A map in which a line amounts to what is forbidden is refused as a whole. Asked again here, since the rule may have come
/// into the map after the role.
fn not_forbidden(map: &RoleMap, role: &RoleName, targets: &[&TargetName]) -> Result<(), NoGrant> {
    let Some(spec) = map.roles.get(role) else { return Ok(()) };
    let defined = Definitions::of(map.roles.values());
    let there = |target: &&&TargetName| Some((map.targets.get(**target)?, spec.held.get(**target)?));
    for (target, held) in targets.iter().filter_map(|target| there(&target)) {
        for (held, forbidden) in
            held.iter().flat_map(|held| map.rules.forbid.iter().map(move |rule| (held, rule)))
        {
            let how = match &held.grant.line {
                line @ GrantLine::Assigned(_) => {
                    around::gives(line, target, &map.targets, &defined, forbidden)
                }
                line => amounts_to(line, &forbidden.line),
            };
            if let Some(how) = how {
                return Err(NoGrant::Forbidden {
                    role: role.clone(),
                    forbidden: shown(&forbidden.text),
                    rule: forbidden.place.to_string(),
                    how,
                });
            }
        }
    }
    Ok(())
}

/// What the person holds and the role may amount to it only together.
fn not_forbidden_together(
    map: &RoleMap,
    role: &RoleName,
    targets: &[&TargetName],
    held: &BTreeSet<&RoleName>,
) -> Result<(), NoGrant> {
    for target in targets {
        let all =
            held.iter().copied().chain([role]).filter_map(|role| map.roles.get(role)?.held.get(*target));
        let lines = all.flatten().map(|held| &*held.grant);
        if let Some(rule) = crate::rules::together::forbidden_in_one(&map.rules, lines) {
            return Err(NoGrant::Forbidden {
                role: role.clone(),
                forbidden: shown(&rule.text),
                rule: rule.place.to_string(),
                how: "with what the person holds, code that is made in a schema does what the schema's owner may"
                    .to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const MAP: &str = r#"
axon: 1
targets:
  seen: { kind: synapse-dedicated, host: h, database: s, auth: { token-file: t } }
  dw: { kind: synapse-dedicated, host: h, database: dw, mode: authoritative, auth: { token-file: t }, role_name: "axon_{role}", manage: { roles: ["axon_*"] } }
roles:
  reader: { grants: { dw: [select on sales.orders] } }
  maker: { grants: { dw: [insert on pay.orders] } }
  approver: { grants: { dw: [update on pay.orders] } }
  owner: { grants: { dw: ["per person: member of db_owner"] } }
  guarded: { grants: { dw: [select on hr.people] } }
  empty: {}
  looked: { grants: { seen: [select on sales.orders] } }
rules: { separate: [[maker, approver]] }
guards:
  protect: [{ principal: axon_guarded, owner: s, until: 2027-01-01T00:00:00Z }]
"#;

    fn asked(map: &str, role: &str, hours: i64, held: &[&str]) -> Result<String, String> {
        let map = RoleMap::parse(&[("m", map)]).unwrap_or_else(|faults| panic!("{faults}"));
        let held = held.iter().map(|role| map.roles.get_key_value(*role).unwrap().0).collect();
        let now = datetime!(2026-11-22 00:00 UTC);
        may_be_given(&map, role, None, Duration::hours(hours), &held, now)
            .map(ToString::to_string)
            .map_err(|refused| refused.to_string())
    }

    #[test]
    fn what_the_map_does_not_allow_is_not_given_for_a_while() {
        assert_eq!(asked(MAP, "reader", 2, &["maker"]), Ok("reader".to_owned()));
        for (role, hours, held, words) in [
            ("raeder", 2, &[][..], "did you mean `reader`"),
            ("empty", 2, &[], "would give nothing"),
            ("reader", 9, &[], "longest"),
            ("reader", 0, &[], "longest"),
            ("looked", 2, &[], "would not end by itself"),
            ("owner", 2, &[], "an administrator's (member of db_owner)"),
            ("guarded", 2, &[], "protected"),
            ("approver", 2, &["reader", "maker"], "the person holds maker"),
        ] {
            let refused = asked(MAP, role, hours, held).unwrap_err();
            assert!(refused.contains(words), "{role}: {refused}");
        }
    }

    #[test]
    fn what_is_forbidden_is_not_reached_by_a_role_that_is_added() {
        let map = MAP.replace("  empty: {}\n", "  empty: {}\n  author: { grants: { dw: [create procedure on database] } }\n  opener: { grants: { dw: [alter on schema::sales] } }\n  caller: { grants: { dw: [\"execute on schema::sales\"] } }\n")
            .replace("rules: { separate", "rules: { forbid: [select on hr.people], separate")
            .replace("  guarded: { grants: { dw: [select on hr.people] } }\n", "")
            .replace("  owner: { grants: { dw: [\"per person: member of db_owner\"] } }\n", "")
            .replace("axon_guarded", "axon_maker");
        assert!(asked(&map, "caller", 1, &["author"]).is_ok(), "nothing can be put into the schema");
        let refused = asked(&map, "caller", 1, &["author", "opener"]).unwrap_err();
        assert!(refused.contains("forbidden") && refused.contains("with what the person holds"), "{refused}");
    }

    #[test]
    fn the_map_may_say_more() {
        let map =
            format!("{MAP}  break_glass: {{ longest: 24h, second_person: false, also: [owner, guarded] }}\n");
        for role in ["owner", "guarded"] {
            assert_eq!(asked(&map, role, 24, &[]), Ok(role.to_owned()));
        }
        let bad = format!("{MAP}  break_glass: {{ longest: 30d, second_person: maybe, also: [ownr] }}\n");
        let faults = RoleMap::parse(&[("m", &bad)]).unwrap_err().to_string();
        for words in ["over 7 days", "second_person", "no role is named `ownr`"] {
            assert!(faults.contains(words), "{words}: {faults}");
        }
    }
}
