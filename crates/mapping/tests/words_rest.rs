//! The rest of what a map is told: sentences that no other golden file holds, word for word.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use axon_mapping::explain::{Explainer, Known};
use axon_mapping::preview::{Preview, Report, markdown};
use axon_mapping::{
    Beside, Claimant, Compared, Identity, Pending, RoleMap, Surroundings, UnknownTarget, check, diff, preview,
};
use axon_model::{Delta, Directory, GroupEntry, MemberKind, RecordSeq, SqlName, UserEntry};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const TARGETS: &str = "axon: 1
targets:
  dw: { kind: synapse-dedicated, host: 127.0.0.1, database: dw, auth: { token-file: t }, manage: { schemas: [secure] } }
  ws: { kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\", auth: managed-identity }
  rg: { kind: azure-rbac, scope: /subscriptions/x, auth: managed-identity }
";

fn map(rest: &str) -> Result<RoleMap, String> {
    RoleMap::parse(&[("role-map.yaml", &format!("{TARGETS}{rest}"))]).map_err(|faults| faults.to_string())
}

/// Each case is told under its name, with what its last lines say.
fn refused(cases: &[(&str, String)]) -> String {
    let mut told = String::new();
    for (name, text) in cases {
        let faults = map(text).map_or_else(|faults| faults, |_| panic!("`{name}` was read:\n{text}"));
        writeln!(told, "## {name}\n{faults}\n").unwrap();
    }
    told
}

fn grants(lines: &str) -> String {
    format!("roles: {{ r: {{ grants: {{ dw: [{lines}] }} }} }}\n")
}

#[test]
fn of_lines() {
    let line = |name: &'static str, line: &str| (name, grants(&format!("\"{line}\"")));
    insta::assert_snapshot!(
        "of_lines",
        refused(&[
            line("EXECUTE denied on the whole database", "deny execute on database"),
            line("what stands on the database only", "create table on a.b"),
            line("columns of what has none", "insert on a.b (c)"),
            line("what no user is given", "control on user::kim"),
            line("impersonation of one user", "impersonate on a.b"),
            line("a membership that is denied", "deny member of x"),
            line("everybody's role", "per person: member of public"),
            line("all at once", "all on a.b"),
            line("a classifier of nothing", "classifier for largerc"),
            line("an importance that is said twice", "classifier in largerc importance low importance high"),
            line("what a classifier does not know", "classifier in largerc weight high"),
            line("hours without an end", "classifier in largerc from 22:00"),
            line("hours of no length", "classifier in largerc from 06:00 until 06:00"),
            line("a word for a time", "classifier in largerc from noon until 13:00"),
            line("a time that no day has", "classifier in largerc from 22:00 until 24:00"),
            line("columns without an end", "select on a.b (c d"),
            ("a list per person", grants("{ per person: [x] }")),
            ("an included role that is a list", "roles: { r: { includes: [[x]] } }\n".into()),
        ])
    );
}

#[test]
fn of_what_is_forbidden() {
    let forbid = |name: &'static str, line: &str, rule: &str| {
        (name, format!("{}rules: {{ forbid: [{rule}] }}\n", grants(line)))
    };
    let assigned = |name: &'static str, target: &str, role: &str| {
        (
            name,
            format!(
                "roles: {{ r: {{ grants: {{ {target}: [{role}] }} }} }}\nrules: {{ forbid: [select on hr.people] }}\n"
            ),
        )
    };
    let rule = "select on hr.people";
    insta::assert_snapshot!(
        "of_what_is_forbidden",
        refused(&[
            ("a rule that is a list", format!("{}rules: {{ forbid: [[x]] }}\n", grants("select on a.b"))),
            forbid("by CONTROL of the table", "control on schema::hr", "insert on hr.people"),
            forbid("by CONTROL of the database", "control on database", "alter any user on database"),
            forbid("by ownership", "take ownership on schema::hr", rule),
            forbid("by users", "alter any user on database", rule),
            forbid("by roles", "alter any role on database", rule),
            forbid("by ALTER", "alter on database", rule),
            forbid("by acting as others", "impersonate on database", rule),
            forbid("by membership", "\"per person: member of xlargerc\"", "member of xlargerc"),
            (
                "by code of one role",
                format!(
                    "{}mappings: [{{ groups: {{ any: [g] }}, source: entra, roles: [r] }}]\nrules: {{ forbid: [{rule}] }}\n",
                    grants("create view on database, alter on schema::a, select on schema::a")
                )
            ),
            (
                "by code that is there and is written anew",
                format!(
                    "{}mappings: [{{ groups: {{ any: [g] }}, source: entra, roles: [r] }}]\nrules: {{ forbid: [{rule}] }}\n",
                    grants("alter on schema::a, execute on a.b")
                )
            ),
            (
                "by code of a schema, of two roles",
                format!(
                    "roles: {{ r: {{ grants: {{ dw: [alter on schema::a] }} }}, s: {{ grants: {{ dw: [execute on schema::a] }} }} }}\nmappings: [{{ groups: {{ any: [g] }}, source: entra, roles: [r, s] }}]\nrules: {{ forbid: [{rule}] }}\n"
                )
            ),
            assigned("by the workspace", "ws", "Synapse SQL Administrator"),
            assigned("by Azure", "rg", "Contributor"),
        ])
    );
}

