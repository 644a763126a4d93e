//! What targets of assigned roles write down in the store: what settles there, and who is who with the age of Graph's word.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use axon_azure::{IDENTITIES, Identified, Identities, Memo};
use axon_mapping::target::Words;
use axon_mapping::{Explanation, RoleMap};
use axon_model::Clock;
use axon_store::{Store, StoreError};
use serde_json::Value;

/// Under which name the store keeps something of a target: no target can be called so.
fn key(target: &str, what: &str) -> String {
    format!("#{what} {target}")
}

/// A target's place in the store.
pub struct StoreMemo {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    target: String,
}

impl StoreMemo {
    /// The place of this target.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, target: &str) -> Self {
        Self { store, clock, target: target.to_owned() }
    }
}

#[async_trait]
impl Memo for StoreMemo {
    async fn load(&self, what: &str) -> Result<Option<Value>, String> {
        let kept = self.store.summary(&key(&self.target, what)).await;
        kept.map(|kept| kept.map(|(value, _)| value)).map_err(|error| error.to_string())
    }

    async fn save(&self, what: &str, value: Value) -> Result<(), String> {
        let saved = self.store.save_summary(&key(&self.target, what), value, self.clock.now()).await;
        saved.map_err(|error| error.to_string())
    }
}

/// Who is who in the targets of a map whose roles are assigned, as far as it was written down.
pub async fn all(store: &dyn Store, map: &RoleMap) -> Result<BTreeMap<String, Identities>, StoreError> {
    let mut all = BTreeMap::new();
    for (name, spec) in &map.targets {
        if spec.kind.words() != Words::Roles {
            continue;
        }
        let kept = store.summary(&key(name.as_str(), IDENTITIES)).await?;
        if let Some(identities) = kept.and_then(|(value, _)| Identities::read(value)) {
            all.insert(name.to_string(), identities);
        }
    }
    Ok(all)
}

/// Of these, those whom an explanation speaks of: the person's own name, and groups that hold roles in their place.
pub fn concerning<'a>(
    all: &'a BTreeMap<String, Identities>,
    explanation: &Explanation,
) -> Vec<(&'a str, &'a Identified)> {
    let mut spoken: BTreeSet<(String, String)> = BTreeSet::new();
    for target in explanation.people.iter().flat_map(|person| &person.targets) {
        let mut note = |name: &str| spoken.insert((target.target.to_string(), name.to_owned()));
        for role in &target.roles {
            for way in &role.ways {
                match (way.as_group, way.groups.last()) {
                    (true, Some(group)) => note(&group.name),
                    _ => target.principal.is_some_and(|name| note(name.as_str())),
                };
            }
        }
    }
    for target in explanation.services.iter().flat_map(|service| &service.targets) {
        if let Some(name) = target.principal {
            spoken.insert((target.target.to_string(), name.to_string()));
        }
    }
    let found = spoken.iter().filter_map(|(target, name)| {
        let (target, identities) = all.get_key_value(target)?;
        Some((target.as_str(), identities.named(name)?))
    });
    found.collect()
}
