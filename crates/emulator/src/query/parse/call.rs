//! What begins with a word: CASE, casts, function calls, column names.

use crate::answer::{ServerError, SqlType};
use crate::query::ast::{Bound, Call, Expr, Frame, Window};
use crate::query::parse::expression::{expr, expr_list};
use crate::query::parse::reserved::is_reserved;
use crate::query::parse::{name, select};
use crate::sql::cursor::Cursor;
use crate::sql::data_type;
use crate::sql::lexer::TokenKind;

/// Reserved words that are functions when a parenthesis follows.
const CALLABLE: [&str; 6] = ["COALESCE", "LEFT", "NULLIF", "RIGHT", "CONVERT", "TRY_CONVERT"];
/// Functions that are called without parentheses.
const BARE: [&str; 5] = ["CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"];

/// An expression that begins with an identifier or a keyword.
pub(super) fn named(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    let token = cursor.peek();
    let line = token.line;
    if let TokenKind::Word(word) = &token.kind {
        let upper = word.to_ascii_uppercase();
        let opens = cursor.peek_at(1).is_symbol("(");
        match upper.as_str() {
            "CASE" => return case(cursor),
            "CAST" | "TRY_CAST" if opens => return cast(cursor, upper == "TRY_CAST"),
            "CONVERT" | "TRY_CONVERT" if opens => return convert(cursor, upper == "TRY_CONVERT"),
            _ if BARE.contains(&upper.as_str()) => {
                cursor.advance();
                return Ok(call(vec![upper], Vec::new(), line));
            }
            _ if is_reserved(word) && !(opens && CALLABLE.contains(&upper.as_str())) => {
                return Err(cursor.unexpected());
            }
            _ => {}
        }
    }
    let name = name(cursor)?;
    if cursor.peek().is_symbol("(") { arguments(cursor, name, line) } else { Ok(Expr::Column { name, line }) }
}

fn call(name: Vec<String>, args: Vec<Expr>, line: u32) -> Expr {
    Expr::Call(Box::new(Call {
        name,
        args,
        star: false,
        distinct: false,
        within: Vec::new(),
        over: None,
        line,
    }))
}

fn case(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    cursor.expect_word("CASE")?;
    let operand = if cursor.peek().is_word("WHEN") { None } else { Some(Box::new(expr(cursor)?)) };
    let mut arms = Vec::new();
    while cursor.eat_word("WHEN") {
        let when = expr(cursor)?;
        cursor.expect_word("THEN")?;
        arms.push((when, expr(cursor)?));
    }
    let otherwise = if cursor.eat_word("ELSE") { Some(Box::new(expr(cursor)?)) } else { None };
    if arms.is_empty() {
        return Err(cursor.unexpected());
    }
    cursor.expect_word("END")?;
    Ok(Expr::Case { operand, arms, otherwise })
}

fn cast(cursor: &mut Cursor<'_>, tries: bool) -> Result<Expr, ServerError> {
    cursor.advance();
    cursor.expect_symbol("(")?;
    let value = Box::new(expr(cursor)?);
    cursor.expect_word("AS")?;
    let target = cast_type(cursor)?;
    cursor.expect_symbol(")")?;
    Ok(Expr::Cast { value, target, style: None, tries })
}

fn convert(cursor: &mut Cursor<'_>, tries: bool) -> Result<Expr, ServerError> {
    cursor.advance();
    cursor.expect_symbol("(")?;
    let target = cast_type(cursor)?;
    cursor.expect_symbol(",")?;
    let value = Box::new(expr(cursor)?);
    let style = if cursor.eat_symbol(",") { Some(Box::new(expr(cursor)?)) } else { None };
    cursor.expect_symbol(")")?;
    Ok(Expr::Cast { value, target, style, tries })
}

