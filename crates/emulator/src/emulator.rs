//! The emulator as a whole: a pool and the server in front of it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::ToSocketAddrs;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::pool::Pool;
use crate::pool::config::PoolConfig;
use crate::server::Server;
use crate::server::config::WireConfig;

/// Settings of pool and wire.
#[derive(Debug, Clone)]
pub struct EmulatorConfig {
    /// The pool.
    pub pool: PoolConfig,
    /// The wire.
    pub wire: WireConfig,
}

impl EmulatorConfig {
    /// A pool with this SQL administrator, without TLS.
    pub fn new(admin: impl Into<String>, admin_password: impl Into<String>) -> Self {
        Self { pool: PoolConfig::new(admin, admin_password), wire: WireConfig::default() }
    }
}

/// An emulator that is bound and not yet serving.
pub struct Emulator {
    pool: Arc<Pool>,
    server: Server,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Emulator {
    /// Make an empty pool and listen at `address`; port 0 takes a free one.
    pub async fn bind(address: impl ToSocketAddrs, config: EmulatorConfig) -> io::Result<Self> {
        let pool = Pool::new(config.pool);
        let server = Server::bind(address, Arc::new(Arc::clone(&pool)), config.wire).await?;
        Ok(Self { pool, server })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The pool, whose faults, power and directory may be changed at any time.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Serve until `shutdown` resolves.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        self.server.run(shutdown).await;
    }

    /// Serve in a task of its own until the handle is dropped.
    pub fn spawn(self) -> Running {
        let address = self.local_addr();
        let pool = Arc::clone(&self.pool);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(self.run(async move {
            // Either end of the channel means the same: stop.
            drop(stopped.await);
        }));
        Running { address, pool, stop: Some(stop), task }
    }
}

/// An emulator that serves. Dropping it stops it and cuts every connection.
pub struct Running {
    address: SocketAddr,
    pool: Arc<Pool>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The pool.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Stop and wait until every connection is closed.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the emulator panicked");
        }
    }
}
