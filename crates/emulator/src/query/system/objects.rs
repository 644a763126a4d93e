//! Objects, tables, views, modules, columns, types, indexes.

use super::{
    BIT, DESCRIPTION, Definition, Emit, Field, INT, Only, SYSNAME, TINY, ViewColumn, WHEN, col, opt, views,
};
use crate::answer::{ServerError, SqlType};
use crate::catalog::object::{Distribution, Object, ObjectKind, TableColumn};
use crate::query::context::QueryContext;
use crate::query::functions::COLLATION;
use crate::sql::data_type::facts;

macro_rules! object_columns {
    ($($more:expr),* $(,)?) => {
        &[
            col("name", SYSNAME),
            col("object_id", INT),
            opt("principal_id", INT),
            col("schema_id", INT),
            col("parent_object_id", INT),
            col("type", SqlType::Char(2)),
            opt("type_desc", DESCRIPTION),
            col("create_date", WHEN),
            col("modify_date", WHEN),
            col("is_ms_shipped", BIT),
            col("is_published", BIT),
            col("is_schema_published", BIT),
            $($more),*
        ]
    };
}

const fn view(name: &'static str, columns: &'static [ViewColumn], fill: super::Fill) -> Definition {
    Definition { schema: "sys", name, only: Only::Both, columns, fill }
}

pub(super) const VIEWS: &[Definition] = &[
    view("objects", object_columns![], objects),
    view("all_objects", object_columns![], all_objects),
    view("tables", TABLES, tables),
    view("views", VIEW_COLUMNS, user_views),
    view("procedures", object_columns![], procedures),
    view("columns", COLUMNS, columns),
    view("all_columns", COLUMNS, all_columns),
    view("sql_modules", MODULES, modules),
    view("all_sql_modules", MODULES, modules),
    view("parameters", PARAMETERS, nothing),
    view("types", TYPE_COLUMNS, types),
    view("indexes", INDEXES, indexes),
    view("index_columns", INDEX_COLUMNS, nothing),
    view("foreign_keys", object_columns![col("referenced_object_id", INT)], nothing),
    view("key_constraints", object_columns![opt("unique_index_id", INT)], nothing),
    view("synonyms", object_columns![opt("base_object_name", SqlType::NVarChar(1035))], nothing),
    view("identity_columns", IDENTITY, identity_columns),
    view("external_tables", object_columns![], nothing),
    Definition {
        schema: "sys",
        name: "pdw_table_distribution_properties",
        only: Only::Dedicated,
        columns: &[
            col("object_id", INT),
            col("distribution_policy", TINY),
            opt("distribution_policy_desc", DESCRIPTION),
        ],
        fill: distributions,
    },
    Definition {
        schema: "sys",
        name: "pdw_column_distribution_properties",
        only: Only::Dedicated,
        columns: &[col("object_id", INT), col("column_id", INT), col("distribution_ordinal", TINY)],
        fill: distribution_columns,
    },
];

const TABLES: &[ViewColumn] = object_columns![
    col("lob_data_space_id", INT),
    col("max_column_id_used", INT),
    col("is_external", BIT),
    col("is_memory_optimized", BIT),
    col("temporal_type", TINY),
    opt("temporal_type_desc", DESCRIPTION),
];

const VIEW_COLUMNS: &[ViewColumn] = object_columns![
    col("is_replicated", BIT),
    col("has_replication_filter", BIT),
    col("has_opaque_metadata", BIT),
    col("has_unchecked_assembly_data", BIT),
    col("with_check_option", BIT),
    col("is_date_correlation_view", BIT),
];

const COLUMNS: &[ViewColumn] = &[
    col("object_id", INT),
    opt("name", SYSNAME),
    col("column_id", INT),
    col("system_type_id", TINY),
    col("user_type_id", INT),
    col("max_length", SqlType::SmallInt),
    col("precision", TINY),
    col("scale", TINY),
    opt("collation_name", SYSNAME),
    opt("is_nullable", BIT),
    col("is_ansi_padded", BIT),
    col("is_rowguidcol", BIT),
    col("is_identity", BIT),
    col("is_computed", BIT),
    col("is_masked", BIT),
    col("default_object_id", INT),
];

