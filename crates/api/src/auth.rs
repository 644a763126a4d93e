//! Who calls, and what they may do.
//!
//! ```text
//!  Authorization ── shown ── opaque: book, else store ─┐
//!                          └ signed: rules of a source ─┴─> Caller { source, scopes } ── need of the route ── handler
//!                     refused: counted, slowed by address (failures)
//!
//!  POST /oauth2/token ── client's secret, or an assertion of a trusted issuer ── a short-lived opaque token
//! ```
//!
//! No other place than `Authorization` is looked at: a token in an address would be in every log on the way. A caller of any
//! kind is a connector of one source: nothing that an identity provider pushes or signs makes an operator of Axon.

mod authenticate;
mod book;
mod caller;
mod elsewhere;
mod failures;
mod last_use;
pub mod oauth;
mod origin;
mod settings;
mod shown;

pub(crate) use authenticate::{
    COME_BACK_SECONDS, authenticate, challenge, is_answered_after_a_while, known_at_once,
};
pub(crate) use book::TokenBook;
pub use caller::Caller;
pub(crate) use caller::Need;
pub(crate) use failures::{Failures, Slowed};
pub(crate) use origin::host;
pub use origin::{ForwardedBy, Origin, Peer, Proxies, client_network};
pub use settings::{AuthSettings, Federated, SourceGrant, Trusts};
