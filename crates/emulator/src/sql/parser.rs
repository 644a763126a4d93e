//! Tokens to statements. The whole batch is read before anything runs: one error anywhere and nothing happens.
//!
//! ```text
//! batch -> statement: dispatch on the first words -> principal | permission | schema | table | module | workload
//!                                                    | procedural | query::parse_* for SELECT, INSERT, UPDATE, DELETE
//! ```
//! What no rule takes is 103010 at the token where reading stopped, never success.

mod bulk;
mod module;
mod permission;
mod policy;
mod principal;
mod procedural;
mod schema;
mod server;
mod set;
mod statistics;
mod table;
mod workload;

use crate::answer::ServerError;
use crate::errors;
use crate::pool::config::PoolKind;
use crate::query;
use crate::sql::ast::{Kind, Statement, UserSource};
use crate::sql::cursor::Cursor;
use crate::sql::lexer::{TokenKind, lex};

/// Parses a whole batch.
pub fn parse(source: &str, pool: PoolKind) -> Result<Vec<Statement>, ServerError> {
    let tokens = lex(source)?;
    let mut parser = Parser { cursor: Cursor::new(source, &tokens), pool, top: true, depth: 0 };
    let mut statements = Vec::new();
    loop {
        while parser.cursor.eat_symbol(";") {}
        if parser.cursor.at_end() {
            break;
        }
        parser.top = true;
        let statement = parser.statement()?;
        if let (Some(name), false) = (opens_batch(&statement.kind), statements.is_empty()) {
            return Err(errors::not_first_in_batch(name).at_line(statement.line));
        }
        statements.push(statement);
    }
    if let (Some(name), true) = (statements.iter().find_map(|s| stands_alone(&s.kind)), statements.len() > 1)
    {
        return Err(errors::not_alone_in_batch(name));
    }
    Ok(statements)
}

/// Statements that must be the first of their batch.
fn opens_batch(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::View { create: true, .. } => Some("CREATE VIEW"),
        Kind::View { create: false, .. } => Some("ALTER VIEW"),
        Kind::Function { alter: false, .. } => Some("CREATE FUNCTION"),
        Kind::Function { alter: true, .. } => Some("ALTER FUNCTION"),
        Kind::CreateModule { .. } => Some("CREATE PROCEDURE"),
        Kind::CreateSchema { .. } => Some("CREATE SCHEMA"),
        _ => None,
    }
}

/// Statements that must be the only one of their batch.
pub(crate) fn stands_alone(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::CreateUser { source: UserSource::Login(_), .. } => Some("CREATE USER"),
        Kind::CreateLogin { .. } => Some("CREATE LOGIN"),
        Kind::AlterLogin { .. } => Some("ALTER LOGIN"),
        Kind::DropLogin { .. } => Some("DROP LOGIN"),
        _ => None,
    }
}

/// The parser of one batch.
struct Parser<'a> {
    cursor: Cursor<'a>,
    pool: PoolKind,
    /// Whether the statement being read stands at the top of the batch.
    top: bool,
    /// How many statements this one stands in.
    depth: usize,
}

type Parsed<T> = Result<T, ServerError>;

