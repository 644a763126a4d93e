//! One object of the directory.

use axon_model::name::shown;
use serde::Deserialize;

use crate::guid::Guid;

/// What kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A person, also a guest.
    User,
    /// A group.
    Group,
    /// An application in this tenant, or a managed identity.
    ServicePrincipal,
}

impl EntryKind {
    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::User => "person",
            Self::Group => "group",
            Self::ServicePrincipal => "service identity",
        }
    }

    /// `principalType` of role assignments.
    pub fn principal_type(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::ServicePrincipal => "ServicePrincipal",
        }
    }
}

/// One object of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its object id: what role assignments name.
    pub id: Guid,
    /// What it is.
    pub kind: EntryKind,
    /// The client id of an application: what a pool's SID is made of, and no role assignment names.
    pub client_id: Option<Guid>,
    /// The userPrincipalName of a person, else the displayName.
    pub name: String,
    /// False: it may not sign in.
    pub enabled: bool,
    /// Whether it is a guest of another tenant.
    pub guest: bool,
    /// Whether a group can hold roles: distribution lists cannot.
    pub security: bool,
}

impl Entry {
    /// In words for people.
    pub fn told(&self) -> String {
        let kind = match (self.kind, self.guest) {
            (EntryKind::User, false) => "person",
            (EntryKind::User, true) => "guest",
            (EntryKind::Group, _) => "group",
            (EntryKind::ServicePrincipal, _) => "service identity",
        };
        let client = self.client_id.map(|id| format!(", client id {id}")).unwrap_or_default();
        format!("{kind} {} ({}{client})", shown(&self.name), self.id)
    }

    /// Whether it can be given something, else why not.
    pub(crate) fn usable(&self, name: impl std::fmt::Display) -> Result<(), String> {
        self.unusable().map_or(Ok(()), |why| Err(format!("{name} {why}")))
    }

    /// Why it cannot be given anything.
    pub(super) fn unusable(&self) -> Option<&'static str> {
        match self.kind {
            _ if !self.enabled => Some("is disabled in the directory: nothing is given to it"),
            EntryKind::Group if !self.security => {
                Some("is no security group: only security groups can hold roles")
            }
            _ => None,
        }
    }
}

/// As Graph writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Raw {
    id: Guid,
    #[serde(rename = "@odata.type")]
    odata_type: Option<String>,
    user_principal_name: Option<String>,
    display_name: Option<String>,
    app_id: Option<Guid>,
    account_enabled: Option<bool>,
    user_type: Option<String>,
    security_enabled: Option<bool>,
}

impl Raw {
    /// The object; its kind is what Graph says, else what was asked for.
    pub(super) fn entry(self, asked: Option<EntryKind>) -> Option<Entry> {
        let said = match self.odata_type.as_deref() {
            Some("#microsoft.graph.user") => Some(EntryKind::User),
            Some("#microsoft.graph.group") => Some(EntryKind::Group),
            Some("#microsoft.graph.servicePrincipal") => Some(EntryKind::ServicePrincipal),
            Some(_) => return None,
            None => None,
        };
        let kind = said.or(asked)?;
        let display = self.display_name.filter(|name| !name.is_empty());
        let name = match kind {
            EntryKind::User => self.user_principal_name.or(display),
            EntryKind::Group | EntryKind::ServicePrincipal => display,
        };
        Some(Entry {
            id: self.id,
            kind,
            client_id: self.app_id,
            name: name.unwrap_or_else(|| self.id.to_string()),
            enabled: self.account_enabled.unwrap_or(true),
            guest: self.user_type.is_some_and(|t| t.eq_ignore_ascii_case("guest")),
            security: kind != EntryKind::Group || self.security_enabled.unwrap_or(true),
        })
    }
}
