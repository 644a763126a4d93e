//! `roles`: named bundles of grants, and what each one holds once its includes are put in.

mod define;
mod impersonate;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::diagnostic::{Chapter, Fault};
use crate::grant::GrantLine;
use crate::names::{RoleName, TargetName};
use crate::place::{Place, Span};
use crate::read::Reader;
use crate::target::{TargetSpec, Words};
use crate::yaml::{Node, Scalar, Value, shown};

pub use define::DefinedRole;
pub(crate) use define::Definitions;
pub(crate) use define::KEYS as DEFINE_KEYS;
pub use impersonate::Impersonation;
pub(crate) use impersonate::KEYS as IMPERSONATE_KEYS;

/// One line of `grants`, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedGrant {
    /// What it gives or denies.
    pub line: GrantLine,
    /// As it was written.
    pub text: Arc<str>,
    /// Where.
    pub place: Place,
}

/// From a role through includes to the one that says a line; one entry if it says it itself.
pub type Through = Arc<[RoleName]>;

/// A grant that a role holds, with the way on which it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGrant {
    /// The line: one of many roles that include it.
    pub grant: Arc<PlacedGrant>,
    /// From this role to the one that says it.
    pub through: Through,
    /// Whether it is given only while the table is filtered, by `enforce: native` of a view.
    pub filtered: bool,
}

/// A role of the map.
#[derive(Debug, Clone)]
pub struct RoleSpec {
    /// Its name.
    pub name: RoleName,
    /// Where it is declared.
    pub place: Place,
    /// What it is for.
    pub description: Option<String>,
    /// The roles that it includes, as written.
    pub includes: Vec<RoleName>,
    /// Its own lines for each target that it mentions.
    pub grants: BTreeMap<TargetName, Vec<PlacedGrant>>,
    /// All lines for each target, includes put in. A target that no line mentions is not here.
    pub held: BTreeMap<TargetName, Vec<HeldGrant>>,
    /// Whether it is no role of the pool: what its lines say then stands on each principal that has it.
    pub direct: bool,
    /// The roles that people with this one may act as. Includes take in grants, never this.
    pub impersonate: BTreeMap<TargetName, Impersonation>,
    /// The roles of Azure that it makes where lines name them.
    pub define: BTreeMap<TargetName, DefinedRole>,
    /// This role and all that it includes, nested ones put in.
    pub whole: BTreeSet<RoleName>,
}

/// A role as read, with spans for the faults that show later.
pub(crate) struct ReadRole {
    pub spec: RoleSpec,
    pub span: Span,
    pub includes: Vec<(RoleName, Scalar)>,
    /// The roles that it may act as, as they stand in the text.
    pub acting: Vec<(RoleName, Scalar)>,
    /// The span of each line, by target, in step with `spec.grants`.
    pub spans: BTreeMap<TargetName, Vec<Scalar>>,
}

/// Where a name under `grants` leads.
pub(crate) struct TargetNames<'a> {
    /// Targets that could be read.
    pub targets: &'a dyn Fn(&str) -> Option<TargetName>,
    /// Targets of a set.
    pub sets: &'a BTreeMap<String, Vec<TargetName>>,
    /// Everything that is declared, readable or not.
    pub declared: &'a [String],
    /// Whether a target is one of Azure's own roles, which a map can make.
    pub azure: &'a dyn Fn(&TargetName) -> bool,
    /// Which grammar the lines under a name follow, also where the target itself has a fault.
    pub words: &'a BTreeMap<String, Words>,
}

/// Keys of a role.
pub(crate) const KEYS: &[&str] = &["description", "includes", "grants", "direct", "define", "impersonate"];

/// Reads one role; targets may be named directly or by a set.
pub(crate) fn read(
    reader: &Reader<'_>,
    name: &Scalar,
    node: &Node,
    names: &TargetNames<'_>,
) -> Option<ReadRole> {
    let what = format!("role `{}`", shown(&name.text));
    let Ok(role) = name.text.parse::<RoleName>() else {
        let message = format!("`{}` cannot be a role's name", shown(&name.text));
        reader.fault_help(Fault::Invalid, name.span, message, crate::names::BadName.to_string());
        return None;
    };
    let fields = reader.fields(node, &what, KEYS, &[])?;
    let description = fields.get("description").and_then(|n| reader.text(n, "`description`")).map(|t| t.text);
    let mut includes: Vec<(RoleName, Scalar)> = Vec::new();
    for item in fields.get("includes").map_or(&[][..], |n| reader.list(n, &format!("`includes` of {what}"))) {
        let Some(text) = reader.text(item, "an included role") else { continue };
        match text.text.parse::<RoleName>() {
            Ok(name) => includes.push((name, text)),
            Err(e) => reader.fault(Fault::Invalid, text.span, e.to_string()),
        }
    }
    let direct = fields
        .get("direct")
        .and_then(|n| reader.word(n, &format!("`direct` of {what}"), &[("true", true), ("false", false)]))
        .unwrap_or(false);
    let grants_node = fields.get("grants");
    let (grants, spans) = reader.within(Chapter::Grants, || grants_of(reader, grants_node, &what, names));
    let (impersonate, acting) = reader.within(Chapter::Impersonation, || {
        impersonate::read(reader, fields.get("impersonate"), &what, names)
    });
    let define = define::read(reader, fields.get("define"), &what, names);
    let spec = RoleSpec {
        name: role,
        place: reader.place(name.span),
        description,
        includes: includes.iter().map(|(name, _)| name.clone()).collect(),
        grants,
        held: BTreeMap::new(),
        direct,
        define,
        impersonate,
        whole: BTreeSet::new(),
    };
    Some(ReadRole { spec, span: name.span, includes, acting, spans })
}

