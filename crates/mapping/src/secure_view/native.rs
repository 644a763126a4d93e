//! `enforce: native`: the rows of a view as a filter of its table, and its clear columns as permissions on the table.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::Mode;

use super::{SecureView, Shown};
use crate::diagnostic::Fault;
use crate::names::{RoleName, TargetName};
use crate::place::Place;
use crate::read::{Fields, Reader};
use crate::role::RoleSpec;
use crate::target::TargetSpec;

/// What `enforce: native` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// Roles of the pool whose members see every row of the table, as ever.
    pub unfiltered: BTreeSet<SqlName>,
    /// Where it stands.
    pub place: Place,
}

/// Reads `enforce` and `unfiltered`.
pub(super) fn read(reader: &Reader<'_>, fields: &Fields<'_>) -> Option<Native> {
    let native = fields.get("enforce").filter(|node| {
        reader.word(node, "`enforce`", &[("view", false), ("native", true)]).unwrap_or_default()
    });
    let Some(native) = native else {
        if let Some(node) = fields.get("unfiltered") {
            reader.fault(Fault::Invalid, node.span, "`unfiltered` stands beside `enforce: native`");
        }
        return None;
    };
    let named = fields.get("unfiltered").map_or(&[][..], |n| reader.list(n, "`unfiltered`"));
    let mut unfiltered = BTreeSet::new();
    for node in named {
        let Some(text) = reader.text(node, "a role of the pool") else { continue };
        match SqlName::parse(&text.text) {
            Ok(name) if name.as_str() == "public" => {
                reader.fault(Fault::Invalid, text.span, "everybody is in public: nobody would be filtered");
            }
            Ok(name) => drop(unfiltered.insert(name)),
            Err(e) => reader.fault(Fault::Invalid, text.span, e.to_string()),
        }
    }
    Some(Native { unfiltered, place: reader.place(native.span) })
}

/// What keeps a view from being enforced so.
pub(super) fn check(
    reader: &Reader<'_>,
    fields: &Fields<'_>,
    view: &SecureView,
    targets: &BTreeMap<TargetName, TargetSpec>,
) {
    let (Some(native), Some(node)) = (&view.native, fields.get("enforce")) else { return };
    let fault = |message: String, help: &str| reader.fault_help(Fault::Invalid, node.span, message, help);
    if view.pattern.is_some() {
        let message = format!("view `{}`: one view of each table cannot be `enforce: native`", view.name);
        fault(message, "name the views of these tables one by one");
    }
    if view.rows.is_empty() {
        let message =
            format!("view `{}` is `enforce: native` and has no `rows`: nothing is filtered", view.name);
        fault(message, "give it `rows`, or take the line out");
    }
    for target in view.targets.iter().filter_map(|target| targets.get(target)) {
        if target.mode == Mode::Additive {
            let message = format!(
                "view `{}` is `enforce: native` in target `{}`, of mode additive: permissions on its table would outlive its filter",
                view.name, target.name
            );
            fault(message, "take mode authoritative, where what must not stand is taken away");
        }
        let read = view.readers.iter().filter_map(|role| target.role(role).ok());
        if let Some(role) = read.into_iter().find(|role| native.unfiltered.contains(role)) {
            let message =
                format!("role {role} reads view `{}` and would see every row of its table", view.name);
            fault(message, "take it out of `unfiltered`, or out of `readers`");
        }
    }
}

/// Columns that a role sees clear whatever row it is: these it may read in the table itself. Who may act as others may do so through
/// views alone, so there a column must be clear to all.
pub(super) fn open_to(view: &SecureView, role: &RoleSpec, acts: bool) -> Vec<SqlName> {
    let has = |named: &[RoleName]| named.iter().any(|name| role.whole.contains(name));
    let open = view.columns.iter().filter(|column| {
        let text = column.name.as_str();
        let named = !text.contains('*') && !text.starts_with("tag:");
        named
            && match &column.shown {
                Shown::Clear => true,
                Shown::Hidden => false,
                Shown::Masked { unless, .. } => !acts && has(unless),
            }
    });
    open.map(|column| column.name).collect()
}
