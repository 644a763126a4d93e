//! Schemas, ownership, and the moves of objects between schemas.

use super::{Parsed, Parser};
use crate::pool::config::PoolKind;
use crate::sql::ast::{Kind, Target};

impl Parser<'_> {
    pub(super) fn create_schema(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.name()?;
        let owner = if self.cursor.eat_word("AUTHORIZATION") { Some(self.name()?) } else { None };
        Ok(Kind::CreateSchema { name, owner })
    }

    pub(super) fn drop_schema(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let if_exists = self.if_exists(self.pool == PoolKind::Serverless);
        Ok(Kind::DropSchema { name: self.name()?, if_exists })
    }

    pub(super) fn transfer(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let schema = self.name()?;
        self.cursor.expect_word("TRANSFER")?;
        let token = self.cursor.peek();
        match self.target()? {
            Target::Object(object) => Ok(Kind::Transfer { schema, object }),
            _ => Err(self.cursor.unexpected_at(token)),
        }
    }

    pub(super) fn authorization(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        self.cursor.expect_word("ON")?;
        let target = self.target()?;
        self.cursor.expect_word("TO")?;
        let owner = self.name()?;
        Ok(Kind::Authorization { target, owner })
    }

    /// `RENAME OBJECT [::] s.t TO n`
    pub(super) fn rename(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        self.cursor.expect_word("OBJECT")?;
        self.cursor.eat_symbol("::");
        let name = self.path()?;
        self.cursor.expect_word("TO")?;
        let to = self.name()?;
        Ok(Kind::Rename { name, to })
    }
}
