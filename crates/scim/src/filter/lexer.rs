//! Text to tokens, one at a time, so that the parser says what it expects next.

use super::FilterError;

/// A place in the text, which moves forward only.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// The byte offset.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Steps over white space; true when there was some.
    pub(super) fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.at += rest.len() - trimmed.len();
        trimmed.len() != rest.len()
    }

    /// Steps over `c` if it is next.
    pub(super) fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// The letters that are next, without stepping over them.
    pub(super) fn word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Steps over a text that [`Self::word`] has shown.
    pub(super) fn step(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The next byte after `bytes` more.
    pub(super) fn byte_after(&self, bytes: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + bytes).copied()
    }

    /// Takes an attribute path: everything up to a space, bracket, parenthesis or quote.
    pub(super) fn path(&mut self) -> &'a str {
        self.take_until(|c| c.is_whitespace() || matches!(c, '[' | ']' | '(' | ')' | '"' | '\\' | ','))
    }

    /// Takes a literal without quotes: everything up to a space or a closing bracket.
    pub(super) fn bare(&mut self) -> &'a str {
        self.take_until(|c| c.is_whitespace() || matches!(c, '[' | ']' | '(' | ')' | '"'))
    }

    fn take_until(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(stop).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes a JSON string, quotes included.
    pub(super) fn string(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                None => return Err(self.error_at(start, "the text in quotes does not end")),
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
            }
        }
        let quoted = self.text.get(start..=end).unwrap_or_default();
        let text: String = serde_json::from_str(quoted)
            .map_err(|_| self.error_at(start, "the text in quotes is not a JSON string"))?;
        if text.contains('\0') {
            return Err(self.error_at(start, "the character U+0000 is not accepted"));
        }
        self.at = end + 1;
        Ok(text)
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> FilterError {
        self.error_at(self.at, reason)
    }

    pub(super) fn error_at(&self, at: usize, reason: impl Into<String>) -> FilterError {
        let before = self.text.char_indices().take_while(|(offset, _)| *offset < at).count();
        FilterError { column: before + 1, reason: reason.into(), sensitive: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_use_json_escapes() {
        let mut cursor = Cursor::new(r#""o\"neil \\ \u00e9 (a) and b" rest"#, 0);
        assert_eq!(cursor.string().unwrap(), "o\"neil \\ é (a) and b");
        assert!(cursor.skip_space());
        assert_eq!(cursor.word(), "rest");
    }

    #[test]
    fn broken_strings_are_named_by_column() {
        for text in [r#"é "abc"#, r#"é "ab\"#, r#"é "a\q""#, "é \"\\u0000\"", "é \"a\u{1}\""] {
            let mut cursor = Cursor::new(text, 3);
            assert_eq!(cursor.string().unwrap_err().column, 3, "{text}");
        }
    }
}
