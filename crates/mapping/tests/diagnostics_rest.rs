//! What the golden file of bad maps does not say: each other refusal of the language, word for word.

use std::fmt::Write as _;

use axon_mapping::{RoleMap, check};

const TARGETS: &str = "
  dw: { kind: synapse-dedicated, host: 127.0.0.1, database: dw, auth: { token-file: t }, manage: { schemas: [secure] } }
  rg: { kind: azure-rbac, scope: /subscriptions/x, auth: managed-identity }";
const ROLE: &str = "  reader: { grants: { dw: [select on a.b] } }";
const RULE: &str = "  - { groups: { any: [g] }, source: entra, roles: [reader] }";

fn map(roles: &str, mappings: &str) -> String {
    format!("axon: 1\ntargets:{TARGETS}\nroles:\n{roles}\nmappings:\n{mappings}\n")
}

/// Each case is told under its name. A case is right but for one part of it.
fn told(cases: Vec<(&str, String)>) -> String {
    let mut told = String::new();
    for (name, text) in cases {
        let faults = match RoleMap::parse(&[("role-map.yaml", &text)]) {
            Ok(_) => panic!("`{name}` was read:\n{text}"),
            Err(faults) => faults.to_string(),
        };
        assert!(!faults.contains("hunter2"), "{name} shows a secret:\n{faults}");
        writeln!(told, "## {name}\n{faults}\n").expect("a text takes all");
    }
    told
}

#[test]
fn of_files_and_names() {
    let deep = |n: usize| format!("axon: 1\nvars: {}{}\n", "[".repeat(n), "]".repeat(n));
    let set = |set: &str| format!("{}target-sets: {{ {set} }}\n", map(ROLE, RULE));
    let list = format!("axon: 1\nvars: [{}]\n", "1,".repeat(1_000_001));
    insta::assert_snapshot!(
        "of_files_and_names",
        told(vec![
            ("values without end", list),
            ("lists in lists", deep(100)),
            ("a list that is a key", "axon: 1\nvars: { [a, b]: x }\n".into()),
            ("a mapping that is a key", "axon: 1\n? { a: b }\n: x\n".into()),
            ("a key of nothing", "axon: 1\nvars: { \"\": x }\n".into()),
            ("a variable's name with a brace", "axon: 1\nvars: { \"a{b\": x }\n".into()),
            ("a variable of variables", "axon: 1\nvars: { a: x, b: \"${a}y\" }\n".into()),
            (
                "a variable that is nearly there",
                format!(
                    "vars: {{ suffix: x }}\n{}",
                    map(ROLE, "  - { groups: { any: [\"g${sufix}\"] }, source: entra, roles: [reader] }")
                )
            ),
            ("a set with a target's name", set("dw: [dw]")),
            ("a set of nobody", set("all: [dww]")),
            ("a target's name with a blank", map(ROLE, RULE).replace("  rg:", "  \"r g\":")),
            (
                "a service identity's name with a blank",
                format!("{}services: {{ \"a b\": {{ principal: x }} }}\n", map(ROLE, RULE))
            ),
            (
                "two roles of one name",
                map(ROLE, RULE)
                    .replace("database: dw,", "database: dw, role_name: \"axon_{role}\",")
                    .replace("  reader: {", "  Reader: { grants: { dw: [select on a.b] } }\n  reader: {")
            ),
            (
                "a role that the pool keeps for itself",
                map(&ROLE.replace("reader", "owner"), &RULE.replace("reader", "owner"))
                    .replace("database: dw,", "database: dw, role_name: \"db_{role}\",")
            ),
            (
                "a role whose name is too long",
                map(ROLE, RULE).replace(
                    "database: dw,",
                    &format!("database: dw, role_name: \"{}{{role}}\",", "x".repeat(125))
                )
            ),
        ])
    );
}

#[test]
fn of_targets() {
    let target = |keys: &str| format!("axon: 1\ntargets:\n  dw: {{ {keys} }}\n");
    let dedicated = |keys: &str| target(&format!("kind: synapse-dedicated, host: h, database: d, {keys}"));
    let auth = |auth: &str| dedicated(&format!("auth: {auth}"));
    let principal =
        |principal: &str| dedicated(&format!("auth: {{ token-file: t }}, principal: \"{principal}\""));
    insta::assert_snapshot!(
        "of_targets",
        told(vec![
            (
                "a database that no pool names",
                target("kind: synapse-dedicated, host: h, database: \"\\u0007\", auth: { token-file: t }")
            ),
            (
                "a workspace that is no name",
                target(
                    "kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\", workspace: \"a/b\", auth: managed-identity"
                )
            ),
            (
                "a tenant that is a list",
                auth("{ client-secret: { tenant_id: [a], client_id: x, secret: \"${env:S}\" } }")
            ),
            (
                "a secret that is a list",
                auth("{ client-secret: { tenant_id: a, client_id: x, secret: [hunter2] } }")
            ),
            ("a way that there is not", auth("{ device-code: x }")),
            ("an identity of nobody", auth("{ managed-identity: {} }")),
            (
                "a certificate that is left out",
                auth("{ client-certificate: { tenant_id: a, client_id: x } }")
            ),
            ("a program of nothing", auth("{ token-command: [] }")),
            ("a bracket that is not opened", principal("{userName}}")),
            ("a bracket that is not closed", principal("x{userName")),
            ("a function without its path", principal("{lower()}")),
            ("a path with parts", principal("{name}")),
            ("a path that says nothing of a person", principal("{password}")),
        ])
    );
}

