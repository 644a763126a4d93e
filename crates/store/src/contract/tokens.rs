//! Tokens: bearers, secrets of clients, short-lived ones.

use axon_audit::RecordKind;

use super::kit::{act, journal, minute, source};
use crate::tokens::LIVE_ACCESS_TOKENS;
use crate::{ClientId, NewToken, Scopes, Store, TokenHash, TokenId, TokenKind};

fn token(text: &str) -> NewToken {
    NewToken { expires: Some(minute(9)), ..NewToken::bearer(source("entra"), TokenHash::of(text), "a token") }
}

/// The hash finds its token, and only that.
pub async fn tokens_are_found_by_their_hash(store: &dyn Store) {
    let kept = store.add_token(token("secret"), act(1)).await.expect("kept");
    let found = store.find_token(&TokenHash::of("secret")).await.expect("asked").expect("found");
    assert_eq!(found, kept);
    assert!(found.accepted_at(minute(8)) && !found.accepted_at(minute(9)));
    assert_eq!(store.find_token(&TokenHash::of("Secret")).await.expect("asked"), None);
    let mut near = *TokenHash::of("secret").as_bytes();
    near[31] ^= 1;
    let near = TokenHash::from_bytes(near);
    assert_eq!(store.find_token(&near).await.expect("asked"), None, "the prefix alone opens nothing");
    let entry = journal(store).await.pop().expect("recorded");
    assert_eq!(entry.record.kind, RecordKind::TokenChange);
    assert!(entry.record.facts["token"] == kept.id.to_string() && entry.clear.is_none());
}

/// Revoked once, told for ever.
pub async fn a_revoked_token_says_so(store: &dyn Store) {
    let first = store.add_token(token("one"), act(1)).await.expect("kept");
    let second = store.add_token(token("two"), act(2)).await.expect("kept");
    assert!(store.revoke_token(first.id, act(3)).await.expect("revoked"));
    assert!(!store.revoke_token(first.id, act(4)).await.expect("asked"));
    let found = store.find_token(&TokenHash::of("one")).await.expect("asked").expect("still told");
    assert_eq!(found.revoked, Some(minute(3)));
    assert!(!found.accepted_at(minute(3)));
    let all = store.tokens().await.expect("listed");
    assert_eq!(all.iter().map(|t| t.id).collect::<Vec<_>>(), [first.id, second.id]);
    assert_eq!(journal(store).await.len(), 3);
}

fn client(name: &str) -> ClientId {
    name.parse().expect("a plain name")
}

fn access(text: &str, secret: Option<TokenId>) -> NewToken {
    NewToken { kind: TokenKind::Access { client: client("c"), secret }, ..token(text) }
}

/// What it is for and what it may do come back; two of one source live beside each other.
pub async fn kinds_and_scopes_come_back(store: &dyn Store) {
    let scopes: Scopes = "read users-only".parse().expect("scopes");
    let secret = NewToken { kind: TokenKind::Secret { client: client("c") }, ..token("secret") };
    let secret = store.add_token(secret, act(1)).await.expect("kept");
    let bearer = store.add_token(NewToken { scopes, ..token("bearer") }, act(2)).await.expect("kept");
    let given = store.add_token(access("given", Some(secret.id)), act(3)).await.expect("kept");
    for (text, kept) in [("secret", &secret), ("bearer", &bearer), ("given", &given)] {
        let found = store.find_token(&TokenHash::of(text)).await.expect("asked").expect("found");
        assert_eq!(found, *kept);
    }
    assert_eq!((bearer.scopes, bearer.kind), (scopes, TokenKind::Bearer));
    assert_eq!(given.kind, TokenKind::Access { client: client("c"), secret: Some(secret.id) });
    assert_eq!(store.tokens().await.expect("listed").len(), 3);
    assert_eq!(journal(store).await.len(), 2, "what lives for an hour is not recorded");
}