#[test]
fn of_the_rest_of_a_map() {
    let of = |roles: &str, rest: &str| format!("roles: {{ {roles} }}\n{rest}");
    let r = "r: { grants: { dw: [select on a.b] } }";
    let mapping = |words: &str| {
        of(r, &format!("mappings:\n  - {{ groups: {{ any: [g] }}, source: entra, roles: [r], {words} }}\n"))
    };
    let test = |words: &str| of(r, &format!("tests:\n  - {{ {words}, lacks: {{ dw: [select on c.d] }} }}\n"));
    let rows = |condition: &str| {
        of(
            r,
            &format!(
                "views:\n  secure.a: {{ targets: dw, from: x.y, columns: {{ a: show }}, rows: [{{ where: \"{condition}\" }}] }}\n"
            ),
        )
    };
    let line = |row: &str| {
        let view = "secure.a: { targets: dw, from: x.y, columns: { a: show }";
        of(r, &format!("views:\n  {view}, rows: [{{ {row} }}] }}\n"))
    };
    let many = vec!["1"; 1_200].join(", ");
    let token = "token: { issuer: \"https://i\", audience: a, subject: s, claims: { ref: {} } }";
    let mut told = refused(&[
        (
            "a direct role that a view asks for",
            of(
                "r: { direct: true, grants: { dw: [select on a.b] } }",
                "views:\n  secure.a: { targets: dw, from: x.y, columns: { a: show }, rows: [{ role: r }] }\n",
            ),
        ),
        ("a break-glass of one role", of(r, "guards: { break_glass: { also: r } }\n")),
        ("a way in that is a list", mapping("via: [person]")),
        ("a test of one role", test("user: { userName: k }, roles: r")),
        ("a test of one group", test("user: { userName: k, groups: g }")),
        ("rows for nobody", line("where: 'a eq 1', for: []")),
        ("rows of one role for another", line("role: r, for: [r]")),
        (
            "an application of one id",
            of(
                r,
                "services: { ci: { principal: x, client_id: 00000000-0000-4000-8000-000000000001, object_id: 00000000-0000-4000-8000-000000000001 } }\n",
            ),
        ),
        ("rows in too many values", rows(&format!("a in ({many})"))),
        ("rows in values without a comma", rows("a in (1 2)")),
        ("a claim that is a mapping", of(r, &format!("services: {{ ci: {{ principal: x, {token} }} }}\n"))),
    ]);
    let set = BTreeMap::from([("sufix".to_owned(), "x".to_owned())]);
    let suffixed = format!("{TARGETS}{}vars: {{ suffix: y }}\n", of(r, ""));
    let unset = RoleMap::parse_with(&[("role-map.yaml", &suffixed)], &set).unwrap_err();
    writeln!(told, "## a variable that is set and not there\n{unset}\n").unwrap();
    let files = "  by: { kind: script, dialect: dedicated, database: d, out: o }\n";
    let waits = map(&format!(
        "{files}roles: {{ r: {{ grants: {{ by: [classifier in largerc] }} }}, d: {{ direct: true, grants: {{ dw: [classifier in largerc] }} }} }}\n"
    ));
    writeln!(told, "## classifiers where there are none").unwrap();
    for missing in waits.unwrap_or_else(|faults| panic!("{faults}")).not_carried_out() {
        writeln!(told, "{missing}").unwrap();
    }
    let large = format!("axon: 1\n#{}\n", "x".repeat(9 << 20));
    let faults = RoleMap::parse(&[("role-map.yaml", &large)]).unwrap_err();
    writeln!(told, "## a large file\n{faults}\n").unwrap();
    let twice = "axon: 1\ntargets:\n  sc: { kind: script, dialect: dedicated, database: d, out: steps, catalog: c, host: h, auth: { token-file: t } }\n";
    let faults = RoleMap::parse(&[("role-map.yaml", twice)]).unwrap_err();
    writeln!(told, "## a script that is seen twice\n{faults}\n").unwrap();
    for (name, metadata) in [
        ("a schema for views that is not Axon's", "{ schema: dbo }"),
        ("views that everybody's owner owns", "{ owner: dbo }"),
        ("delimiters that are not apart", "{ delimiters: { hash: \"|\", hash_key: \"|\", array: \",\" } }"),
    ] {
        let whole = TARGETS.replace("manage: { schemas: [secure] } }", &format!("metadata: {metadata} }}"));
        let faults = RoleMap::parse(&[("role-map.yaml", &whole)]).unwrap_err();
        writeln!(told, "## {name}\n{faults}\n").unwrap();
    }
    writeln!(told, "## a target that there is not\n{}", UnknownTarget("dww".into())).unwrap();
    insta::assert_snapshot!("of_the_rest_of_a_map", told);
}

