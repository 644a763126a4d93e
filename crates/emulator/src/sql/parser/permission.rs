//! GRANT, DENY and REVOKE in the grammar of dedicated pools, with column lists.
//!
//! `ALL` and `AS grantor` are not in that grammar and end in 103010.

use super::{Parsed, Parser, word_of};
use crate::catalog::permission::Action;
use crate::pool::config::PoolKind;
use crate::sql::ast::{Kind, PermissionStatement, Target, Verb};
use crate::sql::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn permission(&mut self) -> Parsed<Kind> {
        let verb = match word_of(self.cursor.advance()).as_str() {
            "GRANT" => Verb::Grant,
            "DENY" => Verb::Deny,
            _ => Verb::Revoke,
        };
        let grant_option_for = verb == Verb::Revoke && self.cursor.eat_words(&["GRANT", "OPTION", "FOR"]);
        let mut actions = vec![self.action()?];
        while self.cursor.eat_symbol(",") {
            actions.push(self.action()?);
        }
        let (target, columns) = if self.cursor.eat_word("ON") {
            let target = self.target()?;
            let columns = if matches!(target, Target::Object(_)) { self.column_list()? } else { Vec::new() };
            (target, columns)
        } else {
            (Target::Database(None), Vec::new())
        };
        if !(self.cursor.eat_word("TO") || verb == Verb::Revoke && self.cursor.eat_word("FROM")) {
            return Err(self.cursor.unexpected());
        }
        let mut principals = vec![self.name()?];
        while self.cursor.eat_symbol(",") {
            principals.push(self.name()?);
        }
        let with_grant_option = verb == Verb::Grant && self.cursor.eat_words(&["WITH", "GRANT", "OPTION"]);
        let cascade = verb != Verb::Grant && self.cursor.eat_word("CASCADE");
        if self.cursor.peek().is_word("AS") || self.cursor.peek().is_word("WITH") {
            return Err(self.cursor.unexpected());
        }
        Ok(Kind::Permission(PermissionStatement {
            verb,
            actions,
            columns,
            target,
            principals,
            with_grant_option,
            grant_option_for,
            cascade,
        }))
    }

    /// The words of a permission up to what ends it, and the columns behind it.
    fn action(&mut self) -> Parsed<(Action, Vec<String>)> {
        let first = self.cursor.peek();
        let mut words = Vec::new();
        while let TokenKind::Word(word) = &self.cursor.peek().kind {
            if ["ON", "TO", "FROM"].iter().any(|end| word.eq_ignore_ascii_case(end)) || words.len() == 6 {
                break;
            }
            words.push(word.as_str());
            self.cursor.advance();
        }
        let Some(action) = Action::by_name(&words.join(" ")) else {
            return Err(self.cursor.unexpected_at(first));
        };
        Ok((action, self.column_list()?))
    }

    pub(super) fn column_list(&mut self) -> Parsed<Vec<String>> {
        let mut columns = Vec::new();
        if self.cursor.eat_symbol("(") {
            loop {
                columns.push(self.name()?);
                if !self.cursor.eat_symbol(",") {
                    break;
                }
            }
            self.cursor.expect_symbol(")")?;
        }
        Ok(columns)
    }

    /// `[class::]name`. Classes outside the documented list are syntax errors.
    pub(super) fn target(&mut self) -> Parsed<Target> {
        if self.pool == PoolKind::Serverless
            && self.cursor.looking_at(&["DATABASE", "SCOPED", "CREDENTIAL"])
            && self.cursor.peek_at(3).is_symbol("::")
        {
            self.cursor.eat_words(&["DATABASE", "SCOPED", "CREDENTIAL"]);
            self.cursor.advance();
            return self.name().map(Target::Credential);
        }
        if !self.cursor.peek_at(1).is_symbol("::") {
            return self.path().map(Target::Object);
        }
        let class = self.cursor.peek();
        let class_name = word_of(class);
        if !["DATABASE", "OBJECT", "ROLE", "SCHEMA", "USER"].contains(&class_name.as_str()) {
            return Err(self.cursor.unexpected());
        }
        self.cursor.advance();
        self.cursor.advance();
        Ok(match class_name.as_str() {
            "DATABASE" => Target::Database(Some(self.name()?)),
            "OBJECT" => Target::Object(self.path()?),
            "ROLE" => Target::Role(self.name()?),
            "SCHEMA" => Target::Schema(self.name()?),
            _ => Target::User(self.name()?),
        })
    }
}
