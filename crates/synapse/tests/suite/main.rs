//! The crate from outside: what it renders, how it behaves on a wire, and a story against the emulator.
#![expect(clippy::unwrap_used, reason = "test support fails like a test")]

mod faults;
mod filling;
mod filtering;
mod moved;
mod probing;
mod redirect;
mod rendering;
mod script;
mod scripted;
mod server;
mod sight;
mod stage;
mod story;
mod tombstone;
mod trouble;
mod view_probe;
mod visitors;
mod wire;
