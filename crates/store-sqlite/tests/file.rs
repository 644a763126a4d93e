//! The file: how it is made, what is refused, what survives, who else may use it.

use std::path::Path;
use std::sync::Arc;

use axon_audit::Chain;
use axon_scim::{MemberRef, ResourceKind};
use axon_store::contract::kit;
use axon_store::{DirectoryStore as _, JournalStore as _, Store as _, StoreError, TokenStore as _};
use axon_store_sqlite::{Address, Options, SqliteStore};
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::TempDir;

fn options(file: &Path) -> Options {
    Options::new(Address::of_file(file))
}

async fn raw(file: &Path) -> SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.expect("the file opens")
}

async fn run(file: &Path, sql: &'static str) -> Result<(), sqlx::Error> {
    let mut connection = raw(file).await;
    let done = sqlx::query(sql).execute(&mut connection).await.map(|_| ());
    connection.close().await?;
    done
}

#[tokio::test]
async fn the_live_writer_is_durable_and_the_file_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    let store = SqliteStore::open(options(&file)).await.unwrap();
    let durability = store.durability().await.unwrap();
    assert_eq!((durability.journal_mode.as_str(), durability.synchronous.as_str()), ("wal", "full"));
    kit::user(&store, "kim").await;
    #[cfg(unix)]
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    let store = SqliteStore::open(options(&file)).await.unwrap();
    let kim = kit::user(&store, "kim").await;
    let sales = kit::group(&store, "Sales", &[kim]).await;
    let head = store.head().await.unwrap();
    store.close().await;
    assert!(matches!(store.head().await, Err(StoreError::Closed)));
    assert!(matches!(store.tokens().await, Err(StoreError::Closed)));
    let late = store.delete_user(kit::entra(1), kim).await;
    assert_eq!(late.unwrap_err().to_scim().status, 503);

    let store = SqliteStore::open(options(&file)).await.unwrap();
    assert_eq!(store.head().await.unwrap(), head);
    assert_eq!(*store.subscribe().borrow(), head.seq);
    assert_eq!(kit::members(&store, sales).await, [kim.to_string()]);
    kit::user(&store, "lee").await;
    kit::check_whole(&store).await;
}

#[tokio::test]
async fn two_processes_on_one_file_share_one_chain() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    let (one, other) = tokio::join!(SqliteStore::open(options(&file)), SqliteStore::open(options(&file)));
    let (one, other) = (one.unwrap(), other.unwrap());
    let write = async |store: &SqliteStore, name: &str| {
        for n in 0..40 {
            kit::user(store, &format!("{name}{n}")).await;
        }
    };
    tokio::join!(write(&one, "a"), write(&other, "b"));
    assert_eq!(one.head().await.unwrap(), other.head().await.unwrap());
    assert_eq!(one.head().await.unwrap().seq.0, 80);
    kit::check_whole(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_file_may_be_opened_by_several_at_once() {
    for _ in 0..25 {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("axon.db");
        let opening: Vec<_> = (0..4).map(|_| tokio::spawn(SqliteStore::open(options(&file)))).collect();
        let mut stores = Vec::new();
        for store in opening {
            stores.push(store.await.unwrap().unwrap());
        }
        kit::user(&stores[0], "kim").await;
        for store in &stores {
            assert_eq!(store.head().await.unwrap().seq.0, 1);
            store.close().await;
        }
    }
}

#[tokio::test]
async fn writes_that_wait_share_a_commit() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SqliteStore::open(options(&folder.path().join("axon.db"))).await.unwrap());
    let writers: Vec<_> = (0..64)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for i in 0..4 {
                    kit::user(&*store, &format!("u{n}-{i}")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let counts = store.writer_counts();
    assert_eq!(counts.writes, 256);
    assert!(counts.groups * 4 < counts.writes, "{counts:?}");
    kit::check_whole(&*store).await;
}

#[tokio::test]
async fn a_full_queue_turns_writes_away_and_takes_them_again() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    let mut options = options(&file);
    (options.queue, options.group) = (2, 1);
    let store = SqliteStore::open(options).await.unwrap();
    // While another has the file's lock, the writer holds one write at most, and two wait.
    let mut other = raw(&file).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let creates = (0..8).map(|n| {
        Box::pin(store.create_user(kit::entra(0), kit::user_body(json!({"userName": format!("u{n}")}))))
    });
    let (mut waiting, mut statuses) = (Vec::new(), Vec::new());
    for mut create in creates {
        let first =
            std::future::poll_fn(|context| std::task::Poll::Ready(create.as_mut().poll(context))).await;
        match first {
            std::task::Poll::Ready(done) => statuses.push(done.unwrap_err().to_scim().status),
            std::task::Poll::Pending => waiting.push(create),
        }
    }
    assert!((2..=3).contains(&waiting.len()), "{} wait", waiting.len());
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    for create in waiting {
        create.await.unwrap();
    }
    assert_eq!(store.writer_counts().busy, statuses.len() as u64);
    kit::user(&store, "u8").await;
}

