//! Tables: CREATE, CREATE AS SELECT, ALTER, TRUNCATE, RENAME.

use std::sync::Arc;

use super::names::shown;
use super::work::Work;
use super::{Run, rows};
use crate::answer::{Column, ServerError, Value};
use crate::catalog::name::{fold, same};
use crate::catalog::object::{Distribution, Object, ObjectKind, TableColumn};
use crate::catalog::permission::{Action, Securable};
use crate::errors;
use crate::query;
use crate::sql::ast::{ColumnDefinition, TableChange, TableSource};

/// Columns that a table or view may have.
const MAX_COLUMNS: usize = 1024;

impl Run<'_> {
    pub(super) fn create_table(
        &mut self,
        name: &[String],
        source: &TableSource,
        distribution: &Distribution,
    ) -> Result<(), ServerError> {
        match source {
            TableSource::Columns(columns) => {
                let columns = columns.iter().zip(1..).map(|(column, id)| table_column(column, id)).collect();
                self.with_work(|work| work.create_table(name, columns, distribution, Vec::new()))?;
                self.done(None);
            }
            TableSource::Query(query) => {
                self.with_work(|work| work.may_create(name, Action::CreateTable).map(|_| ()))?;
                let result = query::run(&self.context(), query)?;
                let columns =
                    result.columns.iter().zip(1..).map(|(column, id)| selected_column(column, id)).collect();
                let count = u64::try_from(result.rows.len()).unwrap_or(u64::MAX);
                self.with_work(|work| work.create_table(name, columns, distribution, result.rows))?;
                self.done(Some(count));
            }
        }
        Ok(())
    }
}

fn table_column(definition: &ColumnDefinition, id: i32) -> TableColumn {
    TableColumn {
        id,
        name: definition.name.clone(),
        ty: definition.ty,
        nullable: definition.nullable,
        identity: definition.identity,
        default: definition.default.clone(),
    }
}

pub(super) fn selected_column(column: &Column, id: i32) -> TableColumn {
    TableColumn {
        id,
        name: column.name.clone(),
        ty: column.ty,
        nullable: column.nullable,
        identity: None,
        default: None,
    }
}

