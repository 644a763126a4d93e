//! EXEC: system procedures by name, and texts.

use std::collections::BTreeMap;

use super::{Flow, MAX_NESTING, Outcome, Run, Variables};
use crate::answer::{Answer, ServerError, SqlType, Value};
use crate::catalog::name::{fold, same};
use crate::errors;
use crate::session::ContextEntry;
use crate::session_port::Param;
use crate::sql::ast::{Argument, ArgumentValue};
use crate::sql::cursor::Cursor;
use crate::sql::data_type;
use crate::sql::lexer::{TokenKind, lex};

/// Size of keys and values of a session context in bytes.
const MAX_CONTEXT: usize = 1024 * 1024;

/// An argument that was passed: its name if it was given by name, and where an output goes.
struct Passed {
    name: Option<String>,
    ty: SqlType,
    value: Value,
}

impl Run<'_> {
    pub(super) fn execute(&mut self, procedure: &[String], arguments: &[Argument]) -> Outcome {
        let mut passed = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let (ty, value) = self.argument(&argument.value)?;
            passed.push(Passed { name: argument.name.clone(), ty, value });
        }
        self.procedure(procedure, passed)
    }

    /// A call that came as an RPC by name.
    pub(super) fn rpc(&mut self, name: &str, params: Vec<Param>) -> Outcome {
        let tokens = lex(name)?;
        let mut cursor = Cursor::new(name, &tokens);
        let mut path = vec![cursor.expect_identifier()?];
        while cursor.eat_symbol(".") {
            if !cursor.peek().is_symbol(".") {
                path.push(cursor.expect_identifier()?);
            }
        }
        if !cursor.at_end() {
            return Err(cursor.unexpected());
        }
        let passed = params
            .into_iter()
            .map(|param| Passed {
                name: (!param.name.is_empty()).then_some(param.name),
                ty: param.ty,
                value: param.value,
            })
            .collect();
        super::transaction::allow(
            self.session,
            &crate::sql::ast::Kind::Execute { procedure: Vec::new(), arguments: Vec::new() },
        )?;
        let outcome = self.procedure(&path, passed);
        if outcome.is_err() {
            super::transaction::doom(self.session);
        }
        outcome
    }

    fn procedure(&mut self, path: &[String], passed: Vec<Passed>) -> Outcome {
        let name = path.last().map_or("", String::as_str);
        let shown = path.join(".");
        // System procedures are found from every schema, but not under another one's name.
        let schema = path.len().checked_sub(2).map_or("", |place| path[place].as_str());
        if !["", "sys", "dbo"].contains(&fold(schema).as_str()) {
            return Err(errors::no_such_procedure(&shown));
        }
        match fold(name).as_str() {
            "sp_addrolemember" => self.role_member("sp_addrolemember", passed, true)?,
            "sp_droprolemember" => self.role_member("sp_droprolemember", passed, false)?,
            "sp_set_session_context" => self.set_session_context(passed)?,
            "sp_executesql" => return self.execute_sql(passed),
            _ => return Err(errors::no_such_procedure(&shown)),
        }
        self.answers.push(Answer::ReturnStatus(0));
        self.done(None);
        Ok(Flow::Next)
    }

    fn role_member(&mut self, procedure: &str, passed: Vec<Passed>, add: bool) -> Result<(), ServerError> {
        if self.session.pool.config().kind == crate::pool::config::PoolKind::Serverless {
            return Err(errors::procedure_unsupported(procedure));
        }
        // Membership is rights, and rights do not change in a transaction.
        if self.session.transaction.is_some() {
            return Err(errors::in_transaction());
        }
        let mut values = bind(procedure, &["@rolename", "@membername"], passed)?;
        let member = required_text(procedure, "@membername", values.remove("@membername"))?;
        let role = required_text(procedure, "@rolename", values.remove("@rolename"))?;
        self.with_work(|work| work.change_membership(&role, &member, add))
    }

    fn set_session_context(&mut self, passed: Vec<Passed>) -> Result<(), ServerError> {
        const NAME: &str = "sys.sp_set_session_context";
        let mut values = bind(NAME, &["@key", "@value", "@read_only"], passed)?;
        let key = required_text(NAME, "@key", values.remove("@key"))?;
        if key.is_empty() || key.encode_utf16().count() > 128 {
            return Err(errors::bad_parameter(NAME));
        }
        let (ty, value) = values.remove("@value").ok_or_else(|| errors::parameter_missing(NAME, "@value"))?;
        let read_only = matches!(values.remove("@read_only"), Some((_, Value::Int(1) | Value::Bool(true))));
        let folded = fold(&key);
        if self.session.context.get(&folded).is_some_and(|entry| entry.read_only) {
            return Err(errors::context_read_only(&key));
        }
        if size(&value) > 8000 {
            return Err(errors::bad_parameter(NAME));
        }
        let others: usize = self
            .session
            .context
            .iter()
            .filter(|(other, _)| **other != folded)
            .map(|(other, entry)| other.len() * 2 + size(&entry.value))
            .sum();
        if others + folded.len() * 2 + size(&value) > MAX_CONTEXT {
            return Err(errors::context_full(&key));
        }
        if value == Value::Null && !read_only {
            self.session.context.remove(&folded);
        } else {
            self.session.context.insert(folded, ContextEntry { ty, value, read_only });
        }
        Ok(())
    }

    /// `sp_executesql @statement, @parameters, values …`
    fn execute_sql(&mut self, passed: Vec<Passed>) -> Outcome {
        const NAME: &str = "sp_executesql";
        let mut passed = passed.into_iter();
        let statement = passed.next().map(|argument| (argument.ty, argument.value));
        let statement = required_text(NAME, "@statement", statement)?;
        let declared = match passed.next() {
            Some(argument) => required_text(NAME, "@parameters", Some((argument.ty, argument.value)))?,
            None => String::new(),
        };
        let names = declared_parameters(&declared)?;
        let known: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let mut values = bind(NAME, &known, passed.collect())?;
        let mut variables = Variables::default();
        for (name, ty) in &names {
            let (from, value) =
                values.remove(&fold(name)).ok_or_else(|| errors::parameter_missing(NAME, name))?;
            variables.put(name, *ty, crate::query::convert(&value, from, *ty)?);
        }
        let flow = self.scoped(&statement, variables)?;
        self.answers.push(Answer::ReturnStatus(0));
        Ok(flow)
    }

    /// `EXEC ('…' + @v)`
    pub(super) fn execute_text(&mut self, parts: &[ArgumentValue]) -> Outcome {
        let mut text = String::new();
        for part in parts {
            match self.argument(part)? {
                (_, Value::Text(piece)) => text.push_str(&piece),
                (_, Value::Null) => {}
                _ => return Err(errors::bad_parameter("EXECUTE")),
            }
        }
        self.scoped(&text, Variables::default())
    }

    /// Runs a text with variables of its own. Impersonation inside it ends with it.
    fn scoped(&mut self, text: &str, variables: Variables) -> Outcome {
        if self.nesting >= MAX_NESTING {
            return Err(errors::nesting_exceeded());
        }
        let statements = crate::sql::parser::parse(text, self.session.pool.config().kind)?;
        if let Some(name) = statements.iter().find_map(|inner| crate::sql::parser::stands_alone(&inner.kind))
        {
            return Err(errors::not_alone_in_batch(name));
        }
        let outer = std::mem::replace(&mut self.variables, variables);
        let impersonated = self.session.impersonated.len();
        self.nesting += 1;
        let outcome = self.statements(&statements);
        self.nesting -= 1;
        self.session.impersonated.truncate(impersonated);
        self.variables = outer;
        outcome
    }
}

