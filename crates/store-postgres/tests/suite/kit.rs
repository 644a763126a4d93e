//! One cluster for all tests of this program, a database for each.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axon_store_postgres::cluster::Cluster;
use axon_store_postgres::{Address, LeaseClock, Options, PostgresStore};

static CLUSTER: OnceLock<Cluster> = OnceLock::new();

/// The cluster.
pub fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(|| Cluster::start().expect("a throw-away cluster"))
}

/// Options for a database, with the clock of the caller.
pub fn options(cluster: &Cluster, database: &str) -> Options {
    let mut options = Options::new(Address::parse(&cluster.address(database)).expect("an address"));
    options.lease_clock = LeaseClock::Caller;
    options
}

/// A new store in a database of its own.
pub async fn new_store() -> PostgresStore {
    let cluster = cluster();
    let database = cluster.new_database().expect("a database");
    PostgresStore::open(options(cluster, &database)).await.expect("a new store")
}

/// Waits until a condition holds; the time-out is a failure.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        tokio::task::yield_now().await;
    }
}