#[test]
fn of_roles_and_grants() {
    let line = |line: &str| map(&format!("  reader:\n    grants:\n      dw:\n        - {line}"), RULE);
    let define = |define: &str| map(&format!("  reader: {{ define: {{ rg: {{ {define} }} }} }}"), RULE);
    let mut nested = String::new();
    for n in 0..60 {
        writeln!(nested, "  r{n}: {{ includes: [r{}] }}", n + 1).unwrap();
    }
    nested.push_str("  r60: {}");
    insta::assert_snapshot!(
        "of_roles_and_grants",
        told(vec![
            ("a name that is too long", line(&format!("select on a.{}", "b".repeat(10_000)))),
            ("a line that is too long", line(&format!("select on a.b ({}c)", "c, ".repeat(70_000)))),
            ("a comma that YAML took", map("  reader: { grants: { dw: [select, insert on a.b] } }", RULE)),
            ("actions without end", define(&format!("name: Starter, actions: [{}]", "a/b, ".repeat(5_000)))),
            ("the right to give", line("select on a.b with grant option")),
            ("a word too many", line("select on a.b now")),
            ("a permission per person", line("\"per person: select on a.b\"")),
            ("a member of nothing", line("member of")),
            ("columns before the object", line("select (x) on a.b")),
            ("a database by its name", line("control on database::dw")),
            ("a class that there is not", line("select on table::a.b")),
            ("nothing after on", line("select on")),
            ("an object of another database", line("select on x.a.b")),
            (
                "an assigned role with a mark in it",
                map("  reader: { grants: { rg: [\"Rea\\u0007der\"] } }", RULE)
            ),
            ("a role of Azure that allows nothing", define("name: Starter")),
            (
                "a role that is made where none can be",
                map(
                    "  reader: { define: { dw: { name: Starter, actions: [Microsoft.Synapse/workspaces/read] } } }",
                    RULE
                )
            ),
            ("an action of everything", define("name: Starter, actions: [\"*\"]")),
            (
                "includes without end",
                map(&nested, "  - { groups: { any: [g] }, source: entra, roles: [r0] }")
            ),
            (
                "columns in what is forbidden",
                format!("{}rules: {{ forbid: [\"select on table::a.b\"] }}\n", map(ROLE, RULE))
            ),
        ])
    );
}

#[test]
fn of_mappings_and_services() {
    let rule = |r: &str| map(ROLE, &format!("  - {{ {r} }}"));
    let when =
        |when: &str| rule(&format!("groups: {{ any: [g] }}, source: entra, roles: [reader], when: '{when}'"));
    let token = |token: &str| {
        format!(
            "{}services: {{ ci: {{ principal: x, token: {{ issuer: \"https://i\", audience: a, {token} }} }} }}\n",
            map(ROLE, RULE)
        )
    };
    insta::assert_snapshot!(
        "of_mappings_and_services",
        told(vec![
            ("a condition that is too long", when(&format!("userType eq \"{}\"", "x".repeat(10_000)))),
            ("a condition of too many parts", when(&vec!["title pr"; 130].join(" or "))),
            ("a condition on what no source pushes", when("id eq \"x\"")),
            ("a source that is no name", rule("groups: { any: [g] }, source: \"a b\", roles: [reader]")),
            (
                "groups and a service at once",
                format!(
                    "{}services: {{ ci: {{ principal: x }} }}\n",
                    rule("groups: { any: [g] }, source: entra, service: ci, roles: [reader]")
                )
            ),
            ("groups of nothing", rule("groups: { any: [] }, source: entra, roles: [reader]")),
            ("roles of nothing", rule("groups: { any: [g] }, source: entra, roles: []")),
            (
                "bounds of a plain list",
                rule("groups: { match: \"x\" }, source: entra, roles: [reader], only: [reader], trust: true")
            ),
            (
                "captures beside names",
                rule(
                    "groups: { any: [g], match: \"^(?<r>x)$\" }, source: entra, roles: \"{r}\", only: [reader], trust: true"
                )
            ),
            (
                "captures of a service",
                format!(
                    "{}services: {{ ci: {{ principal: x }} }}\n",
                    rule("service: ci, roles: \"{r}\", only: [reader]")
                )
            ),
            (
                "whole groups that are asked for all",
                rule("groups: { all: [g, h] }, source: entra, roles: [reader], via: group")
            ),
            (
                "whole groups that leave out",
                rule("groups: { any: [g], none: [h] }, source: entra, roles: [reader], via: group")
            ),
            ("a token of every job", token("claims: { ref: x }")),
            ("a token that asks for its own keys", token("claims: { iss: x, project_path: y }")),
        ])
    );
}

