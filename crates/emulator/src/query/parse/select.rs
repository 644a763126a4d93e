//! SELECT blocks, set operators, WITH and ORDER BY.

use crate::answer::ServerError;
use crate::query::ast::{Body, Cte, Expr, Item, Order, Page, Query, Select, SetOperator};
use crate::query::parse::expression::{expr, expr_list, parenthesised_query};
use crate::query::parse::reserved::is_reserved;
use crate::query::parse::{MAX_RUN, column_list, source};
use crate::sql::cursor::Cursor;
use crate::sql::lexer::TokenKind;

/// A whole query.
pub(super) fn query(cursor: &mut Cursor<'_>) -> Result<Query, ServerError> {
    cursor.nested(|cursor| {
        let with = if cursor.eat_word("WITH") { ctes(cursor)? } else { Vec::new() };
        let body = union(cursor)?;
        let mut query = Query { with, body, order: Vec::new(), page: None };
        if cursor.peek().is_word("ORDER") {
            query.order = order_by(cursor)?;
            query.page = page(cursor)?;
        }
        option(cursor)?;
        Ok(query)
    })
}

fn ctes(cursor: &mut Cursor<'_>) -> Result<Vec<Cte>, ServerError> {
    let mut ctes = Vec::new();
    loop {
        let line = cursor.peek().line;
        let name = cursor.expect_identifier()?;
        let columns = column_list(cursor)?;
        cursor.expect_word("AS")?;
        ctes.push(Cte { name, columns, query: parenthesised_query(cursor)?, line });
        if !cursor.eat_symbol(",") {
            return Ok(ctes);
        }
    }
}

/// `ORDER BY …`.
pub(super) fn order_by(cursor: &mut Cursor<'_>) -> Result<Vec<Order>, ServerError> {
    cursor.expect_word("ORDER")?;
    cursor.expect_word("BY")?;
    let mut order = Vec::new();
    loop {
        let key = expr(cursor)?;
        let descending = cursor.eat_word("DESC");
        if !descending {
            cursor.eat_word("ASC");
        }
        order.push(Order { key, descending });
        if !cursor.eat_symbol(",") {
            return Ok(order);
        }
    }
}

fn page(cursor: &mut Cursor<'_>) -> Result<Option<Page>, ServerError> {
    if !cursor.eat_word("OFFSET") {
        return Ok(None);
    }
    let offset = expr(cursor)?;
    row_or_rows(cursor)?;
    let mut fetch = None;
    if cursor.eat_word("FETCH") {
        if !cursor.eat_word("NEXT") {
            cursor.expect_word("FIRST")?;
        }
        fetch = Some(expr(cursor)?);
        row_or_rows(cursor)?;
        cursor.expect_word("ONLY")?;
    }
    Ok(Some(Page { offset, fetch }))
}

fn row_or_rows(cursor: &mut Cursor<'_>) -> Result<(), ServerError> {
    if cursor.eat_word("ROWS") { Ok(()) } else { cursor.expect_word("ROW") }
}

/// `OPTION (LABEL = '…')` names a request and changes no rows; other hints are outside the subset.
fn option(cursor: &mut Cursor<'_>) -> Result<(), ServerError> {
    if !cursor.eat_word("OPTION") {
        return Ok(());
    }
    cursor.expect_symbol("(")?;
    cursor.expect_word("LABEL")?;
    cursor.expect_symbol("=")?;
    cursor.expect_text()?;
    cursor.expect_symbol(")")
}

fn union(cursor: &mut Cursor<'_>) -> Result<Body, ServerError> {
    let first = intersect(cursor)?;
    let mut rest = Vec::new();
    loop {
        let operator = if cursor.eat_word("UNION") {
            if cursor.eat_word("ALL") { SetOperator::UnionAll } else { SetOperator::Union }
        } else if cursor.eat_word("EXCEPT") {
            SetOperator::Except
        } else {
            break;
        };
        if rest.len() >= MAX_RUN {
            return Err(cursor.unexpected());
        }
        rest.push((operator, intersect(cursor)?));
    }
    Ok(if rest.is_empty() { first } else { Body::Set(Box::new(first), rest) })
}

fn intersect(cursor: &mut Cursor<'_>) -> Result<Body, ServerError> {
    let first = block(cursor)?;
    let mut rest = Vec::new();
    while cursor.eat_word("INTERSECT") {
        rest.push((SetOperator::Intersect, block(cursor)?));
    }
    Ok(if rest.is_empty() { first } else { Body::Set(Box::new(first), rest) })
}

fn block(cursor: &mut Cursor<'_>) -> Result<Body, ServerError> {
    if cursor.eat_symbol("(") {
        let body = cursor.nested(union)?;
        cursor.expect_symbol(")")?;
        return Ok(body);
    }
    if cursor.eat_word("VALUES") {
        return values(cursor);
    }
    cursor.expect_word("SELECT")?;
    select(cursor).map(|select| Body::Select(Box::new(select)))
}

