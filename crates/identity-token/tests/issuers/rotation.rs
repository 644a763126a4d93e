//! Keys come and go.

use axon_identity_token::Refusal;
use axon_identity_token::testing::SigningKey;
use time::Duration;

use crate::stage::Stage;

#[tokio::test]
async fn a_new_key_is_found_at_once_and_unknown_ones_are_looked_for_once() {
    let stage = Stage::start().await;
    let token = |key: &SigningKey| key.sign(&stage.claims());
    assert_eq!(stage.refusal(&token(&stage.key)).await, None);
    assert_eq!(stage.issuer.asked("/keys"), 1);
    let next = SigningKey::p256("two");
    stage.issuer.issue("", stage.issuer.base(), &[&stage.key, &next]);
    stage.clock.advance(Duration::minutes(5));
    assert_eq!(stage.refusal(&token(&next)).await, None, "one look at the issuer finds it");
    assert_eq!(stage.issuer.asked("/keys"), 2);
    // A thousand invented keys within ten seconds cost no look at all, and after them one.
    let stranger = |n: u32| token(&SigningKey::p256(&format!("invented-{n}")));
    for n in 0..20 {
        assert_eq!(stage.refusal(&stranger(n)).await, Some(Refusal::KeyNotSeen), "it may have come just now");
    }
    assert_eq!(stage.issuer.asked("/keys"), 2);
    stage.clock.advance(Duration::seconds(11));
    assert_eq!(stage.refusal(&stranger(21)).await, Some(Refusal::UnknownKey));
    assert_eq!(stage.issuer.asked("/keys"), 3);
    assert_eq!(stage.refusal(&token(&next)).await, None, "the good one is not disturbed");
}

#[tokio::test]
async fn a_key_that_the_issuer_takes_back_is_forgotten_after_an_hour() {
    let stage = Stage::start().await;
    assert_eq!(stage.refusal(&stage.key.sign(&stage.claims())).await, None);
    let next = SigningKey::p256("two");
    stage.issuer.issue("", stage.issuer.base(), &[&next]);
    stage.clock.advance(Duration::minutes(61));
    // The request that notices the age is answered by what is known; the keys are read beside it.
    let _ = stage.refusal(&stage.key.sign(&stage.claims())).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while stage.refusal(&stage.key.sign(&stage.claims())).await.is_none() {
        assert!(tokio::time::Instant::now() < deadline, "the old key still counts");
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.refusal(&next.sign(&stage.claims())).await, None);
}

#[tokio::test]
async fn many_first_tokens_read_the_keys_once() {
    let stage = std::sync::Arc::new(Stage::start().await);
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let stage = stage.clone();
            tokio::spawn(async move { stage.refusal(&stage.key.sign(&stage.claims())).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), None);
    }
    assert_eq!(stage.issuer.asked("/keys"), 1);
}

#[tokio::test]
async fn an_issuer_s_outage_locks_nobody_out_for_half_a_day() {
    let stage = Stage::start().await;
    assert_eq!(stage.refusal(&stage.key.sign(&stage.claims())).await, None);
    stage.issuer.show("/keys", 500, "");
    for hours in 1..12 {
        stage.clock.advance(Duration::HOUR);
        assert_eq!(stage.refusal(&stage.key.sign(&stage.claims())).await, None, "{hours} hours");
    }
    stage.clock.advance(Duration::HOUR);
    assert_eq!(stage.refusal(&stage.key.sign(&stage.claims())).await, Some(Refusal::KeysUnavailable));
    stage.issuer.issue("", stage.issuer.base(), &[&stage.key]);
    stage.clock.advance(Duration::seconds(11));
    assert_eq!(stage.refusal(&stage.key.sign(&stage.claims())).await, None, "it came back");
}
