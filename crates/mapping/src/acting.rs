//! Reading views as another person: whom the map lets do that, as whom, and what views must know of it.

mod administrators;
mod windows;

pub use windows::{Acting, ActingBy, ActingThere, named_sessions};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_model::SqlName;
use axon_reconcile::view_body::{RowRule, Rows, Test, Who};
use axon_reconcile::{Mode, Permission, Securable, ViewBody};
use time::{Duration, OffsetDateTime};

use crate::check::powers;
use crate::diagnostic::{Chapter, Fault};
use crate::grant::GrantLine;
use crate::map::RoleMap;
use crate::names::{RoleName, TargetName};
use crate::read::Reader;
use crate::role::{Definitions, HeldGrant, Impersonation, PlacedGrant, ReadRole};
use crate::secure_view::SecureView;
use crate::target::{TargetKind, TargetSpec};

/// Whether a target can hold what acting needs.
fn holds(target: &TargetSpec) -> bool {
    target.kind == TargetKind::SynapseDedicated
}

/// Puts whoever has a role that lets act into the pool's role for it. Where nobody may act, no view knows of it.
pub(crate) fn into_roles(
    reader: &Reader<'_>,
    targets: &mut BTreeMap<TargetName, TargetSpec>,
    roles: &mut BTreeMap<RoleName, ReadRole>,
) {
    for target in targets.values_mut() {
        let acting = target.metadata.impersonation.filter(|_| holds(target));
        let mut used = None;
        for role in roles.values_mut() {
            let Some(place) = role.spec.impersonate.get(&target.name).map(|acting| acting.place.clone())
            else {
                continue;
            };
            let Some(name) = acting else { continue };
            used.get_or_insert((name, role.span));
            let line = GrantLine::MemberOf(name);
            let grant = Arc::new(PlacedGrant { text: line.to_string().into(), line, place });
            let through = [role.spec.name.clone()].into();
            role.spec.held.entry(target.name.clone()).or_default().push(HeldGrant {
                grant,
                through,
                filtered: false,
            });
        }
        if let Some((name, span)) = used
            && !target.manage.roles.iter().any(|glob| glob.matches(name))
        {
            let message = format!(
                "role {name}, by which people act as others, is outside `manage.roles` of target `{}`",
                target.name
            );
            let help = "name it there, or name another one under `metadata.impersonation` of the target";
            reader.within(Chapter::Impersonation, || reader.fault_help(Fault::Invalid, span, message, help));
        }
        // Whoever acts would hold what that role of the map holds.
        if let Some((name, _)) = used
            && let Some(role) =
                roles.values().find(|role| target.role(&role.spec.name).is_ok_and(|own| own == name))
        {
            let message = format!(
                "role `{}` is called {name} in target `{}`, as the role by which people act as others",
                role.spec.name, target.name
            );
            let help = "rename it, or name another one under `metadata.impersonation` of the target";
            let span = role.span;
            reader.within(Chapter::Impersonation, || {
                reader.fault_help(Fault::Invalid, span, message, help);
            });
        }
        target.metadata.impersonation = used.map(|(name, _)| name);
    }
}

/// The roles of the map whose people read a view.
fn readers<'m>(
    map: &'m RoleMap,
    target: &'m TargetSpec,
    view: &'m SecureView,
    body: &'m ViewBody,
) -> impl Iterator<Item = &'m RoleName> {
    map.roles_in(&target.name).filter_map(move |role| {
        let reads = |held: &HeldGrant| {
            held.grant.line.atoms().iter().any(|(permission, on)| {
                let here = match on {
                    Securable::Object(object) | Securable::Column(object, _) => *object == body.name,
                    Securable::Schema(schema) => *schema == body.name.schema,
                    _ => false,
                };
                here && matches!(permission, Permission::Select | Permission::Control)
            })
        };
        let by_line = role.held.get(&target.name).into_iter().flatten().any(reads);
        let by_pattern = view.readers.iter().any(|reader| role.whole.contains(reader));
        (by_line || by_pattern).then_some(&role.name)
    })
}

/// The same view for those who read it by the map, and for nobody else: whoever acts as a person who may not read it sees nothing.
pub(crate) fn for_readers(
    map: &RoleMap,
    target: &TargetSpec,
    view: &SecureView,
    mut body: ViewBody,
    who: impl Fn(&RoleName) -> BTreeSet<Who>,
) -> ViewBody {
    let readers: BTreeSet<Who> = readers(map, target, view, &body).flat_map(who).collect();
    let reads = Test::Is(readers);
    body.rows = match body.rows {
        Rows::Nothing => Rows::Nothing,
        Rows::All => Rows::Any(vec![RowRule::All(vec![reads])]),
        Rows::Any(rules) => Rows::Any(
            rules
                .into_iter()
                .map(|rule| {
                    let mut tests = vec![reads.clone()];
                    match rule {
                        RowRule::To(who) => tests.push(Test::Is(BTreeSet::from([who]))),
                        RowRule::All(more) if more.is_empty() => return RowRule::All(more),
                        RowRule::All(more) => tests.extend(more),
                    }
                    RowRule::All(tests)
                })
                .collect(),
        ),
    };
    body
}

