//! The conditions of `rows`: columns of the table against the person who looks, or against plain values.
//!
//! ```text
//! where      = comparison {"and" comparison}
//! comparison = column "last" number "days" | column ("eq" | "ne" | "gt" | "ge" | "lt" | "le") operand | column "in" (operand | "(" value {"," value} ")")
//! operand    = "user." PATH | value           value = 'text' | number | true | false
//! ```

use axon_model::SqlName;

/// How a column compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is its word")]
pub enum RowOp {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    In,
    /// Not older than so many days.
    Last,
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// An attribute of the person, by its SCIM path.
    User(String),
    /// A text.
    Text(String),
    /// A number, as it was written.
    Number(String),
    /// True or false.
    Bool(bool),
    /// Several values.
    List(Vec<Operand>),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The column of the table.
    pub column: SqlName,
    /// How.
    pub op: RowOp,
    /// With what.
    pub operand: Operand,
}

/// What could not be read, and which bytes of the text it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowError {
    pub from: usize,
    pub to: usize,
    pub message: String,
}

/// The longest condition, in bytes, and the most comparisons.
const LONGEST: usize = 8_192;
const MOST: usize = 100;
/// The longest time that `last` looks back.
const MOST_DAYS: u32 = 36_500;
const OPS: [(&str, RowOp); 7] = [
    ("eq", RowOp::Eq),
    ("ne", RowOp::Ne),
    ("gt", RowOp::Gt),
    ("ge", RowOp::Ge),
    ("lt", RowOp::Lt),
    ("le", RowOp::Le),
    ("in", RowOp::In),
];

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Word,
    Quoted,
    Text,
    Mark(char),
    End,
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    text: String,
    from: usize,
    to: usize,
}

fn error(from: usize, to: usize, message: impl Into<String>) -> RowError {
    RowError { from, to, message: message.into() }
}

fn tokens(text: &str) -> Result<Vec<Token>, RowError> {
    if text.len() > LONGEST {
        return Err(error(
            0,
            0,
            format!("the condition has {} bytes; at most {LONGEST} are read", text.len()),
        ));
    }
    let mut out = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((from, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => {}
            '(' | ')' | ',' => {
                out.push(Token { kind: Kind::Mark(c), text: c.to_string(), from, to: from + 1 });
            }
            '\'' | '[' => {
                let close = if c == '[' { ']' } else { '\'' };
                let kind = if c == '[' { Kind::Quoted } else { Kind::Text };
                let mut inner = String::new();
                let mut end = None;
                while let Some((at, c)) = chars.next() {
                    if c != close {
                        inner.push(c);
                    } else if chars.next_if(|(_, c)| *c == close).is_some() {
                        inner.push(close);
                    } else {
                        end = Some(at + 1);
                        break;
                    }
                }
                let Some(to) = end else {
                    return Err(error(from, text.len(), format!("`{c}` has no closing `{close}`")));
                };
                out.push(Token { kind, text: inner, from, to });
            }
            c if c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '#') => {
                let mut to = from + c.len_utf8();
                let goes_on =
                    |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '@' | '#' | '$');
                while let Some((at, c)) = chars.next_if(|(_, c)| goes_on(*c)) {
                    to = at + c.len_utf8();
                }
                out.push(Token { kind: Kind::Word, text: text[from..to].to_owned(), from, to });
            }
            c => {
                let shown = axon_model::name::shown(&c.to_string());
                return Err(error(from, from + c.len_utf8(), format!("`{shown}` cannot stand here")));
            }
        }
    }
    out.push(Token { kind: Kind::End, text: String::new(), from: text.len(), to: text.len() });
    Ok(out)
}

