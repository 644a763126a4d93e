//! Statistics on columns, and what a dedicated pool tells of the rows of its tables.

use super::{BIT, Definition, Emit, Field, INT, Only, SYSNAME, col, opt};
use crate::answer::{ServerError, SqlType};
use crate::catalog::object::{Object, ObjectKind, Statistics};
use crate::catalog::permission::{Action, Securable};
use crate::errors;
use crate::query::context::QueryContext;
use crate::query::spread::parts;

const BIG: SqlType = SqlType::BigInt;

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        schema: "sys",
        name: "stats",
        only: Only::Both,
        columns: &[
            col("object_id", INT),
            opt("name", SYSNAME),
            col("stats_id", INT),
            opt("auto_created", BIT),
            opt("user_created", BIT),
            opt("no_recompute", BIT),
            opt("has_filter", BIT),
            opt("filter_definition", SqlType::NVarChar(0)),
        ],
        fill: stats,
    },
    Definition {
        schema: "sys",
        name: "stats_columns",
        only: Only::Both,
        columns: &[
            col("object_id", INT),
            col("stats_id", INT),
            opt("stats_column_id", INT),
            opt("column_id", INT),
        ],
        fill: stats_columns,
    },
    Definition {
        schema: "sys",
        name: "dm_pdw_nodes_db_partition_stats",
        only: Only::Dedicated,
        columns: &[
            opt("partition_id", BIG),
            col("object_id", INT),
            col("index_id", INT),
            col("partition_number", INT),
            opt("in_row_data_page_count", BIG),
            opt("in_row_used_page_count", BIG),
            opt("in_row_reserved_page_count", BIG),
            opt("lob_used_page_count", BIG),
            opt("lob_reserved_page_count", BIG),
            opt("row_overflow_used_page_count", BIG),
            opt("row_overflow_reserved_page_count", BIG),
            opt("used_page_count", BIG),
            opt("reserved_page_count", BIG),
            opt("row_count", BIG),
            col("pdw_node_id", INT),
            col("distribution_id", INT),
        ],
        fill: partitions,
    },
];

/// Statistics of tables whose metadata the caller sees.
fn visible(ctx: &QueryContext) -> impl Iterator<Item = (&Object, &Statistics)> {
    let tables = ctx.catalog.objects().filter(|object| ctx.rights.sees_object(object));
    tables.flat_map(|table| table.statistics.iter().map(move |statistics| (table, statistics)))
}

fn stats(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for (table, statistics) in visible(ctx) {
        emit(&[
            Field::Int(i64::from(table.id)),
            Field::Text(&statistics.name),
            Field::Int(i64::from(statistics.id)),
            Field::bit(false),
            Field::bit(true),
            Field::bit(false),
            Field::bit(false),
            Field::Null,
        ])?;
    }
    Ok(())
}

fn stats_columns(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for (table, statistics) in visible(ctx) {
        for (place, column) in (1..).zip(&statistics.columns) {
            emit(&[
                Field::Int(i64::from(table.id)),
                Field::Int(i64::from(statistics.id)),
                Field::Int(place),
                Field::Int(i64::from(*column)),
            ])?;
        }
    }
    Ok(())
}

/// All tables for whoever may look at the state of the database and at its definitions, refused to everybody else.
fn partitions(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for needed in [Action::ViewDatabaseState, Action::ViewDefinition] {
        if !ctx.rights.has(needed, Securable::DATABASE) {
            return Err(errors::database_denied(needed.name(), &ctx.session.database));
        }
    }
    for table in ctx.catalog.objects().filter(|object| object.kind == ObjectKind::Table) {
        for part in parts(table) {
            let none = Field::Int(0);
            emit(&[
                Field::Int((i64::from(table.id) << 8) + part.distribution.max(0)),
                Field::Int(i64::from(table.id)),
                Field::Int(1),
                Field::Int(1),
                none.clone(),
                none.clone(),
                none.clone(),
                Field::Int(part.pages),
                Field::Int(part.pages),
                none.clone(),
                none,
                Field::Int(part.pages),
                Field::Int(part.pages),
                Field::Int(part.rows),
                Field::Int(1),
                Field::Int(part.distribution),
            ])?;
        }
    }
    Ok(())
}
