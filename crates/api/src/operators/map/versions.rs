//! `GET /api/v1/map/versions` and `/api/v1/map/versions/{hash}`.

use axon_controller::versions;
use axon_store::operators::Permission;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json as value};

use super::{hash, shown};
use crate::operators::{Operator, Problem, json};
use crate::state::Api;

/// The most versions of one page.
const MOST: u32 = 100;
/// The largest number of a version, as programs count without a loss.
const LARGEST: u64 = 1 << 53;

/// Versions, newest first; `before` is the number of the last one that was seen.
pub(in crate::operators) async fn list(
    State(api): State<Api>,
    operator: Operator,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    operator.needs(Permission::MapRead)?;
    let (mut before, mut limit) = (None, 20);
    for (key, given) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match (&*key, given.parse::<u64>()) {
            ("before", Ok(number @ 0..=LARGEST)) => before = Some(number),
            ("limit", Ok(number @ 1..=100)) => limit = u32::try_from(number).unwrap_or(MOST),
            _ => return Err(Problem::bad("the parameters are `before` (a number) and `limit` (1 to 100)")),
        }
    }
    let heads = api.store.map_heads(before, limit).await?;
    let next = heads.last().filter(|_| heads.len() == limit as usize).map(|head| head.number);
    let list: Vec<Value> = heads.iter().map(shown::head).collect();
    Ok(json(StatusCode::OK, &value!({ "versions": list, "next_before": next })))
}

/// One version, with its text.
pub(in crate::operators) async fn one(
    State(api): State<Api>,
    operator: Operator,
    Path(version): Path<String>,
) -> Result<Response, Problem> {
    operator.needs(Permission::MapRead)?;
    let map = api.store.map(&hash(&version)?).await?;
    let map = map.ok_or_else(|| Problem::not_found("no version with this hash is or was in force"))?;
    let map = versions::accepted(&*api.store, map).await?;
    Ok(json(StatusCode::OK, &shown::stored(&map)))
}
