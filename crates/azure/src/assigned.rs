//! Roles that are only assigned, as a target: a role's assignment is a membership in it, and nothing else is there.
//!
//! ```text
//!  introduce(desired) ── names ──> Roster ── Graph ──> object ids
//!  inspect ── Place::rows ──> Roster::picture ──> reconcile::Graph
//!  apply   ── AddMember / DropMember ──> Place::put / Place::delete ──> Settling: asked about until it has effect
//!  is_unchanged ── one page ──> Pages: as it was read last?
//! ```

mod identities;
mod memo;
mod notes;
mod pages;
mod picture;
mod place;
mod roster;
mod settling;
mod target;

pub use identities::{Identified, Identities};
pub use memo::{IDENTITIES, Memo};
pub(crate) use notes::Notes;
pub(crate) use pages::PageRead;
pub(crate) use place::{Allows, Definition, Definitions, Listing, Place, RoleAt, Row, Sent};
pub(crate) use roster::Who;
pub use target::AssignedTarget;
