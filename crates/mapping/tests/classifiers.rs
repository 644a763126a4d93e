//! Lines about workload classifiers: what they ask for, where they cannot be carried out, and that they give nobody anything.

use axon_mapping::{RoleMap, classifiers, map_test};

fn map(roles: &str) -> RoleMap {
    let text = format!(
        "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: h, database: dw, auth: {{ token-file: t }} }}\n  \
         sl: {{ kind: synapse-serverless, host: h, database: dw, auth: {{ token-file: t }} }}\n  \
         by: {{ kind: script, dialect: dedicated, database: dw, out: o }}\nroles:\n{roles}\
         mappings:\n  - {{ groups: {{ any: [G] }}, source: entra, roles: [loader] }}\n"
    );
    RoleMap::parse(&[("role-map.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn a_role_and_those_that_include_it_have_one_for_each_group() {
    let map = map(
        "  base: { grants: { dw: [classifier in largerc importance low, classifier in smallrc] } }\n  \
         loader: { includes: [base], grants: { dw: [classifier in largerc importance high label nightly] } }\n",
    );
    let told: Vec<String> =
        classifiers(&map, &map.targets["dw"]).iter().map(|(role, does)| format!("{role}: {does}")).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.contains(&"axon_base: smallrc, importance normal".to_owned()), "{told:?}");
    assert_eq!(told.iter().filter(|t| t.starts_with("axon_loader: largerc")).count(), 1, "{told:?}");
    assert!(map.not_carried_out().is_empty());
}

#[test]
fn where_there_are_none_a_line_is_refused_by_name() {
    let map = map("  loader: { grants: { sl: [classifier in largerc], by: [classifier in largerc] } }\n  \
         plain: { direct: true, grants: { dw: [classifier in largerc] } }\n");
    let mut told: Vec<String> = map.not_carried_out().into_iter().map(|missing| missing.what).collect();
    told.sort();
    assert_eq!(
        told,
        [
            "a classifier in target `by` of kind `script`",
            "a classifier in target `sl` of kind `synapse-serverless`",
            "a classifier of role `plain`, which is direct: it is on a role of the pool",
        ]
    );
}

#[test]
fn tests_of_a_map_can_ask_for_one() {
    let with = |test: &str| {
        let text = format!(
            "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: h, database: dw, auth: {{ token-file: t }} }}\n\
             roles: {{ loader: {{ grants: {{ dw: [classifier in largerc importance high] }} }} }}\n\
             mappings:\n  - {{ groups: {{ any: [G] }}, source: entra, roles: [loader] }}\n\
             tests:\n  - {{ user: {{ userName: kim, groups: [G] }}, {test} }}\n"
        );
        let map = RoleMap::parse(&[("role-map.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}"));
        map_test::run(&map, time::macros::datetime!(2026-11-22 12:00 UTC)).len()
    };
    assert_eq!(with("has: { dw: [classifier in largerc importance high] }"), 0);
    assert_eq!(with("has: { dw: [classifier in largerc importance low] }"), 1);
    assert_eq!(with("lacks: { dw: [classifier in smallrc] }"), 0);
    assert_eq!(with("lacks: { dw: [select on a.b] }"), 0, "it gives nothing");
}
