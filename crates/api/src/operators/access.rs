//! `/api/v1/offboardings` and `/api/v1/grants`: what is asked for beside the map (ADR 23).

use axon_controller::World;
use axon_controller::asking::{self, NotAsked, Offboarding, Wish};
use axon_model::{AccessRequest, AccessRequestId, Asked, RecordSeq, Said, SourceId};
use axon_store::AccessEnd;
use axon_store::operators::Permission;
use axon_store::stored::shown_instant;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json as value};

use super::auth::operators;
use super::map::{only, text};
use super::{Operator, Problem, json};
use crate::body::{JsonBody, whole};
use crate::state::Api;

impl From<NotAsked> for Problem {
    fn from(not: NotAsked) -> Self {
        let detail = not.to_string();
        match not {
            NotAsked::Malformed { .. } => Self::bad(detail),
            NotAsked::Unknown { .. } | NotAsked::NoTarget { .. } => Self::not_found(detail),
            NotAsked::Several { .. } | NotAsked::Nothing { .. } => {
                Self::new(StatusCode::CONFLICT, "not-this-person", detail)
            }
            NotAsked::NoGrant(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not-allowed", detail),
        }
    }
}

/// What was asked for, for programs.
pub fn shown(request: &AccessRequest) -> Value {
    let said = |said: &Said| value!({ "at": shown_instant(said.at), "by": said.by, "reason": said.reason });
    let (role, target, seconds) = match &request.asked {
        Asked::Offboard => (None, None, None),
        Asked::Grant { role, target, seconds } => (Some(role), target.as_ref(), Some(seconds)),
        Asked::Impersonate { target, seconds, .. } => (None, Some(target), Some(seconds)),
    };
    let (person, session) = match &request.asked {
        Asked::Impersonate { person, session, .. } => (Some(&person.user_name), session.as_ref()),
        Asked::Offboard | Asked::Grant { .. } => (None, None),
    };
    value!({
        "id": request.id,
        "kind": request.asked.as_str(),
        "state": request.state.as_str(),
        "user": request.whom.user_name,
        "source": request.whom.source,
        "records": request.whom.records,
        "person": person,
        "session": session,
        "role": role,
        "target": target,
        "seconds": seconds,
        "asked": said(&request.asking),
        "hold": request.hold,
        "released": request.released.as_ref().map(said),
        "until": request.until.map(shown_instant),
        "ended": request.ended.as_ref().map(said),
        "record": request.record,
    })
}

pub(super) async fn body(api: &Api, request: Request, known: &[&str]) -> Result<Value, Problem> {
    let JsonBody(body) = JsonBody::from_request(request, api).await.map_err(|refused| refused.0)?;
    only(&body, known)?;
    Ok(body)
}

pub(super) fn needed(body: &Value, key: &str) -> Result<String, Problem> {
    text(body, key)?.ok_or_else(|| Problem::bad(format!("`{key}` is missing")))
}

pub(super) fn source(api: &Api, named: Option<String>) -> Result<Option<SourceId>, Problem> {
    let Some(named) = named else { return Ok(None) };
    let found = api.sources.keys().find(|id| id.as_str() == named);
    Ok(Some(found.cloned().ok_or_else(|| Problem::not_found("there is no such source"))?))
}

/// The directory as it is now: a whole load, so one at a time.
pub(super) async fn world(api: &Api) -> Result<World, Problem> {
    let operators = operators(api)?;
    let Ok(_turn) = operators.previews.acquire().await else { return Err(Problem::internal()) };
    let mut world = World::of(operators.claims.clone());
    world.follow(api.store.as_ref(), api.clock.now()).await?;
    Ok(world)
}

/// All that was asked for of a kind: what waits or counts, what has ended, and what was refused; oldest first.
pub async fn requests(api: &Api, operator: &Operator, kind: &str) -> Result<Vec<AccessRequest>, Problem> {
    operator.needs(Permission::HoldsRead)?;
    let mut all = api.store.access_requests(RecordSeq(0)).await?;
    all.retain(|request| request.asked.as_str() == kind);
    all.sort_by_key(|request| request.id);
    Ok(all)
}

/// What of it waits or counts, for programs.
pub(super) async fn list(api: &Api, operator: &Operator, kind: &str) -> Result<Response, Problem> {
    let all = requests(api, operator, kind).await?;
    let all: Vec<Value> = all.iter().filter(|request| request.state.stands()).map(shown).collect();
    Ok(json(StatusCode::OK, &value!({ "requests": all })))
}

/// Who is offboarded.
pub(super) async fn offboardings(State(api): State<Api>, operator: Operator) -> Result<Response, Problem> {
    list(&api, &operator, "offboard").await
}

/// Roles for a while that wait or count.
pub(super) async fn grants(State(api): State<Api>, operator: Operator) -> Result<Response, Problem> {
    list(&api, &operator, "grant").await
}

/// Shuts somebody out.
pub(super) async fn offboard(
    State(api): State<Api>,
    operator: Operator,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::Offboard)?;
    let body = body(&api, request, &["user", "source", "reason", "unknown"]).await?;
    let reason = asking::reason(&needed(&body, "reason")?)?;
    let source = source(&api, text(&body, "source")?)?;
    let unknown = body.get("unknown").and_then(Value::as_bool).unwrap_or_default();
    let world = world(&api).await?;
    match asking::offboarding(&world, &needed(&body, "user")?, source, unknown, reason)? {
        Offboarding::New(new) => {
            let asked = api.store.ask_access(*new, operator.act(&api)).await?;
            Ok(json(StatusCode::CREATED, &shown(&asked)))
        }
        Offboarding::Stands(id) => {
            let stands = world.beside().requests().find(|request| request.id == id);
            Ok(json(StatusCode::OK, &stands.map_or(Value::Null, shown)))
        }
    }
}

