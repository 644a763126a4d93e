//! What stands at the server of a serverless pool beside its logins: server roles, permissions of logins, credentials.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::permission::State;

/// `sa`, whatever it is named: who administrators grant as.
pub const FIRST_LOGIN: i32 = 1;
/// The server role of everybody.
pub const SERVER_PUBLIC: i32 = 2;
/// The server role whose members may do everything.
pub const SYSADMIN: i32 = 3;
/// Ids from here on are given to logins.
pub const FIRST_GIVEN: i32 = 256;

/// The fixed roles of the server, with their ids.
pub const SERVER_ROLES: [(i32, &str); 2] = [(SERVER_PUBLIC, "public"), (SYSADMIN, "sysadmin")];

macro_rules! server_actions {
    ($($variant:ident = $name:literal, $code:literal, $server:literal, $login:literal, $credential:literal;)+) => {
        /// A permission at the server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ServerAction { $(#[doc = $name] $variant,)+ }

        impl ServerAction {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// `permission_name`
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// `type`
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Whether it is given on the server, on a login, on a credential.
            pub fn fits(self, on: ServerOn) -> bool {
                let (server, login, credential) = match self { $(Self::$variant => ($server, $login, $credential),)+ };
                match on {
                    ServerOn::Server => server,
                    ServerOn::Login(_) => login,
                    ServerOn::Credential(_) => credential,
                }
            }
        }
    };
}

server_actions! {
    ConnectSql = "CONNECT SQL", "COSQ", true, false, false;
    ConnectAnyDatabase = "CONNECT ANY DATABASE", "CADB", true, false, false;
    SelectAll = "SELECT ALL USER SECURABLES", "SUS", true, false, false;
    ControlServer = "CONTROL SERVER", "CL", true, false, false;
    AlterAnyLogin = "ALTER ANY LOGIN", "ALLG", true, false, false;
    AlterAnyCredential = "ALTER ANY CREDENTIAL", "ALCD", true, false, false;
    AlterAnyConnection = "ALTER ANY CONNECTION", "ALCO", true, false, false;
    AlterAnyServerRole = "ALTER ANY SERVER ROLE", "ALSR", true, false, false;
    ViewAnyDatabase = "VIEW ANY DATABASE", "VWDB", true, false, false;
    ViewAnyDefinition = "VIEW ANY DEFINITION", "VWAD", true, false, false;
    ViewServerState = "VIEW SERVER STATE", "VWSS", true, false, false;
    AdministerBulk = "ADMINISTER BULK OPERATIONS", "ADBO", true, false, false;
    References = "REFERENCES", "RF", false, false, true;
    Control = "CONTROL", "CL", false, true, true;
    Alter = "ALTER", "AL", false, true, true;
    ViewDefinition = "VIEW DEFINITION", "VW", false, true, true;
    Impersonate = "IMPERSONATE", "IM", false, true, false;
}

/// On what a permission at the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServerOn {
    /// The server itself.
    Server,
    /// A login.
    Login(i32),
    /// A credential.
    Credential(i32),
}

impl ServerOn {
    /// `class`, `class_desc` and `major_id`. The number of credentials could not be checked.
    pub fn class(self) -> (i64, &'static str, i32) {
        match self {
            Self::Server => (100, "SERVER", 0),
            Self::Login(id) => (101, "SERVER_PRINCIPAL", id),
            Self::Credential(id) => (111, "SERVER_CREDENTIAL", id),
        }
    }
}

/// What identifies a row of `sys.server_permissions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerKey {
    /// Which login has it.
    pub grantee: i32,
    /// On what.
    pub on: ServerOn,
    /// What.
    pub action: ServerAction,
    /// Who gave it.
    pub grantor: i32,
}

/// Permissions and credentials of the server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Server {
    permissions: BTreeMap<ServerKey, State>,
    credentials: BTreeMap<i32, String>,
}

impl Server {
    /// All rows.
    pub fn permissions(&self) -> impl Iterator<Item = (ServerKey, State)> {
        self.permissions.iter().map(|(key, state)| (*key, *state))
    }

    /// The row with this key.
    pub fn permission(&self, key: &ServerKey) -> Option<State> {
        self.permissions.get(key).copied()
    }

    /// Adds or replaces a row, or takes it away.
    pub fn set(&mut self, key: ServerKey, state: Option<State>) {
        match state {
            Some(state) => drop(self.permissions.insert(key, state)),
            None => drop(self.permissions.remove(&key)),
        }
    }

    /// Whether any of these logins may do this on the server: a DENY of any of them wins.
    pub fn allows(&self, logins: &[i32], action: ServerAction) -> bool {
        let of = |action| {
            let rows = self.permissions.iter().filter(move |(key, _)| {
                key.on == ServerOn::Server && key.action == action && logins.contains(&key.grantee)
            });
            rows.map(|(_, state)| *state).collect::<Vec<State>>()
        };
        let states = [of(action), of(ServerAction::ControlServer)].concat();
        states.iter().any(|state| state.gives()) && !states.contains(&State::Deny)
    }

    /// Whether one of these logins is denied this on the server.
    pub fn denies(&self, logins: &[i32], action: ServerAction) -> bool {
        self.permissions.iter().any(|(key, state)| {
            key.on == ServerOn::Server
                && key.action == action
                && *state == State::Deny
                && logins.contains(&key.grantee)
        })
    }

    /// Forgets a login: what it was given, and what is on it.
    pub fn forget_login(&mut self, id: i32) {
        self.permissions.retain(|key, _| key.grantee != id && key.on != ServerOn::Login(id));
    }

    /// All credentials.
    pub fn credentials(&self) -> impl Iterator<Item = (i32, &str)> {
        self.credentials.iter().map(|(id, name)| (*id, name.as_str()))
    }

    /// The credential of this name.
    pub fn credential(&self, name: &str) -> Option<i32> {
        self.credentials.iter().find(|(_, known)| super::name::same(known, name)).map(|(id, _)| *id)
    }

    /// Adds a credential.
    pub fn add_credential(&mut self, name: &str) {
        let id = self.credentials.keys().next_back().map_or(65536, |last| last + 1);
        self.credentials.insert(id, name.to_owned());
    }

    /// Removes a credential and what is on it.
    pub fn remove_credential(&mut self, id: i32) {
        self.credentials.remove(&id);
        self.permissions.retain(|key, _| key.on != ServerOn::Credential(id));
    }
}

/// The same as a state file keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedServer {
    permissions: Vec<(ServerKey, State)>,
    credentials: Vec<(i32, String)>,
}

impl From<&Server> for SavedServer {
    fn from(server: &Server) -> Self {
        Self {
            permissions: server.permissions().collect(),
            credentials: server.credentials().map(|(id, name)| (id, name.to_owned())).collect(),
        }
    }
}

impl From<SavedServer> for Server {
    fn from(saved: SavedServer) -> Self {
        Self {
            permissions: saved.permissions.into_iter().collect(),
            credentials: saved.credentials.into_iter().collect(),
        }
    }
}
