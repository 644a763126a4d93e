//! What is known of users who are shut out since their people left: when they are dropped, or why they stay.

use std::collections::BTreeSet;

use axon_controller::Tombstones;
use axon_mapping::{Explanation, RoleMap};
use axon_store::{Store, StoreError};

/// Target and sentence of each whom the explanation speaks of.
pub(super) async fn concerning(
    store: &dyn Store,
    map: &RoleMap,
    explanation: &Explanation,
) -> Result<Vec<(String, String)>, StoreError> {
    let people = explanation.people.iter().flat_map(|person| &person.targets);
    let named: BTreeSet<_> = people.filter_map(|target| Some((&target.target, target.principal?))).collect();
    let mut told = Vec::new();
    for (target, name) in named {
        let Some((kept, _)) = Tombstones::of(store, target.as_str()).await? else { continue };
        let sentence = kept.told(name, map.guards.tombstones.after());
        told.extend(sentence.map(|sentence| (target.to_string(), sentence)));
    }
    Ok(told)
}
