//! Which lines, groups and records stand behind one step: what a step's record says of its causes. No names of people.

use std::collections::BTreeSet;

use axon_model::{AccessRequestId, Directory, GroupId, RecordSeq, SqlName, UserId};
use axon_reconcile::{GrantKey, Permission, Securable, Step};
use serde::Serialize;
use time::OffsetDateTime;

use crate::chain::Ways;
use crate::evaluator::Evaluator;
use crate::given::{Given, Person};
use crate::grant::GrantLine;
use crate::names::RoleName;
use crate::pending::Claimant;
use crate::place::Place;
use crate::selection::{Judgement, Within};
use crate::target::Via;
use crate::view::wanted;

/// One reason for a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "cause")]
pub enum Cause {
    /// A mapping gives the role.
    Mapping {
        /// Where it stands.
        mapping: Place,
        /// The role.
        role: RoleName,
        /// Who gets it: none if it is a service identity or a whole group.
        user: Option<UserId>,
        /// The mapping's group.
        group: Option<GroupId>,
        /// The memberships from the person to that group, in order.
        records: Vec<RecordSeq>,
    },
    /// A request gives the role for a while.
    Request {
        /// Which.
        request: AccessRequestId,
        /// The role.
        role: RoleName,
        /// Who gets it.
        user: UserId,
        /// The record that brought it into force.
        record: RecordSeq,
    },
    /// A request shuts the person out.
    Offboarded {
        /// Which.
        request: AccessRequestId,
        /// Who.
        user: UserId,
        /// The record that brought it into force.
        record: RecordSeq,
    },
    /// A line of a role asks for it.
    Line {
        /// Where it stands.
        line: Place,
        /// The role whose members get it.
        role: RoleName,
        /// The role that says it, where it comes by an include.
        said_by: RoleName,
    },
    /// The role is declared with lines for this target.
    Role {
        /// Where it stands.
        place: Place,
        /// The role.
        role: RoleName,
    },
    /// The person is not active.
    Inactive {
        /// Who.
        user: UserId,
        /// The record that said so last.
        record: Option<RecordSeq>,
    },
    /// The person is there, and no mapping gives it any more.
    NotGiven {
        /// Who.
        user: UserId,
        /// The record that last changed the person.
        record: Option<RecordSeq>,
    },
    /// Nobody in the directory has this name.
    Unknown,
    /// Something about the name withholds all that it would get.
    Withheld,
    /// No line of the map asks for it.
    NoLine,
}

/// The permissions that a step is about, columns one by one.
fn keys(grantee: SqlName, permission: Permission, on: Securable, columns: &[SqlName]) -> Vec<GrantKey> {
    let key = |securable| GrantKey { grantee, securable, permission };
    match on {
        Securable::Object(object) if !columns.is_empty() => {
            columns.iter().map(|column| key(Securable::Column(object, *column))).collect()
        }
        other => vec![key(other)],
    }
}

impl Evaluator {
    /// What stands behind a step, from the directory and the map as they are now.
    pub fn because(&self, directory: &Directory, step: &Step, now: OffsetDateTime) -> Vec<Cause> {
        match step {
            Step::AddMember { role, member } => {
                let mut causes = self.given(directory, *member, Some(*role), now);
                causes.extend(self.per_person_lines(*role, &causes));
                causes
            }
            Step::CreatePrincipal { name, .. } | Step::GrantConnect { principal: name } => {
                self.given(directory, *name, None, now)
            }
            Step::DropMember { role, member } => self.taken(directory, *member, Some(*role), now),
            Step::DenyConnect { principal: name }
            | Step::KillSessions { principal: name }
            | Step::KillFormer { principal: name, .. }
            | Step::DropPrincipal { name, .. } => self.taken(directory, *name, None, now),
            Step::Grant { grantee, permission, on, columns }
            | Step::Deny { grantee, permission, on, columns } => {
                let mut causes = self.lines(*grantee, *permission, *on, columns);
                causes.extend(self.direct_lines(directory, &keys(*grantee, *permission, *on, columns), now));
                causes
            }
            // A revoke is asked for by the absence of a line, or by the line that stands in its place.
            Step::Revoke { grantee, permission, on, columns, .. } => {
                let mut lines = self.lines(*grantee, *permission, *on, columns);
                lines.extend(self.direct_lines(directory, &keys(*grantee, *permission, *on, columns), now));
                if lines.is_empty() { vec![Cause::NoLine] } else { lines }
            }
            // Its line is the role's own, which the step names.
            Step::Classify(step) => self.role(step.subject()).into_iter().collect(),
            // Its line is the view's own, which the plan's text names.
            Step::Secure(_) => Vec::new(),
            Step::CreateRole { name } => self.role(*name).into_iter().collect(),
            Step::DropRole { name } => vec![self.role(*name).unwrap_or(Cause::NoLine)],
        }
    }

