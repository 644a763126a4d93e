//! `POST /api/v1/token` (RFC 8693): a job's signed token for what its service identity holds in the map; and
//! `GET /api/v1/entitlements`, what the answer's token then tells.

use axon_audit::payload::JobRun;
use axon_identity_token::{Claims, Condition};
use axon_mapping::{Entitlement, ServiceName, ServiceToken};
use axon_model::Actor;
use axon_model::name::shown;
use axon_store::operators::{NewOperatorToken, OperatorTokenKind};
use axon_store::{Act, Minted, TokenHash};
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json as value;

use super::auth::{Why, bearer, operators};
use super::{Problem, json, run};
use crate::auth::is_answered_after_a_while;
use crate::layers::Admitted;
use crate::state::Api;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const TAKEN: [&str; 2] =
    ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];
/// What exchanged tokens begin with.
const PREFIX: &str = "axon_sv_";
/// The largest request, bytes, and the most parameters.
const BODY: usize = 64 * 1024;
const PARAMETERS: usize = 32;

/// Why nothing is given.
enum Refused {
    /// The request is not one (RFC 6749 section 5.2).
    Request(&'static str, &'static str),
    /// The token is not taken; the word is for the metric alone.
    Token(&'static str),
    /// Ask again later.
    NotNow,
    /// Too often.
    Rate,
}

impl From<Why> for Refused {
    fn from(why: Why) -> Self {
        match why {
            Why::Refused(why) => Self::Token(why),
            Why::NotNow => Self::NotNow,
        }
    }
}

/// Exchanges a token. Every outcome is counted by its reason.
pub(super) async fn handle(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(admitted) = parts.extensions.get::<Admitted>() else {
        return Problem::internal().into_response();
    };
    let exchanged = async {
        let bytes = to_bytes(body, BODY).await;
        let bytes = bytes.map_err(|_| Refused::Request("invalid_request", "the body is too large"))?;
        exchange(&api, admitted, &subject(&parts.headers, &bytes)?).await
    };
    let (outcome, mut response) = match exchanged.await {
        Ok(response) => ("issued", response),
        Err(Refused::Request(code, text)) => (code, error(StatusCode::BAD_REQUEST, code, text)),
        Err(Refused::Rate) => {
            ("rate", error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", "too many requests"))
        }
        Err(Refused::NotNow) => (
            "cannot-be-checked",
            error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again"),
        ),
        Err(Refused::Token(why)) => {
            tracing::warn!(why, "a job's token was not exchanged");
            let text = "the token is not that of a service identity of the role map";
            if is_answered_after_a_while(admitted, &api).await {
                // RFC 8693 section 2.2.2.
                (why, error(StatusCode::BAD_REQUEST, "invalid_request", text))
            } else {
                (
                    why,
                    error(
                        StatusCode::TOO_MANY_REQUESTS,
                        "temporarily_unavailable",
                        "too many refused tokens",
                    ),
                )
            }
        }
    };
    metrics::counter!("axon_token_exchanges_total", "outcome" => outcome).increment(1);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn error(status: StatusCode, code: &str, text: &str) -> Response {
    json(status, &value!({ "error": code, "error_description": text }))
}

/// The token to be exchanged, from a form in which each parameter stands once.
fn subject(headers: &HeaderMap, body: &[u8]) -> Result<String, Refused> {
    let invalid = |text| Refused::Request("invalid_request", text);
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("the body must be application/x-www-form-urlencoded"));
    }
    let mut form: Vec<(String, String)> = Vec::new();
    for (name, given) in form_urlencoded::parse(body).filter(|(_, given)| !given.is_empty()) {
        if form.len() >= PARAMETERS || form.iter().any(|(known, _)| *known == name) {
            return Err(invalid("a parameter stands twice, or there are too many"));
        }
        form.push((name.into_owned(), given.into_owned()));
    }
    let get = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, given)| given.as_str());
    match get("grant_type") {
        Some(GRANT) => {}
        Some(_) => return Err(Refused::Request("unsupported_grant_type", "the one grant is token exchange")),
        None => return Err(invalid("grant_type is missing")),
    }
    if get("actor_token").is_some() {
        return Err(invalid("nobody acts for another here: leave out actor_token"));
    }
    if get("requested_token_type").is_some_and(|wanted| wanted != ACCESS) {
        return Err(invalid("only an access token is given"));
    }
    if !get("subject_token_type").is_some_and(|kind| TAKEN.contains(&kind)) {
        return Err(invalid("subject_token_type must be that of a JWT or of an ID token"));
    }
    get("subject_token").map(str::to_owned).ok_or_else(|| invalid("subject_token is missing"))
}

