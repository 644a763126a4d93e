//! T-SQL for Synapse: a dedicated or serverless pool as a [`Target`](axon_reconcile::Target).
//!
//! ```text
//!            Wording::work            render                    connect (tiberius, autocommit)
//!  Step ──────────────────> Statement ──────> Sql ──────────────────────────> pool
//!                                                                              │
//!  Inspection <── graph, shape <── assemble <── rows by id <── catalog batch ──┤
//!  Outcome    <── kind, retry  <── server_error (one table) <── error number ──┤
//!  Seen       <── graph        <── catalog rows of the wave's names ───────────┘
//! ```
//!
//! - **Only [`mod@render`] makes SQL text**; a connection takes nothing but its [`Sql`]. Names enter by one of two wrappers, or as
//!   bound parameters of catalog queries.
//! - **One statement a batch, autocommit, no replay.** A connection that breaks while a statement is under way gives
//!   `Outcome::Unknown`; a call that is dropped half-way takes its connection with it.
//! - **"Already there" is believed of the catalog only**, since users and roles share one namespace and "does not exist" also
//!   stands for a missing permission.
//! - **One connection** is kept per target, replaced when broken or old. Redirections of the gateway are followed.
//!
//! The driver logs every server error with its text, which may hold personal names, at level ERROR under the target `tiberius`:
//! a binary filters that target out. What matters of it is in outcomes and errors here.
//!
//! # Plain limits
//! - It was tried against Axon's own emulator only, and not against a live pool: what the numbers, the catalog's columns and
//!   the refusals look like comes from Microsoft's documentation.
//! - Not read: permissions on the catalog's own objects, on types, certificates and credentials; what `guest` holds; text of
//!   views (`Graph::views` is empty).
//! - A column that is taken out of an object-level permission (state `R`) is read as covered by it, and told as something that a
//!   person has to mend.
//! - The grantor of our own statements is taken to be `dbo` where we are `dbo` or in `db_owner`, else our own principal.
//! - A permission on a principal is written `ROLE::` for the roles that were there at the last full inspection, else `USER::`.
//! - `KillSessions` of an Entra group finds no sessions of its members: they run under their own names. On serverless, a
//!   database's target ends the sessions in that database.
//!
//! To add a statement: a variant of [`Statement`], its arm in [`render()`] with a snapshot, its effect in `read_back`. To add
//! an error number: a line of [`server_error`].

mod apply;
pub mod bootstrap;
mod capabilities;
mod catalog;
pub mod connect;
pub mod error;
mod kill;
mod lacks;
mod narrow;
mod needs;
pub mod pace;
pub mod probe;
mod read_back;
pub mod render;
pub mod script;
mod secure;
pub mod server_error;
mod sight;
pub mod statement;
mod target;
pub mod token;

pub use axon_reconcile::unseen::hides;
pub use capabilities::capabilities;
pub use catalog::Untold;
pub use connect::{Auth, Connection, Tls};
pub use error::ConfigError;
pub use needs::{Lack, lacking};
pub use probe::{Answer, Greeting, Latency, Probe, Probes};
pub use read_back::{holds, supersedes};
pub use render::{Sql, render};
pub use script::{ScriptSource, ScriptTarget};
pub use secure::managed;
pub use sight::Sight;
pub use statement::{Dialect, Statement, Wording, Work};
pub use target::SynapseTarget;
pub use token::{TokenCommand, TokenFile};
