//! `/api/v1/impersonations`: reading secure views as another person.

use std::time::Duration;

use axon_controller::asking::{self, ActWish};
use axon_model::{AccessRequest, AccessState};
use axon_store::operators::Permission;
use axon_store::{Act, NewAccessRequest};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

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

/// What stands on record for a name that cannot be read.
const SOMEBODY: &str = "somebody";

/// Puts on record what cannot be a request: who asked is the record's actor.
async fn unread(api: &Api, operator: &Operator, named: (&str, &str), problem: Problem) -> Problem {
    if !problem.status().is_client_error() {
        return problem;
    }
    match asking::unread(api.store.as_ref(), operator.act(api), named, problem.detail()).await {
        Ok(()) => problem,
        Err(error) => error.into(),
    }
}

/// What is to be kept of a wish.
async fn wanted(api: &Api, acting: &Acting, act: &Act) -> Result<NewAccessRequest, Problem> {
    let reason = acting.reason.as_deref().map(asking::reason).transpose()?;
    let source = access::source(api, acting.source.clone())?;
    let wish = ActWish {
        actor: &acting.actor,
        person: &acting.person,
        source: source.as_ref(),
        target: acting.target.as_deref(),
        session: acting.session.as_deref(),
        length: acting.length,
        reason,
    };
    let map = (operators(api)?.map)();
    Ok(asking::impersonation(&map, &access::world(api).await?, wish, act.now)?)
}

/// Asks for it. What the map does not allow is kept as a refusal, and is a problem that says why; what means nobody is on record as well.
pub async fn start(api: &Api, operator: &Operator, acting: Acting) -> Result<AccessRequest, Problem> {
    operator.needs(Permission::Grant)?;
    let act = operator.act(api);
    let new = match wanted(api, &acting, &act).await {
        Ok(new) => new,
        Err(problem) => return Err(unread(api, operator, (&acting.actor, &acting.person), problem).await),
    };
    let asked = api.store.ask_access(new, act).await?;
    if asked.state == AccessState::Rejected {
        let why = asked.ended.map(|said| said.reason).unwrap_or_default();
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-allowed", why));
    }
    Ok(asked)
}

/// Puts on record a wish of which not all can be read, with the names as far as they can, and gives back what is wrong.
pub async fn start_unread(
    api: &Api,
    operator: &Operator,
    (actor, person): (Option<&str>, Option<&str>),
    problem: Problem,
) -> Problem {
    match operator.needs(Permission::Grant) {
        Ok(()) => {
            unread(api, operator, (actor.unwrap_or(SOMEBODY), person.unwrap_or(SOMEBODY)), problem).await
        }
        Err(refused) => refused,
    }
}

/// Targets of the map in force in which people act as others, by name.
pub fn targets(api: &Api) -> Result<Vec<String>, Problem> {
    let map = (operators(api)?.map)();
    let with = map.targets.values().filter(|target| target.metadata.impersonation.is_some());
    Ok(with.map(|target| target.name.to_string()).collect())
}

fn read(body: &Value) -> Result<Acting, Problem> {
    let seconds = body.get("seconds").and_then(whole);
    let seconds = seconds.ok_or_else(|| Problem::bad("`seconds` is missing, or no whole number"))?;
    Ok(Acting {
        actor: access::needed(body, "user")?,
        person: access::needed(body, "as")?,
        source: text(body, "source")?,
        target: text(body, "target")?,
        session: text(body, "session")?,
        length: Duration::from_secs(seconds),
        reason: text(body, "reason")?,
    })
}

/// Asks for it, as a program.
pub(super) async fn ask(
    State(api): State<Api>,
    operator: Operator,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::Grant)?;
    let known = ["user", "as", "source", "target", "session", "seconds", "reason"];
    let body = match access::body(&api, request, &known).await {
        Ok(body) => body,
        Err(problem) => return Err(unread(&api, &operator, (SOMEBODY, SOMEBODY), problem).await),
    };
    let acting = match read(&body) {
        Ok(acting) => acting,
        Err(problem) => {
            let name = |key| text(&body, key).ok().flatten();
            let (actor, person) = (name("user"), name("as"));
            let named = (actor.as_deref(), person.as_deref());
            return Err(start_unread(&api, &operator, named, problem).await);
        }
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
