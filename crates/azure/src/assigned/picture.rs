//! From rows to the graph of the plan: a role and its scope are one role, whoever has it is its member.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{Connect, Graph, Membership, Principal, PrincipalKind, Role};

use super::Notes;
use super::place::{Definitions, Listing, Place, RoleAt, Row};
use super::roster::Roster;
use crate::entra::{Entry, EntryKind};
use crate::guid::Guid;

/// What is in force, and how to come from its names back to ids.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) graph: Graph,
    pub(super) roles: BTreeMap<SqlName, RoleAt>,
    pub(super) principals: BTreeMap<SqlName, Guid>,
    pub(super) administrators: Vec<SqlName>,
    pub(super) own: Option<SqlName>,
    /// Names of those whom the directory has no more.
    pub(super) orphans: BTreeSet<SqlName>,
    pub(super) notes: Notes,
}

/// What a picture is made of.
pub(super) struct Seen<'a> {
    pub(super) place: &'a dyn Place,
    pub(super) definitions: &'a Definitions,
    pub(super) listing: &'a Listing,
    pub(super) roster: &'a Roster,
    /// What Graph says of the rows' principals; one that is there and none is deleted. None: Graph could not be asked.
    pub(super) entries: Option<&'a BTreeMap<Guid, Option<Entry>>>,
    /// Axon's own object id.
    pub(super) own: Option<Guid>,
}

impl Picture {
    pub(super) fn of(seen: &Seen<'_>) -> Self {
        let mut picture = Self { notes: seen.listing.notes.clone(), ..Self::default() };
        let wanted = picture.wanted_roles(seen);
        picture.people(seen);
        let names: BTreeMap<Guid, SqlName> =
            picture.principals.iter().map(|(name, id)| (*id, *name)).collect();
        for row in &seen.listing.rows {
            picture.row(seen, row, &wanted, &names);
        }
        let administrators: BTreeSet<SqlName> = seen
            .listing
            .rows
            .iter()
            .filter(|row| seen.place.administers(row))
            .map(|row| row.principal)
            .chain(seen.listing.inherited_administrators.iter().copied())
            // Axon is no one who could help when it fails: somebody else must be left.
            .filter(|id| !seen.deleted(*id) && seen.own != Some(*id))
            .filter_map(|id| names.get(&id).copied())
            .collect();
        picture.administrators = administrators.into_iter().collect();
        picture.own = seen.own.and_then(|id| names.get(&id).copied());
        picture
    }

    /// The roles that the role map names, by role and scope. One role may have several names there.
    fn wanted_roles(&mut self, seen: &Seen<'_>) -> BTreeMap<RoleAt, Vec<SqlName>> {
        let mut wanted: BTreeMap<RoleAt, Vec<SqlName>> = BTreeMap::new();
        for (name, at) in seen.place.retired(seen.definitions) {
            if seen.roster.roles.contains(&name) {
                continue;
            }
            self.notes.add(format!(
                "role {name} was the role map's own and is not any more: it is taken away after a release"
            ));
            self.graph.roles.insert(name, Role { fixed: false, owner: None });
            self.roles.insert(name, at.clone());
            wanted.entry(at).or_default().push(name);
        }
        for name in &seen.roster.roles {
            match seen.place.role(*name, seen.definitions) {
                Ok(at) => {
                    wanted.entry(at.clone()).or_default().push(*name);
                    // A role of the role map's own that is not as the map says is made again, so it is not there.
                    if seen.place.is_as_defined(*name, seen.definitions) != Some(false) {
                        let fixed = seen.place.is_as_defined(*name, seen.definitions).is_none();
                        self.graph.roles.insert(*name, Role { fixed, owner: None });
                    }
                    self.roles.insert(*name, at);
                }
                Err(why) => self.notes.add(why),
            }
        }
        wanted
    }

