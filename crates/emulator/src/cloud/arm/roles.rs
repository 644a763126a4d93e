//! Roles of Resource Manager: the built-in ones of the reference (7.3) and the custom ones, and what they allow.

use crate::cloud::state::{CloudState, Permissions};

/// A built-in role. The lists of actions are general knowledge, cut to what tells the roles apart.
pub(super) struct BuiltIn {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    actions: &'static [&'static str],
    not_actions: &'static [&'static str],
    data_actions: &'static [&'static str],
}

macro_rules! roles {
    ($($id:literal $name:literal [$($action:literal),*] not [$($not:literal),*] data [$($data:literal),*];)+) => {
        /// All of them.
        pub(super) const BUILT_IN: &[BuiltIn] = &[$(BuiltIn {
            id: $id, name: $name, actions: &[$($action),*], not_actions: &[$($not),*], data_actions: &[$($data),*],
        }),+];
    };
}

roles! {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635" "Owner" ["*"] not [] data [];
    "b24988ac-6180-42a0-ab88-20f7382dd24c" "Contributor" ["*"]
        not ["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action"] data [];
    "acdd72a7-3385-48ef-bd42-f606fba81ae7" "Reader" ["*/read"] not [] data [];
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9" "User Access Administrator" ["*/read", "Microsoft.Authorization/*"] not [] data [];
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168" "Role Based Access Control Administrator"
        ["Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "*/read"] not [] data [];
    "673868aa-7521-48a0-acc6-0f60742d39f5" "Data Factory Contributor"
        ["Microsoft.Authorization/*/read", "Microsoft.DataFactory/factories/*", "Microsoft.Resources/deployments/*"] not [] data [];
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b" "Storage Blob Data Owner"
        ["Microsoft.Storage/storageAccounts/blobServices/containers/*"] not []
        data ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"];
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe" "Storage Blob Data Contributor"
        ["Microsoft.Storage/storageAccounts/blobServices/containers/read", "Microsoft.Storage/storageAccounts/blobServices/containers/write"] not []
        data ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete"];
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1" "Storage Blob Data Reader"
        ["Microsoft.Storage/storageAccounts/blobServices/containers/read"] not []
        data ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"];
    "9b7fa17d-e63e-47b0-bb0a-15c476ac86ec" "SQL DB Contributor" ["Microsoft.Authorization/*/read", "Microsoft.Sql/servers/databases/*"] not [] data [];
    "056cd41c-7e88-42e1-933e-88ba6a50c9c3" "SQL Security Manager" ["Microsoft.Authorization/*/read", "Microsoft.Sql/servers/securityAlertPolicies/*"] not [] data [];
    "6d8ee4ec-f05a-4a1d-8b00-a9b17e38b437" "SQL Server Contributor" ["Microsoft.Authorization/*/read", "Microsoft.Sql/servers/*"] not [] data [];
    "3913510d-42f4-4e42-8a64-420c390055eb" "Monitoring Metrics Publisher" [] not []
        data ["Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"];
    "73c42c96-874c-492b-b04d-ab87d138a893" "Log Analytics Reader" ["*/read"] not [] data [];
    "92aaf0da-9dab-42b6-94a3-d43ce8d16293" "Log Analytics Contributor" ["*/read", "Microsoft.OperationalInsights/*"] not [] data [];
}

impl BuiltIn {
    /// What it allows.
    pub(super) fn permissions(&self) -> Permissions {
        let list = |from: &[&str]| from.iter().map(|text| (*text).to_owned()).collect();
        Permissions {
            actions: list(self.actions),
            not_actions: list(self.not_actions),
            data_actions: list(self.data_actions),
            not_data_actions: Vec::new(),
        }
    }
}

/// What the role of this id allows; none where there is no such role.
pub(super) fn permissions(state: &CloudState, id: &str) -> Option<Vec<Permissions>> {
    let built_in =
        BUILT_IN.iter().find(|role| role.id.eq_ignore_ascii_case(id)).map(|role| vec![role.permissions()]);
    built_in.or_else(|| {
        let custom = state.definitions.iter().find(|role| role.name.eq_ignore_ascii_case(id));
        custom.map(|role| role.permissions.clone())
    })
}

/// Whether permissions allow an action.
pub(super) fn allow(permissions: &[Permissions], action: &str) -> bool {
    let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
    permissions.iter().any(|own| any(&own.actions) && !any(&own.not_actions))
}

/// Whether an action fits a pattern with `*` for anything, also for slashes.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|head| action.strip_prefix(head)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let middle: &str = middle;
            let Some(at) = rest.find(middle) else { return false };
            rest = &rest[at + middle.len()..];
        }
    }
    last.map_or(rest.is_empty(), |tail| rest.ends_with(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_hold_anything_between() {
        for (pattern, action, fits) in [
            ("*", "A/b", true),
            ("*/read", "a/b/READ", true),
            ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write", true),
            ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/write", false),
            ("a/*/b/*", "a/x/b/c", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("aa*a", "aa", false),
        ] {
            assert_eq!(matches(pattern, action), fits, "{pattern} {action}");
        }
    }

    #[test]
    fn a_contributor_gives_nobody_a_role() {
        let role = |name: &str| vec![BUILT_IN.iter().find(|role| role.name == name).unwrap().permissions()];
        let write = "Microsoft.Authorization/roleAssignments/write";
        assert!(allow(&role("Owner"), write) && allow(&role("User Access Administrator"), write));
        assert!(!allow(&role("Contributor"), write) && !allow(&role("Reader"), write));
    }
}