async fn exchange(api: &Api, admitted: &Admitted, token: &str) -> Result<Response, Refused> {
    let operators = operators(api).map_err(|_| Refused::Token("not-configured"))?;
    let verified = operators.exchange.verify(token).await.map_err(Why::from)?;
    let (claims, now) = (&verified.claims, api.clock.now());
    let map = (operators.map)();
    let mut services = map
        .services
        .iter()
        .filter(|(_, service)| service.token.as_ref().is_some_and(|token| is_of(token, claims)));
    let Some((name, _)) = services.next() else {
        if let Some((near, why)) = nearest(&map.services, claims) {
            tracing::warn!(service = %near, "a job's token is that of a service identity but for one thing");
            tracing::debug!(service = %near, why, "that thing");
        }
        return Err(Refused::Token("no-service"));
    };
    if let Some((other, _)) = services.next() {
        tracing::error!(service = %name, %other, "a job's token is that of two service identities: make them differ");
        return Err(Refused::Token("several-services"));
    }
    let held = map.entitlements(name, now).unwrap_or_default();
    if !operators.rates.take(&format!("service {name}")) {
        return Err(Refused::Rate);
    }
    // It never outlives what it was given for, also not by the leeway between clocks.
    let end = claims.instant("exp").filter(|end| *end > now).ok_or(Refused::Token("expired"))?;
    let until = end.min(now.saturating_add(operators.exchanged_for));
    let made = Minted::new(PREFIX, &api.ids, now);
    let kind = OperatorTokenKind::Service { job: run::of(claims) };
    let new = NewOperatorToken { name: name.to_string(), hash: made.hash(), kind, expires: Some(until) };
    let actor = Actor::Operator { name: format!("service {name}") };
    let act = Act { actor, request: Some(admitted.id.clone()), now, ids: api.ids.clone() };
    let kept = api.store.add_operator_token(new, act).await.map_err(Why::from)?;
    tracing::info!(service = %name, token.id = %kept.id, "a job's token was exchanged");
    (operators.presented)(name, claims.issuer().unwrap_or_default(), claims.subject().unwrap_or_default());
    Ok(json(
        StatusCode::OK,
        &value!({
            "access_token": made.text(),
            "issued_token_type": ACCESS,
            "token_type": "Bearer",
            "expires_in": (until - now).whole_seconds(),
            "service": name.to_string(),
            "map": map.version(),
            "entitlements": held,
        }),
    ))
}

/// Whether a token is a service identity's: issuer, audience, subject, and every claim.
fn is_of(wanted: &ServiceToken, claims: &Claims) -> bool {
    let ServiceToken { issuer, audience, subject, claims: conditions } = wanted;
    claims.issuer() == Some(issuer)
        && claims.is_for(audience)
        && (subject.is_empty() || claims.subject().is_some_and(|sub| subject.iter().any(|one| one == sub)))
        && Condition::all(conditions).iter().all(|condition| condition.holds(claims))
}

/// The service identity that a job's token would be of but for one thing, and that thing. The token was verified: what it says is
/// its issuer's word, and no secret.
fn nearest<'m>(
    services: &'m std::collections::BTreeMap<ServiceName, axon_mapping::Service>,
    claims: &Claims,
) -> Option<(&'m ServiceName, String)> {
    let subject = claims.subject().unwrap_or_default();
    let said =
        |texts: &[String]| texts.iter().take(3).map(|text| shown(text)).collect::<Vec<_>>().join(" or ");
    services.iter().find_map(|(name, service)| {
        let wanted = service.token.as_ref().filter(|token| claims.issuer() == Some(token.issuer.as_str()))?;
        let fits = wanted.subject.is_empty() || wanted.subject.iter().any(|own| own == subject);
        let why = if !claims.is_for(&wanted.audience) {
            format!("its audience is none of {}", said(&wanted.audience))
        } else if wanted.subject.iter().any(|own| own != subject && own.eq_ignore_ascii_case(subject)) {
            format!("it presents subject {} and the map has it in other letter case", shown(subject))
        } else if !fits {
            format!("it presents subject {} and the map wants {}", shown(subject), said(&wanted.subject))
        } else {
            let conditions = Condition::all(&wanted.claims);
            let unmet = conditions.iter().find(|condition| !condition.holds(claims))?;
            format!("its claim {} is not as the map wants it", shown(&unmet.claim))
        };
        Some((name, why))
    })
}

