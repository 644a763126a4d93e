//! Actions of Azure as roles name them: `*` stands for any run of characters, and case does not matter.

/// Actions by which somebody gives roles, or changes what roles allow.
const GIVE_ROLES: [&str; 9] = [
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Authorization/roleAssignments/delete",
    "Microsoft.Authorization/roleDefinitions/write",
    "Microsoft.Authorization/elevateAccess/action",
    "Microsoft.Authorization/roleAssignmentScheduleRequests/write",
    "Microsoft.Authorization/roleEligibilityScheduleRequests/write",
    "Microsoft.Authorization/roleManagementPolicies/write",
    "Microsoft.Authorization/classicAdministrators/write",
    "Microsoft.Authorization/denyAssignments/delete",
];

/// Whether an action, or anything that a pattern stands for, lets people give roles or change what they allow.
pub fn gives_roles(action: &str) -> bool {
    let folded = action.to_ascii_lowercase();
    let of_authorization = folded.starts_with("microsoft.authorization/") && !folded.ends_with("/read");
    of_authorization || GIVE_ROLES.iter().any(|gives| covers(action, gives))
}

/// Whether a pattern stands for everything that another one stands for.
pub fn covers(outer: &str, inner: &str) -> bool {
    // A `*` of the inner one is a character like others, which only a `*` of the outer one takes.
    meets(outer.as_bytes(), inner.as_bytes())
}

/// Compares letter by letter, with all ways on which a `*` may go at once: the time is the product of the lengths.
fn meets(outer: &[u8], inner: &[u8]) -> bool {
    let mut row = vec![false; inner.len() + 1];
    for i in (0..=outer.len()).rev() {
        let mut next = vec![false; inner.len() + 1];
        for j in (0..=inner.len()).rev() {
            next[j] = match (outer.get(i), inner.get(j)) {
                (None, None) => true,
                (Some(b'*'), there) => row[j] || there.is_some() && next[j + 1],
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b) && row[j + 1],
                (None, Some(_)) | (Some(_), None) => false,
            };
        }
        row = next;
    }
    row[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_run() {
        for (outer, inner, all) in [
            ("Microsoft.Synapse/*", "microsoft.synapse/workspaces/write", true),
            ("Microsoft.*/roleAssignments/write", "Microsoft.Authorization/roleAssignments/write", true),
            ("a/*/c", "a/b/b/c", true),
            ("a/*/c", "a/c", false),
            ("a/*", "a/b/*", true),
            ("a/b/*", "a/*", false),
            ("a/*/x", "a/b/*", false),
            ("a/x*", "a/*y", false),
            ("a/b", "a/B", true),
            ("a/b", "a/c", false),
            ("a/b", "a/bc", false),
            ("a/**", "a/b", true),
        ] {
            assert_eq!(covers(outer, inner), all, "{outer} {inner}");
        }
    }

    #[test]
    fn a_pattern_that_may_give_roles_gives_roles() {
        for action in [
            "Microsoft.Authorization/roleAssignments/write",
            "microsoft.authorization/*",
            "Microsoft.*/roleAssignments/write",
            "Microsoft.*/write",
            "Microsoft.Authorization/*/write",
            "Microsoft.Auth*/elevateAccess/action",
            "m*/*",
        ] {
            assert!(gives_roles(action), "{action}");
        }
        for action in [
            "Microsoft.Authorization/*/read",
            "Microsoft.*/read",
            "Microsoft.Synapse/*",
            "Microsoft.*/servers/write",
        ] {
            assert!(!gives_roles(action), "{action}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_covered_stays_covered_whatever_its_stars_stand_for(
            outer in "[ab*]{0,6}",
            inner in "[ab*]{0,6}",
            put in "[ab]{0,2}",
        ) {
            if covers(&outer, &inner) {
                proptest::prop_assert!(covers(&outer, &inner.replace('*', &put)));
            }
        }
    }
}
