//! The whole router over a real SQLite store: what a client sees, by verb, by identity provider, by attack.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they share a function")]

mod attack;
mod bulk;
mod coding;
mod conditions;
mod discovery;
mod entra;
mod errors;
mod groups;
mod health;
mod kit;
mod limits;
mod lists;
mod okta;
mod order;
mod sources;
mod users;