fn arguments(cursor: &mut Cursor<'_>, name: Vec<String>, line: u32) -> Result<Expr, ServerError> {
    cursor.expect_symbol("(")?;
    let mut call =
        Call { name, args: Vec::new(), star: false, distinct: false, within: Vec::new(), over: None, line };
    if cursor.peek().is_symbol("*") && cursor.peek_at(1).is_symbol(")") {
        cursor.advance();
        call.star = true;
    } else if !cursor.peek().is_symbol(")") {
        call.distinct = cursor.eat_word("DISTINCT");
        if !call.distinct {
            cursor.eat_word("ALL");
        }
        call.args = expr_list(cursor)?;
        // TRIM(characters FROM text)
        if call.name[0].eq_ignore_ascii_case("TRIM") {
            if call.args.len() > 1 {
                return Err(cursor.unexpected());
            }
            if cursor.eat_word("FROM") {
                call.args.push(expr(cursor)?);
            }
        }
    }
    cursor.expect_symbol(")")?;
    if cursor.eat_words(&["WITHIN", "GROUP"]) {
        cursor.expect_symbol("(")?;
        call.within = select::order_by(cursor)?;
        cursor.expect_symbol(")")?;
    }
    if cursor.eat_word("OVER") {
        call.over = Some(window(cursor)?);
    }
    Ok(Expr::Call(Box::new(call)))
}

fn window(cursor: &mut Cursor<'_>) -> Result<Window, ServerError> {
    cursor.expect_symbol("(")?;
    let partition = if cursor.eat_words(&["PARTITION", "BY"]) { expr_list(cursor)? } else { Vec::new() };
    let order = if cursor.peek().is_word("ORDER") { select::order_by(cursor)? } else { Vec::new() };
    let frame = if cursor.peek().is_word("ROWS") || cursor.peek().is_word("RANGE") {
        Some(frame(cursor)?)
    } else {
        None
    };
    cursor.expect_symbol(")")?;
    Ok(Window { partition, order, frame })
}

fn frame(cursor: &mut Cursor<'_>) -> Result<Frame, ServerError> {
    let rows = cursor.advance().is_word("ROWS");
    if cursor.eat_word("BETWEEN") {
        let start = bound(cursor)?;
        cursor.expect_word("AND")?;
        return Ok(Frame { rows, start, end: bound(cursor)? });
    }
    Ok(Frame { rows, start: bound(cursor)?, end: Bound::CurrentRow })
}

fn bound(cursor: &mut Cursor<'_>) -> Result<Bound, ServerError> {
    if cursor.eat_words(&["UNBOUNDED", "PRECEDING"]) {
        return Ok(Bound::UnboundedPreceding);
    }
    if cursor.eat_words(&["UNBOUNDED", "FOLLOWING"]) {
        return Ok(Bound::UnboundedFollowing);
    }
    if cursor.eat_words(&["CURRENT", "ROW"]) {
        return Ok(Bound::CurrentRow);
    }
    let rows = cursor.expect_integer::<u32>()?;
    if cursor.eat_word("PRECEDING") {
        return Ok(Bound::Preceding(rows));
    }
    cursor.expect_word("FOLLOWING")?;
    Ok(Bound::Following(rows))
}

/// A type in a cast: a length that is left out is 30 there, not 1 as in declarations.
fn cast_type(cursor: &mut Cursor<'_>) -> Result<SqlType, ServerError> {
    let bare = !cursor.peek_at(1).is_symbol("(");
    let ty = data_type::parse(cursor)?;
    Ok(match ty {
        SqlType::NVarChar(1) if bare => SqlType::NVarChar(30),
        SqlType::VarChar(1) if bare => SqlType::VarChar(30),
        SqlType::NChar(1) if bare => SqlType::NChar(30),
        SqlType::Char(1) if bare => SqlType::Char(30),
        SqlType::VarBinary(1) if bare => SqlType::VarBinary(30),
        SqlType::Binary(1) if bare => SqlType::Binary(30),
        other => other,
    })
}
