//! Databases, logins and configuration of the server.

use super::{
    BIT, DESCRIPTION, Definition, Emit, Field, INT, Only, SYSNAME, TINY, ViewColumn, WHEN, col, opt,
};
use crate::answer::{ServerError, SqlType};
use crate::query::context::QueryContext;
use crate::query::functions::{COLLATION, DATABASE_ID};

pub(super) const VIEWS: &[Definition] = &[
    Definition { schema: "sys", name: "databases", only: Only::Both, columns: DATABASES, fill: databases },
    Definition {
        schema: "sys",
        name: "server_principals",
        only: Only::Serverless,
        columns: LOGINS,
        fill: server_principals,
    },
    Definition {
        schema: "sys",
        name: "sql_logins",
        only: Only::Serverless,
        columns: LOGINS,
        fill: sql_logins,
    },
    Definition {
        schema: "sys",
        name: "configurations",
        only: Only::Both,
        columns: &[
            col("configuration_id", INT),
            col("name", SqlType::NVarChar(35)),
            opt("value", INT),
            opt("value_in_use", INT),
            col("description", SqlType::NVarChar(255)),
        ],
        fill: nothing,
    },
];

const DATABASES: &[ViewColumn] = &[
    col("name", SYSNAME),
    col("database_id", INT),
    opt("source_database_id", INT),
    opt("owner_sid", SqlType::VarBinary(85)),
    col("create_date", WHEN),
    col("compatibility_level", TINY),
    opt("collation_name", SYSNAME),
    opt("user_access", TINY),
    opt("user_access_desc", DESCRIPTION),
    opt("is_read_only", BIT),
    col("is_auto_close_on", BIT),
    opt("state", TINY),
    opt("state_desc", DESCRIPTION),
    opt("is_in_standby", BIT),
    opt("is_read_committed_snapshot_on", BIT),
    opt("recovery_model", TINY),
    opt("recovery_model_desc", DESCRIPTION),
    opt("is_encrypted", BIT),
    opt("is_query_store_on", BIT),
];

const LOGINS: &[ViewColumn] = &[
    col("name", SYSNAME),
    col("principal_id", INT),
    opt("sid", SqlType::VarBinary(85)),
    col("type", SqlType::Char(1)),
    opt("type_desc", DESCRIPTION),
    opt("is_disabled", BIT),
    col("create_date", WHEN),
    col("modify_date", WHEN),
    opt("default_database_name", SYSNAME),
    opt("default_language_name", SYSNAME),
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of every fill")]
fn nothing(_: &QueryContext, _: Emit<'_>) -> Result<(), ServerError> {
    Ok(())
}

fn databases(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    let birth = ctx.catalog.principals().next().map_or(Field::Null, |first| Field::at(first.created));
    for (id, name) in [(1, "master"), (DATABASE_ID, ctx.catalog.database())] {
        emit(&[
            Field::Text(name),
            Field::Int(id),
            Field::Null,
            Field::Bytes(&[1]),
            birth.clone(),
            Field::Int(130),
            Field::Text(COLLATION),
            Field::Int(0),
            Field::Text("MULTI_USER"),
            Field::Int(0),
            Field::Int(0),
            Field::Int(0),
            Field::Text("ONLINE"),
            Field::Int(0),
            Field::Int(0),
            Field::Int(1),
            Field::Text("FULL"),
            Field::Int(0),
            Field::Int(0),
        ])?;
    }
    Ok(())
}

fn server_principals(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    logins(ctx, false, emit)
}

fn sql_logins(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    logins(ctx, true, emit)
}

/// Only administrators see other logins than their own.
fn logins(ctx: &QueryContext, sql_only: bool, emit: Emit<'_>) -> Result<(), ServerError> {
    let all = ctx.rights.sees_sessions();
    for login in ctx.catalog.logins() {
        let sql = login.password.is_some();
        let own = crate::catalog::name::same(&login.name, &ctx.session.login_name);
        if (sql_only && !sql) || !(all || own) {
            continue;
        }
        let (letter, description) = if sql {
            ("S", "SQL_LOGIN")
        } else {
            match login.kind {
                crate::catalog::principal::PrincipalKind::ExternalGroup => ("X", "EXTERNAL_GROUP"),
                _ => ("E", "EXTERNAL_LOGIN"),
            }
        };
        emit(&[
            Field::Text(&login.name),
            Field::Int(i64::from(login.id)),
            Field::Bytes(&login.sid),
            Field::Text(letter),
            Field::Text(description),
            Field::Int(0),
            Field::at(login.created),
            Field::at(login.created),
            Field::Text("master"),
            Field::Text("us_english"),
        ])?;
    }
    Ok(())
}
