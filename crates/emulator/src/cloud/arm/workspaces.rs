//! A Synapse workspace as a resource: who administers its SQL, and what its own identity may do there.

use serde_json::json;

use super::allowed;
use crate::cloud::Desk;
use crate::cloud::reply::Reply;
use crate::cloud::state::SqlAdministrator;

const KIND: &str = "/providers/microsoft.synapse/workspaces/";

/// The answer to a GET of a workspace, or of a part of it that is known here.
pub(super) fn answer(desk: &Desk<'_>, path: &str) -> Option<Reply> {
    let lower = path.to_ascii_lowercase();
    let (_, rest) = lower.split_once(KIND)?;
    let (name, part) = rest.split_once('/').unwrap_or((rest, ""));
    let known = ["", "administrators/activedirectory", "sqladministrators/activedirectory"];
    let control = part == "managedidentitysqlcontrolsettings/default";
    if desk.request.method != "GET" || !(known.contains(&part) || control) {
        return None;
    }
    let at = &path[..path.len() - if part.is_empty() { 0 } else { part.len() + 1 }];
    if let Err(refusal) = allowed(desk, "Microsoft.Synapse/workspaces/read", at) {
        return Some(*refusal);
    }
    let missing = || {
        let text = format!("The Resource 'Microsoft.Synapse/workspaces/{name}' was not found.");
        Reply::error(404, "ResourceNotFound", &text)
    };
    let Some(own) = desk.state.workspaces.iter().find(|own| own.name.eq_ignore_ascii_case(name)) else {
        return Some(missing());
    };
    let administrator = |who: &Option<SqlAdministrator>| {
        who.as_ref().map_or_else(missing, |who| {
            Reply::ok(&json!({"id": path, "name": "activeDirectory", "properties": {
                "administratorType": "ActiveDirectory", "login": who.login, "sid": who.sid, "tenantId": desk.state.tenant_id}}))
        })
    };
    Some(match part {
        "administrators/activedirectory" => administrator(&own.entra_admin),
        "sqladministrators/activedirectory" => administrator(&own.serverless_admin),
        "" => {
            let identity = own.identity.as_ref().map(
                |id| json!({"type": "SystemAssigned", "principalId": id, "tenantId": desk.state.tenant_id}),
            );
            Reply::ok(
                &json!({"id": path, "name": own.name, "type": "Microsoft.Synapse/workspaces", "identity": identity,
                "properties": {"sqlAdministratorLogin": own.sql_admin, "azureADOnlyAuthentication": own.entra_only,
                    "provisioningState": "Succeeded"}}),
            )
        }
        _ => {
            let state = if own.identity_controls_sql { "Enabled" } else { "Disabled" };
            Reply::ok(&json!({"id": path, "name": "default", "properties": {
                "grantSqlControlToManagedIdentity": {"desiredState": state, "actualState": state}}}))
        }
    })
}
