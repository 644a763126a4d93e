//! From the token in `Authorization` to the source whose it is. No other place is looked at: a token in an address would be
//! in every log on the way.

use axon_model::SourceId;
use axon_scim::{Profile, ScimError};
use axum::http::{HeaderMap, header};

use crate::reply::Refused;
use crate::state::Api;

/// Longest token, bytes.
const MAX_TOKEN: usize = 4096;

/// The source whose token the request shows. Every refusal reads the same to the caller; the reason is in the metrics only.
pub async fn authenticate(headers: &HeaderMap, api: &Api) -> Result<(SourceId, Profile), Refused> {
    let (shown, is_plain) = shown(headers).map_err(refuse)?;
    let found = match api.tokens.find(api.store.as_ref(), shown).await {
        Ok(found) => found,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "tokens cannot be read");
            return Err(ScimError::unavailable("tokens cannot be checked now; try again").into());
        }
    };
    let token = found.ok_or_else(|| refuse("unknown"))?;
    if !token.accepted_at(api.clock.now()) {
        return Err(refuse("expired-or-revoked"));
    }
    // A source that the configuration no longer names speaks for nobody.
    let profile = *api.sources.get(&token.source).ok_or_else(|| refuse("source-not-configured"))?;
    if is_plain && !profile.plain_token {
        return Err(refuse("not-a-bearer-token"));
    }
    Ok((token.source.clone(), profile))
}

fn refuse(why: &'static str) -> Refused {
    metrics::counter!("axon_http_unauthorized_total", "why" => why).increment(1);
    Refused(ScimError::unauthorized("a valid bearer token of a configured source is needed"))
}

/// The token, and whether it stands without the word `Bearer`. Two headers are refused: one of them would not be checked.
fn shown(headers: &HeaderMap) -> Result<(&str, bool), &'static str> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let value = given.next().ok_or("no-token")?;
    if given.next().is_some() {
        return Err("not-a-token");
    }
    let text = value.to_str().map_err(|_| "not-a-token")?.trim();
    let is_bearer = text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let token = if is_bearer { text[7..].trim() } else { text };
    if token.is_empty() || token.len() > MAX_TOKEN {
        return Err("not-a-token");
    }
    Ok((token, !is_bearer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<(String, bool), &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        shown(&headers).map(|(token, plain)| (token.to_owned(), plain))
    }

    #[test]
    fn the_scheme_is_compared_without_case_and_one_header_alone_counts() {
        for good in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(of(&[good]), Ok(("abc".to_owned(), false)), "{good}");
        }
        assert_eq!(of(&["abc"]), Ok(("abc".to_owned(), true)));
        assert_eq!(of(&["Basic YWJj"]), Ok(("Basic YWJj".to_owned(), true)), "no token has a blank");
        assert_eq!(of(&[]), Err("no-token"));
        assert_eq!(of(&["Bearer"]), Ok(("Bearer".to_owned(), true)), "no token is spelled so");
        for bad in [&[""][..], &["Bearer a", "Bearer b"]] {
            assert_eq!(of(bad), Err("not-a-token"), "{bad:?}");
        }
        assert_eq!(of(&[&format!("Bearer {}", "x".repeat(MAX_TOKEN + 1))]), Err("not-a-token"));
    }
}
