//! `checkAccessSynapseRbac`: what is in force, which is later than what is assigned.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{roles, scope};
use crate::cloud::Desk;
use crate::cloud::reply::Reply;
use crate::cloud::token::bearer::groups_of;

/// The most actions that are asked about at once.
const MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    subject: Subject,
    actions: Vec<Action>,
    scope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    principal_id: String,
    #[serde(default)]
    group_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    id: String,
    #[serde(default)]
    is_data_action: bool,
}

pub(super) fn check(desk: &Desk<'_>, workspace: usize) -> Reply {
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
    if body.actions.len() > MOST || scope::template(&body.scope).is_none() {
        return Reply::error(400, "InvalidRequestContent", "The actions are too many, or the scope is none.");
    }
    let mut principals = groups_of(desk.directory, &body.subject.principal_id);
    principals.extend(body.subject.group_ids);
    principals.push(body.subject.principal_id);
    let now = desk.now.unix_timestamp();
    let rows: Vec<_> = desk.state.workspaces[workspace]
        .assignments
        .iter()
        .filter(|row| row.effective_from <= now && scope::covers(&row.scope, &body.scope))
        .filter(|row| principals.iter().any(|id| id.eq_ignore_ascii_case(&row.principal_id)))
        .filter_map(|row| roles::find(&row.role_definition_id).map(|role| (row, role)))
        .collect();
    let decisions: Vec<Value> = body
        .actions
        .iter()
        .map(|action| {
            // Built-in roles allow data actions only.
            let by = rows.iter().find(|(_, role)| action.is_data_action && roles::allows(role, &action.id));
            let word = if by.is_some() { "Allowed" } else { "NotAllowed" };
            let mut decision = json!({"accessDecision": word, "actionId": action.id});
            if let Some((row, _)) = by {
                decision["roleAssignment"] = json!({"id": row.id, "roleDefinitionId": row.role_definition_id,
                    "principalId": row.principal_id, "scope": row.scope, "principalType": row.principal_type});
            }
            decision
        })
        .collect();
    Reply::ok(&json!({"AccessDecisions": decisions}))
}
