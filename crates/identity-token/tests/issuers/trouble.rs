//! An issuer that answers badly is believed nothing.

use axon_identity_token::Refusal;
use axon_identity_token::testing::SigningKey;
use serde_json::json;

use crate::stage::Stage;

const DOCUMENT: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn documents_that_lie_or_break_or_lead_away_are_not_taken() {
    let stage = Stage::start().await;
    let token = stage.key.sign(&stage.claims());
    let (base, keys) = (stage.issuer.base().to_owned(), format!("{}/keys", stage.issuer.base()));
    let good = json!({"issuer": base, "jwks_uri": keys}).to_string();
    let jwks = json!({"keys": [stage.key.jwk()]}).to_string();
    let evil = SigningKey::p256("one");
    stage.issuer.show("/evil", 200, json!({"keys": [evil.jwk()]}).to_string());
    let huge = format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(600 * 1024));
    for (document, key_answer) in [
        ((200, "not json".to_owned()), (200, jwks.clone())),
        ((404, String::new()), (200, jwks.clone())),
        (
            (200, json!({"issuer": "https://other.example", "jwks_uri": keys}).to_string()),
            (200, jwks.clone()),
        ),
        ((200, json!({"issuer": base}).to_string()), (200, jwks.clone())),
        (
            (200, json!({"issuer": base, "jwks_uri": "http://keys.example/keys"}).to_string()),
            (200, jwks.clone()),
        ),
        ((200, json!({"issuer": base, "jwks_uri": "file:///keys"}).to_string()), (200, jwks.clone())),
        ((302, format!("{base}/evil-document")), (200, jwks.clone())),
        ((200, good.clone()), (302, format!("{base}/evil"))),
        ((200, good.clone()), (500, jwks.clone())),
        ((200, good.clone()), (200, "[]".to_owned())),
        ((200, good.clone()), (200, json!({"keys": []}).to_string())),
        ((200, good.clone()), (200, json!({"keys": [{"kty": "oct", "kid": "one", "k": "AA"}]}).to_string())),
        ((200, good.clone()), (200, huge)),
    ] {
        stage.clock.advance(time::Duration::seconds(11));
        stage.issuer.show(DOCUMENT, document.0, document.1.clone());
        stage.issuer.show("/keys", key_answer.0, key_answer.1);
        assert_eq!(stage.refusal(&token).await, Some(Refusal::KeysUnavailable), "{document:?}");
    }
    assert_eq!(
        stage.issuer.asked("/evil") + stage.issuer.asked("/evil-document"),
        0,
        "no redirect is followed"
    );
    let asked = stage.issuer.asked(DOCUMENT);
    stage.issuer.show(DOCUMENT, 200, good);
    stage.issuer.show("/keys", 200, jwks);
    assert_eq!(stage.refusal(&token).await, Some(Refusal::KeysUnavailable), "not asked again so soon");
    assert_eq!(stage.issuer.asked(DOCUMENT), asked);
    stage.clock.advance(time::Duration::seconds(11));
    assert_eq!(stage.refusal(&token).await, None);
}
