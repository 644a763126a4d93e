//! Values and conditions, by descending precedence: OR, AND, NOT, predicates, `+ - & | ^`, `* / %`, signs, COLLATE.

use crate::answer::ServerError;
use crate::query::ast::{Comparison, Expr, Operator, Set, Sign};
use crate::query::parse::{MAX_RUN, call, select};
use crate::sql::cursor::Cursor;
use crate::sql::lexer::TokenKind;

/// An expression of any kind.
pub(crate) fn expr(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    cursor.nested(or)
}

fn or(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    run(cursor, "OR", and, Expr::Or)
}

fn and(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    run(cursor, "AND", not, Expr::And)
}

fn run(
    cursor: &mut Cursor<'_>,
    word: &str,
    part: fn(&mut Cursor<'_>) -> Result<Expr, ServerError>,
    join: fn(Vec<Expr>) -> Expr,
) -> Result<Expr, ServerError> {
    let first = part(cursor)?;
    if !cursor.peek().is_word(word) {
        return Ok(first);
    }
    let mut parts = vec![first];
    while cursor.eat_word(word) {
        if parts.len() >= MAX_RUN {
            return Err(cursor.unexpected());
        }
        parts.push(part(cursor)?);
    }
    Ok(join(parts))
}

fn not(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    let mut negated = false;
    let mut any = false;
    while cursor.eat_word("NOT") {
        negated = !negated;
        any = true;
    }
    let inner = predicate(cursor)?;
    // NOT NOT x is kept as a condition so that `NOT NOT 1` stays an error.
    Ok(match (any, negated) {
        (false, _) => inner,
        (true, true) => Expr::Not(Box::new(inner)),
        (true, false) => Expr::Not(Box::new(Expr::Not(Box::new(inner)))),
    })
}

fn predicate(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    if cursor.eat_word("EXISTS") {
        return Ok(Expr::Exists(Box::new(parenthesised_query(cursor)?)));
    }
    let left = sum(cursor)?;
    if let Some(comparison) = comparison(cursor) {
        return compared(cursor, left, comparison);
    }
    if cursor.eat_word("IS") {
        let negated = cursor.eat_word("NOT");
        cursor.expect_word("NULL")?;
        return Ok(Expr::IsNull { value: Box::new(left), negated });
    }
    let negated = cursor.peek().is_word("NOT")
        && ["BETWEEN", "IN", "LIKE"].iter().any(|word| cursor.peek_at(1).is_word(word));
    if negated {
        cursor.advance();
    }
    let value = Box::new(left);
    if cursor.eat_word("BETWEEN") {
        let low = Box::new(sum(cursor)?);
        cursor.expect_word("AND")?;
        let high = Box::new(sum(cursor)?);
        return Ok(Expr::Between { value, low, high, negated });
    }
    if cursor.eat_word("IN") {
        return Ok(Expr::In { value, set: set(cursor)?, negated });
    }
    if cursor.eat_word("LIKE") {
        let pattern = Box::new(sum(cursor)?);
        let escape = if cursor.eat_word("ESCAPE") { Some(Box::new(sum(cursor)?)) } else { None };
        return Ok(Expr::Like { value, pattern, escape, negated });
    }
    Ok(*value)
}

fn comparison(cursor: &mut Cursor<'_>) -> Option<Comparison> {
    let TokenKind::Symbol(symbol) = &cursor.peek().kind else { return None };
    let comparison = match *symbol {
        "=" => Comparison::Equal,
        "<>" | "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterEqual,
        _ => return None,
    };
    cursor.advance();
    Some(comparison)
}

fn compared(cursor: &mut Cursor<'_>, left: Expr, comparison: Comparison) -> Result<Expr, ServerError> {
    let left = Box::new(left);
    for (word, all) in [("ALL", true), ("ANY", false), ("SOME", false)] {
        if cursor.eat_word(word) {
            let query = Box::new(parenthesised_query(cursor)?);
            return Ok(Expr::Quantified { left, comparison, all, query });
        }
    }
    Ok(Expr::Compare(left, comparison, Box::new(sum(cursor)?)))
}

fn set(cursor: &mut Cursor<'_>) -> Result<Set, ServerError> {
    if starts_query(cursor) {
        return Ok(Set::Query(Box::new(parenthesised_query(cursor)?)));
    }
    cursor.expect_symbol("(")?;
    let list = expr_list(cursor)?;
    cursor.expect_symbol(")")?;
    Ok(Set::List(list))
}

/// One or more expressions between commas.
pub(super) fn expr_list(cursor: &mut Cursor<'_>) -> Result<Vec<Expr>, ServerError> {
    let mut list = vec![expr(cursor)?];
    while cursor.eat_symbol(",") {
        list.push(expr(cursor)?);
    }
    Ok(list)
}

/// Whether `(` and then SELECT or WITH are next.
pub(super) fn starts_query(cursor: &Cursor<'_>) -> bool {
    cursor.peek().is_symbol("(") && (cursor.peek_at(1).is_word("SELECT") || cursor.peek_at(1).is_word("WITH"))
}

pub(super) fn parenthesised_query(cursor: &mut Cursor<'_>) -> Result<crate::query::ast::Query, ServerError> {
    cursor.expect_symbol("(")?;
    let query = select::query(cursor)?;
    cursor.expect_symbol(")")?;
    Ok(query)
}

/// A value without a comparison around it.
pub(super) fn sum(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    chain(cursor, product, |symbol| {
        Some(match symbol {
            "+" => Operator::Add,
            "-" => Operator::Subtract,
            "&" => Operator::BitAnd,
            "|" => Operator::BitOr,
            "^" => Operator::BitXor,
            _ => return None,
        })
    })
}

fn product(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    chain(cursor, signed, |symbol| {
        Some(match symbol {
            "*" => Operator::Multiply,
            "/" => Operator::Divide,
            "%" => Operator::Modulo,
            _ => return None,
        })
    })
}

fn chain(
    cursor: &mut Cursor<'_>,
    part: fn(&mut Cursor<'_>) -> Result<Expr, ServerError>,
    operator: fn(&str) -> Option<Operator>,
) -> Result<Expr, ServerError> {
    let first = part(cursor)?;
    let mut rest = Vec::new();
    while let TokenKind::Symbol(symbol) = &cursor.peek().kind {
        let Some(operator) = operator(symbol) else { break };
        if rest.len() >= MAX_RUN {
            return Err(cursor.unexpected());
        }
        cursor.advance();
        rest.push((operator, part(cursor)?));
    }
    Ok(if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) })
}

