//! People who were shut out and whose sessions may still live.
//!
//! Nothing in the catalog tells it, and a process may die between DENY CONNECT and KILL. So their names are kept in the
//! store before the first of them is shut out, and taken off when a look has shown that no session is left.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{Connect, Plan, Planned, PrincipalKind, Sid, Sides, Step};
use axon_store::{Store, StoreError};
use time::OffsetDateTime;

/// Who is leaving one target.
#[expect(clippy::struct_excessive_bools, reason = "five facts that change apart from each other")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Leaving {
    names: BTreeSet<SqlName>,
    /// Whether what the store has is in `names`.
    loaded: bool,
    /// Who is in, as of the last full look.
    found: Found,
    /// Whether somebody may be among them whom the last full look could not tell of.
    suspected: bool,
    /// Whether this tick looked for them.
    looked: bool,
    /// Whether the target does not see who is in.
    blind: bool,
    /// The same with what it said, where it refused to tell.
    refused: Option<String>,
    /// Whether `names` is not what the store has.
    moved: bool,
}

/// Who has a session and ought to have none: found anew by each full look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Who is not in the target any more, since somebody dropped the user by hand, and of whom nothing but the name is known.
    pub(super) lingering: BTreeSet<SqlName>,
    /// The same with the id that their user had: whoever has the name now is somebody else.
    pub(super) former: BTreeSet<(SqlName, Sid)>,
    /// Who is shut out and was seen with a session all the same.
    pub(super) still_in: BTreeSet<SqlName>,
    /// Who is shut out, while somebody else is in under the name.
    pub(super) namesakes: BTreeSet<SqlName>,
}

/// Under which name the store keeps it: no target can be called so.
fn key(target: &str) -> String {
    format!("{target}#leaving")
}

impl Leaving {
    /// Somebody else may have written since.
    pub(super) fn forget(&mut self) {
        self.loaded = false;
    }

    /// Reads what this or another process left behind.
    pub(super) async fn load(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let kept = store.summary(&key(target)).await?;
        let kept = kept.as_ref().and_then(|(value, _)| value.as_array()).into_iter().flatten();
        let kept: BTreeSet<SqlName> = kept.filter_map(|name| SqlName::parse(name.as_str()?).ok()).collect();
        self.moved |= self.names.iter().any(|name| !kept.contains(name));
        self.names.extend(kept);
        self.loaded = true;
        Ok(())
    }

    /// Who is leaving.
    pub(super) fn names(&self) -> impl Iterator<Item = SqlName> {
        let Found { lingering, former, still_in, namesakes: _ } = &self.found;
        let former = former.iter().map(|(name, _)| name);
        self.names.iter().chain(lingering).chain(former).chain(still_in).copied()
    }

    /// Whose sessions outlived their user, as of the last look for them, and are known by the name alone.
    pub(super) fn lingering(&self) -> &BTreeSet<SqlName> {
        &self.found.lingering
    }

    /// Under whose name somebody else is in, though the door is shut to the name.
    pub(super) fn namesakes(&self) -> impl Iterator<Item = SqlName> {
        self.found.namesakes.iter().copied()
    }

    /// Whether sessions of this principal are still to be ended.
    pub(super) fn is_owed_a_kill(&self, name: SqlName) -> bool {
        self.names.contains(&name)
    }

    /// Whether sessions of this principal are to be ended, for whatever reason.
    pub(super) fn is_leaving(&self, name: SqlName) -> bool {
        self.names().any(|leaving| leaving == name)
    }