/// Why somebody may not read views as another person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoActing {
    /// The target has nothing of the kind.
    #[error("target {0} holds no secure views that people could read as others")]
    NotThere(TargetName),
    /// Nothing is taken away there, so it would not end when it should.
    #[error("target {0} is not in mode authoritative: what is given there would not end by itself")]
    WouldNotEnd(TargetName),
    /// One would act as oneself.
    #[error("nobody acts as oneself")]
    Oneself,
    /// No role of whoever asks lets act.
    #[error("{actor} has no role that lets act as others in target {target} (`impersonate`)")]
    NoRole {
        /// Who asks.
        actor: String,
        /// Where.
        target: TargetName,
    },
    /// The other one has nothing there.
    #[error("{person} has no role in target {target}: there is nothing to see")]
    Nobody {
        /// As whom.
        person: String,
        /// Where.
        target: TargetName,
    },
    /// The other one may act as others, too.
    #[error("{person} may act as others: that is not passed on")]
    Nested {
        /// As whom.
        person: String,
    },
    /// The other one administers.
    #[error(
        "{person} has role `{role}`, which is an administrator's ({why}): nobody acts as an administrator"
    )]
    Administrator {
        /// As whom.
        person: String,
        /// By which role.
        role: RoleName,
        /// What makes it so.
        why: String,
    },
    /// The other one is protected.
    #[error("{person} is protected (guards.protect): nobody acts as {person}")]
    Protected {
        /// As whom.
        person: String,
    },
    /// The other one has a role more than the map allows.
    #[error(
        "{person} has role `{role}`, and {actor} may act only as people whose roles are all among: {allowed}"
    )]
    More {
        /// Who asks.
        actor: String,
        /// As whom.
        person: String,
        /// The role too many.
        role: RoleName,
        /// Those that the map allows.
        allowed: String,
    },
    /// It is longer than the map lets it be, or no time at all.
    #[error("nobody acts as another for {asked} here: ask for more than nothing and at most {longest}")]
    TooLong {
        /// As it was asked for.
        asked: Duration,
        /// The bound.
        longest: Duration,
    },
}

/// One of the two persons, as far as the map is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The name, for words.
    pub name: &'a str,
    /// The name in the target.
    pub principal: SqlName,
    /// The roles in the target.
    pub roles: &'a BTreeSet<RoleName>,
}

