//! The steps about secure views behind a preview, as the service would plan them. The text of a view hangs on the types of its
//! table's columns: where nobody read those, that is told in place of the steps.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{Directory, SqlName};
use axon_reconcile::secure::{
    Around, BaseTable, ManagedTable, Profiles, ViewsWanted, Ways, diff, profile_steps, readers,
};
use axon_reconcile::secure::{
    FilterShown, Filters, FoundFunction, FoundPredicate, FoundView, SecureStep, TableFilter, comparable_call,
};
use axon_reconcile::view_body::{Cell, TypedMask};
use axon_reconcile::{
    Finding, Graph, Metadata, ObjectFacts, ObjectKind, ObjectName, Securable, ViewBody, ViewText, ViewsAsked,
    ViewsThere,
};

use sha2::{Digest as _, Sha256};

use super::{Both, Compared, Side};
use crate::map::RoleMap;
use crate::names::TargetName;
use crate::target::TargetSpec;
use crate::views::{Compiled, Profile, ROLES, asked, of_table, of_target};

/// The tables of one target, as far as views hang on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// What stands there of tables and views. Nothing is asked of profiles.
    pub there: ViewsThere,
    /// The schemas with their owners.
    pub schemas: BTreeMap<SqlName, Option<SqlName>>,
}

/// The tables of each target where they were looked for, or why they could not be read.
pub type TablesOf = BTreeMap<TargetName, Result<Tables, String>>;

/// What a preview of these maps needs to know of the tables of each target, to tell the steps about views.
pub fn tables_asked(old: Option<&RoleMap>, new: &RoleMap) -> BTreeMap<TargetName, ViewsAsked> {
    let mut out = BTreeMap::new();
    if old.is_some_and(|old| old.version() == new.version()) {
        return out;
    }
    let about = |map: &RoleMap, target: &TargetName| map.views.iter().any(|v| v.targets.contains(target));
    for (name, spec) in &new.targets {
        let there_before = old.is_some_and(|old| about(old, name));
        if !about(new, name) && !there_before {
            continue;
        }
        let Some(mut asked_now) = asked(new, spec) else { continue };
        let was = old.and_then(|old| asked(old, old.targets.get(name)?));
        asked_now.bases.extend(was.into_iter().flat_map(|was| was.bases));
        out.insert(name.clone(), asked_now);
    }
    out
}

/// What is done about views, and what cannot be told of it.
#[derive(Default)]
pub(super) struct Between {
    pub steps: Vec<SecureStep>,
    pub findings: Vec<Finding>,
    pub untold: Option<String>,
}

/// From the views of the map in force to those of the new one; `actual` is what the first gives in permissions.
pub(super) fn between(
    target: &TargetName,
    both: &Both,
    compared: Compared<'_>,
    tables: &TablesOf,
    actual: &Graph,
) -> Between {
    if !tables_asked(compared.old.map(|old| &**old), compared.new).contains_key(target) {
        return Between::default();
    }
    match tables.get(target) {
        Some(Ok(tables)) => planned(both, compared, tables, actual).unwrap_or_default(),
        Some(Err(why)) => Between { untold: untold(target, both, compared, why), ..Between::default() },
        None => {
            let why = "the columns of their tables are not known here";
            Between { untold: untold(target, both, compared, why), ..Between::default() }
        }
    }
}

/// Which views the maps describe otherwise, where nobody knows what that comes to.
fn untold(target: &TargetName, both: &Both, compared: Compared<'_>, why: &str) -> Option<String> {
    let said = |map: &RoleMap| -> BTreeMap<ObjectName, Vec<String>> {
        let here = map.views.iter().filter(|view| view.targets.contains(target));
        here.map(|view| (view.name, crate::diff::view_says(view))).collect()
    };
    let (before, after) = (compared.old.map(|old| said(old)).unwrap_or_default(), said(compared.new));
    let names: BTreeSet<&ObjectName> = before.keys().chain(after.keys()).collect();
    let differ: Vec<String> =
        names.into_iter().filter(|n| before.get(n) != after.get(n)).map(ToString::to_string).collect();
    let of = match differ.as_slice() {
        [] if stays(&after, both, compared) => return None,
        [] => "what steps there are about secure views".to_owned(),
        some if some.len() <= 5 => format!("the statements of {}", some.join(", ")),
        some => format!("the statements of {} and {} more views", some[..5].join(", "), some.len() - 5),
    };
    Some(format!("{of} cannot be told: {why}"))
}

