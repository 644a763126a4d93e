//! Files that people run: they run twice with one result, do what Axon itself would have done, and no name escapes its place.

use std::path::PathBuf;
use std::sync::Arc;

use axon_emulator::session_port::{Credentials, LoginRequest};
use axon_emulator::{Answer, Directory, PoolKind};
use axon_model::{MapVersion, PlanId, RecordSeq, RunId, SqlName};
use axon_reconcile::{
    GrantState, Graph, InspectScope, LeaseProof, Permission, PrincipalKind, Script, ScriptEnd, ScriptFile,
    ScriptRun, ScriptStep, Securable, Step, Target as _,
};
use axon_synapse::Dialect;
use axon_synapse::script::{NotFound, ScriptSource, ScriptTarget};
use proptest::prelude::*;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::ability::Ability;
use crate::ability::Ability::{
    Brackets, ColumnGrants, Deny, DenyConnect, Logins, Members, OwnedRoles, PermissionRows, Sessions,
    WideGrants,
};
use crate::named::{kinds, needs};
use crate::stage::{
    ADMIN, HOSTILE, PASSWORD, Stage, Who, apply, inspect, joiner, kim_sid, name, orders, run,
};

const AT: OffsetDateTime = datetime!(2026-11-22 13:00 UTC);

/// A folder of its own that is gone with the test.
struct Out(PathBuf);

