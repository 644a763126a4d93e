use axon_emulator::{Credentials, LoginRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::SigningKey as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::stage::*;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_secret_gives_a_token_for_one_audience() {
    let stage = Stage::start().await;
    let token = stage.token_of(AXON, SYNAPSE).await;
    let claims = claims(&token);
    assert_eq!(
        (&claims["aud"], &claims["oid"], &claims["appid"]),
        (&json!(SYNAPSE), &json!(AXON_OBJECT), &json!(AXON))
    );
    let double = stage.token_of(AXON, "https://database.windows.net/").await;
    assert_eq!(self::claims(&double)["aud"], "https://database.windows.net/", "two slashes keep one");
}

#[tokio::test]
async fn every_refusal_has_its_number() {
    let stage = Stage::start().await;
    let right = [
        ("grant_type", "client_credentials"),
        ("client_id", AXON),
        ("scope", "https://graph.microsoft.com/.default"),
        ("client_secret", SECRET),
    ];
    for (field, value, code, error) in [
        ("client_id", "00000000-0000-0000-0000-000000000000", 700_016, "unauthorized_client"),
        ("client_secret", "wrong", 7_000_215, "invalid_client"),
        ("client_secret", "old", 7_000_222, "invalid_client"),
        ("scope", "https://nowhere.example/.default", 500_011, "invalid_resource"),
        ("scope", "https://graph.microsoft.com/User.Read", 1_002_012, "invalid_scope"),
        ("grant_type", "password", 70_003, "unsupported_grant_type"),
        ("scope", "", 900_144, "invalid_request"),
    ] {
        let form = right.map(|(name, own)| (name, if name == field { value } else { own }));
        let got = stage.exchange(&form).await;
        assert_eq!(
            (&got.body["error_codes"], &got.body["error"]),
            (&json!([code]), &json!(error)),
            "{field}={value}"
        );
        assert!(got.body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")));
        assert!(matches!(got.status, 400 | 401));
    }
    let other = stage
        .client
        .post(format!("{}/other/oauth2/v2.0/token", stage.base))
        .body("grant_type=client_credentials&client_id=a&scope=b");
    assert_eq!(stage.send(other).await.is(400).body["error_codes"], json!([90_002]));
}

fn jwt(claims: &Value) -> String {
    format!(
        "{}.{}.c2ln",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

#[tokio::test]
async fn a_foreign_token_must_match_its_credential_exactly() {
    let stage = Stage::start().await;
    let right = json!({"iss": "https://ci.example", "sub": "repo:Main", "aud": "api://AzureADTokenExchange", "exp": 4_102_444_800_i64});
    for (field, value, code) in [
        ("sub", json!("repo:Main"), 0),
        ("iss", json!("https://other.example"), 700_211),
        ("sub", json!("repo:other"), 700_213),
        ("sub", json!("repo:main"), 7_002_138),
        ("aud", json!("other"), 700_212),
        ("exp", json!(1), 700_024),
    ] {
        let mut claims = right.clone();
        claims[field] = value;
        let token = jwt(&claims);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", AXON),
            ("scope", "https://graph.microsoft.com/.default"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &token),
        ];
        let got = stage.exchange(&form).await;
        let told = got.body["error_codes"][0].as_i64().unwrap_or(0);
        assert_eq!((told, got.status == 200), (code, code == 0), "{claims}");
    }
}

#[tokio::test]
async fn a_certificate_proves_the_application_by_its_signature() {
    let stage = Stage::start().await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["axon".into()]).unwrap().self_signed(&key).unwrap();
    let pem = certificate.pem();
    stage.pool.change_directory(|directory| directory.apps[0].certificates.push(pem));
    let header = json!({"alg": "RS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.der()))});
    let endpoint = format!("{}/{TENANT}/oauth2/v2.0/token", stage.base);
    let sign = |claims: &Value| {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let right = json!({"iss": AXON, "sub": AXON, "aud": endpoint, "exp": 4_102_444_800_i64, "jti": "1"});
    let good = sign(&right);
    let mut other = right.clone();
    other["aud"] = "https://elsewhere.example".into();
    let (head, _) = good.rsplit_once('.').unwrap();
    for (token, code) in [
        (good.clone(), None),
        (format!("{head}.{}", URL_SAFE_NO_PAD.encode([7_u8; 256])), Some(700_027)),
        (sign(&other), Some(700_023)),
    ] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", AXON),
            ("scope", "https://graph.microsoft.com/.default"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", &token),
        ];
        let got = stage.exchange(&form).await;
        assert_eq!(got.body["error_codes"][0].as_i64(), code, "{}", got.body);
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_known_or_does_not_sign_is_refused() {
    let stage = Stage::start().await;
    let now = 4_102_444_800_i64;
    let claims = json!({"iss": AXON, "sub": AXON, "aud": format!("{}/{TENANT}/oauth2/v2.0/token", stage.base), "exp": now});
    let token = jwt(&claims);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", AXON),
        ("scope", "https://graph.microsoft.com/.default"),
        ("client_assertion_type", ASSERTION),
        ("client_assertion", &token),
    ];
    assert_eq!(stage.exchange(&form).await.is(401).body["error_codes"], json!([700_027]));
}

#[tokio::test]
async fn machines_and_apps_get_tokens_without_a_secret() {
    let stage = Stage::start().await;
    let imds = format!(
        "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F",
        stage.base
    );
    let got = stage.send(stage.client.get(&imds).header("Metadata", "true")).await.is(200);
    assert!(
        got.body["expires_in"].is_string() && got.body["expires_on"].is_string(),
        "numbers are strings: {}",
        got.body
    );
    assert_eq!(claims(got.body["access_token"].as_str().unwrap())["aud"], "https://management.azure.com/");
    stage.send(stage.client.get(&imds)).await.is(400);
    stage
        .send(stage.client.get(&imds).header("Metadata", "true").header("X-Forwarded-For", "1.2.3.4"))
        .await
        .is(400);

    let app =
        format!("{}/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fgraph.microsoft.com", stage.base);
    stage.send(stage.client.get(&app)).await.is(403);
    let got =
        stage.send(stage.client.get(&app).header("X-IDENTITY-HEADER", "header-of-the-app")).await.is(200);
    assert_eq!(got.body["client_id"], AXON);

    stage.lever("PATCH", "/cloud", Some(json!({"managedIdentities": [AXON, JOB]}))).await;
    let got = stage.send(stage.client.get(&imds).header("Metadata", "true")).await.is(400);
    assert!(got.body["error_description"].as_str().unwrap().starts_with("Multiple user assigned identities"));
    stage.send(stage.client.get(format!("{imds}&client_id={JOB}")).header("Metadata", "true")).await.is(200);
}

#[tokio::test]
async fn a_token_is_good_for_its_service_and_its_time_only() {
    let stage = Stage::start().await;
    for (target, own) in [
        ("/v1.0/users", GRAPH),
        ("/roleDefinitions?api-version=2020-12-01", SYNAPSE),
        ("/subscriptions/s/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01", ARM),
    ] {
        stage.call(own, "GET", target, None).await.is(200);
        for other in [GRAPH, SYNAPSE, ARM, MONITOR].into_iter().filter(|other| *other != own) {
            let got = stage.call(other, "GET", target, None).await.is(401);
            assert!(got.header("www-authenticate").unwrap().contains("invalid_token"), "{target} {other}");
        }
        stage.send(stage.client.get(format!("{}{target}", stage.base))).await.is(401);
    }
    let token = stage.token_of(AXON, GRAPH).await;
    stage.lever("POST", "/clock", Some(json!({"advanceSeconds": 3600}))).await;
    let late = stage.client.get(format!("{}/v1.0/users", stage.base)).bearer_auth(token);
    assert_eq!(stage.send(late).await.is(401).code(), "InvalidAuthenticationToken");
}

#[tokio::test]
async fn the_pool_takes_the_authoritys_tokens_for_sql_and_no_other() {
    let stage = Stage::start().await;
    let login = async |audience: &str| {
        let jwt = stage.token_of(AXON, audience).await;
        let request = LoginRequest {
            credentials: Credentials::Token { jwt },
            database: Some("dw".into()),
            app_name: String::new(),
            host_name: String::new(),
            client_addr: String::new(),
            language: None,
        };
        stage.pool.login(request).map(|_| ()).map_err(|error| error.number)
    };
    assert_eq!(login("https://database.windows.net").await, Err(18_456), "no user of this application yet");
    stage.pool.change_directory(|directory| directory.groups[0].members.push("axon".into()));
    let mut admin = stage
        .pool
        .login(LoginRequest {
            credentials: Credentials::Token {
                jwt: format!("e30.{}.x", URL_SAFE_NO_PAD.encode(r#"{"upn":"ann@x.org"}"#)),
            },
            database: Some("dw".into()),
            app_name: String::new(),
            host_name: String::new(),
            client_addr: String::new(),
            language: None,
        })
        .unwrap();
    admin.batch("CREATE USER [axon] FROM EXTERNAL PROVIDER");
    assert_eq!(login("https://database.windows.net").await, Ok(()));
    assert_eq!(login(GRAPH).await, Err(18_456));
}
