//! What a preview says of changes that show in nobody's row today: it never says that nothing changes where the text does.

use std::sync::Arc;

use axon_mapping::preview::{Backtester, Reach, Report, markdown};
use axon_mapping::{Beside, Compared, Identity, Preview, RoleMap, Touched, preview};
use axon_model::Directory;
use time::macros::{date, datetime};

const MAP: &str = r#"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: one, database: d, auth: { token-file: t }, manage: { schemas: [s] }, mode: authoritative }
  az: { kind: azure-rbac, scope: /subscriptions/s/resourceGroups/g, auth: managed-identity, mode: observe, via: group }
tags: { pii: [email] }
roles:
  reader: { grants: { dw: [select on a.b] } }
  shut: { grants: { dw: [deny select on a.b] } }
  maker: { grants: { dw: [insert on a.b] } }
  taker: { grants: { dw: [delete on a.b] } }
  helper: { impersonate: { dw: { roles: [reader], for: 1h } } }
  odd: { define: { az: { name: Odd, actions: [Microsoft.DataFactory/factories/read], not_actions: [Microsoft.DataFactory/factories/write] } }, grants: { az: [Odd] } }
mappings:
  - { groups: { any: [Readers], none: [Interns] }, source: s, roles: [reader], when: "userType eq \"Employee\"", until: 2027-01-01T00:00:00Z }
  - { groups: { match: "^x-(?<t>[a-z]+)$" }, source: s, roles: [odd] }
  - { service: ci, roles: [maker] }
services: { ci: { principal: axon-ci, client_id: 00000000-0000-0000-0000-000000000001, token: { issuer: "https://i", audience: aud, subject: [main] } } }
rules: { separate: [[maker, taker]], forbid: [control on database] }
guards:
  removals: { window: 24h, most: 5%, floor: 20 }
  steps: { hold: [drop role] }
  break_glass: { longest: 1h }
  protect: [{ principal: dba, owner: sec, until: 2027-01-01T00:00:00Z }]
views:
  s.v:
    targets: dw
    from: a.b
    columns: { id: show, mail: { mask: email, unless: [reader] }, pay: hide }
    rows: [{ role: reader }]
    readers: [taker]
"#;

