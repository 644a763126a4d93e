//! One difference of two texts, judged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_model::SqlName;
use axon_reconcile::GrantState;

use super::super::{Both, Item, TargetPreview};
use super::{Reach, allows, mapping, view};
use crate::diff::{ACCEPTS, atom_says, mapping_says};
use crate::effect::{Extent, Holding, Power, contains, covers};
use crate::grant::GrantLine;
use crate::guards::{BreakGlass, GuardRules};
use crate::map::RoleMap;
use crate::names::{RoleName, TargetName};
use crate::role::{Impersonation, RoleSpec};
use crate::rule::Mapping;
use crate::service::{Service, ServiceToken};

/// What is compared, and what rows of people tell already.
pub(super) struct Judge<'a> {
    old: &'a RoleMap,
    new: &'a RoleMap,
    sides: &'a BTreeMap<TargetName, Both>,
    gained: HashMap<&'a TargetName, Vec<&'a Item>>,
    /// Roles that people keep, as they are left to them.
    stays: BTreeSet<(&'a TargetName, SqlName)>,
    old_mappings: HashMap<String, &'a Mapping>,
    new_mappings: HashMap<String, &'a Mapping>,
    old_giving: mapping::Giving<'a>,
    new_giving: mapping::Giving<'a>,
}

/// What a sentence of a diff is about: sentences of one subject are the before and the after of one thing.
pub(super) fn subject(of: &str, what: &str) -> String {
    let words = |n: usize| what.split(' ').take(n).collect::<Vec<_>>().join(" ");
    match of.split(' ').next().unwrap_or_default() {
        "mapping" => {
            let ends = [" when ", " until ", " via ", " trusting names"].iter().filter_map(|w| what.find(w));
            what[..ends.min().unwrap_or(what.len())].to_owned()
        }
        "target" if what.starts_with("manages ") => words(2),
        "target" | "tag" => words(1),
        "view" if what.starts_with("column ") => words(2),
        "view" if what.starts_with("shows ") => words(1),
        "role" if what.starts_with("may act as ") => what
            .rsplit_once(" in ")
            .map_or("may act as", |(_, rest)| rest.split(' ').next().unwrap_or(rest))
            .to_owned(),
        "role" if what.starts_with("description ") => words(1),
        "guards" if what.starts_with("protect ") => words(2),
        "guards" => match what.split_once(':') {
            Some((name, rest)) if rest.starts_with(" for ") || rest.starts_with(" at most ") => {
                name.to_owned()
            }
            _ => what.to_owned(),
        },
        "service" => String::new(),
        _ => what.to_owned(),
    }
}

impl<'a> Judge<'a> {
    pub fn new(
        old: &'a RoleMap,
        new: &'a RoleMap,
        sides: &'a BTreeMap<TargetName, Both>,
        targets: &'a [TargetPreview],
    ) -> Self {
        let mut gained: HashMap<&TargetName, Vec<&Item>> = HashMap::new();
        for target in targets {
            let items = target.items.iter().filter(|item| item.gaining > 0).map(|item| &item.item);
            gained.entry(&target.target).or_default().extend(items);
        }
        let stays =
            targets.iter().flat_map(|target| target.stays.iter().map(|stay| (&target.target, stay.role)));
        let said = |map: &'a RoleMap| map.mappings.iter().map(|m| (mapping_says(m), m)).collect();
        Self {
            old,
            new,
            sides,
            gained,
            stays: stays.collect(),
            old_mappings: said(old),
            new_mappings: said(new),
            old_giving: mapping::Giving::of(old),
            new_giving: mapping::Giving::of(new),
        }
    }

    /// Whether this target, role, service or view is in one of the maps alone.
    pub fn only_one_has(&self, of: &str) -> bool {
        let Some((kind, name)) = of.split_once(' ') else { return false };
        let there = |map: &RoleMap| match kind {
            "target" => map.targets.contains_key(name),
            "role" => map.roles.contains_key(name),
            "service" => map.services.contains_key(name),
            "view" => map.views.iter().any(|view| view.name.to_string() == name),
            _ => true,
        };
        there(self.old) != there(self.new)
    }

