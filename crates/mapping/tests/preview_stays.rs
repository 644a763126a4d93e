//! What previews say where the last line goes that names a role of the target: people keep it, unless `manage.roles` covers it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use axon_mapping::preview::{Backtester, Report, markdown};
use axon_mapping::{Beside, Compared, Identity, RoleMap, Touched, preview};
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, UserEntry, UserId};
use time::OffsetDateTime;
use time::macros::{date, datetime};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, mode: authoritative, manage: { roles: ["axon_*"] } }
  ws: { kind: synapse-workspace, endpoint: "https://acme.dev.azuresynapse.net", auth: managed-identity, via: group }
  rg: { kind: azure-rbac, scope: /subscriptions/0/resourceGroups/data, auth: managed-identity }
roles:
  keys: { grants: { dw: [select on a.b, "per person: member of db_owner"] } }
  team: { grants: { dw: [select on a.b, "per person: member of team_blue"] } }
  artifacts: { grants: { ws: [Synapse Artifact User] } }
  azure: { grants: { rg: [Contributor] } }
mappings:
  - { groups: { any: [Staff] }, source: entra, roles: [keys, team, artifacts, azure] }
"#;

const BLUE: &str = ", \"per person: member of team_blue\"";
const OWNER: &str = ", \"per person: member of db_owner\"";

fn with(changes: &[(&str, &str)]) -> Arc<RoleMap> {
    let mut text = MAP.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    Arc::new(RoleMap::parse(&[("m.yaml", text.as_str())]).unwrap_or_else(|e| panic!("{e}")))
}

fn staff() -> Directory {
    let mut directory = Directory::default();
    let id: GroupId = "00000000-0000-0000-1111-000000000000".parse().unwrap();
    let group = GroupEntry {
        id,
        source: "entra".parse().unwrap(),
        display_name: "Staff".into(),
        external_id: None,
        document: "{}".into(),
    };
    directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    for (n, name) in ["ann", "bob"].into_iter().enumerate() {
        let user: UserId = format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap();
        let entry = UserEntry {
            id: user,
            source: "entra".parse().unwrap(),
            user_name: name.into(),
            external_id: None,
            active: true,
            document: "{}".into(),
        };
        directory.apply(&Delta::UserPut { user: entry }, RecordSeq(2));
        directory.apply(&Delta::MemberAdded { group: id, member: MemberKind::User(user) }, RecordSeq(3));
    }
    directory
}

/// Whether a reviewer should look, then the text, the Markdown and the JSON.
fn told(changes: &[(&str, &str)]) -> (bool, [String; 3]) {
    let (old, new, directory) = (with(&[]), with(changes), staff());
    let (identity, beside): (Arc<Identity>, Arc<Beside>) = Default::default();
    let found = preview(Compared {
        old: Some(&old),
        new: &new,
        directory: &directory,
        identity: &identity,
        beside: &beside,
        now: NOW,
    });
    let report = Report { preview: &found, steps: &[], every_step: false };
    let json = serde_json::to_string(&found).unwrap();
    (found.gives(), [report.to_string(), markdown(&report), json])
}

/// That a role stays is told in these words, it makes a reviewer look, and nobody is said to lose anything.
fn stays(changes: &[(&str, &str)], words: &str) {
    let (gives, all) = told(changes);
    assert!(gives, "{}", all[0]);
    for text in &all {
        assert!(text.contains(words), "{words}: {text}");
    }
    let [text, _, json] = &all;
    assert!(text.starts_with("0 people gain and 0 people lose access"), "{text}");
    assert!(!text.contains("\n  - ") && !text.contains("narrowed besides"), "{text}");
    assert!(json.contains("\"people_losing\":0") && !json.contains("\"people_losing\":2"), "{json}");
}

#[test]
fn who_was_put_into_a_fixed_role_keeps_it_when_its_last_line_goes() {
    let words = "stays: nobody manages db_owner on dw any more; its 2 members keep it: keep a line for it and take the groups \
                 out of its mapping, until it is empty";
    stays(&[(OWNER, "")], words);
    // A pool's fixed role is not managed as a whole, whatever the globs say.
    let widely = ("[\"axon_*\"]", "[\"axon_*\", \"db_*\"]");
    let (gives, [text, ..]) = told(&[(OWNER, ""), widely]);
    assert!(gives && text.contains(words) && !text.contains("- control on database"), "{text}");
}

#[test]
fn roles_of_a_workspace_and_of_azure_stay_where_no_line_names_them() {
    stays(
        &[("{ ws: [Synapse Artifact User] }", "{}")],
        "stays: nobody manages Synapse Artifact User on ws any more; its 1 member keeps it: list it under manage.roles of ws",
    );
    stays(
        &[("{ rg: [Contributor] }", "{}")],
        "stays: nobody manages Contributor on rg any more; its 1 member keeps it: list it under manage.roles of rg",
    );
}

#[test]
fn what_stays_in_words() {
    let left = ("roles: [keys, team, artifacts, azure] }", "roles: [artifacts] }");
    let (_, [text, markdown, _]) = told(&[(OWNER, ""), left, ("{ rg: [Contributor] }", "{}")]);
    insta::assert_snapshot!("stays", text);
    insta::assert_snapshot!("stays_in_markdown", markdown);
    let (_, [_, markdown, _]) = told(&[(OWNER, "")]);
    insta::assert_snapshot!("stays_alone_in_markdown", markdown);
}

#[test]
fn what_is_managed_is_lost() {
    let managed = "auth: managed-identity, manage: { roles: [Contributor] } }";
    for (changes, lost) in [
        (&[(BLUE, ""), ("[\"axon_*\"]", "[\"axon_*\", \"team_*\"]")][..], "  - team_blue  (2 people)"),
        (
            &[
                ("{ rg: [Contributor] }", "{}"),
                ("data, auth: managed-identity }", &format!("data, {managed}")),
            ],
            "  - Contributor  (2 people, 1 principal)",
        ),
        // A line of another role names it still: who comes off goes out of it.
        (
            &[
                (OWNER, ""),
                ("  azure:", "  spare: { grants: { dw: [\"per person: member of db_owner\"] } }\n  azure:"),
            ],
            "  - control on database  (2 people)",
        ),
    ] {
        let (_, [text, ..]) = told(changes);
        assert!(text.contains(lost) && !text.contains("stays: nobody"), "{lost}: {text}");
    }
}

#[test]
fn who_is_shut_out_loses_the_use_of_a_role_and_is_in_it_still() {
    let (gives, [text, ..]) = told(&[(OWNER, ""), ("roles: [keys, team, ", "roles: [")]);
    assert!(gives && text.contains("its 2 members keep it (2 shut out of dw now"), "{text}");
    assert!(text.contains("- control on database  (2 people)") && !text.contains("- db_owner"), "{text}");
}

#[test]
fn past_days_tell_what_stays() {
    let (old, new, directory) = (with(&[]), with(&[(OWNER, "")]), staff());
    let mut days = Backtester::new(Some(&old), &new);
    days.day(date!(2026 - 11 - 22), &directory, &Touched::default(), &Arc::default(), NOW);
    let found = days.finish();
    assert!(found.gives() && found.differences.is_empty());
    assert!(
        found.text(false).contains("! stays: nobody manages db_owner on dw any more"),
        "{}",
        found.text(false)
    );
}
