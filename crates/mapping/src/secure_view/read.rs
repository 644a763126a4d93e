//! Reading `views`.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{SourceId, SqlName};

use super::{Mask, RowGroup, RowLine, SecureView, Shown, ViewColumn, mask, native, rows};
use crate::diagnostic::Fault;
use crate::names::{RoleName, TargetName};
use crate::read::{Fields, Reader};
use crate::role::{TargetNames, targets_of};
use crate::target::{TargetKind, TargetSpec, Words};
use crate::yaml::{Node, Scalar, Value, shown};

/// Keys of a view.
pub(crate) const KEYS: &[&str] = &["targets", "from", "columns", "rows", "readers", "enforce", "unfiltered"];
/// Keys of a column that is not plain.
pub(crate) const COLUMN_KEYS: &[&str] = &["mask", "unless", "for"];
/// Keys of a line of `rows`.
pub(crate) const ROW_KEYS: &[&str] = &["role", "group", "source", "where", "for"];

/// Reads one view.
pub(crate) fn read(
    reader: &Reader<'_>,
    name: &Scalar,
    node: &Node,
    names: &TargetNames<'_>,
    targets: &BTreeMap<TargetName, TargetSpec>,
    (roles, sources): (&BTreeSet<RoleName>, &BTreeSet<SourceId>),
) -> Option<SecureView> {
    let what = format!("view `{}`", shown(&name.text));
    let view = view_name(reader, name);
    let fields = reader.fields(node, &what, KEYS, &[])?;
    let held_in = fields.need(reader, "targets").map(|n| targets_named(reader, n, names));
    let from = fields
        .need(reader, "from")
        .and_then(|n| reader.text(n, &format!("`from` of {what}")))
        .and_then(|text| Some((from(reader, &text)?, text)));
    let columns = fields.need(reader, "columns").map(|n| columns(reader, n, &what, roles));
    let rows: Vec<RowLine> = fields
        .get("rows")
        .map_or(&[][..], |n| reader.list(n, &format!("`rows` of {what}")))
        .iter()
        .filter_map(|n| row(reader, n, roles, sources))
        .collect();
    if let Some(node) =
        fields.get("rows").filter(|node| matches!(&node.value, Value::List(l) if l.is_empty()))
    {
        // An empty list reads like no row, and would mean every row.
        let message = format!("`rows` of {what} names no line: leave the key out where every row is seen");
        reader.fault(Fault::Invalid, node.span, message);
    }
    let readers = role_list(reader, &fields, "readers", roles);
    if let (Some(held_in), Some(((from, _), text))) = (&held_in, &from) {
        of_managed(reader, *from, text, held_in, targets);
    }
    if let (Some(view), Some(held_in)) = (view, &held_in) {
        for target in held_in {
            let Some(spec) = targets.get(target) else { continue };
            if let Some(why) = holds_none(spec) {
                let message = format!("target `{target}` holds no secure views: {why}");
                reader.fault(Fault::Invalid, name.span, message);
            } else if view.schema == spec.metadata.schema {
                let message = format!("{what} is in the schema of profiles and keys of target `{target}`");
                reader.fault_help(Fault::Invalid, name.span, message, "give the views a schema of their own");
            } else if spec.kind.words() != Words::Sql {
                let message = format!("target `{target}` is of kind {}: it holds no views", spec.kind);
                reader.fault(Fault::Invalid, name.span, message);
            } else if !spec.manage.schemas.iter().any(|glob| glob.matches(view.schema)) {
                let message =
                    format!("{what} is in a schema that `manage.schemas` of target `{target}` leaves out");
                let help = "secure views are Axon's own: name their schema under `manage.schemas`";
                reader.fault_help(Fault::Invalid, name.span, message, help);
            }
        }
    }
    if let (Some(view), Some(((_, pattern), text))) = (view, &from)
        && pattern.is_some() != (view.name.as_str() == "*")
    {
        let message =
            format!("{what}: one view of each table is named `schema.*`, and one view shows one table");
        reader.fault(Fault::Invalid, text.span, message);
    }
    if let (Some(view), Some(((from, _), text))) = (view, &from)
        && view == *from
    {
        reader.fault(Fault::Invalid, text.span, format!("{what} shows itself"));
    }
    let native = native::read(reader, &fields);
    let view = SecureView {
        name: view?,
        place: reader.place(name.span),
        targets: held_in?,
        from: from.as_ref()?.0.0,
        pattern: from?.0.1,
        columns: columns?,
        rows,
        readers,
        native,
    };
    native::check(reader, &fields, &view, targets);
    Some(view)
}

