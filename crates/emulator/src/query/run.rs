//! Runs bound SQL in a fresh in-memory SQLite that holds the columns the query reads and nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Connection, ToSql};

use crate::answer::{Column, ServerError, SqlType, Value};
use crate::catalog::permission::Action;
use crate::query::ast::{Condition, Expression, Query};
use crate::query::bind::set::Place;
use crate::query::bind::{Binder, Bound, Load, Origin};
use crate::query::cache::ResultCache;
use crate::query::cell::{hold, release};
use crate::query::collation::Collation;
use crate::query::context::QueryContext;
use crate::query::error;
use crate::query::op::Op;
use crate::query::system::Field;

/// A result: typed columns and their rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultSet {
    /// Names and types.
    pub columns: Vec<Column>,
    /// Values in column order.
    pub rows: Vec<Vec<Value>>,
}

/// Most values that one result may hold.
const MAX_VALUES: usize = 50_000_000;

/// Runs a query.
pub fn run(ctx: &QueryContext, query: &Query) -> Result<ResultSet, ServerError> {
    run_cached(ctx, query, None)
}

/// Runs a query, or gives the result that the same query had. The caller's rights are checked either way.
pub fn run_cached(
    ctx: &QueryContext,
    query: &Query,
    cache: Option<&ResultCache>,
) -> Result<ResultSet, ServerError> {
    let mut binder = Binder::new(ctx);
    let bound = binder.root(query, Place::Statement)?;
    let columns = bound
        .columns
        .iter()
        .map(|column| Column {
            name: column.name.clone().unwrap_or_default(),
            ty: column.ty,
            nullable: column.nullable,
        })
        .collect();
    let Some(cache) = cache.filter(|_| !binder.volatile && !binder.filtered) else {
        let rows = finish(binder, &bound)?;
        return Ok(ResultSet { columns, rows });
    };
    check(&binder)?;
    let text = format!("{query:?}");
    let objects: Vec<i32> = binder.seen.iter().copied().collect();
    if let Some(found) = cache.find(&text, &objects, &ctx.catalog) {
        return Ok(found);
    }
    let result = ResultSet { columns, rows: finish(binder, &bound)? };
    cache.keep(text, &objects, &ctx.catalog, &result);
    Ok(result)
}

/// Evaluates an expression outside a query.
pub fn evaluate(ctx: &QueryContext, expression: &Expression) -> Result<(SqlType, Value), ServerError> {
    let mut binder = Binder::new(ctx);
    let value = binder.value(&expression.0)?;
    let column = crate::query::bind::OutColumn {
        name: None,
        ty: value.ty,
        nullable: true,
        collation: value.collation,
        null: value.null,
    };
    let bound = Bound { sql: format!("SELECT {} AS c0", value.sql), columns: vec![column], single: true };
    let rows = finish(binder, &bound)?;
    let value = rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(Value::Null);
    Ok((bound.columns[0].ty, value))
}

/// Tests a condition; unknown is not true.
pub fn test(ctx: &QueryContext, condition: &Condition) -> Result<bool, ServerError> {
    let mut binder = Binder::new(ctx);
    let condition = binder.condition(&condition.0)?;
    let column = crate::query::bind::OutColumn {
        name: None,
        ty: SqlType::Bit,
        nullable: true,
        collation: Collation::Insensitive,
        null: false,
    };
    let bound = Bound { sql: format!("SELECT {condition} AS c0"), columns: vec![column], single: true };
    let rows = finish(binder, &bound)?;
    Ok(rows.first().is_some_and(|row| row[0] == Value::Bool(true)))
}

/// Checks permissions, loads what is read and runs.
pub(crate) fn finish(binder: Binder<'_>, bound: &Bound) -> Result<Vec<Vec<Value>>, ServerError> {
    let ctx = binder.ctx;
    check(&binder)?;
    let Binder { ops, loads, filtered, .. } = binder;
    let failure = Failure::default();
    let connection = open(ctx, ops.into_list(), &failure).map_err(|error| failure.or(&error))?;
    for (number, load) in loads.iter().enumerate() {
        fill(ctx, &connection, number, load)?;
    }
    if filtered {
        reveal(collect(&connection, bound, &failure, Some(true)))?;
    }
    let rows = collect(&connection, bound, &failure, filtered.then_some(false));
    if ctx.cancel.asked() {
        return Err(error::cancelled());
    }
    rows
}

/// A filter of a security policy is one condition among others, and the engine may compute what the reader wrote before
/// it: `1 / (salary - 100000)` then fails over a row that the reader does not get. Microsoft documents that as a leak.
/// Here it always fails, so that nobody relies on the order. What is an error of the whole answer says nothing of a row.
fn reveal(all: Result<Vec<Vec<Value>>, ServerError>) -> Result<(), ServerError> {
    const OF_THE_ANSWER: [i32; 4] = [512, 3617, 103_010, 1060];
    match all {
        Err(error) if !OF_THE_ANSWER.contains(&error.number) => Err(error),
        _ => Ok(()),
    }
}

