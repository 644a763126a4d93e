//! Text of a batch to tokens with positions.
//!
//! `QUOTED_IDENTIFIER` is fixed ON in Synapse, so `"x"` is always an identifier. Keywords are not told apart from
//! bare identifiers here: the parser decides by position.

use crate::answer::ServerError;
use crate::errors;

/// Longest identifier, in UTF-16 units.
pub const MAX_IDENTIFIER: usize = 128;

/// What a token is, with its decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare word: keyword or identifier, spelled as written.
    Word(String),
    /// `[x]` or `"x"`, decoded.
    Quoted(String),
    /// `'x'` or `N'x'`, decoded.
    Text {
        /// The text with doubled quotes undone.
        value: String,
        /// Written with the `N` prefix.
        national: bool,
    },
    /// A number as written: `12`, `1.5`, `.5`, `1e3`.
    Number(String),
    /// `0x…` (an odd number of digits has a zero put in front, as the server does).
    Binary(Vec<u8>),
    /// `@x` or `@@x`, with its signs, spelled as written.
    Variable(String),
    /// An operator or a punctuation mark.
    Symbol(&'static str),
    /// The end of the batch; the last token always is this one.
    End,
}

/// One token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its kind and value.
    pub kind: TokenKind,
    /// Byte offset of its first byte in the batch.
    pub start: usize,
    /// Byte offset after its last byte.
    pub end: usize,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Token {
    /// Whether this is the bare word `word` (compared without case).
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, TokenKind::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// Whether this is the symbol `symbol`.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        matches!(&self.kind, TokenKind::Symbol(text) if *text == symbol)
    }

    /// Whether this is the end of the batch.
    pub fn is_end(&self) -> bool {
        self.kind == TokenKind::End
    }

    /// The identifier that this token can be: a quoted one or a bare word.
    pub fn identifier(&self) -> Option<&str> {
        match &self.kind {
            TokenKind::Word(text) | TokenKind::Quoted(text) => Some(text),
            _ => None,
        }
    }
}

const SYMBOLS: [&str; 33] = [
    "<>", "!=", "<=", ">=", "!<", "!>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "::", "(", ")", ",",
    ";", ".", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "~", ":",
];