/// Whether one person may read views of a target as the other one: then by which of the actor's roles, the longest first.
pub fn may_act<'m>(
    map: &'m RoleMap,
    target: &TargetName,
    actor: Side<'_>,
    person: Side<'_>,
    now: OffsetDateTime,
) -> Result<&'m Impersonation, NoActing> {
    let Some(place) = map.targets.get(target).filter(|place| place.metadata.impersonation.is_some()) else {
        return Err(NoActing::NotThere(target.clone()));
    };
    if place.mode != Mode::Authoritative {
        return Err(NoActing::WouldNotEnd(target.clone()));
    }
    if actor.principal == person.principal {
        return Err(NoActing::Oneself);
    }
    let by = |roles: &BTreeSet<RoleName>| -> Vec<&'m Impersonation> {
        let specs = roles.iter().filter_map(|role| map.roles.get(role));
        specs.filter_map(|spec| spec.impersonate.get(target)).collect()
    };
    let mut mine = by(actor.roles);
    if mine.is_empty() {
        return Err(NoActing::NoRole { actor: actor.name.to_owned(), target: target.clone() });
    }
    let name = || person.name.to_owned();
    if person.roles.is_empty() {
        return Err(NoActing::Nobody { person: name(), target: target.clone() });
    }
    if !by(person.roles).is_empty() {
        return Err(NoActing::Nested { person: name() });
    }
    if map.guards.protected(now).contains(&person.principal) {
        return Err(NoActing::Protected { person: name() });
    }
    let defined = Definitions::of(map.roles.values());
    for role in person.roles {
        let mut lines = map.roles.get(role).and_then(|spec| spec.held.get(target)).into_iter().flatten();
        if let Some(why) = lines.find_map(|held| powers::administrator(&held.grant.line, place, &defined)) {
            return Err(NoActing::Administrator { person: name(), role: role.clone(), why });
        }
    }
    // A role that an allowed one includes is no more than that one.
    let covers = |one: &&Impersonation, role: &RoleName| {
        one.roles.iter().filter_map(|allowed| map.roles.get(allowed)).any(|spec| spec.whole.contains(role))
    };
    mine.sort_by_key(|one| std::cmp::Reverse(one.longest));
    let fits = mine.iter().find(|one| person.roles.iter().all(|role| covers(one, role)));
    if let Some(fits) = fits {
        return Ok(fits);
    }
    let more = person.roles.iter().find(|role| !mine.iter().any(|one| covers(one, role)));
    let role = more.or(person.roles.first()).cloned();
    let allowed: BTreeSet<&str> = mine.iter().flat_map(|one| &one.roles).map(RoleName::as_str).collect();
    match role {
        Some(role) => Err(NoActing::More {
            actor: actor.name.to_owned(),
            person: name(),
            role,
            allowed: allowed.into_iter().collect::<Vec<_>>().join(", "),
        }),
        None => Err(NoActing::Nobody { person: name(), target: target.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const MAP: &str = r"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h.example.org, database: dw, auth: managed-identity, mode: authoritative, manage: { roles: ['axon_*'], schemas: [secure] } }
  free: { kind: synapse-dedicated, host: h.example.org, database: other, auth: managed-identity, mode: additive, manage: { roles: ['axon_*'], schemas: [secure] } }
roles:
  low: {}
  reader: { includes: [low], grants: { dw: [select on a.b], free: [select on a.b] } }
  writer: { grants: { dw: [insert on a.b] } }
  boss: { grants: { dw: ['per person: member of db_owner'] } }
  helper: { impersonate: { dw: { roles: [reader], for: 1h }, free: { roles: [reader], for: 1h } } }
  chief: { impersonate: { dw: { roles: [reader, boss, helper], for: 2h } } }
views:
  secure.v: { targets: dw, from: a.b, columns: { id: show }, rows: [{ role: low }], readers: [reader] }
guards:
  protect:
    - { principal: vip, owner: ops, until: 2027-01-01T00:00:00Z }
";

    fn roles(names: &[&str]) -> BTreeSet<RoleName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// The roles of who asks; as whom, with which roles; where.
    type Asked = (&'static [&'static str], (&'static str, &'static [&'static str]), &'static str);

    fn told(actor: &[&str], person: (&str, &[&str]), target: &str) -> Result<i64, String> {
        let map = RoleMap::parse(&[("map.yaml", MAP)]).unwrap_or_else(|e| panic!("{e}"));
        let side = |name, roles| Side { name, principal: SqlName::parse(name).unwrap(), roles };
        let (mine, theirs) = (roles(actor), roles(person.1));
        let now = datetime!(2026-11-22 12:00 UTC);
        may_act(&map, &target.parse().unwrap(), side("kim", &mine), side(person.0, &theirs), now)
            .map(|by| by.longest.whole_hours())
            .map_err(|no| no.to_string())
    }

    #[test]
    fn who_may_act_acts_as_people_whose_roles_are_all_allowed() {
        assert_eq!(told(&["helper"], ("lee", &["reader"]), "dw"), Ok(1));
        assert_eq!(
            told(&["helper"], ("lee", &["reader", "low"]), "dw"),
            Ok(1),
            "an included role is no more"
        );
        assert_eq!(told(&["helper", "chief"], ("lee", &["reader"]), "dw"), Ok(2));
    }

    #[test]
    fn nobody_acts_as_somebody_with_more_or_as_an_administrator_and_it_is_not_passed_on() {
        let asked: [Asked; 9] = [
            (&["reader"], ("lee", &["reader"]), "dw"),
            (&["helper"], ("lee", &["reader", "writer"]), "dw"),
            (&["helper"], ("lee", &[]), "dw"),
            (&["helper"], ("kim", &["reader"]), "dw"),
            (&["chief"], ("lee", &["reader", "boss"]), "dw"),
            (&["chief"], ("lee", &["reader", "helper"]), "dw"),
            (&["helper"], ("vip", &["reader"]), "dw"),
            (&["helper"], ("lee", &["reader"]), "free"),
            (&["helper"], ("lee", &["reader"]), "gone"),
        ];
        let mut said: Vec<String> =
            asked.iter().map(|(actor, person, target)| told(actor, *person, target).unwrap_err()).collect();
        let (asked, longest) = (Duration::hours(3), Duration::hours(1));
        said.push(NoActing::TooLong { asked, longest }.to_string());
        insta::assert_snapshot!("who_may_not_act", said.join("\n"));
    }

    #[test]
    fn the_role_of_the_pool_must_be_one_that_axon_manages_and_no_other_one() {
        let faults = |text: &str| RoleMap::parse(&[("map.yaml", text)]).unwrap_err().to_string();
        let outside =
            MAP.replace("mode: authoritative,", "mode: authoritative, metadata: { impersonation: helpers },");
        let same =
            MAP.replace("  low: {}", "  low: {}\n  impersonation: { grants: { dw: [insert on a.b] } }");
        insta::assert_snapshot!("the_role_by_which_people_act", [faults(&outside), faults(&same)].join("\n"));
        let nobody: String =
            MAP.lines().filter(|line| !line.contains("impersonate")).collect::<Vec<_>>().join("\n");
        let map = RoleMap::parse(&[("map.yaml", &nobody)]).unwrap_or_else(|e| panic!("{e}"));
        assert!(map.targets.values().all(|target| target.metadata.impersonation.is_none()));
    }
}
