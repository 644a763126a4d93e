//! The permissions to read as another that count at an instant, person by person.

use std::collections::BTreeSet;

use axon_model::{AccessRequest, AccessRequestId, Asked, Directory, SqlName, Whom};
use axon_reconcile::Sid;
use axon_reconcile::secure::{Window, Windows};
use time::OffsetDateTime;

use super::{Side, may_act};
use crate::beside;
use crate::evaluator::Evaluator;
use crate::names::RoleName;

/// What requests come to in one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acting {
    /// What is to stand in the pool.
    pub windows: Windows,
    /// Requests that are in force and give nothing now, and why.
    pub waiting: Vec<(AccessRequestId, String)>,
}

impl Evaluator {
    /// The permissions that requests in force come to now. `sid` tells the security id of somebody who is there, `asked` are the
    /// roles of the pool that views ask for.
    pub fn acting<'r>(
        &self,
        directory: &Directory,
        requests: impl Iterator<Item = &'r AccessRequest>,
        sid: impl Fn(SqlName) -> Option<Sid>,
        asked: &BTreeSet<SqlName>,
        now: OffsetDateTime,
    ) -> Acting {
        let mut acting = Acting::default();
        for request in requests.filter(|request| request.in_force_at(now)) {
            let (Asked::Impersonate { person, target, .. }, Some(until)) = (&request.asked, request.until)
            else {
                continue;
            };
            if target != self.target().name.as_str() {
                continue;
            }
            match self.window(directory, &request.whom, person, &sid, asked, (now, until)) {
                // Of two that overlap the later end counts: each was asked for and is on record.
                Ok(window) => {
                    let key = (window.actor, window.person);
                    let known = acting.windows.entry(key).or_insert_with(|| window.clone());
                    known.until = known.until.max(window.until);
                }
                Err(why) => acting.waiting.push((request.id, why)),
            }
        }
        acting
    }

    fn window(
        &self,
        directory: &Directory,
        who: &Whom,
        whom: &Whom,
        sid: &impl Fn(SqlName) -> Option<Sid>,
        asked: &BTreeSet<SqlName>,
        (now, until): (OffsetDateTime, OffsetDateTime),
    ) -> Result<Window, String> {
        let (actor, person) = (self.present(directory, who)?, self.present(directory, whom)?);
        let (mine, theirs) = (self.map_roles(actor), self.map_roles(person));
        let one = Side { name: &who.user_name, principal: actor, roles: &mine };
        let other = Side { name: &whom.user_name, principal: person, roles: &theirs };
        may_act(self.map(), &self.target().name, one, other, now).map_err(|no| no.to_string())?;
        let Some(sid) = sid(actor) else {
            return Err(format!("{actor} is not there yet, or its security id is not seen"));
        };
        // The pool keeps whole seconds: never longer than was asked for.
        let until = until.replace_nanosecond(0).unwrap_or(until);
        let roles = self.in_roles(person).iter().filter_map(|number| self.role_names().get(*number));
        let roles = roles.filter(|role| asked.contains(*role)).copied().collect();
        Ok(Window { actor, sid, person, roles, until })
    }

    /// What a person who was meant is called here, if that person still is there. Another one under the record is not meant.
    fn present(&self, directory: &Directory, whom: &Whom) -> Result<SqlName, String> {
        let found = whom.records.iter().find_map(|record| {
            let user = directory.user(record.id).filter(|user| user.active && beside::is(record, user))?;
            self.principal_of(user.id).filter(|name| self.graph().principals.contains_key(name))
        });
        found.ok_or_else(|| {
            format!("{} has nothing in the target now", axon_model::name::shown(&whom.user_name))
        })
    }

    /// The roles of the map that somebody has here.
    fn map_roles(&self, name: SqlName) -> BTreeSet<RoleName> {
        let roles = self.roles_of(name).into_iter().filter_map(|number| self.view().roles.get(number));
        roles.map(|role| role.role.clone()).collect()
    }
}
