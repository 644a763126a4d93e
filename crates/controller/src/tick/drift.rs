//! What somebody else did in a target, by name: what is there although nobody asked Axon for it, what Axon made and somebody took
//! away, and whose object is another one by now.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{HoldId, SqlName};
use axon_reconcile::{GrantKey, Graph, Hides, Securable, Step};
use axon_store::{Hold, HoldState};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::decide::Decided;
use super::holding::{EXCEPTED, Holding};
use super::noticed::Noticed;
use crate::made::Made;

/// What kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// It is there, and nobody asked Axon for it.
    Added,
    /// Axon made it, and somebody took it away.
    Removed,
    /// The name stands for another object of the directory than the one that has it now.
    Recreated,
}

impl DriftKind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Recreated => "recreated",
        }
    }
}

/// One thing that differs by what somebody else did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What kind.
    pub kind: DriftKind,
    /// The step that reverts it; the first of them where it takes several.
    pub step: Step,
    /// Whose access it is.
    pub principal: SqlName,
    /// When the principal was made, where the catalog says so.
    pub created: Option<OffsetDateTime>,
    /// Who granted it, where the catalog says so and it was not the one that Axon's statements act as.
    pub grantors: Vec<SqlName>,
    /// What waits for a person about it; none where no look has been recorded yet.
    pub hold: Option<HoldId>,
    /// The look that noticed it first; none where no tick has seen it yet.
    pub since: Option<OffsetDateTime>,
    /// Until when it is excepted.
    pub excepted: Option<OffsetDateTime>,
    /// Why the step is not done by the next tick, if so.
    pub withheld: Vec<String>,
}

impl Drift {
    /// What is so, in words.
    pub fn what(&self) -> String {
        match self.kind {
            DriftKind::Added => added(&self.step),
            DriftKind::Removed => removed(&self.step),
            DriftKind::Recreated => recreated(self.principal),
        }
    }
}

fn recreated(principal: SqlName) -> String {
    format!("principal {principal} stands for another object than the one that has the name now")
}

/// What drift is over, in words, once this step is in force.
pub(super) fn ended_by(step: &Step) -> Vec<String> {
    let mut ended = vec![added(step), removed(step)];
    if let Step::DropPrincipal { name, .. } = step {
        ended.push(recreated(*name));
    }
    ended
}

fn with_columns(columns: &[SqlName]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    format!(" ({})", names.join(", "))
}

fn added(step: &Step) -> String {
    match step {
        Step::DropMember { role, member } => format!("{member} is in role {role}"),
        Step::DropRole { name } => format!("role {name} is there"),
        Step::Revoke { grantee, permission, on, columns, was } => {
            format!("{grantee} has {was} {permission} on {on}{}", with_columns(columns))
        }
        other => other.to_string(),
    }
}

fn removed(step: &Step) -> String {
    match step {
        Step::CreatePrincipal { name, .. } => format!("principal {name} is not there any more"),
        Step::GrantConnect { principal } => format!("{principal} may not connect any more"),
        Step::CreateRole { name } => format!("role {name} is not there any more"),
        Step::AddMember { role, member } => format!("{member} is not in role {role} any more"),
        Step::Grant { grantee, permission, on, columns } => {
            format!("{grantee} has {permission} on {on}{} no more", with_columns(columns))
        }
        Step::Deny { grantee, permission, on, columns } => {
            format!("{grantee} is denied {permission} on {on}{} no more", with_columns(columns))
        }
        other => other.to_string(),
    }
}

