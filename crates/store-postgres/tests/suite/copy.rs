//! A store moves between the databases without loss.

use axon_audit::payload::MapAuthor;
use axon_store::contract::kit as contract;
use axon_store::maps::{Expected, NewMap};
use axon_store::{DirectoryStore as _, JournalStore as _, NewToken, Store, StoreError, TokenHash};
use axon_store_postgres::PostgresStore;
use axon_store_sql::{CopyError, Raw, check_store, copy};
use axon_store_sqlite::{Address, Options, SqliteStore};
use serde_json::json;
use tempfile::TempDir;

use super::kit::{cluster, new_store, options};

async fn sqlite(folder: &TempDir, name: &str) -> SqliteStore {
    SqliteStore::open(Options::new(Address::of_file(folder.path().join(name)))).await.expect("a file")
}

/// Something of everything.
async fn fill(store: &dyn Store) {
    let body = contract::user_body(
        json!({"userName": "Straße 😀 'x'", "externalId": "e1", "displayName": "\\ \" \n",
        "emails": [{"type": "work", "value": "a@b.c"}]}),
    );
    let kim = store.create_user(contract::entra(1), body).await.unwrap().stored.id;
    let mut all = vec![kim];
    for n in 0..450 {
        all.push(contract::user(store, &format!("u{n}")).await);
    }
    let sales = contract::group(store, "Sales", &all).await;
    let add = json!([{"op": "add", "path": "members", "value": [{"value": "ghost"}]}]);
    contract::patch_group(store, sales, 2, add).await.unwrap();
    store.delete_user(contract::entra(3), all[450]).await.unwrap();
    let token = NewToken::bearer(contract::source("entra"), TokenHash::of("secret"), "a token");
    store.add_token(token, contract::act(4)).await.unwrap();
    let files = vec![("role-map.yaml".to_owned(), "axon: 1 # ü".to_owned())];
    let map = NewMap {
        version: axon_model::MapVersion("v1".into()),
        files,
        author: MapAuthor::login("kim"),
        comment: "ü".into(),
        expected: Expected::Anything,
    };
    store.adopt_map(map.clone(), contract::act(5)).await.unwrap();
    let proposed = NewMap { version: axon_model::MapVersion("v2".into()), ..map };
    store.propose_map(proposed, contract::minute(9), contract::act(6)).await.unwrap();
    store.save_summary("dw", json!({"steps": 3}), contract::minute(6)).await.unwrap();
    store.remember_principals("dw", vec![axon_model::SqlName::parse("kim").unwrap()]).await.unwrap();
    store.try_lease("dw", "a", time::Duration::seconds(9), contract::minute(0)).await.unwrap();
    assert!(store.erase_clear(axon_model::RecordSeq(7), contract::act(8)).await.unwrap());
}

async fn same(a: &dyn Store, b: &dyn Store) {
    assert_eq!(contract::journal(a).await, contract::journal(b).await);
    assert_eq!(a.head().await.unwrap(), b.head().await.unwrap());
    assert_eq!(a.tokens().await.unwrap(), b.tokens().await.unwrap());
    assert_eq!(a.current_map().await.unwrap(), b.current_map().await.unwrap());
    assert_eq!(a.summary("dw").await.unwrap(), b.summary("dw").await.unwrap());
    assert_eq!(a.lease("dw").await.unwrap(), b.lease("dw").await.unwrap());
    assert_eq!(a.counts().await.unwrap(), b.counts().await.unwrap());
    let both = [a.load_directory().await.unwrap(), b.load_directory().await.unwrap()];
    assert_eq!(format!("{:?}", both[0]), format!("{:?}", both[1]));
    contract::check_whole(b).await;
}

/// Writes go on in the copy: numbers continue, those who wait join.
async fn goes_on(store: &dyn Store) {
    let body = contract::user_body(json!({"userName": "ghost", "externalId": "ghost"}));
    store.create_user(contract::entra(9), body).await.unwrap();
    contract::group(store, "New", &[]).await;
    assert_eq!(store.counts().await.unwrap()[0].parked, 0);
    contract::check_whole(store).await;
}

async fn move_over(from: &dyn Raw, to: &dyn Raw) {
    let mut told = Vec::new();
    let copied =
        copy(from, to, &mut |step, done, all| told.push((step.to_owned(), done, all))).await.unwrap();
    assert_eq!(copied.head, copied.source_head);
    assert!(told.contains(&("users".to_owned(), 400, 450)) && told.contains(&("users".to_owned(), 450, 450)));
    let rows = |name: &str| copied.tables.iter().find(|(table, _)| table == name).map(|(_, rows)| *rows);
    assert_eq!((rows("users"), rows("members"), rows("tokens")), (Some(450), Some(450), Some(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_moves_there_and_back_and_is_the_same() {
    let folder = TempDir::new().unwrap();
    let first = sqlite(&folder, "first.db").await;
    fill(&first).await;
    let server = new_store().await;
    move_over(&first, &server).await;
    same(&first, &server).await;
    let back = sqlite(&folder, "back.db").await;
    move_over(&server, &back).await;
    same(&first, &back).await;
    goes_on(&server).await;
    goes_on(&back).await;

    let again = copy(&first, &server, &mut |_, _, _| {}).await.unwrap_err();
    assert!(matches!(&again, CopyError::NotEmpty { .. }), "{again}");
    goes_on_is_whole(&server).await;
}

async fn goes_on_is_whole(store: &PostgresStore) {
    assert_eq!(check_store(store, &mut |_, _, _| {}).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_what_is_wrong_on_both_databases() {
    let cluster = cluster();
    let database = cluster.new_database().unwrap();
    let store = PostgresStore::open(options(cluster, &database)).await.unwrap();
    fill(&store).await;
    assert_eq!(check_store(&store, &mut |_, _, _| {}).await.unwrap(), []);
    let sql = "UPDATE axon.groups SET member_count = 7; UPDATE axon.users SET user_name_key = 'other' WHERE seq = 3; \
               UPDATE axon.journal_clear SET body = replace(body, 'u1', 'eve') WHERE seq = 3; \
               INSERT INTO axon.members VALUES (1, 0, 99999, 1)";
    cluster.psql(&database, sql).unwrap();
    let found = check_store(&store, &mut |_, _, _| {}).await.unwrap();
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    for wanted in [
        "members, row 1: the group has a user",
        "groups, row 1: member_count",
        "users, row 3: its key",
        "journal, row 3:",
    ] {
        assert!(told.iter().any(|line| line.starts_with(wanted)), "{wanted}: {told:#?}");
    }
    assert_eq!(told.len(), 4, "{told:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_fails_leaves_nothing() {
    let cluster = cluster();
    let database = cluster.new_database().unwrap();
    let store = PostgresStore::open(options(cluster, &database)).await.unwrap();
    let folder = TempDir::new().unwrap();
    let first = sqlite(&folder, "first.db").await;
    fill(&first).await;
    cluster.psql(&database, "ALTER TABLE axon.tokens ADD CHECK (label <> 'a token')").unwrap();
    let error = copy(&first, &store, &mut |_, _, _| {}).await.unwrap_err();
    assert!(matches!(error, CopyError::Store(StoreError::Unavailable { .. })), "{error}");
    assert_eq!(store.head().await.unwrap().seq.0, 0);
    assert!(store.counts().await.unwrap().is_empty());
}
