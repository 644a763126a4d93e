//! What RFC 7644 names and this server does not have: 501 with the reason (section 3.2), so that nobody takes a missing feature
//! for a wrong address.

use axon_scim::ScimError;

use crate::call::Call;
use crate::reply::Refused;

/// `/Me` (section 3.11): a source is not a person.
pub async fn me(_: Call) -> Refused {
    ScimError::not_implemented("a source's token stands for no person, so there is no /Me").into()
}

/// `/Bulk` (section 3.7); `/ServiceProviderConfig` says so too.
pub async fn bulk(_: Call) -> Refused {
    ScimError::not_implemented("bulk requests are not served; send one request for each resource").into()
}

/// `/.search` over all resource types (section 3.4.3).
pub async fn root_search(_: Call) -> Refused {
    ScimError::not_implemented("search one resource type: POST /Users/.search or /Groups/.search").into()
}
