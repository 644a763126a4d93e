//! Users that are answered without the store: the same bytes, never stale, never another source's.

use std::sync::atomic::{AtomicU64, Ordering};

use axon_store::{DirectoryStore as _, HealthStore as _, NewToken, Store as _, TokenHash, TokenStore as _};
use axon_store_sqlite::{Address, Options, SqliteStore};
use serde_json::{Value, json};

use crate::kit::{Answer, Client, Server, USER};

/// The answer, and how many statements it took.
async fn counted(server: &Server, client: &Client<'_>, path: &str) -> (Answer, u64) {
    let before = server.store.statement_counts().all;
    let answer = client.get(path).await;
    (answer, server.store.statement_counts().all - before)
}

/// Asks twice: both answers must be the same bytes, and the second must come without a statement.
async fn kept(server: &Server, client: &Client<'_>, path: &str) -> Answer {
    let first = client.get(path).await;
    let (second, statements) = counted(server, client, path).await;
    assert_eq!(first.text, second.text, "{path}");
    assert_eq!(statements, 0, "{path}");
    for name in ["etag", "location", "content-type", "cache-control"] {
        assert_eq!(first.headers.get(name), second.headers.get(name), "{name} of {path}");
    }
    second
}

async fn person(client: &Client<'_>, name: &str) -> String {
    let body = json!({"schemas": [USER], "userName": name, "displayName": "Kim \"K\" Ö\u{1}\u{2028}",
        "emails": [{"value": "kim@acme.com", "type": "work", "primary": true}]});
    let made = client.post("/Users", body).await;
    assert_eq!(made.status, 201);
    made.body["id"].as_str().unwrap().to_owned()
}

fn by_name(name: &str) -> String {
    format!("/Users?filter=userName%20eq%20%22{name}%22")
}

/// Most reads by id are answered where they come in; what asks for more goes the longer way. Who asks sees no difference.
#[tokio::test]
async fn the_short_way_and_the_longer_one_answer_the_same() {
    let server = Server::start().await;
    let entra = server.entra();
    let id = person(&entra, "kim@acme.com").await;
    let group = json!({"displayName": "Team", "members": [{"value": id}]});
    assert_eq!(entra.post("/Groups", group).await.status, 201);
    let path = format!("/Users/{id}");
    let short = kept(&server, &entra, &path).await;
    let headers = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        assert!(headers.remove("x-request-id").is_some());
        headers
    };
    for longer in
        [format!("{path}?aadOptscim062020"), format!("/Users/{}%{:02x}", &id[..35], id.as_bytes()[35])]
    {
        let longer = entra.get(&longer).await;
        assert_eq!((longer.status, &longer.text, headers(&longer)), (200, &short.text, headers(&short)));
    }
    let named = entra.request("GET", &path).header("x-request-id", "asked-7").body(axum::body::Body::empty());
    let named = server.send(named.unwrap()).await;
    assert_eq!((named.header("x-request-id"), &named.text), ("asked-7", &short.text));
    let stale = entra.request("GET", &path).header("if-match", "W/\"999\"").body(axum::body::Body::empty());
    assert_eq!(server.send(stale.unwrap()).await.text, short.text);
    let users_only = NewToken {
        scopes: "users-only".parse().unwrap(),
        ..NewToken::bearer("entra".parse().unwrap(), TokenHash::of("narrow"), "narrow")
    };
    server.store.add_token(users_only, server.act()).await.unwrap();
    for _ in 0..2 {
        let narrow = server.bearer("narrow").get(&path).await;
        assert_eq!((narrow.status, narrow.body.get("groups")), (200, None), "groups stay hidden");
        server.okta().get(&path).await.refused(404, "");
        server.nobody().get(&path).await.refused(401, "");
        server.bearer("wrong").get(&path).await.refused(401, "");
        assert_eq!(kept(&server, &entra, &path).await.text, short.text);
    }
    let calls = async || {
        server.api.store_ledgers().await;
        let health = server.store.health().await.unwrap();
        let of_entra = health.iter().find(|(source, _)| source.as_str() == "entra").unwrap();
        of_entra.1.counts(axon_model::Clock::now(server.clock.as_ref())).calls
    };
    let before = calls().await;
    kept(&server, &entra, &path).await;
    assert_eq!(calls().await, before + 2, "each is a call of its source");
}

