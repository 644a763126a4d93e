//! Guessing is slow, and nobody else is slower for it; the other ways of showing a token.

use std::net::SocketAddr;

use axon_api::auth::{AuthSettings, ForwardedBy, Peer, Proxies, Trusts};
use axon_model::SourceId;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::{Duration, Instant};

use crate::kit::{Answer, Client, LIMITS, Server};

pub async fn from(server: &Server, client: &Client<'_>, address: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request("GET", "/Users?count=0");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let address = SocketAddr::new(address.parse().unwrap(), 4711);
    request.extensions_mut().insert(Peer { address, is_tls: false });
    server.send(request).await
}

/// How long the answer took, in the clock that sleeps go by.
pub async fn took(answer: impl Future<Output = Answer>) -> (u16, Duration) {
    let began = Instant::now();
    let answer = answer.await;
    (answer.status, began.elapsed())
}

#[tokio::test]
async fn wrong_tokens_of_one_address_are_answered_later_and_later_and_good_ones_at_once() {
    let server = Server::start().await;
    let wrong = server.bearer("wrong");
    for _ in 0..5 {
        assert_eq!(from(&server, &wrong, "192.0.2.1", &[]).await.status, 401);
    }
    let (status, waited) = took(from(&server, &wrong, "192.0.2.1", &[])).await;
    assert!(status == 401 && waited >= Duration::from_millis(100), "{waited:?}");
    let (status, longer) = took(from(&server, &wrong, "192.0.2.1", &[])).await;
    assert!(status == 401 && longer >= Duration::from_millis(200), "{longer:?}");
    // Somebody with a good token behind the same address, while guesses wait there.
    let guesses = async {
        for _ in 0..3 {
            from(&server, &wrong, "192.0.2.1", &[]).await;
        }
    };
    let (entra, okta) = (server.entra(), server.okta());
    let good = async {
        let began = Instant::now();
        assert_eq!(from(&server, &entra, "192.0.2.1", &[]).await.status, 200);
        assert_eq!(
            from(&server, &okta, "192.0.2.1", &[]).await.status,
            200,
            "also one that was not seen before"
        );
        began.elapsed()
    };
    let (passed, waited) = tokio::join!(good, async {
        let began = Instant::now();
        guesses.await;
        began.elapsed()
    });
    assert!(passed < waited, "{passed:?} and {waited:?}");
    let (_, elsewhere) = took(from(&server, &wrong, "192.0.2.2", &[])).await;
    assert!(elsewhere < Duration::from_millis(100), "{elsewhere:?}");
}

#[tokio::test]
async fn guesses_that_wait_take_no_place_from_those_who_work() {
    let server = Server::with(axon_api::Limits { concurrent_requests: 1, ..LIMITS }, |_| {}).await;
    let wrong = server.bearer("wrong");
    for _ in 0..8 {
        from(&server, &wrong, "192.0.2.1", &[]).await;
    }
    let entra = server.entra();
    let guess = from(&server, &wrong, "192.0.2.1", &[]);
    let work = async {
        let began = Instant::now();
        for _ in 0..3 {
            assert_eq!(from(&server, &entra, "192.0.2.1", &[]).await.status, 200);
        }
        began.elapsed()
    };
    let ((status, waited), worked) = tokio::join!(took(guess), work);
    assert!(status == 401 && worked < waited, "{worked:?} within {waited:?}");
}

#[tokio::test]
async fn the_address_is_the_client_s_behind_a_trusted_proxy_alone() {
    let change = |parts: &mut axon_api::ApiParts| {
        let proxies =
            Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], header: ForwardedBy::XForwarded };
        let settings = AuthSettings { proxies, ..AuthSettings::default() };
        parts.trusts = Trusts::new(settings, parts.clock.clone()).unwrap();
        parts.public_url = None;
    };
    let server = Server::with(LIMITS, change).await;
    let wrong = server.bearer("wrong");
    for n in 0..6 {
        let spoofed = format!("203.0.113.{n}");
        from(&server, &wrong, "192.0.2.1", &[("x-forwarded-for", &*spoofed)]).await;
    }
    let (_, stranger) =
        took(from(&server, &wrong, "192.0.2.1", &[("x-forwarded-for", "203.0.113.99")])).await;
    assert!(stranger >= Duration::from_millis(100), "a stranger does not choose its address: {stranger:?}");
    for n in 0..8 {
        let client = format!("203.0.113.{n}");
        let (_, waited) = took(from(&server, &wrong, "10.0.0.1", &[("x-forwarded-for", &*client)])).await;
        assert!(waited < Duration::from_millis(100), "each client of the proxy is its own: {waited:?}");
    }
    // The scheme and host of answers follow the same rule.
    let location = async |peer: &str| {
        let kim = server.entra().find("/Users", "userName eq \"kim\"").await;
        let path = format!("/Users/{}", kim.body["Resources"][0]["id"].as_str().unwrap());
        let request = server.entra().request("GET", &path);
        let request = request.header("x-forwarded-proto", "https").header("x-forwarded-host", "axon.example");
        let mut request = request.body(Body::empty()).unwrap();
        let address = SocketAddr::new(peer.parse().unwrap(), 1);
        request.extensions_mut().insert(Peer { address, is_tls: false });
        server.send(request).await.header("location").to_owned()
    };
    server.entra().user("kim").await;
    assert!(location("10.0.0.1").await.starts_with("https://axon.example/scim/v2/Users/"));
    assert!(location("192.0.2.1").await.starts_with("http://axon.test/scim/v2/Users/"));
}

#[tokio::test]
async fn plain_and_basic_count_where_the_source_s_switches_say_so() {
    let change = |parts: &mut axon_api::ApiParts| {
        for (id, profile) in &mut parts.sources {
            profile.plain_token = id.as_str() == "okta";
            profile.basic_token = id.as_str() == "generic";
        }
    };
    let server = Server::with(LIMITS, change).await;
    let shows = async |value: &str| {
        let request = server.nobody().request("GET", "/Users").header("authorization", value);
        server.send(request.body(Body::empty()).unwrap()).await
    };
    let basic =
        |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    for source in ["entra", "okta", "generic"] {
        let (token, is) = (format!("secret-of-{source}"), |one: &str| if source == one { 200 } else { 401 });
        assert_eq!(shows(&format!("Bearer {token}")).await.status, 200);
        assert_eq!(shows(&token).await.status, is("okta"), "{source}");
        assert_eq!(shows(&basic(source, &token)).await.status, is("generic"), "{source}");
        assert_eq!(shows(&basic("somebody", &token)).await.status, 401);
    }
    let refused = shows("Bearer wrong").await;
    let offered: Vec<_> =
        refused.headers.get_all("www-authenticate").iter().map(|v| v.to_str().unwrap()).collect();
    assert_eq!(
        offered,
        ["Bearer realm=\"axon\", error=\"invalid_token\"", "Basic realm=\"axon\", charset=\"UTF-8\""]
    );
    let _: SourceId = "generic".parse().unwrap();
}
