//! FROM clauses: tables, derived tables and joins.

use crate::answer::ServerError;
use crate::query::ast::{Join, Query, Source};
use crate::query::parse::expression::{expr, expr_list};
use crate::query::parse::reserved::is_reserved;
use crate::query::parse::{column_list, name, select};
use crate::sql::cursor::Cursor;
use crate::sql::lexer::TokenKind;

/// Most sources joined in one FROM clause. SQLite joins at most 64 tables at once.
const MAX_SOURCES: usize = 64;

/// `a, b JOIN c ON …`.
pub(super) fn list(cursor: &mut Cursor<'_>) -> Result<Source, ServerError> {
    let mut left = joined(cursor)?;
    let mut count = 1;
    while cursor.eat_symbol(",") {
        count += 1;
        if count > MAX_SOURCES {
            return Err(cursor.unexpected());
        }
        left = Source::Join {
            left: Box::new(left),
            kind: Join::Cross,
            right: Box::new(joined(cursor)?),
            on: None,
        };
    }
    Ok(left)
}

/// A source and the joins that follow it.
fn joined(cursor: &mut Cursor<'_>) -> Result<Source, ServerError> {
    cursor.nested(|cursor| {
        let mut left = single(cursor)?;
        let mut count = 1;
        while let Some(kind) = join_kind(cursor)? {
            count += 1;
            if count > MAX_SOURCES {
                return Err(cursor.unexpected());
            }
            if kind == Join::Cross {
                let right = Box::new(single(cursor)?);
                left = Source::Join { left: Box::new(left), kind, right, on: None };
            } else {
                // The right side may itself be a join whose ON comes first: a JOIN b JOIN c ON … ON …
                let right = Box::new(joined_until_on(cursor)?);
                cursor.expect_word("ON")?;
                let on = Some(expr(cursor)?);
                left = Source::Join { left: Box::new(left), kind, right, on };
            }
        }
        Ok(left)
    })
}

fn joined_until_on(cursor: &mut Cursor<'_>) -> Result<Source, ServerError> {
    let first = single(cursor)?;
    if cursor.peek().is_word("ON") {
        return Ok(first);
    }
    cursor.nested(|cursor| {
        let mut left = first;
        while let Some(kind) = join_kind(cursor)? {
            let right =
                Box::new(if kind == Join::Cross { single(cursor)? } else { joined_until_on(cursor)? });
            let on = if kind == Join::Cross {
                None
            } else {
                cursor.expect_word("ON")?;
                Some(expr(cursor)?)
            };
            left = Source::Join { left: Box::new(left), kind, right, on };
        }
        Ok(left)
    })
}

fn join_kind(cursor: &mut Cursor<'_>) -> Result<Option<Join>, ServerError> {
    if cursor.eat_word("JOIN") {
        return Ok(Some(Join::Inner));
    }
    if cursor.looking_at(&["CROSS", "JOIN"]) {
        cursor.eat_words(&["CROSS", "JOIN"]);
        return Ok(Some(Join::Cross));
    }
    if cursor.eat_words(&["INNER", "JOIN"]) {
        return Ok(Some(Join::Inner));
    }
    for (word, kind) in [("LEFT", Join::Left), ("RIGHT", Join::Right), ("FULL", Join::Full)] {
        if cursor.peek().is_word(word) {
            cursor.advance();
            cursor.eat_word("OUTER");
            cursor.expect_word("JOIN")?;
            return Ok(Some(kind));
        }
    }
    // CROSS APPLY, OUTER APPLY, join hints
    if ["CROSS", "OUTER", "INNER"].iter().any(|word| cursor.peek().is_word(word)) {
        cursor.advance();
        return Err(cursor.unexpected());
    }
    Ok(None)
}

fn single(cursor: &mut Cursor<'_>) -> Result<Source, ServerError> {
    let line = cursor.peek().line;
    if cursor.peek().is_symbol("(") {
        return parenthesised(cursor, line);
    }
    if let TokenKind::Word(word) = &cursor.peek().kind
        && is_reserved(word)
    {
        return Err(cursor.unexpected());
    }
    let name = name(cursor)?;
    if cursor.eat_symbol("(") {
        let args = if cursor.peek().is_symbol(")") { Vec::new() } else { expr_list(cursor)? };
        cursor.expect_symbol(")")?;
        return Ok(Source::Function { name, args, alias: alias(cursor)?, line });
    }
    let alias = alias(cursor)?;
    hints(cursor)?;
    Ok(Source::Named { name, alias, line })
}

/// A derived table, or a join in parentheses.
fn parenthesised(cursor: &mut Cursor<'_>, line: u32) -> Result<Source, ServerError> {
    let mark = cursor.mark();
    let mut ahead = 0;
    while cursor.peek_at(ahead).is_symbol("(") {
        ahead += 1;
    }
    let query_ahead = ["SELECT", "VALUES", "WITH"].iter().any(|word| cursor.peek_at(ahead).is_word(word));
    cursor.expect_symbol("(")?;
    if query_ahead {
        // ((SELECT …) AS a JOIN …) also begins like a query: try that reading second.
        match derived(cursor, line) {
            Ok(source) => return Ok(source),
            Err(error) if ahead == 1 => return Err(error),
            Err(_) => {
                cursor.rewind(mark);
                cursor.expect_symbol("(")?;
            }
        }
    }
    let inner = joined(cursor)?;
    cursor.expect_symbol(")")?;
    Ok(inner)
}

fn derived(cursor: &mut Cursor<'_>, line: u32) -> Result<Source, ServerError> {
    let query: Query = select::query(cursor)?;
    cursor.expect_symbol(")")?;
    let Some(alias) = alias(cursor)? else { return Err(cursor.unexpected()) };
    let columns = column_list(cursor)?;
    Ok(Source::Derived { query: Box::new(query), alias, columns, line })
}

fn alias(cursor: &mut Cursor<'_>) -> Result<Option<String>, ServerError> {
    if cursor.eat_word("AS") {
        return cursor.expect_identifier().map(Some);
    }
    match &cursor.peek().kind {
        TokenKind::Word(word) if is_reserved(word) => Ok(None),
        TokenKind::Word(_) | TokenKind::Quoted(_) => cursor.expect_identifier().map(Some),
        _ => Ok(None),
    }
}

/// `WITH (NOLOCK)` and `(NOLOCK)`: locks do not change rows here, for every statement sees one state.
fn hints(cursor: &mut Cursor<'_>) -> Result<(), ServerError> {
    let with = cursor.looking_at(&["WITH"]) && cursor.peek_at(1).is_symbol("(");
    if !with {
        return Ok(());
    }
    cursor.advance();
    cursor.advance();
    loop {
        let known =
            ["NOLOCK", "READUNCOMMITTED", "READCOMMITTED", "ROWLOCK", "TABLOCK", "HOLDLOCK", "UPDLOCK"];
        if !known.iter().any(|hint| cursor.peek().is_word(hint)) {
            return Err(cursor.unexpected());
        }
        cursor.advance();
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    cursor.expect_symbol(")")
}
