//! Inline table-valued functions, and the filters that security policies make of them.
//!
//! A function is its text with the arguments in place of its parameters. A filter is `EXISTS (function (columns))` over
//! each row of the table, printed where the table is named, so that nothing above it sees the row.

use std::collections::BTreeMap;

use crate::answer::ServerError;
use crate::catalog::object::{Object, ObjectKind};
use crate::catalog::policy::{FilterPredicate, SecurityPolicy};
use crate::errors;
use crate::query::ast::Expr;
use crate::query::bind::set::Place;
use crate::query::bind::source::MAX_VIEWS;
use crate::query::bind::{Binder, Bound, Frame, Reading, Scope, SourceScope, Typed};
use crate::query::collation::Collation;
use crate::query::error;
use crate::query::parse::{parse_argument, parse_definition};

/// The parameter of SQLite that lets every row through; see [`crate::query::run`].
pub(crate) const OPEN: &str = "?1";

impl Binder<'_> {
    /// Binds a text that sees nothing of the block that names it.
    pub(crate) fn apart<T>(
        &mut self,
        frame: Frame,
        bind: impl FnOnce(&mut Self) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        if self.view_depth >= MAX_VIEWS {
            return Err(error::view_nesting());
        }
        let frame = std::mem::replace(&mut self.frame, frame);
        let ctes = std::mem::take(&mut self.ctes);
        let visible = std::mem::replace(&mut self.visible, 0);
        let floor = std::mem::replace(&mut self.floor, self.scopes.len());
        self.scopes.push(Scope::default());
        self.view_depth += 1;
        let bound = bind(self);
        self.view_depth -= 1;
        self.scopes.pop();
        self.floor = floor;
        self.visible = visible;
        self.ctes = ctes;
        self.frame = frame;
        bound
    }

    /// A function in a FROM clause. Its arguments are constants and variables.
    pub(crate) fn called(
        &mut self,
        name: &[String],
        args: &[Expr],
        alias: Option<&str>,
        line: u32,
    ) -> Result<(String, SourceScope), ServerError> {
        let Some((own, qualifier)) = name.split_last() else { return Err(error::outside(line, "name")) };
        let schema = self.schema_of(qualifier, name, line)?;
        let found =
            self.object(schema, own).filter(|object| object.kind == ObjectKind::TableFunction).cloned();
        let Some(found) = found else {
            // STRING_SPLIT and its like are outside the subset.
            let built_in = qualifier.is_empty();
            let shown = name.join(".");
            return Err(if built_in {
                error::outside(line, &shown)
            } else {
                error::invalid_object(&shown).at_line(line)
            });
        };
        self.may_bind(name, line)?;
        if self.reading == Reading::BoundFunction && found.references.is_none() {
            return Err(self.not_bound(&found).at_line(line));
        }
        if !args.iter().all(is_constant) {
            return Err(error::outside(line, &name.join(".")));
        }
        // Results of users' functions are not kept.
        self.volatile = true;
        let arguments = args.iter().map(|arg| self.value(arg)).collect::<Result<Vec<_>, _>>()?;
        let sql = self.source_name(line)?;
        // The touch of the function itself comes before those of what it reads.
        let entry = self.entry(&found, alias, sql.clone(), None);
        let chain = Some(self.ctx.catalog.owner_of(&found));
        let frame = Frame { chain, unchecked: self.frame.unchecked, parameters: None };
        let bound = self.rows_of(&found, &arguments, &frame)?;
        if bound.columns.len() < found.columns.len() {
            return Err(error::view_columns_fewer(&found.name).at_line(line));
        }
        Ok((self.declared(&found, &bound, &sql)?, entry))
    }

    /// The rows of a function for these arguments.
    fn rows_of(
        &mut self,
        function: &Object,
        arguments: &[Typed],
        frame: &Frame,
    ) -> Result<Bound, ServerError> {
        let text = parse_definition(function.definition.as_deref().unwrap_or_default())?;
        let parameters = self.given(&function.name, &text.parameters, arguments)?;
        // What this function may read was asked when it was made.
        let reading = self.reading;
        if reading == Reading::BoundFunction {
            self.reading = Reading::Function;
        }
        let bound = self.apart(Frame { parameters: Some(parameters), ..*frame }, |binder| {
            binder.root(&text.query, Place::Inner)
        });
        self.reading = reading;
        bound.map_err(|error| ServerError { procedure: Some(function.name.clone()), ..error })
    }

    /// Arguments as the parameters' types, by name.
    pub(crate) fn given(
        &mut self,
        function: &str,
        parameters: &[(String, crate::answer::SqlType)],
        arguments: &[Typed],
    ) -> Result<BTreeMap<String, Typed>, ServerError> {
        if arguments.len() < parameters.len() {
            return Err(errors::too_few_arguments(function));
        }
        if arguments.len() > parameters.len() {
            return Err(errors::too_many_arguments(function));
        }
        let mut given = BTreeMap::new();
        for ((name, ty), argument) in parameters.iter().zip(arguments) {
            let held = self.coerce(argument, *ty)?;
            // A parameter compares by the collation of the database, whatever its argument did.
            let held = Typed {
                collation: Collation::Insensitive,
                explicit: false,
                null: false,
                digits: None,
                ..held
            };
            given.insert(name.to_lowercase(), held);
        }
        Ok(given)
    }

    /// The filter that a security policy has on a table: a name for the unfiltered rows, and the condition over them.
    pub(crate) fn filter(
        &mut self,
        table: &Object,
        load: usize,
        line: u32,
    ) -> Result<Option<(String, String)>, ServerError> {
        let ctx = self.ctx;
        let Some((_, policy, predicate)) =
            ctx.catalog.filter_on(table.id).filter(|_| self.reading == Reading::Rows)
        else {
            return Ok(None);
        };
        if self.filtering.contains(&table.id) {
            return Err(errors::predicate_not_loaded(&table.name).at_line(line));
        }
        let inner = self.source_name(line)?;
        self.filtering.push(table.id);
        let condition = self.condition_of(table, &inner, load, policy, predicate);
        self.filtering.pop();
        self.filtered = true;
        Ok(Some((inner, condition.map_err(|error| error.at_line(line))?)))
    }

    fn condition_of(
        &mut self,
        table: &Object,
        inner: &str,
        load: usize,
        policy: &SecurityPolicy,
        predicate: &FilterPredicate,
    ) -> Result<String, ServerError> {
        let function = self.ctx.catalog.object(predicate.function);
        let Some(function) = function.filter(|object| object.kind == ObjectKind::TableFunction) else {
            return Err(errors::predicate_not_loaded(&table.name));
        };
        let arguments = self.arguments_over(table, inner, load, &predicate.arguments)?;
        if !policy.schema_bound {
            // Nobody vouches for what the function reads: the reader needs a permission on all of it.
            let touch = Frame::default();
            self.apart(touch, |binder| Ok(binder.entry(function, None, String::new(), None)))?;
        }
        let frame = Frame { unchecked: policy.schema_bound, ..Frame::default() };
        let bound = self.rows_of(function, &arguments, &frame)?;
        Ok(format!("EXISTS ({})", bound.sql))
    }

    /// The arguments of a predicate over the rows of its table. The reader needs no permission on their columns.
    pub(crate) fn arguments_over(
        &mut self,
        table: &Object,
        inner: &str,
        load: usize,
        arguments: &[String],
    ) -> Result<Vec<Typed>, ServerError> {
        self.apart(Frame { unchecked: true, ..Frame::default() }, |binder| {
            let entry = binder.entry(table, None, inner.to_owned(), Some(load));
            binder.scope().sources.push(entry);
            let mut values = Vec::with_capacity(arguments.len());
            for text in arguments {
                let argument = parse_argument(text)?;
                values.push(binder.value(&argument)?);
            }
            Ok(values)
        })
    }

    /// Schema-bound text names its objects in two parts, and none of the engine's.
    pub(crate) fn may_bind(&self, name: &[String], line: u32) -> Result<(), ServerError> {
        if self.reading == Reading::BoundFunction && name.len() != 2 {
            return Err(errors::name_cannot_be_bound(&name.join(".")).at_line(line));
        }
        Ok(())
    }

    /// 4513 for something that a schema-bound text reads and that is not bound itself.
    pub(crate) fn not_bound(&self, object: &Object) -> ServerError {
        let schema = self.ctx.catalog.schema(object.schema).map_or("dbo", |schema| schema.name.as_str());
        errors::not_schema_bound(&format!("{schema}.{}", object.name))
    }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Null | Expr::Number(_) | Expr::Text { .. } | Expr::Binary(_) | Expr::Variable { .. } => true,
        Expr::Unary(_, inner) => is_constant(inner),
        _ => false,
    }
}
