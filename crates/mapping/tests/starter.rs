//! The map to begin with: it can be used as it is, is tested by itself, and is short.

use axon_mapping::{RoleMap, check, map_test};
use time::macros::datetime;

const STARTER: &str = include_str!("../../../config/role-map.yaml");

#[test]
fn the_starter_is_read_tested_without_a_finding_and_in_two_minutes() {
    let map = RoleMap::parse(&[("role-map.yaml", STARTER)]).unwrap_or_else(|e| panic!("{e}"));
    let now = datetime!(2026-11-22 12:00 UTC);
    assert_eq!(map_test::run(&map, now), []);
    assert_eq!(check(&map, None, now), []);
    assert!(map.not_carried_out().is_empty(), "what a newcomer begins with can be put in force");
    // Two hundred words are read in a minute.
    let words = STARTER.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count();
    assert!(words < 400, "{words} words");
    assert!(STARTER.lines().count() < 70);
    // Every part says what it is for.
    for (before, line) in STARTER.lines().zip(STARTER.lines().skip(1)) {
        let opens = line.ends_with(':') && !line.starts_with([' ', '#', '-']);
        assert!(!opens || before.starts_with("# "), "{line} has no comment above it");
    }
    // Each of its tests would notice: take a mapping's group or a role's line away, and one fails.
    for (from, to) in [
        ("any: [SG-Sales-Analysts, SG-Sales-Leads]", "any: [SG-Sales-Leads]"),
        ("- deny select on hr.people ", "- select on hr.people "),
        ("- select on sales.regions\n", "- select on sales.areas\n"),
        ("when: userType eq \"Employee\"", "when: userType pr"),
        ("(order_id, region, amount)", "(order_id, region, amount, iban)"),
    ] {
        assert!(STARTER.contains(from), "{from}");
        let changed = STARTER.replacen(from, to, 1);
        let map = RoleMap::parse(&[("role-map.yaml", &changed)]).unwrap_or_else(|e| panic!("{e}"));
        assert!(!map_test::run(&map, now).is_empty(), "no test notices {from} -> {to}");
    }
}
