//! What people see in secure views (columns that become clear or masked, rows that come or go), and as whom they may act: what
//! hangs on the roles that a person holds, and on no grant.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use axon_model::{MemberKind, SqlName, UserEntry};
use axon_reconcile::{ObjectName, Permission, Securable};

use super::Compared;
use super::change::{Change, Item};
use crate::effect::{Extent, Holding};
use crate::given::{Given, Person};
use crate::map::RoleMap;
use crate::names::{RoleName, TargetName};
use crate::secure_view::{RowLine, SecureView, Shown};
use crate::selection::{Selection, closure};
use crate::standing::principal_name;

/// What somebody sees of one view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sight {
    /// Columns, each clear or with its mask.
    columns: BTreeMap<SqlName, String>,
    /// The lines that let rows through; none means every row.
    rows: Option<BTreeSet<String>>,
}

const CLEAR: &str = "clear";

/// Whether one of these roles is or includes the wanted one.
fn hold(roles: &[&RoleName], wanted: &RoleName, map: &RoleMap) -> bool {
    roles.iter().any(|role| map.roles.get(*role).is_some_and(|spec| spec.whole.contains(wanted)))
}

fn sight(view: &SecureView, roles: &[&RoleName], map: &RoleMap) -> Sight {
    let holds = |wanted: &RoleName| hold(roles, wanted, map);
    let mut columns = BTreeMap::new();
    for column in &view.columns {
        match &column.shown {
            Shown::Hidden => {}
            Shown::Clear => {
                columns.insert(column.name, CLEAR.to_owned());
            }
            Shown::Masked { mask, unless, to } => {
                let text = if unless.iter().any(holds) {
                    CLEAR.to_owned()
                } else if to.is_empty() || to.iter().any(holds) {
                    mask.to_string()
                } else {
                    "null".to_owned()
                };
                columns.insert(column.name, text);
            }
        }
    }
    let mut lines = BTreeSet::new();
    for row in &view.rows {
        match row {
            RowLine::Role(role) if holds(role) => return Sight { columns, rows: None },
            RowLine::Role(_) => {}
            RowLine::Group(group) => {
                let name = crate::yaml::shown(&group.name);
                lines.insert(format!("the reader is in group {name} of {}", group.source));
            }
            RowLine::Where { to, .. } if !to.is_empty() && !to.iter().any(holds) => {}
            RowLine::Where { text, .. } => {
                lines.insert(text.clone());
            }
        }
    }
    Sight { columns, rows: if view.rows.is_empty() { None } else { Some(lines) } }
}

fn rows(rows: Option<&BTreeSet<String>>) -> String {
    match rows {
        None => "every row".to_owned(),
        Some(lines) if lines.is_empty() => "no row".to_owned(),
        Some(lines) => {
            let lines: Vec<String> = lines.iter().map(|l| format!("where {l}")).collect();
            lines.join(" or ")
        }
    }
}

impl Sight {
    /// What somebody sees who could not read the view before; none if that is all of it.
    fn whole(&self, view: ObjectName) -> Option<Item> {
        self.words().map(|words| Item::Seen(format!("{view} seen with {words}")))
    }

    /// Masks and rows in words; none if everything is seen.
    fn words(&self) -> Option<String> {
        let masked: Vec<String> = self
            .columns
            .iter()
            .filter(|(_, how)| *how != CLEAR)
            .map(|(column, how)| format!("{column} {how}"))
            .collect();
        if masked.is_empty() && self.rows.is_none() {
            return None;
        }
        let masked = if masked.is_empty() { "clear".to_owned() } else { masked.join(", ") };
        Some(format!("{masked}; {}", rows(self.rows.as_ref())))
    }
}

/// What people with all these roles see of a view, where that is not all of it.
pub(crate) fn seen_by(view: &SecureView, roles: &BTreeSet<&RoleName>, map: &RoleMap) -> Option<String> {
    let roles: Vec<&RoleName> = roles.iter().copied().collect();
    sight(view, &roles, map).words()
}

/// What somebody has by the roles alone.
#[derive(Debug, Clone, Default)]
struct ByRoles {
    sights: BTreeMap<(TargetName, ObjectName), Sight>,
    acting: BTreeMap<TargetName, BTreeSet<String>>,
}

fn by_roles(map: &RoleMap, roles: &[&RoleName]) -> ByRoles {
    let mut found = ByRoles::default();
    for view in &map.views {
        for target in &view.targets {
            let held = roles.iter().filter_map(|r| map.roles.get(*r)?.held.get(target)).flatten();
            let holding = Holding::of(held.map(|held| &held.grant.line));
            if holding.extent(&(Permission::Select, Securable::Object(view.name))) != Extent::None {
                found.sights.insert((target.clone(), view.name), sight(view, roles, map));
            }
        }
    }
    for (target, acting) in roles.iter().filter_map(|r| map.roles.get(*r)).flat_map(|r| &r.impersonate) {
        let words = acting.roles.iter().map(|role| format!("act as {role} for up to {}", acting.longest));
        found.acting.entry(target.clone()).or_default().extend(words);
    }
    found
}

fn hangs_on_roles(map: &RoleMap) -> bool {
    !map.views.is_empty() || map.roles.values().any(|role| !role.impersonate.is_empty())
}

/// The roles of everybody by one map.
struct Roles<'m> {
    map: &'m RoleMap,
    selection: Selection,
}

impl<'m> Roles<'m> {
    fn of(map: &'m RoleMap, compared: Compared<'_>) -> Self {
        Self { map, selection: Selection::of(map, compared.directory, compared.identity) }
    }