/// Reads the text of a `where`.
pub(super) fn parse(text: &str) -> Result<Vec<Comparison>, RowError> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0 };
    let mut all = Vec::new();
    loop {
        all.push(reader.comparison()?);
        if all.len() > MOST {
            return Err(error(0, text.len(), format!("a condition has at most {MOST} comparisons")));
        }
        if reader.peek().kind == Kind::End {
            return Ok(all);
        }
        if !reader.word("and") {
            let help = if reader.peek().text.eq_ignore_ascii_case("or") {
                "a row is seen if any line of `rows` lets it through: write the other side as a line of its own"
            } else {
                "expected `and`, or the end"
            };
            return reader.refuse(help);
        }
    }
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> &'t Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> &'t Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.peek().kind == Kind::Word && self.peek().text.eq_ignore_ascii_case(word);
        self.at += usize::from(found);
        found
    }

    fn refuse<T>(&self, message: &str) -> Result<T, RowError> {
        let token = self.peek();
        Err(error(token.from, token.to, message))
    }

    fn comparison(&mut self) -> Result<Comparison, RowError> {
        let token = self.peek();
        let plain = match token.kind {
            Kind::Quoted => true,
            Kind::Word => !token.text.contains(['.', ':']),
            _ => false,
        };
        if !plain {
            return self.refuse("expected a column of the table");
        }
        let column = SqlName::parse(&token.text).map_err(|e| error(token.from, token.to, e.to_string()))?;
        self.at += 1;
        if self.word("last") {
            return self.days(column);
        }
        let found = OPS
            .iter()
            .find(|(word, _)| self.peek().kind == Kind::Word && self.peek().text.eq_ignore_ascii_case(word));
        let Some((_, op)) = found else {
            return self.refuse("expected one of: eq, ne, gt, ge, lt, le, in, last");
        };
        self.at += 1;
        let operand = if *op == RowOp::In && self.peek().kind == Kind::Mark('(') {
            self.at += 1;
            self.list()?
        } else {
            self.operand()?
        };
        if *op == RowOp::In && !matches!(operand, Operand::User(_) | Operand::List(_)) {
            self.at -= 1;
            return self.refuse("`in` takes `user.PATH` or values in brackets: (1, 2)");
        }
        Ok(Comparison { column, op: *op, operand })
    }

    fn days(&mut self, column: SqlName) -> Result<Comparison, RowError> {
        let token = self.peek();
        if token.kind != Kind::Word || !matches!(token.text.parse::<u32>(), Ok(1..=MOST_DAYS)) {
            return self.refuse("`last` takes a whole number of days, at most 36500");
        }
        self.at += 1;
        if !self.word("days") {
            return self.refuse("expected `days`");
        }
        Ok(Comparison { column, op: RowOp::Last, operand: Operand::Number(token.text.clone()) })
    }

    fn list(&mut self) -> Result<Operand, RowError> {
        let mut values = Vec::new();
        loop {
            let value = self.operand()?;
            if matches!(value, Operand::User(_)) {
                self.at -= 1;
                return self.refuse("expected a plain value");
            }
            values.push(value);
            if values.len() > MOST {
                return self.refuse("too many values");
            }
            match self.next().kind {
                Kind::Mark(',') => {}
                Kind::Mark(')') => return Ok(Operand::List(values)),
                _ => {
                    self.at -= 1;
                    return self.refuse("expected `,` or `)`");
                }
            }
        }
    }

    fn operand(&mut self) -> Result<Operand, RowError> {
        let token = self.peek();
        let operand = match token.kind {
            Kind::Text => Operand::Text(token.text.clone()),
            Kind::Word => {
                let word = token.text.as_str();
                let digits = word.strip_prefix('-').unwrap_or(word);
                let number = digits.starts_with(|c: char| c.is_ascii_digit())
                    && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
                    && digits.matches('.').count() <= 1
                    && !digits.ends_with('.');
                match word {
                    "true" => Operand::Bool(true),
                    "false" => Operand::Bool(false),
                    _ if number => Operand::Number(word.to_owned()),
                    _ => match word.strip_prefix("user.").filter(|path| !path.is_empty()) {
                        Some(path) => Operand::User(path.to_owned()),
                        None => {
                            return self.refuse(
                                "expected `user.PATH`, a text in single quotes, a number, true or false",
                            );
                        }
                    },
                }
            }
            _ => {
                return self.refuse("expected `user.PATH`, a text in single quotes, a number, true or false");
            }
        };
        self.at += 1;
        Ok(operand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_over_rows_are_read() {
        let all = parse("region in user.region and [the year] ge 2020 and kind in ('a', 'b''c')").unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].operand, Operand::User("region".into()));
        assert_eq!(all[1].column.as_str(), "the year");
        let values = vec![Operand::Text("a".into()), Operand::Text("b'c".into())];
        assert_eq!(all[2].operand, Operand::List(values));
        assert_eq!(parse("placed last 90 days").unwrap()[0].op, RowOp::Last);
        assert_eq!(parse("x eq -1.5").unwrap()[0].operand, Operand::Number("-1.5".into()));
    }

    #[test]
    fn what_is_no_condition_is_refused_at_its_word() {
        for (text, from) in [
            ("", 0),
            ("region", 6),
            ("region is 'x'", 7),
            ("region eq x", 10),
            ("region eq 'x", 10),
            ("region in 'x'", 10),
            ("region eq 'x' or kind eq 'y'", 14),
            ("a.b eq 1", 0),
            ("x eq 1; drop table y", 6),
            ("x in (user.region)", 6),
            ("x in (1", 7),
            ("x last 0 days", 7),
            ("x last 90 weeks", 10),
        ] {
            assert_eq!(parse(text).unwrap_err().from, from, "{text}: {:?}", parse(text));
        }
    }
}
