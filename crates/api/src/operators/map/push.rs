//! `POST /api/v1/map`: a new version.
//!
//! What it was made from is said by `parent` in the body or by `If-Match`: a push onto something else than what is in force
//! is refused (409, 412) and told whose version that is. Without either it is 428 (RFC 6585 section 3).

use axon_controller::versions::{Offer, Outcome};
use axon_model::MapVersion;
use axon_store::maps::Expected;
use axon_store::operators::Permission;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json as value};

use super::{files, hash, only, shown, text};
use crate::body::JsonBody;
use crate::operators::auth::operators;
use crate::operators::problem::of_refusal;
use crate::operators::{Operator, Problem, json, run};
use crate::state::Api;

/// Takes the version, or keeps it for a second person.
pub(in crate::operators) async fn handle(
    State(api): State<Api>,
    operator: Operator,
    request: Request,
) -> Result<Response, Problem> {
    operator.needs(Permission::MapPush)?;
    let condition = if_match(request.headers())?;
    let JsonBody(body) = JsonBody::from_request(request, &api).await.map_err(|refused| refused.0)?;
    only(&body, &["files", "comment", "parent", "run"])?;
    let expected = expected(&body, condition.clone())?;
    let mut identity = operator.identity.clone();
    if let Some(job) = &mut identity.job {
        only_run(&body["run"])?;
        run::declare(job, text(&body["run"], "pipeline")?, text(&body["run"], "commit")?);
    }
    let offer = Offer {
        files: files(&body)?,
        author: identity,
        comment: text(&body, "comment")?.unwrap_or_default(),
        expected,
        second_person: operator.second_person,
    };
    let outcome = operators(&api)?.gate.offer(api.store.as_ref(), offer, operator.act(&api)).await;
    let outcome = outcome.map_err(|refusal| of_refusal(refusal, condition.is_some()))?;
    Ok(answer(&api, &outcome))
}

fn answer(api: &Api, outcome: &Outcome) -> Response {
    match outcome {
        Outcome::Taken(head) => {
            json(StatusCode::CREATED, &value!({ "outcome": "in-force", "version": shown::head(head) }))
        }
        Outcome::Same(head) => {
            json(StatusCode::OK, &value!({ "outcome": "unchanged", "version": shown::head(head) }))
        }
        Outcome::Waits(proposal) => {
            let proposal = shown::proposal(proposal, api.clock.now());
            json(StatusCode::ACCEPTED, &value!({ "outcome": "proposed", "proposal": proposal }))
        }
    }
}

fn only_run(run: &Value) -> Result<(), Problem> {
    if run.is_null() { Ok(()) } else { only(run, &["pipeline", "commit"]) }
}

/// What must be in force: by the header, or by the body.
fn expected(body: &Value, condition: Option<Expected>) -> Result<Expected, Problem> {
    let parent = match body.get("parent") {
        None => None,
        Some(Value::Null) => Some(Expected::Parent(None)),
        Some(Value::String(parent)) => Some(Expected::Parent(Some(hash(parent)?))),
        Some(_) => {
            return Err(Problem::bad("`parent` must be a hash, or null where nothing is in force yet"));
        }
    };
    match (parent, condition) {
        (Some(parent), Some(condition)) if parent != condition && condition != Expected::Anything => {
            let detail = "`parent` and If-Match name two versions";
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "two-parents", detail))
        }
        (Some(parent), _) => Ok(parent),
        (None, Some(condition)) => Ok(condition),
        (None, None) => Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "parent-missing",
            "say what this version was made from: `parent` in the body, or If-Match with the entity tag of GET /api/v1/map",
        )),
    }
}

/// One entity tag, or `*` for whatever is in force (RFC 9110 section 13.1.1).
fn if_match(headers: &HeaderMap) -> Result<Option<Expected>, Problem> {
    let mut given = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let bad = || Problem::bad("If-Match must be one entity tag of GET /api/v1/map, or *");
    let text = value.to_str().map_err(|_| bad())?.trim();
    if given.next().is_some() {
        return Err(bad());
    }
    if text == "*" {
        return Ok(Some(Expected::Anything));
    }
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(bad)?;
    let version: MapVersion = hash(inner).map_err(|_| bad())?;
    Ok(Some(Expected::Parent(Some(version))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn on(version: &str) -> Expected {
        Expected::Parent(Some(MapVersion(version.into())))
    }

    #[test]
    fn a_condition_is_one_strong_tag_or_a_star() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_MATCH, value.parse().unwrap());
            }
            if_match(&headers).map_err(|problem| problem.code())
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["*"]), Ok(Some(Expected::Anything)));
        assert_eq!(read(&[&format!("\"{}\"", A.to_uppercase())]), Ok(Some(on(A))));
        let weak = format!("W/\"{A}\"");
        for bad in [&[A][..], &[&weak], &["\"a\""], &["*", "*"], &[""]] {
            assert_eq!(read(bad), Err("bad-request"), "{bad:?}");
        }
    }

    #[test]
    fn a_push_says_what_it_was_made_from() {
        let of = |body: Value, condition| expected(&body, condition).map_err(|problem| problem.code());
        assert_eq!(of(value!({ "parent": A }), None), Ok(on(A)));
        assert_eq!(of(value!({ "parent": null }), None), Ok(Expected::Parent(None)));
        assert_eq!(of(value!({}), Some(on(A))), Ok(on(A)));
        assert_eq!(of(value!({ "parent": A }), Some(Expected::Anything)), Ok(on(A)));
        assert_eq!(of(value!({}), None), Err("parent-missing"));
        assert_eq!(of(value!({ "parent": 7 }), None), Err("bad-request"));
        assert_eq!(of(value!({ "parent": null }), Some(on(A))), Err("two-parents"));
    }
}
