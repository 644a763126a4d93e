//! Whether anything keeps somebody whose time has come: a group that may let them in again, a directory whose word is not fresh, a
//! database beside this one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axon_mapping::identity::Holder;
use axon_mapping::target::{Endpoint, TargetSpec};
use axon_mapping::{RoleMap, TargetKind};
use axon_model::{Directory, HealthState, SourceId, SqlName};
use axon_reconcile::Step;
use axon_store::StoreError;
use time::{Duration, OffsetDateTime};

use super::kept::{Keeping, Tombstones};
use crate::tick::Ticker;
use crate::tick::brakes::is_empty;

/// A source counts by what it said as long as it was heard from within `guards.tombstones`, but for no longer than this.
const FRESH: Duration = Duration::days(7);
/// Nor for less: calls of sources are written down now and then.
const HEARD: Duration = Duration::hours(1);
/// What another target of the same server told counts for so long.
const TOLD: Duration = Duration::days(1);

/// Why these stay, who stay. One reason each.
type Stay = BTreeMap<SqlName, String>;

impl Keeping {
    /// Of these some stay, and why; the others go.
    pub(super) fn stay(&mut self, over: &BTreeSet<SqlName>, stay: &Stay) {
        for name in over {
            if let Some(there) = self.kept.there.get_mut(name) {
                let reason = stay.get(name);
                self.moved |= there.stays.as_ref() != reason;
                there.stays = reason.cloned();
            }
        }
    }
}

/// Other targets on the server of this one.
fn beside<'m>(map: &'m RoleMap, spec: &TargetSpec) -> Vec<&'m TargetSpec> {
    let Some(here) = spec.sql_server().filter(|_| spec.kind == TargetKind::SynapseServerless) else {
        return Vec::new();
    };
    let same = |other: &&TargetSpec| {
        other.name != spec.name
            && other.kind == spec.kind
            && other
                .sql_server()
                .is_some_and(|there| there.host.eq_ignore_ascii_case(&here.host) && there.port == here.port)
    };
    map.targets.values().filter(same).collect()
}

/// Those of whom the directory knows somebody active, under whatever name: by their own id in their source.
fn active(directory: &Directory, people: &BTreeMap<SqlName, Vec<(SourceId, Holder)>>) -> BTreeSet<SqlName> {
    let mut by_id: HashMap<(&str, &str), Vec<(SqlName, &Holder)>> = HashMap::new();
    for (name, holders) in people {
        for (source, holder) in holders {
            for id in holder.external_id.as_deref().into_iter().chain([holder.id.as_str()]) {
                by_id.entry((source.as_str(), id)).or_default().push((*name, holder));
            }
        }
    }
    let mut found = BTreeSet::new();
    for user in directory.users().filter(|user| user.active) {
        let id = user.id.to_string();
        for key in user.external_id.as_deref().into_iter().chain([id.as_str()]) {
            let of = by_id.get(&(user.source.as_str(), key)).into_iter().flatten();
            found.extend(of.filter(|(_, holder)| holder.is_user(user)).map(|(name, _)| *name));
        }
    }
    found
}

impl Ticker {
    /// Who of these stays, and why.
    pub(super) async fn who_stays(
        &self,
        map: &RoleMap,
        spec: &TargetSpec,
        over: &BTreeSet<SqlName>,
        now: OffsetDateTime,
    ) -> Result<Stay, StoreError> {
        if over.is_empty() {
            return Ok(Stay::new());
        }
        let whole = |reason: String| over.iter().map(|name| (*name, reason.clone())).collect();
        let kept = &self.tombs.kept;
        if kept.unseen {
            return Ok(whole("not all of the target is seen".to_owned()));
        }
        if let Some(group) = kept.doors.first() {
            return Ok(whole(format!(
                "group {group} may let them in again, since who is in it is not known here"
            )));
        }
        // Whoever runs a script looks by themselves.
        let one = over.iter().next().filter(|_| self.target.script().is_none());
        let blind = one.and_then(|name| self.target.lacks(&Step::KillSessions { principal: *name }));
        if let Some(reason) = blind {
            return Ok(whole(reason));
        }
        let mut stay = Stay::new();
        if let Some(reason) = self.beside_stay(map, spec, over, &mut stay, now).await? {
            return Ok(whole(reason));
        }
        self.unconfirmed(over, &mut stay, now).await?;
        Ok(stay)
    }

