//! What pools tell of themselves: probes, greeting, latencies; and that asking changes nothing.

use axon_emulator::PoolKind;
use axon_reconcile::TargetError;
use axon_synapse::{Answer, Dialect, Probes};

use crate::stage::{ADMIN, Stage, inspect, token};

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
    let stage = Stage::dedicated().await;
    let target = stage.target_as(token(ADMIN));
    let before = inspect(&target).await;
    let probes = target.probe().await.unwrap();
    assert_eq!(probes.edition, 6);
    assert!(probes.version.starts_with("Microsoft Azure SQL Data Warehouse"), "{}", probes.version);
    assert_eq!(answer(&probes, "sessions-view"), Answer::Yes);
    assert_eq!(answer(&probes, "drop-role-if-exists"), Answer::No);
    assert_eq!(answer(&probes, "create-or-alter-view"), Answer::No);
    assert_eq!(answer(&probes, "grant-in-transaction"), Answer::No);
    insta::assert_snapshot!(told(&probes));
    let after = inspect(&target).await;
    assert_eq!((after.graph, after.shape), (before.graph, before.shape));
    // The transaction that a probe left open ended with its connection.
    assert_eq!(target.probe().await.unwrap(), probes);
}

#[tokio::test]
async fn a_serverless_pool_answers_otherwise() {
    let stage = Stage::of(PoolKind::Serverless).await;
    let target = stage.target_as(token(ADMIN));
    let probes = target.probe().await.unwrap();
    assert_eq!(probes.edition, 11);
    assert_eq!(answer(&probes, "drop-role-if-exists"), Answer::Yes);
    assert_eq!(answer(&probes, "create-or-alter-view"), Answer::Yes);
    assert_eq!(answer(&probes, "classifiers-view"), Answer::No);
    assert_eq!(answer(&probes, "external-login"), Answer::Yes);
    insta::assert_snapshot!(told(&probes));
}

#[tokio::test]
async fn a_greeting_says_who_is_there_and_each_kind_of_call_is_measured() {
    let stage = Stage::dedicated().await;
    let target = stage.target_as(token(ADMIN));
    let greeting = target.greet().await.unwrap();
    assert_eq!((greeting.own.as_str(), greeting.dialect()), ("dbo", Some(Dialect::Dedicated)));
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
    let stage = Stage::dedicated().await;
    let target = stage.target_as(token(crate::stage::LEE));
    let error = target.probe().await.unwrap_err();
    assert!(matches!(&error, TargetError::Refused { refusal, .. } if refusal.number == 18456), "{error}");
}
