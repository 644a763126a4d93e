//! The loop that makes what is in force follow what the map asks for.
//!
//! ```text
//!  wake (write, timer, map, start) ─> tick: lease ─> directory ─> inspect ─> desired ─> plan ─> admit ─┐
//!        ^                                                                                             │
//!        └── next instant (retry, until, full inspect) <── summary <── read back <── apply <── record <┘
//! ```
//!
//! A tick takes no arguments: what it does follows from the state it reads, so the rare path and the common path are one.
//! Nobody waits for it. A target that is down, paused or refuses leaves the work pending, and visible in its [`Summary`].
//!
//! To add a target kind: implement `axon_reconcile::Target`; nothing here changes.

pub mod asking;
mod behind;
mod blocked;
mod breaker;
mod cause;
mod error;
mod execute;
mod left;
mod made;
mod names;
mod record;
mod requests;
mod run;
mod spool;
mod stirred;
mod summary;
mod tick;
pub mod versions;
mod world;

pub use breaker::{Breaking, Standing};
pub use error::ControllerError;
pub use execute::WAVE;
pub use left::{Leases, Left, LeftError, Looked, Removal, SWEEP};
pub use run::{Controller, Settings};
pub use summary::{State, Summary, Waiting};
pub use tick::{
    Drift, DriftKind, EXCEPTED, EventAttribute, LeaverSettings, PastDrift, Preview, ProbeReport,
    ProbeSettings, Probed, Tick, Ticker, Tombstone, Tombstones, accept_key, announcement, capabilities_key,
    known_keys, probe_key, script_notes, script_record, shuts_out, tombstones_key,
};
pub use world::World;
