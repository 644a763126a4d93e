//! Reading the sections of a map, in the order in which they need each other.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{MapVersion, SourceId};
use axon_reconcile::Sid;

use super::RoleMap;
use crate::diagnostic::{Chapter, Fault};
use crate::guards::{self};
use crate::map_test;
use crate::names::{RoleName, ServiceName, TargetName};
use crate::place::Span;
use crate::read::Reader;
use crate::reserved::is_reserved;
use crate::role::{self, ReadRole, TargetNames};
use crate::rule::{self, Known, Who};
use crate::rules;
use crate::secure_view;
use crate::service::Service;
use crate::silence::Silence;
use crate::target::{self, TargetKind, TargetSpec, Words};
use crate::yaml::{Node, Scalar, Value, shown};

/// The version of the language that is read.
const LANGUAGE: &str = "1";
/// Keys of a file.
pub(crate) const KEYS: &[&str] = &[
    "axon",
    "vars",
    "targets",
    "target-sets",
    "roles",
    "mappings",
    "services",
    "rules",
    "guards",
    "views",
    "tags",
    "tests",
];
/// Keys of a service identity.
pub(crate) const SERVICE_KEYS: &[&str] = &["principal", "client_id", "object_id", "token"];

/// The entries of one section, from all files.
type Section<'n> = Vec<(&'n Scalar, &'n Node)>;

/// Reads the whole map; none if no file has any content.
pub(super) fn read(
    reader: &mut Reader<'_>,
    roots: &[Node],
    vars: &BTreeMap<String, String>,
    version: MapVersion,
    silences: Vec<Silence>,
) -> Option<RoleMap> {
    if roots.is_empty() {
        return None;
    }
    let headed = roots.iter().filter(|root| head(reader, root)).count();
    if headed == 0 {
        let message = "the role map does not say `axon: 1`";
        reader.fault_help(Fault::Missing, roots[0].span, message, "begin a file with it");
    }
    reader.turn_to(Chapter::Variables);
    read_variables(reader, roots, vars);
    let reader = &*reader;
    reader.turn_to(Chapter::Targets);
    let target_section = section(reader, roots, "targets");
    let mut targets = targets_of(reader, &target_section);
    let set_section = section(reader, roots, "target-sets");
    let mut declared: Vec<String> = target_section.iter().map(|(name, _)| name.text.clone()).collect();
    let sets = sets(reader, &set_section, &targets, &declared);
    declared.extend(set_section.iter().map(|(name, _)| name.text.clone()));
    let of = |name: &str| targets.get(name).map(|t| t.name.clone());
    let words = words(reader, &target_section, &set_section);
    let azure = |name: &TargetName| targets.get(name).is_some_and(|t| t.kind == TargetKind::AzureRbac);
    let names = TargetNames { targets: &of, sets: &sets, declared: &declared, azure: &azure, words: &words };

    reader.turn_to(Chapter::Roles);
    let role_section = section(reader, roots, "roles");
    let mut roles: BTreeMap<RoleName, ReadRole> = BTreeMap::new();
    for (name, node) in &role_section {
        if let Some(role) = role::read(reader, name, node, &names) {
            roles.insert(role.spec.name.clone(), role);
        }
    }
    role::flatten(reader, &targets, &mut roles);
    reader.within(Chapter::Grants, || crate::placement::check(reader, &targets, &roles));
    // A role with a fault of its own still is a name that others may use.
    let role_names: BTreeSet<RoleName> =
        role_section.iter().filter_map(|(name, _)| name.text.parse().ok()).collect();

    reader.turn_to(Chapter::Services);
    let service_section = section(reader, roots, "services");
    let services = services(reader, &service_section, &targets);
    let declared: BTreeSet<&str> = service_section.iter().map(|(name, _)| name.text.as_str()).collect();

    reader.turn_to(Chapter::Mappings);
    let known = Known { roles: &role_names, services: &services, declared: &declared };
    let mut mappings: Vec<rule::ReadMapping> = list_section(reader, roots, "mappings")
        .iter()
        .filter_map(|n| rule::read(reader, n, &known))
        .collect();

    reader.turn_to(Chapter::Rules);
    let forbidden = rules::read(reader, &keyed(reader, roots, "rules", rules::KEYS), &role_names);
    reader.turn_to(Chapter::Guards);
    let guards = guards::read(reader, &keyed(reader, roots, "guards", guards::KEYS), &role_names);

    reader.turn_to(Chapter::Views);
    let sources: BTreeSet<SourceId> = mappings.iter().filter_map(|m| source_of(&m.spec.who)).collect();
    let of_views = section(reader, roots, "views");
    let views: Vec<secure_view::SecureView> = of_views
        .iter()
        .filter_map(|(name, node)| {
            secure_view::read(reader, name, node, &names, &targets, (&role_names, &sources))
        })
        .collect();
    two_of_one_view(reader, roots);
    secure_view::check_circles(reader, &of_views, &views);
    let tags = crate::tags::read(reader, &section(reader, roots, "tags"));
    secure_view::into_roles(&mut roles, &views);

    reader.turn_to(Chapter::Tests);
    let (names, roles_known) = (&names, &role_names);
    let known = map_test::Known {
        names,
        roles: roles_known,
        services: &services,
        declared: &declared,
        sources: &sources,
    };
    let tests = list_section(reader, roots, "tests")
        .iter()
        .filter_map(|n| map_test::read(reader, n, &known))
        .collect();

    crate::acting::into_roles(reader, &mut targets, &mut roles);
    mark_separated(&mut mappings, &roles, &forbidden);
    reader.turn_to(Chapter::Mappings);
    crate::cross::check(reader, &targets, &roles, &mappings);
    crate::cross::direct_in_views(reader, &roles, &views);
    crate::cross::unfiltered_readers(reader, &targets, &roles, &views);
    reader.turn_to(Chapter::Rules);
    rules::check(reader, &forbidden, &targets, &roles);
    rules::together::check(reader, &forbidden, &targets, &roles, &mappings);
    Some(RoleMap {
        version,
        targets,
        roles: roles.into_values().map(|r| (r.spec.name.clone(), r.spec)).collect(),
        mappings: mappings.into_iter().map(|m| m.spec).collect(),
        services,
        rules: forbidden,
        guards,
        views,
        tags,
        tests,
        silences,
        registry: reader.registry.clone(),
    })
}