/// Whether what a view shows is what views believe: profiles, keys, permissions to act. A pattern that fits more leaves these out.
fn of_managed(
    reader: &Reader<'_>,
    from: axon_reconcile::ObjectName,
    text: &Scalar,
    held_in: &[TargetName],
    targets: &BTreeMap<TargetName, TargetSpec>,
) {
    let specs = held_in.iter().filter_map(|target| targets.get(target));
    if let Some(spec) = specs.into_iter().find(|spec| spec.metadata.schema == from.schema) {
        let message = format!(
            "`{}` is in the schema of profiles and keys of target `{}`, which no view shows",
            shown(&text.text),
            spec.name
        );
        reader.fault_help(Fault::Invalid, text.span, message, "show a table of another schema");
    }
}

/// Why a target can hold no secure views, if its pool is of a kind that cannot.
fn holds_none(spec: &TargetSpec) -> Option<&'static str> {
    match (spec.kind, &spec.endpoint) {
        (TargetKind::SynapseServerless, _) => Some(
            "who reads a serverless pool reads files, and reaches them past any view by storage access, by REFERENCES on a \
             credential, or by ADMINISTER DATABASE BULK OPERATIONS",
        ),
        (TargetKind::Script, _) => Some("profiles change with people, and keys must not stand in a file"),
        _ => None,
    }
}

/// The name of a view, or `schema.*`.
fn view_name(reader: &Reader<'_>, text: &Scalar) -> Option<axon_reconcile::ObjectName> {
    if text.text.contains('*')
        && let Some(name) = super::name_of(&text.text)
    {
        return Some(name);
    }
    object(reader, text)
}

/// A table, or a pattern with its words in the place of a table's name.
fn from(
    reader: &Reader<'_>,
    text: &Scalar,
) -> Option<(axon_reconcile::ObjectName, Option<super::TablePattern>)> {
    if !text.text.contains('*') && !text.text.starts_with("tag:") {
        return Some((object(reader, text)?, None));
    }
    let Some(pattern) = super::source::pattern(&text.text) else {
        let message = format!("`{}` names no tables", shown(&text.text));
        reader.fault_help(
            Fault::Invalid,
            text.span,
            message,
            "write `schema.*`, `schema.prefix*` or `tag:NAME`",
        );
        return None;
    };
    let (schema_text, name_text) = match &pattern {
        super::TablePattern::Named { schema, name } => (schema.to_string(), name.to_string()),
        super::TablePattern::Tagged(tag) => ("tag".to_owned(), tag.clone()),
    };
    let name = |text: &str| SqlName::parse(text).ok();
    let words = axon_reconcile::ObjectName { schema: name(&schema_text)?, name: name(&name_text)? };
    Some((words, Some(pattern)))
}

/// A name of two parts, as T-SQL writes it.
fn object(reader: &Reader<'_>, text: &Scalar) -> Option<axon_reconcile::ObjectName> {
    match crate::grant::object(&text.text) {
        Ok(name) => Some(name),
        Err(e) => {
            reader.fault(Fault::Invalid, text.part(e.from, e.to), e.message);
            None
        }
    }
}

fn targets_named(reader: &Reader<'_>, node: &Node, names: &TargetNames<'_>) -> Vec<TargetName> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let found: BTreeSet<TargetName> = items
        .iter()
        .filter_map(|n| reader.text(n, "a target's name"))
        .flat_map(|text| targets_of(reader, &text, names))
        .collect();
    found.into_iter().collect()
}

fn columns(reader: &Reader<'_>, node: &Node, what: &str, roles: &BTreeSet<RoleName>) -> Vec<ViewColumn> {
    let mut columns: Vec<ViewColumn> = Vec::new();
    let mut seen: BTreeSet<SqlName> = BTreeSet::new();
    let entries = reader.entries(node, &format!("`columns` of {what}"));
    let before = reader.count();
    for (key, node) in entries {
        let name = match SqlName::parse(&key.text) {
            Ok(name) if !seen.insert(name) => {
                let message = format!("column {name} is named twice: a pool compares names without case");
                reader.fault(Fault::Duplicate, key.span, message);
                continue;
            }
            Ok(name) => name,
            Err(e) => {
                reader.fault(Fault::Invalid, key.span, e.to_string());
                continue;
            }
        };
        let Some(shown) = column(reader, node, &key.text, roles) else { continue };
        columns.push(ViewColumn { name, shown, place: reader.place(key.span) });
    }
    if reader.count() == before && columns.iter().all(|c| c.shown == Shown::Hidden) {
        reader.fault(Fault::Invalid, node.span, format!("{what} shows no column"));
    }
    columns
}

