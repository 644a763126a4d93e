//! SERVERPROPERTY, DATABASEPROPERTYEX, CONNECTIONPROPERTY, CONTEXT functions about the server.

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::catalog::name::same;
use crate::query::ast::{Call, Expr};
use crate::query::bind::expression::literal;
use crate::query::bind::{Binder, Typed};
use crate::query::error;
use crate::query::functions::Answered;

/// Version that the engine states of itself.
const PRODUCT_VERSION: &str = "12.0.2000.8";
/// Collation of server and database, where no other one is said, and of columns.
pub(crate) const COLLATION: &str = "SQL_Latin1_General_CP1_CI_AS";

pub(super) fn bind(binder: &mut Binder<'_>, name: &str, call: &Call) -> Answered {
    Some(match name {
        "SERVERPROPERTY" => server(binder, call),
        "DATABASEPROPERTYEX" => database(binder, call),
        _ => return None,
    })
}

/// The name of the property; it decides the type, so it must be a constant.
fn constant(expr: Option<&Expr>, line: u32) -> Result<&str, ServerError> {
    match expr {
        Some(Expr::Text { value, .. }) => Ok(value),
        _ => Err(error::outside(line, "computed property")),
    }
}

fn word(value: &str) -> Typed {
    Typed::new(literal(&Cell::Text(value.to_owned())), SqlType::NVarChar(128), true)
}

fn number(value: i64) -> Typed {
    Typed::new(literal(&Cell::Integer(value)), SqlType::Int, true)
}

fn unknown() -> Typed {
    Typed::new("NULL".to_owned(), SqlType::NVarChar(128), true)
}

fn server(binder: &mut Binder<'_>, call: &Call) -> Result<Typed, ServerError> {
    binder.arguments(call, 1, 1)?;
    let session = &binder.ctx.session;
    let name = constant(call.args.first(), call.line)?.to_ascii_lowercase();
    Ok(match name.as_str() {
        "edition" => word("SQL Azure"),
        "editionid" => Typed::new("1674378470".to_owned(), SqlType::BigInt, true),
        "engineedition" => number(if session.dedicated { 6 } else { 11 }),
        "productversion" => word(PRODUCT_VERSION),
        "productlevel" => word("RTM"),
        "productmajorversion" => word("12"),
        "productminorversion" => word("0"),
        "servername" | "machinename" => word(&session.server_name),
        "collation" => word(&session.collation),
        "lcid" => number(1033),
        "sqlcharset" => number(1),
        "sqlcharsetname" => word("iso_1"),
        "isclustered"
        | "isfulltextinstalled"
        | "isintegratedsecurityonly"
        | "issingleuser"
        | "ishadrenabled"
        | "ispolybaseinstalled"
        | "isxtpsupported"
        | "islocaldb" => number(0),
        _ => unknown(),
    })
}

fn database(binder: &mut Binder<'_>, call: &Call) -> Result<Typed, ServerError> {
    let args = binder.arguments(call, 2, 2)?;
    let own = binder.ctx.session.database.clone();
    let dedicated = binder.ctx.session.dedicated;
    let property = constant(call.args.get(1), call.line)?.to_ascii_lowercase();
    let value = match property.as_str() {
        "collation" => word(&binder.ctx.session.collation),
        "edition" => word(if dedicated { "DataWarehouse" } else { "System" }),
        "serviceobjective" if dedicated => word("DW100c"),
        "status" => word("ONLINE"),
        "updateability" => word("READ_WRITE"),
        "useraccess" => word("MULTI_USER"),
        "recovery" => word("FULL"),
        "version" => number(904),
        "lcid" => number(1033),
        "sqlsortorder" => number(52),
        "isansinullsenabled" | "isquotedidentifiersenabled" => number(1),
        "isautoclose" | "isautoshrink" | "isfulltextenabled" | "isinstandby" => number(0),
        _ => unknown(),
    };
    let name = binder.textual(&args[0])?;
    // Another database has no properties here.
    let known = binder.strict("own database", &[&name], SqlType::Bit, move |cells| match &cells[0] {
        Cell::Text(name) => Ok(Cell::Integer(i64::from(same(name, &own)))),
        other => Ok(other.clone()),
    });
    Ok(Typed { sql: format!("CASE WHEN {} THEN {} END", known.sql, value.sql), nullable: true, ..value })
}
