//! What stands beside the map, told as stories: somebody is offboarded, somebody has a role for a while.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_mapping::explain::{Explainer, Known, Question, explain};
use axon_mapping::{
    Beside, Evaluator, Identity, Pending, RoleMap, Surroundings, TargetName, Touched, desired,
};
use axon_model::{
    AccessRequest, AccessState, Asked, Delta, Directory, GroupEntry, MeantRecord, MemberKind, RecordSeq,
    Said, SqlName, UserEntry, Whom,
};
use axon_reconcile::Step;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"
axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, role_name: "axon_{role}", manage: { roles: ["axon_*"] } }
  mart: { kind: synapse-dedicated, host: h, database: m, auth: { token-file: t }, role_name: "axon_{role}", manage: { roles: ["axon_*"] } }
roles:
  reader: { grants: { dw: [select on sales.orders], mart: [select on sales.orders] } }
  maker: { grants: { dw: [insert on pay.orders] } }
  approver: { grants: { dw: [update on pay.orders] } }
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
  - { groups: { any: [Makers] }, source: entra, roles: [maker] }
rules: { separate: [[maker, approver]] }
"#;

fn map() -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("map.yaml", MAP)]).unwrap_or_else(|e| panic!("{e}")))
}

fn id<T: std::str::FromStr>(kind: u32, n: u32) -> T
where
    T::Err: std::fmt::Debug,
{
    format!("00000000-0000-0000-{kind:04x}-{n:012x}").parse().unwrap()
}

fn user(n: u32, name: &str, external: Option<&str>) -> UserEntry {
    UserEntry {
        id: id(0, n),
        source: "entra".parse().unwrap(),
        user_name: name.into(),
        external_id: external.map(Into::into),
        active: true,
        document: "{}".into(),
    }
}

fn put(directory: &mut Directory, user: UserEntry) {
    let seq = RecordSeq(directory.position().0 + 1);
    directory.apply(&Delta::UserPut { user }, seq);
}

