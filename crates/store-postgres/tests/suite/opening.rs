//! How a store is made, what is refused, and what the refusal says.

use axon_store::contract::kit as contract;
use axon_store::{Store as _, StoreError};
use axon_store_postgres::{Address, Options, PostgresServer, PostgresStore};

use super::kit::{cluster, options};

async fn refusal(address: &str) -> String {
    let error = PostgresStore::open(Options::new(Address::parse(address).unwrap())).await.unwrap_err();
    assert!(matches!(error, StoreError::Unopened { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn each_refusal_names_its_remedy() {
    let cluster = cluster();
    cluster.psql("postgres", "CREATE ROLE kim LOGIN PASSWORD 'right'").unwrap();
    let database = cluster.new_database().unwrap();
    let at = |rest: &str| format!("postgres://{rest}?sslmode=disable");
    let port = cluster.port();
    let error = refusal(&at(&format!("kim:wrong@127.0.0.1:{port}/{database}"))).await;
    assert!(error.contains("password") && !error.contains("wrong@"), "{error}");
    let error = refusal(&at(&format!("kim:right@127.0.0.1:{port}/no_such"))).await;
    assert!(error.contains("CREATE DATABASE"), "{error}");
    let error = refusal(&at(&format!("kim:right@127.0.0.1:{port}/{database}"))).await;
    assert!(error.contains("GRANT CREATE"), "{error}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&at(&format!("kim@127.0.0.1:{nobody}/x"))).await;
    assert!(error.contains("nothing answers"), "{error}");
    let error = refusal(&format!("postgres://kim:right@127.0.0.1:{port}/{database}?sslmode=require")).await;
    assert!(error.contains("TLS") && error.contains("sslrootcert"), "{error}");
    cluster.psql(&database, &format!("GRANT CREATE ON DATABASE {database} TO kim")).unwrap();
    let address = Address::parse(&at(&format!("kim:right@127.0.0.1:{port}/{database}"))).unwrap();
    PostgresStore::open(Options::new(address)).await.expect("now it may");
}

#[tokio::test]
async fn a_database_that_is_not_ours_is_left_alone() {
    let cluster = cluster();
    let database = cluster.new_database().unwrap();
    cluster.psql(&database, "CREATE SCHEMA axon; CREATE TABLE axon.theirs (a int)").unwrap();
    let error = PostgresStore::open(options(cluster, &database)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::NotAStore { .. }) && error.to_string().contains("?schema="),
        "{error}"
    );
    let beside = Address::parse(&format!("{}&schema=ours", cluster.address(&database))).unwrap();
    let store = PostgresStore::open(Options::new(beside)).await.expect("a schema of its own");
    contract::user(&store, "kim").await;

    let latin = "CREATE DATABASE latin TEMPLATE template0 ENCODING 'SQL_ASCII'";
    cluster.psql("postgres", latin).unwrap();
    assert!(refusal(&cluster.address("latin")).await.contains("UTF-8"));
}

#[tokio::test]
async fn a_later_versions_store_is_refused_with_both_versions() {
    let cluster = cluster();
    let database = cluster.new_database().unwrap();
    let options = options(cluster, &database);
    assert!(PostgresServer::applied(&options).await.unwrap().is_empty());
    PostgresStore::open(options.clone()).await.unwrap().close().await;
    let latest = axon_store_sql::schema::latest();
    assert_eq!(PostgresServer::applied(&options).await.unwrap().last(), Some(&latest));
    let later = "INSERT INTO axon._sqlx_migrations VALUES (9999, 'later', now(), true, '\\x00', 0)";
    cluster.psql(&database, later).unwrap();
    let error = PostgresStore::open(options).await.unwrap_err();
    assert!(
        matches!(error, StoreError::NewerSchema { found: 9999, known, .. } if known == latest),
        "{error}"
    );
}

#[tokio::test]
async fn the_writer_is_durable_whatever_the_servers_default() {
    let cluster = cluster();
    let database = cluster.new_database().unwrap();
    cluster.psql(&database, &format!("ALTER DATABASE {database} SET synchronous_commit = off")).unwrap();
    let store = PostgresStore::open(options(cluster, &database)).await.unwrap();
    let durability = store.durability().await.unwrap();
    assert_eq!((durability.journal_mode.as_str(), durability.synchronous.as_str()), ("wal", "on"));
}

#[tokio::test]
async fn the_journal_cannot_be_changed_by_accident() {
    let cluster = cluster();
    let database = cluster.new_database().unwrap();
    let store = PostgresStore::open(options(cluster, &database)).await.unwrap();
    contract::user(&store, "kim").await;
    for sql in ["UPDATE axon.journal SET kind = 'hold'", "DELETE FROM axon.journal", "TRUNCATE axon.journal"]
    {
        let error = cluster.psql(&database, sql).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{error}");
    }
}
