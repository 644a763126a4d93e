//! What people should know of a target. What is left of what Axon gave in roles that no line names any more stays Axon's to take,
//! until it is gone or `manage.except` leaves the role to people.

use std::collections::BTreeMap;

use axon_model::SqlName;

use super::Ticker;

impl Ticker {
    /// What people should know of the target, and nothing waits for.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = self.target.advice();
        let Some(known) = &self.actual else { return notes };
        let mut roles: BTreeMap<SqlName, usize> = BTreeMap::new();
        for membership in &known.given {
            if known.inspection.graph.members.contains(membership) {
                *roles.entry(membership.role).or_default() += 1;
            }
        }
        notes.extend(roles.into_iter().map(|(role, members)| {
            let (members, them) =
                if members == 1 { ("1 member".to_owned(), "it") } else { (format!("{members} members"), "them") };
            format!(
                "no line names {role} any more, and Axon gave it to {members}: it is managed until it is taken from {them} \
                 (manage.except leaves a role to people)"
            )
        }));
        notes.extend(self.notes_of_tombstones());
        notes.extend(self.leaving.namesakes().map(|name| {
            format!(
                "{name} is shut out, and somebody else has a session under that name, by another security id: a group lets them in, \
                 which Axon leaves alone"
            )
        }));
        notes
    }
}
