//! Sorting, pages by cursor, and queries over both resource types.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::kit::{Answer, Client, Server, USER, encoded};

fn names(answer: &Answer) -> Vec<String> {
    let list = answer.body["Resources"].as_array().expect("a list");
    let name =
        |r: &Value| r["userName"].as_str().or(r["displayName"].as_str()).unwrap_or_default().to_owned();
    list.iter().map(name).collect()
}

async fn people(client: &Client<'_>) {
    for (name, title, family) in [
        ("b", Some("x"), Some("Ö")),
        ("A", None, Some("a")),
        ("c", Some("Y"), None),
        ("d", Some("X"), Some("B")),
    ] {
        let mut body = json!({"schemas": [USER], "userName": name, "title": title});
        if let Some(family) = family {
            body["name"] = json!({"familyName": family});
        }
        client.post("/Users", body).await.ok(201);
    }
}

#[tokio::test]
async fn a_list_is_sorted_by_what_is_asked_and_equals_stay_in_their_order() {
    let server = Server::start().await;
    let client = server.generic();
    people(&client).await;
    for (query, expected) in [
        ("sortBy=userName", ["A", "b", "c", "d"]),
        ("sortBy=USERNAME&sortOrder=Descending", ["d", "c", "b", "A"]),
        ("sortBy=title", ["b", "d", "c", "A"]),
        ("sortBy=title&sortOrder=descending", ["A", "c", "b", "d"]),
        ("sortBy=name.familyName", ["A", "d", "b", "c"]),
        ("sortBy=meta.created", ["b", "A", "c", "d"]),
        ("sortBy=urn:ietf:params:scim:schemas:core:2.0:User:title", ["b", "d", "c", "A"]),
        ("", ["b", "A", "c", "d"]),
    ] {
        let listed = client.get(&format!("/Users?{query}")).await;
        assert_eq!((listed.total(), names(&listed)), (4, expected.map(str::to_owned).to_vec()), "{query}");
        let mut paged = Vec::new();
        for start in 1..=4 {
            paged.extend(names(&client.get(&format!("/Users?{query}&startIndex={start}&count=1")).await));
        }
        assert_eq!(paged, expected, "{query}, one by one");
        let mut by_cursor = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = client.get(&format!("/Users?{query}&count=1&cursor={cursor}")).await;
            by_cursor.extend(names(&page));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!(by_cursor, expected, "{query}, by cursor");
    }
    for (bad, status, kind) in
        [("nope", 400, "invalidValue"), ("name", 400, "invalidValue"), ("password", 403, "sensitive")]
    {
        client.get(&format!("/Users?sortBy={bad}")).await.refused(status, kind);
    }
}

/// V45.
#[tokio::test]
async fn pages_by_cursor_are_the_list_and_a_cursor_fits_its_query_alone() {
    let server = Server::start().await;
    let client = server.generic();
    let mut all = BTreeSet::new();
    for n in 0..25 {
        all.insert(client.user(&format!("u{n}")).await.id);
    }
    let filter = encoded("userName sw \"u\"");
    let mut seen = Vec::new();
    let mut page = client.get(&format!("/Users?filter={filter}&cursor&count=10")).await;
    let first = page.body["nextCursor"].as_str().expect("a cursor").to_owned();
    assert!(first.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)), "{first}");
    assert!(page.body.get("startIndex").is_none() && page.body.get("previousCursor").is_none());
    loop {
        assert_eq!(page.total(), 25 + seen.len() as u64 / 10, "and those that came meanwhile");
        let ids =
            page.body["Resources"].as_array().unwrap().iter().map(|u| u["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        let Some(next) = page.body["nextCursor"].as_str().map(str::to_owned) else { break };
        client.user(&format!("u-late{}", seen.len())).await;
        page = client.get(&format!("/Users?filter={filter}&cursor={next}&count=10")).await;
    }
    let distinct: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "none twice");
    assert!(all.is_subset(&distinct));
    let other = encoded("userName sw \"v\"");
    let ask = async |query: String| client.get(&query).await;
    ask(format!("/Users?filter={other}&cursor={first}&count=10")).await.refused(400, "invalidCursor");
    ask(format!("/Users?filter={filter}&cursor={first}&count=11")).await.refused(400, "invalidCount");
    ask(format!("/Users?filter={filter}&cursor={first}x&count=10")).await.refused(400, "invalidCursor");
    ask(format!("/Users?cursor={first}&count=10")).await.refused(400, "invalidCursor");
    ask(format!("/Groups?cursor={first}&count=10")).await.refused(400, "invalidCursor");
    ask("/Users?cursor=10.AAAA&count=10".to_owned()).await.refused(400, "invalidCursor");
    let body = json!({"filter": "userName sw \"u\"", "cursor": first, "count": 10});
    let searched = client.post("/Users/.search", body).await;
    assert_eq!(searched.body["Resources"].as_array().unwrap().len(), 10);
    let foreign = server.okta().get(&format!("/Users?filter={filter}&cursor={first}&count=10")).await;
    foreign.refused(400, "invalidCursor");
}

