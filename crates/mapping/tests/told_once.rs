//! Faults are told once and where they are, none is dropped without a word, and what patterns cost is bounded for the whole map.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use axon_mapping::RoleMap;

const HEAD: &str = r"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: one, database: d, auth: { token-file: t } }
roles:
  reader: { grants: { dw: [select on a.b] } }
";

fn faults(text: &str) -> String {
    RoleMap::parse(&[("m.yaml", text)]).map_or_else(|faults| faults.to_string(), |_| "no fault".to_owned())
}

/// A map with so many mappings by a pattern.
fn with_patterns(pattern: &str, number: usize) -> String {
    let mut text = format!("{HEAD}mappings:\n");
    for n in 0..number {
        let pattern = pattern.replace('N', &n.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  - {{ groups: {{ match: '{pattern}' }}, source: s, roles: [reader] }}");
    }
    text
}

#[test]
fn what_refers_to_a_faulty_declaration_is_no_fault_of_its_own() {
    let text = HEAD
        .replace("axon: 1\n", "axon: 1\nvars: { schema: \"${other}\", good: a }\n")
        .replace("select on a.b", "\"select on ${schema}.b\", \"select on ${good}.c\"")
        + "services: { ci: { principle: x }, \"c d\": { principal: y } }\nmappings:\n  - { service: ci, roles: [reader] }\n  \
         - { service: \"c d\", roles: [reader] }\ntests:\n  - { service: ci, roles: [reader] }\n";
    insta::assert_snapshot!(faults(&text));
}

#[test]
fn faults_beyond_those_that_are_told_are_counted() {
    let mut text = format!("{HEAD}mappings:\n");
    for n in 0..345 {
        let _ = writeln!(text, "  - {{ groups: {{ any: [g{n}] }}, source: s, roles: [nobody{n}] }}");
    }
    let Err(found) = RoleMap::parse(&[("m.yaml", &text)]) else { panic!("it has faults") };
    assert_eq!(found.faults().len(), 201);
    let last = found.faults().last().map(ToString::to_string).unwrap_or_default();
    insta::assert_snapshot!(last);
}

#[test]
fn patterns_are_bounded_together_and_stop_early() {
    // Usual ones are no burden.
    assert_eq!(faults(&with_patterns(r"^syn-N-(?<team>[a-z]+)-\w+$", 400)), "no fault");
    // Each of these is allowed by itself; and those that are too large by themselves cost time, too.
    for (pattern, number) in [(r"^\pL{1,15}N$", 1_500), (r"^\pL{1,900}N$", 3_000)] {
        let started = Instant::now();
        let told = faults(&with_patterns(pattern, number));
        assert!(told.contains("the patterns of this map are too large together"), "{told}");
        assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
        let compiled = number - told.matches("too large together").count();
        assert!(compiled < number, "{compiled}");
    }
    let told = faults(&with_patterns(r"^\pL{1,15}N$", 70));
    let first = told.split("\n\n").next().unwrap_or_default();
    insta::assert_snapshot!(first);
    // None is compiled once the room is used up: the map has no more of them than the room holds.
    assert!(told.matches("too large together").count() >= 6, "{told}");
}

#[test]
fn a_mistyped_attribute_is_told_wherever_it_stands() {
    let told: Vec<String> = [
        "emails[valu eq \"x\"]",
        "urn:ietf:params:scim:schemas:extension:enterprize:2.0:User:department eq \"x\"",
        "password eq \"hunter2\"",
        "title eq \"x\" and password eq hunter2",
    ]
    .iter()
    .map(|when| {
        faults(&format!(
            "{HEAD}mappings:\n  - {{ groups: {{ any: [g] }}, source: s, roles: [reader], when: '{when}' }}\n"
        ))
    })
    .collect();
    let told = told.join("\n\n");
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told);
}
