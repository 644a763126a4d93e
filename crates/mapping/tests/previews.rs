//! What previews say: each one as a whole, and the law that they are the difference of two desired states.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::preview::{Backtester, MOST, Report, TablesOf, markdown, preview_of, sides, steps};
use axon_mapping::{Beside, Compared, Identity, RoleMap, TargetSpec, Touched, preview};
use axon_model::{
    AccessRequest, AccessState, Asked, Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, Said,
    SqlName, UserEntry, UserId, Whom,
};
use axon_reconcile::Step;
use time::OffsetDateTime;
use time::macros::{date, datetime};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, mode: authoritative, manage: { schemas: [secure] } }
  ws: { kind: synapse-workspace, endpoint: "https://acme.dev.azuresynapse.net", auth: managed-identity, via: group }
roles:
  reader: { grants: { dw: [select on secure.orders, "select on sales.regions (id, name)"], ws: [Synapse Artifact User] } }
  maker: { grants: { dw: [insert on pay.orders] } }
  approver: { grants: { dw: [update on pay.orders] } }
  finance: {}
  support: { grants: { dw: [select on help.tickets] } }
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
  - { groups: { any: [Makers] }, source: entra, roles: [maker] }
  - { groups: { any: [Approvers], none: [Interns] }, source: entra, roles: [approver] }
  - { groups: { any: [Finance] }, source: entra, roles: [finance] }
  - { groups: { any: [Support] }, source: entra, roles: [support] }
  - { service: ci, roles: [maker] }
services: { ci: { principal: axon-ci } }
rules: { separate: [[maker, approver]] }
guards: { removals: { window: 24h, most: 0%, floor: 0 }, steps: { hold: [drop role] } }
views:
  secure.orders:
    targets: dw
    from: sales.orders
    columns: { id: show, amount: { mask: round(100), unless: [finance] } }
    rows: [{ role: finance }, { where: region in user.title }]
"#;

const GROUPS: [&str; 7] = ["Readers", "Makers", "Approvers", "Interns", "Finance", "Support", "team-blue"];

fn map(text: &str) -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}")))
}

fn with(changes: &[(&str, &str)]) -> Arc<RoleMap> {
    let mut text = MAP.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    map(&text)
}

fn user_id(n: usize) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

