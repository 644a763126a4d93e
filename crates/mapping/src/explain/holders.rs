//! Who has a grant, and why: `explain --grant`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use axon_model::name::shown;
use axon_model::{SqlName, UserEntry, UserId};
use serde::Serialize;

use super::asked::Asked;
use super::in_target::InTarget;
use super::missing::speaks_of;
use super::{Explainer, RoleExplained, Way};
use crate::effect::{Extent, Holding};
use crate::given::Given;
use crate::grant::{GrantError, GrantLine};
use crate::names::{RoleName, TargetName};
use crate::pending::Claimant;
use crate::selection::users_under;

/// Everybody who has a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holders {
    /// The line that was asked for.
    pub grant: String,
    /// Those who have it, by target and name.
    pub holders: Vec<HolderExplained>,
}

/// One principal that has a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HolderExplained {
    /// Where.
    pub target: TargetName,
    /// The principal's name there.
    pub principal: SqlName,
    /// Who has that name.
    pub who: Vec<Claimant>,
    /// Whether it has the whole of it, or a part.
    pub whole: bool,
    /// The roles of the map that give it.
    pub roles: Vec<RoleName>,
    /// The ways on which these roles come, and the lines.
    pub ways: Vec<RoleExplained>,
    /// For a group that is one principal: its people.
    pub people: Vec<String>,
}

impl Explainer<'_> {
    /// Everybody who has this grant in any of the targets. The line is read in each target's words.
    pub fn holders(&self, grant: &str) -> Result<Holders, GrantError> {
        let mut holders = Vec::new();
        for (target, line) in self.lines(grant)? {
            holders_in(target, &line, &mut holders);
        }
        Ok(Holders { grant: grant.to_owned(), holders })
    }
}

/// The roles that give a line, or a part of it, by themselves; a DENY of another role may still take it away.
struct Giving<'t> {
    target: &'t InTarget<'t>,
    line: &'t GrantLine,
    /// By their numbers in the target's view.
    roles: BTreeMap<usize, RoleExplained>,
    /// Mappings that may give one of them.
    mappings: BTreeSet<usize>,
    /// Roles of the view that deny something.
    denying: BTreeSet<usize>,
}

impl<'t> Giving<'t> {
    fn of(target: &'t InTarget<'t>, line: &'t GrantLine) -> Self {
        let view = target.evaluator.view();
        let explained = |name: &RoleName| {
            let mut role = target.role(name, Vec::new());
            retain(target, line, &mut role);
            role
        };
        let roles: BTreeMap<usize, RoleExplained> = (0..)
            .zip(&view.roles)
            .filter(|(_, role)| gives(target, &role.role, line))
            .map(|(number, role)| (number, explained(&role.role)))
            .collect();
        let names: BTreeSet<&RoleName> = roles.values().map(|role| &role.role).collect();
        let mappings = (0..).zip(&target.map.mappings);
        let mappings = mappings.filter(|(_, mapping)| mapping.possible().any(|role| names.contains(role)));
        let mappings = mappings.map(|(number, _)| number).collect();
        let denying = (0..).zip(&view.roles).filter(|(_, role)| target.denies(&role.role));
        let denying = denying.map(|(number, _)| number).collect();
        Self { target, line, roles, mappings, denying }
    }

    /// Those who may have one of the roles.
    fn principals(&self) -> BTreeSet<SqlName> {
        let evaluator = &self.target.evaluator;
        let own: Option<Vec<SqlName>> =
            self.roles.keys().map(|number| evaluator.view().roles[*number].own()).collect();
        match own {
            Some(own) => own.into_iter().flat_map(|role| evaluator.members_of(role)).collect(),
            // What stands on principals themselves shows by no membership.
            None => evaluator.graph().principals.keys().copied().collect(),
        }
    }

    /// The roles of one person among them, with the ways on which they come.
    fn of_person(&self, user: &UserEntry, all: &BTreeSet<usize>) -> Vec<RoleExplained> {
        let target = self.target;
        let asked = Asked::of(target, user);
        let by_others = !target.map.views.is_empty() || !all.is_disjoint(&self.denying);
        if by_others || !target.evaluator.beside().is_empty() {
            // What a person sees and is denied hangs on all of the person's roles.
            let mut roles = asked.roles().0;
            for role in &mut roles {
                retain(target, self.line, role);
            }
            return roles;
        }
        let separated = if target.map.rules.separate.is_empty() { Given::default() } else { asked.given() };
        let (given, _) = asked.ways_to(&separated, |number, _| self.mappings.contains(&number));
        let role = |(name, ways): (&RoleName, Vec<Way>)| {
            let explained = self.roles.get(&target.evaluator.view().number(name)?)?;
            Some(RoleExplained { ways, ..explained.clone() })
        };
        given.into_iter().filter_map(role).collect()
    }
}