#[test]
fn of_guards_views_and_tests() {
    let view =
        |view: &str| format!("{}views:\n  secure.a: {{ targets: dw, from: x.y, {view} }}\n", map(ROLE, RULE));
    let mask = |mask: &str| view(&format!("columns: {{ a: {{ mask: \"{mask}\" }} }}"));
    let row = |row: &str| view(&format!("columns: {{ a: show }}, rows: [{{ {row} }}]"));
    let condition = |text: &str| row(&format!("where: \"{text}\""));
    let test = |test: &str| {
        format!("{}tests:\n  - {{ {test}, lacks: {{ dw: [select on c.d] }} }}\n", map(ROLE, RULE))
    };
    insta::assert_snapshot!(
        "of_guards_views_and_tests",
        told(vec![
            ("a break-glass for a month", "axon: 1\nguards: { break_glass: { longest: 30d } }\n".into()),
            (
                "a break-glass of nobody's role",
                format!("{}guards: {{ break_glass: {{ also: [raeder] }} }}\n", map(ROLE, RULE))
            ),
            (
                "a view where roles are assigned",
                view("columns: { a: show }").replace("targets: dw", "targets: rg")
            ),
            ("a table with columns", view("columns: { a: show }").replace("from: x.y", "from: x.y (z)")),
            (
                "a view that is closed when somebody answers",
                format!("{}guards: {{ steps: {{ hold: [close view] }} }}\n", map(ROLE, RULE))
            ),
            ("a view of keys", view("columns: { a: show }").replace("from: x.y", "from: AXON.mask_keys")),
            (
                "views of each table of keys",
                view("columns: { a: show }")
                    .replace("secure.a", "\"secure.*\"")
                    .replace("from: x.y", "from: \"axon.*\"")
            ),
            ("rows without a line", view("columns: { a: show }, rows: []")),
            ("rows of a group with a long name", row(&format!("group: {}", "g".repeat(1_100)))),
            ("a constant without quotes", mask("constant(x)")),
            ("a constant without end", mask(&format!("constant('{}')", "x".repeat(5_000)))),
            ("rows of two kinds", row("role: reader, group: g")),
            ("rows of a group without a name", row("group: \"\"")),
            ("rows by a condition that is too long", condition(&format!("a eq '{}'", "x".repeat(10_000)))),
            ("rows by too many comparisons", condition(&vec!["a eq 1"; 130].join(" and "))),
            ("rows by two conditions without a word between", condition("a eq 1 b eq 2")),
            ("rows by no column", condition("1.5 eq 2")),
            ("rows by a comparison that there is not", condition("a like 'x'")),
            ("rows in one value", condition("a in 1")),
            ("rows of the last few", condition("a last few days")),
            ("rows in attributes in brackets", condition("a in (user.region)")),
            ("rows by a plain word", condition("a eq x")),
            ("rows by nothing", condition("a eq")),
            ("a test of a source that is no name", test("user: { userName: k, source: \"a b\" }")),
            ("a test of a part that there is not", test("user: { userName: k, name: { givnName: x } }")),
            ("a test of a value of another type", test("user: { userName: k, emails.primary: maybe }")),
        ])
    );
}

#[test]
fn lints_in_their_other_words() {
    let text = r#"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, manage: { schemas: [secure] } }
  ws: { kind: synapse-workspace, endpoint: "https://acme.dev.azuresynapse.net", auth: managed-identity }
roles:
  writes: { grants: { ws: [Synapse Artifact Publisher] } }
  uses: { grants: { ws: [Synapse Credential User] } }
  views: { grants: { dw: [select on secure.orders, execute on base.load] } }
  runs: { grants: { dw: [execute on base.load] } }
  table: { grants: { dw: [select on base.orders] } }
  loads:
    grants:
      dw:
        - "per person: member of db_datawriter"
        - insert on schema::axon
        - insert on database
        - update on axon.mask_keys
        - select on axon.profile
        - insert on schema::stage
mappings:
  - { groups: { any: [a] }, source: entra, roles: [writes, views] }
  - { groups: { any: [b] }, source: entra, roles: [uses, table, runs] }
guards:
  protect: [{ principal: dba@acme.com, owner: security@acme.com, until: 2026-01-01T00:00:00Z }]
views:
  secure.orders: { targets: dw, from: base.orders, columns: { id: show } }
"#;
    let map = RoleMap::parse(&[("role-map.yaml", text)]).unwrap_or_else(|e| panic!("{e}"));
    let now = time::macros::datetime!(2026-11-22 12:00 UTC);
    let found: Vec<String> = check(&map, None, now).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("lints_in_their_other_words", found.join("\n"));
}
