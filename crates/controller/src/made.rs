//! What Axon made in a target, or found as the map asks for it. What else is taken away for the first time waits for a person:
//! somebody may have made it on purpose. What was made, and is gone although Axon did not take it away, was taken by somebody.
//!
//! The store keeps a mark for each row, eight bytes of a hash, so that a million of them are a few megabytes.

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::Digest;
use axon_model::{MapVersion, SqlName};
use axon_reconcile::{Connect, GrantKey, GrantState, Graph, Membership, Permission, Securable, Step};
use axon_store::{Notes, Store, StoreError};

const DOMAIN: &str = "axon.made.v1";
const TAKEN: &str = "axon.taken.v1";
/// How many marks are written in one go: no writer is kept waiting for long.
const SOME: usize = 20_000;

/// What a target calls a membership by itself, where names are only the role map's: [`axon_reconcile::Target::row_of`].
pub(crate) type Rows<'a> = dyn Fn(Membership) -> Option<String> + 'a;

/// The mark of a membership by its row.
fn row_mark(row: &str) -> i64 {
    mark_of(&Digest::of(DOMAIN, &[b"row", row.as_bytes()]))
}

fn mark_of(digest: &Digest) -> i64 {
    let bytes = digest.as_bytes();
    i64::from_le_bytes(std::array::from_fn(|n| bytes[n]))
}

/// A row of a target's catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Atom {
    Principal(SqlName),
    Connect(SqlName),
    Role(SqlName),
    Member(Membership),
    Grant(GrantKey, bool),
}

impl Atom {
    /// That it is there by Axon, or with its consent.
    fn mark(&self) -> i64 {
        self.digest(DOMAIN)
    }

    /// That Axon may take it away, and did.
    fn taken(&self) -> i64 {
        self.digest(TAKEN)
    }

    fn digest(&self, domain: &str) -> i64 {
        let digest = match self {
            Self::Principal(name) => Digest::of(domain, &[b"principal", name.folded().as_bytes()]),
            Self::Connect(name) => Digest::of(domain, &[b"connect", name.folded().as_bytes()]),
            Self::Role(name) => Digest::of(domain, &[b"role", name.folded().as_bytes()]),
            Self::Member(Membership { role, member }) => {
                Digest::of(domain, &[b"member", role.folded().as_bytes(), member.folded().as_bytes()])
            }
            Self::Grant(GrantKey { grantee, securable, permission }, deny) => {
                let (on, permission) = (folded(securable), permission.to_string());
                let state: &[u8] = if *deny { b"deny" } else { b"grant" };
                Digest::of(
                    domain,
                    &[state, grantee.folded().as_bytes(), permission.as_bytes(), on.as_bytes()],
                )
            }
        };
        mark_of(&digest)
    }

    /// The marks that say it is there by Axon: by its names and, where the target has one, by its row.
    fn marks(&self, rows: &Rows<'_>) -> impl Iterator<Item = i64> + use<> {
        let row = match self {
            Self::Member(membership) => rows(*membership),
            _ => None,
        };
        std::iter::once(self.mark()).chain(row.map(|row| row_mark(&row)))
    }

    fn is_in(&self, graph: &Graph) -> bool {
        match self {
            Self::Principal(name) => graph.principals.contains_key(name),
            Self::Connect(name) => {
                graph.principals.get(name).is_some_and(|there| there.connect == Connect::Granted)
            }
            Self::Role(name) => graph.roles.contains_key(name),
            Self::Member(member) => graph.members.contains(member),
            Self::Grant(key, deny) => graph
                .grants
                .get(key)
                .is_some_and(|grant| (grant.state == GrantState::Deny) == *deny && !grant.leaves_out),
        }
    }
}

fn folded(on: &Securable) -> String {
    match on {
        Securable::Database => "database".to_owned(),
        Securable::Schema(name) => format!("schema\0{}", name.folded()),
        Securable::Object(object) => format!("object\0{}\0{}", object.schema.folded(), object.name.folded()),
        Securable::Column(object, column) => {
            format!("column\0{}\0{}\0{}", object.schema.folded(), object.name.folded(), column.folded())
        }
        Securable::Principal(name) => format!("principal\0{}", name.folded()),
        Securable::Server => "server".to_owned(),
        Securable::Credential(name) => format!("credential\0{}", name.folded()),
        Securable::Other(thing) => format!("other\0{}\0{}", thing.class, thing.id),
    }
}

fn grants(
    grantee: SqlName,
    permission: Permission,
    on: Securable,
    columns: &[SqlName],
    deny: bool,
) -> Vec<Atom> {
    let atom = |securable| Atom::Grant(GrantKey { grantee, securable, permission }, deny);
    match on {
        Securable::Object(object) if !columns.is_empty() => {
            columns.iter().map(|column| atom(Securable::Column(object, *column))).collect()
        }
        other => vec![atom(other)],
    }
}

