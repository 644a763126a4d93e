//! What previews say where the last line goes that names a role of the target: who was given it loses it, unless `manage.except`
//! leaves it to people.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use axon_mapping::preview::{Backtester, Report, TablesOf, markdown, preview_of, sides, steps};
use axon_mapping::{Beside, Compared, Identity, RoleMap, Touched};
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
    told_between(&with(&[]), &with(changes))
}

fn told_between(old: &Arc<RoleMap>, new: &Arc<RoleMap>) -> (bool, [String; 3]) {
    let directory = staff();
    let (identity, beside): (Arc<Identity>, Arc<Beside>) = Default::default();
    let compared = Compared {
        old: Some(old),
        new,
        directory: &directory,
        identity: &identity,
        beside: &beside,
        now: NOW,
    };
    let both = sides(compared);
    let found = preview_of(compared, &both);
    let behind = steps(compared, &both, &TablesOf::new(), &|_, _, _| Vec::new(), usize::MAX);
    let report = Report { preview: &found, steps: &behind, every_step: true };
    let json = serde_json::to_string(&found).unwrap();
    (found.gives(), [report.to_string(), markdown(&report), json])
}

/// People lose it, with these steps, and nobody keeps anything.
fn lost(changes: &[(&str, &str)], item: &str, steps: &[&str]) {
    let (_, [text, ..]) = told(changes);
    assert!(text.contains(item) && !text.contains("stays: "), "{item}: {text}");
    for step in steps {
        assert!(text.contains(&format!("\n  {step}\n")), "{step}: {text}");
    }
}

#[test]
fn what_no_line_names_any_more_is_lost_by_those_to_whom_it_was_given() {
    let (gives, _) = told(&[(OWNER, "")]);
    assert!(!gives, "nobody gains or keeps anything: no reviewer is asked for");
    let owners = ["remove ann from role db_owner", "remove bob from role db_owner"];
    lost(&[(OWNER, "")], "  - control on database  (2 people)", &owners);
    // A pool's fixed role is nobody's to drop, whatever the globs say.
    let widely = ("[\"axon_*\"]", "[\"axon_*\", \"db_*\"]");
    lost(&[(OWNER, ""), widely], "  - control on database  (2 people)", &owners);
    lost(&[(BLUE, "")], "  - team_blue  (2 people)", &["remove ann from role team_blue"]);
    lost(
        &[("{ ws: [Synapse Artifact User] }", "{}")],
        "  - Synapse Artifact User  (2 people, 1 principal)",
        &["take Synapse Artifact User from Staff"],
    );
    lost(
        &[("{ rg: [Contributor] }", "{}")],
        "  - Contributor  (2 people, 1 principal)",
        &["take Contributor from Staff"],
    );
}

#[test]
fn a_role_that_only_the_new_map_manages_is_emptied_and_its_end_waits_for_a_person() {
    let managed = ("[\"axon_*\"]", "[\"axon_*\", \"team_*\"]");
    let (_, [text, ..]) = told(&[(BLUE, ""), managed]);
    assert!(text.contains("\n  remove ann from role team_blue\n"), "{text}");
    assert!(text.contains("\n  WAITS: drop role team_blue\n"), "{text}");
    let managed = "auth: managed-identity, manage: { roles: [Contributor] } }";
    let to = format!("data, {managed}");
    lost(
        &[("{ rg: [Contributor] }", "{}"), ("data, auth: managed-identity }", &to)],
        "  - Contributor  (2 people, 1 principal)",
        &["take Contributor from Staff"],
    );
}

#[test]
fn who_comes_off_a_role_that_another_line_names_loses_it() {
    let spare = ("  azure:", "  spare: { grants: { dw: [\"per person: member of db_owner\"] } }\n  azure:");
    lost(&[(OWNER, ""), spare], "  - control on database  (2 people)", &["remove ann from role db_owner"]);
}

