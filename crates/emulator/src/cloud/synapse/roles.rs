//! The built-in roles of a workspace. Ids and names are recorded (reference 7.2); which actions each allows is told there in words
//! only, so that the lists here are as short as they can be and tell the roles apart.

use serde_json::{Value, json};

use super::scope::{TEMPLATES, template};

pub(super) const READ: &str = "Microsoft.Synapse/workspaces/read";
const WORKSPACE: &[usize] = &[0];
const COMPUTE: &[usize] = &[0, 1, 3];
const SECRETS: &[usize] = &[0, 4, 5];
const ANYWHERE: &[usize] = &[0, 1, 3, 4, 5];

/// A role.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) id: &'static str,
    name: &'static str,
    scopes: &'static [usize],
    actions: &'static [&'static str],
}

macro_rules! roles {
    ($($id:literal $name:literal $scopes:ident [$($action:literal),*];)+) => {
        /// All of them.
        pub(super) const ALL: &[Role] = &[$(Role {
            id: $id, name: $name, scopes: $scopes,
            actions: &[READ, $(concat!("Microsoft.Synapse/workspaces/", $action)),*],
        }),+];
    };
}

roles! {
    "6e4bf58a-b8e1-4cc3-bbf9-d73143322b78" "Synapse Administrator" ANYWHERE
        ["roleAssignments/write", "roleAssignments/delete", "artifacts/read", "artifacts/write", "artifacts/delete", "bigDataPools/useCompute/action", "credentials/useSecret/action", "linkedServices/useSecret/action"];
    "7af0c69a-a548-47d6-aea3-d00e69bd83aa" "Synapse SQL Administrator" WORKSPACE
        ["artifacts/read", "sqlScripts/write", "sqlScripts/delete", "linkedServices/write", "credentials/write"];
    "c3a6d2f1-a26f-4810-9b0f-591308d5cbf1" "Apache Spark Administrator" WORKSPACE
        ["artifacts/read", "notebooks/write", "notebooks/delete", "sparkJobDefinitions/write", "libraries/write", "bigDataPools/useCompute/action"];
    "7572bffe-f453-4b66-912a-46cc5ef38fda" "Synapse Contributor" COMPUTE
        ["artifacts/read", "artifacts/write", "artifacts/delete", "bigDataPools/useCompute/action", "integrationRuntimes/useCompute/action"];
    "05930f57-09a3-4c0d-9fa9-6d1eb91c178b" "Synapse Artifact Publisher" WORKSPACE
        ["artifacts/read", "artifacts/write", "artifacts/delete"];
    "53faaa0e-40b6-40c8-a2ff-e38f2d388875" "Synapse Artifact User" WORKSPACE ["artifacts/read"];
    "e3844cc7-4670-42cb-9349-9bdac1ee7881" "Synapse Compute Operator" COMPUTE
        ["bigDataPools/useCompute/action", "bigDataPools/viewLogs/action", "integrationRuntimes/useCompute/action", "integrationRuntimes/viewLogs/action"];
    "5eb298b4-692c-4241-9cf0-f58a3b42bb25" "Synapse Credential User" SECRETS
        ["credentials/useSecret/action", "linkedServices/useSecret/action"];
    "dd665582-e433-40ca-b183-1b1b33e73375" "Synapse Linked Data Manager" WORKSPACE
        ["managedPrivateEndpoints/write", "managedPrivateEndpoints/delete", "linkedServices/write", "linkedServices/delete", "credentials/write", "credentials/delete"];
    "2a385764-43e8-416c-9825-7b18d05a2c4b" "Synapse User" ANYWHERE [];
}

/// The role of this id.
pub(super) fn find(id: &str) -> Option<&'static Role> {
    ALL.iter().find(|role| role.id.eq_ignore_ascii_case(id))
}

/// Whether a role can be given at a scope.
pub(super) fn fits(role: &Role, scope: &str) -> bool {
    template(scope).is_some_and(|form| role.scopes.iter().any(|index| TEMPLATES[*index] == form))
}

/// Whether a role allows an action.
pub(super) fn allows(role: &Role, action: &str) -> bool {
    role.actions.iter().any(|own| own.eq_ignore_ascii_case(action))
}

/// The role as the service shows it.
pub(super) fn shown(role: &Role) -> Value {
    let scopes: Vec<&str> = role.scopes.iter().map(|index| TEMPLATES[*index]).collect();
    json!({
        "id": role.id, "name": role.name, "description": role.name, "isBuiltIn": true, "availabilityStatus": "Available",
        "scopes": scopes,
        "permissions": [{"actions": [], "notActions": [], "dataActions": role.actions, "notDataActions": []}],
    })
}
