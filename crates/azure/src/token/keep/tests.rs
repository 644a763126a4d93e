use std::sync::atomic::{AtomicU32, Ordering};

use axon_model::ManualClock;
use secrecy::ExposeSecret as _;

use super::*;
use crate::cloud::CloudName;
use crate::testing::{Reply, Request, Server, clock};
use crate::token::Certificate;
use crate::token::certificate::tests::pem;

const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);
const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";

fn cloud(server: &Server) -> Cloud {
    Cloud { authority: server.base().clone(), imds: server.base().clone(), ..Cloud::named(CloudName::Public) }
}

fn tokens(server: &Server, identity: Identity, clock: Arc<ManualClock>) -> Tokens {
    let ids = Arc::new(IdSource::Random);
    Tokens::new(identity, Platform::default(), cloud(server), Wire::new().unwrap(), clock, ids)
}

fn secret() -> Identity {
    Identity::Secret {
        tenant: TENANT.into(),
        client_id: CLIENT.into(),
        secret: SecretString::from("s3cr&t="),
    }
}

fn given(token: &str) -> Reply {
    Reply::ok(&format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#))
}

fn refused(code: u32) -> Reply {
    Reply::status(
        401,
        &format!(
            r#"{{"error":"invalid_client","error_description":"AADSTS{code}: text s3cr&t=","error_codes":[{code}],
                "correlation_id":"33333333-3333-3333-3333-333333333333"}}"#
        ),
    )
}

async fn shows(identity: Identity, platform: impl Fn(&Server) -> Platform) -> String {
    let server = Server::start(|_| given("abc")).await;
    let ids = Arc::new(IdSource::Random);
    let wire = Wire::new().unwrap();
    let tokens = Tokens::new(identity, platform(&server), cloud(&server), wire, clock(NOW), ids);
    for resource in Resource::ALL {
        assert_eq!(tokens.token(resource).await.unwrap().expose_secret(), "abc");
    }
    server.golden()
}

#[tokio::test]
async fn what_a_virtual_machine_is_asked() {
    let one = Identity::Managed { client_id: None };
    insta::assert_snapshot!("imds", shows(one, |_| Platform::default()).await);
    let chosen = Identity::Managed { client_id: Some(CLIENT.into()) };
    insta::assert_snapshot!("imds_chosen", shows(chosen, |_| Platform::default()).await);
}

#[tokio::test]
async fn what_app_service_and_container_apps_are_asked() {
    let one = Identity::Managed { client_id: Some(CLIENT.into()) };
    let platform = |server: &Server| {
        let endpoint = server.base().at("/msi/token");
        Platform::read(|name| {
            Some(if name == "IDENTITY_HEADER" { "h3ader".into() } else { endpoint.clone() })
        })
        .unwrap()
    };
    insta::assert_snapshot!("app_service", shows(one, platform).await);
}

#[tokio::test]
async fn what_entra_is_shown_with_a_secret() {
    insta::assert_snapshot!("client_secret", shows(secret(), |_| Platform::default()).await);
}

#[tokio::test]
async fn a_federated_token_is_read_from_its_file_each_time() {
    let server = Server::start(|_| given("abc")).await;
    let file = std::env::temp_dir().join(format!("axon-azure-federated-{}", std::process::id()));
    std::fs::write(&file, "one.two.three\n").unwrap();
    let identity =
        Identity::Federated { tenant: TENANT.into(), client_id: CLIENT.into(), token_file: file.clone() };
    let tokens = tokens(&server, identity, clock(NOW));
    tokens.token(Resource::Sql).await.unwrap();
    std::fs::write(&file, "four.five.six").unwrap();
    tokens.token(Resource::Arm).await.unwrap();
    let shown: Vec<String> = server.seen().iter().filter_map(|r| r.form("client_assertion")).collect();
    assert_eq!(shown, ["one.two.three", "four.five.six"]);
    insta::assert_snapshot!("federated", server.golden());
    for bad in ["", "two words", "s3cret\nline"] {
        std::fs::write(&file, bad).unwrap();
        let fault = tokens.token(Resource::Graph).await.unwrap_err().to_string();
        assert!(fault.starts_with("the token file ") && !fault.contains("s3cret"), "{fault}");
    }
    std::fs::remove_file(&file).unwrap();
    let fault = tokens.token(Resource::Graph).await.unwrap_err();
    assert!(fault.to_string().contains("cannot be read"), "{fault}");
    assert_eq!(server.seen().len(), 2, "nothing is asked without an assertion");
}

