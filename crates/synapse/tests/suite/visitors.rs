//! Whose sessions are ended: the leaver's, under whatever name and whatever they act as, and nobody else's.

use axon_emulator::PoolKind;
use axon_emulator::directory::{DirectoryGroup, DirectoryUser};
use axon_reconcile::visitor::{Bearers, uninvited};
use axon_reconcile::{PrincipalKind, Seen, Step, Target as _, Wave};
use axon_synapse::{Dialect, SynapseTarget};
use tiberius::AuthMethod;

use crate::ability::Ability::{Directory, ExecuteAs, Logins, PermissionRows, Sessions};
use crate::named::{kinds, needs};
use crate::scripted::{Scripted, catalog_of, done, error, numbers, sessions, sessions_of_nobody};
use crate::stage::{KIM, LEE, Stage, Who, apply, inspect, kim_sid, name, run};

/// `kim.renamed@acme.com`
const RENAMED: &str = "eyJhbGciOiJub25lIn0.eyJ1cG4iOiJraW0ucmVuYW1lZEBhY21lLmNvbSJ9.";

fn kim_comes() -> Step {
    Step::CreatePrincipal { name: name("kim@acme.com"), kind: PrincipalKind::External, sid: kim_sid() }
}

/// Kim is called otherwise now, and somebody else has the name; a group lets that one in.
fn renamed_and_replaced(stage: &Stage) {
    stage.emulator().pool().change_directory(|directory| {
        let kim = directory.users.iter_mut().find(|user| user.upn == "kim@acme.com").unwrap();
        let other = DirectoryUser { object_id: "00000000-0000-0000-0000-0000000000bb".into(), ..kim.clone() };
        kim.upn = "kim.renamed@acme.com".into();
        directory.users.push(other);
        directory.groups.push(DirectoryGroup {
            display_name: "Readers".into(),
            object_id: "00000000-0000-0000-0000-0000000000f4".into(),
            members: vec!["kim@acme.com".into()],
            security_enabled: true,
        });
    });
}

#[tokio::test]
async fn a_session_of_a_renamed_leaver_is_ended_and_one_of_a_namesake_is_not() {
    needs(&[Directory]);
    for kind in kinds() {
        let stage = Stage::of(kind).await;
        let target = stage.target();
        apply(&target, &[kim_comes()]).await;
        let mut before = stage.enter(Who::Kim).await.unwrap();
        renamed_and_replaced(&stage);
        let mut admin = stage.enter(Who::Admin).await.unwrap();
        run(&mut admin, "CREATE USER [Readers] FROM EXTERNAL PROVIDER").await.unwrap();
        let mut renamed = stage.raw(AuthMethod::aad_token(RENAMED)).await.unwrap();
        let mut namesake = stage.enter(Who::Kim).await.unwrap();
        let kim = name("kim@acme.com");
        apply(&target, &[Step::DenyConnect { principal: kim }]).await;
        let shut_out = async || {
            let graph = inspect(&target).await.graph;
            let found = uninvited(&graph, &target.visitors().await.unwrap().unwrap(), &Bearers::new());
            assert!(!found.unknown.contains(&name("kim.renamed@acme.com")), "{kind:?}: {found:?}");
            found.shut_out.contains(&kim)
        };
        assert!(shut_out().await, "{kind:?}");
        apply(&target, &[Step::KillSessions { principal: kim }]).await;
        for session in [&mut before, &mut renamed] {
            assert!(run(session, "SELECT 1 AS one").await.is_err(), "{kind:?}");
        }
        assert!(run(&mut namesake, "SELECT 1 AS one").await.is_ok(), "{kind:?}: another person");
        assert!(!shut_out().await, "{kind:?}");
    }
}

/// The name is another object's: by a group that lets it in, or by a user of its own.
const TAKEN: [&str; 2] =
    ["CREATE USER [Readers] FROM EXTERNAL PROVIDER", "CREATE USER [kim@acme.com] FROM EXTERNAL PROVIDER"];

