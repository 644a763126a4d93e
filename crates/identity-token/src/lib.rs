//! Tokens that others sign: who may sign them, with which keys, and what they must say.
//!
//! ```text
//!  token ── read (nothing is believed yet) ── issuer known? ── key by kid ── signature ── times, audience, claims ── Verified
//!                                                 │              │
//!                               rules, from the configuration   KeyRing ── discovery, JWKS (https, bounded, cached, rotating)
//! ```
//!
//! A [`Rule`] says what one kind of token must be; a [`Verifier`] holds rules with what each of them gives, whatever that is
//! to its user. Nothing in a token says where its key is: `jku`, `jwk`, `x5u` and `x5c` are not looked at.
//!
//! To add an issuer with a form of its own: a constructor in [`issuer`], beside Entra's.

pub mod address;
pub mod algorithm;
pub mod claims;
pub mod condition;
mod fetch;
pub mod issuer;
mod key;
pub mod refusal;
mod ring;
pub mod rule;
#[cfg(feature = "testing")]
pub mod testing;
pub mod token;
pub mod verifier;

pub use address::{Address, BadAddress};
pub use algorithm::{Algorithm, BadAlgorithm};
pub use claims::Claims;
pub use condition::Condition;
pub use issuer::Issuer;
pub use refusal::Refusal;
pub use rule::Rule;
pub use verifier::{Verified, Verifier};
