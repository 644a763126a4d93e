//! The ways that Axon cannot close: who reaches data without a grant that it made, by what, and what helps. Pure: what was read of
//! targets goes in, ways come out.

mod azure;
mod pool;
mod shown;
mod workspace;

use serde::Serialize;

pub use azure::of_azure;
pub use pool::of_pool;
pub use shown::print;
pub use workspace::of_workspace;

/// What kind of way it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayKind {
    /// The Entra administrator of a workspace's pools.
    EntraAdministrator,
    /// The SQL login that administers a workspace.
    SqlAdministrator,
    /// Whoever enters a database as its owner.
    DatabaseOwner,
    /// Who can give themselves anything in a database.
    DatabaseControl,
    /// Administrators of a workspace.
    SynapseAdministrator,
    /// Who acts as the workspace.
    WorkspaceIdentity,
    /// Who can name another administrator.
    AzureContributor,
    /// Who can give roles of Azure.
    AzureRoleGiver,
    /// Who reads the files beneath tables and views.
    StorageReader,
}

impl WayKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EntraAdministrator => "entra-administrator",
            Self::SqlAdministrator => "sql-administrator",
            Self::DatabaseOwner => "database-owner",
            Self::DatabaseControl => "database-control",
            Self::SynapseAdministrator => "synapse-administrator",
            Self::WorkspaceIdentity => "workspace-identity",
            Self::AzureContributor => "azure-contributor",
            Self::AzureRoleGiver => "azure-role-giver",
            Self::StorageReader => "storage-reader",
        }
    }

    /// What the way opens.
    pub fn opens(self) -> &'static str {
        match self {
            Self::EntraAdministrator => {
                "enters every pool of the workspace as dbo: reads and changes all, whatever Axon grants"
            }
            Self::SqlAdministrator => {
                "enters every pool as dbo by a password, without Entra and without a second factor"
            }
            Self::DatabaseOwner => {
                "reads, changes and grants everything in the database; DENY and masks do not hold"
            }
            Self::DatabaseControl => "can give itself everything in the database",
            Self::SynapseAdministrator => {
                "administers the serverless pool, gives roles of the workspace, and runs code as the workspace"
            }
            Self::WorkspaceIdentity => {
                "acts in the pools as the workspace: who may run a pipeline or notebook has its rights"
            }
            Self::AzureContributor => {
                "can name another Entra administrator, or set the SQL administrator's password"
            }
            Self::AzureRoleGiver => "can give itself any role of Azure at the scope, Owner among them",
            Self::StorageReader => {
                "reads the files themselves: no view, mask or row rule of a pool applies to them"
            }
        }
    }

    /// What helps.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::EntraAdministrator => {
                "make a small group the administrator, with just-in-time membership (PIM); let nobody be it by their own name"
            }
            Self::SqlAdministrator => {
                "turn SQL logins off (az synapse ad-only-auth enable), or keep the password sealed and watch its use"
            }
            Self::DatabaseOwner => {
                "take people out of db_owner (sp_droprolemember) and give them roles of the map; who is dbo is said by the Entra and SQL \
                 administrators"
            }
            Self::DatabaseControl => "revoke it, and give what is needed by a role of the map",
            Self::SynapseAdministrator => {
                "give narrower roles of the workspace by the map; keep two administrators, with just-in-time membership"
            }
            Self::WorkspaceIdentity => {
                "turn it off (managedIdentitySqlControlSettings: Disabled) and give the identity a role of the map; give Synapse \
                 Credential User on WorkspaceSystemIdentity to pipelines only"
            }
            Self::AzureContributor => {
                "give roles at the resource and not above it, Reader where it is enough; put Owner and Contributor behind PIM; lock the \
                 workspace's administrators by Azure Policy"
            }
            Self::AzureRoleGiver => {
                "put it behind PIM, or limit it by a condition to the roles that may be given"
            }
            Self::StorageReader => {
                "give storage roles at containers that hold nothing protected; turn account keys off (allowSharedKeyAccess: false)"
            }
        }
    }
}

/// Somebody, and one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Way {
    /// The target.
    pub target: String,
    /// What kind of way.
    pub kind: WayKind,
    /// Who.
    pub who: String,
    /// By what.
    pub by: String,
}

impl Way {
    fn new(target: &str, kind: WayKind, who: impl Into<String>, by: impl Into<String>) -> Self {
        Self { target: target.to_owned(), kind, who: who.into(), by: by.into() }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The ways, in order.
    pub ways: Vec<Way>,
    /// What could not be looked at, by target.
    pub unseen: Vec<(String, String)>,
    /// What no target of the map leads to, in sentences.
    pub gaps: Vec<String>,
}

impl Report {
    /// Takes in what a target shows.
    pub fn add(&mut self, target: &str, ways: Vec<Way>, unseen: Vec<String>) {
        self.ways.extend(ways);
        self.unseen.extend(unseen.into_iter().map(|what| (target.to_owned(), what)));
    }

    /// In order, each way once.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.ways.sort();
        self.ways.dedup();
        self
    }
}
