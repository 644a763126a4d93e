//! `/Me` (RFC 7644 section 3.11). Who calls here is a source, which is no person of its own directory: every method is 501 with
//! the reason, so that nobody takes it for a wrong address.

use axon_scim::ScimError;

use crate::call::Call;
use crate::reply::Refused;

/// Any method.
pub async fn handle(_: Call) -> Refused {
    ScimError::not_implemented(
        "the token names a source and no user, so there is no /Me; read the user at /Users/{id} or by /Users?filter=",
    )
    .into()
}
