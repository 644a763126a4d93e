//! Reading `tests`.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SourceId;
use axon_scim::schema::{AttrPath, DataType, ResourceKind};
use serde_json::{Map, Value as Json};

use super::{Expected, MapTest, Subject};
use crate::condition::near_attribute;
use crate::diagnostic::Fault;
use crate::names::{RoleName, ServiceName};
use crate::read::{Fields, Reader};
use crate::role::{PlacedGrant, TargetNames, grant, targets_of};
use crate::rule::{GroupName, group_name};
use crate::service::Service;
use crate::yaml::{Node, Scalar, Value, shown};

/// Keys of a test.
pub(crate) const KEYS: &[&str] = &["user", "service", "at", "roles", "has", "lacks"];
/// Keys of a test's `user` that are no attributes.
pub(crate) const PERSON_KEYS: &[&str] = &["userName", "groups", "source", "active"];

/// What a test may refer to.
pub(crate) struct Known<'a> {
    pub names: &'a TargetNames<'a>,
    pub roles: &'a BTreeSet<RoleName>,
    pub services: &'a BTreeMap<ServiceName, Service>,
    /// Every name under `services`, those with a fault of their own too.
    pub declared: &'a BTreeSet<&'a str>,
    /// The sources that mappings speak of.
    pub sources: &'a BTreeSet<SourceId>,
}

/// Reads one test.
pub(crate) fn read(reader: &Reader<'_>, node: &Node, known: &Known<'_>) -> Option<MapTest> {
    let fields = reader.fields(node, "a test", KEYS, &[])?;
    let before = reader.count();
    let who = match (fields.get("user"), fields.get("service")) {
        (Some(node), None) => person(reader, node, known),
        (None, Some(node)) => service(reader, node, known),
        _ => {
            reader.fault(Fault::Invalid, fields.span, "a test looks at a `user` or at a `service`");
            None
        }
    };
    let at = fields.get("at").and_then(|n| reader.instant(n, "`at`"));
    let roles = fields.get("roles").map(|n| {
        let items = reader.list(n, "`roles` of a test");
        let names = items.iter().filter_map(|n| role(reader, n, known.roles)).collect::<BTreeSet<_>>();
        names.into_iter().collect()
    });
    let (has, lacks) = (expected(reader, &fields, "has", known), expected(reader, &fields, "lacks", known));
    if reader.count() > before {
        return None;
    }
    if has.is_empty() && lacks.is_empty() && roles.is_none() {
        let message = "a test without `has`, `lacks` and `roles` proves nothing";
        reader.fault(Fault::Invalid, fields.span, message);
        return None;
    }
    Some(MapTest { place: reader.place(fields.span), who: who?, at, roles, has, lacks })
}

fn role(reader: &Reader<'_>, node: &Node, known: &BTreeSet<RoleName>) -> Option<RoleName> {
    let text = reader.text(node, "a role's name")?;
    let found = known.get(text.text.as_str()).cloned();
    if found.is_none() {
        let message = format!("no role is named `{}`", shown(&text.text));
        reader.unknown(&text, message, known.iter().map(RoleName::as_str), "declare it under `roles`");
    }
    found
}

fn service(reader: &Reader<'_>, node: &Node, known: &Known<'_>) -> Option<Subject> {
    let text = reader.text(node, "`service`")?;
    let found = known.services.get_key_value(text.text.as_str()).map(|(name, _)| name.clone());
    if found.is_none() && !known.declared.contains(text.text.as_str()) {
        let message = format!("no service identity is named `{}`", shown(&text.text));
        let names = known.services.keys().map(ServiceName::as_str);
        reader.unknown(&text, message, names, "declare it under `services`");
    }
    found.map(Subject::Service)
}

fn expected(reader: &Reader<'_>, fields: &Fields<'_>, key: &str, known: &Known<'_>) -> Vec<Expected> {
    let mut out = Vec::new();
    let what = format!("`{key}` of a test");
    for (name, lines) in fields.get(key).map_or(&[][..], |n| reader.entries(n, &what)) {
        let targets = targets_of(reader, name, known.names);
        for line in reader.list(lines, &what) {
            let Some(words) = known.names.words.get(&name.text) else { continue };
            let Some(text) = crate::role::line_text(reader, line) else { continue };
            let Some(read) = grant(reader, &text, *words) else { continue };
            for target in &targets {
                let grant = PlacedGrant {
                    line: read.clone(),
                    text: text.text.as_str().into(),
                    place: reader.place(text.span),
                };
                out.push(Expected { target: target.clone(), grant });
            }
        }
    }
    out
}

