//! The columns that a new view has.

use crate::answer::{Column, ServerError};
use crate::catalog::name::same;
use crate::query::ast::Query;
use crate::query::bind::set::Place;
use crate::query::bind::{Binder, Bound};
use crate::query::context::QueryContext;
use crate::query::error;

/// Most columns of a view.
const MAX_COLUMNS: usize = 1024;

/// Names and types of the columns of `CREATE VIEW view (names) AS query`. The caller's rights on what the query reads
/// are checked when the view is read, not here.
pub fn view_columns(
    ctx: &QueryContext,
    view: &str,
    query: &Query,
    names: &[String],
) -> Result<Vec<Column>, ServerError> {
    let mut binder = Binder::new(ctx);
    let bound = binder.root(query, Place::Inner)?;
    named_columns(&bound, view, names)
}

/// The columns that a view or a function keeps: each has a name, and no name is there twice.
pub(crate) fn named_columns(bound: &Bound, view: &str, names: &[String]) -> Result<Vec<Column>, ServerError> {
    if !names.is_empty() && names.len() != bound.columns.len() {
        return Err(if names.len() > bound.columns.len() {
            error::view_columns_fewer(view)
        } else {
            error::fewer_columns(view)
        });
    }
    if bound.columns.len() > MAX_COLUMNS {
        return Err(error::outside(1, "so many columns"));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(bound.columns.len());
    for (place, column) in bound.columns.iter().enumerate() {
        let name = names.get(place).cloned().or_else(|| column.name.clone()).unwrap_or_default();
        if name.is_empty() {
            return Err(error::view_column_unnamed(place + 1));
        }
        if columns.iter().any(|earlier| same(&earlier.name, &name)) {
            return Err(error::view_column_repeated(view, &name));
        }
        columns.push(Column { name, ty: column.ty, nullable: column.nullable });
    }
    Ok(columns)
}
