//! Databases, logins and configuration of the server.

use super::{
    BIT, DESCRIPTION, Definition, Emit, Field, INT, Only, SYSNAME, TINY, ViewColumn, WHEN, col, opt,
};
use crate::answer::{ServerError, SqlType};
use crate::catalog::permission::{Action, Securable};
use crate::catalog::server::{FIRST_LOGIN, SERVER_ROLES, SYSADMIN};
use crate::query::context::QueryContext;

pub(super) const VIEWS: &[Definition] = &[
    Definition { schema: "sys", name: "databases", only: Only::Both, columns: DATABASES, fill: databases },
    Definition {
        schema: "sys",
        name: "server_principals",
        only: Only::Serverless,
        columns: SERVER_PRINCIPALS,
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
        name: "server_role_members",
        only: Only::Serverless,
        columns: &[col("role_principal_id", INT), col("member_principal_id", INT)],
        fill: server_members,
    },
    Definition {
        schema: "sys",
        name: "server_permissions",
        only: Only::Serverless,
        columns: SERVER_PERMISSIONS,
        fill: server_permissions,
    },
    Definition {
        schema: "sys",
        name: "credentials",
        only: Only::Serverless,
        columns: CREDENTIALS,
        fill: credentials,
    },
    Definition {
        schema: "sys",
        name: "database_scoped_credentials",
        only: Only::Serverless,
        columns: CREDENTIALS,
        fill: database_credentials,
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
    opt("is_result_set_caching_on", BIT),
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

const SERVER_PRINCIPALS: &[ViewColumn] = &[
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
    opt("owning_principal_id", INT),
    col("is_fixed_role", BIT),
];

const SERVER_PERMISSIONS: &[ViewColumn] = &[
    col("class", TINY),
    opt("class_desc", DESCRIPTION),
    col("major_id", INT),
    col("minor_id", INT),
    col("grantee_principal_id", INT),
    col("grantor_principal_id", INT),
    col("type", SqlType::Char(4)),
    opt("permission_name", SYSNAME),
    col("state", SqlType::Char(1)),
    opt("state_desc", DESCRIPTION),
];

const CREDENTIALS: &[ViewColumn] =
    &[col("credential_id", INT), col("name", SYSNAME), opt("credential_identity", SqlType::NVarChar(4000))];

#[expect(clippy::unnecessary_wraps, reason = "the shape of every fill")]
fn nothing(_: &QueryContext, _: Emit<'_>) -> Result<(), ServerError> {
    Ok(())
}

fn databases(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    let birth = ctx.catalog.principals().next().map_or(Field::Null, |first| Field::at(first.created));
    for (id, name) in &ctx.session.databases {
        emit(&[
            Field::Text(name),
            Field::Int(*id),
            Field::Null,
            Field::Bytes(&[1]),
            birth.clone(),
            Field::Int(130),
            Field::Text(&ctx.session.collation),
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
            Field::bit(*id == ctx.session.database_id && ctx.catalog.result_set_caching()),
        ])?;
    }
    Ok(())
}

fn server_principals(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    let birth = ctx.catalog.principals().next().map_or(Field::Null, |first| Field::at(first.created));
    for (id, name) in SERVER_ROLES {
        emit(&[
            Field::Text(name),
            Field::Int(i64::from(id)),
            Field::Null,
            Field::Text("R"),
            Field::Text("SERVER_ROLE"),
            Field::Int(0),
            birth.clone(),
            birth.clone(),
            Field::Null,
            Field::Null,
            Field::Int(i64::from(FIRST_LOGIN)),
            Field::Int(i64::from(id == SYSADMIN)),
        ])?;
    }
    logins(ctx, false, &mut |login| {
        let mut row = login.to_vec();
        row.extend([Field::Null, Field::Int(0)]);
        emit(&row)
    })
}

fn server_members(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    if ctx.rights.sees_server() {
        for (role, member) in crate::execute::server::server_members(&ctx.catalog) {
            emit(&[Field::Int(i64::from(role)), Field::Int(i64::from(member))])?;
        }
    }
    Ok(())
}

fn server_permissions(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    let all = ctx.rights.sees_server();
    let own = ctx.catalog.logins().find(|login| login.sid == ctx.session.sid).map(|login| login.id);
    for (key, state) in ctx.catalog.server().permissions() {
        if !(all || own == Some(key.grantee)) {
            continue;
        }
        let (class, described, major) = key.on.class();
        emit(&[
            Field::Int(class),
            Field::Text(described),
            Field::Int(i64::from(major)),
            Field::Int(0),
            Field::Int(i64::from(key.grantee)),
            Field::Int(i64::from(key.grantor)),
            Field::Owned(format!("{:<4}", key.action.code())),
            Field::Text(key.action.name()),
            Field::Text(state.letter()),
            Field::Text(state.description()),
        ])?;
    }
    Ok(())
}

fn credentials(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    if ctx.rights.sees_server() {
        for (id, name) in ctx.catalog.server().credentials() {
            emit(&[Field::Int(i64::from(id)), Field::Text(name), Field::Null])?;
        }
    }
    Ok(())
}

fn database_credentials(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for (id, name) in ctx.catalog.credentials() {
        let on = Securable::credential(id);
        if ctx.rights.has(Action::ViewDefinition, on) || ctx.rights.has(Action::References, on) {
            emit(&[Field::Int(i64::from(id)), Field::Text(name), Field::Null])?;
        }
    }
    Ok(())
}

fn sql_logins(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    logins(ctx, true, emit)
}

/// Only administrators see other logins than their own.
fn logins(ctx: &QueryContext, sql_only: bool, emit: Emit<'_>) -> Result<(), ServerError> {
    let all = ctx.rights.sees_server();
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
