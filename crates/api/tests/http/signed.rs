//! Tokens that Entra, Okta or another issuer signed, instead of one of ours.

use axon_api::ApiParts;
use axon_api::auth::{AuthSettings, SourceGrant, Trusts};
use axon_identity_token::algorithm::USUAL;
use axon_identity_token::rule::LEEWAY;
use axon_identity_token::testing::{FakeIssuer, SigningKey};
use axon_identity_token::{Condition, Issuer, Rule};
use axon_model::Clock as _;
use axon_store::Scopes;
use serde_json::{Value, json};

use tokio::time::Duration;

use crate::kit::{LIMITS, Server};
use crate::slowed::{from, took};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const AUDIENCE: &str = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621";

pub fn rule(issuer: Issuer, conditions: &[(&str, &str)]) -> Rule {
    let condition =
        |(claim, value): &(&str, &str)| Condition { claim: (*claim).into(), one_of: vec![(*value).into()] };
    Rule {
        issuer,
        audiences: vec![AUDIENCE.to_owned()],
        algorithms: USUAL.to_vec(),
        leeway: LEEWAY,
        conditions: conditions.iter().map(condition).collect(),
    }
}

fn grant(source: &str, scopes: Scopes) -> SourceGrant {
    SourceGrant { source: source.parse().unwrap(), scopes }
}

/// A server whose sources take what an issuer signs.
async fn server(rules: Vec<(Rule, SourceGrant)>) -> Server {
    let change = |parts: &mut ApiParts| {
        let settings = AuthSettings {
            signed: rules,
            signed_only: ["okta".parse().unwrap()].into(),
            ..AuthSettings::default()
        };
        parts.trusts = Trusts::new(settings, parts.clock.clone()).unwrap();
    };
    Server::with(LIMITS, change).await
}

