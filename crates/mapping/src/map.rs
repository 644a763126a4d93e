//! The role map: what the operators' files say, checked whole.

mod version;

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{MapVersion, SqlName};
use axon_reconcile::Sid;

use crate::diagnostic::{Diagnostic, Diagnostics, Fault};
use crate::guards::{self, GuardRules};
use crate::names::{RoleName, ServiceName, TargetName};
use crate::place::{Files, Place, Span};
use crate::read::Reader;
use crate::reserved::is_reserved;
use crate::role::{self, ReadRole, RoleSpec, TargetNames};
use crate::rule::{self, Known, Mapping, Who};
use crate::target::{self, TargetSpec, Via};
use crate::yaml::{Node, Scalar, Value, load, shown};

/// A service identity: not a person, not in SCIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name in the targets.
    pub principal: SqlName,
    /// Its client id as a pool shows it, where it is pinned.
    pub sid: Option<Sid>,
    /// Where it is declared.
    pub place: Place,
}

/// A role map that was parsed without a fault.
#[derive(Debug, Clone)]
pub struct RoleMap {
    pub(crate) version: MapVersion,
    /// Where access is enforced.
    pub targets: BTreeMap<TargetName, TargetSpec>,
    /// Bundles of grants.
    pub roles: BTreeMap<RoleName, RoleSpec>,
    /// The rules, in the order of the files.
    pub mappings: Vec<Mapping>,
    /// Service identities.
    pub services: BTreeMap<ServiceName, Service>,
    /// What withholds steps.
    pub guards: GuardRules,
}

/// The version of the language that is read.
const LANGUAGE: &str = "1";
const KEYS: &[&str] = &["axon", "vars", "targets", "target-sets", "roles", "mappings", "services", "guards"];
const LATER: &[&str] = &["rules", "views", "tests"];

impl RoleMap {
    /// Reads a map from its files: name and text of each. All faults that can be seen at once are told at once.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, Diagnostics> {
        Self::parse_with(files, &BTreeMap::new())
    }

    /// Reads a map with other values for some of its variables.
    pub fn parse_with(files: &[(&str, &str)], vars: &BTreeMap<String, String>) -> Result<Self, Diagnostics> {
        let mut sorted: Vec<&(&str, &str)> = files.iter().collect();
        sorted.sort();
        let mut held = Files::default();
        for (name, text) in &sorted {
            held.add(name, text);
        }
        let version = version::version(&sorted, vars);
        let mut roots = Vec::new();
        let mut faults = Vec::new();
        for file in 0..sorted.len() {
            match load(&held, file) {
                Ok(Some(root)) => roots.push(root),
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
        }
        // A file that cannot be read leaves holes: what refers into it would be reported in vain.
        if let Some(diagnostics) = Diagnostics::from_faults(faults) {
            return Err(diagnostics);
        }
        let mut reader = Reader::new(&held);
        let map = read(&mut reader, &roots, vars, version);
        match (Diagnostics::from_faults(reader.into_faults()), map) {
            (None, Some(map)) => Ok(map),
            (Some(diagnostics), _) => Err(diagnostics),
            (None, None) => Err(nothing(&mut held)),
        }
    }

    /// The SHA-256 of the map's text, file ends and line ends made alike.
    pub fn version(&self) -> &MapVersion {
        &self.version
    }

    /// How this mapping lets people into this target.
    pub fn via(&self, mapping: &Mapping, target: &TargetSpec) -> Via {
        mapping.via.unwrap_or(target.via)
    }

    /// The roles that exist in a target: those with a line for it, their own or an included one.
    pub fn roles_in<'m>(&'m self, target: &'m TargetName) -> impl Iterator<Item = &'m RoleSpec> {
        self.roles.values().filter(move |role| role.held.contains_key(target))
    }
}

/// A map without any content still needs a place to say so.
fn nothing(files: &mut Files) -> Diagnostics {
    let file = files.add("role map", "");
    let fault =
        Diagnostic::new(files, Fault::Missing, Span { file, start: 0, end: 0 }, "the role map is empty")
            .help("it begins with `axon: 1`");
    match Diagnostics::from_faults(vec![fault]) {
        Some(diagnostics) => diagnostics,
        None => unreachable!("one fault was put in"),
    }
}

/// The entries of one section, from all files.
type Section<'n> = Vec<(&'n Scalar, &'n Node)>;

