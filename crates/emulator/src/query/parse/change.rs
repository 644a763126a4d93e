//! INSERT, UPDATE and DELETE.

use crate::answer::ServerError;
use crate::query::ast::{Change, Delete, Insert, Update};
use crate::query::parse::{column_list, expr, name, select, source};
use crate::sql::cursor::Cursor;

/// One statement that changes rows.
pub(super) fn change(cursor: &mut Cursor<'_>) -> Result<Change, ServerError> {
    let line = cursor.peek().line;
    if cursor.eat_word("INSERT") {
        return insert(cursor, line).map(Change::Insert);
    }
    if cursor.eat_word("UPDATE") {
        return update(cursor, line).map(Change::Update);
    }
    cursor.expect_word("DELETE")?;
    delete(cursor, line).map(Change::Delete)
}

fn insert(cursor: &mut Cursor<'_>, line: u32) -> Result<Insert, ServerError> {
    cursor.eat_word("INTO");
    let table = name(cursor)?;
    let columns = column_list(cursor)?;
    if cursor.eat_words(&["DEFAULT", "VALUES"]) {
        return Ok(Insert { table, columns, rows: None, line });
    }
    if !["VALUES", "SELECT", "WITH"].iter().any(|word| cursor.peek().is_word(word)) {
        return Err(cursor.unexpected());
    }
    let rows = Some(select::query(cursor)?);
    Ok(Insert { table, columns, rows, line })
}

fn update(cursor: &mut Cursor<'_>, line: u32) -> Result<Update, ServerError> {
    let table = name(cursor)?;
    cursor.expect_word("SET")?;
    let mut set = Vec::new();
    loop {
        let mut column = name(cursor)?;
        let Some(column) = column.pop() else { return Err(cursor.unexpected()) };
        cursor.expect_symbol("=")?;
        set.push((column, expr(cursor)?));
        if !cursor.eat_symbol(",") {
            break;
        }
    }
    let from = if cursor.eat_word("FROM") { Some(source::list(cursor)?) } else { None };
    let filter = if cursor.eat_word("WHERE") { Some(expr(cursor)?) } else { None };
    Ok(Update { table, set, from, filter, line })
}

fn delete(cursor: &mut Cursor<'_>, line: u32) -> Result<Delete, ServerError> {
    cursor.eat_word("FROM");
    let table = name(cursor)?;
    let from = if cursor.eat_word("FROM") { Some(source::list(cursor)?) } else { None };
    let filter = if cursor.eat_word("WHERE") { Some(expr(cursor)?) } else { None };
    Ok(Delete { table, from, filter, line })
}