/// One change of the text each, what it does, and words of the line that tells it.
const CHANGES: &[(&str, &str, Reach, &str)] = &[
    ("host: one", "host: two", Reach::Widened, "target dw: at one:1433, database d -> at two:1433"),
    ("database: d,", "database: e,", Reach::Widened, "database d -> at one:1433, database e"),
    (
        "/resourceGroups/g,",
        ",",
        Reach::Widened,
        "target az: at /subscriptions/s/resourceGroups/g -> at /subscriptions/s",
    ),
    ("mode: observe", "mode: authoritative", Reach::Widened, "mode observe -> mode authoritative"),
    ("mode: authoritative", "mode: observe", Reach::Widened, "mode authoritative -> mode observe"),
    ("via: group", "via: person", Reach::Widened, "via group -> via person"),
    ("from: a.b", "from: hr.pay", Reach::Widened, "view s.v: shows a.b -> shows hr.pay"),
    ("pay: hide", "pay: show", Reach::Widened, "column pay hidden -> column pay clear"),
    ("id: show", "id: hide", Reach::Narrowed, "column id clear -> column id hidden"),
    ("unless: [reader]", "unless: [reader, maker]", Reach::Widened, "but for reader, maker"),
    ("mask: email, unless: [reader]", "mask: email", Reach::Narrowed, "column mail masked email"),
    (
        "rows: [{ role: reader }]",
        "rows: [{ role: reader }, { role: maker }]",
        Reach::Widened,
        "every row for maker",
    ),
    ("    rows: [{ role: reader }]\n", "", Reach::Widened, "no longer: every row for reader"),
    ("readers: [taker]", "readers: [taker, reader]", Reach::Widened, "read by reader"),
    ("pii: [email]", "pii: [phone]", Reach::Widened, "tag pii: columns *.*.email -> columns *.*.phone"),
    ("subject: [main]", "subject: [main, dev]", Reach::Widened, "subject main|dev"),
    (
        "issuer: \"https://i\", audience: aud, subject: [main]",
        "issuer: \"https://i\", audience: aud, subject: [main], claims: { project_id: p }",
        Reach::Narrowed,
        "claims project_id p",
    ),
    ("000000000001", "000000000002", Reach::Widened, "service ci"),
    (
        ", until: 2027-01-01T00:00:00Z }\n  - { groups",
        " }\n  - { groups",
        Reach::Widened,
        "until 2027-01-01T00:00:00Z -> s:",
    ),
    ("\", until: 2027", "\", until: 2029", Reach::Widened, "until 2029-01-01T00:00:00Z"),
    ("\", until: 2027-01-01", "\", until: 2026-12-01", Reach::Narrowed, "until 2026-12-01T00:00:00Z"),
    (
        ", when: \"userType eq \\\"Employee\\\"\"",
        "",
        Reach::Widened,
        "s: any of [Readers] none of [Interns] gives reader",
    ),
    (", none: [Interns]", "", Reach::Widened, "any of [Readers] gives reader"),
    ("any: [Readers]", "any: [Readers, More]", Reach::Widened, "any of [More, Readers]"),
    ("roles: [odd] }", "roles: [odd], trust: true }", Reach::Widened, "trusting names"),
    (
        "select on a.b]",
        "select on a.b, select on schema::a]",
        Reach::Widened,
        "role reader: new: select on schema::a in dw",
    ),
    ("select on a.b]", "select on a.b, select on a.b (x)]", Reach::Same, "role reader: new: select on a.b"),
    ("deny select on a.b", "deny select on a.c", Reach::Widened, "no longer: deny select on a.b in dw"),
    ("maker: {", "maker: { includes: [reader],", Reach::Widened, "role maker: new: includes reader"),
    ("for: 1h", "for: 2h", Reach::Widened, "may act as reader in dw for 2h"),
    ("for: 1h", "for: 30m", Reach::Narrowed, "may act as reader in dw for 30m"),
    ("factories/read]", "factories/*]", Reach::Widened, "allows Microsoft.DataFactory/factories/*"),
    (
        ", not_actions: [Microsoft.DataFactory/factories/write]",
        "",
        Reach::Widened,
        "no longer: defines Odd in az: does not allow",
    ),
    ("separate: [[maker, taker]], ", "", Reach::Widened, "rules: no longer: separate maker, taker"),
    (", forbid: [control on database]", "", Reach::Widened, "rules: no longer: forbid control on database"),
    (
        "forbid: [control on database",
        "forbid: [control on database, select on hr.pay",
        Reach::Narrowed,
        "rules: new: forbid select on hr.pay",
    ),
    ("most: 5%", "most: 50%", Reach::Widened, "removals: at most 50%"),
    ("most: 5%", "most: 4%", Reach::Narrowed, "removals: at most 4%"),
    ("  removals: { window: 24h, most: 5%, floor: 20 }\n", "", Reach::Widened, "guards: no longer: removals"),
    ("  steps: { hold: [drop role] }\n", "", Reach::Widened, "guards: no longer: hold drop role"),
    ("longest: 1h", "longest: 7d, second_person: false", Reach::Widened, "released by nobody else"),
    ("longest: 1h", "longest: 1h, also: [reader]", Reach::Widened, "break_glass: also reader"),
    ("longest: 1h", "longest: 30m", Reach::Narrowed, "break_glass: for 30m at most"),
    (
        "  protect: [{ principal: dba, owner: sec, until: 2027-01-01T00:00:00Z }]\n",
        "",
        Reach::Widened,
        "no longer: protect dba",
    ),
    (
        "  - { service: ci, roles: [maker] }\n",
        "",
        Reach::Widened,
        "mapping: no longer: service ci gives maker",
    ),
    ("maker: {", "maker: { description: Makes,", Reach::Same, "role maker: new: description Makes"),
    (
        "maker: {",
        "fresh: { grants: { dw: [insert on schema::a] } }\n  maker: {",
        Reach::Widened,
        "role fresh: new: insert on schema::a in dw; is there",
    ),
    (
        "services:",
        "tests: [{ service: ci, roles: [maker] }]\nservices:",
        Reach::Same,
        "test of service identity ci: new:",
    ),
];

fn map(text: &str) -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}")))
}

fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// The preview of nobody: no row can tell anything.
fn over_nobody(old: Option<&Arc<RoleMap>>, new: &Arc<RoleMap>) -> Preview {
    preview(Compared {
        old,
        new,
        directory: &Directory::default(),
        identity: &Arc::<Identity>::default(),
        beside: &Arc::<Beside>::default(),
        now: datetime!(2026-11-22 12:00 UTC),
    })
}

#[test]
fn each_change_of_the_text_is_judged_and_told() {
    let old = map(MAP);
    let mut wrong = Vec::new();
    for (from, to, reach, words) in CHANGES {
        let new = map(&changed(MAP, from, to));
        let found = over_nobody(Some(&old), &new);
        let told = found.to_string();
        let line = found.besides.iter().find(|change| change.to_string().contains(words));
        let right = !told.contains("nothing changes")
            && line.is_some_and(|line| line.reach == *reach)
            && (found.widened > 0) == (*reach == Reach::Widened)
            && (found.gives() || *reach != Reach::Widened)
            // Back again is another change: it is told, too.
            && !over_nobody(Some(&new), &old).is_empty();
        if !right {
            wrong.push(format!("{to}: `{words}`, {reach:?}: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn widenings_come_first_in_each_form() {
    let mut text = MAP.to_owned();
    for (from, to) in [
        ("host: one", "host: two"),
        ("mode: observe", "mode: authoritative"),
        ("pay: hide", "pay: show"),
        ("maker: {", "maker: { description: Makes,"),
        ("factories/read]", "factories/*]"),
        ("most: 5%", "most: 4%"),
        (", forbid: [control on database]", ""),
    ] {
        text = changed(&text, from, to);
    }
    let (old, new) = (map(MAP), map(&text));
    let found = over_nobody(Some(&old), &new);
    let report = Report { preview: &found, steps: &[], every_step: false };
    let json = serde_json::to_string_pretty(&found.besides).unwrap_or_default();
    let told = format!("{report}\n{}\n{json}\n", markdown(&report));
    let first = over_nobody(None, &new).to_string();
    assert!(first.contains("there was no role map before"), "{first}");
    let told = told.replace(&*found.new.0, "NEW").replace(&*old.version().0, "OLD");
    let same = over_nobody(Some(&new), &new);
    let same =
        markdown(&Report { preview: &same, steps: &[], every_step: false }).replace(&*found.new.0, "NEW");
    insta::assert_snapshot!(format!("{told}\n{first}\n{same}"));
}

#[test]
fn a_look_at_past_days_tells_it_too() {
    let (old, new) = (map(MAP), map(&changed(MAP, "host: one", "host: two")));
    let mut tester = Backtester::new(Some(&old), &new);
    let (directory, identity) = (Directory::default(), Arc::default());
    tester.day(
        date!(2026 - 11 - 21),
        &directory,
        &Touched::default(),
        &identity,
        datetime!(2026-11-22 0:00 UTC),
    );
    let found = tester.finish();
    assert!(found.gives() && found.differences.is_empty());
    let told = found.text(false);
    assert!(told.contains("target dw: at one:1433, database d -> at two:1433, database d"), "{told}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever the diff of two maps shows, the preview does not call nothing.
    #[test]
    fn what_a_diff_shows_is_never_nothing(
        one in proptest::sample::subsequence((0..CHANGES.len()).collect::<Vec<_>>(), 0..4),
        other in proptest::sample::subsequence((0..CHANGES.len()).collect::<Vec<_>>(), 0..4),
    ) {
        let made = |chosen: &[usize]| {
            let mut text = MAP.to_owned();
            for (from, to, ..) in chosen.iter().map(|n| CHANGES[*n]) {
                text = text.replacen(from, to, 1);
            }
            RoleMap::parse(&[("m.yaml", &text)]).ok().map(Arc::new)
        };
        // Some changes do not go together: then there is no map.
        if let (Some(old), Some(new)) = (made(&one), made(&other)) {
            let found = over_nobody(Some(&old), &new);
            let differs = !axon_mapping::diff::diff(&old, &new).is_empty();
            proptest::prop_assert_eq!(!found.is_empty(), differs);
            proptest::prop_assert_eq!(found.to_string().contains("nothing changes"), !differs);
            if found.targets.is_empty() {
                proptest::prop_assert_eq!(found.gives(), found.widened > 0);
            }
        }
    }
}
