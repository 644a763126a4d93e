//! How many connections one client may hold, so that one of them cannot shut the others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axon_api::auth::client_network;
use ipnet::IpNet;

/// The connections of each address. Trusted proxies, which connect for many, are not counted.
#[derive(Debug)]
pub struct Places {
    most: usize,
    proxies: Vec<IpNet>,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub struct Place(Option<(Arc<Places>, IpAddr)>);

impl Places {
    /// So many for each address.
    pub fn new(most: usize, proxies: Vec<IpNet>) -> Arc<Self> {
        Arc::new(Self { most, proxies, held: Mutex::default() })
    }

    /// A place for one more connection of an address; none where it holds as many as it may.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        if self.proxies.iter().any(|network| network.contains(&address)) {
            return Some(Place(None));
        }
        let client = client_network(address);
        let mut held = self.held();
        let count = held.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place(Some((self.clone(), client))))
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((places, client)) = self.0.take() else { return };
        let mut held = places.held();
        if let Some(count) = held.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                held.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_as_many_as_it_may_and_a_proxy_any_number() {
        let places = Places::new(2, vec!["10.0.0.0/8".parse().unwrap()]);
        let take = |address: &str| places.take(address.parse().unwrap());
        let (one, two) = (take("192.0.2.1"), take("::ffff:192.0.2.1"));
        assert!(one.is_some() && two.is_some() && take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        let proxied: Vec<_> = (0..10).map(|_| take("10.1.2.3")).collect();
        assert!(proxied.iter().all(Option::is_some));
        drop(one);
        let again = take("192.0.2.1");
        assert!(again.is_some());
        drop((two, again));
        assert!(places.held().is_empty(), "nothing is remembered of who is gone");
        let six = (take("2001:db8::1"), take("2001:db8::2"));
        assert!(six.0.is_some() && six.1.is_some() && take("2001:db8::3").is_none());
    }
}
