//! Variables of a batch: DECLARE, SET and the parameters of an RPC.

use std::collections::BTreeMap;

use super::Run;
use crate::answer::{ServerError, SqlType, Value};
use crate::catalog::name::fold;
use crate::errors;
use crate::query::{self, Expression};
use crate::session_port::Param;
use crate::sql::ast::ArgumentValue;

/// Typed values by name, with the `@`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    values: BTreeMap<String, (SqlType, Value)>,
}

impl Variables {
    pub(super) fn from_params(params: Vec<Param>) -> Self {
        let values = params.into_iter().map(|param| (fold(&param.name), (param.ty, param.value))).collect();
        Self { values }
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&(SqlType, Value)> {
        self.values.get(&fold(name))
    }

    pub(super) fn put(&mut self, name: &str, ty: SqlType, value: Value) {
        self.values.insert(fold(name), (ty, value));
    }

    pub(super) fn all(&self) -> &BTreeMap<String, (SqlType, Value)> {
        &self.values
    }
}

impl Run<'_> {
    pub(super) fn declare(
        &mut self,
        variables: &[(String, SqlType, Option<Expression>)],
    ) -> Result<(), ServerError> {
        for (name, ty, value) in variables {
            if self.variables.get(name).is_some() {
                return Err(errors::declared_twice(name));
            }
            let value = match value {
                Some(value) => self.value_as(value, *ty)?,
                None => Value::Null,
            };
            self.variables.put(name, *ty, value);
        }
        Ok(())
    }

    pub(super) fn assign(&mut self, name: &str, value: &Expression) -> Result<(), ServerError> {
        let ty = self.variables.get(name).map(|(ty, _)| *ty).ok_or_else(|| errors::undeclared(name))?;
        let value = self.value_as(value, ty)?;
        self.variables.put(name, ty, value);
        Ok(())
    }

    /// An expression's value in another type.
    pub(super) fn value_as(&self, expression: &Expression, ty: SqlType) -> Result<Value, ServerError> {
        let (from, value) = query::evaluate(&self.context(), expression)?;
        query::convert(&value, from, ty)
    }

    /// An expression's value as text; NULL is empty.
    pub(super) fn text_of(&self, expression: &Expression) -> Result<String, ServerError> {
        match self.value_as(expression, SqlType::NVarChar(0))? {
            Value::Text(text) => Ok(text),
            _ => Ok(String::new()),
        }
    }

    /// What an argument passes.
    pub(super) fn argument(&self, argument: &ArgumentValue) -> Result<(SqlType, Value), ServerError> {
        match argument {
            ArgumentValue::Literal(ty, value) => Ok((*ty, value.clone())),
            ArgumentValue::Variable(name) => {
                self.variables.get(name).cloned().ok_or_else(|| errors::undeclared(name))
            }
        }
    }
}
