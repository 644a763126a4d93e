//! Refused requests, by address: each one over a handful is answered later, and many of them are said in the log.
//!
//! Who shows a good token is never slowed, whatever others behind the same address do: only refusals wait. The table is
//! bounded, and so is the number of answers that wait at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axon_store::TokenId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::origin::client_network;

/// Refusals that cost nothing: a connector with an old token is told so at once.
const FREE: u32 = 5;
/// One refusal is forgotten in this time.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// The first delay; it doubles with each refusal.
const DELAY: Duration = Duration::from_millis(100);
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(3);
/// From so many refusals on, the log says so.
const LOUD: u32 = 20;
/// How often it says so of one address or one token.
const SAID: Duration = Duration::from_mins(1);
/// How many addresses are remembered.
const ADDRESSES: usize = 4096;
/// How many tokens that are not accepted any more are remembered.
const TOKENS: usize = 256;
/// How many answers wait at once.
const WAITING: usize = 256;

/// What is known of refusals.
pub(crate) struct Failures {
    table: Mutex<Table>,
    waiting: Arc<Semaphore>,
}

#[derive(Default)]
struct Table {
    addresses: HashMap<IpAddr, Entry>,
    said_of: HashMap<TokenId, Instant>,
}

struct Entry {
    count: u32,
    /// Until when the count is right; it falls by one each [`FORGOTTEN`] from then.
    at: Instant,
    said: Option<Instant>,
}

/// How an answer is slowed.
#[derive(Debug)]
pub enum Slowed {
    /// Not at all.
    No,
    /// It waits so long, in the place that it has.
    Wait(Duration, OwnedSemaphorePermit),
    /// There is no place left to wait in: the client is to come back later.
    ComeBack,
}

impl Default for Failures {
    fn default() -> Self {
        Self { table: Mutex::default(), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Failures {
    /// Notes a refusal and says how its answer is slowed.
    pub(crate) fn note(&self, address: Option<IpAddr>) -> Slowed {
        // Without a connection there is nobody to slow: the request was made in this process.
        let Some(address) = address.map(client_network) else { return Slowed::No };
        let now = Instant::now();
        let mut table = self.table();
        make_room(&mut table.addresses, address, now);
        let entry = table.addresses.entry(address).or_insert(Entry { count: 0, at: now, said: None });
        entry.fade(now);
        entry.count = entry.count.saturating_add(1);
        let count = entry.count;
        let is_loud = count >= LOUD && entry.said.is_none_or(|at| now.duration_since(at) >= SAID);
        if is_loud {
            entry.said = Some(now);
        }
        drop(table);
        if is_loud {
            metrics::counter!("axon_auth_floods_total").increment(1);
            tracing::warn!(
                client.address = %address,
                auth.refused = count,
                "many requests without a token that is accepted"
            );
        }
        if count <= FREE {
            return Slowed::No;
        }
        match self.waiting.clone().try_acquire_owned() {
            Ok(place) => Slowed::Wait(delay(count), place),
            Err(_) => Slowed::ComeBack,
        }
    }

    /// Whether it is time to say that somebody still shows a token that is not accepted any more.
    pub(crate) fn is_news(&self, token: TokenId) -> bool {
        let now = Instant::now();
        let mut table = self.table();
        let said_of = &mut table.said_of;
        if said_of.len() >= TOKENS {
            said_of.retain(|_, at| now.duration_since(*at) < SAID);
        }
        if said_of.len() >= TOKENS || said_of.get(&token).is_some_and(|at| now.duration_since(*at) < SAID) {
            return false;
        }
        said_of.insert(token, now);
        true
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn fade(&mut self, now: Instant) {
        let steps = now.duration_since(self.at).as_secs() / FORGOTTEN.as_secs();
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.count = self.count.saturating_sub(steps);
        self.at = if self.count == 0 { now } else { self.at + FORGOTTEN * steps };
    }
}

/// A full table forgets those who were quiet, then whoever did least.
fn make_room(addresses: &mut HashMap<IpAddr, Entry>, wanted: IpAddr, now: Instant) {
    if addresses.len() < ADDRESSES || addresses.contains_key(&wanted) {
        return;
    }
    for least in [1, FREE, u32::MAX] {
        addresses.retain(|_, entry| {
            entry.fade(now);
            entry.count > least
        });
        if addresses.len() < ADDRESSES {
            return;
        }
    }
}

fn delay(count: u32) -> Duration {
    let doublings = count.saturating_sub(FREE + 1).min(16);
    (DELAY * 2_u32.pow(doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(slowed: &Slowed) -> u128 {
        match slowed {
            Slowed::No => 0,
            Slowed::Wait(time, _) => time.as_millis(),
            Slowed::ComeBack => u128::MAX,
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_refusal_over_a_handful_waits_longer_and_is_forgotten_in_time() {
        let failures = Failures::default();
        let waits: Vec<u128> = (0..12).map(|_| millis(&failures.note(Some(ip("192.0.2.1"))))).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3000, 3000]);
        assert_eq!(millis(&failures.note(Some(ip("192.0.2.2")))), 0, "others have their own count");
        tokio::time::advance(FORGOTTEN * 7).await;
        assert_eq!(millis(&failures.note(Some(ip("192.0.2.1")))), 100, "six are left");
        tokio::time::advance(FORGOTTEN * 100).await;
        assert_eq!(millis(&failures.note(Some(ip("192.0.2.1")))), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_address() {
        let failures = Failures::default();
        for i in 0..FREE {
            failures.note(Some(ip(&format!("2001:db8::{i:x}"))));
        }
        assert!(millis(&failures.note(Some(ip("2001:db8::ffff:1")))) > 0);
        assert_eq!(millis(&failures.note(Some(ip("2001:db8:0:1::1")))), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_and_the_waiting_room_are_bounded() {
        let failures = Failures::default();
        for _ in 0..=LOUD {
            failures.note(Some(ip("192.0.2.1")));
        }
        for i in 0..20_000_u32 {
            failures.note(Some(IpAddr::from((0x0a00_0000 + i).to_be_bytes())));
        }
        assert!(failures.table().addresses.len() <= ADDRESSES);
        assert!(
            millis(&failures.note(Some(ip("192.0.2.1")))) > 0,
            "the worst one is not forgotten for the others"
        );
        let held: Vec<Slowed> = (0..WAITING).map(|_| failures.note(Some(ip("192.0.2.1")))).collect();
        assert!(matches!(held[WAITING - 1], Slowed::Wait(..)));
        assert!(matches!(failures.note(Some(ip("192.0.2.1"))), Slowed::ComeBack));
        drop(held);
        assert!(matches!(failures.note(Some(ip("192.0.2.1"))), Slowed::Wait(..)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_token_is_news_once_a_minute() {
        let failures = Failures::default();
        let token = TokenId::from_bytes([7; 16]);
        assert!(failures.is_news(token) && !failures.is_news(token));
        tokio::time::advance(SAID).await;
        assert!(failures.is_news(token));
    }
}
