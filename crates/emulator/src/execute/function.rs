//! Inline table-valued functions: CREATE and ALTER.

use std::sync::Arc;

use super::Run;
use super::module::as_create;
use super::names::shown;
use super::table::{check_columns, selected_column};
use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::object::{Object, ObjectKind, TableColumn};
use crate::catalog::permission::{Action, Securable};
use crate::errors;
use crate::query::{self, Described};
use crate::sql::ast::Kind;

impl Run<'_> {
    /// The columns, and what a schema-bound text reads, are fixed now; the text is kept as submitted.
    pub(super) fn function(&mut self, kind: &Kind) -> Result<(), ServerError> {
        let Kind::Function { name, function, text, alter } = kind else { return Ok(()) };
        self.with_work(|work| {
            if *alter {
                work.function_to_alter(name).map(|_| ())
            } else {
                work.may_create(name, Action::CreateFunction).map(|_| ())
            }
        })?;
        let context = self.context();
        let own_name = name.last().map_or("", String::as_str);
        let described = query::function_columns(&context, own_name, function)?;
        for reference in described.references.iter().flatten() {
            if let Some(object) = context.catalog.object(reference.object) {
                context.rights.check(object, &reference.columns, Action::References)?;
            }
        }
        drop(context);
        let text = as_create(text);
        self.with_work(|work| work.keep_function(name, described, text, *alter))?;
        self.done(None);
        Ok(())
    }
}

impl Work<'_> {
    /// The function of this name, if the caller may alter it and nothing holds on to it.
    fn function_to_alter(&self, path: &[String]) -> Result<Object, ServerError> {
        let missing = || errors::invalid_object(&shown(path));
        let found = self.find_object(path)?.filter(|object| object.kind == ObjectKind::TableFunction);
        let found = found.ok_or_else(missing)?;
        if !self.access().allows(Action::Alter, Securable::object(found.id)) {
            return Err(missing());
        }
        match self.catalog().holder_of(found.id) {
            Some(holder) => Err(errors::referenced("ALTER", &shown(path), &holder.name)),
            None => Ok(found.clone()),
        }
    }

    fn keep_function(
        &mut self,
        path: &[String],
        described: Described,
        text: String,
        alter: bool,
    ) -> Result<(), ServerError> {
        let columns: Vec<TableColumn> =
            described.columns.iter().zip(1..).map(|(column, id)| selected_column(column, id)).collect();
        let now = self.now();
        let function = if alter {
            let old = self.function_to_alter(path)?;
            Object { columns, definition: Some(text), references: described.references, modified: now, ..old }
        } else {
            let (schema, name) = self.may_create(path, Action::CreateFunction)?;
            Object {
                id: self.catalog_mut().take_object_id(),
                name,
                schema,
                owner: None,
                kind: ObjectKind::TableFunction,
                columns,
                definition: Some(text),
                distribution: None,
                rows: Arc::default(),
                references: described.references,
                policy: None,
                statistics: Vec::new(),
                created: now,
                modified: now,
            }
        };
        check_columns(&function.columns, &function.name)?;
        self.catalog_mut().put_object(function);
        Ok(())
    }
}
