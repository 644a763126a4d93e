//! The words of KQL, and the functions that are known.

use super::Kind;

/// A word, a literal of a type, a sign.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Word(String),
    Literal(Kind),
    Sign(&'static str),
}

const SIGNS: [&str; 20] =
    ["==", "!=", "=~", "<=", ">=", "|", "(", ")", "[", "]", ",", ".", ";", "=", "<", ">", "+", "-", "*", "/"];

pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if first == '"' {
            let end = rest[1..].find('"').ok_or("a text has no end")?;
            found.push(Token::Literal(Kind::Text));
            rest = &rest[end + 2..];
        } else if let Some(after) = rest.strip_prefix("!in") {
            found.push(Token::Word("in".into()));
            rest = after;
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let mut end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            // The one operator whose name has a dash.
            if &rest[..end] == "mv" && rest[end..].starts_with("-expand") {
                end += "-expand".len();
            }
            let text = &rest[..end];
            found.push(if !first.is_ascii_digit() {
                Token::Word(text.into())
            } else if text.bytes().all(|b| b.is_ascii_digit()) {
                Token::Literal(Kind::Long)
            } else {
                let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
                let known = ["s", "m", "h", "d"].contains(&unit);
                known.then_some(Token::Literal(Kind::Span)).ok_or(format!("{text} is no number"))?
            });
            rest = &rest[end..];
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("{first} is nothing that is known here"))?;
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// The type that a function gives; none of one that is not known, or not of these types.
pub fn called(name: &str, given: &[Kind]) -> Option<Kind> {
    Some(match (name, given) {
        ("ago", [Kind::Span]) | ("now", []) | ("todatetime", [_]) | ("bin", [Kind::Time, Kind::Span]) => {
            Kind::Time
        }
        ("strcat", parts) if parts.len() < 2 || parts.contains(&Kind::Dynamic) => return None,
        ("tostring", [_]) | ("strcat", _) => Kind::Text,
        ("tolong" | "dcount", [_]) | ("count", []) | ("sum", [Kind::Long]) => Kind::Long,
        ("tobool" | "isnotnull", [_]) => Kind::Bool,
        ("bag_keys", [Kind::Dynamic]) => Kind::Dynamic,
        ("min" | "max", [kind @ (Kind::Time | Kind::Long)]) | ("prev", [kind]) => *kind,
        _ => return None,
    })
}
