//! What a body asks for, without its values: for the log, so that a new shape of a connector can be understood in a day
//! although nothing personal is written down.

use serde_json::Value;

/// Longest outline, bytes.
const MOST: usize = 2048;
/// Longest key or path that is shown, characters.
const WORD: usize = 80;

/// Keys, types and counts. Of the values only `op`, and `path` with its literals taken out.
pub fn of(body: &Value) -> String {
    let mut out = String::with_capacity(256);
    write(&mut out, None, body);
    out
}

fn write(out: &mut String, key: Option<&str>, value: &Value) {
    if out.len() >= MOST {
        return;
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(_) => out.push_str("bool"),
        Value::Number(_) => out.push_str("number"),
        Value::String(text) => match key {
            Some("op") => word(out, text),
            Some("path") => word(out, &without_literals(text)),
            _ => out.push_str("text"),
        },
        Value::Array(list) => {
            out.push('[');
            // Members and operations of one request look alike; the first ones tell what is to be told.
            for (n, item) in list.iter().take(if key == Some("Operations") { 100 } else { 1 }).enumerate() {
                if n > 0 {
                    out.push_str(", ");
                }
                write(out, None, item);
            }
            out.push(']');
            if list.len() > 1 {
                out.push_str(" x");
                out.push_str(&list.len().to_string());
            }
        }
        Value::Object(map) => {
            out.push('{');
            for (n, (key, value)) in map.iter().enumerate() {
                if out.len() >= MOST {
                    out.push('…');
                    break;
                }
                if n > 0 {
                    out.push_str(", ");
                }
                word(out, &without_literals(key));
                out.push_str(": ");
                write(out, Some(key), value);
            }
            out.push('}');
        }
    }
}

/// Printable and short, so that a client writes neither lines nor pages into the log.
fn word(out: &mut String, text: &str) {
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    out.extend(text.chars().take(WORD).map(plain));
    if text.chars().nth(WORD).is_some() {
        out.push('…');
    }
}

/// Everything from the first bracket, quote or blank on may hold a value: only the name after the last bracket stays.
fn without_literals(path: &str) -> std::borrow::Cow<'_, str> {
    let Some((before, rest)) = path.split_once(['[', '"', ' ']) else { return path.into() };
    let after = rest.rsplit_once(']').map_or("", |(_, after)| after);
    let is_name = after.strip_prefix('.').is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric()));
    format!("{before}[..]{}", if is_name { after } else { "" }).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outline_has_keys_and_types_and_no_values() {
        let body = json!({"Operations": [
            {"op": "Replace", "path": "emails[value eq \"kim]@secret.test\"].value", "value": "kim@secret.test"},
            {"op": "add", "value": {"name.givenName": "secret", "emails[type eq \"secret\"].value": "secret"}},
            {"op": "add", "path": "members", "value": [{"value": "secret-1"}, {"value": "secret-2"}]},
        ]});
        assert_eq!(
            of(&body),
            "{Operations: [{op: Replace, path: emails[..].value, value: text}, \
             {op: add, value: {emails[..].value: text, name.givenName: text}}, \
             {op: add, path: members, value: [{value: text}] x2}] x3}"
        );
    }

    #[test]
    fn whatever_is_sent_an_outline_is_short_and_one_printable_line() {
        let body = json!({"op\r\nadmin logged in": 1, "k".repeat(5000): {"\u{202e}": [[[true]]]},
            "many": (0..500).map(|n| (format!("key{n}"), json!({"deep": [n]}))).collect::<serde_json::Map<_, _>>()});
        let outline = of(&body);
        assert!(outline.len() < MOST + 600, "{}", outline.len());
        assert!(!outline.chars().any(char::is_control) && !outline.contains('\u{202e}'));
    }

    #[test]
    fn a_path_that_does_not_parse_gives_no_literal_away() {
        for path in [
            "userName eq \"secret\"",
            "userName eq secret",
            "a[b eq 1] secret",
            "emails[value eq \"secret",
            "a[b eq \"]secret\"",
            "\"secret\"]x\"secret",
        ] {
            assert!(!of(&json!({"path": path})).contains("secret"), "{path}");
        }
    }
}
