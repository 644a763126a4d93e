//! Listens, and serves each connection in a task of its own.

pub mod config;
mod connection;
mod handshake;
mod link;
mod prepared;
mod procedures;
mod transactions;
mod work;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::session_port::Engine;

use config::WireConfig;

/// Pause after a failed accept, so that it does not fail in a loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound server. Connections are served once [`Server::run`] is called.
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    engine: Arc<dyn Engine>,
    config: Arc<WireConfig>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Server {
    /// Listen at `address`; port 0 takes a free one.
    pub async fn bind(
        address: impl ToSocketAddrs,
        engine: Arc<dyn Engine>,
        config: WireConfig,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        Ok(Self { listener, local, engine, config: Arc::new(config) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serve until `shutdown` resolves; then every connection is cut.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let slots = Arc::new(Semaphore::new(self.config.max_connections));
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(&mut connections, &slots, stream, peer),
                    // Out of descriptors and the like: give the others a chance to finish.
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.join_next() => report(ended),
            }
        }
        connections.shutdown().await;
    }

    fn admit(
        &self,
        connections: &mut JoinSet<()>,
        slots: &Arc<Semaphore>,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
            tracing::warn!(%peer, "refused a connection: too many are open");
            return;
        };
        let engine = Arc::clone(&self.engine);
        let config = Arc::clone(&self.config);
        connections.spawn(async move {
            let _slot = slot;
            if let Err(error) = connection::serve(stream, peer, engine, &config).await {
                tracing::debug!(%peer, %error, "connection ended");
            }
        });
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection panicked");
    }
}
