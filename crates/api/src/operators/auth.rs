//! Which operator or job this is, and what it may do.

use axon_audit::payload::{MapAuthor, MapWay};
use axon_identity_token::token::looks_signed;
use axon_model::Actor;
use axon_store::operators::{OperatorTokenKind, Permission, Permissions};
use axon_store::{Act, TokenHash};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use time::Duration;

use super::problem::Problem;
use super::rates::Rates;
use super::run;
use super::settings::Operators;
use crate::auth::is_answered_after_a_while;
use crate::layers::Admitted;
use crate::state::Api;

/// Longest credentials, bytes.
const MAX: usize = 16 * 1024;
/// A use is noted when the last one that is known is older.
const USED: Duration = Duration::MINUTE;

/// Somebody who is known.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Who.
    pub identity: MapAuthor,
    /// What they may do.
    pub may: Permissions,
    /// Whether what they push needs a second person.
    pub second_person: bool,
    admitted: Admitted,
}

/// Who it is, what they may do, and whether what they push needs a second person.
type Known = (MapAuthor, Permissions, bool);

/// Why nobody is known; each word is one of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Refused, and counted with this word.
    Refused(&'static str),
    /// It cannot be found out now.
    NotNow,
}

impl From<axon_identity_token::Refusal> for Why {
    fn from(refusal: axon_identity_token::Refusal) -> Self {
        if refusal.is_passing() { Self::NotNow } else { Self::Refused(refusal.as_str()) }
    }
}

impl From<axon_store::StoreError> for Why {
    fn from(error: axon_store::StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "operators' tokens cannot be read");
        Self::NotNow
    }
}

/// The operators' API, where there is one.
pub(super) fn operators(api: &Api) -> Result<&Operators, Problem> {
    let off = || Problem::not_found("this server has no operators' API");
    api.operators.as_deref().ok_or_else(off)
}

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        Self::of(parts, api, &operators(api)?.rates).await
    }
}

impl Operator {
    /// Whoever the request is of, held to these rates.
    pub(crate) async fn of(parts: &Parts, api: &Api, rates: &Rates) -> Result<Self, Problem> {
        let operators = operators(api)?;
        let known = async {
            let text = bearer(&parts.headers)?;
            identify(text, api, operators).await
        };
        Self::admit(known.await, parts, api, rates).await
    }

    /// Whoever signs in with this token. It must be an operator's own: a job is nobody who looks at pages.
    pub async fn signs_in(parts: &Parts, api: &Api, token: &str) -> Result<Self, Problem> {
        let operators = operators(api)?;
        let known = async {
            if token.is_empty() {
                return Err(Why::Refused("no-token"));
            }
            if token.len() > MAX || looks_signed(token) {
                return Err(Why::Refused("not-an-operator-s-own"));
            }
            opaque(&TokenHash::of(token), api).await
        };
        Self::admit(known.await, parts, api, &operators.rates).await
    }

    /// Whoever signed in with the token of this hash, by what the store says of the token now.
    pub async fn signed_in(parts: &Parts, api: &Api, token: &TokenHash) -> Result<Self, Problem> {
        let operators = operators(api)?;
        Self::admit(opaque(token, api).await, parts, api, &operators.rates).await
    }

    /// Lets somebody in who is known and asks no more than their rate.
    async fn admit(
        known: Result<Known, Why>,
        parts: &Parts,
        api: &Api,
        rates: &Rates,
    ) -> Result<Self, Problem> {
        let admitted = parts.extensions.get::<Admitted>().ok_or_else(Problem::internal)?.clone();
        let (identity, may, second_person) = match known {
            Ok(known) => known,
            Err(why) => return Err(refused(why, &admitted, api).await),
        };
        if !rates.take(&format!("{} {}", identity.way.as_str(), identity.name)) {
            count("rate");
            let detail = "too many requests of this identity; come back later";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate", detail));
        }
        Ok(Self { identity, may, second_person, admitted })
    }