#[tokio::test]
async fn a_kept_answer_is_the_bytes_of_the_first_one() {
    let server = Server::start().await;
    let entra = server.entra();
    let id = person(&entra, "Kim@acme.com").await;
    let path = format!("/Users/{id}");
    assert_eq!(kept(&server, &entra, &path).await.body.get("groups"), None);
    for name in ["Group \"one\"\n", "Two"] {
        let body = json!({"displayName": name, "members": [{"value": id}]});
        assert_eq!(entra.post("/Groups", body).await.status, 201);
    }
    let shown = kept(&server, &entra, &path).await;
    assert_eq!(shown.body["groups"].as_array().unwrap().len(), 2);
    let listed = kept(&server, &entra, &by_name("kIM@ACME.com")).await;
    assert_eq!(listed.body["Resources"][0], shown.body);
    assert_eq!(listed.body["totalResults"], 1);
    let tag = shown.headers.get("etag").unwrap().to_str().unwrap();
    let request = entra.request("GET", &path).header("if-none-match", tag);
    let unchanged = server.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((unchanged.status, unchanged.text.len()), (304, 0));
    // What is not shown by default is not made of what is kept.
    let chosen = entra.get(&format!("{path}?attributes=userName")).await;
    assert_eq!(chosen.body.get("displayName"), None);
}

#[tokio::test]
async fn no_other_source_is_shown_what_is_kept() {
    let server = Server::start().await;
    let (entra, okta) = (server.entra(), server.okta());
    let id = person(&entra, "kim@acme.com").await;
    kept(&server, &entra, &format!("/Users/{id}")).await;
    kept(&server, &entra, &by_name("kim@acme.com")).await;
    assert_eq!(okta.get(&format!("/Users/{id}")).await.status, 404);
    assert_eq!(okta.get(&by_name("kim@acme.com")).await.body["totalResults"], 0);
    assert_eq!(entra.get(&format!("/Users/{id}")).await.status, 200, "the asking did no harm");
}

#[tokio::test]
async fn whatever_a_write_changes_is_read_anew() {
    let server = Server::start().await;
    let entra = server.entra();
    let id = person(&entra, "kim@acme.com").await;
    let path = format!("/Users/{id}");
    let group =
        entra.post("/Groups", json!({"displayName": "Before"})).await.body["id"].as_str().unwrap().to_owned();
    let group_path = format!("/Groups/{group}");
    let shows = async |what: &str, wanted: Value| {
        let shown = kept(&server, &entra, &path).await;
        assert_eq!(shown.body.pointer(what).cloned().unwrap_or(Value::Null), wanted, "{what}");
    };
    shows("/title", Value::Null).await;
    entra.patch(&path, json!([{"op": "add", "path": "title", "value": "Boss"}])).await;
    shows("/title", json!("Boss")).await;
    entra.patch(&group_path, json!([{"op": "add", "path": "members", "value": [{"value": id}]}])).await;
    shows("/groups/0/display", json!("Before")).await;
    entra.patch(&group_path, json!([{"op": "replace", "path": "displayName", "value": "After"}])).await;
    shows("/groups/0/display", json!("After")).await;
    assert_eq!(entra.delete(&group_path).await.status, 204);
    shows("/groups", Value::Null).await;
    kept(&server, &entra, &by_name("kim@acme.com")).await;
    entra.patch(&path, json!([{"op": "replace", "path": "userName", "value": "kay@acme.com"}])).await;
    assert_eq!(entra.get(&by_name("kim@acme.com")).await.body["totalResults"], 0);
    assert_eq!(kept(&server, &entra, &by_name("kay@acme.com")).await.body["totalResults"], 1);
    assert_eq!(entra.delete(&path).await.status, 204);
    assert_eq!(entra.get(&path).await.status, 404);
    assert_eq!(entra.get(&by_name("kay@acme.com")).await.body["totalResults"], 0);
}

