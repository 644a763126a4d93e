//! The token endpoint: client credentials by secret and by assertion.

use axon_api::ApiParts;
use axon_api::auth::{AuthSettings, Federated, SourceGrant, Trusts};
use axon_identity_token::Issuer;
use axon_identity_token::testing::{FakeIssuer, SigningKey};
use axon_model::Clock as _;
use axon_store::{NewToken, Scopes, Token, TokenHash, TokenKind, TokenStore as _};
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::kit::{Answer, LIMITS, Server, encoded};
use crate::signed::rule;

const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn secret(server: &Server, source: &str, client: &str, text: &str, scopes: &str) -> Token {
    let bearer = NewToken::bearer(source.parse().unwrap(), TokenHash::of(text), "");
    let token = NewToken {
        kind: TokenKind::Secret { client: client.parse().unwrap() },
        scopes: scopes.parse().unwrap(),
        ..bearer
    };
    server.store.add_token(token, server.act()).await.unwrap()
}

async fn ask(server: &Server, endpoint: &str, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Answer {
    let body: Vec<String> = form.iter().map(|(k, v)| format!("{k}={}", encoded(v))).collect();
    let mut request = Request::builder()
        .method("POST")
        .uri(endpoint)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    if let Some((id, secret)) = basic {
        let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
        request = request.header("authorization", format!("Basic {pair}"));
    }
    server.send(request.body(Body::from(body.join("&"))).unwrap()).await
}

async fn token(server: &Server, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Answer {
    let mut all = vec![("grant_type", "client_credentials")];
    all.extend(form);
    ask(server, "/oauth2/token", basic, &all).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, &answer.body["error"]), (status, &json!(error)), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.body["error_description"].is_string());
    assert_eq!(answer.header("www-authenticate").starts_with("Basic "), status == 401);
}

