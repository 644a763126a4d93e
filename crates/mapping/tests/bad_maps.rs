//! What people get wrong, and what they are told: one golden file that a person can review.

use std::fmt::Write as _;

use axon_mapping::RoleMap;

/// A map that is right: each case below spoils one part of it.
const TARGET: &str = "
  dw: { kind: synapse-dedicated, host: 127.0.0.1, database: dw, auth: { token-file: t } }";

fn map(roles: &str, mappings: &str) -> String {
    format!("axon: 1\ntargets:{TARGET}\nroles:\n{roles}\nmappings:\n{mappings}\n")
}

const ROLE: &str = "  reader:\n    grants: { dw: [select on a.b] }";
const RULE: &str = "  - { groups: { any: [g] }, source: entra, roles: [reader] }";

#[expect(clippy::too_many_lines, reason = "a list of cases, one line each")]
fn cases() -> Vec<(&'static str, String)> {
    let target = |t: &str| {
        format!("axon: 1\ntargets:\n  dw:\n    kind: synapse-dedicated\n    host: h\n    database: d\n{t}")
    };
    let auth = |a: &str| target(&format!("    auth: {a}"));
    let ok = |t: &str| target(&format!("    auth: {{ token-file: t }}\n{t}"));
    let line = |l: &str| map(&format!("  reader:\n    grants:\n      dw:\n        - {l}"), RULE);
    let rule = |r: &str| map(ROLE, r);
    vec![
        ("empty", String::new()),
        ("not a mapping", "- a\n- b\n".into()),
        ("no version", "roles: {}\n".into()),
        ("another version", "axon: 2\n".into()),
        ("not yaml", "axon: 1\nroles: [a, b\n".into()),
        ("tabs", "axon: 1\nroles:\n\ta: {}\n".into()),
        ("a tab behind a value", "axon: 1\n\troles: {}\n".into()),
        ("an alias", "axon: 1\nroles:\n  a: &x {}\n  b: *x\n".into()),
        ("two documents", "axon: 1\n---\naxon: 1\n".into()),
        ("a key twice", "axon: 1\nroles:\n  a: {}\n  b: {}\n  a: {}\n".into()),
        ("an unknown key", "axon: 1\nrolse: {}\n".into()),
        ("an unknown key far from all", "axon: 1\nbanana: {}\n".into()),
        ("a scope with a query", "axon: 1\ntargets:\n  w: { kind: azure-rbac, scope: \"/x?y\", auth: managed-identity }\n".into()),
        ("an endpoint in clear", "axon: 1\ntargets:\n  w: { kind: synapse-workspace, endpoint: \"http://acme.dev\", auth: managed-identity }\n".into()),
        ("a script of no dialect", "axon: 1\ntargets:\n  w: { kind: script, dialect: script, out: x.sql, auth: managed-identity }\n".into()),
        ("a key of another kind", "axon: 1\ntargets:\n  w: { kind: synapse-workspace, host: h, auth: managed-identity }\n".into()),
        ("a host with more in it", ok("").replace("host: h", "host: \"h;User=sa\"")),
        ("a login where roles are assigned", "axon: 1\ntargets:\n  w: { kind: azure-rbac, scope: /x, auth: { sql: { user: a, password: \"${env:P}\" } } }\n".into()),
        ("a set of databases and others", format!("{}\n  w: {{ kind: azure-rbac, scope: /x, auth: managed-identity }}\ntarget-sets: {{ all: [dw, w] }}\n", ok(""))),
        ("T-SQL where roles are assigned", "axon: 1\ntargets:\n  w: { kind: azure-rbac, scope: /x, auth: managed-identity }\nroles:\n  r: { grants: { w: [select on a.b] } }\n".into()),
        ("a role of Azure by its system", "axon: 1\ntargets:\n  w: { kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\", auth: managed-identity }\nroles:\n  r: { grants: { w: [\"azure:Reader\"] } }\n".into()),
        ("a role of a workspace by its system", "axon: 1\ntargets:\n  w: { kind: azure-rbac, scope: /x, auth: managed-identity }\nroles:\n  r: { grants: { w: [\"synapse: Synapse User\"] } }\n".into()),
        ("a script for no database", "axon: 1\ntargets:\n  w: { kind: script, dialect: dedicated, out: x.sql }\n".into()),
        ("a script for one of two databases", format!("{}\n  w: {{ kind: script, dialect: dedicated, out: x.sql }}\n  x: {{ kind: script, dialect: dedicated, database: dx, out: x }}\n", ok(""))),
        ("two scripts of one file", "axon: 1\ntargets:\n  v: { kind: script, dialect: dedicated, database: d, out: x.sql }\n  w: { kind: script, dialect: dedicated, database: d, out: ./x.sql }\n".into()),
        ("an unknown kind", "axon: 1\ntargets:\n  w: { kind: synapse-dedicatd, host: h }\n".into()),
        ("a target without its keys", "axon: 1\ntargets:\n  w:\n    kind: synapse-dedicated\n".into()),
        ("auth with a client secret in clear", auth("{ client-secret: { tenant_id: t, client_id: x, secret: hunter2 } }")),
        ("auth with half an application", auth("{ workload-identity: { tenant: t, client_id: x } }")),
        ("auth of nobody", auth("managed-idenity")),
        ("a password in clear", auth("{ sql: { user: sa, password: hunter2 } }")),
        ("a mistyped password key", auth("{ sql: { user: sa, pasword: hunter2 } }")),
        ("a mistyped auth key", target("    atuh: { sql: { user: sa, pass: hunter2 } }")),
        ("sql where entra is needed", target("    mode: additive\n    auth: { sql: { user: a, password: \"${env:P}\" } }")),
        ("people of Azure who are there already", "axon: 1\ntargets:\n  w: { kind: azure-rbac, scope: /x, auth: managed-identity, manage: { principals: existing } }\n".into()),
        ("a secret outside auth", ok("    principal: \"${env:HOME}\"")),
        ("an unknown variable", ok("    principal: \"{userName}${sufix}\"")),
        ("tls off over a network", ok("    tls: off")),
        ("a port out of range", ok("    port: 70000")),
        ("an unknown mode", ok("    mode: authorative")),
        ("a principal with a list", ok("    principal: \"{emails.value}\"")),
        ("a principal without a path", ok("    principal: everybody")),
        ("a mistyped path", ok("    principal: \"{usrName}\"")),
        ("an unknown function", ok("    principal: \"{userName.trim()}\"")),
        ("a role name without the role", ok("    role_name: axon")),
        (
            "a role name outside what is managed",
            format!("{}\nroles:\n  r: {{ grants: {{ dw: [select on a.b] }} }}\n", ok("    manage: { roles: [\"x_*\"] }")),
        ),
        ("an exception that is a pattern", ok("    manage: { except: [\"db_*\"] }")),
        ("an exception that is no name", ok("    manage: { except: [\"\"] }")),
        (
            "a line of a role that is left to people",
            line("per person: member of db_owner").replacen("token-file: t }", "token-file: t }, manage: { except: [DB_OWNER] }", 1),
        ),
        (
            "a role of the map's own that is left to people",
            format!("{}\nroles:\n  r: {{ grants: {{ dw: [select on a.b] }} }}\n", ok("    manage: { except: [axon_r] }")),
        ),
        (
            "a line of a workspace's role that is left to people under another name",
            "axon: 1\ntargets:\n  ws: { kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\", auth: managed-identity, \
             manage: { except: [Apache Spark Administrator] } }\nroles:\n  r: { grants: { ws: [Synapse Apache Spark Administrator] } }\n".to_owned(),
        ),
        (
            "a role that the map makes and leaves to people",
            "axon: 1\ntargets:\n  rg: { kind: azure-rbac, scope: /subscriptions/0/resourceGroups/data, auth: managed-identity, \
             manage: { except: [odd] } }\nroles:\n  r: { define: { rg: { name: Odd, actions: [Microsoft.DataFactory/factories/read] } } }\n".to_owned(),
        ),
        ("a grant with a mistyped permission", line("selct on sales.orders")),
        ("a grant without a schema", line("select on orders")),
        ("a grant with a grantee", line("select on sales.orders to public")),
        ("a grant in quotes with a fault", line("'select on [sales].[orders'")),
        ("a grant with another key", line("per persn: member of mediumrc")),
        ("a grant that smuggles", line("\"select on a.b; drop user [dbo]\"")),
        ("a grant on secure views as a whole", format!(
            "{}\nroles:\n  r: {{ grants: {{ dw: [\"select on schema::secure\"] }} }}\n",
            ok("    manage: { roles: [\"axon_*\"], schemas: [secure] }")
        )),
        ("a member of an own role", line("member of axon_reader")),
        ("grants of an unknown target", map("  reader:\n    grants: { dww: [select on a.b] }", RULE)),
        ("includes of nobody", map("  reader: { includes: [raeder] }", RULE)),
        ("includes in a circle", map("  reader: { includes: [b] }\n  b: { includes: [c] }\n  c: { includes: [b] }", RULE)),
        ("impersonation of nobody, for too long", map("  reader: { impersonate: { dw: { roles: [raeder], for: 48h, reason: maybe } } }", RULE)),
        ("a role's name with a brace", map("  \"re{ad}er\": {}", "")),
        ("a mapping of an unknown role", rule("  - { groups: { any: [g] }, source: entra, roles: [raeder] }")),
        ("a mapping without a source", rule("  - { groups: { any: [g] }, roles: [reader] }")),
        ("a mapping of nobody", rule("  - { roles: [reader] }")),
        ("a mapping that only shuts out", rule("  - { groups: { none: [g] }, source: entra, roles: [reader] }")),
        ("a condition with a mistyped attribute", rule(
            "  - groups: { any: [g] }\n    source: entra\n    roles: [reader]\n    when: userType eq \"x\" and departmnt eq \"y\"",
        )),
        ("a condition on groups", rule(
            "  - { groups: { any: [g] }, source: entra, roles: [reader], when: groups.display eq \"x\" }",
        )),
        ("captures without bounds", rule(
            "  - { groups: { match: \"^x-(?<r>.*)$\" }, source: entra, roles: \"{r}\", trust: true }",
        )),
        ("a capture that is not there", rule(
            "  - { groups: { match: \"^x-(?<r>.*)$\" }, source: entra, roles: \"{role}\", only: [reader], trust: true }",
        )),
        ("trust without a pattern", rule("  - { groups: { any: [G] }, source: entra, roles: [reader], trust: true }")),
        ("a broken pattern", rule("  - { groups: { match: \"x-(\" }, source: entra, roles: [reader], trust: true }")),
        ("a pattern that closes our bracket", rule("  - { groups: { match: \"x)|(?:y\" }, source: entra, roles: [reader], trust: true }")),
        ("an instant without a zone", rule(
            "  - { groups: { any: [g] }, source: entra, roles: [reader], until: 2027-06-30 }",
        )),
        ("a condition on a whole group", rule(
            "  - { groups: { any: [g] }, source: entra, roles: [reader], via: group, when: userType pr }",
        )),
        ("an unknown service identity", rule("  - { service: ci, roles: [reader] }")),
        ("a service identity with a condition", format!(
            "{}services: {{ ci: {{ principal: axon-ci }} }}\n",
            rule("  - { service: ci, when: userType pr, roles: [reader] }")
        )),
                (
            "service identities with names of others",
            format!("{}\nservices:\n  a: {{ principal: dbo }}\n  b: {{ principal: axon_x, client_id: 7 }}\n", ok("")),
        ),
        (
            "an empty password reference",
            auth("{ sql: { user: sa, password: \"${env:}\" } }"),
        ),
        (
            "separations that say nothing",
            format!("{}rules:\n  separate: [[reader], [reader, raeder], [reader, reader]]\n", map(ROLE, RULE)),
        ),
        (
            "one role that holds both sides",
            format!(
                "{}rules:\n  separate: [[reader, writer]]\n",
                map(&format!("{ROLE}\n  writer: {{}}\n  boss: {{ includes: [reader, writer] }}"), RULE)
            ),
        ),
        (
            "whole groups and separate roles",
            format!(
                "{}rules:\n  separate: [[reader, writer]]\n",
                map(&format!("{ROLE}\n  writer: {{}}"), "  - { groups: { any: [g] }, source: entra, roles: [reader], via: group }")
            ),
        ),
        (
            "what is forbidden by effect",
            format!(
                "{}rules:\n  forbid: [control on database, select on hr.people, deny select on a.b, slect on x.y]\n",
                map(
                    "  reader:\n    grants:\n      dw:\n        - per person: member of db_owner\n        - alter any user on database\n        - select on schema::hr\n        - select on sales.orders",
                    RULE
                )
            ),
        ),
        (
            "what is forbidden by lines of several roles",
            format!(
                "{}rules:\n  forbid: [select on hr.people]\n",
                map(
                    "  maker: { grants: { dw: [create view on database] } }\n  painter: { grants: { dw: [alter on schema::staging] } }\n  reader: { grants: { dw: [select on schema::staging] } }\n  apart: { grants: { dw: [create procedure on database] } }",
                    "  - { groups: { any: [m] }, source: entra, roles: [maker] }\n  - { groups: { any: [p] }, source: entra, roles: [painter] }\n  - { groups: { any: [r] }, source: okta, roles: [reader] }"
                )
            ),
        ),
        ("an unknown rule", "axon: 1\nrules: { seperate: [] }\n".into()),
        (
            "secure views",
            format!(
                "{}views:\n  secure.a:\n    targets: dw\n    from: secure.a\n    columns: {{ x: show, X: show, y: {{ mask: emial }}, z: {{ mask: last(0), unless: [nobody] }}, w: shown }}\n    rows:\n      - where: region is user.region\n      - where: a eq 1 or b eq 2\n      - role: raeder\n      - {{ role: reader, where: a eq 1 }}\n  b: {{ targets: dw, from: x.y, columns: {{ q: hide }} }}\n  Secure.A: {{ targets: dx, from: x.y }}\n",
                map(ROLE, RULE)
            ),
        ),
        (
            "views in circles",
            format!(
                "{}views:\n  secure.a: {{ targets: dw, from: secure.b, columns: {{ x: show }} }}\n  secure.b: {{ targets: dw, from: SECURE.A, columns: {{ x: show }} }}\n  secure.into: {{ targets: dw, from: secure.a, columns: {{ x: show }} }}\n  secure.c: {{ targets: dw, from: secure.d, columns: {{ x: show }} }}\n  secure.d: {{ targets: dw, from: secure.e, columns: {{ x: show }} }}\n  secure.e: {{ targets: dw, from: secure.c, columns: {{ x: show }} }}\n",
                ok("    manage: { roles: [\"axon_*\"], schemas: [secure] }\n")
            ),
        ),
        (
            "tests",
            format!(
                "{}tests:\n  - user: {{ groups: [g] }}\n    has: {{ dw: [select on a.b] }}\n  - user: {{ userName: k, departmnt: x, active: maybe }}\n    lacks: {{ dx: [select on a.b] }}\n  - user: {{ userName: k }}\n  - {{ service: ci, has: {{ dw: [slect on a.b] }} }}\n  - {{ has: {{ dw: [select on a.b] }} }}\n",
                map(ROLE, RULE)
            ),
        ),
        (
            "a test without its source",
            format!(
                "{}tests:\n  - {{ user: {{ userName: k }}, roles: [reader] }}\n",
                map(ROLE, &format!("{RULE}\n  - {{ groups: {{ any: [h] }}, source: okta, roles: [reader] }}"))
            ),
        ),
        (
            "lints silenced badly",
            format!("{}# lint: allow unreachable-rle: x\n# lint: allow unreachable-role\n# lint: allow past-until:\n", map(ROLE, RULE)),
        ),
        ("a byte order mark", format!("\u{feff}{}", map(ROLE, RULE))),
        ("a byte order mark inside", format!("{}\u{feff}", map(ROLE, RULE))),
        ("a pattern beyond all bounds", rule(&format!(
            "  - {{ groups: {{ match: \"{}\" }}, source: entra, roles: [reader], trust: true }}", "a".repeat(2_100)
        ))),
        ("a pattern nested deep", rule(&format!(
            "  - {{ groups: {{ match: \"{}x{}\" }}, source: entra, roles: [reader], trust: true }}", "(".repeat(60), ")".repeat(60)
        ))),
        ("a pattern that would need much", rule(
            "  - { groups: { match: \"((x{100}){100}){100}\" }, source: entra, roles: [reader], trust: true }",
        )),
("guards", "axon: 1\nguards:\n  removals: { window: 24, most: 5 }\n  steps: { hold: [drop users] }\n  protect: [{ principal: x }]\n".into()),
    ]
}

#[test]
fn bad_maps_are_told_what_is_wrong() {
    let mut told = String::new();
    for (name, text) in cases() {
        let faults = match RoleMap::parse(&[("role-map.yaml", &text)]) {
            Ok(_) => panic!("`{name}` was read:\n{text}"),
            Err(faults) => faults.to_string(),
        };
        assert!(!faults.contains("hunter2"), "{name} shows a secret:\n{faults}");
        writeln!(told, "## {name}\n{faults}\n").unwrap();
    }
    insta::assert_snapshot!("bad_maps", told);
}

#[test]
fn the_map_that_the_cases_spoil_is_right() {
    RoleMap::parse(&[("role-map.yaml", &map(ROLE, RULE))]).unwrap_or_else(|e| panic!("{e}"));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_places_inside_it(text in "(axon: 1\n)?[a-z:{}\\[\\]\\-\"' \n#&*!|>$?,]{0,80}") {
        if let Err(faults) = RoleMap::parse(&[("m.yaml", &text)]) {
            for fault in faults.faults() {
                let lines = text.split('\n').count();
                proptest::prop_assert!(fault.place.line as usize <= lines.max(1), "{fault}");
            }
        }
    }
}
