//! Every explanation: of a person, of what a person lacks, of who has a grant, in text and as JSON.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use axon_mapping::chain::Brought;
use axon_mapping::explain::{Explainer, Known};
use axon_mapping::identity::{GroupPin, Holder, NameKey, SourceClaims};
use axon_mapping::{Beside, Identity, RoleMap, Surroundings, TargetName};
use axon_model::{
    AccessRequest, AccessState, Asked, Delta, Directory, GroupEntry, GroupId, MeantRecord, MemberKind,
    RecordSeq, Said, SqlName, UserEntry, UserId, Whom,
};
use axon_reconcile::{ObjectFacts, ObjectKind, ObjectName, Shape};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const MAP: &str = r#"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, manage: { schemas: [secure] }, object_id: "{externalId}" }
  ws: { kind: synapse-workspace, endpoint: "https://acme.dev.azuresynapse.net", auth: managed-identity, via: group }
roles:
  base: { grants: { dw: [select on sales.regions] } }
  reader:
    includes: [base]
    grants:
      dw: [select on secure.orders, "select on sales.orders (id, later)"]
      ws: [Synapse Artifact User]
  lead:
    includes: [reader]
    grants: { dw: ["per person: member of mediumrc"] }
    impersonate: { dw: { roles: [reader], for: 1h, reason: required } }
  strict: { grants: { dw: [deny select on sales.regions] } }
  maker: { grants: { dw: [insert on pay.orders] } }
  approver: { grants: { dw: [update on pay.orders] } }
  finance: {}
mappings:
  - { groups: { any: [Readers] }, source: entra, roles: [reader] }
  - groups: { any: [Leads] }
    source: entra
    when: userType eq "Employee" and not (department eq "Law")
    roles: [lead]
    until: 2027-01-01T00:00:00Z
  - { groups: { any: [Strict] }, source: entra, roles: [strict] }
  - { groups: { any: [Makers], none: [Interns] }, source: entra, roles: [maker] }
  - { groups: { any: [Approvers], none: [Ghosts] }, source: entra, roles: [approver] }
  - { groups: { all: [Approvers, Makers] }, source: entra, until: 2026-01-01T00:00:00Z, roles: [approver] }
  - { groups: { any: [Approvers] }, source: okta, roles: [approver] }
  - { groups: { match: "^team-(?<role>[a-z]+)$" }, source: entra, roles: "{role}", only: [finance, maker] }
  - { service: ci, roles: [maker] }
services: { ci: { principal: axon-ci } }
rules: { separate: [[maker, approver]], forbid: [control on database, select on hr.salaries] }
views:
  secure.orders:
    targets: dw
    from: sales.orders
    columns: { id: show, amount: { mask: round(100), unless: [finance] } }
    rows: [{ role: finance }, { where: region in user.title }]
"#;

const GROUPS: [&str; 12] = [
    "Readers",
    "Leads",
    "Strict",
    "Makers",
    "Interns",
    "Approvers",
    "team-maker",
    "team-none",
    "inner",
    "deep",
    "team-finance",
    "dbo",
];

fn user_id(n: u32) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

