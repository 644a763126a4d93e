//! EXEC, variables, control of flow, transactions, messages, KILL, impersonation.

use super::{Parsed, Parser, stands_alone, word_of};
use crate::answer::{SqlType, Value};
use crate::errors;
use crate::query;
use crate::sql::ast::{Argument, ArgumentValue, Kind, Statement};
use crate::sql::data_type;
use crate::sql::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn procedural(&mut self) -> Parsed<Kind> {
        let token = self.cursor.peek();
        let word = word_of(token);
        if !matches!(
            word.as_str(),
            "EXEC"
                | "EXECUTE"
                | "REVERT"
                | "DECLARE"
                | "IF"
                | "WHILE"
                | "BREAK"
                | "BEGIN"
                | "PRINT"
                | "THROW"
                | "RAISERROR"
                | "COMMIT"
                | "ROLLBACK"
                | "KILL"
                | "USE"
        ) {
            return self.bare_procedure();
        }
        self.cursor.advance();
        match word.as_str() {
            "EXEC" | "EXECUTE" => self.execute(),
            "REVERT" => Ok(Kind::Revert),
            "DECLARE" => self.declare(),
            "IF" => self.if_statement(),
            "WHILE" => {
                let condition = query::parse_condition(&mut self.cursor)?;
                Ok(Kind::While { condition, body: Box::new(self.inner()?) })
            }
            "BREAK" => Ok(Kind::Break),
            "BEGIN" => self.begin(),
            "PRINT" => query::parse_expression(&mut self.cursor).map(Kind::Print),
            "THROW" => self.throw(),
            "RAISERROR" => self.raise_error(),
            "KILL" => self.kill(),
            "USE" => self.name().map(Kind::Use),
            // COMMIT, ROLLBACK: transactions have no names here.
            _ => {
                if !self.cursor.eat_word("TRANSACTION") && !self.cursor.eat_word("TRAN") {
                    self.cursor.eat_word("WORK");
                }
                Ok(if word == "COMMIT" { Kind::Commit } else { Kind::Rollback })
            }
        }
    }

    /// A system procedure may be called without EXEC where a statement begins.
    fn bare_procedure(&mut self) -> Parsed<Kind> {
        let named = |token: &crate::sql::lexer::Token| {
            token.identifier().is_some_and(|name| name.to_ascii_lowercase().starts_with("sp_"))
        };
        let qualified = self.cursor.peek().is_word("sys") && self.cursor.peek_at(1).is_symbol(".");
        if named(self.cursor.peek()) || (qualified && named(self.cursor.peek_at(2))) {
            return self.call();
        }
        Err(self.cursor.unexpected())
    }

    fn execute(&mut self) -> Parsed<Kind> {
        if self.cursor.eat_word("AS") {
            return self.execute_as();
        }
        if self.cursor.eat_symbol("(") {
            let mut parts = vec![self.argument_value()?];
            while self.cursor.eat_symbol("+") {
                parts.push(self.argument_value()?);
            }
            self.cursor.expect_symbol(")")?;
            return Ok(Kind::ExecuteText(parts));
        }
        self.call()
    }

    fn call(&mut self) -> Parsed<Kind> {
        let procedure = self.path()?;
        let mut arguments = Vec::new();
        let next = self.cursor.peek();
        let has_arguments = matches!(
            next.kind,
            TokenKind::Text { .. }
                | TokenKind::Number(_)
                | TokenKind::Binary(_)
                | TokenKind::Variable(_)
                | TokenKind::Quoted(_)
        ) || next.is_symbol("-")
            || next.is_word("NULL")
            || matches!(&next.kind, TokenKind::Word(word) if !super::is_reserved(word) && !begins_statement(word));
        if has_arguments {
            arguments.push(self.argument()?);
            while self.cursor.eat_symbol(",") {
                arguments.push(self.argument()?);
            }
        }
        Ok(Kind::Execute { procedure, arguments })
    }

    /// `[@name =] literal | variable | bare word`. A bare or quoted name is passed as text.
    fn argument(&mut self) -> Parsed<Argument> {
        let mut name = None;
        if let TokenKind::Variable(variable) = &self.cursor.peek().kind
            && self.cursor.peek_at(1).is_symbol("=")
        {
            name = Some(variable.clone());
            self.cursor.advance();
            self.cursor.advance();
        }
        let token = self.cursor.peek();
        let value = match &token.kind {
            TokenKind::Quoted(text) => {
                self.cursor.advance();
                ArgumentValue::Literal(SqlType::NVarChar(128), Value::Text(text.clone()))
            }
            TokenKind::Word(word) if !word.eq_ignore_ascii_case("NULL") => {
                if super::is_reserved(word) {
                    return Err(self.cursor.unexpected());
                }
                self.cursor.advance();
                if self.cursor.peek().is_symbol("(") {
                    return Err(self.cursor.unexpected());
                }
                ArgumentValue::Literal(SqlType::NVarChar(128), Value::Text(word.clone()))
            }
            _ => self.argument_value()?,
        };
        Ok(Argument { name, value })
    }

    /// Dedicated pools impersonate users only, not logins.
    fn execute_as(&mut self) -> Parsed<Kind> {
        self.cursor.expect_word("USER")?;
        self.cursor.expect_symbol("=")?;
        let user = self.argument_value()?;
        let no_revert = self.cursor.eat_words(&["WITH", "NO", "REVERT"]);
        Ok(Kind::ExecuteAs { user, no_revert })
    }

    fn declare(&mut self) -> Parsed<Kind> {
        let mut variables = Vec::new();
        loop {
            let token = self.cursor.peek();
            let TokenKind::Variable(name) = &token.kind else { return Err(self.cursor.unexpected()) };
            if name.starts_with("@@") {
                return Err(self.cursor.unexpected());
            }
            self.cursor.advance();
            self.cursor.eat_word("AS");
            let ty = data_type::parse(&mut self.cursor)?;
            let value = if self.cursor.eat_symbol("=") {
                Some(query::parse_expression(&mut self.cursor)?)
            } else {
                None
            };
            variables.push((name.clone(), ty, value));
            if !self.cursor.eat_symbol(",") {
                return Ok(Kind::Declare(variables));
            }
        }
    }

    fn if_statement(&mut self) -> Parsed<Kind> {
        let condition = query::parse_condition(&mut self.cursor)?;
        let then = Box::new(self.inner()?);
        let otherwise = if self.cursor.eat_word("ELSE") { Some(Box::new(self.inner()?)) } else { None };
        Ok(Kind::If { condition, then, otherwise })
    }

    /// A statement inside another; nesting is bounded.
    fn inner(&mut self) -> Parsed<Statement> {
        if self.depth >= crate::sql::cursor::MAX_DEPTH {
            return Err(errors::nested_too_deeply().at_line(self.cursor.peek().line));
        }
        self.depth += 1;
        let statement = self.statement();
        self.depth -= 1;
        let statement = statement?;
        match stands_alone(&statement.kind) {
            Some(name) => Err(errors::not_alone_in_batch(name).at_line(statement.line)),
            None => Ok(statement),
        }
    }

    /// BEGIN TRANSACTION, BEGIN TRY or a block.
    fn begin(&mut self) -> Parsed<Kind> {
        if self.cursor.eat_word("TRANSACTION") || self.cursor.eat_word("TRAN") {
            return Ok(Kind::Begin);
        }
        if self.cursor.eat_word("TRY") {
            let body = self.until_end()?;
            self.cursor.expect_word("TRY")?;
            self.cursor.eat_symbol(";");
            self.cursor.expect_word("BEGIN")?;
            self.cursor.expect_word("CATCH")?;
            let catch = self.until_end()?;
            self.cursor.expect_word("CATCH")?;
            return Ok(Kind::TryCatch { body, catch });
        }
        let block = self.until_end()?;
        if block.is_empty() {
            return Err(self.cursor.unexpected());
        }
        Ok(Kind::Block(block))
    }

    fn until_end(&mut self) -> Parsed<Vec<Statement>> {
        let mut statements = Vec::new();
        loop {
            while self.cursor.eat_symbol(";") {}
            if self.cursor.eat_word("END") {
                return Ok(statements);
            }
            statements.push(self.inner()?);
        }
    }

    fn throw(&mut self) -> Parsed<Kind> {
        if self.cursor.at_end() || self.cursor.peek().is_symbol(";") || self.cursor.peek().is_word("END") {
            return Ok(Kind::Throw(None));
        }
        let number = query::parse_expression(&mut self.cursor)?;
        self.cursor.expect_symbol(",")?;
        let message = query::parse_expression(&mut self.cursor)?;
        self.cursor.expect_symbol(",")?;
        let state = query::parse_expression(&mut self.cursor)?;
        Ok(Kind::Throw(Some((number, message, state))))
    }

    fn raise_error(&mut self) -> Parsed<Kind> {
        self.cursor.expect_symbol("(")?;
        let message = query::parse_expression(&mut self.cursor)?;
        self.cursor.expect_symbol(",")?;
        let class = self.cursor.expect_integer::<u8>()?.min(18);
        self.cursor.expect_symbol(",")?;
        let state = self.cursor.expect_integer()?;
        self.cursor.expect_symbol(")")?;
        Ok(Kind::RaiseError { message, class, state })
    }

    /// `KILL 'SID12'`; serverless pools take the bare number.
    fn kill(&mut self) -> Parsed<Kind> {
        let token = self.cursor.peek();
        let session = match (&token.kind, self.pool) {
            (TokenKind::Text { value, .. }, crate::pool::config::PoolKind::Dedicated) => value.clone(),
            (TokenKind::Number(number), crate::pool::config::PoolKind::Serverless) => number.clone(),
            _ => return Err(self.cursor.unexpected()),
        };
        self.cursor.advance();
        Ok(Kind::Kill { session })
    }
}

fn begins_statement(word: &str) -> bool {
    const WORDS: [&str; 13] = [
        "BREAK",
        "PRINT",
        "RAISERROR",
        "RENAME",
        "REVERT",
        "ROLLBACK",
        "THROW",
        "TRUNCATE",
        "USE",
        "WAITFOR",
        "WHILE",
        "GO",
        "CONTINUE",
    ];
    WORDS.iter().any(|other| word.eq_ignore_ascii_case(other))
}