    fn role(&self, name: SqlName) -> Option<Cause> {
        let found = self.view().roles.iter().find(|r| r.name == Some(name))?;
        let spec = self.map().roles.get(&found.role)?;
        Some(Cause::Role { place: spec.place.clone(), role: spec.name.clone() })
    }

    /// Whether having this role of the map puts people into this role of the pool; any, if none is asked for.
    fn leads_to(&self, role: &RoleName, pool_role: Option<SqlName>) -> bool {
        let Some(number) = self.view().number(role) else { return false };
        let Some(role) = self.view().roles.get(number) else { return false };
        pool_role.is_none_or(|wanted| role.name == Some(wanted) || role.per_person.contains(&wanted))
    }

    fn given(
        &self,
        directory: &Directory,
        name: SqlName,
        role: Option<SqlName>,
        now: OffsetDateTime,
    ) -> Vec<Cause> {
        if self.is_withheld(name) {
            return vec![Cause::Withheld];
        }
        self.claimants(name).flat_map(|who| self.gives(directory, who, role, now)).collect()
    }

    /// The roles that a rule of separation keeps from a person.
    fn separated(&self, person: &Person<'_>, groups: &Within, now: OffsetDateTime) -> BTreeSet<&RoleName> {
        if self.map().rules.separate.is_empty() {
            return BTreeSet::new();
        }
        Given::to(self.map(), self.selection(), person, groups, now, |_, _| true)
            .excuse(self, person.user.id)
            .withheld
    }

    fn gives(
        &self,
        directory: &Directory,
        who: &Claimant,
        pool_role: Option<SqlName>,
        now: OffsetDateTime,
    ) -> Vec<Cause> {
        let map = self.map();
        let mut causes = Vec::new();
        match who {
            Claimant::User { id, .. } => {
                let Some(user) = directory.user(*id).filter(|u| u.active) else { return causes };
                if self.beside().offboarding(user).is_some() {
                    return causes;
                }
                for extra in self.beside().extras(user, now) {
                    let known =
                        map.roles.get_key_value(extra.role).filter(|_| extra.is_for(&self.target().name));
                    let Some((role, _)) = known.filter(|(role, _)| self.leads_to(role, pool_role)) else {
                        continue;
                    };
                    causes.push(Cause::Request {
                        request: extra.request.id,
                        role: role.clone(),
                        user: *id,
                        record: extra.request.record,
                    });
                }
                let ways = Ways::of(directory, *id);
                let groups = ways.groups();
                let person = Person::new(user);
                let withheld = self.separated(&person, &groups, now);
                for number in self.selection().candidates(&groups) {
                    let mapping = &map.mappings[number];
                    if map.via(mapping, self.target()) != Via::Person {
                        continue;
                    }
                    let Judgement::Gives(given) =
                        self.selection().judge(mapping, number, &person, &groups, now)
                    else {
                        continue;
                    };
                    let leads = |role: &RoleName| !withheld.contains(role) && self.leads_to(role, pool_role);
                    for (group, role) in given.into_iter().filter(|(_, role)| leads(role)) {
                        causes.push(Cause::Mapping {
                            mapping: mapping.place.clone(),
                            role: role.clone(),
                            user: Some(*id),
                            group: Some(group),
                            records: ways.to(group).iter().map(|link| link.record).collect(),
                        });
                    }
                }
            }
            Claimant::Group { id, .. } => {
                for (mapping, found) in map.mappings.iter().zip(&self.selection().found) {
                    let as_group =
                        map.via(mapping, self.target()) == Via::Group && mapping.personal().is_none();
                    let Some(captured) = found.open.get(id).filter(|_| as_group && mapping.holds_at(now))
                    else {
                        continue;
                    };
                    for role in
                        mapping.roles_by(captured.as_ref()).filter(|role| self.leads_to(role, pool_role))
                    {
                        causes.push(Cause::Mapping {
                            mapping: mapping.place.clone(),
                            role: role.clone(),
                            user: None,
                            group: Some(*id),
                            records: directory.group_changed(*id).into_iter().collect(),
                        });
                    }
                }
            }
            Claimant::Service { name } => {
                let mappings =
                    map.mappings.iter().filter(|m| crate::map::is_service(m, name) && m.holds_at(now));
                for mapping in mappings {
                    for role in mapping.possible().filter(|role| self.leads_to(role, pool_role)) {
                        causes.push(Cause::Mapping {
                            mapping: mapping.place.clone(),
                            role: role.clone(),
                            user: None,
                            group: None,
                            records: Vec::new(),
                        });
                    }
                }
            }
        }
        causes
    }

