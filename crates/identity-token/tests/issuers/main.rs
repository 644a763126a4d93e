//! Tokens against a loopback issuer: forms, keys that rotate, trouble on the way, and mutations.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they share a function")]

mod forms;
mod mutations;
mod rotation;
mod stage;
mod trouble;
