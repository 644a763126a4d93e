//! `/api/v1/holds`: what waits for a person, and the answers to it.

use axon_controller::asking;
use axon_model::{HoldId, RecordSeq};
use axon_store::operators::Permission;
use axon_store::stored::shown_instant;
use axon_store::{Answered, Ended, Hold, HoldEnd, HoldState};
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json as value};

use super::map::{only, text};
use super::{Operator, Problem, json};
use crate::body::JsonBody;
use crate::state::Api;

/// A hold, for programs.
pub fn shown(hold: &Hold) -> Value {
    let ended = |end: &Ended| value!({ "at": shown_instant(end.at), "by": end.by, "reason": end.reason });
    value!({
        "id": hold.id,
        "kind": hold.held.kind.as_str(),
        "state": hold.state.as_str(),
        "what": hold.held.what,
        "why": hold.held.why,
        "source": hold.held.source,
        "target": hold.held.target,
        "opened": shown_instant(hold.opened),
        "people": hold.held.terms.people,
        "asked_by": hold.held.terms.asked_by,
        "first": hold.first.as_ref().map(ended),
        "expires": hold.held.expires.map(shown_instant),
        "ended": hold.ended.as_ref().map(ended),
        "record": hold.record,
    })
}

/// What waits, oldest first.
pub async fn open(api: &Api, operator: &Operator) -> Result<Vec<Hold>, Problem> {
    operator.needs(Permission::HoldsRead)?;
    let mut open = api.store.holds(RecordSeq(0)).await?;
    open.retain(|hold| hold.state == HoldState::Open);
    open.sort_by_key(|hold| (hold.opened, hold.id));
    Ok(open)
}

/// One hold, with all that it is about.
pub async fn find(api: &Api, operator: &Operator, id: &str) -> Result<(Hold, Vec<String>), Problem> {
    operator.needs(Permission::HoldsRead)?;
    let id: HoldId = id.parse().map_err(|_| unknown())?;
    let all = api.store.holds(RecordSeq(0)).await?;
    let hold = all.into_iter().find(|hold| hold.id == id).ok_or_else(unknown)?;
    let parts = api.store.hold_parts(id).await?;
    Ok((hold, parts))
}

/// What came of an answer that was taken.
#[derive(Debug)]
pub enum Taken {
    /// It ended.
    Ended(Hold),
    /// The release was noted; another person has to say so too.
    Seconded(Hold),
}

/// Lets something go on, or says no. Whether this operator may be the one who does is the store's to say.
pub async fn answer(
    api: &Api,
    operator: &Operator,
    id: &str,
    end: HoldEnd,
    reason: &str,
) -> Result<Taken, Problem> {
    operator.needs(Permission::HoldsRelease)?;
    let id: HoldId = id.parse().map_err(|_| unknown())?;
    let reason = asking::reason(reason)?;
    match api.store.answer_hold(id, end, reason, operator.act(api)).await? {
        Answered::Ended(hold) => Ok(Taken::Ended(hold)),
        Answered::Seconded(hold) => Ok(Taken::Seconded(hold)),
        Answered::SamePerson(hold) => {
            let detail = "it takes somebody else than whoever asked for it or released it first";
            Err(Problem::new(StatusCode::FORBIDDEN, "same-person", detail).with("hold", shown(&hold)))
        }
        Answered::Stands(hold) => {
            let detail = format!("it is {} already", hold.state.as_str());
            Err(Problem::new(StatusCode::CONFLICT, "answered", detail).with("hold", shown(&hold)))
        }
        Answered::Unknown => Err(unknown()),
    }
}

/// What waits, for programs.
pub(super) async fn list(State(api): State<Api>, operator: Operator) -> Result<Response, Problem> {
    let open: Vec<Value> = open(&api, &operator).await?.iter().map(shown).collect();
    Ok(json(StatusCode::OK, &value!({ "holds": open })))
}

fn unknown() -> Problem {
    Problem::not_found("there is no such hold")
}

/// One hold, for programs.
pub(super) async fn one(
    State(api): State<Api>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (hold, parts) = find(&api, &operator, &id).await?;
    let mut hold = shown(&hold);
    hold["parts"] = parts.into();
    Ok(json(StatusCode::OK, &hold))
}

/// Lets something go on.
pub(super) async fn release(
    State(api): State<Api>,
    operator: Operator,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    answered(&api, &operator, &id, HoldEnd::Release, request).await
}

/// Says no.
pub(super) async fn reject(
    State(api): State<Api>,
    operator: Operator,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    answered(&api, &operator, &id, HoldEnd::Reject, request).await
}

async fn answered(
    api: &Api,
    operator: &Operator,
    id: &str,
    end: HoldEnd,
    request: Request,
) -> Result<Response, Problem> {
    // Nothing is read of whoever may not.
    operator.needs(Permission::HoldsRelease)?;
    let JsonBody(body) = JsonBody::from_request(request, api).await.map_err(|refused| refused.0)?;
    only(&body, &["reason"])?;
    let reason = text(&body, "reason")?.unwrap_or_default();
    Ok(match answer(api, operator, id, end, &reason).await? {
        Taken::Ended(hold) => json(StatusCode::OK, &shown(&hold)),
        Taken::Seconded(hold) => json(StatusCode::ACCEPTED, &shown(&hold)),
    })
}
