//! What people see in secure views: columns that become clear or masked, rows that come or go.

use std::collections::{BTreeMap, BTreeSet};

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

fn sight(view: &SecureView, roles: &BTreeSet<&RoleName>, map: &RoleMap) -> Sight {
    let holds = |wanted: &RoleName| {
        roles.iter().any(|role| map.roles.get(*role).is_some_and(|spec| spec.whole.contains(wanted)))
    };
    let mut columns = BTreeMap::new();
    for column in &view.columns {
        match &column.shown {
            Shown::Hidden => {}
            Shown::Clear => {
                columns.insert(column.name, CLEAR.to_owned());
            }
            Shown::Masked { mask, unless } => {
                let text = if unless.iter().any(holds) { CLEAR.to_owned() } else { mask.to_string() };
                columns.insert(column.name, text);
            }
        }
    }
    let mut lines = BTreeSet::new();
    for row in &view.rows {
        match row {
            RowLine::Role(role) if holds(role) => return Sight { columns, rows: None },
            RowLine::Role(_) => {}
            RowLine::Where { text, .. } => {
                lines.insert(text.clone());
            }
        }
    }
    Sight { columns, rows: if view.rows.is_empty() { None } else { Some(lines) } }
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

    /// What a person sees of the views of a target, where they may read them.
    fn sights(&self, user: &UserEntry, compared: Compared<'_>) -> BTreeMap<(TargetName, ObjectName), Sight> {
        let mut sights = BTreeMap::new();
        if !user.active || self.map.views.is_empty() {
            return sights;
        }
        let groups = closure(compared.directory, MemberKind::User(user.id));
        let person = Person::new(user);
        let given = Given::to(self.map, &self.selection, &person, &groups, compared.now, |_, _| true);
        let roles: BTreeSet<&RoleName> =
            given.ways.iter().map(|(_, _, role)| *role).filter(|r| !given.withheld.contains(r)).collect();
        for view in &self.map.views {
            for target in &view.targets {
                let held = roles.iter().filter_map(|r| self.map.roles.get(*r)?.held.get(target)).flatten();
                let holding = Holding::of(held.map(|held| &held.grant.line));
                if holding.extent(&(Permission::Select, Securable::Object(view.name))) != Extent::None {
                    sights.insert((target.clone(), view.name), sight(view, &roles, self.map));
                }
            }
        }
        sights
    }
}

/// What changes for whom in the views of each target.
pub(super) fn changes(compared: Compared<'_>) -> BTreeMap<TargetName, BTreeMap<SqlName, Change>> {
    let mut out: BTreeMap<TargetName, BTreeMap<SqlName, Change>> = BTreeMap::new();
    let has_views = |map: &RoleMap| !map.views.is_empty();
    if !has_views(compared.new) && !compared.old.is_some_and(|map| has_views(map)) {
        return out;
    }
    let old = compared.old.map(|map| Roles::of(map, compared));
    let new = Roles::of(compared.new, compared);
    for user in compared.directory.users() {
        let before = old.as_ref().map(|roles| roles.sights(user, compared)).unwrap_or_default();
        let after = new.sights(user, compared);
        for (key, sees) in &after {
            // Who could not read the view before gains it as a whole: the grant says so.
            let Some(saw) = before.get(key) else { continue };
            let change = between(key.1, saw, sees);
            let spec = compared.new.targets.get(&key.0);
            let name = spec.and_then(|spec| principal_name(spec.principal.over_user(user)).ok());
            if let (Some(name), false) = (name, change.is_empty()) {
                let of = out.entry(key.0.clone()).or_default().entry(name).or_default();
                of.gained.extend(change.gained);
                of.lost.extend(change.lost);
            }
        }
    }
    out
}

fn between(view: ObjectName, saw: &Sight, sees: &Sight) -> Change {
    let mut change = Change::default();
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
        let word = |rows: &Option<BTreeSet<String>>| match rows {
            None => "every row".to_owned(),
            Some(lines) if lines.is_empty() => "no row".to_owned(),
            Some(lines) => {
                let lines: Vec<String> = lines.iter().map(|l| format!("where {l}")).collect();
                lines.join(" or ")
            }
        };
        let item = Item::Seen(format!("{view} rows: {} -> {}", word(&saw.rows), word(&sees.rows)));
        let within = |inner: &Option<BTreeSet<String>>, outer: &Option<BTreeSet<String>>| match (inner, outer)
        {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(inner), Some(outer)) => inner.is_subset(outer),
        };
        if !within(&sees.rows, &saw.rows) {
            change.gained.insert(item.clone());
        }
        if !within(&saw.rows, &sees.rows) {
            change.lost.insert(item);
        }
    }
    change
}
