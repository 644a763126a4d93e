//! What is pushed, and what is done in the tenant and by hand beside it.

use std::collections::BTreeSet;

use axon_emulator::directory::sid_of;
use axon_model::{Actor, Clock, GroupId, SourceHealth, UserId};
use axon_scim::{PatchRequest, Profile, ResourceKind, parse_new};
use axon_store::{Act, Unless, WriteContext, WriteError};
use serde_json::{Value, json};

use super::{World, object, tenant_user};
use crate::people::{Human, NAMES};

impl World {
    pub(super) fn act(&self, actor: Actor) -> Act {
        Act { actor, request: None, now: self.clock.now(), ids: self.ids.clone() }
    }

    pub(super) fn context(&self) -> WriteContext {
        WriteContext {
            source: self.source.clone(),
            profile: Profile::entra(),
            registry: self.registry.clone(),
            act: self.act(Actor::Source { source: self.source.clone() }),
            if_match: None,
            unless: Unless::Never,
        }
    }

    fn patch(&self, kind: ResourceKind, operations: &Value) -> PatchRequest {
        let body = json!({ "Operations": operations });
        PatchRequest::parse(body, &self.registry, kind, &Profile::entra()).expect("a PATCH")
    }

    async fn patch_user(&self, id: UserId, operations: Value) -> Result<(), WriteError> {
        let patch = self.patch(ResourceKind::User, &operations);
        self.store.patch_user(self.context(), id, patch).await.map(|_| ())
    }

    async fn patch_group(&self, id: GroupId, operations: Value) -> Result<(), WriteError> {
        let patch = self.patch(ResourceKind::Group, &operations);
        self.store.patch_group(self.context(), id, patch).await.map(|_| ())
    }

    /// Writes down that the source was heard from, where the store takes it.
    pub async fn heard(&self) {
        let now = self.clock.now();
        let health = SourceHealth { last_push: Some(now), ..SourceHealth::default() };
        // With a full disk it is not known that it was.
        let _ = self.store.add_health(vec![(self.source.clone(), health)], now).await;
    }

    /// Names that nobody who is pushed bears.
    pub fn free_names(&self) -> Vec<String> {
        let taken: BTreeSet<&str> =
            self.people.iter().filter(|h| h.scim.is_some()).map(|h| h.upn.as_str()).collect();
        (0..NAMES).map(|n| format!("p{n}@acme.com")).filter(|upn| !taken.contains(upn.as_str())).collect()
    }

    fn tenant(&self, upn: &str, object: Option<&str>) {
        self.pool.change_directory(|directory| {
            directory.users.retain(|user| user.upn != upn);
            let user = object.map(|id| tenant_user(upn, id));
            directory.users.extend(user);
        });
    }

    /// Somebody arrives under this name, who may have been another's.
    pub async fn hire(&mut self, upn: &str) -> Result<(), WriteError> {
        self.objects += 1;
        let id = object(self.objects);
        let body = json!({ "userName": upn, "externalId": id });
        let parsed = parse_new(&self.registry, ResourceKind::User, body, &Profile::entra());
        let made = self.store.create_user(self.context(), parsed.expect("a user").resource).await?;
        self.tenant(upn, Some(&id));
        self.clocks.call(made.stored.id, upn);
        self.people.push(Human {
            object: id,
            upn: upn.to_owned(),
            scim: Some(made.stored.id),
            user: Some(made.stored.id),
            active: true,
            session: None,
            entered_as: String::new(),
            left: None,
        });
        self.stood_in_for(self.people.len() - 1);
        Ok(())
    }

    /// Somebody is active, or no longer.
    pub async fn set_active(&mut self, who: usize, active: bool) -> Result<(), WriteError> {
        let Some(id) = self.people[who].scim else { return Ok(()) };
        let before = self.before_leaving(who).await;
        self.patch_user(id, json!([{ "op": "replace", "path": "active", "value": active }])).await?;
        self.people[who].active = active;
        if !active {
            self.note_leaving(who, id, &before);
        }
        Ok(())
    }

    /// Somebody is deleted in the tenant.
    pub async fn delete(&mut self, who: usize) -> Result<(), WriteError> {
        let Some(id) = self.people[who].scim else { return Ok(()) };
        let before = self.before_leaving(who).await;
        self.store.delete_user(self.context(), id).await?;
        self.note_leaving(who, id, &before);
        self.tenant(&self.people[who].upn.clone(), None);
        self.people[who].scim = None;
        for group in &mut self.groups {
            group.members.retain(|member| *member != who);
        }
        Ok(())
    }

