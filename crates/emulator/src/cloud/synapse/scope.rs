//! Scopes of a workspace: itself, and items below it.

/// The forms of scopes.
pub(super) const TEMPLATES: [&str; 6] = [
    "workspaces/{workspaceName}",
    "workspaces/{workspaceName}/bigDataPools/{bigDataPoolName}",
    "workspaces/{workspaceName}/scopePools/{scopePoolName}",
    "workspaces/{workspaceName}/integrationRuntimes/{integrationRuntimeName}",
    "workspaces/{workspaceName}/linkedServices/{linkedServiceName}",
    "workspaces/{workspaceName}/credentials/{credentialName}",
];

/// Which form a scope has; none for what is no scope.
pub(super) fn template(scope: &str) -> Option<&'static str> {
    let steps: Vec<&str> = scope.split('/').collect();
    TEMPLATES.into_iter().find(|template| {
        let form: Vec<&str> = template.split('/').collect();
        form.len() == steps.len()
            && form.iter().zip(&steps).all(|(form, step)| {
                if form.starts_with('{') { !step.is_empty() } else { form.eq_ignore_ascii_case(step) }
            })
    })
}

/// Whether a scope is of this workspace.
pub(super) fn is_of(scope: &str, workspace: &str) -> bool {
    scope.split('/').nth(1).is_some_and(|name| name.eq_ignore_ascii_case(workspace))
}

/// Whether what is given at `above` holds at `below` too.
pub(super) fn covers(above: &str, below: &str) -> bool {
    let (above, below) = (above.to_ascii_lowercase(), below.to_ascii_lowercase());
    below == above || below.strip_prefix(&above).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_have_forms() {
        assert_eq!(template("workspaces/acme"), Some(TEMPLATES[0]));
        assert_eq!(template("Workspaces/acme/bigdatapools/p"), Some(TEMPLATES[1]));
        for bad in [
            "",
            "workspaces",
            "workspaces/",
            "workspaces/a/sqlPools/p",
            "workspaces/a/credentials/",
            "/workspaces/a",
        ] {
            assert_eq!(template(bad), None, "{bad}");
        }
        assert!(
            covers("workspaces/a", "workspaces/A/credentials/c") && !covers("workspaces/a", "workspaces/ab")
        );
    }
}
