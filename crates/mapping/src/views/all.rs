//! All views of a target: patterns put in, each compiled against what the target shows, and why those that are not cannot be.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use axon_model::SqlName;
use axon_reconcile::secure::{BaseTable, TableFilter};
use axon_reconcile::{Glob, ObjectName, ViewBody, ViewsAsked, ViewsThere};

use super::standing::{Seen, of_entry};
use super::{NamesCollide, Needs, Surroundings, ViewFault, compile_all, native, of_tables};
use crate::acting::for_readers;
use crate::map::RoleMap;
use crate::names::RoleName;
use crate::secure_view::{SecureView, TablePattern};
use crate::target::{TargetKind, TargetSpec};

/// What the views of a target are to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// Those that can be.
    pub bodies: Vec<ViewBody>,
    /// Those that cannot, and why: they show nothing.
    pub closed: BTreeMap<ObjectName, String>,
    /// What they ask of profiles.
    pub needs: Needs,
    /// Everything that is wrong.
    pub faults: Vec<ViewFault>,
    /// Filters of tables, by `enforce: native`.
    pub filters: Vec<TableFilter>,
    /// Tables that ought to be filtered and whose views do not say how: what filters them stays.
    pub kept: BTreeSet<ObjectName>,
    /// Views of patterns that stand, each with its table where that is known: their readers keep what they hold on them, also while
    /// the table is gone.
    pub standing: BTreeMap<ObjectName, Option<ObjectName>>,
}

impl Compiled {
    /// The same in a database that an integration made ready: no table of it is filtered, and views that ask for it show nothing.
    #[must_use]
    pub fn of_integration(mut self) -> Self {
        let filtered: BTreeSet<ObjectName> = self.filters.drain(..).map(|filter| filter.table).collect();
        for body in self.bodies.extract_if(.., |body| filtered.contains(&body.from)) {
            let because = format!(
                "{} cannot be `enforce: native`: an integration made this database ready, whose account has no ALTER ANY SECURITY POLICY, and its deletion takes no filter away",
                body.from
            );
            self.closed.insert(body.name, because);
        }
        self.needs = Needs::of(&self.bodies);
        self.kept.extend(filtered);
        self
    }
}

/// What to ask a target for; nothing, where it can hold no views.
pub fn asked(map: &RoleMap, target: &TargetSpec) -> Option<ViewsAsked> {
    let here = || map.views.iter().filter(|view| view.targets.contains(&target.name));
    if target.kind != TargetKind::SynapseDedicated
        || (target.manage.schemas.is_empty() && here().next().is_none())
    {
        return None;
    }
    let base = |view: &SecureView| match &view.pattern {
        Some(pattern) => pattern.schema(),
        None => Glob::new(view.from.schema.as_str()),
    };
    Some(ViewsAsked {
        metadata: target.metadata,
        schemas: target.manage.schemas.clone(),
        bases: here().map(base).collect(),
    })
}