#[tokio::test]
async fn a_search_at_the_root_looks_at_users_and_groups() {
    let server = Server::start().await;
    let client = server.generic();
    let kim = client.user("kim").await;
    client.user("lee").await;
    client.group("kin", &[&kim]).await;
    client.group("other", &[]).await;
    let search = |body: Value| client.post("/.search", body);
    let all = search(json!({})).await;
    assert_eq!((all.total(), names(&all)), (4, ["kim", "lee", "kin", "other"].map(str::to_owned).to_vec()));
    let kinds: Vec<_> =
        all.body["Resources"].as_array().unwrap().iter().map(|r| r["meta"]["resourceType"].clone()).collect();
    assert_eq!(kinds, ["User", "User", "Group", "Group"]);
    assert_eq!(client.get("/").await.body, all.body, "the same by GET");
    for (filter, expected) in [
        ("userName sw \"k\" or displayName sw \"k\"", &["kim", "kin"][..]),
        ("meta.resourceType eq \"Group\"", &["kin", "other"]),
        ("userName ne \"kim\"", &["lee"]),
        ("members pr", &["kin"]),
        ("displayName pr", &["kin", "other"]),
    ] {
        let found = search(json!({"filter": filter})).await;
        assert_eq!(names(&found), expected, "{filter}");
        assert_eq!(found.total(), expected.len() as u64);
        let listed = client.find("/", filter).await;
        assert_eq!(listed.body, found.body, "{filter}");
    }
    search(json!({"filter": "shoeSize eq 44"})).await.refused(400, "invalidFilter");
    for start in 1..=6 {
        let page = search(json!({"startIndex": start, "count": 2})).await;
        let expected: Vec<_> = names(&all).into_iter().skip(start - 1).take(2).collect();
        assert_eq!((page.total(), names(&page)), (4, expected), "{start}");
    }
    let ordered = search(json!({"sortBy": "displayName", "sortOrder": "descending", "count": 3})).await;
    assert_eq!((ordered.total(), names(&ordered)), (4, ["kim", "lee", "other"].map(str::to_owned).to_vec()));
    let chosen = search(json!({"attributes": ["userName"], "count": 1, "startIndex": 3})).await;
    assert!(chosen.body["Resources"][0].get("displayName").is_none());
    assert_eq!(search(json!({"count": 0})).await.body["Resources"], json!([]));
    assert_eq!(server.okta().post("/.search", json!({})).await.total(), 0, "of this source alone");
}

#[tokio::test]
async fn a_cursor_at_the_root_goes_from_users_to_groups() {
    let server = Server::start().await;
    let client = server.generic();
    for n in 0..4 {
        client.user(&format!("u{n}")).await;
        client.group(&format!("g{n}"), &[]).await;
    }
    for count in 1..=9 {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = client.post("/.search", json!({"cursor": cursor, "count": count})).await;
            assert_eq!(page.total(), 8);
            seen.extend(names(&page));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!(seen, ["u0", "u1", "u2", "u3", "g0", "g1", "g2", "g3"], "{count}");
    }
    for bad in ["x", "2.x", "2..", "2...", "2.-.-", "2.x.-.-", "u.x"] {
        client.post("/.search", json!({"cursor": bad, "count": 2})).await.refused(400, "invalidCursor");
    }
}

