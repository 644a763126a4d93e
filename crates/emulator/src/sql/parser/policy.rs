//! CREATE, ALTER and DROP SECURITY POLICY.

use super::{Parsed, Parser};
use crate::errors;
use crate::pool::config::PoolKind;
use crate::query;
use crate::sql::ast::{Kind, PolicyStatement, PredicateChange, PredicateText};

/// Most predicates in one statement, and most arguments of one.
const MOST: usize = 1024;

impl Parser<'_> {
    /// `SECURITY POLICY s.p ADD FILTER PREDICATE s.f(column, …) ON s.t, … WITH (STATE = ON, SCHEMABINDING = ON)`
    pub(super) fn policy(&mut self, create: bool) -> Parsed<Kind> {
        self.security_policy(if create { "CREATE" } else { "ALTER" })?;
        let name = self.path()?;
        let mut changes = Vec::new();
        if create || !self.cursor.peek().is_word("WITH") {
            loop {
                changes.push(self.predicate(create)?);
                if changes.len() > MOST {
                    return Err(self.cursor.unexpected());
                }
                if !self.cursor.eat_symbol(",") {
                    break;
                }
            }
        }
        let mut statement = PolicyStatement { name, create, changes, enabled: None, schema_bound: true };
        self.policy_options(&mut statement)?;
        Ok(Kind::Policy(statement))
    }

    pub(super) fn drop_policy(&mut self) -> Parsed<Kind> {
        self.security_policy("DROP")?;
        let if_exists = self.if_exists(true);
        Ok(Kind::DropPolicy { name: self.path()?, if_exists })
    }

    /// Serverless pools have no row-level security.
    fn security_policy(&mut self, verb: &str) -> Parsed<()> {
        let line = self.cursor.peek().line;
        self.cursor.expect_word("SECURITY")?;
        self.cursor.expect_word("POLICY")?;
        if self.pool == PoolKind::Serverless {
            return Err(errors::not_supported(&format!("{verb} SECURITY POLICY")).at_line(line));
        }
        Ok(())
    }

    /// BLOCK is not known to dedicated pools.
    fn predicate(&mut self, create: bool) -> Parsed<PredicateChange> {
        let verb = self.cursor.peek();
        let known = ["ADD", "ALTER", "DROP"].iter().find(|word| verb.is_word(word));
        let Some(known) = known.filter(|word| !create || **word == "ADD") else {
            return Err(self.cursor.unexpected());
        };
        self.cursor.advance();
        self.cursor.eat_word("FILTER");
        self.cursor.expect_word("PREDICATE")?;
        if *known == "DROP" {
            self.cursor.expect_word("ON")?;
            return Ok(PredicateChange::Drop(self.path()?));
        }
        let function = self.path()?;
        self.cursor.expect_symbol("(")?;
        let mut arguments = Vec::new();
        while !self.cursor.peek().is_symbol(")") {
            let mark = self.cursor.mark();
            query::parse_expression(&mut self.cursor)?;
            arguments.push(self.cursor.text_since(mark).to_owned());
            if arguments.len() > MOST || !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_symbol(")")?;
        self.cursor.expect_word("ON")?;
        let text = PredicateText { function, arguments, table: self.path()? };
        Ok(if *known == "ADD" { PredicateChange::Add(text) } else { PredicateChange::Alter(text) })
    }

    fn policy_options(&mut self, statement: &mut PolicyStatement) -> Parsed<()> {
        if !self.cursor.eat_word("WITH") {
            return Ok(());
        }
        self.cursor.expect_symbol("(")?;
        loop {
            if self.cursor.eat_word("STATE") {
                statement.enabled = Some(self.on_or_off()?);
            } else if statement.create && self.cursor.eat_word("SCHEMABINDING") {
                statement.schema_bound = self.on_or_off()?;
            } else {
                return Err(self.cursor.unexpected());
            }
            // The comma between the two may be left out.
            self.cursor.eat_symbol(",");
            if self.cursor.eat_symbol(")") {
                return Ok(());
            }
        }
    }

    fn on_or_off(&mut self) -> Parsed<bool> {
        self.cursor.expect_symbol("=")?;
        if self.cursor.eat_word("ON") {
            return Ok(true);
        }
        self.cursor.expect_word("OFF").map(|()| false)
    }
}