/// Splits a batch into tokens; the last one is [`TokenKind::End`].
pub fn lex(source: &str) -> Result<Vec<Token>, ServerError> {
    let mut lexer = Lexer { source, at: 0, line: 1, column: 1, tokens: Vec::new() };
    while lexer.skip_blanks()? {
        let (start, line, column) = (lexer.at, lexer.line, lexer.column);
        let kind = lexer.token()?;
        lexer.tokens.push(Token { kind, start, end: lexer.at, line, column });
    }
    let (at, line, column) = (lexer.at, lexer.line, lexer.column);
    lexer.tokens.push(Token { kind: TokenKind::End, start: at, end: at, line, column });
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: u32,
    column: u32,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn starts(&self, text: &str) -> bool {
        self.source[self.at..].starts_with(text)
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> usize {
        let start = self.at;
        while self.peek().is_some_and(&accept) {
            self.bump();
        }
        start
    }

    /// Skips white space and comments; false at the end of the batch.
    fn skip_blanks(&mut self) -> Result<bool, ServerError> {
        loop {
            if self.starts("--") {
                self.take_while(|c| c != '\n');
            } else if self.starts("/*") {
                self.skip_block_comment()?;
            } else {
                match self.peek() {
                    None => return Ok(false),
                    Some(c) if c.is_whitespace() || c == '\u{feff}' => {
                        self.bump();
                    }
                    Some(_) => return Ok(true),
                }
            }
        }
    }

    /// Block comments nest in T-SQL.
    fn skip_block_comment(&mut self) -> Result<(), ServerError> {
        let line = self.line;
        let mut depth = 0usize;
        loop {
            if self.starts("/*") {
                depth += 1;
                self.bump();
                self.bump();
            } else if self.starts("*/") {
                depth -= 1;
                self.bump();
                self.bump();
                if depth == 0 {
                    return Ok(());
                }
            } else if self.bump().is_none() {
                return Err(errors::unclosed_comment().at_line(line));
            }
        }
    }

    fn token(&mut self) -> Result<TokenKind, ServerError> {
        let Some(first) = self.peek() else { return Ok(TokenKind::End) };
        match first {
            '\'' => Ok(TokenKind::Text { value: self.delimited('\'')?, national: false }),
            'N' | 'n' if self.source[self.at + 1..].starts_with('\'') => {
                self.bump();
                Ok(TokenKind::Text { value: self.delimited('\'')?, national: true })
            }
            '[' => self.quoted(']'),
            '"' => self.quoted('"'),
            '@' => {
                let start = self.take_while(is_word_part);
                self.checked_word(start).map(TokenKind::Variable)
            }
            c if is_word_start(c) => {
                let start = self.take_while(is_word_part);
                self.checked_word(start).map(TokenKind::Word)
            }
            '0' if self.starts("0x") || self.starts("0X") => self.binary(),
            c if c.is_ascii_digit() => self.number(),
            '.' if self.source[self.at + 1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            _ => self.symbol(),
        }
    }

    fn checked_word(&self, start: usize) -> Result<String, ServerError> {
        let word = &self.source[start..self.at];
        check_identifier(word).map_err(|error| error.at_line(self.line))?;
        Ok(word.to_owned())
    }

    fn quoted(&mut self, close: char) -> Result<TokenKind, ServerError> {
        let line = self.line;
        let name = self.delimited(close)?;
        check_identifier(&name).map_err(|error| error.at_line(line))?;
        Ok(TokenKind::Quoted(name))
    }

    /// Text from an opening mark to `close`; a doubled `close` stands for one.
    fn delimited(&mut self, close: char) -> Result<String, ServerError> {
        let line = self.line;
        self.bump();
        let mut value = String::new();
        loop {
            match self.bump() {
                None => return Err(errors::unclosed_quote(&value).at_line(line)),
                Some(c) if c == close => {
                    if self.peek() == Some(close) {
                        self.bump();
                        value.push(close);
                    } else {
                        return Ok(value);
                    }
                }
                Some(c) => value.push(c),
            }
        }
    }

    fn binary(&mut self) -> Result<TokenKind, ServerError> {
        self.bump();
        self.bump();
        let start = self.take_while(is_word_part);
        let digits = &self.source[start..self.at];
        let mut nibbles: Vec<u8> = Vec::with_capacity(digits.len() + 1);
        if digits.len() % 2 == 1 {
            nibbles.push(0);
        }
        for c in digits.chars() {
            match c.to_digit(16) {
                Some(digit) => nibbles.push(u8::try_from(digit).unwrap_or(0)),
                None => return Err(errors::parse(self.line, self.column, digits)),
            }
        }
        Ok(TokenKind::Binary(nibbles.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
    }

    fn number(&mut self) -> Result<TokenKind, ServerError> {
        let start = self.take_while(|c| c.is_ascii_digit());
        if self.peek() == Some('.') {
            self.bump();
            self.take_while(|c| c.is_ascii_digit());
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            let rest = &self.source.as_bytes()[self.at + 1..];
            let signed = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
            if rest.get(signed).is_some_and(u8::is_ascii_digit) {
                for _ in 0..=signed {
                    self.bump();
                }
                self.take_while(|c| c.is_ascii_digit());
            }
        }
        if self.peek().is_some_and(is_word_start) {
            let (line, column) = (self.line, self.column);
            let word = self.take_while(is_word_part);
            return Err(errors::parse(line, column, &self.source[word..self.at]));
        }
        Ok(TokenKind::Number(self.source[start..self.at].to_owned()))
    }

    fn symbol(&mut self) -> Result<TokenKind, ServerError> {
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| self.starts(symbol)) {
            for _ in 0..symbol.len() {
                self.bump();
            }
            return Ok(TokenKind::Symbol(symbol));
        }
        let (line, column) = (self.line, self.column);
        let near = self.bump().map(String::from).unwrap_or_default();
        Err(errors::parse(line, column, &near))
    }
}

/// Refuses an identifier that is empty or longer than 128 UTF-16 units.
pub fn check_identifier(name: &str) -> Result<(), ServerError> {
    if name.is_empty() {
        return Err(errors::empty_identifier());
    }
    if name.encode_utf16().count() > MAX_IDENTIFIER {
        return Err(errors::identifier_too_long(name));
    }
    Ok(())
}

fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '#'
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '#' | '@' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<TokenKind> {
        lex(source).unwrap().into_iter().map(|token| token.kind).collect()
    }

    fn word(text: &str) -> TokenKind {
        TokenKind::Word(text.into())
    }

    #[test]
    fn names_and_literals_are_decoded() {
        assert_eq!(
            kinds("[a]]b] \"c\"\"d\" N'o''x' 'y' 0xABC @@v #t"),
            vec![
                TokenKind::Quoted("a]b".into()),
                TokenKind::Quoted("c\"d".into()),
                TokenKind::Text { value: "o'x".into(), national: true },
                TokenKind::Text { value: "y".into(), national: false },
                TokenKind::Binary(vec![0x0a, 0xbc]),
                TokenKind::Variable("@@v".into()),
                word("#t"),
                TokenKind::End,
            ]
        );
    }

    #[test]
    fn numbers_and_operators() {
        assert_eq!(
            kinds("1.5e-3>=.5 a.b::c"),
            vec![
                TokenKind::Number("1.5e-3".into()),
                TokenKind::Symbol(">="),
                TokenKind::Number(".5".into()),
                word("a"),
                TokenKind::Symbol("."),
                word("b"),
                TokenKind::Symbol("::"),
                word("c"),
                TokenKind::End,
            ]
        );
    }

    #[test]
    fn comments_nest_and_positions_count_lines() {
        let tokens = lex("/* a /* b */ c */ -- d\n  x").unwrap();
        assert_eq!((tokens[0].line, tokens[0].column), (2, 3));
        assert_eq!(lex("/* /* */").unwrap_err().number, 113);
    }

    #[test]
    fn unclosed_marks_are_errors() {
        assert_eq!(lex("'abc").unwrap_err().number, 105);
        assert_eq!(lex("[abc").unwrap_err().number, 105);
    }

    #[test]
    fn identifiers_have_a_limit_in_utf16_units() {
        assert!(lex(&format!("[{}]", "\u{1f600}".repeat(64))).is_ok());
        let error = lex(&format!("[{}]", "\u{1f600}".repeat(65))).unwrap_err();
        assert_eq!((error.number, error.class), (103, 15));
        assert_eq!(lex("[]").unwrap_err().number, 1038);
    }

    #[test]
    fn an_injection_in_a_bracketed_name_stays_a_name() {
        assert_eq!(
            kinds("[x]]; DROP USER [dbo]]--]"),
            vec![TokenKind::Quoted("x]; DROP USER [dbo]--".into()), TokenKind::End]
        );
    }
}