impl Out {
    fn new(of: &str) -> Self {
        let path = std::env::temp_dir().join(format!("axon-script-{}-{of}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn target(dialect: Dialect, out: &Out, source: ScriptSource) -> ScriptTarget {
    ScriptTarget::new("by-hand", dialect, name("dw"), out.0.clone(), source)
}

fn a_run<'a>(steps: &[Step], map: &'a MapVersion, n: u128, at: OffsetDateTime) -> ScriptRun<'a> {
    let id = |n: u128| uuid::Uuid::from_u128(n);
    let step = |step: &Step| ScriptStep {
        planned: step.clone().into(),
        because: vec!["role reader, by role-map.yaml:16:5".into()],
        counts: None,
    };
    ScriptRun {
        run: RunId::from_uuid(id(n)),
        plan: PlanId::from_uuid(id(n + 1)),
        at,
        map,
        directory: RecordSeq(7),
        steps: steps.iter().map(step).collect(),
        withheld: &[],
        remarks: vec!["a finding with $(PATH)\nGO\nin it".into()],
    }
}

fn map() -> MapVersion {
    MapVersion("0123456789abcdef".into())
}

fn lease() -> LeaseProof {
    LeaseProof::taken("by-hand".into(), "a test".into(), 1, AT)
}

/// The batches as `sqlcmd` would send them.
fn batches(text: &str) -> Vec<String> {
    let mut batches = vec![String::new()];
    for line in text.lines() {
        if line.trim().eq_ignore_ascii_case("go") {
            batches.push(String::new());
        } else if let Some(last) = batches.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    batches.retain(|batch| batch.lines().any(|line| !line.trim().is_empty() && !line.starts_with("--")));
    batches
}

async fn send(stage: &Stage, text: &str) {
    let mut raw = stage.enter(Who::Admin).await.unwrap();
    for batch in batches(text) {
        run(&mut raw, &batch).await.unwrap_or_else(|e| panic!("{e}\n{batch}"));
    }
}

/// A graph without what two pools never share: the instants at which principals were made.
fn lasting(graph: Graph) -> Graph {
    let mut graph = graph;
    for principal in graph.principals.values_mut() {
        principal.created = None;
    }
    graph
}

fn leaver(kim: SqlName, role: SqlName) -> Vec<Step> {
    vec![
        Step::DenyConnect { principal: kim },
        Step::DropMember { role, member: kim },
        Step::KillSessions { principal: kim },
        Step::Revoke {
            grantee: name("axon_reader"),
            permission: Permission::Select,
            on: Securable::Object(orders()),
            columns: vec![name("id"), name("region")],
            was: GrantState::Grant,
        },
        Step::DropMember { role: name("axon_reader"), member: kim },
        Step::DropRole { name: name("axon_reader") },
    ]
}

#[tokio::test]
async fn a_file_runs_twice_with_one_result_which_is_that_of_axon_s_own_statements() {
    needs(&[OwnedRoles, Logins, Members, ColumnGrants, WideGrants, Deny, PermissionRows, Brackets]);
    needs(&[DenyConnect, Sessions]);
    for kind in kinds() {
        let by_hand = Stage::with_orders(kind).await;
        let out = Out::new(&format!("twice-{kind:?}"));
        let database = by_hand.place().database();
        let script =
            ScriptTarget::new("by-hand", by_hand.dialect(), database, out.0.clone(), ScriptSource::Confirmed);
        let mut joins = by_hand.joiner();
        joins.push(Step::CreateRole { name: name(HOSTILE) });
        let leaves = leaver(by_hand.kim(), by_hand.given_role());
        if !by_hand.emulated() {
            by_hand.comes(&by_hand.target(), Who::Kim).await;
        }
        let (_, text) = script.draft(&a_run(&joins, &map(), 1, AT));
        send(&by_hand, &text).await;
        let once = inspect(&by_hand.target()).await.graph;
        send(&by_hand, &text).await;
        assert_eq!(inspect(&by_hand.target()).await.graph, once, "run again, nothing changes");

        // A leaver with a session that lives.
        let mut kim = by_hand.enter(Who::Kim).await.unwrap();
        run(&mut kim, "SELECT 1 AS one").await.unwrap();
        let (_, text) = script.draft(&a_run(&leaves, &map(), 3, AT));
        send(&by_hand, &text).await;
        assert!(run(&mut kim, "SELECT 1 AS one").await.is_err(), "{kind:?}: the session was ended");
        send(&by_hand, &text).await;
        let left = inspect(&by_hand.target()).await.graph;

        let by_axon = Stage::with_orders(kind).await;
        let target = by_axon.target();
        if !by_axon.emulated() {
            by_axon.comes(&target, Who::Kim).await;
        }
        apply(&target, &joins).await;
        assert_eq!(lasting(once), lasting(inspect(&target).await.graph), "{kind:?}");
        apply(&target, &leaves).await;
        assert_eq!(lasting(left), lasting(inspect(&target).await.graph), "{kind:?}");
    }
}

#[tokio::test]
async fn in_another_database_a_file_does_nothing() {
    needs(&[ColumnGrants, WideGrants, Deny, DenyConnect, Sessions]);
    let stage = Stage::dedicated().await;
    let out = Out::new("elsewhere");
    let script = ScriptTarget::new(
        "by-hand",
        stage.dialect(),
        name("axon_live_elsewhere"),
        out.0.clone(),
        ScriptSource::Confirmed,
    );
    let before = inspect(&stage.target()).await.graph;
    let mut steps = stage.joiner();
    steps.extend(leaver(stage.kim(), stage.given_role()));
    let (_, text) = script.draft(&a_run(&steps, &map(), 1, AT));
    send(&stage, &text).await;
    assert_eq!(inspect(&stage.target()).await.graph, before);
}

#[tokio::test]
async fn who_is_dropped_and_made_anew_in_one_file_is_made_anew_once() {
    needs(&[Ability::Directory]);
    let stage = Stage::dedicated().await;
    let out = Out::new("anew");
    let script = target(Dialect::Dedicated, &out, ScriptSource::Confirmed);
    let kim = name("kim@acme.com");
    apply(&stage.target(), &joiner()).await;
    let remade = [
        Step::DropPrincipal { name: kim, sid: None },
        Step::CreatePrincipal { name: kim, kind: PrincipalKind::External, sid: kim_sid() },
        Step::AddMember { role: name("axon_reader"), member: kim },
    ];
    // The SID is already the right one: whoever stands there is the new one.
    let before = inspect(&stage.target()).await.graph;
    let (_, text) = script.draft(&a_run(&remade, &map(), 1, AT));
    send(&stage, &text).await;
    assert_eq!(inspect(&stage.target()).await.graph, before);
    // Without a SID the instant of the file tells the old one from the new one.
    let mut unknown = remade.clone();
    unknown[1] = Step::CreatePrincipal { name: kim, kind: PrincipalKind::External, sid: None };
    let later = OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap();
    let (_, text) = script.draft(&a_run(&unknown, &map(), 1, later));
    send(&stage, &text).await;
    let anew = inspect(&stage.target()).await.graph;
    assert!(
        !anew.members.iter().any(|m| m.member == kim && m.role == name("mediumrc")),
        "it is another user"
    );
    let (_, text) = script.draft(&a_run(&unknown, &map(), 1, AT));
    send(&stage, &text).await;
    assert_eq!(inspect(&stage.target()).await.graph, anew, "made after the file was written: it stays");
}

#[tokio::test]
async fn what_is_confirmed_counts_as_done_and_what_is_exported_is_seen() {
    needs(&[Ability::Directory]);
    let stage = Stage::dedicated().await;
    let out = Out::new("outcome");
    let script = target(Dialect::Dedicated, &out, ScriptSource::Confirmed);
    let look = async |target: &ScriptTarget| target.inspect(InspectScope::Full).await.unwrap();
    let empty = look(&script).await;
    assert!(empty.graph.principals.is_empty() && empty.shape.unread && empty.unseen.is_empty());

    let (file, text) = script.draft(&a_run(&joiner(), &map(), 0x0192, AT));
    script.write(&file, &text, &lease()).unwrap();
    assert_eq!(script.open().unwrap(), std::slice::from_ref(&file));
    assert_eq!(look(&script).await.graph, empty.graph, "nothing is done by being written");
    let found = script.folder().find(&file.name).unwrap();
    assert!(found.unchanged && found.file == file);
    assert!(matches!(script.folder().find("00000000-0000"), Ok(found) if found.file == file), "by its id");
    assert!(matches!(script.folder().find("another.sql"), Err(NotFound::Named(_))));
    script.close(&file, ScriptEnd::Confirmed, AT).unwrap();
    assert_eq!(script.open().unwrap(), Vec::<ScriptFile>::new());
    let confirmed = look(&script).await.graph;
    send(&stage, &text).await;
    let real = inspect(&stage.target()).await;
    assert_eq!(confirmed.members, real.graph.members);
    assert_eq!(confirmed.grants, real.graph.grants);
    assert_eq!(
        confirmed.principals.keys().collect::<Vec<_>>(),
        real.graph.principals.keys().collect::<Vec<_>>()
    );

    // The same pool by an exported file, and what was confirmed after it.
    let exported = ScriptTarget::export(&stage.target(), AT + time::Duration::minutes(1)).await.unwrap();
    std::fs::write(out.0.join("catalog.txt"), exported).unwrap();
    let by_file = target(Dialect::Dedicated, &out, ScriptSource::Catalog(out.0.join("catalog.txt")));
    assert_eq!(look(&by_file).await, real);
    let (file, text) =
        by_file.draft(&a_run(&leaver(name("kim@acme.com"), name("mediumrc")), &map(), 0x0194, AT));
    by_file.write(&file, &text, &lease()).unwrap();
    by_file.close(&file, ScriptEnd::Confirmed, AT + time::Duration::minutes(2)).unwrap();
    let left = look(&by_file).await.graph;
    assert!(left.members.iter().all(|m| m.member != name("kim@acme.com")));

    // A file that somebody edited is told, and other targets share the folder.
    let (file, text) = script.draft(&a_run(&joiner(), &map(), 0x0196, AT));
    script.write(&file, &text, &lease()).unwrap();
    std::fs::write(out.0.join(&file.name), format!("{text}\nDROP USER [dbo]")).unwrap();
    assert!(!script.folder().find(&file.name).unwrap().unchanged);
    let other =
        ScriptTarget::new("other", Dialect::Dedicated, name("dw"), out.0.clone(), ScriptSource::Confirmed);
    assert_eq!(other.open().unwrap(), Vec::<ScriptFile>::new());
    let stranger = LeaseProof::taken("other".into(), "a test".into(), 1, AT);
    assert!(script.write(&file, &text, &stranger).is_err(), "a lease of another target");
}

#[test]
fn a_file_that_the_map_names_holds_what_waits_and_nothing_else() {
    let out = Out::new("one-file");
    std::fs::create_dir_all(&out.0).unwrap();
    let file = out.0.join("pending.SQL");
    let script =
        ScriptTarget::new("by-hand", Dialect::Dedicated, name("dw"), file.clone(), ScriptSource::Confirmed);
    let write = |n, steps: &[Step]| {
        let (written, text) = script.draft(&a_run(steps, &map(), n, AT));
        script.write(&written, &text, &lease()).unwrap();
        (written, text)
    };
    let (first, text) = write(1, &joiner());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert_eq!(std::fs::read_to_string(out.0.join("pending").join(&first.name)).unwrap(), text);
    assert_eq!(script.folder().find("pending.SQL").unwrap().file.run, first.run);
    // Whoever runs it may have edited it: that is told like an edit of the other one.
    std::fs::write(&file, format!("{text}\nDROP USER [dbo]")).unwrap();
    assert!(!script.folder().find(&first.name).unwrap().unchanged);
    // Another run stands in its place; the end of the first one takes nothing of it away.
    let (second, text) = write(3, &leaver(name("kim@acme.com"), name("mediumrc")));
    script.close(&first, ScriptEnd::Superseded, AT).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let found = script.folder().find("pending.SQL").unwrap();
    assert!(found.unchanged && found.file.run == second.run);
    script.close(&second, ScriptEnd::Confirmed, AT).unwrap();
    assert!(!file.exists(), "nothing waits");
    assert!(matches!(script.folder().find("pending.SQL"), Err(NotFound::Named(_))));
}

#[tokio::test]
async fn a_pool_that_is_only_read_is_seen_and_never_changed() {
    needs(&[OwnedRoles, Logins, Members, ColumnGrants, WideGrants, Deny, PermissionRows]);
    let stage = Stage::dedicated().await;
    let out = Out::new("read");
    let source = ScriptSource::Pool(Box::new(stage.target()));
    let database = stage.place().database();
    let script = ScriptTarget::new("by-hand", stage.dialect(), database, out.0.clone(), source);
    if !stage.emulated() {
        stage.comes(&stage.target(), Who::Kim).await;
    }
    let joiner = stage.joiner();
    let before = inspect(&stage.target()).await;
    assert_eq!(script.inspect(InspectScope::Full).await.unwrap(), before);
    assert!(script.is_seen());
    let wave = axon_reconcile::Wave::for_test(joiner.clone());
    let outcomes = script.apply(&wave).await;
    assert!(outcomes.iter().all(|o| !matches!(o, axon_reconcile::Outcome::Done { .. })), "{outcomes:?}");
    assert_eq!(inspect(&stage.target()).await, before);
    assert!(joiner.iter().all(|step| !script.shows(&before.graph, step)));
    send(&stage, &script.draft(&a_run(&joiner, &map(), 1, AT)).1).await;
    let after = script.inspect(InspectScope::Full).await.unwrap().graph;
    assert!(joiner.iter().all(|step| script.shows(&after, step)));
}

#[test]
fn a_file_as_people_read_it() {
    let out = Out::new("text");
    let script = target(Dialect::Dedicated, &out, ScriptSource::Confirmed);
    let mut steps = joiner();
    steps.extend(leaver(name("kim@acme.com"), name("mediumrc")));
    steps.push(Step::CreateRole { name: name("zo\u{eb} GO $(x)") });
    let version = map();
    let withheld = [axon_reconcile::Withheld {
        planned: Step::DropPrincipal { name: name("lee@acme.com"), sid: None }.into(),
        reasons: vec![axon_reconcile::Reason::NeverMade],
    }];
    let run = ScriptRun { withheld: &withheld, ..a_run(&steps, &version, 1, AT) };
    let (file, text) = script.draft(&run);
    assert_eq!(file.name, "20261122T130000Z-00000000-0000-0000-0000-000000000001.sql");
    insta::assert_snapshot!(text);
    assert!(script.unwritable(&Step::CreateRole { name: name("x\u{1f600}") }).is_some());
    assert!(steps.iter().all(|step| script.unwritable(step).is_none()));
}

/// A name of any characters, with what programs and T-SQL make something of.
fn any_name() -> impl Strategy<Value = SqlName> {
    let odd = prop::sample::select(vec![
        "]",
        "'",
        "\"",
        "[",
        "--",
        "/*",
        "*/",
        ";",
        "\n",
        "\r\n",
        "\nGO\n",
        "GO",
        "$(",
        ")",
        "$",
        "\u{eb}",
        "\u{2028}",
        "\u{202e}",
        "\u{ff07}",
        "N'",
        "x",
        " y",
        "DROP USER [dbo]",
        "@",
        "\t",
        ":r ",
        "!!",
        "\u{85}",
    ]);
    let part = prop_oneof![3 => odd.prop_map(str::to_owned), 1 => "\\PC{1,3}"];
    prop::collection::vec(part, 1..8).prop_map(|parts| format!("n{}n", parts.concat())).prop_filter_map(
        "a name that a pool can hold",
        |text| {
            SqlName::parse(&text).ok().filter(|name| {
                // A backslash stands in names of Windows only: the pool refuses it.
                name.as_str().chars().all(|c| u32::from(c) <= 0xffff && c != '\\')
            })
        },
    )
}

fn session(pool: &Arc<axon_emulator::pool::Pool>) -> axon_emulator::session::Session {
    let jwt = ADMIN.to_owned();
    let request = LoginRequest {
        credentials: Credentials::Token { jwt },
        database: Some("dw".to_owned()),
        app_name: "a test".to_owned(),
        host_name: "here".to_owned(),
        client_addr: "127.0.0.1:9".to_owned(),
        language: None,
    };
    pool.login(request).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever names hold, the emulator's own lexer and engine read each batch as the one thing that it is about.
    #[test]
    fn no_name_escapes_its_place(role in any_name(), person in any_name(), serverless in any::<bool>()) {
        prop_assume!(role != person);
        let (dialect, kind) = if serverless {
            (Dialect::Serverless, PoolKind::Serverless)
        } else {
            (Dialect::Dedicated, PoolKind::Dedicated)
        };
        let tenant = serde_json::json!({ "users": [
            { "upn": "admin@acme.com", "objectId": "00000000-0000-0000-0000-00000000000a" },
            { "upn": person.as_str(), "objectId": "00000000-0000-0000-0000-00000000000b" },
        ]});
        let mut config = axon_emulator::pool::config::PoolConfig::new("sa", PASSWORD);
        config.kind = kind;
        config.entra_admin = Some("admin@acme.com".into());
        config.directory = Directory::parse(&tenant.to_string()).unwrap();
        let pool = axon_emulator::pool::Pool::new(config);
        let mut admin = session(&pool);
        let seeded = pool.snapshot().principals().count();

        let steps = [
            Step::CreateRole { name: role },
            Step::CreatePrincipal { name: person, kind: PrincipalKind::External, sid: None },
            Step::AddMember { role, member: person },
            Step::Grant {
                grantee: role,
                permission: Permission::ViewDefinition,
                on: Securable::Database,
                columns: vec![],
            },
            Step::DenyConnect { principal: person },
            Step::KillSessions { principal: person },
        ];
        let out = Out(std::env::temp_dir().join("axon-script-nothing-is-written-here"));
        let script = target(dialect, &out, ScriptSource::Confirmed);
        let (_, text) = script.draft(&a_run(&steps, &map(), 1, AT));
        prop_assert!(text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)), "{}", text);
        prop_assert!(!text.contains("$("));
        let batches = batches(&text);
        prop_assert_eq!(batches.len(), steps.len());
        for _ in 0..2 {
            for batch in &batches {
                let failed = admin.batch(batch).into_iter().find_map(|answer| match answer {
                    Answer::Error(error) => Some(error),
                    _ => None,
                });
                prop_assert!(failed.is_none(), "{:?}\n{}", failed, batch);
            }
        }
        let catalog = pool.snapshot();
        let names: Vec<String> = catalog.principals().map(|p| p.name.clone()).collect();
        prop_assert_eq!(names.len(), seeded + 2);
        prop_assert!(names.iter().any(|n| n == role.as_str()) && names.iter().any(|n| n == person.as_str()));
    }
}
