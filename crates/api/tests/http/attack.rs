//! What somebody with a token, or without one, might send to make the server slow, talkative or wrong.

use axum::body::Body;
use serde_json::json;

use crate::kit::Server;

/// V47.
#[tokio::test]
async fn nested_brackets_are_an_error_and_not_a_crash() {
    let server =
        Server::with(axon_api::Limits { header_bytes: 1024 * 1024, ..crate::kit::LIMITS }, |_| {}).await;
    let client = server.entra();
    for filter in [
        "(".repeat(100_000),
        format!("{}userName pr{}", "(".repeat(100_000), ")".repeat(100_000)),
        "not (".repeat(20_000),
        "emails[".repeat(20_000),
        vec!["userName pr"; 20_000].join(" and "),
    ] {
        client.post("/Users/.search", json!({"filter": filter})).await.refused(400, "invalidFilter");
        let kim = json!([{"op": "remove", "path": format!("emails[{filter}]")}]);
        let answer = client.patch("/Users/01890000-0000-7000-8000-000000000000", kim).await;
        assert!(matches!(answer.status, 400 | 404), "{}", answer.body);
    }
    // An address of more than 64 KiB does not reach the router.
    client.get(&format!("/Users?filter={}", "(".repeat(60_000))).await.refused(400, "invalidFilter");
}

#[tokio::test]
async fn deep_wide_and_long_json_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let head = server.head().await;
    let deep = |n: usize| format!("{{\"userName\": {}1{}}}", "[".repeat(n), "]".repeat(n));
    let wide = (0..5000).map(|n| format!("\"k{n}\": 1,")).collect::<Vec<_>>().concat();
    for body in [
        deep(100),
        deep(1_000_000),
        format!("{{{wide} \"userName\": \"x\"}}"),
        format!("{{\"userName\": \"{}\"}}", "x".repeat(1_000_000)),
        "{\"userName\": \"a\\u0000b\"}".to_owned(),
        "{\"userName\": \"x\", \"\\u0000\": 1}".to_owned(),
        "{\"userName\": \"x\", \"username\": \"y\"}".to_owned(),
        "{\"userName\": \"x\", \"userName\": \"y\"}".to_owned(),
        "{\"userName\": {\"$ne\": null}}".to_owned(),
        "{\"userName\": 1e999}".to_owned(),
    ] {
        for (method, path) in [("POST", "/Users"), ("PUT", kim.path.as_str())] {
            let answer = client.send(method, path, body.clone()).await;
            assert_eq!(answer.status, 400, "{method}: {}", &body[..body.len().min(60)]);
            assert!(answer.text.len() < 1000, "an answer does not repeat what was sent");
        }
    }
    assert_eq!(server.head().await, head);
}

#[tokio::test]
async fn long_lists_of_attributes_are_refused_before_anything_is_written() {
    let server = Server::start().await;
    let client = server.entra();
    let names = vec!["id"; 5000].join(",");
    let head = server.head().await;
    for key in ["attributes", "excludedAttributes"] {
        client.get(&format!("/Users?{key}={names}")).await.refused(400, "invalidValue");
        let made = client.post(&format!("/Users?{key}={names}"), json!({"userName": "kim"})).await;
        made.refused(400, "invalidValue");
        client.post("/Groups/.search", json!({key: vec!["id"; 5000]})).await.refused(400, "invalidValue");
    }
    assert_eq!(server.head().await, head);
    assert_eq!(
        client.get(&format!("/Users?attributes={}", vec!["name.givenName"; 200].join(","))).await.status,
        200
    );
}

#[tokio::test]
async fn a_hostile_host_is_not_repeated() {
    let server = Server::with(crate::kit::LIMITS, |parts| parts.public_url = None).await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let with_host = |host: &'static str| {
        let mut request = client.request("GET", &kim.path).body(Body::empty()).unwrap();
        request.headers_mut().insert("host", axum::http::HeaderValue::from_str(host).unwrap());
        server.send(request)
    };
    for (host, shown) in [
        ("scim.example:8443", "http://scim.example:8443"),
        ("[::1]:80", "http://[::1]:80"),
        ("", "http://localhost"),
        ("a/b", "http://localhost"),
        ("evil\" onload=\"x", "http://localhost"),
        ("user@evil", "http://localhost"),
        ("a?b#c", "http://localhost"),
    ] {
        let answer = with_host(host).await;
        assert_eq!(answer.body["meta"]["location"], format!("{shown}/scim/v2{}", kim.path), "{host}");
        assert_eq!(answer.header("location"), answer.body["meta"]["location"].as_str().unwrap());
    }
    let request = client.request("GET", &kim.path).header("x-forwarded-proto", "https");
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    let said = answer.header("location");
    assert_eq!(said, format!("http://axon.test/scim/v2{}", kim.path), "no proxy is trusted");
    // A configured address wins over whatever is said.
    let fixed = Server::start().await;
    let kim = fixed.entra().user("kim").await;
    let request = fixed.entra().request("GET", &kim.path).header("x-forwarded-proto", "gopher");
    let mut request = request.body(Body::empty()).unwrap();
    request.headers_mut().insert("host", "evil.test".parse().unwrap());
    assert!(fixed.send(request).await.header("location").starts_with("https://axon.test/"));
}
