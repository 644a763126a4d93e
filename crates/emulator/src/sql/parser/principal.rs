//! Users, logins, roles and their members.

use super::{Parsed, Parser};
use crate::pool::config::PoolKind;
use crate::sql::ast::{Kind, UserChange, UserSource};

impl Parser<'_> {
    pub(super) fn create_user(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.name()?;
        let source = if self.cursor.eat_words(&["FROM", "EXTERNAL", "PROVIDER"]) {
            UserSource::External
        } else if self.cursor.eat_words(&["WITHOUT", "LOGIN"]) {
            UserSource::WithoutLogin
        } else if self.cursor.eat_words(&["FOR", "LOGIN"]) || self.cursor.eat_words(&["FROM", "LOGIN"]) {
            UserSource::Login(self.name()?)
        } else {
            UserSource::Login(name.clone())
        };
        let default_schema = if self.cursor.eat_word("WITH") {
            self.cursor.expect_word("DEFAULT_SCHEMA")?;
            self.cursor.expect_symbol("=")?;
            Some(self.name()?)
        } else {
            None
        };
        Ok(Kind::CreateUser { name, source, default_schema })
    }

    pub(super) fn alter_user(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.name()?;
        self.cursor.expect_word("WITH")?;
        let mut changes = Vec::new();
        loop {
            let option = self.cursor.peek();
            self.cursor.advance();
            self.cursor.expect_symbol("=")?;
            changes.push(if option.is_word("NAME") {
                UserChange::Name(self.name()?)
            } else if option.is_word("DEFAULT_SCHEMA") {
                UserChange::DefaultSchema(if self.cursor.eat_word("NULL") {
                    None
                } else {
                    Some(self.name()?)
                })
            } else if option.is_word("LOGIN") {
                UserChange::Login(self.name()?)
            } else {
                return Err(self.cursor.unexpected_at(option));
            });
            if !self.cursor.eat_symbol(",") {
                return Ok(Kind::AlterUser { name, changes });
            }
        }
    }

    pub(super) fn drop_user(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let if_exists = self.if_exists(self.pool == PoolKind::Serverless);
        Ok(Kind::DropUser { name: self.name()?, if_exists })
    }

    pub(super) fn create_login(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.name()?;
        if self.pool == PoolKind::Serverless && self.cursor.eat_words(&["FROM", "EXTERNAL", "PROVIDER"]) {
            return Ok(Kind::CreateLogin { name, password: None });
        }
        let password = Some(self.password()?);
        Ok(Kind::CreateLogin { name, password })
    }

    pub(super) fn alter_login(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.name()?;
        let password = self.password()?;
        Ok(Kind::AlterLogin { name, password })
    }

    fn password(&mut self) -> Parsed<String> {
        self.cursor.expect_word("WITH")?;
        self.cursor.expect_word("PASSWORD")?;
        self.cursor.expect_symbol("=")?;
        self.cursor.expect_text()
    }

    pub(super) fn drop_login(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        Ok(Kind::DropLogin { name: self.name()? })
    }

    pub(super) fn create_role(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.name()?;
        let owner = if self.cursor.eat_word("AUTHORIZATION") { Some(self.name()?) } else { None };
        Ok(Kind::CreateRole { name, owner })
    }

    /// In a dedicated pool only the name can be changed: `ADD MEMBER` is a syntax error there.
    pub(super) fn alter_role(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.name()?;
        if self.cursor.eat_words(&["WITH", "NAME"]) {
            self.cursor.expect_symbol("=")?;
            let to = self.name()?;
            return Ok(Kind::RenameRole { name, to });
        }
        if self.pool != PoolKind::Serverless {
            return Err(self.cursor.unexpected());
        }
        let (member, add) = self.member_change()?;
        Ok(Kind::AlterRoleMember { role: name, member, add })
    }

    pub(super) fn alter_server_role(&mut self) -> Parsed<Kind> {
        if self.pool != PoolKind::Serverless {
            return Err(self.cursor.unexpected());
        }
        self.cursor.advance();
        self.cursor.expect_word("ROLE")?;
        let role = self.name()?;
        let (member, add) = self.member_change()?;
        Ok(Kind::AlterServerRole { role, member, add })
    }

    fn member_change(&mut self) -> Parsed<(String, bool)> {
        let add = self.cursor.eat_word("ADD");
        if !add {
            self.cursor.expect_word("DROP")?;
        }
        self.cursor.expect_word("MEMBER")?;
        Ok((self.name()?, add))
    }

    pub(super) fn drop_role(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let if_exists = self.if_exists(self.pool == PoolKind::Serverless);
        Ok(Kind::DropRole { name: self.name()?, if_exists })
    }
}
