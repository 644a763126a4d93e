//! The kinds of target, and what leads to one of each.

use std::fmt;

use super::Tls;

/// What kind of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKind {
    /// A dedicated SQL pool.
    SynapseDedicated,
    /// A workspace's built-in SQL pool.
    SynapseServerless,
    /// A workspace's own roles (Synapse RBAC).
    SynapseWorkspace,
    /// Roles of Azure Resource Manager at one scope.
    AzureRbac,
    /// Statements in a file, for somebody else to run.
    Script,
}

/// Which grammar the lines of a target follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Words {
    /// T-SQL permissions on securables, and memberships.
    Sql,
    /// Names of roles that are assigned.
    Roles,
}

impl TargetKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::SynapseDedicated,
        Self::SynapseServerless,
        Self::SynapseWorkspace,
        Self::AzureRbac,
        Self::Script,
    ];

    /// The word in the map.
    pub fn name(self) -> &'static str {
        match self {
            Self::SynapseDedicated => "synapse-dedicated",
            Self::SynapseServerless => "synapse-serverless",
            Self::SynapseWorkspace => "synapse-workspace",
            Self::AzureRbac => "azure-rbac",
            Self::Script => "script",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }

    /// What its lines are made of.
    pub fn words(self) -> Words {
        match self {
            Self::SynapseDedicated | Self::SynapseServerless | Self::Script => Words::Sql,
            Self::SynapseWorkspace | Self::AzureRbac => Words::Roles,
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A database on a server.
    Sql(SqlServer),
    /// A workspace's own address, such as `https://acme.dev.azuresynapse.net`.
    Workspace(String),
    /// A scope of Azure Resource Manager, beginning with `/`.
    Azure(String),
    /// A folder that statements are written to, for somebody else to run.
    Script(ScriptPlace),
}

/// Where statements are written, for which database, and where what came of them is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptPlace {
    /// Whose statements.
    pub dialect: TargetKind,
    /// The database that they are for.
    pub database: String,
    /// The folder, one file for each run.
    pub out: String,
    /// Where its catalog is seen.
    pub seen: ScriptSeen,
}

/// Where the catalog of a database is seen that Axon changes nothing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptSeen {
    /// Nowhere: what people confirmed counts.
    Confirmed,
    /// In a file that somebody exports.
    Catalog(String),
    /// In the database itself, which is only read.
    Pool(SqlServer),
}

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlServer {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// How the connection is protected.
    pub tls: Tls,
}
