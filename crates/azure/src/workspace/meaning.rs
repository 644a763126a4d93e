//! What refusals of a workspace mean. Its statuses are not all documented: the code decides, then the text, then the status.

use crate::service::Kind;
use crate::wire::Problem;

/// What a refusal means, and what helps.
pub(super) fn told_apart(problem: &Problem) -> (Kind, &'static str) {
    let code = problem.code.to_ascii_lowercase();
    let text = problem.message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| code.contains(word) || text.contains(word));
    if code == "roleassignmentalreadyexists" {
        return (Kind::AlreadyThere, "");
    }
    if says(&[
        "clientipaddressnotauthorized",
        "ip address",
        "firewall",
        "publicnetworkaccess",
        "private endpoint",
    ]) {
        return (
            Kind::Network,
            "the workspace's firewall does not let this machine in: add its address to the workspace's IP rules, or run Axon \
             where the workspace's private endpoint is reached",
        );
    }
    if matches!(problem.status, 401 | 403) && says(&["tenant", "issuer"]) {
        return (Kind::Login, "the token is of another tenant than the workspace: check tenant_id of `auth`");
    }
    match problem.status {
        401 => (Kind::Login, "the token is not taken: check tenant and cloud"),
        403 => (
            Kind::Forbidden,
            "Axon's identity has no role in the workspace that allows it: make it Synapse Administrator there",
        ),
        404 => (Kind::Missing, ""),
        409 => (Kind::Blocked, ""),
        400 if says(&["principal"]) => {
            (Kind::NoPrincipal, "the workspace does not know the principal, or not yet")
        }
        400 if says(&["scope"]) => (Kind::Other, "the role cannot be assigned on this kind of item"),
        500.. => (Kind::Busy, ""),
        _ => (Kind::Other, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_reasons_for_a_403_are_told_apart() {
        let told = |status, code: &str, message: &str| {
            told_apart(&Problem { status, code: code.into(), message: message.into() }).0
        };
        let role =
            "The principal 'x' does not have the required Synapse RBAC permission to perform this action.";
        assert_eq!(told(403, "Unauthorized", role), Kind::Forbidden);
        assert_eq!(told(403, "ClientIpAddressNotAuthorized", "Client Ip address : 1.2.3.4"), Kind::Network);
        assert_eq!(
            told(403, "Forbidden", "Access from the public network is blocked by the firewall"),
            Kind::Network
        );
        assert_eq!(told(403, "Forbidden", "The token's tenant does not match"), Kind::Login);
        assert_eq!(told(401, "", ""), Kind::Login);
        assert_eq!(told(409, "RoleAssignmentAlreadyExists", ""), Kind::AlreadyThere);
        assert_eq!(told(400, "RoleAssignmentAlreadyExists", ""), Kind::AlreadyThere, "whatever the status");
        assert_eq!(told(503, "", ""), Kind::Busy);
    }
}