fn column(reader: &Reader<'_>, node: &Node, name: &str, roles: &BTreeSet<RoleName>) -> Option<Shown> {
    if let Value::Text(_) = &node.value {
        let words = [("show", true), ("hide", false)];
        let shown = reader.word(node, &format!("column `{}`", shown(name)), &words)?;
        return Some(if shown { Shown::Clear } else { Shown::Hidden });
    }
    let fields = reader.fields(node, &format!("column `{}`", shown(name)), COLUMN_KEYS, &[])?;
    let text = fields.need(reader, "mask").and_then(|n| match &n.value {
        // YAML reads a bare `null` as nothing.
        Value::Nothing => Some(Scalar { span: n.span, text: "null".into(), offset: None }),
        _ => reader.text(n, "`mask`"),
    });
    let mask = text.and_then(|text| match Mask::parse(&text.text) {
        Ok(mask) => Some(mask),
        Err(message) => {
            let otherwise = format!("one of: {}", mask::WORDS.join(", "));
            reader.unknown(&text, message, mask::WORDS.iter().copied(), &otherwise);
            None
        }
    });
    let (unless, to) =
        (role_list(reader, &fields, "unless", roles), role_list(reader, &fields, "for", roles));
    Some(Shown::Masked { mask: mask?, unless, to })
}

fn role_list(
    reader: &Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    roles: &BTreeSet<RoleName>,
) -> Vec<RoleName> {
    let nodes = fields.get(key).map_or(&[][..], |n| reader.list(n, &format!("`{key}`")));
    if nodes.is_empty()
        && let Some(node) = fields.get(key)
    {
        // An empty list reads like nobody, and would mean everybody.
        reader.fault(Fault::Invalid, node.span, format!("`{key}` names no role: leave the key out"));
    }
    nodes.iter().filter_map(|n| role(reader, n, roles)).collect()
}

fn role(reader: &Reader<'_>, node: &Node, roles: &BTreeSet<RoleName>) -> Option<RoleName> {
    let text = reader.text(node, "a role's name")?;
    let found = roles.get(text.text.as_str()).cloned();
    if found.is_none() {
        let message = format!("no role is named `{}`", shown(&text.text));
        reader.unknown(&text, message, roles.iter().map(RoleName::as_str), "declare it under `roles`");
    }
    found
}

/// Whose the group of a line is. A display name means nothing without it: any other source could make a group of the name.
fn source_of_group(
    reader: &Reader<'_>,
    fields: &Fields<'_>,
    group: &Scalar,
    sources: &BTreeSet<SourceId>,
) -> Option<SourceId> {
    if let Some(node) = fields.get("source") {
        let text = reader.text(node, "`source`")?;
        return text.text.parse().map_or_else(
            |_| {
                let message = format!("`{}` is no source's name", shown(&text.text));
                reader.fault(Fault::Invalid, text.span, message);
                None
            },
            Some,
        );
    }
    let mut known = sources.iter();
    if let (Some(only), None) = (known.next(), known.next()) {
        return Some(only.clone());
    }
    let message = "`group` of a line of `rows` needs `source`: the mappings do not speak of exactly one";
    let names: Vec<&str> = sources.iter().map(SourceId::as_str).collect();
    let help = if names.is_empty() {
        "write it beside the group: { group: NAME, source: SOURCE }".to_owned()
    } else {
        format!("sources of mappings: {}", names.join(", "))
    };
    reader.fault_help(Fault::Missing, group.span, message, help);
    None
}

fn row(
    reader: &Reader<'_>,
    node: &Node,
    roles: &BTreeSet<RoleName>,
    sources: &BTreeSet<SourceId>,
) -> Option<RowLine> {
    let fields = reader.fields(node, "a line of `rows`", ROW_KEYS, &[])?;
    let to = role_list(reader, &fields, "for", roles);
    if let (false, None, Some(node)) = (to.is_empty(), fields.get("where"), fields.get("for")) {
        reader.fault(Fault::Invalid, node.span, "`for` stands beside `where`");
    }
    if let (None, Some(key)) = (fields.get("group"), fields.key("source")) {
        reader.fault(Fault::Invalid, key.span, "`source` stands beside `group`");
    }
    match (fields.get("role"), fields.get("group"), fields.get("where")) {
        (Some(node), None, None) => Some(RowLine::Role(role(reader, node, roles)?)),
        (None, Some(node), None) => {
            let text = reader.text(node, "a group's display name")?;
            if text.text.is_empty() || text.text.encode_utf16().count() > 1_024 {
                reader.fault(Fault::Invalid, text.span, "a group's name has 1 to 1,024 characters");
                return None;
            }
            let source = source_of_group(reader, &fields, &text, sources)?;
            Some(RowLine::Group(RowGroup { name: text.text.clone(), source, place: reader.place(text.span) }))
        }
        (None, None, Some(node)) => {
            let text = reader.text(node, "`where`")?;
            match rows::parse(&text.text) {
                Ok(all) => {
                    Some(RowLine::Where { text: text.text.clone(), all, to, place: reader.place(text.span) })
                }
                Err(e) => {
                    reader.fault(Fault::Invalid, text.part(e.from, e.to), format!("`where`: {}", e.message));
                    None
                }
            }
        }
        _ => {
            reader.fault(Fault::Invalid, node.span, "a line of `rows` has either `role`, `group` or `where`");
            None
        }
    }
}
