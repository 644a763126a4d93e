//! What a preview tells of secure views: the steps that the service would plan, or that they cannot be told and why.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use axon_mapping::preview::{Report, Tables, TablesOf, markdown, preview_of, sides, steps, tables_asked};
use axon_mapping::{Compared, RoleMap};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, SqlName, UserEntry, UserId};
use axon_reconcile::secure::BaseTable;
use axon_reconcile::{ColumnType, ObjectName, ViewsThere};
use time::macros::datetime;

const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, mode: authoritative, manage: { roles: ["axon_*"], schemas: [secure] } }
roles:
  reader: {}
  finance: {}
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
  - { groups: { any: [Finance] }, source: entra, roles: [finance] }
"#;

const VIEWS: &str = r"
views:
  secure.orders:
    targets: dw
    from: sales.orders
    readers: [reader, finance]
    columns: { id: show, mail: { mask: hash, unless: [finance] }, amount: { mask: round(100), unless: [finance] } }
    rows: [{ role: finance }, { where: region in user.title }]
";

fn map(text: &str) -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}")))
}

fn with_views(changes: &[(&str, &str)]) -> Arc<RoleMap> {
    let mut text = format!("{MAP}{VIEWS}");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    map(&text)
}

/// Ann reads, Bob is of finance; each with a title.
fn people() -> Directory {
    people_called("north")
}

fn people_called(title: &str) -> Directory {
    let mut directory = Directory::default();
    for (n, group, name) in [(1_u128, "Readers", "ann"), (2, "Finance", "bob")] {
        let (user_id, group_id) =
            (UserId::from_uuid(uuid::Uuid::from_u128(n)), GroupId::from_uuid(uuid::Uuid::from_u128(10 + n)));
        let group = GroupEntry {
            id: group_id,
            source: "entra".parse().unwrap(),
            display_name: group.into(),
            external_id: None,
            document: "{}".into(),
        };
        let user = UserEntry {
            id: user_id,
            source: "entra".parse().unwrap(),
            user_name: name.into(),
            external_id: None,
            active: true,
            document: format!(r#"{{"title":"{title}"}}"#).into(),
        };
        let member = Delta::MemberAdded { group: group_id, member: MemberKind::User(user_id) };
        for delta in [Delta::GroupPut { group }, Delta::UserPut { user }, member] {
            directory.apply(&delta, RecordSeq(1));
        }
    }
    directory
}

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

/// A pool with the table and nothing of Axon's; `lacks` is a column that it does not have.
fn tables(lacks: &str) -> TablesOf {
    let text = ColumnType::Text { national: true, fixed: false, length: Some(64) };
    let columns =
        [("id", ColumnType::Int), ("mail", text), ("amount", ColumnType::Decimal(9, 2)), ("region", text)];
    let columns = columns.into_iter().filter(|(column, _)| *column != lacks);
    let columns = columns.map(|(column, ty)| (name(column), ty)).collect();
    let orders = ObjectName { schema: name("sales"), name: name("orders") };
    let owner = Some(name("axon_owner"));
    let there = ViewsThere {
        tables: BTreeMap::from([(orders, BaseTable { owner, columns })]),
        result_set_caching: Some(false),
        ..ViewsThere::default()
    };
    let schemas = BTreeMap::from([(name("sales"), owner)]);
    TablesOf::from([("dw".parse().unwrap(), Ok(Tables { there, schemas }))])
}

fn told(old: &Arc<RoleMap>, new: &Arc<RoleMap>, tables: &TablesOf) -> String {
    told_of(&people(), old, new, tables)
}

fn told_of(directory: &Directory, old: &Arc<RoleMap>, new: &Arc<RoleMap>, tables: &TablesOf) -> String {
    let (identity, beside) = (Arc::default(), Arc::default());
    let compared =
        Compared { old: Some(old), new, directory, identity: &identity, beside: &beside, now: NOW };
    let both = sides(compared);
    let found = steps(compared, &both, tables, &|_, _, step| vec![format!("[{step}]")], usize::MAX);
    let mut lines = Vec::new();
    for target in &found {
        lines.extend(target.steps.iter().map(|told| told.step.clone()));
        lines.extend(target.withheld.iter().map(|told| format!("WAITS {}", told.step)));
        lines.extend(target.findings.iter().map(|finding| format!("! {finding}")));
    }
    lines.join("\n")
}

#[test]
fn a_first_view_is_made_from_the_ground_before_anybody_may_read_it() {
    insta::assert_snapshot!("first_view", told(&map(MAP), &with_views(&[]), &tables("")));
}

#[test]
fn what_a_view_shows_otherwise_alters_it_in_place() {
    let new = with_views(&[("round(100)", "round(10)")]);
    let said = told(&with_views(&[]), &new, &tables(""));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("alter view secure.orders of sales.orders"), "{said}");
    // Another attribute in the rows is another profile of everybody who reads.
    let other = with_views(&[("user.title", "user.userName")]);
    let said = told(&with_views(&[]), &other, &tables(""));
    for whose in ["ann", "bob"] {
        let words =
            format!("write the profile of {whose} in schema axon, without 1 of title, with 1 of userName");
        assert!(said.contains(&words), "{said}");
    }
    assert!(!said.contains("north"), "no value of a person: {said}");
}

