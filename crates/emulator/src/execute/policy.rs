//! CREATE, ALTER and DROP SECURITY POLICY.

use std::sync::Arc;

use super::Run;
use super::names::{shown, split};
use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::Catalog;
use crate::catalog::object::{Object, ObjectKind};
use crate::catalog::permission::{Action, Securable};
use crate::catalog::policy::{FilterPredicate, SecurityPolicy};
use crate::errors;
use crate::query::{self, QueryContext};
use crate::sql::ast::{PolicyStatement, PredicateChange, PredicateText};

/// How often a policy is made again because another session was faster.
const ATTEMPTS: usize = 16;

impl Run<'_> {
    /// CREATE and ALTER: the whole policy is made and checked first, and put in place if nothing changed meanwhile.
    pub(super) fn policy(&mut self, statement: &PolicyStatement) -> Result<(), ServerError> {
        for _ in 0..ATTEMPTS {
            let context = self.context();
            let revision = context.catalog.revision();
            let old = self.with_work(|work| work.policy_to_change(statement))?;
            let mut policy = old.as_ref().and_then(|old| old.policy.clone()).unwrap_or(SecurityPolicy {
                enabled: true,
                schema_bound: statement.schema_bound,
                filters: Vec::new(),
                next: 1,
            });
            let name = statement.name.last().map_or("", String::as_str);
            for change in &statement.changes {
                apply(&context, name, &mut policy, change)?;
            }
            policy.enabled = statement.enabled.unwrap_or(policy.enabled);
            alone(&context.catalog, old.as_ref().map(|old| old.id), name, &policy)?;
            drop(context);
            let stored = self.with_work(|work| work.keep_policy(statement, old, policy, revision))?;
            if stored {
                self.done(None);
                return Ok(());
            }
        }
        Err(errors::lock_timeout())
    }
}

impl Work<'_> {
    /// The policy to alter, or `None` if one is to be made; refuses who may not.
    fn policy_to_change(&self, statement: &PolicyStatement) -> Result<Option<Object>, ServerError> {
        let may = self.access().allows_database(Action::AlterAnySecurityPolicy);
        if statement.create {
            if !may {
                return Err(errors::no_permission());
            }
            self.may_make(&statement.name)?;
            return Ok(None);
        }
        let name = shown(&statement.name);
        match self.find_object(&statement.name)? {
            Some(object) if may && object.kind == ObjectKind::SecurityPolicy => Ok(Some(object.clone())),
            Some(object) if may => Err(errors::not_a_policy(&object.name)),
            _ => Err(errors::missing("alter", "security policy", &name)),
        }
    }

    fn keep_policy(
        &mut self,
        statement: &PolicyStatement,
        old: Option<Object>,
        policy: SecurityPolicy,
        revision: u64,
    ) -> Result<bool, ServerError> {
        if self.catalog().revision() != revision {
            return Ok(false);
        }
        let now = self.now();
        let object = if let Some(old) = old {
            Object { policy: Some(policy), modified: now, ..old }
        } else {
            let (schema, name) = self.may_make(&statement.name)?;
            Object {
                id: self.catalog_mut().take_object_id(),
                name,
                schema,
                owner: None,
                kind: ObjectKind::SecurityPolicy,
                columns: Vec::new(),
                definition: None,
                distribution: None,
                rows: Arc::default(),
                references: None,
                statistics: Vec::new(),
                policy: Some(policy),
                created: now,
                modified: now,
            }
        };
        self.catalog_mut().put_object(object);
        Ok(true)
    }

    pub(super) fn drop_policy(&mut self, path: &[String], if_exists: bool) -> Result<(), ServerError> {
        let missing = || errors::cannot_drop("security policy", &shown(path));
        let found = self.find_object(path)?.filter(|object| object.kind == ObjectKind::SecurityPolicy);
        let Some((id, schema)) = found.map(|object| (object.id, object.schema)) else {
            return if if_exists { Ok(()) } else { Err(missing()) };
        };
        let access = self.access();
        if !access.allows_database(Action::AlterAnySecurityPolicy)
            || !access.allows(Action::Alter, Securable::schema(schema))
        {
            return Err(missing());
        }
        self.catalog_mut().remove_object(id);
        Ok(())
    }
}