/// The caller needs SELECT on everything that was touched outside an ownership chain.
pub(crate) fn check(binder: &Binder<'_>) -> Result<(), ServerError> {
    for touch in &binder.touches {
        let Some(object) = binder.ctx.catalog.object(touch.object) else { continue };
        if touch.writes && touch.columns.is_empty() {
            continue;
        }
        let columns: Vec<i32> = touch.columns.iter().copied().collect();
        binder.ctx.rights.check(object, &columns, Action::Select)?;
    }
    Ok(())
}

/// The error that an operation raised, which SQLite can only carry as text.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<ServerError>>>);

impl Failure {
    fn set(&self, error: ServerError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// The operation's own error, or what SQLite's means here.
    fn or(&self, error: &rusqlite::Error) -> ServerError {
        let raised = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        raised.unwrap_or_else(|| {
            let text = error.to_string();
            if text.contains("integer overflow") {
                error::expression_overflow("bigint")
            } else {
                tracing::debug!(%text, "query outside the subset");
                error::outside(1, &text)
            }
        })
    }
}

fn open(ctx: &QueryContext, ops: Vec<Op>, failure: &Failure) -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    for collation in [Collation::Insensitive, Collation::Sensitive, Collation::Binary] {
        connection.create_collation(collation.sqlite(), move |left, right| collation.compare(left, right))?;
    }
    let failure = failure.clone();
    let cancel = ctx.cancel.clone();
    // Not marked deterministic: SQLite must not evaluate an operation before its row is reached.
    connection.create_scalar_function("f", -1, FunctionFlags::SQLITE_UTF8, move |call| {
        let wrong = || rusqlite::Error::UserFunctionError("operation".into());
        let number: usize = call.get::<i64>(0)?.try_into().map_err(|_| wrong())?;
        let op = ops.get(number).ok_or_else(wrong)?;
        let mut args = Vec::with_capacity(call.len() - 1);
        for place in 1..call.len() {
            args.push(call.get::<Cell>(place)?);
        }
        let result = if cancel.asked() { Err(error::cancelled()) } else { op(&args) };
        result.map_err(|error| {
            failure.set(error);
            wrong()
        })
    })?;
    Ok(connection)
}

impl ToSql for Field<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Owned(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Creates and fills `l{number}` with the columns that are read, and the place of the row as its rowid.
fn fill(ctx: &QueryContext, connection: &Connection, number: usize, load: &Load) -> Result<(), ServerError> {
    let wrong = |error: rusqlite::Error| error::outside(1, &error.to_string());
    let used: Vec<usize> = load.used.iter().copied().collect();
    let names: Vec<String> = if used.is_empty() {
        vec!["c_none".to_owned()]
    } else {
        used.iter().map(|column| format!("c{column}")).collect()
    };
    let create = format!("CREATE TABLE l{number} ({}); BEGIN", names.join(","));
    connection.execute_batch(&create).map_err(wrong)?;
    let marks = vec!["?"; names.len()].join(",");
    let mut insert = connection
        .prepare(&format!("INSERT INTO l{number} ({}) VALUES ({marks})", names.join(",")))
        .map_err(wrong)?;
    match load.origin {
        Origin::System(view) => view.rows(ctx, &mut |fields| {
            let mut row = used.iter().map(|column| &fields[*column]).collect::<Vec<_>>();
            if row.is_empty() {
                row.push(&Field::Null);
            }
            insert.execute(rusqlite::params_from_iter(row)).map(|_| ()).map_err(wrong)
        })?,
        Origin::Table(id) => {
            let Some(object) = ctx.catalog.object(id) else { return Err(error::invalid_object("table")) };
            for row in object.rows.iter() {
                let mut cells = used
                    .iter()
                    .map(|column| hold(row.get(*column).unwrap_or(&Value::Null), object.columns[*column].ty))
                    .collect::<Result<Vec<Cell>, _>>()?;
                if cells.is_empty() {
                    cells.push(Cell::Null);
                }
                insert.execute(rusqlite::params_from_iter(cells)).map(|_| ()).map_err(wrong)?;
            }
        }
    }
    drop(insert);
    connection.execute_batch("COMMIT").map_err(wrong)
}

fn collect(
    connection: &Connection,
    bound: &Bound,
    failure: &Failure,
    open: Option<bool>,
) -> Result<Vec<Vec<Value>>, ServerError> {
    let fail = |error: rusqlite::Error| failure.or(&error);
    let mut statement = connection.prepare(&bound.sql).map_err(fail)?;
    // The one parameter is that of the filters; SQLite may have dropped them with a part that is not needed.
    let open = open.filter(|_| statement.parameter_count() > 0);
    let mut found = statement.query(rusqlite::params_from_iter(open)).map_err(fail)?;
    let mut rows = Vec::new();
    let width = bound.columns.len();
    while let Some(row) = found.next().map_err(fail)? {
        if rows.len().saturating_mul(width) > MAX_VALUES {
            return Err(error::outside(1, "so large a result"));
        }
        let mut values = Vec::with_capacity(width);
        for (place, column) in bound.columns.iter().enumerate() {
            let cell: Cell = row.get(place).map_err(fail)?;
            values.push(release(cell, column.ty)?);
        }
        rows.push(values);
    }
    Ok(rows)
}
