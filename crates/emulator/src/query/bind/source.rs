//! FROM clauses: tables, system views, views, common table expressions, derived tables and joins.

use std::collections::BTreeSet;

use crate::answer::ServerError;
use crate::catalog::name::same;
use crate::catalog::object::{Object, ObjectKind};
use crate::query::ast::{Join, Source};
use crate::query::bind::function::OPEN;
use crate::query::bind::set::Place;
use crate::query::bind::{Binder, Bound, Frame, Load, Origin, OutColumn, Reading, Scope, SourceScope, Touch};
use crate::query::collation::Collation;
use crate::query::parse::parse_view;
use crate::query::system::{self, SystemView};
use crate::query::{convert, error};

/// Deepest nesting of views and functions.
pub(crate) const MAX_VIEWS: usize = 32;

impl Binder<'_> {
    /// Prints a source and adds what it names to `found`.
    pub(crate) fn source(
        &mut self,
        source: &Source,
        found: &mut Vec<SourceScope>,
    ) -> Result<String, ServerError> {
        match source {
            Source::Named { name, alias, line } => {
                let (sql, entry) = self.named(name, alias.as_deref(), *line)?;
                add(found, entry, *line)?;
                Ok(sql)
            }
            Source::Derived { query, alias, columns, line } => {
                let bound = self.query(query, Place::Inner)?;
                let (sql, entry) = self.derived(bound, alias, columns, *line)?;
                add(found, entry, *line)?;
                Ok(sql)
            }
            Source::Function { name, args, alias, line } => {
                let (sql, entry) = self.called(name, args, alias.as_deref(), *line)?;
                add(found, entry, *line)?;
                Ok(sql)
            }
            Source::Join { left, kind, right, on } => {
                let mut own = Vec::new();
                let left = self.source(left, &mut own)?;
                let right_is_join = matches!(**right, Source::Join { .. });
                let right = self.source(right, &mut own)?;
                // A repeated name is found when both sides are known.
                let condition = match on {
                    None => String::new(),
                    Some(on) => {
                        let scope = Scope { sources: own.clone(), ..Scope::default() };
                        self.scopes.push(scope);
                        let condition = self.condition(on);
                        self.scopes.pop();
                        format!(" ON {}", condition?)
                    }
                };
                let word = match kind {
                    // SQLite's CROSS JOIN fixes the order of the loops; a plain JOIN does not.
                    Join::Inner | Join::Cross => "JOIN",
                    Join::Left => "LEFT JOIN",
                    Join::Right => "RIGHT JOIN",
                    Join::Full => "FULL JOIN",
                };
                let split = own.len() - count(source_right(source));
                for (place, entry) in own.iter_mut().enumerate() {
                    let outer = match kind {
                        Join::Full => true,
                        Join::Left => place >= split,
                        Join::Right => place < split,
                        Join::Inner | Join::Cross => false,
                    };
                    if outer {
                        entry.columns.iter_mut().for_each(|column| column.nullable = true);
                    }
                }
                for entry in own {
                    add(found, entry, 1)?;
                }
                let right = if right_is_join { format!("({right})") } else { right };
                Ok(format!("{left} {word} {right}{condition}"))
            }
        }
    }

    fn named(
        &mut self,
        name: &[String],
        alias: Option<&str>,
        line: u32,
    ) -> Result<(String, SourceScope), ServerError> {
        let Some((object, qualifier)) = name.split_last() else { return Err(error::outside(line, "name")) };
        if qualifier.is_empty()
            && let Some((place, cte)) = self.cte(object)
        {
            if place >= self.visible {
                return Err(error::outside(line, "recursive WITH"));
            }
            let bound = self.cte_query(place, &cte)?;
            return self.derived(bound, alias.unwrap_or(object), &cte.columns, line);
        }
        self.may_bind(name, line)?;
        let schema = self.schema_of(qualifier, name, line)?;
        let system = match schema {
            Some(schema) => system::find(schema, object, self.ctx.session.dedicated),
            None => system::find_bare(object, self.ctx.session.dedicated),
        };
        if let Some(view) = system {
            return self.system(view, schema.unwrap_or("sys"), object, alias, line);
        }
        let found = self.object(schema, object).cloned();
        let Some(found) = found else { return Err(error::invalid_object(&name.join(".")).at_line(line)) };
        match found.kind {
            ObjectKind::Table => self.table(&found, alias, line),
            ObjectKind::View if self.reading == Reading::BoundFunction => {
                Err(self.not_bound(&found).at_line(line))
            }
            ObjectKind::View => self.view(&found, alias, line),
            _ => Err(error::invalid_object(&name.join(".")).at_line(line)),
        }
    }

    /// The schema of a qualified name. The database may be named, but only this one.
    pub(crate) fn schema_of<'n>(
        &self,
        qualifier: &'n [String],
        name: &[String],
        line: u32,
    ) -> Result<Option<&'n str>, ServerError> {
        let (database, schema) = match qualifier {
            [] => return Ok(None),
            [schema] => return Ok(Some(schema)),
            [database, schema] => (database, schema),
            _ => return Err(error::invalid_object(&name.join(".")).at_line(line)),
        };
        if !same(database, &self.ctx.session.database) {
            return Err(error::invalid_object(&name.join(".")).at_line(line));
        }
        Ok(if schema.is_empty() { None } else { Some(schema) })
    }

    /// A user table or view by name: without a schema in the caller's own, then in dbo.
    pub(crate) fn object(&self, schema: Option<&str>, name: &str) -> Option<&Object> {
        let catalog = &self.ctx.catalog;
        let named = |schema: &str| {
            catalog.schema_named(schema).and_then(|schema| catalog.object_named(schema.id, name))
        };
        match schema {
            Some(schema) => named(schema),
            None => named(&self.ctx.session.default_schema).or_else(|| named("dbo")),
        }
    }

    fn load(&mut self, origin: Origin) -> usize {
        if let Some(at) = self.loads.iter().position(|load| load.origin == origin) {
            return at;
        }
        self.loads.push(Load { origin, used: BTreeSet::new() });
        self.loads.len() - 1
    }

    fn system(
        &mut self,
        view: SystemView,
        schema: &str,
        name: &str,
        alias: Option<&str>,
        line: u32,
    ) -> Result<(String, SourceScope), ServerError> {
        self.volatile = true;
        let load = self.load(Origin::System(view));
        let sql = self.source_name(line)?;
        let columns = view
            .columns()
            .iter()
            .map(|column| OutColumn {
                name: Some(column.name.to_owned()),
                ty: column.ty,
                nullable: column.nullable,
                collation: Collation::Insensitive,
                null: false,
            })
            .collect();
        let entry = SourceScope {
            schema: alias.is_none().then(|| schema.to_owned()),
            name: alias.unwrap_or(name).to_owned(),
            sql: sql.clone(),
            columns,
            load: Some(load),
            touch: None,
            column_ids: Vec::new(),
        };
        Ok((format!("l{load} AS {sql}"), entry))
    }

    fn table(
        &mut self,
        object: &Object,
        alias: Option<&str>,
        line: u32,
    ) -> Result<(String, SourceScope), ServerError> {
        let load = self.load(Origin::Table(object.id));
        let sql = self.source_name(line)?;
        let entry = self.entry(object, alias, sql.clone(), Some(load));
        let printed = match self.filter(object, load, line)? {
            None => format!("l{load} AS {sql}"),
            // UPDATE and DELETE ask for the place of the row.
            Some((inner, condition)) => format!(
                "(SELECT {inner}.*,{inner}.rowid AS rowid FROM l{load} AS {inner} WHERE ({OPEN} OR {condition})) AS {sql}"
            ),
        };
        Ok((printed, entry))
    }

    /// A view is its text, bound with the rights of its owner where it reads what its owner owns.
    fn view(
        &mut self,
        object: &Object,
        alias: Option<&str>,
        line: u32,
    ) -> Result<(String, SourceScope), ServerError> {
        if self.view_depth >= MAX_VIEWS {
            return Err(error::view_nesting());
        }
        let definition = object.definition.as_deref().unwrap_or_default();
        let query = parse_view(definition)?;
        let sql = self.source_name(line)?;
        // The touch of the view itself comes before those of what it reads.
        let entry = self.entry(object, alias, sql.clone(), None);
        let frame = Frame { chain: Some(self.ctx.catalog.owner_of(object)), ..self.frame.clone() };
        let bound = self.apart(frame, |binder| binder.root(&query, Place::Inner));
        let bound = bound.map_err(|error| ServerError { procedure: Some(object.name.clone()), ..error })?;
        if bound.columns.len() < object.columns.len() {
            return Err(error::view_columns_fewer(&object.name).at_line(line));
        }
        Ok((self.declared(object, &bound, &sql)?, entry))
    }

    /// Rows with the types of their declaration; what the tables hold may have changed since.
    pub(crate) fn declared(
        &mut self,
        object: &Object,
        bound: &Bound,
        sql: &str,
    ) -> Result<String, ServerError> {
        let mut list = Vec::new();
        for (place, (column, own)) in object.columns.iter().zip(&bound.columns).enumerate() {
            let mut held = crate::query::bind::Typed::new(format!("c{place}"), own.ty, own.nullable);
            held.null = own.null;
            if held.ty != column.ty {
                convert::check_explicit(held.ty, column.ty)?;
                held = if held.null {
                    crate::query::bind::Typed { ty: column.ty, ..held }
                } else {
                    self.cast(&held, column.ty, None, false)
                };
            }
            list.push(format!("{} AS c{place}", held.sql));
        }
        Ok(format!("(SELECT {} FROM ({})) AS {sql}", list.join(","), bound.sql))
    }

    /// The scope entry of a user object, and the record that the caller needs SELECT on it.
    pub(crate) fn entry(
        &mut self,
        object: &Object,
        alias: Option<&str>,
        sql: String,
        load: Option<usize>,
    ) -> SourceScope {
        self.seen.insert(object.id);
        let owner = self.ctx.catalog.owner_of(object);
        let touch = if self.frame.unchecked || self.frame.chain == Some(owner) {
            None
        } else {
            self.touches.push(Touch { object: object.id, columns: BTreeSet::new(), writes: false });
            Some(self.touches.len() - 1)
        };
        let schema = self.ctx.catalog.schema(object.schema).map(|schema| schema.name.clone());
        SourceScope {
            schema: if alias.is_none() { schema } else { None },
            name: alias.unwrap_or(&object.name).to_owned(),
            sql,
            columns: object
                .columns
                .iter()
                .map(|column| OutColumn {
                    name: Some(column.name.clone()),
                    ty: column.ty,
                    nullable: column.nullable,
                    collation: Collation::Insensitive,
                    null: false,
                })
                .collect(),
            load,
            touch,
            column_ids: object.columns.iter().map(|column| column.id).collect(),
        }
    }

    fn derived(
        &mut self,
        bound: Bound,
        alias: &str,
        names: &[String],
        line: u32,
    ) -> Result<(String, SourceScope), ServerError> {
        let sql = self.source_name(line)?;
        let mut columns = bound.columns;
        rename(&mut columns, names, alias).map_err(|error| error.at_line(line))?;
        let entry = SourceScope {
            schema: None,
            name: alias.to_owned(),
            sql: sql.clone(),
            columns,
            load: None,
            touch: None,
            column_ids: Vec::new(),
        };
        Ok((format!("({}) AS {sql}", bound.sql), entry))
    }
}

