//! `mappings`: the rules "these groups, under this condition, give these roles".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use axon_model::SourceId;
use axon_scim::compare::fold;
use regex::Regex;
use time::OffsetDateTime;

use crate::condition::Condition;
use crate::diagnostic::Fault;
use crate::names::{RoleName, ServiceName};
use crate::nearest::nearest;
use crate::place::{Place, Span};
use crate::read::{Fields, Reader};
use crate::target::Via;
use crate::template::{Holes, Template};
use crate::yaml::{Node, Text, Value, shown};

/// How a group is named in a mapping.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupName {
    /// By `displayName`, compared as SCIM compares it: without case.
    Display(String),
    /// By `externalId`, compared exactly.
    External(String),
}

impl GroupName {
    /// The key that display names are compared by.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Display(name) => fold(name),
            Self::External(id) => id.clone(),
        }
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Display(name) => f.write_str(&axon_model::name::shown(name)),
            Self::External(id) => write!(f, "externalId {}", axon_model::name::shown(id)),
        }
    }
}

/// A pattern over whole display names, with named captures.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// The captures if the whole name fits.
    pub fn captures<'n>(&self, name: &'n str) -> Option<regex::Captures<'n>> {
        self.regex.captures(name)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

/// Which groups a mapping is about.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// Being in one of these suffices. Empty: no such demand.
    pub any: Vec<GroupName>,
    /// All of these are needed.
    pub all: Vec<GroupName>,
    /// None of these may be had.
    pub none: Vec<GroupName>,
    /// Or being in a group whose whole name fits.
    pub matching: Option<Pattern>,
}

/// Who a mapping is about.
#[derive(Debug, Clone)]
pub enum Who {
    /// People of a source, by their groups.
    Groups {
        /// Which groups.
        groups: Groups,
        /// Whose.
        source: SourceId,
    },
    /// A service identity of the map.
    Service(ServiceName),
}

/// Which roles a mapping gives.
#[derive(Debug, Clone)]
pub enum Gives {
    /// These.
    Roles(Vec<RoleName>),
    /// The one that the captures name, if it is one of these.
    Captured {
        /// How its name is made.
        template: Template,
        /// What it may be.
        only: BTreeSet<RoleName>,
    },
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Where it stands.
    pub place: Place,
    /// Who it is about.
    pub who: Who,
    /// The condition on the person.
    pub when: Option<Condition>,
    /// What it gives.
    pub gives: Gives,
    /// The first instant at which it no longer holds.
    pub until: Option<OffsetDateTime>,
    /// How people get in, where it differs from the target's own way.
    pub via: Option<Via>,
}

impl Mapping {
    /// Whether it holds at this instant.
    pub fn holds_at(&self, now: OffsetDateTime) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// The roles that it can give to anybody.
    pub fn possible(&self) -> Box<dyn Iterator<Item = &RoleName> + '_> {
        match &self.gives {
            Gives::Roles(roles) => Box::new(roles.iter()),
            Gives::Captured { only, .. } => Box::new(only.iter()),
        }
    }

    /// The roles that being in a group gives, where captures of the group's name gave `captured`.
    pub(crate) fn roles_by<'m>(
        &'m self,
        captured: Option<&'m RoleName>,
    ) -> Box<dyn Iterator<Item = &'m RoleName> + 'm> {
        match &self.gives {
            Gives::Roles(roles) => Box::new(roles.iter()),
            Gives::Captured { .. } => Box::new(captured.into_iter()),
        }
    }

    /// What makes it speak of single people, so that a whole group cannot stand for them.
    pub(crate) fn personal(&self) -> Option<&'static str> {
        let Who::Groups { groups, .. } = &self.who else { return None };
        if self.when.is_some() {
            Some("a condition on the person (`when`)")
        } else if !groups.all.is_empty() {
            Some("`all`, which asks each person for several groups")
        } else if !groups.none.is_empty() {
            Some("`none`, which leaves single people out")
        } else {
            None
        }
    }
}

/// A mapping as read, with the span that faults about the whole of it point at.
pub(crate) struct ReadMapping {
    pub spec: Mapping,
    pub span: Span,
}

/// What a mapping may refer to.
pub(crate) struct Known<'a> {
    pub roles: &'a BTreeSet<RoleName>,
    pub services: &'a BTreeMap<ServiceName, crate::map::Service>,
}

const KEYS: &[&str] = &["groups", "source", "when", "roles", "only", "until", "via", "service"];