impl Work<'_> {
    /// Checks that the caller may make an object of this name; gives its schema and name.
    pub(super) fn may_create(&self, path: &[String], action: Action) -> Result<(i32, String), ServerError> {
        if !self.access().allows_database(action) {
            return Err(errors::database_denied(action.name(), self.catalog().database()));
        }
        self.may_make(path)
    }

    /// The part of [`Work::may_create`] that every kind of object has: ALTER on the schema, and a name that is free.
    pub(super) fn may_make(&self, path: &[String]) -> Result<(i32, String), ServerError> {
        let access = self.access();
        let (schema, name) = self.place(path)?;
        if !access.allows(Action::Alter, Securable::schema(schema)) {
            let shown = self.catalog().schema(schema).map_or("", |schema| schema.name.as_str());
            return Err(errors::no_such_schema(shown));
        }
        if self.catalog().object_named(schema, &name).is_some() {
            return Err(errors::object_exists(&name));
        }
        Ok((schema, name))
    }

    fn create_table(
        &mut self,
        path: &[String],
        columns: Vec<TableColumn>,
        distribution: &Distribution,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), ServerError> {
        let (schema, name) = self.may_create(path, Action::CreateTable)?;
        check_columns(&columns, &name)?;
        if let Distribution::Hash(column) = distribution
            && !columns.iter().any(|other| same(&other.name, column))
        {
            return Err(errors::invalid_column(column));
        }
        let now = self.now();
        let catalog = self.catalog_mut();
        let id = catalog.take_object_id();
        catalog.put_object(Object {
            id,
            name,
            schema,
            owner: None,
            kind: ObjectKind::Table,
            columns,
            definition: None,
            distribution: Some(distribution.clone()),
            rows: Arc::new(rows),
            references: None,
            policy: None,
            statistics: Vec::new(),
            created: now,
            modified: now,
        });
        Ok(())
    }

    /// A table that the caller may alter, with the error that its statement has for a missing one.
    pub(super) fn table_to_alter(
        &self,
        path: &[String],
        missing: fn(&str) -> ServerError,
    ) -> Result<Object, ServerError> {
        let name = shown(path);
        let table = self.find_object(path)?.filter(|object| object.kind == ObjectKind::Table);
        let table = table.ok_or_else(|| missing(&name))?;
        if !self.access().allows(Action::Alter, Securable::object(table.id)) {
            return Err(missing(&name));
        }
        if self.state.locks.contains_key(&table.id) {
            return Err(errors::lock_timeout());
        }
        Ok(table.clone())
    }

    pub(super) fn alter_table(&mut self, path: &[String], change: &TableChange) -> Result<(), ServerError> {
        let mut table = self.table_to_alter(path, errors::no_such_table)?;
        match change {
            TableChange::Add(columns) => add_columns(&mut table, columns)?,
            TableChange::Drop(columns) => {
                for name in columns {
                    let index = table.columns.iter().position(|column| same(&column.name, name));
                    let index = index.ok_or_else(|| errors::no_such_table_column(name, &table.name))?;
                    if table.columns.len() == 1 {
                        return Err(errors::no_such_table_column(name, &table.name));
                    }
                    if let Some(holder) = self.catalog().holder_of_column(table.id, table.columns[index].id) {
                        return Err(errors::column_referenced(&holder.name, name));
                    }
                    let id = table.columns[index].id;
                    if let Some(on_it) = table.statistics.iter().find(|on| on.columns.contains(&id)) {
                        return Err(errors::column_counted(&on_it.name, name));
                    }
                    table.columns.remove(index);
                    for row in Arc::make_mut(&mut table.rows) {
                        row.remove(index);
                    }
                }
            }
        }
        table.modified = self.now();
        let kept: Vec<i32> = table.columns.iter().map(|column| column.id).collect();
        let id = table.id;
        let catalog = self.catalog_mut();
        catalog.put_object(table);
        rows::forget_columns(catalog, id, &kept);
        Ok(())
    }

    pub(super) fn truncate(&mut self, path: &[String]) -> Result<(), ServerError> {
        let mut table = self.table_to_alter(path, errors::cannot_truncate)?;
        table.rows = Arc::new(Vec::new());
        self.catalog_mut().put_object(table);
        Ok(())
    }

    pub(super) fn rename_object(&mut self, path: &[String], to: &str) -> Result<(), ServerError> {
        let mut table = self.table_to_alter(path, errors::no_such_table)?;
        if self.catalog().object_named(table.schema, to).is_some_and(|other| other.id != table.id) {
            return Err(errors::object_exists(to));
        }
        if self.catalog().holder_of(table.id).is_some() {
            return Err(errors::rename_referenced(&table.name));
        }
        to.clone_into(&mut table.name);
        table.modified = self.now();
        self.catalog_mut().put_object(table);
        Ok(())
    }
}

/// Refuses columns named twice and more than the limit.
pub(super) fn check_columns(columns: &[TableColumn], table: &str) -> Result<(), ServerError> {
    let mut seen = std::collections::BTreeSet::new();
    for column in columns {
        if !seen.insert(fold(&column.name)) {
            return Err(errors::duplicate_column(&column.name, table));
        }
    }
    if columns.len() > MAX_COLUMNS { Err(errors::too_many_columns(table)) } else { Ok(()) }
}

fn add_columns(table: &mut Object, columns: &[ColumnDefinition]) -> Result<(), ServerError> {
    let next = table.columns.iter().map(|column| column.id).max().unwrap_or(0) + 1;
    for (definition, id) in columns.iter().zip(next..) {
        if !definition.nullable && definition.default.is_none() && !table.rows.is_empty() {
            return Err(errors::column_needs_default(&definition.name, &table.name));
        }
        table.columns.push(table_column(definition, id));
        // Rows that exist take the default only where the column cannot be NULL.
        let value = definition.default.clone().filter(|_| !definition.nullable).unwrap_or(Value::Null);
        for row in Arc::make_mut(&mut table.rows) {
            row.push(value.clone());
        }
    }
    check_columns(&table.columns, &table.name)
}