#[tokio::test]
async fn a_session_whose_user_is_gone_is_ended_by_the_id_and_no_session_of_who_has_the_name_now() {
    needs(&[Directory]);
    for (kind, taken) in
        [PoolKind::Dedicated, PoolKind::Serverless].into_iter().flat_map(|k| TAKEN.map(|t| (k, t)))
    {
        let stage = Stage::of(kind).await;
        let target = stage.target();
        apply(&target, &[kim_comes()]).await;
        let mut before = stage.enter(Who::Kim).await.unwrap();
        let mut admin = stage.enter(Who::Admin).await.unwrap();
        run(&mut admin, "DROP USER [kim@acme.com]").await.unwrap();
        renamed_and_replaced(&stage);
        run(&mut admin, taken).await.unwrap();
        let mut namesake = stage.enter(Who::Kim).await.unwrap();
        let (kim, sid) = (name("kim@acme.com"), kim_sid().unwrap());
        let bearers = Bearers::from([(kim, vec![sid.clone()])]);
        let former = async || {
            let graph = inspect(&target).await.graph;
            let found = uninvited(&graph, &target.visitors().await.unwrap().unwrap(), &bearers);
            assert!(!found.unknown.contains(&kim), "{kind:?}: {found:?}");
            found.former.contains(&(kim, sid.clone()))
        };
        assert!(former().await, "{kind:?}: {taken}");
        let kill = [Step::KillFormer { principal: kim, sid: sid.clone() }];
        let seen = async || target.read_back(&Wave::for_test(kill.to_vec())).await.unwrap();
        assert_eq!(seen().await, [Seen::NotInForce], "{kind:?}: {taken}");
        apply(&target, &kill).await;
        assert_eq!(seen().await, [Seen::InForce], "{kind:?}: {taken}");
        assert!(run(&mut before, "SELECT 1 AS one").await.is_err(), "{kind:?}: {taken}");
        assert!(!former().await, "{kind:?}: {taken}");
        assert!(run(&mut namesake, "SELECT 1 AS one").await.is_ok(), "{kind:?}: {taken}: another person");
    }
}

#[tokio::test]
async fn who_entered_counts_and_not_whom_a_session_acts_as() {
    needs(&[Logins, PermissionRows, Sessions, ExecuteAs]);
    for kind in kinds() {
        let stage = Stage::of(kind).await;
        let target = stage.target();
        stage.comes(&target, Who::Kim).await;
        stage.comes(&target, Who::Lee).await;
        let (as_kim, as_lee) = (stage.kim(), stage.lee());
        let mut admin = stage.enter(Who::Admin).await.unwrap();
        run(&mut admin, &format!("GRANT IMPERSONATE ON USER::[{as_lee}] TO [{as_kim}]")).await.unwrap();
        let mut kim = stage.enter(Who::Kim).await.unwrap();
        run(&mut kim, &format!("EXECUTE AS USER = '{as_lee}'")).await.unwrap();
        run(&mut admin, &format!("EXECUTE AS USER = '{as_kim}'")).await.unwrap();
        apply(&target, &[Step::KillSessions { principal: as_lee }]).await;
        assert!(run(&mut kim, "SELECT 1 AS one").await.is_ok(), "{kind:?}: lee is not in");
        apply(&target, &[Step::KillSessions { principal: as_kim }]).await;
        assert!(run(&mut kim, "SELECT 1 AS one").await.is_err(), "{kind:?}: kim entered, as whomever");
        assert!(run(&mut admin, "SELECT 1 AS one").await.is_ok(), "{kind:?}: it is the administrator's");
    }
}

#[tokio::test]
async fn a_view_that_does_not_tell_who_entered_is_asked_for_whom_the_session_is() {
    let looks = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let pool = Scripted::open(move |sql, _| {
        if sql.contains("HAS_PERMS_BY_NAME") {
            return numbers(&[Some(1), Some(1)]);
        }
        if sql.contains("original_login_name") {
            return error(207, "Invalid column name 'original_login_name'.");
        }
        if sql.contains("dm_exec_sessions") {
            let first = looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            return sessions(if first { &["51"] } else { &[] });
        }
        match sql {
            sql if sql.contains("credentials") => error(208, "Invalid object name."),
            sql if sql.starts_with("SELECT") => catalog_of(11, &[]),
            _ => done(),
        }
    })
    .await;
    let target = SynapseTarget::new("warehouse", Dialect::Serverless, pool.connection()).unwrap();
    apply(&target, &[Step::KillSessions { principal: name("kim") }]).await;
    assert_eq!(pool.seen.statements(), ["KILL 51"]);
}

