//! Views of the time before the catalog views, which tools still ask.

use super::{Definition, Emit, Field, INT, Only, SYSNAME, ViewColumn, WHEN, col, opt};
use crate::answer::{ServerError, SqlType};
use crate::query::context::QueryContext;

pub(super) const VIEWS: &[Definition] =
    &[Definition { schema: "sys", name: "sysusers", only: Only::Both, columns: USERS, fill: users }];

const USERS: &[ViewColumn] = &[
    opt("uid", SqlType::SmallInt),
    opt("status", SqlType::SmallInt),
    col("name", SYSNAME),
    opt("sid", SqlType::VarBinary(85)),
    col("createdate", WHEN),
    col("updatedate", WHEN),
    opt("altuid", SqlType::SmallInt),
    opt("gid", SqlType::SmallInt),
    opt("hasdbaccess", INT),
    opt("islogin", INT),
    opt("issqluser", INT),
    opt("issqlrole", INT),
    opt("isapprole", INT),
];

fn users(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for principal in ctx.catalog.principals().filter(|principal| ctx.rights.sees_principal(principal)) {
        let role = principal.is_role();
        let connects = ctx.catalog.permissions_of(principal.id).any(|permission| {
            permission.key.action == crate::catalog::permission::Action::Connect && permission.state.gives()
        });
        // 16-bit ids overflow to NULL, as documented for this view.
        let small = |id: i32| if i16::try_from(id).is_ok() { Field::Int(i64::from(id)) } else { Field::Null };
        emit(&[
            small(principal.id),
            Field::Int(0),
            Field::Text(&principal.name),
            Field::bytes(principal.sid.as_deref()),
            Field::at(principal.created),
            Field::at(principal.modified),
            principal.owner.map_or(Field::Null, small),
            if role { small(principal.id) } else { Field::Int(0) },
            Field::bit(connects),
            Field::bit(!role),
            Field::bit(principal.kind == crate::catalog::principal::PrincipalKind::SqlUser),
            Field::bit(role),
            Field::Int(0),
        ])?;
    }
    Ok(())
}
