//! What is in a target although nobody asked Axon for it: one line for each step that would take it away.

use axon_model::{HoldId, SqlName};
use axon_reconcile::{GrantKey, Graph, Securable, Step};
use axon_store::{Hold, HoldState};
use time::OffsetDateTime;

use super::decide::Decided;
use super::holding::{EXCEPTED, Holding};

/// One thing that differs although nobody asked Axon for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The step that would revert it.
    pub step: Step,
    /// Whose access it is.
    pub principal: SqlName,
    /// When the principal was made, where the catalog says so.
    pub created: Option<OffsetDateTime>,
    /// Who granted it, where the catalog says so and it was not the one that Axon's statements act as.
    pub grantors: Vec<SqlName>,
    /// What waits for a person about it; none where no look has been recorded yet.
    pub hold: Option<HoldId>,
    /// When it was noticed.
    pub since: Option<OffsetDateTime>,
    /// Until when it is excepted.
    pub excepted: Option<OffsetDateTime>,
}

/// The drift that a decision shows.
pub(super) fn of(decided: &Decided, actual: &Graph, holding: &Holding) -> Vec<Drift> {
    let foreign = decided.plan.steps.iter().map(|planned| &planned.step);
    let foreign = foreign.filter(|step| decided.foreign.contains(&step.to_string()));
    foreign.map(|step| one(step, actual, holding.about(&step.to_string()))).collect()
}

fn one(step: &Step, actual: &Graph, hold: Option<&Hold>) -> Drift {
    let principal = step.subject();
    let excepted = hold
        .filter(|hold| hold.state == HoldState::Rejected && hold.held.key.starts_with(EXCEPTED))
        .and_then(|hold| hold.held.expires);
    Drift {
        step: step.clone(),
        principal,
        created: actual.principals.get(&principal).and_then(|principal| principal.created),
        grantors: grantors(step, actual),
        hold: hold.map(|hold| hold.id),
        since: hold.map(|hold| hold.opened),
        excepted,
    }
}

fn grantors(step: &Step, actual: &Graph) -> Vec<SqlName> {
    let Step::Revoke { grantee, permission, on, columns, .. } = step else { return Vec::new() };
    let key = |securable| GrantKey { grantee: *grantee, securable, permission: *permission };
    let keys: Vec<GrantKey> = match on {
        Securable::Object(object) if !columns.is_empty() => {
            columns.iter().map(|column| key(Securable::Column(*object, *column))).collect()
        }
        other => vec![key(*other)],
    };
    let mut grantors: Vec<SqlName> = keys
        .iter()
        .filter_map(|key| actual.grants.get(key))
        .flat_map(|g| g.foreign_grantors.clone())
        .collect();
    grantors.sort();
    grantors.dedup();
    grantors
}
