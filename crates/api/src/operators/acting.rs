//! `/api/v1/impersonations`: reading secure views as another person.

use axon_controller::asking::{self, ActWish};
use axon_model::AccessState;
use axon_store::operators::Permission;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::access::{self, shown};
use super::auth::operators;
use super::map::text;
use super::{Operator, Problem, json};
use crate::body::whole;
use crate::state::Api;

/// Who acts as whom, and who waits for it.
pub(super) async fn list(State(api): State<Api>, operator: Operator) -> Result<Response, Problem> {
    operator.needs(Permission::HoldsRead)?;
    access::list(&api, "impersonate").await
}

/// Asks for it. What the map does not allow is kept as a refusal, and answered as one.
pub(super) async fn start(
    State(api): State<Api>,
    operator: Operator,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::Grant)?;
    let known = ["user", "as", "source", "target", "session", "seconds", "reason"];
    let body = access::body(&api, request, &known).await?;
    let reason = text(&body, "reason")?.map(|reason| asking::reason(&reason)).transpose()?;
    let source = access::source(&api, text(&body, "source")?)?;
    let (actor, person) = (access::needed(&body, "user")?, access::needed(&body, "as")?);
    let (target, session) = (text(&body, "target")?, text(&body, "session")?);
    let seconds = body.get("seconds").and_then(whole);
    let seconds = seconds.ok_or_else(|| Problem::bad("`seconds` is missing, or no whole number"))?;
    let wish = ActWish {
        actor: &actor,
        person: &person,
        source: source.as_ref(),
        target: target.as_deref(),
        session: session.as_deref(),
        length: std::time::Duration::from_secs(seconds),
        reason,
    };
    let map = (operators(&api)?.map)();
    let act = operator.act(&api);
    let new = asking::impersonation(&map, &access::world(&api).await?, wish, act.now)?;
    let asked = api.store.ask_access(new, act).await?;
    if asked.state == AccessState::Rejected {
        let why = asked.ended.map(|said| said.reason).unwrap_or_default();
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-allowed", why));
    }
    let status = if asked.hold.is_some() { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    Ok(json(status, &shown(&asked)))
}

/// Ends it before its time.
pub(super) async fn stop(
    State(api): State<Api>,
    operator: Operator,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::Grant)?;
    access::end(&api, &operator, &id, "impersonate", request).await
}
