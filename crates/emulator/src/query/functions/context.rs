//! Who asks, and what he may do: USER_NAME, IS_ROLEMEMBER, SESSION_CONTEXT and their like.

use std::sync::Arc;

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::catalog::name::same;
use crate::catalog::permission::{Action, Class, Securable};
use crate::catalog::principal::Principal;
use crate::query::ast::{Call, Expr};
use crate::query::bind::expression::literal;
use crate::query::bind::{Binder, Typed};
use crate::query::cell::hold;
use crate::query::error;
use crate::query::functions::{Answered, int, text};

type Bound = Result<Typed, ServerError>;

const SYSNAME: SqlType = SqlType::NVarChar(128);

pub(super) fn bind(binder: &mut Binder<'_>, name: &str, call: &Call) -> Answered {
    let session = &binder.ctx.session;
    let fixed = |value: &str| (value.to_owned(), SYSNAME);
    let constant = match name {
        "CURRENT_USER" | "SESSION_USER" | "USER" => Some(fixed(&session.user_name)),
        "USER_NAME" if call.args.is_empty() => Some(fixed(&session.user_name)),
        "SYSTEM_USER" => Some(fixed(&session.login_name)),
        "SUSER_SNAME" | "SUSER_NAME" if call.args.is_empty() => Some(fixed(&session.login_name)),
        "ORIGINAL_LOGIN" => Some(fixed(&session.original_login)),
        "HOST_NAME" => Some(fixed(&session.host_name)),
        "APP_NAME" => Some(fixed(&session.app_name)),
        "SESSION_ID" if session.dedicated => Some((session.session_id.clone(), SqlType::NVarChar(32))),
        _ => None,
    };
    if let Some((value, ty)) = constant {
        return Some(
            binder.arguments(call, 0, 0).map(|_| Typed::new(literal(&Cell::Text(value)), ty, false)),
        );
    }
    Some(match name {
        "USER_NAME" => user_name(binder, call),
        "USER_ID" | "DATABASE_PRINCIPAL_ID" => user_id(binder, call),
        "SUSER_SID" if call.args.is_empty() => Ok(Typed::new(
            literal(&Cell::Blob(binder.ctx.session.sid.clone())),
            SqlType::VarBinary(85),
            false,
        )),
        "IS_ROLEMEMBER" => role_member(binder, call),
        "IS_MEMBER" => member(binder, call),
        "IS_SRVROLEMEMBER" if !session.dedicated => server_role_member(binder, call),
        "HAS_PERMS_BY_NAME" => has_permission(binder, call),
        "HAS_DBACCESS" => has_access(binder, call),
        "SESSION_CONTEXT" => session_context(binder, call),
        "XACT_STATE" => {
            let state = i64::from(binder.ctx.session.transaction_state);
            binder
                .arguments(call, 0, 0)
                .map(|_| Typed::new(literal(&Cell::Integer(state)), SqlType::SmallInt, false))
        }
        "ROWCOUNT_BIG" => {
            let count = binder.ctx.session.row_count;
            binder
                .arguments(call, 0, 0)
                .map(|_| Typed::new(literal(&Cell::Integer(count)), SqlType::BigInt, false))
        }
        _ => return None,
    })
}

/// A principal's row as functions give it out: only what the caller may see.
fn visible(cell: Option<&Principal>, value: impl Fn(&Principal) -> Cell) -> Cell {
    cell.map_or(Cell::Null, value)
}

fn user_name(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let id = binder.coerce(&args[0], SqlType::BigInt)?;
    let catalog = Arc::clone(&binder.ctx.catalog);
    let typed = binder.strict("user_name", &[&id], SYSNAME, move |cells| {
        let id = i32::try_from(int(&cells[0])?).ok();
        Ok(visible(id.and_then(|id| catalog.principal(id)), |found| Cell::Text(found.name.clone())))
    });
    Ok(Typed { nullable: true, ..typed })
}

fn user_id(binder: &mut Binder<'_>, call: &Call) -> Bound {
    if call.args.is_empty() {
        let id = i64::from(binder.ctx.session.user_id);
        return Ok(Typed::new(literal(&Cell::Integer(id)), SqlType::Int, false));
    }
    let args = binder.arguments(call, 1, 1)?;
    let name = binder.textual(&args[0])?;
    let catalog = Arc::clone(&binder.ctx.catalog);
    let typed = binder.strict("user_id", &[&name], SqlType::Int, move |cells| {
        Ok(visible(catalog.principal_named(text(&cells[0])?), |found| Cell::Integer(i64::from(found.id))))
    });
    Ok(Typed { nullable: true, ..typed })
}

fn answer(member: Option<bool>) -> Cell {
    member.map_or(Cell::Null, |member| Cell::Integer(i64::from(member)))
}

