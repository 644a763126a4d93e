//! How the target behaves when the other side refuses, breaks off, hangs, lies or sends it elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axon_emulator::{Answer, Credentials, Encryption, Identity, Param, ServerError, WireConfig};
use axon_model::SqlName;
use axon_reconcile::target::TokenError;
use axon_reconcile::{
    InspectScope, Outcome, RefusalKind, Retry, Seen, Step, Target, TargetError, TokenSource, Wave,
};
use axon_synapse::{Auth, Dialect, SynapseTarget, Tls};
use secrecy::SecretString;

use crate::redirect::gateway;
use crate::scripted::{Scripted, catalog, done, error, nobody, sessions};

fn name(text: &str) -> SqlName {
    SqlName::parse(text).unwrap()
}

fn role(text: &str) -> Step {
    Step::CreateRole { name: name(text) }
}

async fn apply(target: &SynapseTarget, steps: &[Step]) -> Vec<Outcome> {
    target.apply(&Wave::for_test(steps.to_vec())).await
}

fn refused(outcome: &Outcome) -> (RefusalKind, i64) {
    match outcome {
        Outcome::Refused { refusal, .. } => (refusal.kind, refusal.number),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn steps_are_statements_in_order_each_alone_over_one_connection() {
    let pool = Scripted::open(|_, _| done()).await;
    let target = pool.target();
    let outcomes =
        apply(&target, &[role("a"), role("b"), Step::DenyConnect { principal: name("kim") }]).await;
    for (outcome, text) in outcomes.iter().zip(pool.seen.batches.lock().unwrap().iter()) {
        assert!(
            matches!(outcome, Outcome::Done { statements, .. } if statements == std::slice::from_ref(text)),
            "{outcome:?}"
        );
    }
    assert_eq!(
        pool.seen.statements(),
        [
            "CREATE ROLE [a] AUTHORIZATION [dbo]",
            "CREATE ROLE [b] AUTHORIZATION [dbo]",
            "DENY CONNECT ON DATABASE::[dw] TO [kim]",
        ]
    );
    apply(&target, &[role("c")]).await;
    assert_eq!(pool.seen.logins(), 1);
    assert!(apply(&target, &[]).await.is_empty());
}

#[tokio::test]
async fn the_first_refusal_ends_the_wave_and_keeps_its_words() {
    let pool =
        Scripted::open(|sql, _| if sql.contains("[b]") { error(15247, "No, O'Brien.") } else { done() })
            .await;
    let outcomes = apply(&pool.target(), &[role("a"), role("b"), role("c")]).await;
    assert!(matches!(outcomes[0], Outcome::Done { .. }));
    assert_eq!(refused(&outcomes[1]), (RefusalKind::Forbidden, 15247));
    assert!(matches!(&outcomes[1], Outcome::Refused { refusal, .. } if refusal.message == "No, O'Brien."));
    assert_eq!(outcomes[2], Outcome::NotTried);
    assert_eq!(pool.seen.statements().len(), 2);
}

#[tokio::test]
async fn already_there_is_believed_of_the_catalog_only() {
    let script = |sql: &str, _: &[Param]| {
        if sql.starts_with("SELECT") {
            catalog(&[("a", "R"), ("b", "E")])
        } else {
            error(15023, "already exists")
        }
    };
    let pool = Scripted::open(script).await;
    let outcomes = apply(&pool.target(), &[role("a"), role("b"), role("c")]).await;
    assert_eq!(refused(&outcomes[0]), (RefusalKind::AlreadyThere, 15023));
    // A user has the role's name: going on would put people into the wrong thing.
    assert_eq!(refused(&outcomes[1]), (RefusalKind::Blocked, 15023));
    assert_eq!(outcomes[2], Outcome::NotTried);
}

#[tokio::test]
async fn a_drop_of_what_is_not_there_has_converged_if_everything_can_be_seen() {
    let script = |sql: &str, _: &[Param]| {
        if sql.starts_with("SELECT") {
            catalog(&[])
        } else {
            error(15151, "does not exist or you do not have permission")
        }
    };
    let drop = [Step::DropRole { name: name("gone") }];
    let pool = Scripted::open(script).await;
    let target = pool.target();
    // Nothing was read yet: absence proves nothing.
    assert_eq!(refused(&apply(&target, &drop).await[0]), (RefusalKind::Missing, 15151));
    target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(refused(&apply(&target, &drop).await[0]), (RefusalKind::AlreadyThere, 15151));
}

#[tokio::test]
async fn a_broken_connection_is_unknown_and_the_next_call_dials_again() {
    let pool =
        Scripted::open(|sql, _| if sql.contains("[cut]") { vec![Answer::Hangup] } else { done() }).await;
    let target = pool.target();
    let outcomes = apply(&target, &[role("cut"), role("next")]).await;
    assert!(
        matches!(&outcomes[0], Outcome::Unknown { statements, .. } if statements == &["CREATE ROLE [cut] AUTHORIZATION [dbo]"]),
        "{:?}",
        outcomes[0]
    );
    assert_eq!(outcomes[1], Outcome::NotTried);
    assert!(matches!(apply(&target, &[role("next")]).await[0], Outcome::Done { .. }));
    assert_eq!(pool.seen.logins(), 2);
    assert_eq!(pool.seen.statements().len(), 2, "what is unknown is not replayed");
}

#[tokio::test]
async fn a_fatal_error_is_a_refusal_and_ends_the_connection() {
    let pool = Scripted::open(|sql, _| {
        if sql.contains("[cut]") {
            vec![Answer::Error(ServerError::new(596, "the session is in the kill state").with_class(21))]
        } else {
            done()
        }
    })
    .await;
    let target = pool.target();
    assert_eq!(refused(&apply(&target, &[role("cut")]).await[0]), (RefusalKind::Other, 596));
    assert!(matches!(apply(&target, &[role("next")]).await[0], Outcome::Done { .. }));
    assert_eq!(pool.seen.logins(), 2);
}

#[tokio::test]
async fn a_silent_server_is_unknown_after_the_command_time_out() {
    let pool = Scripted::open(|_, _| done()).await;
    let mut connection = pool.connection();
    connection.command_timeout = Duration::from_millis(200);
    let target = SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap();
    assert!(matches!(apply(&target, &[role("hang")]).await[0], Outcome::Unknown { .. }));
    assert!(matches!(apply(&target, &[role("next")]).await[0], Outcome::Done { .. }));
    assert_eq!(pool.seen.logins(), 2);
}

#[tokio::test]
async fn a_call_that_is_given_up_takes_its_connection_with_it() {
    let pool = Scripted::open(|_, _| done()).await;
    let target = pool.target();
    apply(&target, &[role("first")]).await;
    let given_up = tokio::time::timeout(Duration::from_millis(100), apply(&target, &[role("hang")])).await;
    assert!(given_up.is_err());
    assert!(matches!(apply(&target, &[role("next")]).await[0], Outcome::Done { .. }));
    assert_eq!(pool.seen.logins(), 2);
}

#[tokio::test]
async fn a_login_that_is_refused_says_why_and_when_again_without_the_password() {
    for (number, kind) in
        [(18456, RefusalKind::Login), (42108, RefusalKind::Paused), (42109, RefusalKind::Busy)]
    {
        let door = move |_: &_| Err(ServerError::new(number, "Not now.").with_class(14));
        let pool = Scripted::start(WireConfig::default(), door, |_, _| done()).await;
        let target = pool.target();
        let error = target.inspect(InspectScope::Full).await.unwrap_err();
        let TargetError::Refused { refusal, retry, .. } = &error else { panic!("{error:?}") };
        assert_eq!((refusal.kind, refusal.number), (kind, i64::from(number)));
        assert!(matches!(retry, Retry::After(wait) if *wait >= Duration::from_secs(2)), "{retry:?}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        let outcomes = apply(&target, &[role("a"), role("b")]).await;
        assert_eq!(refused(&outcomes[0]).0, kind);
        assert_eq!(outcomes[1], Outcome::NotTried);
        assert!(pool.seen.batches.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn nobody_there_and_nobody_who_answers_are_unreachable() {
    let pool = Scripted::open(|_, _| done()).await;
    let mut connection = pool.connection();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    connection.port = closed.local_addr().unwrap().port();
    drop(closed);
    let target = SynapseTarget::new("warehouse", Dialect::Dedicated, connection.clone()).unwrap();
    assert!(matches!(target.inspect(InspectScope::Full).await, Err(TargetError::Unreachable { .. })));
    let outcomes = apply(&target, &[role("a")]).await;
    assert!(
        matches!(&outcomes[0], Outcome::Unknown { statements, reason } if statements.is_empty() && reason.starts_with("nothing was sent")),
        "{outcomes:?}"
    );

    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    connection.port = mute.local_addr().unwrap().port();
    connection.login_timeout = Duration::from_millis(200);
    let target = SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap();
    let error = target.inspect(InspectScope::Full).await.unwrap_err();
    assert!(matches!(error, TargetError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_unreadable() {
    let pool = Scripted::open(|_, _| sessions(&["SID1"])).await;
    let error = pool.target().inspect(InspectScope::Full).await.unwrap_err();
    assert!(matches!(error, TargetError::Unreadable { .. }), "{error:?}");
}

/// A pool that `dbo` enters, in which nobody is, and which answers to a look for sessions and to all else as told.
async fn pool_with(
    look: impl Fn(&[Param]) -> Vec<Answer> + Send + Sync + 'static,
    statement: impl Fn(&str) -> Vec<Answer> + Send + Sync + 'static,
) -> Scripted {
    Scripted::open(move |sql, params| {
        if sql.contains("dm_pdw_exec_sessions") {
            look(params)
        } else if sql.starts_with("SELECT") {
            catalog(&[])
        } else {
            statement(sql)
        }
    })
    .await
}

#[tokio::test]
async fn sessions_are_killed_until_a_look_finds_none() {
    let looks = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looks);
    let look = move |params: &[Param]| {
        assert_eq!(params[0].value, axon_emulator::Value::Text("kim".into()));
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => sessions(&["SID1", "SID2"]),
            // One is still going, and the client came back.
            1 => sessions(&["SID2", "SID3"]),
            _ => sessions(&[]),
        }
    };
    let gone = |sql: &str| match sql {
        "KILL 'SID2'" => error(6106, "Process ID 2 is not an active process ID."),
        _ => done(),
    };
    let pool = pool_with(look, gone).await;
    let outcomes = apply(&pool.target(), &[Step::KillSessions { principal: name("kim") }]).await;
    assert!(
        matches!(&outcomes[0], Outcome::Done { statements, .. } if statements.len() == 4),
        "{outcomes:?}"
    );
    assert_eq!(pool.seen.statements(), ["KILL 'SID1'", "KILL 'SID2'", "KILL 'SID3'"]);
    assert_eq!(looks.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn sessions_that_stay_or_may_not_be_killed_or_seen_are_told() {
    let kill = [Step::KillSessions { principal: name("kim") }];
    let pool = pool_with(|_| sessions(&["SID1"]), |_| done()).await;
    let target = pool.target();
    assert_eq!(refused(&apply(&target, &kill).await[0]), (RefusalKind::Busy, 0));
    assert_eq!(pool.seen.statements().len(), 1, "a session is killed once");
    assert_eq!(target.read_back(&Wave::for_test(kill.to_vec())).await.unwrap(), [Seen::NotInForce]);

    let pool = pool_with(|_| sessions(&["SID1"]), |_| error(6102, "KILL is not for you")).await;
    assert_eq!(refused(&apply(&pool.target(), &kill).await[0]), (RefusalKind::Forbidden, 6102));

    let pool = pool_with(|_| error(300, "VIEW SERVER STATE permission was denied"), |_| done()).await;
    assert_eq!(refused(&apply(&pool.target(), &kill).await[0]), (RefusalKind::Forbidden, 300));

    // What is not an id is not sent back as one.
    let pool = pool_with(|_| sessions(&["SID1'; DROP USER [dbo]--"]), |_| done()).await;
    assert!(matches!(apply(&pool.target(), &kill).await[0], Outcome::Unknown { .. }));
    assert_eq!(pool.seen.statements(), Vec::<String>::new());
}

#[tokio::test]
async fn reading_over_a_connection_that_was_cut_while_idle_reads_over_a_new_one() {
    let pool =
        Scripted::open(|sql, _| if sql.starts_with("SELECT") { catalog(&[("a", "R")]) } else { done() })
            .await;
    let target = pool.target();
    target.inspect(InspectScope::Full).await.unwrap();
    pool.seen.cut();
    target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(pool.seen.logins(), 2);
}

#[derive(Debug)]
struct Token(&'static str);

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<SecretString, TokenError> {
        if self.0.is_empty() {
            Err(TokenError("the well is dry".into()))
        } else {
            Ok(SecretString::from(self.0))
        }
    }
}

#[tokio::test]
async fn a_token_is_shown_at_login_and_its_absence_is_told() {
    let pool = Scripted::open(|sql, _| if sql.starts_with("SELECT") { catalog(&[]) } else { done() }).await;
    let mut connection = pool.connection();
    connection.auth = Auth::Token(Arc::new(Token("the.s3cret.token")));
    let target = SynapseTarget::new("warehouse", Dialect::Dedicated, connection.clone()).unwrap();
    target.inspect(InspectScope::Full).await.unwrap();
    assert_eq!(*pool.seen.logins.lock().unwrap(), [Credentials::Token { jwt: "the.s3cret.token".into() }]);
    connection.auth = Auth::Token(Arc::new(Token("")));
    let target = SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap();
    let error = target.inspect(InspectScope::Full).await.unwrap_err();
    assert_eq!(error.to_string(), "no token for warehouse: the well is dry");
}

#[tokio::test]
async fn the_certificate_must_be_vouched_for_in_the_hosts_name() {
    let identity = Identity::self_signed(vec!["localhost".into()]).unwrap();
    let pem = identity.certificate_pem.clone();
    let wire = WireConfig { encryption: Encryption::Required(identity), ..WireConfig::default() };
    let pool = Scripted::start(wire, |_| Ok(()), |_, _| done()).await;
    let target = |host: &str, tls| {
        let mut connection = pool.connection();
        connection.host = host.into();
        connection.tls = tls;
        SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap()
    };
    let ca = Tls::Ca(pem.into_bytes());
    let outcomes = apply(&target("localhost", ca.clone()), &[role("a")]).await;
    assert!(matches!(outcomes[0], Outcome::Done { .. }), "{outcomes:?}");
    for (host, tls) in [("localhost", Tls::Verify), ("127.0.0.1", ca)] {
        let outcomes = apply(&target(host, tls), &[role("b")]).await;
        assert!(
            matches!(&outcomes[0], Outcome::Unknown { reason, .. } if reason.contains("TLS")),
            "{outcomes:?}"
        );
    }
    assert_eq!(pool.seen.logins(), 1, "nobody logged in over a connection that is not trusted");

    // The server has no TLS, the configuration wants it.
    let plain = Scripted::open(|_, _| done()).await;
    let mut connection = plain.connection();
    connection.tls = Tls::Verify;
    let target = SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap();
    assert!(matches!(apply(&target, &[role("a")]).await[0], Outcome::Unknown { .. }));
    assert_eq!(plain.seen.logins(), 0);
}

#[tokio::test]
async fn a_redirection_is_followed_but_not_for_ever_and_not_into_the_open() {
    let pool = Scripted::open(|_, _| done()).await;
    let via = |port| {
        let mut connection = pool.connection();
        connection.port = port;
        SynapseTarget::new("warehouse", Dialect::Dedicated, connection).unwrap()
    };
    let once = gateway("127.0.0.1", pool.port).await;
    let twice = gateway("localhost", once).await;
    let outcomes = apply(&via(twice), &[role("a")]).await;
    assert!(matches!(outcomes[0], Outcome::Done { .. }), "{outcomes:?}");

    let round = gateway("127.0.0.1", 0).await;
    let error = via(round).inspect(InspectScope::Full).await.unwrap_err().to_string();
    assert!(error.contains("on and on"), "{error}");

    let away = gateway("198.51.100.7", 1433).await;
    let error = via(away).inspect(InspectScope::Full).await.unwrap_err().to_string();
    assert!(error.contains("plain text is not allowed"), "{error}");
}

#[tokio::test]
async fn a_read_by_name_before_anything_else_reads_everything_once() {
    let pool = Scripted::open(|_, _| catalog(&[("kim", "E"), ("lee", "E"), ("r", "R")])).await;
    let target = pool.target();
    for _ in 0..2 {
        let inspection = target.inspect(InspectScope::Principals(vec![name("KIM")])).await.unwrap();
        assert_eq!(inspection.graph.principals.keys().map(|n| n.as_str()).collect::<Vec<_>>(), ["kim"]);
        assert!(inspection.graph.roles.is_empty() && inspection.shape.schemas.is_empty());
        assert_eq!(inspection.facts.engine_edition, 6);
    }
    let batches = pool.seen.batches.lock().unwrap().clone();
    assert_eq!(batches.iter().map(|sql| sql.contains("@P1")).collect::<Vec<_>>(), [false, true]);
    let seen = target.read_back(&Wave::for_test(vec![role("r"), role("lee")])).await.unwrap();
    assert_eq!(seen, [Seen::InForce, Seen::NotInForce]);
}

#[tokio::test]
async fn a_full_look_takes_the_same_few_round_trips_however_much_there_is() {
    let mut counts = Vec::new();
    for people in [1, 40, 4_000] {
        let names: Vec<String> = (0..people).map(|n| format!("p{n}@acme.com")).collect();
        let pool = Scripted::open(move |sql, _| {
            let principals: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "E")).collect();
            if sql.contains("SELECT DISTINCT") { nobody() } else { catalog(&principals) }
        })
        .await;
        let target = pool.target();
        let seen = target.inspect(InspectScope::Full).await.unwrap();
        assert_eq!(seen.graph.principals.len(), people);
        target.visitors().await.unwrap();
        counts.push(pool.seen.batches.lock().unwrap().len());
    }
    assert_eq!(counts, [2, 2, 2], "the catalog, and who is in");
}