/// The views of a target by the map.
pub fn of_target(
    map: &RoleMap,
    target: &TargetSpec,
    there: &ViewsThere,
    schemas: &BTreeMap<SqlName, Option<SqlName>>,
) -> Compiled {
    // Profiles, keys and permissions to act are no tables for views, whatever pattern or tag they fit.
    let managed = |table: &ObjectName| table.schema == target.metadata.schema;
    let tables = if there.tables.keys().any(managed) {
        let others = there.tables.iter().filter(|(table, _)| !managed(table));
        Cow::Owned(others.map(|(table, facts)| (*table, facts.clone())).collect())
    } else {
        Cow::Borrowed(&there.tables)
    };
    let tables: &BTreeMap<ObjectName, BaseTable> = &tables;
    let tags = crate::tags::columns(&map.tags, tables);
    let here = || map.views.iter().filter(|view| view.targets.contains(&target.name));
    let mut faults = Vec::new();
    let mut standing = BTreeMap::new();
    let mut views: Vec<SecureView> = Vec::new();
    for entry in here() {
        let of_entry = one_by_one(entry, tables, &tags, &mut faults);
        let there =
            of_entry.iter().filter(|view| entry.pattern.is_some() && there.views.contains_key(&view.name));
        standing.extend(there.map(|view| (view.name, Some(view.from))));
        views.extend(of_entry);
    }
    let named: BTreeSet<ObjectName> =
        views.iter().map(|view| view.name).chain(faults.iter().map(|fault| fault.view)).collect();
    let seen = Seen { map, there, tables, schemas };
    for one in here().flat_map(|entry| of_entry(entry, &named, &seen)) {
        standing.insert(one.view, one.table);
        faults.push(one.fault);
    }
    // Schemas that are not there yet will be the owner's.
    let mut owners = schemas.clone();
    for view in &views {
        owners.entry(view.name.schema).or_insert(Some(target.metadata.owner));
    }
    let roles = pool_roles(map, target, &views);
    let within = Surroundings { tables, schemas: &owners, roles: &roles, tags: &tags };
    let (mut bodies, more) = compile_all(&views, &within);
    faults.extend(more);
    bodies.retain(|body| {
        let Some(view) = views.iter().find(|view| view.name == body.name) else { return false };
        if !there.external.contains(&body.from) {
            return true;
        }
        let message =
            format!("{} is an external table: who reads its files reads it past any view", body.from);
        let help = "load it into a table of the pool, and take the rights on its files from readers";
        faults.push(ViewFault::new(view, &view.place, message, help));
        false
    });
    // The chain is that of one owner without a login: another one's could be joined by whoever may write there.
    bodies.retain(|body| {
        let owner = owners.get(&body.name.schema).copied().flatten();
        if owner == Some(target.metadata.owner) {
            return true;
        }
        let Some(view) = views.iter().find(|view| view.name == body.name) else { return false };
        let message = format!("schema {} is not owned by {}", body.name.schema, target.metadata.owner);
        let help = format!(
            "ALTER AUTHORIZATION ON SCHEMA::{} TO {}, for it and for the schema of {}",
            body.name.schema, target.metadata.owner, body.from
        );
        faults.push(ViewFault::new(view, &view.place, message, help));
        false
    });
    if target.metadata.impersonation.is_some() {
        bodies = bodies
            .into_iter()
            .filter_map(|body| {
                let view = views.iter().find(|view| view.name == body.name)?;
                Some(for_readers(map, target, view, body, |role| within.who(role)))
            })
            .collect();
    }
    let native = native::filters(map, target, (&views, tables), &mut bodies, &mut faults);
    let mut closed: BTreeMap<ObjectName, String> = BTreeMap::new();
    for fault in &faults {
        let because = closed.entry(fault.view).or_default();
        // Writing to a String cannot fail.
        let _ = write!(
            because,
            "{}{} ({}; {})",
            if because.is_empty() { "" } else { "; " },
            fault.message,
            fault.help,
            fault.place
        );
    }
    let needs = Needs::of(&bodies);
    Compiled { bodies, closed, needs, faults, filters: native.filters, kept: native.kept, standing }
}

/// What is said of an entry by a tag that the map does not declare, and what helps.
pub(super) fn no_tag(tag: &str) -> (String, &'static str) {
    (format!("no tag is named {}", crate::yaml::shown(tag)), "declare it under `tags`")
}

/// The views of one entry: itself, or one of each table that fits. Two that would share a name are none.
fn one_by_one(
    view: &SecureView,
    tables: &BTreeMap<ObjectName, BaseTable>,
    tags: &BTreeMap<String, BTreeSet<(ObjectName, SqlName)>>,
    faults: &mut Vec<ViewFault>,
) -> Vec<SecureView> {
    let Some(pattern) = &view.pattern else { return vec![view.clone()] };
    if let TablePattern::Tagged(tag) = pattern
        && !tags.contains_key(tag)
    {
        let (message, help) = no_tag(tag);
        faults.push(ViewFault::new(view, &view.place, message, help));
        return Vec::new();
    }
    let fits = |table: &ObjectName| match pattern {
        TablePattern::Named { .. } => pattern.may_be(*table),
        TablePattern::Tagged(tag) => tags.get(tag).is_some_and(|all| all.iter().any(|(t, _)| t == table)),
    };
    let (names, collide) = of_tables(tables.keys().copied().filter(fits));
    faults.extend(collide.iter().map(|collide| ViewFault {
        view: ObjectName { schema: view.name.schema, name: collide.name },
        place: view.place.clone(),
        message: collide.to_string(),
        help: NamesCollide::HELP.to_owned(),
    }));
    let one = |(name, from): (SqlName, ObjectName)| {
        let mut one = view.clone();
        one.pattern = None;
        one.name.name = name;
        one.from = from;
        // A line may speak of a column that only some of the tables have.
        let has = |c: SqlName| tables.get(&from).is_some_and(|t| t.columns.iter().any(|(n, _)| *n == c));
        one.columns.retain(|line| {
            let text = line.name.as_str();
            text.contains('*') || text.starts_with("tag:") || has(line.name)
        });
        one
    };
    names.into_iter().map(one).collect()
}

/// For each role that views tell people apart by, the roles of the pool of which its people have one.
fn pool_roles(
    map: &RoleMap,
    target: &TargetSpec,
    views: &[SecureView],
) -> BTreeMap<RoleName, BTreeSet<SqlName>> {
    let named: BTreeSet<&RoleName> = views.iter().flat_map(SecureView::roles).collect();
    let mut found = BTreeMap::new();
    for name in named {
        let with = map.roles_in(&target.name).filter(|role| role.whole.contains(name) && !role.direct);
        let held = with.filter_map(|role| target.role(&role.name).ok()).collect();
        found.insert(name.clone(), held);
    }
    found
}
