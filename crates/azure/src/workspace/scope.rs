//! Scopes: the workspace and the kinds of item in it that roles are assigned on.

use std::fmt;

use crate::cloud::Base;

/// What kind of item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ItemKind {
    SparkPool,
    ScopePool,
    IntegrationRuntime,
    LinkedService,
    Credential,
}

impl ItemKind {
    const ALL: [Self; 5] =
        [Self::SparkPool, Self::ScopePool, Self::IntegrationRuntime, Self::LinkedService, Self::Credential];

    /// The word in the role map.
    fn word(self) -> &'static str {
        match self {
            Self::SparkPool => "spark-pool",
            Self::ScopePool => "scope-pool",
            Self::IntegrationRuntime => "integration-runtime",
            Self::LinkedService => "linked-service",
            Self::Credential => "credential",
        }
    }

    /// The word in a scope.
    fn segment(self) -> &'static str {
        match self {
            Self::SparkPool => "bigdatapools",
            Self::ScopePool => "scopepools",
            Self::IntegrationRuntime => "integrationruntimes",
            Self::LinkedService => "linkedservices",
            Self::Credential => "credentials",
        }
    }

    /// The same as the service spells it.
    fn spelled(self) -> &'static str {
        match self {
            Self::SparkPool => "bigDataPools",
            Self::ScopePool => "scopePools",
            Self::IntegrationRuntime => "integrationRuntimes",
            Self::LinkedService => "linkedServices",
            Self::Credential => "credentials",
        }
    }
}

/// An item of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ItemScope {
    kind: ItemKind,
    name: String,
}

impl fmt::Display for ItemScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.kind.word(), self.name)
    }
}

impl ItemScope {
    /// Parts `ROLE` or `ROLE on KIND::NAME`.
    pub(super) fn parse(text: &str) -> Result<(&str, Option<Self>), String> {
        let Some((role, item)) = text.split_once(" on ") else { return Ok((text.trim(), None)) };
        let (word, name) = item.split_once("::").unwrap_or((item, ""));
        let (word, name) = (word.trim(), name.trim());
        let kind = ItemKind::ALL.into_iter().find(|kind| kind.word().eq_ignore_ascii_case(word));
        match kind {
            Some(kind) if is_name(name) => Ok((role.trim(), Some(Self { kind, name: name.to_owned() }))),
            Some(_) => {
                Err(format!("{text}: the item after `{word}::` has no name that can stand in a scope"))
            }
            None => {
                let words: Vec<&str> = ItemKind::ALL.iter().map(|kind| kind.word()).collect();
                Err(format!(
                    "{text}: a workspace's roles are assigned on it or on one of {}",
                    words.join(", ")
                ))
            }
        }
    }

    /// The item of a scope of this workspace; `None` inside for the workspace itself; none for other scopes.
    #[expect(clippy::option_option, reason = "no item and no scope of this workspace are two things")]
    pub(super) fn of_scope(workspace: &str, scope: &str) -> Option<Option<Self>> {
        let rest = scope.strip_prefix(&of_item(workspace, None))?;
        if rest.is_empty() {
            return Some(None);
        }
        let (segment, name) = rest.strip_prefix('/')?.split_once('/')?;
        let kind = ItemKind::ALL.into_iter().find(|kind| kind.segment().eq_ignore_ascii_case(segment))?;
        is_name(name).then(|| Some(Self { kind, name: name.to_owned() }))
    }
}

/// Whether it is one segment of a scope.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 260
        && !name.contains(['/', '?', '#', '\\'])
        && !name.chars().any(char::is_control)
}

/// The scope of an item, or of the workspace.
pub(super) fn of_item(workspace: &str, item: Option<&ItemScope>) -> String {
    match item {
        None => format!("workspaces/{workspace}"),
        Some(item) => format!("workspaces/{workspace}/{}/{}", item.kind.spelled(), item.name),
    }
}

/// A scope in one spelling: the service compares without case, and a row must be told from another item's by it alone.
pub(super) fn folded(workspace: &str, scope: &str) -> String {
    let scope = scope.trim_matches('/');
    let head = format!("workspaces/{workspace}");
    let Some((prefix, rest)) = scope.split_at_checked(head.len()) else { return scope.to_owned() };
    if !prefix.eq_ignore_ascii_case(&head) {
        return scope.to_owned();
    }
    let Some((segment, name)) = rest.strip_prefix('/').and_then(|rest| rest.split_once('/')) else {
        return format!("{head}{rest}");
    };
    let kind = ItemKind::ALL.into_iter().find(|kind| kind.segment().eq_ignore_ascii_case(segment));
    kind.map_or_else(|| scope.to_owned(), |kind| format!("{head}/{}/{name}", kind.spelled()))
}

/// The address tells no workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not begin with a workspace's name: set `workspace` beside `endpoint`")]
pub struct BadWorkspace(String);

/// The workspace's name: the first label of its address (`acme.dev.azuresynapse.net`), where it is not given.
pub(super) fn workspace_name(endpoint: &Base, given: Option<&str>) -> Result<String, BadWorkspace> {
    if let Some(name) = given.filter(|name| is_name(name)) {
        return Ok(name.to_owned());
    }
    let host = endpoint.as_str().split("://").nth(1).unwrap_or_default();
    let label = host.split(['.', ':', '/']).next().unwrap_or_default();
    let named = host.contains(".dev.azuresynapse.") && !label.is_empty();
    if named { Ok(label.to_owned()) } else { Err(BadWorkspace(endpoint.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_item_is_read_and_written_back() {
        for (text, scope) in [
            ("Synapse User", "workspaces/acme"),
            ("Synapse Compute Operator on spark-pool::small", "workspaces/acme/bigDataPools/small"),
            ("Synapse User on scope-pool::p", "workspaces/acme/scopePools/p"),
            ("Synapse User on integration-runtime::ir 1", "workspaces/acme/integrationRuntimes/ir 1"),
            ("Synapse Credential User on linked-service::lake", "workspaces/acme/linkedServices/lake"),
            (
                "Synapse Credential User on credential::WorkspaceSystemIdentity",
                "workspaces/acme/credentials/WorkspaceSystemIdentity",
            ),
        ] {
            let (role, item) = ItemScope::parse(text).unwrap();
            assert_eq!(of_item("acme", item.as_ref()), scope);
            let back =
                ItemScope::of_scope("acme", &folded("acme", &scope.to_uppercase().replace("ACME", "acme")));
            let back = back.unwrap().map(|item| format!(" on {item}").to_lowercase()).unwrap_or_default();
            assert_eq!(format!("{}{back}", role.to_lowercase()), text.to_lowercase());
        }
    }

    #[test]
    fn no_item_s_name_leads_out_of_its_scope() {
        for bad in [
            "Synapse User on sql-pool::dw",
            "Synapse User on spark-pool::",
            "Synapse User on spark-pool",
            "Synapse User on spark-pool::a/b",
            "Synapse User on credential::a?x",
        ] {
            assert!(ItemScope::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(ItemScope::of_scope("acme", "workspaces/acme2"), None);
        assert_eq!(ItemScope::of_scope("acme", "workspaces/acme/sqlPools/dw"), None);
    }

    #[test]
    fn a_workspace_is_named_by_its_address() {
        let base = |text: &str| Base::parse(text).unwrap();
        assert_eq!(workspace_name(&base("https://acme.dev.azuresynapse.net"), None).unwrap(), "acme");
        assert_eq!(workspace_name(&base("http://127.0.0.1:9"), Some("acme")).unwrap(), "acme");
        assert!(workspace_name(&base("http://127.0.0.1:9"), None).is_err());
    }
}
