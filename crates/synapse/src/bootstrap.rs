//! Making a database ready for Axon: who enters, who owns the views, where profiles lie; and taking all of it away.
//!
//! ```text
//!  Setup ── parts (pure) ──> [Part { what for, batch, answers that mean "there already" }]
//!                               ├── written ──> a script for people: comments, GO
//!                               └── run ──────> the same batches over a connection of somebody who may
//!  Setup ── look ──> [Check]    connect, schema, owner, collation, delimiters, account, role, probes; changes nothing
//! ```
//!
//! The same batches stand in the scripts and are sent by Axon, so that what a person reads is what happens. None holds a password.
//! What is taken away goes in an order in which nobody reads more than before: what the role map made ([`OfMap`]) and the views first,
//! the owner of the tables last, and only if nothing belongs to it.
//!
//! Nothing goes that somebody else made under the same name. The role belongs to Axon's owner, which marks it; a login, a user, the owner
//! and a schema can bear no mark, so Axon keeps which of them it made ([`Made`]), before it makes them, and scripts leave these lines to
//! whoever runs them.

mod look;
mod parts;
mod run;
mod setup;
mod written;

pub use look::{Check, CheckStatus, Moment, look};
pub use parts::{Part, Thing, Where, create, delete, edit};
pub use run::{BootstrapError, Kept, NotSent, Sweep, bring_up, random_password, renew_password, take_down};
pub use setup::{Account, Before, Made, OfMap, Setup};
pub use written::written;
