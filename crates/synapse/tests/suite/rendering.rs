//! Whatever a name holds, the rendered text is one statement which names exactly that. Judged by a lexer of its own, written
//! from the T-SQL rules and not from the renderer.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{GrantState, ObjectName, Permission, PrincipalKind, Securable, Step};
use axon_synapse::{Dialect, Wording, Work, render};
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// In brackets: an identifier.
    Name(String),
    /// `N'…'`
    Text(String),
    Mark(char),
}

/// Reads `text` as T-SQL does: brackets and quotes end at their mark unless it is doubled; `--`, `/*` and `;` are seen.
fn lex(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut i) = (Vec::new(), 0);
    while i < chars.len() {
        let c = chars[i];
        if c == ' ' {
            i += 1;
        } else if c == '[' || c == '\'' || (c == 'N' && chars.get(i + 1) == Some(&'\'')) {
            let end = if c == '[' { ']' } else { '\'' };
            i += if c == 'N' { 2 } else { 1 };
            let mut value = String::new();
            loop {
                match (chars.get(i), chars.get(i + 1)) {
                    (Some(a), Some(b)) if *a == end && *b == end => {
                        value.push(end);
                        i += 2;
                    }
                    (Some(a), _) if *a == end => break,
                    (Some(a), _) => {
                        value.push(*a);
                        i += 1;
                    }
                    (None, _) => return Err(format!("no {end} at the end of {text:?}")),
                }
            }
            i += 1;
            tokens.push(if end == ']' { Token::Name(value) } else { Token::Text(value) });
        } else if c.is_ascii_alphabetic() || c == '_' {
            let start = i;
            while i < chars.len() && (chars[i].is_ascii_alphanumeric() || chars[i] == '_') {
                i += 1;
            }
            tokens.push(Token::Word(chars[start..i].iter().collect()));
        } else if "(),.:".contains(c) {
            tokens.push(Token::Mark(c));
            i += 1;
        } else {
            return Err(format!("{c:?} has no place in {text:?}"));
        }
    }
    Ok(tokens)
}

fn names_in(tokens: &[Token]) -> Vec<String> {
    tokens
        .iter()
        .filter_map(|token| match token {
            Token::Name(name) | Token::Text(name) => Some(name.clone()),
            Token::Word(_) | Token::Mark(_) => None,
        })
        .collect()
}

/// What is left when names are taken out: it must not depend on them.
fn skeleton(tokens: &[Token]) -> Vec<Token> {
    tokens
        .iter()
        .map(|token| match token {
            Token::Name(_) => Token::Name(String::new()),
            Token::Text(_) => Token::Text(String::new()),
            other => other.clone(),
        })
        .collect()
}

fn hostile() -> impl Strategy<Value = SqlName> {
    let nasty = "[\\]\\['\"; .,()/*@#N=\\-\u{202e}\u{200f}\u{2019}\u{ff07}\u{ff3d}a-zA-Z0-9é漢😀]{1,40}";
    prop_oneof![
        nasty.prop_filter_map("not a name", |text| SqlName::parse(text.trim()).ok()),
        "\\PC{1,60}".prop_filter_map("not a name", |text| SqlName::parse(text.trim()).ok()),
        Just(SqlName::parse("x]; DROP USER [dbo]--").unwrap()),
        Just(SqlName::parse("O'Brien").unwrap()),
        Just(SqlName::parse(&"]".repeat(128)).unwrap()),
        Just(SqlName::parse(&"'".repeat(128)).unwrap()),
    ]
}

/// Steps of every kind over four names, and the names in the order in which their statements must hold them.
fn steps([a, b, c, d]: [SqlName; 4]) -> Vec<(Step, Vec<SqlName>)> {
    let dbo = SqlName::parse("dbo").unwrap();
    let dw = SqlName::parse("d]w").unwrap();
    let object = Securable::Object(ObjectName { schema: a, name: b });
    vec![
        (Step::CreatePrincipal { name: a, kind: PrincipalKind::External, sid: None }, vec![a]),
        (Step::CreateRole { name: a }, vec![a, dbo]),
        (Step::AddMember { role: a, member: b }, vec![a, b]),
        (Step::DropMember { role: a, member: b }, vec![a, b]),
        (
            Step::Grant { grantee: d, permission: Permission::Select, on: object, columns: vec![c, d] },
            vec![a, b, c, d, d],
        ),
        (
            Step::Deny { grantee: d, permission: Permission::Insert, on: object, columns: vec![] },
            vec![a, b, d],
        ),
        (
            Step::Revoke {
                grantee: d,
                permission: Permission::Select,
                on: Securable::Schema(c),
                columns: vec![],
                was: GrantState::GrantWithOption,
            },
            vec![c, d],
        ),
        (
            Step::Grant {
                grantee: d,
                permission: Permission::Impersonate,
                on: Securable::Principal(c),
                columns: vec![],
            },
            vec![c, d],
        ),
        (Step::DenyConnect { principal: a }, vec![dw, a]),
        (Step::DropRole { name: a }, vec![a]),
        (Step::DropPrincipal { name: a, sid: None }, vec![a]),
    ]
}

fn texts(names: [SqlName; 4], dialect: Dialect) -> Vec<(String, Vec<SqlName>)> {
    let roles = BTreeSet::new();
    let wording = Wording { dialect, database: SqlName::parse("d]w").unwrap(), roles: &roles };
    steps(names)
        .into_iter()
        .map(|(step, order)| match wording.work(&step) {
            Ok(Work::One(statement)) => (render(&statement, dialect).into_string(), order),
            other => panic!("{other:?}"),
        })
        .collect()
}

proptest! {
    #[test]
    fn rendered_text_is_one_statement_that_names_exactly_what_was_meant(
        a in hostile(), b in hostile(), c in hostile(), d in hostile()
    ) {
        let plain = ["a", "b", "c", "d"].map(|t| SqlName::parse(t).unwrap());
        for dialect in [Dialect::Dedicated, Dialect::Serverless] {
            let rendered = texts([a, b, c, d], dialect);
            for ((text, names), (model, _)) in rendered.iter().zip(texts(plain, dialect)) {
                let tokens = lex(text).map_err(TestCaseError::fail)?;
                let want: Vec<String> = names.iter().map(|n| n.as_str().to_owned()).collect();
                prop_assert_eq!(names_in(&tokens), want, "{}", text);
                prop_assert_eq!(skeleton(&tokens), skeleton(&lex(&model).unwrap()), "{}", text);
            }
        }
    }
}

#[test]
fn the_lexer_of_this_test_sees_what_an_attacker_would_do() {
    assert!(lex("DROP USER [x]; DROP USER [dbo]").is_err());
    assert!(lex("DROP USER [x] -- ]").is_err());
    assert!(lex("DROP USER [x").is_err());
    assert_eq!(names_in(&lex("EXEC p N'a''b', N'c'").unwrap()), ["a'b", "c"]);
}
