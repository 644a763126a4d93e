//! Names to ids and back: OBJECT_ID, SCHEMA_NAME, DB_NAME, COL_NAME, TYPE_NAME.

use std::sync::Arc;

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::catalog::Catalog;
use crate::catalog::name::same;
use crate::catalog::object::Object;
use crate::query::ast::Call;
use crate::query::bind::expression::literal;
use crate::query::bind::{Binder, Typed};
use crate::query::context::{Rights, SessionFacts};
use crate::query::functions::{Answered, int, text};
use crate::query::system::{self, TYPES};

type Bound = Result<Typed, ServerError>;

const SYSNAME: SqlType = SqlType::NVarChar(128);

pub(super) fn bind(binder: &mut Binder<'_>, name: &str, call: &Call) -> Answered {
    Some(match name {
        "DB_NAME" => db_name(binder, call),
        "DB_ID" => db_id(binder, call),
        "OBJECT_ID" => object_id_of(binder, call),
        "OBJECT_NAME" => of_object(binder, call, name, |_, object| object.name.clone()),
        "OBJECT_SCHEMA_NAME" => of_object(binder, call, name, |catalog, object| {
            catalog.schema(object.schema).map_or_else(String::new, |schema| schema.name.clone())
        }),
        "OBJECT_DEFINITION" => object_definition(binder, call),
        "SCHEMA_ID" => schema_id(binder, call),
        "SCHEMA_NAME" => schema_name(binder, call),
        "COL_NAME" => col_name(binder, call),
        "TYPE_NAME" => type_name(binder, call),
        "TYPE_ID" => type_id(binder, call),
        _ => return None,
    })
}

fn nullable(typed: Typed) -> Typed {
    Typed { nullable: true, ..typed }
}

fn db_name(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 0, 1)?;
    let name = binder.ctx.session.database.clone();
    let Some(id) = args.first() else {
        return Ok(Typed::new(literal(&Cell::Text(name)), SYSNAME, false));
    };
    let id = binder.coerce(id, SqlType::BigInt)?;
    let databases = binder.ctx.session.databases.clone();
    Ok(nullable(binder.strict("db_name", &[&id], SYSNAME, move |cells| {
        let asked = int(&cells[0])?;
        let found = databases.iter().find(|(id, _)| *id == asked);
        Ok(found.map_or(Cell::Null, |(_, name)| Cell::Text(name.clone())))
    })))
}

fn db_id(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 0, 1)?;
    let Some(name) = args.first() else {
        let own = binder.ctx.session.database_id;
        return Ok(Typed::new(own.to_string(), SqlType::SmallInt, false));
    };
    let name = binder.textual(name)?;
    let databases = binder.ctx.session.databases.clone();
    Ok(nullable(binder.strict("db_id", &[&name], SqlType::SmallInt, move |cells| {
        let asked = text(&cells[0])?;
        let found = databases.iter().find(|(_, name)| same(asked, name));
        Ok(found.map_or(Cell::Null, |(id, _)| Cell::Integer(*id)))
    })))
}

/// The id of a user object or of a system view.
pub(super) fn object_id(
    catalog: &Catalog,
    session: &SessionFacts,
    schema: Option<&str>,
    name: &str,
) -> Option<i32> {
    let named = |schema: &str| {
        catalog
            .schema_named(schema)
            .and_then(|schema| catalog.object_named(schema.id, name))
            .map(|object| object.id)
    };
    match schema.filter(|schema| !schema.is_empty()) {
        Some(schema) => named(schema)
            .or_else(|| system::find(schema, name, session.dedicated).map(system::SystemView::id)),
        None => named(&session.default_schema)
            .or_else(|| named("dbo"))
            .or_else(|| system::find_bare(name, session.dedicated).map(system::SystemView::id)),
    }
}

fn object_id_of(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 2)?;
    let name = binder.textual(&args[0])?;
    let mut parts = vec![name];
    if let Some(kind) = args.get(1) {
        parts.push(binder.textual(kind)?);
    }
    let (catalog, rights, session) = facts(binder);
    let all: Vec<&Typed> = parts.iter().collect();
    Ok(nullable(binder.strict("object_id", &all, SqlType::Int, move |cells| {
        let Some(parts) = super::text::name_parts(text(&cells[0])?) else { return Ok(Cell::Null) };
        let (schema, name) = match parts.as_slice() {
            [name] => (None, name),
            [schema, name] => (Some(schema.as_str()), name),
            [database, schema, name] if same(database, &session.database) => (Some(schema.as_str()), name),
            _ => return Ok(Cell::Null),
        };
        let Some(id) = object_id(&catalog, &session, schema, name) else { return Ok(Cell::Null) };
        if let Some(object) = catalog.object(id) {
            let kind = cells.get(1).map(text).transpose()?;
            let other_kind = kind.is_some_and(|kind| !same(kind, object.kind.letter()));
            if other_kind || !rights.sees_object(object) {
                return Ok(Cell::Null);
            }
        } else if cells.get(1).map(text).transpose()?.is_some_and(|kind| !same(kind, "V")) {
            return Ok(Cell::Null);
        }
        Ok(Cell::Integer(i64::from(id)))
    })))
}

fn facts(binder: &Binder<'_>) -> (Arc<Catalog>, Arc<dyn Rights>, SessionFacts) {
    (Arc::clone(&binder.ctx.catalog), Arc::clone(&binder.ctx.rights), binder.ctx.session.clone())
}

