//! Workload classifiers (dedicated pools only).

use super::{Parsed, Parser, word_of};
use crate::pool::config::PoolKind;
use crate::sql::ast::{ClassifierOptions, Kind};

impl Parser<'_> {
    pub(super) fn create_classifier(&mut self) -> Parsed<Kind> {
        self.classifier_words()?;
        let name = self.name()?;
        self.cursor.expect_word("WITH")?;
        self.cursor.expect_symbol("(")?;
        let mut options = ClassifierOptions::default();
        loop {
            let option = self.cursor.advance();
            self.cursor.expect_symbol("=")?;
            if option.is_word("IMPORTANCE") {
                let level = self.cursor.peek();
                let word = word_of(level);
                if !["LOW", "BELOW_NORMAL", "NORMAL", "ABOVE_NORMAL", "HIGH"].contains(&word.as_str()) {
                    return Err(self.cursor.unexpected());
                }
                self.cursor.advance();
                options.importance = Some(word.to_ascii_lowercase());
            } else {
                let slot = match word_of(option).as_str() {
                    "WORKLOAD_GROUP" => &mut options.group,
                    "MEMBERNAME" => &mut options.member,
                    "WLM_LABEL" => &mut options.label,
                    "WLM_CONTEXT" => &mut options.context,
                    "START_TIME" => &mut options.start,
                    "END_TIME" => &mut options.end,
                    _ => return Err(self.cursor.unexpected_at(option)),
                };
                *slot = Some(self.cursor.expect_text()?);
            }
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        let close = self.cursor.peek();
        self.cursor.expect_symbol(")")?;
        let complete = options.group.is_some()
            && options.member.is_some()
            && options.start.is_some() == options.end.is_some();
        if !complete {
            return Err(self.cursor.unexpected_at(close));
        }
        Ok(Kind::CreateClassifier { name, options })
    }

    pub(super) fn drop_classifier(&mut self) -> Parsed<Kind> {
        self.classifier_words()?;
        Ok(Kind::DropClassifier { name: self.name()? })
    }

    fn classifier_words(&mut self) -> Parsed<()> {
        if self.pool != PoolKind::Dedicated {
            return Err(self.cursor.unexpected());
        }
        self.cursor.expect_word("WORKLOAD")?;
        self.cursor.expect_word("CLASSIFIER")
    }
}