/// The drift that a decision shows, each with what is known of it.
pub(super) fn of(
    decided: &Decided,
    actual: &Graph,
    made: &Made,
    holding: &Holding,
    noticed: &Noticed,
) -> Vec<Drift> {
    let found = found(decided, actual, made);
    let mut withheld: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if !found.is_empty() {
        for held in decided.admitted.withheld() {
            let why = held.reasons.iter().map(ToString::to_string).collect();
            withheld.insert(held.planned.step.to_string(), why);
        }
    }
    let one = |(kind, step): (DriftKind, &Step)| {
        let hold = holding.about(&step.to_string()).filter(|_| kind == DriftKind::Added);
        let excepted = hold
            .filter(|hold| hold.state == HoldState::Rejected && hold.held.key.starts_with(EXCEPTED))
            .and_then(|hold: &Hold| hold.held.expires);
        let principal = step.subject();
        let mut drift = Drift {
            kind,
            step: step.clone(),
            principal,
            created: actual.principals.get(&principal).and_then(|principal| principal.created),
            grantors: grantors(step, actual),
            hold: hold.map(|hold| hold.id),
            since: None,
            excepted,
            withheld: withheld.remove(&step.to_string()).unwrap_or_default(),
        };
        drift.since = noticed.since(&drift.what()).or(hold.map(|hold| hold.opened));
        drift
    };
    found.into_iter().map(one).collect()
}

/// What Axon made and the catalog does not show.
fn missing<'d>(decided: &'d Decided, actual: &Graph, made: &Made) -> impl Iterator<Item = &'d Step> {
    let steps = decided.plan.steps.iter().map(|planned| &planned.step);
    steps.filter(|step| step.gives() && made.was_there(step, actual))
}

/// Whether what this step makes may be there all the same.
fn hidden(hides: Hides, step: &Step) -> bool {
    match step {
        Step::Grant { .. } | Step::Deny { .. } => hides.permissions,
        _ => hides.principals,
    }
}

/// What is neither known to be removed nor known to be there, in the words of its removal.
pub(super) fn untold(decided: &Decided, actual: &Graph, made: &Made) -> BTreeSet<String> {
    if decided.hides == Hides::default() {
        return BTreeSet::new();
    }
    missing(decided, actual, made).filter(|step| hidden(decided.hides, step)).map(removed).collect()
}

fn found<'d>(decided: &'d Decided, actual: &Graph, made: &Made) -> Vec<(DriftKind, &'d Step)> {
    let steps = || decided.plan.steps.iter().map(|planned| &planned.step);
    let dropped: BTreeSet<SqlName> = steps()
        .filter_map(|step| match step {
            Step::DropPrincipal { name, .. } => Some(*name),
            _ => None,
        })
        .collect();
    let anew: Vec<&Step> = steps()
        .filter(|step| match step {
            Step::CreatePrincipal { name, sid: Some(sid), .. } => {
                let there = actual.principals.get(name).and_then(|there| there.sid.as_ref());
                dropped.contains(name) && there.is_some_and(|there| there != sid)
            }
            _ => false,
        })
        .collect();
    let renewed: BTreeSet<SqlName> = anew.iter().map(|step| step.subject()).collect();
    let gone: Vec<&Step> =
        missing(decided, actual, made).filter(|step| !hidden(decided.hides, step)).collect();
    // What went with a role or a principal is told by that.
    let whole: BTreeSet<SqlName> = gone
        .iter()
        .filter_map(|step| match step {
            Step::CreatePrincipal { name, .. } | Step::CreateRole { name } => Some(*name),
            _ => None,
        })
        .collect();
    let told = |step: &Step| match step {
        Step::CreatePrincipal { .. } | Step::CreateRole { .. } => false,
        Step::AddMember { role, member } => whole.contains(role) || whole.contains(member),
        other => whole.contains(&other.subject()),
    };
    let added = steps().filter(|step| decided.foreign.contains(&step.to_string()));
    let added = added.map(|step| (DriftKind::Added, step));
    let gone = gone.into_iter().filter(|step| !told(step) && !renewed.contains(&step.subject()));
    let gone = gone.map(|step| (DriftKind::Removed, step));
    added.chain(gone).chain(anew.into_iter().map(|step| (DriftKind::Recreated, step))).collect()
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
