//! Views, procedures and functions, and the drops of every kind of object.

use super::{Parsed, Parser, word_of};
use crate::catalog::object::ObjectKind;
use crate::query;
use crate::sql::ast::Kind;

impl Parser<'_> {
    /// `VIEW [s.]v [(columns)] AS SELECT …`; no WITH options, no CHECK OPTION in dedicated pools.
    pub(super) fn view(&mut self, mark: usize, create: bool, alter: bool) -> Parsed<Kind> {
        self.cursor.expect_word("VIEW")?;
        let name = self.path()?;
        let columns = self.column_list()?;
        self.cursor.expect_word("AS")?;
        let query = query::parse_select(&mut self.cursor)?;
        let text = self.cursor.text_since(mark).to_owned();
        Ok(Kind::View { name, columns, query, text, create, alter })
    }

    /// A function that gives a table is read whole; one that gives a value is kept as text.
    pub(super) fn function(&mut self, mark: usize, alter: bool) -> Parsed<Kind> {
        let start = self.cursor.mark();
        while !self.cursor.at_end() && !self.cursor.peek().is_word("RETURNS") {
            self.cursor.advance();
        }
        let inline = self.cursor.looking_at(&["RETURNS", "TABLE"]);
        self.cursor.rewind(start);
        if !inline && !alter {
            return self.create_module(mark);
        }
        let (name, function) = query::parse_function(&mut self.cursor)?;
        Ok(Kind::Function { name, function, text: self.cursor.text_since(mark).to_owned(), alter })
    }

    /// The body reaches to the end of the batch and is not looked into.
    pub(super) fn create_module(&mut self, mark: usize) -> Parsed<Kind> {
        let function = self.cursor.advance().is_word("FUNCTION");
        let name = self.path()?;
        let mut body = false;
        while !self.cursor.at_end() {
            body |= self.cursor.peek().is_word("AS");
            self.cursor.advance();
        }
        if !body {
            return Err(self.cursor.unexpected());
        }
        let kind = if function { ObjectKind::ScalarFunction } else { ObjectKind::Procedure };
        Ok(Kind::CreateModule { name, kind, text: self.cursor.text_since(mark).to_owned() })
    }

    pub(super) fn drop_object(&mut self) -> Parsed<Kind> {
        let kind = match word_of(self.cursor.advance()).as_str() {
            "TABLE" => ObjectKind::Table,
            "VIEW" => ObjectKind::View,
            "FUNCTION" => ObjectKind::ScalarFunction,
            _ => ObjectKind::Procedure,
        };
        let if_exists = self.if_exists(true);
        Ok(Kind::DropObject { name: self.path()?, kind, if_exists })
    }
}