    /// What only the new map says.
    pub fn added(&self, of: &str, what: &str) -> Reach {
        let (kind, name) = of.split_once(' ').unwrap_or((of, ""));
        match kind {
            "role" => self.role_added(name, what),
            "mapping" => match self.new_mappings.get(what) {
                Some(found) if self.old_giving.give_all_of(found) => Reach::Same,
                _ => Reach::Widened,
            },
            "guards" if what.starts_with("break_glass") => self.break_glass(),
            "guards" if what.starts_with("protect ") => Reach::Widened,
            "guards" | "rules" => Reach::Narrowed,
            "view" => self.view(name, |old, _| view::added(old, what)),
            "test" => Reach::Same,
            _ => Reach::Widened,
        }
    }

    /// What only the old map says.
    pub fn removed(&self, of: &str, what: &str) -> Reach {
        let (kind, name) = of.split_once(' ').unwrap_or((of, ""));
        match kind {
            "role" => self.role_removed(name, what),
            "mapping" => match self.old_mappings.get(what) {
                Some(found) if self.new_giving.give_all_of(found) => Reach::Same,
                // Who no longer holds one of two separated roles is given the other.
                Some(found) if !found.separated => Reach::Narrowed,
                _ => Reach::Widened,
            },
            "guards" if what.starts_with("break_glass") => self.break_glass(),
            "view" => self.view(name, |_, new| view::removed(new, what)),
            "service" | "target" if self.only_one_has(of) => Reach::Narrowed,
            // Its views are closed where the group is not known.
            "target" if what.starts_with(ACCEPTS) => Reach::Narrowed,
            "test" => Reach::Same,
            _ => Reach::Widened,
        }
    }

    /// What both maps say of one thing, each otherwise.
    pub fn changed(&self, of: &str, was: &str, is: &str) -> Reach {
        let (kind, name) = of.split_once(' ').unwrap_or((of, ""));
        match kind {
            "service" => match (self.old.services.get(name), self.new.services.get(name)) {
                (Some(old), Some(new)) if service_within(new, old) => Reach::Narrowed,
                _ => Reach::Widened,
            },
            "guards" => self.guards(was),
            "role" if was.starts_with("may act as ") => {
                let acting = |map: &RoleMap| map.roles.get(name).map(|role| role.impersonate.clone());
                match (acting(self.old), acting(self.new)) {
                    (Some(old), Some(new)) if new.iter().all(|(t, a)| acts_within(a, old.get(t))) => {
                        Reach::Narrowed
                    }
                    _ => Reach::Widened,
                }
            }
            "view" if was.starts_with("column ") => self.view(name, |old, new| view::column(old, new, was)),
            _ => self.removed(of, was).min(self.added(of, is)),
        }
    }

    fn guards(&self, was: &str) -> Reach {
        let GuardRules { removals, leavers, .. } = &self.new.guards;
        let (before, after) = match was.split(':').next() {
            Some("removals") => (self.old.guards.removals, *removals),
            Some("leavers") => (self.old.guards.leavers, *leavers),
            Some("break_glass") => return self.break_glass(),
            _ => return Reach::Widened,
        };
        match (before, after) {
            (Some(b), Some(a))
                if a.most_percent <= b.most_percent && a.floor <= b.floor && a.window >= b.window =>
            {
                Reach::Narrowed
            }
            _ => Reach::Widened,
        }
    }

    fn break_glass(&self) -> Reach {
        let (old, new) = (&self.old.guards.break_glass, &self.new.guards.break_glass);
        let BreakGlass { longest, second_person, also } = new;
        let within =
            *longest <= old.longest && (*second_person || !old.second_person) && also.is_subset(&old.also);
        if within { Reach::Narrowed } else { Reach::Widened }
    }

