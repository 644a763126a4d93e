//! `/Users`: one file a verb.

pub mod at_once;
pub mod create;
pub mod delete;
pub mod get;
mod kept;
pub mod list;
pub mod patch;
pub mod replace;
pub mod search;

use axon_model::UserId;
use axon_scim::{ResourceKind, ScimError};
use axum::response::Response;

use super::render::View;
use super::{page, refused};
use crate::call::Call;
use crate::reply::Refused;
use crate::state::Api;

/// The kind of resource that this folder serves.
const KIND: ResourceKind = ResourceKind::User;

/// An id that is not one of ours is nobody's: 404, not 400.
fn parse_id(text: &str) -> Result<UserId, ScimError> {
    text.parse().map_err(|_| ScimError::no_such_resource(KIND, text))
}

/// The page that a query asks for.
async fn answer_list(api: &Api, call: &Call) -> Result<Response, Refused> {
    let projection = call.projection(api, KIND)?;
    let query = page::query(api, call, KIND, projection.wants("groups"))?;
    let name = if kept::may_be(call, &projection) { kept::one_name(&query) } else { None };
    let shown = |name| api.reads.named(&call.source, name, |user| kept::answer_list(&call.base, user));
    if let Some(answer) = name.as_deref().and_then(shown) {
        return Ok(answer);
    }
    let reading = if name.is_some() { api.reads.begin().await } else { None };
    let found = api.store.list_users(&call.source, query).await.map_err(|error| refused(&error))?;
    if let [only] = &found.items[..] {
        kept::keep(api, call, reading, only);
    }
    Ok(page::answer(View::new(api, call, &projection), &found))
}