/// Whether the same words about views come to the same texts and the same profiles under both maps.
fn stays(views: &BTreeMap<ObjectName, Vec<String>>, both: &Both, compared: Compared<'_>) -> bool {
    let (Some(old), Some(was), Some(is)) = (compared.old, both.old.spec(), both.new.spec()) else {
        return false;
    };
    let roles = |map: &RoleMap, spec: &TargetSpec| -> BTreeMap<_, _> {
        let roles = map.roles_in(&spec.name);
        roles
            .map(|role| (role.name.clone(), (role.whole.clone(), role.direct, spec.role(&role.name).ok())))
            .collect()
    };
    // Where a view is one of each table, which ones there are is not known.
    let schemas: BTreeSet<SqlName> = views.keys().map(|view| view.schema).collect();
    let there = |graph: &Graph| {
        let granted = graph.grants.keys().filter_map(|key| match key.securable {
            Securable::Object(object) | Securable::Column(object, _) => Some(object),
            _ => None,
        });
        let all = granted.filter(|object| schemas.contains(&object.schema)).chain(views.keys().copied());
        readers(graph, &all.collect())
    };
    old.tags == compared.new.tags
        && was.metadata == is.metadata
        && was.principal == is.principal
        && was.manage.schemas == is.manage.schemas
        && roles(old, was) == roles(compared.new, is)
        && there(both.old.graph()) == there(both.new.graph())
}

/// A target as it would stand by the map in force.
struct Before {
    there: ViewsThere,
    schemas: BTreeMap<SqlName, Option<SqlName>>,
    compiled: Compiled,
}

fn planned(both: &Both, compared: Compared<'_>, tables: &Tables, actual: &Graph) -> Option<Between> {
    let spec = both.new.spec()?;
    let asked = asked(compared.new, spec)?;
    let mut before = before(both.old.spec().zip(compared.old.map(|old| &**old)), spec, tables);
    // What stands elsewhere is none of the new map's.
    before.there.views.retain(|view, _| asked.schemas.iter().any(|glob| glob.matches(view.schema)));
    let compiled = of_target(compared.new, spec, &before.there, &before.schemas);
    let taken = |name| actual.principals.contains_key(&name) || actual.roles.contains_key(&name);
    let of_map = compiled.bodies.iter().map(|body| body.name).chain(compiled.closed.keys().copied());
    // What stood by the map in force is Axon's, too; what else is there of code was not looked for.
    let ours = of_map.chain(before.there.views.keys().copied()).collect();
    let objects = tables_of(&tables.there);
    let around = Around {
        metadata: &spec.metadata,
        schemas: &before.schemas,
        objects: &objects,
        ours: &ours,
        own: &BTreeSet::new(),
    };
    let ways = Ways::of(actual, around);
    let who = |name: SqlName| {
        let evaluator = both.old.evaluator().or_else(|| both.new.evaluator())?;
        evaluator.who(compared.directory, name, actual.principals.get(&name)?)
    };
    let wanted = ViewsWanted {
        metadata: spec.metadata,
        bodies: &compiled.bodies,
        closed: &compiled.closed,
        schemas: &before.schemas,
        taken: &taken,
        digest: &|text| Some(digest(text, &spec.metadata)),
        past: &|body| {
            let filter = compiled.filters.iter().find(|filter| filter.table == body.from);
            let by_group = || ways.past_by_group(body, filter, &spec.accept_groups, &who);
            ways.past(body, filter).or_else(by_group)
        },
        refused: &|_| None,
        keys: &BTreeMap::new(),
        filters: &compiled.filters,
        kept: &compiled.kept,
        shown: &|filter| shown(filter, &spec.metadata),
        // A filter goes after the permissions on columns, which the same plan takes.
        opened: &|_| false,
    };
    let (mut steps, mut findings) = diff(&wanted, &before.there);
    let whose = profiles_of(both, compared, &before.compiled, &compiled, &mut findings);
    let schema = spec.metadata.schema;
    let names: BTreeSet<SqlName> = whose.before.keys().chain(whose.after.keys()).copied().collect();
    steps.extend(profile_steps(schema, spec.metadata.delimiters, &names, &whose.before, &whose.after));
    Some(Between { steps, findings, untold: None })
}

/// The tables as objects.
fn tables_of(there: &ViewsThere) -> BTreeMap<ObjectName, ObjectFacts> {
    let facts = |table: &BaseTable| {
        let columns = table.columns.iter().map(|(name, _)| *name).collect();
        ObjectFacts { kind: ObjectKind::Table, owner: table.owner, columns }
    };
    there.tables.iter().map(|(name, table)| (*name, facts(table))).collect()
}

/// One text for each body in a place: what the target would show of it has no other purpose than to be compared.
fn digest(text: ViewText<'_>, metadata: &Metadata) -> String {
    match text {
        ViewText::Body(body) => format!("{metadata:?} {body:?}"),
        ViewText::Closed(name) => format!("closed {name}"),
    }
}

/// A name of its own for each rule, and one for each table.
fn shown(filter: &TableFilter, metadata: &Metadata) -> Option<FilterShown> {
    let TableFilter { table, columns, rows, unfiltered, open: _ } = filter;
    let rule = Sha256::digest(format!("{metadata:?} {table} {columns:?} {rows:?} {unfiltered:?}"));
    let function = format!("{rule:x}");
    Some(FilterShown {
        policy: of_table(*table)?,
        function: SqlName::parse(&function).ok()?,
        call: comparable_call(&format!("[{function}]()")),
        digest: function,
    })
}

