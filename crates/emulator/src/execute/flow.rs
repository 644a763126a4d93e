//! IF, WHILE, blocks, TRY … CATCH, and waiting.

use std::time::{Duration, Instant};

use super::{Flow, Outcome, Run, transaction};
use crate::errors;
use crate::query;
use crate::sql::ast::Kind;

/// How long a wait sleeps before it looks again whether the session was cut or its request cancelled.
const LOOK: Duration = Duration::from_millis(5);

/// Pieces of answer that a loop may heap up before it is ended.
const MAX_ANSWERS: usize = 1_000_000;

impl Run<'_> {
    /// Runs a statement of control flow; `None` for all others.
    pub(super) fn control_flow(&mut self, kind: &Kind) -> Option<Outcome> {
        Some(match kind {
            Kind::If { condition, then, otherwise } => match self.test(condition) {
                Ok(true) => self.statement(then),
                Ok(false) => otherwise.as_ref().map_or(Ok(Flow::Next), |otherwise| self.statement(otherwise)),
                Err(error) => Err(error),
            },
            Kind::While { condition, body } => self.while_loop(condition, body),
            Kind::Block(statements) => self.statements(statements),
            Kind::Break => Ok(Flow::Break),
            Kind::TryCatch { body, catch } => self.try_catch(body, catch),
            _ => return None,
        })
    }

    fn test(&self, condition: &query::Condition) -> Result<bool, crate::answer::ServerError> {
        query::test(&self.context(), condition)
    }

    fn while_loop(&mut self, condition: &query::Condition, body: &crate::sql::ast::Statement) -> Outcome {
        while self.test(condition)? {
            if self.answers.len() > MAX_ANSWERS {
                return Err(errors::out_of_memory());
            }
            match self.statement(body)? {
                Flow::Next => {}
                Flow::Break => return Ok(Flow::Next),
                Flow::Stop => return Ok(Flow::Stop),
            }
        }
        Ok(Flow::Next)
    }

    fn try_catch(
        &mut self,
        body: &[crate::sql::ast::Statement],
        catch: &[crate::sql::ast::Statement],
    ) -> Outcome {
        match self.statements(body) {
            Err(error) if error.class < 20 => {
                transaction::doom(self.session);
                self.session.last_error = error.number;
                let outer = self.caught.replace(error);
                let outcome = self.statements(catch);
                self.caught = outer;
                outcome
            }
            outcome => outcome,
        }
    }

    /// Waits, unless the session is cut, the request cancelled or all faults forgotten meanwhile: they were forgotten so often before.
    pub(super) fn wait(&self, delay: Duration, cleared: u64) {
        let end = Instant::now() + delay;
        let goes_on = || self.session.pool.lock().faults.cleared() != cleared;
        while Instant::now() < end && !self.session.closed() && !self.session.cancel.asked() && !goes_on() {
            std::thread::park_timeout(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
    }
}
