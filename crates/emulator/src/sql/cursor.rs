//! A position in the tokens of one batch: what every parser of this crate reads from.

use crate::answer::ServerError;
use crate::errors;
use crate::sql::lexer::{Token, TokenKind};

/// How deep statements and expressions may nest.
pub const MAX_DEPTH: usize = 64;

/// Reads tokens one after another; never moves past the end token.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    source: &'a str,
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the first token. `tokens` is what [`crate::sql::lexer::lex`] made of `source`.
    pub fn new(source: &'a str, tokens: &'a [Token]) -> Self {
        Self { source, tokens, at: 0, depth: 0 }
    }

    /// The next token.
    pub fn peek(&self) -> &'a Token {
        self.peek_at(0)
    }

    /// The token `ahead` places after the next one (the end token if there are fewer).
    pub fn peek_at(&self, ahead: usize) -> &'a Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }

    /// Takes the next token.
    pub fn advance(&mut self) -> &'a Token {
        let token = self.peek();
        if !token.is_end() {
            self.at += 1;
        }
        token
    }

    /// How many tokens were taken; a mark for [`Cursor::rewind`].
    pub fn mark(&self) -> usize {
        self.at
    }

    /// Goes back to a mark.
    pub fn rewind(&mut self, mark: usize) {
        self.at = mark.min(self.tokens.len() - 1);
    }

    /// Whether all tokens were taken.
    pub fn at_end(&self) -> bool {
        self.peek().is_end()
    }

    /// Whether the next tokens are these bare words.
    pub fn looking_at(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.peek_at(ahead).is_word(word))
    }

    /// Takes the bare word `word` if it is next.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes these bare words if they are all next.
    pub fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = self.looking_at(words);
        if found {
            self.at += words.len();
        }
        found
    }

    /// Takes the bare word `word`, or fails with 103010.
    pub fn expect_word(&mut self, word: &str) -> Result<(), ServerError> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes `symbol` if it is next.
    pub fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    /// Takes `symbol`, or fails with 103010.
    pub fn expect_symbol(&mut self, symbol: &str) -> Result<(), ServerError> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes an identifier, quoted or bare.
    pub fn expect_identifier(&mut self) -> Result<String, ServerError> {
        let Some(name) = self.peek().identifier() else { return Err(self.unexpected()) };
        self.advance();
        Ok(name.to_owned())
    }

    /// Takes a character literal.
    pub fn expect_text(&mut self) -> Result<String, ServerError> {
        let TokenKind::Text { value, .. } = &self.peek().kind else { return Err(self.unexpected()) };
        self.advance();
        Ok(value.clone())
    }

    /// Takes a whole number that fits in `T`.
    pub fn expect_integer<T: std::str::FromStr>(&mut self) -> Result<T, ServerError> {
        let TokenKind::Number(text) = &self.peek().kind else { return Err(self.unexpected()) };
        let Ok(value) = text.parse() else { return Err(self.unexpected()) };
        self.advance();
        Ok(value)
    }

    /// The 103010 error that names the next token.
    pub fn unexpected(&self) -> ServerError {
        self.unexpected_at(self.peek())
    }

    /// The 103010 error that names `token`.
    pub fn unexpected_at(&self, token: &Token) -> ServerError {
        errors::parse(token.line, token.column, &self.source[token.start..token.end])
    }

    /// The text from the token at `mark` up to the next token, white space at its end cut off.
    pub fn text_since(&self, mark: usize) -> &'a str {
        let start = self.tokens[mark.min(self.tokens.len() - 1)].start;
        let end = if self.at > mark { self.tokens[self.at - 1].end } else { start };
        &self.source[start..end]
    }

    /// Runs `parse` one level deeper; refuses batches that nest more than [`MAX_DEPTH`] levels (191).
    pub fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        if self.depth >= MAX_DEPTH {
            return Err(errors::nested_too_deeply().at_line(self.peek().line));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexer::lex;

    #[test]
    fn the_error_names_the_token_where_reading_stopped() {
        let source = "ALTER ROLE\n [r]";
        let tokens = lex(source).unwrap();
        let mut cursor = Cursor::new(source, &tokens);
        assert!(cursor.eat_words(&["alter", "role"]));
        let error = cursor.expect_word("ADD").unwrap_err();
        assert_eq!(error.number, 103_010);
        assert_eq!(error.message, "Parse error at line: 2, column: 2: Incorrect syntax near '[r]'.");
    }

    #[test]
    fn the_end_is_never_passed() {
        let tokens = lex("").unwrap();
        let mut cursor = Cursor::new("", &tokens);
        for _ in 0..3 {
            assert!(cursor.advance().is_end());
        }
        assert_eq!(cursor.text_since(0), "");
    }
}
