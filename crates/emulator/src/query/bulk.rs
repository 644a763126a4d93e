//! Bulk loads: the table and columns that `INSERT BULK` names, and the rows that come after it.

use crate::answer::{ServerError, SqlType, Value};
use crate::catalog::object::Object;
use crate::catalog::permission::Action;
use crate::query::ast::Insert;
use crate::query::bind::{Binder, OutColumn};
use crate::query::change::{assign, complete, insert_places, next_identities, target};
use crate::query::collation::Collation;
use crate::query::context::QueryContext;
use crate::query::error;

/// Where the rows of a bulk load go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkPlace {
    /// The table.
    pub table: i32,
    /// Places of the columns that are given, in the order given.
    pub places: Vec<usize>,
}

/// The place that `INSERT BULK` names, if the caller may put rows there.
pub fn bulk_place(ctx: &QueryContext, name: &[String], columns: &[String]) -> Result<BulkPlace, ServerError> {
    let table = target(&Binder::new(ctx), name, 1)?;
    ctx.rights.check(&table, &[], Action::Insert)?;
    let insert = Insert { table: name.to_vec(), columns: columns.to_vec(), rows: None, line: 1 };
    Ok(BulkPlace { table: table.id, places: insert_places(&table, &insert)? })
}

/// Rows of these types as the table holds them.
pub fn bulk_rows(
    ctx: &QueryContext,
    table: &Object,
    places: &[usize],
    types: &[SqlType],
    rows: Vec<Vec<Value>>,
) -> Result<Vec<Vec<Value>>, ServerError> {
    let from: Vec<OutColumn> = types
        .iter()
        .map(|ty| OutColumn {
            name: None,
            ty: *ty,
            nullable: true,
            collation: Collation::Insensitive,
            null: false,
        })
        .collect();
    let mut identities = next_identities(table);
    let mut held = Vec::with_capacity(rows.len());
    for row in rows {
        let mut values = Vec::with_capacity(row.len());
        for ((value, from), place) in row.into_iter().zip(&from).zip(places) {
            let column = table.columns.get(*place).ok_or_else(|| error::invalid_object(&table.name))?;
            values.push(assign(ctx, table, column, &value, from)?);
        }
        held.push(complete(ctx, table, places, values, &mut identities)?);
    }
    Ok(held)
}
