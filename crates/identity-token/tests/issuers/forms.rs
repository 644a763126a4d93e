//! What a token must be.

use axon_identity_token::issuer::ENTRA_V1_ISSUER;
use axon_identity_token::testing::SigningKey;
use axon_identity_token::{Algorithm, Issuer, Refusal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::stage::{Stage, rule, with_algorithms, with_condition};

#[tokio::test]
async fn a_token_that_meets_the_rule_holds() {
    let stage = Stage::start().await;
    let token = stage.key.sign(&stage.claims());
    let verified = stage.verifier.verify(&token).await.unwrap();
    assert_eq!((verified.gives, verified.claims.subject()), (vec![&"axon"], Some("provisioner")));
    assert_eq!(verified.until.unix_timestamp(), stage.now() + 3660, "the end and the leeway");
    let rsa = SigningKey::rsa("two");
    stage.issuer.issue("", stage.issuer.base(), &[&stage.key, &rsa]);
    stage.clock.advance(time::Duration::minutes(1));
    assert_eq!(stage.refusal(&rsa.sign(&stage.claims())).await, None, "RSA as well");
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused_each_by_its_name() {
    let stage = Stage::start().await;
    let now = stage.now();
    for (other, why) in [
        (json!({"aud": "api://other"}), Refusal::WrongAudience),
        (json!({"aud": null}), Refusal::WrongAudience),
        (json!({"iss": "https://evil.example"}), Refusal::UnknownIssuer),
        (json!({"iss": null}), Refusal::UnknownIssuer),
        (json!({"exp": null}), Refusal::Expired),
        (json!({"exp": "never"}), Refusal::Expired),
        (json!({"exp": now - 60}), Refusal::Expired),
        (json!({"nbf": now + 61}), Refusal::NotYet),
        (json!({"nbf": "soon"}), Refusal::NotYet),
        (json!({"iat": now + 61}), Refusal::NotYet),
    ] {
        assert_eq!(
            stage.refusal(&stage.key.sign(&stage.claims_but(other.clone()))).await,
            Some(why),
            "{other}"
        );
    }
    for other in [json!({"exp": now - 59}), json!({"nbf": now + 60}), json!({"aud": ["x", "api://axon"]})] {
        let token = stage.key.sign(&stage.claims_but(other.clone()));
        assert_eq!(stage.refusal(&token).await, None, "within the leeway: {other}");
    }
}

#[tokio::test]
async fn nothing_in_the_header_says_how_the_token_is_to_be_believed() {
    let stage = Stage::start().await;
    let evil = SigningKey::p256("one");
    let claims = stage.claims();
    stage.issuer.show("/evil-keys", 200, json!({"keys": [evil.jwk()]}).to_string());
    let evil_keys = format!("{}/evil-keys", stage.issuer.base());
    for header in [
        json!({"alg": "ES256", "kid": "one"}),
        json!({"alg": "ES256", "kid": "one", "jku": evil_keys, "x5u": evil_keys}),
        json!({"alg": "ES256", "kid": "one", "jwk": evil.jwk()}),
        json!({"alg": "ES256", "jwk": evil.jwk()}),
    ] {
        let why = stage.refusal(&evil.sign_with(&header, &claims)).await;
        assert_eq!(why, Some(Refusal::BadSignature), "{header}");
    }
    assert_eq!(stage.issuer.asked("/evil-keys"), 0);
    // The public key as a shared secret, and no signature at all.
    for alg in ["HS256", "none", "None", "NONE"] {
        let token = evil.sign_with(&json!({"alg": alg, "kid": "one"}), &claims);
        assert_eq!(stage.refusal(&token).await, Some(Refusal::WrongAlgorithm), "{alg}");
        let bare = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(stage.refusal(&bare).await, Some(Refusal::WrongAlgorithm), "{alg}");
    }
    let good = stage.key.sign(&claims);
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(stage.refusal(&format!("{message}.")).await, Some(Refusal::BadSignature));
    // A zero signature, which broken libraries take for any message.
    let zeros = URL_SAFE_NO_PAD.encode([0_u8; 64]);
    assert_eq!(stage.refusal(&format!("{message}.{zeros}")).await, Some(Refusal::BadSignature));
}

#[tokio::test]
async fn a_rule_s_algorithms_are_the_only_ones() {
    let stage = Stage::with(SigningKey::p256("one"), |issuer| {
        vec![(with_algorithms(rule(Issuer::discovered(issuer).unwrap()), &[Algorithm::Rs256]), "axon")]
    })
    .await;
    assert_eq!(stage.refusal(&stage.key.sign(&stage.claims())).await, Some(Refusal::WrongAlgorithm));
    let confused = stage.key.sign_with(&json!({"alg": "RS256", "kid": "one"}), &stage.claims());
    assert_eq!(stage.refusal(&confused).await, Some(Refusal::UnknownKey), "its key is on a curve");
}

#[tokio::test]
async fn entra_s_tokens_of_both_versions_hold_for_their_tenant_alone() {
    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    let stage = Stage::with(SigningKey::rsa("one"), |base| {
        let tenant = |rule| with_condition(rule, "tid", &[TENANT]);
        let v1 = Issuer::entra_v1(TENANT, base, ENTRA_V1_ISSUER).unwrap();
        let v2 = Issuer::entra_v2(TENANT, base).unwrap();
        vec![(tenant(rule(v1)), "v1"), (tenant(rule(v2)), "v2")]
    })
    .await;
    let (v1, v2) = (format!("{ENTRA_V1_ISSUER}/{TENANT}/"), format!("{}/{TENANT}/v2.0", stage.issuer.base()));
    stage.issuer.issue(&format!("/{TENANT}"), &v1, &[&stage.key]);
    stage.issuer.issue(&format!("/{TENANT}/v2.0"), &v2, &[&stage.key]);
    for (iss, version) in [(&v1, "v1"), (&v2, "v2")] {
        let good = stage.key.sign(&stage.claims_but(json!({"iss": iss, "tid": TENANT})));
        assert_eq!(stage.verifier.verify(&good).await.unwrap().gives, [&version]);
        for (tid, why) in [
            (json!("99999999-2222-3333-4444-555555555555"), Refusal::WrongClaim),
            (json!(null), Refusal::WrongClaim),
        ] {
            let token = stage.key.sign(&stage.claims_but(json!({"iss": iss, "tid": tid})));
            assert_eq!(stage.refusal(&token).await, Some(why));
        }
    }
    let other = "https://sts.windows.net/99999999-2222-3333-4444-555555555555/";
    let token = stage.key.sign(&stage.claims_but(json!({"iss": other, "tid": TENANT})));
    assert_eq!(stage.refusal(&token).await, Some(Refusal::UnknownIssuer));
}

#[tokio::test]
async fn every_rule_that_a_token_meets_gives() {
    let stage = Stage::with(SigningKey::p256("one"), |base| {
        let issuer = || Issuer::discovered(base).unwrap();
        vec![
            (with_condition(rule(issuer()), "project", &["a", "b"]), "ab"),
            (with_condition(rule(issuer()), "project", &["b"]), "b"),
        ]
    })
    .await;
    for (project, gives) in [("a", vec![&"ab"]), ("b", vec![&"ab", &"b"])] {
        let token = stage.key.sign(&stage.claims_but(json!({"project": project})));
        assert_eq!(stage.verifier.verify(&token).await.unwrap().gives, gives);
    }
    let token = stage.key.sign(&stage.claims_but(json!({"project": "c"})));
    assert_eq!(stage.refusal(&token).await, Some(Refusal::WrongClaim));
    assert_eq!(stage.issuer.asked("/keys"), 1, "one reading for both rules");
}