fn given(answer: Answer) -> String {
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.ok(200);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_in_the_header_or_in_the_body_gives_a_token_for_an_hour() {
    let server = Server::start().await;
    secret(&server, "entra", "entra-prod", "s3cr+t/%", "write").await;
    let (id, text) = ("entra-prod", "s3cr+t/%");
    let by_header = given(token(&server, Some((id, text)), &[]).await);
    let by_body = given(token(&server, None, &[("client_id", id), ("client_secret", text)]).await);
    assert_ne!(by_header, by_body);
    let kim = server.bearer(&by_header).user("kim").await;
    assert_eq!(server.bearer(&by_body).get(&kim.path).await.status, 200);
    assert_eq!(server.entra().get(&kim.path).await.status, 200);
    server.okta().get(&kim.path).await.refused(404, "");
    // The secret is no token, and the token is no secret.
    server.bearer(text).get("/Users").await.refused(401, "");
    refused(&token(&server, Some((id, &by_header)), &[]).await, 401, "invalid_client");
    let narrowed = given(token(&server, Some((id, text)), &[("scope", "read")]).await);
    server.bearer(&narrowed).post("/Users", json!({"userName": "lee"})).await.refused(403, "");
    server.clock.advance(time::Duration::seconds(3599));
    assert_eq!(server.bearer(&by_body).get("/Users").await.status, 200);
    server.clock.advance(time::Duration::seconds(1));
    server.bearer(&by_body).get("/Users").await.refused(401, "");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_words_of_the_rfc() {
    let server = Server::start().await;
    secret(&server, "entra", "c", "s", "read").await;
    let expired = secret(&server, "entra", "c", "old", "read").await;
    server.store.revoke_token(expired.id, server.act()).await.unwrap();
    secret(&server, "elsewhere", "e", "e", "write").await;
    let good = Some(("c", "s"));
    for (basic, form, status, error) in [
        (None, &[][..], 401, "invalid_client"),
        (Some(("c", "wrong")), &[], 401, "invalid_client"),
        (Some(("d", "s")), &[], 401, "invalid_client"),
        (Some(("c", "old")), &[], 401, "invalid_client"),
        (Some(("e", "e")), &[], 401, "invalid_client"),
        (Some(("c", "secret-of-entra")), &[], 401, "invalid_client"),
        (None, &[("client_secret", "s")], 400, "invalid_request"),
        (good, &[("client_secret", "s")], 400, "invalid_request"),
        (good, &[("client_id", "d")], 400, "invalid_request"),
        (good, &[("scope", "a"), ("scope", "b")], 400, "invalid_request"),
        (good, &[("scope", "write")], 400, "invalid_scope"),
        (good, &[("scope", "admin")], 400, "invalid_scope"),
        (None, &[("client_assertion", "x")], 400, "invalid_request"),
        (None, &[("client_assertion", "x"), ("client_assertion_type", BEARER)], 401, "invalid_client"),
    ] {
        refused(&token(&server, basic, form).await, status, error);
    }
    for grant in ["authorization_code", "password", "refresh_token"] {
        refused(
            &ask(&server, "/oauth2/token", good, &[("grant_type", grant)]).await,
            400,
            "unsupported_grant_type",
        );
    }
    refused(&ask(&server, "/oauth2/token", good, &[]).await, 400, "invalid_request");
    let json_body =
        Request::builder().method("POST").uri("/oauth2/token").header("content-type", "application/json");
    let answer =
        server.send(json_body.body(Body::from(r#"{"grant_type":"client_credentials"}"#)).unwrap()).await;
    refused(&answer, 400, "invalid_request");
    let get = Request::builder().uri("/oauth2/token").body(Body::empty()).unwrap();
    assert_eq!(server.send(get).await.status, 405);
    let huge = "x".repeat(100_000);
    refused(&token(&server, good, &[("x", &huge)]).await, 400, "invalid_request");
}

#[tokio::test]
async fn two_secrets_live_at_once_and_a_revoked_one_ends_its_tokens() {
    let server = Server::start().await;
    let old = secret(&server, "entra", "c", "old", "write").await;
    secret(&server, "entra", "c", "new", "write").await;
    let by_old = given(token(&server, Some(("c", "old")), &[]).await);
    let by_new = given(token(&server, Some(("c", "new")), &[]).await);
    server.store.revoke_token(old.id, server.act()).await.unwrap();
    refused(&token(&server, Some(("c", "old")), &[]).await, 401, "invalid_client");
    server.bearer(&by_old).get("/Users").await.refused(401, "");
    assert_eq!(server.bearer(&by_new).get("/Users").await.status, 200);
}

#[tokio::test]
async fn a_client_takes_its_own_token_back_at_once() {
    let server = Server::start().await;
    secret(&server, "entra", "c", "s", "write").await;
    secret(&server, "entra", "d", "t", "write").await;
    let mine = given(token(&server, Some(("c", "s")), &[]).await);
    assert_eq!(server.bearer(&mine).get("/Users").await.status, 200);
    let revoke = async |basic, form: &[(&str, &str)]| ask(&server, "/oauth2/revoke", Some(basic), form).await;
    assert_eq!(revoke(("d", "t"), &[("token", &*mine)]).await.status, 200, "RFC 7009: it is not told");
    assert_eq!(server.bearer(&mine).get("/Users").await.status, 200, "another client's is not touched");
    refused(&revoke(("c", "wrong"), &[("token", &*mine)]).await, 401, "invalid_client");
    refused(&revoke(("c", "s"), &[]).await, 400, "invalid_request");
    assert_eq!(revoke(("c", "s"), &[("token", &*mine)]).await.status, 200);
    server.bearer(&mine).get("/Users").await.refused(401, "");
    for other in ["secret-of-entra", "s", "unknown"] {
        assert_eq!(revoke(("c", "s"), &[("token", other)]).await.status, 200);
    }
    assert_eq!(server.entra().get("/Users").await.status, 200, "a bearer is no token of this client");
}

/// Entra's workload identity federation: its own signed token stands for a secret.
#[tokio::test]
async fn an_assertion_of_the_trusted_issuer_subject_and_audience_stands_for_a_secret() {
    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    let (issuer, key) = (FakeIssuer::start().await, SigningKey::rsa("k1"));
    let entra = Issuer::entra_v2(TENANT, issuer.base()).unwrap();
    issuer.issue(&format!("/{TENANT}/v2.0"), &entra.name, &[&key]);
    let name = entra.name.clone();
    let change = move |parts: &mut ApiParts| {
        let federated = Federated {
            client: "entra-wif".parse().unwrap(),
            grant: SourceGrant { source: "entra".parse().unwrap(), scopes: Scopes::ALL },
        };
        let rule = rule(entra, &[("tid", TENANT), ("sub", "provisioner")]);
        let settings = AuthSettings { federated: vec![(rule, federated)], ..AuthSettings::default() };
        parts.trusts = Trusts::new(settings, parts.clock.clone()).unwrap();
    };
    let server = Server::with(LIMITS, change).await;
    let now = server.clock.now().unix_timestamp();
    let signed = |other: Value| {
        let mut claims = json!({"iss": name, "aud": "8adf8e6e-67b2-4cf2-a259-e3dc5476c621", "sub": "provisioner",
            "appid": "app-1", "oid": "provisioner", "tid": TENANT, "ver": "2.0", "iat": now, "exp": now + 3900});
        claims.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        key.sign(&claims)
    };
    let by = |assertion: String, more: &'static [(&'static str, &'static str)]| {
        let server = &server;
        async move {
            let mut form = vec![("client_assertion_type", BEARER), ("client_assertion", &*assertion)];
            form.extend(more);
            token(server, None, &form).await
        }
    };
    let access = given(by(signed(json!({})), &[("scope", "api://axon/.default")]).await);
    let kim = server.bearer(&access).user("kim").await;
    assert_eq!(server.entra().get(&kim.path).await.status, 200);
    for id in ["entra-wif", "app-1", "provisioner"] {
        let form: &'static [(&str, &str)] = match id {
            "entra-wif" => &[("client_id", "entra-wif")],
            "app-1" => &[("client_id", "app-1")],
            _ => &[("client_id", "provisioner")],
        };
        given(by(signed(json!({})), form).await);
    }
    refused(&by(signed(json!({})), &[("client_id", "somebody")]).await, 401, "invalid_client");
    for other in [
        json!({"sub": "another"}),
        json!({"aud": "api://other"}),
        json!({"tid": "99999999-2222-3333-4444-555555555555"}),
        json!({"exp": now - 3600}),
        json!({"iss": "https://evil.example"}),
    ] {
        refused(&by(signed(other), &[]).await, 401, "invalid_client");
    }
    // The assertion itself is no token for SCIM, and two ways of authenticating are one too many.
    server.bearer(&signed(json!({}))).get("/Users").await.refused(401, "");
    refused(
        &by(signed(json!({})), &[("client_secret", "x"), ("client_id", "c")]).await,
        400,
        "invalid_request",
    );
}

/// What a trust gave ends with it: also when it is another source's now, or gives less.
#[tokio::test]
async fn a_token_of_a_trust_holds_no_longer_than_the_trust_would_give_it() {
    let change = |parts: &mut ApiParts| {
        let federated = Federated {
            client: "ci".parse().unwrap(),
            grant: SourceGrant { source: "entra".parse().unwrap(), scopes: "read".parse().unwrap() },
        };
        let issuer = Issuer::with_jwks("https://issuer.example", "https://issuer.example/keys").unwrap();
        let settings =
            AuthSettings { federated: vec![(rule(issuer, &[]), federated)], ..AuthSettings::default() };
        parts.trusts = Trusts::new(settings, parts.clock.clone()).unwrap();
    };
    let server = Server::with(LIMITS, change).await;
    for (client, source, scopes, status) in [
        ("ci", "entra", "read", 200),
        ("ci", "entra", "read users-only", 200),
        ("ci", "entra", "write", 401),
        ("ci", "okta", "read", 401),
        ("gone", "entra", "read", 401),
    ] {
        let text = format!("axon_at_{client}{source}{scopes}");
        let kind = TokenKind::Access { client: client.parse().unwrap(), secret: None };
        let bearer = NewToken::bearer(source.parse().unwrap(), TokenHash::of(&text), "");
        let token = NewToken { kind, scopes: scopes.parse().unwrap(), ..bearer };
        server.store.add_token(token, server.act()).await.unwrap();
        assert_eq!(server.bearer(&text).get("/Users").await.status, status, "{client} {source} {scopes}");
    }
}