#[test]
fn of_contradictions_in_one_person() {
    let text = "roles:
  reads: { grants: { dw: [select on hr.people, select on schema::sales] } }
  not_hr: { grants: { dw: [deny select on schema::hr] } }
  month: { grants: { dw: [select on pay.slips (month)] } }
  no_slips: { grants: { dw: [deny select on pay.slips] } }
  nothing: { grants: { dw: [select on x.y, \"per person: member of db_denydatareader\"] } }
  both: { includes: [reads, not_hr] }
  apart: { grants: { dw: [deny select on sales.orders] } }
mappings:
  - { groups: { any: [a] }, source: entra, roles: [reads, month] }
  - { groups: { any: [b] }, source: entra, roles: [not_hr, no_slips] }
  - { groups: { any: [c] }, source: entra, roles: [nothing] }
  - { groups: { any: [d], none: [a] }, source: entra, roles: [apart] }
";
    let parsed = map(text).unwrap();
    let found: Vec<String> = check(&parsed, None, NOW).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("of_contradictions_in_one_person", found.join("\n"));
    let text = text.replace(", \"per person: member of db_denydatareader\"", "");
    let separate = map(&format!("{text}rules: {{ separate: [[reads, not_hr], [month, no_slips]] }}\n"));
    // The role that includes both is refused, as it should be: without it nothing is left to say.
    assert!(separate.unwrap_err().contains("holds not_hr and reads at once"));
    let apart = text.replace("  both: { includes: [reads, not_hr] }\n", "");
    let apart =
        map(&format!("{apart}rules: {{ separate: [[reads, not_hr], [month, no_slips]] }}\n")).unwrap();
    let found: Vec<String> = check(&apart, None, NOW).iter().map(ToString::to_string).collect();
    assert!(!found.iter().any(|told| told.contains("whoever has role")), "{found:?}");
}

/// A directory with one person in one group, and one person in none.
fn directory() -> Directory {
    people(false)
}

fn people(both: bool) -> Directory {
    let mut directory = Directory::default();
    let group = GroupEntry {
        id: "00000000-0000-0000-1111-000000000001".parse().unwrap(),
        source: "entra".parse().unwrap(),
        display_name: "Readers".into(),
        external_id: None,
        document: "{}".into(),
    };
    let user = |n: usize, name: &str| UserEntry {
        id: format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap(),
        source: "entra".parse().unwrap(),
        user_name: name.into(),
        external_id: None,
        active: true,
        document: format!(r#"{{"userName":"{name}"}}"#).into(),
    };
    let lee = user(2, "lee");
    directory.apply(&Delta::UserPut { user: lee }, RecordSeq(1));
    let user = user(1, "kim");
    let (at, member) = (group.id, MemberKind::User(user.id));
    directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    directory.apply(&Delta::UserPut { user }, RecordSeq(2));
    directory.apply(&Delta::MemberAdded { group: at, member }, RecordSeq(3));
    if both {
        let member = MemberKind::User("00000000-0000-0000-0000-000000000002".parse().unwrap());
        directory.apply(&Delta::MemberAdded { group: at, member }, RecordSeq(4));
    }
    directory
}

#[test]
fn of_service_identities() {
    let map = Arc::new(
        map("roles:
  loads: { grants: { dw: [insert on sales.orders, deny delete on sales.orders], ws: [Synapse User] } }
  makes: { grants: { dw: [insert on pay.made] } }
  approves: { grants: { dw: [insert on pay.approved] } }
  once: { grants: { dw: [select on old.orders] } }
mappings:
  - { service: ci, roles: [loads] }
  - { service: ci, roles: [makes, approves] }
  - { service: ci, roles: [once], until: 2026-01-01T00:00:00Z }
  - { groups: { any: [Readers], match: \"^x\" }, source: entra, roles: [loads], trust: true }
services: { ci: { principal: axon-ci, client_id: 00000000-0000-4000-8000-000000000001 }, idle: { principal: axon-idle } }
rules: { separate: [[makes, approves]] }
")
        .unwrap(),
    );
    let directory = directory();
    let (identity, beside) = (Arc::<Identity>::default(), Arc::<Beside>::default());
    let around = BTreeMap::<_, Surroundings>::new();
    let known = Known { target: None, identity: &identity, around: &around, beside: &beside };
    let explainer = Explainer::new(&map, &directory, known, NOW);
    let mut told = String::new();
    for who in ["ci", "AXON-CI", "idle", "nobody"] {
        writeln!(told, "## {who}\n{}", explainer.person(who)).unwrap();
    }
    for (who, grant) in [("ci", "select on a.b"), ("lee", "insert, update on sales.orders")] {
        writeln!(told, "## {who}, not {grant}\n{}", explainer.missing(who, grant).unwrap()).unwrap();
    }
    insta::assert_snapshot!("of_service_identities", told);
    let value = serde_json::to_value(explainer.person("ci")).unwrap();
    assert_eq!(value["people"], serde_json::json!([]));
    insta::assert_snapshot!(
        "of_service_identities_as_json",
        serde_json::to_string_pretty(&value["services"]).unwrap()
    );
    assert!(serde_json::to_value(explainer.person("kim")).unwrap().get("services").is_none());
}

#[test]
fn of_what_waits() {
    let name = |text: &str| SqlName::parse(text).unwrap();
    let service = Claimant::Service { name: "ci".parse().unwrap() };
    let place = map("roles: { r: {} }\n").unwrap().roles["r"].place.clone();
    let waits = [
        Pending::MissingSecurable {
            line: "select on a.b".into(),
            place: place.clone(),
            on: axon_reconcile::Securable::Schema(name("a")),
            roles: vec!["r".parse().unwrap()],
        },
        Pending::NameReserved { name: name("sa"), who: vec![service.clone()] },
        Pending::NameShared { name: name("kim"), who: vec![service] },
        Pending::ExclusionUnknown { mapping: place, name: "Interns".into() },
    ];
    let told: Vec<String> = waits.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("of_what_waits", told.join("\n"));
}

#[test]
fn of_differences() {
    let text = "roles: { r: { grants: { dw: [select on a.b] } } }\nservices: { ci: { principal: x } }\n";
    let more = "roles:
  r: { direct: true, grants: { dw: [select on a.b] } }
  e: { grants: { dw: [select on a.b] } }
  d: { define: { rg: { name: Starter, description: Starts, actions: [Microsoft.Compute/virtualMachines/*], not_actions: [Microsoft.Compute/virtualMachines/delete], data_actions: [Microsoft.Storage/a/read], not_data_actions: [Microsoft.Storage/a/b/read] } } }
services:
  ci: { principal: x, client_id: 00000000-0000-4000-8000-000000000001, token: { issuer: \"https://i\", audience: a, subject: s } }
guards: { break_glass: { longest: 2h, second_person: true, also: [r] }, steps: { hold: [drop role], second_person: true } }
views:
  secure.a: { targets: dw, from: x.y, columns: { a: show, b: { mask: redact, for: [d], unless: [e] } }, rows: [{ group: Boston, source: entra }] }
";
    let old = map(text).unwrap();
    let new = match map(more) {
        Ok(new) => new,
        Err(faults) => panic!("{faults}"),
    };
    let told: Vec<String> = diff::diff(&old, &new).iter().map(ToString::to_string).collect();
    let entered = |auth: &str, tls: &str| {
        let text = format!(
            "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: 127.0.0.1, database: d, auth: {{ token-file: {auth} }}, tls: {tls} }}\n"
        );
        RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}"))
    };
    let ways = diff::diff(&entered("a", "off"), &entered("b", "{ ca: ca.pem }"));
    let mut ways: Vec<String> = ways.iter().map(ToString::to_string).collect();
    let script = |seen: &str| {
        let text = format!(
            "axon: 1\ntargets:\n  sc: {{ kind: script, dialect: dedicated, database: d, out: steps{seen} }}\n"
        );
        RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}"))
    };
    let seen = diff::diff(&script(""), &script(", catalog: catalog.json"));
    ways.extend(seen.iter().map(ToString::to_string));
    insta::assert_snapshot!("of_differences", format!("{}\n\n{}", told.join("\n"), ways.join("\n")));
}

#[test]
fn of_what_is_not_supported() {
    let text = "roles:
  r: { grants: { dw: [select on a.b] }, impersonate: { ws: { roles: [other], for: 1h } } }
  odd: { direct: true, grants: { dw: [classifier in largerc] } }
  other: { grants: { dw: [select on a.b] } }
mappings: [{ groups: { any: [g] }, source: entra, roles: [r, odd, other] }]
";
    let parsed = map(text).unwrap_or_else(|faults| panic!("{faults}"));
    let found: Vec<String> = check(&parsed, None, NOW).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("of_what_is_not_supported", found.join("\n"));
}

/// What the new map would change for people.
fn previewed(old: &Arc<RoleMap>, new: &Arc<RoleMap>, directory: &Directory) -> Preview {
    let (identity, beside) = (Arc::<Identity>::default(), Arc::default());
    preview(Compared { old: Some(old), new, directory, identity: &identity, beside: &beside, now: NOW })
}

#[test]
fn of_a_comment_that_would_be_too_long() {
    let of = |columns: usize| {
        let mut text = "axon: 1\ntargets:\n".to_owned();
        let long = "x".repeat(100);
        let mut lines = String::new();
        for n in 0..24 {
            let target = format!("t{n}");
            writeln!(text, "  {target}: {{ kind: synapse-dedicated, host: h, database: d{n}, auth: {{ token-file: t }} }}").unwrap();
            let grants: Vec<String> = (0..columns).map(|c| format!("select on s.{long}{c}")).collect();
            write!(lines, "{target}: [{}], ", grants.join(", ")).unwrap();
        }
        write!(text, "roles: {{ r: {{ grants: {{ {lines} }} }} }}\nmappings: [{{ groups: {{ any: [Readers] }}, source: entra, roles: [r] }}]\n").unwrap();
        Arc::new(RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}")))
    };
    let (old, new, directory) = (of(1), of(25), directory());
    let preview = previewed(&old, &new, &directory);
    let text = markdown(&Report { preview: &preview, steps: &[], every_step: false });
    assert!(text.len() < 65_000, "{}", text.len());
    let told: BTreeSet<&str> = text.lines().filter(|line| line.contains(" more")).collect();
    insta::assert_snapshot!(
        "of_a_comment_that_would_be_too_long",
        told.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn of_a_target_that_only_adds() {
    let of = |line: &str, who: &str| {
        let text = format!(
            "axon: 1\ntargets:\n  dw: {{ kind: synapse-dedicated, host: h, database: d, mode: additive, auth: {{ token-file: t }}, manage: {{ schemas: [secure] }} }}\nroles: {{ r: {{ grants: {{ dw: [{line}] }} }} }}\nmappings:\n  - {{ groups: {{ any: [Readers] }}, source: entra, roles: [r], when: 'userName eq \"{who}\"' }}\nviews:\n  secure.a: {{ targets: dw, from: x.y, columns: {{ a: show }}, rows: [{{ group: Boston }}] }}\n"
        );
        Arc::new(RoleMap::parse(&[("m.yaml", &text)]).unwrap_or_else(|faults| panic!("{faults}")))
    };
    let (old, new, directory) = (
        of("select on a.b, select on secure.a", "kim"),
        of("select on a.b, select on a.c", "lee"),
        people(true),
    );
    let told = previewed(&old, &new, &directory).to_string();
    let names: BTreeSet<&str> = told.lines().filter(|line| line.contains("mode ")).collect();
    assert_eq!(names.len(), 1, "{told}");
    insta::assert_snapshot!("of_a_target_that_only_adds", told);
}
