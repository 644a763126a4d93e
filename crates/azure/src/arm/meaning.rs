//! What refusals of Azure Resource Manager mean.

use crate::service::Kind;
use crate::wire::Problem;

/// What a refusal means, and what helps.
pub(super) fn told_apart(problem: &Problem) -> (Kind, &'static str) {
    match (problem.status, problem.code.as_str()) {
        (_, "RoleAssignmentExists") => (Kind::AlreadyThere, "somebody assigned it under another name"),
        (_, "RoleAssignmentUpdateNotPermitted") => (
            Kind::Blocked,
            "another assignment has this name: look at it in the portal, and take it away if it is a leftover",
        ),
        (_, "PrincipalNotFound") => (
            Kind::NoPrincipal,
            "the directory does not show the principal here yet (minutes after it was made), or it is deleted: it is tried again",
        ),
        (_, "RoleAssignmentLimitExceeded") => (
            Kind::Blocked,
            "the subscription has as many role assignments as it may: assign to groups, and collect rows of deleted principals",
        ),
        (_, "RoleDefinitionHasAssignments") => (
            Kind::Blocked,
            "somebody still has the role, here or at another scope: take those assignments away first",
        ),
        (_, "RoleDefinitionDoesNotExist" | "RoleDefinitionWithSameNameExists") => {
            (Kind::Other, "check the role's name and where it may be assigned")
        }
        (_, "SubscriptionNotFound" | "ResourceGroupNotFound" | "ResourceNotFound") => {
            (Kind::Other, "the target's `scope` is not there for Axon: check the subscription and the tenant")
        }
        (_, "InvalidAuthenticationTokenTenant") => {
            (Kind::Login, "the token is of another tenant than the subscription: check tenant_id of `auth`")
        }
        (_, code) if code.starts_with("LinkedAuthorizationFailed") || code == "AuthorizationFailed" => (
            Kind::Forbidden,
            "Axon's identity may not do this at this scope: give it Role Based Access Control Administrator there, and look at \
             the conditions on that assignment; a new assignment takes minutes to have effect",
        ),
        (403, "RequestDisallowedByPolicy") => (Kind::Blocked, "a policy of Azure forbids it"),
        (403, _) => (Kind::Forbidden, ""),
        (401, _) => (Kind::Login, "the token is not taken: check tenant and cloud"),
        (404, _) => (Kind::Missing, ""),
        (409, _) => (Kind::Blocked, ""),
        (412, _) => (Kind::Blocked, "the last administrator of a scope cannot be removed"),
        (500.., _) => (Kind::Busy, ""),
        _ => (Kind::Other, ""),
    }
}
