//! The role map, and what it and the directory together ask of each target. Pure: no I/O, the clock is an argument.
//!
//! ```text
//!  YAML files --load--> tree with places --read--> RoleMap          (all faults at once, each with line and column)
//!                                                     |
//!  Directory --Selection--> groups of each mapping ---+--Standing--> what each person asks for
//!                                                     |
//!  Shape (catalog) -----------------------------------+--Evaluator--> Desired { graph, scope, pending }
//! ```
//!
//! To add a key of the language: its name in the list of keys of its reader (`map.rs`, `target.rs`, `role.rs`, `rule.rs`,
//! `guards.rs`), a field of the type beside it, and a line in the tests of bad maps. A key that is known to the language
//! and not built goes into that reader's list of later keys, so that it is refused and never ignored.

pub mod acting;
pub mod adopt;
pub mod because;
pub mod beside;
pub mod chain;
pub mod check;
pub mod condition;
mod cross;
pub mod desired;
pub mod diagnostic;
pub mod diff;
mod effect;
pub mod evaluator;
pub mod explain;
mod given;
pub mod grant;
pub mod guards;
pub mod identity;
pub mod map;
pub mod map_test;
pub mod names;
mod nearest;
pub mod pending;
pub mod place;
mod placement;
pub mod preview;
mod read;
mod reserved;
pub mod role;
pub mod rule;
pub mod rules;
pub mod schema;
pub mod secure_view;
mod selection;
pub mod service;
mod silence;
mod standing;
pub mod tags;
pub mod target;
pub mod template;
mod together;
mod view;
pub mod views;
mod yaml;

pub use because::Cause;
pub use beside::{Beside, Extra, RequestShown};
pub use chain::Link;
pub use check::{Finding, Lint, Severity, check};
pub use desired::{Desired, Surroundings, UnknownTarget, desired};
pub use diagnostic::{Chapter, Diagnostic, Diagnostics, Fault};
pub use evaluator::{Evaluator, Moved, Touched};
pub use explain::{Explanation, Question, explain};
pub use grant::GrantLine;
pub use guards::{GuardRules, Tombstones};
pub use identity::Identity;
pub use map::{NotCarriedOut, RoleMap};
pub use map_test::{Failure, MapTest};
pub use names::{RoleName, ServiceName, TargetName};
pub use pending::{Claimant, Pending};
pub use place::Place;
pub use preview::{Compared, Preview, preview};
pub use role::{DefinedRole, HeldGrant, Impersonation, PlacedGrant, RoleSpec};
pub use rule::Mapping;
pub use rules::{Rules, Separation};
pub use secure_view::SecureView;
pub use service::{Entitlement, Service, ServiceToken};
pub use target::{Auth, Endpoint, Manage, SecretRef, SqlServer, TargetKind, TargetSpec, Tls, Via, Words};
pub use view::classifiers;