/// Asks for a role for a while.
pub(super) async fn ask(
    State(api): State<Api>,
    operator: Operator,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::Grant)?;
    let known = ["user", "source", "role", "target", "seconds", "reason"];
    let body = body(&api, request, &known).await?;
    let reason = asking::reason(&needed(&body, "reason")?)?;
    let source = source(&api, text(&body, "source")?)?;
    let (user, role, target) = (needed(&body, "user")?, needed(&body, "role")?, text(&body, "target")?);
    let seconds = body.get("seconds").and_then(whole);
    let seconds = seconds.ok_or_else(|| Problem::bad("`seconds` is missing, or no whole number"))?;
    let wish = Wish {
        user: &user,
        source: source.as_ref(),
        role: &role,
        target: target.as_deref(),
        length: std::time::Duration::from_secs(seconds),
        reason,
    };
    let map = (operators(&api)?.map)();
    let act = operator.act(&api);
    let new = asking::grant(&map, &world(&api).await?, wish, act.now)?;
    let asked = api.store.ask_access(new, act).await?;
    let status = if asked.hold.is_some() { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    Ok(json(status, &shown(&asked)))
}

/// Ends an offboarding.
pub(super) async fn lift(
    State(api): State<Api>,
    operator: Operator,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    ended(&api, &operator, &id, "offboard", request).await
}

/// Ends a role for a while before its time.
pub(super) async fn revoke(
    State(api): State<Api>,
    operator: Operator,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    ended(&api, &operator, &id, "grant", request).await
}

/// What ends a request of a kind.
fn to_end(kind: &str) -> Permission {
    if kind == "offboard" { Permission::Offboard } else { Permission::Grant }
}

pub(super) async fn ended(
    api: &Api,
    operator: &Operator,
    id: &str,
    kind: &str,
    request: Request,
) -> Result<Response, Problem> {
    // Nothing is read of whoever may not.
    operator.needs(to_end(kind))?;
    let body = body(api, request, &["reason"]).await?;
    let ended = end(api, operator, id, kind, &needed(&body, "reason")?).await?;
    Ok(json(StatusCode::OK, &shown(&ended)))
}

/// Ends a request that waits or counts.
pub async fn end(
    api: &Api,
    operator: &Operator,
    id: &str,
    kind: &str,
    reason: &str,
) -> Result<AccessRequest, Problem> {
    operator.needs(to_end(kind))?;
    let gone = || Problem::not_found("there is no such request that waits or counts");
    let id: AccessRequestId = id.parse().map_err(|_| gone())?;
    let reason = asking::reason(reason)?;
    let all = api.store.access_requests(RecordSeq(0)).await?;
    // A permission for one kind ends nothing of the other.
    let of_kind = |one: &&AccessRequest| one.id == id && one.asked.as_str() == kind;
    all.iter().find(of_kind).ok_or_else(gone)?;
    api.store.end_access(id, AccessEnd::Lift, reason, operator.act(api)).await?.ok_or_else(gone)
}
