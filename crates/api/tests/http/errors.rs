//! Every error is a SCIM Error, whoever makes it; bodies that cannot be read say where.

use serde_json::json;

use crate::kit::{NOBODY, Server};

/// V37.
#[tokio::test]
async fn unknown_paths_and_verbs_are_scim_errors() {
    let server = Server::start().await;
    let client = server.entra();
    for path in
        ["/nope", "/Users/a/b", "/users", "//scim", "//scim/", "//scim/x/Users", "/Users/%FF", "/Users/%00"]
    {
        client.get(path).await.refused(404, "");
    }
    for (method, path) in [("PUT", "/Users"), ("DELETE", "/Groups"), ("POST", "/Users/x"), ("BREW", "/Users")]
    {
        let answer = client.send(method, path, "{}").await;
        answer.refused(405, "");
        assert!(!answer.header("allow").is_empty());
    }
    // Outside SCIM an error is not SCIM's.
    assert_eq!(client.get("//nope").await.status, 404);
    assert_eq!(client.get("//scimitar").await.header("content-type"), "");
}

#[tokio::test]
async fn an_id_that_is_not_one_of_ours_is_404() {
    let server = Server::start().await;
    for id in [
        NOBODY,
        "00919288221112222",
        "x",
        "..",
        "%2e%2e",
        "%2F",
        "1%00",
        "'; DROP TABLE users; --",
        "%F0%9F%98%80",
    ] {
        let id = id.replace(' ', "%20");
        for endpoint in ["Users", "Groups"] {
            let path = format!("/{endpoint}/{id}");
            let detail = server.okta().get(&path).await.refused(404, "").to_owned();
            assert!(detail.len() < 300 && !detail.contains('\0'), "{detail}");
            server.okta().delete(&path).await.refused(404, "");
            server.okta().put(&path, json!({"userName": "k", "displayName": "k"})).await.refused(404, "");
        }
    }
}

#[tokio::test]
async fn an_id_is_found_percent_encoded_and_in_upper_case() {
    let server = Server::start().await;
    let kim = server.entra().user("kim").await;
    let encoded = kim.id.bytes().map(|b| format!("%{b:02x}")).collect::<Vec<_>>().concat();
    assert_eq!(server.entra().get(&format!("/Users/{encoded}")).await.ok(200)["id"], kim.id);
    assert_eq!(server.entra().get(&format!("/Users/{}", kim.id.to_uppercase())).await.ok(200)["id"], kim.id);
}

#[tokio::test]
async fn slashes_too_many_do_not_matter() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    for path in
        ["//scim/v2//Users", "//scim/v2/Users/", "///scim//v2/Users//", "//scim/v2//Users?aadOptscim062020"]
    {
        assert_eq!(client.get(path).await.total(), 1, "{path}");
    }
    assert_eq!(client.get(&format!("//scim/v2//Users/{}/", kim.id)).await.ok(200)["id"], kim.id);
    let made = client.post("//scim/v2//Users/", json!({"userName": "lee"})).await;
    assert_eq!(
        made.header("location"),
        format!("https://axon.test/scim/v2/Users/{}", made.body["id"].as_str().unwrap())
    );
    let found = client.get("//scim/v2//Users/?filter=userName+eq+%22a//b/%22").await;
    assert_eq!(found.total(), 0, "the query is left alone");
}

#[tokio::test]
async fn another_version_of_the_protocol_is_told_so() {
    let server = Server::start().await;
    for path in ["//scim/v1/Users", "//scim/v1.1/Users/7", "//scim/v3", "//scim/v1/"] {
        assert!(server.okta().get(path).await.refused(400, "invalidVers").contains("/scim/v2"), "{path}");
        server.nobody().get(path).await.refused(401, "");
    }
}

