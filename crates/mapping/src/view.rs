//! One target as the map shapes it: its roles by their names there, and the permissions that they hold.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{Classified, Grant, GrantKey, GrantState, Permission, Securable, Shape};
use rustc_hash::FxHashMap;

use crate::grant::GrantLine;
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::pending::Pending;
use crate::rule::{Gives, Mapping};
use crate::target::{TargetSpec, Via, Words};

/// A role of the map in one target.
#[derive(Debug, Clone)]
pub(crate) struct PoolRole {
    pub role: RoleName,
    /// Its name there; none where a target holds no roles of the map, but only assigns its own.
    pub name: Option<SqlName>,
    /// Roles of the target that each person with this role is put into.
    pub per_person: BTreeSet<SqlName>,
    /// Whether its permissions stand on the principals that have it.
    pub direct: bool,
    /// Numbers of all roles of the target that this one puts somebody into, ascending.
    pub joins: Box<[usize]>,
}

impl PoolRole {
    /// What having it shows by in the target: membership of its own role there, else of the first that it leads to.
    pub fn own(&self) -> Option<SqlName> {
        self.name.or_else(|| self.per_person.first().copied())
    }
}

/// What a mapping gives here to single people.
#[derive(Debug, Clone)]
pub(crate) enum GivesHere {
    /// Nothing: its roles do not exist here, or whole groups get them.
    Nothing,
    /// Roles of these numbers, to everybody whom it lets in.
    Roles(Box<[usize]>),
    /// Whatever the captures name.
    Captured,
}

/// What a target looks like from the map.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub roles: Vec<PoolRole>,
    by_role: BTreeMap<RoleName, usize>,
    /// All roles of the target that somebody may be put into, by name: the numbers of [`PoolRole::joins`].
    pub joined: Vec<SqlName>,
    ranks: FxHashMap<SqlName, usize>,
    /// Roles of the pool that lines name.
    pub named_roles: BTreeSet<SqlName>,
    /// For each mapping, what it gives here to single people.
    gives: Vec<GivesHere>,
}

impl View {
    pub fn of(map: &RoleMap, target: &TargetSpec) -> Self {
        let mut view = Self::default();
        for role in map.roles_in(&target.name) {
            let name = match target.kind.words() {
                Words::Roles => None,
                Words::Sql if role.direct => None,
                // Names were checked when the map was parsed.
                Words::Sql => match target.role(&role.name) {
                    Ok(name) => Some(name),
                    Err(_) => continue,
                },
            };
            let lines = role.held.get(&target.name).into_iter().flatten();
            let per_person: BTreeSet<SqlName> = lines
                .filter_map(|held| match &held.grant.line {
                    GrantLine::MemberOf(name) | GrantLine::Assigned(name) => Some(*name),
                    GrantLine::Permissions { .. } | GrantLine::Classifier(_) => None,
                })
                .collect();
            view.named_roles.extend(&per_person);
            view.by_role.insert(role.name.clone(), view.roles.len());
            let direct = role.direct && target.kind.words() == Words::Sql;
            let joins = Box::default();
            view.roles.push(PoolRole { role: role.name.clone(), name, per_person, direct, joins });
        }
        view.number_joined();
        view.gives = map.mappings.iter().map(|mapping| view.given_by(map, target, mapping)).collect();
        view
    }

    fn number_joined(&mut self) {
        let joined: BTreeSet<SqlName> =
            self.roles.iter().flat_map(|role| role.name.iter().chain(&role.per_person)).copied().collect();
        self.joined = joined.into_iter().collect();
        self.ranks = self.joined.iter().copied().zip(0..).collect();
        for role in &mut self.roles {
            let names = role.name.iter().chain(&role.per_person);
            let mut joins: Vec<usize> = names.filter_map(|name| self.ranks.get(name).copied()).collect();
            joins.sort_unstable();
            joins.dedup();
            role.joins = joins.into();
        }
    }

    fn given_by(&self, map: &RoleMap, target: &TargetSpec, mapping: &Mapping) -> GivesHere {
        if map.via(mapping, target) != Via::Person {
            return GivesHere::Nothing;
        }
        let mut numbers: Vec<usize> = mapping.possible().filter_map(|role| self.number(role)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        match &mapping.gives {
            _ if numbers.is_empty() => GivesHere::Nothing,
            Gives::Roles(_) => GivesHere::Roles(numbers.into()),
            Gives::Captured { .. } => GivesHere::Captured,
        }
    }

    /// What a mapping gives here to single people.
    pub fn gives(&self, mapping: usize) -> &GivesHere {
        self.gives.get(mapping).unwrap_or(&GivesHere::Nothing)
    }

    /// Whether some role's permissions stand on the principals that have it.
    pub fn has_direct(&self) -> bool {
        self.roles.iter().any(|role| role.direct)
    }

    /// The number of a role, if it exists in the target.
    pub fn number(&self, role: &RoleName) -> Option<usize> {
        self.by_role.get(role).copied()
    }

    /// The number that [`PoolRole::joins`] has for a role of the target.
    pub fn rank(&self, name: SqlName) -> Option<usize> {
        self.ranks.get(&name).copied()
    }

    /// Whether a role of the map, or one that it names, is called so.
    pub fn has_role_named(&self, name: SqlName) -> bool {
        self.ranks.contains_key(&name)
    }
}

/// One permission of a role, as a line of the map asks for it.
pub(crate) struct Wanted<'m> {
    pub held: &'m crate::role::HeldGrant,
    pub state: GrantState,
    pub permission: Permission,
    pub on: Securable,
}