/// RFC 7644 section 3.4.3 with RFC 9865: one order over both kinds, whatever pages it is cut into, and while others write.
#[tokio::test]
async fn a_sorted_search_at_the_root_goes_by_cursor() {
    let server = Server::start().await;
    let client = server.generic();
    for name in ["delta", "alpha", "Golf", "bravo"] {
        client.post("/Users", json!({"userName": format!("u-{name}"), "displayName": name})).await.ok(201);
    }
    client.post("/Users", json!({"userName": "u-nameless"})).await.ok(201);
    for name in ["bravo", "Charlie", "alpha", "hotel"] {
        client.group(name, &[]).await;
    }
    let walk = async |sort: &Value, count: usize, comes: &str| {
        let (mut seen, mut asked) = (Vec::new(), sort.clone());
        asked["cursor"] = "".into();
        asked["count"] = count.into();
        loop {
            let page = client.post("/.search", asked.clone()).await;
            assert_eq!(page.status, 200, "{:?}", page.body);
            let given = page.body["Resources"].as_array().unwrap();
            seen.extend(given.iter().map(|r| r["id"].as_str().unwrap().to_owned()));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            assert_eq!(given.len(), count, "only the last page is short");
            asked["cursor"] = next.into();
            let n = seen.len();
            if !comes.is_empty() && n < 9 {
                client.post("/Users", json!({"userName": format!("{comes}{n}"), "displayName": "c"})).await;
                client.group(&format!("{comes}{n}"), &[]).await;
            }
        }
        seen
    };
    for (round, sort) in [
        json!({"sortBy": "displayName"}),
        json!({"sortBy": "displayName", "sortOrder": "descending"}),
        json!({"sortBy": "userName"}),
        json!({"sortBy": "userName", "sortOrder": "descending"}),
        json!({"sortBy": "meta.created", "sortOrder": "descending"}),
        json!({"sortBy": "id"}),
        json!({"sortBy": "displayName", "filter": "displayName pr and not (displayName eq \"golf\")"}),
        json!({}),
    ]
    .iter()
    .enumerate()
    {
        let mut whole = sort.clone();
        whole["count"] = 1000.into();
        let all = client.post("/.search", whole).await;
        let all: Vec<_> = all.body["Resources"].as_array().unwrap().iter().map(|r| r["id"].clone()).collect();
        for count in [1, 2, 3, 5, 100] {
            assert_eq!(walk(sort, count, "").await, all, "{sort} by {count}");
        }
        let with_others = walk(sort, 2, &format!("new{round}x")).await;
        let mut once = with_others.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), with_others.len(), "{sort}: nothing twice");
        let stayed: Vec<_> = with_others.into_iter().filter(|id| all.contains(&json!(id))).collect();
        assert_eq!(stayed, all, "{sort}: what was there comes once and in its order");
    }
    let first = client.post("/.search", json!({"sortBy": "displayName", "cursor": "", "count": 2})).await;
    let next = first.body["nextCursor"].as_str().unwrap();
    for (other, keyword) in [
        (json!({"sortBy": "userName", "cursor": next, "count": 2}), "invalidCursor"),
        (
            json!({"sortBy": "displayName", "sortOrder": "descending", "cursor": next, "count": 2}),
            "invalidCursor",
        ),
        (
            json!({"sortBy": "displayName", "filter": "displayName pr", "cursor": next, "count": 2}),
            "invalidCursor",
        ),
        (json!({"cursor": next, "count": 2}), "invalidCursor"),
        (json!({"sortBy": "displayName", "cursor": next, "count": 3}), "invalidCount"),
    ] {
        client.post("/.search", other).await.refused(400, keyword);
    }
    let foreign = json!({"sortBy": "displayName", "cursor": next, "count": 2});
    server.okta().post("/.search", foreign).await.refused(400, "invalidCursor");
    let none = json!({"sortBy": "displayName", "cursor": "", "count": 0});
    let none = client.post("/.search", none).await;
    assert_eq!((none.body["Resources"].clone(), none.body.get("nextCursor")), (json!([]), None));
}
