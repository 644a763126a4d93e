//! Who is signed in: kept in memory alone, so that a stolen store or backup holds nobody's session, and a restart ends all.
//!
//! A session stands for a token, by the token's hash. It says nothing of what somebody may do: that is asked of the token at each
//! request, so that a revoked one opens nothing more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axon_model::IdSource;
use axon_store::{Minted, TokenHash};
use subtle::ConstantTimeEq as _;
use time::{Duration, OffsetDateTime};

/// How many sessions there are at most.
const MOST: usize = 1_024;
/// How many of one token: beyond them the one that was quiet longest ends.
const MOST_OF_ONE: usize = 8;

/// How long a session lives.
#[derive(Debug, Clone, Copy)]
pub struct Lives {
    /// After its last request.
    pub idle: Duration,
    /// In all.
    pub longest: Duration,
}

/// The sessions of this process.
pub struct Sessions {
    lives: Lives,
    table: Mutex<HashMap<[u8; 32], Session>>,
}

struct Session {
    token: TokenHash,
    form_key: String,
    began: OffsetDateTime,
    seen: OffsetDateTime,
    notice: Option<String>,
}

/// What a request finds of its session.
pub struct Live {
    /// The token that was shown when it began.
    pub token: TokenHash,
    /// What its forms carry, which no other page can know.
    pub form_key: String,
}

impl Live {
    /// Whether a form came from a page of this session.
    pub fn is_key(&self, given: Option<&str>) -> bool {
        given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(self.form_key.as_bytes())))
    }
}

impl Sessions {
    /// None yet.
    pub fn new(lives: Lives) -> Self {
        Self { lives, table: Mutex::default() }
    }

    /// Begins one, and gives what its cookie says. None where there are too many.
    pub fn begin(&self, token: TokenHash, ids: &IdSource, now: OffsetDateTime) -> Option<Minted> {
        let mut table = self.table();
        table.retain(|_, session| session.lives_at(now, self.lives));
        let of_it = || table.iter().filter(|(_, session)| session.token.same(&token));
        if of_it().count() >= MOST_OF_ONE
            && let Some(quiet) = of_it().min_by_key(|(_, session)| session.seen).map(|(key, _)| *key)
        {
            table.remove(&quiet);
        }
        if table.len() >= MOST {
            return None;
        }
        let (cookie, form_key) = (Minted::new("", ids, now), Minted::new("", ids, now).text().to_owned());
        let session = Session { token, form_key, began: now, seen: now, notice: None };
        table.insert(*cookie.hash().as_bytes(), session);
        Some(cookie)
    }

    /// The session of a cookie, which lives on by that.
    pub fn find(&self, cookie: &str, now: OffsetDateTime) -> Option<Live> {
        let mut table = self.table();
        let key = *TokenHash::of(cookie).as_bytes();
        let session = table.get_mut(&key)?;
        if !session.lives_at(now, self.lives) {
            table.remove(&key);
            return None;
        }
        session.seen = now;
        Some(Live { token: session.token, form_key: session.form_key.clone() })
    }

    /// Ends one.
    pub fn end(&self, cookie: &str) {
        self.table().remove(TokenHash::of(cookie).as_bytes());
    }

    /// Keeps what its next page is to say, once.
    pub fn say(&self, cookie: &str, notice: String) {
        if let Some(session) = self.table().get_mut(TokenHash::of(cookie).as_bytes()) {
            session.notice = Some(notice);
        }
    }

    /// What its next page is to say.
    pub fn said(&self, cookie: &str) -> Option<String> {
        self.table().get_mut(TokenHash::of(cookie).as_bytes())?.notice.take()
    }

    fn table(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn lives_at(&self, now: OffsetDateTime, lives: Lives) -> bool {
        now - self.seen < lives.idle && now - self.began < lives.longest
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 07:00 UTC);
    const LIVES: Lives = Lives { idle: Duration::minutes(30), longest: Duration::hours(8) };

    fn begin(sessions: &Sessions, token: &str, now: OffsetDateTime) -> Option<String> {
        let cookie = sessions.begin(TokenHash::of(token), &IdSource::Random, now)?;
        Some(cookie.text().to_owned())
    }

    #[test]
    fn a_session_ends_when_it_is_quiet_and_at_last_whatever_it_does() {
        let sessions = Sessions::new(LIVES);
        let cookie = begin(&sessions, "kim", NOW).unwrap();
        assert!(sessions.find(&cookie, NOW + Duration::minutes(29)).is_some());
        assert!(sessions.find(&cookie, NOW + Duration::minutes(58)).is_some(), "each request renews it");
        assert!(sessions.find(&cookie, NOW + Duration::minutes(88)).is_none());
        assert!(sessions.find(&cookie, NOW).is_none(), "it is gone, not asleep");

        let busy = begin(&sessions, "kim", NOW).unwrap();
        let minutes = |n| NOW + Duration::minutes(n);
        assert!((0..479).step_by(20).all(|n| sessions.find(&busy, minutes(n)).is_some()));
        assert!(sessions.find(&busy, minutes(480)).is_none());
    }

    #[test]
    fn a_cookie_has_256_random_bits_and_opens_its_own_session_alone() {
        let sessions = Sessions::new(LIVES);
        let (a, b) = (begin(&sessions, "kim", NOW).unwrap(), begin(&sessions, "lee", NOW).unwrap());
        assert!(a != b && a.len() == 43);
        let (kim, lee) = (sessions.find(&a, NOW).unwrap(), sessions.find(&b, NOW).unwrap());
        assert!(kim.token.same(&TokenHash::of("kim")) && lee.token.same(&TokenHash::of("lee")));
        assert!(kim.is_key(Some(&kim.form_key)) && !kim.is_key(Some(&lee.form_key)));
        assert!(!kim.is_key(None) && !kim.is_key(Some("")) && !kim.is_key(Some(&kim.form_key[1..])));
        assert!(sessions.find("", NOW).is_none() && sessions.find(&a[1..], NOW).is_none());
        sessions.end(&a);
        assert!(sessions.find(&a, NOW).is_none() && sessions.find(&b, NOW).is_some());
    }

    #[test]
    fn what_is_to_be_said_is_said_once_and_to_nobody_else() {
        let sessions = Sessions::new(LIVES);
        let (a, b) = (begin(&sessions, "kim", NOW).unwrap(), begin(&sessions, "kim", NOW).unwrap());
        sessions.say(&a, "done".to_owned());
        sessions.say("nobody", "x".to_owned());
        assert_eq!(sessions.said(&b), None);
        assert_eq!((sessions.said(&a).as_deref(), sessions.said(&a)), (Some("done"), None));
    }

    #[test]
    fn sessions_are_bounded_for_one_token_and_in_all() {
        let sessions = Sessions::new(LIVES);
        let at = |n: i64| NOW + Duration::seconds(n);
        let mine: Vec<String> = (0..9).map(|n| begin(&sessions, "kim", at(n)).unwrap()).collect();
        assert!(sessions.find(&mine[0], at(9)).is_none(), "the one that was quiet longest");
        assert!(mine[1..].iter().all(|cookie| sessions.find(cookie, at(9)).is_some()));
        let others = (0..MOST).filter(|n| begin(&sessions, &format!("n{n}"), at(10)).is_some()).count();
        assert_eq!(others, MOST - 8);
        assert!(begin(&sessions, "kim", at(11)).is_some(), "one's own place stays one's own");
        assert!(begin(&sessions, "new", at(11)).is_none());
        let later = NOW + Duration::hours(1);
        assert!(begin(&sessions, "new", later).is_some(), "what has ended makes room");
    }
}
