//! `enforce: native`: one filter for each table, which all views of the table must agree on.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::secure::{BaseTable, TableFilter};
use axon_reconcile::view_body::{RowRule, Rows, Test, ViewBody};
use axon_reconcile::{ColumnType, ObjectName, Securable};

use super::ViewFault;
use crate::map::RoleMap;
use crate::secure_view::{Native, SecureView};
use crate::target::TargetSpec;

/// What the views of a target come to.
#[derive(Default)]
pub(super) struct Filtered {
    pub filters: Vec<TableFilter>,
    /// Tables that ought to be filtered and whose views do not say how.
    pub kept: BTreeSet<ObjectName>,
}

/// The filters of all tables. Views that do not agree with each other lose their bodies.
pub(super) fn filters(
    map: &RoleMap,
    target: &TargetSpec,
    (views, tables): (&[SecureView], &BTreeMap<ObjectName, BaseTable>),
    bodies: &mut Vec<ViewBody>,
    faults: &mut Vec<ViewFault>,
) -> Filtered {
    let mut found = Filtered::default();
    let native = views.iter().filter(|view| view.native.is_some());
    let filtered: BTreeSet<ObjectName> = native.map(|view| view.from).collect();
    for table in filtered {
        let all: Vec<&SecureView> = views.iter().filter(|view| view.from == table).collect();
        let of: Vec<(&ViewBody, &Native)> = all
            .iter()
            .filter_map(|view| {
                let body = bodies.iter().find(|body| body.name == view.name)?;
                Some((body, view.native.as_ref()?))
            })
            .collect();
        let plain = all.iter().find(|view| view.native.is_none());
        let against = match (plain, of.first()) {
            (Some(plain), _) => Some(format!(
                "view {} shows {table} too, without `enforce: native`: the filter would take rows from it",
                plain.name
            )),
            (None, Some((first, native))) => of
                .iter()
                .find(|(body, other)| body.rows != first.rows || other.unfiltered != native.unfiltered)
                .map(|(body, _)| {
                    format!(
                        "views {} and {} show other rows of {table}, and a table has one filter",
                        first.name, body.name
                    )
                }),
            (None, None) => None,
        };
        if let Some(message) = against {
            let help = "give all views of the table the same `rows`, `unfiltered` and `enforce`";
            faults.extend(all.iter().map(|view| ViewFault::new(view, &view.place, message.clone(), help)));
            let names: BTreeSet<ObjectName> = all.iter().map(|view| view.name).collect();
            bodies.retain(|body| !names.contains(&body.name));
            found.kept.insert(table);
            continue;
        }
        // What a view without a body would say of the table is not known, and its readers hold columns by the same filter.
        if of.len() != all.len() {
            found.kept.insert(table);
            continue;
        }
        match of.first() {
            Some((body, native)) => found.filters.push(TableFilter {
                table,
                columns: compared(body, tables.get(&table)),
                rows: body.rows.clone(),
                unfiltered: native.unfiltered.clone(),
                open: open(map, target, table),
            }),
            None => drop(found.kept.insert(table)),
        }
    }
    found
}

/// The columns that the rule compares. A function without a parameter is none that a pool is known to take.
fn compared(body: &ViewBody, table: Option<&BaseTable>) -> Vec<(SqlName, ColumnType)> {
    let rules = match &body.rows {
        Rows::Any(rules) => rules.as_slice(),
        Rows::All | Rows::Nothing => &[],
    };
    let mut names: Vec<SqlName> = Vec::new();
    for rule in rules {
        let RowRule::All(tests) = rule else { continue };
        for test in tests {
            let column = match test {
                Test::Compare { column, .. }
                | Test::In { column, .. }
                | Test::Attribute { column, .. }
                | Test::LastDays { column, .. } => *column,
                Test::Is(_) => continue,
            };
            if !names.contains(&column) {
                names.push(column);
            }
        }
    }
    let known = table.map_or(&[][..], |table| table.columns.as_slice());
    let ty = |name: SqlName| known.iter().find(|(column, _)| *column == name).copied();
    if names.is_empty() {
        return known.iter().find(|(_, ty)| *ty != ColumnType::Other).copied().into_iter().collect();
    }
    names.into_iter().filter_map(ty).collect()
}

/// Which columns of the table each role of the pool may read, by the map.
fn open(map: &RoleMap, target: &TargetSpec, table: ObjectName) -> BTreeMap<SqlName, BTreeSet<SqlName>> {
    let mut open: BTreeMap<SqlName, BTreeSet<SqlName>> = BTreeMap::new();
    for role in map.roles_in(&target.name).filter(|role| !role.direct) {
        let Ok(name) = target.role(&role.name) else { continue };
        let lines = role.held.get(&target.name).into_iter().flatten().filter(|held| held.filtered);
        for (_, on) in lines.flat_map(|held| held.grant.line.atoms()) {
            match on {
                Securable::Column(of, column) if of == table => {
                    open.entry(name).or_default().insert(column);
                }
                _ => {}
            }
        }
    }
    open
}