/// These filters, all in force.
fn filters(all: &[TableFilter], metadata: &Metadata) -> Filters {
    let mut found = Filters::default();
    for filter in all {
        let Some(FilterShown { policy, function, call, digest }) = shown(filter, metadata) else { continue };
        let of = Some((comparable_call(&filter.table.to_string()), call.clone()));
        found.functions.insert(function, FoundFunction { made: true, of, digest: Some(digest) });
        found.predicates.push(FoundPredicate {
            policy: ObjectName { schema: metadata.schema, name: policy },
            enabled: true,
            table: Some(filter.table),
            call,
            filters: true,
        });
    }
    found
}

fn before(old: Option<(&TargetSpec, &RoleMap)>, new: &TargetSpec, tables: &Tables) -> Before {
    let Tables { there: real, schemas } = tables;
    let mut schemas = schemas.clone();
    let mut there = ViewsThere {
        tables: real.tables.clone(),
        owner: real.owner,
        managed: real.managed.clone(),
        keys: real.keys.clone(),
        result_set_caching: real.result_set_caching,
        ..ViewsThere::default()
    };
    there.filters = Some(Filters::default());
    let Some((spec, map)) = old else { return Before { there, schemas, compiled: Compiled::default() } };
    let compiled = of_target(map, spec, real, &schemas);
    for body in &compiled.bodies {
        schemas.entry(body.name.schema).or_insert(Some(spec.metadata.owner));
        there.views.insert(body.name, stands(digest(ViewText::Body(body), &spec.metadata)));
    }
    there.filters = Some(filters(&compiled.filters, &spec.metadata));
    // What could not be is closed where it stands, and not made where it does not.
    for name in compiled.closed.keys().filter(|name| real.views.contains_key(name)) {
        there.views.insert(*name, stands(digest(ViewText::Closed(*name), &spec.metadata)));
    }
    if !compiled.bodies.is_empty() && spec.metadata.schema == new.metadata.schema {
        schemas.entry(spec.metadata.schema).or_insert(Some(spec.metadata.owner));
        there.managed = ManagedTable::ALL.into();
        there.keys.extend(compiled.bodies.iter().flat_map(keys));
    }
    if !compiled.bodies.is_empty() && spec.metadata.owner == new.metadata.owner {
        there.owner = Some(true);
    }
    Before { there, schemas, compiled }
}

fn stands(digest: String) -> FoundView {
    FoundView { digest: Some(digest), made: true, intact: true, owner: None }
}

fn keys(body: &ViewBody) -> impl Iterator<Item = String> {
    body.columns.iter().filter_map(|column| match &column.cell {
        Cell::Masked { mask: TypedMask::Hash { key, .. }, .. } => Some(key.clone()),
        Cell::Masked { .. } | Cell::Clear => None,
    })
}

/// The profiles that may differ.
#[derive(Default)]
struct Whose {
    before: Profiles,
    after: Profiles,
}

fn profiles_of(
    both: &Both,
    compared: Compared<'_>,
    old: &Compiled,
    new: &Compiled,
    findings: &mut Vec<Finding>,
) -> Whose {
    let views = |compiled: &Compiled| compiled.bodies.iter().map(|body| body.name).collect();
    let (mut was, mut is) = (readers(both.old.graph(), &views(old)), readers(both.new.graph(), &views(new)));
    if says_the_same(both, old, new) {
        // Who reads on both sides is told of in the same words: 100,000 profiles need not be made to see it.
        let on_both: BTreeSet<SqlName> = was.intersection(&is).copied().collect();
        was.retain(|name| !on_both.contains(name));
        is.retain(|name| !on_both.contains(name));
    }
    let mut whose = Whose::default();
    // Written elsewhere, all of it is new.
    let stays = both.old.spec().zip(both.new.spec());
    if stays.is_some_and(|(old, new)| old.metadata.schema == new.metadata.schema) {
        whose.before = profiles(&both.old, old, was, compared.directory, &mut Vec::new());
    }
    whose.after = profiles(&both.new, new, is, compared.directory, findings);
    whose
}

/// Whether nothing that a profile is made of hangs on which of the two maps is asked.
fn says_the_same(both: &Both, old: &Compiled, new: &Compiled) -> bool {
    let Some((was, is)) = both.old.spec().zip(both.new.spec()) else { return false };
    old.needs == new.needs
        && new.needs.values.iter().all(|(attribute, _)| attribute != ROLES)
        && was.metadata == is.metadata
        && was.principal == is.principal
}

fn profiles(
    side: &Side,
    compiled: &Compiled,
    readers: BTreeSet<SqlName>,
    directory: &Directory,
    findings: &mut Vec<Finding>,
) -> Profiles {
    let (Some(evaluator), Some(spec)) = (side.evaluator(), side.spec()) else { return Profiles::new() };
    let needs = evaluator.profile_needs(&compiled.needs);
    let mut out = Profiles::new();
    for principal in readers {
        let profile = evaluator.profile(directory, principal, &needs).kept_by(spec.metadata.delimiters);
        let Profile { rows, left_out } = profile.unwrap_or_else(|refused| {
            findings.push(Finding::ProfileRefused { principal, because: refused.to_string() });
            Profile::default()
        });
        findings.extend(left_out.iter().map(|left_out| left_out.of(principal)));
        out.insert(principal, rows);
    }
    out
}
