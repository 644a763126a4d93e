//! Serverless pools: permissions at the server, and credentials.

use super::{Parsed, Parser, word_of};
use crate::catalog::server::ServerAction;
use crate::pool::config::PoolKind;
use crate::sql::ast::{Kind, ServerPermission, ServerTarget, Verb};
use crate::sql::lexer::TokenKind;

impl Parser<'_> {
    /// A permission statement whose words or securable are the server's; nothing is taken where it is none.
    pub(super) fn server_permission(&mut self) -> Parsed<Option<Kind>> {
        if self.pool != PoolKind::Serverless {
            return Ok(None);
        }
        let mark = self.cursor.mark();
        let read = self.at_server();
        match read {
            Ok(Some(statement)) => Ok(Some(Kind::ServerPermission(statement))),
            Ok(None) => {
                self.cursor.rewind(mark);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn at_server(&mut self) -> Parsed<Option<ServerPermission>> {
        let verb = match word_of(self.cursor.advance()).as_str() {
            "GRANT" => Verb::Grant,
            "DENY" => Verb::Deny,
            _ => Verb::Revoke,
        };
        let mut actions = Vec::new();
        loop {
            let mut words = Vec::new();
            while let TokenKind::Word(word) = &self.cursor.peek().kind {
                if ["ON", "TO", "FROM"].iter().any(|end| word.eq_ignore_ascii_case(end)) || words.len() == 6 {
                    break;
                }
                words.push(word.as_str());
                self.cursor.advance();
            }
            let name = words.join(" ");
            let known = ServerAction::ALL.iter().find(|action| action.name().eq_ignore_ascii_case(&name));
            let Some(action) = known else { return Ok(None) };
            actions.push(*action);
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        let target = if self.cursor.eat_word("ON") {
            if !self.cursor.peek_at(1).is_symbol("::") {
                return Ok(None);
            }
            let class = word_of(self.cursor.peek());
            if !["CREDENTIAL", "LOGIN"].contains(&class.as_str()) {
                return Ok(None);
            }
            self.cursor.advance();
            self.cursor.advance();
            let name = self.name()?;
            if class == "LOGIN" { ServerTarget::Login(name) } else { ServerTarget::Credential(name) }
        } else if actions.iter().all(|action| action.fits(crate::catalog::server::ServerOn::Server)) {
            ServerTarget::Server
        } else {
            return Ok(None);
        };
        if !(self.cursor.eat_word("TO") || verb == Verb::Revoke && self.cursor.eat_word("FROM")) {
            return Err(self.cursor.unexpected());
        }
        let mut logins = vec![self.name()?];
        while self.cursor.eat_symbol(",") {
            logins.push(self.name()?);
        }
        let with_grant_option = verb == Verb::Grant && self.cursor.eat_words(&["WITH", "GRANT", "OPTION"]);
        let cascade = verb != Verb::Grant && self.cursor.eat_word("CASCADE");
        Ok(Some(ServerPermission { verb, actions, target, logins, with_grant_option, cascade }))
    }

    /// `CREATE` and `DROP [DATABASE SCOPED] CREDENTIAL`. What it holds is not kept.
    pub(super) fn credential(&mut self, create: bool) -> Parsed<Kind> {
        if self.pool != PoolKind::Serverless {
            return Err(self.cursor.unexpected());
        }
        let of_database = self.cursor.eat_words(&["DATABASE", "SCOPED"]);
        self.cursor.expect_word("CREDENTIAL")?;
        let name = self.name()?;
        if create {
            self.cursor.expect_word("WITH")?;
            self.cursor.expect_word("IDENTITY")?;
            self.cursor.expect_symbol("=")?;
            self.cursor.expect_text()?;
            if self.cursor.eat_symbol(",") {
                self.cursor.expect_word("SECRET")?;
                self.cursor.expect_symbol("=")?;
                self.cursor.expect_text()?;
            }
        }
        Ok(Kind::Credential { name, create, of_database })
    }
}