/// A second argument names the database; only this one is known.
fn of_object(
    binder: &mut Binder<'_>,
    call: &Call,
    key: &str,
    value: fn(&Catalog, &Object) -> String,
) -> Bound {
    let args = binder.arguments(call, 1, 2)?;
    let id = binder.coerce(&args[0], SqlType::BigInt)?;
    let mut parts = vec![id];
    if let Some(database) = args.get(1) {
        parts.push(binder.coerce(database, SqlType::BigInt)?);
    }
    let (catalog, rights, session) = facts(binder);
    let schema_wanted = key == "OBJECT_SCHEMA_NAME";
    let all: Vec<&Typed> = parts.iter().collect();
    Ok(nullable(binder.strict(key, &all, SYSNAME, move |cells| {
        if cells.len() > 1 && int(&cells[1])? != session.database_id {
            return Ok(Cell::Null);
        }
        let Ok(id) = i32::try_from(int(&cells[0])?) else { return Ok(Cell::Null) };
        if let Some(view) = system::by_id(id, session.dedicated) {
            return Ok(Cell::Text(if schema_wanted { view.schema() } else { view.name() }.to_owned()));
        }
        Ok(match catalog.object(id) {
            Some(object) if rights.sees_object(object) => Cell::Text(value(&catalog, object)),
            _ => Cell::Null,
        })
    })))
}

fn object_definition(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let id = binder.coerce(&args[0], SqlType::BigInt)?;
    let (catalog, rights, _) = facts(binder);
    Ok(nullable(binder.strict("object_definition", &[&id], SqlType::NVarChar(0), move |cells| {
        let found = i32::try_from(int(&cells[0])?).ok().and_then(|id| catalog.object(id));
        Ok(match found {
            Some(object) if rights.sees_definition(object) => {
                object.definition.clone().map_or(Cell::Null, Cell::Text)
            }
            _ => Cell::Null,
        })
    })))
}

fn schema_id(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 0, 1)?;
    let catalog = Arc::clone(&binder.ctx.catalog);
    let Some(name) = args.first() else {
        let own = catalog
            .schema_named(&binder.ctx.session.default_schema)
            .map_or(Cell::Null, |schema| Cell::Integer(i64::from(schema.id)));
        return Ok(Typed::new(literal(&own), SqlType::Int, true));
    };
    let name = binder.textual(name)?;
    Ok(nullable(binder.strict("schema_id", &[&name], SqlType::Int, move |cells| {
        Ok(catalog
            .schema_named(text(&cells[0])?)
            .map_or(Cell::Null, |schema| Cell::Integer(i64::from(schema.id))))
    })))
}

fn schema_name(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 0, 1)?;
    let Some(id) = args.first() else {
        let name = binder.ctx.session.default_schema.clone();
        return Ok(Typed::new(literal(&Cell::Text(name)), SYSNAME, true));
    };
    let id = binder.coerce(id, SqlType::BigInt)?;
    let catalog = Arc::clone(&binder.ctx.catalog);
    Ok(nullable(binder.strict("schema_name", &[&id], SYSNAME, move |cells| {
        let found = i32::try_from(int(&cells[0])?).ok().and_then(|id| catalog.schema(id));
        Ok(found.map_or(Cell::Null, |schema| Cell::Text(schema.name.clone())))
    })))
}

fn col_name(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 2, 2)?;
    let (id, column) = (binder.coerce(&args[0], SqlType::BigInt)?, binder.coerce(&args[1], SqlType::BigInt)?);
    let (catalog, rights, session) = facts(binder);
    Ok(nullable(binder.strict("col_name", &[&id, &column], SYSNAME, move |cells| {
        let (Ok(id), column) = (i32::try_from(int(&cells[0])?), int(&cells[1])?) else {
            return Ok(Cell::Null);
        };
        if let Some(view) = system::by_id(id, session.dedicated) {
            let place = usize::try_from(column - 1).ok();
            let name = place.and_then(|place| view.columns().get(place)).map(|column| column.name);
            return Ok(name.map_or(Cell::Null, |name| Cell::Text(name.to_owned())));
        }
        let Some(object) = catalog.object(id).filter(|object| rights.sees_object(object)) else {
            return Ok(Cell::Null);
        };
        let found = object.columns.iter().find(|candidate| i64::from(candidate.id) == column);
        Ok(found.map_or(Cell::Null, |column| Cell::Text(column.name.clone())))
    })))
}

fn type_name(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let id = binder.coerce(&args[0], SqlType::BigInt)?;
    Ok(nullable(binder.strict("type_name", &[&id], SYSNAME, |cells| {
        let id = int(&cells[0])?;
        Ok(TYPES.iter().find(|ty| ty.user_id == id).map_or(Cell::Null, |ty| Cell::Text(ty.name.to_owned())))
    })))
}

fn type_id(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let name = binder.textual(&args[0])?;
    Ok(nullable(binder.strict("type_id", &[&name], SqlType::Int, |cells| {
        let name = text(&cells[0])?;
        let plain = name.strip_prefix("sys.").unwrap_or(name);
        Ok(TYPES.iter().find(|ty| same(ty.name, plain)).map_or(Cell::Null, |ty| Cell::Integer(ty.user_id)))
    })))
}
