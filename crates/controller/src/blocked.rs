//! Steps that the target refused: left out of the desired side for a while, so that they never block anybody else's.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{Concerned, GrantState, Graph, Plan, Refusal, RefusalKind, Securable, SecureStep, Step};
use time::{Duration, OffsetDateTime};

/// The longest that a refused step waits.
const LONGEST: Duration = Duration::hours(1);
/// A closing over a text that is not seen waits for so long: another replica may have opened the view since, which nothing here shows.
const CLOSED: Duration = Duration::minutes(5);

/// A step that was refused, and when it is tried again.
#[derive(Debug, Clone)]
pub struct Blocked {
    /// The step.
    pub step: Step,
    /// The target's words.
    pub refusal: Refusal,
    /// When it is tried again.
    pub until: OffsetDateTime,
    tries: u32,
}

/// The refused steps of one target.
#[derive(Debug, Default)]
pub struct BlockedSteps(Vec<Blocked>);

impl BlockedSteps {
    /// Remembers a refusal; each further one of the same step waits twice as long, up to an hour if it gives and up to a
    /// minute if it takes away: a leaver does not wait for a back-off.
    pub fn add(&mut self, step: &Step, refusal: Refusal, now: OffsetDateTime) {
        let tries = self.0.iter().find(|b| b.step == *step).map_or(0, |b| b.tries);
        let first = match refusal.kind {
            // The directory may lag behind the push by seconds; a missing permission wants a person.
            RefusalKind::DirectoryUnknown | RefusalKind::DirectoryUnavailable | RefusalKind::Busy => 5,
            _ => 30,
        };
        let longest = if step.gives() { LONGEST } else { Duration::minutes(1) };
        // What was written over a text that is not seen is written once in a while: it stands, most likely.
        let written =
            matches!(step, Step::Secure(step) if step.unseen()) && refusal.message == Refusal::NOT_SHOWN;
        let wait = Duration::seconds(i64::from(first) << tries.min(10)).min(longest);
        let closed = matches!(step, Step::Secure(SecureStep::CloseView { .. }));
        let wait = match (written, closed) {
            (false, _) => wait,
            (true, true) => CLOSED,
            (true, false) => LONGEST,
        };
        // Whatever was written there before stands no more: where it is wanted again it is sent again.
        let view = step_view(step).filter(|_| written);
        self.0.retain(|b| view.is_none() || step_view(&b.step) != view);
        // What was not wanted again for a day is forgotten.
        self.0.retain(|b| b.step != *step && now - b.until < Duration::days(1));
        self.0.push(Blocked { step: step.clone(), refusal, until: now + wait, tries: tries + 1 });
    }

    /// The target's words, if it refused this step and it waits.
    pub fn words(&self, step: &Step, now: OffsetDateTime) -> Option<String> {
        self.waiting(now).find(|blocked| blocked.step == *step).map(|blocked| blocked.refusal.to_string())
    }

    /// The target's last words about the drop of somebody, or about the end of their sessions before it.
    pub fn last_words(&self, name: SqlName) -> Option<String> {
        let about = |step: &Step| match step {
            Step::DropPrincipal { name: of, .. } | Step::KillSessions { principal: of } => *of == name,
            _ => false,
        };
        self.0.iter().rev().find(|blocked| about(&blocked.step)).map(|blocked| blocked.refusal.to_string())
    }

    /// The step took effect: a later refusal of it begins anew.
    pub fn done(&mut self, step: &Step) {
        self.0.retain(|b| b.step != *step);
    }

    /// The steps that still wait at `now`.
    pub fn waiting(&self, now: OffsetDateTime) -> impl Iterator<Item = &Blocked> {
        // Nothing waits for longer, unless the clock was set back.
        self.0.iter().filter(move |b| now < b.until && b.until - now <= LONGEST)
    }

    /// When the first of them is tried again.
    pub fn next(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.waiting(now).map(|b| b.until).min()
    }

    /// Adds whom the waiting steps keep from something, or would.
    pub fn concern(&self, concerned: &mut Concerned, now: OffsetDateTime) {
        for blocked in self.waiting(now) {
            concerned.differ.insert(blocked.step.subject());
            if let Step::AddMember { role, .. } = &blocked.step {
                // What the role itself would newly give waits as well.
                concerned.told.insert(*role);
            }
        }
    }

    /// Whom the next decision has to look at although they did not move. None where only a look at all tells it.
    pub fn left_by(&self, plan: &Plan, stale: &BTreeSet<SqlName>, now: OffsetDateTime) -> Option<Concerned> {
        let mut concerned = plan.concerned()?;
        concerned.differ.extend(stale);
        self.concern(&mut concerned, now);
        Some(concerned)
    }

