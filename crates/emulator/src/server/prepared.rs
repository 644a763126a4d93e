//! Statements that clients prepared on one connection.

use std::collections::HashMap;

use crate::answer::{ServerError, Value};
use crate::session_port::Param;
use crate::tds::param_definition::{self, Declared};

/// Statements kept per connection; more are an error.
const MAX_PREPARED: usize = 1000;

/// A prepared statement.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its text.
    pub sql: String,
    /// Its parameters.
    pub declared: Vec<Declared>,
}

/// The statements of one connection by handle.
#[derive(Debug, Default)]
pub struct Statements {
    next: i32,
    by_handle: HashMap<i32, Prepared>,
}

impl Statements {
    /// Keep a statement and give it a handle.
    pub fn keep(&mut self, prepared: Prepared) -> Result<i32, ServerError> {
        if self.by_handle.len() >= MAX_PREPARED {
            return Err(ServerError::new(8178, "Too many prepared statements on this connection."));
        }
        self.next = self.next.wrapping_add(1).max(1);
        self.by_handle.insert(self.next, prepared);
        Ok(self.next)
    }

    /// The statement of a handle.
    pub fn get(&self, handle: i32) -> Result<Prepared, ServerError> {
        self.by_handle.get(&handle).cloned().ok_or_else(|| unknown(handle))
    }

    /// Forget a statement.
    pub fn forget(&mut self, handle: i32) -> Result<(), ServerError> {
        self.by_handle.remove(&handle).map(|_| ()).ok_or_else(|| unknown(handle))
    }

    /// Forget all.
    pub fn clear(&mut self) {
        self.by_handle.clear();
    }
}

fn unknown(handle: i32) -> ServerError {
    ServerError::new(8179, format!("Could not find prepared statement with handle {handle}.")).with_state(4)
}

/// Text and declarations from the parameters of `sp_executesql` (`@stmt, @params, ...`), and the rest.
pub fn statement(params: Vec<Param>) -> Result<(Prepared, Vec<Param>), ServerError> {
    let mut params = params.into_iter();
    let sql = match params.next().map(|param| param.value) {
        Some(Value::Text(sql)) => sql,
        Some(Value::Null) => String::new(),
        _ => return Err(wrong_type("@statement", "ntext/nchar/nvarchar")),
    };
    let declared = match params.next().map(|param| param.value) {
        Some(Value::Text(list)) => param_definition::parse(&list),
        Some(Value::Null) | None => Vec::new(),
        Some(_) => return Err(wrong_type("@params", "ntext/nchar/nvarchar")),
    };
    Ok((Prepared { sql, declared }, params.collect()))
}

/// The handle that leads the parameters, and the rest.
pub fn handle(params: Vec<Param>) -> Result<(i32, Vec<Param>), ServerError> {
    let mut params = params.into_iter();
    match params.next().map(|param| param.value) {
        Some(Value::Int(handle)) => {
            Ok((i32::try_from(handle).map_err(|_| wrong_type("@handle", "int"))?, params.collect()))
        }
        _ => Err(wrong_type("@handle", "int")),
    }
}

fn wrong_type(name: &str, wanted: &str) -> ServerError {
    ServerError::new(214, format!("Procedure expects parameter '{name}' of type '{wanted}'.")).with_state(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::SqlType;

    fn param(value: Value) -> Param {
        Param { name: String::new(), ty: SqlType::NVarChar(0), value, output: false }
    }

    #[test]
    fn handles_live_until_forgotten() {
        let mut statements = Statements::default();
        let prepared = Prepared { sql: "SELECT 1".into(), declared: Vec::new() };
        let handle = statements.keep(prepared).unwrap();
        assert_eq!(statements.get(handle).unwrap().sql, "SELECT 1");
        statements.forget(handle).unwrap();
        assert_eq!(statements.get(handle).unwrap_err().number, 8179);
        assert_eq!(statements.forget(handle).unwrap_err().number, 8179);
    }

    #[test]
    fn statements_have_a_limit() {
        let mut statements = Statements::default();
        let prepared = Prepared { sql: String::new(), declared: Vec::new() };
        for _ in 0..MAX_PREPARED {
            statements.keep(prepared.clone()).unwrap();
        }
        assert_eq!(statements.keep(prepared).unwrap_err().number, 8178);
    }

    #[test]
    fn text_comes_first_and_must_be_text() {
        let (prepared, rest) = statement(vec![
            param(Value::Text("SELECT @a".into())),
            param(Value::Text("@a int".into())),
            param(Value::Int(1)),
        ])
        .unwrap();
        assert_eq!((prepared.sql.as_str(), prepared.declared.len(), rest.len()), ("SELECT @a", 1, 1));
        assert_eq!(statement(vec![param(Value::Int(1))]).unwrap_err().number, 214);
        assert_eq!(handle(vec![]).unwrap_err().number, 214);
    }
}