fn person(reader: &Reader<'_>, node: &Node, known: &Known<'_>) -> Option<Subject> {
    let Value::Map(entries) = &node.value else {
        reader.wrong_kind(node, "`user` of a test", "keys and values");
        return None;
    };
    let mut document = Map::new();
    let (mut user_name, mut source, mut groups, mut active) = (None, None, Vec::new(), true);
    for (key, value) in entries {
        match key.text.as_str() {
            "userName" => user_name = reader.text(value, "`userName`").map(|t| t.text),
            "source" => source = reader.text(value, "`source`"),
            "groups" => {
                let items = reader.list(value, "`groups` of a test");
                groups = items.iter().filter_map(|n| group_name(reader, n)).collect::<Vec<GroupName>>();
            }
            "active" => {
                let words = [("true", true), ("false", false)];
                active = reader.word(value, "`active`", &words).unwrap_or(true);
            }
            _ => attribute(reader, key, value, &mut document),
        }
    }
    if user_name.is_none() && !entries.iter().any(|(k, _)| k.text == "userName") {
        reader.fault(Fault::Missing, node.span, "`user` of a test needs the key `userName`");
    }
    let source = match source {
        Some(text) => {
            let read = text.text.parse::<SourceId>();
            if read.is_err() {
                reader.fault(
                    Fault::Invalid,
                    text.span,
                    format!("`{}` is no source's name", shown(&text.text)),
                );
            }
            read.ok()
        }
        None => only(known.sources).cloned().or_else(|| {
            let names: Vec<&str> = known.sources.iter().map(SourceId::as_str).collect();
            let message = "`user` of a test needs the key `source`: the mappings do not speak of exactly one";
            let help = format!("sources of mappings: {}", names.join(", "));
            reader.fault_help(Fault::Missing, node.span, message, help);
            None
        }),
    };
    document.insert("userName".into(), Json::String(user_name.clone().unwrap_or_default()));
    Some(Subject::Person { user_name: user_name?.into(), source: source?, groups, active, document })
}

fn only<T: Ord>(set: &BTreeSet<T>) -> Option<&T> {
    set.first().filter(|_| set.len() == 1)
}

/// Puts one attribute into the document that the test's person has, typed as the schema says.
fn attribute(reader: &Reader<'_>, key: &Scalar, node: &Node, into: &mut Map<String, Json>) {
    let path = match reader.registry.attr_path(ResourceKind::User, &key.text) {
        Ok(path) => path,
        Err(e) => {
            let fault = crate::diagnostic::Diagnostic::new(
                reader.files,
                Fault::Unknown,
                key.span,
                format!("`user` of a test: {e}"),
            );
            reader.push(match near_attribute(&key.text, &reader.registry) {
                Some(help) => fault.help(help),
                None => fault,
            });
            return;
        }
    };
    if let (Value::Map(parts), None, true) = (&node.value, &path.sub, path.attribute.is_complex()) {
        for (part, node) in parts {
            let Some(sub) = path.attribute.sub(&part.text).cloned() else {
                let message = format!("`{path}` has no part `{}`", shown(&part.text));
                let names = path.attribute.sub_attributes.iter().map(|s| s.name.as_str());
                reader.unknown(part, message, names, "");
                continue;
            };
            let path = AttrPath { sub: Some(sub), ..path.clone() };
            if let Some(value) = simple(reader, node, &path) {
                put(into, &path, value);
            }
        }
        return;
    }
    if let (Value::List(items), true) = (&node.value, path.attribute.multi_valued) {
        let values: Vec<Json> = items
            .iter()
            .filter_map(|n| {
                let value = simple(reader, n, &path)?;
                Some(if path.attribute.is_complex() { serde_json::json!({ "value": value }) } else { value })
            })
            .collect();
        put(into, &path, Json::Array(values));
        return;
    }
    if let Some(value) = simple(reader, node, &path) {
        let several = path.attribute.multi_valued;
        put(into, &path, if several { serde_json::json!([{ "value": value }]) } else { value });
    }
}

fn simple(reader: &Reader<'_>, node: &Node, path: &AttrPath) -> Option<Json> {
    let text = reader.text(node, &format!("`{path}`"))?;
    let value = match path.leaf().data_type {
        DataType::Boolean => text.text.parse::<bool>().ok().map(Json::Bool),
        DataType::Integer => text.text.parse::<i64>().ok().map(Json::from),
        DataType::Decimal => text.text.parse::<f64>().ok().map(Json::from),
        _ => Some(Json::String(text.text.clone())),
    };
    if value.is_none() {
        let kind = path.leaf().data_type.as_str();
        reader.fault(Fault::Invalid, text.span, format!("`{path}` is of type {kind}"));
    }
    value
}

fn put(into: &mut Map<String, Json>, path: &AttrPath, value: Json) {
    let object = |value: &mut Json| {
        if !value.is_object() {
            *value = Json::Object(Map::new());
        }
    };
    let holder = match &path.extension {
        Some(urn) => {
            let entry = into.entry(urn.to_string()).or_insert(Json::Null);
            object(entry);
            entry.as_object_mut()
        }
        None => Some(into),
    };
    let Some(holder) = holder else { return };
    match &path.sub {
        Some(sub) => {
            let entry = holder.entry(path.attribute.name.clone()).or_insert(Json::Null);
            object(entry);
            if let Some(parts) = entry.as_object_mut() {
                parts.insert(sub.name.clone(), value);
            }
        }
        None => {
            holder.insert(path.attribute.name.clone(), value);
        }
    }
}
