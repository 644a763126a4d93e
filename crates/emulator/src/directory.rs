//! The fake Entra tenant that `FROM EXTERNAL PROVIDER` and tokens are looked up in.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::catalog::name::{fold, same};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DirectoryUser {
    /// userPrincipalName
    pub upn: String,
    /// Object id, a UUID: the SID of the user.
    pub object_id: String,
    /// displayName; the UPN where it is left out.
    #[serde(default)]
    pub display_name: Option<String>,
    /// accountEnabled
    #[serde(default = "yes")]
    pub account_enabled: bool,
    /// userType: `Member` or `Guest`.
    #[serde(default)]
    pub user_type: Option<String>,
    /// mail
    #[serde(default)]
    pub mail: Option<String>,
    /// onPremisesImmutableId
    #[serde(default)]
    pub on_premises_immutable_id: Option<String>,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DirectoryGroup {
    /// Not unique.
    pub display_name: String,
    /// Object id, a UUID: the SID of the group.
    pub object_id: String,
    /// UPNs of people, display names or application ids of applications, display names of groups.
    #[serde(default)]
    pub members: Vec<String>,
    /// securityEnabled
    #[serde(default = "yes")]
    pub security_enabled: bool,
}

/// An application or managed identity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DirectoryApp {
    /// Not unique.
    pub display_name: String,
    /// Client id, a UUID: the SID of the application.
    pub app_id: String,
    /// Object id of the service principal.
    pub object_id: String,
    /// Object id of the registration, which is another object.
    #[serde(default)]
    pub registration_id: Option<String>,
    /// accountEnabled of the service principal.
    #[serde(default = "yes")]
    pub account_enabled: bool,
    /// Whether Graph lets it read.
    #[serde(default = "yes")]
    pub reads_directory: bool,
    /// The path of the resource, where it is a user-assigned managed identity.
    #[serde(default)]
    pub managed_identity: Option<String>,
    /// Client secrets.
    #[serde(default)]
    pub secrets: Vec<AppSecret>,
    /// Certificates as PEM.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Federated identity credentials.
    #[serde(default)]
    pub federated: Vec<FederatedCredential>,
}

/// A client secret of an application.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AppSecret {
    /// The secret.
    pub value: String,
    /// Seconds since 1970 from which it holds no more.
    #[serde(default)]
    pub expires: Option<i64>,
}

impl std::fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppSecret").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Whose tokens an application takes for its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FederatedCredential {
    /// Its id; a new one gets one.
    #[serde(default)]
    pub id: String,
    /// Its name, unique in the application.
    pub name: String,
    /// `iss` of the tokens.
    pub issuer: String,
    /// `sub` of the tokens.
    pub subject: String,
    /// `aud` of the tokens, one.
    pub audiences: Vec<String>,
    /// Seconds since 1970 from which it works.
    #[serde(default)]
    pub works_from: i64,
}

/// Objects that were deleted and can be restored for 30 days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Deleted {
    /// People.
    pub users: Vec<DirectoryUser>,
    /// Groups.
    pub groups: Vec<DirectoryGroup>,
    /// Applications.
    pub apps: Vec<DirectoryApp>,
    /// When, by object id; who is left out has no such instant.
    pub at: std::collections::BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

/// What the tenant holds. Names may occur twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Directory {
    /// People.
    pub users: Vec<DirectoryUser>,
    /// Groups.
    pub groups: Vec<DirectoryGroup>,
    /// Applications.
    pub apps: Vec<DirectoryApp>,
    /// Whether the server's own identity may not read the directory, so that applications get 33134.
    pub server_identity_blind: bool,
    /// Deleted items.
    pub deleted: Deleted,
    /// Names that look-ups do not find before an instant (replication in the tenant takes its time).
    #[serde(skip)]
    pub hidden_until: Vec<(String, OffsetDateTime)>,
}

/// What a look-up by name found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// 16 bytes: object id of a user or group, client id of an application.
    pub sid: Vec<u8>,
    /// Whether it is a group.
    pub group: bool,
}

/// Why a look-up found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupError {
    /// Nobody has the name.
    Missing,
    /// Several have it.
    Ambiguous,
}

/// What look-ups find, by folded name.
pub(crate) type Names = std::collections::HashMap<String, Result<Found, LookupError>>;

