//! What pools tell of themselves: probes, greeting, latencies; and that asking changes nothing.

use axon_emulator::PoolKind;
use axon_reconcile::{PrincipalKind, Step, Target as _, TargetError, Wave};
use axon_synapse::{Answer, Dialect, Probes};

use crate::ability::Ability::{Dedicated, LoginNumbers, Serverless};
use crate::named::needs;
use crate::scripted::{Scripted, done, error, greeting};
use crate::stage::{Stage, inspect, kim_sid, name};

fn answer(probes: &Probes, name: &str) -> Answer {
    let found = probes.probes.iter().find(|probe| probe.name == name);
    found.unwrap_or_else(|| panic!("{name}: {probes:?}")).answer.clone()
}

fn told(probes: &Probes) -> String {
    let lines: Vec<String> =
        probes.probes.iter().map(|p| format!("{}: {} ({})", p.name, p.answer.name(), p.number)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_dedicated_pool_tells_what_it_can_and_is_not_changed_by_it() {
    needs(&[Dedicated]);
    let stage = Stage::dedicated().await;
    let target = stage.target();
    let before = inspect(&target).await;
    let probes = target.probe().await.unwrap();
    // What a server of somebody's answers is for its owner to read.
    if stage.emulated() {
        assert_eq!(probes.edition, 6);
        assert!(probes.version.starts_with("Microsoft Azure SQL Data Warehouse"), "{}", probes.version);
        assert_eq!(answer(&probes, "sessions-view"), Answer::Yes);
        assert_eq!(answer(&probes, "drop-role-if-exists"), Answer::No);
        assert_eq!(answer(&probes, "create-or-alter-view"), Answer::No);
        assert_eq!(answer(&probes, "grant-in-transaction"), Answer::No);
        insta::assert_snapshot!(told(&probes));
    } else {
        println!("{}", told(&probes));
    }
    let after = inspect(&target).await;
    assert_eq!((after.graph, after.shape), (before.graph, before.shape));
    // The transaction that a probe left open ended with its connection.
    assert_eq!(target.probe().await.unwrap(), probes);
}

#[tokio::test]
async fn a_serverless_pool_answers_otherwise() {
    needs(&[Serverless]);
    let stage = Stage::of(PoolKind::Serverless).await;
    let target = stage.target();
    let probes = target.probe().await.unwrap();
    assert!(probes.probes.iter().all(|probe| probe.answer != Answer::Unclear), "{}", told(&probes));
    if !stage.emulated() {
        println!("{}", told(&probes));
        return;
    }
    assert_eq!(probes.edition, 11);
    assert_eq!(answer(&probes, "drop-role-if-exists"), Answer::Yes);
    assert_eq!(answer(&probes, "create-or-alter-view"), Answer::Yes);
    assert_eq!(answer(&probes, "classifiers-view"), Answer::No);
    assert_eq!(answer(&probes, "external-login"), Answer::Yes);
    insta::assert_snapshot!(told(&probes));
}

#[tokio::test]
async fn what_a_pool_can_do_is_asked_once_a_version() {
    let stage = Stage::dedicated().await;
    let target = stage.target();
    let kept = target.acquaint(None).await.unwrap().expect("it was asked for the first time");
    assert_eq!(target.acquaint(Some(kept.clone())).await.unwrap(), None, "it is remembered");
    let mut old = kept.clone();
    old["version"] = "Microsoft Azure SQL Data Warehouse - 9.0".into();
    assert_eq!(target.acquaint(Some(old)).await.unwrap(), Some(kept), "another version is asked anew");
    assert!(target.acquaint(Some("junk".into())).await.unwrap().is_some());
}

/// A pool that takes `WITH OBJECT_ID`, and knows no other statement to fail.
async fn modern() -> Scripted {
    Scripted::open(|sql, _| {
        if sql.contains("@@VERSION") && sql.contains("GETUTCDATE") {
            return greeting();
        }
        if sql.contains("axon_probe") && sql.contains("OBJECT_ID") {
            return error(33130, "Principal could not be found.");
        }
        if sql.contains("axon_probe") { error(103_010, "Parse error.") } else { done() }
    })
    .await
}

async fn created(pool: &Scripted, said: &[(&str, bool)], asked: bool) -> String {
    let said = said.iter().map(|(name, can)| ((*name).to_owned(), *can)).collect();
    let target = pool.target().saying(said);
    if asked {
        target.acquaint(None).await.unwrap();
    }
    let create = Step::CreatePrincipal { name: name("twins"), kind: PrincipalKind::External, sid: kim_sid() };
    target.apply(&Wave::for_test(vec![create])).await;
    pool.seen.statements().pop().unwrap()
}

#[tokio::test]
async fn a_user_is_made_by_its_object_where_the_pool_can_be_told_it() {
    let plain = "CREATE USER [twins] FROM EXTERNAL PROVIDER";
    let by_id = format!("{plain} WITH OBJECT_ID = '01234567-89ab-cdef-0123-456789abcdef'");
    let pool = modern().await;
    assert_eq!(created(&pool, &[], false).await, plain, "what was not asked is not believed");
    assert_eq!(created(&pool, &[], true).await, by_id);
    assert_eq!(
        created(&pool, &[("user-by-object-id", false)], true).await,
        plain,
        "the configuration counts"
    );
    assert_eq!(created(&pool, &[("user-by-object-id", true)], false).await, by_id);
}

#[tokio::test]
async fn a_greeting_says_who_is_there_and_each_kind_of_call_is_measured() {
    let stage = Stage::dedicated().await;
    let target = stage.target();
    let greeting = target.greet().await.unwrap();
    if stage.emulated() {
        assert_eq!((greeting.own.as_str(), greeting.dialect()), ("dbo", Some(Dialect::Dedicated)));
    }
    assert!(greeting.clock.year() >= 2020, "{}", greeting.clock);
    let measured = target.calibrate(3).await.unwrap();
    let what: Vec<(&str, usize)> = measured.iter().map(|l| (l.what, l.took.len())).collect();
    assert_eq!(
        what,
        [("a login", 3), ("a round trip", 3), ("a read of one name", 3), ("a read of everything", 3)]
    );
    assert!(measured.iter().all(|l| !l.median().is_zero() && l.median() <= l.longest()), "{measured:?}");
}

#[tokio::test]
async fn a_pool_that_refuses_the_login_has_no_answers() {
    needs(&[LoginNumbers]);
    let stage = Stage::dedicated().await;
    let target = stage.target_of(crate::stage::Who::Lee);
    let error = target.probe().await.unwrap_err();
    assert!(matches!(&error, TargetError::Refused { refusal, .. } if refusal.number == 18456), "{error}");
}