const MODULES: &[ViewColumn] = &[
    col("object_id", INT),
    opt("definition", SqlType::NVarChar(0)),
    col("uses_ansi_nulls", BIT),
    col("uses_quoted_identifier", BIT),
    col("is_schema_bound", BIT),
    col("uses_database_collation", BIT),
    col("is_recompiled", BIT),
    col("null_on_null_input", BIT),
    opt("execute_as_principal_id", INT),
];

const PARAMETERS: &[ViewColumn] = &[
    col("object_id", INT),
    opt("name", SYSNAME),
    col("parameter_id", INT),
    col("system_type_id", TINY),
    col("user_type_id", INT),
    col("max_length", SqlType::SmallInt),
    col("precision", TINY),
    col("scale", TINY),
    col("is_output", BIT),
    col("has_default_value", BIT),
];

const TYPE_COLUMNS: &[ViewColumn] = &[
    col("name", SYSNAME),
    col("system_type_id", TINY),
    col("user_type_id", INT),
    col("schema_id", INT),
    opt("principal_id", INT),
    col("max_length", SqlType::SmallInt),
    col("precision", TINY),
    col("scale", TINY),
    opt("collation_name", SYSNAME),
    opt("is_nullable", BIT),
    col("is_user_defined", BIT),
    col("is_assembly_type", BIT),
    col("default_object_id", INT),
    col("rule_object_id", INT),
    col("is_table_type", BIT),
];

const INDEXES: &[ViewColumn] = &[
    col("object_id", INT),
    opt("name", SYSNAME),
    col("index_id", INT),
    col("type", TINY),
    opt("type_desc", DESCRIPTION),
    col("is_unique", BIT),
    col("is_primary_key", BIT),
    col("is_unique_constraint", BIT),
    col("is_disabled", BIT),
];

const INDEX_COLUMNS: &[ViewColumn] = &[
    col("object_id", INT),
    col("index_id", INT),
    col("index_column_id", INT),
    col("column_id", INT),
    col("key_ordinal", TINY),
    col("partition_ordinal", TINY),
    col("is_descending_key", BIT),
    col("is_included_column", BIT),
];

const IDENTITY: &[ViewColumn] = &[
    col("object_id", INT),
    opt("name", SYSNAME),
    col("column_id", INT),
    opt("seed_value", SqlType::BigInt),
    opt("increment_value", SqlType::BigInt),
];

#[expect(clippy::unnecessary_wraps, reason = "the shape of every fill")]
fn nothing(_: &QueryContext, _: Emit<'_>) -> Result<(), ServerError> {
    Ok(())
}

fn visible(ctx: &QueryContext) -> impl Iterator<Item = &Object> {
    ctx.catalog.objects().filter(|object| ctx.rights.sees_object(object))
}

fn of_kind(ctx: &QueryContext, kind: ObjectKind) -> impl Iterator<Item = &Object> {
    visible(ctx).filter(move |object| object.kind == kind)
}

/// `char(2)` pads one letter.
fn letter(kind: ObjectKind) -> Field<'static> {
    match kind.letter() {
        "U" => Field::Text("U "),
        "V" => Field::Text("V "),
        "P" => Field::Text("P "),
        other => Field::Text(other),
    }
}

fn row(object: &Object) -> Vec<Field<'_>> {
    vec![
        Field::Text(&object.name),
        Field::Int(i64::from(object.id)),
        Field::int(object.owner),
        Field::Int(i64::from(object.schema)),
        Field::Int(0),
        letter(object.kind),
        Field::Text(object.kind.description()),
        Field::at(object.created),
        Field::at(object.modified),
        Field::Int(0),
        Field::Int(0),
        Field::Int(0),
    ]
}

fn objects(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    visible(ctx).try_for_each(|object| emit(&row(object)))
}