    /// Puts a KILL near the front of the plan for everybody who is shut out and has none in it. Who is gone from the target, or
    /// was let in again, is leaving no more; who is not seen is not gone where principals are `hidden`. `past` says whether an id is of
    /// somebody who had the name before whoever has it now.
    pub(super) fn put_into(
        &mut self,
        plan: &mut Plan,
        sides: &Sides,
        hidden: bool,
        past: impl Fn(SqlName, &Sid) -> bool,
    ) {
        let Sides { desired, actual, scope } = sides;
        let before = self.names.len();
        // Where nobody is seen, or before it was looked, no session is taken for ended because the user is gone.
        let unknown = self.blind || self.suspected || hidden;
        let wanted =
            |name: &SqlName| desired.principals.get(name).is_some_and(|p| p.connect == Connect::Granted);
        // Who is wanted again and not let in yet may leave once more before: then nothing else tells of the sessions.
        self.names.retain(|name| {
            actual
                .principals
                .get(name)
                .map_or(unknown, |there| there.connect == Connect::Denied || !wanted(name))
        });
        self.moved |= self.names.len() != before;
        let Found { lingering, former, still_in, namesakes: _ } = &mut self.found;
        lingering.retain(|name| !actual.principals.contains_key(name) && !wanted(name));
        // Whoever is wanted under the name is somebody else by the id, where the map knows it, else by what is known of them.
        let theirs = |name: &SqlName, sid: &Sid| {
            let wanted_as = desired.principals.get(name).and_then(|wanted| wanted.sid.as_ref());
            let known = wanted_as.filter(|wanted| wanted.tells());
            wanted(name) && known.map_or_else(|| !past(*name, sid), |known| known == sid)
        };
        let has = |name: &SqlName, sid: &Sid| {
            actual.principals.get(name).is_some_and(|there| there.sid.as_ref() == Some(sid))
        };
        former.retain(|(name, sid)| !has(name, sid) && !theirs(name, sid));
        let planned: BTreeSet<SqlName> = killed(plan.steps.iter().map(|planned| &planned.step)).collect();
        // Who is not shut out is no leaver as long as a guard withholds that.
        let shut =
            |name: &&SqlName| actual.principals.get(*name).is_some_and(|p| p.connect == Connect::Denied);
        let due = |name: &&SqlName| !planned.contains(*name) && !wanted(name);
        // Whom a person shut out whom Axon does not manage is theirs.
        let ours = |name: &SqlName| {
            let external = actual.principals.get(name).is_some_and(|p| p.kind != PrincipalKind::Sql);
            external && scope.manages_principal(*name, actual)
        };
        // Whose KILL the plan has is in until it is done: a guard may withhold it.
        still_in.retain(|name| shut(&name) && !wanted(name) && !self.names.contains(name) && ours(name));
        // Where nobody's session is seen such a KILL is not sent: it waits, and says for what.
        let unseen = |name: &&SqlName| (self.blind || hidden) && !actual.principals.contains_key(*name);
        let owed = |name: &&SqlName| shut(name) || (unseen(name) && !lingering.contains(*name));
        let missing = self.names.iter().filter(owed).chain(&*still_in).filter(due);
        let kills = missing.chain(&*lingering).map(|name| Step::KillSessions { principal: *name });
        let gone = former.iter().map(|(name, sid)| Step::KillFormer { principal: *name, sid: sid.clone() });
        let kills: Vec<Planned> = kills.chain(gone).map(Planned::from).collect();
        // Behind whoever is being shut out: these are out already, and their KILLs may be refused one after another.
        let shuts = |planned: &Planned| {
            matches!(planned.step, Step::DenyConnect { .. }) && planned.interrupts.is_none()
        };
        let at = plan.steps.iter().rposition(shuts).map_or(0, |last| last + 1);
        plan.steps.splice(at..at, kills);
    }

    /// Notes whose sessions these steps are to end.
    pub(super) fn note<'s>(&mut self, steps: impl Iterator<Item = &'s Step>) {
        for name in killed(steps) {
            self.moved |= self.names.insert(name);
        }
    }

    /// No session of this principal is left.
    pub(super) fn left(&mut self, name: SqlName) {
        self.moved |= self.names.remove(&name);
        self.found.lingering.remove(&name);
        self.found.still_in.remove(&name);
    }

    /// No session is left of the object that had this name.
    pub(super) fn former_left(&mut self, name: SqlName, sid: &Sid) {
        self.found.former.remove(&(name, sid.clone()));
    }

    /// Takes in who is in.
    pub(super) fn linger(&mut self, found: Found) {
        self.found = found;
        self.suspected = false;
        self.looked = true;
        self.blind = false;
        self.refused = None;
    }

    /// The target does not see who is in: what was found before counts, and nobody is out by not being seen.
    pub(super) fn see_nobody(&mut self) {
        self.suspected = false;
        self.looked = true;
        self.blind = true;
        self.refused = None;
    }

    /// The same, where it refused to tell: in which words.
    pub(super) fn see_nobody_since(&mut self, refused: String) {
        self.see_nobody();
        self.refused = Some(refused);
    }

    /// Why the target does not see who is in, where it did not know so itself.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Whether the target does not see who is in.
    pub(super) fn is_blind(&self) -> bool {
        self.blind
    }

    /// A tick begins: what it finds out, it finds out itself.
    pub(super) fn begin(&mut self) {
        self.looked = false;
    }

    /// Whether this tick looked for sessions without a user.
    pub(super) fn looked(&self) -> bool {
        self.looked
    }

    /// Somebody left who is not in the target: whether a session is, only a look tells.
    pub(super) fn suspect(&mut self) {
        self.suspected = true;
    }

    /// Whether that look is due.
    pub(super) fn suspects(&self) -> bool {
        self.suspected
    }

    /// Keeps the names where a process finds them that follows this one. A store that fails is not in the way of what takes
    /// away: the names stay here, and are kept with the next change.
    pub(super) async fn keep(&mut self, store: &dyn Store, target: &str, now: OffsetDateTime) {
        if !self.moved {
            return;
        }
        let names: Vec<&str> = self.names.iter().map(|name| name.as_str()).collect();
        match store.save_summary(&key(target), names.into(), now).await {
            Ok(()) => self.moved = false,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "who is leaving could not be kept");
            }
        }
    }
}

fn killed<'s>(steps: impl Iterator<Item = &'s Step>) -> impl Iterator<Item = SqlName> {
    steps.filter_map(|step| match step {
        Step::KillSessions { principal } => Some(*principal),
        _ => None,
    })
}
