//! `/Bulk` (RFC 7644 section 3.7): many requests in one body. Each is carried out by the handler that it would have come to by
//! itself, in an order in which what is named is there.

use axon_scim::bulk::Done;
use axon_scim::{BulkMethod, BulkRequest, BulkRun, BulkStep, ListQuery, ResourceKind, ScimError};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::segment::Segment;
use super::{groups, users};
use crate::body::JsonBody;
use crate::call::{Call, Condition};
use crate::care::Operation;
use crate::reply::{Refused, scim_json};
use crate::routes::Route;
use crate::state::Api;

/// The most operations of one request.
pub const MAX_OPERATIONS: usize = 1000;

/// Does the operations one by one. Each is atomic by itself; all of them are no transaction.
#[tracing::instrument(level = "debug", name = "scim.bulk", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    JsonBody(body): JsonBody,
) -> Result<Response, Refused> {
    let request = BulkRequest::parse(body, MAX_OPERATIONS, &call.base)?;
    let mut run = BulkRun::new(request, &call.base);
    while let Some(step) = run.next_step() {
        let outcome = carry_out(&api, &call, step).await;
        run.done(outcome);
    }
    Ok(scim_json(StatusCode::OK, &run.finish()))
}

async fn carry_out(api: &Api, call: &Call, step: BulkStep) -> Result<Done, ScimError> {
    let known = step.id.clone();
    let operation = Operation::of(step.method.as_str(), route(&step).name(), &step.data);
    let outcome = match call.permits_write(step.kind) {
        Ok(()) => send(api, call, step).await.map_err(|Refused(error)| error),
        Err(error) => Err(error),
    };
    // The answer to the whole is 200 whatever became of its parts.
    let error = outcome.as_ref().err();
    api.care.enter_operation(&call.source, &call.request, operation, error, api.clock.as_ref());
    outcome.map(|response| told(&response, known))
}

/// The route of the request that a step stands for.
const fn route(step: &BulkStep) -> Route {
    match (step.kind, step.method) {
        (ResourceKind::User, BulkMethod::Post) => Route::Users,
        (ResourceKind::User, _) => Route::User,
        (ResourceKind::Group, BulkMethod::Post) => Route::Groups,
        (ResourceKind::Group, _) => Route::Group,
    }
}

/// What came of a step, from its answer. The body is short, since the id alone was asked for, and is dropped.
fn told(response: &Response, known: Option<String>) -> Done {
    let header = |name: header::HeaderName| response.headers().get(name).and_then(|v| v.to_str().ok());
    let made = || header(header::LOCATION)?.rsplit('/').next().map(str::to_owned);
    Done {
        status: response.status().as_u16(),
        id: known.or_else(made).unwrap_or_default(),
        version: header(header::ETAG).map(str::to_owned),
    }
}

/// The step as the request that it stands for. The answer needs no more than an id, so nothing else is read for it.
async fn send(api: &Api, call: &Call, step: BulkStep) -> Result<Response, Refused> {
    let call = Call {
        query: ListQuery { attributes: Some("id".to_owned()), ..ListQuery::default() },
        if_match: step.version.as_deref().map_or(Condition::None, |tag| Condition::of(&[tag])),
        if_none_match: Condition::None,
        ..call.clone()
    };
    let (api, body) = (State(api.clone()), JsonBody(step.data));
    let id = Segment(step.id.unwrap_or_default());
    match (step.kind, step.method) {
        (ResourceKind::User, BulkMethod::Post) => users::create::handle(api, call, body).await,
        (ResourceKind::User, BulkMethod::Put) => users::replace::handle(api, call, id, body).await,
        (ResourceKind::User, BulkMethod::Patch) => users::patch::handle(api, call, id, body).await,
        (ResourceKind::User, BulkMethod::Delete) => gone(users::delete::handle(api, call, id).await),
        (ResourceKind::Group, BulkMethod::Post) => groups::create::handle(api, call, body).await,
        (ResourceKind::Group, BulkMethod::Put) => groups::replace::handle(api, call, id, body).await,
        (ResourceKind::Group, BulkMethod::Patch) => groups::patch::handle(api, call, id, body).await,
        (ResourceKind::Group, BulkMethod::Delete) => gone(groups::delete::handle(api, call, id).await),
    }
}

fn gone(status: Result<StatusCode, Refused>) -> Result<Response, Refused> {
    status.map(StatusCode::into_response)
}