/// Kim is in both groups, Ana makes.
fn town() -> Directory {
    let mut directory = Directory::default();
    for (n, name) in [(1, "Readers"), (2, "Makers")] {
        let group = GroupEntry {
            id: id(1, n),
            source: "entra".parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    }
    put(&mut directory, user(1, "kim@acme.com", Some("k")));
    put(&mut directory, user(2, "ana@acme.com", None));
    for (group, member) in [(1, 1), (2, 2)] {
        let member = MemberKind::User(id(0, member));
        directory.apply(&Delta::MemberAdded { group: id(1, group), member }, RecordSeq(5));
    }
    directory
}

fn said(reason: &str) -> Said {
    Said { at: NOW, by: "operator bo".into(), reason: reason.into() }
}

fn request(n: u32, asked: Asked, name: &str, records: &[&UserEntry]) -> AccessRequest {
    let records = records.iter().map(|user| MeantRecord {
        source: user.source.clone(),
        id: user.id,
        external_id: user.external_id.as_deref().map(Into::into),
    });
    let until = match &asked {
        Asked::Offboard => None,
        Asked::Grant { seconds, .. } | Asked::Impersonate { seconds, .. } => {
            Some(NOW + Duration::seconds(i64::try_from(*seconds).unwrap()))
        }
    };
    AccessRequest {
        id: id(2, n),
        asked,
        whom: Whom { user_name: name.into(), source: None, records: records.collect() },
        asking: said("an incident"),
        state: AccessState::InForce,
        hold: None,
        released: Some(Said { by: "operator cy".into(), ..said("seen") }),
        until,
        ended: None,
        record: RecordSeq(90 + u64::from(n)),
    }
}

fn offboard(name: &str, records: &[&UserEntry]) -> AccessRequest {
    request(1, Asked::Offboard, name, records)
}

fn grant(n: u32, role: &str, target: Option<&str>, to: &UserEntry) -> AccessRequest {
    let asked = Asked::Grant { role: role.into(), target: target.map(Into::into), seconds: 7_200 };
    request(n, asked, &to.user_name, &[to])
}

fn beside(requests: &[AccessRequest]) -> Arc<Beside> {
    Arc::new(Beside::of(requests.iter()))
}

fn around(requests: &[AccessRequest]) -> Surroundings {
    Surroundings { beside: beside(requests), ..Surroundings::default() }
}

fn roles(
    target: &str,
    directory: &Directory,
    requests: &[AccessRequest],
    now: OffsetDateTime,
) -> Vec<String> {
    let target: TargetName = target.parse().unwrap();
    let found = desired(&map(), &target, directory, &around(requests), now).unwrap();
    found.graph.members.iter().map(|m| format!("{} < {}", m.role.as_str(), m.member.as_str())).collect()
}

#[test]
fn who_is_offboarded_has_nothing_under_any_name_or_record() {
    let mut directory = town();
    let kim = user(1, "kim@acme.com", Some("k"));
    let off = [offboard("KIM@acme.com", &[&kim])];
    assert_eq!(
        roles("dw", &directory, &[], NOW),
        ["axon_maker < ana@acme.com", "axon_reader < kim@acme.com"]
    );
    assert_eq!(roles("dw", &directory, &off, NOW), ["axon_maker < ana@acme.com"]);
    // A new name.
    put(&mut directory, UserEntry { user_name: "kim2@acme.com".into(), ..kim.clone() });
    assert_eq!(roles("dw", &directory, &off, NOW), ["axon_maker < ana@acme.com"]);
    // A new record: of the same name, and of the same person under another one.
    for again in [user(8, "Kim@ACME.com", Some("other")), user(9, "k.im@acme.com", Some("k"))] {
        let readers = MemberKind::User(again.id);
        put(&mut directory, again);
        directory.apply(&Delta::MemberAdded { group: id(1, 1), member: readers }, RecordSeq(20));
        assert_eq!(roles("dw", &directory, &off, NOW), ["axon_maker < ana@acme.com"]);
    }
    let okta = AccessRequest {
        whom: Whom { source: Some("okta".parse().unwrap()), ..off[0].whom.clone() },
        ..off[0].clone()
    };
    assert_eq!(roles("dw", &directory, &[okta], NOW).len(), 4, "of another source nobody is meant");
}

#[test]
fn a_role_for_a_while_begins_and_ends_by_the_clock() {
    let directory = town();
    let ana = user(2, "ana@acme.com", None);
    let both = ["axon_maker < ana@acme.com", "axon_reader < ana@acme.com", "axon_reader < kim@acme.com"];
    let asked = [grant(1, "reader", None, &ana)];
    assert_eq!(roles("dw", &directory, &asked, NOW), both);
    assert_eq!(roles("mart", &directory, &asked, NOW), both[1..]);
    assert_eq!(roles("mart", &directory, &[grant(1, "reader", Some("dw"), &ana)], NOW), both[2..]);
    assert_eq!(roles("dw", &directory, &asked, NOW + Duration::minutes(119)), both);
    assert_eq!(roles("dw", &directory, &asked, NOW + Duration::hours(2)), [both[0], both[2]]);
    let waits = AccessRequest { state: AccessState::Proposed, until: None, ..asked[0].clone() };
    assert_eq!(roles("dw", &directory, &[waits], NOW), [both[0], both[2]], "nobody released it");
    let off = [asked[0].clone(), request(2, Asked::Offboard, "ana@acme.com", &[])];
    assert_eq!(roles("dw", &directory, &off, NOW), both[2..], "who is offboarded is given nothing");
}

#[test]
fn somebody_else_under_the_record_inherits_no_role_for_a_while() {
    let mut directory = town();
    let kim = user(1, "kim@acme.com", Some("k"));
    let asked = [grant(1, "maker", None, &kim)];
    assert!(roles("dw", &directory, &asked, NOW).contains(&"axon_maker < kim@acme.com".to_owned()));
    put(&mut directory, UserEntry { external_id: Some("another".into()), ..kim.clone() });
    assert!(!roles("dw", &directory, &asked, NOW).contains(&"axon_maker < kim@acme.com".to_owned()));
    put(&mut directory, UserEntry { active: false, ..kim });
    assert!(!roles("dw", &directory, &asked, NOW).contains(&"axon_maker < kim@acme.com".to_owned()));
}

#[test]
fn a_role_for_a_while_takes_nothing_away_by_a_rule_of_separation() {
    let (directory, ana) = (town(), user(2, "ana@acme.com", None));
    let asked = [grant(1, "approver", None, &ana), grant(2, "reader", None, &ana)];
    let found = desired(&map(), &"dw".parse().unwrap(), &directory, &around(&asked), NOW).unwrap();
    let name = SqlName::parse("ana@acme.com").unwrap();
    let held: Vec<&str> = found.graph.roles_of(name).map(SqlName::as_str).collect();
    assert_eq!(held, ["axon_maker", "axon_reader"], "the map's role and the harmless one stay");
    let told: Vec<&Pending> =
        found.pending.iter().filter(|p| matches!(p, Pending::RequestSeparated { .. })).collect();
    assert_eq!(told.len(), 1, "{:#?}", found.pending);
    // Two requests may not break a rule together either; the older one counts.
    let kim = user(1, "kim@acme.com", Some("k"));
    let both = [grant(1, "approver", None, &kim), grant(2, "maker", None, &kim)];
    let found = desired(&map(), &"dw".parse().unwrap(), &directory, &around(&both), NOW).unwrap();
    let name = SqlName::parse("kim@acme.com").unwrap();
    let held: Vec<&str> = found.graph.roles_of(name).map(SqlName::as_str).collect();
    assert_eq!(held, ["axon_approver", "axon_reader"]);
}

#[test]
fn what_is_moved_by_a_request_or_its_end_is_what_a_whole_evaluation_gives() {
    let directory = town();
    let (kim, ana) = (user(1, "kim@acme.com", Some("k")), user(2, "ana@acme.com", None));
    let stages: [&[AccessRequest]; 5] = [
        &[],
        &[offboard("kim@acme.com", &[&kim])],
        &[offboard("kim@acme.com", &[]), grant(3, "reader", None, &ana)],
        &[grant(3, "reader", None, &ana)],
        &[],
    ];
    let target: TargetName = "dw".parse().unwrap();
    let mut evaluator = Evaluator::new(map(), &target, Surroundings::default()).unwrap();
    evaluator.full(&directory, NOW);
    for requests in stages {
        for at in [NOW, NOW + Duration::hours(3), NOW] {
            let touched = evaluator.set_beside(&beside(requests), &directory);
            evaluator.apply(&directory, &touched, at);
            evaluator.apply(&directory, &Touched::default(), at);
            let whole = desired(&map(), &target, &directory, &around(requests), at).unwrap();
            let moved = evaluator.desired();
            assert_eq!((moved.graph, moved.pending), (whole.graph, whole.pending), "{requests:#?} at {at}");
            assert_eq!(moved.next_change, whole.next_change);
        }
    }
}

#[test]
fn an_explanation_shows_the_request_in_the_place_of_a_mapping() {
    let directory = town();
    let (kim, ana) = (user(1, "kim@acme.com", Some("k")), user(2, "ana@acme.com", None));
    let requests = beside(&[
        offboard("kim@acme.com", &[&kim]),
        grant(2, "reader", None, &ana),
        grant(3, "approver", Some("dw"), &ana),
    ]);
    let identity: Arc<Identity> = Arc::default();
    let none = BTreeMap::new();
    let mut told = String::new();
    for who in ["kim@acme.com", "ana@acme.com"] {
        let question = Question { who, target: None, identity: &identity, around: &none, beside: &requests };
        let found = explain(&map(), &directory, question, NOW);
        told.push_str(&found.to_string());
        let json = serde_json::to_value(&found).unwrap();
        assert!(json.to_string().contains("operator bo"), "{json}");
    }
    let map = map();
    let known = Known { target: None, identity: &identity, around: &none, beside: &requests };
    let explainer = Explainer::new(&map, &directory, known, NOW);
    told.push_str(&explainer.holders("select on sales.orders").unwrap().to_string());
    insta::assert_snapshot!(told);
}

#[test]
fn a_step_s_cause_is_the_request() {
    let directory = town();
    let (kim, ana) = (user(1, "kim@acme.com", Some("k")), user(2, "ana@acme.com", None));
    let requests = [offboard("kim@acme.com", &[&kim]), grant(2, "reader", None, &ana)];
    let mut evaluator = Evaluator::new(map(), &"dw".parse().unwrap(), around(&requests)).unwrap();
    evaluator.full(&directory, NOW);
    let name = |text: &str| SqlName::parse(text).unwrap();
    let joins = Step::AddMember { role: name("axon_reader"), member: name("ana@acme.com") };
    let leaves = Step::DropMember { role: name("axon_reader"), member: name("kim@acme.com") };
    let cause = |step: &Step| serde_json::to_value(evaluator.because(&directory, step, NOW)).unwrap();
    let (given, taken) = (cause(&joins), cause(&leaves));
    let words: BTreeSet<&str> =
        [&given, &taken].iter().filter_map(|causes| causes[0]["cause"].as_str()).collect();
    assert_eq!(words, BTreeSet::from(["offboarded", "request"]), "{given} {taken}");
    assert_eq!((&given[0]["record"], &taken[0]["record"]), (&92.into(), &91.into()));
}
