//! How far commits are on the disk, where a database shows a commit before it is there.
//!
//! The writer then goes on with the next group while the disk is waited for, and each write is answered after the wait that
//! covers it. Nobody is shown what a power cut could still undo: a read that may have seen such a commit waits for it, too.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::session::SqlError;

/// What puts commits on the disk.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Waits until all that was committed before the call is on the disk.
    fn sync(&self) -> std::io::Result<()>;

    /// How far it came.
    fn settled(&self) -> &Settled;
}

/// Commits by number: those that were begun, and those that are on the disk.
#[derive(Debug, Default)]
pub struct Settled {
    begun: AtomicU64,
    reached: watch::Sender<Reached>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Reached {
    upto: u64,
    failed: bool,
}

/// The disk failed once. What it was given then may be lost although it is still shown, so nothing more is written or read.
#[derive(Debug, thiserror::Error)]
#[error("the disk did not take an earlier write; look at it, then start Axon again")]
pub struct DiskFailed;

impl Settled {
    /// Numbers the commit that begins now. From here on reads may see it.
    pub(crate) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// All that was begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// How many commits were begun, and how many of them are on the disk or were undone.
    pub fn counts(&self) -> (u64, u64) {
        (self.begun(), self.reached.borrow().upto)
    }

    /// All up to this one are on the disk, or were undone.
    pub(crate) fn reach(&self, upto: u64) {
        self.reached.send_modify(|reached| reached.upto = upto.max(reached.upto));
    }

    /// The disk failed.
    pub(crate) fn fail(&self) {
        self.reached.send_modify(|reached| reached.failed = true);
    }

    /// Whether it failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.reached.borrow().failed
    }

    /// After a read: waits until all that it can have seen is on the disk.
    pub async fn wait(&self) -> Result<(), SqlError> {
        let begun = self.begun();
        if self.reached.borrow().upto >= begun {
            return Ok(());
        }
        let mut reached = self.reached.subscribe();
        let over = reached.wait_for(|reached| reached.failed || reached.upto >= begun).await;
        match over.map(|reached| reached.upto >= begun) {
            Ok(true) => Ok(()),
            Ok(false) => Err(SqlError::Other(DiskFailed.into())),
            Err(_) => Err(SqlError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    async fn is_waiting(wait: &mut std::pin::Pin<&mut impl Future<Output = Result<(), SqlError>>>) -> bool {
        std::future::poll_fn(|context| Poll::Ready(wait.as_mut().poll(context).is_pending())).await
    }

    #[tokio::test]
    async fn a_read_waits_for_the_commits_that_it_can_have_seen_and_for_no_later_one() {
        let settled = Settled::default();
        settled.wait().await.unwrap();
        assert_eq!((settled.begin(), settled.begin()), (1, 2));
        let mut wait = std::pin::pin!(settled.wait());
        assert!(is_waiting(&mut wait).await);
        settled.begin();
        settled.reach(1);
        assert!(is_waiting(&mut wait).await);
        settled.reach(2);
        wait.await.unwrap();
    }

    #[tokio::test]
    async fn what_the_disk_did_not_take_is_shown_to_nobody() {
        let settled = Settled::default();
        settled.begin();
        settled.reach(1);
        settled.begin();
        settled.fail();
        assert!(settled.wait().await.is_err() && settled.has_failed());
    }
}