/// Rows after VALUES. Only INSERT and derived tables reach it.
fn values(cursor: &mut Cursor<'_>) -> Result<Body, ServerError> {
    let mut rows = Vec::new();
    loop {
        cursor.expect_symbol("(")?;
        rows.push(expr_list(cursor)?);
        cursor.expect_symbol(")")?;
        if !cursor.eat_symbol(",") {
            return Ok(Body::Values(rows));
        }
    }
}

fn select(cursor: &mut Cursor<'_>) -> Result<Select, ServerError> {
    let distinct = cursor.eat_word("DISTINCT");
    if !distinct {
        cursor.eat_word("ALL");
    }
    let top = if cursor.eat_word("TOP") { Some(top(cursor)?) } else { None };
    let mut items = vec![item(cursor)?];
    while cursor.eat_symbol(",") {
        items.push(item(cursor)?);
    }
    if cursor.peek().is_word("INTO") {
        return Err(cursor.unexpected());
    }
    let from = if cursor.eat_word("FROM") { Some(source::list(cursor)?) } else { None };
    let filter = if cursor.eat_word("WHERE") { Some(expr(cursor)?) } else { None };
    let group = if cursor.eat_words(&["GROUP", "BY"]) { expr_list(cursor)? } else { Vec::new() };
    let having = if cursor.eat_word("HAVING") { Some(expr(cursor)?) } else { None };
    if cursor.peek().is_word("FOR") {
        return Err(cursor.unexpected());
    }
    Ok(Select { distinct, top, items, from, filter, group, having })
}

fn top(cursor: &mut Cursor<'_>) -> Result<Expr, ServerError> {
    let top = if cursor.eat_symbol("(") {
        let inner = expr(cursor)?;
        cursor.expect_symbol(")")?;
        inner
    } else if let TokenKind::Number(digits) = &cursor.peek().kind {
        let literal = Expr::Number(digits.clone());
        cursor.advance();
        literal
    } else {
        return Err(cursor.unexpected());
    };
    if cursor.peek().is_word("PERCENT") || cursor.looking_at(&["WITH", "TIES"]) {
        return Err(cursor.unexpected());
    }
    Ok(top)
}

fn item(cursor: &mut Cursor<'_>) -> Result<Item, ServerError> {
    let line = cursor.peek().line;
    if cursor.eat_symbol("*") {
        return Ok(Item::All { qualifier: Vec::new(), line });
    }
    if let Some(qualifier) = star_qualifier(cursor) {
        return Ok(Item::All { qualifier, line });
    }
    // `alias = expression`; a comparison cannot stand in a select list.
    if cursor.peek_at(1).is_symbol("=")
        && matches!(&cursor.peek().kind, TokenKind::Word(_) | TokenKind::Quoted(_) | TokenKind::Text { .. })
    {
        let alias = alias_name(cursor)?;
        cursor.expect_symbol("=")?;
        return Ok(Item::One { value: expr(cursor)?, alias: Some(alias) });
    }
    // Assignment (`SELECT @x = …`) is outside the subset.
    if matches!(&cursor.peek().kind, TokenKind::Variable(_)) && cursor.peek_at(1).is_symbol("=") {
        cursor.advance();
        return Err(cursor.unexpected());
    }
    let value = expr(cursor)?;
    let alias = if cursor.eat_word("AS") {
        Some(alias_name(cursor)?)
    } else {
        match &cursor.peek().kind {
            TokenKind::Word(word) if is_reserved(word) => None,
            TokenKind::Word(_) | TokenKind::Quoted(_) | TokenKind::Text { .. } => Some(alias_name(cursor)?),
            _ => None,
        }
    };
    Ok(Item::One { value, alias })
}

fn alias_name(cursor: &mut Cursor<'_>) -> Result<String, ServerError> {
    match &cursor.peek().kind {
        TokenKind::Word(word) if is_reserved(word) => Err(cursor.unexpected()),
        TokenKind::Text { .. } => cursor.expect_text(),
        _ => cursor.expect_identifier(),
    }
}

/// The `a.b` of `a.b.*`.
fn star_qualifier(cursor: &mut Cursor<'_>) -> Option<Vec<String>> {
    let mark = cursor.mark();
    let mut parts = Vec::new();
    while let Some(part) = cursor.peek().identifier() {
        parts.push(part.to_owned());
        cursor.advance();
        if !cursor.eat_symbol(".") {
            break;
        }
        if cursor.eat_symbol("*") {
            return Some(parts);
        }
    }
    cursor.rewind(mark);
    None
}
