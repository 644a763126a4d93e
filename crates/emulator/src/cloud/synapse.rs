//! The data plane of a Synapse workspace: its own roles (reference 7.1, 7.2).

mod access;
mod assignments;
mod roles;
mod scope;

use serde_json::{Value, json};

use super::Desk;
use super::reply::Reply;
use super::state::Workspace;

const VERSIONS: [&str; 2] = ["2020-12-01", "2020-08-01-preview"];

pub(super) fn answer(desk: &mut Desk<'_>) -> Reply {
    let path = desk.request.decoded_path();
    let (workspace, rest) = match path.strip_prefix("/synapse/") {
        Some(rest) => {
            let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
            (desk.state.workspaces.iter().position(|own| own.name.eq_ignore_ascii_case(name)), rest)
        }
        None => ((!desk.state.workspaces.is_empty()).then_some(0), path.trim_start_matches('/')),
    };
    let Some(workspace) = workspace else {
        return Reply::error(404, "WorkspaceNotFound", "There is no such workspace.");
    };
    if desk.state.workspaces[workspace].closed {
        return Reply::error(
            403,
            "ClientIpAddressNotAuthorized",
            "Client IP address is not authorized to access the workspace.",
        );
    }
    let version = desk.request.parameter("api-version").unwrap_or_default();
    if !VERSIONS.contains(&version.as_str()) {
        return Reply::error(400, "InvalidApiVersion", "The api-version is missing or not supported.");
    }
    let steps: Vec<&str> = rest.split('/').filter(|step| !step.is_empty()).collect();
    let (resource, more) = steps.split_first().map_or(("", &[][..]), |(first, more)| (*first, more));
    let method = desk.request.method.clone();
    let needed = match (method.as_str(), resource) {
        ("PUT", "roleAssignments") => "Microsoft.Synapse/workspaces/roleAssignments/write",
        ("DELETE", "roleAssignments") => "Microsoft.Synapse/workspaces/roleAssignments/delete",
        _ => "Microsoft.Synapse/workspaces/read",
    };
    if let Err(refusal) = allowed(desk, workspace, needed) {
        return *refusal;
    }
    match (method.as_str(), resource, more) {
        ("GET", "roleDefinitions", []) => Reply::ok(&definitions(desk)),
        ("GET", "roleDefinitions", [id]) => match roles::find(id) {
            Some(role) => Reply::ok(&roles::shown(role)),
            None => Reply::error(404, "RoleDefinitionNotFound", "The role definition does not exist."),
        },
        ("GET", "rbacScopes", []) => Reply::ok(&Value::from(scope::TEMPLATES.to_vec())),
        ("GET", "roleAssignments", []) => assignments::list(desk, workspace),
        ("GET", "roleAssignments", [id]) => assignments::get(desk, workspace, id),
        ("PUT", "roleAssignments", [id]) => assignments::put(desk, workspace, id),
        ("DELETE", "roleAssignments", [id]) => assignments::delete(desk, workspace, id),
        ("POST", "checkAccessSynapseRbac", []) => access::check(desk, workspace),
        _ => Reply::error(404, "NotFound", "There is no such thing."),
    }
}

fn definitions(desk: &Desk<'_>) -> Value {
    let custom_only = desk.request.parameter("isBuiltIn").as_deref() == Some("false");
    let scope = desk.request.parameter("scope");
    let fits = |role: &&roles::Role| scope.as_ref().is_none_or(|scope| roles::fits(role, scope));
    let all: Vec<Value> =
        if custom_only { Vec::new() } else { roles::ALL.iter().filter(fits).map(roles::shown).collect() };
    Value::from(all)
}

fn allowed(desk: &Desk<'_>, workspace: usize, needed: &str) -> Result<(), Box<Reply>> {
    let own: &Workspace = &desk.state.workspaces[workspace];
    let mut rows = own.assignments.iter().filter(|row| desk.caller.is(&row.principal_id));
    let whole = format!("workspaces/{}", own.name);
    // Reading takes any role anywhere in the workspace; changing takes one that allows it on the whole.
    let holds = rows.any(|row| {
        let role = roles::find(&row.role_definition_id);
        needed == roles::READ
            || (row.scope.eq_ignore_ascii_case(&whole)
                && role.is_some_and(|role| roles::allows(role, needed)))
    });
    if holds || !desk.state.settings.enforce {
        return Ok(());
    }
    let text = format!(
        "The principal '{}' does not have the required Synapse RBAC permission to perform this action. Required permission: Action: {needed}, Scope: workspaces/{}/*.",
        desk.caller.id, own.name
    );
    Err(Box::new(Reply::json(403, &json!({"error": {"code": "Unauthorized", "message": text}}))))
}