/// Puts arguments to parameters: by position first, then by name.
fn bind(
    procedure: &str,
    parameters: &[&str],
    passed: Vec<Passed>,
) -> Result<BTreeMap<String, (SqlType, Value)>, ServerError> {
    let mut values = BTreeMap::new();
    for (index, argument) in passed.into_iter().enumerate() {
        let name = match &argument.name {
            None => *parameters.get(index).ok_or_else(|| errors::too_many_arguments(procedure))?,
            Some(name) => *parameters
                .iter()
                .find(|parameter| same(parameter, name))
                .ok_or_else(|| errors::unknown_parameter(procedure, name))?,
        };
        if values.insert(fold(name), (argument.ty, argument.value)).is_some() {
            return Err(errors::too_many_arguments(procedure));
        }
    }
    Ok(values)
}

fn required_text(
    procedure: &str,
    parameter: &str,
    value: Option<(SqlType, Value)>,
) -> Result<String, ServerError> {
    match value {
        Some((_, Value::Text(text))) => Ok(text),
        Some(_) => Err(errors::bad_parameter(procedure)),
        None => Err(errors::parameter_missing(procedure, parameter)),
    }
}

/// `@a int, @b nvarchar(20)` to names and types. Output parameters are outside the subset.
fn declared_parameters(text: &str) -> Result<Vec<(String, SqlType)>, ServerError> {
    let tokens = lex(text)?;
    let mut cursor = Cursor::new(text, &tokens);
    let mut parameters = Vec::new();
    while !cursor.at_end() {
        let TokenKind::Variable(name) = &cursor.peek().kind else { return Err(cursor.unexpected()) };
        cursor.advance();
        parameters.push((name.clone(), data_type::parse(&mut cursor)?));
        if !cursor.eat_symbol(",") && !cursor.at_end() {
            return Err(cursor.unexpected());
        }
    }
    Ok(parameters)
}

