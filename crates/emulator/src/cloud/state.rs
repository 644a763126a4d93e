//! What the services hold. The same form is the seed that a file gives and the state that a file keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::service::Service;
use super::throttle::Limit;

/// All that the services hold beside the directory, which is the pool's.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct CloudState {
    /// The tenant.
    pub tenant_id: String,
    /// Client ids that the machine's and the app's own token endpoints answer for. The first is the one of the system.
    pub managed_identities: Vec<String>,
    /// What `X-IDENTITY-HEADER` must say; without one the app's endpoint is not there.
    pub identity_header: Option<String>,
    /// Synapse workspaces. The first one also answers without `/synapse/NAME` before the path.
    pub workspaces: Vec<Workspace>,
    /// Subscriptions that there are; none named means any.
    pub subscriptions: Vec<String>,
    /// Role assignments of Resource Manager.
    pub assignments: Vec<ArmRow>,
    /// Custom roles of Resource Manager.
    pub definitions: Vec<ArmDefinition>,
    /// Data collection rules.
    pub rules: Vec<CollectionRule>,
    /// What ingestion took, a row a record.
    pub logs: Vec<LogRow>,
    /// Page sizes, delays, limits.
    pub settings: Settings,
    /// Requests a service takes in a span of time.
    pub limits: BTreeMap<Service, Limit>,
    /// From when on Resource Manager knows a principal, by object id, in seconds since 1970.
    pub known_from: BTreeMap<String, i64>,
    /// Counts what is made.
    pub sequence: u64,
}

impl Default for CloudState {
    fn default() -> Self {
        Self {
            tenant_id: "11111111-1111-1111-1111-111111111111".into(),
            managed_identities: Vec::new(),
            identity_header: None,
            workspaces: Vec::new(),
            subscriptions: Vec::new(),
            assignments: Vec::new(),
            definitions: Vec::new(),
            rules: Vec::new(),
            logs: Vec::new(),
            settings: Settings::default(),
            limits: BTreeMap::new(),
            known_from: BTreeMap::new(),
            sequence: 0,
        }
    }
}

impl CloudState {
    /// The next number of what is made.
    pub(super) fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// An id for something new. Ids are counted, so that runs are alike.
    pub(super) fn next_id(&mut self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.next())
    }
}

/// Page sizes, delays and limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Settings {
    /// Objects on a page of Graph.
    pub graph_page: usize,
    /// Rows on a page of a workspace's assignments.
    pub synapse_page: usize,
    /// Rows on a page of Resource Manager.
    pub arm_page: usize,
    /// Role assignments of one subscription.
    pub arm_limit: usize,
    /// How long an access token holds, in seconds.
    pub token_seconds: i64,
    /// How long a row of a workspace takes to have effect.
    pub synapse_effect_seconds: i64,
    /// How long a new federated credential takes to work.
    pub federation_seconds: i64,
    /// Whether callers need the rights that the services ask for.
    pub enforce: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            graph_page: 100,
            synapse_page: 100,
            arm_page: 100,
            arm_limit: 4_000,
            token_seconds: 3_599,
            synapse_effect_seconds: 0,
            federation_seconds: 0,
            enforce: true,
        }
    }
}

/// A Synapse workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Workspace {
    /// Its name.
    pub name: String,
    /// Whether its firewall turns everybody away.
    pub closed: bool,
    /// Its role assignments.
    pub assignments: Vec<SynapseRow>,
    /// The Entra administrator of its SQL pools.
    pub entra_admin: Option<SqlAdministrator>,
    /// That of the serverless pool.
    pub serverless_admin: Option<SqlAdministrator>,
    /// The SQL login that administers it.
    pub sql_admin: Option<String>,
    /// Whether SQL logins are refused.
    pub entra_only: bool,
    /// The object id of its own identity.
    pub identity: Option<String>,
    /// Whether that identity has CONTROL on the pools.
    pub identity_controls_sql: bool,
}

/// The Entra administrator of a workspace's SQL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SqlAdministrator {
    /// As its login is written.
    pub login: String,
    /// Object id.
    pub sid: String,
}

/// A role assignment of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct SynapseRow {
    /// Its id.
    pub id: String,
    /// The role's id.
    pub role_definition_id: String,
    /// Object id.
    pub principal_id: String,
    /// `workspaces/NAME` or an item below it.
    pub scope: String,
    /// `User`, `Group` or `ServicePrincipal`; old rows have none.
    pub principal_type: Option<String>,
    /// Seconds since 1970 from which it has effect.
    pub effective_from: i64,
    /// Orders the rows.
    pub sequence: u64,
}

/// A role assignment of Resource Manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ArmRow {
    /// A GUID.
    pub name: String,
    /// Where it holds; empty for the root.
    pub scope: String,
    /// The role's GUID.
    pub role: String,
    /// Object id.
    pub principal_id: String,
    /// `User`, `Group`, `ServicePrincipal`; empty is `Unknown`.
    pub principal_type: String,
    /// What somebody wrote.
    pub description: Option<String>,
    /// A condition on attributes.
    pub condition: Option<String>,
    /// Its version.
    pub condition_version: Option<String>,
    /// Seconds since 1970.
    pub created: i64,
    /// Who made it.
    pub created_by: String,
    /// Orders the rows.
    pub sequence: u64,
}

/// A custom role of Resource Manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct ArmDefinition {
    /// A GUID.
    pub name: String,
    /// What people call it.
    pub role_name: String,
    /// What somebody wrote.
    pub description: String,
    /// What it allows.
    pub permissions: Vec<Permissions>,
    /// Where it can be assigned.
    pub assignable_scopes: Vec<String>,
}

/// What a role allows, with `*` for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permissions {
    /// Actions.
    pub actions: Vec<String>,
    /// Actions that are left out.
    pub not_actions: Vec<String>,
    /// Actions on content.
    pub data_actions: Vec<String>,
    /// Actions on content that are left out.
    pub not_data_actions: Vec<String>,
}

/// A data collection rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct CollectionRule {
    /// `dcr-` and 32 hex digits.
    pub immutable_id: String,
    /// Its path in Resource Manager, where Monitoring Metrics Publisher is asked for.
    pub resource_id: String,
    /// Streams, such as `Custom-Axon_CL`.
    pub streams: Vec<String>,
    /// The columns that streams declare, each with its type; any, where none is said. What is not declared is dropped, and what
    /// has another type becomes null: the service says nothing of either.
    pub columns: BTreeMap<String, String>,
}

/// A record that ingestion took.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogRow {
    /// The stream.
    pub stream: String,
    /// The record, long fields cut.
    pub record: Value,
}
