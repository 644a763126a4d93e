//! Role assignments: one for each principal, role and scope; the name is the client's, and new content never gets an old name.

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::filter::Filter;
use super::{allowed, page, roles, scope};
use crate::cloud::Desk;
use crate::cloud::guid::is_guid;
use crate::cloud::reply::Reply;
use crate::cloud::state::ArmRow;
use crate::cloud::token::bearer::groups_of;

/// The most of one management group.
const MOST_OF_MANAGEMENT_GROUP: usize = 500;
const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const ACCESS_ADMINISTRATOR: &str = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9";

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    principal_id: String,
    principal_type: Option<String>,
    description: Option<String>,
    condition: Option<String>,
    condition_version: Option<String>,
}

pub(super) fn answer(desk: &mut Desk<'_>, at: &str, name: &str) -> Reply {
    let method = desk.request.method.clone();
    let action = match method.as_str() {
        "PUT" => "Microsoft.Authorization/roleAssignments/write",
        "DELETE" => "Microsoft.Authorization/roleAssignments/delete",
        _ => "Microsoft.Authorization/roleAssignments/read",
    };
    if let Err(refusal) = allowed(desk, action, at) {
        return *refusal;
    }
    match (method.as_str(), name) {
        ("GET", "") => list(desk, at),
        ("GET", name) => {
            let found = desk.state.assignments.iter().find(|row| is(row, at, name));
            let text = || {
                format!("The role assignment '{}' is not found.", name.chars().take(100).collect::<String>())
            };
            found.map_or_else(
                || Reply::error(404, "RoleAssignmentNotFound", &text()),
                |row| Reply::ok(&shown(row)),
            )
        }
        ("PUT", name) if !name.is_empty() => put(desk, at, name),
        ("DELETE", name) if !name.is_empty() => delete(desk, at, name),
        _ => Reply::error(405, "MethodNotAllowed", "The method is not allowed."),
    }
}

fn is(row: &ArmRow, at: &str, name: &str) -> bool {
    row.name.eq_ignore_ascii_case(name) && row.scope.eq_ignore_ascii_case(at)
}

fn shown(row: &ArmRow) -> Value {
    let lower = row.scope.to_ascii_lowercase();
    let head = scope::subscription(&lower).map(|id| format!("/subscriptions/{id}")).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(row.created).ok().and_then(|at| at.format(&Rfc3339).ok());
    let kind = if row.principal_type.is_empty() { "Unknown" } else { &row.principal_type };
    json!({
        "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{}", row.scope, row.name),
        "name": row.name, "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("{head}/providers/Microsoft.Authorization/roleDefinitions/{}", row.role),
            "principalId": row.principal_id, "principalType": kind, "scope": if row.scope.is_empty() { "/" } else { &row.scope },
            "description": row.description, "condition": row.condition, "conditionVersion": row.condition_version,
            "createdOn": at, "updatedOn": at, "createdBy": row.created_by, "updatedBy": row.created_by,
        },
    })
}

fn list(desk: &Desk<'_>, at: &str) -> Reply {
    let filter = match desk.request.parameter("$filter").map(|text| Filter::parse(&text)) {
        None => Filter::default(),
        Some(Some(filter)) => filter,
        Some(None) => {
            return Reply::error(
                400,
                "InvalidFilter",
                "The filter is not supported. Supported filters are 'atScope()', 'principalId eq {value}' and 'assignedTo({value})'.",
            );
        }
    };
    let groups = filter.assigned_to.as_ref().map(|id| {
        let mut all = groups_of(desk.directory, id);
        all.push(id.clone());
        all
    });
    let same = |own: &str, wanted: &str| own.eq_ignore_ascii_case(wanted);
    let mut found: Vec<&ArmRow> = desk
        .state
        .assignments
        .iter()
        .filter(|row| scope::covers(&row.scope, at) || (!filter.at_scope && scope::covers(at, &row.scope)))
        .filter(|row| filter.principal.as_ref().is_none_or(|id| same(&row.principal_id, id)))
        .filter(|row| groups.as_ref().is_none_or(|all| all.iter().any(|id| same(&row.principal_id, id))))
        .collect();
    found.sort_by_key(|row| row.sequence);
    let items: Vec<(u64, Value)> = found.into_iter().map(|row| (row.sequence, shown(row))).collect();
    page(desk, &items)
}

