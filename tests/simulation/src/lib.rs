//! Random stories of pushes, map edits, changes by hand, faults, crashes and restarts, each replayed from its seed.
//!
//! ```text
//!  seed ─> story ─> world: SCIM writes ──> store in memory (the store's own SQL)
//!                     │                        │
//!                     │    map ─> Ticker (the real controller, planner, guards) ─> place ─> emulator's engine, in process
//!                     │                                                             ^ troubles
//!                     └──> checks after each step: powers by the emulator's engine against what the stories reckon themselves
//! ```
//!
//! One thread, a clock that stands until it is moved, no socket, no sleep: the same seed does the same to the byte.
//! See `docs/SIMULATION.md`.

pub mod chance;
pub mod checks;
pub mod clocks;
pub mod ear;
pub mod effects;
pub mod memory;
pub mod people;
pub mod picture;
pub mod place;
pub mod run;
pub mod story;
pub mod trouble;
pub mod watch;
pub mod wire;
pub mod world;
