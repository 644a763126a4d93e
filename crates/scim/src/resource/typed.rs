//! User, Group and EnterpriseUser as plain structs, for code that makes or reads whole resources.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Parsed, Resource, parse_resource};
use crate::error::ScimError;
use crate::profile::Profile;
use crate::schema::{GROUP_URN, Registry, ResourceKind, USER_URN};

/// A resource that does not have the shape of the struct.
#[derive(Debug, thiserror::Error)]
pub enum TypedError {
    /// It is of the other kind.
    #[error("this is a {0}")]
    Kind(ResourceKind),
    /// A value has another type than its schema says.
    #[error("the document does not fit its schema")]
    Shape(#[from] serde_json::Error),
}

/// The parts of a person's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Name {
    /// The whole name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// The family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// The given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// The middle names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// Titles before the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honorific_prefix: Option<String>,
    /// Suffixes after the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honorific_suffix: Option<String>,
}

/// An element of `emails`, `phoneNumbers`, `roles` and the other lists of values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValueEntry {
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// What it is for.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Is it the preferred one?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Address {
    /// The whole address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// Street and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// State or region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What it is for.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Is it the preferred one?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// The manager of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Manager {
    /// The id of the manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The address of the manager.
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The name of the manager; written by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// The enterprise extension (RFC 7643 section 4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnterpriseUser {
    /// The number of the employee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_number: Option<String>,
    /// Cost centre.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_center: Option<String>,
    /// Organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Division.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub division: Option<String>,
    /// Department.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<Manager>,
}

/// A person (RFC 7643 section 4.1). `password` is not here, since it is never stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct User {
    /// The identifier given by this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The identifier given by the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The name with which the person signs in.
    pub user_name: String,
    /// The parts of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The name for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// How the person is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nick_name: Option<String>,
    /// A page about the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_url: Option<String>,
    /// Job title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The relation to the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_type: Option<String>,
    /// Preferred language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_language: Option<String>,
    /// Locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// May the person sign in?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// E-mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<ValueEntry>,
    /// Telephone numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phone_numbers: Vec<ValueEntry>,
    /// Instant messaging addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ims: Vec<ValueEntry>,
    /// Pictures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub photos: Vec<ValueEntry>,
    /// Postal addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// Entitlements.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<ValueEntry>,
    /// Roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<ValueEntry>,
    /// Certificates.
    #[serde(rename = "x509Certificates", skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<ValueEntry>,
    /// The enterprise extension.
    #[serde(
        rename = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        skip_serializing_if = "Option::is_none"
    )]
    pub enterprise: Option<EnterpriseUser>,
}

/// A group (RFC 7643 section 4.2), without its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Group {
    /// The identifier given by this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The identifier given by the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The name of the group.
    pub display_name: String,
}

impl TryFrom<&Resource> for User {
    type Error = TypedError;

    fn try_from(resource: &Resource) -> Result<Self, TypedError> {
        read(resource, ResourceKind::User)
    }
}

impl TryFrom<&Resource> for Group {
    type Error = TypedError;

    fn try_from(resource: &Resource) -> Result<Self, TypedError> {
        read(resource, ResourceKind::Group)
    }
}

fn read<T: serde::de::DeserializeOwned>(resource: &Resource, kind: ResourceKind) -> Result<T, TypedError> {
    if resource.kind() != kind {
        return Err(TypedError::Kind(resource.kind()));
    }
    Ok(T::deserialize(Value::Object(resource.as_map().clone()))?)
}

impl User {
    /// The resource of this person, checked as a body is.
    pub fn to_resource(&self, registry: &Registry) -> Result<Resource, ScimError> {
        write(self, USER_URN, registry, ResourceKind::User, self.id.as_deref())
    }
}

impl Group {
    /// The resource of this group, checked as a body is.
    pub fn to_resource(&self, registry: &Registry) -> Result<Resource, ScimError> {
        write(self, GROUP_URN, registry, ResourceKind::Group, self.id.as_deref())
    }
}

fn write<T: Serialize>(
    typed: &T,
    urn: &str,
    registry: &Registry,
    kind: ResourceKind,
    id: Option<&str>,
) -> Result<Resource, ScimError> {
    let mut body = serde_json::to_value(typed).map_err(|e| ScimError::invalid_value(e.to_string()))?;
    body["schemas"] = Value::from(vec![urn]);
    let Parsed { mut resource, .. } = parse_resource(registry, kind, body, &Profile::generic())?;
    if let Some(id) = id {
        resource.map_mut().insert("id".to_owned(), Value::from(id));
    }
    Ok(resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_go_there_and_back() {
        let registry = Registry::standard();
        let user = User {
            id: Some("7".into()),
            user_name: "kim@ex.test".into(),
            active: Some(false),
            name: Some(Name { given_name: Some("Kim".into()), ..Name::default() }),
            emails: vec![ValueEntry {
                value: Some("k@x".into()),
                kind: Some("work".into()),
                ..ValueEntry::default()
            }],
            enterprise: Some(EnterpriseUser {
                department: Some("R&D".into()),
                manager: Some(Manager { value: Some("M".into()), ..Manager::default() }),
                ..EnterpriseUser::default()
            }),
            ..User::default()
        };
        let resource = user.to_resource(&registry).unwrap();
        assert_eq!(resource.department(), Some("R&D"));
        assert_eq!(User::try_from(&resource).unwrap(), user);
        assert!(matches!(Group::try_from(&resource), Err(TypedError::Kind(ResourceKind::User))));
    }

    #[test]
    fn a_struct_is_checked_like_a_body() {
        assert!(Group::default().to_resource(&Registry::standard()).is_err());
    }
}
