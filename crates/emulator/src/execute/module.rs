//! Views, procedures and functions, and the drops of every kind of object.

use std::sync::Arc;

use super::names::shown;
use super::table::{check_columns, selected_column};
use super::work::Work;
use super::{Run, rows};
use crate::answer::ServerError;
use crate::catalog::object::{Object, ObjectKind, TableColumn};
use crate::catalog::permission::{Action, Securable};
use crate::errors;
use crate::query;
use crate::sql::ast::Kind;

impl Run<'_> {
    /// CREATE VIEW and ALTER VIEW. The columns are frozen now; the text is kept as submitted.
    pub(super) fn view(&mut self, kind: &Kind) -> Result<(), ServerError> {
        let Kind::View { name, columns, query, text, create, alter } = kind else { return Ok(()) };
        let altered = self.with_work(|work| work.view_to_change(name, *create, *alter))?;
        let own_name = name.last().map_or("", String::as_str);
        let described = query::view_columns(&self.context(), own_name, query, columns)?;
        let described: Vec<TableColumn> =
            described.iter().zip(1..).map(|(column, id)| selected_column(column, id)).collect();
        let text = as_create(text);
        self.with_work(|work| match altered {
            Some(id) => work.replace_view(id, described, text),
            None => work.create_object(name, ObjectKind::View, described, text, Action::CreateView),
        })?;
        self.done(None);
        Ok(())
    }
}

/// The catalog shows altered modules as if they had been created so.
pub(super) fn as_create(text: &str) -> String {
    match text.get(..5) {
        Some(first) if first.eq_ignore_ascii_case("ALTER") => format!("CREATE{}", &text[5..]),
        _ => text.to_owned(),
    }
}

impl Work<'_> {
    /// The id of the view to alter, or `None` if one is to be made.
    fn view_to_change(&self, path: &[String], create: bool, alter: bool) -> Result<Option<i32>, ServerError> {
        let found = self.find_object(path)?.filter(|object| object.kind == ObjectKind::View);
        match found {
            Some(view) if alter => {
                if self.access().allows(Action::Alter, Securable::object(view.id)) {
                    Ok(Some(view.id))
                } else {
                    Err(errors::invalid_object(&shown(path)))
                }
            }
            None if !create => Err(errors::invalid_object(&shown(path))),
            _ => self.may_create(path, Action::CreateView).map(|_| None),
        }
    }

    fn create_object(
        &mut self,
        path: &[String],
        kind: ObjectKind,
        columns: Vec<TableColumn>,
        text: String,
        action: Action,
    ) -> Result<(), ServerError> {
        let (schema, name) = self.may_create(path, action)?;
        check_columns(&columns, &name)?;
        let now = self.now();
        let catalog = self.catalog_mut();
        let id = catalog.take_object_id();
        catalog.put_object(Object {
            id,
            name,
            schema,
            owner: None,
            kind,
            columns,
            definition: Some(text),
            distribution: None,
            rows: Arc::default(),
            references: None,
            policy: None,
            statistics: Vec::new(),
            created: now,
            modified: now,
        });
        Ok(())
    }

    /// ALTER VIEW keeps permissions; those on columns only while a column keeps its name.
    fn replace_view(&mut self, id: i32, columns: Vec<TableColumn>, text: String) -> Result<(), ServerError> {
        let Some(mut view) = self.catalog().object(id).cloned() else {
            return Err(errors::invalid_object(""));
        };
        check_columns(&columns, &view.name)?;
        let renumbered: Vec<(i32, i32)> = view
            .columns
            .iter()
            .filter_map(|old| {
                let new = columns.iter().find(|new| crate::catalog::name::same(&new.name, &old.name))?;
                Some((old.id, new.id))
            })
            .collect();
        view.columns = columns;
        view.definition = Some(text);
        view.modified = self.now();
        let catalog = self.catalog_mut();
        catalog.put_object(view);
        rows::renumber_columns(catalog, id, &renumbered);
        Ok(())
    }

    /// Procedures and functions that give a value are kept as objects, so that they can be granted on; they are not run.
    pub(super) fn create_module(
        &mut self,
        path: &[String],
        kind: ObjectKind,
        text: &str,
    ) -> Result<(), ServerError> {
        let action =
            if kind == ObjectKind::Procedure { Action::CreateProcedure } else { Action::CreateFunction };
        self.create_object(path, kind, Vec::new(), text.to_owned(), action)
    }

    pub(super) fn drop_object(
        &mut self,
        path: &[String],
        kind: ObjectKind,
        if_exists: bool,
    ) -> Result<(), ServerError> {
        let missing = || errors::cannot_drop(noun(kind), &shown(path));
        let Some(object) = self.find_object(path)? else {
            return if if_exists { Ok(()) } else { Err(missing()) };
        };
        if noun(object.kind) != noun(kind) {
            let right = noun(object.kind);
            return Err(errors::wrong_drop(
                &noun(kind).to_uppercase(),
                &object.name,
                right,
                &right.to_uppercase(),
            ));
        }
        let access = self.access();
        let may = access.allows(Action::Control, Securable::object(object.id))
            || access.allows(Action::Alter, Securable::schema(object.schema));
        if !may {
            return Err(missing());
        }
        if self.state.locks.contains_key(&object.id) {
            return Err(errors::lock_timeout());
        }
        let id = object.id;
        if let Some(holder) = self.catalog().holder_of(id) {
            let verb = format!("DROP {}", noun(kind).to_uppercase());
            return Err(errors::referenced(&verb, &shown(path), &holder.name));
        }
        self.catalog_mut().remove_object(id);
        Ok(())
    }
}

fn noun(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "table",
        ObjectKind::View => "view",
        ObjectKind::Procedure => "procedure",
        ObjectKind::ScalarFunction | ObjectKind::TableFunction => "function",
        ObjectKind::SecurityPolicy => "security policy",
    }
}
