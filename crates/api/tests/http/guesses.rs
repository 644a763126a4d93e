//! Nothing that is near a token opens the door.

use axon_store::{Minted, NewToken, Scopes, TokenStore as _};
use axum::body::Body;
use axum::http::HeaderValue;

use crate::kit::Server;

/// A generator with a seed, so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }
}

#[tokio::test]
async fn a_token_that_was_changed_anywhere_is_refused() {
    let server = Server::start().await;
    let made = Minted::new("axon_", &axon_model::IdSource::Random, server.act().now);
    let token = NewToken::bearer("entra".parse().unwrap(), made.hash(), "");
    assert_eq!(token.scopes, Scopes::ALL);
    server.store.add_token(token, server.act()).await.unwrap();
    let shows = async |text: &[u8]| {
        let value = HeaderValue::from_bytes(&[b"Bearer ", text].concat()).ok()?;
        let request = server.nobody().request("GET", "/ServiceProviderConfig").header("authorization", value);
        Some(server.send(request.body(Body::empty()).unwrap()).await.status)
    };
    let good = made.text().as_bytes();
    assert_eq!(shows(good).await, Some(200));
    let mut random = Random(0x5eed);
    let mut sent = 0;
    for round in 0..1500 {
        let mut text = good.to_vec();
        for _ in 0..=random.below(3) {
            let (at, byte) = (random.below(text.len()), u8::try_from(0x21 + random.below(0x5e)).unwrap());
            match random.below(5) {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                2 => drop(text.remove(at)),
                3 => text[at] = text[at].swap_case(),
                _ => text.truncate(at.max(1)),
            }
        }
        if text == good {
            continue;
        }
        if let Some(status) = shows(&text).await {
            assert_eq!(status, 401, "round {round}: {}", String::from_utf8_lossy(&text));
            sent += 1;
        }
    }
    assert!(sent > 1000, "{sent}");
    assert_eq!(shows(good).await, Some(200), "the good one still opens");
}

trait SwapCase {
    fn swap_case(self) -> Self;
}

impl SwapCase for u8 {
    fn swap_case(self) -> Self {
        if self.is_ascii_lowercase() { self.to_ascii_uppercase() } else { self.to_ascii_lowercase() }
    }
}
