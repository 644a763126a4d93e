//! PRINT, THROW, RAISERROR and USE.

use super::{Outcome, Run};
use crate::answer::{Answer, ServerError, SqlType, Value};
use crate::catalog::name::same;
use crate::errors;
use crate::pool::State;
use crate::pool::config::PoolKind;
use crate::query::Expression;

/// Longest message of PRINT, THROW and RAISERROR in characters.
const MAX_MESSAGE: usize = 2048;

impl Run<'_> {
    pub(super) fn print(&mut self, value: &Expression) -> Result<(), ServerError> {
        let text: String = self.text_of(value)?.chars().take(8000).collect();
        self.answers.push(Answer::Info(ServerError::new(0, text).with_class(0)));
        Ok(())
    }

    pub(super) fn throw(&mut self, arguments: Option<&(Expression, Expression, Expression)>) -> Outcome {
        let Some((number, message, state)) = arguments else {
            return Err(self.caught.clone().unwrap_or_else(errors::rethrow_outside_catch));
        };
        let number = self.integer(number)?;
        // 100000 to 150000 belong to the engine.
        let number = i32::try_from(number)
            .ok()
            .filter(|number| *number >= 50_000 && !(100_000..=150_000).contains(number))
            .ok_or_else(|| errors::bad_throw_number(number))?;
        let message: String = self.text_of(message)?.chars().take(MAX_MESSAGE).collect();
        let state = u8::try_from(self.integer(state)?).unwrap_or(1);
        Err(ServerError::new(number, message).with_state(state))
    }

    fn integer(&self, expression: &Expression) -> Result<i64, ServerError> {
        match self.value_as(expression, SqlType::BigInt)? {
            Value::Int(number) => Ok(number),
            _ => Ok(0),
        }
    }

    /// The number of RAISERROR is always 50000; severities up to 10 are messages.
    pub(super) fn raise_error(
        &mut self,
        message: &Expression,
        class: u8,
        state: u8,
    ) -> Result<(), ServerError> {
        let text: String = self.text_of(message)?.chars().take(MAX_MESSAGE).collect();
        let error = ServerError::new(50_000, text).with_class(class).with_state(state);
        if class > 10 {
            return Err(error);
        }
        self.answers.push(Answer::Info(error));
        Ok(())
    }

    /// Dedicated pools stay where they are; serverless ones move between the databases of the server.
    pub(super) fn use_database(&mut self, name: &str) -> Result<(), ServerError> {
        let from = self.session.database_name();
        if same(name, &from) {
            return Ok(());
        }
        let config = self.session.pool.config();
        let to = self.session.pool.lock().database_named(name, &config.database);
        let to = to.ok_or_else(|| errors::no_such_database(name))?;
        if config.kind == PoolKind::Dedicated || !self.session.original.administrator {
            return Err(errors::use_refused());
        }
        self.session.database = to;
        self.session.pool.lock().sessions.moves_to(self.session.number, State::database_id(to));
        let to = self.session.database_name();
        self.answers.push(Answer::DatabaseChanged { from, to });
        Ok(())
    }
}