fn signed(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    let sign = match &cursor.peek().kind {
        TokenKind::Symbol("-") => Sign::Minus,
        TokenKind::Symbol("+") => Sign::Plus,
        TokenKind::Symbol("~") => Sign::BitNot,
        _ => return collated(cursor),
    };
    cursor.advance();
    // A negative literal is a literal: its precision is that of its digits.
    if sign == Sign::Minus
        && let TokenKind::Number(digits) = &cursor.peek().kind
    {
        let literal = Expr::Number(format!("-{digits}"));
        cursor.advance();
        return Ok(literal);
    }
    let value = cursor.nested(signed)?;
    Ok(Expr::Unary(sign, Box::new(value)))
}

fn collated(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    let mut value = primary(cursor)?;
    if cursor.eat_word("COLLATE") {
        value = Expr::Collate(Box::new(value), cursor.expect_identifier()?);
    }
    Ok(value)
}

fn primary(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    let token = cursor.peek();
    let literal = match &token.kind {
        TokenKind::Number(text) => Expr::Number(text.clone()),
        TokenKind::Text { value, national } => Expr::Text { value: value.clone(), national: *national },
        TokenKind::Binary(bytes) => Expr::Binary(bytes.clone()),
        TokenKind::Variable(name) => Expr::Variable { name: name.clone(), line: token.line },
        TokenKind::Symbol("(") if starts_query(cursor) => {
            return Ok(Expr::Subquery(Box::new(parenthesised_query(cursor)?)));
        }
        TokenKind::Symbol("(") => {
            cursor.advance();
            let inner = expr(cursor)?;
            cursor.expect_symbol(")")?;
            return Ok(inner);
        }
        TokenKind::Word(word) if word.eq_ignore_ascii_case("NULL") => Expr::Null,
        TokenKind::Word(_) | TokenKind::Quoted(_) => return call::named(cursor),
        TokenKind::Symbol(_) | TokenKind::End => return Err(cursor.unexpected()),
    };
    cursor.advance();
    Ok(literal)
}
