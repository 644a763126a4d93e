//! Statements to effects and answers.
//!
//! ```text
//! batch -> parse whole -> for each statement: killed? cancelled? fault? transaction rule? -> one module per kind
//! ```
//! The first error ends the batch, as run-time errors do in dedicated pools, and dooms an open transaction.

mod bulk;
mod classifier;
mod flow;
mod function;
mod impersonate;
mod kill;
mod login;
mod membership;
mod message;
mod module;
mod names;
mod permission;
mod policy;
mod procedure;
mod rights;
mod role;
mod rows;
mod schema;
pub(crate) mod server;
mod statistics;
mod table;
pub(crate) mod transaction;
mod user;
mod variables;
mod work;

pub(crate) use bulk::{Bulk, load};
pub(crate) use transaction::Transaction;
pub(crate) use variables::Variables;

use crate::answer::{Answer, ServerError};
use crate::faults::{Fault, Point};
use crate::session::Session;
use crate::session_port::Param;
use crate::sql::ast::{Kind, Statement};
use crate::sql::parser;

/// How deep EXEC may nest.
const MAX_NESTING: usize = 8;

/// What follows a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// The next statement.
    Next,
    /// The end of the innermost WHILE.
    Break,
    /// Nothing: the connection is cut.
    Stop,
}

type Outcome = Result<Flow, ServerError>;

/// One batch while it runs.
struct Run<'a> {
    session: &'a mut Session,
    answers: Vec<Answer>,
    variables: Variables,
    /// Text of the batch, which faults look at.
    text: &'a str,
    nesting: usize,
    /// The error that the running CATCH block caught.
    caught: Option<ServerError>,
}

/// Runs a batch with parameters, whose output values are given back at the end.
pub(crate) fn batch(session: &mut Session, text: &str, params: Vec<Param>) -> Vec<Answer> {
    let outputs: Vec<String> =
        params.iter().filter(|param| param.output).map(|param| param.name.clone()).collect();
    let mut run = Run {
        session,
        answers: Vec::new(),
        variables: Variables::from_params(params),
        text,
        nesting: 0,
        caught: None,
    };
    let outcome = run.text(text);
    run.finish(outcome);
    for name in outputs {
        if let Some((ty, value)) = run.variables.get(&name) {
            let answer = Answer::ReturnValue { name: name.clone(), ty: *ty, value: value.clone() };
            run.answers.push(answer);
        }
    }
    run.answers
}

/// Runs one procedure that was called by name.
pub(crate) fn procedure_call(session: &mut Session, name: &str, params: Vec<Param>) -> Vec<Answer> {
    let mut run = Run {
        session,
        answers: Vec::new(),
        variables: Variables::default(),
        text: name,
        nesting: 0,
        caught: None,
    };
    let outcome = run.rpc(name, params);
    run.finish(outcome);
    run.answers
}

