//! SCIM 2.0 (RFC 7644 section 3.2): a folder per resource, a file per verb.

pub mod bulk;
mod defaults;
pub mod discovery;
pub mod groups;
pub mod me;
mod page;
mod render;
pub mod root;
mod segment;
pub mod users;

use axon_scim::ScimError;
use axon_store::{StoreError, WriteError};

use crate::call::Call;
use crate::reply::Refused;
pub use defaults::Defaults;

/// Over this many members a PATCH is answered without a body, whatever the profile.
pub const MANY_MEMBERS: u64 = 1000;

/// Any request to a version that is not spoken here (RFC 7644 section 3.13).
pub async fn other_version(_: Call) -> Refused {
    ScimError::invalid_version("this server speaks SCIM 2.0, under /scim/v2").into()
}

fn internal(error: &StoreError, what: &'static str) -> ScimError {
    tracing::error!(error = error as &dyn std::error::Error, what, "a request failed inside");
    ScimError::unavailable("the directory cannot be reached now; try again")
}

/// What a client is told of a failed write; what is inside is logged here, once.
fn refused(error: &WriteError) -> Refused {
    if let WriteError::Store(inside) = error {
        tracing::error!(error = inside as &dyn std::error::Error, "a write failed inside");
    }
    Refused(error.to_scim())
}
