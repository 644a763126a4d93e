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

/// What operations that change something end with; others only read.
const CHANGES: [&str; 3] = ["/write", "/delete", "/action"];

/// Whether an action, or anything that a pattern stands for, lets people give roles or change what they allow, but for what the same
/// role does not allow (`notActions`).
pub fn gives_roles<N: AsRef<str>>(action: &str, not: &[N]) -> bool {
    let taken = |action: &str| not.iter().any(|pattern| covers(pattern.as_ref(), action));
    if taken(action) {
        return false;
    }
    let folded = action.to_ascii_lowercase();
    let of_authorization = folded.starts_with("microsoft.authorization/") && !folded.ends_with("/read");
    let remains = match folded.strip_suffix('*') {
        _ if !of_authorization => false,
        Some(begins) => CHANGES.iter().any(|verb| ends_in(begins, verb).iter().any(|some| !taken(some))),
        None => true,
    };
    remains || GIVE_ROLES.iter().any(|gives| covers(action, gives) && !taken(gives))
}

/// Patterns for all that begins like this and ends with that verb. What is but a provider and a verb is no operation.
fn ends_in(begins: &str, verb: &str) -> Vec<String> {
    let begun = (1..=verb.len()).filter(|n| begins.ends_with(&verb[..*n]));
    let mut all: Vec<String> = begun.map(|n| format!("{begins}{}", &verb[n..])).collect();
    all.push(format!("{begins}*{verb}"));
    all.retain(|pattern| pattern.matches('/').count() > 1);
    all
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
            assert!(gives_roles::<&str>(action, &[]), "{action}");
        }
        for action in [
            "Microsoft.Authorization/*/read",
            "Microsoft.*/read",
            "Microsoft.Synapse/*",
            "Microsoft.*/servers/write",
        ] {
            assert!(!gives_roles::<&str>(action, &[]), "{action}");
        }
    }

    #[test]
    fn what_the_same_role_takes_out_does_not_count_if_all_of_it_is_taken() {
        let changes = [
            "Microsoft.Authorization/*/write",
            "Microsoft.Authorization/*/DELETE",
            "Microsoft.Authorization/*/action",
        ];
        for (action, not) in [
            ("Microsoft.Authorization/*", &changes[..]),
            ("Microsoft.Authorization/role*", &changes),
            (
                "Microsoft.Authorization/policyAssignments/write",
                &["microsoft.authorization/policyassignments/*"],
            ),
            ("Microsoft.Authorization/*", &["Microsoft.Authorization/*"]),
            ("Microsoft.*/write", &["Microsoft.Authorization/*/write"]),
            ("Microsoft.*", &["Microsoft.Authorization/*"]),
        ] {
            assert!(
                gives_roles::<&str>(action, &[]) && !gives_roles(action, not),
                "{action} without {not:?}"
            );
        }
        for (action, not) in [
            ("Microsoft.Authorization/*", &changes[..2]),
            (
                "Microsoft.Authorization/roleAssignments/*",
                &["Microsoft.Authorization/roleAssignments/*/write"],
            ),
            ("Microsoft.Authorization/roleAssignments/wri*", &["Microsoft.Authorization/*/wri*/write"]),
            ("Microsoft.Authorization/*", &["Microsoft.Authorization/roleAssignments/*"]),
            ("Microsoft.*/write", &["Microsoft.Authorization/roleAssignments/write"]),
            ("Microsoft.Authorization/policyAssignments/write", &["Microsoft.Authorization/*/delete"]),
        ] {
            assert!(gives_roles(action, not), "{action} without {not:?}");
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
