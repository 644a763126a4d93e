//! Reading a mapping.

use std::collections::{BTreeMap, BTreeSet};

use axon_scim::schema::ResourceKind;

use super::{Gives, GroupName, Groups, Mapping, Pattern, Who};
use crate::condition::Condition;
use crate::diagnostic::{Chapter, Diagnostic, Fault};
use crate::names::{RoleName, ServiceName};
use crate::place::Span;
use crate::read::{Fields, Reader};
use crate::template::Holes;
use crate::yaml::{Node, Scalar, Value, shown};

/// A mapping as read, with the span that faults about the whole of it point at.
pub(crate) struct ReadMapping {
    pub spec: Mapping,
    pub span: Span,
}

/// What a mapping may refer to.
pub(crate) struct Known<'a> {
    pub roles: &'a BTreeSet<RoleName>,
    pub services: &'a BTreeMap<ServiceName, crate::service::Service>,
    /// Every name under `services`: one with a fault of its own is told once, there.
    pub declared: &'a BTreeSet<&'a str>,
}

/// Keys of a mapping.
pub(crate) const KEYS: &[&str] =
    &["groups", "source", "when", "roles", "only", "until", "via", "service", "trust"];

pub(crate) fn read(reader: &Reader<'_>, node: &Node, known: &Known<'_>) -> Option<ReadMapping> {
    let before = reader.count();
    let fields = reader.fields(node, "a mapping", KEYS, &[])?;
    // The first key marks the place: a mapping runs over many lines.
    let span = match &node.value {
        Value::Map(entries) => entries.first().map_or(node.span, |(k, _)| k.span),
        _ => node.span,
    };
    let who = who(reader, &fields, span, known);
    let when = fields.get("when").and_then(|n| reader.within(Chapter::Conditions, || condition(reader, n)));
    let pattern = match &who {
        Some(Who::Groups { groups, .. }) => groups.matching.as_ref(),
        _ => None,
    };
    let trust = who.is_some() && trust(reader, &fields, pattern.is_some());
    let gives = gives(reader, &fields, pattern, known);
    let until = fields.get("until").and_then(|n| reader.instant(n, "`until`"));
    let via = fields.get("via").and_then(|n| crate::target::read_via(reader, n, "`via` of a mapping"));
    let complete = reader.count() == before;
    let spec = Mapping {
        place: reader.place(span),
        who: who?,
        when,
        gives: gives?,
        until,
        trust,
        via,
        separated: false,
    };
    complete.then_some(ReadMapping { spec, span })
}

/// Whether groups that a pattern finds give at once. Without it a newly matched group waits for a person.
fn trust(reader: &Reader<'_>, fields: &Fields<'_>, matches: bool) -> bool {
    let Some(node) = fields.get("trust") else { return false };
    let trusted = reader.word(node, "`trust`", &[("true", true), ("false", false)]);
    if !matches && trusted.is_some() {
        let span = fields.key("trust").map_or(node.span, |key| key.span);
        let message = "`trust` is about groups that a `match` finds; this mapping has none";
        reader.fault(Fault::Invalid, span, message);
    }
    trusted.unwrap_or(false)
}

fn who(reader: &Reader<'_>, fields: &Fields<'_>, span: Span, known: &Known<'_>) -> Option<Who> {
    match (fields.get("groups"), fields.get("service")) {
        (Some(node), None) => {
            let groups = reader.within(Chapter::Groups, || groups(reader, node));
            let source = fields.get("source");
            if source.is_none() {
                let message =
                    "a mapping by groups names its `source`: a display name means nothing without it";
                reader.fault(Fault::Missing, span, message);
            }
            let text = reader.text(source?, "`source`")?;
            let Ok(source) = text.text.parse() else {
                let message = format!("`{}` is no source's name", shown(&text.text));
                reader.fault(Fault::Invalid, text.span, message);
                return None;
            };
            Some(Who::Groups { groups: groups?, source })
        }
        (None, Some(node)) => {
            for key in ["source", "when", "only", "via"] {
                if let Some(key) = fields.key(key) {
                    let message = format!(
                        "`{}` is about people; a mapping of a service identity cannot have it",
                        key.text
                    );
                    reader.fault(Fault::Invalid, key.span, message);
                }
            }
            let text = reader.text(node, "`service`")?;
            if let Some((name, _)) = known.services.get_key_value(text.text.as_str()) {
                return Some(Who::Service(name.clone()));
            }
            if known.declared.contains(text.text.as_str()) {
                return None;
            }
            let message = format!("no service identity is named `{}`", shown(&text.text));
            reader.unknown(
                &text,
                message,
                known.services.keys().map(ServiceName::as_str),
                "declare it under `services`",
            );
            None
        }
        (Some(_), Some(_)) => {
            let span = fields.key("service").map_or(span, |k| k.span);
            reader.fault(Fault::Invalid, span, "a mapping is about `groups` or about a `service`, not both");
            None
        }
        (None, None) => {
            reader.fault(Fault::Missing, span, "a mapping needs `groups` or `service`");
            None
        }
    }
}

