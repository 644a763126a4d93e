//! Role assignments and definitions of Azure Resource Manager (reference 7.3), and the state of a pool (6.4).

mod assignments;
mod definitions;
mod filter;
mod identities;
mod roles;
mod scope;
mod workspaces;

use serde_json::{Value, json};

use super::Desk;
use super::reply::Reply;
use crate::pool::Power;

const ASSIGNMENTS: &str = "/providers/microsoft.authorization/roleassignments";
const DEFINITIONS: &str = "/providers/microsoft.authorization/roledefinitions";

pub(super) fn answer(desk: &mut Desk<'_>) -> Reply {
    let path = desk.request.decoded_path();
    let path = path.trim_end_matches('/');
    if desk.request.parameter("api-version").is_none_or(|version| version.is_empty()) {
        return Reply::error(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        );
    }
    let lower = path.to_ascii_lowercase();
    if let Some(subscription) = scope::subscription(&lower)
        && !desk.state.subscriptions.is_empty()
        && !desk.state.subscriptions.iter().any(|own| own.eq_ignore_ascii_case(subscription))
    {
        return Reply::error(
            404,
            "SubscriptionNotFound",
            &format!("The subscription '{subscription}' could not be found."),
        );
    }
    let split = |kind: &str| {
        let at = lower.rfind(kind)?;
        let rest = &path[at + kind.len()..];
        (rest.is_empty() || rest.starts_with('/'))
            .then(|| (path[..at].to_owned(), rest.trim_start_matches('/').to_owned()))
    };
    if let Some((scope, name)) = split(ASSIGNMENTS) {
        return assignments::answer(desk, &scope, &name);
    }
    if let Some((scope, name)) = split(DEFINITIONS) {
        return definitions::answer(desk, &scope, &name);
    }
    if let Some((_, rest)) = lower.split_once("/providers/microsoft.synapse/workspaces/")
        && rest.split('/').nth(1) == Some("sqlpools")
        && desk.request.method == "GET"
    {
        let name = rest.split('/').nth(2).unwrap_or_default();
        let status = match desk.power {
            Power::Online => "Online",
            Power::Paused => "Paused",
            Power::Resuming => "Resuming",
            Power::Scaling => "Scaling",
        };
        return Reply::ok(&json!({"id": path, "name": name, "type": "Microsoft.Synapse/workspaces/sqlPools",
            "properties": {"status": status, "provisioningState": "Succeeded"}}));
    }
    if let Some(reply) = identities::answer(desk, path) {
        return reply;
    }
    if let Some(reply) = workspaces::answer(desk, path) {
        return reply;
    }
    Reply::error(
        404,
        "InvalidResourceType",
        "The resource type could not be found in the namespace for this api version.",
    )
}

/// Whether the caller may do something at a scope, else the 403.
fn allowed(desk: &Desk<'_>, action: &str, scope: &str) -> Result<(), Box<Reply>> {
    let holds = desk.state.assignments.iter().any(|row| {
        scope::covers(&row.scope, scope)
            && desk.caller.is(&row.principal_id)
            && roles::permissions(desk.state, &row.role).is_some_and(|own| roles::allow(&own, action))
    });
    if holds || !desk.state.settings.enforce {
        return Ok(());
    }
    let id = &desk.caller.id;
    let client = desk.caller.client.as_ref().unwrap_or(id);
    let text = format!(
        "The client '{client}' with object id '{id}' does not have authorization or an ABAC condition not fulfilled to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    );
    Err(Box::new(Reply::error(403, "AuthorizationFailed", &text)))
}

/// A page of a list with its link. Each item comes with the number that orders it.
fn page(desk: &Desk<'_>, items: &[(u64, Value)]) -> Reply {
    let from = match desk.request.parameter("$skipToken").map(|token| token.parse::<u64>()) {
        None => 0,
        Some(Ok(last)) => items.partition_point(|(own, _)| *own <= last),
        Some(Err(_)) => return Reply::error(400, "InvalidSkipToken", "The skip token is not valid."),
    };
    let size = desk.state.settings.arm_page.max(1);
    let shown: Vec<&Value> = items.iter().skip(from).take(size).map(|(_, item)| item).collect();
    let mut body = json!({"value": shown});
    if let Some((last, _)) = items.get(from + size - 1).filter(|_| items.len() > from + size) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(desk.request.query.as_bytes()) {
            if !name.eq_ignore_ascii_case("$skipToken") {
                query.append_pair(&name, &value);
            }
        }
        query.append_pair("$skipToken", &last.to_string());
        body["nextLink"] =
            format!("{}{}?{}", desk.request.origin(), desk.request.path, query.finish()).into();
    }
    Reply::ok(&body)
}