    /// What other targets of a serverless server tell: a reason for all, or for some.
    async fn beside_stay(
        &self,
        map: &RoleMap,
        spec: &TargetSpec,
        over: &BTreeSet<SqlName>,
        stay: &mut Stay,
        now: OffsetDateTime,
    ) -> Result<Option<String>, StoreError> {
        if let Endpoint::Script(place) = &spec.endpoint {
            let serverless = place.dialect == TargetKind::SynapseServerless;
            return Ok(serverless.then(|| "a script does not see who is let in at the server".to_owned()));
        }
        if spec.kind != TargetKind::SynapseServerless {
            return Ok(None);
        }
        let others = beside(map, spec);
        if !spec.is_server() && !others.iter().any(|other| other.is_server()) {
            let reason = "who is let in at the server is not seen: name it as a target (`database: master`)";
            return Ok(Some(reason.to_owned()));
        }
        for other in others {
            let target = &other.name;
            if other.principal != spec.principal {
                return Ok(Some(format!("target {target} of the same server calls people by other names")));
            }
            let Some((told, at)) = Tombstones::of(self.store.as_ref(), target.as_str()).await? else {
                return Ok(Some(format!("target {target} of the same server was not looked at yet")));
            };
            if now - at > TOLD {
                return Ok(Some(format!("target {target} of the same server was not looked at for a day")));
            }
            if told.unseen {
                return Ok(Some(format!("not all of target {target} of the same server is seen")));
            }
            if let Some(group) = told.doors.first() {
                return Ok(Some(format!("group {group} may let them in again in target {target}")));
            }
            for name in over {
                if told.open.contains(name) {
                    stay.insert(*name, format!("they may still enter target {target}"));
                } else if spec.is_server() && told.there.contains_key(name) {
                    stay.insert(*name, format!("their user in target {target} goes first"));
                }
            }
        }
        Ok(None)
    }

    /// Of whom the directory does not say by now that they are gone.
    async fn unconfirmed(
        &self,
        over: &BTreeSet<SqlName>,
        stay: &mut Stay,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let people = over.iter().filter_map(|name| {
            let there = self.tombs.kept.there.get(name)?;
            Some((*name, there.people().unwrap_or_default()))
        });
        let people: BTreeMap<SqlName, Vec<(SourceId, Holder)>> = people.collect();
        let sources: BTreeSet<&SourceId> = people.values().flatten().map(|(source, _)| source).collect();
        let health: HashMap<_, _> = self.store.health().await?.into_iter().collect();
        let fresh = self.tombs.wait.map_or(FRESH, |wait| wait.clamp(HEARD, FRESH));
        let world = self.world.lock().await;
        let directory = world.directory();
        let mut silent: BTreeMap<&SourceId, String> = BTreeMap::new();
        for source in sources {
            let heard = health.get(source).filter(|health| health.state(now) != HealthState::Refused);
            let heard = heard.and_then(|health| health.last_push.max(health.accepted));
            if heard.is_none_or(|heard| now - heard > fresh) {
                silent.insert(source, format!("source {source} was not heard from lately"));
            } else if is_empty(directory, source) {
                silent.insert(source, format!("source {source} has nobody who is active"));
            }
        }
        let active = active(directory, &people);
        for (name, holders) in &people {
            let unheard = holders.iter().find_map(|(source, _)| silent.get(source));
            if active.contains(name) || world.is_somebodys(&self.name, *name) {
                stay.insert(*name, "they are active in the directory".to_owned());
            } else if let Some(reason) = unheard {
                stay.insert(*name, reason.clone());
            } else if holders.is_empty() {
                stay.insert(*name, "whose it was is not known".to_owned());
            }
        }
        Ok(())
    }
}