fn group_id(name: &str) -> GroupId {
    let n = GROUPS.iter().position(|g| *g == name).unwrap();
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

/// Who is in the town, what stands beside the map, and what is known of names.
struct Town {
    map: Arc<RoleMap>,
    directory: Directory,
    identity: Identity,
    requests: Vec<AccessRequest>,
    people: u32,
}

impl Town {
    fn new() -> Self {
        Self::of(MAP)
    }

    fn of(text: &str) -> Self {
        let map = RoleMap::parse(&[("map.yaml", text)]).unwrap_or_else(|e| panic!("{e}"));
        let mut town = Self {
            map: Arc::new(map),
            directory: Directory::default(),
            identity: Identity::default(),
            requests: Vec::new(),
            people: 0,
        };
        for name in GROUPS {
            town.put_group(group_id(name), name);
        }
        town
    }

    fn put_group(&mut self, id: GroupId, name: &str) {
        let group = GroupEntry {
            id,
            source: "entra".parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        };
        self.apply(&Delta::GroupPut { group });
    }

    fn apply(&mut self, delta: &Delta) {
        let next = RecordSeq(self.directory.position().0 + 1);
        self.directory.apply(delta, next);
    }

    fn joins(&mut self, group: &str, member: MemberKind) {
        self.apply(&Delta::MemberAdded { group: group_id(group), member });
    }

    /// A person of the first source with a document, in these groups.
    fn person(&mut self, name: &str, document: &str, groups: &[&str]) -> UserEntry {
        self.person_of("entra", name, true, document, groups)
    }

    fn person_of(
        &mut self,
        source: &str,
        name: &str,
        active: bool,
        document: &str,
        groups: &[&str],
    ) -> UserEntry {
        self.people += 1;
        let user = UserEntry {
            id: user_id(self.people),
            source: source.parse().unwrap(),
            user_name: name.into(),
            external_id: Some(format!("00000000-0000-0000-0000-{:012x}", self.people).into()),
            active,
            document: document.into(),
        };
        self.apply(&Delta::UserPut { user: user.clone() });
        for group in groups {
            self.joins(group, MemberKind::User(user.id));
        }
        user
    }

    fn asks(&mut self, asked: Asked, to: &UserEntry) {
        let n = u32::try_from(self.requests.len()).unwrap();
        let until = match &asked {
            Asked::Offboard => None,
            Asked::Grant { seconds, .. } | Asked::Impersonate { seconds, .. } => {
                Some(NOW + Duration::seconds(i64::try_from(*seconds).unwrap()))
            }
        };
        let record = MeantRecord {
            source: to.source.clone(),
            id: to.id,
            external_id: to.external_id.as_deref().map(Into::into),
        };
        self.requests.push(AccessRequest {
            id: format!("00000000-0000-0000-2222-{n:012x}").parse().unwrap(),
            asked,
            whom: Whom { user_name: to.user_name.to_string(), source: None, records: vec![record] },
            asking: Said { at: NOW, by: "operator bo".into(), reason: "an incident".into() },
            state: AccessState::InForce,
            hold: None,
            released: Some(Said { at: NOW, by: "operator cy".into(), reason: "seen".into() }),
            until,
            ended: None,
            record: RecordSeq(90),
        });
    }

    fn asked<T>(
        &self,
        around: &BTreeMap<TargetName, Surroundings>,
        ask: impl FnOnce(&Explainer<'_>) -> T,
    ) -> T {
        let identity = Arc::new(self.identity.clone());
        let beside = Arc::new(Beside::of(self.requests.iter()));
        let known = Known { target: None, identity: &identity, around, beside: &beside };
        ask(&Explainer::new(&self.map, &self.directory, known, NOW))
    }

    /// What is said of people, one after the other.
    fn told(&self, people: &[&str]) -> String {
        self.asked(&BTreeMap::new(), |explainer| {
            people.iter().map(|who| format!("{}\n", explainer.person(who))).collect::<Vec<_>>().concat()
        })
    }

    fn lacks(&self, asked: &[(&str, &str)]) -> String {
        self.asked(&BTreeMap::new(), |explainer| {
            let mut told = String::new();
            for (who, grant) in asked {
                let missing = explainer.missing(who, grant).unwrap();
                writeln!(told, "# {who} --not {grant}\n{missing}").unwrap();
            }
            told
        })
    }

    fn holders(&self, grants: &[&str]) -> String {
        self.asked(&BTreeMap::new(), |explainer| {
            let mut told = String::new();
            for grant in grants {
                writeln!(told, "# {grant}\n{}", explainer.holders(grant).unwrap()).unwrap();
            }
            told
        })
    }
}

/// What the journal says of every record.
fn journal(records: &BTreeSet<RecordSeq>) -> BTreeMap<RecordSeq, Brought> {
    let told = |record: &RecordSeq| Brought {
        at: NOW - Duration::hours(i64::try_from(record.0).unwrap()),
        by: "source entra".into(),
        request: Some(format!("req-{}", record.0).parse().unwrap()),
    };
    records.iter().map(|record| (*record, told(record))).collect()
}

#[test]
fn the_chain_is_whole_from_the_source_to_the_grant() {
    let mut town = Town::new();
    town.joins("Readers", MemberKind::Group(group_id("inner")));
    town.joins("inner", MemberKind::Group(group_id("deep")));
    // A cycle is harmless.
    town.joins("deep", MemberKind::Group(group_id("Readers")));
    town.person("kim@acme.com", r#"{"userType":"Employee","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Data"}}"#, &["deep", "Leads", "team-none"]);
    let text = town.asked(&around(), |explainer| {
        let mut explanation = explainer.person("KIM@acme.com");
        explanation.tell(&journal(&explanation.records()));
        let json = serde_json::to_string_pretty(&explanation).unwrap();
        insta::assert_snapshot!("the_chain_as_json", json);
        explanation.to_string()
    });
    insta::assert_snapshot!("the_chain", text);
}

/// A catalog without one of the columns that a line names.
fn around() -> BTreeMap<TargetName, Surroundings> {
    let sql = |text: &str| SqlName::parse(text).unwrap();
    let mut shape = Shape::default();
    for (schema, object, columns) in [
        ("sales", "orders", &["id"][..]),
        ("sales", "regions", &[]),
        ("secure", "orders", &[]),
        ("pay", "orders", &[]),
    ] {
        shape.schemas.insert(sql(schema), None);
        let columns = columns.iter().map(|c| sql(c)).collect();
        let facts = ObjectFacts { kind: ObjectKind::Table, owner: None, columns };
        shape.objects.insert(ObjectName { schema: sql(schema), name: sql(object) }, facts);
    }
    let around = Surroundings { shape: Arc::new(shape), ..Surroundings::default() };
    BTreeMap::from([("dw".parse().unwrap(), around)])
}

#[test]
fn a_mapping_that_almost_gives_something_says_why_it_does_not() {
    let mut town = Town::new();
    town.person("false@acme.com", r#"{"userType":"Guest"}"#, &["Leads"]);
    town.person("unknown@acme.com", r#"{"userType":"Employee"}"#, &["Leads"]);
    town.person("absent@acme.com", "{}", &["Leads"]);
    town.person("leftout@acme.com", "{}", &["Makers", "Interns"]);
    town.person("ended@acme.com", "{}", &["Approvers", "Makers"]);
    town.person("noname@acme.com", "{}", &["team-none"]);
    town.person_of("entra", "gone@acme.com", false, "{}", &["Readers"]);
    town.person("nowhere@acme.com", "{}", &["Interns"]);
    let people = ["false", "unknown", "absent", "leftout", "ended", "noname", "gone", "nowhere"];
    let people: Vec<String> = people.iter().map(|who| format!("{who}@acme.com")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    insta::assert_snapshot!("almost", town.told(&[&people[..], &["nobody"]].concat()));
    let asked: Vec<(&str, &str)> = people
        .iter()
        .map(|who| {
            let leads = ["false", "unknown", "absent"].iter().any(|name| who.starts_with(name));
            (*who, if leads { "per person: member of mediumrc" } else { "update on pay.orders" })
        })
        .chain([("nobody", "select on x.y")])
        .collect();
    insta::assert_snapshot!("almost_lacks", town.lacks(&asked));
}

#[test]
fn what_a_rule_separates_is_told_within_one_source_and_over_two() {
    let text = MAP.replace("none: [Ghosts]", "none: [Interns]");
    let mut town = Town::of(&text);
    town.person("both@acme.com", "{}", &["Makers", "Approvers", "Readers"]);
    let claims = |text: &str| SourceClaims::read(None, Some(text)).unwrap();
    town.identity.sources.insert("entra".parse().unwrap(), claims("employeeNumber"));
    town.identity.sources.insert("okta".parse().unwrap(), claims("employeeNumber"));
    let document = r#"{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"7"}}"#;
    town.person("two@acme.com", document, &["Makers"]);
    let mut second = town.person_of("okta", "two@acme.com", true, document, &[]);
    // One person in both: one object id.
    second.external_id = Some("00000000-0000-0000-0000-000000000002".into());
    town.apply(&Delta::UserPut { user: second.clone() });
    let id: GroupId = "00000000-0000-0000-1111-0000000000ff".parse().unwrap();
    let group = GroupEntry {
        id,
        source: "okta".parse().unwrap(),
        display_name: "Approvers".into(),
        external_id: None,
        document: "{}".into(),
    };
    town.apply(&Delta::GroupPut { group });
    town.apply(&Delta::MemberAdded { group: id, member: MemberKind::User(second.id) });
    insta::assert_snapshot!("separated", town.told(&["both@acme.com", "two@acme.com"]));
    insta::assert_snapshot!(
        "separated_lacks",
        town.lacks(&[
            ("both@acme.com", "update on pay.orders"),
            ("both@acme.com", "select on secure.orders")
        ])
    );
}

#[test]
fn what_waits_for_a_release_or_is_withheld_by_its_name_says_so() {
    let mut town = Town::new();
    // A pattern finds these for the first time; the third name had another group.
    town.person("match@acme.com", "{}", &["team-maker", "Readers"]);
    town.person("clear@acme.com", "{}", &["team-finance"]);
    let source: axon_model::SourceId = "entra".parse().unwrap();
    let mine = Holder::of_group(town.directory.group(group_id("team-finance")).unwrap());
    let key = |name: &str| NameKey::of(&source, name);
    let pin = GroupPin { holder: Some(mine), cleared: true, since: RecordSeq(1) };
    town.identity.groups.insert(key("team-finance"), pin);
    let other = Holder { external_id: Some("another".into()), id: "another".into() };
    let pin = GroupPin { holder: Some(other), cleared: true, since: RecordSeq(1) };
    town.identity.groups.insert(key("Strict"), pin);
    town.person("successor@acme.com", "{}", &["Strict", "Readers"]);
    let stranger = town.person("stranger@acme.com", "{}", &["Readers"]);
    town.identity.strangers.insert(stranger.id);
    town.person("shared@acme.com", "{}", &["Readers"]);
    town.person_of("okta", "shared@acme.com", true, "{}", &["Makers"]);
    town.person("dbo", "{}", &["Readers"]);
    town.person("back\\slash", "{}", &["Readers"]);
    let claims =
        SourceClaims::read(Some(&["*@acme.com".to_owned(), "dbo".to_owned(), "back*".to_owned()]), None)
            .unwrap();
    town.identity.sources.insert(source.clone(), claims);
    town.person("eve@other.com", "{}", &["Readers"]);
    let people = [
        "match@acme.com",
        "clear@acme.com",
        "successor@acme.com",
        "stranger@acme.com",
        "shared@acme.com",
        "dbo",
        "back\\slash",
        "eve@other.com",
    ];
    insta::assert_snapshot!("waits_and_withheld", town.told(&people));
    let lacks = [
        ("match@acme.com", "insert on pay.orders"),
        ("successor@acme.com", "deny select on sales.regions"),
        ("stranger@acme.com", "select on secure.orders"),
        ("shared@acme.com", "select on secure.orders"),
        ("stranger@acme.com", "Synapse Artifact User"),
    ];
    insta::assert_snapshot!("waits_and_withheld_lacks", town.lacks(&lacks));
}

#[test]
fn a_group_that_a_pattern_finds_is_also_to_be_released() {
    let mut town = Town::new();
    town.person("kim@acme.com", "{}", &[]);
    let asked = [("kim@acme.com", "insert on pay.orders")];
    let mut told = town.lacks(&asked);
    assert!(told.contains("and which is then released"), "{told}");
    let key = NameKey::of(&"entra".parse().unwrap(), "team-maker");
    let mine = Holder::of_group(town.directory.group(group_id("team-maker")).unwrap());
    town.identity.groups.insert(key, GroupPin { holder: Some(mine), cleared: true, since: RecordSeq(1) });
    told += &town.lacks(&asked);
    assert!(told.contains("a released one whose name fits"), "{told}");
    town.map = Arc::new(
        RoleMap::parse(&[(
            "map.yaml",
            &MAP.replace("only: [finance, maker] }", "only: [finance, maker], trust: true }"),
        )])
        .unwrap_or_else(|e| panic!("{e}")),
    );
    told += &town.lacks(&asked);
    insta::assert_snapshot!("lacks_by_a_pattern", told);
}

#[test]
fn which_capture_gives_a_role_is_told_to_who_has_another_and_to_who_has_none() {
    let lacking = |pattern: &str, roles: &str, trust: &str, groups: &[&str]| {
        let only = "roles: \"{role}\", only: [finance, maker] }";
        let text = MAP
            .replace("^team-(?<role>[a-z]+)$", pattern)
            .replace(only, &format!("roles: \"{roles}\", only: [finance, maker]{trust} }}"));
        let mut town = Town::of(&text);
        let asked = ("kim@acme.com", "insert on pay.orders");
        town.person(asked.0, "{}", groups);
        let missing = town.asked(&BTreeMap::new(), |explainer| explainer.missing(asked.0, asked.1).unwrap());
        let here = missing.targets.iter().find(|here| here.target.as_str() == "dw").unwrap();
        let by = |change: &&axon_mapping::explain::Change| {
            change.mapping.as_ref().is_some_and(|place| place.to_string().contains(":32:"))
        };
        here.changes.iter().find(by).map(|change| change.steps.join("; ")).unwrap()
    };
    let plain = "^team-(?<role>[a-z]+)$";
    let with = format!("one whose name fits {plain} with role = maker, such as team-maker");
    for groups in [&["team-finance"][..], &["team-none"], &[]] {
        let told = lacking(plain, "{role}", ", trust: true", groups);
        assert_eq!(told, format!("be in {with} (entra)"), "{groups:?}");
        // What waits for a release and would give another role is no way to this one.
        let told = lacking(plain, "{role}", "", groups);
        assert_eq!(
            told,
            format!("be in {with}, and which is then released (`axon holds list`) (entra)"),
            "{groups:?}"
        );
    }
    let told = lacking(plain, "{role}", "", &["team-maker"]);
    assert!(told.starts_with("release group team-maker"), "{told}");
    for (pattern, roles, ends) in [
        // The split that fits the pattern, not the first one.
        ("^(?<a>fin|mak)-(?<b>[a-z]+)$", "{a}{b}", "with a = mak and b = er, such as mak-er (entra)"),
        ("^x.*-(?<role>[a-z]+)$", "{role}", "fits ^x.*-(?<role>[a-z]+)$ with role = maker (entra)"),
        ("^x.*-(?<a>[a-z]+)-(?<b>[a-z]+)$", "{a}{b}", "so that {a}{b} is maker (entra)"),
        // A group that is there shows what a pattern means.
        ("^.*-(?<role>[a-z]+)$", "{role}", "with role = maker, such as team-maker (entra)"),
    ] {
        let told = lacking(pattern, roles, ", trust: true", &[]);
        assert!(told.ends_with(ends), "{pattern}: {told}");
    }
}

#[test]
fn requests_stand_in_the_place_of_mappings() {
    let mut town = Town::new();
    let out = town.person("out@acme.com", "{}", &["Readers"]);
    town.asks(Asked::Offboard, &out);
    let extra = town.person("extra@acme.com", "{}", &["Readers"]);
    let grant = |role: &str| Asked::Grant { role: role.into(), target: None, seconds: 7_200 };
    town.asks(grant("maker"), &extra);
    let broken = town.person("broken@acme.com", "{}", &["Makers"]);
    town.asks(grant("approver"), &broken);
    insta::assert_snapshot!("requests", town.told(&["out@acme.com", "extra@acme.com", "broken@acme.com"]));
    insta::assert_snapshot!(
        "requests_lacks",
        town.lacks(&[
            ("out@acme.com", "select on sales.regions"),
            ("extra@acme.com", "insert on pay.orders"),
            ("broken@acme.com", "update on pay.orders")
        ])
    );
    insta::assert_snapshot!(
        "requests_holders",
        town.holders(&["insert on pay.orders", "select on sales.regions"])
    );
}

#[test]
fn denials_masks_whole_groups_and_services_are_told_where_they_hold() {
    let mut town = Town::new();
    town.person("kim@acme.com", "{}", &["Readers", "Strict"]);
    town.person("fin@acme.com", "{}", &["Readers", "team-finance"]);
    let mine = Holder::of_group(town.directory.group(group_id("team-finance")).unwrap());
    let pin = GroupPin { holder: Some(mine), cleared: true, since: RecordSeq(1) };
    town.identity.groups.insert(NameKey::of(&"entra".parse().unwrap(), "team-finance"), pin);
    town.person("mak@acme.com", "{}", &["Makers"]);
    insta::assert_snapshot!("denied_masked_as_a_group", town.told(&["kim@acme.com", "fin@acme.com"]));
    let grants = [
        "select on sales.regions",
        "select on sales.orders (id)",
        "select on sales.orders",
        "insert on pay.orders",
        "Synapse Artifact User",
        "control on database",
        "per person: member of mediumrc",
    ];
    insta::assert_snapshot!("holders", town.holders(&grants));
    let lacks = [
        ("kim@acme.com", "select on sales.regions"),
        ("kim@acme.com", "select on sales.orders"),
        ("kim@acme.com", "control on database"),
        ("kim@acme.com", "per person: member of db_owner"),
        ("kim@acme.com", "select on hr.salaries"),
        ("kim@acme.com", "Synapse Artifact User"),
        ("kim@acme.com", "select on other.thing"),
    ];
    insta::assert_snapshot!("denied_and_forbidden_lacks", town.lacks(&lacks));
    let json = town.asked(&BTreeMap::new(), |explainer| {
        let mut holders = explainer.holders("select on sales.regions").unwrap();
        holders.tell(&journal(&holders.records()));
        let missing = explainer.missing("kim@acme.com", "select on sales.regions").unwrap();
        format!(
            "{}\n{}",
            serde_json::to_string_pretty(&holders).unwrap(),
            serde_json::to_string_pretty(&missing).unwrap()
        )
    });
    insta::assert_snapshot!("holders_and_lacks_as_json", json);
}

#[test]
fn what_several_sources_and_groups_say_of_one_name_is_told() {
    let trusting = MAP.replace("only: [finance, maker] }", "only: [finance, maker], trust: true }");
    assert_ne!(trusting, MAP);
    let mut town = Town::of(&trusting);
    town.person("noname@acme.com", "{}", &["team-none"]);
    town.person("elsewhere@acme.com", "{}", &["Readers"]);
    town.person_of("okta", "elsewhere@acme.com", false, "{}", &[]);
    town.person("twin@acme.com", "{}", &["Leads"]);
    town.put_group("00000000-0000-0000-2222-000000000001".parse().unwrap(), "Leads");
    town.person("pair@acme.com", "{}", &["Approvers"]);
    let people = ["noname@acme.com", "elsewhere@acme.com", "twin@acme.com", "pair@acme.com"];
    let told = town.told(&people);
    for said in ["captures no role that `only` allows", "several groups are named", "is not known"] {
        assert!(told.contains(said), "{said}:\n{told}");
    }
    insta::assert_snapshot!("sources_and_names", told);
    insta::assert_snapshot!(
        "sources_and_names_lacks",
        town.lacks(&[("noname@acme.com", "insert on pay.orders")])
    );
}
