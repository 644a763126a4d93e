//! `@@` variables.

use rusqlite::types::Value as Cell;

use crate::answer::{ServerError, SqlType};
use crate::query::bind::expression::literal;
use crate::query::bind::{Binder, Typed};
use crate::query::error;

/// Binds one `@@` variable; 137 if there is none of this name.
pub(crate) fn global(binder: &mut Binder<'_>, name: &str, line: u32) -> Result<Typed, ServerError> {
    let session = &binder.ctx.session;
    let word =
        |value: &str| Typed::new(literal(&Cell::Text(value.to_owned())), SqlType::NVarChar(300), false);
    let number = |value: i64, ty| Typed::new(literal(&Cell::Integer(value)), ty, false);
    Ok(match name.to_ascii_lowercase().as_str() {
        "@@version" if session.dedicated => word(
            "Microsoft Azure SQL Data Warehouse - 10.0.18111.0 Mar 12 2024 12:00:00 Copyright (c) Microsoft Corporation",
        ),
        "@@version" => word(
            "Microsoft SQL Azure (RTM) - 12.0.2000.8 Mar 12 2024 12:00:00 Copyright (C) Microsoft Corporation",
        ),
        "@@spid" => number(i64::from(session.spid), SqlType::SmallInt),
        "@@trancount" => number(i64::from(session.transactions), SqlType::Int),
        "@@error" => number(i64::from(session.last_error), SqlType::Int),
        "@@rowcount" => number(session.row_count, SqlType::Int),
        "@@language" => word("us_english"),
        "@@langid" => number(0, SqlType::SmallInt),
        "@@datefirst" => number(7, SqlType::TinyInt),
        "@@max_precision" => number(38, SqlType::TinyInt),
        "@@microsoftversion" => number(0x0c00_07d0, SqlType::Int),
        "@@servername" => word(&session.server_name),
        "@@servicename" => word("MSSQLSERVER"),
        "@@options" => number(5496, SqlType::Int),
        "@@textsize" | "@@lock_timeout" => number(-1, SqlType::Int),
        "@@dbts" => return Err(error::outside(line, name)),
        "@@fetch_status" => number(0, SqlType::Int),
        "@@max_connections" => number(32_767, SqlType::Int),
        _ => return Err(error::undeclared(name).at_line(line)),
    })
}
