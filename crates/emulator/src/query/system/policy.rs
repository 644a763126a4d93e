//! Security policies and their predicates.

use super::{BIT, DESCRIPTION, Definition, Emit, Field, INT, Only, SYSNAME, ViewColumn, WHEN, col, opt};
use crate::answer::{ServerError, SqlType};
use crate::catalog::Catalog;
use crate::catalog::object::Object;
use crate::catalog::permission::{Action, Securable};
use crate::catalog::policy::{FilterPredicate, SecurityPolicy};
use crate::query::context::QueryContext;

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        schema: "sys",
        name: "security_policies",
        only: Only::Dedicated,
        columns: POLICIES,
        fill: policies,
    },
    Definition {
        schema: "sys",
        name: "security_predicates",
        only: Only::Dedicated,
        columns: PREDICATES,
        fill: predicates,
    },
];

const POLICIES: &[ViewColumn] = &[
    col("name", SYSNAME),
    col("object_id", INT),
    opt("principal_id", INT),
    col("schema_id", INT),
    col("parent_object_id", INT),
    opt("type", SqlType::VarChar(2)),
    opt("type_desc", DESCRIPTION),
    col("create_date", WHEN),
    col("modify_date", WHEN),
    col("is_ms_shipped", BIT),
    col("is_enabled", BIT),
    col("is_not_for_replication", BIT),
    opt("uses_database_collation", BIT),
    opt("is_schemabinding_enabled", BIT),
];

const PREDICATES: &[ViewColumn] = &[
    col("object_id", INT),
    col("security_predicate_id", INT),
    col("target_object_id", INT),
    opt("predicate_definition", SqlType::NVarChar(0)),
    opt("predicate_type", INT),
    opt("predicate_type_desc", DESCRIPTION),
    opt("operation", INT),
    opt("operation_desc", DESCRIPTION),
];

/// Policies are seen by ALTER ANY SECURITY POLICY, and by VIEW DEFINITION on them.
fn visible(ctx: &QueryContext) -> impl Iterator<Item = (&Object, &SecurityPolicy)> {
    let all = ctx.rights.has(Action::AlterAnySecurityPolicy, Securable::DATABASE);
    ctx.catalog.policies().filter(move |(object, _)| all || ctx.rights.sees_definition(object))
}

fn policies(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for (object, policy) in visible(ctx) {
        emit(&[
            Field::Text(&object.name),
            Field::Int(i64::from(object.id)),
            Field::int(object.owner),
            Field::Int(i64::from(object.schema)),
            Field::Int(0),
            Field::Text(object.kind.letter()),
            Field::Text(object.kind.description()),
            Field::at(object.created),
            Field::at(object.modified),
            Field::Int(0),
            Field::bit(policy.enabled),
            Field::Int(0),
            Field::Int(0),
            Field::bit(policy.schema_bound),
        ])?;
    }
    Ok(())
}

fn predicates(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for (object, policy) in visible(ctx) {
        for filter in &policy.filters {
            emit(&[
                Field::Int(i64::from(object.id)),
                Field::Int(i64::from(filter.id)),
                Field::Int(i64::from(filter.table)),
                Field::Owned(definition(&ctx.catalog, filter)),
                Field::Int(0),
                Field::Text("FILTER"),
                Field::Null,
                Field::Null,
            ])?;
        }
    }
    Ok(())
}

/// `[schema].[function]([column], …)`: columns are quoted, other arguments are as they were written.
fn definition(catalog: &Catalog, filter: &FilterPredicate) -> String {
    let quoted = |name: &str| format!("[{}]", name.replace(']', "]]"));
    let table = catalog.object(filter.table);
    let arguments: Vec<String> = filter
        .arguments
        .iter()
        .map(|text| {
            let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let name = bare.map_or_else(|| text.clone(), |inner| inner.replace("]]", "]"));
            let column = table.and_then(|table| table.column(&name));
            column.map_or_else(|| text.clone(), |column| quoted(&column.name))
        })
        .collect();
    let function = catalog.object(filter.function);
    let schema = function.and_then(|function| catalog.schema(function.schema));
    format!(
        "{}.{}({})",
        quoted(schema.map_or("", |schema| schema.name.as_str())),
        quoted(function.map_or("", |function| function.name.as_str())),
        arguments.join(", ")
    )
}
