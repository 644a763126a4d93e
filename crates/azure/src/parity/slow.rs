//! How slowly an identity provider is read, and how much at one look.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Unread;

/// The requests of one look: so many, and so far apart.
#[derive(Debug)]
pub struct Slow {
    left: u32,
    pause: Duration,
    next: Option<Instant>,
    asked: u32,
}

impl Slow {
    /// At most `requests` in all, and `per_minute` a minute.
    pub fn new(requests: u32, per_minute: u32) -> Self {
        let pause = Duration::from_mins(1) / per_minute.max(1);
        Self { left: requests, pause, next: None, asked: 0 }
    }

    /// Waits for the next request's time.
    pub(super) async fn turn(&mut self) -> Result<(), Unread> {
        if self.left == 0 {
            return Err(Unread::Enough);
        }
        if let Some(next) = self.next {
            sleep_until(next).await;
        }
        self.left -= 1;
        self.asked += 1;
        self.next = Some(Instant::now() + self.pause);
        Ok(())
    }

    /// How many requests were made.
    pub fn asked(&self) -> u32 {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_are_spread_and_counted() {
        let began = Instant::now();
        let mut slow = Slow::new(3, 30);
        for _ in 0..3 {
            slow.turn().await.unwrap();
        }
        assert_eq!(began.elapsed(), Duration::from_secs(4), "the first one waits for nothing");
        assert_eq!(slow.turn().await, Err(Unread::Enough));
        assert_eq!(slow.asked(), 3);
    }
}
