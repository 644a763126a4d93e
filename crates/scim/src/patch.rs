//! PATCH (RFC 7644 section 3.5.2), in every dialect that identity providers speak.
//!
//! ```text
//! body --parse--> PatchRequest: one Op per attribute, typed; members apart
//!                   |-- attribute ops --apply--> Resource, all or nothing
//!                   '-- member ops ------------> rows of the store, a delta
//! ```
//! Attributes and members do not meet, so a store may apply the member operations by themselves, as
//! long as it keeps their order.

mod apply;
mod elements;
mod expand;
mod members;
mod request;

use serde_json::Value;

pub use self::apply::apply;

use crate::error::ScimError;
use crate::filter::Filter;
use crate::path::Path;
use crate::profile::Profile;
use crate::resource::{MemberRef, Notices};
use crate::schema::{Registry, ResourceKind};

/// The three verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Gives a value beside those that are there.
    Add,
    /// Gives a value in place of what is there.
    Replace,
    /// Takes a value away.
    Remove,
}

impl Verb {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Add, Self::Replace, Self::Remove].into_iter().find(|v| v.as_str().eq_ignore_ascii_case(text))
    }
}

/// One change of one attribute, its value in schema spelling. Made by [`PatchRequest::parse`].
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeOp {
    pub(crate) verb: Verb,
    pub(crate) path: Path,
    /// None for a plain `remove`; for a `remove` with values, those alone go.
    pub(crate) value: Option<Value>,
}

impl AttributeOp {
    /// What it does.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Where.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// With what.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }
}

/// One operation, in the order of the request.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A change of the document.
    Attribute(AttributeOp),
    /// These become members; those that are stay.
    AddMembers(Vec<MemberRef>),
    /// These are no longer members; others stay (decision "never wipe").
    RemoveMembers(Vec<String>),
    /// Members that match are no longer members; evaluate with [`Filter::matches_element`] over
    /// `{"value", "type", "$ref", "display"}`.
    RemoveMembersWhere(Filter),
    /// These alone are members.
    ReplaceMembers(Vec<MemberRef>),
    /// Nobody is a member.
    ClearMembers,
}

impl Op {
    fn shape(&self) -> String {
        match self {
            Self::Attribute(op) => format!("{} {}", op.verb.as_str(), op.path.shape()),
            Self::AddMembers(list) => format!("add {} members", list.len()),
            Self::RemoveMembers(list) => format!("remove {} members", list.len()),
            Self::RemoveMembersWhere(_) => "remove members[…]".to_owned(),
            Self::ReplaceMembers(list) => format!("replace members by {}", list.len()),
            Self::ClearMembers => "remove members".to_owned(),
        }
    }
}

/// A PATCH body that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchRequest {
    /// The operations, path-less ones spread out to one per attribute.
    pub ops: Vec<Op>,
    /// What was dropped.
    pub notices: Notices,
}

impl PatchRequest {
    /// Reads a PATCH body for resources of a kind. What can be refused without knowing the resource
    /// is refused here: syntax, unknown paths, wrong types.
    pub fn parse(
        body: Value,
        registry: &Registry,
        kind: ResourceKind,
        profile: &Profile,
    ) -> Result<Self, ScimError> {
        request::parse(body, registry, kind, profile)
    }

    /// The operations on members, in order.
    pub fn member_ops(&self) -> impl Iterator<Item = &Op> {
        self.ops.iter().filter(|op| !matches!(op, Op::Attribute(_)))
    }

    /// What the request does, for logs: verbs and attributes, without values and without the literals
    /// of filters.
    pub fn shape(&self) -> Vec<String> {
        self.ops.iter().map(Op::shape).collect()
    }

    /// Does any operation touch the document?
    pub fn touches_document(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::Attribute(_)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shape_names_attributes_and_no_values() {
        let body = json!({"Operations": [
            {"op": "Replace", "path": "emails[value eq \"secret@x\"].value", "value": "secret@y"},
            {"op": "add", "value": {"displayName": "secret"}},
        ]});
        let request =
            PatchRequest::parse(body, &Registry::standard(), ResourceKind::User, &Profile::entra()).unwrap();
        assert_eq!(request.shape(), ["replace emails[…].value", "add displayName"]);
        assert!(request.touches_document());
        let body = json!({"Operations": [
            {"op": "add", "path": "members", "value": [{"value": "secret"}]}, {"op": "remove", "path": "members[value sw \"s\"]"},
        ]});
        let request =
            PatchRequest::parse(body, &Registry::standard(), ResourceKind::Group, &Profile::entra()).unwrap();
        assert_eq!(request.shape(), ["add 1 members", "remove members[…]"]);
        assert!(!request.touches_document());
        assert_eq!(request.member_ops().count(), 2);
    }
}
