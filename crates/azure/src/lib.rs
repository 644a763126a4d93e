//! The Azure resources beside a pool, and how Axon proves who it is.
//!
//! ```text
//!  Identity ──> Tokens ──TokenSource──> SQL, Synapse, Resource Manager, Graph, Monitor
//!                  │
//!  Directory (Graph): name <-> object id ─┐
//!  WorkspaceTarget ── rows ──> Roster ────┼──> reconcile::Graph: a role's assignment is a membership
//!  ArmTarget ──────── rows ──> Roster ────┘
//! ```
//!
//! Everything over HTTP goes through one bounded client (`wire`). To add a resource that tokens are for: a variant of
//! [`Resource`] and its audience in [`Cloud`]. To add a place where roles are assigned: a module like `workspace`, which lists rows,
//! puts one and deletes one; the rest is `roster`.

mod arm;
mod assigned;
mod cloud;
mod entra;
mod guid;
mod logs;
mod pace;
pub mod parity;
mod scrub;
mod service;
mod token;
mod wire;
mod workspace;

#[cfg(test)]
mod testing;

pub use arm::{
    ArmParts, Around, BadRole, BadScope, CustomRole, Forecast, Holder, ManagedIdentities, Pace, Power,
    SqlSide, around, azure_rbac,
};
pub use assigned::{AssignedTarget, IDENTITIES, Identified, Identities, Memo};
pub use cloud::{BadBase, Base, Cloud, CloudName, Resource};
pub use entra::{Clue, Credential, Entra, Entry, EntryKind, Federation, Found, Presented, ServiceIds};
pub use guid::{BadGuid, Guid};
pub use logs::{
    BadStream, Batch, Ingestion, LogFault, LogFaultKind, LogParts, MOST_CALL, MOST_FIELD, check_stream,
};
pub use pace::Paces;
pub use service::Bearer;
pub use token::{Certificate, CertificateError, Identity, Platform, ResourceToken, TokenFault, Tokens};
pub use wire::{Wire, WireError};
pub use workspace::{BadWorkspace, WorkspaceParts, workspace};