/// Keeps of a role the lines that give what was asked for, or a part of it.
fn retain(target: &InTarget<'_>, line: &GrantLine, role: &mut RoleExplained) {
    role.grants.retain(|grant| {
        let said = GrantLine::parse_in(&grant.line, target.spec.kind);
        said.is_ok_and(|said| speaks_of(&said, line))
    });
}

fn holders_in<'t>(target: &'t InTarget<'t>, line: &'t GrantLine, into: &mut Vec<HolderExplained>) {
    let view = target.evaluator.view();
    let giving = Giving::of(target, line);
    // What the roles that matter come to: few sets of them stand for many people.
    let mut extents: HashMap<Vec<usize>, Extent> = HashMap::new();
    for principal in giving.principals() {
        let roles = target.evaluator.roles_of(principal);
        let by: Vec<RoleName> =
            roles.iter().filter_map(|n| giving.roles.get(n)).map(|role| role.role.clone()).collect();
        if by.is_empty() {
            continue;
        }
        let matters = |n: &&usize| giving.roles.contains_key(*n) || giving.denying.contains(*n);
        let extent =
            *extents.entry(roles.iter().filter(matters).copied().collect()).or_insert_with_key(|roles| {
                let held = roles.iter().flat_map(|n| target.lines(&view.roles[*n].role));
                Holding::of(held.map(|held| &held.grant.line)).extent_of(line)
            });
        if extent == Extent::None {
            continue;
        }
        let who: Vec<Claimant> = target.evaluator.claimants(principal).cloned().collect();
        let (mut ways, mut people) = (Vec::new(), Vec::new());
        for claimant in &who {
            match claimant {
                Claimant::User { id, .. } => {
                    if let Some(user) = target.directory.user(*id) {
                        ways.extend(giving.of_person(user, &roles));
                    }
                }
                Claimant::Group { id, .. } => {
                    ways.extend(roles_of(&giving, target.ways_of_group(*id)));
                    let mut ids: BTreeSet<UserId> = BTreeSet::new();
                    users_under(target.directory, *id, &mut ids);
                    let users = ids.into_iter().filter_map(|id| target.directory.user(id));
                    people.extend(users.map(|user| user.user_name.to_string()));
                }
                Claimant::Service { name } => ways.extend(roles_of(&giving, target.ways_of_service(name))),
            }
        }
        ways.retain(|role| by.contains(&role.role));
        into.push(HolderExplained {
            target: target.spec.name.clone(),
            principal,
            who,
            whole: extent == Extent::Whole,
            roles: by,
            ways,
            people,
        });
    }
}

/// Ways as the roles that they lead to.
fn roles_of(giving: &Giving<'_>, ways: Vec<(RoleName, Way)>) -> Vec<RoleExplained> {
    let mut by_role: BTreeMap<RoleName, Vec<Way>> = BTreeMap::new();
    for (role, way) in ways {
        by_role.entry(role).or_default().push(way);
    }
    let explained = |(role, ways): (RoleName, Vec<Way>)| {
        let mut role = giving.target.role(&role, ways);
        retain(giving.target, giving.line, &mut role);
        role
    };
    by_role.into_iter().map(explained).collect()
}

/// Whether a role gives a line, or a part of it, by itself.
pub(super) fn gives(target: &InTarget<'_>, role: &RoleName, line: &GrantLine) -> bool {
    target.lines(role).iter().any(|held| speaks_of(&held.grant.line, line))
}

impl fmt::Display for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grant, holders } = self;
        if holders.is_empty() {
            return writeln!(f, "nobody has `{}`", shown(grant));
        }
        let verb = if holders.len() == 1 { "has" } else { "have" };
        writeln!(f, "{} {verb} `{}`", holders.len(), shown(grant))?;
        holders.iter().try_for_each(|holder| holder.fmt(f))
    }
}

impl fmt::Display for HolderExplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, principal, who, whole, roles, ways, people } = self;
        let part = if *whole { "" } else { ", a part of it" };
        let roles: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
        writeln!(f, "\n  {principal} in {target}{part}, by role {}", roles.join(", "))?;
        if who.iter().any(|who| !matches!(who, Claimant::User { .. })) {
            let who: Vec<String> = who.iter().map(ToString::to_string).collect();
            writeln!(f, "    {}", who.join(", "))?;
        }
        ways.iter().try_for_each(|role| role.fmt(f))?;
        if !people.is_empty() {
            let told: Vec<String> = people.iter().take(20).map(|name| shown(name)).collect();
            let more = if people.len() > told.len() {
                format!(", and {} more", people.len() - told.len())
            } else {
                String::new()
            };
            writeln!(f, "    its people: {}{more}", told.join(", "))?;
        }
        Ok(())
    }
}
