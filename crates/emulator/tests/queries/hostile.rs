//! Texts that no honest client sends.

use std::cell::RefCell;

use axon_emulator::session::Session;
use proptest::prelude::*;

use crate::fixture::{login, pool, query_in, said};

thread_local! {
    static SESSION: RefCell<Session> = RefCell::new(login(&pool(), 1));
}

/// Asks in one session for all texts of a test.
fn ask(sql: &str) -> String {
    SESSION.with_borrow_mut(|session| said(&query_in(session, sql)))
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "(",
    ")",
    ",",
    "*",
    "+",
    "-",
    "1",
    "'a'",
    "x",
    "t",
    ".",
    "JOIN",
    "ON",
    "LEFT",
    "GROUP",
    "BY",
    "ORDER",
    "HAVING",
    "UNION",
    "ALL",
    "IN",
    "NOT",
    "LIKE",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "OVER",
    "PARTITION",
    "AND",
    "OR",
    "AS",
    "WITH",
    "EXISTS",
    "VALUES",
    "INSERT",
    "INTO",
    "UPDATE",
    "SET",
    "DELETE",
    "CAST",
    "int",
    "TOP",
    "NULL",
    "IS",
    "=",
    "@v",
    "[q]",
    ";",
    "BETWEEN",
    "0x1f",
    "sys",
    "objects",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_server_panic(text in "\\PC{0,200}") {
        ask(&text);
    }

    #[test]
    fn no_row_of_words_makes_the_server_panic(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..60)) {
        ask(&words.join(" "));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_query_makes_the_binder_panic(words in proptest::collection::vec(proptest::sample::select(WORDS), 1..20)) {
        ask(&format!("SELECT {}", words.join(" ")));
    }

    #[test]
    fn any_text_comes_back_as_it_went(text in "\\PC{0,60}") {
        prop_assume!(!text.is_empty());
        prop_assert_eq!(ask(&format!("SELECT N'{}'", text.replace('\'', "''"))), text);
    }
}

#[test]
fn depth_is_bounded() {
    for sql in [
        format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("SELECT {}1", "- ".repeat(5000)),
        format!("SELECT 1 WHERE {}1 = 1", "NOT ".repeat(50_000)),
        format!("{}SELECT 1{}", "SELECT (".repeat(500), ")".repeat(500)),
        format!("SELECT 1 FROM {}t{}", "(".repeat(5000), ")".repeat(5000)),
        format!("SELECT {}1{}", "CASE WHEN 1=1 THEN ".repeat(500), " END".repeat(500)),
        format!("SELECT {}'a'{}", "LOWER(".repeat(500), ")".repeat(500)),
    ] {
        assert!(ask(&sql).starts_with("error") || ask(&sql) == "1", "{}", &sql[..40]);
    }
    let wide = format!("SELECT 1 WHERE 1 IN ({})", vec!["1"; 5000].join(","));
    assert_eq!(ask(&wide), "1");
    let long = format!("SELECT 1 WHERE {}", vec!["1 = 1"; 4000].join(" AND "));
    assert_eq!(ask(&long), "1");
    let nested = format!("SELECT {}'a'{}", "LOWER(".repeat(40), ")".repeat(40));
    assert_eq!(ask(&nested), "a");
}
