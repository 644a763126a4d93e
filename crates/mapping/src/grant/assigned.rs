//! Lines of targets whose roles are assigned: the name of one role, as Synapse or Azure spells it.

use axon_model::SqlName;
use axon_reconcile::workspace_role::own_name;

use super::parse::GrantError;

/// Roles of a workspace, by the names of its own interface. Source: recorded role definitions of the service.
pub(crate) const WORKSPACE_ROLES: &[&str] = &[
    "Synapse Administrator",
    "Synapse SQL Administrator",
    "Apache Spark Administrator",
    "Synapse Contributor",
    "Synapse Artifact Publisher",
    "Synapse Artifact User",
    "Synapse Compute Operator",
    "Synapse Monitoring Operator",
    "Synapse Credential User",
    "Synapse Linked Data Manager",
    "Synapse User",
];

/// Roles of Azure Resource Manager that matter around Synapse. Others, custom ones too, are taken by name.
pub(crate) const AZURE_ROLES: &[&str] = &[
    "Owner",
    "Contributor",
    "Reader",
    "User Access Administrator",
    "Role Based Access Control Administrator",
    "Data Factory Contributor",
    "Storage Blob Data Owner",
    "Storage Blob Data Contributor",
    "Storage Blob Data Reader",
    "SQL DB Contributor",
    "SQL Security Manager",
    "SQL Server Contributor",
    "Monitoring Metrics Publisher",
    "Log Analytics Reader",
    "Log Analytics Contributor",
];

/// The kinds of item in a workspace that roles are assigned on.
const ITEMS: [&str; 5] = ["spark-pool", "scope-pool", "integration-runtime", "linked-service", "credential"];

/// Reads the name of a role.
pub(super) fn parse(line: &str) -> Result<SqlName, GrantError> {
    let text = line.trim();
    let lower = text.to_ascii_lowercase();
    // A workspace's role may be on one of its items: `Synapse Compute Operator on spark-pool::small`.
    let item = lower.split_once(" on ").and_then(|(_, item)| item.split_once("::"));
    let on_item = item.is_some_and(|(kind, name)| ITEMS.contains(&kind.trim()) && !name.trim().is_empty());
    let sql =
        (lower.contains(" on ") && !on_item) || lower.starts_with("deny ") || lower.starts_with("per person");
    if sql || lower.starts_with("member of ") {
        return Err(GrantError::at(0, line.len(), "roles are assigned here, and this is a line of T-SQL")
            .with_help("write the role's name, such as `Reader` or `Synapse Artifact User`"));
    }
    let from = line.len() - line.trim_start().len();
    let fault = |message: &str| Err(GrantError::at(from, from + text.len(), message));
    if text.chars().any(char::is_control) {
        return fault("the name of a role holds no control characters");
    }
    if let Some((system, rest)) = text.split_once(':').filter(|(_, rest)| !rest.starts_with(':'))
        && let Some((kind, named)) = SYSTEMS
            .iter()
            .find(|(_, named)| named.iter().any(|named| named.eq_ignore_ascii_case(system.trim())))
            .map(|(kind, _)| (*kind, system.trim()))
    {
        let message =
            format!("whose role it is, the kind of the target says, not `{named}:` before its name");
        let role = rest.trim();
        let help = format!("write `{role}` under a target of kind {kind}");
        return Err(GrantError::at(from, from + system.len() + 1, message).with_help(help));
    }
    SqlName::parse(text).map_err(|e| GrantError::at(from, from + text.len(), e.to_string()))
}

/// Words by which people say whose role they mean, and the kind of target that says it here.
const SYSTEMS: [(&str, &[&str]); 2] = [
    ("azure-rbac", &["azure", "azure-rbac", "arm", "rbac"]),
    ("synapse-workspace", &["synapse", "synapse-workspace", "workspace"]),
];

/// A role of a workspace under the service's own name, whatever name of the portal or of former times the map has for it: lines,
/// `manage.roles` and `manage.except` are compared by it.
pub(crate) fn of_workspace(name: SqlName) -> SqlName {
    SqlName::parse(&folded(name.as_str())).unwrap_or(name)
}

/// The same of a text, with an item after it or none.
pub(crate) fn folded(text: &str) -> String {
    match text.split_once(" on ") {
        Some((role, item)) => format!("{} on {item}", own_name(role.trim())),
        None => own_name(text.trim()).to_owned(),
    }
}

/// The spelling of a known role, if it is one of these, on whatever item.
pub(crate) fn known<'r>(name: SqlName, roles: &[&'r str]) -> Option<&'r str> {
    let text = name.as_str();
    let bare = text.split_once(" on ").map_or(text, |(role, _)| role).trim();
    let own = own_name(bare);
    roles.iter().copied().find(|role| role.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_s_name_is_taken_and_t_sql_is_not() {
        assert_eq!(parse(" Synapse Artifact User ").unwrap().as_str(), "Synapse Artifact User");
        assert!(parse("Synapse Compute Operator on spark-pool::small").is_ok());
        for bad in [
            "Reader on schema::x",
            "Reader on spark-pool::",
            "",
            "select on a.b",
            "per person: member of x",
            "member of x",
            "deny x",
            "a\u{7}b",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        for (line, help) in [
            ("azure:Reader", "write `Reader` under a target of kind azure-rbac"),
            (
                " Synapse : Synapse User on spark-pool::small",
                "write `Synapse User on spark-pool::small` under a target of kind synapse-workspace",
            ),
        ] {
            let refused = parse(line).unwrap_err();
            assert_eq!(refused.help.as_deref(), Some(help));
            assert!(line[refused.from..refused.to].ends_with(':'), "{refused:?}");
        }
        assert!(parse("Acme: readers").is_ok() && parse("Synapse User on credential::azure").is_ok());
        assert_eq!(known(parse("owner").unwrap(), AZURE_ROLES), Some("Owner"));
        let spark = parse("Synapse Apache Spark Administrator on spark-pool::small").unwrap();
        assert_eq!(known(spark, WORKSPACE_ROLES), Some("Apache Spark Administrator"));
        assert_eq!(of_workspace(spark).as_str(), "Apache Spark Administrator on spark-pool::small");
    }
}