#[tokio::test]
async fn by_a_name_that_nobody_has_only_sessions_are_ended_that_tell_no_id() {
    let killed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let pool = Scripted::open(move |sql, _| {
        let ended = killed.load(std::sync::atomic::Ordering::SeqCst);
        killed.fetch_or(sql.starts_with("KILL"), std::sync::atomic::Ordering::SeqCst);
        match sql {
            sql if sql.contains("HAS_PERMS_BY_NAME") => numbers(&[Some(1), Some(1)]),
            sql if sql.contains("dm_exec_sessions") => {
                let named = (51, Some([7; 16]));
                if ended { sessions_of_nobody(&[named]) } else { sessions_of_nobody(&[named, (52, None)]) }
            }
            sql if sql.contains("credentials") => error(208, "Invalid object name."),
            sql if sql.starts_with("SELECT") => catalog_of(11, &[]),
            _ => done(),
        }
    })
    .await;
    let target = SynapseTarget::new("warehouse", Dialect::Serverless, pool.connection()).unwrap();
    let kill = [Step::KillSessions { principal: name("kim") }];
    apply(&target, &kill).await;
    assert_eq!(pool.seen.statements(), ["KILL 52"], "who tells an id may be another person");
    assert_eq!(target.read_back(&Wave::for_test(kill.to_vec())).await.unwrap(), [Seen::InForce]);
}

#[tokio::test]
async fn a_leaver_of_one_database_keeps_the_session_in_another_one_of_the_server_until_the_server_itself_ends_it()
 {
    needs(&[Directory]);
    let stage = Stage::serverless().await;
    let target = stage.target();
    let (kim, lee) = (name("kim@acme.com"), name("lee@acme.com"));
    let user = |name| Step::CreatePrincipal { name, kind: PrincipalKind::External, sid: None };
    apply(&target, &[user(kim), user(lee)]).await;
    let server = crate::server::server(&stage);
    apply(&server, &[user(kim), user(lee)]).await;
    let mut kim_in_dw = stage.enter(Who::Kim).await.unwrap();
    let mut lee_in_dw = stage.enter(Who::Lee).await.unwrap();
    let mut kim_beside = stage.raw_in("master", AuthMethod::aad_token(KIM)).await.unwrap();
    let mut lee_beside = stage.raw_in("master", AuthMethod::aad_token(LEE)).await.unwrap();
    let are_in = async |target: &SynapseTarget| {
        inspect(target).await;
        let visitors = target.visitors().await.unwrap().unwrap();
        [kim, lee].map(|who| visitors.iter().any(|visitor| visitor.login == who))
    };
    assert_eq!((are_in(&target).await, are_in(&server).await), ([true, true], [true, true]));
    apply(&target, &[Step::DenyConnect { principal: kim }, Step::KillSessions { principal: kim }]).await;
    assert!(run(&mut kim_in_dw, "SELECT 1 AS one").await.is_err(), "kim left this database");
    for session in [&mut lee_in_dw, &mut kim_beside, &mut lee_beside] {
        assert!(run(session, "SELECT 1 AS one").await.is_ok(), "nobody else is cut off, nor anywhere else");
    }
    assert_eq!((are_in(&target).await, are_in(&server).await), ([false, true], [true, true]));
    apply(&server, &[Step::KillSessions { principal: kim }]).await;
    assert!(run(&mut kim_beside, "SELECT 1 AS one").await.is_err(), "the server's target finds its own");
    for session in [&mut lee_in_dw, &mut lee_beside] {
        assert!(run(session, "SELECT 1 AS one").await.is_ok());
    }
    assert_eq!((are_in(&target).await, are_in(&server).await), ([false, true], [false, true]));
}