/// Every permission that the lines of a role ask for in a target, one by one.
pub(crate) fn wanted<'m>(
    map: &'m RoleMap,
    target: &TargetSpec,
    role: &RoleName,
) -> impl Iterator<Item = Wanted<'m>> + use<'m> {
    let held = map.roles.get(role).and_then(|r| r.held.get(&target.name));
    held.into_iter().flatten().flat_map(|held| {
        let state = match &held.grant.line {
            GrantLine::Permissions { state, .. } => *state,
            GrantLine::MemberOf(_) | GrantLine::Assigned(_) | GrantLine::Classifier(_) => GrantState::Grant,
        };
        held.grant.line.atoms().into_iter().map(move |(permission, on)| Wanted {
            held,
            state,
            permission,
            on,
        })
    })
}

/// Whose requests run where: the classifiers that the lines of a target's roles ask for. Of two lines of a role for one group
/// the later one counts.
pub fn classifiers(map: &RoleMap, target: &TargetSpec) -> Vec<(SqlName, Classified)> {
    let mut wanted: BTreeMap<(SqlName, SqlName), Classified> = BTreeMap::new();
    for role in map.roles_in(&target.name).filter(|role| !role.direct) {
        let Ok(name) = target.role(&role.name) else { continue };
        for held in role.held.get(&target.name).into_iter().flatten() {
            if let GrantLine::Classifier(does) = &held.grant.line {
                wanted.insert((name, does.group), *does);
            }
        }
    }
    wanted.into_iter().map(|((role, _), does)| (role, does)).collect()
}

/// What the lines of all roles come to in a target.
pub(crate) struct Permissions {
    /// Of the roles of the pool.
    pub grants: BTreeMap<GrantKey, Grant>,
    /// Of direct roles, by their numbers in the [`View`]: for each principal that has them.
    pub direct: BTreeMap<usize, Vec<(Securable, Permission, GrantState)>>,
    /// Lines that wait for their securables.
    pub waiting: Vec<Pending>,
}

/// The permissions of all roles in a target that holds `shape`, and the lines that wait.
pub(crate) fn permissions(map: &RoleMap, target: &TargetSpec, view: &View, shape: &Shape) -> Permissions {
    let mut grants: BTreeMap<GrantKey, Grant> = BTreeMap::new();
    let mut direct: BTreeMap<usize, Vec<(Securable, Permission, GrantState)>> = BTreeMap::new();
    let mut missing: BTreeMap<(crate::place::Place, Securable), (std::sync::Arc<str>, Vec<RoleName>)> =
        BTreeMap::new();
    let mut unfiltered: BTreeMap<_, (std::sync::Arc<str>, BTreeSet<RoleName>)> = BTreeMap::new();
    for (number, role) in view.roles.iter().enumerate() {
        if role.name.is_none() && !role.direct {
            continue;
        }
        for want in wanted(map, target, &role.role) {
            if want.held.filtered && !is_filtered(shape, &want.on) {
                let grant = &want.held.grant;
                let waiting = unfiltered
                    .entry((grant.place.clone(), want.on.object()))
                    .or_insert_with(|| (grant.text.clone(), BTreeSet::new()));
                waiting.1.insert(role.role.clone());
                continue;
            }
            if !shape.holds(&want.on) {
                let grant = &want.held.grant;
                let waiting = missing
                    .entry((grant.place.clone(), want.on))
                    .or_insert_with(|| (grant.text.clone(), Vec::new()));
                if waiting.1.last() != Some(&role.role) {
                    waiting.1.push(role.role.clone());
                }
                continue;
            }
            let Some(grantee) = role.name else {
                direct.entry(number).or_default().push((want.on, want.permission, want.state));
                continue;
            };
            let key = GrantKey { grantee, securable: want.on, permission: want.permission };
            put(&mut grants, key, want.state);
        }
    }
    readers_of_patterns(map, target, view, shape, &mut grants);
    views_of_others(map, target, &mut grants);
    drop_covered(&mut grants);
    let pending = missing.into_iter().map(|((place, on), (line, roles))| Pending::MissingSecurable {
        line,
        place,
        on,
        roles,
    });
    let unfiltered = unfiltered.into_iter().filter_map(|((place, table), (line, roles))| {
        Some(Pending::MissingFilter { line, place, table: table?, roles: roles.into_iter().collect() })
    });
    let pending = pending.chain(unfiltered).collect();
    Permissions { grants, direct, waiting: pending }
}

