//! SET: variables and options.
//!
//! Options that drivers send and that Synapse has fixed are read without effect; those that would change rows are
//! accepted only with the value that changes nothing.

use super::{Parsed, Parser, word_of};
use crate::pool::config::PoolKind;
use crate::query;
use crate::sql::ast::Kind;
use crate::sql::lexer::{Token, TokenKind};

/// Switches that are read without effect.
const IGNORED: [&str; 15] = [
    "ANSI_DEFAULTS",
    "ANSI_NULL_DFLT_OFF",
    "ANSI_NULL_DFLT_ON",
    "ANSI_NULLS",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "ARITHIGNORE",
    "CONCAT_NULL_YIELDS_NULL",
    "CURSOR_CLOSE_ON_COMMIT",
    "NO_BROWSETABLE",
    "NUMERIC_ROUNDABORT",
    "QUOTED_IDENTIFIER",
    "REMOTE_PROC_TRANSACTIONS",
    "XACT_ABORT",
];

impl Parser<'_> {
    pub(super) fn set(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let token = self.cursor.peek();
        if let TokenKind::Variable(name) = &token.kind {
            if name.starts_with("@@") {
                return Err(self.cursor.unexpected());
            }
            self.cursor.advance();
            self.cursor.expect_symbol("=")?;
            let value = query::parse_expression(&mut self.cursor)?;
            return Ok(Kind::SetVariable { name: name.clone(), value });
        }
        if self.cursor.eat_words(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
            return self.isolation_level();
        }
        self.cursor.advance();
        match word_of(token).as_str() {
            "NOCOUNT" => self.switch().map(Kind::SetNoCount),
            "RESULT_SET_CACHING" if self.pool == PoolKind::Dedicated => self.switch().map(Kind::SetCaching),
            "IMPLICIT_TRANSACTIONS" => self.switch().map(Kind::SetImplicitTransactions),
            "AUTOCOMMIT" => self.switch().map(|on| Kind::SetImplicitTransactions(!on)),
            "TEXTSIZE" | "LOCK_TIMEOUT" => {
                self.cursor.eat_symbol("-");
                self.cursor.expect_integer::<i64>()?;
                Ok(Kind::SetIgnored)
            }
            "ROWCOUNT" => self.only("0"),
            "DATEFIRST" => self.only("7"),
            "DATEFORMAT" => self.only("MDY"),
            "LANGUAGE" => self.only("US_ENGLISH"),
            "FMTONLY" | "PARSEONLY" | "NOEXEC" => self.only("OFF"),
            word if IGNORED.contains(&word) => {
                while self.cursor.eat_symbol(",") {
                    let next = self.cursor.advance();
                    if !IGNORED.contains(&word_of(next).as_str()) {
                        return Err(self.cursor.unexpected_at(next));
                    }
                }
                self.switch().map(|_| Kind::SetIgnored)
            }
            _ => Err(self.cursor.unexpected_at(token)),
        }
    }

    /// `DATABASE d SET RESULT_SET_CACHING ON | OFF`
    pub(super) fn database_caching(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let database = self.name()?;
        self.cursor.expect_word("SET")?;
        self.cursor.expect_word("RESULT_SET_CACHING")?;
        Ok(Kind::DatabaseCaching { database, on: self.switch()? })
    }

    fn switch(&mut self) -> Parsed<bool> {
        if self.cursor.eat_word("ON") {
            return Ok(true);
        }
        self.cursor.expect_word("OFF").map(|()| false)
    }

    /// The one value that this server works with.
    fn only(&mut self, value: &str) -> Parsed<Kind> {
        let token = self.cursor.advance();
        if spelled(token).eq_ignore_ascii_case(value) {
            Ok(Kind::SetIgnored)
        } else {
            Err(self.cursor.unexpected_at(token))
        }
    }

    fn isolation_level(&mut self) -> Parsed<Kind> {
        let known = [
            &["READ", "UNCOMMITTED"][..],
            &["READ", "COMMITTED"],
            &["REPEATABLE", "READ"],
            &["SNAPSHOT"],
            &["SERIALIZABLE"],
        ];
        if known.iter().any(|words| self.cursor.eat_words(words)) {
            Ok(Kind::SetIgnored)
        } else {
            Err(self.cursor.unexpected())
        }
    }
}

fn spelled(token: &Token) -> &str {
    match &token.kind {
        TokenKind::Word(text) | TokenKind::Quoted(text) | TokenKind::Number(text) => text,
        TokenKind::Text { value, .. } => value,
        _ => "",
    }
}
