//! A network between Axon and a pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant as Moment;

/// A way to the pool that holds each answer back for a while, and counts how often its direction turns towards the pool.
pub(crate) struct Way {
    /// Where it begins.
    pub(crate) port: u16,
    /// For how many milliseconds.
    pub(crate) millis: Arc<AtomicU64>,
    /// How often it turned.
    pub(crate) turns: Arc<AtomicU32>,
}

impl Way {
    pub(crate) async fn to(pool: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (millis, turns) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU32::new(0)));
        let way = Self { port, millis: millis.clone(), turns: turns.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", pool)).await else { return };
                if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
                    return;
                }
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let answered = Arc::new(AtomicBool::new(true));
                let (asks, turns) = (answered.clone(), turns.clone());
                tokio::spawn(carry(from_client, to_server, Arc::default(), move || {
                    if asks.swap(false, Ordering::Relaxed) {
                        turns.fetch_add(1, Ordering::Relaxed);
                    }
                }));
                tokio::spawn(carry(from_server, to_client, millis.clone(), move || {
                    answered.store(true, Ordering::Relaxed);
                }));
            }
        });
        Ok(way)
    }
}

/// Carries bytes until one end is closed, each so long after it came as is said.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    millis: Arc<AtomicU64>,
    seen: impl Fn() + Send + 'static,
) {
    let (send, mut receive) = mpsc::unbounded_channel::<(Moment, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((at, bytes)) = receive.recv().await {
            if at > Moment::now() {
                tokio::time::sleep_until(at).await;
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut room = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut room).await {
        seen();
        let at = Moment::now() + Duration::from_millis(millis.load(Ordering::Relaxed));
        if send.send((at, room.get(..length).unwrap_or_default().to_vec())).is_err() {
            return;
        }
    }
}