    /// Somebody gets another name.
    pub async fn rename(&mut self, who: usize, upn: &str) -> Result<(), WriteError> {
        let Some(id) = self.people[who].scim else { return Ok(()) };
        let before = self.before_leaving(who).await;
        self.patch_user(id, json!([{ "op": "replace", "path": "userName", "value": upn }])).await?;
        self.tenant(&self.people[who].upn.clone(), None);
        if self.people[who].is_active() {
            self.borne_last.insert(self.people[who].upn.clone(), self.clock.now());
        }
        upn.clone_into(&mut self.people[who].upn);
        self.clocks.call(id, upn);
        if !self.people[who].active {
            self.note_leaving(who, id, &before);
        }
        let object = self.people[who].object.clone();
        self.tenant(upn, Some(&object));
        self.stood_in_for(who);
        Ok(())
    }

    /// Somebody's account is deleted in the tenant and made again under the same name: the same record is pushed with the id of
    /// another object. Who had the old one has left, and the new one is in no group yet.
    pub async fn make_anew(&mut self, who: usize) -> Result<(), WriteError> {
        let Some(id) = self.people[who].scim else { return Ok(()) };
        let made = object(self.objects + 1);
        let before = self.before_leaving(who).await;
        self.patch_user(id, json!([{ "op": "replace", "path": "externalId", "value": made }])).await?;
        if !self.people[who].active {
            self.note_leaving(who, id, &before);
        }
        self.objects += 1;
        let Human { upn, active, .. } = &self.people[who];
        let anew = Human {
            object: made.clone(),
            upn: upn.clone(),
            scim: Some(id),
            user: Some(id),
            active: *active,
            session: None,
            entered_as: String::new(),
            left: None,
        };
        self.tenant(&anew.upn, Some(&made));
        self.people[who].scim = None;
        self.people.push(anew);
        for group in &mut self.groups {
            group.members.retain(|member| *member != who);
        }
        self.stood_in_for(self.people.len() - 1);
        Ok(())
    }

    /// Somebody bears a name under which a user was made for another object, before the pool was read since.
    fn stood_in_for(&mut self, who: usize) {
        if self.books.fresh(self.looks()) {
            return;
        }
        let (catalog, upn) = (self.pool.snapshot(), &self.people[who].upn);
        let bears = |human: &Human| {
            let user = sid_of(&human.object).and_then(|sid| catalog.principal_with_sid(&sid));
            user.is_some_and(|user| user.name == *upn)
        };
        let found = self.books.impostors().iter().copied().find(|one| bears(&self.people[*one]));
        if let Some(one) = found {
            self.books.stand_in(one, who);
        }
    }

    /// Under which name somebody who left has a user still.
    pub fn left_behind(&self) -> Option<String> {
        let catalog = self.pool.snapshot();
        let gone = |human: &&Human| {
            !human.is_active() && !self.people.iter().any(|h| h.is_active() && h.upn == human.upn)
        };
        let user = |human: &Human| {
            let user = sid_of(&human.object).and_then(|sid| catalog.principal_with_sid(&sid))?;
            (user.name == human.upn).then(|| user.name.clone())
        };
        self.people.iter().filter(gone).find_map(user)
    }

    /// Somebody makes a user for another object under this name by hand, in place of the one that is there. False: none is there.
    pub fn impostor(&mut self, upn: &str) -> bool {
        if self.pool.snapshot().principal_named(upn).is_none() {
            return false;
        }
        self.objects += 1;
        let other = object(self.objects);
        let real = self.people.iter().position(|human| human.scim.is_some() && human.upn == upn);
        self.hand(&format!("DROP USER [{upn}]"));
        self.tenant(upn, Some(&other));
        self.hand(&format!("CREATE USER [{upn}] FROM EXTERNAL PROVIDER"));
        let object = real.map(|who| self.people[who].object.clone());
        self.tenant(upn, object.as_deref());
        self.people.push(Human {
            object: other,
            upn: upn.to_owned(),
            scim: None,
            user: None,
            active: false,
            session: None,
            entered_as: String::new(),
            left: Some(self.clock.now()),
        });
        self.books.impostor(self.people.len() - 1);
        if let Some(real) = real {
            self.books.stand_in(self.people.len() - 1, real);
        }
        true
    }

    /// Somebody joins a group or leaves it.
    pub async fn turn_member(&mut self, group: usize, who: usize) -> Result<(), WriteError> {
        let Some(id) = self.people[who].scim else { return Ok(()) };
        let joins = !self.groups[group].members.contains(&who);
        let word = if joins { "add" } else { "remove" };
        let operations = json!([{ "op": word, "path": "members", "value": [{ "value": id }] }]);
        self.patch_group(self.groups[group].scim, operations).await?;
        if joins {
            self.groups[group].members.push(who);
        } else {
            self.groups[group].members.retain(|member| *member != who);
        }
        Ok(())
    }

    /// A group gets another name, or its own again.
    pub async fn turn_name(&mut self, group: usize) -> Result<(), WriteError> {
        let named = !self.groups[group].named;
        let called = if named { format!("G{group}") } else { format!("G{group} of old") };
        let operations = json!([{ "op": "replace", "path": "displayName", "value": called }]);
        self.patch_group(self.groups[group].scim, operations).await?;
        self.groups[group].named = named;
        Ok(())
    }
}