    fn view(
        &self,
        name: &str,
        judged: impl FnOnce(&crate::secure_view::SecureView, &crate::secure_view::SecureView) -> Reach,
    ) -> Reach {
        let one = |map: &'a RoleMap| {
            let mut named = map.views.iter().filter(|view| view.name.to_string() == name);
            let first = named.next();
            (first, named.next().is_some())
        };
        match (one(self.old), one(self.new)) {
            ((Some(old), false), (Some(new), false)) => judged(old, new),
            ((Some(_), _), (None, _)) => Reach::Narrowed,
            // Of two views of one name the text does not say which one it is about.
            _ => Reach::Widened,
        }
    }

    fn role_added(&self, name: &str, what: &str) -> Reach {
        let Some(role) = self.new.roles.get(name) else { return Reach::Widened };
        let was = self.old.roles.get(name);
        if what == "is there" || what.starts_with("description ") {
            return Reach::Same;
        }
        if let Some(reach) = allows::added(role, was, what) {
            return reach;
        }
        if what.starts_with("includes ") {
            let same = was.is_some_and(|was| was.whole == role.whole);
            return if same { Reach::Same } else { Reach::Widened };
        }
        for (target, line, power) in lines_of(role, what) {
            let GrantLine::Permissions { state, .. } = line else { return Reach::Widened };
            if *state == GrantState::Deny {
                return Reach::Narrowed;
            }
            let held = was.and_then(|was| was.held.get(target)).map_or(&[][..], Vec::as_slice);
            let had = Holding::of(held.iter().map(|held| &held.grant.line));
            if power.is_some_and(|power| had.extent(&power) == Extent::Whole) {
                return Reach::Same;
            }
        }
        Reach::Widened
    }

    fn role_removed(&self, name: &str, what: &str) -> Reach {
        let Some(role) = self.old.roles.get(name) else { return Reach::Widened };
        let is = self.new.roles.get(name);
        if what == "is there" {
            return Reach::Narrowed;
        }
        if what.starts_with("description ") {
            return Reach::Same;
        }
        if let Some(reach) = allows::removed(role, what) {
            return reach;
        }
        if let Some(included) = what.strip_prefix("includes ") {
            if is.is_some_and(|is| is.whole == role.whole) {
                return Reach::Same;
            }
            let gone = self.old.roles.get(included).map(|role| &role.whole);
            let separated = |of: &BTreeSet<RoleName>| {
                self.old.rules.separate.iter().any(|rule| !rule.roles.is_disjoint(of))
            };
            let denies = self
                .old
                .roles
                .get(included)
                .is_some_and(|role| role.held.values().flatten().any(|held| denies(&held.grant.line)));
            return if denies || gone.is_none_or(separated) { Reach::Widened } else { Reach::Narrowed };
        }
        if what.starts_with("may act as ") {
            return Reach::Narrowed;
        }
        // What a wider line still gives is not lost.
        let still = |target: &TargetName, power: &Power| {
            let held = is.and_then(|is| is.held.get(target)).map_or(&[][..], Vec::as_slice);
            Holding::of(held.iter().map(|held| &held.grant.line)).extent(power) == Extent::Whole
        };
        let lines: Vec<_> = lines_of(role, what).collect();
        if lines.is_empty() || lines.iter().any(|(_, line, _)| denies(line)) {
            return Reach::Widened;
        }
        // Who is in a role that is left to people stays in it.
        let stays = |target: &TargetName, line: &GrantLine| match line {
            GrantLine::MemberOf(role) | GrantLine::Assigned(role) => self.stays.contains(&(target, *role)),
            GrantLine::Permissions { .. } | GrantLine::Classifier(_) => false,
        };
        let kept = lines.iter().all(|(target, line, power)| {
            stays(target, line) || power.is_some_and(|power| still(target, &power))
        });
        if kept { Reach::Same } else { Reach::Narrowed }
    }

    /// Whether what is new in the text shows as something that somebody gains.
    pub fn shown(&self, of: &str, what: &str) -> bool {
        let (kind, name) = of.split_once(' ').unwrap_or((of, ""));
        match kind {
            "role" => self.new.roles.get(name).is_some_and(|role| {
                let mut lines = lines_of(role, what).peekable();
                lines.peek().is_some()
                    && lines
                        .all(|(target, line, _)| self.has_members(target, role) && self.gains(target, line))
            }),
            "mapping" => self.new_mappings.get(what).is_some_and(|mapping| {
                let said = subject("mapping", what);
                !self.old_mappings.keys().any(|other| subject("mapping", other) == said)
                    && mapping
                        .possible()
                        .all(|role| self.new.roles.get(role).is_some_and(|r| self.role_gains(r)))
            }),
            "view" => self.new.views.iter().filter(|view| view.name.to_string() == name).all(|view| {
                let read = GrantLine::parse(&format!("select on {}", view.name));
                let gains = |line: &GrantLine| view.targets.iter().any(|target| self.gains(target, line));
                (what.starts_with("read by ") || self.only_one_has(of)) && read.is_ok_and(|line| gains(&line))
            }),
            _ => false,
        }
    }

    fn role_gains(&self, role: &RoleSpec) -> bool {
        role.held.iter().any(|(target, held)| {
            self.has_members(target, role) && held.iter().any(|held| self.gains(target, &held.grant.line))
        })
    }

    /// Whether anybody holds this role there by the new map. Where roles are only assigned, nobody is in a role of the map.
    fn has_members(&self, target: &TargetName, role: &RoleSpec) -> bool {
        let Some(spec) = self.new.targets.get(target) else { return false };
        let Ok(name): Result<SqlName, _> = spec.role(&role.name) else { return true };
        self.sides.get(target).is_some_and(|both| both.new.graph().members_of(name).next().is_some())
    }

    /// Whether somebody gains what a line gives, or parts of it.
    fn gains(&self, target: &TargetName, line: &GrantLine) -> bool {
        let holding = Holding::of([line]);
        let gained = self.gained.get(target).map_or(&[][..], Vec::as_slice);
        let power = |item: &&&Item, wanted: &Power| match item {
            Item::Power(on, permission) => {
                covers(&(*permission, *on), wanted) || *permission == wanted.0 && contains(&wanted.1, on)
            }
            Item::Role(_) | Item::Acting(_) | Item::Seen(_) => false,
        };
        let roles = holding.roles().iter().all(|role| gained.contains(&&Item::Role(*role)));
        let powers = holding.given().iter().all(|wanted| gained.iter().any(|item| power(&item, wanted)));
        roles && powers && !(holding.roles().is_empty() && holding.given().is_empty())
    }
}