fn read(
    reader: &mut Reader<'_>,
    roots: &[Node],
    vars: &BTreeMap<String, String>,
    version: MapVersion,
) -> Option<RoleMap> {
    if roots.is_empty() {
        return None;
    }
    let headed = roots.iter().filter(|root| head(reader, root)).count();
    if headed == 0 {
        reader.fault_help(
            Fault::Missing,
            roots[0].span,
            "the role map does not say `axon: 1`",
            "begin a file with it",
        );
    }
    reader.vars = variables(reader, &section(reader, roots, "vars"), vars);
    let reader = &*reader;
    let target_section = section(reader, roots, "targets");
    let mut targets = BTreeMap::new();
    for (name, node) in &target_section {
        if let Some(spec) = target::read(reader, name, node) {
            targets.insert(spec.name.clone(), spec);
        }
    }
    let set_section = section(reader, roots, "target-sets");
    let mut declared: Vec<String> = target_section.iter().map(|(name, _)| name.text.clone()).collect();
    let sets = sets(reader, &set_section, &targets, &declared);
    declared.extend(set_section.iter().map(|(name, _)| name.text.clone()));
    let of = |name: &str| targets.get(name).map(|t| t.name.clone());
    let sql = sql_names(&target_section, &set_section);
    let names = TargetNames { targets: &of, sets: &sets, declared: &declared, sql: &sql };
    let role_section = section(reader, roots, "roles");
    let mut roles: BTreeMap<RoleName, ReadRole> = BTreeMap::new();
    for (name, node) in &role_section {
        if let Some(role) = role::read(reader, name, node, &names) {
            roles.insert(role.spec.name.clone(), role);
        }
    }
    role::flatten(reader, &mut roles);
    let services = services(reader, &section(reader, roots, "services"), &targets);
    // A role with a fault of its own still is a name that mappings may use.
    let role_names = role_section.iter().filter_map(|(name, _)| name.text.parse().ok()).collect();
    let known = Known { roles: &role_names, services: &services };
    let mappings: Vec<rule::ReadMapping> = list_section(reader, roots, "mappings")
        .iter()
        .filter_map(|n| rule::read(reader, n, &known))
        .collect();
    let guard_section = section(reader, roots, "guards");
    for (key, _) in &guard_section {
        reader.check_key(key, "`guards`", &["removals", "leavers", "protect", "steps"], &[]);
    }
    let guard_section: Vec<(&str, &Node)> =
        guard_section.iter().map(|(k, n)| (k.text.as_str(), *n)).collect();
    let guards = guards::read(reader, &guard_section);
    crate::cross::check(reader, &targets, &roles, &mappings);
    let roles = roles.into_values().map(|r| (r.spec.name.clone(), r.spec)).collect();
    let mappings = mappings.into_iter().map(|m| m.spec).collect();
    Some(RoleMap { version, targets, roles, mappings, services, guards })
}

/// Checks the keys of a file; whether it says which version of the language it is written in.
fn head(reader: &Reader<'_>, root: &Node) -> bool {
    let Some(fields) = reader.fields(root, "the role map", KEYS, LATER) else { return true };
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

/// Names of targets that are declared as SQL pools, and of sets that hold one.
fn sql_names(targets: &Section<'_>, sets: &Section<'_>) -> BTreeSet<String> {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.text.clone()),
        _ => None,
    };
    let is_sql = |node: &Node| match &node.value {
        Value::Map(entries) => entries.iter().any(|(key, value)| {
            key.text == "kind" && text(value).is_some_and(|kind| kind == "synapse-dedicated")
        }),
        _ => false,
    };
    let pools = targets.iter().filter(|(_, node)| is_sql(node)).map(|(name, _)| name.text.clone());
    let mut names: BTreeSet<String> = pools.collect();
    for (name, node) in sets {
        let Value::List(items) = &node.value else { continue };
        if items.iter().filter_map(text).any(|item| names.contains(&item)) {
            names.insert(name.text.clone());
        }
    }
    names
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
        let Some(fields) = reader.fields(node, &what, &["principal", "client_id"], &[]) else { continue };
        let Some(principal) = fields.need(reader, "principal") else { continue };
        let principal = guards::sql_name(reader, principal, "`principal`");
        let sid = fields.get("client_id").and_then(|n| reader.text(n, "`client_id`")).map(|text| {
            let sid = Sid::from_object_id(&text.text);
            if sid.is_none() {
                reader.fault(Fault::Invalid, text.span, "`client_id` must be a GUID");
            }
            sid
        });
        if let Some(principal) = principal {
            let taken = |t: &&TargetSpec| t.manage.roles.iter().any(|glob| glob.matches(principal));
            if let Some(target) = targets.values().find(taken) {
                let message =
                    format!("{principal} is a name for roles in target `{}` (`manage.roles`)", target.name);
                reader.fault(Fault::Invalid, name.span, message);
            } else if is_reserved(principal) {
                reader.fault(Fault::Invalid, name.span, format!("{principal} is a reserved name"));
            }
            services
                .insert(service, Service { principal, sid: sid.flatten(), place: reader.place(name.span) });
        }
    }
    services
}

/// The mapping is about this service identity.
pub(crate) fn is_service(mapping: &Mapping, name: &ServiceName) -> bool {
    matches!(&mapping.who, Who::Service(service) if service == name)
}
