//! Workload classifiers of a dedicated pool.

use super::{BIT, Definition, Emit, Field, INT, Only, SYSNAME, WHEN, col, opt};
use crate::answer::{ServerError, SqlType};
use crate::query::context::QueryContext;

pub(super) const VIEWS: &[Definition] = &[
    Definition {
        schema: "sys",
        name: "workload_management_workload_classifiers",
        only: Only::Dedicated,
        columns: &[
            col("classifier_id", INT),
            col("group_name", SYSNAME),
            col("name", SYSNAME),
            opt("importance", SYSNAME),
            col("create_time", WHEN),
            col("modify_time", WHEN),
            col("is_enabled", BIT),
        ],
        fill: classifiers,
    },
    Definition {
        schema: "sys",
        name: "workload_management_workload_classifier_details",
        only: Only::Dedicated,
        columns: &[
            col("classifier_id", INT),
            col("classifier_type", SqlType::NVarChar(255)),
            opt("classifier_value", SqlType::NVarChar(255)),
        ],
        fill: details,
    },
];

fn classifiers(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for classifier in ctx.catalog.classifiers() {
        emit(&[
            Field::Int(i64::from(classifier.id)),
            Field::Text(&classifier.group),
            Field::Text(&classifier.name),
            Field::Text(&classifier.importance),
            Field::at(classifier.created),
            Field::at(classifier.created),
            Field::Int(1),
        ])?;
    }
    Ok(())
}

fn details(ctx: &QueryContext, emit: Emit<'_>) -> Result<(), ServerError> {
    for classifier in ctx.catalog.classifiers() {
        let hours = classifier.hours.as_ref();
        let values = [
            ("membername", Some(classifier.member.as_str())),
            ("wlm_label", classifier.label.as_deref()),
            ("wlm_context", classifier.context.as_deref()),
            ("start_time", hours.map(|hours| hours.0.as_str())),
            ("end_time", hours.map(|hours| hours.1.as_str())),
        ];
        for (kind, value) in values {
            if let Some(value) = value {
                emit(&[Field::Int(i64::from(classifier.id)), Field::Text(kind), Field::Text(value)])?;
            }
        }
    }
    Ok(())
}
