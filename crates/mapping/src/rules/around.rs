//! Roles of workspaces and of Azure by which somebody makes themselves the administrator of a database of the map: what a rule
//! forbids there they have.

use std::collections::BTreeMap;

use super::Rules;
use crate::check::powers;
use crate::diagnostic::Fault;
use crate::grant::GrantLine;
use crate::names::{RoleName, TargetName};
use crate::read::Reader;
use crate::role::{Definitions, PlacedGrant, ReadRole};
use crate::target::{Endpoint, TargetSpec, Words};
use crate::yaml::shown;

/// Refuses roles that are an administrator's, where a rule forbids anything in a database that they reach.
pub(crate) fn check(
    reader: &Reader<'_>,
    said: &Rules,
    targets: &BTreeMap<TargetName, TargetSpec>,
    roles: &BTreeMap<RoleName, ReadRole>,
) {
    let defined = Definitions::of(roles.values().map(|role| &role.spec));
    for role in roles.values() {
        for (target, lines) in &role.spec.grants {
            let Some(spec) = targets.get(target) else { continue };
            let spans = role.spans.get(target).map_or(&[][..], Vec::as_slice);
            for (grant, text) in lines.iter().zip(spans) {
                for rule in &said.forbid {
                    let Some(how) = gives(&grant.line, spec, targets, &defined, rule) else { continue };
                    let message =
                        format!("this line gives `{}`, which {} forbids", shown(&rule.text), rule.place);
                    reader.fault_help(Fault::Invalid, text.span, message, how);
                }
            }
        }
    }
}

/// How an assigned role gives what a rule forbids in some database of the map.
pub(crate) fn gives(
    line: &GrantLine,
    target: &TargetSpec,
    targets: &BTreeMap<TargetName, TargetSpec>,
    defined: &Definitions<'_>,
    rule: &PlacedGrant,
) -> Option<String> {
    let (GrantLine::Assigned(_), GrantLine::Permissions { .. }) = (line, &rule.line) else { return None };
    let what = powers::administrator(line, target, defined)?;
    let databases = targets.values().filter(|of| of.kind.words() == Words::Sql);
    let reached = databases.into_iter().find(|database| may_hold(target, database))?;
    Some(format!("{what}: an administrator has CONTROL of {}", reached.name))
}

/// Whether a database may be one of this workspace or scope. Only what is surely another workspace's is none.
fn may_hold(outer: &TargetSpec, database: &TargetSpec) -> bool {
    match (workspace(outer), workspace(database)) {
        (Some(outer), Some(of)) => outer == of,
        _ => true,
    }
}

/// The workspace that a target is, is in, or is a scope of.
fn workspace(target: &TargetSpec) -> Option<String> {
    let of_host = |host: &str, of: &str| {
        let name = host.to_ascii_lowercase().strip_suffix(of)?.to_owned();
        Some(name.strip_suffix("-ondemand").unwrap_or(&name).to_owned())
    };
    match &target.endpoint {
        Endpoint::Sql(server) => of_host(&server.host, ".sql.azuresynapse.net"),
        Endpoint::Workspace(address) => {
            let named = target.workspace.as_ref().map(|name| name.to_ascii_lowercase());
            let host = || address.strip_prefix("https://")?.split(['/', ':']).next();
            named.or_else(|| of_host(host()?, ".dev.azuresynapse.net"))
        }
        Endpoint::Azure(scope) => {
            let scope = scope.to_ascii_lowercase();
            let (_, rest) = scope.split_once("/microsoft.synapse/workspaces/")?;
            rest.split('/').next().map(str::to_owned)
        }
        Endpoint::Script { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::map::RoleMap;

    const MAP: &str = r#"axon: 1
targets:
  dw: { kind: synapse-dedicated, host: acme.sql.azuresynapse.net, database: dw, auth: { token-file: t } }
  ws: { kind: synapse-workspace, endpoint: "https://WORKSPACE.dev.azuresynapse.net", auth: managed-identity }
  rg: { kind: azure-rbac, scope: SCOPE, auth: managed-identity }
roles:
  r: { grants: { ws: [IN_WS], rg: [IN_RG] } }
rules: { forbid: [RULE] }
"#;

    fn refused(workspace: &str, scope: &str, in_ws: &str, in_rg: &str, rule: &str) -> Vec<String> {
        let text = MAP
            .replace("WORKSPACE", workspace)
            .replace("SCOPE", scope)
            .replace("IN_WS", in_ws)
            .replace("IN_RG", in_rg)
            .replace("RULE", rule);
        let Err(faults) = RoleMap::parse(&[("m.yaml", &text)]) else { return Vec::new() };
        faults.faults().iter().map(|fault| fault.help.clone().unwrap_or_default()).collect()
    }

    #[test]
    fn an_administrator_has_control_of_the_databases_that_the_workspace_may_hold() {
        let (user, reader) = ("Synapse User", "Reader");
        let (group, rule) = ("/subscriptions/x/resourceGroups/y", "select on hr.people");
        let admin = refused("acme", group, "Synapse Administrator", reader, rule);
        assert_eq!(admin.len(), 1, "{admin:?}");
        assert!(
            admin[0].contains("Synapse Administrator") && admin[0].contains("CONTROL of dw"),
            "{admin:?}"
        );
        let reset = refused("acme", group, user, "Contributor", "control on database");
        assert_eq!(reset.len(), 1, "{reset:?}");
        assert!(reset[0].contains("SQL administrator"), "{reset:?}");
        // A role that the map makes itself counts by what it allows.
        let made = |allowed: &str, not: &str| {
            let define = format!(
                "r: {{ define: {{ rg: {{ name: Odd, actions: [\"{allowed}\"], not_actions: [{not}] }} }}, grants: {{"
            );
            let text = MAP
                .replace("r: { grants: {", &define)
                .replace("WORKSPACE", "acme")
                .replace("SCOPE", group)
                .replace("IN_WS", user)
                .replace("IN_RG", "Odd")
                .replace("RULE", "control on database");
            RoleMap::parse(&[("m.yaml", &text)]).map(|_| ()).map_err(|faults| faults.to_string())
        };
        for allowed in
            ["Microsoft.Synapse/*", "microsoft.*/workspaces/*/write", "Microsoft.Sql/servers/write"]
        {
            let refused = made(allowed, "").unwrap_err();
            assert!(refused.contains("SQL administrator") && refused.contains("CONTROL of dw"), "{refused}");
        }
        assert!(
            made("Microsoft.*/roleAssignments/write", "").unwrap_err().contains("lets people give roles")
        );
        assert_eq!(made("Microsoft.Synapse/workspaces/read", ""), Ok(()));
        assert_eq!(
            made(
                "Microsoft.Synapse/workspaces/*",
                "\"Microsoft.Synapse/*/write\", \"Microsoft.Synapse/workspaces/write\""
            ),
            Ok(())
        );
        for (workspace, scope, in_ws, in_rg, rule) in [
            ("acme", group, user, reader, rule),
            ("other", group, "Synapse Administrator", reader, rule),
            ("acme", group, "Synapse Administrator", reader, "member of xlargerc"),
            (
                "acme",
                "/subscriptions/x/resourceGroups/y/providers/Microsoft.Synapse/workspaces/other",
                user,
                "Contributor",
                rule,
            ),
        ] {
            let refused = refused(workspace, scope, in_ws, in_rg, rule);
            assert!(refused.is_empty(), "{refused:?}");
        }
    }
}
