//! Sessions, as the two personalities show them.

use super::{BIT, Definition, Emit, Field, INT, Only, SYSNAME, ViewColumn, WHEN, col, opt};
use crate::answer::{ServerError, SqlType};
use crate::query::context::{QueryContext, SessionRow};
use crate::query::functions::DATABASE_ID;

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        schema: "sys",
        name: "dm_pdw_exec_sessions",
        only: Only::Dedicated,
        columns: DEDICATED,
        fill: dedicated,
    },
    Definition {
        schema: "sys",
        name: "dm_exec_sessions",
        only: Only::Serverless,
        columns: SERVERLESS,
        fill: serverless,
    },
];

const DEDICATED: &[ViewColumn] = &[
    col("session_id", SqlType::NVarChar(32)),
    col("status", SqlType::NVarChar(10)),
    opt("request_id", SqlType::NVarChar(32)),
    col("security_id", SqlType::VarBinary(85)),
    col("login_name", SYSNAME),
    col("login_time", WHEN),
    col("query_count", INT),
    col("is_transactional", BIT),
    opt("client_id", SqlType::NVarChar(255)),
    opt("app_name", SqlType::NVarChar(255)),
    col("sql_spid", INT),
];

const SERVERLESS: &[ViewColumn] = &[
    col("session_id", SqlType::SmallInt),
    col("login_time", WHEN),
    opt("host_name", SYSNAME),
    opt("program_name", SYSNAME),
    col("security_id", SqlType::VarBinary(85)),
    col("login_name", SYSNAME),
    col("status", SqlType::NVarChar(30)),
    col("database_id", SqlType::SmallInt),
    col("open_transaction_count", INT),
    col("is_user_process", BIT),
];

/// Without VIEW DATABASE STATE one sees one's own session only.
fn visible(ctx: &QueryContext) -> impl Iterator<Item = &SessionRow> {
    let all = ctx.rights.sees_sessions();
    ctx.sessions.iter().filter(move |row| all || row.spid == ctx.session.spid)
}

fn dedicated(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for row in visible(ctx) {
        emit(&[
            Field::Text(&row.session_id),
            Field::Text(&row.status),
            Field::text(row.request_id.as_deref()),
            Field::Bytes(&row.sid),
            Field::Text(&row.login_name),
            Field::at(row.login_time),
            Field::Int(row.query_count),
            Field::bit(row.in_transaction),
            Field::Text(&row.client),
            Field::Text(&row.app_name),
            Field::Int(i64::from(row.spid)),
        ])?;
    }
    Ok(())
}

/// Closed sessions are not shown here.
fn serverless(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for row in visible(ctx).filter(|row| matches!(row.status.as_str(), "ACTIVE" | "IDLE")) {
        emit(&[
            Field::Int(i64::from(row.spid)),
            Field::at(row.login_time),
            Field::Text(&row.host_name),
            Field::Text(&row.app_name),
            Field::Bytes(&row.sid),
            Field::Text(&row.login_name),
            Field::Text(if row.status == "ACTIVE" { "running" } else { "sleeping" }),
            Field::Int(DATABASE_ID),
            Field::bit(row.in_transaction),
            Field::Int(1),
        ])?;
    }
    Ok(())
}
