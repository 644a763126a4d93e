//! CREATE, ALTER and TRUNCATE TABLE.
//!
//! Index and partition options are read and have no effect here; temporary tables, computed and masked columns are
//! outside the subset.

use super::{Parsed, Parser};
use crate::answer::{SqlType, Value};
use crate::catalog::object::Distribution;
use crate::errors;
use crate::query;
use crate::sql::ast::{ArgumentValue, ColumnDefinition, Kind, TableChange, TableSource};
use crate::sql::data_type;

impl Parser<'_> {
    pub(super) fn create_table(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.table_name()?;
        if !self.cursor.peek().is_symbol("(") {
            let distribution = self.table_options()?;
            self.cursor.expect_word("AS")?;
            let source = TableSource::Query(query::parse_select(&mut self.cursor)?);
            return Ok(Kind::CreateTable { name, source, distribution });
        }
        self.cursor.advance();
        let mut columns = Vec::new();
        loop {
            if self.cursor.eat_word("CONSTRAINT") {
                self.name()?;
                self.key_constraint(true)?;
            } else if self.cursor.peek().is_word("PRIMARY") || self.cursor.peek().is_word("UNIQUE") {
                self.key_constraint(true)?;
            } else {
                columns.push(self.column_definition()?);
            }
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_symbol(")")?;
        let distribution = self.table_options()?;
        Ok(Kind::CreateTable { name, source: TableSource::Columns(columns), distribution })
    }

    fn table_name(&mut self) -> Parsed<Vec<String>> {
        let token = self.cursor.peek();
        let name = self.path()?;
        if name.last().is_some_and(|last| last.starts_with('#')) {
            return Err(self.cursor.unexpected_at(token));
        }
        Ok(name)
    }

    fn column_definition(&mut self) -> Parsed<ColumnDefinition> {
        let name = self.name()?;
        let ty = data_type::parse(&mut self.cursor)?;
        let mut column = ColumnDefinition { name, ty, nullable: true, identity: None, default: None };
        loop {
            if self.cursor.eat_words(&["NOT", "NULL"]) {
                column.nullable = false;
            } else if self.cursor.eat_word("NULL") {
                column.nullable = true;
            } else if self.cursor.eat_word("COLLATE") {
                self.cursor.expect_identifier()?;
            } else if self.cursor.eat_word("IDENTITY") {
                column.identity = Some(self.identity()?);
                column.nullable = false;
            } else if self.cursor.eat_word("CONSTRAINT") {
                self.name()?;
            } else if self.cursor.eat_word("DEFAULT") {
                column.default = Some(self.default_value()?);
            } else if self.cursor.peek().is_word("PRIMARY") || self.cursor.peek().is_word("UNIQUE") {
                self.key_constraint(false)?;
            } else {
                return Ok(column);
            }
        }
    }

    fn identity(&mut self) -> Parsed<(i64, i64)> {
        if !self.cursor.eat_symbol("(") {
            return Ok((1, 1));
        }
        let seed = self.cursor.expect_integer()?;
        self.cursor.expect_symbol(",")?;
        let step = self.cursor.expect_integer()?;
        self.cursor.expect_symbol(")")?;
        Ok((seed, step))
    }

    /// Defaults are literals in dedicated pools, in parentheses or not.
    fn default_value(&mut self) -> Parsed<Value> {
        let parenthesis = self.cursor.eat_symbol("(");
        let token = self.cursor.peek();
        let ArgumentValue::Literal(_, value) = self.argument_value()? else {
            return Err(self.cursor.unexpected_at(token));
        };
        if parenthesis {
            self.cursor.expect_symbol(")")?;
        }
        Ok(value)
    }

    /// Keys exist as hints only: `NONCLUSTERED … NOT ENFORCED`.
    fn key_constraint(&mut self, of_table: bool) -> Parsed<()> {
        let token = self.cursor.peek();
        if self.cursor.eat_word("PRIMARY") {
            self.cursor.expect_word("KEY")?;
        } else {
            self.cursor.expect_word("UNIQUE")?;
        }
        self.cursor.eat_word("NONCLUSTERED");
        if of_table {
            self.column_list()?;
        }
        if self.cursor.eat_words(&["NOT", "ENFORCED"]) {
            Ok(())
        } else {
            Err(errors::enforced_constraint().at_line(token.line))
        }
    }

    /// `WITH ( DISTRIBUTION = …, CLUSTERED COLUMNSTORE INDEX | HEAP | CLUSTERED INDEX (c) )`
    fn table_options(&mut self) -> Parsed<Distribution> {
        let mut distribution = Distribution::RoundRobin;
        if !self.cursor.eat_word("WITH") {
            return Ok(distribution);
        }
        self.cursor.expect_symbol("(")?;
        loop {
            if self.cursor.eat_word("DISTRIBUTION") {
                self.cursor.expect_symbol("=")?;
                distribution = self.distribution()?;
            } else if self.cursor.eat_word("HEAP")
                || self.cursor.eat_words(&["CLUSTERED", "COLUMNSTORE", "INDEX"])
            {
                self.cursor.eat_word("ORDER");
                self.column_list()?;
            } else if self.cursor.eat_words(&["CLUSTERED", "INDEX"]) {
                self.column_list()?;
            } else {
                return Err(self.cursor.unexpected());
            }
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_symbol(")")?;
        Ok(distribution)
    }

    fn distribution(&mut self) -> Parsed<Distribution> {
        if self.cursor.eat_word("ROUND_ROBIN") {
            return Ok(Distribution::RoundRobin);
        }
        if self.cursor.eat_word("REPLICATE") {
            return Ok(Distribution::Replicate);
        }
        self.cursor.expect_word("HASH")?;
        self.cursor.expect_symbol("(")?;
        let column = self.name()?;
        self.cursor.expect_symbol(")")?;
        Ok(Distribution::Hash(column))
    }

    pub(super) fn alter_table(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        let name = self.table_name()?;
        let change = if self.cursor.eat_word("ADD") {
            let mut columns = vec![self.column_definition()?];
            while self.cursor.eat_symbol(",") {
                columns.push(self.column_definition()?);
            }
            TableChange::Add(columns)
        } else {
            self.cursor.expect_word("DROP")?;
            self.cursor.expect_word("COLUMN")?;
            let mut columns = vec![self.name()?];
            while self.cursor.eat_symbol(",") {
                columns.push(self.name()?);
            }
            TableChange::Drop(columns)
        };
        Ok(Kind::AlterTable { name, change })
    }

    pub(super) fn truncate(&mut self) -> Parsed<Kind> {
        self.cursor.advance();
        self.cursor.expect_word("TABLE")?;
        Ok(Kind::Truncate { name: self.table_name()? })
    }

    /// A literal or a variable: all that procedures take.
    pub(super) fn argument_value(&mut self) -> Parsed<ArgumentValue> {
        use crate::sql::lexer::TokenKind;
        let negative = self.cursor.eat_symbol("-");
        let token = self.cursor.peek();
        let literal = |ty, value| ArgumentValue::Literal(ty, value);
        let value = match &token.kind {
            TokenKind::Number(text) => number(text, negative).ok_or_else(|| self.cursor.unexpected())?,
            _ if negative => return Err(self.cursor.unexpected()),
            TokenKind::Text { value, national } => {
                literal(text_type(value, *national), Value::Text(value.clone()))
            }
            TokenKind::Binary(bytes) => literal(
                SqlType::VarBinary(u16::try_from(bytes.len()).unwrap_or(0).max(1)),
                Value::Bytes(bytes.clone()),
            ),
            TokenKind::Variable(name) => ArgumentValue::Variable(name.clone()),
            TokenKind::Word(word) if word.eq_ignore_ascii_case("NULL") => literal(SqlType::Int, Value::Null),
            _ => return Err(self.cursor.unexpected()),
        };
        self.cursor.advance();
        Ok(value)
    }
}

fn text_type(value: &str, national: bool) -> SqlType {
    let units = value.encode_utf16().count().max(1);
    let most = if national { 4000 } else { 8000 };
    let units = if units > most { 0 } else { u16::try_from(units).unwrap_or(0) };
    if national { SqlType::NVarChar(units) } else { SqlType::VarChar(units) }
}

fn number(text: &str, negative: bool) -> Option<ArgumentValue> {
    let sign = if negative { "-" } else { "" };
    let signed = format!("{sign}{text}");
    if text.contains(['e', 'E']) {
        return signed.parse().ok().map(|value| ArgumentValue::Literal(SqlType::Float, Value::Float(value)));
    }
    if let Some((whole, fraction)) = text.split_once('.') {
        let precision =
            u8::try_from(whole.len() + fraction.len()).ok().filter(|digits| *digits <= 38)?.max(1);
        let scale = u8::try_from(fraction.len()).ok()?;
        return Some(ArgumentValue::Literal(SqlType::Decimal { precision, scale }, Value::Decimal(signed)));
    }
    let value: i64 = signed.parse().ok()?;
    let ty = if i32::try_from(value).is_ok() { SqlType::Int } else { SqlType::BigInt };
    Some(ArgumentValue::Literal(ty, Value::Int(value)))
}