/// Bytes of a value, near enough for the limits of the session context.
fn size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Text(text) => text.encode_utf16().count() * 2,
        Value::Bytes(bytes) => bytes.len(),
        _ => 16,
    }
}

#[cfg(test)]
mod tests {
    use crate::answer::{Answer, SqlType, Value};
    use crate::session::Session;
    use crate::session_port::Param;
    use crate::testing::{fails, members, number, ok, pool, sa};

    fn single(session: &mut Session, sql: &str) -> Value {
        let answers = session.batch(sql);
        let row = answers.iter().find_map(|answer| match answer {
            Answer::Row(row) => Some(row[0].clone()),
            _ => None,
        });
        row.unwrap_or_else(|| panic!("no row: {answers:?}"))
    }

    #[test]
    fn session_context_is_kept_until_it_is_fixed() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["EXEC sys.sp_set_session_context @key = N'k', @value = N'one'"]);
        let read = "SELECT CAST(SESSION_CONTEXT(N'k') AS nvarchar(20)) AS v";
        assert_eq!(single(&mut admin, read), Value::Text("one".into()));
        ok(&mut admin, &["EXEC sp_set_session_context 'K', 'two', 1"]);
        assert_eq!(single(&mut admin, read), Value::Text("two".into()));
        assert_eq!(
            fails(&mut admin, "EXEC sp_set_session_context N'k', N'three'"),
            (
                15664,
                "Cannot set key 'k' in the session context. The key has been set as read_only for this session.".to_owned()
            )
        );
        admin.reset();
        assert_eq!(single(&mut admin, read), Value::Null);
        assert_eq!(number(&mut admin, "EXEC sp_set_session_context @key = NULL, @value = 'x'"), 15600);
        assert_eq!(number(&mut admin, "EXEC sp_set_session_context 'k'"), 201);
    }

    #[test]
    fn dynamic_sql_has_its_own_variables_and_a_depth() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(
            &mut admin,
            &[
                "IF NOT EXISTS (SELECT * FROM sys.database_principals WHERE name = N'r') EXEC('CREATE ROLE [r]')",
                "IF NOT EXISTS (SELECT * FROM sys.database_principals WHERE name = N'r') EXEC('CREATE ROLE [r]')",
                "DECLARE @who nvarchar(20) = N'guest'; DECLARE @role nvarchar(9); SET @role = 'r'; \
             EXEC sp_addrolemember @role, @who",
                "DECLARE @sql nvarchar(200) = N'SELECT @a AS a'; EXEC sp_executesql @sql, N'@a int', @a = 3",
            ],
        );
        assert_eq!(members(&pool, "r"), ["guest"]);
        assert_eq!(number(&mut admin, "DECLARE @x int = 1; EXEC('SELECT @x AS x')"), 137);
        assert_eq!(number(&mut admin, "EXEC('FROB')"), 103_010);
        assert_eq!(number(&mut admin, "EXEC('CREATE USER l FOR LOGIN sa')"), 40530);
        let mut nested = "SELECT 1 AS a".to_owned();
        for _ in 0..9 {
            nested = format!("EXEC('{}')", nested.replace('\'', "''"));
        }
        assert_eq!(number(&mut admin, &nested), 217);
    }

    #[test]
    fn unknown_procedures_are_2812() {
        let pool = pool();
        let mut admin = sa(&pool);
        assert_eq!(
            fails(&mut admin, "EXEC sp_rename 'a', 'b'"),
            (2812, "Could not find stored procedure 'sp_rename'.".to_owned())
        );
        assert_eq!(number(&mut admin, "EXEC other.sp_addrolemember 'a', 'b'"), 2812);
    }

    #[test]
    fn calls_by_name_are_the_same_procedures() {
        let pool = pool();
        let mut admin = sa(&pool);
        ok(&mut admin, &["CREATE ROLE r"]);
        let text = |name: &str, value: &str| Param {
            name: name.to_owned(),
            ty: SqlType::NVarChar(20),
            value: Value::Text(value.to_owned()),
            output: false,
        };
        let answers = admin.call("sys.sp_addrolemember", vec![text("", "r"), text("", "guest")]);
        assert_eq!(answers[0], Answer::ReturnStatus(0));
        assert_eq!(members(&pool, "r"), ["guest"]);
        let answers =
            admin.call("sp_droprolemember", vec![text("@membername", "guest"), text("@rolename", "r")]);
        assert_eq!(answers[0], Answer::ReturnStatus(0));
        let answers = admin.execute_sql("SELECT @p AS p", vec![text("@p", "O'Brien")]);
        assert!(answers.contains(&Answer::Row(vec![Value::Text("O'Brien".into())])), "{answers:?}");
    }
}
