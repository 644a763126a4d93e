//! `define`: roles of Azure that the role map itself makes, by what they allow.

use std::collections::BTreeMap;

use axon_model::SqlName;

use axon_reconcile::action::{covers, gives_roles};

use super::{RoleSpec, TargetNames, targets_of};
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

/// Actions by which somebody becomes the administrator of a workspace's SQL.
const MAKE_ADMINISTRATORS: [&str; 6] = [
    "Microsoft.Synapse/workspaces/write",
    "Microsoft.Synapse/workspaces/administrators/write",
    "Microsoft.Synapse/workspaces/sqlAdministrators/write",
    "Microsoft.Synapse/workspaces/managedIdentitySqlControlSettings/write",
    "Microsoft.Sql/servers/write",
    "Microsoft.Sql/servers/administrators/write",
];

/// Actions that take off what protects a workspace's SQL.
const TAKE_OFF: [&str; 9] = [
    "Microsoft.Synapse/workspaces/firewallRules/write",
    "Microsoft.Synapse/workspaces/replaceAllIpFirewallRules/action",
    "Microsoft.Synapse/workspaces/azureADOnlyAuthentications/write",
    "Microsoft.Synapse/workspaces/auditingSettings/write",
    "Microsoft.Synapse/workspaces/sqlPools/auditingSettings/write",
    "Microsoft.Synapse/workspaces/sqlPools/dataMaskingPolicies/write",
    "Microsoft.Synapse/workspaces/sqlPools/dataMaskingPolicies/rules/write",
    "Microsoft.Sql/servers/firewallRules/write",
    "Microsoft.Sql/servers/azureADOnlyAuthentications/write",
];

impl DefinedRole {
    /// Whether the other one allows just the same, in the same words.
    pub(crate) fn allows_as(&self, other: &Self) -> bool {
        let Self { name: _, description, actions, not_actions, data_actions, not_data_actions, place: _ } =
            self;
        *description == other.description
            && *actions == other.actions
            && *not_actions == other.not_actions
            && *data_actions == other.data_actions
            && *not_data_actions == other.not_data_actions
    }

    /// An action that it allows, by which whoever has it becomes the SQL administrator.
    pub(crate) fn makes_administrators(&self) -> Option<&'static str> {
        self.first_allowed(&MAKE_ADMINISTRATORS)
    }

    /// An action that it allows, by which whoever has it takes off what protects the data.
    pub(crate) fn takes_off(&self) -> Option<&'static str> {
        self.first_allowed(&TAKE_OFF)
    }

    fn first_allowed(&self, actions: &[&'static str]) -> Option<&'static str> {
        let allowed = |action: &str| {
            self.actions.iter().any(|pattern| covers(pattern, action))
                && !self.not_actions.iter().any(|pattern| covers(pattern, action))
        };
        actions.iter().copied().find(|action| allowed(action))
    }
}

/// The roles of Azure that a map makes, by target and name.
pub(crate) struct Definitions<'m>(BTreeMap<TargetName, BTreeMap<SqlName, Vec<&'m DefinedRole>>>);

impl<'m> Definitions<'m> {
    pub fn of(roles: impl Iterator<Item = &'m RoleSpec>) -> Self {
        let mut by_name: BTreeMap<TargetName, BTreeMap<SqlName, Vec<&DefinedRole>>> = BTreeMap::new();
        for (target, defined) in roles.flat_map(|role| &role.define) {
            by_name.entry(target.clone()).or_default().entry(defined.name).or_default().push(defined);
        }
        Self(by_name)
    }

    /// What a role of this name is made of; two roles of the map may say it.
    pub fn named(&self, target: &'m TargetName, name: SqlName) -> &[&'m DefinedRole] {
        self.0.get(target).and_then(|names| names.get(&name)).map_or(&[], Vec::as_slice)
    }
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
        if let Some(other) = targets.iter().find(|target| !(names.azure)(target)) {
            let message = format!("`define` of {what}: no role can be made in target `{other}`");
            let help = "only targets of kind azure-rbac have roles of the map's own: name one of these, and let `grants` \
                        of other targets name what is there";
            reader.fault_help(Fault::Invalid, key.span, message, help);
        }
        let of = format!("`define` of {what}");
        let Some(fields) = reader.fields(node, &of, KEYS, &[]) else { continue };
        let name = fields.need(reader, "name").and_then(|n| sql_name(reader, n, "`name`"));
        let description = fields.get("description").and_then(|n| reader.text(n, "`description`"));
        let before = reader.count();
        let not_actions = self::actions(reader, &fields, "not_actions", None);
        let not_data_actions = self::actions(reader, &fields, "not_data_actions", None);
        let actions = self::actions(reader, &fields, "actions", Some(&not_actions));
        let data_actions = self::actions(reader, &fields, "data_actions", Some(&not_data_actions));
        // Where an action was refused that is said, and not that there is none.
        if actions.is_empty() && data_actions.is_empty() && reader.count() == before {
            let message = format!("`define` of {what} for `{}` allows nothing", shown(&key.text));
            let help = "give it `actions`, such as Microsoft.DataFactory/factories/read";
            reader.fault_help(Fault::Invalid, key.span, message, help);
        }
        let Some(name) = name else { continue };
        let one = DefinedRole {
            name,
            description: description.map_or_else(|| "Made by Axon from its role map".to_owned(), |t| t.text),
            actions,
            not_actions,
            data_actions,
            not_data_actions,
            place: reader.place(key.span),
        };
        for target in targets {
            by_target.insert(target, one.clone());
        }
    }
    by_target
}

/// One list; `without` is what the role does not allow of it.
fn actions(reader: &Reader<'_>, fields: &Fields<'_>, key: &str, without: Option<&[String]>) -> Vec<String> {
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
        } else if without.is_some_and(|without| gives_roles(&text.text, without)) {
            let message = format!("`{}` lets people give roles", shown(&text.text));
            let help = "use a built-in role, which reviews know, or narrower actions";
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
