//! What refusals of Graph mean.

use crate::service::Kind;
use crate::wire::Problem;

/// What a refusal means, and what helps.
pub(super) fn told_apart(problem: &Problem) -> (Kind, &'static str) {
    match (problem.status, problem.code.as_str()) {
        (_, "Authorization_RequestDenied") | (403, _) => (
            Kind::Forbidden,
            "Axon may not read the directory: give its identity the role Directory Readers, or the Graph permissions \
             User.Read.All, GroupMember.Read.All and Application.Read.All; or say `object_id` in the role map",
        ),
        (401, _) => (Kind::Login, "the token is not taken: check tenant and cloud"),
        (404, _) => (Kind::Missing, ""),
        (500.., _) => (Kind::Busy, ""),
        _ => (Kind::Other, ""),
    }
}