/// The rows that a step makes.
fn makes(step: &Step) -> Vec<Atom> {
    match step {
        Step::CreatePrincipal { name, .. } => vec![Atom::Principal(*name), Atom::Connect(*name)],
        Step::GrantConnect { principal } => vec![Atom::Connect(*principal)],
        Step::CreateRole { name } => vec![Atom::Role(*name)],
        Step::AddMember { role, member } => vec![Atom::Member(Membership { role: *role, member: *member })],
        Step::Grant { grantee, permission, on, columns } => {
            grants(*grantee, *permission, *on, columns, false)
        }
        Step::Deny { grantee, permission, on, columns } => grants(*grantee, *permission, *on, columns, true),
        _ => Vec::new(),
    }
}

/// The rows that a step takes away. A lifted DENY counts: somebody may have meant it.
fn takes(step: &Step) -> Vec<Atom> {
    match step {
        Step::DropRole { name } => vec![Atom::Role(*name)],
        Step::DropMember { role, member } => vec![Atom::Member(Membership { role: *role, member: *member })],
        Step::Revoke { grantee, permission, on, columns, was } => {
            grants(*grantee, *permission, *on, columns, *was == GrantState::Deny)
        }
        _ => Vec::new(),
    }
}

/// The marks of what a step makes, and of what it takes away: a release of the first removal is enough.
pub(crate) fn marks(step: &Step, rows: &Rows<'_>) -> Vec<i64> {
    let made = makes(step).iter().flat_map(|atom| atom.marks(rows)).collect::<Vec<_>>();
    made.into_iter().chain(takes(step).iter().map(Atom::taken)).collect()
}

/// The marks of what a step takes away, with all that goes along, as the target was before it.
pub(crate) fn unmakes(step: &Step, before: &Graph, rows: &Rows<'_>) -> Vec<i64> {
    let mut gone = takes(step);
    let mut with = |name: SqlName| {
        let roles = before.roles_of(name).map(|role| Membership { role, member: name });
        gone.extend(roles.map(Atom::Member));
        let grants = before.grants_of(name);
        gone.extend(grants.map(|(key, grant)| Atom::Grant(*key, grant.state == GrantState::Deny)));
    };
    match step {
        Step::DropPrincipal { name, .. } => {
            with(*name);
            gone.extend([Atom::Principal(*name), Atom::Connect(*name)]);
        }
        Step::DropRole { name } => {
            with(*name);
            let members = before.members_of(*name).map(|member| Membership { role: *name, member });
            gone.extend(members.map(Atom::Member));
        }
        Step::DenyConnect { principal } => gone.push(Atom::Connect(*principal)),
        _ => {}
    }
    gone.iter().flat_map(|atom| atom.marks(rows)).collect()
}

/// The marks of one target.
#[derive(Debug, Default)]
pub(crate) struct Made {
    marks: BTreeSet<i64>,
    loaded: bool,
    /// Whether the target was read, or another map came, since the marks were compared with it.
    look: bool,
    /// By which map they were.
    under: Option<MapVersion>,
    /// Rows of others that the map does not ask for.
    foreign: BTreeMap<i64, Atom>,
    /// Marks that the store does not have yet.
    unkept: BTreeSet<i64>,
    /// Marks that the store is to forget: what they are about is left to people.
    left: BTreeSet<i64>,
}

impl Made {
    /// Somebody else may have written since.
    pub fn forget(&mut self) {
        self.loaded = false;
    }

    /// The target was read, and is another than it was known to be.
    pub fn look(&mut self) {
        self.look = true;
    }

    /// What is there may be as this map asks for it, though it was not as the last one did.
    pub fn look_under(&mut self, map: &MapVersion) {
        if self.under.as_ref() != Some(map) {
            self.under = Some(map.clone());
            self.look = true;
        }
    }

    /// Reads what this or another process kept.
    pub async fn load(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        if !self.loaded {
            self.marks = store.made(target).await?.into_iter().collect();
            self.marks.extend(&self.unkept);
            self.marks.retain(|mark| !self.left.contains(mark));
            self.loaded = true;
        }
        Ok(())
    }

