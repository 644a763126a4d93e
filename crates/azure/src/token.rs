//! How Axon proves who it is: one identity, a token for each resource, kept as long as it holds.
//!
//! Nothing of a token, a secret or an assertion is ever written, logged or put into an error.

pub(crate) mod certificate;
mod code;
mod exchange;
mod fault;
mod identity;
mod keep;
mod managed;
mod received;

pub use certificate::{Certificate, CertificateError};
pub use fault::TokenFault;
pub use identity::{Identity, Platform};
pub use keep::{ResourceToken, Tokens};
