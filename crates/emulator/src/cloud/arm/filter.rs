//! `$filter` of role assignments: the three forms of the reference and `atScope()` joined to them.

/// Which rows are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    /// No rows below the scope.
    pub(super) at_scope: bool,
    /// Rows of this principal only.
    pub(super) principal: Option<String>,
    /// Rows of this principal and of its groups.
    pub(super) assigned_to: Option<String>,
}

impl Filter {
    /// Reads a filter; none for what the service refuses.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut filter = Self::default();
        for part in text.split(" and ").map(str::trim) {
            let quoted = |text: &str| {
                Some(text.strip_prefix('\'')?.strip_suffix('\'')?.to_owned()).filter(|id| !id.contains('\''))
            };
            if part.eq_ignore_ascii_case("atScope()") {
                filter.at_scope = true;
            } else if let Some(id) = part.strip_prefix("principalId eq ") {
                filter.principal = Some(quoted(id.trim())?);
            } else if let Some(id) = part.strip_prefix("assignedTo(").and_then(|rest| rest.strip_suffix(')'))
            {
                filter.assigned_to = Some(quoted(id.trim())?);
            } else {
                return None;
            }
        }
        Some(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_the_service_knows() {
        let parsed = Filter::parse("atScope() and assignedTo('a')").unwrap();
        assert_eq!(parsed, Filter { at_scope: true, principal: None, assigned_to: Some("a".into()) });
        assert_eq!(Filter::parse("principalId eq 'p'").unwrap().principal.as_deref(), Some("p"));
        for bad in ["", "principalId eq p", "principalId eq 'a' or 'b'", "roleName eq 'x'", "assignedTo('a'"]
        {
            assert_eq!(Filter::parse(bad), None, "{bad}");
        }
    }
}
