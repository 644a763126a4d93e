//! POST of a search (RFC 7644 section 3.4.3): the parameters of a list in the body, so that no filter stands in an address.

use axon_scim::ListQuery;
use axum::extract::State;
use axum::response::Response;

use super::answer_list;
use crate::body::JsonBody;
use crate::call::Call;
use crate::reply::Refused;
use crate::state::Api;

/// Lists groups as the body says; what the address says does not count.
#[tracing::instrument(level = "debug", name = "scim.groups.search", skip_all, fields(source.id = %call.source))]
pub async fn handle(
    State(api): State<Api>,
    call: Call,
    JsonBody(body): JsonBody,
) -> Result<Response, Refused> {
    let call = Call { query: ListQuery::from_search(body)?, ..call };
    answer_list(&api, &call).await
}