    /// The roles of one person, in order.
    fn roles(&self, user: &UserEntry, compared: Compared<'_>) -> Vec<&'m RoleName> {
        if !user.active || compared.beside.offboarding(user).is_some() {
            return Vec::new();
        }
        let groups = closure(compared.directory, MemberKind::User(user.id));
        let person = Person::new(user);
        let given = Given::to(self.map, &self.selection, &person, &groups, compared.now, |_, _| true);
        let extras = compared.beside.extras(user, compared.now);
        let everywhere = extras.iter().filter(|extra| extra.target.is_none()).map(|extra| extra.role);
        let roles = given.ways.iter().map(|(_, _, role)| *role).filter(|r| !given.withheld.contains(r));
        let roles: BTreeSet<&str> = roles.map(RoleName::as_str).chain(everywhere).collect();
        // Names of the map live longer than the selection that captured them.
        roles
            .into_iter()
            .filter_map(|role| self.map.roles.get_key_value(role).map(|(name, _)| name))
            .collect()
    }
}

/// The roles of one person on both sides.
type Pair<'m> = (Vec<&'m RoleName>, Vec<&'m RoleName>);

/// What changes for whom by roles alone, in each target.
pub(super) fn changes(compared: Compared<'_>) -> BTreeMap<TargetName, BTreeMap<SqlName, Change>> {
    let mut out: BTreeMap<TargetName, BTreeMap<SqlName, Change>> = BTreeMap::new();
    if !hangs_on_roles(compared.new) && !compared.old.is_some_and(|map| hangs_on_roles(map)) {
        return out;
    }
    let old = compared.old.map(|map| Roles::of(map, compared));
    let new = Roles::of(compared.new, compared);
    // People with the same roles see the same: few such pairs stand for many people.
    let mut classes: HashMap<Pair<'_>, Arc<BTreeMap<TargetName, Change>>> = HashMap::new();
    for user in compared.directory.users() {
        let before = old.as_ref().map(|roles| roles.roles(user, compared)).unwrap_or_default();
        let after = new.roles(user, compared);
        if before.is_empty() && after.is_empty() {
            continue;
        }
        let changes = classes
            .entry((before, after))
            .or_insert_with_key(|(before, after)| {
                let had = compared.old.map(|map| by_roles(map, before)).unwrap_or_default();
                Arc::new(between(&had, &by_roles(compared.new, after)))
            })
            .clone();
        for (target, change) in changes.iter() {
            let spec = |map: &RoleMap| {
                map.targets.get(target).and_then(|spec| principal_name(spec.principal.over_user(user)).ok())
            };
            if let Some(name) = spec(compared.new).or_else(|| compared.old.and_then(|map| spec(map))) {
                let of = out.entry(target.clone()).or_default().entry(name).or_default();
                of.gained.extend(change.gained.iter().cloned());
                of.lost.extend(change.lost.iter().cloned());
            }
        }
    }
    out
}

fn between(had: &ByRoles, has: &ByRoles) -> BTreeMap<TargetName, Change> {
    let mut out: BTreeMap<TargetName, Change> = BTreeMap::new();
    for ((target, view), sees) in &has.sights {
        let of = out.entry(target.clone()).or_default();
        match had.sights.get(&(target.clone(), *view)) {
            // That the view can be read at all is told by the grant.
            None => of.gained.extend(sees.whole(*view)),
            Some(saw) => seen_otherwise(*view, saw, sees, of),
        }
    }
    let targets: BTreeSet<&TargetName> = had.acting.keys().chain(has.acting.keys()).collect();
    for target in targets {
        let nobody = BTreeSet::new();
        let (before, after) =
            (had.acting.get(target).unwrap_or(&nobody), has.acting.get(target).unwrap_or(&nobody));
        let of = out.entry(target.clone()).or_default();
        of.gained.extend(after.difference(before).cloned().map(Item::Acting));
        of.lost.extend(before.difference(after).cloned().map(Item::Acting));
    }
    out.retain(|_, change| !change.is_empty());
    out
}

fn seen_otherwise(view: ObjectName, saw: &Sight, sees: &Sight, change: &mut Change) {
    let columns: BTreeSet<&SqlName> = saw.columns.keys().chain(sees.columns.keys()).collect();
    for column in columns {
        let (before, after) = (saw.columns.get(column), sees.columns.get(column));
        if before == after {
            continue;
        }
        let word = |text: Option<&String>| text.map_or("hidden", String::as_str).to_owned();
        let item = Item::Seen(format!("{view} ({column}): {} -> {}", word(before), word(after)));
        // Of two masks none is certainly the wider one: both sides are told.
        if after.is_some_and(|a| a == CLEAR) || before.is_none() {
            change.gained.insert(item);
        } else if before.is_some_and(|b| b == CLEAR) || after.is_none() {
            change.lost.insert(item);
        } else {
            change.gained.insert(item.clone());
            change.lost.insert(item);
        }
    }
    if saw.rows != sees.rows {
        let item =
            Item::Seen(format!("{view} rows: {} -> {}", rows(saw.rows.as_ref()), rows(sees.rows.as_ref())));
        let within = |inner: &Sight, outer: &Sight| match (&inner.rows, &outer.rows) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(inner), Some(outer)) => inner.is_subset(outer),
        };
        if !within(sees, saw) {
            change.gained.insert(item.clone());
        }
        if !within(saw, sees) {
            change.lost.insert(item);
        }
    }
}
