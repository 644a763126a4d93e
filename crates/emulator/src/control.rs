//! The levers: what a test or a person moves while the emulator runs, by HTTP or by lines of text on the same address.

mod lines;
mod routes;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::clock::MovableClock;
use crate::cloud::request::Request;
use crate::cloud::{Cloud, Outcome};
use crate::http::{Answer, accept, serve};
use crate::pool::Pool;

/// The largest state that is taken.
const MOST_STATE: usize = 256 * 1024 * 1024;
/// How long somebody who connects may say nothing.
const FIRST_BYTE: Duration = Duration::from_mins(1);

/// What the levers move.
#[derive(Clone)]
pub struct Levers {
    /// The pool.
    pub pool: Arc<Pool>,
    /// The neighbours, where they are served.
    pub cloud: Option<Arc<Cloud>>,
    /// The clock, where it can be moved.
    pub clock: Option<Arc<MovableClock>>,
    /// Where the state is kept.
    pub file: Option<PathBuf>,
}

impl std::fmt::Debug for Levers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Levers")
            .field("cloud", &self.cloud.is_some())
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Answer for Levers {
    fn most_body(&self) -> usize {
        MOST_STATE
    }

    fn answer(&self, request: &Request) -> (Duration, Outcome) {
        (Duration::ZERO, Outcome::Whole(routes::answer(self, request)))
    }
}

/// The levers behind an address. Dropping it takes them away.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Control {
    /// Listens at an address, and serves from now on; port 0 takes a free one.
    pub async fn start(address: SocketAddr, levers: Levers) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(accept(listener, Arc::new(levers), converse)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// HTTP begins with a capital, a line of text does not.
async fn converse(stream: TcpStream, levers: Arc<Levers>) {
    let mut first = [0; 1];
    match tokio::time::timeout(FIRST_BYTE, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0].is_ascii_uppercase() => serve(stream, levers).await,
        Ok(Ok(1)) => lines::converse(stream, &levers).await,
        _ => {}
    }
}