impl Run<'_> {
    /// Parses and runs a text in the present scope.
    fn text(&mut self, text: &str) -> Outcome {
        let statements = parser::parse(text, self.session.pool.config().kind)?;
        self.statements(&statements)
    }

    fn finish(&mut self, outcome: Outcome) {
        match outcome {
            Ok(Flow::Stop) => self.answers.push(Answer::Hangup),
            Ok(_) => {
                self.session.last_error = 0;
                if !matches!(self.answers.last(), Some(Answer::Done { .. })) {
                    self.answers.push(Answer::Done { rows: None });
                }
            }
            Err(error) => {
                self.session.last_error = error.number;
                self.answers.push(Answer::Error(error));
                self.answers.push(Answer::Done { rows: None });
            }
        }
    }

    fn statements(&mut self, statements: &[Statement]) -> Outcome {
        for statement in statements {
            let flow = self.statement(statement)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement) -> Outcome {
        if self.session.closed() {
            return Ok(Flow::Stop);
        }
        if self.session.cancel.asked() {
            return Err(crate::errors::cancelled());
        }
        let at_line =
            |error: ServerError| if error.line <= 1 { error.at_line(statement.line) } else { error };
        if let Some(outcome) = self.control_flow(&statement.kind) {
            return outcome.map_err(at_line);
        }
        let outcome = self.leaf(&statement.kind).map_err(at_line);
        if outcome.is_err() {
            transaction::doom(self.session);
        }
        outcome
    }

    /// A statement that is no control flow, with the faults that strike it.
    fn leaf(&mut self, kind: &Kind) -> Outcome {
        let struck = if faults_strike(kind) { self.strike() } else { None };
        // A late statement that was given up meanwhile, or whose session was cut, has no effect.
        if self.session.closed() {
            return Ok(Flow::Stop);
        }
        if self.session.cancel.asked() {
            return Err(crate::errors::cancelled());
        }
        match struck {
            Some(Fault::Statement { error, applied: false }) => return Err(error),
            Some(Fault::Hangup { applied: false }) => return Ok(Flow::Stop),
            _ => {}
        }
        self.still_a_user()?;
        transaction::begin_implicitly(self.session, kind);
        transaction::allow(self.session, kind)?;
        let before = self.answers.len();
        let flow = self.effect(kind)?;
        match struck {
            Some(Fault::Statement { error, .. }) => {
                self.answers.truncate(before);
                Err(error)
            }
            Some(Fault::Hangup { .. }) => Ok(Flow::Stop),
            _ => Ok(flow),
        }
    }

    /// A session whose user was dropped under it can do nothing more.
    fn still_a_user(&self) -> Result<(), ServerError> {
        let caller = self.session.caller();
        let state = self.session.pool.lock();
        let catalog = state.catalog(self.session.database);
        if caller.administrator || catalog.principal(caller.principal).is_some() {
            return Ok(());
        }
        Err(crate::errors::not_in_database(&caller.login_name, catalog.database()))
    }

    fn strike(&self) -> Option<Fault> {
        let (late, struck, cleared) = {
            let mut state = self.session.pool.lock();
            let late = state.faults.strike(Point::Delay, self.text);
            (late, state.faults.strike(Point::Statement, self.text), state.faults.cleared())
        };
        if let Some(Fault::Latency(delay)) = late {
            self.wait(delay, cleared);
        }
        struck
    }

    fn effect(&mut self, kind: &Kind) -> Outcome {
        match kind {
            Kind::Query(query) => self.query(query)?,
            Kind::Change(change) => self.change(change)?,
            Kind::InsertBulk { table, columns } => self.insert_bulk(table, columns)?,
            Kind::View { .. } => self.view(kind)?,
            Kind::Function { .. } => self.function(kind)?,
            Kind::Policy(statement) => self.policy(statement)?,
            Kind::DatabaseCaching { database, on } => self.database_caching(database, *on)?,
            Kind::CreateTable { name, source, distribution } => {
                self.create_table(name, source, distribution)?;
            }
            Kind::ShowSpaceUsed { table } => self.show_space_used(table.as_deref())?,
            Kind::ShowStatistics { table, name, parts } => self.show_statistics(table, name, parts)?,
            kind if kind.is_definition() => {
                self.with_work(|work| work.define(kind))?;
                self.done(None);
            }
            Kind::Execute { procedure, arguments } => return self.execute(procedure, arguments),
            Kind::ExecuteText(parts) => return self.execute_text(parts),
            Kind::ExecuteAs { user, no_revert } => self.execute_as(user, *no_revert)?,
            Kind::Revert => self.revert()?,
            Kind::Kill { session } => self.kill(session)?,
            Kind::Declare(variables) => self.declare(variables)?,
            Kind::SetVariable { name, value } => self.assign(name, value)?,
            Kind::SetIgnored => {}
            Kind::SetImplicitTransactions(on) => self.session.implicit_transactions = *on,
            Kind::SetCaching(on) => self.session.caching = *on,
            Kind::SetNoCount(on) => self.session.no_count = *on,
            Kind::Print(value) => self.print(value)?,
            Kind::Throw(arguments) => return self.throw(arguments.as_ref()),
            Kind::RaiseError { message, class, state } => self.raise_error(message, *class, *state)?,
            Kind::Begin => transaction::begin(self.session)?,
            Kind::Commit => transaction::commit(self.session)?,
            Kind::Rollback => transaction::end_by_rollback(self.session)?,
            Kind::Use(name) => self.use_database(name)?,
            _ => return Err(crate::errors::parse(1, 1, "")),
        }
        Ok(Flow::Next)
    }

    fn done(&mut self, rows: Option<u64>) {
        self.session.row_count = rows.map_or(0, |rows| i64::try_from(rows).unwrap_or(i64::MAX));
        self.answers.push(Answer::Done { rows: rows.filter(|_| !self.session.no_count) });
    }
}

/// Faults strike what does work, not the settings that drivers send first.
fn faults_strike(kind: &Kind) -> bool {
    kind.is_definition()
        || matches!(
            kind,
            Kind::Query(_)
                | Kind::Change(_)
                | Kind::InsertBulk { .. }
                | Kind::ShowSpaceUsed { .. }
                | Kind::ShowStatistics { .. }
                | Kind::Execute { .. }
                | Kind::ExecuteText(_)
                | Kind::Kill { .. }
                | Kind::Commit
        )
}

#[cfg(test)]
mod tests;