/// Keys of `groups`.
pub(crate) const GROUPS_KEYS: &[&str] = &["any", "all", "none", "match", "externalId"];

fn groups(reader: &Reader<'_>, node: &Node) -> Option<Groups> {
    let before = reader.count();
    let fields = reader.fields(node, "`groups`", GROUPS_KEYS, &[])?;
    let names = |key: &str| -> Vec<GroupName> {
        let what = format!("`groups.{key}`");
        let Some(node) = fields.get(key) else { return Vec::new() };
        let names: Vec<GroupName> =
            reader.list(node, &what).iter().filter_map(|n| group_name(reader, n)).collect();
        if names.is_empty() && matches!(&node.value, Value::List(items) if items.is_empty()) {
            reader.fault(Fault::Invalid, node.span, format!("{what} is empty: it would say nothing"));
        }
        names
    };
    let mut read = Groups { any: names("any"), all: names("all"), none: names("none"), matching: None };
    if let Some(node) = fields.get("externalId") {
        let text = reader.text(node, "`externalId`")?;
        read.any.push(GroupName::External(text.text));
    }
    read.matching = fields.get("match").and_then(|n| pattern(reader, n));
    if reader.count() > before {
        return None;
    }
    if read.any.is_empty() && read.all.is_empty() && read.matching.is_none() {
        let message = "`groups` names no group that gives: it needs `any`, `all`, `match` or `externalId`";
        reader.fault(Fault::Invalid, node.span, message);
        return None;
    }
    Some(read)
}

/// Reads a group's name: a text, or `{externalId: …}`.
pub(crate) fn group_name(reader: &Reader<'_>, node: &Node) -> Option<GroupName> {
    match &node.value {
        Value::Map(_) => {
            let fields = reader.fields(node, "a group", &["externalId"], &[])?;
            let id = fields.need(reader, "externalId")?;
            Some(GroupName::External(reader.text(id, "`externalId`")?.text))
        }
        _ => Some(GroupName::Display(reader.text(node, "a group's name")?.text)),
    }
}

/// How much room a compiled pattern may take, in bytes: the least that it fits in counts.
const PATTERN_ROOMS: [usize; 3] = [1 << 14, 1 << 17, 1 << 20];
/// The longest pattern, in bytes, and the deepest nesting in it.
const PATTERN_LENGTH: usize = 2_000;
const PATTERN_DEPTH: u32 = 30;

fn pattern(reader: &Reader<'_>, node: &Node) -> Option<Pattern> {
    let text = reader.text(node, "`match`")?;
    if text.text.len() > PATTERN_LENGTH {
        let message = format!("`match` has {} bytes; at most {PATTERN_LENGTH} are read", text.text.len());
        reader.fault(Fault::Invalid, text.span, message);
        return None;
    }
    if reader.pattern_room.get() == 0 {
        let message = "the patterns of this map are too large together";
        let help = "write narrower patterns: \\w and \\pL stand for thousands of letters, and {1,15} for as many copies";
        reader.fault_help(Fault::Invalid, text.span, message, help);
        return None;
    }
    // The whole name must fit: a pattern without anchors would let a longer, hostile name in.
    let whole = format!(r"\A(?:{})\z", text.text);
    match compiled(reader, &whole) {
        Ok(regex) if is_whole(&text.text) => {
            Some(Pattern { prefix: super::literal_prefix(&text.text), text: text.text, regex })
        }
        other => {
            let reason = other.err().map_or("its brackets do not match".to_owned(), |e| last_line(&e));
            let span = text.span;
            reader.fault(Fault::Invalid, span, format!("`match` is not a regular expression: {reason}"));
            None
        }
    }
}

/// Compiles a pattern into the least room that it fits in, and takes that room off what the map may use. One that fits into none
/// takes the largest: trying has cost as much.
fn compiled(reader: &Reader<'_>, whole: &str) -> Result<regex::Regex, regex::Error> {
    let build = |size| regex::RegexBuilder::new(whole).size_limit(size).nest_limit(PATTERN_DEPTH).build();
    let mut tried = build(PATTERN_ROOMS[0]);
    let mut room = PATTERN_ROOMS[0];
    for larger in &PATTERN_ROOMS[1..] {
        if !matches!(tried, Err(regex::Error::CompiledTooBig(_))) {
            break;
        }
        (tried, room) = (build(*larger), *larger);
    }
    reader.pattern_room.set(reader.pattern_room.get().saturating_sub(room));
    tried
}

