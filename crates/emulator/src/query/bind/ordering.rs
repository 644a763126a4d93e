//! ORDER BY of statements, blocks and windows.

use crate::answer::ServerError;
use crate::catalog::name::same;
use crate::query::ast::{Expr, Order, Select};
use crate::query::bind::select::Output;
use crate::query::bind::{Binder, Bound};
use crate::query::error;

impl Binder<'_> {
    /// The order of a block: output names first, then positions, then expressions over its sources.
    pub(crate) fn order_of_select(
        &mut self,
        order: &[Order],
        outputs: &[Output],
        select: &Select,
    ) -> Result<String, ServerError> {
        let mut keys = Vec::with_capacity(order.len());
        for key in order {
            let at = match position(&key.key, outputs.len())? {
                Some(at) => Some(at),
                None => alias(&key.key, outputs.iter().map(|output| output.name.as_deref()), |place| {
                    outputs[place].value.sql.clone()
                })?,
            };
            let sql = if let Some(at) = at {
                outputs[at].value.collated()
            } else {
                let value = self.value(&key.key)?;
                if select.distinct && !outputs.iter().any(|output| output.value.sql == value.sql) {
                    return Err(error::order_not_selected());
                }
                value.collated()
            };
            keys.push(direction(sql, key.descending));
        }
        Ok(clause(&keys))
    }

    /// Order keys over the sources of the block alone, for windows and WITHIN GROUP.
    pub(crate) fn keys(&mut self, order: &[Order]) -> Result<Vec<String>, ServerError> {
        let mut keys = Vec::with_capacity(order.len());
        for key in order {
            if matches!(key.key, Expr::Number(_)) {
                // 5308
                return Err(ServerError::new(
                    5308,
                    "Windowed functions, aggregates and NEXT VALUE FOR functions do not support integer indices as ORDER BY clause expressions.",
                ));
            }
            let value = self.value(&key.key)?;
            keys.push(direction(value.collated(), key.descending));
        }
        Ok(keys)
    }
}

/// The order of a set operation: only its own columns.
pub(crate) fn order_of_set(order: &[Order], bound: &Bound) -> Result<String, ServerError> {
    let mut keys = Vec::with_capacity(order.len());
    for key in order {
        let names = bound.columns.iter().map(|column| column.name.as_deref());
        let at = match position(&key.key, bound.columns.len())? {
            Some(at) => Some(at),
            None => alias(&key.key, names, |place| format!("c{place}"))?,
        };
        let at = at.ok_or_else(error::order_not_in_set)?;
        let column = &bound.columns[at];
        let sql = if crate::query::types::is_text(column.ty) {
            format!("(c{at} COLLATE {})", column.collation.sqlite())
        } else {
            format!("c{at}")
        };
        keys.push(direction(sql, key.descending));
    }
    Ok(clause(&keys))
}

/// NULL sorts first, as in SQLite.
fn direction(sql: String, descending: bool) -> String {
    if descending { format!("{sql} DESC") } else { sql }
}

fn clause(keys: &[String]) -> String {
    if keys.is_empty() { String::new() } else { format!(" ORDER BY {}", keys.join(",")) }
}

fn position(key: &Expr, width: usize) -> Result<Option<usize>, ServerError> {
    let Expr::Number(digits) = key else { return Ok(None) };
    match digits.parse::<usize>() {
        Ok(at) if (1..=width).contains(&at) => Ok(Some(at - 1)),
        _ => Err(error::order_position(digits)),
    }
}

/// The output column of this name; two of the same name must be the same expression.
fn alias<'n>(
    key: &Expr,
    names: impl Iterator<Item = Option<&'n str>>,
    sql: impl Fn(usize) -> String,
) -> Result<Option<usize>, ServerError> {
    let Expr::Column { name, line } = key else { return Ok(None) };
    let [wanted] = name.as_slice() else { return Ok(None) };
    let mut found: Option<usize> = None;
    for (place, name) in names.enumerate() {
        if !name.is_some_and(|name| same(name, wanted)) {
            continue;
        }
        match found {
            Some(first) if sql(first) != sql(place) => {
                return Err(error::ambiguous_column(wanted).at_line(*line));
            }
            Some(_) => {}
            None => found = Some(place),
        }
    }
    Ok(found)
}