type Placed = (BTreeMap<TargetName, Vec<PlacedGrant>>, BTreeMap<TargetName, Vec<Scalar>>);

fn grants_of(reader: &Reader<'_>, node: Option<&Node>, what: &str, names: &TargetNames<'_>) -> Placed {
    let mut grants: BTreeMap<TargetName, Vec<PlacedGrant>> = BTreeMap::new();
    let mut spans: BTreeMap<TargetName, Vec<Scalar>> = BTreeMap::new();
    for (key, lines) in node.map_or(&[][..], |n| reader.entries(n, &format!("`grants` of {what}"))) {
        let targets = targets_of(reader, key, names);
        for line in reader.list(lines, &format!("`grants` of {what}")) {
            // Of a name that stands for nothing no grammar is known.
            let Some(words) = names.words.get(&key.text) else { continue };
            let Some(text) = line_text(reader, line) else { continue };
            let Some(line) = grant(reader, &text, *words) else { continue };
            for target in &targets {
                let placed = PlacedGrant {
                    line: line.clone(),
                    text: text.text.as_str().into(),
                    place: reader.place(text.span),
                };
                grants.entry(target.clone()).or_default().push(placed);
                spans.entry(target.clone()).or_default().push(text.clone());
            }
        }
        for target in targets {
            grants.entry(target).or_default();
        }
    }
    (grants, spans)
}

/// The text of a line. YAML takes `per person: member of x` for a key and its value: it is put together again.
pub(crate) fn line_text(reader: &Reader<'_>, node: &Node) -> Option<Scalar> {
    let Value::Map(entries) = &node.value else { return reader.text(node, "a grant") };
    let [(key, value)] = entries.as_slice() else {
        reader.fault(Fault::Invalid, node.span, "a grant is one line of text");
        return None;
    };
    if key.text != "per person" {
        reader.fault(
            Fault::Invalid,
            key.span,
            "a grant is one line of text; put it in quotes if it holds `: `",
        );
        return None;
    }
    let rest = reader.text(value, "what is given per person")?;
    let text = format!("{}: {}", key.text, rest.text);
    let span = Span { file: key.span.file, start: key.span.start, end: value.span.end };
    let offset =
        (reader.files.text(span.file).get(span.start..span.end) == Some(&text)).then_some(span.start);
    Some(Scalar { span, text, offset })
}

pub(crate) fn targets_of(reader: &Reader<'_>, key: &Scalar, names: &TargetNames<'_>) -> Vec<TargetName> {
    if let Some(set) = names.sets.get(&key.text) {
        return set.clone();
    }
    if let Some(target) = (names.targets)(&key.text) {
        return vec![target];
    }
    if !names.declared.contains(&key.text) {
        let message = format!("no target or set of targets is named `{}`", shown(&key.text));
        reader.unknown(key, message, names.declared.iter().map(String::as_str), "");
    }
    Vec::new()
}

/// Reads one line in the words of its target.
pub(crate) fn grant(reader: &Reader<'_>, text: &Scalar, words: Words) -> Option<GrantLine> {
    match GrantLine::parse_for(&text.text, words) {
        Ok(line) => Some(line),
        Err(e) => {
            let kind = if e.later { Fault::NotSupportedYet } else { Fault::Invalid };
            let span = text.part(e.from, e.to);
            let mut message = e.message;
            // Where escapes or variables moved the bytes, the column in the line itself is told.
            if text.offset.is_none() {
                let column = text.text.get(..e.from).map_or(1, |t| t.chars().count() + 1);
                message = format!("{message} (column {column} of the line)");
            }
            match e.help {
                Some(help) => reader.fault_help(kind, span, message, help),
                None => reader.fault(kind, span, message),
            }
            None
        }
    }
}