    /// What is there and asked for counts as made, whoever made it.
    pub fn adopt(&mut self, desired: &Graph, actual: &Graph, rows: &Rows<'_>) {
        if std::mem::take(&mut self.look) {
            let principals =
                actual.principals.keys().flat_map(|name| [Atom::Principal(*name), Atom::Connect(*name)]);
            let roles = actual.roles.keys().map(|name| Atom::Role(*name));
            let members = actual.members.iter().map(|member| Atom::Member(*member));
            let grants =
                actual.grants.iter().map(|(key, grant)| Atom::Grant(*key, grant.state == GrantState::Deny));
            let wanted = principals.chain(roles).chain(members).chain(grants);
            let wanted = wanted.filter(|atom| atom.is_in(desired) && atom.is_in(actual));
            let marks = wanted.flat_map(|atom| atom.marks(rows));
            let new: Vec<i64> = marks.filter(|mark| !self.marks.contains(mark)).collect();
            self.note(new);
        }
        let adopted: Vec<i64> = self
            .foreign
            .iter()
            .filter(|(_, atom)| atom.is_in(desired) && atom.is_in(actual))
            .flat_map(|(_, atom)| atom.marks(rows))
            .collect();
        self.note(adopted);
        self.foreign.retain(|_, atom| atom.is_in(actual) && !atom.is_in(desired));
    }

    fn note(&mut self, marks: Vec<i64>) {
        for mark in marks {
            if self.marks.insert(mark) {
                self.left.remove(&mark);
                self.unkept.insert(mark);
            }
        }
    }

    /// What these steps made is known; the store has it already.
    pub fn kept(&mut self, marks: impl IntoIterator<Item = i64>) {
        self.marks.extend(marks);
    }

    /// What these steps took away is not there any more by Axon's own doing; the store has it already.
    pub fn gone(&mut self, marks: impl IntoIterator<Item = i64>) {
        for mark in marks {
            self.marks.remove(&mark);
            self.unkept.remove(&mark);
        }
    }

    /// Whether a step makes what was there already, by Axon or with its consent, and was taken away by somebody else.
    pub fn was_there(&self, step: &Step, actual: &Graph) -> bool {
        let made = makes(step);
        let gone = |atom: &Atom| self.marks.contains(&atom.mark()) && !atom.is_in(actual);
        !made.is_empty() && made.iter().all(gone)
    }

    /// Whether a membership is there by Axon, or with its consent.
    pub fn gave(&self, membership: Membership, rows: &Rows<'_>) -> bool {
        Atom::Member(membership).marks(rows).any(|mark| self.marks.contains(&mark))
    }

    /// Whether all that a step takes away is there by Axon, or with its consent.
    pub fn made_all_of(&self, step: &Step) -> bool {
        let taken = takes(step);
        let is_made = |atom: &Atom| self.marks.contains(&atom.mark());
        !taken.is_empty() && taken.iter().all(is_made)
    }

    /// Whether a principal is there by Axon, or with its consent.
    pub fn has_principal(&self, name: SqlName) -> bool {
        self.marks.contains(&Atom::Principal(name).mark())
    }

    /// The same, of one that Axon shut out.
    pub fn shut_out(&self, name: SqlName) -> bool {
        self.has_principal(name) && !self.marks.contains(&Atom::Connect(name).mark())
    }

    /// Memberships that are people's from now on, whoever gave them.
    pub fn leave(&mut self, memberships: impl Iterator<Item = Membership>, rows: &Rows<'_>) {
        for mark in memberships.flat_map(|membership| Atom::Member(membership).marks(rows)) {
            if self.marks.remove(&mark) {
                self.unkept.remove(&mark);
                self.left.insert(mark);
            }
        }
    }

    /// Whether a step takes away what Axon never made.
    pub fn is_foreign(&mut self, step: &Step, rows: &Rows<'_>) -> bool {
        let mut foreign = false;
        for atom in takes(step) {
            let ours = atom.marks(rows).any(|mark| self.marks.contains(&mark));
            if !ours && !self.marks.contains(&atom.taken()) {
                self.foreign.insert(atom.mark(), atom);
                foreign = true;
            }
        }
        foreign
    }

    /// Keeps what was found. What the store cannot take is offered again with the next decision.
    pub async fn keep(&mut self, store: &dyn Store, target: &str) {
        while !self.unkept.is_empty() || !self.left.is_empty() {
            let made: Vec<i64> = self.unkept.iter().take(SOME).copied().collect();
            let unmade: Vec<i64> = self.left.iter().take(SOME).copied().collect();
            let (of, left) = (target.to_owned(), unmade.clone());
            let notes = Notes { target: of, made: made.clone(), unmade, ..Notes::default() };
            if let Err(error) = store.append_noting(Vec::new(), None, notes).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what counts as made in a target could not be kept"
                );
                return;
            }
            for mark in made {
                self.unkept.remove(&mark);
            }
            for mark in left {
                self.left.remove(&mark);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Grant, Role};

    use super::*;

    /// Names tell all of a pool.
    fn none(_: Membership) -> Option<String> {
        None
    }

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn graph(members: &[&str]) -> Graph {
        let mut graph = Graph::default();
        graph.roles.insert(name("axon_reader"), Role::default());
        for member in members {
            graph.members.insert(Membership { role: name("axon_reader"), member: name(member) });
        }
        graph
    }