fn put(desk: &mut Desk<'_>, at: &str, name: &str) -> Reply {
    let properties = match desk.request.json::<Body>() {
        Ok(body) => body.properties,
        Err(error) => {
            return Reply::error(
                400,
                "InvalidRequestContent",
                &format!("The request content was invalid: {error}"),
            );
        }
    };
    if !is_guid(name) || !is_guid(&properties.principal_id) {
        return Reply::error(
            400,
            "InvalidRoleAssignmentId",
            "The role assignment ID or the principal ID is not a GUID.",
        );
    }
    let role = properties.role_definition_id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    if roles::permissions(desk.state, &role).is_none() {
        return Reply::error(
            400,
            "RoleDefinitionDoesNotExist",
            &format!("The specified role definition with ID '{role}' does not exist."),
        );
    }
    let custom = desk.state.definitions.iter().find(|own| own.name == role);
    if custom.is_some_and(|own| !own.assignable_scopes.iter().any(|own| scope::covers(own, at))) {
        return Reply::error(
            400,
            "InvalidRoleAssignmentScope",
            "The scope is not one of the role's assignable scopes.",
        );
    }
    let kind = match principal(desk, &properties) {
        Ok(kind) => kind,
        Err(refusal) => return *refusal,
    };
    let same = |row: &ArmRow| {
        row.role == role
            && row.scope.eq_ignore_ascii_case(at)
            && row.principal_id.eq_ignore_ascii_case(&properties.principal_id)
    };
    if let Some(row) = desk.state.assignments.iter().find(|row| row.name.eq_ignore_ascii_case(name)) {
        return if same(row) {
            Reply::ok(&shown(row))
        } else {
            Reply::error(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        };
    }
    if let Some(row) = desk.state.assignments.iter().find(|row| same(row)) {
        let text = format!(
            "The role assignment already exists. The ID of the existing role assignment is {}.",
            row.name.replace('-', "")
        );
        return Reply::error(409, "RoleAssignmentExists", &text);
    }
    if let Err(refusal) = room(desk, at) {
        return *refusal;
    }
    let row = ArmRow {
        name: name.to_ascii_lowercase(),
        scope: at.to_owned(),
        role,
        principal_id: properties.principal_id,
        principal_type: kind,
        description: properties.description,
        condition: properties.condition,
        condition_version: properties.condition_version,
        created: desk.now.unix_timestamp(),
        created_by: desk.caller.id.clone(),
        sequence: desk.state.next(),
    };
    let reply = Reply::json(201, &shown(&row));
    desk.state.assignments.push(row);
    reply
}

/// The kind of the principal. One that replication has not brought is refused, but for a person or a service whose kind is told.
fn principal(desk: &Desk<'_>, properties: &Properties) -> Result<String, Box<Reply>> {
    let id = &properties.principal_id;
    let is = |own: &str| own.eq_ignore_ascii_case(id);
    let told = properties.principal_type.as_deref();
    let known = if desk.directory.users.iter().any(|user| is(&user.object_id)) {
        Some("User")
    } else if desk.directory.groups.iter().any(|group| is(&group.object_id)) {
        Some("Group")
    } else if desk.directory.apps.iter().any(|app| is(&app.object_id)) {
        Some("ServicePrincipal")
    } else {
        None
    };
    let now = desk.now.unix_timestamp();
    let late = desk.state.known_from.iter().any(|(own, from)| is(own) && *from > now);
    match (known.filter(|_| !late), told) {
        (Some(known), Some(told)) if known != told => {
            let text = format!(
                "The PrincipalId '{id}' has type '{known}' , which is different from specified PrincipalType '{told}'."
            );
            Err(Box::new(Reply::error(400, "UnmatchedPrincipalType", &text)))
        }
        (Some(known), _) => Ok(known.to_owned()),
        (None, Some(told @ ("User" | "ServicePrincipal"))) => Ok(told.to_owned()),
        (None, _) => {
            let text = format!(
                "Principal {} does not exist in the directory {}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.",
                id.replace('-', ""),
                desk.state.tenant_id
            );
            Err(Box::new(Reply::error(400, "PrincipalNotFound", &text)))
        }
    }
}

/// Whether one more fits.
fn room(desk: &Desk<'_>, at: &str) -> Result<(), Box<Reply>> {
    let lower = at.to_ascii_lowercase();
    let counted = |most: usize, here: &dyn Fn(&str) -> bool| {
        let count = desk.state.assignments.iter().filter(|row| here(&row.scope.to_ascii_lowercase())).count();
        count < most
    };
    let fits = if let Some(own) = scope::subscription(&lower) {
        counted(desk.state.settings.arm_limit, &|other| scope::subscription(other) == Some(own))
    } else if scope::is_management_group(&lower) {
        counted(MOST_OF_MANAGEMENT_GROUP, &|other| other == lower)
    } else {
        true
    };
    if fits {
        return Ok(());
    }
    let text = "No more role assignments can be created (error code: RoleAssignmentLimitExceeded).";
    Err(Box::new(Reply::error(400, "RoleAssignmentLimitExceeded", text)))
}

fn delete(desk: &mut Desk<'_>, at: &str, name: &str) -> Reply {
    let Some(index) = desk.state.assignments.iter().position(|row| is(row, at, name)) else {
        return Reply::empty(204);
    };
    let administers = |row: &ArmRow| {
        [OWNER, ACCESS_ADMINISTRATOR].contains(&row.role.as_str()) && row.scope.eq_ignore_ascii_case(at)
    };
    let whole = at.matches('/').count() == 2;
    let last = desk.state.assignments.iter().filter(|row| administers(row)).count() == 1;
    if whole && last && administers(&desk.state.assignments[index]) {
        // The code is not recorded; the words are documented.
        return Reply::error(
            400,
            "RoleAssignmentDeleteNotPermitted",
            "Cannot delete the last RBAC admin assignment.",
        );
    }
    Reply::ok(&shown(&desk.state.assignments.remove(index)))
}
