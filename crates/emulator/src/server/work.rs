//! Engine calls, made off the async threads and watched while they run.

use std::io;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::session_port::{Cancel, SessionPort};
use crate::tds::packet::{Message, PacketType};

use super::link::{Ended, Link};

/// Run something that blocks. A panic of it ends the connection, not the server.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Ended> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Ended::Io(io::Error::other(error)))
}

/// How a call ended.
pub struct Finished<T> {
    /// The session, given back.
    pub session: Box<dyn SessionPort>,
    /// What the call gave.
    pub result: T,
    /// The client asked to stop while it ran.
    pub attention: bool,
    /// A request that came while it ran, to be served next.
    pub queued: Option<Message>,
}

/// Make a call on the session while listening for an attention, the end of the
/// client, and the death of the session.
pub async fn call<T: Send + 'static>(
    link: &mut Link,
    session: Box<dyn SessionPort>,
    work: impl FnOnce(&mut dyn SessionPort) -> T + Send + 'static,
) -> Result<Finished<T>, Ended> {
    let cancel = session.cancel();
    let mut killed = session.killed();
    cancel.clear();
    let mut session = session;
    let running = tokio::task::spawn_blocking(move || {
        let result = work(session.as_mut());
        (session, result)
    });
    watch_call(link, running, &cancel, &mut killed).await
}

async fn watch_call<T>(
    link: &mut Link,
    mut running: JoinHandle<(Box<dyn SessionPort>, T)>,
    cancel: &Cancel,
    killed: &mut watch::Receiver<bool>,
) -> Result<Finished<T>, Ended> {
    let mut attention = false;
    let mut queued = None;
    loop {
        tokio::select! {
            biased;
            ended = &mut running => {
                let (session, result) = ended.map_err(|error| Ended::Io(io::Error::other(error)))?;
                return Ok(Finished { session, result, attention, queued });
            }
            () = until_killed(killed) => {
                cancel.ask();
                return Err(Ended::Cut);
            }
            received = link.receive(), if queued.is_none() => match received {
                Ok(Some(message)) if message.kind == PacketType::Attention => {
                    attention = true;
                    cancel.ask();
                }
                Ok(Some(message)) => queued = Some(message),
                // The client is gone: what runs is asked to stop and ends by itself.
                Ok(None) => {
                    cancel.ask();
                    return Err(Ended::Io(io::ErrorKind::UnexpectedEof.into()));
                }
                Err(error) => {
                    cancel.ask();
                    return Err(error);
                }
            },
        }
    }
}

/// Resolves when the session is killed; never if nobody can kill it.
pub async fn until_killed(killed: &mut watch::Receiver<bool>) {
    if killed.wait_for(|dead| *dead).await.is_err() {
        std::future::pending::<()>().await;
    }
}