impl Parser<'_> {
    fn statement(&mut self) -> Parsed<Statement> {
        let line = self.cursor.peek().line;
        let mark = self.cursor.mark();
        let top = std::mem::replace(&mut self.top, false);
        let kind = self.kind(mark)?;
        if let (Some(name), false) = (opens_batch(&kind), top) {
            return Err(errors::not_first_in_batch(name).at_line(line));
        }
        while self.cursor.eat_symbol(";") {}
        Ok(Statement { kind, line })
    }

    fn kind(&mut self, mark: usize) -> Parsed<Kind> {
        let first = self.cursor.peek();
        let TokenKind::Word(word) = &first.kind else {
            if first.is_symbol("(") {
                return query::parse_select(&mut self.cursor).map(Kind::Query);
            }
            return Err(self.cursor.unexpected());
        };
        match word.to_ascii_uppercase().as_str() {
            "SELECT" | "WITH" => query::parse_select(&mut self.cursor).map(Kind::Query),
            "INSERT" if self.cursor.peek_at(1).is_word("BULK") => self.insert_bulk(),
            "INSERT" | "UPDATE" | "DELETE" => query::parse_change(&mut self.cursor).map(Kind::Change),
            "CREATE" => self.create(mark),
            "ALTER" => self.alter(mark),
            "DROP" => self.drop(),
            "GRANT" | "DENY" | "REVOKE" => match self.server_permission()? {
                Some(kind) => Ok(kind),
                None => self.permission(),
            },
            "TRUNCATE" => self.truncate(),
            "RENAME" => self.rename(),
            "SET" => self.set(),
            "DBCC" => self.dbcc(),
            _ => self.procedural(),
        }
    }

    fn create(&mut self, mark: usize) -> Parsed<Kind> {
        self.cursor.advance();
        let what = self.cursor.peek();
        match word_of(what).as_str() {
            "USER" => self.create_user(),
            "LOGIN" => self.create_login(),
            "ROLE" => self.create_role(),
            "SCHEMA" => self.create_schema(),
            "TABLE" => self.create_table(),
            "VIEW" => self.view(mark, true, false),
            "OR" if self.pool == PoolKind::Serverless => {
                self.cursor.advance();
                self.cursor.expect_word("ALTER")?;
                self.view(mark, true, true)
            }
            "PROCEDURE" | "PROC" => self.create_module(mark),
            "FUNCTION" => self.function(mark, false),
            "SECURITY" => self.policy(true),
            "STATISTICS" => self.create_statistics(),
            "WORKLOAD" => self.create_classifier(),
            "DATABASE" | "CREDENTIAL" => self.credential(true),
            _ => Err(self.cursor.unexpected()),
        }
    }

    fn alter(&mut self, mark: usize) -> Parsed<Kind> {
        self.cursor.advance();
        let what = self.cursor.peek();
        match word_of(what).as_str() {
            "USER" => self.alter_user(),
            "LOGIN" => self.alter_login(),
            "ROLE" => self.alter_role(),
            "SERVER" => self.alter_server_role(),
            "SCHEMA" => self.transfer(),
            "AUTHORIZATION" => self.authorization(),
            "TABLE" => self.alter_table(),
            "VIEW" => self.view(mark, false, true),
            "FUNCTION" => self.function(mark, true),
            "SECURITY" => self.policy(false),
            "DATABASE" if self.pool == PoolKind::Dedicated => self.database_caching(),
            _ => Err(self.cursor.unexpected()),
        }
    }

    fn drop(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let what = self.cursor.peek();
        match word_of(what).as_str() {
            "USER" => self.drop_user(),
            "LOGIN" => self.drop_login(),
            "ROLE" => self.drop_role(),
            "SCHEMA" => self.drop_schema(),
            "TABLE" | "VIEW" | "PROCEDURE" | "PROC" | "FUNCTION" => self.drop_object(),
            "SECURITY" => self.drop_policy(),
            "STATISTICS" => self.drop_statistics(),
            "WORKLOAD" => self.drop_classifier(),
            "DATABASE" | "CREDENTIAL" => self.credential(false),
            _ => Err(self.cursor.unexpected()),
        }
    }

    /// A name of one part: quoted, or a bare word that no statement begins with.
    fn name(&mut self) -> Parsed<String> {
        let token = self.cursor.peek();
        if matches!(&token.kind, TokenKind::Word(word) if is_reserved(word)) {
            return Err(self.cursor.unexpected());
        }
        self.cursor.expect_identifier()
    }

    /// A name of up to three parts: database, schema, object.
    fn path(&mut self) -> Parsed<Vec<String>> {
        let mut parts = vec![self.name()?];
        while self.cursor.eat_symbol(".") {
            if parts.len() == 3 {
                return Err(self.cursor.unexpected());
            }
            if parts.len() == 1 && self.cursor.peek().is_symbol(".") {
                parts.push(String::new());
            } else {
                parts.push(self.name()?);
            }
        }
        Ok(parts)
    }

    /// `IF EXISTS`, which the grammar of users and roles has in serverless pools only.
    fn if_exists(&mut self, allowed: bool) -> bool {
        allowed && self.cursor.eat_words(&["IF", "EXISTS"])
    }
}

/// The bare word of a token in upper case; empty for anything else.
fn word_of(token: &crate::sql::lexer::Token) -> String {
    match &token.kind {
        TokenKind::Word(word) => word.to_ascii_uppercase(),
        _ => String::new(),
    }
}

/// Words that cannot be bare names of users, roles, schemas or objects.
fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 47] = [
        "ADD",
        "ALTER",
        "AND",
        "AS",
        "AUTHORIZATION",
        "BEGIN",
        "BETWEEN",
        "BY",
        "CASE",
        "COMMIT",
        "CREATE",
        "DATABASE",
        "DECLARE",
        "DEFAULT",
        "DELETE",
        "DENY",
        "DROP",
        "ELSE",
        "END",
        "EXEC",
        "EXECUTE",
        "EXISTS",
        "FOR",
        "FROM",
        "GRANT",
        "IF",
        "IN",
        "INSERT",
        "INTO",
        "KILL",
        "NOT",
        "NULL",
        "ON",
        "OR",
        "PROCEDURE",
        "REVOKE",
        "SCHEMA",
        "SELECT",
        "SET",
        "TABLE",
        "TO",
        "UPDATE",
        "USER",
        "VALUES",
        "VIEW",
        "WHERE",
        "WITH",
    ];
    RESERVED.binary_search(&word.to_ascii_uppercase().as_str()).is_ok()
}

#[cfg(test)]
mod tests;