/// What the service identity of a token holds now.
pub(super) async fn entitlements(State(api): State<Api>, request: Request) -> Response {
    let Some(admitted) = request.extensions().get::<Admitted>() else {
        return Problem::internal().into_response();
    };
    match told(&api, request.headers()).await {
        Ok((name, job, held)) => {
            let map = operators(&api).map(|operators| (operators.map)().version().clone()).ok();
            json(StatusCode::OK, &value!({ "service": name, "job": job, "map": map, "entitlements": held }))
        }
        Err(Why::NotNow) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again").into_response()
        }
        Err(Why::Refused(why)) => {
            super::auth::count(why);
            let status = if why == "no-token" || is_answered_after_a_while(admitted, &api).await {
                StatusCode::UNAUTHORIZED
            } else {
                StatusCode::TOO_MANY_REQUESTS
            };
            Problem::new(status, "unauthorized", "a token of POST /api/v1/token is needed").into_response()
        }
    }
}

async fn told(api: &Api, headers: &HeaderMap) -> Result<(String, JobRun, Vec<Entitlement>), Why> {
    let operators = operators(api).map_err(|_| Why::Refused("not-configured"))?;
    let found = api.store.find_operator_token(&TokenHash::of(bearer(headers)?)).await?;
    let token = found.ok_or(Why::Refused("unknown"))?;
    let now = api.clock.now();
    if !token.accepted_at(now) {
        return Err(Why::Refused("expired-or-revoked"));
    }
    let OperatorTokenKind::Service { job } = token.kind else {
        return Err(Why::Refused("an-operator-s-token"));
    };
    let map = (operators.map)();
    let name: ServiceName = token.name.parse().map_err(|_| Why::Refused("no-service"))?;
    // The map may have changed since: what it no longer declares, or declares for another job, holds nothing.
    let service = map.services.get(&name).and_then(|service| service.token.as_ref());
    let is_its = |wanted: &ServiceToken| {
        wanted.issuer == job.issuer && (wanted.subject.is_empty() || wanted.subject.contains(&job.subject))
    };
    let held = service.filter(|wanted| is_its(wanted)).and_then(|_| map.entitlements(&name, now));
    let held = held.ok_or(Why::Refused("no-service"))?;
    Ok((token.name, job, held))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &str) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, kind);
        subject(&headers, body.as_bytes()).map_err(|refused| match refused {
            Refused::Request(code, _) => code,
            Refused::Token(why) => why,
            Refused::NotNow | Refused::Rate => "not-now",
        })
    }

    #[test]
    fn the_form_is_that_of_a_token_exchange() {
        let grant = format!("grant_type={GRANT}");
        let jwt = TAKEN[0];
        let good = format!("{grant}&subject_token_type={jwt}&subject_token=eyJ.a.b");
        assert_eq!(form(&good).as_deref(), Ok("eyJ.a.b"));
        assert_eq!(form(&format!("{good}&requested_token_type={ACCESS}&scope=x")).as_deref(), Ok("eyJ.a.b"));
        for (bad, code) in [
            (String::new(), "invalid_request"),
            ("grant_type=client_credentials".into(), "unsupported_grant_type"),
            (format!("{grant}&subject_token=x"), "invalid_request"),
            (format!("{grant}&subject_token_type={jwt}"), "invalid_request"),
            (format!("{good}&subject_token=y"), "invalid_request"),
            (format!("{good}&actor_token=y"), "invalid_request"),
            (format!("{good}&requested_token_type={jwt}"), "invalid_request"),
        ] {
            assert_eq!(form(&bad), Err(code), "{bad}");
        }
        assert!(subject(&HeaderMap::new(), good.as_bytes()).is_err(), "JSON is no form");
    }
}