fn read_variables(reader: &mut Reader<'_>, roots: &[Node], vars: &BTreeMap<String, String>) {
    let section = section(reader, roots, "vars");
    let read = variables(reader, &section, vars);
    // A variable with a fault of its own is told once, there.
    let faulty = section.iter().map(|(name, _)| &name.text).filter(|name| !read.contains_key(*name));
    reader.faulty_vars = faulty.cloned().collect();
    reader.vars = read;
}

/// Says of each mapping whether it may give a role that a rule separates from others.
fn mark_separated(
    mappings: &mut [rule::ReadMapping],
    roles: &BTreeMap<RoleName, ReadRole>,
    forbidden: &rules::Rules,
) {
    for mapping in mappings {
        let whole = |role: &RoleName| roles.get(role).map(|role| &role.spec.whole);
        let concerned =
            |whole: &BTreeSet<RoleName>| forbidden.separate.iter().any(|r| !whole.is_disjoint(&r.roles));
        let separated = mapping.spec.possible().filter_map(whole).any(concerned);
        mapping.spec.separated = separated;
    }
}

fn source_of(who: &Who) -> Option<SourceId> {
    match who {
        Who::Groups { source, .. } => Some(source.clone()),
        Who::Service(_) => None,
    }
}

/// Two spellings of one view's name are one view to a pool.
fn two_of_one_view(reader: &Reader<'_>, roots: &[Node]) {
    let mut seen: BTreeMap<axon_reconcile::ObjectName, Span> = BTreeMap::new();
    for node in roots.iter().filter_map(|root| in_root(root, "views")) {
        let Value::Map(entries) = &node.value else { continue };
        for (name, _) in entries {
            let Some(object) = secure_view::name_of(&name.text) else { continue };
            if let Some(first) = seen.insert(object, name.span)
                && first != name.span
            {
                let first = reader.place(first);
                let message = format!("view {object} is given twice; first at {first}");
                reader.fault(Fault::Duplicate, name.span, message);
            }
        }
    }
}