#[test]
fn a_new_reader_is_known_to_the_view_before_he_may_read_it() {
    let mapping = "{ groups: { any: [Finance] }, source: entra, roles: [finance] }";
    let without = with_views(&[(&format!("  - {mapping}\n"), "")]);
    let said = told(&without, &with_views(&[]), &tables(""));
    let at = |words: &str| said.lines().position(|line| line.contains(words));
    let (profile, member) =
        (at("write the profile of bob"), at("axon_finance to bob").or(at("bob to axon_finance")));
    assert!(profile.is_some() && (member.is_none() || profile < member), "{said}");
    assert!(!said.contains("profile of ann") && !said.contains(" view "), "{said}");
}

#[test]
fn a_view_that_leaves_goes_with_what_was_known_for_it() {
    insta::assert_snapshot!("view_that_leaves", told(&with_views(&[]), &map(MAP), &tables("")));
}

#[test]
fn what_cannot_be_is_said_with_its_reason() {
    let said = told(&map(MAP), &with_views(&[]), &tables("region"));
    assert!(said.contains("! view secure.orders shows nothing") && said.contains("region"), "{said}");
    assert!(!said.contains("create view"), "{said}");
    let owner = with_views(&[("manage: {", "metadata: { owner: somebody }, manage: {")]);
    let said = told(&with_views(&[]), &owner, &tables(""));
    assert!(said.contains("different owners") || said.contains("not owned by somebody"), "{said}");
}

#[test]
fn what_a_profile_does_not_hold_is_said_without_the_value() {
    let told = |delimiters: &str, title: &str| {
        let changes = [("manage: {", format!("metadata: {{ {delimiters} }}, manage: {{"))];
        let new = with_views(&changes.each_ref().map(|(from, to)| (*from, to.as_str())));
        told_of(&people_called(title), &map(MAP), &new, &tables(""))
    };
    let of_ann = "! the profile of ann does not hold all of attribute `title`: a value of it has over 1024 characters, so views show \
                  nothing by that one";
    let said = told("", &"x".repeat(1_025));
    assert!(said.lines().any(|line| line == of_ann) && said.contains("! the profile of bob does"), "{said}");
    assert!(!said.contains("xxx") && !said.contains("write the profile of"), "{said}");
    let said = told("", &"x".repeat(1_024));
    assert!(!said.contains("! ") && said.contains("write the profile of ann"), "{said}");
    let marks = "delimiters: { hash: '|', hash_key: ':', array: ',' }";
    let refused = "! views show nothing by the profile of ann: a value of attribute `title` of ann holds a delimiter: choose delimiters \
                   that stand in no value";
    let said = told(marks, "no,rth");
    assert!(said.lines().any(|line| line == refused), "{said}");
    assert!(!said.contains("no,rth") && !said.contains("write the profile of"), "{said}");
}

#[test]
fn where_the_tables_are_not_known_that_is_said() {
    let (old, new) = (with_views(&[]), with_views(&[("round(100)", "round(10)")]));
    let dw: axon_mapping::TargetName = "dw".parse().unwrap();
    let refused = TablesOf::from([(dw.clone(), Err("dw is unreachable".to_owned()))]);
    for (tables, why) in [(TablesOf::new(), "are not known here"), (refused, "dw is unreachable")] {
        let said = told(&old, &new, &tables);
        assert!(said.starts_with("! the statements of secure.orders cannot be told: "), "{said}");
        assert!(said.ends_with(why), "{said}");
    }
    let columns = "targets: dw, from: sales.orders, readers: [reader], columns: { id: show }";
    let many = (0..8).map(|n| format!("  secure.v{n}: {{ {columns} }}\n")).collect::<Vec<_>>().concat();
    insta::assert_snapshot!(
        "many_views",
        told(&map(MAP), &map(&format!("{MAP}views:\n{many}")), &TablesOf::new())
    );
    // What views do not hang on leaves no doubt; whom they let in does.
    let described = with_views(&[("  finance: {}", "  finance: { description: Money }")]);
    assert_eq!(told(&old, &described, &TablesOf::new()), "");
    let fewer = with_views(&[("readers: [reader, finance]", "readers: [finance]")]);
    assert!(told(&old, &fewer, &TablesOf::new()).contains("! the statements of secure.orders"));
    let nobody = with_views(&[("any: [Readers]", "any: [Nobody]")]);
    assert!(told(&old, &nobody, &TablesOf::new()).contains("! what steps there are about secure views"));
    assert_eq!(tables_asked(Some(&old), &new)[&dw].bases.len(), 2, "the tables of both maps are asked for");
    assert!(tables_asked(Some(&new), &new).is_empty() && tables_asked(None, &map(MAP)).is_empty());
}

#[test]
fn a_text_of_several_lines_stays_whole_in_terminal_and_comment() {
    let (old, new) = (with_views(&[]), with_views(&[("round(100)", "round(10)")]));
    let (directory, identity, beside) = (people(), Arc::default(), Arc::default());
    let compared = Compared {
        old: Some(&old),
        new: &new,
        directory: &directory,
        identity: &identity,
        beside: &beside,
        now: NOW,
    };
    let both = sides(compared);
    let text = "ALTER VIEW [secure].[orders] AS\nSELECT\n    '```' AS [x]\nFROM t";
    let found = steps(compared, &both, &tables(""), &|_, _, _| vec![text.to_owned()], usize::MAX);
    let preview = preview_of(compared, &both);
    let report = Report { preview: &preview, steps: &found, every_step: false };
    assert!(
        report.to_string().contains("\n  ALTER VIEW [secure].[orders] AS\n  SELECT\n      '```' AS [x]\n")
    );
    let comment = markdown(&report);
    let block =
        "\n  ```sql\n  ALTER VIEW [secure].[orders] AS\n  SELECT\n      ''''' AS [x]\n  FROM t\n  ```\n";
    assert!(comment.contains(block), "{comment}");
}
