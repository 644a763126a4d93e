//! Filters, pages and searches, as clients encode them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::kit::{NOBODY, Server, encoded};

/// V18 and V19.
#[tokio::test]
async fn user_names_compare_without_case_and_query_strings_decode_once() {
    let server = Server::start().await;
    let client = server.entra();
    client.user("kim@ex.test").await;
    client.user("a+b@c").await;
    client.user("a b@c").await;
    assert_eq!(client.find("/Users", "userName eq \"KIM@EX.TEST\"").await.total(), 1);
    let plus = client.get("/Users?filter=userName+eq+%22a%2Bb%40c%22").await;
    assert_eq!((plus.total(), &plus.body["Resources"][0]["userName"]), (1, &json!("a+b@c")));
    let blank = client.get("/Users?filter=userName%20eq%20%22a+b%40c%22").await;
    assert_eq!((blank.total(), &blank.body["Resources"][0]["userName"]), (1, &json!("a b@c")));
}

/// V20.
#[tokio::test]
async fn quotes_brackets_and_words_of_the_language_survive_in_values() {
    let server = Server::start().await;
    let client = server.entra();
    let names = [
        "o\"neil (a) and b",
        "o\"neil",
        "a and b",
        "x]; DROP USER [dbo]--",
        "back\\slash",
        "50%",
        "名前",
        "eq \"x\" or 1=1",
    ];
    for name in names {
        client.user(name).await;
    }
    for name in names {
        let found = client.find("/Users", &format!("userName eq {}", Value::from(name))).await;
        assert_eq!((found.total(), found.body["Resources"][0]["userName"].as_str()), (1, Some(name)));
    }
}

/// V21 and V22.
#[tokio::test]
async fn emails_are_found_in_both_spellings_of_the_filter() {
    let server = Server::start().await;
    let client = server.entra();
    let emails = json!([{"type": "work", "value": "x@y"}, {"type": "home", "value": "home@x"}]);
    client.post("/Users", json!({"userName": "kim", "emails": emails})).await.ok(201);
    client.user("lee").await;
    for filter in [
        "emails[type eq \"work\"].value eq \"x@y\"",
        "emails[type eq \"work\" and value eq \"x@y\"]",
        "emails[type eq \"work\"] eq \"x@y\"",
        "emails eq \"x@y\"",
        "emails.type eq \"work\" and emails.value eq \"home@x\"",
    ] {
        let found = client.find("/Users", filter).await;
        assert_eq!((found.total(), &found.body["Resources"][0]["userName"]), (1, &json!("kim")), "{filter}");
    }
    assert_eq!(client.find("/Users", "emails[type eq \"work\" and value eq \"home@x\"]").await.total(), 0);
}

/// V26 and the connection test of Entra.
#[tokio::test]
async fn no_match_is_an_empty_list_and_not_404() {
    let server = Server::start().await;
    for path in ["/Users", "/Groups"] {
        let attribute = if path == "/Users" { "userName" } else { "displayName" };
        let answer = server.entra().find(path, &format!("{attribute} eq \"{NOBODY}\"")).await;
        assert_eq!(
            answer.ok(200),
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0,
                "startIndex": 1, "itemsPerPage": 0, "Resources": []})
        );
    }
}

/// V29.
#[tokio::test]
async fn start_and_count_out_of_range_are_brought_into_it() {
    let server = Server::start().await;
    let client = server.okta();
    for n in 0..5 {
        client.user(&format!("u{n}")).await;
    }
    for (query, start, shown) in [
        ("startIndex=0&count=-1", 1, 0),
        ("startIndex=-7&count=2", 1, 2),
        ("startIndex=4&count=100", 4, 2),
        ("startIndex=6", 6, 0),
        ("startIndex=99999999999999999999", usize::MAX, 0),
        ("count=0", 1, 0),
        ("count=99999999999999999999", 1, 5),
    ] {
        let page = client.get(&format!("/Users?{query}")).await;
        assert_eq!(page.total(), 5, "{query}");
        assert_eq!(page.body["startIndex"], json!(start), "{query}");
        assert_eq!(page.body["itemsPerPage"], json!(shown), "{query}");
        assert_eq!(page.body["Resources"].as_array().unwrap().len(), shown, "{query}");
    }
    client.get("/Users?count=many").await.refused(400, "invalidValue");
}

/// V30.
#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_users_come() {
    let server = Server::start().await;
    let client = server.okta();
    let mut original = BTreeSet::new();
    for round in 0..2 {
        let one = |n: usize| {
            let name = format!("u{}", round * 525 + n);
            json!({"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name}})
        };
        let operations: Vec<_> = (0..525).map(one).collect();
        let made = client.post("/Bulk", json!({"Operations": operations})).await.ok(200);
        for entry in made["Operations"].as_array().unwrap() {
            original.insert(entry["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
        }
    }
    assert_eq!(original.len(), 1050);
    let mut seen = Vec::new();
    for start in (1..=1050).step_by(100) {
        let page = client.get(&format!("/Users?startIndex={start}&count=100")).await;
        seen.extend(
            page.body["Resources"].as_array().unwrap().iter().map(|u| u["id"].as_str().unwrap().to_owned()),
        );
        client.user(&format!("late{start}")).await;
    }
    let distinct: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "none twice");
    assert!(original.is_subset(&distinct), "none of the first ones left out");
}

#[tokio::test]
async fn a_search_answers_as_the_list_does() {
    let server = Server::start().await;
    let client = server.generic();
    for n in 0..3 {
        client.user(&format!("u{n}")).await;
    }
    let kim = client.user("kim").await;
    client.group("G", &[&kim]).await;
    let search = |path: &'static str, body: Value| client.post(path, body);
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "userName sw \"u\"",
        "startIndex": 2, "count": 1, "attributes": ["userName"]});
    let found = search("/Users/.search", body).await;
    let listed = client
        .get(&format!(
            "/Users?filter={}&startIndex=2&count=1&attributes=userName",
            encoded("userName sw \"u\"")
        ))
        .await;
    assert_eq!((found.total(), &found.body), (3, &listed.body));
    let groups = search("/Groups/.search", json!({"excludedAttributes": ["members"]})).await;
    assert_eq!(groups.total(), 1);
    assert!(groups.body["Resources"][0].get("members").is_none());
    search("/Users/.search", json!({"filter": "userName eq"})).await.refused(400, "invalidFilter");
    search("/Users/.search", json!([])).await.refused(400, "invalidSyntax");
}

/// keycloak-scim-server#46: a filter that is not understood must not become "everything".
#[tokio::test]
async fn a_filter_that_is_not_understood_never_lists_everybody() {
    let server = Server::start().await;
    let client = server.entra();
    client.user("kim").await;
    for filter in [
        "userName",
        "userName eq",
        "userName xx \"a\"",
        "userNme eq \"a\"",
        "(userName eq \"a\"",
        "userName eq \"a",
        "",
        " ",
        "active gt true",
    ] {
        client.find("/Users", filter).await.refused(400, "invalidFilter");
    }
    client.get("/Users?filter").await.refused(400, "invalidFilter");
    client.get("/Users?filter=%FF").await.refused(400, "invalidValue");
    client.get("/Groups?filter=userName+eq+%22kim%22").await.refused(400, "invalidFilter");
}