fn group_id(name: &str) -> GroupId {
    let n = GROUPS.iter().position(|g| *g == name).unwrap();
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

fn put(n: usize, name: &str) -> Delta {
    let user = UserEntry {
        id: user_id(n),
        source: "entra".parse().unwrap(),
        user_name: name.into(),
        external_id: None,
        active: true,
        document: "{}".into(),
    };
    Delta::UserPut { user }
}

fn joins(group: &str, n: usize) -> Delta {
    Delta::MemberAdded { group: group_id(group), member: MemberKind::User(user_id(n)) }
}

fn leaves(group: &str, n: usize) -> Delta {
    Delta::MemberRemoved { group: group_id(group), member: MemberKind::User(user_id(n)) }
}

/// People with the names of the groups that they are in.
fn town(people: &[(&str, &[&str])]) -> Directory {
    let mut directory = Directory::default();
    for name in GROUPS {
        let group = GroupEntry {
            id: group_id(name),
            source: "entra".parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    }
    for (n, (name, groups)) in people.iter().enumerate() {
        directory.apply(&put(n, name), RecordSeq(2));
        groups.iter().for_each(|group| directory.apply(&joins(group, n), RecordSeq(3)));
    }
    directory
}

fn people() -> Directory {
    town(&[
        ("ann", &["Readers", "Finance"]),
        ("bob", &["Readers", "team-blue"]),
        ("cid", &["Makers"]),
        ("dan", &["Approvers", "Interns"]),
        ("eve", &["Support", "team-blue"]),
        ("fay", &["Makers", "Approvers", "Interns"]),
    ])
}

/// A stand-in for T-SQL: the words of a step, of whatever target takes statements.
fn words(target: &TargetSpec, _roles: &BTreeSet<SqlName>, step: &Step) -> Vec<String> {
    target.sql_server().map(|server| format!("{}: {step};", server.database)).into_iter().collect()
}

fn whole(old: Option<&Arc<RoleMap>>, new: &Arc<RoleMap>, directory: &Directory) -> String {
    let identity: Arc<Identity> = Arc::default();
    let compared = Compared { old, new, directory, identity: &identity, beside: &Arc::default(), now: NOW };
    let both = sides(compared);
    let preview = preview_of(compared, &both);
    let steps = steps(compared, &both, &TablesOf::new(), &words, MOST);
    let report = Report { preview: &preview, steps: &steps, every_step: false };
    let gives = preview.gives();
    let version = &preview.new.0;
    let told = format!("gives: {gives}\n\n{report}\n{}", markdown(&report)).replace(&**version, "NEW");
    preview.old.map_or(told.clone(), |old| told.replace(&*old.0, "OLD"))
}

#[test]
fn grants_masks_and_rows_are_told_widest_first_with_the_steps_behind_them() {
    let new = with(&[
        ("\"select on sales.regions (id, name)\"", "\"select on schema::sales\""),
        ("insert on pay.orders", "insert on pay.drafts"),
        ("round(100), unless: [finance]", "round(10), unless: [reader]"),
        ("any: [Approvers], none: [Interns]", "any: [Approvers]"),
        ("[{ role: finance }, { where: region in user.title }]", "[{ where: region in user.title }]"),
    ]);
    insta::assert_snapshot!("grants_masks_and_rows", whole(Some(&with(&[])), &new, &people()));
}

#[test]
fn the_first_map_gives_everything_and_tells_what_a_new_reader_sees() {
    insta::assert_snapshot!("first_map", whole(None, &with(&[]), &people()));
}

#[test]
fn users_that_others_make_are_no_steps_of_a_preview() {
    let existing = "manage: { schemas: [secure], principals: existing }";
    let new = with(&[("manage: { schemas: [secure] }", existing)]);
    let told = whole(None, &new, &people());
    let of_them =
        told.lines().filter(|line| line.contains("principals: existing") || line.contains(" steps"));
    insta::assert_snapshot!("principals_of_others", of_them.collect::<Vec<_>>().join("\n"));
    assert!(whole(None, &with(&[]), &people()).contains("create external user"), "else they are");
    assert!(!told.contains("create external user"), "{told}");
}

#[test]
fn what_goes_is_told_with_the_guards_that_would_hold_it() {
    let new = with(&[
        ("  - { groups: { any: [Support] }, source: entra, roles: [support] }\n", ""),
        ("  support: { grants: { dw: [select on help.tickets] } }\n", ""),
        ("{ any: [Readers] }", "{ all: [Readers, Finance] }"),
    ]);
    insta::assert_snapshot!("what_goes", whole(Some(&with(&[])), &new, &people()));
}

#[test]
fn who_would_get_something_after_a_release_makes_a_reviewer_look() {
    let mapping = "  - { service: ci, roles: [maker] }";
    let matched = "  - { groups: { match: \"^team-.*$\" }, source: entra, roles: [finance, support] }";
    let new = with(&[(mapping, &format!("{mapping}\n{matched}"))]);
    let told = whole(Some(&with(&[])), &new, &people());
    assert!(told.starts_with("gives: true"), "{told}");
    insta::assert_snapshot!("after_a_release", told);
    // What waited before waits now: nothing is new.
    let identity: Arc<Identity> = Arc::default();
    let (directory, moved) = (people(), with(&[(mapping, &format!("\n\n{mapping}\n{matched}"))]));
    let compared = Compared {
        old: Some(&new),
        new: &moved,
        directory: &directory,
        identity: &identity,
        beside: &Arc::default(),
        now: NOW,
    };
    assert!(preview(compared).is_empty(), "{}", preview(compared));
}

#[test]
fn acting_as_others_whole_groups_and_a_target_that_goes_are_told() {
    let new = with(&[
        ("  support: {", "  support: { impersonate: { dw: { roles: [reader], for: 1h } },"),
        ("any: [Finance] }, source: entra", "any: [Finance] }, via: group, source: entra"),
        (
            "manage: { schemas: [secure] } }",
            "manage: { schemas: [secure] }, metadata: { accept_groups: [SG-Engineers] } }",
        ),
        ("  finance: {}", "  finance: { grants: { dw: [select on sales.costs] } }"),
        (
            "  ws: { kind: synapse-workspace, endpoint: \"https://acme.dev.azuresynapse.net\", auth: managed-identity, via: group }\n",
            "",
        ),
        (", ws: [Synapse Artifact User]", ""),
    ]);
    insta::assert_snapshot!("acting_groups_and_targets", whole(Some(&with(&[])), &new, &people()));
}

#[test]
fn a_map_that_changes_nothing_for_anybody_says_so() {
    let told =
        whole(Some(&with(&[])), &with(&[("  finance: {}", "  finance: { description: Money }")]), &people());
    insta::assert_snapshot!("nothing", told);
}

#[test]
fn names_are_no_markdown_and_a_comment_stays_short() {
    let name = "!x`|](http://x) @all # h";
    let new = with(&[("any: [Readers]", "any: [Readers, Support]")]);
    let mut people: Vec<(String, &[&str])> = vec![(name.to_owned(), &["Support"])];
    people.extend((0..3_000).map(|n| (format!("{}{n}", "long".repeat(25)), &["Support"][..])));
    let people: Vec<(&str, &[&str])> = people.iter().map(|(name, groups)| (name.as_str(), *groups)).collect();
    let directory = town(&people);
    let identity: Arc<Identity> = Arc::default();
    let old = with(&[]);
    let compared = Compared {
        old: Some(&old),
        new: &new,
        directory: &directory,
        identity: &identity,
        beside: &Arc::default(),
        now: NOW,
    };
    let both = sides(compared);
    let (preview, steps) =
        (preview_of(compared, &both), steps(compared, &both, &TablesOf::new(), &words, MOST));
    let text = markdown(&Report { preview: &preview, steps: &steps, every_step: true });
    assert!(text.len() < 65_000, "{}", text.len());
    assert!(text.contains("and 2981 more"), "{text}");
    assert!(text.contains("- `!x'|](http://x) @all # h` gains `select"), "{text}");
    assert!(text.lines().all(|line| line.matches('`').count() % 2 == 0), "{text}");
}

#[test]
fn past_days_tell_every_difference_and_when_it_was_one() {
    let (old, new) = (
        with(&[]),
        with(&[("any: [Readers]", "any: [Readers, Support]"), ("any: [Makers]", "any: [Nobody]")]),
    );
    let identity: Arc<Identity> = Arc::default();
    let mut directory = town(&[("ann", &["Support"]), ("cid", &["Makers"])]);
    let mut backtester = Backtester::new(Some(&old), &new);
    let days: [(time::Date, OffsetDateTime, Vec<Delta>); 4] = [
        (date!(2026 - 11 - 19), datetime!(2026-11-20 0:00 UTC), vec![]),
        (
            date!(2026 - 11 - 20),
            datetime!(2026-11-21 0:00 UTC),
            vec![put(2, "eve"), joins("Support", 2), leaves("Makers", 1)],
        ),
        (
            date!(2026 - 11 - 21),
            datetime!(2026-11-22 0:00 UTC),
            vec![leaves("Support", 2), joins("Support", 1)],
        ),
        (date!(2026 - 11 - 22), NOW, vec![joins("Makers", 1), Delta::UserRemoved { id: user_id(2) }]),
    ];
    let mut each = BTreeMap::new();
    for (seq, (date, at, deltas)) in (10..).zip(days) {
        let mut touched = Touched::default();
        for delta in deltas {
            touched.note(&directory, &delta);
            directory.apply(&delta, RecordSeq(seq));
        }
        backtester.day(date, &directory, &touched, &identity, at);
        // What is moved from day to day is what is found from nothing.
        let compared = Compared {
            old: Some(&old),
            new: &new,
            directory: &directory,
            identity: &identity,
            beside: &Arc::default(),
            now: at,
        };
        let found = preview(compared);
        each.insert(date, (found.people_gaining, found.people_losing));
    }
    let found = backtester.finish();
    assert!(found.gives());
    let moved = found.days.iter().map(|day| (day.date, (day.people_gaining, day.people_losing)));
    assert_eq!(moved.collect::<BTreeMap<_, _>>(), each);
    insta::assert_snapshot!("past_days", found.text(false));
    assert_eq!(serde_json::to_value(&found).unwrap()["differences"][0]["days"][0], "2026-11-19");
    let mut same = Backtester::new(Some(&old), &old);
    same.day(date!(2026 - 11 - 22), &directory, &Touched::default(), &identity, NOW);
    let same = same.finish();
    insta::assert_snapshot!("past_days_without_a_difference", same.text(false));
    assert!(!same.gives() && same.text(false).ends_with("nothing would have been different for anybody\n"));
}

#[test]
fn who_is_offboarded_gains_nothing_by_a_new_map() {
    let said = |by: &str| Said { at: NOW, by: by.into(), reason: "an incident".into() };
    let request = AccessRequest {
        id: "00000000-0000-0000-2222-000000000001".parse().unwrap(),
        asked: Asked::Offboard,
        whom: Whom { user_name: "eve".into(), source: None, records: vec![] },
        asking: said("operator bo"),
        state: AccessState::InForce,
        hold: None,
        released: Some(said("operator cy")),
        until: None,
        ended: None,
        record: RecordSeq(9),
    };
    let (old, new, directory) = (with(&[]), with(&[("any: [Readers]", "any: [Readers, Support]")]), people());
    let identity: Arc<Identity> = Arc::default();
    let gains = |beside: &Arc<Beside>| {
        let compared = Compared {
            old: Some(&old),
            new: &new,
            directory: &directory,
            identity: &identity,
            beside,
            now: NOW,
        };
        // Under her own name: what a whole group gets in the workspace is the group's.
        let found = preview(compared);
        let mut principals = found.targets.iter().flat_map(|target| &target.principals);
        principals.any(|one| one.principal.as_str() == "eve" && !one.gained.is_empty())
    };
    assert!(gains(&Arc::default()), "eve would read");
    assert!(!gains(&Arc::new(Beside::of([request].iter()))), "and does not while she is offboarded");
}
