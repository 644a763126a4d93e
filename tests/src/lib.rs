//! What the end-to-end suites share: the real binary as it runs in production, and everybody who speaks to it.
//!
//! ```text
//!  suite ──Scim──> axon serve (Serve) ──TDS──> axon emulator (Pool) <──Tds── suite reads the Catalog, pulls levers
//!             └──> axon plan | status | audit …  (Place::axon: one command in the same folder)
//! ```
//!
//! The suites are in `tests/tests/`, one file a story. Each test has a folder, ports and processes of its own, and ends only
//! those. Nothing sleeps and hopes: [`until`] waits on a condition with a deadline. `AXON_BIN` names another binary than the
//! one of the same build; `AXON_TEST_KEEP=1` leaves the folders (logs, store, configuration) for a look.
//!
//! To add a story: a file in `tests/tests/` that begins with [`Stage::set`].

mod binary;
mod catalog;
mod child;
mod journal;
mod memory;
mod place;
mod pool;
mod postgres;
mod provider;
mod rows;
mod scim;
mod serve;
mod stage;
mod tds;
mod wait;

pub use binary::{Said, axon, run};
pub use catalog::Catalog;
pub use child::Child;
pub use journal::Record;
pub use memory::Memory;
pub use place::Place;
pub use pool::{ADMIN, ENTRA_ADMIN, PASSWORD, Pool, entra_token};
pub use postgres::Postgres;
pub use provider::Provider;
pub use rows::Rows;
pub use scim::{Answer, Scim, group, user};
pub use serve::Serve;
pub use stage::{CONFIG, MAP, Stage};
pub use tds::{Tds, number};
pub use wait::{SOON, until};