/// Lines as they count in their target, which is known by now.
fn fold(targets: &BTreeMap<TargetName, TargetSpec>, roles: &mut BTreeMap<RoleName, ReadRole>) {
    for (target, grants) in roles.values_mut().flat_map(|role| &mut role.spec.grants) {
        let Some(spec) = targets.get(target) else { continue };
        for grant in grants {
            grant.line.fold(spec.kind);
        }
    }
}

/// Puts includes in: each role's `held`. Unknown and circular includes are faults, and then nothing is put in.
pub(crate) fn flatten(
    reader: &Reader<'_>,
    targets: &BTreeMap<TargetName, TargetSpec>,
    roles: &mut BTreeMap<RoleName, ReadRole>,
) {
    fold(targets, roles);
    let before = reader.count();
    for role in roles.values() {
        for (included, text) in role.includes.iter().filter(|(included, _)| !roles.contains_key(included)) {
            let message = format!("role `{}` includes `{included}`, which is no role", role.spec.name);
            reader.unknown(text, message, roles.keys().map(RoleName::as_str), "declare it under `roles`");
        }
    }
    for role in roles.values() {
        for (acted, text) in role.acting.iter().filter(|(acted, _)| !roles.contains_key(acted)) {
            let message = format!("role `{}` may act as `{acted}`, which is no role", role.spec.name);
            reader.within(Chapter::Impersonation, || {
                reader.unknown(text, message, roles.keys().map(RoleName::as_str), "declare it under `roles`");
            });
        }
    }
    let mut done: BTreeMap<RoleName, Whole> = BTreeMap::new();
    for name in roles.keys() {
        held(reader, roles, name, &mut Vec::new(), &mut done);
    }
    if reader.count() > before {
        return;
    }
    for (name, whole) in done {
        if let Some(role) = roles.get_mut(&name) {
            role.spec.held = whole.held;
            role.spec.whole = whole.roles;
        }
    }
}

/// A role with its includes put in.
#[derive(Default)]
struct Whole {
    held: BTreeMap<TargetName, Vec<HeldGrant>>,
    roles: BTreeSet<RoleName>,
}

/// The deepest chain of includes.
const MAX_DEPTH: usize = 50;

fn held(
    reader: &Reader<'_>,
    roles: &BTreeMap<RoleName, ReadRole>,
    name: &RoleName,
    path: &mut Vec<RoleName>,
    done: &mut BTreeMap<RoleName, Whole>,
) {
    let Some(role) = roles.get(name) else { return };
    if done.contains_key(name) {
        return;
    }
    if path.len() >= MAX_DEPTH {
        reader.fault(Fault::Invalid, role.span, format!("includes are nested more than {MAX_DEPTH} deep"));
        done.insert(name.clone(), Whole::default());
        return;
    }
    path.push(name.clone());
    let mut all: BTreeMap<TargetName, Vec<HeldGrant>> = BTreeMap::new();
    let mut within = BTreeSet::from([name.clone()]);
    // What is held already, so that a line that is reached on two ways is found at once.
    let mut seen: HashSet<(TargetName, Place)> = HashSet::new();
    for (target, lines) in &role.spec.grants {
        let through: Through = [name.clone()].into();
        let own = lines.iter().map(|grant| HeldGrant {
            grant: Arc::new(grant.clone()),
            through: through.clone(),
            filtered: false,
        });
        all.entry(target.clone()).or_default().extend(own);
    }
    for (included, text) in &role.includes {
        if let Some(start) = path.iter().position(|seen| seen == included) {
            let round: Vec<&str> = path[start..].iter().chain([included]).map(RoleName::as_str).collect();
            reader.fault(
                Fault::Invalid,
                text.span,
                format!("includes go in a circle: {}", round.join(" -> ")),
            );
            continue;
        }
        held(reader, roles, included, path, done);
        let Some(inner) = done.get(included) else { continue };
        within.extend(inner.roles.iter().cloned());
        for (target, lines) in &inner.held {
            let into = all.entry(target.clone()).or_default();
            // Lines that came to the included role on one way come on one way to this one.
            let mut last: Option<(&Through, Through)> = None;
            for line in lines {
                // Reached on two ways, a line counts once: by the first. A place holds one line for each target.
                if seen.insert((target.clone(), line.grant.place.clone())) {
                    let through = match &last {
                        Some((inner, through)) if Arc::ptr_eq(inner, &line.through) => through.clone(),
                        _ => [name].into_iter().chain(line.through.iter()).cloned().collect(),
                    };
                    last = Some((&line.through, through.clone()));
                    into.push(HeldGrant { grant: line.grant.clone(), through, filtered: line.filtered });
                }
            }
        }
    }
    path.pop();
    done.insert(name.clone(), Whole { held: all, roles: within });
}
