//! Tokens of a grant line. Positions are bytes of the line.

use super::parse::GrantError;

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, which may be a keyword.
    Word,
    /// A name in brackets or double quotes, which never is.
    Quoted,
    /// `22:00`
    Time,
    /// `,` `.` `(` `)` `:`
    Mark(char),
    /// `::`
    Of,
    /// The end of the line.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    /// The text: of a quoted name, without its quotes.
    pub text: String,
    pub from: usize,
    pub to: usize,
}

/// The longest line, in bytes: a thousand columns of full length fit.
const MAX_LINE: usize = 200_000;

/// Whether a name needs no brackets: T-SQL's rule for regular identifiers, and no word of this grammar.
pub(super) fn is_plain(text: &str) -> bool {
    text.starts_with(begins_word)
        && text.chars().all(continues_word)
        && !["on", "database", "deny", "grant", "member", "per", "of", "classifier"]
            .iter()
            .any(|w| w.eq_ignore_ascii_case(text))
}

fn begins_word(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '#' | '@')
}

fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '#' | '@' | '$')
}

/// A time of the day at the start of the text: one or two digits, a colon, two digits, and no more of them.
fn time(text: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let hour = digits(text);
    let rest = text.get(hour..)?.strip_prefix(':')?;
    (matches!(hour, 1 | 2) && digits(rest) == 2 && !rest[2..].starts_with(continues_word))
        .then(|| &text[..hour + 3])
}

pub(super) fn tokens(line: &str) -> Result<Vec<Token>, GrantError> {
    if line.len() > MAX_LINE {
        return Err(GrantError::at(
            0,
            0,
            format!("the line has {} bytes; at most {MAX_LINE} are read", line.len()),
        ));
    }
    let mut out = Vec::new();
    let mut chars = line.char_indices().peekable();
    while let Some((from, c)) = chars.next() {
        let mut push = |kind, text: String, to| out.push(Token { kind, text, from, to });
        match c {
            ' ' | '\t' | '\n' => {}
            ':' if chars.next_if(|(_, c)| *c == ':').is_some() => push(Kind::Of, "::".into(), from + 2),
            ',' | '.' | '(' | ')' | ':' => push(Kind::Mark(c), c.to_string(), from + 1),
            '[' | '"' => {
                let close = if c == '[' { ']' } else { '"' };
                let mut text = String::new();
                let mut end = None;
                while let Some((at, c)) = chars.next() {
                    if c != close {
                        text.push(c);
                    } else if chars.next_if(|(_, c)| *c == close).is_some() {
                        text.push(close);
                    } else {
                        end = Some(at + 1);
                        break;
                    }
                }
                let Some(to) = end else {
                    return Err(GrantError::at(from, line.len(), format!("`{c}` has no closing `{close}`")));
                };
                push(Kind::Quoted, text, to);
            }
            _ if time(&line[from..]).is_some() => {
                let text = time(&line[from..]).unwrap_or_default();
                // The first character is taken already; all are of one byte.
                let to = from + text.len();
                while chars.next_if(|(at, _)| *at < to).is_some() {}
                push(Kind::Time, text.to_owned(), to);
            }
            c if begins_word(c) => {
                let mut to = from + c.len_utf8();
                while let Some((at, c)) = chars.next_if(|(_, c)| continues_word(*c)) {
                    to = at + c.len_utf8();
                }
                push(Kind::Word, line[from..to].to_owned(), to);
            }
            c => {
                let to = from + c.len_utf8();
                let shown = axon_model::name::shown(&c.to_string());
                return Err(GrantError::at(from, to, format!("`{shown}` cannot stand here")).with_help(
                    "a name with other characters than letters, digits and _ goes in brackets: [like this]",
                ));
            }
        }
    }
    out.push(Token { kind: Kind::End, text: String::new(), from: line.len(), to: line.len() });
    Ok(out)
}