/// Whether a pattern is one by itself, and does not close the brackets that are put around it. It is only parsed: with no
/// room to compile it into, that it was too large is all that could be said against it.
fn is_whole(pattern: &str) -> bool {
    let parsed = regex::RegexBuilder::new(pattern).size_limit(0).nest_limit(PATTERN_DEPTH).build();
    !matches!(parsed, Err(regex::Error::Syntax(_)))
}

/// The reason at the end of a regex error, whose other lines are a drawing of the wrapped pattern.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

fn condition(reader: &Reader<'_>, node: &Node) -> Option<Condition> {
    let text = reader.text(node, "`when`")?;
    match Condition::parse_in(&text.text, &reader.registry) {
        Ok(condition) => Some(condition),
        Err(e) => {
            let from = text
                .text
                .char_indices()
                .nth(e.column.saturating_sub(1))
                .map_or(text.text.len(), |(at, _)| at);
            let end = text.text[from..]
                .find([' ', ')', '('])
                .filter(|n| *n > 0)
                .map_or(text.text.len(), |n| from + n);
            let at = if text.offset.is_some() { String::new() } else { format!(" (column {})", e.column) };
            let message = format!("`when`: {}{at}", e.reason);
            let span = text.part(from, end);
            let mut fault = Diagnostic::new(reader.files, Fault::Invalid, span, message);
            // The name of an attribute is no secret, whatever else may stand in its line.
            if reader.registry.attr_path(ResourceKind::User, &text.text[from..end]).is_ok() {
                fault = fault.name_alone(&text.text[from..end]);
            }
            reader.push(match e.help {
                Some(help) => fault.help(help),
                None => fault,
            });
            None
        }
    }
}

fn role(reader: &Reader<'_>, text: &Scalar, known: &Known<'_>) -> Option<RoleName> {
    if let Some(role) = known.roles.get(text.text.as_str()) {
        return Some(role.clone());
    }
    let message = format!("no role is named `{}`", shown(&text.text));
    reader.unknown(text, message, known.roles.iter().map(RoleName::as_str), "declare it under `roles`");
    None
}

fn role_list(reader: &Reader<'_>, node: &Node, what: &str, known: &Known<'_>) -> Vec<RoleName> {
    let items = reader.list(node, what);
    if items.is_empty() && matches!(node.value, Value::List(_)) {
        reader.fault(Fault::Invalid, node.span, format!("{what} is empty: it would give nothing"));
    }
    items
        .iter()
        .filter_map(|n| reader.text(n, "a role's name"))
        .filter_map(|t| role(reader, &t, known))
        .collect()
}

fn gives(
    reader: &Reader<'_>,
    fields: &Fields<'_>,
    pattern: Option<&Pattern>,
    known: &Known<'_>,
) -> Option<Gives> {
    let node = fields.need(reader, "roles")?;
    let only = fields.get("only");
    if let Value::List(_) = &node.value {
        if let Some(key) = fields.key("only") {
            reader.fault(
                Fault::Invalid,
                key.span,
                "`only` bounds what captures name; here `roles` is a plain list",
            );
        }
        return Some(Gives::Roles(role_list(reader, node, "`roles`", known)));
    }
    let text = reader.text(node, "`roles`")?;
    let captures: Vec<&str> =
        pattern.map(|p| p.regex.capture_names().flatten().collect()).unwrap_or_default();
    let template = crate::target::template(reader, node, "`roles`", Holes::Names(&captures))?;
    if template.holes().next().is_none() {
        // Without a hole it is one role's name.
        return Some(Gives::Roles(vec![role(reader, &text, known)?]));
    }
    let Some(only) = only else {
        reader.fault_help(
            Fault::Missing,
            text.span,
            "`roles` made of captures needs `only`: whoever names a group would else choose any role",
            "list the roles that captures may name: only: [sales-reader, …]",
        );
        return None;
    };
    if let Some(key) = fields.get("groups").and_then(|n| captureless(n)) {
        reader.fault(
            Fault::Invalid,
            key.span,
            format!("`{}` has no captures: give its roles in a mapping of its own", key.text),
        );
    }
    let only = role_list(reader, only, "`only`", known).into_iter().collect();
    Some(Gives::Captured { template, only })
}

/// A key of `groups` beside `match` that lets people in without captures.
fn captureless(groups: &Node) -> Option<&Scalar> {
    let Value::Map(entries) = &groups.value else { return None };
    entries.iter().map(|(key, _)| key).find(|key| key.text == "any" || key.text == "externalId")
}
