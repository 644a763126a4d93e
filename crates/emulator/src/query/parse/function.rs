//! Inline table-valued functions, and the arguments that a security policy gives them.

use crate::answer::ServerError;
use crate::query::ast::{Expr, InlineFunction};
use crate::query::parse::expression::expr;
use crate::query::parse::{name, parse_select};
use crate::sql::cursor::Cursor;
use crate::sql::data_type;
use crate::sql::lexer::{TokenKind, lex};

/// Most parameters of a function.
const MAX_PARAMETERS: usize = 2100;

/// Reads `FUNCTION s.f (@p type, …) RETURNS TABLE [WITH SCHEMABINDING] [AS] RETURN query`: the name and the rest.
pub fn parse_function(cursor: &mut Cursor<'_>) -> Result<(Vec<String>, InlineFunction), ServerError> {
    cursor.expect_word("FUNCTION")?;
    let name = name(cursor)?;
    let parameters = parameters(cursor)?;
    cursor.expect_word("RETURNS")?;
    cursor.expect_word("TABLE")?;
    let schema_bound = cursor.eat_word("WITH");
    if schema_bound {
        cursor.expect_word("SCHEMABINDING")?;
    }
    cursor.eat_word("AS");
    cursor.expect_word("RETURN")?;
    let mark = cursor.mark();
    let enclosed = cursor.eat_symbol("(");
    let query = match parse_select(cursor) {
        Ok(query) if enclosed && cursor.eat_symbol(")") && ends(cursor) => query,
        // The parenthesis was that of the first part of a longer query, or there was none.
        _ => {
            cursor.rewind(mark);
            parse_select(cursor)?
        }
    };
    Ok((name, InlineFunction { parameters, schema_bound, query }))
}

fn ends(cursor: &Cursor<'_>) -> bool {
    cursor.at_end() || cursor.peek().is_symbol(";")
}

fn parameters(cursor: &mut Cursor<'_>) -> Result<Vec<(String, crate::answer::SqlType)>, ServerError> {
    let mut parameters: Vec<(String, crate::answer::SqlType)> = Vec::new();
    cursor.expect_symbol("(")?;
    while !cursor.peek().is_symbol(")") {
        let token = cursor.peek();
        let TokenKind::Variable(name) = &token.kind else { return Err(cursor.unexpected()) };
        if name.starts_with("@@") || parameters.len() >= MAX_PARAMETERS {
            return Err(cursor.unexpected());
        }
        cursor.advance();
        if parameters.iter().any(|(other, _)| crate::catalog::name::same(other, name)) {
            return Err(crate::errors::declared_twice(name).at_line(token.line));
        }
        cursor.eat_word("AS");
        parameters.push((name.clone(), data_type::parse(cursor)?));
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    cursor.expect_symbol(")")?;
    Ok(parameters)
}

/// Reads the text of a CREATE FUNCTION again.
pub(crate) fn parse_definition(definition: &str) -> Result<InlineFunction, ServerError> {
    let tokens = lex(definition)?;
    let mut cursor = Cursor::new(definition, &tokens);
    while !cursor.peek().is_word("FUNCTION") {
        if cursor.at_end() {
            return Err(cursor.unexpected());
        }
        cursor.advance();
    }
    parse_function(&mut cursor).map(|(_, function)| function)
}

/// Reads one argument of a predicate: a scalar expression to the end of the text.
pub(crate) fn parse_argument(text: &str) -> Result<Expr, ServerError> {
    let tokens = lex(text)?;
    let mut cursor = Cursor::new(text, &tokens);
    let argument = expr(&mut cursor)?;
    if cursor.at_end() { Ok(argument) } else { Err(cursor.unexpected()) }
}