/// Whether the table of a column is filtered now.
fn is_filtered(shape: &Shape, on: &Securable) -> bool {
    shape.unread || on.object().is_some_and(|table| shape.filtered.contains(&table))
}

/// Readers of one view of each table may read those that are there, also while the table of one is gone: by a closed view nobody
/// reads anything, and who read it reads it again when the table is back.
fn readers_of_patterns(
    map: &RoleMap,
    target: &TargetSpec,
    view: &View,
    shape: &Shape,
    grants: &mut BTreeMap<GrantKey, Grant>,
) {
    for secure in map.views.iter().filter(|secure| secure.targets.contains(&target.name)) {
        let Some(pattern) = secure.pattern.as_ref().filter(|_| !secure.readers.is_empty()) else { continue };
        let tables = shape.objects.iter().filter(|(table, facts)| {
            facts.kind == axon_reconcile::ObjectKind::Table && pattern.may_be(**table)
        });
        let standing = shape.standing.iter().filter(|(view, table)| {
            view.schema == secure.name.schema && table.is_none_or(|table| pattern.may_be(table))
        });
        let standing: BTreeSet<SqlName> = standing.map(|(view, _)| view.name).collect();
        let of_tables = tables.filter_map(|(table, _)| crate::views::of_table(*table));
        for name in of_tables.chain(standing) {
            let on = Securable::Object(axon_reconcile::ObjectName { schema: secure.name.schema, name });
            if !shape.holds(&on) {
                continue;
            }
            for role in &view.roles {
                let reads = map
                    .roles
                    .get(&role.role)
                    .is_some_and(|spec| secure.readers.iter().any(|reader| spec.whole.contains(reader)));
                if let (true, Some(grantee)) = (reads, role.name) {
                    let key = GrantKey { grantee, securable: on, permission: Permission::Select };
                    put(grants, key, GrantState::Grant);
                }
            }
        }
    }
}

/// Whoever acts as others may read the views that these read: the views themselves tell as whom.
fn views_of_others(map: &RoleMap, target: &TargetSpec, grants: &mut BTreeMap<GrantKey, Grant>) {
    let Some(acting) = target.metadata.impersonation else { return };
    let acted = map.roles.values().filter_map(|role| role.impersonate.get(&target.name));
    let acted: BTreeSet<SqlName> =
        acted.flat_map(|one| &one.roles).filter_map(|role| target.role(role).ok()).collect();
    let secure = |on: &Securable| {
        let Securable::Object(object) = on else { return false };
        let mut here = map.views.iter().filter(|view| view.targets.contains(&target.name));
        here.any(|view| match view.pattern {
            Some(_) => view.name.schema == object.schema,
            None => view.name == *object,
        })
    };
    let theirs = grants.iter().filter(|(key, grant)| {
        grant.state == GrantState::Grant
            && key.permission == Permission::Select
            && acted.contains(&key.grantee)
            && secure(&key.securable)
    });
    let keys: Vec<GrantKey> = theirs.map(|(key, _)| GrantKey { grantee: acting, ..*key }).collect();
    for key in keys {
        put(grants, key, GrantState::Grant);
    }
}

/// Two lines may disagree, as by an include: what denies wins.
fn put(grants: &mut BTreeMap<GrantKey, Grant>, key: GrantKey, state: GrantState) {
    let grant = grants.entry(key).or_insert_with(|| Grant::wanted(state));
    if state == GrantState::Deny {
        grant.state = GrantState::Deny;
    }
}

/// What one principal holds itself by its direct roles.
pub(crate) fn of_principal<'p>(
    grantee: SqlName,
    lines: impl Iterator<Item = &'p (Securable, Permission, GrantState)>,
) -> BTreeMap<GrantKey, Grant> {
    let mut grants = BTreeMap::new();
    for (securable, permission, state) in lines {
        put(&mut grants, GrantKey { grantee, securable: *securable, permission: *permission }, *state);
    }
    drop_covered(&mut grants);
    grants
}

/// A column row says nothing beside a row of the same state on its object, and a statement on the object clears it.
fn drop_covered(grants: &mut BTreeMap<GrantKey, Grant>) {
    let covered: Vec<GrantKey> = grants
        .iter()
        .filter_map(|(key, grant)| {
            let Securable::Column(object, _) = key.securable else { return None };
            let whole = GrantKey { securable: Securable::Object(object), ..*key };
            grants.get(&whole).is_some_and(|w| w.state == grant.state).then_some(*key)
        })
        .collect();
    for key in covered {
        grants.remove(&key);
    }
}
