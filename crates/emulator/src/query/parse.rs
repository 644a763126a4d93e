//! Tokens to queries. The grammar is the documented subset; anything else is 103010 at the token where reading stopped.

mod call;
mod change;
mod expression;
mod function;
mod reserved;
mod select;
mod source;

use crate::answer::ServerError;
use crate::query::ast::{Change, Condition, Expression, Query};
use crate::sql::cursor::Cursor;

pub(crate) use expression::expr;
pub use function::parse_function;
pub(crate) use function::{parse_argument, parse_definition};

/// Longest run of operators, set operators or list entries in one expression.
pub(crate) const MAX_RUN: usize = 4096;

/// Reads a query that starts with SELECT, WITH or `(` and leaves the cursor after it.
pub fn parse_select(cursor: &mut Cursor<'_>) -> Result<Query, ServerError> {
    select::query(cursor)
}

/// Reads INSERT, UPDATE or DELETE and leaves the cursor after it.
pub fn parse_change(cursor: &mut Cursor<'_>) -> Result<Change, ServerError> {
    change::change(cursor)
}

/// Reads a value expression and leaves the cursor after it.
pub fn parse_expression(cursor: &mut Cursor<'_>) -> Result<Expression, ServerError> {
    expr(cursor).map(Expression)
}

/// Reads a condition and leaves the cursor after it.
pub fn parse_condition(cursor: &mut Cursor<'_>) -> Result<Condition, ServerError> {
    expr(cursor).map(Condition)
}

/// Reads the query in the text of a CREATE VIEW or ALTER VIEW.
pub(crate) fn parse_view(definition: &str) -> Result<Query, ServerError> {
    let tokens = crate::sql::lexer::lex(definition)?;
    let mut cursor = Cursor::new(definition, &tokens);
    while !cursor.eat_word("VIEW") {
        if cursor.at_end() {
            return Err(cursor.unexpected());
        }
        cursor.advance();
    }
    name(&mut cursor)?;
    column_list(&mut cursor)?;
    cursor.expect_word("AS")?;
    parse_select(&mut cursor)
}

/// A name of up to four parts. An empty middle part (`db..t`) is an empty string.
pub(crate) fn name(cursor: &mut Cursor<'_>) -> Result<Vec<String>, ServerError> {
    let mut parts = vec![cursor.expect_identifier()?];
    while cursor.eat_symbol(".") {
        if parts.len() == 4 {
            return Err(cursor.unexpected());
        }
        if cursor.peek().is_symbol(".") {
            parts.push(String::new());
        } else {
            parts.push(cursor.expect_identifier()?);
        }
    }
    Ok(parts)
}

/// `(a, b, c)` if a parenthesis is next.
pub(crate) fn column_list(cursor: &mut Cursor<'_>) -> Result<Vec<String>, ServerError> {
    let mut columns = Vec::new();
    if cursor.eat_symbol("(") {
        loop {
            columns.push(cursor.expect_identifier()?);
            if !cursor.eat_symbol(",") {
                break;
            }
        }
        cursor.expect_symbol(")")?;
    }
    Ok(columns)
}