    /// Takes out of the desired side what a waiting giving step would give. Where a DENY, or a role that carries one, cannot
    /// be had, whoever it would restrain is given nothing new either: a refusal never lets anybody have more.
    pub fn leave_out(&self, desired: &mut Graph, actual: &Graph, now: OffsetDateTime) {
        for blocked in self.waiting(now) {
            match &blocked.step {
                // Somebody else may have made it meanwhile: whoever is there is not shut out for an old refusal.
                Step::CreatePrincipal { name, .. } if meant(desired, actual, *name) => {}
                Step::CreatePrincipal { name, .. } => leave_out_name(desired, *name),
                Step::CreateRole { name } => {
                    restrain(desired, actual, *name, None);
                    desired.roles.remove(name);
                    leave_out_name(desired, *name);
                    desired.members.retain(|m| m.role != *name);
                }
                Step::AddMember { role, member } => {
                    restrain(desired, actual, *role, Some(*member));
                    desired.members.retain(|m| !(m.role == *role && m.member == *member));
                }
                Step::Deny { grantee, .. } => {
                    restrain(desired, actual, *grantee, None);
                    leave_out_grants(desired, &blocked.step);
                }
                Step::Grant { .. } => leave_out_grants(desired, &blocked.step),
                _ => {}
            }
        }
    }

    /// Whether this step was refused and waits. Nobody is dropped whose sessions could not be ended: they are found by the
    /// principal.
    pub fn holds(&self, step: &Step, now: OffsetDateTime) -> bool {
        self.waiting(now).any(|b| match (&b.step, step) {
            (Step::KillSessions { principal }, Step::DropPrincipal { name, .. }) => principal == name,
            (refused, step) => refused == step,
        })
    }
}

/// The view whose text a step writes.
fn step_view(step: &Step) -> Option<axon_reconcile::ObjectName> {
    match step {
        Step::Secure(step) if step.unseen() => step.view(),
        _ => None,
    }
}

/// Whether the target holds under this name what the map means.
fn meant(desired: &Graph, actual: &Graph, name: SqlName) -> bool {
    let (Some(wanted), Some(there)) = (desired.principals.get(&name), actual.principals.get(&name)) else {
        return false;
    };
    match (&wanted.sid, &there.sid) {
        (Some(wanted), Some(there)) => wanted == there,
        _ => wanted.kind == there.kind,
    }
}

/// Gives nothing to whoever stands in the target under a person's name and is something else (a group, a SQL user, a role),
/// and leaves them nothing that the map meant for the person.
pub fn leave_out_impostors(desired: &mut Graph, actual: &Graph) {
    let stands = |name: &SqlName| {
        let other_object = match (desired.principals.get(name), actual.principals.get(name)) {
            (Some(wanted), Some(there)) => wanted.kind != there.kind && !meant(desired, actual, *name),
            _ => false,
        };
        other_object || actual.roles.contains_key(name)
    };
    let impostors: BTreeSet<SqlName> = desired.principals.keys().copied().filter(|n| stands(n)).collect();
    if impostors.is_empty() {
        return;
    }
    desired.members.retain(|m| !impostors.contains(&m.member));
    desired.grants.retain(|key, _| !impostors.contains(&key.grantee));
}

fn leave_out_name(desired: &mut Graph, name: SqlName) {
    desired.principals.remove(&name);
    desired.members.retain(|m| m.member != name);
    desired.grants.retain(|key, _| key.grantee != name);
}

/// Keeps whoever the role's DENYs would restrain (all its members, or one) to what they have.
fn restrain(desired: &mut Graph, actual: &Graph, role: SqlName, only: Option<SqlName>) {
    if !desired.grants_of(role).any(|(_, grant)| grant.state == GrantState::Deny) {
        return;
    }
    let members = desired.members_of(role).filter(|m| only.is_none_or(|one| one == *m));
    // A DENY of a direct role stands on the principal itself.
    let itself = desired.principals.contains_key(&role).then_some(role);
    let whom: BTreeSet<SqlName> = members.chain(itself).collect();
    desired.members.retain(|m| !whom.contains(&m.member) || actual.members.contains(m));
    // What the role itself would newly give to those who are in it already waits as well.
    desired.grants.retain(|key, grant| {
        key.grantee != role || grant.state == GrantState::Deny || actual.grants.contains_key(key)
    });
}

