//! Which columns a view has: those that it names, and those that a pattern or a tag masks.
//!
//! The name of a column wins over patterns (`*`) and tags (`tag:NAME`), `hide` wins over a mask. A pattern never shows: a column
//! that comes into the table later is masked by a pattern that fits it, and is not in the view else.

use axon_model::SqlName;
use axon_reconcile::view_body::{Cell, ShownColumn};
use axon_reconcile::{ColumnType, Glob};

use super::fault::{ViewFault, of_type};
use super::{BaseTable, Surroundings, mask};
use crate::names::RoleName;
use crate::secure_view::{SecureView, Shown, ViewColumn};

/// The most columns of a view (capacity limits of dedicated pools).
const MOST: usize = 1_024;

/// How a key of `columns` names columns.
enum Key {
    Name,
    Pattern(Glob),
    Tag(String),
}

fn key(column: &ViewColumn) -> Key {
    let text = column.name.as_str();
    match text.strip_prefix("tag:") {
        Some(tag) => Key::Tag(tag.to_owned()),
        None if text.contains('*') => Key::Pattern(Glob::new(text)),
        None => Key::Name,
    }
}

pub(super) fn of(
    view: &SecureView,
    table: &BaseTable,
    within: &Surroundings<'_>,
    faults: &mut Vec<ViewFault>,
) -> Vec<ShownColumn> {
    let mut wide: Vec<(&ViewColumn, Key)> = Vec::new();
    let mut out: Vec<ShownColumn> = Vec::new();
    for column in &view.columns {
        match key(column) {
            Key::Name => {
                let Some((name, ty)) = table.columns.iter().find(|(name, _)| *name == column.name) else {
                    // What is hidden and not there is hidden.
                    if column.shown != Shown::Hidden {
                        let message = format!("{} has no column {}", view.from, column.name);
                        let help = "name a column that is there, or take the line out";
                        faults.push(ViewFault::new(view, &column.place, message, help));
                    }
                    continue;
                };
                out.extend(shown(view, column, (*name, *ty), within, faults));
            }
            Key::Tag(tag) if !within.tags.contains_key(&tag) => {
                let message = format!("no tag is named {}", column.name);
                faults.push(ViewFault::new(view, &column.place, message, "declare it under `tags`"));
            }
            _ if column.shown == Shown::Clear => {
                let message = format!("{} would show columns that nobody has named", column.name);
                let help = "a pattern or a tag masks or hides; show columns by their names";
                faults.push(ViewFault::new(view, &column.place, message, help));
            }
            other => wide.push((column, other)),
        }
    }
    for (name, ty) in &table.columns {
        if view.columns.iter().any(|c| c.name == *name && matches!(key(c), Key::Name)) {
            continue;
        }
        let fitting: Vec<&ViewColumn> = wide
            .iter()
            .filter(|(_, key)| match key {
                Key::Name => false,
                Key::Pattern(glob) => glob.matches(*name),
                Key::Tag(tag) => within.tags.get(tag).is_some_and(|t| t.contains(&(view.from, *name))),
            })
            .map(|(column, _)| *column)
            .collect();
        let Some(first) = fitting.first() else { continue };
        if fitting.iter().any(|c| c.shown == Shown::Hidden) {
            continue;
        }
        if let Some(other) = fitting.iter().find(|c| c.shown != first.shown) {
            let message =
                format!("column {name} is masked in two ways: by {} and by {}", first.name, other.name);
            faults.push(ViewFault::new(view, &other.place, message, "name the column on a line of its own"));
            continue;
        }
        out.extend(shown(view, first, (*name, *ty), within, faults));
    }
    if out.len() > MOST {
        let message = format!("it has {} columns; a view has at most {MOST}", out.len());
        faults.push(ViewFault::new(view, &view.place, message, "hide some of them"));
    }
    out
}

fn shown(
    view: &SecureView,
    column: &ViewColumn,
    (name, ty): (SqlName, ColumnType),
    within: &Surroundings<'_>,
    faults: &mut Vec<ViewFault>,
) -> Option<ShownColumn> {
    let cell = match &column.shown {
        Shown::Hidden => return None,
        Shown::Clear => Cell::Clear,
        Shown::Masked { mask, unless, to } => match mask::typed(mask, ty, &format!("{}.{name}", view.from)) {
            Ok(mask) => {
                let all = |roles: &[RoleName]| roles.iter().flat_map(|role| within.who(role)).collect();
                Cell::Masked { mask, unless: all(unless), to: all(to) }
            }
            Err((why, help)) => {
                let message = format!("mask {mask} cannot stand in column {name}{}: {why}", of_type(ty));
                faults.push(ViewFault::new(view, &column.place, message, help));
                return None;
            }
        },
    };
    Some(ShownColumn { name, ty, cell })
}
