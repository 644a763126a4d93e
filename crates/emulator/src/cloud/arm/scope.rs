//! Scopes of Resource Manager: paths that compare without case. The empty one is the root.

/// The subscription of a path in small letters.
pub(super) fn subscription(lower: &str) -> Option<&str> {
    lower.strip_prefix("/subscriptions/")?.split('/').next().filter(|id| !id.is_empty())
}

/// Whether what is given at `above` holds at `below` too. A management group holds every subscription here.
pub(super) fn covers(above: &str, below: &str) -> bool {
    let above = above.trim_end_matches('/').to_ascii_lowercase();
    let below = below.trim_end_matches('/').to_ascii_lowercase();
    below == above
        || below.strip_prefix(&above).is_some_and(|rest| rest.starts_with('/'))
        || (is_management_group(&above) && below.starts_with("/subscriptions/"))
}

/// Whether a scope is a management group.
pub(super) fn is_management_group(lower: &str) -> bool {
    lower.starts_with("/providers/microsoft.management/managementgroups/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_what_is_below_it() {
        for (above, below, holds) in [
            ("", "/subscriptions/s", true),
            ("/subscriptions/S", "/subscriptions/s/resourceGroups/g", true),
            ("/subscriptions/s", "/subscriptions/s2", false),
            ("/subscriptions/s/resourceGroups/g", "/subscriptions/s", false),
            ("/providers/Microsoft.Management/managementGroups/m", "/subscriptions/s", true),
        ] {
            assert_eq!(covers(above, below), holds, "{above} over {below}");
        }
    }
}
