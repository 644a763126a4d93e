//! What the reference page shows of explanations and previews is what they say.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::chain::Brought;
use axon_mapping::explain::{Explainer, Known};
use axon_mapping::preview::{MOST, Report, TablesOf, preview_of, sides, steps};
use axon_mapping::{Compared, RoleMap, TargetSpec};
use axon_model::{Delta, Directory, GroupEntry, MemberKind, RecordSeq, SqlName, UserEntry};
use axon_reconcile::Step;
use time::macros::datetime;

const PAGE: &str = include_str!("../../../docs/ROLE-MAP.md");
const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// The text of the page's block with this head.
fn block(head: &str) -> &'static str {
    let from = PAGE.find(&format!("```{head}\n")).unwrap_or_else(|| panic!("no block {head}"));
    let text = &PAGE[from + head.len() + 4..];
    &text[..text.find("\n```").unwrap()]
}

/// The page's first map, in force and as somebody would change it.
fn maps() -> [Arc<RoleMap>; 2] {
    let text = block("yaml");
    let changed = text.replace("[select on sales.regions]", "[select on schema::sales]");
    assert_ne!(text, changed);
    [text, &changed].map(|text| {
        let files = [("role-map.yaml", text)];
        Arc::new(RoleMap::parse(&files).unwrap_or_else(|e| panic!("{e}")))
    })
}

/// Kim is an analyst by a nested group, Lee is not.
fn directory() -> Directory {
    let mut directory = Directory::default();
    let mut apply = |delta: Delta| {
        let next = RecordSeq(directory.position().0 + 1);
        directory.apply(&delta, next);
    };
    let id = |n: u128| uuid::Uuid::from_u128(n);
    let groups = [(11, "SG-Sales-Analysts"), (12, "SG-Sales-North")];
    for (n, name) in groups {
        let group = GroupEntry {
            id: axon_model::GroupId::from_uuid(id(n)),
            source: "entra".parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        };
        apply(Delta::GroupPut { group });
    }
    for (n, name) in [(1, "kim@acme.com"), (2, "lee@acme.com")] {
        let user = UserEntry {
            id: axon_model::UserId::from_uuid(id(n)),
            source: "entra".parse().unwrap(),
            user_name: name.into(),
            external_id: None,
            active: true,
            document: "{}".into(),
        };
        apply(Delta::UserPut { user });
    }
    let group = |n| axon_model::GroupId::from_uuid(id(n));
    apply(Delta::MemberAdded { group: group(11), member: MemberKind::Group(group(12)) });
    apply(Delta::MemberAdded {
        group: group(12),
        member: MemberKind::User(axon_model::UserId::from_uuid(id(1))),
    });
    directory
}

/// The statements of these steps, as a dedicated pool takes them.
fn t_sql(_: &TargetSpec, _: &BTreeSet<SqlName>, step: &Step) -> Vec<String> {
    vec![match step {
        Step::Grant { .. } => "GRANT SELECT ON SCHEMA::[sales] TO [axon_sales-reader]".into(),
        Step::Revoke { .. } => "REVOKE SELECT ON OBJECT::[sales].[regions] FROM [axon_sales-reader]".into(),
        other => panic!("{other}"),
    }]
}

#[test]
fn the_page_shows_what_is_said() {
    let ([old, new], directory) = (maps(), directory());
    let (identity, beside, around) = (Arc::default(), Arc::default(), BTreeMap::new());
    let target = "warehouse".parse().unwrap();
    let known = Known { target: Some(&target), identity: &identity, around: &around, beside: &beside };
    let explainer = Explainer::new(&old, &directory, known, NOW);
    let mut explanation = explainer.person("kim@acme.com");
    let told = explanation.records().into_iter().map(|record| {
        let request = Some(format!("req-{record}").parse().unwrap());
        (record, Brought { at: datetime!(2026-11-20 9:30 UTC), by: "source entra".into(), request })
    });
    explanation.tell(&told.collect());
    let missing = explainer.missing("lee@acme.com", "select on sales.regions").unwrap();
    let compared = Compared {
        old: Some(&old),
        new: &new,
        directory: &directory,
        identity: &identity,
        beside: &beside,
        now: NOW,
    };
    let both = sides(compared);
    let (preview, steps) =
        (preview_of(compared, &both), steps(compared, &both, &TablesOf::new(), &t_sql, MOST));
    let report = Report { preview: &preview, steps: &steps, every_step: false };
    for (head, said) in [
        ("text explain", explanation.to_string()),
        ("text missing", missing.to_string()),
        ("text preview", report.to_string()),
    ] {
        // Over whom it looked is told by the command.
        let shown = block(head).lines().filter(|line| !line.starts_with("looked at "));
        let shown: Vec<&str> = shown.collect();
        assert_eq!(shown.join("\n"), said.trim_end(), "the page's block `{head}`");
    }
}