#[tokio::test]
async fn a_certificate_signs_anew_for_each_request() {
    let server = Server::start(|_| given("abc")).await;
    let certificate = Box::new(Certificate::parse(pem().0.as_bytes()).unwrap());
    let identity = Identity::Certificate { tenant: TENANT.into(), client_id: CLIENT.into(), certificate };
    let tokens = tokens(&server, identity, clock(NOW));
    tokens.token(Resource::Sql).await.unwrap();
    tokens.token(Resource::Arm).await.unwrap();
    let seen = server.seen();
    let assertions: Vec<String> = seen.iter().filter_map(|r| r.form("client_assertion")).collect();
    assert_eq!(assertions.len(), 2);
    assert_ne!(assertions[0], assertions[1]);
    assert_eq!(seen[0].path(), format!("/{TENANT}/oauth2/v2.0/token"));
    assert_eq!(seen[0].form("scope").as_deref(), Some("https://database.windows.net/.default"));
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_request_and_each_resource_has_its_own() {
    let server = Server::start(|_| given("abc")).await;
    let tokens = tokens(&server, secret(), clock(NOW));
    let asking = (0..50).map(|n| tokens.token(if n % 2 == 0 { Resource::Sql } else { Resource::Graph }));
    for token in futures_util::future::join_all(asking).await {
        assert_eq!(token.unwrap().expose_secret(), "abc");
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn many_who_wait_for_a_failure_share_it_and_the_next_asks_again() {
    let server = Server::start(|_| refused(7_000_222)).await;
    let tokens = tokens(&server, secret(), clock(NOW));
    for fault in futures_util::future::join_all((0..20).map(|_| tokens.token(Resource::Sql))).await {
        assert!(fault.unwrap_err().to_string().contains("AADSTS7000222"));
    }
    assert_eq!(server.seen().len(), 1);
    assert!(tokens.token(Resource::Sql).await.is_err());
    assert_eq!(server.seen().len(), 2);
}

/// Polls until it is so; a deadline ends what never comes.
async fn until(mut so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(std::time::Instant::now() < end, "it did not come");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_token_is_renewed_ahead_and_used_while_that_fails() {
    let asked = Arc::new(AtomicU32::new(0));
    let answers = {
        let asked = asked.clone();
        move |_: &Request| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => given("first"),
            1 => Reply::status(503, ""),
            _ => given("second"),
        }
    };
    let server = Server::start(answers).await;
    let clock = clock(NOW);
    let tokens = tokens(&server, secret(), clock.clone());
    let token = async || tokens.token(Resource::Sql).await.map(|t| t.expose_secret().to_owned());
    assert_eq!(token().await.unwrap(), "first");
    clock.advance(time::Duration::minutes(50));
    assert_eq!(token().await.unwrap(), "first");
    assert_eq!(server.seen().len(), 1, "there is time yet");
    clock.advance(time::Duration::minutes(5));
    assert_eq!(token().await.unwrap(), "first", "nobody waits for the renewal");
    let slot = tokens.slot(Resource::Sql);
    until(|| !slot.state().renewing && slot.state().failed.is_some()).await;
    assert_eq!(token().await.unwrap(), "first", "the failure is not repeated at once");
    assert_eq!(server.seen().len(), 2);
    clock.advance(PAUSE);
    assert_eq!(token().await.unwrap(), "first");
    until(|| slot.state().kept.as_ref().is_some_and(|kept| kept.token.expose_secret() == "second")).await;
    assert_eq!(token().await.unwrap(), "second");
    tokens.refused(Resource::Sql);
    token().await.unwrap();
    assert_eq!(server.seen().len(), 4, "a refused token is not used again");
}

#[tokio::test]
async fn an_old_token_is_never_given() {
    let server = Server::start(|_| given("abc")).await;
    let clock = clock(NOW);
    let tokens = tokens(&server, secret(), clock.clone());
    tokens.token(Resource::Sql).await.unwrap();
    clock.advance(time::Duration::seconds(3599 - 60));
    tokens.token(Resource::Sql).await.unwrap();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn each_refusal_is_a_sentence_with_its_remedy_and_no_secret() {
    let mut told = Vec::new();
    for code in [
        700_016, 7_000_215, 7_000_222, 700_027, 700_024, 700_211, 700_212, 700_213, 7_002_138, 70_021,
        500_011, 90_002, 50_034, 53_003,
    ] {
        let server = Server::start(move |_| refused(code)).await;
        let file = std::env::temp_dir().join(format!("axon-azure-code-{code}-{}", std::process::id()));
        // {"alg":"none"} . {"iss":"https://ci.example","sub":"repo:acme/dw:ref:refs/heads/Main","aud":"x"}
        let payload = "eyJpc3MiOiJodHRwczovL2NpLmV4YW1wbGUiLCJzdWIiOiJyZXBvOmFjbWUvZHc6cmVmOnJlZnMvaGVhZHMvTWFpbiIsImF1ZCI6IngifQ";
        std::fs::write(&file, format!("eyJhbGciOiJub25lIn0.{payload}.s1gnature")).unwrap();
        let identity =
            Identity::Federated { tenant: TENANT.into(), client_id: CLIENT.into(), token_file: file.clone() };
        let fault = tokens(&server, identity, clock(NOW)).token(Resource::Synapse).await.unwrap_err();
        std::fs::remove_file(&file).unwrap();
        assert!(!fault.to_string().contains("s1gnature") && !format!("{fault:?}").contains("s1gnature"));
        assert!(!fault.passes(), "{fault}");
        told.push(fault.to_string());
    }
    insta::assert_snapshot!("refusals", told.join("\n"));
}

#[tokio::test]
async fn a_secret_that_a_server_repeats_is_not_repeated_by_axon() {
    let server = Server::start(|_| refused(53_003)).await;
    let fault = tokens(&server, secret(), clock(NOW)).token(Resource::Sql).await.unwrap_err();
    assert!(!format!("{fault} {fault:?}").contains("s3cr"), "{fault}");
}

/// What is told when the endpoint says this of the secret `s3cr&t=`; a code without a meaning of its own shows the text.
async fn told_of(description: String) -> String {
    let body = serde_json::json!({"error": "s3cr%26t%3D", "error_description": description}).to_string();
    let server = Server::start(move |_| Reply::status(401, &body)).await;
    let fault = tokens(&server, secret(), clock(NOW)).token(Resource::Sql).await.unwrap_err();
    format!("{fault} {fault:?}")
}

#[tokio::test]
async fn a_secret_that_a_token_endpoint_repeats_as_the_form_or_json_spells_it_is_not_shown() {
    for said in
        ["client_secret=s3cr%26t%3D&scope=x", "client_secret=s3cr%26t%3d", r#"{\"s\":\"s3cr\u0026t=\"}"#]
    {
        let told = told_of(format!("bad form: {said}")).await;
        assert!(told.contains("bad form: ") && !told.contains("s3cr"), "{told}");
    }
}

#[tokio::test]
async fn a_secret_that_lies_over_the_cut_of_a_text_is_not_shown_in_part() {
    for before in 290..=300 {
        let told = told_of(format!("{}s3cr&t= and so on", "x".repeat(before))).await;
        assert!(told.contains("xxx") && !told.contains("s3"), "{before}: {told}");
    }
}

#[tokio::test]
async fn an_identity_header_that_the_machine_repeats_is_not_shown() {
    for status in [400, 401, 418, 500] {
        let server = Server::start(move |_| {
            let body = r#"{"error":"bad h3ader%2B","error_description":"X-IDENTITY-HEADER: h3ader+ is old"}"#;
            Reply::status(status, body)
        })
        .await;
        let endpoint = server.base().at("/msi/token");
        let platform = Platform::read(|name| {
            Some(if name == "IDENTITY_HEADER" { "h3ader+".into() } else { endpoint.clone() })
        });
        let (ids, wire) = (Arc::new(IdSource::Random), Wire::new().unwrap());
        let identity = Identity::Managed { client_id: None };
        let tokens = Tokens::new(identity, platform.unwrap(), cloud(&server), wire, clock(NOW), ids);
        let fault = tokens.token(Resource::Sql).await.unwrap_err();
        let told = format!("{fault} {fault:?}");
        assert!(told.contains("bad (a secret)") && !told.contains("h3ad"), "{status}: {told}");
    }
}

#[tokio::test]
async fn who_is_turned_away_is_told_what_helps_on_that_platform() {
    for status in [401, 403] {
        let server = Server::start(move |_| Reply::status(status, r#"{"error":"denied"}"#)).await;
        let endpoint = server.base().at("/msi/token");
        let set = Platform::read(|_| Some(endpoint.clone())).unwrap();
        let told = async |platform| {
            let (ids, wire) = (Arc::new(IdSource::Random), Wire::new().unwrap());
            let identity = Identity::Managed { client_id: None };
            let tokens = Tokens::new(identity, platform, cloud(&server), wire, clock(NOW), ids);
            tokens.token(Resource::Sql).await.unwrap_err().to_string()
        };
        let of_platform = told(set).await;
        assert!(
            of_platform.contains("restart Axon") && of_platform.contains("IDENTITY_HEADER"),
            "{of_platform}"
        );
        let of_machine = told(Platform::default()).await;
        assert!(!of_machine.contains("IDENTITY_"), "no such variable is set: {of_machine}");
        let remedy = format!("(status {status} denied): a proxy or a rule on this machine or in its cluster");
        assert!(of_machine.contains(&remedy), "{of_machine}");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let server = Server::start(|_| refused(700_024).header("date", "Sun, 22 Nov 2026 09:20:00 GMT")).await;
    let certificate = Box::new(Certificate::parse(pem().0.as_bytes()).unwrap());
    let identity = Identity::Certificate { tenant: TENANT.into(), client_id: CLIENT.into(), certificate };
    let fault = tokens(&server, identity, clock(NOW)).token(Resource::Sql).await.unwrap_err().to_string();
    assert!(fault.contains("this machine's clock is 2400 s ahead of Entra's"), "{fault}");
}

#[tokio::test]
async fn a_machine_without_the_identity_says_so_and_one_that_restarts_is_asked_again() {
    for (status, body, passes) in [
        (
            400,
            r#"{"error":"invalid_request","error_description":"Multiple user assigned identities exist"}"#,
            false,
        ),
        (404, "", true),
        (410, "", true),
        (429, "", true),
        (500, "", true),
    ] {
        let server = Server::start(move |_| Reply::status(status, body)).await;
        let tokens = tokens(&server, Identity::Managed { client_id: None }, clock(NOW));
        let fault = tokens.token(Resource::Sql).await.unwrap_err();
        assert_eq!(fault.passes(), passes, "{status}: {fault}");
    }
}

#[tokio::test]
async fn a_fifty_megabyte_answer_a_page_of_html_and_an_error_under_200_are_no_tokens() {
    for body in ["x".repeat(50 * 1024 * 1024), "<html>s3cret</html>".into(), r#"{"error":"s3cret"}"#.into()] {
        let server = Server::start(move |_| Reply::ok(&body)).await;
        let fault = tokens(&server, secret(), clock(NOW)).token(Resource::Sql).await.unwrap_err().to_string();
        assert!(!fault.contains("s3cret"), "{fault}");
    }
}

#[tokio::test]
async fn nothing_secret_is_in_any_debug() {
    let server = Server::start(|_| given("t0ken")).await;
    let tokens = tokens(&server, secret(), clock(NOW));
    tokens.token(Resource::Sql).await.unwrap();
    let kept = format!("{:?}", tokens.slot(Resource::Sql).state().kept);
    let text = format!("{tokens:?} {:?} {kept}", tokens.of(Resource::Sql));
    assert!(!text.contains("s3cr") && !text.contains("t0ken"), "{text}");
}