    /// Everybody of the role map whom the directory has, and everybody who holds a row.
    fn people(&mut self, seen: &Seen<'_>) {
        for (name, person) in &seen.roster.people {
            match &person.who {
                Ok(who) => {
                    self.principals.insert(*name, who.id);
                    // The id that the map gives is kept, since the two sides are compared by it.
                    let sid = person.pin.clone().or_else(|| who.id.sid());
                    let principal =
                        Principal { kind: person.kind, sid, connect: Connect::Granted, created: None };
                    self.graph.principals.insert(*name, principal);
                }
                Err(why) => self.notes.add(why.clone()),
            }
        }
        let mut others: BTreeMap<Guid, Option<EntryKind>> = BTreeMap::new();
        for row in &seen.listing.rows {
            others.entry(row.principal).or_insert(row.kind);
        }
        let inherited = seen.listing.inherited_administrators.iter().copied();
        for id in inherited.chain(seen.own) {
            others.entry(id).or_insert(None);
        }
        for (id, kind) in others {
            if seen.roster.name_of(id).is_none() {
                self.stranger(seen, id, kind);
            }
        }
    }

    /// Somebody of whom the role map does not speak.
    fn stranger(&mut self, seen: &Seen<'_>, id: Guid, kind: Option<EntryKind>) {
        let entry = seen.entries.and_then(|entries| entries.get(&id)).and_then(Option::as_ref);
        let deleted = seen.deleted(id);
        let text = match entry {
            Some(entry) => entry.name.clone(),
            None if deleted => format!("deleted principal {id}"),
            None => id.to_string(),
        };
        let free = |name: &SqlName| !self.graph.principals.contains_key(name);
        let name = SqlName::parse(text.trim())
            .ok()
            .filter(free)
            .or_else(|| SqlName::parse(&format!("{} ({id})", text.trim())).ok().filter(free))
            .or_else(|| SqlName::parse(&id.to_string()).ok());
        let Some(name) = name else { return };
        if deleted {
            self.notes.add(format!(
                "a row of {id} is left, whom the directory does not have any more: it counts to the limit and gives nothing"
            ));
        }
        let group = entry.map(|e| e.kind).or(kind) == Some(EntryKind::Group);
        let principal = Principal {
            kind: if group { PrincipalKind::ExternalGroup } else { PrincipalKind::External },
            sid: id.sid(),
            connect: if deleted { Connect::Denied } else { Connect::Granted },
            created: None,
        };
        if deleted {
            self.orphans.insert(name);
        }
        self.principals.insert(name, id);
        self.graph.principals.insert(name, principal);
    }

    /// A role of which the role map does not speak, by its name; none where that is another role's, too.
    fn other_role(&mut self, text: &str, at: RoleAt) -> Option<SqlName> {
        let name = SqlName::parse(text).ok()?;
        if self.graph.roles.contains_key(&name) && self.roles.get(&name) != Some(&at) {
            // What cannot be told apart is not touched.
            self.notes.add(format!("{text} names several roles here: rows of {} are left alone", at.role));
            return None;
        }
        self.graph.roles.insert(name, Role { fixed: true, owner: None });
        self.roles.insert(name, at);
        Some(name)
    }

    fn row(
        &mut self,
        seen: &Seen<'_>,
        row: &Row,
        wanted: &BTreeMap<RoleAt, Vec<SqlName>>,
        names: &BTreeMap<Guid, SqlName>,
    ) {
        let Some(member) = names.get(&row.principal).copied() else { return };
        let at = RoleAt { role: row.role, scope: row.scope.clone() };
        let text = seen.place.name(row.role, &row.scope, seen.definitions);
        let roles = match wanted.get(&at) {
            Some(names) => meant(seen, names, member),
            None => self.other_role(&text, at).into_iter().collect(),
        };
        if roles.is_empty() {
            return;
        }
        if row.conditional {
            self.notes.add(format!("{member} holds {text} under a condition, which Axon does not judge"));
        }
        self.graph.members.extend(roles.into_iter().map(|role| Membership { role, member }));
    }
}

/// Of several names of one role those by which this member is wanted: the others would take it away.
fn meant(seen: &Seen<'_>, names: &[SqlName], member: SqlName) -> Vec<SqlName> {
    let meant = |role: &&SqlName| seen.roster.members.contains(&Membership { role: **role, member });
    let by_member: Vec<SqlName> = names.iter().filter(meant).copied().collect();
    if by_member.is_empty() { names.first().copied().into_iter().collect() } else { by_member }
}

impl Seen<'_> {
    fn deleted(&self, id: Guid) -> bool {
        self.roster.name_of(id).is_none() && self.entries.is_some_and(|e| e.get(&id) == Some(&None))
    }
}
