//! The fault matrix, number by number: at the login, in a statement, in a read. The table stands in docs/OPERATIONS.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use axon_emulator::{ServerError, WireConfig};
use axon_reconcile::{InspectScope, Outcome, RefusalKind, Retry, Step, Target as _, TargetError, Wave};

use crate::scripted::{Scripted, done, error};
use crate::stage::name;

const BUSY: RefusalKind = RefusalKind::Busy;

/// Number, what it is taken for, and the least seconds until it is worth another try.
const MATRIX: [(i32, RefusalKind, u64); 22] = [
    (40501, BUSY, 15),
    (10928, BUSY, 15),
    (10929, BUSY, 15),
    (49918, BUSY, 15),
    (49919, BUSY, 15),
    (49920, BUSY, 15),
    (42108, RefusalKind::Paused, 60),
    (42109, BUSY, 2),
    (40613, BUSY, 2),
    (40197, BUSY, 2),
    (40143, BUSY, 2),
    (40166, BUSY, 2),
    (40540, BUSY, 2),
    (4221, BUSY, 2),
    (1205, BUSY, 2),
    (1222, BUSY, 2),
    (33134, RefusalKind::DirectoryUnavailable, 60),
    (33136, RefusalKind::DirectoryUnavailable, 60),
    (18456, RefusalKind::Login, 300),
    (4060, RefusalKind::Login, 300),
    (40615, RefusalKind::Login, 300),
    (47073, RefusalKind::Login, 300),
];

fn role(text: &str) -> Step {
    Step::CreateRole { name: name(text) }
}

#[tokio::test]
async fn each_number_in_a_statement_ends_the_wave_as_its_kind_and_nothing_is_sent_twice() {
    let next = Arc::new(AtomicI32::new(0));
    let given = Arc::clone(&next);
    let pool = Scripted::open(move |sql, _| match given.load(Ordering::SeqCst) {
        number if number != 0 && sql.contains("[hit]") => error(number, "A fault. Retry after 0 seconds."),
        _ => done(),
    })
    .await;
    let target = pool.target();
    for (number, kind, _) in MATRIX {
        next.store(number, Ordering::SeqCst);
        let before = pool.seen.statements().len();
        let outcomes = target.apply(&Wave::for_test(vec![role("hit"), role("behind")])).await;
        let Outcome::Refused { refusal, .. } = &outcomes[0] else { panic!("{number}: {outcomes:?}") };
        assert_eq!((refusal.kind, refusal.number), (kind, i64::from(number)));
        assert_eq!(outcomes[1], Outcome::NotTried, "{number}");
        assert_eq!(pool.seen.statements().len(), before + 1, "{number}");
        next.store(0, Ordering::SeqCst);
        let outcomes = target.apply(&Wave::for_test(vec![role("hit"), role("behind")])).await;
        assert!(outcomes.iter().all(|o| matches!(o, Outcome::Done { .. })), "{number}: {outcomes:?}");
    }
}

#[tokio::test]
async fn each_number_at_the_login_or_in_a_read_says_when_again() {
    for (number, kind, least) in MATRIX {
        let refuse = move |_: &_| Err(ServerError::new(number, "A fault.").with_class(14));
        let door = Scripted::start(WireConfig::default(), refuse, |_, _| done()).await;
        let read = Scripted::open(move |_, _| error(number, "A fault.")).await;
        for pool in [door, read] {
            let error = pool.target().inspect(InspectScope::Full).await.unwrap_err();
            let TargetError::Refused { refusal, retry, .. } = &error else { panic!("{error:?}") };
            assert_eq!((refusal.kind, refusal.number), (kind, i64::from(number)));
            assert_eq!(*retry, Retry::After(Duration::from_secs(least)), "{number}");
        }
    }
}

#[tokio::test]
async fn a_throttled_read_waits_as_long_as_the_server_says() {
    let busy = "The service is currently busy. Retry the request after 40 seconds.";
    let pool = Scripted::open(move |_, _| error(40501, busy)).await;
    let error = pool.target().inspect(InspectScope::Full).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(40)));
}