#[tokio::test]
async fn what_another_process_writes_is_seen_at_once() {
    let server = Server::start().await;
    let entra = server.entra();
    let id = person(&entra, "kim@acme.com").await;
    let path = format!("/Users/{id}");
    kept(&server, &entra, &path).await;
    let address = Address::of_file(server.folder.path().join("axon.db"));
    let other = SqliteStore::open(Options::new(address)).await.unwrap();
    let source = "entra".parse().unwrap();
    for n in 0..20 {
        // Commits of both, so that neither hides the other's.
        entra.patch(&path, json!([{"op": "replace", "path": "title", "value": format!("ours {n}")}])).await;
        assert_eq!(kept(&server, &entra, &path).await.body["title"], format!("ours {n}"));
        let context = axon_store::WriteContext {
            source: "entra".parse().unwrap(),
            profile: axon_scim::Profile::entra(),
            registry: std::sync::Arc::new(axon_scim::Registry::standard()),
            act: server.act(),
            if_match: None,
            unless: axon_store::Unless::Never,
        };
        let mut resource =
            other.user(&source, id.parse().unwrap(), false).await.unwrap().unwrap().resource.into_map();
        resource.insert("title".into(), json!(format!("theirs {n}")));
        let resource = axon_scim::Resource::from_document(axon_scim::ResourceKind::User, resource);
        other.replace_user(context, id.parse().unwrap(), resource).await.unwrap();
        assert_eq!(entra.get(&path).await.body["title"], format!("theirs {n}"));
        if n % 2 == 0 {
            assert_eq!(kept(&server, &entra, &path).await.body["title"], format!("theirs {n}"));
        }
    }
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_that_begins_after_an_answered_write_sees_what_was_before() {
    const USERS: usize = 4;
    const WRITES: u64 = 60;
    let server = Server::start().await;
    let entra = server.entra();
    let mut ids = Vec::new();
    for n in 0..USERS {
        ids.push(person(&entra, &format!("racer{n}@acme.com")).await);
    }
    let answered: [AtomicU64; USERS] = Default::default();
    let hits = AtomicU64::new(0);
    let write = async |user: usize| {
        for n in 1..=WRITES {
            let operations = json!([{"op": "replace", "path": "title", "value": n.to_string()}]);
            assert_eq!(entra.patch(&format!("/Users/{}", ids[user]), operations).await.status, 200);
            answered[user].store(n, Ordering::SeqCst);
        }
    };
    let read = async |reader: usize| {
        let mut turn = reader;
        while answered.iter().any(|n| n.load(Ordering::SeqCst) < WRITES) {
            let user = turn % USERS;
            turn += 1;
            let floor = answered[user].load(Ordering::SeqCst);
            let by_id = turn.is_multiple_of(2);
            let path = if by_id {
                format!("/Users/{}", ids[user])
            } else {
                by_name(&format!("racer{user}@acme.com"))
            };
            let shown = entra.get(&path).await.body;
            let title = if by_id { &shown["title"] } else { &shown["Resources"][0]["title"] };
            let title: u64 = title.as_str().map_or(0, |text| text.parse().unwrap());
            assert!(title >= floor, "{path}: {title} after {floor} was answered");
            hits.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(
        write(0),
        write(1),
        write(2),
        write(3),
        read(0),
        read(1),
        read(2),
        read(3),
        read(4),
        read(5)
    );
    assert!(hits.load(Ordering::Relaxed) > 100);
    for (user, id) in ids.iter().enumerate() {
        let shown = kept(&server, &entra, &format!("/Users/{id}")).await;
        assert_eq!(shown.body["title"], WRITES.to_string(), "user {user}");
    }
}
