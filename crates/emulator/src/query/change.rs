//! INSERT, UPDATE and DELETE: what a table holds afterwards.
//!
//! The rows that change are found by a query like any other; the new content is made in memory and given back whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::answer::{ServerError, SqlType, Value};
use crate::catalog::name::same;
use crate::catalog::object::{Object, ObjectKind, TableColumn};
use crate::catalog::permission::Action;
use crate::query::ast::{Body, Change, Delete, Expr, Insert, Source, Update};
use crate::query::bind::set::Place;
use crate::query::bind::{Binder, Bound, OutColumn, Scope, SourceScope};
use crate::query::cell::hold;
use crate::query::context::QueryContext;
use crate::query::types::{Family, family, length};
use crate::query::{convert, error, run, system, types};

/// What a statement did to a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The table.
    pub object_id: i32,
    /// All its rows afterwards.
    pub rows: Arc<Vec<Vec<Value>>>,
    /// How many rows were added, changed or removed.
    pub count: u64,
}

/// Runs a statement that changes rows. The caller stores the result.
pub fn change(ctx: &QueryContext, change: &Change) -> Result<Changed, ServerError> {
    match change {
        Change::Insert(insert) => insert_rows(ctx, insert),
        Change::Update(update) => update_rows(ctx, update),
        Change::Delete(delete) => delete_rows(ctx, delete),
    }
}

/// The table that a statement names.
pub(super) fn target(binder: &Binder<'_>, name: &[String], line: u32) -> Result<Object, ServerError> {
    let Some((table, qualifier)) = name.split_last() else { return Err(error::outside(line, "name")) };
    let schema = qualifier.last().map(String::as_str).filter(|schema| !schema.is_empty());
    if let [.., database, _] = qualifier
        && !same(database, &binder.ctx.session.database)
    {
        return Err(error::invalid_object(&name.join(".")).at_line(line));
    }
    let dedicated = binder.ctx.session.dedicated;
    if schema.is_some_and(|schema| system::find(schema, table, dedicated).is_some()) {
        // 259
        return Err(ServerError::new(259, "Ad hoc updates to system catalogs are not allowed.").at_line(line));
    }
    match binder.object(schema, table) {
        Some(object) if object.kind == ObjectKind::Table => Ok(object.clone()),
        Some(object) if object.kind == ObjectKind::View => {
            Err(error::not_updatable(&object.name).at_line(line))
        }
        _ => Err(error::invalid_object(&name.join(".")).at_line(line)),
    }
}

fn insert_rows(ctx: &QueryContext, insert: &Insert) -> Result<Changed, ServerError> {
    let mut binder = Binder::new(ctx);
    let table = target(&binder, &insert.table, insert.line)?;
    ctx.rights.check(&table, &[], Action::Insert)?;
    let places = insert_places(&table, insert)?;
    let mut added: Vec<Vec<Value>> = Vec::new();
    match &insert.rows {
        None => added.push(Vec::new()),
        Some(query) => {
            let bound = binder.root(query, Place::Statement)?;
            if bound.columns.len() != places.len() {
                return Err(count_error(insert, &bound, places.len()).at_line(insert.line));
            }
            let own: Vec<OutColumn> = bound.columns.clone();
            for row in run::finish(binder, &bound)? {
                let mut values = Vec::with_capacity(row.len());
                for ((value, from), place) in row.into_iter().zip(&own).zip(&places) {
                    values.push(assign(ctx, &table, &table.columns[*place], &value, from)?);
                }
                added.push(values);
            }
        }
    }
    let count = added.len() as u64;
    let mut rows = table.rows.as_ref().clone();
    let mut identities = next_identities(&table);
    for values in added {
        rows.push(complete(ctx, &table, &places, values, &mut identities)?);
    }
    Ok(Changed { object_id: table.id, rows: Arc::new(rows), count })
}

fn count_error(insert: &Insert, bound: &Bound, places: usize) -> ServerError {
    let values = matches!(insert.rows.as_ref().map(|query| &query.body), Some(Body::Values(_)));
    match (insert.columns.is_empty(), values) {
        (false, true) if bound.columns.len() > places => error::insert_fewer(),
        (false, true) => error::insert_more(),
        _ => error::insert_count(),
    }
}

/// Places of the columns that are given, in the order given.
pub(super) fn insert_places(table: &Object, insert: &Insert) -> Result<Vec<usize>, ServerError> {
    if insert.columns.is_empty() {
        return Ok((0..table.columns.len())
            .filter(|place| table.columns[*place].identity.is_none())
            .collect());
    }
    let mut places = Vec::new();
    for name in &insert.columns {
        let Some(place) = table.columns.iter().position(|column| same(&column.name, name)) else {
            return Err(error::invalid_column(name).at_line(insert.line));
        };
        if places.contains(&place) {
            return Err(error::insert_twice(name).at_line(insert.line));
        }
        if table.columns[place].identity.is_some() {
            return Err(error::identity_insert(&table.name).at_line(insert.line));
        }
        places.push(place);
    }
    Ok(places)
}

