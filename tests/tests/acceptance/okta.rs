//! Okta's lists: the SPEC test, the CRUD story, group push and an import, for both kinds of integration.

mod crud;
mod imports;
mod integration;
mod push;
mod spec;

/// An Okta org's connection.
const OKTA: (&str, &str) = ("okta", "{ kind: okta }");
