//! One write that waits: what it does, and whom it answers.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use axon_store::StoreError;
use tokio::sync::oneshot;

use super::txn::Txn;

/// A future in a box.
pub(crate) type BoxFuture<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// A write, whatever its answer's type.
pub(super) trait Job: Send {
    /// Whether a savepoint must be open before it runs. One that does not want it opens it itself where it needs one.
    fn wants_savepoint(&self) -> bool;
    /// Runs; false asks for what it did to be undone.
    fn run<'t>(&'t mut self, txn: &'t mut Txn) -> BoxFuture<'t, bool>;
    /// Whether it was undone.
    fn refused(&self) -> bool;
    /// Answers: with its result, or with why the group was not committed.
    fn answer(self: Box<Self>, failure: Option<&str>);
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

pub(super) struct Task<T, E, F> {
    work: Option<F>,
    wants_savepoint: bool,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Task<T, E, F> {
    pub fn new(work: F, reply: oneshot::Sender<Result<T, E>>) -> Self {
        Self { work: Some(work), wants_savepoint: true, result: None, reply }
    }

    /// One that leaves nothing behind where it is refused, without a savepoint.
    pub fn bare(work: F, reply: oneshot::Sender<Result<T, E>>) -> Self {
        Self { wants_savepoint: false, ..Self::new(work, reply) }
    }
}

impl<T, E, F> Job for Task<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: for<'t> FnOnce(&'t mut Txn) -> BoxFuture<'t, Result<T, E>> + Send,
{
    fn wants_savepoint(&self) -> bool {
        self.wants_savepoint
    }

    fn run<'t>(&'t mut self, txn: &'t mut Txn) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            let mut running = work(txn);
            // One write that panics must not end all writing: its savepoint is undone like that of any refused one.
            let result = std::future::poll_fn(|context| {
                std::panic::catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)))
                    .unwrap_or_else(|_| std::task::Poll::Ready(Err(panicked().into())))
            })
            .await;
            let kept = result.is_ok();
            self.result = Some(result);
            kept
        })
    }

    fn refused(&self) -> bool {
        !matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, failure: Option<&str>) {
        let result = match (self.result, failure) {
            (Some(result), None) => result,
            // A refusal falls with the group: it may be about what another write of the group had done, such as a DELETE that
            // is sent again and finds nobody.
            (_, failure) => {
                Err(StoreError::unavailable("commit", failure.unwrap_or("the write was not run").to_owned())
                    .into())
            }
        };
        // Nobody waits any more: the write stands, and a client that asks again is told so.
        let _ = self.reply.send(result);
    }
}

fn panicked() -> StoreError {
    StoreError::unavailable("finish a write", "it panicked; this is a defect")
}