/// A section whose keys the language knows.
fn keyed<'n>(reader: &Reader<'_>, roots: &'n [Node], name: &str, known: &[&str]) -> Vec<(&'n str, &'n Node)> {
    let entries = section(reader, roots, name);
    for (key, _) in &entries {
        reader.check_key(key, &format!("`{name}`"), known, &[]);
    }
    entries.into_iter().map(|(key, node)| (key.text.as_str(), node)).collect()
}

/// Checks the keys of a file; whether it says which version of the language it is written in.
fn head(reader: &Reader<'_>, root: &Node) -> bool {
    let Some(fields) = reader.fields(root, "the role map", KEYS, &[]) else { return true };
    let Some(node) = fields.get("axon") else { return false };
    if !matches!(&node.value, Value::Text(text) if text.text == LANGUAGE) {
        reader.fault(Fault::Invalid, node.span, format!("this version reads `axon: {LANGUAGE}`"));
    }
    true
}

/// A section's entries from all files; a key that two files give is a fault that names both places.
fn section<'n>(reader: &Reader<'_>, roots: &'n [Node], key: &str) -> Section<'n> {
    let mut out: Section<'n> = Vec::new();
    let mut seen: BTreeMap<&str, &Scalar> = BTreeMap::new();
    for node in roots.iter().filter_map(|root| in_root(root, key)) {
        for (name, value) in reader.entries(node, &format!("`{key}`")) {
            if let Some(first) = seen.insert(&name.text, name) {
                let first = reader.place(first.span);
                let message = format!("key `{}` is given twice; first at {first}", shown(&name.text));
                reader.fault(Fault::Duplicate, name.span, message);
                continue;
            }
            out.push((name, value));
        }
    }
    out
}

fn list_section<'n>(reader: &Reader<'_>, roots: &'n [Node], key: &str) -> Vec<&'n Node> {
    let nodes = roots.iter().filter_map(|root| in_root(root, key));
    nodes
        .filter(|n| !matches!(n.value, Value::Nothing))
        .flat_map(|n| reader.list(n, &format!("`{key}`")))
        .collect()
}

fn in_root<'n>(root: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &root.value else { return None };
    entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
}

fn variables(
    reader: &Reader<'_>,
    section: &Section<'_>,
    given: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut vars = BTreeMap::new();
    for (name, node) in section {
        let plain = !name.text.contains([':', '{', '}', '$', ' ']);
        if !plain {
            reader.fault(
                Fault::Invalid,
                name.span,
                format!("`{}` cannot be a variable's name", shown(&name.text)),
            );
        }
        if let Value::Text(text) = &node.value
            && text.text.contains("${")
        {
            reader.fault(
                Fault::Invalid,
                node.span,
                "a variable's value is plain: it refers to no other variable",
            );
        } else if let Some(text) = reader.text(node, "a variable") {
            vars.insert(name.text.clone(), text.text);
        }
    }
    for (name, value) in given {
        if let Some(known) = vars.get_mut(name) {
            known.clone_from(value);
        } else {
            // Whoever sets it on the command line mistyped it: silence would leave the default in force.
            let span = section.first().map_or(Span { file: 0, start: 0, end: 0 }, |(k, _)| k.span);
            reader.fault(
                Fault::Unknown,
                span,
                format!("variable `{}` was set, but `vars` does not have it", shown(name)),
            );
        }
    }
    vars
}

fn sets(
    reader: &Reader<'_>,
    section: &Section<'_>,
    targets: &BTreeMap<TargetName, TargetSpec>,
    declared: &[String],
) -> BTreeMap<String, Vec<TargetName>> {
    let mut sets = BTreeMap::new();
    for (name, node) in section {
        if declared.contains(&name.text) {
            reader.fault(
                Fault::Duplicate,
                name.span,
                format!("`{}` is a target's name too", shown(&name.text)),
            );
            continue;
        }
        let mut members: BTreeSet<TargetName> = BTreeSet::new();
        for item in reader.list(node, &format!("target set `{}`", shown(&name.text))) {
            let Some(text) = reader.text(item, "a target's name") else { continue };
            if let Some(target) = targets.get(text.text.as_str()) {
                members.insert(target.name.clone());
            } else if !declared.contains(&text.text) {
                let message = format!("no target is named `{}`", shown(&text.text));
                reader.unknown(&text, message, declared.iter().map(String::as_str), "");
            }
        }
        sets.insert(name.text.clone(), members.into_iter().collect());
    }
    sets
}