/// The next value of each identity column: after the last one that the table holds.
pub(super) fn next_identities(table: &Object) -> BTreeMap<usize, (i64, i64)> {
    let mut next = BTreeMap::new();
    for (place, column) in table.columns.iter().enumerate() {
        if let Some((seed, increment)) = column.identity {
            let used = table.rows.iter().filter_map(|row| match row.get(place) {
                Some(Value::Int(number)) => Some(*number),
                _ => None,
            });
            let last = if increment < 0 { used.min() } else { used.max() };
            next.insert(place, (last.map_or(seed, |last| last.saturating_add(increment)), increment));
        }
    }
    next
}

/// A whole row: given values, identities, defaults, NULL.
pub(super) fn complete(
    ctx: &QueryContext,
    table: &Object,
    places: &[usize],
    values: Vec<Value>,
    identities: &mut BTreeMap<usize, (i64, i64)>,
) -> Result<Vec<Value>, ServerError> {
    let mut given: BTreeMap<usize, Value> = places.iter().copied().zip(values).collect();
    let mut row = Vec::with_capacity(table.columns.len());
    for (place, column) in table.columns.iter().enumerate() {
        let value = if let Some(value) = given.remove(&place) {
            value
        } else if let Some((next, step)) = identities.get_mut(&place) {
            let value = Value::Int(*next);
            *next = next.saturating_add(*step);
            value
        } else {
            column.default.clone().unwrap_or(Value::Null)
        };
        if value == Value::Null && !column.nullable {
            let name = full_name(ctx, table);
            return Err(error::null_inserted(&column.name, &name, "INSERT"));
        }
        row.push(value);
    }
    Ok(row)
}

fn full_name(ctx: &QueryContext, table: &Object) -> String {
    let schema = ctx.catalog.schema(table.schema).map_or("dbo", |schema| schema.name.as_str());
    format!("{}.{schema}.{}", ctx.catalog.database(), table.name)
}

/// A value as a column takes it: converted, and refused when text or bytes would be cut.
pub(super) fn assign(
    ctx: &QueryContext,
    table: &Object,
    column: &TableColumn,
    value: &Value,
    from: &OutColumn,
) -> Result<Value, ServerError> {
    if *value == Value::Null {
        return Ok(Value::Null);
    }
    if !types::implicit(from.ty, column.ty) {
        return Err(error::clash(error::type_name(from.ty), error::type_name(column.ty)));
    }
    let width = usize::from(length(column.ty));
    let too_long = width > 0
        && match (value, family(column.ty)) {
            (Value::Text(text), Family::Text) => {
                let kept = text.trim_end_matches(' ');
                kept.encode_utf16().count() > width
            }
            (Value::Bytes(bytes), Family::Binary) => bytes.len() > width,
            _ => false,
        };
    if too_long {
        let shown = match value {
            Value::Text(text) => text.chars().take(width).collect(),
            _ => String::new(),
        };
        return Err(error::truncated(&full_name(ctx, table), &column.name, &shown));
    }
    let held = hold(value, from.ty)?;
    let cast = convert::cast(&held, from.ty, column.ty, None)?;
    crate::query::cell::release(cast, column.ty)
}

/// A statement's own FROM, or the table alone; and the SQL name of the table to change.
fn sources(
    binder: &mut Binder<'_>,
    name: &[String],
    from: Option<&Source>,
    line: u32,
) -> Result<(Object, String, String, Vec<SourceScope>), ServerError> {
    let mut found = Vec::new();
    let (sql, wanted) = match from {
        None => {
            let table = target(binder, name, line)?;
            let source = Source::Named { name: name.to_vec(), alias: None, line };
            (binder.source(&source, &mut found)?, table.name)
        }
        Some(from) => (binder.source(from, &mut found)?, name.last().cloned().unwrap_or_default()),
    };
    let matching: Vec<usize> = (0..found.len()).filter(|place| same(&found[*place].name, &wanted)).collect();
    let [place] = matching.as_slice() else {
        return Err(error::outside(line, &wanted));
    };
    let Some(load) = found[*place].load else { return Err(error::not_updatable(&wanted).at_line(line)) };
    let crate::query::bind::Origin::Table(id) = binder.loads[load].origin else {
        return Err(error::not_updatable(&wanted).at_line(line));
    };
    let table = binder.ctx.catalog.object(id).cloned().ok_or_else(|| error::invalid_object(&wanted))?;
    let row = format!("{}.rowid", found[*place].sql);
    Ok((table, row, sql, found))
}

