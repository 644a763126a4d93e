//! `/ServiceProviderConfig`, `/Schemas`, `/ResourceTypes`.

use serde_json::json;

use crate::kit::{ENTERPRISE, Server, USER, encoded};

#[tokio::test]
async fn the_configuration_says_what_is_served() {
    let server = Server::start().await;
    let config = server.entra().get("/ServiceProviderConfig").await;
    let alias = server.entra().get("/ServiceProviderConfigs").await;
    assert_eq!(config.body, alias.body);
    let config = config.ok(200);
    for (feature, is_supported) in [
        ("patch", true),
        ("etag", true),
        ("filter", true),
        ("bulk", true),
        ("sort", true),
        ("changePassword", false),
    ] {
        assert_eq!(config[feature]["supported"], json!(is_supported), "{feature}");
    }
    assert_eq!(config["filter"]["maxResults"], 1000);
    assert_eq!(
        config["pagination"],
        json!({"cursor": true, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": 100,
               "maxPageSize": 1000})
    );
    assert_eq!(
        config["bulk"],
        json!({"supported": true, "maxOperations": 1000, "maxPayloadSize": 8 * 1024 * 1024})
    );
    assert_eq!(config["meta"]["location"], "https://axon.test/scim/v2/ServiceProviderConfig");
}

#[tokio::test]
async fn schemas_and_resource_types_are_listed_and_found_by_name() {
    let server = Server::start().await;
    let client = server.entra();
    for (path, names) in [("/Schemas", &[USER, ENTERPRISE][..]), ("/ResourceTypes", &["User", "Group"])] {
        let list = client.get(path).await;
        assert!(list.total() >= 2);
        assert!(!String::from_utf8_lossy(&list.text).contains("null"), "Entra reads no nulls");
        for name in names {
            let one = client.get(&format!("{path}/{name}")).await;
            assert_eq!(one.body["id"], *name);
            assert!(list.body["Resources"].as_array().unwrap().contains(&one.body));
            assert_eq!(client.get(&format!("{path}/{}", encoded(name))).await.body, one.body, "encoded");
            assert_eq!(one.body["meta"]["location"], format!("https://axon.test/scim/v2{path}/{name}"));
        }
        client.get(&format!("{path}/urn:nope")).await.refused(404, "");
        client.get(&format!("{path}?filter=id+eq+%22x%22")).await.refused(403, "");
        client.get(&format!("{path}/%ff")).await.refused(404, "");
    }
}

/// V37.
#[tokio::test]
async fn discovery_cannot_be_written() {
    let server = Server::start().await;
    for path in ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Schemas/x", "/ResourceTypes/User"]
    {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer = server.entra().send(method, path, "{}").await;
            assert!(answer.refused(405, "").contains(method), "{}", answer.body);
            assert!(answer.header("allow").contains("GET"));
        }
    }
}

/// RFC 7644 section 3.11: a source is no person.
#[tokio::test]
async fn me_is_not_implemented_whatever_the_method() {
    let server = Server::start().await;
    let client = server.entra();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let answer = client.send(method, "/Me", "{}").await;
        assert!(answer.refused(501, "").contains("no user"));
        server.nobody().send(method, "/Me", "{}").await.refused(401, "");
    }
}
