//! The description of attributes that validation, PATCH, filters, projection and `/Schemas` share
//! (RFC 7643 sections 2 and 7).

mod attribute;
mod core;
mod document;
mod registry;

use std::fmt;
use std::sync::Arc;

pub use self::attribute::{Attribute, DataType, Mutability, Returned, Uniqueness};
pub use self::core::{ENTERPRISE_URN, GROUP_URN, USER_URN};
pub use self::document::{MAX_SCHEMA_FILE, SchemaFault};
pub use self::registry::{AttrPath, Named, Registry, RegistryError, Unresolved};

/// The two resource types that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A person.
    User,
    /// A group.
    Group,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// `User` or `Group`, as in `meta.resourceType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// `/Users` or `/Groups`.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// The URN of the base schema.
    pub fn urn(self) -> &'static str {
        match self {
            Self::User => USER_URN,
            Self::Group => GROUP_URN,
        }
    }

    /// The kind of a name, whatever its case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A named list of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The URN.
    pub id: Arc<str>,
    /// Short name.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// The attributes, in the order in which they are shown.
    pub attributes: Vec<Arc<Attribute>>,
}

impl Schema {
    /// The attribute of a name, whatever its case.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
    }
}

/// What is served at one endpoint (RFC 7643 section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// Which kind.
    pub kind: ResourceKind,
    /// One sentence.
    pub description: String,
    /// The base schema.
    pub schema: Arc<Schema>,
    /// The extensions, and whether a resource must have them.
    pub extensions: Vec<(Arc<Schema>, bool)>,
}
