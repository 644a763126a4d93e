//! One object of the directory as Graph shows it.

use serde_json::{Map, Value, json};

use crate::catalog::name::same;
use crate::directory::{Directory, DirectoryApp, DirectoryGroup, DirectoryUser};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Group,
    ServicePrincipal,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::User, Self::Group, Self::ServicePrincipal];

    pub(super) fn collection(name: &str) -> Option<Self> {
        match name {
            "users" => Some(Self::User),
            "groups" => Some(Self::Group),
            "servicePrincipals" => Some(Self::ServicePrincipal),
            _ => None,
        }
    }

    /// `microsoft.graph.user` and the like.
    pub(super) fn typed(name: &str) -> Option<Self> {
        let word = name.strip_prefix("microsoft.graph.")?;
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::ServicePrincipal => "servicePrincipal",
        }
    }
}

/// One object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'d> {
    User(&'d DirectoryUser),
    Group(&'d DirectoryGroup),
    App(&'d DirectoryApp),
}

impl Entry<'_> {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::User(user) => &user.object_id,
            Self::Group(group) => &group.object_id,
            Self::App(app) => &app.object_id,
        }
    }

    /// The name that the directory hides it by: the UPN of people, else the displayName.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::User(user) => &user.upn,
            Self::Group(group) => &group.display_name,
            Self::App(app) => &app.display_name,
        }
    }

    /// Whether a key of a path names it: an id, a UPN, `'…'` around either, `appId='…'`.
    pub(super) fn has_key(&self, key: &str) -> bool {
        let bare = |text: &str| {
            let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            inner.map_or_else(|| text.to_owned(), |inner| inner.replace("''", "'"))
        };
        if let Some(id) = key.strip_prefix("appId=") {
            return matches!(self, Self::App(app) if app.app_id.eq_ignore_ascii_case(&bare(id)));
        }
        let key = bare(key);
        self.id().eq_ignore_ascii_case(&key) || matches!(self, Self::User(user) if same(&user.upn, &key))
    }

    /// Whether a group has this object as a direct member.
    pub(super) fn holds(&self, directory: &Directory, id: &str) -> bool {
        matches!(self, Self::Group(group) if members(directory, group, false).iter().any(|own| own.id() == id))
    }

    /// Every attribute that is known.
    pub(super) fn attributes(&self) -> Map<String, Value> {
        let value = match self {
            Self::User(user) => json!({
                "@odata.type": "#microsoft.graph.user", "id": user.object_id, "userPrincipalName": user.upn,
                "displayName": user.display_name.as_ref().unwrap_or(&user.upn), "accountEnabled": user.account_enabled,
                "mail": user.mail, "onPremisesImmutableId": user.on_premises_immutable_id,
                "userType": user.user_type.as_deref().unwrap_or("Member"),
            }),
            Self::Group(group) => json!({
                "@odata.type": "#microsoft.graph.group", "id": group.object_id, "displayName": group.display_name,
                "securityEnabled": group.security_enabled, "mailEnabled": !group.security_enabled, "groupTypes": [],
            }),
            Self::App(app) => json!({
                "@odata.type": "#microsoft.graph.servicePrincipal", "id": app.object_id, "appId": app.app_id,
                "displayName": app.display_name, "accountEnabled": app.account_enabled,
                "servicePrincipalType": if app.managed_identity.is_some() { "ManagedIdentity" } else { "Application" },
                "alternativeNames": app.managed_identity.iter().flat_map(|own| ["isExplicit=True", own.as_str()]).collect::<Vec<_>>(),
            }),
        };
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// The attributes that are asked for.
    pub(super) fn shown(&self, select: Option<&str>) -> Value {
        let mut all = self.attributes();
        if let Some(select) = select {
            let asked: Vec<&str> = select.split(',').map(str::trim).collect();
            all.retain(|name, _| {
                name.starts_with('@') || asked.iter().any(|own| own.eq_ignore_ascii_case(name))
            });
        }
        Value::Object(all)
    }
}

/// The members of a group, directly or at any depth. Circles are harmless, nobody is named twice.
pub(super) fn members<'d>(directory: &'d Directory, group: &'d DirectoryGroup, deep: bool) -> Vec<Entry<'d>> {
    let (mut found, mut open): (Vec<Entry<'d>>, Vec<&DirectoryGroup>) = (Vec::new(), vec![group]);
    while let Some(group) = open.pop() {
        for name in &group.members {
            let is = |own: &str| same(own, name);
            let users =
                directory.users.iter().filter(|user| is(&user.upn) || is(&user.object_id)).map(Entry::User);
            let groups = directory
                .groups
                .iter()
                .filter(|own| is(&own.display_name) || is(&own.object_id))
                .map(Entry::Group);
            let apps = directory
                .apps
                .iter()
                .filter(|app| is(&app.display_name) || is(&app.app_id) || is(&app.object_id))
                .map(Entry::App);
            for entry in users.chain(groups).chain(apps) {
                if found.iter().any(|own| own.id() == entry.id()) {
                    continue;
                }
                if let (true, Entry::Group(inner)) = (deep, entry) {
                    open.push(inner);
                }
                found.push(entry);
            }
        }
    }
    found
}