#[tokio::test]
async fn the_journal_cannot_be_changed_by_accident_and_a_forced_change_is_found() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    let store = SqliteStore::open(options(&file)).await.unwrap();
    for name in ["a", "b", "c"] {
        kit::user(&store, name).await;
    }
    assert!(run(&file, "UPDATE journal SET kind = 'hold' WHERE seq = 2").await.is_err());
    assert!(run(&file, "DELETE FROM journal WHERE seq = 2").await.is_err());
    let broken_at = async || {
        let journal = kit::journal(&store).await;
        let pairs = journal.iter().map(|e| (&e.record, e.clear.as_ref()));
        axon_audit::verify(Chain::EMPTY, pairs, None).unwrap_err().seq.0
    };
    run(&file, "UPDATE journal_clear SET body = replace(body, '\"b\"', '\"eve\"') WHERE seq = 2")
        .await
        .unwrap();
    assert_eq!(broken_at().await, 2);
    run(
        &file,
        "DROP TRIGGER journal_never_changes; UPDATE journal SET actor = '{\"kind\":\"axon\"}' WHERE seq = 1",
    )
    .await
    .unwrap();
    assert_eq!(broken_at().await, 1);
}

#[tokio::test]
async fn a_bad_row_is_named_by_table_column_and_row() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    let store = SqliteStore::open(options(&file)).await.unwrap();
    let kim = kit::user(&store, "kim").await;
    run(&file, "UPDATE users SET document = '{' WHERE seq = 1").await.unwrap();
    let error = store.user(&kit::source("entra"), kim, false).await.unwrap_err();
    assert!(error.to_string().starts_with("the store holds a bad value in users.document, row 1"), "{error}");
    let patched = kit::patch_user(&store, kim, 1, json!([{"op": "remove", "path": "title"}])).await;
    assert_eq!(patched.unwrap_err().to_scim().status, 500);
    kit::user(&store, "lee").await;
}

#[tokio::test]
async fn what_is_no_store_is_left_alone_and_said_to_be_none() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "not a database, but long enough to look like one".repeat(100)).unwrap();
    let error = SqliteStore::open(options(&text)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");

    let foreign = folder.path().join("foreign.db");
    std::fs::File::create(&foreign).unwrap();
    run(&foreign, "CREATE TABLE theirs (a)").await.unwrap();
    let error = SqliteStore::open(options(&foreign)).await.unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");

    let nowhere = folder.path().join("no/such/folder/axon.db");
    let error = SqliteStore::open(options(&nowhere)).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("no/such/folder"), "{cause}");
}

#[tokio::test]
async fn a_later_versions_file_is_refused_with_both_versions() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    SqliteStore::open(options(&file)).await.unwrap().close().await;
    run(&file, "INSERT INTO _sqlx_migrations VALUES (99, 'later', '2027-01-01', 1, x'00', 0)").await.unwrap();
    let error = SqliteStore::open(options(&file)).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: ..99, .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_another_process_keeps_locked_is_unavailable_and_then_works_again() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    let mut options = options(&file);
    options.busy_timeout = std::time::Duration::from_millis(50);
    let store = SqliteStore::open(options).await.unwrap();
    let kim = kit::user(&store, "kim").await;
    let mut other = raw(&file).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let refused =
        store.create_user(kit::entra(1), kit::user_body(json!({"userName": "lee"}))).await.unwrap_err();
    assert_eq!(refused.to_scim().status, 503);
    assert!(store.user(&kit::source("entra"), kim, true).await.unwrap().is_some(), "reads go on");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    kit::user(&store, "lee").await;
    kit::check_whole(&store).await;
}

#[tokio::test]
async fn one_member_of_a_large_group_costs_a_few_rows() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("axon.db");
    let store = SqliteStore::open(options(&file)).await.unwrap();
    let kim = kit::user(&store, "kim").await;
    let sales = kit::group(&store, "Sales", &[]).await;
    // Rows without users behind them: whatever reads the members of this group fails.
    run(
        &file,
        "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 101000) \
         INSERT INTO members (grp, kind, member, record) SELECT 1, 0, i, 2 FROM n",
    )
    .await
    .unwrap();
    assert!(store.group(&kit::source("entra"), sales, true).await.is_err(), "the rows are a trap");
    let add = json!([{"op": "add", "path": "members", "value": [{"value": kim}]}]);
    assert!(kit::patch_group(&store, sales, 1, add).await.unwrap().changed);
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{kim}\"]")}]);
    assert!(kit::patch_group(&store, sales, 2, remove).await.unwrap().changed);
    let rename = json!([{"op": "replace", "value": {"displayName": "SG-Sales"}}]);
    assert!(kit::patch_group(&store, sales, 3, rename).await.unwrap().changed);
    let member =
        kit::filtered(ResourceKind::Group, &format!("displayName eq \"SG-Sales\" and members eq \"{kim}\""));
    let query = axon_store::Query { links: false, ..member };
    assert_eq!(store.list_groups(&kit::source("entra"), query).await.unwrap().total, 0);
    let body = kit::group_body(json!({"displayName": "Other"}));
    let members = vec![MemberRef::new(sales.to_string())];
    store.create_group(kit::entra(4), body, members).await.unwrap();
}