#[test]
fn a_role_that_the_map_makes_is_gained_like_any_other() {
    let odd = "  odd: { define: { rg: { name: Odd, actions: [Microsoft.DataFactory/factories/read] } }, grants: { rg: [Odd] } }\n  azure:";
    let (gives, [text, ..]) = told(&[("  azure:", odd), ("artifacts, azure] }", "artifacts, azure, odd] }")]);
    assert!(gives && text.contains("  + Odd  (2 people, 1 principal)"), "{text}");
    assert!(text.contains("\n  create role Odd\n  assign Odd to Staff\n"), "{text}");
}

const LEFT: (&str, &str) =
    ("manage: { roles: [\"axon_*\"] }", "manage: { roles: [\"axon_*\"], except: [db_owner] }");

#[test]
fn a_role_that_is_left_to_people_stays_and_asks_for_a_reviewer() {
    let (gives, all) = told(&[(OWNER, ""), LEFT]);
    assert!(gives, "{}", all[0]);
    for text in &all {
        assert!(
            text.contains("stays: manage.except of dw leaves db_owner to people; its 2 members keep it"),
            "{text}"
        );
    }
    let [text, _, json] = &all;
    assert!(text.starts_with("0 people gain and 0 people lose access"), "{text}");
    assert!(!text.contains("\n  - ") && !text.contains("db_owner\n"), "{text}");
    assert!(json.contains("\"people_losing\":0") && !json.contains("\"people_losing\":2"), "{json}");
    let azure = (
        "data, auth: managed-identity }",
        "data, auth: managed-identity, manage: { except: [Contributor] } }",
    );
    let (gives, [text, ..]) = told(&[("{ rg: [Contributor] }", "{}"), azure]);
    assert!(
        gives
            && text
                .contains("stays: manage.except of rg leaves Contributor to people; its 1 member keeps it"),
        "{text}"
    );
}

#[test]
fn a_role_of_a_workspace_is_left_to_people_by_any_of_its_names() {
    let names = ["Apache Spark Administrator", "Synapse Apache Spark Administrator", "Apache Spark Admin"];
    for (was, left) in names.iter().flat_map(|was| names.map(|left| (was, left))) {
        let given = MAP.replace("[Synapse Artifact User]", &format!("[{was}]"));
        let read =
            |text: &str| Arc::new(RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}")));
        let gone = given
            .replace(&format!("ws: [{was}]"), "")
            .replace("via: group", &format!("via: group, manage: {{ except: [{left}] }}"));
        let (old, new) = (read(&given), read(&gone));
        let (_, [text, ..]) = told_between(&old, &new);
        assert!(text.contains("leaves Apache Spark Administrator to people"), "{was} {left}: {text}");
        assert!(!text.contains("take Apache"), "{text}");
    }
}

#[test]
fn what_stays_in_words() {
    let left = ("roles: [keys, team, artifacts, azure] }", "roles: [artifacts] }");
    let (_, [text, markdown, _]) = told(&[(OWNER, ""), LEFT, left, ("{ rg: [Contributor] }", "{}")]);
    insta::assert_snapshot!("stays", text);
    insta::assert_snapshot!("stays_in_markdown", markdown);
    let (_, [_, markdown, _]) = told(&[(OWNER, ""), LEFT]);
    insta::assert_snapshot!("stays_alone_in_markdown", markdown);
}

#[test]
fn who_is_shut_out_loses_the_use_of_a_role_and_is_in_it_still() {
    let (gives, [text, ..]) = told(&[(OWNER, ""), LEFT, ("roles: [keys, team, ", "roles: [")]);
    assert!(gives && text.contains("its 2 members keep it (2 shut out of dw now"), "{text}");
    assert!(text.contains("- control on database  (2 people)") && !text.contains("- db_owner"), "{text}");
}

#[test]
fn past_days_tell_what_stays() {
    let (old, new, directory) = (with(&[]), with(&[(OWNER, ""), LEFT]), staff());
    let mut days = Backtester::new(Some(&old), &new);
    days.day(date!(2026 - 11 - 22), &directory, &Touched::default(), &Arc::default(), NOW);
    let found = days.finish();
    assert!(found.gives() && found.differences.is_empty());
    let text = found.text(false);
    assert!(text.contains("! stays: manage.except of dw leaves db_owner to people"), "{text}");
    assert!(text.contains("statements are told by a preview without --days"), "{text}");
}
