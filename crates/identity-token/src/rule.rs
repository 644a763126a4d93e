//! What one kind of token must be.

use time::{Duration, OffsetDateTime};

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::condition::Condition;
use crate::issuer::Issuer;
use crate::refusal::Refusal;

/// How far two machines' clocks may be apart, where a rule says nothing else.
pub const LEEWAY: Duration = Duration::seconds(60);

/// What a token must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Who signs.
    pub issuer: Issuer,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// How it may be signed.
    pub algorithms: Vec<Algorithm>,
    /// How far the clocks may be apart.
    pub leeway: Duration,
    /// What its claims must say, all of it.
    pub conditions: Vec<Condition>,
}

impl Rule {
    /// What is wrong with claims whose signature holds.
    pub(crate) fn check(&self, claims: &Claims, now: OffsetDateTime) -> Result<(), Refusal> {
        let until = claims.instant("exp").ok_or(Refusal::Expired)?;
        if now >= until.saturating_add(self.leeway) {
            return Err(Refusal::Expired);
        }
        for name in ["nbf", "iat"] {
            // A time that cannot be read is no time that has come.
            if claims.has(name)
                && claims.instant(name).is_none_or(|from| now.saturating_add(self.leeway) < from)
            {
                return Err(Refusal::NotYet);
            }
        }
        if !claims.is_for(&self.audiences) {
            return Err(Refusal::WrongAudience);
        }
        if !self.conditions.iter().all(|condition| condition.holds(claims)) {
            return Err(Refusal::WrongClaim);
        }
        Ok(())
    }

    /// The first instant at which a token with these claims holds no longer.
    pub fn until(&self, claims: &Claims) -> OffsetDateTime {
        claims.instant("exp").map_or(OffsetDateTime::UNIX_EPOCH, |until| until.saturating_add(self.leeway))
    }
}
