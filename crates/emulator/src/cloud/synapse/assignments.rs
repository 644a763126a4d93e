//! Role assignments of a workspace: no update, no two of the same content, pages by a header.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{roles, scope};
use crate::cloud::Desk;
use crate::cloud::guid::is_guid;
use crate::cloud::reply::Reply;
use crate::cloud::state::SynapseRow;

/// Goes out with a page that is not the last, comes back with the request for the next.
const CONTINUATION: &str = "x-ms-continuation";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    role_id: String,
    principal_id: String,
    scope: String,
    principal_type: Option<String>,
}

fn shown(row: &SynapseRow) -> Value {
    json!({"id": row.id, "roleDefinitionId": row.role_definition_id, "principalId": row.principal_id, "scope": row.scope,
        "principalType": row.principal_type})
}

pub(super) fn list(desk: &Desk<'_>, workspace: usize) -> Reply {
    let wanted = |name| desk.request.parameter(name).filter(|value| !value.is_empty());
    let (role, principal, at) = (wanted("roleId"), wanted("principalId"), wanted("scope"));
    let same = |own: &str, wanted: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| own.eq_ignore_ascii_case(wanted))
    };
    let mut rows: Vec<&SynapseRow> = desk.state.workspaces[workspace]
        .assignments
        .iter()
        .filter(|row| same(&row.role_definition_id, &role) && same(&row.principal_id, &principal))
        // A scope lets through what is inherited there and what stands below it.
        .filter(|row| {
            at.as_ref().is_none_or(|at| scope::covers(&row.scope, at) || scope::covers(at, &row.scope))
        })
        .collect();
    rows.sort_by_key(|row| row.sequence);
    let from = match desk.request.header(CONTINUATION).map(str::parse::<u64>) {
        None => 0,
        Some(Ok(last)) => rows.partition_point(|row| row.sequence <= last),
        Some(Err(_)) => {
            return Reply::error(400, "InvalidContinuationToken", "The continuation token is not valid.");
        }
    };
    let size = desk.state.settings.synapse_page.max(1);
    let page: Vec<Value> = rows.iter().skip(from).take(size).map(|row| shown(row)).collect();
    let reply = Reply::ok(&json!({"count": page.len(), "value": page}));
    match rows.get(from + size - 1).filter(|_| rows.len() > from + size) {
        Some(last) => reply.header(CONTINUATION, last.sequence.to_string()),
        None => reply,
    }
}

fn missing(id: &str) -> Reply {
    let shown: String = id.chars().take(100).collect();
    Reply::error(404, "RoleAssignmentNotFound", &format!("The role assignment '{shown}' does not exist."))
}

pub(super) fn get(desk: &Desk<'_>, workspace: usize, id: &str) -> Reply {
    let found =
        desk.state.workspaces[workspace].assignments.iter().find(|row| row.id.eq_ignore_ascii_case(id));
    found.map_or_else(|| missing(id), |row| Reply::ok(&shown(row)))
}

pub(super) fn delete(desk: &mut Desk<'_>, workspace: usize, id: &str) -> Reply {
    let at = desk.request.parameter("scope");
    let rows = &mut desk.state.workspaces[workspace].assignments;
    let before = rows.len();
    rows.retain(|row| {
        !row.id.eq_ignore_ascii_case(id) || at.as_ref().is_some_and(|at| !at.eq_ignore_ascii_case(&row.scope))
    });
    Reply::empty(if rows.len() < before { 200 } else { 204 })
}

/// The codes of the refusals but `RoleAssignmentAlreadyExists` are not recorded anywhere: the reference counts them as unconfirmed.
pub(super) fn put(desk: &mut Desk<'_>, workspace: usize, id: &str) -> Reply {
    let body: Body = match desk.request.json() {
        Ok(body) => body,
        Err(error) => {
            return Reply::error(
                400,
                "InvalidRequestContent",
                &format!("The request body is not valid: {error}"),
            );
        }
    };
    let own = &desk.state.workspaces[workspace];
    if !is_guid(id) || !is_guid(&body.principal_id) {
        return Reply::error(
            400,
            "InvalidRoleAssignmentId",
            "The id of the role assignment or of the principal is not a GUID.",
        );
    }
    let Some(role) = roles::find(&body.role_id) else {
        return Reply::error(400, "RoleDefinitionNotFound", "The role definition does not exist.");
    };
    if !scope::is_of(&body.scope, &own.name) || !roles::fits(role, &body.scope) {
        return Reply::error(400, "InvalidScope", "The role cannot be assigned at this scope.");
    }
    if body
        .principal_type
        .as_deref()
        .is_some_and(|kind| !["User", "Group", "ServicePrincipal"].contains(&kind))
    {
        return Reply::error(400, "InvalidPrincipalType", "The principal type is not valid.");
    }
    let same = |row: &&SynapseRow| {
        row.role_definition_id.eq_ignore_ascii_case(&body.role_id)
            && row.principal_id.eq_ignore_ascii_case(&body.principal_id)
            && row.scope.eq_ignore_ascii_case(&body.scope)
    };
    if own.assignments.iter().any(|row| same(&row)) {
        let text = format!(
            "Role Assignment with roleId '{}', principalId '{}' and scope '{}' within workspace '{}' already exists.",
            body.role_id, body.principal_id, body.scope, own.name
        );
        return Reply::error(409, "RoleAssignmentAlreadyExists", &text);
    }
    if own.assignments.iter().any(|row| row.id.eq_ignore_ascii_case(id)) {
        return Reply::error(
            409,
            "RoleAssignmentIdExists",
            "A role assignment with this id and another content exists.",
        );
    }
    let row = SynapseRow {
        id: id.to_owned(),
        role_definition_id: role.id.to_owned(),
        principal_id: body.principal_id,
        scope: body.scope,
        principal_type: body.principal_type,
        effective_from: desk.now.unix_timestamp().saturating_add(desk.state.settings.synapse_effect_seconds),
        sequence: desk.state.next(),
    };
    let reply = Reply::ok(&shown(&row));
    desk.state.workspaces[workspace].assignments.push(row);
    reply
}
