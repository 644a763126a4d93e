//! `/api/v1/impersonations`: reading secure views as another person.

use std::time::Duration;

use axon_controller::asking::{self, ActWish};
use axon_model::{AccessRequest, AccessState};
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

/// The kind of such a request.
pub const ACTING: &str = "impersonate";

/// Who acts as whom, and who waits for it.
pub(super) async fn list(State(api): State<Api>, operator: Operator) -> Result<Response, Problem> {
    access::list(&api, &operator, ACTING).await
}

/// Who wishes to read as whom, in the words of whoever asks.
#[derive(Debug, Clone)]
pub struct Acting {
    /// The user name of whoever acts.
    pub actor: String,
    /// The user name of the person acted as.
    pub person: String,
    /// The source of both, where several know the names.
    pub source: Option<String>,
    /// The target, where there are several.
    pub target: Option<String>,
    /// The one session of the target in which it is to hold.
    pub session: Option<String>,
    /// For how long.
    pub length: Duration,
    /// Why.
    pub reason: Option<String>,
}

/// Asks for it. What the map does not allow is kept as a refusal, and is a problem that says why.
pub async fn start(api: &Api, operator: &Operator, acting: Acting) -> Result<AccessRequest, Problem> {
    operator.needs(Permission::Grant)?;
    let Acting { actor, person, source, target, session, length, reason } = acting;
    let reason = reason.map(|reason| asking::reason(&reason)).transpose()?;
    let source = access::source(api, source)?;
    let wish = ActWish {
        actor: &actor,
        person: &person,
        source: source.as_ref(),
        target: target.as_deref(),
        session: session.as_deref(),
        length,
        reason,
    };
    let map = (operators(api)?.map)();
    let act = operator.act(api);
    let new = asking::impersonation(&map, &access::world(api).await?, wish, act.now)?;
    let asked = api.store.ask_access(new, act).await?;
    if asked.state == AccessState::Rejected {
        let why = asked.ended.map(|said| said.reason).unwrap_or_default();
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-allowed", why));
    }
    Ok(asked)
}

/// Targets of the map in force in which people act as others, by name.
pub fn targets(api: &Api) -> Result<Vec<String>, Problem> {
    let map = (operators(api)?.map)();
    let with = map.targets.values().filter(|target| target.metadata.impersonation.is_some());
    Ok(with.map(|target| target.name.to_string()).collect())
}

/// Asks for it, as a program.
pub(super) async fn ask(
    State(api): State<Api>,
    operator: Operator,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::Grant)?;
    let known = ["user", "as", "source", "target", "session", "seconds", "reason"];
    let body = access::body(&api, request, &known).await?;
    let seconds = body.get("seconds").and_then(whole);
    let seconds = seconds.ok_or_else(|| Problem::bad("`seconds` is missing, or no whole number"))?;
    let acting = Acting {
        actor: access::needed(&body, "user")?,
        person: access::needed(&body, "as")?,
        source: text(&body, "source")?,
        target: text(&body, "target")?,
        session: text(&body, "session")?,
        length: Duration::from_secs(seconds),
        reason: text(&body, "reason")?,
    };
    let asked = start(&api, &operator, acting).await?;
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
    access::ended(&api, &operator, &id, ACTING, request).await
}