    /// Refuses what the token is not for.
    pub(crate) fn needs(&self, permission: Permission) -> Result<(), Problem> {
        if self.may.has(permission) {
            return Ok(());
        }
        count("not-permitted");
        let detail =
            format!("{} may not do this: it needs {permission}, and has {}", self.identity, self.may);
        Err(Problem::new(StatusCode::FORBIDDEN, "not-permitted", detail))
    }

    /// What they do now.
    pub(crate) fn act(&self, api: &Api) -> Act {
        Act {
            actor: Actor::Operator { name: self.identity.name.clone() },
            request: Some(self.admitted.id.clone()),
            now: api.clock.now(),
            ids: api.ids.clone(),
        }
    }
}

/// Counts a request that was refused.
pub(super) fn count(why: &'static str) {
    metrics::counter!("axon_operators_refused_total", "why" => why).increment(1);
}

/// Counts a refusal, and lets many of one address wait. The caller is told nothing of the reason.
async fn refused(why: Why, admitted: &Admitted, api: &Api) -> Problem {
    let Why::Refused(why) = why else {
        count("cannot-be-checked");
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "tokens cannot be checked now; try again",
        );
    };
    count(why);
    if why != "no-token" && !is_answered_after_a_while(admitted, api).await {
        let detail = "too many requests without a token that is accepted";
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate", detail);
    }
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "an operator's token is needed")
}

/// The one bearer token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Why> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let value = given.next().ok_or(Why::Refused("no-token"))?;
    let bad = Why::Refused("not-a-token");
    if given.next().is_some() || value.len() > MAX {
        return Err(bad);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.trim().split_once(' ')).ok_or(bad)?;
    let token = token.trim();
    if token.is_empty() || token.contains(' ') || !scheme.eq_ignore_ascii_case("bearer") {
        return Err(bad);
    }
    Ok(token)
}

async fn identify(text: &str, api: &Api, operators: &Operators) -> Result<Known, Why> {
    if looks_signed(text) {
        let verified = operators.jobs.verify(text).await?;
        let rule = verified.gives[0];
        // A job that meets two rules would act as whichever stands first.
        if verified.gives.len() > 1 {
            tracing::error!(
                rule = rule.name,
                "a job's token meets several rules: make their conditions differ"
            );
            return Err(Why::Refused("several-rules"));
        }
        let job = Some(run::of(&verified.claims));
        let identity = MapAuthor { way: MapWay::Job, name: rule.name.clone(), job };
        return Ok((identity, rule.may.clone(), rule.second_person));
    }
    opaque(&TokenHash::of(text), api).await
}

/// Whose token has this hash.
async fn opaque(hash: &TokenHash, api: &Api) -> Result<Known, Why> {
    let found = api.store.find_operator_token(hash).await?;
    let token = found.ok_or(Why::Refused("unknown"))?;
    let now = api.clock.now();
    if !token.accepted_at(now) {
        if api.failures.is_news(token.id) {
            tracing::warn!(token.id = %token.id, "an operator's token that is not accepted any more is still shown");
        }
        return Err(Why::Refused("expired-or-revoked"));
    }
    let OperatorTokenKind::Operator { may } = token.kind else {
        return Err(Why::Refused("a-service-s-token"));
    };
    if token.last_used.is_none_or(|at| now - at >= USED)
        && let Err(error) = api.store.touch_operator_token(token.id, now).await
    {
        tracing::warn!(error = &error as &dyn std::error::Error, "the last use of a token was not written");
    }
    Ok((MapAuthor { way: MapWay::Operator, name: token.name, job: None }, may, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_is_looked_at_and_nothing_else() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer abc"]), Ok("abc".into()));
        assert_eq!(of(&["bearer  abc "]), Ok("abc".into()));
        assert_eq!(of(&[]), Err(Why::Refused("no-token")));
        for bad in [&["abc"][..], &["Basic YTpi"], &["Bearer"], &["Bearer a b"], &["Bearer a", "Bearer b"]] {
            assert_eq!(of(bad), Err(Why::Refused("not-a-token")), "{bad:?}");
        }
    }
}