/// The targets that could be read.
fn targets_of(reader: &Reader<'_>, section: &Section<'_>) -> BTreeMap<TargetName, TargetSpec> {
    let mut targets = BTreeMap::new();
    for (name, node) in section {
        if let Some(spec) = target::read(reader, name, node) {
            targets.insert(spec.name.clone(), spec);
        }
    }
    target::settle(reader, section, &mut targets);
    targets
}

/// Which grammar lines under each declared name follow, read off the kinds as they stand.
fn words(reader: &Reader<'_>, targets: &Section<'_>, sets: &Section<'_>) -> BTreeMap<String, Words> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.text.clone()),
        _ => None,
    };
    let kind = |node: &Node| match &node.value {
        Value::Map(entries) => {
            let kind = entries.iter().find(|(key, _)| key.text == "kind").map(|(_, value)| value)?;
            TargetKind::parse(&text(kind)?)
        }
        _ => None,
    };
    let of_targets = targets.iter().filter_map(|(name, node)| Some((name.text.clone(), kind(node)?.words())));
    let mut words: BTreeMap<String, Words> = of_targets.collect();
    for (name, node) in sets {
        let Value::List(items) = &node.value else { continue };
        let of_set: BTreeSet<Words> =
            items.iter().filter_map(text).filter_map(|item| words.get(&item)).copied().collect();
        if of_set.len() > 1 {
            let message = format!(
                "target set `{}` holds databases and targets whose roles are assigned: no line fits both",
                shown(&name.text)
            );
            reader.fault(Fault::Invalid, name.span, message);
        }
        if let Some(one) = of_set.first() {
            words.insert(name.text.clone(), *one);
        }
    }
    words
}

fn services(
    reader: &Reader<'_>,
    section: &Section<'_>,
    targets: &BTreeMap<TargetName, TargetSpec>,
) -> BTreeMap<ServiceName, Service> {
    let mut services = BTreeMap::new();
    for (name, node) in section {
        let what = format!("service identity `{}`", shown(&name.text));
        let Ok(service) = name.text.parse::<ServiceName>() else {
            let message = format!("`{}` cannot be a service identity's name", shown(&name.text));
            reader.fault_help(Fault::Invalid, name.span, message, crate::names::BadName.to_string());
            continue;
        };
        let Some(fields) = reader.fields(node, &what, SERVICE_KEYS, &[]) else { continue };
        let Some(principal) = fields.need(reader, "principal") else { continue };
        let principal = guards::sql_name(reader, principal, "`principal`");
        let id = |key: &str| {
            fields.get(key).and_then(|n| reader.text(n, &format!("`{key}`"))).and_then(|text| {
                let sid = Sid::from_object_id(&text.text);
                if sid.is_none() {
                    reader.fault(Fault::Invalid, text.span, format!("`{key}` must be a GUID"));
                }
                sid
            })
        };
        let (sid, object_id) = (id("client_id"), id("object_id"));
        if sid.is_some() && sid == object_id {
            let message = format!("`client_id` and `object_id` of {what} are one id");
            let help = "an application has both: `client_id` is the one of its registration, `object_id` that of its service principal";
            reader.fault_help(Fault::Invalid, name.span, message, help);
        }
        let shows = fields.get("token").and_then(|node| crate::service::token(reader, node, &what));
        if let Some(principal) = principal {
            let taken = |t: &&TargetSpec| t.manage.roles.iter().any(|glob| glob.matches(principal));
            if let Some(target) = targets.values().find(taken) {
                let message =
                    format!("{principal} is a name for roles in target `{}` (`manage.roles`)", target.name);
                reader.fault(Fault::Invalid, name.span, message);
            } else if is_reserved(principal) {
                reader.fault(Fault::Invalid, name.span, format!("{principal} is a reserved name"));
            }
            let place = reader.place(name.span);
            services.insert(service, Service { principal, sid, object_id, token: shows, place });
        }
    }
    services
}