fn denies(line: &GrantLine) -> bool {
    matches!(line, GrantLine::Permissions { state: GrantState::Deny, .. })
        || !Holding::of([line]).denied().is_empty()
}

/// The lines of a role that a sentence of a diff stands for, each with the power that it names.
fn lines_of<'r>(
    role: &'r RoleSpec,
    what: &'r str,
) -> impl Iterator<Item = (&'r TargetName, &'r GrantLine, Option<Power>)> {
    role.grants
        .iter()
        .flat_map(|(target, grants)| grants.iter().map(move |grant| (target, &grant.line)))
        .flat_map(move |(target, line)| {
            let mut found = Vec::new();
            if let GrantLine::Permissions { state, .. } = line {
                let atoms = line.atoms().into_iter();
                let named = atoms.filter(|power| atom_says(*state, power, target) == what);
                found.extend(named.map(|power| (target, line, Some(power))));
            } else if format!("{line} in {target}") == what {
                found.push((target, line, None));
            }
            found
        })
}

fn acts_within(new: &Impersonation, old: Option<&Impersonation>) -> bool {
    let Impersonation { roles, longest, reason_required, second_person, place: _ } = new;
    old.is_some_and(|old| {
        roles.iter().all(|role| old.roles.contains(role))
            && *longest <= old.longest
            && (*reason_required || !old.reason_required)
            && (*second_person || !old.second_person)
    })
}

fn service_within(new: &Service, old: &Service) -> bool {
    let Service { principal, sid, object_id, token, place: _ } = new;
    let same = *principal == old.principal && *sid == old.sid && *object_id == old.object_id;
    let token = match (token, &old.token) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(ServiceToken { issuer, audience, subject, claims }), Some(old)) => {
            let some_of = |few: &[String], all: &[String]| few.iter().all(|one| all.contains(one));
            *issuer == old.issuer
                && some_of(audience, &old.audience)
                && (old.subject.is_empty() || !subject.is_empty() && some_of(subject, &old.subject))
                && old
                    .claims
                    .iter()
                    .all(|(claim, values)| claims.get(claim).is_some_and(|few| some_of(few, values)))
        }
    };
    same && token
}
