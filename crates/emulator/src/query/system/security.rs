//! Principals, members, permissions, schemas.

use super::{
    BIT, DESCRIPTION, Definition, Emit, Field, INT, Only, SYSNAME, TINY, ViewColumn, WHEN, col, opt,
};
use crate::answer::{ServerError, SqlType};
use crate::query::context::QueryContext;

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        schema: "sys",
        name: "database_principals",
        only: Only::Both,
        columns: PRINCIPALS,
        fill: principals,
    },
    Definition {
        schema: "sys",
        name: "database_role_members",
        only: Only::Both,
        columns: &[col("role_principal_id", INT), col("member_principal_id", INT)],
        fill: members,
    },
    Definition {
        schema: "sys",
        name: "database_permissions",
        only: Only::Both,
        columns: PERMISSIONS,
        fill: permissions,
    },
    Definition {
        schema: "sys",
        name: "schemas",
        only: Only::Both,
        columns: &[col("name", SYSNAME), col("schema_id", INT), opt("principal_id", INT)],
        fill: schemas,
    },
];

const PRINCIPALS: &[ViewColumn] = &[
    col("name", SYSNAME),
    col("principal_id", INT),
    col("type", SqlType::Char(1)),
    opt("type_desc", DESCRIPTION),
    opt("default_schema_name", SYSNAME),
    col("create_date", WHEN),
    col("modify_date", WHEN),
    opt("owning_principal_id", INT),
    opt("sid", SqlType::VarBinary(85)),
    col("is_fixed_role", BIT),
    col("authentication_type", INT),
    opt("authentication_type_desc", DESCRIPTION),
    opt("default_language_name", SYSNAME),
    opt("default_language_lcid", INT),
    col("allow_encrypted_value_modifications", BIT),
];

const PERMISSIONS: &[ViewColumn] = &[
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

fn principals(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for principal in ctx.catalog.principals().filter(|principal| ctx.rights.sees_principal(principal)) {
        emit(&[
            Field::Text(&principal.name),
            Field::Int(i64::from(principal.id)),
            Field::Text(principal.kind.letter()),
            Field::Text(principal.kind.description()),
            Field::text(principal.default_schema.as_deref()),
            Field::at(principal.created),
            Field::at(principal.modified),
            Field::int(principal.owner),
            Field::bytes(principal.sid.as_deref()),
            Field::bit(principal.fixed),
            Field::Int(principal.authentication.number()),
            Field::Text(principal.authentication.description()),
            Field::Null,
            Field::Null,
            Field::Int(0),
        ])?;
    }
    Ok(())
}

fn members(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for (role, member) in
        ctx.catalog.members().filter(|(role, member)| ctx.rights.sees_member(*role, *member))
    {
        emit(&[Field::Int(i64::from(role)), Field::Int(i64::from(member))])?;
    }
    Ok(())
}

/// A permission's code padded to four characters, as `char(4)` shows it.
fn padded(code: &'static str) -> Field<'static> {
    if code.len() == 4 { Field::Text(code) } else { Field::Owned(format!("{code:<4}")) }
}

fn permissions(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for permission in ctx.catalog.permissions().filter(|permission| ctx.rights.sees_permission(permission)) {
        let key = permission.key;
        emit(&[
            Field::Int(key.securable.class.number()),
            Field::Text(key.securable.class.description()),
            Field::Int(i64::from(key.securable.major)),
            Field::Int(i64::from(key.securable.minor)),
            Field::Int(i64::from(key.grantee)),
            Field::Int(i64::from(key.grantor)),
            padded(key.action.code()),
            Field::Text(key.action.name()),
            Field::Text(permission.state.letter()),
            Field::Text(permission.state.description()),
        ])?;
    }
    Ok(())
}

fn schemas(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for schema in ctx.catalog.schemas() {
        emit(&[
            Field::Text(&schema.name),
            Field::Int(i64::from(schema.id)),
            Field::Int(i64::from(schema.owner)),
        ])?;
    }
    Ok(())
}
