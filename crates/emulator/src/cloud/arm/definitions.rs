//! Role definitions: read, custom ones written and removed.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{allowed, page, roles, scope};
use crate::cloud::Desk;
use crate::cloud::guid::is_guid;
use crate::cloud::reply::Reply;
use crate::cloud::state::{ArmDefinition, Permissions};

#[derive(Deserialize)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    permissions: Vec<Permissions>,
    #[serde(default)]
    assignable_scopes: Vec<String>,
}

pub(super) fn answer(desk: &mut Desk<'_>, at: &str, name: &str) -> Reply {
    let method = desk.request.method.clone();
    let action = match method.as_str() {
        "PUT" => "Microsoft.Authorization/roleDefinitions/write",
        "DELETE" => "Microsoft.Authorization/roleDefinitions/delete",
        _ => "Microsoft.Authorization/roleDefinitions/read",
    };
    if let Err(refusal) = allowed(desk, action, at) {
        return *refusal;
    }
    match (method.as_str(), name) {
        ("GET", "") => list(desk, at),
        ("GET", name) => find(desk, name).map_or_else(|| missing(name), |own| Reply::ok(&own)),
        ("PUT", name) if !name.is_empty() => put(desk, at, name),
        ("DELETE", name) if !name.is_empty() => delete(desk, name),
        _ => Reply::error(405, "MethodNotAllowed", "The method is not allowed."),
    }
}

fn missing(name: &str) -> Reply {
    let shown: String = name.chars().take(100).collect();
    Reply::error(
        404,
        "RoleDefinitionDoesNotExist",
        &format!("The specified role definition with ID '{shown}' does not exist."),
    )
}

fn built_in(role: &roles::BuiltIn) -> Value {
    json!({"id": format!("/providers/Microsoft.Authorization/roleDefinitions/{}", role.id), "name": role.id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {"roleName": role.name, "type": "BuiltInRole", "description": role.name,
            "assignableScopes": ["/"], "permissions": [role.permissions()]}})
}

fn custom(role: &ArmDefinition) -> Value {
    // A definition's id is told below its subscription, else at the root.
    let head = role.assignable_scopes.iter().find_map(|own| {
        let lower = own.to_ascii_lowercase();
        scope::subscription(&lower).map(|id| format!("/subscriptions/{id}"))
    });
    let id = format!(
        "{}/providers/Microsoft.Authorization/roleDefinitions/{}",
        head.unwrap_or_default(),
        role.name
    );
    json!({"id": id, "name": role.name, "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {"roleName": role.role_name, "type": "CustomRole", "description": role.description,
            "assignableScopes": role.assignable_scopes, "permissions": role.permissions}})
}

fn find(desk: &Desk<'_>, name: &str) -> Option<Value> {
    let own = desk.state.definitions.iter().find(|role| role.name.eq_ignore_ascii_case(name)).map(custom);
    own.or_else(|| roles::BUILT_IN.iter().find(|role| role.id.eq_ignore_ascii_case(name)).map(built_in))
}

fn list(desk: &Desk<'_>, at: &str) -> Reply {
    let filter = desk.request.parameter("$filter");
    let quoted = |text: &str| Some(text.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"));
    let (mut name, mut kind, mut below) = (None, None, false);
    for part in filter.iter().flat_map(|text| text.split(" and ")).map(str::trim) {
        if let Some(value) = part.strip_prefix("roleName eq ").and_then(quoted) {
            name = Some(value);
        } else if let Some(value) = part.strip_prefix("type eq ").and_then(quoted) {
            kind = Some(value);
        } else if part.eq_ignore_ascii_case("atScopeAndBelow()") {
            below = true;
        } else {
            return Reply::error(400, "InvalidFilter", "The filter is not supported.");
        }
    }
    let here = |role: &&ArmDefinition| {
        role.assignable_scopes.iter().any(|own| scope::covers(own, at) || (below && scope::covers(at, own)))
    };
    let all =
        roles::BUILT_IN.iter().map(built_in).chain(desk.state.definitions.iter().filter(here).map(custom));
    let is = |own: &Value, key: &str, wanted: &Option<String>| {
        wanted.as_ref().is_none_or(|wanted| {
            own["properties"][key].as_str().is_some_and(|own| own.eq_ignore_ascii_case(wanted))
        })
    };
    let found: Vec<(u64, Value)> =
        (1..).zip(all.filter(|own| is(own, "roleName", &name) && is(own, "type", &kind))).collect();
    page(desk, &found)
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
    if !is_guid(name) {
        return Reply::error(400, "InvalidRoleDefinitionId", "The role definition ID is not a GUID.");
    }
    if roles::BUILT_IN.iter().any(|role| role.id.eq_ignore_ascii_case(name)) {
        return Reply::error(400, "RoleDefinitionUpdateNotPermitted", "A built-in role cannot be changed.");
    }
    let assignable = if properties.assignable_scopes.is_empty() {
        vec![at.to_owned()]
    } else {
        properties.assignable_scopes
    };
    let taken = desk.state.definitions.iter().any(|role| {
        role.role_name.eq_ignore_ascii_case(&properties.role_name) && !role.name.eq_ignore_ascii_case(name)
    });
    if taken || roles::BUILT_IN.iter().any(|role| role.name.eq_ignore_ascii_case(&properties.role_name)) {
        return Reply::error(
            409,
            "RoleDefinitionWithSameNameExists",
            "A custom role with the same name already exists in this directory. Use a different name.",
        );
    }
    let made = ArmDefinition {
        name: name.to_ascii_lowercase(),
        role_name: properties.role_name,
        description: properties.description,
        permissions: properties.permissions,
        assignable_scopes: assignable,
    };
    let shown = custom(&made);
    let old = desk.state.definitions.iter().position(|role| role.name.eq_ignore_ascii_case(name));
    match old {
        Some(index) => desk.state.definitions[index] = made,
        None => desk.state.definitions.push(made),
    }
    Reply::json(201, &shown)
}

fn delete(desk: &mut Desk<'_>, name: &str) -> Reply {
    if desk.state.assignments.iter().any(|row| row.role.eq_ignore_ascii_case(name)) {
        return Reply::error(
            400,
            "RoleDefinitionHasAssignments",
            "There are existing role assignments referencing role.",
        );
    }
    match desk.state.definitions.iter().position(|role| role.name.eq_ignore_ascii_case(name)) {
        Some(index) => Reply::ok(&custom(&desk.state.definitions.remove(index))),
        None => Reply::empty(204),
    }
}
