//! The whole router over a real SQLite store: what a client sees, by verb, by identity provider, by attack.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they share a function")]

mod attack;
mod bulk;
mod care;
mod coding;
mod conditions;
mod discovery;
mod entra;
mod errors;
mod extensions;
mod groups;
mod guesses;
mod health;
mod integrations;
mod kept;
mod keywords;
mod kit;
mod limits;
mod lists;
mod oauth;
mod okta;
mod operators;
mod order;
mod scopes;
mod signed;
mod slowed;
mod sources;
mod users;
mod vectors;
