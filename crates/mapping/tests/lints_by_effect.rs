//! Lints go by what lines come to: actions that a role of the map's own allows, fixed roles beside DENYs, conditions that hold for
//! anybody, patterns that fit all groups there are, code made in a schema.

use axon_mapping::{Finding, RoleMap, check};
use axon_model::{Delta, Directory, GroupEntry, RecordSeq};
use time::macros::datetime;

const MAP: &str = r"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: acme.sql.azuresynapse.net, database: d, auth: { token-file: t } }
  az: { kind: azure-rbac, scope: /subscriptions/s/resourceGroups/g, auth: managed-identity }
roles:
  r: { DEFINE grants: { LINES } }
  other: { grants: { dw: [OTHER] } }
mappings:
  - { groups: { any: [g] }, source: s, roles: [r]WHEN }
  - { groups: { any: [h] }, source: s, roles: [other] }
RULES
";

fn text(changes: &[(&str, &str)]) -> String {
    let mut text = MAP.to_owned();
    for (word, to) in changes {
        text = text.replace(word, to);
    }
    for (word, to) in [
        ("DEFINE", ""),
        ("LINES", "dw: [select on a.b]"),
        ("OTHER", "select on z.z"),
        ("WHEN", ""),
        ("RULES", ""),
    ] {
        text = text.replace(word, to);
    }
    text
}

fn found(changes: &[(&str, &str)]) -> Vec<String> {
    let map = RoleMap::parse(&[("m.yaml", &text(changes))]).unwrap_or_else(|e| panic!("{e}"));
    let found = check(&map, None, datetime!(2026-11-22 12:00 UTC));
    found.iter().map(Finding::to_string).filter(|told| !told.contains("[unreachable-role]")).collect()
}

#[test]
fn roles_that_the_map_makes_count_by_what_they_allow() {
    let define = |actions: &str| format!("define: {{ az: {{ name: Odd, actions: [{actions}] }} }},");
    let of = |actions: &str| found(&[("DEFINE", &define(actions)), ("LINES", "az: [Odd]")]);
    let told: Vec<Vec<String>> =
        ["Microsoft.Synapse/*", "Microsoft.*/servers/write", "Microsoft.Synapse/workspaces/firewallRules/*"]
            .iter()
            .map(|actions| of(actions))
            .collect();
    assert!(told.iter().all(|told| told.iter().any(|told| told.contains("[around-sql]"))), "{told:?}");
    assert!(told[0].iter().any(|told| told.contains("[administrator-without-when]")), "{told:?}");
    assert!(of("Microsoft.Synapse/workspaces/read").is_empty());
    // What the same definition takes out again does not count.
    assert!(
        of("Microsoft.Authorization/locks/write], not_actions: [Microsoft.Authorization/locks/*").is_empty()
    );
    let refused = |actions: &str| {
        let text = text(&[("DEFINE", &define(actions)), ("LINES", "az: [Odd]")]);
        RoleMap::parse(&[("m.yaml", &text)]).map(|_| ()).unwrap_err().to_string()
    };
    let refused: Vec<String> = [
        "Microsoft.*/roleAssignments/write",
        "Microsoft.Authorization/elevateAccess/action",
        "Microsoft.Authorization/*], not_actions: [Microsoft.Authorization/*/write",
    ]
    .iter()
    .map(|actions| refused(actions))
    .collect();
    insta::assert_snapshot!(format!("{}\n\n{}", told.concat().join("\n"), refused.join("\n\n")));
}

#[test]
fn a_fixed_role_beside_a_deny_of_all_that_it_gives_is_void() {
    let reader = "dw: [\"per person: member of db_datareader\", DENY]";
    let with = |deny: &str| found(&[("LINES", &reader.replace("DENY", deny))]).join("\n");
    let one = [with("deny select on database"), with("\"per person: member of db_denydatareader\"")];
    let alone = "dw: [\"per person: member of db_datareader\"]";
    let two = found(&[("LINES", alone), ("OTHER", "\"per person: member of db_denydatareader\"")]).join("\n");
    assert!(one.iter().chain([&two]).all(|told| told.contains("[void-grant]")), "{one:?} {two}");
    // A part that is left is no void.
    for left in ["deny select on schema::a", "deny insert on database"] {
        assert!(!with(left).contains("[void-grant]"), "{left}");
    }
    let writer = "dw: [\"per person: member of db_datawriter\", deny insert on database]";
    assert!(!found(&[("LINES", writer)]).concat().contains("[void-grant]"));
    insta::assert_snapshot!(format!("{}\n{two}", one.join("\n")));
}

#[test]
fn a_condition_that_holds_for_anybody_is_none() {
    let with = |when: &str| {
        let when = format!(", when: '{when}'");
        found(&[("LINES", "dw: [control on database]"), ("WHEN", &when)]).join("\n")
    };
    let told = with("userName pr");
    assert!(told.contains("[administrator-without-when]"), "{told}");
    assert!(!with("userType eq \"Employee\"").contains("[administrator-without-when]"));
    insta::assert_snapshot!(told);
}

#[test]
fn code_made_under_the_name_of_what_may_be_read_reads_what_its_owner_may() {
    let made = |lines: &str| {
        let rule = "rules: { forbid: [select on hr.salaries] }";
        RoleMap::parse(&[("m.yaml", &text(&[("LINES", lines), ("RULES", rule)]))])
            .map(|_| ())
            .map_err(|faults| faults.to_string())
    };
    for read in ["select on x.v", "select on x.v (a)", "execute on x.p"] {
        let lines = format!("dw: [create view on database, \"alter on schema::x\", \"{read}\"]");
        assert!(made(&lines).is_err_and(|told| told.contains("select on hr.salaries")), "{read}");
    }
    for lines in [
        "dw: [create view on database, \"alter on schema::x\", \"select on y.v\"]",
        "dw: [\"alter on schema::x\", \"select on x.v\"]",
        "dw: [create view on database, \"alter on schema::x\", \"deny select on x.v\"]",
    ] {
        assert_eq!(made(lines), Ok(()), "{lines}");
    }
}

#[test]
fn a_pattern_that_fits_every_group_there_is_is_told_before_any_is_released() {
    let mut directory = Directory::default();
    for (n, name) in ["Engineers", "Others", "Sales"].iter().enumerate() {
        let group = GroupEntry {
            id: format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap(),
            source: "s".parse().unwrap(),
            display_name: (*name).into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    }
    let told = |pattern: &str| {
        let text = text(&[("{ any: [h] }", &format!("{{ match: \"{pattern}\" }}"))]);
        let map = RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|e| panic!("{e}"));
        let found = check(&map, Some(&directory), datetime!(2026-11-22 12:00 UTC));
        found.iter().map(Finding::to_string).collect::<String>()
    };
    // Nothing in the map says that these groups may give something at once: `trust` is not there.
    assert!(told("[A-Z][a-z]+").contains("[match-everything]"));
    assert!(!told("[A-R].+").contains("[match-everything]"));
}