fn leave_out_grants(desired: &mut Graph, step: &Step) {
    let (Step::Grant { grantee, permission, on, columns } | Step::Deny { grantee, permission, on, columns }) =
        step
    else {
        return;
    };
    desired.grants.retain(|key, _| {
        let about = match key.securable {
            Securable::Column(object, column) => {
                *on == Securable::Object(object) && columns.contains(&column)
            }
            securable => columns.is_empty() && securable == *on,
        };
        !(key.grantee == *grantee && key.permission == *permission && about)
    });
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{
        Connect, Grant, GrantKey, Membership, ObjectName, Permission, Principal, PrincipalKind, Role,
        SecureStep,
    };
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_refused_deny_lets_nobody_have_more() {
        let name = |t: &str| SqlName::parse(t).unwrap();
        let mut desired = Graph::default();
        for role in ["giving", "denying"] {
            desired.roles.insert(name(role), Role::default());
            desired.members.insert(Membership { role: name(role), member: name("kim") });
        }
        let on = Securable::Schema(name("hr"));
        for (role, state) in [("giving", GrantState::Grant), ("denying", GrantState::Deny)] {
            let key = GrantKey { grantee: name(role), securable: on, permission: Permission::Select };
            desired.grants.insert(key, Grant::wanted(state));
        }
        let step =
            Step::Deny { grantee: name("denying"), permission: Permission::Select, on, columns: Vec::new() };
        let refusal = Refusal { kind: RefusalKind::Forbidden, number: 15247, message: String::new() };
        let now = datetime!(2026-11-22 00:00 UTC);
        let mut blocked = BlockedSteps::default();
        blocked.add(&step, refusal, now);
        blocked.leave_out(&mut desired, &Graph::default(), now);
        assert!(desired.members.is_empty(), "kim would read hr through the giving role");
    }

    #[test]
    fn a_text_that_the_catalog_does_not_show_is_sent_seldom_and_a_closing_sooner() {
        let name = |t: &str| SqlName::parse(t).unwrap();
        let view = ObjectName { schema: name("secure"), name: name("v") };
        let now = datetime!(2026-11-22 00:00 UTC);
        let next = |unseen, message: &str| {
            let step = SecureStep::CloseView { view, because: "its table is gone".into(), unseen };
            let mut blocked = BlockedSteps::default();
            let refusal = Refusal { kind: RefusalKind::Other, number: 0, message: message.into() };
            blocked.add(&Step::Secure(step), refusal, now);
            blocked.next(now).map(|next| next - now)
        };
        assert_eq!(next(true, Refusal::NOT_SHOWN), Some(CLOSED));
        let soon = Some(Duration::seconds(30));
        assert_eq!((next(false, Refusal::NOT_SHOWN), next(true, "too busy")), (soon, soon));
        // The text that was written last stands: an earlier one is sent at once where it is wanted again.
        let refusal = Refusal { kind: RefusalKind::Other, number: 0, message: Refusal::NOT_SHOWN.to_owned() };
        let close = |because: &str| {
            Step::Secure(SecureStep::CloseView { view, because: because.into(), unseen: true })
        };
        let mut blocked = BlockedSteps::default();
        for because in ["one", "two"] {
            blocked.add(&close(because), refusal.clone(), now);
        }
        assert!(blocked.words(&close("one"), now).is_none() && blocked.words(&close("two"), now).is_some());
    }

    #[test]
    fn somebody_whom_the_directory_does_not_know_stops_nobody_else() {
        let name = |t: &str| SqlName::parse(t).unwrap();
        let mut desired = Graph::default();
        for who in ["kim", "ana"] {
            let principal = Principal {
                kind: PrincipalKind::External,
                sid: None,
                connect: Connect::Granted,
                created: None,
            };
            desired.principals.insert(name(who), principal);
            desired.members.insert(Membership { role: name("reader"), member: name(who) });
        }
        let step = Step::CreatePrincipal { name: name("kim"), kind: PrincipalKind::External, sid: None };
        let refusal =
            Refusal { kind: RefusalKind::DirectoryUnknown, number: 33130, message: "not found".into() };
        let now = datetime!(2026-11-22 00:00 UTC);
        let mut blocked = BlockedSteps::default();
        blocked.add(&step, refusal.clone(), now);
        let mut left = desired.clone();
        blocked.leave_out(&mut left, &Graph::default(), now);
        assert_eq!(left.principals.keys().map(|n| n.as_str()).collect::<Vec<_>>(), ["ana"]);
        assert_eq!(left.members.len(), 1);
        let first = blocked.next(now).unwrap();
        assert_eq!(first, now + Duration::seconds(5));
        blocked.add(&step, refusal, first);
        assert_eq!(
            blocked.next(first),
            Some(first + Duration::seconds(10)),
            "the second time waits twice as long"
        );
        let mut later = desired.clone();
        blocked.leave_out(&mut later, &Graph::default(), first + Duration::seconds(10));
        assert_eq!(later, desired, "tried again when its time has come");
    }
}