fn all_objects(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    objects(ctx, emit)?;
    let birth = ctx.catalog.principals().next().map_or(Field::Null, |first| Field::at(first.created));
    for view in views(ctx.session.dedicated) {
        let schema = ctx.catalog.schema_named(view.schema()).map_or(4, |schema| schema.id);
        emit(&[
            Field::Text(view.name()),
            Field::Int(i64::from(view.id())),
            Field::Null,
            Field::Int(i64::from(schema)),
            Field::Int(0),
            Field::Text("V "),
            Field::Text("VIEW"),
            birth.clone(),
            birth.clone(),
            Field::Int(1),
            Field::Int(0),
            Field::Int(0),
        ])?;
    }
    Ok(())
}

fn tables(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in of_kind(ctx, ObjectKind::Table) {
        let mut fields = row(object);
        let highest = object.columns.iter().map(|column| column.id).max().unwrap_or(0);
        fields.extend([Field::Int(0), Field::Int(i64::from(highest)), Field::Int(0), Field::Int(0)]);
        fields.extend([Field::Int(0), Field::Text("NON_TEMPORAL_TABLE")]);
        emit(&fields)?;
    }
    Ok(())
}

fn user_views(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in of_kind(ctx, ObjectKind::View) {
        let mut fields = row(object);
        fields.extend(std::iter::repeat_n(Field::Int(0), 6));
        emit(&fields)?;
    }
    Ok(())
}

fn procedures(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    of_kind(ctx, ObjectKind::Procedure).try_for_each(|object| emit(&row(object)))
}

/// The fields of a column that follow from its type.
fn typed(ty: SqlType, sysname: bool) -> [Field<'static>; 6] {
    let facts = facts(ty);
    [
        Field::Int(i64::from(facts.id)),
        Field::Int(if sysname { 256 } else { i64::from(facts.id) }),
        Field::Int(i64::from(facts.max_length)),
        Field::Int(i64::from(facts.precision)),
        Field::Int(i64::from(facts.scale)),
        if facts.textual { Field::Text(COLLATION) } else { Field::Null },
    ]
}

fn column_row(
    object: i32,
    name: &str,
    id: i32,
    ty: SqlType,
    nullable: bool,
    identity: bool,
) -> Vec<Field<'_>> {
    let mut fields = vec![Field::Int(i64::from(object)), Field::Text(name), Field::Int(i64::from(id))];
    fields.extend(typed(ty, false));
    fields.extend([
        Field::bit(nullable),
        Field::Int(1),
        Field::Int(0),
        Field::bit(identity),
        Field::Int(0),
        Field::Int(0),
        Field::Int(0),
    ]);
    fields
}

fn columns(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in visible(ctx) {
        for TableColumn { id, name, ty, nullable, identity, .. } in &object.columns {
            emit(&column_row(object.id, name, *id, *ty, *nullable, identity.is_some()))?;
        }
    }
    Ok(())
}

fn all_columns(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    columns(ctx, emit)?;
    for view in views(ctx.session.dedicated) {
        for (id, column) in (1..).zip(view.columns()) {
            emit(&column_row(view.id(), column.name, id, column.ty, column.nullable, false))?;
        }
    }
    Ok(())
}

fn identity_columns(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in visible(ctx) {
        for column in &object.columns {
            if let Some((seed, increment)) = column.identity {
                emit(&[
                    Field::Int(i64::from(object.id)),
                    Field::Text(&column.name),
                    Field::Int(i64::from(column.id)),
                    Field::Int(seed),
                    Field::Int(increment),
                ])?;
            }
        }
    }
    Ok(())
}

/// The text is NULL for callers who may not see it.
fn modules(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in visible(ctx).filter(|object| object.definition.is_some()) {
        let text = object.definition.as_deref().filter(|_| ctx.rights.sees_definition(object));
        emit(&[
            Field::Int(i64::from(object.id)),
            Field::text(text),
            Field::Int(1),
            Field::Int(1),
            Field::bit(object.references.is_some()),
            Field::Int(0),
            Field::Int(0),
            Field::Int(0),
            Field::Null,
        ])?;
    }
    Ok(())
}

/// A row of `sys.types`.
pub(crate) struct TypeRow {
    pub(crate) name: &'static str,
    system_id: i64,
    pub(crate) user_id: i64,
    max_length: i64,
    precision: i64,
    scale: i64,
    textual: bool,
}