/// Rows that a filter selects: the place of each row in the table, and the values beside it.
fn selected(
    mut binder: Binder<'_>,
    row: &str,
    from: &str,
    filter: Option<&Expr>,
    values: &[(String, OutColumn)],
) -> Result<Vec<Vec<Value>>, ServerError> {
    let mut sql = format!("SELECT {row} AS c0");
    let mut columns = vec![OutColumn {
        name: None,
        ty: SqlType::BigInt,
        nullable: true,
        collation: crate::query::collation::Collation::Insensitive,
        null: false,
    }];
    for (place, (value, column)) in values.iter().enumerate() {
        let _ = write!(sql, ",{value} AS c{}", place + 1);
        columns.push(column.clone());
    }
    let _ = write!(sql, " FROM {from}");
    if let Some(filter) = filter {
        let _ = write!(sql, " WHERE {}", binder.condition(filter)?);
    }
    binder.scopes.pop();
    run::finish(binder, &Bound { sql, columns, single: false })
}

/// The place in the table of a selected row; rows that an outer join made up have none.
fn place_of(row: &[Value]) -> Option<usize> {
    match row.first() {
        Some(Value::Int(number)) => usize::try_from(number - 1).ok(),
        _ => None,
    }
}

fn update_rows(ctx: &QueryContext, update: &Update) -> Result<Changed, ServerError> {
    let mut binder = Binder::new(ctx);
    let (table, row, from, found) = sources(&mut binder, &update.table, update.from.as_ref(), update.line)?;
    binder.scopes.push(Scope { sources: found, ..Scope::default() });
    let mut places = Vec::new();
    let mut values = Vec::new();
    for (name, expr) in &update.set {
        let Some(place) = table.columns.iter().position(|column| same(&column.name, name)) else {
            return Err(error::invalid_column(name).at_line(update.line));
        };
        if places.contains(&place) {
            return Err(error::insert_twice(name).at_line(update.line));
        }
        if table.columns[place].identity.is_some() {
            return Err(error::identity_update(name).at_line(update.line));
        }
        places.push(place);
        let value = binder.value(expr)?;
        let column = OutColumn {
            name: None,
            ty: value.ty,
            nullable: true,
            collation: value.collation,
            null: value.null,
        };
        values.push((value.sql, column));
    }
    let ids: Vec<i32> = places.iter().map(|place| table.columns[*place].id).collect();
    ctx.rights.check(&table, &ids, Action::Update)?;
    drop_unread(&mut binder, table.id);
    let found = selected(binder, &row, &from, update.filter.as_ref(), &values)?;
    let mut rows = table.rows.as_ref().clone();
    let mut done = BTreeSet::new();
    for mut row in found {
        let Some(at) = place_of(&row) else { continue };
        if !done.insert(at) {
            // Which of several matches the engine takes is open, so no answer would be faithful.
            return Err(error::outside(update.line, "UPDATE of a row that is joined twice"));
        }
        let given = row.split_off(1);
        for ((value, place), (_, from)) in given.iter().zip(&places).zip(&values) {
            let column = &table.columns[*place];
            let value = if from.null { Value::Null } else { assign(ctx, &table, column, value, from)? };
            if value == Value::Null && !column.nullable {
                return Err(error::null_inserted(&column.name, &full_name(ctx, &table), "UPDATE"));
            }
            rows[at][*place] = value;
        }
    }
    Ok(Changed { object_id: table.id, rows: Arc::new(rows), count: done.len() as u64 })
}

fn delete_rows(ctx: &QueryContext, delete: &Delete) -> Result<Changed, ServerError> {
    let mut binder = Binder::new(ctx);
    let (table, row, from, found) = sources(&mut binder, &delete.table, delete.from.as_ref(), delete.line)?;
    binder.scopes.push(Scope { sources: found, ..Scope::default() });
    ctx.rights.check(&table, &[], Action::Delete)?;
    // Naming no column needs no SELECT.
    let found = selected_without_select(binder, table.id, &row, &from, delete.filter.as_ref())?;
    let gone: BTreeSet<usize> = found.iter().filter_map(|row| place_of(row)).collect();
    let rows: Vec<Vec<Value>> = table
        .rows
        .iter()
        .enumerate()
        .filter(|(place, _)| !gone.contains(place))
        .map(|(_, row)| row.clone())
        .collect();
    Ok(Changed { object_id: table.id, rows: Arc::new(rows), count: gone.len() as u64 })
}

/// The table to change needs SELECT only if one of its columns is read.
fn drop_unread(binder: &mut Binder<'_>, table: i32) {
    for touch in &mut binder.touches {
        touch.writes |= touch.object == table;
    }
}

fn selected_without_select(
    mut binder: Binder<'_>,
    table: i32,
    row: &str,
    from: &str,
    filter: Option<&Expr>,
) -> Result<Vec<Vec<Value>>, ServerError> {
    drop_unread(&mut binder, table);
    selected(binder, row, from, filter, &[])
}