impl Directory {
    /// Reads the JSON of `--directory`.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// Where each name stands: a look-up that reads the whole tenant takes a minute for ten thousand people.
    pub(crate) fn names(&self) -> Names {
        let mut names = Names::new();
        let users = self.users.iter().map(|user| (&user.upn, &user.object_id, false));
        let groups = self.groups.iter().map(|group| (&group.display_name, &group.object_id, true));
        let apps = self.apps.iter().map(|app| (&app.display_name, &app.app_id, false));
        for (name, id, group) in users.chain(groups).chain(apps) {
            let found = match names.get(&fold(name)) {
                Some(_) => Err(LookupError::Ambiguous),
                None => sid_of(id).map(|sid| Found { sid, group }).ok_or(LookupError::Missing),
            };
            names.insert(fold(name), found);
        }
        names
    }

    /// Looks a name up: UPN of a person, display name of a group or application.
    pub(crate) fn find(&self, names: &Names, name: &str, now: OffsetDateTime) -> Result<Found, LookupError> {
        if self.hidden_until.iter().any(|(hidden, until)| same(hidden, name) && now < *until) {
            return Err(LookupError::Missing);
        }
        names.get(&fold(name)).cloned().unwrap_or(Err(LookupError::Missing))
    }

    /// The person of this UPN.
    pub fn user(&self, upn: &str) -> Option<&DirectoryUser> {
        self.users.iter().find(|user| same(&user.upn, upn))
    }

    /// The application of this client id.
    pub fn app(&self, app_id: &str) -> Option<&DirectoryApp> {
        self.apps.iter().find(|app| app.app_id.eq_ignore_ascii_case(app_id))
    }

    /// All groups that one of these names is in, also through other groups; circles are harmless.
    pub fn groups_of(&self, names: &[&str]) -> Vec<&DirectoryGroup> {
        let mut reached = vec![false; self.groups.len()];
        let mut open: Vec<&str> = names.to_vec();
        while let Some(name) = open.pop() {
            for (index, group) in self.groups.iter().enumerate() {
                if !reached[index] && group.members.iter().any(|member| same(member, name)) {
                    reached[index] = true;
                    open.push(&group.display_name);
                    open.push(&group.object_id);
                }
            }
        }
        self.groups.iter().zip(reached).filter_map(|(group, reached)| reached.then_some(group)).collect()
    }
}

/// The SID of a directory object: the bytes of its UUID as `uniqueidentifier` stores them, the first three fields
/// little-endian.
pub fn sid_of(uuid: &str) -> Option<Vec<u8>> {
    let digits: String = uuid.chars().filter(|c| *c != '-' && *c != '{' && *c != '}').collect();
    if digits.len() != 32 {
        return None;
    }
    let mut bytes = Vec::with_capacity(16);
    for pair in digits.as_bytes().chunks(2) {
        bytes.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    bytes[0..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sids_are_the_bytes_of_a_uniqueidentifier() {
        let sid = sid_of("01234567-89ab-cdef-0123-456789abcdef").unwrap();
        assert_eq!(
            sid,
            [0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]
        );
        assert_eq!(sid_of("nonsense"), None);
    }

    #[test]
    fn look_ups_see_duplicates_and_nested_groups() {
        let id = "00000000-0000-0000-0000-00000000000";
        let json = format!(
            r#"{{"users":[{{"upn":"a@x","objectId":"{id}1"}}],
                "groups":[{{"displayName":"G","objectId":"{id}2","members":["A@X"]}},
                          {{"displayName":"H","objectId":"{id}3","members":["g","H"]}},
                          {{"displayName":"twin","objectId":"{id}4"}}],
                "apps":[{{"displayName":"twin","appId":"{id}5","objectId":"{id}6"}}]}}"#
        );
        let directory = Directory::parse(&json).unwrap();
        let now = OffsetDateTime::UNIX_EPOCH;
        let find = |name| directory.find(&directory.names(), name, now);
        assert_eq!(find("TWIN"), Err(LookupError::Ambiguous));
        assert_eq!(find("nobody"), Err(LookupError::Missing));
        assert!(find("g").unwrap().group);
        let groups: Vec<_> =
            directory.groups_of(&["a@x"]).iter().map(|group| group.display_name.as_str()).collect();
        assert_eq!(groups, ["G", "H"]);
    }
}
