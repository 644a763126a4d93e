//! Actions of Azure as roles name them: `*` stands for any run of characters, and case does not matter.

/// Whether an action, or anything that a pattern stands for, lets people give roles or change what they allow.
pub fn gives_roles(action: &str) -> bool {
    let reads = action.to_ascii_lowercase().ends_with("/read");
    !reads && overlap(action, "Microsoft.Authorization/*")
}

/// Whether a pattern stands for everything that another one stands for.
pub fn covers(outer: &str, inner: &str) -> bool {
    // A `*` of the inner one is a character like others, which only a `*` of the outer one takes.
    meets(outer.as_bytes(), inner.as_bytes(), false)
}

/// Whether one action, or anything that a pattern stands for, is among what another pattern stands for.
pub fn overlap(one: &str, other: &str) -> bool {
    meets(one.as_bytes(), other.as_bytes(), true)
}

/// Compares letter by letter, with all ways on which a `*` may go at once: the time is the product of the lengths.
fn meets(one: &[u8], other: &[u8], both_ways: bool) -> bool {
    let mut row = vec![false; other.len() + 1];
    for i in (0..=one.len()).rev() {
        let mut next = vec![false; other.len() + 1];
        for j in (0..=other.len()).rev() {
            let (a, b) = (one.get(i), other.get(j));
            let star = a == Some(&b'*') && (row[j] || j < other.len() && next[j + 1]);
            let other_star = both_ways && b == Some(&b'*') && (next[j + 1] || i < one.len() && row[j]);
            let same = match (a, b) {
                (None, None) => true,
                (Some(a), Some(b)) => *b != b'*' && a.eq_ignore_ascii_case(b) && row[j + 1],
                _ => false,
            };
            next[j] = star || other_star || same;
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
        for (outer, inner, all, some) in [
            ("Microsoft.Synapse/*", "microsoft.synapse/workspaces/write", true, true),
            (
                "Microsoft.*/roleAssignments/write",
                "Microsoft.Authorization/roleAssignments/write",
                true,
                true,
            ),
            ("a/*/c", "a/b/b/c", true, true),
            ("a/*/c", "a/c", false, false),
            ("a/*", "a/b/*", true, true),
            ("a/b/*", "a/*", false, true),
            ("a/*/x", "a/b/*", false, true),
            ("a/x*", "a/*y", false, true),
            ("a/b", "a/B", true, true),
            ("a/b", "a/c", false, false),
            ("a/b", "a/bc", false, false),
            ("a/**", "a/b", true, true),
        ] {
            assert_eq!(covers(outer, inner), all, "{outer} {inner}");
            assert_eq!((overlap(outer, inner), overlap(inner, outer)), (some, some), "{outer} {inner}");
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
        for action in
            ["Microsoft.Authorization/*/read", "Microsoft.*/read", "Microsoft.Synapse/*", "Microsoft.Auth/x"]
        {
            assert!(!gives_roles(action), "{action}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_covers_meets_and_what_is_covered_matches(outer in "[ab*]{0,6}", inner in "[ab*]{0,6}", put in "[ab]{0,2}") {
            let one = inner.replace('*', &put);
            if covers(&outer, &inner) {
                proptest::prop_assert!(covers(&outer, &one) && overlap(&outer, &inner));
            }
            if covers(&outer, &one) {
                proptest::prop_assert!(overlap(&outer, &inner));
            }
        }
    }
}
