//! Calls of procedures: the prepared statements are kept here, the rest is the session's.

use crate::answer::{Answer, ServerError, SqlType, Value};
use crate::session_port::{Param, SessionPort};
use crate::tds::param_definition;
use crate::tds::response::{Response, Shape};
use crate::tds::rpc::{Call, Procedure};

use super::prepared::{self, Statements};

/// Run one call of an RPC message.
pub fn perform(
    session: &mut dyn SessionPort,
    statements: &mut Statements,
    call: Call,
    response: &mut Response,
) {
    match perform_inner(session, statements, call, response) {
        Ok(answers) => response.add(answers, Shape::Procedure),
        Err(error) => response.error(&error),
    }
}

fn perform_inner(
    session: &mut dyn SessionPort,
    statements: &mut Statements,
    call: Call,
    response: &mut Response,
) -> Result<Vec<Answer>, ServerError> {
    match call.procedure {
        Procedure::ExecuteSql => {
            let (prepared, params) = prepared::statement(call.params)?;
            execute(session, &prepared, params)
        }
        Procedure::Prepare => {
            let (name, rest) = output_handle(call.params)?;
            // sp_prepare has the parameter list before the text.
            let mut rest = rest.into_iter();
            let list = rest.next();
            let text = rest.next();
            let (prepared, _) = prepared::statement(text.into_iter().chain(list).collect())?;
            let handle = statements.keep(prepared)?;
            response.return_value(name, SqlType::Int, Value::Int(handle.into()));
            Ok(Vec::new())
        }
        Procedure::PrepExec => {
            let (name, rest) = output_handle(call.params)?;
            let mut rest = rest.into_iter();
            let list = rest.next();
            let text = rest.next();
            let (prepared, params) = prepared::statement(text.into_iter().chain(list).chain(rest).collect())?;
            let handle = statements.keep(prepared.clone())?;
            response.return_value(name, SqlType::Int, Value::Int(handle.into()));
            execute(session, &prepared, params)
        }
        Procedure::Execute => {
            let (handle, params) = prepared::handle(call.params)?;
            execute(session, &statements.get(handle)?, params)
        }
        Procedure::Unprepare => {
            let (handle, _) = prepared::handle(call.params)?;
            statements.forget(handle)?;
            Ok(Vec::new())
        }
        Procedure::Cursor(name) => {
            let message = format!("Could not find stored procedure '{name}'.");
            Err(ServerError::new(2812, message).with_state(62))
        }
        Procedure::Named(name) if is_reset(&name) => {
            session.reset();
            statements.clear();
            Ok(Vec::new())
        }
        Procedure::Named(name) => Ok(session.call(&name, call.params)),
    }
}

fn is_reset(name: &str) -> bool {
    name.eq_ignore_ascii_case("sp_reset_connection") || name.eq_ignore_ascii_case("sys.sp_reset_connection")
}

/// The first parameter of `sp_prepare` and `sp_prepexec`, which gets the handle, and the rest.
fn output_handle(params: Vec<Param>) -> Result<(String, Vec<Param>), ServerError> {
    let mut params = params.into_iter();
    let first = params.next().ok_or_else(|| {
        ServerError::new(201, "Procedure or function expects parameter '@handle', which was not supplied.")
    })?;
    Ok((first.name, params.collect()))
}

fn execute(
    session: &mut dyn SessionPort,
    prepared: &prepared::Prepared,
    params: Vec<Param>,
) -> Result<Vec<Answer>, ServerError> {
    let params = param_definition::bind(&prepared.declared, params)?;
    Ok(session.execute_sql(&prepared.sql, params))
}
