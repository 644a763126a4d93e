//! INFORMATION_SCHEMA.

use super::{Definition, Emit, Field, INT, Only, SYSNAME, TINY, ViewColumn, col, opt};
use crate::answer::{ServerError, SqlType};
use crate::catalog::object::{Object, ObjectKind};
use crate::query::context::QueryContext;
use crate::query::functions::COLLATION;
use crate::query::types::{Family, family, is_national, length};
use crate::sql::data_type::facts;

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        schema: "INFORMATION_SCHEMA",
        name: "SCHEMATA",
        only: Only::Both,
        columns: &[
            opt("CATALOG_NAME", SYSNAME),
            col("SCHEMA_NAME", SYSNAME),
            opt("SCHEMA_OWNER", SYSNAME),
            opt("DEFAULT_CHARACTER_SET_CATALOG", SqlType::VarChar(6)),
            opt("DEFAULT_CHARACTER_SET_SCHEMA", SqlType::VarChar(3)),
            opt("DEFAULT_CHARACTER_SET_NAME", SYSNAME),
        ],
        fill: schemata,
    },
    Definition {
        schema: "INFORMATION_SCHEMA",
        name: "TABLES",
        only: Only::Both,
        columns: &[
            opt("TABLE_CATALOG", SYSNAME),
            opt("TABLE_SCHEMA", SYSNAME),
            col("TABLE_NAME", SYSNAME),
            opt("TABLE_TYPE", SqlType::VarChar(10)),
        ],
        fill: tables,
    },
    Definition {
        schema: "INFORMATION_SCHEMA",
        name: "VIEWS",
        only: Only::Both,
        columns: &[
            opt("TABLE_CATALOG", SYSNAME),
            opt("TABLE_SCHEMA", SYSNAME),
            col("TABLE_NAME", SYSNAME),
            opt("VIEW_DEFINITION", SqlType::NVarChar(4000)),
            opt("CHECK_OPTION", SqlType::VarChar(7)),
            col("IS_UPDATABLE", SqlType::VarChar(2)),
        ],
        fill: views,
    },
    Definition {
        schema: "INFORMATION_SCHEMA",
        name: "COLUMNS",
        only: Only::Both,
        columns: COLUMNS,
        fill: columns,
    },
];

const COLUMNS: &[ViewColumn] = &[
    opt("TABLE_CATALOG", SYSNAME),
    opt("TABLE_SCHEMA", SYSNAME),
    col("TABLE_NAME", SYSNAME),
    opt("COLUMN_NAME", SYSNAME),
    opt("ORDINAL_POSITION", INT),
    opt("COLUMN_DEFAULT", SqlType::NVarChar(4000)),
    opt("IS_NULLABLE", SqlType::VarChar(3)),
    opt("DATA_TYPE", SYSNAME),
    opt("CHARACTER_MAXIMUM_LENGTH", INT),
    opt("CHARACTER_OCTET_LENGTH", INT),
    opt("NUMERIC_PRECISION", TINY),
    opt("NUMERIC_PRECISION_RADIX", SqlType::SmallInt),
    opt("NUMERIC_SCALE", INT),
    opt("DATETIME_PRECISION", SqlType::SmallInt),
    opt("CHARACTER_SET_NAME", SYSNAME),
    opt("COLLATION_NAME", SYSNAME),
];

fn schema_name<'a>(ctx: &'a QueryContext, object: &Object) -> &'a str {
    ctx.catalog.schema(object.schema).map_or("", |schema| schema.name.as_str())
}

fn schemata(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for schema in ctx.catalog.schemas() {
        let owner = ctx.catalog.principal(schema.owner).map(|owner| owner.name.as_str());
        emit(&[
            Field::Text(ctx.catalog.database()),
            Field::Text(&schema.name),
            Field::text(owner),
            Field::Null,
            Field::Null,
            Field::Text("iso_1"),
        ])?;
    }
    Ok(())
}

fn relations(ctx: &QueryContext) -> impl Iterator<Item = &Object> {
    ctx.catalog.objects().filter(|object| {
        matches!(object.kind, ObjectKind::Table | ObjectKind::View) && ctx.rights.sees_object(object)
    })
}

fn tables(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in relations(ctx) {
        emit(&[
            Field::Text(ctx.catalog.database()),
            Field::Text(schema_name(ctx, object)),
            Field::Text(&object.name),
            Field::Text(if object.kind == ObjectKind::Table { "BASE TABLE" } else { "VIEW" }),
        ])?;
    }
    Ok(())
}

/// Texts longer than 4000 characters are NULL in this view.
fn views(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in relations(ctx).filter(|object| object.kind == ObjectKind::View) {
        let text = object
            .definition
            .as_deref()
            .filter(|text| ctx.rights.sees_definition(object) && text.encode_utf16().count() <= 4000);
        emit(&[
            Field::Text(ctx.catalog.database()),
            Field::Text(schema_name(ctx, object)),
            Field::Text(&object.name),
            Field::text(text),
            Field::Text("NONE"),
            Field::Text("NO"),
        ])?;
    }
    Ok(())
}

fn columns(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in relations(ctx) {
        for (position, column) in (1..).zip(&object.columns) {
            let facts = facts(column.ty);
            let sized = matches!(family(column.ty), Family::Text | Family::Binary);
            let numeric = matches!(family(column.ty), Family::Integer | Family::Decimal | Family::Float);
            let exact = matches!(family(column.ty), Family::Integer | Family::Decimal);
            let units = if length(column.ty) == 0 { -1 } else { i64::from(length(column.ty)) };
            let only = |wanted: bool, value: i64| if wanted { Field::Int(value) } else { Field::Null };
            let set = match (family(column.ty), is_national(column.ty)) {
                (Family::Text, true) => Field::Text("UNICODE"),
                (Family::Text, false) => Field::Text("iso_1"),
                _ => Field::Null,
            };
            let fraction = match column.ty {
                SqlType::SmallDateTime | SqlType::Date => Some(0),
                SqlType::DateTime => Some(3),
                SqlType::DateTime2(scale) | SqlType::Time(scale) | SqlType::DateTimeOffset(scale) => {
                    Some(i64::from(scale))
                }
                _ => None,
            };
            emit(&[
                Field::Text(ctx.catalog.database()),
                Field::Text(schema_name(ctx, object)),
                Field::Text(&object.name),
                Field::Text(&column.name),
                Field::Int(position),
                Field::Null,
                Field::Text(if column.nullable { "YES" } else { "NO" }),
                Field::Text(facts.name),
                only(sized, units),
                only(sized, i64::from(facts.max_length)),
                only(numeric, i64::from(facts.precision)),
                only(numeric, if family(column.ty) == Family::Float { 2 } else { 10 }),
                only(exact, i64::from(facts.scale)),
                fraction.map_or(Field::Null, Field::Int),
                set,
                if facts.textual { Field::Text(COLLATION) } else { Field::Null },
            ])?;
        }
    }
    Ok(())
}