    /// The lines that put the people of these causes into a role of the pool.
    fn per_person_lines(&self, pool_role: SqlName, causes: &[Cause]) -> Vec<Cause> {
        let mut lines = Vec::new();
        for cause in causes {
            let (Cause::Mapping { role, .. } | Cause::Request { role, .. }) = cause else { continue };
            let held = self.map().roles.get(role).and_then(|r| r.held.get(&self.target().name));
            for held in held.into_iter().flatten().filter(|h| {
                matches!(&h.grant.line, GrantLine::MemberOf(name) | GrantLine::Assigned(name) if *name == pool_role)
            })
            {
                let said_by = held.through.last().unwrap_or(role).clone();
                let line = Cause::Line { line: held.grant.place.clone(), role: role.clone(), said_by };
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        lines
    }

    /// Whether no line names a role, and it is none of the map's own.
    fn names_no_more(&self, role: SqlName) -> bool {
        self.view().rank(role).is_none() && !self.graph().roles.contains_key(&role)
    }

    fn taken(
        &self,
        directory: &Directory,
        name: SqlName,
        role: Option<SqlName>,
        now: OffsetDateTime,
    ) -> Vec<Cause> {
        if self.is_withheld(name) {
            return vec![Cause::Withheld];
        }
        let mut causes = Vec::new();
        let mut anybody = false;
        for who in self.claimants(name) {
            anybody = true;
            let Claimant::User { id, .. } = who else { continue };
            let Some(user) = directory.user(*id) else { continue };
            let record = directory.user_changed(*id);
            if let Some(request) = self.beside().offboarding(user) {
                causes.push(Cause::Offboarded { request: request.id, user: *id, record: request.record });
            } else if !user.active {
                causes.push(Cause::Inactive { user: *id, record });
            } else if role.is_some_and(|role| self.names_no_more(role)) {
                // An earlier version named the role, and this one gives it to nobody.
                causes.push(Cause::NoLine);
            } else if self.gives(directory, who, role, now).is_empty() {
                causes.push(Cause::NotGiven { user: *id, record });
            }
        }
        if causes.is_empty() {
            causes.push(if anybody { Cause::NoLine } else { Cause::Unknown });
        }
        causes
    }

    /// The lines of direct roles that ask for one of these permissions of a principal, each behind what gives the role.
    fn direct_lines(&self, directory: &Directory, keys: &[GrantKey], now: OffsetDateTime) -> Vec<Cause> {
        let mut causes: Vec<Cause> = Vec::new();
        let Some(grantee) = keys.first().map(|key| key.grantee).filter(|_| self.view().has_direct()) else {
            return causes;
        };
        for given in self.given(directory, grantee, None, now) {
            let (Cause::Mapping { role, .. } | Cause::Request { role, .. }) = &given else { continue };
            let direct = self.view().number(role).is_some_and(|n| self.view().roles[n].direct);
            if !direct {
                continue;
            }
            let before = causes.len();
            for want in wanted(self.map(), self.target(), role) {
                if keys.iter().any(|k| k.permission == want.permission && k.securable == want.on) {
                    causes.push(Cause::Line {
                        line: want.held.grant.place.clone(),
                        role: role.clone(),
                        said_by: want.held.through.last().unwrap_or(role).clone(),
                    });
                }
            }
            if causes.len() > before {
                causes.insert(before, given);
            }
        }
        causes
    }

    fn lines(
        &self,
        grantee: SqlName,
        permission: Permission,
        on: Securable,
        columns: &[SqlName],
    ) -> Vec<Cause> {
        let Some(role) = self.view().roles.iter().find(|r| r.name == Some(grantee)) else {
            return Vec::new();
        };
        let keys = keys(grantee, permission, on, columns);
        let mut causes: Vec<Cause> = Vec::new();
        for want in wanted(self.map(), self.target(), &role.role) {
            if !keys.iter().any(|k| k.permission == want.permission && k.securable == want.on) {
                continue;
            }
            let cause = Cause::Line {
                line: want.held.grant.place.clone(),
                role: role.role.clone(),
                said_by: want.held.through.last().unwrap_or(&role.role).clone(),
            };
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        causes
    }
}
