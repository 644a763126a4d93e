//! What a new function gives and reads, and what a new predicate names.

use crate::answer::{Column, ServerError};
use crate::catalog::object::Object;
use crate::catalog::policy::Reference;
use crate::query::ast::InlineFunction;
use crate::query::bind::set::Place;
use crate::query::bind::{Binder, Frame, Load, Origin, Reading, Typed};
use crate::query::context::QueryContext;
use crate::query::parse::parse_definition;
use crate::query::view::named_columns;
use crate::sql::lexer::lex;

/// What the text of a function says of it.
#[derive(Debug, Clone)]
pub struct Described {
    /// Names and types of its columns.
    pub columns: Vec<Column>,
    /// What it reads, if it is schema-bound.
    pub references: Option<Vec<Reference>>,
}

/// Reads the text of `CREATE FUNCTION name …`. Rights on what it reads are checked when it is read, but for the
/// REFERENCES of schema-bound ones, which are the caller's to check.
pub fn function_columns(
    ctx: &QueryContext,
    name: &str,
    function: &InlineFunction,
) -> Result<Described, ServerError> {
    let mut binder = Binder::new(ctx);
    binder.reading = if function.schema_bound { Reading::BoundFunction } else { Reading::Function };
    let parameters = function
        .parameters
        .iter()
        .map(|(name, ty)| (name.to_lowercase(), Typed::new("NULL".to_owned(), *ty, true)))
        .collect();
    let frame = Frame { parameters: Some(parameters), ..Frame::default() };
    let bound = binder.apart(frame, |binder| binder.root(&function.query, Place::Inner))?;
    let columns = named_columns(&bound, name, &[])?;
    let references = function.schema_bound.then(|| {
        let mut references: Vec<Reference> = Vec::new();
        for touch in &binder.touches {
            let at = references.iter().position(|reference| reference.object == touch.object);
            let at = at.unwrap_or_else(|| {
                references.push(Reference { object: touch.object, columns: Vec::new() });
                references.len() - 1
            });
            let new: Vec<i32> =
                touch.columns.iter().copied().filter(|id| !references[at].columns.contains(id)).collect();
            references[at].columns.extend(new);
        }
        references
    });
    Ok(Described { columns, references })
}

/// The columns of a table that the arguments of a predicate name, if they fit the function's parameters.
pub fn predicate_columns(
    ctx: &QueryContext,
    table: &Object,
    function: &Object,
    arguments: &[String],
) -> Result<Vec<i32>, ServerError> {
    for argument in arguments {
        if lex(argument)?.iter().any(|token| token.is_word("SELECT")) {
            return Err(crate::errors::subquery_in_predicate());
        }
    }
    let mut binder = Binder::new(ctx);
    binder.loads.push(Load { origin: Origin::Table(table.id), used: std::collections::BTreeSet::new() });
    let values = binder.arguments_over(table, "t", 0, arguments)?;
    let text = parse_definition(function.definition.as_deref().unwrap_or_default())?;
    binder.given(&function.name, &text.parameters, &values)?;
    Ok(binder.loads[0].used.iter().filter_map(|place| table.columns.get(*place)).map(|own| own.id).collect())
}
