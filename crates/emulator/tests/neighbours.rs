//! The pool's neighbours over HTTP: shapes, pages, refusals, delays, faults, and the levers beside them.
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]

#[path = "neighbours/stage.rs"]
mod stage;

#[path = "neighbours/arm.rs"]
mod arm;
#[path = "neighbours/faults.rs"]
mod faults;
#[path = "neighbours/graph.rs"]
mod graph;
#[path = "neighbours/ingest.rs"]
mod ingest;
#[path = "neighbours/levers.rs"]
mod levers;
#[path = "neighbours/synapse.rs"]
mod synapse;
#[path = "neighbours/tokens.rs"]
mod tokens;
