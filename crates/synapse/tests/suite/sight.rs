//! Whose sessions we see in a serverless database: what the server shows counts, since no page says which permission is enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axon_reconcile::{Outcome, Seen, Step, Target as _, Wave};
use axon_synapse::{Dialect, Sight, SynapseTarget};

use crate::ability::Ability::{Dedicated, Logins, Personality, Serverless, SessionsByDatabase};
use crate::named::needs;
use crate::scripted::{Scripted, catalog_of, done, error, numbers};
use crate::stage::{Stage, Who, apply, inspect, name, outcomes, run};

#[tokio::test]
async fn whoever_holds_it_at_the_server_or_sees_somebody_else_sees() {
    needs(&[Serverless, Logins, SessionsByDatabase]);
    let stage = Stage::serverless().await;
    assert_eq!(stage.target().sight().await.unwrap(), Some(Sight::Sees), "as an administrator");
    let mut admin = stage.enter(Who::Admin).await.unwrap();
    stage.comes(&stage.target(), Who::Kim).await;
    let kim = stage.target_of(Who::Kim);
    assert_eq!(kim.sight().await.unwrap(), Some(Sight::Blind));
    run(&mut admin, &format!("GRANT VIEW DATABASE STATE TO [{}]", stage.kim())).await.unwrap();
    assert_eq!(kim.sight().await.unwrap(), Some(Sight::Sees), "the administrator's session is seen");
}

#[tokio::test]
async fn a_permission_that_shows_nobody_else_proves_nothing() {
    for (held, logins, sight) in [
        (numbers(&[Some(0), Some(1)]), numbers(&[Some(1)]), Sight::Unproven),
        (numbers(&[None, None]), numbers(&[Some(1)]), Sight::Unproven),
        (numbers(&[Some(0), Some(1)]), numbers(&[Some(2)]), Sight::Sees),
        (
            error(195, "'HAS_PERMS_BY_NAME' is not a recognized built-in function name."),
            numbers(&[Some(1)]),
            Sight::Unproven,
        ),
        (
            error(195, "'HAS_PERMS_BY_NAME' is not a recognized built-in function name."),
            error(229, "denied"),
            Sight::Unproven,
        ),
        (numbers(&[Some(0), Some(0)]), numbers(&[Some(1)]), Sight::Blind),
    ] {
        let told = format!("{held:?} {logins:?}");
        let pool =
            Scripted::open(
                move |sql, _| {
                    if sql.contains("HAS_PERMS_BY_NAME") { held.clone() } else { logins.clone() }
                },
            )
            .await;
        let target = SynapseTarget::new("warehouse", Dialect::Serverless, pool.connection()).unwrap();
        assert_eq!(target.sight().await.unwrap(), Some(sight), "{told}");
    }
}

/// A run takes nobody for out whose session it may not see: what is not seen is unknown.
#[tokio::test]
async fn where_nothing_proves_that_sessions_are_seen_none_counts_as_ended_until_it_is_proved() {
    needs(&[Personality]);
    let stage = Stage::serverless_whose_sessions_are_the_servers().await;
    let mut admin = stage.enter(Who::Admin).await.unwrap();
    for batch in [
        "CREATE USER [kim@acme.com] FROM EXTERNAL PROVIDER",
        "ALTER ROLE db_owner ADD MEMBER [kim@acme.com]",
        "CREATE USER [lee@acme.com] FROM EXTERNAL PROVIDER",
    ] {
        run(&mut admin, batch).await.unwrap();
    }
    let mut lee = stage.enter(Who::Lee).await.unwrap();
    let kim = stage.target_of(Who::Kim);
    assert_eq!(kim.sight().await.unwrap(), Some(Sight::Unproven), "db_owner, and alone in the view");
    let kill = Step::KillSessions { principal: name("lee@acme.com") };
    inspect(&kim).await;
    let lacks = kim.lacks(&kill).unwrap();
    assert!(lacks.contains("is not proven") && lacks.contains("GRANT VIEW SERVER STATE TO"), "{lacks}");
    let refused = outcomes(&kim, std::slice::from_ref(&kill)).await;
    assert!(
        matches!(&refused[0], Outcome::Refused { refusal, .. } if refusal.message == lacks),
        "{refused:?}"
    );
    let wave = || Wave::for_test(vec![kill.clone()]);
    assert_eq!(kim.read_back(&wave()).await.unwrap(), [Seen::NotInForce], "though none is seen");
    assert_eq!(kim.visitors().await.unwrap(), None, "who is in is not known");
    run(&mut lee, "SELECT 1 AS one").await.unwrap();

    // Somebody grants it; a login is read when one enters.
    run(&mut admin, "USE master").await.unwrap();
    run(&mut admin, "CREATE LOGIN [kim@acme.com] FROM EXTERNAL PROVIDER").await.unwrap();
    run(&mut admin, "GRANT VIEW SERVER STATE TO [kim@acme.com]").await.unwrap();
    let kim = stage.target_of(Who::Kim);
    inspect(&kim).await;
    assert_eq!(kim.lacks(&kill), None);
    apply(&kim, &[kill]).await;
    assert!(run(&mut lee, "SELECT 1 AS one").await.is_err());
}

/// Who waits for it does not wait for the next full look.
#[tokio::test]
async fn what_waits_for_sessions_is_asked_for_again_and_nothing_else_is() {
    let others = Arc::new(AtomicI64::new(1));
    let seen = others.clone();
    let pool = Scripted::open(move |sql, _| match sql {
        sql if sql.contains("HAS_PERMS_BY_NAME") => numbers(&[Some(0), Some(1)]),
        sql if sql.contains("COUNT(DISTINCT") => numbers(&[Some(seen.load(Ordering::SeqCst))]),
        sql if sql.contains("credentials") => error(208, "Invalid object name."),
        sql if sql.starts_with("SELECT") => catalog_of(11, &[]),
        _ => done(),
    })
    .await;
    let target = SynapseTarget::new("warehouse", Dialect::Serverless, pool.connection()).unwrap();
    let kill = Step::KillSessions { principal: name("kim") };
    let asked = || {
        let batches = pool.seen.batches.lock().unwrap();
        batches.iter().filter(|sql| sql.contains("COUNT(DISTINCT")).count()
    };
    inspect(&target).await;
    target.settle().await;
    assert_eq!(asked(), 1, "nobody waits for it");
    assert!(target.lacks(&kill).is_some());
    // The step waits, and is not asked for again meanwhile.
    for plan in 2..5 {
        target.settle().await;
        assert_eq!(asked(), plan);
    }
    assert_eq!(target.visitors().await.unwrap(), None);
    others.store(2, Ordering::SeqCst);
    target.settle().await;
    assert_eq!((target.lacks(&kill), asked()), (None, 5));
    target.settle().await;
    assert_eq!(asked(), 5, "nobody waits for it any more");
    // They leave again: what was shown stays proved.
    others.store(1, Ordering::SeqCst);
    inspect(&target).await;
    assert_eq!(target.lacks(&kill), None);
}

#[tokio::test]
async fn of_a_dedicated_pool_the_catalog_tells() {
    needs(&[Dedicated]);
    let stage = Stage::dedicated().await;
    assert_eq!(stage.target().sight().await.unwrap(), None);
}
