//! `targets`: where access is enforced, how Axon gets in, and what it may touch there.

mod auth;
mod kind;
mod metadata;
mod read;
mod script;

use std::collections::BTreeSet;
use std::fmt;

use axon_model::SqlName;
use axon_reconcile::{Glob, Mode};

use crate::names::{RoleName, TargetName};
use crate::place::Place;
use crate::template::Template;

pub use auth::Auth;
pub use kind::{Endpoint, ScriptPlace, ScriptSeen, SqlServer, TargetKind, Words};
pub(crate) use metadata::{DELIMITER_KEYS, METADATA_KEYS};
pub(crate) use read::{AZURE_KEYS, MANAGE_KEYS, SCRIPT_KEYS, SQL_KEYS, WORKSPACE_KEYS};
pub(crate) use read::{read, read_via, template};
pub(crate) use script::settle;

/// How people get in: one principal each, or one for a whole group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// One database user for each person.
    Person,
    /// The Entra group is one principal.
    Group,
}

/// A reference to a secret, which the binary resolves. `Debug` says nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `${env:NAME}`
    Env(String),
    /// `${file:PATH}`
    File(String),
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretRef(..)")
    }
}

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The system's certificate authorities.
    System,
    /// The authorities in this file.
    Ca(String),
    /// None: only on this machine itself.
    Off,
}

/// What Axon may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manage {
    /// Roles that it creates, fills, empties, drops; of roles that are only assigned, those that it may take away.
    pub roles: Vec<Glob>,
    /// Roles that are people's: nothing is given or taken there, whoever gave it.
    pub except: BTreeSet<SqlName>,
    /// Schemas whose objects are Axon's own.
    pub schemas: Vec<Glob>,
    /// Whether every Entra user is managed, or those that the directory knows or knew.
    pub every_external: bool,
    /// Whether people get in only where they are a principal already: none is made.
    pub only_existing: bool,
}

impl Manage {
    /// The word of the map for the principals that are managed.
    pub(crate) fn principals(&self) -> &'static str {
        match (self.every_external, self.only_existing) {
            (true, _) => "external",
            (false, true) => "existing",
            (false, false) => "mapped",
        }
    }
}

/// A target of the map.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    /// Its name in the map.
    pub name: TargetName,
    /// Where it is declared.
    pub place: Place,
    /// What it is.
    pub kind: TargetKind,
    /// Where it is.
    pub endpoint: Endpoint,
    /// A workspace's name, where its address does not tell it.
    pub workspace: Option<String>,
    /// How Axon authenticates; a script needs no way in where nothing is read.
    pub auth: Option<Auth>,
    /// Where a person's Entra object id is known from.
    pub object_id: Option<Template>,
    /// How far Axon may go.
    pub mode: Mode,
    /// How people get in, where the mapping does not say it.
    pub via: Via,
    /// How a person is named there.
    pub principal: Template,
    /// How a role is named there.
    pub role_name: Template,
    /// What may be touched.
    pub manage: Manage,
    /// Where views find what they must know of their readers.
    pub metadata: axon_reconcile::Metadata,
    /// Groups of the target that may reach tables past their views: it is seen to elsewhere that none of their people reads a view.
    pub accept_groups: BTreeSet<SqlName>,
}

impl TargetSpec {
    /// The name of a role of the map in this target, where targets of this kind hold roles of the map at all.
    pub fn role(&self, role: &RoleName) -> Result<SqlName, String> {
        if self.kind.words() == Words::Roles {
            return Err(format!("a target of kind {} holds no role of the map", self.kind));
        }
        let text =
            self.role_name.fill(|_| Some(role.as_str().into())).map_err(|hole| format!("no {{{hole}}}"))?;
        SqlName::parse(&text).map_err(|e| e.to_string())
    }

    /// The engine edition that it tells of itself, as far as its kind says it; 0 where there is no engine.
    pub(crate) fn engine_edition(&self) -> i64 {
        let kind = match &self.endpoint {
            Endpoint::Script(script) => script.dialect,
            Endpoint::Sql(_) | Endpoint::Workspace(_) | Endpoint::Azure(_) => self.kind,
        };
        match kind {
            TargetKind::SynapseDedicated => 6,
            TargetKind::SynapseServerless => 11,
            TargetKind::SynapseWorkspace | TargetKind::AzureRbac | TargetKind::Script => 0,
        }
    }

    /// Whether it is the server of a serverless pool: `master` holds logins and nothing else.
    pub fn is_server(&self) -> bool {
        self.kind == TargetKind::SynapseServerless
            && self.sql_server().is_some_and(|server| server.database.eq_ignore_ascii_case("master"))
    }

    /// The database that it is, if it is one.
    pub fn sql_server(&self) -> Option<&SqlServer> {
        match &self.endpoint {
            Endpoint::Sql(server) => Some(server),
            Endpoint::Workspace(_) | Endpoint::Azure(_) | Endpoint::Script(_) => None,
        }
    }
}
