//! The crate from outside: what it renders, how it behaves on a wire, and a story against the emulator.
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]
#![expect(clippy::print_stdout, reason = "what is left out of a run on a named server is said")]

mod ability;
mod basics;
mod convergence;
mod faults;
mod filling;
mod filtering;
mod growing;
mod moved;
mod named;
mod place;
mod probing;
mod redirect;
mod rendering;
mod script;
mod scripted;
mod server;
mod sight;
mod stage;
mod story;
mod tidy;
mod tombstone;
mod trouble;
mod view_probe;
mod visitors;
mod whole;
mod wire;