const fn ty(
    name: &'static str,
    system_id: i64,
    user_id: i64,
    max_length: i64,
    precision: i64,
    scale: i64,
    textual: bool,
) -> TypeRow {
    TypeRow { name, system_id, user_id, max_length, precision, scale, textual }
}

/// The types of `sys.types` that this server knows.
pub(crate) const TYPES: &[TypeRow] = &[
    ty("uniqueidentifier", 36, 36, 16, 0, 0, false),
    ty("date", 40, 40, 3, 10, 0, false),
    ty("time", 41, 41, 5, 16, 7, false),
    ty("datetime2", 42, 42, 8, 27, 7, false),
    ty("datetimeoffset", 43, 43, 10, 34, 7, false),
    ty("tinyint", 48, 48, 1, 3, 0, false),
    ty("smallint", 52, 52, 2, 5, 0, false),
    ty("int", 56, 56, 4, 10, 0, false),
    ty("smalldatetime", 58, 58, 4, 16, 0, false),
    ty("real", 59, 59, 4, 24, 0, false),
    ty("money", 60, 60, 8, 19, 4, false),
    ty("datetime", 61, 61, 8, 23, 3, false),
    ty("float", 62, 62, 8, 53, 0, false),
    ty("bit", 104, 104, 1, 1, 0, false),
    ty("decimal", 106, 106, 17, 38, 38, false),
    ty("numeric", 108, 108, 17, 38, 38, false),
    ty("smallmoney", 122, 122, 4, 10, 4, false),
    ty("bigint", 127, 127, 8, 19, 0, false),
    ty("varbinary", 165, 165, 8000, 0, 0, false),
    ty("varchar", 167, 167, 8000, 0, 0, true),
    ty("binary", 173, 173, 8000, 0, 0, false),
    ty("char", 175, 175, 8000, 0, 0, true),
    ty("nvarchar", 231, 231, 8000, 0, 0, true),
    ty("nchar", 239, 239, 8000, 0, 0, true),
    ty("sysname", 231, 256, 256, 0, 0, true),
];

fn types(_: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for ty in TYPES {
        emit(&[
            Field::Text(ty.name),
            Field::Int(ty.system_id),
            Field::Int(ty.user_id),
            Field::Int(4),
            Field::Null,
            Field::Int(ty.max_length),
            Field::Int(ty.precision),
            Field::Int(ty.scale),
            if ty.textual { Field::Text(COLLATION) } else { Field::Null },
            Field::bit(ty.user_id != 256),
            Field::Int(0),
            Field::Int(0),
            Field::Int(0),
            Field::Int(0),
            Field::Int(0),
        ])?;
    }
    Ok(())
}

/// Tables of a dedicated pool are clustered columnstores unless they say otherwise.
fn indexes(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in of_kind(ctx, ObjectKind::Table) {
        emit(&[
            Field::Int(i64::from(object.id)),
            Field::Owned(format!("ClusteredIndex_{:08x}", object.id)),
            Field::Int(1),
            Field::Int(5),
            Field::Text("CLUSTERED COLUMNSTORE"),
            Field::Int(0),
            Field::Int(0),
            Field::Int(0),
            Field::Int(0),
        ])?;
    }
    Ok(())
}

fn distributions(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in of_kind(ctx, ObjectKind::Table) {
        let (policy, text) = match &object.distribution {
            Some(Distribution::Hash(_)) => (2, "HASH"),
            Some(Distribution::Replicate) => (3, "REPLICATE"),
            Some(Distribution::RoundRobin) | None => (4, "ROUND_ROBIN"),
        };
        emit(&[Field::Int(i64::from(object.id)), Field::Int(policy), Field::Text(text)])?;
    }
    Ok(())
}

fn distribution_columns(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for object in of_kind(ctx, ObjectKind::Table) {
        for column in &object.columns {
            let hashed = matches!(&object.distribution, Some(Distribution::Hash(name)) if crate::catalog::name::same(name, &column.name));
            emit(&[Field::Int(i64::from(object.id)), Field::Int(i64::from(column.id)), Field::bit(hashed)])?;
        }
    }
    Ok(())
}