fn role_member(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 2)?;
    let names = args.iter().map(|arg| binder.textual(arg)).collect::<Result<Vec<_>, _>>()?;
    let rights = Arc::clone(&binder.ctx.rights);
    let parts: Vec<&Typed> = names.iter().collect();
    let typed = binder.strict("is_rolemember", &parts, SqlType::Int, move |cells| {
        let principal = cells.get(1).map(text).transpose()?;
        Ok(answer(rights.is_role_member(text(&cells[0])?, principal)))
    });
    Ok(Typed { nullable: true, ..typed })
}

fn member(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let name = binder.textual(&args[0])?;
    let rights = Arc::clone(&binder.ctx.rights);
    let typed = binder.strict("is_member", &[&name], SqlType::Int, move |cells| {
        Ok(answer(rights.is_member(text(&cells[0])?)))
    });
    Ok(Typed { nullable: true, ..typed })
}

/// Of the caller only.
fn server_role_member(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let name = binder.textual(&args[0])?;
    let rights = Arc::clone(&binder.ctx.rights);
    let typed = binder.strict("is_srvrolemember", &[&name], SqlType::Int, move |cells| {
        Ok(answer(rights.is_server_role_member(text(&cells[0])?)))
    });
    Ok(Typed { nullable: true, ..typed })
}

/// HAS_PERMS_BY_NAME(securable, class, permission): databases, schemas, objects, roles and users; the server, where neither securable
/// nor class is said.
fn has_permission(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 3, 3)?;
    let texts = args.iter().map(|arg| binder.textual(arg)).collect::<Result<Vec<_>, _>>()?;
    let rights = Arc::clone(&binder.ctx.rights);
    let catalog = Arc::clone(&binder.ctx.catalog);
    let session = binder.ctx.session.clone();
    let parts: Vec<&Typed> = texts.iter().collect();
    Ok(binder.apply("has_perms_by_name", &parts, SqlType::Int, move |cells| {
        if let (Cell::Null, Cell::Null, Cell::Text(permission)) = (&cells[0], &cells[1], &cells[2]) {
            let held = rights.has_at_server(permission);
            return Ok(held.map_or(Cell::Null, |held| Cell::Integer(i64::from(held))));
        }
        let (Cell::Text(class), Cell::Text(permission)) = (&cells[1], &cells[2]) else {
            return Ok(Cell::Null);
        };
        let securable = match &cells[0] {
            Cell::Text(name) => Some(name.as_str()),
            _ => None,
        };
        if permission.eq_ignore_ascii_case("ANY") {
            return Err(error::outside(1, "HAS_PERMS_BY_NAME ANY"));
        }
        let Some(action) = Action::by_name(permission) else { return Ok(Cell::Null) };
        let unquoted = securable.and_then(super::text::name_parts);
        let last = unquoted.as_ref().and_then(|parts| parts.last().cloned());
        let on = match (class.to_ascii_uppercase().as_str(), last) {
            ("DATABASE", None) => Some(Securable::DATABASE),
            ("DATABASE", Some(name)) => same(&name, &session.database).then_some(Securable::DATABASE),
            ("SCHEMA", Some(name)) => catalog.schema_named(&name).map(|schema| Securable::schema(schema.id)),
            ("OBJECT", Some(name)) => {
                let parts = unquoted.unwrap_or_default();
                let schema = parts.len().checked_sub(2).map(|at| parts[at].as_str());
                super::names::object_id(&catalog, &session, schema, &name).map(Securable::object)
            }
            ("USER" | "ROLE", Some(name)) => {
                catalog.principal_named(&name).map(|found| Securable::principal(found.id))
            }
            _ => return Err(error::outside(1, "HAS_PERMS_BY_NAME")),
        };
        let Some(on) = on else { return Ok(Cell::Null) };
        let user =
            on.class == Class::Principal && catalog.principal(on.major).is_some_and(|found| !found.is_role());
        if !action.fits(on.class, user) {
            return Ok(Cell::Null);
        }
        Ok(Cell::Integer(i64::from(rights.has(action, on))))
    }))
}

fn has_access(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let args = binder.arguments(call, 1, 1)?;
    let name = binder.textual(&args[0])?;
    let database = binder.ctx.session.database.clone();
    let typed = binder.strict("has_dbaccess", &[&name], SqlType::Int, move |cells| {
        let name = text(&cells[0])?;
        Ok(if same(name, &database) {
            Cell::Integer(1)
        } else if same(name, "master") {
            Cell::Integer(0)
        } else {
            Cell::Null
        })
    });
    Ok(Typed { nullable: true, ..typed })
}

/// The value has the type with which it was set; a key that was not set is NULL.
fn session_context(binder: &mut Binder<'_>, call: &Call) -> Bound {
    let [Expr::Text { value: key, .. }] = call.args.as_slice() else {
        return Err(error::outside(call.line, "SESSION_CONTEXT"));
    };
    Ok(match binder.ctx.session.context.get(&key.to_lowercase()) {
        Some((ty, value)) => Typed::new(literal(&hold(value, *ty)?), *ty, true),
        None => Typed::new("NULL".to_owned(), SqlType::NVarChar(4000), true),
    })
}