/// RFC 7240: a preference that is not honoured is no error.
#[tokio::test]
async fn a_wish_for_an_answer_later_changes_nothing() {
    let server = Server::start().await;
    let client = server.entra();
    let body = json!({"userName": "kim"}).to_string();
    for method in ["POST", "PUT", "PATCH"] {
        let (path, body) = if method == "POST" {
            ("/Users".to_owned(), body.clone())
        } else {
            let found = client.find("/Users", "userName eq \"kim\"").await;
            let id = found.body["Resources"][0]["id"].as_str().unwrap().to_owned();
            let patch = json!({"Operations": [{"op": "add", "path": "title", "value": "T"}]}).to_string();
            (format!("/Users/{id}"), if method == "PUT" { body.clone() } else { patch })
        };
        let request = client
            .request(method, &path)
            .header("content-type", "application/scim+json")
            .header("prefer", "respond-async, wait=10");
        let answer = server.send(request.body(axum::body::Body::from(body)).unwrap()).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
        assert!(answer.headers.get("preference-applied").is_none());
    }
}

/// V35.
#[tokio::test]
async fn flags_of_the_tenant_url_are_ignored_everywhere() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let group = client.group("G", &[]).await;
    for flag in [
        "?aadOptscim062020",
        "?aadOptscim062020=",
        "?AzureAdScimPatch2017&x=1&&=",
        "?%20=+",
        "??aadOptscim062020",
    ] {
        for path in [
            "/Users",
            "/Groups",
            "/Schemas",
            "/ResourceTypes",
            "/ServiceProviderConfig",
            &kim.path,
            &group.path,
        ] {
            assert_eq!(client.get(&format!("{path}{flag}")).await.status, 200, "{path}{flag}");
        }
        let name = format!("u{}", flag.len());
        let made = client.post(&format!("/Users{flag}"), json!({"userName": name})).await.ok(201);
        let path = format!("/Users/{}{flag}", made["id"].as_str().unwrap());
        client.put(&path, json!({"userName": name, "title": "T"})).await.ok(200);
        client.patch(&path, json!([{"op": "replace", "value": {"title": "U"}}])).await.ok(200);
        client.delete(&path).await.ok(204);
    }
}

#[tokio::test]
async fn media_types_that_mean_json_pass_and_others_are_415() {
    let server = Server::start().await;
    let client = server.entra();
    let send = |n: usize, media: &'static str| {
        let request = client.request("POST", "/Users").header("content-type", media);
        server.send(request.body(json!({"userName": format!("u{n}")}).to_string().into()).unwrap())
    };
    for (n, good) in [
        "application/scim+json; charset=utf-8",
        "application/json",
        "APPLICATION/SCIM+JSON;CHARSET=\"UTF-8\"",
        "application/json; charset=utf8",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(send(n, good).await.status, 201, "{good}");
    }
    for bad in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "?",
    ] {
        send(9, bad).await.refused(415, "");
    }
    let untyped =
        client.request("POST", "/Users").body(json!({"userName": "untyped"}).to_string().into()).unwrap();
    assert_eq!(server.send(untyped).await.status, 201);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_told_where_and_changes_nothing() {
    let server = Server::start().await;
    let client = server.entra();
    let kim = client.user("kim").await;
    let head = server.head().await;
    let cases: [(&[u8], &str); 11] = [
        (b"{\n \"userName\": \"x\",\n \"a\": }", "line 3, column 7"),
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"[]", "object"),
        (b"\"userName\"", "object"),
        (b"null", "object"),
        (b"{\"userName\": \"x\"} {}", "line 1"),
        (b"{\"userName\": \"\xff\"}", "line 1"),
        (b"{\"userName\": \"x\", \"active\": true, \"active\": false}", "a key twice at line 1"),
        (b"{\"userName\": \"x", "line 1"),
        (b"userName=x", "line 1, column 1"),
    ];
    for (body, said) in cases {
        for (method, path) in
            [("POST", "/Users"), ("POST", "/Groups"), ("PUT", &kim.path), ("PATCH", &kim.path)]
        {
            let detail =
                client.send(method, path, body.to_vec()).await.refused(400, "invalidSyntax").to_owned();
            assert!(detail.contains(said), "{method} {path}: {detail}");
        }
    }
    assert_eq!(server.head().await, head);
}