/// Whoever takes a secret back takes back what was given for it.
pub async fn a_revoked_secret_ends_what_was_given_for_it(store: &dyn Store) {
    let secret = |text: &str| NewToken { kind: TokenKind::Secret { client: client("c") }, ..token(text) };
    let old = store.add_token(secret("old"), act(1)).await.expect("kept");
    let new = store.add_token(secret("new"), act(1)).await.expect("kept");
    store.add_token(access("by old", Some(old.id)), act(2)).await.expect("kept");
    store.add_token(access("by new", Some(new.id)), act(2)).await.expect("kept");
    assert!(store.revoke_token(old.id, act(3)).await.expect("revoked"));
    for (text, is_accepted) in [("old", false), ("by old", false), ("new", true), ("by new", true)] {
        let found = store.find_token(&TokenHash::of(text)).await.expect("asked").expect("found");
        assert_eq!(found.accepted_at(minute(4)), is_accepted, "{text}");
    }
    let last = journal(store).await.pop().expect("recorded");
    assert_eq!((last.record.kind, &last.record.facts["verb"]), (RecordKind::TokenChange, &"revoked".into()));
}

/// A secret may be taken back while a token is being made for it.
pub async fn a_token_for_a_secret_that_was_revoked_opens_nothing(store: &dyn Store) {
    let secret = NewToken { kind: TokenKind::Secret { client: client("c") }, ..token("secret") };
    let secret = store.add_token(secret, act(1)).await.expect("kept");
    assert!(store.revoke_token(secret.id, act(2)).await.expect("revoked"));
    for (text, shown) in [("revoked", secret.id), ("unknown", TokenId::from_bytes([7; 16]))] {
        let late = store.add_token(access(text, Some(shown)), act(3)).await.expect("answered");
        assert!(!late.accepted_at(minute(3)), "{text}");
        let found = store.find_token(&TokenHash::of(text)).await.expect("asked");
        assert!(found.is_none_or(|found| !found.accepted_at(minute(3))), "{text}");
    }
}

/// The latest use counts, whoever writes it first.
pub async fn the_last_use_only_grows(store: &dyn Store) {
    let kept = store.add_token(token("one"), act(1)).await.expect("kept");
    let other = store.add_token(token("two"), act(1)).await.expect("kept");
    let unknown = TokenId::from_bytes([7; 16]);
    store.touch_tokens(vec![(kept.id, minute(5)), (unknown, minute(5))]).await.expect("noted");
    store.touch_tokens(vec![(kept.id, minute(4))]).await.expect("noted");
    store.touch_tokens(Vec::new()).await.expect("nothing to note");
    let all = store.tokens().await.expect("listed");
    let last = |id| all.iter().find(|t| t.id == id).expect("listed").last_used;
    assert_eq!((last(kept.id), last(other.id)), (Some(minute(5)), None));
    assert_eq!(journal(store).await.len(), 2);
}

/// However many a client asks for, a bounded number is accepted, and what has ended is dropped.
pub async fn access_tokens_are_bounded_and_go_when_they_end(store: &dyn Store) {
    let bearer = store.add_token(token("bearer"), act(1)).await.expect("kept");
    let other = NewToken {
        kind: TokenKind::Access { client: client("other"), secret: None },
        ..token("another client's")
    };
    store.add_token(other, act(1)).await.expect("kept");
    for n in 0..LIVE_ACCESS_TOKENS + 2 {
        store.add_token(access(&format!("t{n}"), None), act(2)).await.expect("kept");
    }
    assert_eq!(store.tokens().await.expect("listed").len(), LIVE_ACCESS_TOKENS + 2);
    for (text, is_there) in [("t0", false), ("t1", false), ("t2", true), ("another client's", true)] {
        let found = store.find_token(&TokenHash::of(text)).await.expect("asked");
        assert_eq!(found.is_some(), is_there, "{text}");
    }
    let late = NewToken { expires: Some(minute(99)), ..access("late", None) };
    store.add_token(late, act(9)).await.expect("kept");
    let left: Vec<_> = store.tokens().await.expect("listed").into_iter().map(|t| t.id).collect();
    assert!(left.len() == 2 && left.contains(&bearer.id), "the ended bearer stays to be seen");
}