pub(crate) fn read(reader: &Reader<'_>, node: &Node, known: &Known<'_>) -> Option<ReadMapping> {
    let before = reader.count();
    let fields = reader.fields(node, "a mapping", KEYS, &["trust"])?;
    // The first key marks the place: a mapping runs over many lines.
    let span = match &node.value {
        Value::Map(entries) => entries.first().map_or(node.span, |(k, _)| k.span),
        _ => node.span,
    };
    let who = who(reader, &fields, span, known);
    let when = fields.get("when").and_then(|n| condition(reader, n));
    let pattern = match &who {
        Some(Who::Groups { groups, .. }) => groups.matching.as_ref(),
        _ => None,
    };
    let gives = gives(reader, &fields, pattern, known);
    let until = fields.get("until").and_then(|n| reader.instant(n, "`until`"));
    let via = fields.get("via").and_then(|n| crate::target::read_via(reader, n, "`via` of a mapping"));
    let complete = reader.count() == before;
    let spec = Mapping { place: reader.place(span), who: who?, when, gives: gives?, until, via };
    complete.then_some(ReadMapping { spec, span })
}

fn who(reader: &Reader<'_>, fields: &Fields<'_>, span: Span, known: &Known<'_>) -> Option<Who> {
    match (fields.get("groups"), fields.get("service")) {
        (Some(node), None) => {
            let groups = groups(reader, node);
            let source = fields.get("source");
            if source.is_none() {
                let message =
                    "a mapping by groups names its `source`: a display name means nothing without it";
                reader.fault(Fault::Missing, span, message);
            }
            let text = reader.text(source?, "`source`")?;
            match text.text.parse() {
                Ok(source) => Some(Who::Groups { groups: groups?, source }),
                Err(_) => {
                    reader.fault(
                        Fault::Invalid,
                        text.span,
                        format!("`{}` is no source's name", shown(&text.text)),
                    );
                    None
                }
            }
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
            let message = format!("no service identity is named `{}`", shown(&text.text));
            match nearest(&text.text, known.services.keys().map(ServiceName::as_str)) {
                Some(near) => {
                    reader.fault_help(Fault::Unknown, text.span, message, format!("did you mean `{near}`?"))
                }
                None => reader.fault_help(Fault::Unknown, text.span, message, "declare it under `services`"),
            }
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

fn groups(reader: &Reader<'_>, node: &Node) -> Option<Groups> {
    let before = reader.count();
    let fields = reader.fields(node, "`groups`", &["any", "all", "none", "match", "externalId"], &[])?;
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

fn group_name(reader: &Reader<'_>, node: &Node) -> Option<GroupName> {
    match &node.value {
        Value::Map(_) => {
            let fields = reader.fields(node, "a group", &["externalId"], &[])?;
            let id = fields.need(reader, "externalId")?;
            Some(GroupName::External(reader.text(id, "`externalId`")?.text))
        }
        _ => Some(GroupName::Display(reader.text(node, "a group's name")?.text)),
    }
}

/// The largest compiled pattern, in bytes.
const PATTERN_SIZE: usize = 1 << 20;

fn pattern(reader: &Reader<'_>, node: &Node) -> Option<Pattern> {
    let text = reader.text(node, "`match`")?;
    // The whole name must fit: a pattern without anchors would let a longer, hostile name in.
    let whole = format!(r"\A(?:{})\z", text.text);
    match regex::RegexBuilder::new(&whole).size_limit(PATTERN_SIZE).build() {
        Ok(regex) if Regex::new(&text.text).is_ok() => Some(Pattern { text: text.text, regex }),
        other => {
            let reason = other.err().map_or("its brackets do not match".to_owned(), |e| last_line(&e));
            let span = text.span;
            reader.fault(Fault::Invalid, span, format!("`match` is not a regular expression: {reason}"));
            None
        }
    }
}

/// The reason at the end of a regex error, whose other lines are a drawing of the wrapped pattern.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

fn condition(reader: &Reader<'_>, node: &Node) -> Option<Condition> {
    let text = reader.text(node, "`when`")?;
    match Condition::parse(&text.text) {
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
            reader.fault(Fault::Invalid, text.part(from, end), format!("`when`: {}{at}", e.reason));
            None
        }
    }
}

fn role(reader: &Reader<'_>, text: &Text, known: &Known<'_>) -> Option<RoleName> {
    if let Some(role) = known.roles.get(text.text.as_str()) {
        return Some(role.clone());
    }
    let message = format!("no role is named `{}`", shown(&text.text));
    match nearest(&text.text, known.roles.iter().map(RoleName::as_str)) {
        Some(near) => {
            reader.fault_help(Fault::Unknown, text.span, message, format!("did you mean `{near}`?"))
        }
        None => reader.fault_help(Fault::Unknown, text.span, message, "declare it under `roles`"),
    }
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
fn captureless(groups: &Node) -> Option<&Text> {
    let Value::Map(entries) = &groups.value else { return None };
    entries.iter().map(|(key, _)| key).find(|key| key.text == "any" || key.text == "externalId")
}
