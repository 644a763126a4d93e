//! SCIM 2.0 (RFC 7643, RFC 7644) as Entra ID and Okta speak it. Pure: no I/O, no clock, no HTTP.
//!
//! ```text
//!  body ----> resource::parse_new --> Resource, members, notices            answer
//!                    ^                    |                                    ^
//!  PATCH ---> patch::PatchRequest -apply->+--> store --> Resource --> project -+
//!                    ^                                      ^
//!  filter --> filter::Filter -- index_terms / matches ------+
//!                    ^
//!             schema::Registry, Profile          everything that fails: ScimError
//! ```
//!
//! One description of the attributes ([`Registry`]) serves validation, PATCH, filters, projection and
//! `/Schemas`; one [`Profile`] per source says where its identity provider and the RFC differ. Members of
//! groups are never part of a document: bodies and PATCHes give them apart, as rows for the store.
//!
//! ```
//! use axon_scim::{Filter, PatchRequest, Profile, Registry, ResourceKind, apply, parse_new};
//! use serde_json::json;
//!
//! let (registry, profile) = (Registry::standard(), Profile::entra());
//! let body = json!({"userName": "kim@ex.test", "title": null});
//! let mut kim = parse_new(&registry, ResourceKind::User, body, &profile)?.resource;
//!
//! let body = json!({"Operations": [
//!     {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "kim@ex.test"},
//!     {"op": "Replace", "path": "active", "value": "False"},
//! ]});
//! let request = PatchRequest::parse(body, &registry, ResourceKind::User, &profile)?;
//! assert!(apply(&request.ops, &mut kim, &profile)?);
//! assert_eq!((kim.work_email(), kim.active()), (Some("kim@ex.test"), Some(false)));
//!
//! let filter = Filter::parse("userName eq \"KIM@ex.test\"", &registry, ResourceKind::User, &profile)?;
//! assert!(filter.matches(&kim));
//! # Ok::<(), axon_scim::ScimError>(())
//! ```
//!
//! Entity tags and cursors are the store's and the HTTP layer's: here they are texts.
//!
//! To add an attribute, add a line in `schema/core.rs`; to serve an extension, call
//! [`Registry::add_extension`]. To take a new dialect of PATCH, add its shape to `patch/expand.rs` and a
//! vector to `tests/vectors`.

pub mod bulk;
pub mod compare;
pub mod discovery;
pub mod error;
pub mod filter;
pub mod list;
pub mod nearest;
pub mod patch;
pub mod path;
pub mod profile;
pub mod project;
pub mod resource;
pub mod schema;
pub mod sort;

pub use bulk::{BulkMethod, BulkRequest, BulkResponse, BulkRun, BulkStep};
pub use error::{ERROR_URN, ScimError, ScimType};
pub use filter::{
    CompareOp, Expr, Filter, FilterError, IndexPlan, IndexTerm, Literal, MAX_FILTER_DEPTH, MAX_FILTER_LENGTH,
    Seen, Truth, Verdict,
};
pub use list::{LIST_URN, ListQuery, ListResponse};
pub use patch::{AttributeOp, Op, PatchRequest, Verb, apply};
pub use path::Path;
pub use profile::{Profile, ProfileKind, Switches};
pub use project::Projection;
pub use resource::{
    Address, EnterpriseUser, Group, Manager, MemberRef, Meta, Name, Notice, Notices, Parsed, Resource,
    TypedError, User, ValueEntry, parse_new, parse_resource, replace,
};
pub use schema::{
    AttrPath, Attribute, DataType, ENTERPRISE_URN, GROUP_URN, MAX_SCHEMA_FILE, Mutability, Named, Registry,
    RegistryError, ResourceKind, ResourceType, Returned, Schema, SchemaFault, USER_URN, Uniqueness,
    Unresolved,
};
pub use sort::{Sort, SortKey};