/// Gives the columns of a derived table their names; every one needs a name of its own.
pub(crate) fn rename(columns: &mut [OutColumn], names: &[String], alias: &str) -> Result<(), ServerError> {
    if !names.is_empty() {
        if names.len() < columns.len() {
            return Err(error::fewer_columns(alias));
        }
        if names.len() > columns.len() {
            return Err(error::more_columns(alias));
        }
        for (column, name) in columns.iter_mut().zip(names) {
            column.name = Some(name.clone());
        }
    }
    for (place, column) in columns.iter().enumerate() {
        let Some(name) = column.name.as_deref().filter(|name| !name.is_empty()) else {
            return Err(error::unnamed_column(place + 1, alias));
        };
        let repeated = columns[..place]
            .iter()
            .any(|earlier| earlier.name.as_deref().is_some_and(|other| same(other, name)));
        if repeated {
            return Err(error::repeated_column(name, alias));
        }
    }
    Ok(())
}

fn add(found: &mut Vec<SourceScope>, entry: SourceScope, line: u32) -> Result<(), ServerError> {
    let clash = found.iter().any(|other| same(&other.name, &entry.name) && (other.schema == entry.schema));
    if clash {
        return Err(error::same_alias(&entry.name).at_line(line));
    }
    found.push(entry);
    Ok(())
}

fn source_right(source: &Source) -> &Source {
    match source {
        Source::Join { right, .. } => right,
        other => other,
    }
}

/// How many names a source brings.
fn count(source: &Source) -> usize {
    match source {
        Source::Join { left, right, .. } => count(left) + count(right),
        _ => 1,
    }
}