fn claims(server: &Server, iss: &str, more: &Value) -> Value {
    let now = server.clock.now().unix_timestamp();
    let mut claims =
        json!({"iss": iss, "aud": AUDIENCE, "sub": "s", "iat": now, "nbf": now, "exp": now + 3900});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

#[tokio::test]
async fn entra_s_own_token_of_either_version_is_the_source_s() {
    let (issuer, key) = (FakeIssuer::start().await, SigningKey::rsa("k1"));
    let (v1, v2) = (
        Issuer::entra_v1(TENANT, issuer.base(), "https://sts.windows.net").unwrap(),
        Issuer::entra_v2(TENANT, issuer.base()).unwrap(),
    );
    issuer.issue(&format!("/{TENANT}"), &v1.name, &[&key]);
    issuer.issue(&format!("/{TENANT}/v2.0"), &v2.name, &[&key]);
    let entra = || grant("entra", Scopes::ALL);
    let server = server(vec![
        (rule(v1.clone(), &[("tid", TENANT)]), entra()),
        (rule(v2.clone(), &[("tid", TENANT)]), entra()),
    ])
    .await;
    for (iss, name) in [(&v1.name, "one"), (&v2.name, "two")] {
        let token = key.sign(&claims(&server, iss, &json!({"tid": TENANT})));
        let made = server.bearer(&token).user(name).await;
        assert_eq!(server.entra().get(&made.path).await.status, 200, "it is Entra's directory");
        let foreign =
            key.sign(&claims(&server, iss, &json!({"tid": "99999999-2222-3333-4444-555555555555"})));
        server.bearer(&foreign).get("/Users").await.refused(401, "");
    }
    // Expiry, tampering and a plain token without its switch are refused like any other.
    let token = key.sign(&claims(&server, &v2.name, &json!({"tid": TENANT})));
    assert_eq!(server.bearer(&token).get("/Users").await.status, 200);
    server.bearer(&format!("{token}x")).get("/Users").await.refused(401, "");
    server.clock.advance(time::Duration::hours(2));
    server.bearer(&token).get("/Users").await.refused(401, "");
}

#[tokio::test]
async fn invented_keys_of_one_address_are_answered_later_and_later() {
    let (issuer, key) = (FakeIssuer::start().await, SigningKey::p256("k1"));
    issuer.issue("", issuer.base(), &[&key]);
    let okta = Issuer::discovered(issuer.base()).unwrap();
    let server = server(vec![(rule(okta, &[]), grant("okta", Scopes::ALL))]).await;
    let sign = |key: &SigningKey| key.sign(&claims(&server, issuer.base(), &json!({})));
    assert_eq!(from(&server, &server.bearer(&sign(&key)), "192.0.2.1", &[]).await.status, 200);
    let invented = sign(&SigningKey::p256("invented"));
    for _ in 0..5 {
        let answer = from(&server, &server.bearer(&invented), "192.0.2.1", &[]).await;
        assert_eq!(answer.status, 503, "the issuer may have made it since it was asked");
    }
    let client = server.bearer(&invented);
    let (status, waited) = took(from(&server, &client, "192.0.2.1", &[])).await;
    assert!(status == 503 && waited >= Duration::from_millis(100), "{waited:?}");
    let (status, waited) = took(from(&server, &client, "192.0.2.1", &[])).await;
    assert!(status == 503 && waited >= Duration::from_millis(200), "{waited:?}");
    assert_eq!(issuer.asked("/keys"), 1, "nor is the issuer asked for each");
    assert_eq!(from(&server, &server.bearer(&sign(&key)), "192.0.2.1", &[]).await.status, 200);
}

#[tokio::test]
async fn keys_rotate_while_the_connector_goes_on_and_trouble_at_the_issuer_is_503() {
    let (issuer, first) = (FakeIssuer::start().await, SigningKey::p256("k1"));
    let okta = Issuer::discovered(issuer.base()).unwrap();
    let server = server(vec![(rule(okta, &[]), grant("okta", Scopes::ALL))]).await;
    let sign = |key: &SigningKey| key.sign(&claims(&server, issuer.base(), &json!({})));
    let answer = server.bearer(&sign(&first)).get("/Users").await;
    answer.refused(503, "");
    assert!(!answer.header("retry-after").is_empty(), "an issuer that is down is no bad token");
    issuer.issue("", issuer.base(), &[&first]);
    server.clock.advance(time::Duration::seconds(11));
    assert_eq!(server.bearer(&sign(&first)).get("/Users").await.status, 200);
    let second = SigningKey::p256("k2");
    issuer.issue("", issuer.base(), &[&first, &second]);
    server.clock.advance(time::Duration::minutes(3));
    assert_eq!(server.bearer(&sign(&second)).get("/Users").await.status, 200, "found at once");
    assert_eq!(server.bearer(&sign(&first)).get("/Users").await.status, 200, "both live");
    server.clock.advance(time::Duration::minutes(3));
    let stranger = SigningKey::p256("k3");
    server.bearer(&sign(&stranger)).get("/Users").await.refused(401, "");
    assert_eq!(issuer.asked("/keys"), 3, "each unknown key cost one look");
    // This source takes no opaque tokens any more.
    server.okta().get("/Users").await.refused(401, "");
    assert_eq!(server.entra().get("/Users").await.status, 200);
}

#[tokio::test]
async fn a_rule_s_conditions_and_scopes_hold_and_two_sources_are_never_mixed() {
    let (issuer, key) = (FakeIssuer::start().await, SigningKey::p256("k1"));
    issuer.issue("", issuer.base(), &[&key]);
    let from = || Issuer::discovered(issuer.base()).unwrap();
    let server = server(vec![
        (rule(from(), &[("app", "reader")]), grant("entra", "read".parse().unwrap())),
        (rule(from(), &[("app", "both")]), grant("entra", Scopes::ALL)),
        (rule(from(), &[("app", "both")]), grant("generic", Scopes::ALL)),
    ])
    .await;
    let shows = |app: Value| key.sign(&claims(&server, issuer.base(), &json!({ "app": app })));
    let reader = shows(json!("reader"));
    assert_eq!(server.bearer(&reader).get("/Users").await.status, 200);
    server.bearer(&reader).post("/Users", json!({"userName": "kim"})).await.refused(403, "");
    for app in [json!("other"), json!(null), json!(["x"]), json!("both")] {
        server.bearer(&shows(app)).get("/Users").await.refused(401, "");
    }
}
