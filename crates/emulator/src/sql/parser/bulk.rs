//! `INSERT BULK`, which bulk copy programs send before their rows.

use super::{Parsed, Parser};
use crate::sql::ast::Kind;
use crate::sql::data_type;

/// What may stand behind the columns. None of it changes anything here.
const HINTS: [&str; 4] = ["CHECK_CONSTRAINTS", "FIRE_TRIGGERS", "KEEP_NULLS", "TABLOCK"];

impl Parser<'_> {
    /// `INSERT BULK t (c type [COLLATE x] [[NOT] NULL], …) [WITH (hint, …)]`
    pub(super) fn insert_bulk(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        self.cursor.expect_word("BULK")?;
        let table = self.path()?;
        self.cursor.expect_symbol("(")?;
        let mut columns = Vec::new();
        loop {
            let name = self.name()?;
            columns.push((name, data_type::parse(&mut self.cursor)?));
            if self.cursor.eat_word("COLLATE") {
                self.cursor.expect_identifier()?;
            }
            if !self.cursor.eat_words(&["NOT", "NULL"]) {
                self.cursor.eat_word("NULL");
            }
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_symbol(")")?;
        if self.cursor.eat_word("WITH") {
            self.cursor.expect_symbol("(")?;
            loop {
                if !HINTS.iter().any(|hint| self.cursor.eat_word(hint)) {
                    return Err(self.cursor.unexpected());
                }
                if !self.cursor.eat_symbol(",") {
                    break;
                }
            }
            self.cursor.expect_symbol(")")?;
        }
        Ok(Kind::InsertBulk { table, columns })
    }
}