    fn drop_of(member: &str) -> Step {
        Step::DropMember { role: name("axon_reader"), member: name(member) }
    }

    #[test]
    fn what_the_map_gave_once_is_ours_and_what_it_never_gave_is_not() {
        let mut made = Made::default();
        made.look();
        made.adopt(&graph(&["kim"]), &graph(&["kim", "mallory"]), &none);
        assert!(!made.is_foreign(&drop_of("KIM"), &none), "names compare as a pool compares them");
        assert!(made.is_foreign(&drop_of("mallory"), &none));
        // The map gives it, and then no more: it counts as given.
        made.adopt(&graph(&["kim", "mallory"]), &graph(&["kim", "mallory"]), &none);
        assert!(!made.is_foreign(&drop_of("mallory"), &none));
        made.kept(marks(&Step::AddMember { role: name("axon_reader"), member: name("ana") }, &none));
        assert!(!made.is_foreign(&drop_of("ana"), &none));
    }

    #[test]
    fn what_axon_gave_is_known_by_its_row_when_its_names_are_others_and_is_not_when_it_is_left_to_people() {
        let rows = |m: Membership| {
            let member = if m.member.as_str() == "kim" { "0000-1" } else { m.member.as_str() };
            Some(format!("role 7 {member}"))
        };
        let kim = Membership { role: name("axon_reader"), member: name("kim") };
        let by_id = Membership { role: name("Reader"), member: name("0000-1") };
        let mut made = Made::default();
        made.kept(marks(&Step::AddMember { role: kim.role, member: kim.member }, &rows));
        assert!(made.gave(kim, &none) && made.gave(by_id, &rows) && !made.gave(by_id, &none));
        let drop = Step::DropMember { role: by_id.role, member: by_id.member };
        assert!(!made.is_foreign(&drop, &rows));
        made.gone(unmakes(&drop, &graph(&[]), &rows));
        assert!(!made.gave(by_id, &rows), "somebody else may give it again");
        made.kept(marks(&Step::AddMember { role: kim.role, member: kim.member }, &rows));
        made.leave([kim].into_iter(), &rows);
        assert!(!made.gave(kim, &rows) && !made.gave(by_id, &rows));
    }

    #[test]
    fn what_others_took_away_is_told_from_what_axon_took_away() {
        let mut made = Made::default();
        let add = Step::AddMember { role: name("axon_reader"), member: name("kim") };
        let without = graph(&[]);
        assert!(!made.was_there(&add, &without), "it never was");
        made.kept(marks(&add, &none));
        assert!(made.was_there(&add, &without), "somebody took it");
        assert!(!made.was_there(&add, &graph(&["kim"])), "it is there");
        let drop = drop_of("kim");
        made.gone(unmakes(&drop, &graph(&["kim"]), &none));
        made.kept(marks(&drop, &none));
        assert!(!made.was_there(&add, &without), "Axon took it itself");
        assert!(!made.is_foreign(&drop, &none), "and may again");
        // What goes with a role or principal that Axon drops goes by Axon, too.
        made.kept(marks(&add, &none));
        made.gone(unmakes(&Step::DropRole { name: name("axon_reader") }, &graph(&["kim"]), &none));
        assert!(!made.was_there(&add, &without));
        made.kept(marks(&add, &none));
        made.gone(unmakes(&Step::DropPrincipal { name: name("kim"), sid: None }, &graph(&["kim"]), &none));
        assert!(!made.was_there(&add, &without));
    }

    #[test]
    fn a_grant_and_a_deny_and_each_column_are_told_apart() {
        let object = axon_reconcile::ObjectName { schema: name("sales"), name: name("orders") };
        let on = Securable::Object(object);
        let (grantee, permission) = (name("axon_reader"), Permission::Select);
        let mut actual = graph(&[]);
        let key = GrantKey { grantee, securable: Securable::Column(object, name("id")), permission };
        actual.grants.insert(key, Grant::wanted(GrantState::Grant));
        let mut made = Made::default();
        made.look();
        made.adopt(&actual.clone(), &actual, &none);
        let revoke = |columns: &[&str], was| {
            let columns = columns.iter().map(|column| name(column)).collect();
            Step::Revoke { grantee, permission, on, columns, was }
        };
        assert!(!made.is_foreign(&revoke(&["ID"], GrantState::Grant), &none));
        for (columns, was) in [
            (&["id", "amount"][..], GrantState::Grant),
            (&["id"], GrantState::Deny),
            (&[], GrantState::Grant),
        ] {
            assert!(made.is_foreign(&revoke(columns, was), &none), "{columns:?} {was}");
        }
    }
}