/// Changes one predicate of a policy.
fn apply(
    context: &QueryContext,
    name: &str,
    policy: &mut SecurityPolicy,
    change: &PredicateChange,
) -> Result<(), ServerError> {
    match change {
        PredicateChange::Add(text) => {
            let table = table(context, &text.table)?;
            if policy.filter_on(table.id).is_some() {
                return Err(errors::predicate_exists(&shown(&text.table), name));
            }
            let filter = filter(context, policy, table, text, policy.next)?;
            policy.next += 1;
            policy.filters.push(filter);
        }
        PredicateChange::Alter(text) => {
            let table = table(context, &text.table)?;
            let place = place(policy, table.id, name, &text.table)?;
            policy.filters[place] = filter(context, policy, table, text, policy.filters[place].id)?;
        }
        PredicateChange::Drop(path) => {
            let table = table(context, path)?;
            let place = place(policy, table.id, name, path)?;
            policy.filters.remove(place);
        }
    }
    Ok(())
}

fn place(policy: &SecurityPolicy, table: i32, name: &str, path: &[String]) -> Result<usize, ServerError> {
    let found = policy.filters.iter().position(|filter| filter.table == table);
    found.ok_or_else(|| errors::no_such_predicate(name, &shown(path)))
}

fn named<'c>(context: &'c QueryContext, path: &[String]) -> Result<Option<&'c Object>, ServerError> {
    if path.len() < 2 {
        return Err(errors::name_cannot_be_bound(&shown(path)));
    }
    let catalog: &Catalog = &context.catalog;
    let (schema, name) = split(catalog, path)?;
    let schema = catalog.schema_named(schema.unwrap_or("dbo"));
    Ok(schema.and_then(|schema| catalog.object_named(schema.id, name)))
}

fn table<'c>(context: &'c QueryContext, path: &[String]) -> Result<&'c Object, ServerError> {
    let name = shown(path);
    let found = named(context, path)?.filter(|object| context.rights.sees_object(object));
    let found = found.ok_or_else(|| errors::no_table_to_filter(&name))?;
    if found.kind == ObjectKind::Table { Ok(found) } else { Err(errors::not_a_table_to_filter(&name)) }
}

/// A predicate needs SELECT and REFERENCES on its function, and REFERENCES on its table and the columns it names.
fn filter(
    context: &QueryContext,
    policy: &SecurityPolicy,
    table: &Object,
    text: &PredicateText,
    id: i32,
) -> Result<FilterPredicate, ServerError> {
    let name = shown(&text.function);
    let function = named(context, &text.function)?;
    let function = function.filter(|object| object.kind == ObjectKind::TableFunction);
    let function = function.ok_or_else(|| errors::no_function_to_filter(&name))?;
    if policy.schema_bound && function.references.is_none() {
        return Err(errors::not_schema_bound(&name));
    }
    let columns = query::predicate_columns(context, table, function, &text.arguments)?;
    context.rights.check(function, &[], Action::Select)?;
    context.rights.check(function, &[], Action::References)?;
    context.rights.check(table, &columns, Action::References)?;
    Ok(FilterPredicate {
        id,
        table: table.id,
        function: function.id,
        arguments: text.arguments.clone(),
        columns,
    })
}

/// Several policies may speak of one table; one of them at a time is enabled.
fn alone(
    catalog: &Catalog,
    own: Option<i32>,
    name: &str,
    policy: &SecurityPolicy,
) -> Result<(), ServerError> {
    if !policy.enabled {
        return Ok(());
    }
    for filter in &policy.filters {
        let other = catalog.filter_on(filter.table).filter(|(other, ..)| Some(other.id) != own);
        if let Some((other, ..)) = other {
            let table = catalog.object(filter.table).map_or("", |table| table.name.as_str());
            return Err(errors::table_has_policy(name, table, &other.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
