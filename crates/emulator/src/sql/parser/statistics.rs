//! Statistics, and what DBCC tells of tables (dedicated pools only).

use super::{Parsed, Parser};
use crate::pool::config::PoolKind;
use crate::sql::ast::{Kind, StatisticsPart};
use crate::sql::lexer::TokenKind;

impl Parser<'_> {
    /// `CREATE STATISTICS s ON t (c, …) [WITH FULLSCAN | SAMPLE n PERCENT]`
    pub(super) fn create_statistics(&mut self) -> Parsed<Kind> {
        self.statistics_word()?;
        let name = self.name()?;
        self.cursor.expect_word("ON")?;
        let table = self.path()?;
        self.cursor.expect_symbol("(")?;
        let mut columns = vec![self.name()?];
        while self.cursor.eat_symbol(",") {
            columns.push(self.name()?);
        }
        self.cursor.expect_symbol(")")?;
        if self.cursor.eat_word("WITH") && !self.cursor.eat_word("FULLSCAN") {
            self.cursor.expect_word("SAMPLE")?;
            self.cursor.expect_integer::<u8>()?;
            self.cursor.expect_word("PERCENT")?;
        }
        Ok(Kind::CreateStatistics { name, table, columns })
    }

    /// `DROP STATISTICS [schema.]table.name`
    pub(super) fn drop_statistics(&mut self) -> Parsed<Kind> {
        self.statistics_word()?;
        let mut table = self.path()?;
        let Some(name) = table.pop().filter(|_| !table.is_empty()) else {
            return Err(self.cursor.unexpected());
        };
        Ok(Kind::DropStatistics { name, table })
    }

    pub(super) fn dbcc(&mut self) -> Parsed<Kind> {
        if self.pool != PoolKind::Dedicated {
            return Err(self.cursor.unexpected());
        }
        self.cursor.advance();
        if self.cursor.eat_word("PDW_SHOWSPACEUSED") {
            let mut table = None;
            if self.cursor.eat_symbol("(") {
                table = Some(self.told_table()?);
                self.cursor.expect_symbol(")")?;
            }
            self.cursor.eat_words(&["WITH", "IGNORE_REPLICATED_TABLE_CACHE"]);
            return Ok(Kind::ShowSpaceUsed { table });
        }
        self.cursor.expect_word("SHOW_STATISTICS")?;
        self.cursor.expect_symbol("(")?;
        let table = self.told_table()?;
        self.cursor.expect_symbol(",")?;
        let name = match &self.cursor.peek().kind {
            TokenKind::Text { .. } => self.cursor.expect_text()?,
            _ => self.name()?,
        };
        self.cursor.expect_symbol(")")?;
        Ok(Kind::ShowStatistics { table, name, parts: self.parts()? })
    }

    fn parts(&mut self) -> Parsed<Vec<StatisticsPart>> {
        if !self.cursor.eat_word("WITH") {
            return Ok(StatisticsPart::ALL.to_vec());
        }
        let mut parts = Vec::new();
        loop {
            parts.push(if self.cursor.eat_word("STAT_HEADER") {
                StatisticsPart::Header
            } else if self.cursor.eat_word("DENSITY_VECTOR") {
                StatisticsPart::Density
            } else {
                self.cursor.expect_word("HISTOGRAM")?;
                StatisticsPart::Histogram
            });
            if !self.cursor.eat_symbol(",") {
                return Ok(parts);
            }
        }
    }

    /// A table as DBCC takes it: a name of several parts stands in one pair of double quotes.
    fn told_table(&mut self) -> Parsed<Vec<String>> {
        let mark = self.cursor.mark();
        let TokenKind::Quoted(text) = &self.cursor.peek().kind else { return Ok(vec![self.name()?]) };
        self.cursor.advance();
        if !self.cursor.text_since(mark).starts_with('"') {
            return Ok(vec![text.clone()]);
        }
        Ok(text.split('.').map(str::to_owned).collect())
    }

    fn statistics_word(&mut self) -> Parsed<()> {
        if self.pool != PoolKind::Dedicated {
            return Err(self.cursor.unexpected());
        }
        self.cursor.expect_word("STATISTICS")
    }
}
