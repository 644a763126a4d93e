//! HTTP: SCIM, health, metrics, authentication.
