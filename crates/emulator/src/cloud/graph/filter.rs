//! `$filter`: comparisons joined by `and`, or by `or`. What else there is, is refused as Graph refuses what it cannot.

use serde_json::{Map, Value};

/// The longest filter that is read.
const MOST: usize = 8 * 1024;

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    Equal(String, Value),
    NotEqual(String, Value),
    StartsWith(String, String),
    EndsWith(String, String),
    In(String, Vec<Value>),
}

/// A filter that can be answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    tests: Vec<Test>,
    any: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

impl Filter {
    /// Reads a filter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MOST {
            return None;
        }
        let tokens = tokens(text)?;
        let mut rest = &tokens[..];
        let (mut tests, mut joined): (Vec<Test>, Option<bool>) = (Vec::new(), None);
        loop {
            tests.push(test(&mut rest)?);
            let [Token::Word(word), more @ ..] = rest else { break };
            let any = match word.as_str() {
                "and" => false,
                "or" => true,
                _ => return None,
            };
            // Both in one filter would need their ranks.
            if joined.is_some_and(|own| own != any) {
                return None;
            }
            joined = Some(any);
            rest = more;
        }
        rest.is_empty().then_some(Self { tests, any: joined == Some(true) })
    }

    /// Whether an object with these attributes is meant. Text compares without case.
    pub(super) fn takes(&self, attributes: &Map<String, Value>) -> bool {
        let value = |name: &str| attributes.get(name).unwrap_or(&Value::Null);
        let holds = |test: &Test| match test {
            Test::Equal(name, wanted) => equal(value(name), wanted),
            Test::NotEqual(name, wanted) => !equal(value(name), wanted),
            Test::StartsWith(name, head) => {
                value(name).as_str().is_some_and(|own| own.to_lowercase().starts_with(&head.to_lowercase()))
            }
            Test::EndsWith(name, tail) => {
                value(name).as_str().is_some_and(|own| own.to_lowercase().ends_with(&tail.to_lowercase()))
            }
            Test::In(name, all) => all.iter().any(|wanted| equal(value(name), wanted)),
        };
        if self.any { self.tests.iter().any(holds) } else { self.tests.iter().all(holds) }
    }
}

fn equal(own: &Value, wanted: &Value) -> bool {
    match (own.as_str(), wanted.as_str()) {
        (Some(own), Some(wanted)) => own.to_lowercase() == wanted.to_lowercase(),
        _ => own == wanted,
    }
}

fn test(rest: &mut &[Token]) -> Option<Test> {
    match rest {
        [
            Token::Word(call),
            Token::Mark('('),
            Token::Word(name),
            Token::Mark(','),
            Token::Text(head),
            Token::Mark(')'),
            more @ ..,
        ] if ["startswith", "endswith"].contains(&call.to_lowercase().as_str()) => {
            *rest = more;
            let (name, text) = (name.clone(), head.clone());
            let begins = call.eq_ignore_ascii_case("startswith");
            Some(if begins { Test::StartsWith(name, text) } else { Test::EndsWith(name, text) })
        }
        [Token::Word(name), Token::Word(operator), Token::Mark('('), more @ ..] if operator == "in" => {
            let (name, mut values) = (name.clone(), Vec::new());
            let mut more = more;
            loop {
                let [Token::Text(value), Token::Mark(mark), after @ ..] = more else { return None };
                values.push(Value::from(value.as_str()));
                more = after;
                match mark {
                    ',' => {}
                    ')' => break,
                    _ => return None,
                }
            }
            *rest = more;
            Some(Test::In(name, values))
        }
        [Token::Word(name), Token::Word(operator), value, more @ ..] => {
            let value = match value {
                Token::Text(text) => Value::from(text.as_str()),
                Token::Word(word) => match word.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    _ => return None,
                },
                Token::Mark(_) => return None,
            };
            let name = name.clone();
            let test = match operator.as_str() {
                "eq" => Test::Equal(name, value),
                "ne" => Test::NotEqual(name, value),
                _ => return None,
            };
            *rest = more;
            Some(test)
        }
        _ => None,
    }
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        match first {
            '(' | ')' | ',' => {
                tokens.push(Token::Mark(first));
                rest = &rest[1..];
            }
            '\'' => {
                let mut value = String::new();
                let mut inner = rest[1..].char_indices().peekable();
                let end = loop {
                    let (at, c) = inner.next()?;
                    if c != '\'' {
                        value.push(c);
                    } else if inner.next_if(|(_, next)| *next == '\'').is_some() {
                        value.push('\'');
                    } else {
                        break at + 2;
                    }
                };
                tokens.push(Token::Text(value));
                rest = &rest[end..];
            }
            _ => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                if end == 0 {
                    return None;
                }
                tokens.push(Token::Word(rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
        rest = rest.trim_start();
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn takes(filter: &str, object: &Value) -> Option<bool> {
        Some(Filter::parse(filter)?.takes(object.as_object().unwrap()))
    }

    #[test]
    fn comparisons_are_answered() {
        let object = json!({"displayName": "O'Neil (ops)", "accountEnabled": false, "mail": null});
        for (filter, taken) in [
            ("displayName eq 'o''neil (OPS)'", true),
            ("displayName ne 'x' and accountEnabled eq false", true),
            ("displayName eq 'x' or accountEnabled eq true", false),
            ("startswith(displayName,'o''n')", true),
            ("endsWith(displayName,'(OPS)')", true),
            ("endsWith(displayName,'o''n')", false),
            ("displayName in ('a', 'o''neil (ops)')", true),
            ("mail eq null", true),
        ] {
            assert_eq!(takes(filter, &object), Some(taken), "{filter}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_filter() {
        for filter in [
            "",
            "a",
            "a eq",
            "a eq b",
            "a gt 'b'",
            "a eq 'b",
            "a eq 'b' and",
            "a eq 'b' and c eq 'd' or e eq 'f'",
            "a in ()",
            "é eq 'b'",
        ] {
            assert_eq!(Filter::parse(filter), None, "{filter}");
        }
    }
}
