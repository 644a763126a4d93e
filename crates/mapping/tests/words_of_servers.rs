//! What a map is told of the server of a serverless pool, and of acting as others, word for word.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fmt::Write as _;

use axon_mapping::RoleMap;
use axon_mapping::acting::NoActing;
use time::Duration;

const TARGETS: &str = "axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: dw, auth: { token-file: t }METADATA }
  sv: { kind: synapse-serverless, host: s, database: master, auth: { token-file: t } }
  sd: { kind: synapse-serverless, host: s, database: lake, auth: { token-file: t } }
";

/// Each map is refused, and told so under its name.
fn refused(cases: &[(&str, &str, &str)]) -> String {
    let mut told = String::new();
    for (name, metadata, rest) in cases {
        let text = format!("{}{rest}", TARGETS.replace("METADATA", metadata));
        let read = RoleMap::parse(&[("m.yaml", &text)]);
        let faults = read.map_or_else(|faults| faults.to_string(), |_| panic!("`{name}` was read:\n{text}"));
        writeln!(told, "## {name}\n{faults}\n").unwrap();
    }
    told
}

#[test]
fn of_servers() {
    let direct = |line: &str| format!("roles: {{ r: {{ direct: true, grants: {{ sv: [{line}] }} }} }}\n");
    let in_database = |line: &str| format!("roles: {{ r: {{ grants: {{ sd: [{line}] }} }} }}\n");
    let forbid = |line: &str| format!("{}rules: {{ forbid: [control on database] }}\n", direct(line));
    let cases = [
        ("a role of the map", "roles: { r: { grants: { sv: [view any database on server] } } }\n".to_owned()),
        ("a table of a server", direct("select on a.b")),
        ("a fixed role of databases", direct("\"per person: member of db_datareader\"")),
        ("a line on the server in a database", in_database("view any database on server")),
        ("a fixed role of servers in a database", in_database("\"per person: member of sysadmin\"")),
        (
            "a credential in a dedicated pool",
            "roles: { r: { grants: { dw: [references on credential::c] } } }\n".to_owned(),
        ),
        ("a server by its name", direct("view any database on server::s")),
        ("CONNECT SQL", direct("connect sql on server")),
        ("SELECT on the server", direct("select on server")),
        ("INSERT on a credential", direct("insert on credential::c")),
        ("a permission of servers elsewhere", in_database("view any database on schema::s")),
        (
            "CONTROL SERVER where users are not to be altered",
            forbid("control server on server")
                .replace("[control on database]", "[alter any user on database]"),
        ),
        ("logins where CONTROL is forbidden", forbid("alter any login on server")),
        ("roles of the server where CONTROL is forbidden", forbid("alter any server role on server")),
    ];
    let mut cases: Vec<(&str, &str, &str)> =
        cases.iter().map(|(name, text)| (*name, "", text.as_str())).collect();
    let file = " }\n  f: { kind: script, dialect: serverless, database: master, out: steps";
    cases.push(("logins in a file", file, ""));
    insta::assert_snapshot!("of_servers", refused(&cases));
}

#[test]
fn of_acting() {
    let acting = "  s: { impersonate: { dw: { roles: [r], for: 1h } } }\n";
    let roles = format!("roles:\n  r: {{ grants: {{ dw: [select on a.b] }} }}\n{acting}");
    let named = roles.replace("  r:", "  AXON_X:").replace("[r]", "[AXON_X]");
    let refused = refused(&[
        ("a reserved role", ", metadata: { impersonation: db_owner }", &roles),
        ("a role outside of the fence", ", metadata: { impersonation: others }", &roles),
        ("a role that is there", ", role_name: \"{role}\", metadata: { impersonation: AXON_X }", &named),
    ]);
    let (actor, person) = (|| "ann".to_owned(), || "bob".to_owned());
    let target = || "dw".parse().unwrap();
    let role = || "reader".parse().unwrap();
    let no = [
        NoActing::NotThere(target()),
        NoActing::WouldNotEnd(target()),
        NoActing::Oneself,
        NoActing::NoRole { actor: actor(), target: target() },
        NoActing::Nobody { person: person(), target: target() },
        NoActing::Nested { person: person() },
        NoActing::Administrator { person: person(), role: role(), why: "member of db_owner".into() },
        NoActing::Protected { person: person() },
        NoActing::More { actor: actor(), person: person(), role: role(), allowed: "analyst, finance".into() },
        NoActing::TooLong { asked: Duration::hours(9), longest: Duration::hours(1) },
    ];
    let no: Vec<String> = no.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("of_acting", format!("{refused}## asked for\n{}", no.join("\n")));
}
