//! `define`: roles of Azure that the role map itself makes, by what they allow.

use std::collections::BTreeMap;

use axon_model::SqlName;

use super::{TargetNames, targets_of};
use crate::diagnostic::Fault;
use crate::guards::sql_name;
use crate::names::TargetName;
use crate::place::Place;
use crate::read::{Fields, Reader};
use crate::yaml::{Node, shown};

/// A role of Azure that the role map makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinedRole {
    /// Its name in Azure: what lines of `grants` name.
    pub name: SqlName,
    /// What it is for, as Azure shows it.
    pub description: String,
    /// What it allows.
    pub actions: Vec<String>,
    /// What of that it does not allow.
    pub not_actions: Vec<String>,
    /// What it allows with data.
    pub data_actions: Vec<String>,
    /// What of that it does not allow.
    pub not_data_actions: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// Keys under a target of `define`.
pub(crate) const KEYS: &[&str] =
    &["name", "description", "actions", "not_actions", "data_actions", "not_data_actions"];

/// The most actions of one list.
const MOST: usize = 1_000;

pub(super) fn read(
    reader: &Reader<'_>,
    node: Option<&Node>,
    what: &str,
    names: &TargetNames<'_>,
) -> BTreeMap<TargetName, DefinedRole> {
    let mut by_target = BTreeMap::new();
    for (key, node) in node.map_or(&[][..], |n| reader.entries(n, &format!("`define` of {what}"))) {
        let targets = targets_of(reader, key, names);
        let of = format!("`define` of {what}");
        let Some(fields) = reader.fields(node, &of, KEYS, &[]) else { continue };
        let name = fields.need(reader, "name").and_then(|n| sql_name(reader, n, "`name`"));
        let description = fields.get("description").and_then(|n| reader.text(n, "`description`"));
        let (actions, data_actions) =
            (actions(reader, &fields, "actions"), actions(reader, &fields, "data_actions"));
        if actions.is_empty() && data_actions.is_empty() {
            let message = format!("`define` of {what} for `{}` allows nothing", shown(&key.text));
            let help = "give it `actions`, such as Microsoft.DataFactory/factories/read";
            reader.fault_help(Fault::Invalid, key.span, message, help);
        }
        let Some(name) = name else { continue };
        let one = DefinedRole {
            name,
            description: description.map_or_else(|| "Made by Axon from its role map".to_owned(), |t| t.text),
            actions,
            not_actions: self::actions(reader, &fields, "not_actions"),
            data_actions,
            not_data_actions: self::actions(reader, &fields, "not_data_actions"),
            place: reader.place(key.span),
        };
        for target in targets {
            by_target.insert(target, one.clone());
        }
    }
    by_target
}

fn actions(reader: &Reader<'_>, fields: &Fields<'_>, key: &str) -> Vec<String> {
    let what = format!("`{key}`");
    let mut read = Vec::new();
    for node in fields.get(key).map_or(&[][..], |n| reader.list(n, &what)) {
        let Some(text) = reader.text(node, "an action") else { continue };
        let plain = text.text.contains('/')
            && !text.text.starts_with('*')
            && text.text.len() <= 400
            && text.text.bytes().all(|b| b.is_ascii_alphanumeric() || b"./*-_".contains(&b));
        if !plain {
            let message = format!("`{}` is no action that a role may have", shown(&text.text));
            let help = "write it like Microsoft.DataFactory/factories/pipelines/createRun/action; `*` stands for parts, never for all";
            reader.fault_help(Fault::Invalid, text.span, message, help);
        } else if read.len() >= MOST {
            reader.fault(Fault::Invalid, text.span, format!("a list has {MOST} actions at most"));
            break;
        } else {
            read.push(text.text);
        }
    }
    read
}
