//! What is said to whoever asks for a role that may not be given, or configures a source's claims wrongly: word for word.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use axon_mapping::explain::{Explainer, Known};
use axon_mapping::guards::may_be_given;
use axon_mapping::identity::{GroupDoubt, SourceClaims};
use axon_mapping::{RoleMap, RoleName, TargetName};
use axon_model::Directory;
use time::Duration;
use time::macros::datetime;

const MAP: &str = r#"axon: 1
targets:
  seen: { kind: synapse-dedicated, host: h, database: s, auth: { token-file: t } }
  dw: { kind: synapse-dedicated, host: h, database: dw, mode: authoritative, auth: { token-file: t }, role_name: "axon_{role}", manage: { roles: ["axon_*"] } }
roles:
  reader: { grants: { dw: [select on sales.orders] } }
  maker: { grants: { dw: [insert on pay.orders] } }
  approver: { grants: { dw: [update on pay.orders] } }
  owner: { grants: { dw: ["per person: member of db_owner"] } }
  guarded: { grants: { dw: [select on hr.people] } }
  author: { grants: { dw: [create procedure on database, "execute on schema::sales"] } }
  opener: { grants: { dw: [alter on schema::sales] } }
  empty: {}
  looked: { grants: { seen: [select on sales.orders] } }
rules: { separate: [[maker, approver]] }
guards:
  protect: [{ principal: axon_guarded, owner: s, until: 2027-01-01T00:00:00Z }]
"#;

/// What is forbidden by a map that has none of these roles.
const FORBIDS: &str = r"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: dw, auth: { token-file: t } }
rules: { forbid: [select on sales.orders, select on top.secret] }
";

#[test]
fn of_roles_for_a_while() {
    let mut map = RoleMap::parse(&[("role-map.yaml", MAP)]).unwrap_or_else(|faults| panic!("{faults}"));
    let now = datetime!(2026-11-22 00:00 UTC);
    let mut told = String::new();
    let mut ask = |map: &RoleMap, case: &str, role: &str, target: Option<&str>, hours: i64, held: &[&str]| {
        let held: BTreeSet<&RoleName> =
            held.iter().map(|role| map.roles.get_key_value(*role).unwrap().0).collect();
        let target: Option<TargetName> = target.map(|target| target.parse().unwrap());
        let refused = may_be_given(map, role, target.as_ref(), Duration::hours(hours), &held, now);
        writeln!(told, "## {case}\n{}\n", refused.unwrap_err()).unwrap();
    };
    ask(&map, "a role that there is not", "nothing-like-it", None, 2, &[]);
    ask(&map, "a role that there nearly is", "raeder", None, 2, &[]);
    ask(&map, "a role without lines", "empty", None, 2, &[]);
    ask(&map, "a role without lines in one target", "reader", Some("seen"), 2, &[]);
    ask(&map, "too long", "reader", None, 9, &[]);
    ask(&map, "no time at all", "reader", None, 0, &[]);
    ask(&map, "where nothing is taken away", "looked", None, 2, &[]);
    ask(&map, "an administrator's role", "owner", None, 2, &[]);
    ask(&map, "a protected role", "guarded", None, 2, &[]);
    ask(&map, "what a rule separates", "approver", None, 2, &["reader", "maker"]);
    // The rule came into the map after the role: a map with both is refused as a whole.
    map.rules =
        RoleMap::parse(&[("role-map.yaml", FORBIDS)]).unwrap_or_else(|faults| panic!("{faults}")).rules;
    ask(&map, "what is forbidden", "reader", None, 2, &[]);
    ask(&map, "what only together is forbidden", "author", None, 2, &["opener"]);
    insta::assert_snapshot!("of_roles_for_a_while", told);
}

#[test]
fn of_grants_that_nobody_can_read() {
    const KINDS: &str = r#"axon: 1
targets:
  a-factory: { kind: azure-rbac, scope: /x, auth: managed-identity }
  dw: { kind: synapse-dedicated, host: h, database: dw, auth: { token-file: t } }
  workspace: { kind: synapse-workspace, endpoint: "https://acme.dev.azuresynapse.net", auth: managed-identity }
roles:
  reader: { grants: { dw: [select on sales.orders], a-factory: [Acme Loader], workspace: [Synapse User] } }
"#;
    let map = RoleMap::parse(&[("role-map.yaml", KINDS)]).unwrap_or_else(|faults| panic!("{faults}"));
    let (map, directory) = (Arc::new(map), Directory::default());
    let (identity, beside, around) = (Arc::default(), Arc::default(), BTreeMap::new());
    let known = Known { target: None, identity: &identity, around: &around, beside: &beside };
    let explainer = Explainer::new(&map, &directory, known, datetime!(2026-11-22 00:00 UTC));
    let mut told = String::new();
    for grant in [
        "selct on sales.orders",
        "selct",
        "select on sales orders",
        "Acme Loder",
        "Synapse Usr",
        "Raeder",
        "azure:Reader",
        "",
    ] {
        let refused = explainer.holders(grant).expect_err(grant);
        let help = refused.help.as_deref().unwrap_or("-");
        writeln!(told, "## {grant}\n{refused}\n  = {help}\n").unwrap();
        assert_eq!(explainer.missing("kim", grant).expect_err(grant), refused);
    }
    for grant in ["select on sales.orders", "Acme Loader", "reader", "Synapse User", "Some Other Role"] {
        assert!(explainer.holders(grant).is_ok(), "{grant}");
    }
    insta::assert_snapshot!("of_grants_that_nobody_can_read", told);
}

#[test]
fn of_what_a_source_may_say() {
    let mut told = String::new();
    let many = vec!["*@acme.com"; 1_001];
    let long = "x".repeat(600);
    let patterns: [(&str, &[&str]); 6] = [
        ("no pattern", &[]),
        ("too many patterns", &many),
        ("a pattern of nothing", &["*@acme.com", ""]),
        ("a pattern that no eye sees", &["\u{200b}"]),
        ("a pattern with a line break", &["*@acme.com\n"]),
        ("a pattern that is too long", &[&long]),
    ];
    for (case, patterns) in patterns {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let refused = SourceClaims::read(Some(&patterns), None).unwrap_err();
        writeln!(told, "## {case}\n{refused}\n").unwrap();
    }
    for join in [
        "",
        "plain}",
        "{externalId",
        "emails.value",
        "name",
        "no such attribute",
        "nickNam",
        "a{{b",
        "externalId.size()",
    ] {
        let refused = SourceClaims::read(None, Some(join)).unwrap_err();
        writeln!(told, "## join by `{join}`\n{refused}\n").unwrap();
    }
    insta::assert_snapshot!("of_what_a_source_may_say", told);
}

#[test]
fn of_groups_that_give_nothing() {
    let doubts = [
        GroupDoubt::Second,
        GroupDoubt::Successor,
        GroupDoubt::OtherId,
        GroupDoubt::Renamed,
        GroupDoubt::NewMatch,
        GroupDoubt::Several,
    ];
    let told: Vec<String> = doubts.iter().map(|doubt| format!("{doubt:?}: {doubt}")).collect();
    insta::assert_snapshot!("of_groups_that_give_nothing", told.join("\n"));
}
